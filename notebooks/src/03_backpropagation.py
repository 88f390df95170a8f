# %% [markdown]
# A unit computes $wx + b$. It should have said 4, and said 5. Its loss is $(5-4)^2
# = 1$. Which number is to blame, and how much?

# %%
import itertools
import time
import timeit

import keras
import tensorflow as tf
from dl_course import backprop, data, network
from dl_course.backprop import Value, numerical_gradient, relative_error

# %% tags=["figure"]
w, x = Value(2, label="w"), Value(3, label="x")
b, y = Value(-1, label="b"), Value(4, label="y")
loss = (w * x + b - y) ** 2
loss.backward()
plots.show(backprop.draw_graph(loss), alt="A graph from w, x, b, y to the loss.")

# %% [markdown]
# In each box is a value; they run to the right, up to the loss. Under it, in orange,
# is how fast the loss grows with this value; these run back to the left. Raise $w$
# by a tiny bit, and the loss grows by six times that bit. Six is the **blame** of
# $w$: its slope, or partial derivative. All blame together is the **gradient**.
#
# This chapter finds the orange numbers: for one weight, for a hundred thousand, and
# at the cost of little more than the values.

# %% [markdown]
# ## Recall
#
# 1. Chapter 01: the slope of the loss by $w$ is positive. Which way does gradient
#    descent move $w$?
# 2. Chapter 02: a layer has 4 inputs and 3 units, $x$ has the shape (8, 4). Which
#    shapes have $W$, $b$ and $xW + b$?
# 3. From school: what is the derivative of $(3w - 5)^2$?
#
# <details><summary>Answer</summary>
#
# 1. Down: against the slope.
# 2. (4, 3), (3,) and (8, 3).
# 3. $2\,(3w - 5) \cdot 3$: the outer slope times the inner slope. This chapter is
#    that rule, many times over.
#
# </details>

# %% [markdown]
# ## 1. Can we find the blame without any theory?
#
# Yes: nudge a number, and look. The slope at $x$ is about
#
# $$f'(x) \approx \frac{f(x+h) - f(x)}{h}, \qquad\text{or}\qquad
# f'(x) \approx \frac{f(x+h) - f(x-h)}{2h}.$$
#
# The second, the **central difference**, looks to both sides. How small should $h$
# be? We try it on tanh, whose slope $1 - \tanh^2$ we know.

# %%
points, steps = np.linspace(-1, 1, 101), np.logspace(-14, 0, 57)[:, None]
slope = 1 - np.tanh(points) ** 2
right, left = np.tanh(points + steps), np.tanh(points - steps)
one_sided = np.abs((right - np.tanh(points)) / steps - slope).mean(axis=1)
central = np.abs((right - left) / (2 * steps) - slope).mean(axis=1)

# %% [markdown]
# **Predict.** Which step is best for the central difference: $10^{-2}$, $10^{-5}$
# or $10^{-12}$?

# %%
best = steps[central.argmin(), 0]
claim("best step, two sides", best, at_least=1e-6, at_most=1e-4)
claim("best error, two sides", central.min(), at_most=1e-10)
claim("best error, one side", one_sided.min(), at_least=1e-9, at_most=1e-7)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
lines = axis.loglog(steps, one_sided, "s--", steps, central, "o-", markevery=4)
axis.legend(lines, ["one side", "two sides"])
axis.set(xlabel="step h", ylabel="mean error of the slope")
plots.show(figure, alt="Two V-shaped curves: errors fall with the step, then rise.")

# %% [markdown]
# The errors of both formulas. Each arm of the V has its own cause. On the right the
# curve bends within the step: that error grows as $h$ for one side, as $h^2$ for
# two. On the left, two nearly equal numbers are subtracted, and rounding in their
# 16th digit remains: it grows as $10^{-16}/h$. Two sides are worth their price.
#
# Now a network, and the weights of its first layer. As in chapter 02, it is a list
# of (weights, bias, activation), one a layer.


# %%
def loss_of(layers, x, labels):
    logits = network.forward(x, layers)[-1]  # (batch, classes)
    one_hot = np.eye(logits.shape[1])[labels]
    return network.categorical_crossentropy(one_hot, logits, from_logits=True)


def nudge_first_weights(layers, x, labels):
    (W, *rest), *later = layers
    return numerical_gradient(lambda W: loss_of([(W, *rest), *later], x, labels), W)


# %%
rng = np.random.default_rng(seed(1))
layers = network.initial_layers([4, 5, 3], ["tanh", "linear"], rng)
x, labels = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
blame = nudge_first_weights(layers, x, labels)  # (4, 5), as the weights
print(f"{layers[0][0].shape} weights, {blame.shape} slopes")

# %% [markdown]
# Are they right? Then a small step of length $\varepsilon$ against the gradient
# lowers the loss by $\varepsilon$ times the gradient's length.

