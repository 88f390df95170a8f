# %% [markdown]
# Five optimizers start at the circle. Dark means a low loss. Which one reaches the
# lowest point first?

# %%
import keras
from dl_course import data, network
from dl_course import optimizers as opt

races = {surface: opt.race(surface) for surface in opt.SURFACES}

# %% tags=["figure"]
from base64 import b64encode

alt = "Five optimizers move over three maps: a valley, a bent valley and a saddle."
film = b64encode(opt.animate_race(races)).decode()
about = {"image/png": {"width": 768, "alt": alt}}
display({"image/png": film, "text/plain": alt}, metadata=about, raw=True)

# %% [markdown]
# One second of the film is 25 steps; it starts again by itself. Every racer has
# the best learning rate that keeps it on the map, and the order still changes
# from map to map. At the end of this chapter you can say why each path looks as
# it does.
#
# On a map you see the whole loss. A network with a million weights does not: at
# each step it knows one thing, the **gradient** where it stands. Everything below
# is about what to do with it.

# %% [markdown]
# ## Recall
#
# From chapters 01 to 03:
#
# 1. In which direction does the gradient of a loss point?
# 2. What does back-propagation compute, and what does it *not* do?
# 3. A loss is an average over 10,000 examples. What is its gradient?
#
# <details><summary>Answer</summary>
#
# 1. Where the loss rises fastest. So we step the other way.
# 2. It computes the gradient. It changes no weight: that is the optimizer's work.
# 3. The average of the 10,000 gradients of single examples.
#
# </details>

# %% [markdown]
# ## 1. How large may a step be?
#
# **Gradient descent** takes a step against the gradient $g$, as long as the
# gradient times the **learning rate** $\alpha$. (Papers on optimizers write
# $\alpha$ for what was $\eta$ so far.)
#
# $$w \leftarrow w - \alpha\, g$$
#
# Take a parabola, $\frac12\lambda w^2$. Its slope is $\lambda w$, and $\lambda$
# is its **curvature**. A step turns $w$ into $(1-\alpha\lambda)\,w$. So every
# step multiplies by the same number. The path shrinks only if that number lies
# between −1 and 1, which means $\alpha < 2/\lambda$.
#
# A bowl in 20 dimensions, $\frac12 w^\top H w$, has 20 curvatures: the
# eigenvalues of $H$. Below, `opt.sgd` is the formula above, and `opt.minimize`
# repeats it and returns all points of the path.

# %%
rng = np.random.default_rng(seed(1))
H = np.cov(rng.normal(size=(20, 100)))  # (20, 20)


# %%
def bowl(w):  # its gradient
    return H @ w


def distances(rate, num_steps=100):  # from the bottom, at each step
    path = opt.minimize(opt.sgd, bowl, np.ones(20), num_steps, learning_rate=rate)
    return np.linalg.norm(path, axis=1)


def curves(axis, lines, **words):  # each named at its end
    for i, (name, (x, y)) in enumerate(lines.items()):
        axis.plot(x, y, ["-", "--", ":", "-."][i])
        axis.annotate(f"  {name}", (x[-1], y[-1]), va="center")
    axis.set(**words)


# %% [markdown]
# **Predict.** Which of the 20 curvatures decides where the path begins to
# diverge?
#
# We look for that rate without theory. The limit lies between two rates; try the
# one in the middle. Does the distance grow in the last step? Then the limit lies
# below. Halve the interval so, 30 times.

# %%
low, high = 0.0, 4.0
for _ in range(30):
    middle = (low + high) / 2
    grows = distances(middle)[-1] > distances(middle)[-2]
    low, high = (low, middle) if grows else (middle, high)
limit = 2 / np.linalg.eigvalsh(H)[-1]  # the steepest comes last
claim("measured limit / (2 / steepest)", low / limit, equals=1, tolerance=0.01)

# %% tags=["figure"]
rates = np.linspace(0.02, 1.15, 150)
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.semilogy(rates, [distances(rate * limit, 50)[-1] for rate in rates])
axis.set(xlabel="learning rate / limit", ylabel="distance after 50 steps")
plots.show(figure, alt="Distance falls as the rate grows, then shoots up at 1.")

# %% [markdown]
# Distance from the bottom after 50 steps, for 150 rates. The best one lies not
# far before the cliff. The steepest direction sets the limit $2/\lambda_{\max}$,
# and all flatter ones have to live with it. In a network nobody knows
# $\lambda_{\max}$, and it changes on the way. That is why the learning rate is
# the first setting to tune.

# %% [markdown]
# ## 2. How much of the data does one step need?
#
# The exact gradient looks at all $N$ examples. A **mini-batch** $\mathcal B$ of
# $B$ random ones gives an estimate:
#
# $$g = \frac1B \sum_{i\in\mathcal B} \nabla \ell_i(w)$$
#
# The update stays the same. With such a $g$ it is called **stochastic gradient
# descent**, SGD (Robbins & Monro, 1951, with $B=1$). Let us see what the estimate
# costs and saves. Digits at half resolution keep everything quick; a last column
# of ones is the bias.

