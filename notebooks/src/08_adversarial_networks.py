# %% [markdown]
# Two networks play. The **generator** draws points. The **discriminator** sees a
# point, real or drawn, and says how probable it finds "real".

# %%
import keras
import tensorflow as tf
from dl_course import data, gan

grid = np.linspace(-5, 5, 201, dtype="float32")[:, None]
density = gan.two_hills_density(grid[:, 0])  # of the real points


# %%
def verdicts(discriminator, x):  # the probability of "real"
    return np.array(keras.ops.sigmoid(discriminator(x)))[:, 0]


def game(number, frames=None, rounds=1200, **settings):
    rng = np.random.default_rng(seed(number))
    generator, discriminator = gan.build_players(noise=1, features=1)
    real = gan.two_hills(rounds * 128, rng)
    z = rng.standard_normal((10_000, 1), dtype="float32")

    def watch(i):
        if frames is not None and (i in (1, 10) or i % 50 == 0):
            x = np.array(generator(z))[:, 0]
            frames[i] = x, verdicts(discriminator, grid)

    settings = {"gamma": 0.01, "num_steps": rounds} | settings
    gan.play(generator, discriminator, real, rng, watch=watch, **settings)
    return np.array(generator(z)), discriminator


frames = {}
_ = game(1, frames)


# %% tags=["figure"]
def still(axis, i):
    axis.hist(frames[i][0], np.linspace(-5, 5, 51), density=True, color=plots.SKY)
    axis.plot(grid, density, color=plots.BLACK)
    axis.plot(grid, frames[i][1], "--", color=plots.RED)
    axis.set(title=f"round {i}", ylim=(0, 1.02), xlabel="x")


def pictures():
    for i in frames:
        figure, axis = plt.subplots(figsize=(6, 2.8))
        still(axis, i)
        yield figure


# %% tags=["figure"]
from base64 import b64encode

alt = "Bars move under a curve of two hills; a dashed line bends and becomes flat."
film = b64encode(gan.animate(pictures())).decode()
about = {"image/png": {"width": 600, "alt": alt}}
display({"image/png": film, "text/plain": alt}, metadata=about, raw=True)

# %% [markdown]
# Blue bars: what the generator draws. Black: the density of the real points. Red,
# dashed: the discriminator's verdict. The bars have never seen a real point. They
# only follow what the red line tells them, until it has nothing left to tell: it lies
# at ½. This chapter explains each part of that film, and why such a game needs care
# to end so well.

# %% [markdown]
# ## Recall
#
# 1. What does cross-entropy ask of a classifier with two classes?
# 2. In which direction does a gradient step change the weights, and which weights?
# 3. A sigmoid's output is 0.999. How large is its slope there?
#
# <details><summary>Answer</summary>
#
# 1. A high probability for the class that is right: the loss is $-\log p$ of it.
# 2. Against the gradient of the loss; only those weights that are handed to the
#    optimizer.
# 3. $p(1-p)$, about 0.001. Saturated units pass on almost no gradient.
#
# </details>

# %% [markdown]
# ## 1. What would a perfect detective say?
#
# Think of the generator as a **forger**, and of the discriminator as a **detective**.
# The forger $G_\theta$ turns noise $z$ into a sample. The detective $D_\phi$ turns a
# sample into a probability. $\theta$ and $\phi$ are their weights, and $x$ is a real
# sample. Goodfellow et al. (2014) let them play for one number:
#
# $$\min_\theta\max_\phi\;V = \mathbb E_{x}\log D_\phi(x) +
# \mathbb E_z \log\bigl(1-D_\phi(G_\theta(z))\bigr)$$
#
# Look at one point $x$. It comes up among the real ones with density $p(x)$, among
# the drawn ones with $q(x)$. So $V$ contains $p\log D + q\log(1-D)$ there, and that
# is largest for
#
# $$D^*(x) = \frac{p(x)}{p(x)+q(x)}$$

# %% [markdown]
# **Predict.** Real points have the two hills of the film: normal around −2 with
# deviation 0.6, and around 1.5 with 0.9. The drawn ones are standard normal. Where
# does $D^*$ lie at ½? And what does it say at −3, and at −5?

# %%
drawn = np.exp(-(grid[:, 0] ** 2) / 2) / np.sqrt(2 * np.pi)
best = gan.best_verdict(density, drawn)