# %%
length = np.linalg.norm(blame)
(W, *rest), *later = layers
lower = [(W - 1e-4 * blame / length, *rest), *later]
fall = loss_of(layers, x, labels) - loss_of(lower, x, labels)
claim("fall, predicted / seen", 1e-4 * length / fall, equals=1, tolerance=0.01)

# %% [markdown]
# They are. But each slope costs two runs of the network. A network for digits has
# 101,770 numbers: 203,540 runs for one step of training. At a millisecond a run, a
# step takes more than three minutes.
#
# We need all slopes at once. Nudging stays our judge: slow, but hard to get wrong.

# %% [markdown]
# ## 2. How does blame pass through an operation?
#
# Back to the unit of the first picture: $u = wx$, $v = u + b$, $e = v - y$, $L =
# e^2$. One operation is easy. Nudge $u$ by 1, and $v$ moves by 1. Nudge $w$ by 1,
# and $u = wx$ moves by $x = 3$. These are **local derivatives**, the numbers on the
# lines.
#
# Along a line of operations, speeds multiply. That is the **chain rule**:
#
# $$\frac{\partial L}{\partial w} = \frac{\partial L}{\partial e} \cdot
# \frac{\partial e}{\partial v} \cdot \frac{\partial v}{\partial u} \cdot
# \frac{\partial u}{\partial w} = 2e \cdot 1 \cdot 1 \cdot x.$$
#
# **Predict.** Do not look back: is the blame of the target $y$ positive or negative?

# %%
w, x, b, y = 2.0, 3.0, -1.0, 4.0
e = w * x + b - y
by_hand = [2 * e * x, 2 * e, -2 * e]  # blame of w, b, y
nudged = numerical_gradient(lambda p: (p[0] * x + p[1] - p[2]) ** 2, [w, b, y])
claim("by hand against nudging", relative_error(by_hand, nudged), at_most=1e-6)

# %% [markdown]
# Hand and nudging agree, and give the orange numbers of the first picture. The blame
# of $y$ is negative: a higher target would have been closer.
#
# What if a number is used more than once? Take $f(x)
# = x \tanh(x) + x$. A nudge of $x$ reaches $f$ on three paths, and their effects
# **add**:
#
# $$f'(x) = \underbrace{\tanh x}_{\text{left factor}} +
# \underbrace{x\,(1 - \tanh^2 x)}_{\text{right factor}} +
# \underbrace{1}_{\text{summand}}.$$

# %% tags=["figure"]
x = Value(0.5, label="x")
f = x * x.tanh() + x
f.backward()
plots.show(backprop.draw_graph(f), alt="x = 0.5 reaches the sum on three paths.")

# %% [markdown]
# Three paths from $x$ to the sum. Multiply the numbers along each, add the three
# products:

# %%
paths = [0.462 * 1, 0.786 * 0.5 * 1, 1]
claim("sum over the paths, error", abs(sum(paths) - x.grad), at_most=1e-3)
claim("last path forgotten, error", abs(sum(paths[:2]) - x.grad), at_least=0.9)

# %% [markdown]
# The whole rule: *multiply along a path, add over all paths*. But do `x = x + x`
# twenty times, and there are $2^{20}$ paths. Nobody walks them all. **Reverse mode**
# (Linnainmaa, 1976) sweeps the graph once, backward. When we come to a number,
# everything that used it has had its turn, so its own blame is complete. It hands
# on to each of its parents, the numbers it was made from:
#
# $$\text{blame of parent} \mathrel{+}=
# \text{local derivative} \times \text{own blame}.$$

# %% [markdown]
# ## 3. Can a program do that to any formula?
#
# A `Value` is a number that remembers its parents and its local derivatives. Every
# operation makes a new one, so the graph grows while we compute. (The idea of such
# a class is that of Karpathy's *micrograd*, 2020.) Read `backward` first, then
# `history`.

# %%
reveal(Value)

# %% [markdown]
# **Predict.** After these lines, what is `x.data`, and what is `first.grad`?

# %%
first = x = Value(3.0)
x *= x
x += first
x.backward()
print(x.data, first.grad)

# %% [markdown]
# $x^2 + x$ at 3 is 12, its slope 7. Python's `x *= x` only moves the *name* x to a
# new Value. The old one is still there, as `first` and in the graph.
#
# Is it right for any formula? We write one that uses everything, and ask two
# judges: nudging, and TensorFlow's `GradientTape`, which records operations just as
# we do.


# %%
def formula(a, b, tanh, exp):
    c = tanh(a * b) + exp(-a) / (1 + b * b)
    c += a * c
    c *= 2 - c * b
    return c / (a * a + 0.5) - b**3


# %%
point = np.random.default_rng(seed(3)).normal(size=2)
values = [Value(number) for number in point]
formula(*values, Value.tanh, Value.exp).backward()
ours = [v.grad for v in values]
nudged = numerical_gradient(lambda p: formula(*p, np.tanh, np.exp), point)
claim("Value against nudging", relative_error(ours, nudged), at_most=1e-6)