# %%
(images, labels), _ = data.mnist()
x = images[:14_000].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
x = np.pad(x, ((0, 0), (0, 1)), constant_values=1)  # (14000, 197)
x, x_new = x[:10_000], x[10_000:]
y, y_new = labels[:10_000], labels[10_000:14_000]

# %% [markdown]
# A network with 32 ReLU units, forward and backward as in chapters 02 and 03. Its
# 6624 weights stand in one vector `w`, so that an optimizer needs to know nothing
# about layers.


# %%
def forward(w, x):  # -> probabilities, hidden layer, its weights
    first, second = w[:6304].reshape(197, 32), w[6304:].reshape(32, 10)
    hidden = np.maximum(x @ first, 0)
    return network.softmax(hidden @ second), hidden, second


def gradient(w, x, y):
    p, hidden, second = forward(w, x)
    delta = (p - np.eye(10, dtype="float32")[y]) / len(y)
    below = delta @ second.T * (hidden > 0)
    return np.r_[(x.T @ below).ravel(), (hidden.T @ delta).ravel()]


# %%
def loss(w):
    return -np.log(forward(w, x)[0][np.arange(len(y)), y] + 1e-9).mean()


def accuracy(w):  # on digits that no step has seen
    return np.mean(forward(w, x_new)[0].argmax(axis=1) == y_new)


# %%
def start(rng):  # random weights, as in chapter 02
    first, second = rng.normal(0, 0.1, 6304), rng.normal(0, 0.18, 320)
    return np.float32(np.r_[first, second])


rng = np.random.default_rng(seed(2))
w = start(rng)
exact = gradient(w, x, y)
parts = [gradient(w, x[i::100], y[i::100]) for i in range(100)]  # a batch each
gap = np.abs(np.mean(parts, axis=0) - exact).max()
claim("mean of all batches minus exact gradient", gap, at_most=1e-6)

# %% [markdown]
# On average, a batch is right. A single batch is off by some noise.
#
# **Predict.** To halve the noise, how many times as large must the batch be?


# %%
def noise(batch):  # root of the mean squared length of the error
    rows = rng.integers(0, len(x), (40, batch))
    errors = [np.sum((gradient(w, x[r], y[r]) - exact) ** 2) for r in rows]
    return np.sqrt(np.mean(errors))


batches = 2 ** np.arange(11)
noises = [noise(batch) for batch in batches]
slope = np.polyfit(np.log(batches), np.log(noises), 1)[0]
claim("slope of noise against batch size", slope, equals=-0.5, tolerance=0.05)

# %% [markdown]
# Four times as large: noise falls as $1/\sqrt B$, while the cost grows as $B$. The
# first examples buy precision cheaply, the later ones dearly.
#
# **Predict.** Each run below sees 20,000 digits, in batches of 10,000, of 1000
# or of 100. Which one ends lowest?


# %%
def train(step, rate, number=3, steps=300, batch=100, light=None, **more):
    rng = np.random.default_rng(seed(number))

    def draw(w):  # the gradient of a random batch; `light` waits for section 8
        rows = rng.integers(0, len(x), batch)
        factor = next(light) if light else 1
        return gradient(w, factor * x[rows], y[rows])

    more["learning_rate"] = rate
    with np.errstate(all="ignore"):  # some runs diverge, and should
        return opt.minimize(step, draw, start(rng), steps, **more)


