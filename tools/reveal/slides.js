// Start the deck: wide on a screen, tall on a phone; what is too large is set smaller.
const phone = window.innerWidth < 700;
const size = phone ? [480, 820] : [1280, 720];

function room(slide) {
  return slide.clientWidth - 2 * parseFloat(getComputedStyle(slide).paddingLeft);
}

function tooLarge(slide) {
  const wide = [...slide.querySelectorAll("mjx-math, pre, table, code, h1, h2")];
  return (
    slide.offsetHeight > size[1] ||
    wide.some((part) => Math.max(part.offsetWidth, part.scrollWidth) > room(slide) + 1)
  );
}

function fit(slide) {
  for (const formula of slide.querySelectorAll("mjx-container[display] > mjx-math")) {
    const share = room(slide) / formula.offsetWidth;
    if (share < 1) formula.parentNode.style.fontSize = 100 * share + "%";
  }
  for (let letters = 95; letters >= 40 && tooLarge(slide); letters -= 5) {
    slide.style.fontSize = letters + "%";
  }
}

const deck = new Reveal({
  hash: true,
  slideNumber: "c/t",
  transition: "none",
  center: false,
  width: size[0],
  height: size[1],
  margin: 0.02,
  scrollActivationWidth: null,
});
deck.on("slidechanged", (event) => fit(event.currentSlide));
const ready = window.MathJax.startup ? window.MathJax.startup.promise : Promise.resolve();
ready
  .then(() => deck.initialize())
  .then(() => {
    fit(deck.getCurrentSlide());
    document.body.dataset.ready = "yes";
  });