# %% [markdown]
# A network that trains against a generator at rest should find the same curve. Our
# generator at rest is the identity: it hands on its noise.

# %%
rng = np.random.default_rng(seed(2))
_, detective = gan.build_players(noise=1, features=1)
rest = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
d_step, _ = gan.make_steps(rest, detective, num_steps=800)
for _ in range(800):
    x, z = gan.two_hills(256, rng), rng.standard_normal((256, 1), dtype="float32")
    d_step(x, z)

# %%
asked = (density + drawn) / 2  # how often a point is asked
step = grid[1, 0] - grid[0, 0]
gap = np.sum(asked * np.abs(verdicts(detective, grid) - best)) * step
claim("mean gap between trained and perfect verdict", gap, at_most=0.05)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.fill_between(grid[:, 0], drawn, color=plots.SKY, alpha=0.6)
axis.plot(grid, density, color=plots.BLACK)
axis.plot(grid, best, color=plots.GREEN)
axis.plot(grid, verdicts(detective, grid), "--", color=plots.RED)
for x, y, text in [(-4.9, 0.9, "D*"), (-2.2, 0.4, "real"), (0.1, 0.43, "drawn")]:
    axis.text(x, y, text)
axis.set(xlabel="x", ylim=(0, 1.05))
plots.show(figure, alt="Two hills, a bell, the perfect verdict and a trained one.")

# %% [markdown]
# Green: the perfect verdict; red, dashed: the trained network. $D^*$ crosses ½ where
# both densities are equal, and comes near 1 or 0 where one of them is far larger. At
# −5 it has turned back: the left hill is narrow, so out there even the drawn bell has
# a little more. The network does not know that. But hardly any point ever falls
# there, and so it does not matter.
#
# Put $D^*$ into $V$, and what is left for the generator is a distance of two
# densities:
#
# $$V(D^*) = 2\,\mathrm{JS}(p, q) - \log 4$$
#
# JS is the **Jensen-Shannon divergence**: the mean of the KL divergences (chapter 07)
# of $p$ and of $q$ from their average, $(p+q)/2$. It is 0 if $p=q$, and $\log 2$ if
# they do not overlap. In the first case $D^*=\tfrac12$ everywhere. That is the end of
# the game.

# %%
value = np.sum(density * np.log(best) + drawn * np.log(1 - best)) * step
middle = (density + drawn) / 2
halves = density * np.log(density / middle) + drawn * np.log(drawn / middle)
js = np.sum(halves) * step / 2
print(f"JS of this pair: {js:.3f}, of at most {np.log(2):.3f}")
claim("V(D*) + log 4 - 2 JS", value + np.log(4) - 2 * js, equals=0, tolerance=1e-3)

# %% [markdown]
# ## 2. Which advice should the forger follow?
#
# Let $l$ be D's logit for a drawn sample, so that $D=\sigma(l)$. The formula says:
# lower $\log(1-D)$. The same paper proposes another loss: lower $-\log D$. Both
# want $l$ to rise. Their slopes:
#
# $$\frac{d}{dl}\log(1-\sigma) = -\sigma(l), \qquad
# \frac{d}{dl}\bigl(-\log\sigma\bigr) = -(1-\sigma(l))$$
#
# **Predict.** At the start the forger is bad, and D is sure of it: $D=0.001$. How
# large is each slope?

# %%
logit = np.log(0.001 / 0.999)
print("minimax       ", gan.generator_slope([logit], saturating=True))
print("non-saturating", gan.generator_slope([logit]))

# %% [markdown]
# The first one fades exactly where advice is needed most: it **saturates**. Does
# that matter? Take a game that we can compute. Real points are standard normal, the
# generator shifts its noise by $b$, and D is perfect at every step. Then the logit
# is $l(x) = \log\frac pq = \frac{b^2}{2} - b\,x$, with slope $-b$.


# %%
def shift_path(saturating, b=8.0, num_steps=400, rate=0.1):
    z, path = np.random.default_rng(seed(3)).normal(size=2000), [b]
    for _ in range(num_steps):
        logits = b**2 / 2 - b * (z + b)
        slope = gan.generator_slope(logits, saturating=saturating)
        b = b - rate * np.mean(slope * -b)  # the chain rule
        path.append(b)
    return np.array(path)