# %%
runs = {b: train(opt.sgd, 1, 3, 20_000 // b, b) for b in (10_000, 1000, 100)}
gain = loss(runs[10_000][-1]) / loss(runs[100][-1])
claim("final loss, full batch / batch 100", gain, at_least=2.5)

# %% tags=["figure"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.loglog(batches, noises, "o", batches, noises[0] / batches**0.5, ":k")
left.set(xlabel="batch size", ylabel="noise of the gradient")
lines = {}
for batch, path in runs.items():
    some = [loss(w) for w in path[:: max(1, len(path) // 40)]]
    lines[f"batch {batch}"] = np.linspace(0, 2, len(some)), some
curves(right, lines, xlabel="passes over the data", ylabel="training loss")
plots.show(figure, alt="Noise falls with slope −½; small batches learn most.")

# %% [markdown]
# Left: noise falls along the line of slope −½. Right: all three with rate 1. For
# 20,000 digits the full batch takes just two steps, good ones, and gets nowhere.
# Small batches take hundreds of careless ones. Single examples would be the
# extreme, but a computer handles a hundred in hardly more time than one. So "SGD
# is faster" is half a sentence: per example seen it usually is, per step it is
# not, and per second it depends on the hardware (Bottou et al., 2018).

# %% [markdown]
# ## 3. Can a step remember the way?
#
# In a long valley, gradients point mostly across, not along. Across they keep
# changing sign; along they agree. A heavy ball (Polyak, 1964) adds its steps up
# in a velocity $v$: what alternates cancels, what agrees grows.
#
# $$v \leftarrow \beta v - \alpha g, \qquad w \leftarrow w + v$$
#
# Nesterov (1983) takes the gradient where the ball is about to be, $w+\beta v$.
# In the form below, $w$ itself is that point ahead.

# %%
reveal(opt.sgd)

# %% [markdown]
# How long is a valley? The **condition number**
# $\kappa=\lambda_{\max}/\lambda_{\min}$ says how many times as steep across as
# along.
#
# **Predict.** Gradient descent needs about $\kappa$ times a constant number of
# steps. For a valley 100 times as long, that is 100 times the steps. And for the
# heavy ball?


# %%
def steps_needed(k, **settings):
    path = opt.minimize(opt.sgd, lambda w: w * [1, k], np.ones(2), 2500, **settings)
    return np.argmax(np.abs(path).max(axis=1) < 1e-6)


kappas = [10, 30, 100, 300]
plain = [steps_needed(k, learning_rate=2 / (1 + k)) for k in kappas]
heavy = []
for root in np.sqrt(kappas):  # Polyak's best settings
    rate, beta = 4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2
    heavy.append(steps_needed(root**2, learning_rate=rate, momentum=beta))

# %%
powers = np.polyfit(np.log(kappas), np.log(np.stack([plain, heavy], 1)), 1)[0]
claim("power of κ, gradient descent", powers[0], equals=1, tolerance=0.05)
claim("power of κ, heavy ball", powers[1], equals=0.53, tolerance=0.06)

# %% tags=["figure"]
figure, axis = plt.subplots(subplot_kw={"xscale": "log", "yscale": "log"})
lines = {"gradient descent": (kappas, plain), "heavy ball": (kappas, heavy)}
curves(axis, lines, xlabel="condition number κ", ylabel="steps to $10^{-6}$")
plots.show(figure, alt="Steps grow as κ for descent, as its root for the ball.")

# %% [markdown]
# Steps to come a million times closer, on log axes. Gradient descent rises with
# slope 1, the heavy ball with about ½: for a valley a hundred times as long, ten
# times the steps. That gain is large, because networks have long valleys
# (Sutskever et al., 2013).
#
# Some texts write momentum as a moving average, $m \leftarrow \beta m + (1-\beta)
# g$, $w \leftarrow w - \alpha m$.
#
# **Predict.** With which rate does our heavy ball take the same path?

# %%
run = {"gradient": bowl, "w": np.ones(20), "num_steps": 50}
ball = opt.minimize(opt.sgd, learning_rate=0.01, momentum=0.9, **run)
mean = opt.minimize(opt.ema_momentum, learning_rate=0.1, corrected=False, **run)
claim("ball at α(1 - β) minus mean at α", np.abs(ball - mean).max(), at_most=1e-9)

# %% [markdown]
# With $\alpha(1-\beta)$. So a moving average needs ten times the rate for
# $\beta=0.9$.
#
# Is ours the momentum of Keras? Both take 200 steps on a bumpy bowl, and we note
# the largest difference on the way.

# %%
reveal(opt.gap_to_keras)


# %%
def bumpy(w):
    return H @ w + np.sin(3 * w)


def gap_to_keras(step, keras_class, *variants, **settings):
    variants = [settings | variant for variant in variants]
    return opt.gap_to_keras(step, keras_class, bumpy, np.ones(20), *variants)


spin = {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}
largest = gap_to_keras(opt.sgd, keras.optimizers.SGD, {}, *spin, learning_rate=0.05)
claim("SGD, momentum, Nesterov: gap to Keras", largest, at_most=1e-6)

# %% [markdown]
# ## 4. Can every weight have its own rate?
#
# In a network that reads text, the weights of a rare word get a gradient once in a
# thousand steps, a bias at each. One rate for both is a poor compromise.
# **AdaGrad** (Duchi et al., 2011) divides by the root of all squared gradients so
# far, weight by weight:
#
# $$G \leftarrow G + g \odot g, \qquad
# w \leftarrow w - \frac{\alpha}{\sqrt{G+\epsilon}} \odot g$$
#
# **RMSprop** (Tieleman & Hinton, 2012) changes one line: $G$ is a moving average,
# $G \leftarrow \rho G + (1-\rho)\, g \odot g$. The small $\epsilon$ only keeps
# the root away from 0.

# %%
reveal(opt.adagrad, opt.rmsprop)

# %% [markdown]
# **Predict.** A gradient is 1 for 100 steps, then 0.01 for 300 more. The steps
# shrink. Whose steps grow back, AdaGrad's, RMSprop's or both?


# %%
def lengths(step, gradients, **more):  # of the steps that these gradients cause
    g = iter(np.array(gradients))
    path = opt.minimize(step, lambda w: next(g), 0, len(gradients), **more)
    return np.abs(np.diff(path)) / 0.01


drop = [1.0] * 100 + [0.01] * 300
ada, rms = lengths(opt.adagrad, drop), lengths(opt.rmsprop, drop)
claim("AdaGrad: last step / first step", ada[-1] / ada[0], at_most=0.01)
claim("RMSprop: last step / before the drop", rms[-1] / rms[99], at_least=0.95)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
lines = {"AdaGrad": (range(400), ada), "RMSprop": (range(400), rms)}
curves(axis, lines, xlabel="step", ylabel="length / rate", yscale="log")
plots.show(figure, alt="After the drop AdaGrad stays small; RMSprop recovers.")

# %% [markdown]
# Step lengths on a log scale; the gradient drops at step 100. AdaGrad never
# forgets: it slows down for good, which suits sparse data and hurts long
# training. RMSprop forgets within about 90 steps; its steps are again as long as
# the learning rate.
#
# Keras agrees, also for *centered* RMSprop, which divides by the spread of recent
# gradients instead of their size, and for RMSprop with momentum:

# %%
pair, more = (opt.adagrad, keras.optimizers.Adagrad), {"learning_rate": 0.01}
claim("AdaGrad: gap to Keras", gap_to_keras(*pair, {}, **more), at_most=1e-6)
pair, kinds = (opt.rmsprop, keras.optimizers.RMSprop), [{}, {"centered": True}]
largest = gap_to_keras(*pair, *kinds, {"momentum": 0.9}, rho=0.9, **more)
claim("RMSprop, all kinds: gap to Keras", largest, at_most=1e-6)

# %% [markdown]
# ## 5. What does Adam add, and when is it wrong?
#
# **Adam** (Kingma & Ba, 2015) averages twice: the gradient as in momentum, its
# square as in RMSprop. Both averages start at 0, so the first values are too
# small. After $t$ steps they contain $1-\beta^t$ of what they should; Adam
# divides by that.
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g,\quad
# v \leftarrow \beta_2 v + (1-\beta_2) g^2,
# \quad
# w \leftarrow w - \alpha\,\frac{m/(1-\beta_1^t)}{\sqrt{v/(1-\beta_2^t)}+\epsilon}$$
#
# Keras, as the paper suggests, pulls both corrections into the rate; $\epsilon$
# then stands beside the uncorrected root.

# %%
reveal(opt.adam)

# %% [markdown]
# **Predict.** How long is Adam's first step if the gradient is a thousandth? A
# million?

# %%
for size in (1e-3, 1e6):
    first = lengths(opt.adam, [size])[0]
    claim(f"first step / rate, gradient {size:g}", first, equals=1, tolerance=0.01)

# %% [markdown]
# One learning rate, whatever the gradient. So Adam's rate is a length, and a first
# guess carries over from one loss to another.
#
# Reddi et al. (2018) found a game where Adam walks the wrong way. The slope is
# +3, −1, −1, again and again, and $w$ must stay in $[-1, 1]$. Three rounds add up
# to +1, so −1 is the best place. Here Adam averages no gradients ($\beta_1=0$) and
# forgets fast ($\beta_2=0.1$). Their mend, **AMSGrad**, divides by the *largest*
# $v$ so far.
#
# **Predict.** How long, in learning rates, is Adam's step for +3? And for each −1?
# Which side wins?


# %%
def play(**settings):
    w, state, path = np.zeros(1), {}, []
    for t in range(600):
        g = np.array([3.0 if t % 3 == 0 else -1.0])
        settings["learning_rate"] = 0.5 / np.sqrt(t + 1)
        w, state = opt.adam(w, g, state, beta_1=0, beta_2=0.1, **settings)
        w = np.clip(w, -1, 1)
        path.append(w[0])
    return path


adam, amsgrad = play(), play(amsgrad=True)
claim("Adam ends at the worst place", np.mean(adam[-30:]), at_least=0.9)
claim("AMSGrad ends at the best place", np.mean(amsgrad[-30:]), at_most=-0.9)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.4))
lines = {"Adam": (range(600), adam), "AMSGrad": (range(600), amsgrad)}
curves(axis, lines, xlabel="round", ylabel="w")
plots.show(figure, alt="Adam climbs to +1, the worst point; AMSGrad falls to −1.")

# %% [markdown]
# Adam rises to +1, AMSGrad sinks to −1. The large slope enters its own divisor
# and comes out as a step of about one rate. Two small slopes divide by a $v$ that
# has forgotten it, and outvote it. So short a memory is rare; in section 7 the two
# will hardly differ.
#
# A second weakness: **weight decay** of strength $\lambda$. Pulling weights to 0 by
# adding $\lambda w$ to the gradient sends the pull through Adam's division too.
# **AdamW** (Loshchilov & Hutter, 2019) shrinks the weights directly: $w \leftarrow
# w - \alpha\lambda w$.
#
# **Predict.** Two weights start at 1. The first sees gradients ±10 in turn, the
# second ±0.1. Which one does the added $\lambda w$ shrink more?

# %%
signs = np.tile([[10, 0.1], [-10, -0.1]], (150, 1))  # (300, 2)
g, h = iter(signs), iter(signs)
added = opt.minimize(opt.adam, lambda w: next(g) + 0.1 * w, [1, 1], 300)[-1]
shrunk = opt.minimize(opt.adamw, lambda w: next(h), [1, 1], 300, weight_decay=0.1)
claim("added: first weight left / second", added[0] / added[1], at_least=5)
claim("AdamW: difference of the two", np.ptp(shrunk[-1]), at_most=0.02)

# %%
more = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999}
gap = gap_to_keras(opt.adam, keras.optimizers.Adam, {}, {"amsgrad": True}, **more)
last = gap_to_keras(opt.adamw, keras.optimizers.AdamW, {}, weight_decay=0.1, **more)
claim("Adam, AMSGrad, AdamW: gap to Keras", max(gap, last), at_most=1e-6)

# %% [markdown]
# The second: its pull was divided by a tiny number. AdamW treats both alike.

# %% [markdown]
# ## 6. Which way does each one go?
#
# Back to the race, now as a still.
#
# **Predict.** Cover the legend. Which path swings like a ball? Which three leave
# the start of the long valley in the same direction, and why?

# %% tags=["figure"]
figure = opt.draw_race(races)
plots.show(figure, alt="Five paths over a valley, a bent valley and a saddle.")

# %% [markdown]
# The same paths as in the film, 120 steps each. *Long valley*: gradient descent
# zigzags across, then creeps; momentum swings. AdaGrad, RMSprop and Adam leave
# with equal steps along and across, because each coordinate is divided by its own
# size. *Banana* (Rosenbrock, 1960): the floor is bent and nearly flat, and the
# ball gets furthest. RMSprop rattles between the walls, since its steps stay about
# as long as its rate.
#
# *Saddle*: the start lies a thousandth beside the ridge, where the slope to the
# side nearly vanishes.
#
# **Predict.** What if it were a millionth? Who needs many more steps to leave the
# ridge, gradient descent or RMSprop?


# %%
def steps_to_leave(step, offset):  # the ridge of the saddle
    slope = opt.SURFACES["saddle"][1]
    path = opt.minimize(step, slope, [-1.8, offset], 400, learning_rate=0.1)
    return np.argmax(path[:, 1] > 0.5)


for step, low, high in ((opt.sgd, 50, 200), (opt.rmsprop, 0, 5)):
    more = steps_to_leave(step, 1e-6) - steps_to_leave(step, 1e-3)
    claim(f"more steps with {step.__name__}", more, at_least=low, at_most=high)

# %%
for surface, name in (("long valley", "AdaGrad"), ("banana", "momentum")):
    height, racers = opt.SURFACES[surface][0], races[surface]
    ends = {racer: height(path[-1]) for racer, (_, path) in racers.items()}
    claim(f"{surface}: {name} ends lowest", min(ends, key=ends.get) == name)

# %% [markdown]
# Gradient descent waits dozens of steps more. RMSprop hardly notices: it divides
# the tiny gradient by its tiny size. AdaGrad ends lowest in the valley, the ball
# on the banana: no racer wins everywhere.

# %% [markdown]
# ## 7. Which rate for which optimizer, and does luck decide?
#
# Maps are toys. Here is the network of section 2: eight optimizers, ten rates,
# 300 steps of 100 digits each, scored on digits never trained on.
#
# **Predict.** What matters more, the optimizer or its rate?

# %%
field = opt.RACERS | {
    "Nesterov": (opt.sgd, {"momentum": 0.9, "nesterov": True}),
    "AMSGrad": (opt.adam, {"amsgrad": True}),
    "AdamW": (opt.adamw, {"weight_decay": 0.01}),
}
rates = np.array([0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3])


def score(name, rate, number=3):
    return accuracy(train(field[name][0], rate, number, **field[name][1])[-1])


scores = np.array([[score(n, r) for r in rates] for n in progress(field, "sweep")])

# %%
best, best_rate = scores.max(axis=1), rates[scores.argmax(axis=1)]
claim("best minus worst optimizer, at own best rates", np.ptp(best), at_most=0.06)
claim("Adam: best minus worst rate", np.ptp(scores[4]), at_least=0.5)
claim("best rate of SGD / of Adam", best_rate[0] / best_rate[4], at_least=10)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(7, 3.4))
axis.imshow(scores, cmap="cividis", vmin=0.1, vmax=0.95, aspect="auto")
for (i, j), value in np.ndenumerate(scores):
    style = {"c": "w" if value < 0.6 else "k", "ha": "center", "va": "center"}
    axis.text(j, i, f"{100 * value:.0f}" + "*" * int(value == best[i]), **style)
axis.set(xticks=range(10), xticklabels=rates, yticks=range(8), yticklabels=field)
axis.set(xlabel="learning rate", title="% right on new digits")
axis.grid(False)
plots.show(figure, alt="Accuracy by optimizer and rate: a good band in every row.")

# %% [markdown]
# Percent of new digits read right; a star marks each row's best. (With batches,
# the first row is SGD.) Every row has its bright band, and RMSprop and the Adams
# have theirs at much smaller rates. The choice of the rate moves the score from
# guessing to good; the choice of the optimizer, once tuned, by a few points. On
# eight tasks, Schmidt et al. (2021) saw none of fifteen optimizers dominate;
# trying several with default settings worked about as well as tuning one.
#
# New ones keep coming. Lion (Chen et al., 2023) steps by the *sign* of a momentum
# and needs half of Adam's memory; schedule-free methods (Defazio et al., 2024)
# average weights instead of lowering the rate. Both are in recent versions of
# `keras.optimizers`. The test above is how to judge the next one: same budget,
# own best rate, several seeds.
#
# **Predict.** Ten runs differ only in their random start and batches. Do they
# differ less than two optimizers do? (Each gets a rate a little below its best.)

# %%
chosen = {"gradient descent": 0.3, "momentum": 0.1, "Adam": 0.01}
lucks = [[score(n, chosen[n], 20 + i) for i in range(10)] for n in chosen]
means, spreads = np.mean(lucks, axis=1), np.std(lucks, axis=1, ddof=1)
claim("standard deviation over seeds", max(spreads), at_least=0.002, at_most=0.02)
claim("momentum minus plain, mean of ten", means[1] - means[0], at_least=0.003)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(7, 2.2))
for i, name in enumerate(chosen):
    row = f"{name}\n{means[i]:.3f} ± {spreads[i]:.3f}"
    axis.plot(lucks[i], [row] * 10, "o", alpha=0.6)