# %%
tensors = [tf.Variable(number) for number in point]  # float64
with tf.GradientTape() as tape:
    result = formula(*tensors, tf.tanh, tf.exp)
taped = [float(slope) for slope in tape.gradient(result, tensors)]
claim("Value against GradientTape", relative_error(ours, taped), at_most=1e-12)

# %% [markdown]
# Ours and TensorFlow's differ at most by rounding. The same function made all three
# results: it just computes, and does not know that it is being recorded.
#
# `history` uses a stack and no recursion. That matters: Python gives up on
# functions that call themselves more than about a thousand times deep.

# %%
first = x = Value(1.0)
for _ in range(10_000):
    x = x * 1.0001
x.backward()
claim("slope through 10,000 steps", first.grad, equals=2.718, tolerance=0.001)

# %% [markdown]
# $1.0001^{10\,000} \approx e$, through a chain of ten thousand operations.

# %% [markdown]
# ## 4. What does blame look like for a whole layer?
#
# One Python object for each number is slow. A layer does the same to many numbers at
# once, so its blame comes in matrices. Take $z = aW + b$, $\hat a = f(z)$, with 8
# examples, 4 inputs, 3 units. Write
#
# $$\delta = \frac{\partial L}{\partial z} =
# \frac{\partial L}{\partial \hat a} \odot f'(z) \qquad (8, 3),$$
#
# where $\odot$ multiplies number by number: $f$ acts on each number alone. One
# weight enters in every example, so we **add over examples**:
#
# $$z_{nj} = \sum_i a_{ni} W_{ij} + b_j \;\Rightarrow\;
# \frac{\partial L}{\partial W_{ij}} = \sum_n \frac{\partial L}{\partial z_{nj}}
# \frac{\partial z_{nj}}{\partial W_{ij}} = \sum_n \delta_{nj}\, a_{ni}.$$
#
# That sum over $n$ is a matrix product, rows of $a^\top$ times columns of $\delta$.
# The other two follow in the same way:
#
# | blame of | formula | shapes |
# |---|---|---|
# | weights | $\partial L/\partial W = a^\top \delta$ | (4, 8) (8, 3) → (4, 3) |
# | bias | $\partial L/\partial b = \sum_n \delta_n$ | (8, 3) → (3,) |
# | inputs | $\partial L/\partial a = \delta\, W^\top$ | (8, 3) (3, 4) → (8, 4) |
#
# Blame has the shape of what is blamed. In code, with a loss to start from:

# %%
rng = np.random.default_rng(seed(4))
a, W, b = rng.normal(size=(8, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)


def layer_loss(a, W, b):
    return np.mean(np.tanh(a @ W + b) ** 2)


# %%
z = a @ W + b  # (8, 3)
out = np.tanh(z)  # (8, 3)
delta = 2 * out / out.size * (1 - out**2)  # (8, 3): ∂L/∂out ⊙ f'(z)
dW, db, da = a.T @ delta, delta.sum(axis=0), delta @ W.T
print(dW.shape, db.shape, da.shape)

# %%
nudged = numerical_gradient(lambda W: layer_loss(a, W, b), W)
claim("weights: error", relative_error(dW, nudged), at_most=1e-6)
nudged = numerical_gradient(lambda b: layer_loss(a, W, b), b)
claim("bias: error", relative_error(db, nudged), at_most=1e-6)
nudged = numerical_gradient(lambda a: layer_loss(a, W, b), a)
claim("inputs: error", relative_error(da, nudged), at_most=1e-6)

# %% [markdown]
# All three agree with nudging. Now the layers below. The blame of this layer's
# *inputs* is the blame of the *outputs* of the layer before. So $\delta$ steps
# down, layer by layer (Rumelhart et al., 1986; Goodfellow et al., 2016, section
# 6.5):
#
# $$\delta^{(l)} = \big(\delta^{(l+1)}\, W^{(l+1)\top}\big) \odot f'(z^{(l)}),
# \qquad \frac{\partial L}{\partial W^{(l)}} = a^{(l-1)\top} \delta^{(l)}, \qquad
# \frac{\partial L}{\partial b^{(l)}} = \sum_n \delta^{(l)}_n.$$
#
# That is **back-propagation**: once forward, remembering every $a$ and $z$; once
# backward. (Layer $l$ takes $a^{(l-1)}$ and gives $a^{(l)}$. Python counts from 0:
# `layers[0]` is layer 1, and `a[0]` is $a^{(0)} = x$.)

# %%
reveal(backprop.remember, backprop.backward)

# %% [markdown]
# It needs a start: the blame of the logits. For the mean cross-entropy of
# $p = \operatorname{softmax}(z)$ with one-hot labels $y$, one example has
# $L = \log\sum_k e^{z_k} - \sum_k y_k z_k$. Its slope by $z_j$ is $e^{z_j} / \sum_k
# e^{z_k} - y_j$. So
#
# $$\delta^{(L)} = \frac{p - y}{\text{batch}}
# \qquad (\text{batch}, \text{classes}):$$
#
# blame is what was said minus what was true.

# %%
reveal(backprop.softmax_cross_entropy, backprop.loss_and_gradients)

# %% [markdown]
# The judges again, on five layers with four activations.
#
# **Predict.** Which judge will differ more from us, `GradientTape` or nudging?

# %%
rng = np.random.default_rng(seed(5))
names = ["tanh", "sigmoid", "silu", "softplus", "linear"]
layers = network.initial_layers([4, 6, 5, 7, 5, 3], names, rng)
x, labels = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
_, ours = backprop.loss_and_gradients(x, labels, layers)

# %%
variables = [[tf.Variable(w), tf.Variable(b)] for w, b, _ in layers]
with tf.GradientTape() as tape:
    out = tf.constant(x)
    for (w, b), name in zip(variables, names, strict=True):
        out = keras.activations.get(name)(out @ w + b)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, out)
    loss = tf.reduce_mean(each)