# %% [markdown]
# **Predict.** Start at $b=8$, with a rate of 0.1. Which forger comes near 0 within
# 400 steps: both, one, or none?

# %%
stuck, moving = shift_path(True), shift_path(False)
claim("minimax: distance left", stuck[-1], at_least=7.9)
claim("non-saturating: distance left", abs(moving[-1]), at_most=0.1)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.4))
axis.plot(stuck, "--", label="minimax")
axis.plot(moving, label="non-saturating")
axis.annotate("minimax", (200, 7.2))
axis.annotate("non-saturating", (60, 0.5))
axis.set(xlabel="step", ylabel="shift $b$", ylim=(-0.5, 9))
plots.show(figure, alt="One line stays at 8, the other falls to 0.")

# %% [markdown]
# The shift, step by step. A perfect detective paralyzes the minimax forger and drives
# the other one home. Near the goal D is about ½, and both slopes are alike. Networks
# below lower $-\log D$. Then each player has a loss of its own, and the game is no
# longer one for a single number.

# %% [markdown]
# ## 3. Why does the game circle?
#
# Each player goes downhill. But the hill moves when the other one steps. The smallest
# example (Mescheder et al., 2018): all real points are 0, the generator owns a single
# point $\theta$, and $D(x)=\sigma(\psi x)$ has a single weight. The end should be
# $\theta=\psi=0$. Both play for the one number $V$ of section 1. (Exercise 08.4 takes
# the other loss.)

# %%
reveal(gan.dirac_path)

# %% [markdown]
# Let $\alpha$ be the rate and $\sigma=\sigma(\psi\theta)$. Let both players step at
# the same time, with $\gamma=0$ for now. Multiply out: $\theta^2+\psi^2$ changes by
# the factor $1+(\alpha\sigma)^2$, as the two terms with a single $\alpha$ cancel.
#
# **Predict.** Where does that lead: to the end at 0, around it, or away from it? And
# what changes if G waits for D's step?

# %%
together = gan.dirac_path(400, rate=0.2)
in_turn = gan.dirac_path(400, rate=0.2, alternating=True)
radius = np.linalg.norm(together, axis=1)
claim("together: the radius grows at every step", np.all(np.diff(radius) > 0))
radius = np.linalg.norm(in_turn, axis=1)
claim(
    "in turn: last radius / first",
    radius[-1] / radius[0],
    at_least=0.8,
    at_most=1.2,
)

# %% [markdown]
# Neither arrives. D keeps a slope at the real point, even when the drawn point is
# right there, and pushes it off. So make that slope expensive. Let $l(x)$ be D's
# logit: **R1** adds $\frac\gamma2\lVert\nabla_x l(x)\rVert^2$ at the real points to
# D's loss. Here the slope of the logit is $\psi$, and the penalty
# $\frac\gamma2\psi^2$.

# %%
damped = gan.dirac_path(400, rate=0.2, gamma=0.3)
claim("with R1: distance left", np.linalg.norm(damped[-1]), at_most=1e-3)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharex=True, sharey=True)
titles = ["together", "in turn", "with R1"]
for axis, title, path in zip(
    axes, titles, [together, in_turn, damped], strict=True
):
    axis.plot(*path.T, lw=1)
    axis.plot(*path[0], "o", *path[-1], "s", color=plots.RED)
    axis.set(title=title, xlabel="forger θ", aspect="equal")
axes[0].set_ylabel("detective ψ")
plots.show(figure, alt="Three paths: a spiral outward, a closed orbit, one inward.")

# %% [markdown]
# Each path runs from the circle to the square. Downhill steps of two players can lead
# outward, or around forever. A small penalty turns the orbit into a spiral inward.

# %% [markdown]
# ## 4. Does the game end at one half?
#
# Now networks. A round is a step of D, then a step of G. The one thing to get
# right: each step must change *its own* player only.

# %%
reveal(gan.make_steps)

# %% [markdown]
# Two optimizers, two lists of weights. And there is a trap that lists do not
# cover. A network with batch normalization changes its moving averages whenever it
# is called with `training=True`, and dropout moves on its seed. `look` calls the
# other player without leaving a trace.
#
# **Predict.** G below has batch normalization, D has dropout. After a step of each
# player we compare all variables, bit by bit. How many of the other player's have
# changed?