axis.set(xlabel="accuracy on new digits", ylim=(-0.6, 2.6))
plots.show(figure, alt="Ten runs each: rows are as wide as they lie apart.")

# %% [markdown]
# Each dot is one run; at the left, mean ± standard deviation. The dots of a row
# scatter over a percent and more, about as far as two rows lie apart. So a single
# run proves little; means of ten runs tell the rows apart. Report several seeds,
# always.

# %% [markdown]
# ## 8. Should the rate change, and what if a gradient explodes?
#
# A large rate travels fast but bounces in the noise. A small one settles but
# travels slowly. A **schedule** does both in turn. *Warm-up* rises from 0 (Goyal
# et al., 2017), so that the first, wildest gradients do no harm. A *cosine* falls
# gently (Loshchilov & Hutter, 2017). *One-cycle* does both with cosines (Smith &
# Topin, 2019).
#
# **Predict.** Does a cosine always end with a lower loss than its peak rate held
# constant? Think of a modest peak, then of a large one.

# %%
plans = {
    "constant": lambda peak: lambda t: peak,
    "warm-up, cosine": lambda peak: opt.cosine(peak, 600, warmup_steps=60),
    "one-cycle": lambda peak: opt.one_cycle(peak, 600),
}


def final(plan, peak):  # loss, mean of three runs
    runs = [train(opt.sgd, plans[plan](peak), 40 + i, 600) for i in range(3)]
    return np.mean([loss(path[-1]) for path in runs])