taped = tape.gradient(loss, variables)


# %%
def flat(pairs):
    return np.concatenate([np.ravel(array) for pair in pairs for array in pair])


nudged = nudge_first_weights(layers, x, labels)
apart = relative_error(flat(ours), flat(taped))
claim("all against GradientTape", apart, at_most=1e-12)
claim("first layer, nudged", relative_error(ours[0][0], nudged), at_most=1e-6)

# %% [markdown]
# To `GradientTape` we differ by rounding, to nudging by nudging's own error. We
# nudged the *first* weights: the blame reaches them last, through every step. The
# course's tests do the same for random depths, widths and activations.

# %% [markdown]
# ## 5. Can thirty lines of NumPy learn to read?
#
# Blame tells each weight which way is up. Training goes the other way, a batch at a
# time: $W \leftarrow W - \eta\, \partial L/\partial W$.

# %%
reveal(backprop.train)

# %%
(x_train, y_train), (x_test, y_test) = data.mnist()
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
rng = np.random.default_rng(seed(6))
start = network.initial_layers([784, 128, 10], ["relu", "linear"], rng, scheme="he")

# %% [markdown]
# MNIST (LeCun et al., 1998), 60,000 digits, five times each; the last rounds take
# smaller steps (chapter 04 says why).
#
# **Predict.** How many of 100 new digits does it read? And how long does it take,
# compared with the estimate of section 1 for a *single* step?

# %%
began, trained = time.perf_counter(), start
for rate in progress([0.25, 0.25, 0.25, 0.1, 0.05], "NumPy"):
    trained = backprop.train(x_train, y_train, trained, learning_rate=rate)
print(f"4,690 steps in {time.perf_counter() - began:.1f} s")


# %%
def accuracy(x, layers):
    return np.mean(network.forward(x, layers)[-1].argmax(axis=1) == y_test)


claim("test accuracy, NumPy alone", accuracy(x_test, trained), at_least=0.97)

# %% [markdown]
# Ours reads, and no library computed a single slope. `python -m
# benchmarks.numpy_mlp` runs a race against the same network in Keras.
#
# Blame can go one step further, to the pixels: $\partial L/\partial x =
# \delta^{(1)} W^{(1)\top}$. Which pixels are to blame for a mistake?

# %%
a, z = backprop.remember(x_test, trained)
_, blame = backprop.softmax_cross_entropy(a[-1], y_test)
_, deltas = backprop.backward(trained, a, z, blame)
pixel_blame = deltas[0] @ trained[0][0].T  # (10000, 784)
wrong = np.flatnonzero(a[-1].argmax(axis=1) != y_test)[:8]

# %% tags=["figure"]
bare = {"frame_on": False, "xticks": [], "yticks": []}
figure, axes = plt.subplots(2, 8, figsize=(7.6, 2.2), subplot_kw=bare)
for (top, bottom), i in zip(axes.T, wrong, strict=True):
    top.imshow(x_test[i].reshape(28, 28))
    top.set_title(f"{y_test[i]}, read {a[-1][i].argmax()}", fontsize=9)
    scaled = pixel_blame[i].reshape(28, 28) / np.abs(pixel_blame[i]).max()
    bottom.imshow(scaled, "PuOr_r", vmin=-1, vmax=1)
plots.show(figure, alt="Misread digits; below each, the pixels that are to blame.")

# %% [markdown]
# Above, digits that it misreads. Below, blame: more ink on orange pixels makes the
# loss worse, on purple ones better.
#
# Is that real? Change every pixel, a number from 0 to 1, by 0.1: with a random sign,
# or with the sign of its blame (Goodfellow et al., 2015).
#
# **Predict.** How many of 100 digits does it still read, after either change?