# %%
def bits(model):
    return [v.numpy().tobytes() for v in model.variables]


def changed(before, model):
    return sum(a != b for a, b in zip(before, bits(model), strict=True))


rng = np.random.default_rng(seed(4))
G, D = gan.build_document_players(widths=(32,), channels=(8, 4))  # of section 6
d_step, g_step = gan.make_steps(G, D)
x = rng.uniform(-1, 1, (4, 28, 28, 1)).astype("float32")
z = rng.standard_normal((4, 100), dtype="float32")

# %%
g, d = bits(G), bits(D)
d_step(x, z)
claim("a step of D changes no bit of G", changed(g, G) == 0)
claim("... and of its own variables", changed(d, D), at_least=6)
d = bits(D)
g_step(z)
claim("a step of G changes no bit of D", changed(d, D) == 0)
claim("... and of its own variables", changed(g, G), at_least=6)

# %% [markdown]
# Back to the film. Its ingredients: D learns five times as fast as G, so that its
# advice is up to date; no momentum, which would add to the circling; a little R1;
# rates that sink to zero.
#
# A game ends well if the verdict is about ½ wherever real points are, and if the
# drawn points lie like the real ones.
#
# **Predict.** Five games from five seeds. How many end well?

# %%
truth = np.sort(gan.two_hills(10_000, np.random.default_rng(seed(5))), axis=0)
middle = np.abs(grid[:, 0]) < 3  # where nearly all real points are
for number in progress(range(10, 15), "five games"):
    drawn_points, discriminator = game(number)
    off = np.abs(verdicts(discriminator, grid[middle]) - 0.5).max()
    claim(f"game {number}: largest |D - ½|", off, at_most=0.2)
    moved = np.abs(np.sort(drawn_points, axis=0) - truth).mean()
    claim(f"game {number}: distance to carry q to p", moved, at_most=0.25)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 4, figsize=(8, 2.3), sharey=True)
for axis, i in zip(axes, [1, 50, 200, 1200], strict=True):
    still(axis, i)
plots.show(figure, alt="Four stills: the bars come to fill the curve, D goes flat.")

# %% [markdown]
# Four stills of the film: bars, truth and verdict after 1, 50, 200 and 1200 rounds. The
# second claim of a game sorts both sets of points and pairs them, which is the cheapest
# way to carry one to the other (the **Wasserstein distance**). The two hills lie
# 3.5 apart.

# %% [markdown]
# ## 5. What is mode collapse, and what mends it?
#
# D judges one sample at a time. It never sees that all samples are alike. If G learns
# faster than D, it finds the one place that D likes best at the moment, and sends
# everything there. Real points come in several heaps, or **modes**, and only one is
# drawn: that is **mode collapse**. Then D learns to hate that place, and G moves on.
#
# Eight clouds on a ring show it (Metz et al., 2017). We provoke it: five steps of G
# for each step of D, a slow D, and momentum. And we play as above: D leads.

# %%
clouds, losses = {}, {}  # what was drawn, at some rounds; the mean of the last 100


def play_ring(name, number, rounds, **settings):
    rng = np.random.default_rng(seed(number))
    G, D = gan.build_players(noise=2, features=2, hidden=64)
    z = rng.standard_normal((2000, 2), dtype="float32")

    def watch(i):
        if i in (320, 360, rounds):
            clouds[f"{name}, {i}"] = np.array(G(z))

    real = gan.ring(rounds * 128, rng, spread=0.2)
    losses[name] = gan.play(G, D, real, rng, watch=watch, **settings)[-100:].mean(0)
    return gan.modes(np.array(G(z)), gan.ring_centers(), radius=0.5)


# %% [markdown]
# We count the clouds that get points, and take the entropy of their shares:
# $\log 8\approx2.08$ if all eight get the same, 0 if one gets all.
#
# **Predict.** How many of the eight clouds will each generator draw?

# %%
ahead = {"g_steps": 5, "rates": (0.005, 0.001), "beta_1": 0.9}
covered, entropy, _ = play_ring("G ahead", 6, 400, **ahead)
claim("G ahead: clouds covered", covered, at_most=3)
claim("G ahead: entropy", entropy, at_most=1.2)
behind = {"gamma": 0.05, "rates": (0.004, 0.02), "num_steps": 1200}
covered, entropy, near = play_ring("D ahead", 6, 1200, **behind)
claim("D ahead covers all eight clouds", covered == 8)
claim("D ahead: entropy", entropy, at_least=1.9)
claim("D ahead: share of points in a cloud", near, at_least=0.5)