finals = {plan: [final(plan, 0.3), final(plan, 2.0)] for plan in plans}

# %%
for plan in ("warm-up, cosine", "one-cycle"):
    low, high = np.divide(finals[plan], finals["constant"])
    claim(f"{plan} / constant, peak 0.3: loss", low, at_least=1.05)
    claim(f"{plan} / constant, peak 2.0: loss", high, at_most=0.8)

# %% tags=["figure"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8))
for plan, style in zip(plans, ["-", "--", ":"], strict=True):
    left.plot([plans[plan](2)(t) for t in range(601)], style)
left.set(xlabel="step", ylabel="learning rate")
lines = {plan: (["0.3", "2.0"], losses) for plan, losses in finals.items()}
curves(right, lines, xlabel="peak rate", ylabel="final loss", ylim=(0, None))
plots.show(figure, alt="Three schedules, and their final losses at two peak rates.")

# %% [markdown]
# Left: the three plans with a peak of 2, in the line styles of the right side.
# Right: their final losses. At a modest rate the schedule only takes speed away,
# and loses. At a rate that constant SGD cannot hold, it wins clearly. A schedule
# does not make a rate better; it makes a *larger* rate usable.
#
# Now an accident. In step 100, somebody forgets to divide the pixels by 255. The
# loss has a cliff there, and the gradient is huge. **Clipping** (Pascanu et al.,
# 2013) shortens a gradient that is too long and keeps its direction: $g
# \leftarrow g\cdot\min(1, c/\lVert g\rVert)$. Cutting each component to $[-c, c]$
# is cheaper, and bends it.
#
# **Predict.** 100 steps after the accident, how many of 100 new digits does the
# network read without clipping? And with it?