# %%
blamed = x_test + 0.1 * np.sign(pixel_blame)
at_random = x_test + 0.1 * rng.choice([-1, 1], x_test.shape)
claim("accuracy after random nudges", accuracy(at_random, trained), at_least=0.95)
claim("accuracy after blamed nudges", accuracy(blamed, trained), at_most=0.3)

# %% [markdown]
# Random changes hardly matter. Changes of the same size along the blame ruin it: the
# gradient shows where the network is weak.

# %% [markdown]
# ## 6. Does `fit` do anything else?
#
# Keras hides the loop. Below it is in the open: choose a loss, get the gradient,
# update. Then three ways go from one start through the same 100 batches: this loop,
# `fit`, and our NumPy.

# %%
looped, fitted = network.build_twin(start), network.build_twin(start)
x, y = x_train[:6400], y_train[:6400]
loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %%
for step in range(100):
    batch = slice(64 * step, 64 * step + 64)
    with tf.GradientTape() as tape:
        loss = loss_function(y[batch], looped(x[batch]))
    variables = looped.trainable_variables
    for v, slope in zip(variables, tape.gradient(loss, variables), strict=True):
        v.assign_sub(0.25 * slope)

# %% [markdown]
# **Predict.** 101,770 weights, 100 steps. Where will the three results differ: in
# the second digit, in the seventh, or nowhere?

# %%
fitted.compile(keras.optimizers.SGD(0.25), loss_function)
fitted.fit(x, y, batch_size=64, shuffle=False, verbose=0)
by_hand = backprop.train(x, y, start, learning_rate=0.25)
by_hand = flat(layer[:2] for layer in by_hand)
by_loop, by_fit = flat([looped.get_weights()]), flat([fitted.get_weights()])
moved = np.abs(by_fit - flat(layer[:2] for layer in start))

# %%
claim("largest move of a weight", moved.max(), at_least=0.05)
claim("fit against the loop", np.abs(by_fit - by_loop).max(), at_most=1e-5)
claim("fit against NumPy", np.abs(by_fit - by_hand).max(), at_most=1e-5)

# %% [markdown]
# Three programs, one result, up to rounding in float32. For plain descent, `fit`
# has no secret. Back-propagation *computes* the blame; the update is a separate
# step, and chapter 04 improves it.

# %% [markdown]
# ## 7. Why does blame fade in deep networks?
#
# On its way down, $\delta$ is multiplied once a layer:
#
# $$\delta^{(l)} = \big(\delta^{(l+1)} W^{(l+1)\top}\big) \odot f'(z^{(l)}).$$
#
# Thirty factors well below 1 leave nothing, thirty well above 1 explode. How large
# is one factor? If weights are independent with mean 0, squares add up. In a layer
# of $n$ units the length $\|\delta\|$ is multiplied by about
#
# $$\sqrt{n \operatorname{Var}[w]\; \mathrm E[f'(z)^2]}.$$
#
# The slopes $f'$ come first.
#
# **Predict.** Where is the slope of tanh largest?

# %%
z = np.linspace(-6, 6, 601)
for name, best in [("tanh", 1), ("sigmoid", 0.25)]:
    slopes = network.slope(name, z)
    claim(f"largest slope of {name}", slopes.max(), equals=best, tolerance=1e-9)
    claim("it lies at z", z[slopes.argmax()], equals=0, tolerance=1e-9)

# %% [markdown]
# Some tutorials say that gradients vanish because the derivatives of sigmoid and
# tanh go to zero *near zero* (E192). The opposite holds: there they are largest, ¼
# and 1. They fade far out, where a unit is *saturated*. A test: 100 tanh layers
# whose weights rotate and do not stretch (Saxe et al., 2014), with sums near zero,
# and with large ones.


# %% tags=["E192"]
def blame_left(layers, x, rng):
    """Length of δ at each layer, the last as 1: (measured, by the formula)."""
    a, z = backprop.remember(x, layers)
    _, deltas = backprop.backward(layers, a, z, rng.normal(size=a[-1].shape))
    lengths = np.array([np.linalg.norm(delta) for delta in deltas])
    slopes = [np.mean(network.slope(layers[0][2], sums) ** 2) for sums in z[:-1]]
    spreads = [len(w) * w.var() for w, _, _ in layers[1:]]
    squares = np.cumprod([1, *np.multiply(slopes, spreads)[::-1]])[::-1]
    return lengths / lengths[-1], np.sqrt(squares)


# %%
rng = np.random.default_rng(seed(8))
turns = [np.linalg.qr(rng.normal(size=(100, 100)))[0] for _ in range(100)]
turning = [(turn, np.zeros(100), "tanh") for turn in turns]
x = rng.normal(size=(20, 100))
near, far = (blame_left(turning, scale * x, rng)[0][0] for scale in (1e-3, 10))
claim("blame left, sums near zero", near, at_least=0.999)
claim("blame left, large sums", far, at_most=0.1)