# %% tags=["figure"]
clouds["real"] = gan.ring(2000, np.random.default_rng(seed(7)), spread=0.2)
names = ["G ahead, 320", "G ahead, 360", "G ahead, 400", "D ahead, 1200", "real"]
figure, axes = plt.subplots(1, 5, figsize=(8, 2), sharex=True, sharey=True)
for axis, name in zip(axes, names, strict=True):
    axis.plot(*gan.ring_centers().T, "x", color=plots.RED)
    axis.plot(*clouds[name].T, ".", ms=2, alpha=0.3, color=plots.BLUE)
    axis.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
    axis.set_title(name, fontsize=9)
plots.show(
    figure, alt="Drawn points: one wandering spot; all eight clouds; real ones."
)

# %% [markdown]
# Crosses are the centers; the number is the round. The generator that runs ahead
# sends all its points to one place, and soon after to another one. The one that
# follows a leading D finds all eight. It also draws points between the clouds. $G$ is
# continuous: it can bend and stretch the plane of its noise, but not tear it apart.
# Other cures let D see several samples at once (Salimans et al., 2016; Lin et al.,
# 2018), or let G reckon with D's next few steps (Metz et al., 2017).
#
# **Predict.** Each player's loss, over the last 100 rounds. A D that says ½ to everything
# has the loss $2\log 2\approx1.39$, and its G has $\log 2\approx0.69$. How far from these
# are the losses of the collapsed game, and those of the other one?

# %%
for name, (d_loss, g_loss) in losses.items():
    claim(f"{name}: loss of D", d_loss, equals=2 * np.log(2), tolerance=0.12)
    claim(f"{name}: loss of G", g_loss, equals=np.log(2), tolerance=0.12)

# %% [markdown]
# Close in both games: who only watches the losses takes the collapse for a good end. The
# wandering spot is gone before D has learned to see it, and so D is no better than a
# coin. Count modes instead. Even that is not enough: a generator may cover all of them,
# and draw too little variety inside each. Chapter 08b measures that, too.

# %% [markdown]
# ## 6. What do the documents' networks draw?
#
# A tutorial of our collection builds a GAN for digits that cannot run. Its mistakes
# come below. Corrected, and with fewer units, it reads:

# %%
reveal(gan.build_document_players)

# %%
(images, _), _ = data.mnist()
rng = np.random.default_rng(seed(8))
real = 2 * images[rng.permutation(len(images))[: 250 * 32]] - 1  # from -1 to 1
G, D = gan.build_document_players(channels=(32, 32))
z = rng.standard_normal((500, 100), dtype="float32")

# %% [markdown]
# `tanh` gives values between −1 and 1, so the data get the same range. Like Radford et
# al. (2016) we take Adam with $\beta_1=0.5$ for both players. Their rate was 0.0002; we
# have few rounds, and take 0.0005.
#
# **Predict.** After 250 rounds of 32 digits, less than a seventh of the data: noise,
# blobs, or digits?

# %%
usual = {"rates": (0.0005, 0.0005), "beta_1": 0.5, "batch": 32}
seen = {}


def watch(i):
    if i in (1, 100, 250):
        seen[i] = G.predict(z, verbose=0)


_ = gan.play(G, D, real, rng, watch=watch, **usual)

# %%
gap = [np.abs(seen[i].mean(axis=0) - real.mean(axis=0)).mean() for i in (1, 250)]
claim("distance of the mean images, last / first", gap[1] / gap[0], at_most=0.3)
claim("largest value", np.abs(seen[250]).max(), at_most=1)

# %% tags=["figure"]
rows = np.concatenate([*(seen[i][:10] for i in seen), real[:10]])
figure = plots.images(rows, columns=10, size=0.7)
plots.show(
    figure, alt="Gray, then blobs, then strokes like digits, then real digits."
)