# %%
def accident(**more):
    light = iter(np.float32([1] * 99 + [255] + [1] * 100))
    return train(opt.sgd, 0.1, 50, 200, light=light, momentum=0.9, **more)


bare, clipped = accident(), accident(clip=lambda g: opt.clip_by_norm(g, 1))
claim("accuracy at the end, clipped", accuracy(clipped[-1]), at_least=0.85)
claim("lost without", accuracy(clipped[-1]) - accuracy(bare[-1]), at_least=0.1)

# %% [markdown]
# A hundred good batches do not repair what one bad batch broke. Clipped, it costs
# one bad step. In Keras, `clipnorm` treats each weight array by itself;
# `global_clipnorm` takes all as one vector and so keeps the direction. Chapter 06
# will need clipping again.

# %% [markdown]
# ## Where the tutorials go wrong
#
# An E number names one error in the five tutorials.
#
# **The sum of yesterday (E075).** One text prints AdaGrad as $w \leftarrow w -
# \frac{\alpha}{\sqrt{G+\epsilon}}\,g$ with the *old* sum $G$, and no line that adds to
# it. At the start the old sum is 0, and the rate is $\alpha/\sqrt\epsilon$.
#
# **Predict.** With $\alpha=0.001$ and $\epsilon=10^{-7}$, is that a safe rate?