# %% [markdown]
# Near zero, all blame survives 100 layers. Far out, little does. Now three
# activations against three starts, in 30 layers of 100 units, and the formula
# beside them.
#
# **Predict.** Sigmoid's best slope is ¼. Which power of ten is left of the blame
# after 30 layers, if the weights themselves keep lengths (glorot)?

# %%
names, schemes = ("sigmoid", "tanh", "relu"), ("glorot", "he", "large")
x, left = rng.normal(size=(200, 100)), {}
for name, scheme in itertools.product(names, schemes):
    deep = network.initial_layers([100] * 31, [name] * 30, rng, scheme=scheme)
    left[name, scheme] = blame_left(deep, x, rng)

# %%
claim("sigmoid, glorot", left["sigmoid", "glorot"][0][0], at_most=1e-16)
claim("sigmoid, large", left["sigmoid", "large"][0][0], at_least=0.01, at_most=100)
claim("tanh, glorot", left["tanh", "glorot"][0][0], at_least=0.02, at_most=1)
claim("ReLU, he", left["relu", "he"][0][0], at_least=0.1, at_most=10)
claim("ReLU, large", left["relu", "large"][0][0], at_least=1e22)
off = [np.log10(measured[0] / formula[0]) for measured, formula in left.values()]
claim("formula off, in powers of ten", np.abs(off).max(), at_most=0.8)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 3, figsize=(8, 3), sharey=True)
layer, places = np.arange(1, 31), itertools.product(axes, ("C0o", "C1s", "C2^"))
for (axis, style), (name, scheme) in zip(places, left, strict=True):
    measured, formula = left[name, scheme]
    axis.semilogy(layer, formula, style[:2], lw=1)
    axis.semilogy(layer[::3], measured[::3], style, label=scheme)
    axis.set(title=name, xlabel="layer", xticks=[1, 10, 20, 30])
axes[0].set_ylabel("length of δ, last layer = 1")
axes[0].legend()
plots.show(figure, alt="Length of δ by layer: sigmoid fades, ReLU with he is flat.")

# %% [markdown]
# Length of the blame (marks) and the formula (lines); read them from right to left,
# as blame goes. Under sigmoid with common weights it **vanishes**; with large
# weights, under tanh and ReLU, it **explodes**. Glorot & Bengio (2010) balance tanh,
# He et al. (2015) ReLU: their variances make the factor about 1. The cause is the
# product, slopes *and* weights (Bengio et al., 1994): with large weights even
# sigmoid stays level.
#
# Does it matter? Two networks of 20 layers, the same start, a fifth of MNIST.

# %%
x, y = x_train[:12_000], y_train[:12_000]
for name, bounds in [("sigmoid", {"at_most": 0.2}), ("tanh", {"at_least": 0.6})]:
    sizes, names = [784] + [64] * 20 + [10], [name] * 20 + ["linear"]
    deep = network.initial_layers(sizes, names, np.random.default_rng(seed(9)))
    deep = backprop.train(x, y, deep, batch_size=32, learning_rate=0.05)
    claim(f"test accuracy, 20 layers of {name}", accuracy(x_test, deep), **bounds)

# %% [markdown]
# Tanh learns. Sigmoid only guesses: its first layers never hear of the loss.

# %% [markdown]
# ## 8. What does a gradient cost?
#
# Each line of a graph carries one local derivative, and a sweep multiplies once for
# each line. But there are two ways to sweep.
#
# **Forward mode** starts at *one input*: how fast does everything move if this
# input moves at speed 1? One sweep gives the slopes of all results by that input.
# **Reverse mode** starts at *one output*: one sweep gives its slopes by all inputs.

# %%
reveal(backprop.forward_derivative)


# %%
def loss_of_values(weights):
    return (sum((0.5 * w).tanh() for w in weights) - 1) ** 2


# %% [markdown]
# **Predict.** The number of weights doubles. By which factor does the number of
# products grow, in either mode, if all slopes are wanted?

# %%
rng = np.random.default_rng(seed(10))
for n in (25, 50, 100, 200):
    weights = [Value(number) for number in rng.normal(size=n)]
    loss = loss_of_values(weights)
    lines = sum(len(node.parents) for node in loss.history())
    print(f"{n:3} weights: {n * lines:6} products forward, {lines:3} in reverse")

# %%
began = time.perf_counter()
forward = [backprop.forward_derivative(loss, w) for w in weights]
slow = time.perf_counter() - began
fast = min(timeit.repeat(loss.backward, number=1, repeat=20))

# %%
reverse = [w.grad for w in weights]
claim("both modes agree", relative_error(forward, reverse), at_most=1e-12)
claim("time, forward / reverse", slow / fast, at_least=20)

# %% [markdown]
# Reverse mode doubles, with the graph. Forward mode sweeps that graph once for each
# weight: twice the weights, four times the work. With one input and many outputs it
# is the other way round (Griewank & Walther, 2008; Baydin et al., 2018).
#
# How far is reverse mode from the price of the loss itself? We count
# multiplications in the matrix products of our digit network, for one example.