# %% [markdown]
# Rows: after 1, 100 and 250 rounds, and real digits. Strokes appear, a few of them
# like digits. Nobody showed the generator a digit. Chapter 08b asks for more:
# the digit we *order*.
#
# A generator is a model like any other. It is saved, and comes back the same:

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    G.save(Path(folder) / "generator.keras")
    again = keras.models.load_model(Path(folder) / "generator.keras")
difference = np.abs(again.predict(z, verbose=0) - seen[250]).max()
claim("saved and loaded: largest difference", difference, at_most=1e-5)

# %% [markdown]
# ## 7. Why does text need more?
#
# A pixel can be a little darker. A letter cannot be a little more like *b*. A text
# generator turns scores into a probability for each letter, and *picks* one.
#
# **Predict.** Five letters, the picked one goes to D. What is the gradient of D's
# logit with respect to the five scores?

# %%
rng = np.random.default_rng(seed(9))
scores = tf.Variable(rng.normal(size=5))
likes = rng.normal(size=5)  # what D says of each letter
with tf.GradientTape() as tape:
    letter = tf.argmax(scores)
    logit = tf.gather(likes, letter)
claim("through a pick there is no gradient", tape.gradient(logit, scores) is None)

# %% [markdown]
# None at all. A way out uses only the verdict, a number $r$, and not its slope: make
# those letters likelier that D liked (Williams, 1992; chapter 07 met it as the older
# way).
#
# $$\nabla\,\mathbb E[r] = \mathbb E\bigl[r\,\nabla\log p(\text{letter})\bigr]$$
#
# SeqGAN (Yu et al., 2017) trains text generators in this way. The estimate is right
# on average.
#
# **Predict.** How large is the error of the estimate from a single letter, beside the
# gradient's own length: a tenth, a half, or more than all of it?

# %%
p = np.exp(scores) / np.exp(scores).sum()
exact = p * (likes - p @ likes)  # the gradient of Σ p r
picks = rng.choice(5, 200_000, p=p)
each = likes[picks, None] * (np.eye(5)[picks] - p)  # r ∇ log p, a letter a row
claim("mean of 200,000", np.abs(each.mean(axis=0) - exact).max(), at_most=0.02)
noise = np.sqrt(np.mean(np.sum((each - exact) ** 2, axis=1)))
claim(
    "noise of one / length of gradient", noise / np.linalg.norm(exact), at_least=1
)

# %% [markdown]
# The noise is larger than the signal, for one pick among five letters. A sentence is
# a hundred such picks. That is why images had their GANs in 2014, and text went
# another way: chapter 09.

# %% [markdown]
# ## Where the tutorials go wrong
#
# All of these come from one listing: two networks and a line that should join them.
# We re-create each mistake with a layer or two.
#
# **An input that does not exist (E164).** The discriminator is asked for its `input`
# before it was ever called. Even a stack that begins with `keras.Input` then raises:

# %% tags=["raises-exception", "E164"]
stack = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
keras.Sequential(stack, name="discriminator").input

# %% [markdown]
# A call on arrays does not help: a `Sequential` has an `input` only after a call on a
# `keras.Input`. `inputs`, with an s, is there from the start, if the stack begins with
# an input. Better still, chain networks by calling them: `D(G(z))`.
#
# **The wrong end first (E165).** Then D's input, an image, is handed to G, which
# wants noise. The right chain is $z \to G \to D$. Even so it would break, as the
# generator makes pictures of $32\times32\times3$ and the discriminator wants
# $28\times28\times1$ (E166). **Predict.** Which of the two complaints comes first?

# %% tags=["E165", "E166"]
G, D = gan.build_document_players(widths=(32,), channels=(8, 4))
wide = keras.Input((32, 32, 3))  # what the listing's generator makes
for first, second in [(D.inputs[0], G), (wide, D)]:
    try:
        second(first)
    except ValueError as error:
        text = "expected" + str(error).partition("expected")[2]
        print(text.splitlines()[0].partition("\x1b")[0])

# %% [markdown]
# The first one stops the program, the second waits behind it. Repaired, the chain
# runs: $7 \to 14 \to 28$ pixels, one channel.
#
# **Two partners instead of two opponents (E169).** Chained and compiled, with D not
# frozen, the model has *all* weights to train. Let it call drawn digits real.
#
# **Predict.** What does D say of drawn digits afterwards: near 0, about ½, or near 1?