# %% tags=["E075"]
w, G, path = 5.0, 0.0, []
for _ in range(2000):
    g = 10 * w  # the gradient of 5 w²
    w, G = w - 0.001 / np.sqrt(G + 1e-7) * g, G + g**2  # the *old* sum divides
    path.append(w)
claim("with the old sum: distance after one step", abs(path[0]), at_least=150)
claim("... and after 2,000", abs(path[-1]), at_least=150)

# %% [markdown]
# It is not: the rate is 3.16 at the first step, and section 1's limit is 0.2 here. So $w$
# leaps from 5 to −153. Only then does $G$ learn of the gradient, and of one so large that
# every later step is tiny: $w$ is held fast where it landed. The new gradient must enter
# the sum before the step, $G \leftarrow G + g^2$ first. Then the first step is
# $\alpha\,g/\sqrt{g^2+\epsilon}$, hardly more than $\alpha$.
#
# **One formula for two (E077).** The same text prints the identical line for
# RMSprop; one word beside it differs, *mean* for *sum*. The true difference is the line
# *before* it, which says what happens to $G$. With it, neither explodes, and they
# part:

# %% tags=["E077"]
slow = opt.minimize(opt.adagrad, lambda w: 10 * w, 5, 100, learning_rate=0.1)[-1]
fast = opt.minimize(opt.rmsprop, lambda w: 10 * w, 5, 100, learning_rate=0.1)[-1]
claim("AdaGrad with its sum: distance left", abs(slow), at_least=0.1, at_most=4.5)
claim("RMSprop with its average: distance left", abs(fast), at_most=0.01)

# %% [markdown]
# **Momentum that starts late (E074).** The moving average is printed as *the*
# momentum, without a correction of its start. After 50 steps at the same rate, is it
# further than no momentum at all?

# %% tags=["E074"]
plain = opt.minimize(opt.sgd, bowl, np.ones(20), 50)[-1]
slow = opt.minimize(opt.ema_momentum, bowl, np.ones(20), 50, corrected=False)[-1]
claim("slower than without", np.linalg.norm(slow) > np.linalg.norm(plain))

# %% [markdown]
# It lags. Later it draws level, and hardly more: its steps add up to those of plain
# descent. The speed of momentum comes from the larger rate (section 3).
#
# **An argument of the past (E065).** This raises:

# %% tags=["raises-exception", "E065"]
keras.optimizers.Adam(lr=0.001)

# %% [markdown]
# The name is `learning_rate`.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E073 | SGD has its own formula, the one of gradient descent | what differs is the gradient, not the update | $g$ averages $B$ random examples |
# | E076 | ε guards against a gradient of zero | against $G = 0$, which zero gradients leave: 0/0 | ε guards the division |
# | E078 | the list ends with RMSprop, the code uses Adam | Adam is never defined | section 5 |
# | E087 | optimizers find the optimum faster | no guarantee: the loss is not convex, and Adam may fail even on convex problems | they lower the loss |
# | E105 | "Reddi, Chen & Yu", with a wrong number | authors, title and number are off | Reddi, Kale & Kumar, ICLR 2018 |
# | E133 | deep learning's core is gradient descent | where do the gradients come from? | back-propagation (chapter 03) and mini-batches |