# %%
shapes = [w.shape for w, _, _ in start]
loss_costs = sum(i * j for i, j in shapes)  # a W
more = loss_costs + sum(i * j for i, j in shapes[1:])  # aᵀδ and, above 1, δWᵀ
print(f"loss {loss_costs:,}, gradient {more:,} more")
claim("gradient / loss", more / loss_costs, at_most=2)

# %% [markdown]
# All 101,770 slopes for hardly more than the price of a second loss. In deeper
# networks the factor comes close to 2, never above, however many weights there are.
# The other price is memory: every $a$ and $z$ must be kept for the way back.

# %% [markdown]
# ## Where the tutorials go wrong
#
# We ran five tutorials, line by line. An E number names one error in them.
#
# ### A scalar rule in matrix dress (E071)
#
# $\partial L/\partial W = \partial L/\partial y \cdot \partial y/\partial W$ looks
# right, and is, for single numbers. For a layer $y = xW$ the last factor has four
# indices.

# %% tags=["E071"]
rng = np.random.default_rng(seed(11))
x, W, dL_dy = (rng.normal(size=shape) for shape in [(8, 4), (4, 3), (8, 3)])
dy_dW = np.einsum("ni,jk->njik", x, np.eye(3))  # ∂y[n,j] / ∂W[i,k]
print(dL_dy.shape, dy_dW.shape)

# %% tags=["raises-exception"]
dL_dy @ dy_dW

# %% [markdown]
# The dot must mean a sum over *both* indices of $y$. Then it is the transpose of
# section 4.

# %%
summed = np.einsum("nj,njik->ik", dL_dy, dy_dW)
claim("summed against xᵀ δ", relative_error(summed, x.T @ dL_dy), at_most=1e-12)

# %% [markdown]
# The tutorial's layer is $y = f(xW + b)$: there $f'(z)$ is a part of the last factor.
# Who takes that factor for $x$ alone forgets it. With a sigmoid:

# %%
delta = dL_dy * network.slope("sigmoid", x @ W)
claim("error without f'", relative_error(x.T @ dL_dy, x.T @ delta), at_least=0.6)

# %% [markdown]
# ### A bias for every example (E072)
#
# Without the sum over the batch, the bias grows a row for each example, silently.

# %% tags=["E072"]
b = np.zeros(3)
print((b - 0.1 * delta).shape)

# %% [markdown]
# The next batch of another size fails, pages later. With the sum it is right. In
# place, so that a wrong shape would fail at once:

# %%
b -= 0.1 * delta.sum(axis=0)
claim("one bias a unit", b.shape == (3,))

# %% [markdown]
# ### Back-propagation does not update (E086)

# %% tags=["E086"]
before = flat(layer[:2] for layer in trained)
backprop.loss_and_gradients(x_train[:64], y_train[:64], trained)
same = np.array_equal(before, flat(layer[:2] for layer in trained))
claim("back-propagation changed no weight", same)

# %% [markdown]
# It measures. What to do about the blame is the optimizer's business.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E071 | $L_W = L_y \, y_W$ | a sum over all of $y$, with $f'$ inside; as matrices the shapes clash | $a^\top\delta$ |
# | E072 | $L_b = L_y \, y_b$ | no sum over the batch | $\sum_n \delta_n$ |
# | E086 | it updates weights | today the word means: it measures | a separate step updates |
# | E192 | slopes are 0 near 0 | there they are largest | section 7 |
#
# ($L_W$ is short for $\partial L/\partial W$. For E192 see also Pascanu et al.,
# 2013.)

# %% [markdown]
# ## Exercises
#
# ### Exercise 03.1: a slope by hand
#
# *5 minutes.* The softsign $f(z) = z / (1 + |z|)$ is a cheap relative of tanh. Give
# its derivative.


# %% tags=["exercise"]
def softsign_slope(z):
    """Return f'(z) for an array z."""
    raise NotImplementedError


check("03.1", softsign_slope)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Take $z > 0$ first: then $f(z) = z / (1 + z)$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Quotient rule: $\big((1 + z) - z\big) / (1 + z)^2$.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For $z < 0$ the same with $-z$. Both at once: $1 / (1 + |z|)^2$.
#
# </details>


# %% tags=["solution"]
def softsign_slope_solution(z):
    return 1 / (1 + np.abs(z)) ** 2


check("03.1", softsign_slope_solution, solution=True)

# %% [markdown]
# ### Exercise 03.2: teach `Value` the sine
#
# *10 minutes.* `sine(v)` should return a new `Value`, through which blame flows
# back to `v`. Look at how `tanh` does it.


# %% tags=["exercise"]
def sine(v):
    """Return the sine of the Value v, as a Value."""
    raise NotImplementedError