# %% tags=["E169"]
seed(10)
G, D = gan.build_document_players(widths=(32,), channels=(8, 4))
start = bits(D)
noise = np.random.default_rng(seed(10)).normal(size=(2048, 100)).astype("float32")
z = keras.Input((100,))
pair = keras.Model(z, D(G(z)))
bce = keras.losses.BinaryCrossentropy(from_logits=True)
pair.compile(keras.optimizers.Adam(0.001), bce)  # the document's rate
_ = pair.fit(noise, np.ones((2048, 1)), batch_size=64, epochs=3, verbose=0)

# %%
claim("variables of D that a step of G changed", changed(start, D), at_least=6)
verdict = np.array(keras.ops.sigmoid(pair(noise[:500]))).mean()
claim("verdict on drawn digits", verdict, at_least=0.9)

# %% [markdown]
# D has learned to please, and G had no need to get better. With `D.trainable = False`
# before `compile`, only G moves:

# %%
D.trainable = False
pair.compile(keras.optimizers.Adam(0.001), bce)
before = D.get_weights()
pair.fit(noise[:64], np.ones((64, 1)), verbose=0)
kept = [np.array_equal(*two) for two in zip(before, D.get_weights(), strict=True)]
claim("frozen: D keeps its weights", all(kept))

# %% [markdown]
# **A ReLU before the LeakyReLU (E167).** The listing has a ReLU in each dense layer,
# then normalizes, then a LeakyReLU. **Predict.** Half of the values are negative
# before the ReLU. How many of them can the LeakyReLU still tell apart?

# %% tags=["E167"]
x = np.random.default_rng(seed(11)).normal(size=(1000, 64)).astype("float32")
normalize, leaky = keras.layers.BatchNormalization(), keras.layers.LeakyReLU(0.2)
cut = np.array(leaky(normalize(np.maximum(x, 0), training=True)))[:, 0]
kept = np.array(leaky(normalize(x, training=True)))[:, 0]
claim("cut: share of equal outputs", np.mean(cut == cut.min()), at_least=0.4)
claim("kept: all outputs differ", len(np.unique(kept)) == 1000)

# %% [markdown]
# The ReLU made half of all values equal; nothing after it can tell them apart.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E168 | G ends with a transposed convolution, without activation | its values have no bounds, images have | `tanh`, data in $[-1, 1]$ |
# | E170 | two networks are the whole example | no data, no loop, no sample: no game | sections 4 and 6 |
# | E171 | `optimizer="adam"` | rate 0.001 is too high and $\beta_1=0.9$ unstable for this game | an Adam for each player, rate 0.0002 and $\beta_1=0.5$ (Radford et al., 2016) |
# | E179 | $G(z)=G_\theta(z)$ | it only names the weights | $G_\theta:\mathbb R^{d}\to\mathcal X$, $D_\phi:\mathcal X\to(0,1)$ |
# | E202 | the GAN is a `Sequential`; G makes noise images | the model is functional; G maps noise to images | $z\to G\to D$ |
# | E213 | GANs write human-like text | a pick has no gradient | section 7, chapter 09 |
# | E110 | "Generative Adversarial Networks", last author Courville, wrong pages | "Generative adversarial nets", last author Bengio | see the references |

# %% [markdown]
# ## Exercises
#
# ### Exercise 08.1: the perfect verdict
#
# 5 minutes. `p` and `q` are the densities of real and of drawn points, at $n$ points.
# Nowhere are both 0. Return $D^*$ there.


# %% tags=["exercise"]
def perfect_verdict(p, q):  # (n,), (n,) -> (n,)
    """The probability of "real" at each point."""
    raise NotImplementedError


check("08.1", perfect_verdict)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Real and drawn points come equally often. Use Bayes' rule.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Where $p=q$, the verdict is ½.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The part of the real ones in the sum of both densities.
#
# </details>


# %% tags=["solution"]
def perfect_verdict_solution(p, q):
    return p / (p + q)


check("08.1", perfect_verdict_solution, solution=True)

# %% [markdown]
# ### Exercise 08.2: both losses, from logits
#
# 15 minutes. Return D's loss and G's non-saturating loss, each a mean over the
# batch. Logits may be ±1000: nothing may overflow.


# %% tags=["exercise"]
def losses(real_logits, fake_logits):  # (n,), (n,) -> two numbers
    """The discriminator's loss, the generator's loss."""
    raise NotImplementedError