# %% [markdown]
# ## Exercises
#
# ### Exercise 04.1: one push to the ball
#
# 5 minutes. Take one step of heavy-ball momentum. Return the new `w` and the new
# `v`.


# %% tags=["exercise"]
def momentum_step(w, g, v, learning_rate, beta):
    """One step: the new w, the new v."""
    raise NotImplementedError


check("04.1", momentum_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The velocity comes first; the weights move by the *new* velocity.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The ball rolls downhill: the gradient enters $v$ with a minus.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $v \leftarrow \beta v - \alpha g$, then $w \leftarrow w + v$.
#
# </details>


# %% tags=["solution"]
def momentum_step_solution(w, g, v, learning_rate, beta):
    v = beta * v - learning_rate * g
    return w + v, v


check("04.1", momentum_step_solution, solution=True)

# %% [markdown]
# ### Exercise 04.2: an average without a bias
#
# 10 minutes. Keep a moving average $m$ of `values`, as Adam does; it starts at 0.
# After each value report $m$, corrected for that start.


# %% tags=["exercise"]
def corrected_average(values, beta):  # (n,) -> (n,)
    """Moving averages, as Adam corrects them."""
    raise NotImplementedError


check("04.2", corrected_average)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# After the first value the raw average is $(1-\beta)$ times that value. It should
# be the value.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Divide by $1-\beta^t$ what you report. Keep what you store as it is.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `for t, value in enumerate(values, 1):` lets t start at 1.
#
# </details>


# %% tags=["solution"]
def corrected_average_solution(values, beta):
    m, corrected = 0.0, []
    for t, value in enumerate(values, 1):
        m = beta * m + (1 - beta) * value
        corrected.append(m / (1 - beta**t))
    return corrected


check("04.2", corrected_average_solution, solution=True)

# %% [markdown]
# ### Exercise 04.3: a leash for all
#
# 10 minutes. `gradients` is a list of arrays of different shapes. If, taken as
# one long vector, they are longer than `limit`, shorten them to it. Keep the
# direction.


# %% tags=["exercise"]
def clip_gradients(gradients, limit):
    """A list of arrays, of joint length at most limit."""
    raise NotImplementedError


check("04.3", clip_gradients)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One factor for all arrays, or the direction changes.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The joint length is the root of the sum of *all* squares.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `limit / max(norm, limit)` is 1 for short gradients, and never divides by 0.
#
# </details>


# %% tags=["solution"]
def clip_gradients_solution(gradients, limit):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * limit / max(norm, limit) for g in gradients]


check("04.3", clip_gradients_solution, solution=True)

# %% [markdown]
# ### Exercise 04.4: rise and fall
#
# 10 minutes. The rate rises on a line from 0 to `peak` at step `warmup_steps`,
# then falls along half a cosine to 0 at step `num_steps`.


# %% tags=["exercise"]
def rate_at(step, num_steps, warmup_steps, peak):
    """The learning rate at a step, 0 to num_steps."""
    raise NotImplementedError


check("04.4", rate_at)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two cases: before `warmup_steps` and after.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In the second, first compute which part of the *fall* is done, from 0 to 1.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $(1+\cos(\pi\cdot\text{done}))/2$ falls from 1 to 0, flat at both ends.
#
# </details>


# %% tags=["solution"]
def rate_at_solution(step, num_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * step / warmup_steps
    done = (step - warmup_steps) / (num_steps - warmup_steps)
    return peak * (1 + np.cos(np.pi * done)) / 2


check("04.4", rate_at_solution, solution=True)

# %% [markdown]
# ### Exercise 04.5: beat the baseline (project)
#
# 30 minutes. `gradient(w)` returns a *noisy* gradient of a bowl
# $\frac{1}{2}(w-c)^\top H(w-c)$ in 20 dimensions. You know neither $c$ nor $H$, only that
# the curvatures go from 0.001 to 1. Each number of the gradient has noise of deviation
# 0.03. `w` is the start, all zeros; $c$'s numbers are about 3. You may ask 300 times. The
# baseline is gradient descent with rate 1, about the best constant one. End, on average
# over 30 bowls, with at most 0.7 of its loss (the bowl's height, without noise).


# %% tags=["exercise"]
def descend(gradient, w):
    """Weights after at most 300 calls of gradient."""
    raise NotImplementedError


check("04.5", descend)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two things hold the baseline back: the flat directions (section 3) and the noise
# at the end (section 8). Mending one is not enough.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A heavy ball with $\beta=0.9$ travels ten times as far. It needs a rate below 1.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Let that rate fall along half a cosine from 0.5 to 0.
#
# </details>


# %% tags=["solution"]
def descend_solution(gradient, w):
    v = np.zeros_like(w)
    for t in range(300):
        rate = 0.5 * (1 + np.cos(np.pi * t / 300)) / 2
        v = 0.9 * v - rate * gradient(w)
        w = w + v
    return w


check("04.5", descend_solution, solution=True)