check("03.2", sine)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A Value needs its number and a list of (parent, local derivative).
#
# </details>
# <details><summary>Hint 2</summary>
#
# The number is `math.sin(v.data)`; the only parent is `v`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The local derivative is a number too: `math.cos(v.data)`.
#
# </details>


# %% tags=["solution"]
def sine_solution(v):
    import math

    from dl_course.backprop import Value

    return Value(math.sin(v.data), [(v, math.cos(v.data))], "sin")


check("03.2", sine_solution, solution=True)

# %% [markdown]
# ### Exercise 03.3: a judge of gradients
#
# *20 minutes.* Someone hands you a function `f` of an array and a function
# `gradient`. Is it the gradient of `f` at `x`? Nudge, compare, return True or False.
# Slopes may be tiny or huge, so accept a `relative_error` (section 2) up to 0.001.


# %% tags=["exercise"]
def is_gradient(f, gradient, x):
    """Return True if gradient(x) is the gradient of f at x, else False."""
    raise NotImplementedError


check("03.3", is_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# For each index `i` of `x`, take the central difference with a step of 1e-5.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `for i in np.ndindex(x.shape)` walks over all numbers of any array. Nudge copies
# of `x`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Compare the length of the difference of both gradients with the length of one of
# them: accept below 0.001.
#
# </details>


# %% tags=["solution"]
def is_gradient_solution(f, gradient, x):
    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)  # one nudge for each number
    nudged = [(f(x + h) - f(x - h)) / 2e-5 for h in steps]
    error = np.linalg.norm(np.ravel(gradient(x)) - nudged)
    return bool(error <= 1e-3 * np.linalg.norm(nudged))


check("03.3", is_gradient_solution, solution=True)

# %% [markdown]
# ### Exercise 03.4: blame at a yes-or-no output
#
# *15 minutes.* One unit says $p = \sigma(z)$; the labels $y$ are 0 or 1. The loss is
# the mean over the batch of $-y \log p - (1 - y) \log(1 - p)$. Give the blame of $z$.
# It must be safe for $z = \pm 10{,}000$.


# %% tags=["exercise"]
def sigmoid_blame(z, y):
    """Return ∂loss/∂z; z, y and the result have the shape (batch, 1)."""
    raise NotImplementedError


check("03.4", sigmoid_blame)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $\partial L/\partial p = (p - y) / (p (1 - p))$, and $\sigma' = p (1 - p)$.
# Multiply.
#
# </details>
# <details><summary>Hint 2</summary>
#
# What remains is $p - y$, as for softmax. The loss is a mean over the batch.
#
# </details>
# <details><summary>Hint 3</summary>
#
# $\sigma(z) = \frac12 + \frac12\tanh\frac z2$, and tanh never overflows.
#
# </details>


# %% tags=["solution"]
def sigmoid_blame_solution(z, y):
    p = 0.5 + 0.5 * np.tanh(0.5 * z)  # (batch, 1)
    return (p - y) / len(z)


check("03.4", sigmoid_blame_solution, solution=True)

# %% [markdown]
# ### Exercise 03.5: find three mistakes
#
# *30 minutes.* Two layers, and a squared error averaged over *all* numbers. This
# gradient trains, but badly. Mend its three mistakes. Use a judge, such as exercise
# 03.3, from the top layer down.
#
# ```python
# a = np.tanh(x @ w1 + b1)  # (batch, hidden)
# p = a @ w2 + b2  # (batch, outputs)
# loss = np.mean((p - y) ** 2)
# delta2 = (p - y) / len(x)  # (batch, outputs)
# delta1 = delta2 @ w2.T * (1 - a)  # (batch, hidden)
# dw1, db1 = x.T @ delta1, delta1.mean(axis=0)
# dw2, db2 = a.T @ delta2, delta2.sum(axis=0)
# ```


# %% tags=["exercise"]
def mended(x, y, w1, b1, w2, b2):
    """Return (loss, dw1, db1, dw2, db2)."""
    raise NotImplementedError


check("03.5", mended)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Top: the mean runs over `p.size` numbers, and a square has a 2 in its slope.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Middle: `a` is already tanh of the sum. What is the slope of tanh, written with
# `a`?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Bottom: blame of a bias adds up over the batch, in every layer.
#
# </details>


# %% tags=["solution"]
def mended_solution(x, y, w1, b1, w2, b2):
    a = np.tanh(x @ w1 + b1)  # (batch, hidden)
    p = a @ w2 + b2  # (batch, outputs)
    delta2 = 2 * (p - y) / p.size  # (batch, outputs)
    delta1 = delta2 @ w2.T * (1 - a**2)  # (batch, hidden)
    dw1, db1 = x.T @ delta1, delta1.sum(axis=0)
    dw2, db2 = a.T @ delta2, delta2.sum(axis=0)
    return np.mean((p - y) ** 2), dw1, db1, dw2, db2


check("03.5", mended_solution, solution=True)