check("08.2", losses)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $-\log\sigma(l) = \log(1+e^{-l})$, and $-\log(1-\sigma(l)) = \log(1+e^{l})$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.logaddexp(0, l)` is $\log(1+e^{l})$ without overflow.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# D: softplus(−real) and softplus(fake), two means, added. G: softplus(−fake).
#
# </details>


# %% tags=["solution"]
def losses_solution(real_logits, fake_logits):
    d_loss = (
        np.logaddexp(0, -real_logits).mean() + np.logaddexp(0, fake_logits).mean()
    )
    return d_loss, np.logaddexp(0, -fake_logits).mean()


check("08.2", losses_solution, solution=True)

# %% [markdown]
# ### Exercise 08.3: has it collapsed?
#
# 10 minutes. A classifier has read a generator's digits: `labels`, integers 0 to 9.
# Return how many different digits there are, and the entropy of their shares in
# nats.


# %% tags=["exercise"]
def diversity(labels):  # (n,) -> a count, an entropy
    """The number of digits seen, and the entropy of their shares."""
    raise NotImplementedError


check("08.3", diversity)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.bincount(labels, minlength=10)` counts each digit.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $0\log 0$ counts as 0: leave digits out that never came.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $-\sum_c p_c\log p_c$, where $p_c$ is a count divided by the number of labels.
#
# </details>


# %% tags=["solution"]
def diversity_solution(labels):
    counts = np.bincount(labels, minlength=10)
    p = counts[counts > 0] / len(labels)
    return len(p), -np.sum(p * np.log(p))


check("08.3", diversity_solution, solution=True)

# %% [markdown]
# ### Exercise 08.4: tame the circle
#
# 15 minutes. Section 3's game, with the *non-saturating* forger: D lowers
# $\log(1+e^{\psi\theta}) + \frac\gamma2\psi^2$, G lowers $\log(1+e^{-\psi\theta})$.
# Both take one gradient step at the same time. Return the new $\theta$ and the new
# $\psi$.


# %% tags=["exercise"]
def both_step(theta, psi, rate, gamma):
    """The new theta, the new psi."""
    raise NotImplementedError


check("08.4", both_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The derivative of $\log(1+e^{u})$ is $\sigma(u)$. Then the chain rule.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# D's slope: $\theta\,\sigma(\psi\theta)+\gamma\psi$. G's: $-\psi\,\sigma(-\psi\theta)$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Both slopes are taken at the *old* $\theta$ and $\psi$.
#
# </details>


# %% tags=["solution"]
def both_step_solution(theta, psi, rate, gamma):
    real = 1 / (1 + np.exp(-psi * theta))  # the verdict on the forger's point
    d_slope = theta * real + gamma * psi
    g_slope = -psi * (1 - real)
    return theta - rate * g_slope, psi - rate * d_slope


check("08.4", both_step_solution, solution=True)

# %% [markdown]
# ### Exercise 08.5: a quieter estimate (project)
#
# 30 minutes. `picks` are letters drawn from the softmax of `scores`, and `rewards`
# is what D said of each. All rewards are about 10. Estimate the gradient of the
# expected reward with respect to `scores`. It must be right on average, and the
# plain estimate of section 7 is far too noisy: get below a third of its noise.


# %% tags=["exercise"]
def estimate(scores, picks, rewards):  # (k,), (n,), (n,) -> (k,)
    """The gradient of the expected reward."""
    raise NotImplementedError


check("08.5", estimate)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $\mathbb E[\nabla\log p] = 0$. So a constant may be taken off all rewards, and the
# mean stays right.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Take off what is usual: a mean reward. But a letter's own reward must not be part
# of its constant, or the mean is a little off.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The mean of the *other* rewards is `(rewards.sum() - rewards) / (n - 1)`.
#
# </details>


# %% tags=["solution"]
def estimate_solution(scores, picks, rewards):
    p = np.exp(scores - scores.max())
    p = p / p.sum()
    others = (rewards.sum() - rewards) / (len(rewards) - 1)
    slopes = np.eye(len(p))[picks] - p  # ∇ log p(letter)
    return np.mean((rewards - others)[:, None] * slopes, axis=0)


check("08.5", estimate_solution, solution=True)
