# %% [markdown]
# A network is a formula with numbers in it. This chapter takes the formula apart, down
# to one multiplication. Then it takes a dirty table of cars through the whole craft
# around a network: clean, split, scale, build, judge, improve. Here is the way.

# %%
import keras
from dl_course import common, data
from dl_course.diagrams import Diagram
from dl_course.linear import sigmoid
from keras import ops

# %% tags=["figure", "diagram"]
d = Diagram("""
    raw   clean  .
    .     split  .
    test  valid  train
    .     .      scale
    judge choose net
""")
d.data(raw="raw rows", train="training\nrows", valid="validation\nrows")
d.data(test="test rows,\nsealed")
d.operation(clean="clean,\nrow by row", split="split by\ngroups")
d.operation(scale="scale", net="network,\ntrained", choose="choose\nsettings")
d.loss(judge="judge,\nonce")
d.arrow("raw -> clean -> split -> valid -> choose -> judge")
d.arrow("split -> test", leave="left", enter="above")
d.arrow("split -> train", leave="right", enter="above")
d.arrow("train -> scale -> net -> choose")
d.arrow("test -> judge")
alt = "Raw rows are cleaned and split in three. Training rows are scaled and train the "
alt += "network, validation rows choose settings, test rows judge once at the end."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The craft around a network.* Sections 1 to 4 open the box called network: layers,
# activations, losses and starting weights. Sections 5 to 8 go along the arrows. How the
# weights are found, chapters 03 and 04 explain; here Keras finds them.

# %% [markdown]
# ## Recall
#
# From [chapter 01](01_background.ipynb):
#
# 1. Where do squared error and cross-entropy come from?
# 2. What is the slope of the cross-entropy by the logit $z$, if $p=\sigma(z)$?
# 3. Why can one layer of thresholds not learn XOR, and what helps?
#
# <details><summary>Answer</summary>
#
# 1. They are negative log-likelihoods: of targets with normal noise, and of labels that
#    follow a coin (Bernoulli) or a die (categorical distribution).
# 2. It is $p-y$, prediction minus target.
# 3. It draws one straight line, and no line separates the two classes. A hidden layer
#    helps: it combines two lines.
#
# </details>

# %% [markdown]
# ## 1. What is a network made of?
#
# If you know what is inside, then shapes, parameter counts and error messages stop being
# mysterious. A **unit** multiplies each input by a weight, adds the products and a bias,
# and passes the sum through a function $f$, its **activation**:
#
# $$z = \sum_i w_i x_i + b, \qquad a = f(z).$$
#
# A weight belongs to a *connection*, the bias to the *unit*. The bias is added before
# the activation: without any input the unit gives $f(b)$.
#
# By hand: inputs $x=(2,-1,0.5)$, and as activation the **ReLU**, $f(z)=\max(0,z)$. The
# unit with weights $(1,2,-2)$ and bias $-0.5$ has $z=2-2-1-0.5=-1.5$, so it gives
# $a=0$. A second unit with weights $(1,0,2)$ and bias $-1$ has $z=2+0+1-1=2$ and gives
# $a=2$.
#
# Units that read the same inputs form a **layer**. Write the weights of each unit as a
# *column* of a matrix $W$, and the examples as *rows* of $X$. Then the sum above, for
# all examples and units at once, is a matrix product, and a **network** feeds each layer
# to the next:
#
# $$A^{(0)} = X, \qquad A^{(l)} = f_l\big(A^{(l-1)} W^{(l)} + b^{(l)}\big).$$
#
# Computing $A^{(1)}, A^{(2)}, \dots$ in this order is **forward propagation**.

# %% tags=["figure", "diagram"]
d = Diagram("""
    x  first  hidden  second  out
    .  W1     .       W2      .
""")
d.data(x="$X$", hidden="$A^{(1)}$", out="$A^{(2)}$")
d.operation(first="product,\n$f_1$", second="product,\n$f_2$")
d.parameter(
    W1="$W^{(1)}$ (3, 2)\n$b^{(1)}$ (2,)", W2="$W^{(2)}$ (2, 1)\n$b^{(2)}$ (1,)"
)
d.arrow("x -> first -> hidden -> second -> out", "(n, 3)", "", "(n, 2)", "(n, 1)")
d.arrow("W1 -> first")
d.arrow("W2 -> second")
alt = "Inputs of three columns, a layer of two units, a layer of one; each with weights."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *A network of 3 inputs and two layers, with shapes.* The number of examples $n$ passes
# through unchanged; each weight matrix has a row for each input and a column for each
# unit. (The layers need not stand in one line: branches that meet again are allowed, as
# long as there is no cycle.)
#
# Now the same in code. First the activations, each with its derivative, which section 2
# derives.


# %% tags=["export"]
def softplus(z):
    """log(1 + e^z), a smooth ReLU, in (0, ∞); without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softmax(z):
    """e^z_k / Σ_j e^z_j along the last axis: probabilities that sum to 1.

    A constant added to a row cancels. We subtract its maximum: no power exceeds 1.
    """
    z = np.asarray(z)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# %% tags=["export"]
ACTIVATIONS = {  # name: f(z), f'(z)
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.heaviside(z, 0)),
    "leaky_relu": (
        lambda z: np.maximum(z, 0.2 * z),
        lambda z: 0.2 + 0.8 * np.heaviside(z, 0),
    ),
    "softplus": (softplus, sigmoid),
    "silu": (
        lambda z: z * sigmoid(z),
        lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
    ),
    "softmax": (softmax, None),  # no function of each number alone
}


def activate(name, z):
    """f(z) of the activation called `name`, a key of ACTIVATIONS; the shape of z."""
    common.one_of(name, "name", ACTIVATIONS)
    return ACTIVATIONS[name][0](common.numbers(z, "z"))


def slope(name, z):
    """f'(z) of the activation called `name`, which works element by element."""
    _, derivative = ACTIVATIONS[common.one_of(name, "name", ACTIVATIONS)]
    if derivative is None:
        raise ValueError(f"name: expected an element-wise activation, got {name!r}")
    return derivative(common.numbers(z, "z"))


# %% [markdown]
# Then a layer, a network (a list of layers), and the starting weights, whose two names
# `glorot` and `he` section 4 explains. Biases start at 0.


# %% tags=["export"]
def dense(x, weights, bias, activation="linear"):
    """A layer: a = f(x W + b).

    x (batch, inputs), weights (inputs, units), bias (units,) -> a (batch, units).
    """
    x, weights, bias = common.numbers(x, "x"), np.asarray(weights), np.asarray(bias)
    shapes = x.shape[1:], weights.shape, bias.shape
    if x.ndim != 2 or weights.ndim != 2 or shapes[1] != (*shapes[0], *shapes[2]):
        got = f"{x.shape}, {weights.shape}, {bias.shape}"
        expected = "(batch, inputs), (inputs, units), (units,)"
        raise ValueError(f"x, weights, bias: expected {expected}, got {got}")
    return activate(activation, x @ weights + bias)  # (batch, units)


def forward(x, layers):
    """All activations [a0 = x, a1, ..., aL]: each layer takes the one before.

    layers: a list of (weights, bias, name of the activation).
    """
    activations = [common.numbers(x, "x")]
    for weights, bias, name in layers:
        activations.append(dense(activations[-1], weights, bias, name))
    return activations


# %% tags=["export"]
def initial_weights(inputs, units, scheme, rng):
    """Weights of shape (inputs, units) to start from.

    `scheme`: "zeros"; "ones"; "large", normal with deviation 1; "glorot", uniform in
    ±√(6 / (inputs + units)); "he", uniform in ±√(6 / inputs). `rng`: a NumPy Generator.
    """
    common.one_of(scheme, "scheme", ["zeros", "ones", "large", "glorot", "he"])
    shape = (inputs, units)
    if scheme in ("zeros", "ones"):
        return np.full(shape, float(scheme == "ones"))
    if scheme == "large":
        return rng.normal(size=shape)
    limit = np.sqrt(6 / (inputs + units if scheme == "glorot" else inputs))
    return rng.uniform(-limit, limit, shape)


def initial_layers(sizes, activations, rng, *, scheme="glorot"):
    """A network: a list of (weights, bias, activation), biases 0.

    `sizes`: inputs, then the units of each layer; `activations`: one name a layer.
    """
    if len(activations) != len(sizes) - 1:
        got = f"{len(activations)} for {len(sizes) - 1} layers"
        raise ValueError(f"activations: expected one for each layer, got {got}")
    return [
        (initial_weights(inputs, units, scheme, rng), np.zeros(units), name)
        for inputs, units, name in zip(sizes, sizes[1:], activations, strict=False)
    ]


# %% [markdown]
# The two units computed by hand, and a second layer that subtracts the first from the
# second:

# %%
x = np.array([[2.0, -1.0, 0.5]])  # one example
W1, b1 = np.array([[1.0, 1.0], [2.0, 0.0], [-2.0, 2.0]]), np.array([-0.5, -1.0])
W2, b2 = np.array([[-1.0], [1.0]]), np.array([0.0])
by_hand = [(W1, b1, "relu"), (W2, b2, "linear")]
for number, a in enumerate(forward(x, by_hand)):
    print(f"layer {number}: {a}")

# %% [markdown]
# **Predict.** A network has 3 inputs, a layer of 5 units and a layer of 2. How many
# numbers can it learn? And how far are our layers from Keras's, in single precision, for
# a network of random sizes and activations?


# %% tags=["export"]
def build_twin(layers):
    """The same network in Keras, with the same weights. Uncompiled."""
    model = keras.Sequential([keras.Input((len(layers[0][0]),))])
    for weights, bias, name in layers:
        model.add(keras.layers.Dense(len(bias), activation=name))
        model.layers[-1].set_weights([weights, bias])
    return model


# %% tags=["predict"]
rng = np.random.default_rng(seed(1))
small = initial_layers([3, 5, 2], ["relu", "softmax"], rng)
learnable = build_twin(small).count_params()
report("numbers that the small network can learn", learnable)
sizes = [int(size) for size in rng.integers(1, 30, 5)]
stack = initial_layers(sizes, ["relu", "tanh", "silu", "sigmoid"], rng)
batch = rng.normal(size=(16, sizes[0])).astype("float32")
theirs = ops.convert_to_numpy(build_twin(stack)(batch))
difference = np.abs(forward(batch, stack)[-1] - theirs).max()
report("largest difference to Keras", difference)

# %% [markdown]
# <details><summary>Answer</summary>
#
# 32: three times five weights and five biases, then five times two weights and two
# biases. Layers without weights add nothing: the input layer, dropout (section 7), pooling
# (chapter 05). Keras computes what we compute, up to the rounding of single precision.
#
# </details>

# %% tags=["claims"]
claim("numbers to learn", learnable, equals=15 + 5 + 10 + 2, tolerance=0)
claim("largest difference to Keras", difference, at_most=1e-5)

# %% [markdown]
# So forward propagation is matrix products with a function of each number in between, and
# nothing else. It changes no weight.

# %% [markdown]
# ## 2. What does an activation buy?
#
# So far $f$ looks like a detail. Leave it out, and two layers compute
# $(XA)B=X(AB)$: one layer, with the matrix $AB$. For instance $x\mapsto 2x\mapsto 3(2x)$
# is $x\mapsto 6x$. Ten linear layers are one linear layer, and can draw nothing but
# straight lines and planes. (That is why a linear regression is no deep network, whatever
# it is called.)
#
# ### The derivatives
#
# Training multiplies derivatives of activations, so we need them. For the sigmoid,
# $\sigma(z)=(1+e^{-z})^{-1}$, the chain rule gives
#
# $$\sigma'(z)=\frac{e^{-z}}{(1+e^{-z})^2}
# =\frac1{1+e^{-z}}\cdot\frac{e^{-z}}{1+e^{-z}}=\sigma(z)\,\big(1-\sigma(z)\big),$$
#
# and the second factor is also $\sigma(-z)$, because $1-\sigma(z)=\frac{e^{-z}}{1+e^{-z}}
# =\frac1{e^{z}+1}$. The product of two numbers that add up to 1 is largest where both are
# ½: the largest slope is ¼, at $z=0$. The hyperbolic tangent is a stretched sigmoid,
#
# $$\tanh z=\frac{e^z-e^{-z}}{e^z+e^{-z}}=\frac{1-e^{-2z}}{1+e^{-2z}}
# =\frac{2}{1+e^{-2z}}-1=2\,\sigma(2z)-1,$$
#
# so $\tanh'z=4\,\sigma(2z)\,(1-\sigma(2z))=(1+\tanh z)(1-\tanh z)=1-\tanh^2z$, at most 1.
# ReLU has slope 1 for $z>0$ and 0 for $z<0$ (at 0 we take 0, as Keras does). **Leaky ReLU**
# keeps a small slope $s$ for $z<0$, in our code 0.2, so that a silent unit can still learn.
# **Softplus**, $\log(1+e^z)$, is a smooth ReLU with the slope $e^z/(1+e^z)=\sigma(z)$. And
# **SiLU**, $z\,\sigma(z)$, has by the product rule $\sigma(z)+z\,\sigma(z)\,\sigma(-z)
# =\sigma(z)\,(1+z\,\sigma(-z))$.

# %% tags=["figure"]
z = np.linspace(-6, 6, 601)
figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), sharex=True)
names = ["sigmoid", "tanh", "relu", "silu"]
for name, style in zip(names, ["-", "--", "-.", ":"], strict=True):
    axes[0].plot(z, activate(name, z), style, label=name)
    axes[1].plot(z, slope(name, z), style)
axes[0].set(ylim=(-1.3, 3), xlabel="$z$", title="$f(z)$")
axes[1].set(xlabel="$z$", title="slope $f'(z)$")
axes[0].legend(loc="upper left")
alt = "Four activations and their slopes; sigmoid and tanh go flat on both sides."
plots.show(figure, alt=alt)

# %% [markdown]
# *Four activations and their slopes.* Sigmoid and tanh flatten on both sides: they
# **saturate**. ReLU (Nair & Hinton, 2010; Glorot et al., 2011) goes on forever to the
# right, so an activation need not map to a fixed interval. What it must be is
# non-linear.
#
# **Predict.** How many times smaller than its largest value is the sigmoid's slope at
# $z=10$: ten, a hundred, or thousands? And what is ReLU of a million?

# %% tags=["predict", "E131"]
for name in names:
    report(f"{name}, slope at 0 and at 10", slope(name, 0.0), slope(name, 10.0))
report("relu of a million", activate("relu", 1e6))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Thousands of times: $\sigma'(10)\approx e^{-10}$. A unit that sits there hardly learns.
# ReLU of a million is a million.
#
# </details>

# %% [markdown]
# Are the formulas right? Finite differences tell, away from the kink of ReLU.

# %% tags=["claims"]
points = np.linspace(-4, 4, 82)  # without 0
for name in [name for name, (_, f_prime) in ACTIVATIONS.items() if f_prime]:
    f_up, f_down = activate(name, points + 1e-6), activate(name, points - 1e-6)
    off = np.abs(slope(name, points) - (f_up - f_down) / 2e-6).max()
    claim(f"slope of {name} off by", off, at_most=1e-8)

# %% [markdown]
# ### Any curve, out of hinges
#
# What can such functions draw together? Take ReLU units $h_i(x)=\max(0,x-k_i)$. Each is a
# **hinge**: flat until its knot $k_i$, then rising with slope 1. Let a network add
# hinges, $\hat y=c+\sum_i v_i\,h_i(x)$. To the right of a knot, all hinges whose knot is
# passed contribute, so the slope there is the *sum* of their $v_i$. To pass through given
# points, each hinge must bring the **change** of slope that is due at its knot.
#
# By hand: through $(0,1)$, $(1,3)$, $(2,2)$ the slopes are $2$ and $-1$. So $c=1$,
# $v_1=2$ at the knot 0, and $v_2=-1-2=-3$ at the knot 1. At $x=2$ this gives
# $1+2\cdot2-3\cdot1=2$, as it should.


# %%
def hinge_network(curve, width):
    """A ReLU layer and a linear unit, through `width` + 1 even points of a curve on [0, 1]."""
    knots = np.linspace(0, 1, width + 1)
    slopes = np.diff(curve(knots)) * width  # rise over run, and a run is 1 / width
    hidden = (np.ones((1, width)), -knots[:-1], "relu")
    return [
        hidden,
        (np.diff(slopes, prepend=0)[:, None], curve(knots[:1]), "linear"),
    ]


def wave(x):
    return np.sin(2 * np.pi * x) + 0.5 * np.cos(5 * np.pi * x)


# %% [markdown]
# How wrong is it between the knots? On a piece of width $w$ take the straight line
# through both ends, and let $r(x)=\text{curve}-\text{line}$, which is 0 at both ends. At
# its extreme point $m$ the slope $r'$ is 0. By Taylor, the end $e$ nearer to $m$ gives
# $0=r(e)=r(m)+\frac12r''(\xi)(e-m)^2$, and $|e-m|\le w/2$. The line has no second
# derivative, so with $M$ the largest $|\text{curve}''|$
#
# $$|r(m)|\le\frac{M}{2}\Big(\frac w2\Big)^2=\frac{M\,w^2}{8}.$$
#
# **Predict.** Twice as many hinges: by which factor does the largest error shrink?

# %% tags=["predict"]
grid, widths, errors = np.linspace(0, 1, 2001)[:, None], [4, 8, 16, 32, 64, 128], []
for width in widths:
    drawn = forward(grid, hinge_network(wave, width))[-1]
    errors.append(np.abs(drawn - wave(grid)).max())
report("largest errors with 4, 8, … 128 hinges", errors)
report("error of 64 over that of 128", errors[4] / errors[5])

# %% [markdown]
# <details><summary>Answer</summary>
#
# By four: half the width $w$, a quarter of $w^2$. The bound holds for every
# width. The factor 4 appears once the pieces are short, because then the curve is nearly a
# parabola on each of them.
#
# </details>

# %% tags=["claims"]
claim("error of 64 by 128", errors[4] / errors[5], at_least=3.8, at_most=4.2)
# M ≤ 4π² + 12.5π²
bound = (4 * np.pi**2 + 12.5 * np.pi**2) / 8 / np.array(widths) ** 2
claim("largest share of the bound", np.max(errors / bound), at_most=1)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), width_ratios=[3, 2])
hidden, (v, c, _) = hinge_network(wave, 8)
for count in range(1, 9):
    some = np.where(np.arange(8) < count, v[:, 0], 0)[:, None]
    y = forward(grid, [hidden, (some, c, "linear")])[-1]
    last = count == 8
    axes[0].plot(grid, y, color=plots.RED, lw=1 + last, alpha=1 if last else 0.5)
axes[0].plot(grid, wave(grid), "--", color=plots.BLUE, label="curve")
axes[0].plot(-hidden[1], wave(-hidden[1]), "o", color=plots.RED, label="knots")
axes[0].set(ylim=(-2, 2), xlabel="$x$", title="1, 2, … 8 hinges added up")
axes[0].legend(loc="lower left")
axes[1].loglog(widths, errors, "o-", label="measured")
axes[1].loglog(widths, bound, ":", color=plots.BLACK, label="bound")
axes[1].set(xlabel="hinges", title="largest error")
axes[1].legend()
alt = "Sums of hinges follow a wave, and the error falls as the width to the power -2."
plots.show(figure, alt=alt)

# %% [markdown]
# *Left: each further hinge changes the slope at its knot. Right: the largest error, below
# the bound.*
#
# This is the **universal approximation theorem** at work: one hidden layer, wide enough,
# comes as close as you like to any continuous function on a closed and bounded set. It was
# proved for activations that level off on both sides, such as the sigmoid (Cybenko, 1989;
# Hornik et al., 1989). ReLU does not level off; for it, and for every activation that is
# continuous and no polynomial, the theorem is by Leshno et al. (1993). It says that good
# weights exist. It does not say that training finds them, nor how many units it takes,
# nor that the curve is right where there are no data.

# %% [markdown]
# ## 3. How wrong is it?
#
# A **loss** turns all mistakes into one number. It only measures; it is the optimizer
# that moves the weights. Chapter 01 derived the three usual losses as negative
# log-likelihoods: $\frac1{2n}\sum(\hat y-y)^2$ for normal noise,
# $\log(1+e^z)-yz$ for a label 0 or 1, and $-z_y+\log\sum_je^{z_j}$ for one of several
# classes. (Keras's `"mse"` leaves out the ½, which changes nothing but the learning rate.)
# Two questions remain: where should the logit become a probability, in the model or in
# the loss? And may one use the squared error for a probability?
#
# ### From the logit or from the probability?
#
# On paper, $-\log\sigma(z)$ and $\log(1+e^{-z})$ are the same. In a computer, $\sigma(-40)$
# is $4\cdot10^{-18}$, and programs must avoid $\log 0$. Keras clips probabilities to
# $[10^{-7},1-10^{-7}]$. (Clipping is also why the loss then has no slope there.)
#
# For several classes we need $\log\sum_je^{z_j}$. Let $m$ be the largest logit. Then
#
# $$\log\sum_je^{z_j}=\log\Big(e^{m}\sum_je^{z_j-m}\Big)=m+\log\sum_je^{z_j-m},$$
#
# and no exponential exceeds 1. For $(1000,1001)$ this is $1001+\log(1+e^{-1})$.


# %% tags=["export"]
def log_sum_exp(z, axis=-1):
    """log Σ e^z along an axis; without overflow, as for `softmax`."""
    z = np.asarray(z)
    top = z.max(axis=axis, keepdims=True)
    return np.log(np.exp(z - top).sum(axis=axis)) + top.squeeze(axis)


def categorical_crossentropy(y_true, y_pred, *, from_logits=False):
    """mean over the rows of -Σ_k y_k log p_k, with one-hot (or soft) labels y.

    y_true and y_pred are (batch, classes). y_pred holds probabilities, clipped as in
    Keras, or, with `from_logits`, logits z: then the loss is log Σ_k e^(z_k - Σ_j y_j z_j).
    """
    p, y = common.alike(y_pred, y_true, "y_pred", "y_true")
    if from_logits:
        return np.mean(log_sum_exp(p - (y * p).sum(axis=-1, keepdims=True)))
    if p.min() < 0 or np.abs(p.sum(axis=-1) - 1).max() > 1e-3:
        raise ValueError(
            "y_pred: expected rows of sum 1; logits need from_logits=True"
        )
    return -np.mean((y * np.log(np.clip(p, 1e-7, 1 - 1e-7))).sum(axis=-1))


# %% [markdown]
# **Predict.** Two classes with the logits 0 and 40, and the first is true. What is the
# loss, taken from the logits? And from the probabilities? And what happens to each, if
# the wrong logit grows from 40 to 50?

# %% tags=["predict"]
truth = np.array([[1.0, 0.0]])
for wrong in (40.0, 50.0):
    logits = np.array([[0.0, wrong]])
    from_logits = categorical_crossentropy(truth, logits, from_logits=True)
    from_p = categorical_crossentropy(truth, softmax(logits))
    report(f"wrong logit {wrong:.0f}, from logits and from p", from_logits, from_p)

# %% [markdown]
# <details><summary>Answer</summary>
#
# From the logits 40, and then 50. From the probability it is $-\log10^{-7}\approx16$ both
# times: it stands still, and where a loss stands still nothing is learned. So **give
# losses the logits**: no activation in the last layer, `from_logits=True` in the loss.
#
# </details>
#
# Does Keras compute the same, with logits in the ten thousands, too?

# %%
rng = np.random.default_rng(seed(3))
logits = rng.normal(size=(50, 4)).astype("float32")
logits[:10] *= 1e4
one_hot = np.eye(4, dtype="float32")[rng.integers(0, 4, 50)]
small = logits[10:], one_hot[10:]  # the rows without huge logits, on their own
ours, theirs = [], []
for z, y in [(logits, one_hot), small]:
    ours.append(categorical_crossentropy(y, z, from_logits=True))
    theirs.append(keras.losses.CategoricalCrossentropy(from_logits=True)(y, z))

# %% tags=["claims"]
for name, ratio in zip(["with", "without"], np.divide(ours, theirs), strict=True):
    claim(
        f"loss, ours by Keras's, {name} huge logits",
        ratio,
        equals=1,
        tolerance=1e-5,
    )
claim("from probabilities", from_p, equals=16.118, tolerance=1e-3)
claim("from logits", from_logits, equals=50, tolerance=1e-9)

# %% [markdown]
# ### Squared error on a probability
#
# Let $L=(p-y)^2$ with $p=\sigma(z)$. The chain rule and section 2 give
#
# $$\frac{\partial L}{\partial z}=2\,(p-y)\,\sigma'(z)=2\,(p-y)\,p\,(1-p),$$
#
# while the cross-entropy has $p-y$ (chapter 01): its $-\log p$ has slope $-1/p$, and
# $-\frac1p\,p\,(1-p)=p-1$ cancels just the factor that vanishes. Take $y=1$ and
# $z=-\log 9$, so $p=0.1$: the slopes are $-0.9$ and $2\cdot(-0.9)\cdot0.09=-0.162$.
#
# For softmax the same happens with several logits. The derivative of $p_k=e^{z_k}/S$,
# $S=\sum_ie^{z_i}$, is by the quotient rule
#
# $$\frac{\partial p_k}{\partial z_j}=\frac{[k=j]\,e^{z_k}S-e^{z_k}e^{z_j}}{S^2}
# =p_k\big([k=j]-p_j\big),$$
#
# where $[k=j]$ is 1 if $k=j$, and 0 otherwise. All these numbers together are the
# **Jacobian** of softmax. Each is small where one class has all the probability. With
# $-\log p_y$ in front, the chain rule gives $-\frac1{p_y}\,p_y([y=j]-p_j)=p_j-[y=j]$, and
# again the small factor is gone.
#
# **Predict.** A unit says $z=-8$, and the truth is *yes*. How many times steeper is the
# cross-entropy than the squared error?

# %% tags=["predict"]
p = sigmoid(np.array([-8.0]))
steeper = (p - 1) / (2 * (p - 1) * p * (1 - p))
report("slope of the cross-entropy over that of the squared error", steeper)
p3 = softmax(np.array([2.0, 0.5, -1.0]))
jacobian = np.diag(p3) - np.outer(p3, p3)  # row k, column j
moved = [softmax(np.array([2.0, 0.5, -1.0]) + h) for h in 1e-6 * np.eye(3)]
off = np.abs(np.transpose((np.array(moved) - p3) / 1e-6) - jacobian).max()
report("Jacobian off by", off)

# %% [markdown]
# <details><summary>Answer</summary>
#
# More than a thousand times: the ratio of the two slopes is $\frac1{2p(1-p)}$, and $p$ is
# about $e^{-8}$. Who is sure and wrong learns almost nothing from the squared error.
#
# </details>

# %% tags=["claims"]
claim("cross-entropy steeper by", steeper[0], at_least=1400, at_most=1600)
claim("Jacobian off by at most", off, at_most=1e-5)

# %% tags=["figure"]
z = np.linspace(-8, 4, 200)
figure, axis = plt.subplots(figsize=(6, 2.7))
axis.plot(z, softplus(-z), label="cross-entropy")
axis.plot(z, (1 - sigmoid(z)) ** 2, "--", label="squared error of the probability")
axis.set(xlabel="logit $z$ of an example whose answer is yes", ylabel="loss")
axis.legend()
plots.show(
    figure, alt="Cross-entropy stays steep for wrong logits, squared error is flat."
)

# %% [markdown]
# *Two losses of a "yes".* On the left the network is sure and wrong. Cross-entropy still
# pulls; squared error has let go.

# %% [markdown]
# ## 4. Where should the weights start?
#
# Training starts somewhere. If it starts at the wrong place, some networks never learn.
# Two things matter: that units differ, and how large the weights are.
#
# ### Why not all equal?
#
# Take a network with one hidden layer, $\hat y=\sum_j v_j\,f(z_j)$ with
# $z_j=\sum_iw_{ij}x_i$, and let $\delta$ be the slope of the loss by $\hat y$. The chain
# rule gives
#
# $$\frac{\partial L}{\partial v_j}=\delta\,f(z_j),\qquad
# \frac{\partial L}{\partial w_{ij}}=\delta\,v_j\,f'(z_j)\,x_i .$$
#
# If two units have equal *incoming* weights, then their $z_j$ are equal. If also their
# *outgoing* weights $v_j$ are equal, then both gradients are equal, and every step leaves
# the two units equal: for ever, they are one unit with a double weight. Both conditions
# are needed. With equal incoming and different outgoing weights, the gradients
# $\delta v_jf'(z_j)x_i$ differ, and the first step separates the units. By hand:
# $x=1$, $w=(1,1)$, ReLU, $v=(1,2)$, and the loss $\frac12(\hat y-y)^2$ with the target 0:
# $\hat y=3$, $\delta=3$, so the gradients of $w$ are 3 and 6.


# %%
def unlike(equal_in, equal_out, rng, steps=50, learning_rate=0.1):
    """How far apart four tanh units end, if they start with equal weights or not."""
    x = rng.normal(size=(100, 3))
    y = np.sin(x.sum(axis=1, keepdims=True))  # (100, 1)
    w, v = rng.normal(scale=0.5, size=(3, 4)), rng.normal(scale=0.5, size=(4, 1))
    w = np.full((3, 4), 0.5) if equal_in else w
    v = np.full((4, 1), 0.5) if equal_out else v
    for _ in range(steps):
        h = np.tanh(x @ w)  # (100, 4)
        delta = (h @ v - y) / len(x)  # slope of ½ mean squared error by ŷ
        by_v, by_w = h.T @ delta, x.T @ (delta @ v.T * (1 - h**2))
        v, w = v - learning_rate * by_v, w - learning_rate * by_w
    return np.ptp(w, axis=1).max()  # largest minus smallest unit


# %% [markdown]
# **Predict.** Fifty steps of gradient descent. Do the four units stay equal if only their
# incoming weights start equal? And if incoming and outgoing weights do?

# %% tags=["predict"]
number = seed(2)
both = unlike(True, True, np.random.default_rng(number))
incoming = [
    unlike(True, False, np.random.default_rng(number + i)) for i in range(20)
]
report("units apart, both equal", both)
report("units apart, incoming equal only, smallest of twenty runs", min(incoming))

# %% [markdown]
# <details><summary>Answer</summary>
#
# With both equal they stay equal, to the last bit. With different outgoing weights they
# separate.
#
# </details>

# %% tags=["claims"]
claim(
    "units apart, if incoming and outgoing weights are equal", both, at_most=1e-12
)
claim("incoming only, mean of twenty", np.mean(incoming) - both, at_least=0.05)

# %% [markdown]
# Random weights take care of both. (Biases may start at 0.)
#
# ### How large?
#
# Follow the **power** of the signal, the mean of $a^2$ over the units of a layer. Let the
# weights of a layer be independent of each other and of the inputs, with mean 0 and
# variance $v$; the bias is 0 and $n$ inputs $a_i$ arrive. Products of different weights
# have the mean 0, $\mathbb E[w_{ij}w_{kj}]=0$ for $i\ne k$, so in the square of the sum
# only the pure squares survive:
#
# $$\mathbb E\big[z_j^2\big]=\mathbb E\Big[\Big(\sum_iw_{ij}a_i\Big)^2\Big]
# =\sum_{i=1}^n\mathbb E\big[w_{ij}^2\big]\,\mathbb E\big[a_i^2\big]=n\,v\,q,
# \qquad q=\mathbb E[a^2].$$
#
# Then the activation. Since weights are symmetric around 0, so is $z$: half of it is
# negative. ReLU sets that half to zero and keeps the other, so
# $\mathbb E[\max(0,z)^2]=\frac12\mathbb E[z^2]$. A ReLU layer turns the power $q$ into
#
# $$q'=\tfrac12\,n\,v\,q .$$
#
# It stays level if $v=2/n$: the start of He et al. (2015). By hand: $n=100$ and
# $v=0.1$ multiply the power by 5 in each layer, and after ten layers by ten million.
#
# For tanh near 0, $f(z)\approx z$, there is no ½, and level is $v=1/n_\text{in}$. Backwards
# the same argument runs in the other direction. By the chain rule the gradient $g_i$ by an
# input is $\sum_jw_{ij}\,\delta_j$, a sum over the layer's $n_\text{out}$ units, so with
# slopes near 1 its power is multiplied by $n_\text{out}\,v$, and level is
# $v=1/n_\text{out}$. Both cannot hold if the layer changes the width. Glorot & Bengio
# (2010) took the compromise: the mean of $n_\text{in}$ and $n_\text{out}$ in place of
# either,
#
# $$v=\frac{2}{n_\text{in}+n_\text{out}} .$$
#
# We draw uniformly from $[-r,r]$, whose variance is
# $\frac1{2r}\int_{-r}^{r}w^2\,dw=\frac{r^2}3$. So $r=\sqrt{3v}$, which is
# $\sqrt{6/(n_\text{in}+n_\text{out})}$ and $\sqrt{6/n_\text{in}}$, as in the code of
# section 1.
#
# **Predict.** 20 ReLU layers of 256 units. By which factor does each layer multiply the
# power, with $v=1$, with Glorot's $v=1/256$ and with He's?

# %% tags=["predict"]
rng = np.random.default_rng(seed(4))
noise, powers = rng.normal(size=(200, 256)), {}
for scheme in ["zeros", "large", "glorot", "he"]:
    deep = initial_layers([256] * 21, ["relu"] * 20, rng, scheme=scheme)
    powers[scheme] = [np.mean(a**2) for a in forward(noise, deep)]
factor = {s: (powers[s][20] / powers[s][0]) ** (1 / 20) for s in powers}
for scheme in ["large", "glorot", "he"]:
    report(f"{scheme}, mean factor per layer", factor[scheme])

# %% [markdown]
# <details><summary>Answer</summary>
#
# 128, a half, and one. Twenty factors of 128 make $10^{42}$, and twenty halves make a
# millionth.
#
# </details>

# %% tags=["claims"]
claim(
    "log2 of the factor, he - glorot",
    np.log2(factor["he"] / factor["glorot"]),
    at_least=0.6,
    at_most=1.4,
)
claim("log2 of the factor, he", np.log2(factor["he"]), at_least=-0.3, at_most=0.3)
claim(
    "log2 of the factor, large", np.log2(factor["large"]), at_least=6.7, at_most=7.3
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3.0))
for (scheme, power), style in zip(powers.items(), "s^vo", strict=True):
    height = np.maximum(power, 1e-12)
    (line,) = axis.semilogy(height, f"{style}-", markevery=2)
    axis.text(20.4, height[-1], scheme, color=line.get_color(), va="center")
axis.set(xlabel="layer", ylabel="mean square of the signal", ylim=(1e-14, 1e46))
axis.set_xticks(range(0, 21, 5))
plots.show(
    figure,
    alt="Power through 20 layers: large explodes, glorot fades, he is level.",
)

# %% [markdown]
# *The power of the signal, layer by layer* (power 0 is drawn at the bottom). Only He's
# start carries a signal through ReLU layers. With tanh, the large start cannot explode;
# it does something quieter.
#
# **Predict.** Twenty tanh layers, $v=1$. Which share of the last layer's units is
# saturated, beyond $\pm0.99$?

# %% tags=["predict"]
stuck = {}
for scheme in ["large", "glorot"]:
    deep = initial_layers([256] * 21, ["tanh"] * 20, rng, scheme=scheme)
    stuck[scheme] = np.mean(np.abs(forward(noise, deep)[-1]) > 0.99)
    report(f"{scheme}, share of saturated units", stuck[scheme])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Most of them, where the slope $1-\tanh^2$ is below 0.02. With Glorot's start, none.
#
# </details>

# %% tags=["claims"]
claim(
    "saturated units, large - glorot",
    stuck["large"] - stuck["glorot"],
    at_least=0.75,
)

# %% [markdown]
# ## 5. What is wrong with this table?
#
# Now the craft. Most projects fail here, not at the network. These are cars sold in the
# USA from 1970 to 1982 (Ramos & Donoho, 1983), and the question is how many miles a car
# goes on a gallon of fuel. The first step is to **prepare** the data.

# %%
rows = data.cars()
print(rows[10])
print({key: sum(row[key] is None for row in rows) for key in rows[0]})
print(sorted({row["Name"].split()[0] for row in rows})[6:14])

# %% [markdown]
# Numbers are missing, makers are spelled in several ways, and one car is entered again
# under the next year. Everything that can be mended by looking at *one* row alone (or at
# exact copies) is mended first. A limit that no car of the time exceeds catches a slip of
# the pen: the number becomes a hole. An odd but true car stays. An **outlier** is a
# reason to look, not to delete.


# %% tags=["export"]
ORIGINS = ["USA", "Europe", "Japan"]
MISSPELLED = {
    "chevroelt": "chevrolet",
    "chevy": "chevrolet",
    "vw": "volkswagen",
    "vokswagen": "volkswagen",
    "maxda": "mazda",
    "toyouta": "toyota",
}
CAR_LIMITS = {
    "Miles_per_Gallon": (5, 60),
    "Displacement": (50, 600),
    "Horsepower": (30, 400),
    "Weight_in_lbs": (1200, 6500),
    "Acceleration": (4, 35),
}


# %% tags=["export"]
def clean_cars(rows):
    """Repair the rows of data.cars(); new rows come back, the old ones stay as they are.

    Makers are spelled in one way; a number that no car of the time had becomes None; rows
    without Miles_per_Gallon go, and rows that repeat one before in all but the year.
    Nothing is estimated from the table. Doing it twice changes nothing.
    """
    clean, seen = [], set()
    for row in rows:
        maker, *model = row["Name"].lower().split()
        row = row | {"Name": " ".join([MISSPELLED.get(maker, maker), *model])}
        for column, (low, high) in CAR_LIMITS.items():
            if row[column] is not None and not low <= row[column] <= high:
                row[column] = None
        key = tuple(row[column] for column in sorted(row) if column != "Year")
        if row["Miles_per_Gallon"] is not None and key not in seen:
            seen.add(key)
            clean.append(row)
    return clean


# %% tags=["export"]
def car_arrays(rows):
    """(x, miles, origin) of n clean rows, to learn from.

    x (n, 6) float with NaN where missing: cylinders, displacement, horsepower, weight,
    acceleration, year; miles (n,) per gallon; origin (n,), an index into ORIGINS.
    """
    columns = (
        "Cylinders",
        "Displacement",
        "Horsepower",
        "Weight_in_lbs",
        "Acceleration",
    )
    x = np.array([[row[column] for column in columns] for row in rows], float)
    year = [int(row["Year"][:4]) for row in rows]
    miles = np.array([row["Miles_per_Gallon"] for row in rows], float)
    origin = np.array([ORIGINS.index(row["Origin"]) for row in rows])
    return np.column_stack([x, year]), miles, origin


# %% [markdown]
# Does it work? Put in dirt that we know: forty copies of cars, and a new car whose weight
# is in tons.
#
# **Predict.** By how many rows should the cleaned result be longer than the clean table?
# And what does a second cleaning change?

# %% tags=["predict"]
cars = clean_cars(rows)
tons = cars[0] | {"Name": "test car", "Weight_in_lbs": 1.6}
again = clean_cars([*cars, *cars[:40], tons])
report("rows more than before", len(again) - len(cars))
changed = sum(a != b for a, b in zip(cars, clean_cars(cars), strict=True))
report("rows that a second cleaning changes", changed)

# %% [markdown]
# <details><summary>Answer</summary>
#
# One, the new car, whose weight is now a hole. Cleaning twice is cleaning once.
#
# </details>

# %% tags=["claims"]
claim("all copies are found", again[:-1] == cars)
claim("the weight in tons is now missing", again[-1]["Weight_in_lbs"] is None)
claim("rows changed by a second cleaning", changed, at_most=0)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3.2))
for name, marker in zip(ORIGINS, "os^", strict=True):
    some = [row for row in cars if row["Origin"] == name]
    weight, mpg = (
        [row[key] for row in some] for key in ("Weight_in_lbs", "Miles_per_Gallon")
    )
    axis.scatter(weight, mpg, 18, marker=marker, alpha=0.6, label=name)
axis.set(xlabel="weight (pounds)", ylabel="miles per gallon")
axis.legend()
plots.show(
    figure, alt="Heavier cars go fewer miles; most of the heavy ones are American."
)

# %% [markdown]
# *Miles per gallon by weight.* Heavy cars go less far, on a curve rather than a line, and
# the heaviest are American.
#
# ### Split, then scale
#
# Next comes the **split**: **training rows** to learn from, **validation rows** to choose
# by, **test rows** to judge once. What must not be on two sides depends on what shall be
# new later. Here the same model was sold for years, nearly unchanged. So a name goes to
# one side as a whole.


# %% tags=["export"]
def split_groups(groups, fractions, rng):
    """Index arrays of the parts of a split; all rows of one group go to one part.

    `groups`: one name a row; `fractions`: such as (0.6, 0.2, 0.2). The split depends on
    the names and `rng`, not on the rows' order or values.
    """
    if min(fractions) <= 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"fractions: expected parts > 0 of sum 1, got {fractions}")
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    filled = np.empty(len(names))  # share of rows up to the middle of each group
    filled[order] = (np.cumsum(sizes[order]) - sizes[order] / 2) / len(groups)
    part = np.searchsorted(np.cumsum(fractions)[:-1], filled)[group]
    parts = [np.flatnonzero(part == k) for k in range(len(fractions))]
    if not all(map(len, parts)):
        sizes = f"{[*map(len, parts)]} rows out of {len(names)} groups"
        raise ValueError(f"groups: expected some for each part, got {sizes}")
    return parts


# %% [markdown]
# (scikit-learn has such splits, too: `GroupShuffleSplit`, and `GroupKFold` for the
# cross-validation below.) Then **scale**. Weights are in thousands, accelerations near
# 15, and one learning rate cannot suit both. **Standardizing** makes each column
# $(x-\text{mean})/\text{standard deviation}$. By hand: training rows 2, 4, 6 have the mean
# 4 and the deviation $\sqrt{8/3}$, so a new 4 becomes 0. Holes get the training median.
# All of these are *learned* numbers, so they come from training rows only.


# %% tags=["export"]
def fit_statistics(x):
    """What `preprocess` needs, from training rows alone: x (rows, columns) with NaN."""
    if np.ndim(x) != 2 or np.isnan(x).all(axis=0).any():
        raise ValueError("x: expected (rows, columns), in each column a number")
    median = np.nanmedian(x, axis=0)
    filled = np.where(np.isnan(x), median, x)
    deviation = filled.std(axis=0)
    deviation[deviation == 0] = 1
    return {"median": median, "mean": filled.mean(axis=0), "deviation": deviation}


def preprocess(x, statistics):
    """Missing values become the median, then z = (x - mean) / deviation; x stays."""
    filled = np.where(np.isnan(x), statistics["median"], x)
    return ((filled - statistics["mean"]) / statistics["deviation"]).astype(
        np.float32
    )


# %% [markdown]
# Scaling comes before the forward pass, unless it is made a layer of the model: Keras has
# one, `Normalization`. But how would one *notice* that test rows leak into training? Spoil
# them on purpose, run everything again, and compare. If nothing leaks, not a single number
# of the preparation moves.


# %%
raw, miles, origin = car_arrays(cars)  # (cars, 6), (cars,), (cars,)
names = np.array([row["Name"] for row in cars])
train, valid, test = split_groups(
    names, (0.5, 0.2, 0.3), np.random.default_rng(seed(5))
)


def prepared(raw, learn_from):  # training rows, scaled by what `learn_from` says
    return preprocess(raw[train], fit_statistics(raw[learn_from]))


def moved_by_spoiling(learn_from):
    spoiled = raw.copy()
    spoiled[test] *= 3
    return np.abs(prepared(raw, learn_from) - prepared(spoiled, learn_from)).max()


# %% [markdown]
# **Predict.** One program takes its statistics from all rows, the other from the training
# rows. By how much, in standard deviations, do *training* inputs move if the test rows are
# spoiled?

# %% tags=["predict"]
everything = np.arange(len(cars))
leaky, honest = moved_by_spoiling(everything), moved_by_spoiling(train)
report("moved, statistics from all rows", leaky)
report("moved, statistics from training rows", honest)
layer = keras.layers.Normalization()
layer.adapt(raw[train, 3:])  # columns without holes
theirs = ops.convert_to_numpy(layer(raw[:, 3:]))
x = preprocess(raw, fit_statistics(raw[train]))  # (cars, 6)
report("largest difference to Keras", np.abs(theirs - x[:, 3:]).max())

# %% [markdown]
# <details><summary>Answer</summary>
#
# In the first program some of them move by more than a whole standard deviation; in the
# second they do not move at all. Test rows have spoken where they should be silent, and you
# can see it.
#
# </details>

# %% tags=["claims"]
claim(
    "moved by spoiled test rows, all rows - training rows",
    leaky - honest,
    at_least=0.3,
)
claim("moved, statistics from training rows", honest, at_most=0)
claim("largest difference to Keras", np.abs(theirs - x[:, 3:]).max(), at_most=1e-3)

# %% [markdown]
# ### Cross-validation, and a leak that invents discoveries
#
# A hundred test rows give a noisy verdict. In **cross-validation** all rows take turns:
# cut them into $k$ **folds**; for each fold train on the others and judge on it. Each row
# is judged once, by a model that has not seen it (nor, with groups, its namesakes).

# %% tags=["figure", "diagram"]
d = Diagram("""
    a1 b1 c1 s1 .
    a2 b2 c2 s2 mean
    a3 b3 c3 s3 .
""")
for i in range(1, 4):
    for j, column in enumerate("abc", 1):
        if i == j:
            d.loss(**{f"{column}{i}": "judge"})
        else:
            d.data(**{f"{column}{i}": "train"})
    d.note(**{f"s{i}": f"score {i}"})
    d.arrow(f"s{i} -> mean")
d.operation(mean="mean and\nspread")
alt = "Three rows of three boxes: in each row another fold judges, and the others train."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Cross-validation with three folds: each line is one training.* Everything that is learned
# from data, scaling and choosing columns included, belongs *inside* a line. What if one
# forgets? Label the cars by tossing coins, and invent 2,000 random columns. Keep the 40
# that go best with the label, and fit a line to them. One assistant chooses the columns
# once, on all rows, before cross-validation; the other within each training part. (Rules
# that foretell cancer from a few chosen genes were once judged in the first way: Ambroise &
# McLachlan, 2002.)
#
# **Predict.** How often is each right about the coins of rows that the line has not seen?


# %%
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedGroupKFold


def folds(number):
    """Five times (training rows, judged rows); a name is on one side, origins are mixed."""
    cut = StratifiedGroupKFold(5, shuffle=True, random_state=number)
    return list(cut.split(raw, origin, names))


def coins_foretold(number, inside):
    rng = np.random.default_rng(number)
    coin = rng.choice([-1.0, 1.0], len(cars))
    junk = rng.normal(size=(len(cars), 2000))
    right = []
    for part, judged in folds(number):
        seen = part if inside else everything
        best = np.argsort(-np.abs(coin[seen] @ junk[seen]))[:40]
        line = Ridge(1.0).fit(junk[part][:, best], coin[part])
        right.append(np.sign(line.predict(junk[judged][:, best])) == coin[judged])
    return np.mean(np.concatenate(right))


# %% tags=["predict"]
number = seed(6)
outside, inside = (
    np.array([coins_foretold(number + i, where) for i in range(5)])
    for where in (False, True)
)
report("coins foretold, chosen once on all rows, five times", outside)
report("coins foretold, chosen within each training part", inside)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The first assistant announces a discovery. The second is right half of the time, as
# anybody is about coins. The only difference is that the judged rows had already voted on
# the columns.
#
# </details>

# %% tags=["claims"]
claim("coins foretold, outside - inside", np.mean(outside - inside), at_least=0.15)
claim("coins foretold by the honest one", inside.mean(), at_least=0.4, at_most=0.6)

# %% [markdown]
# ## 6. Does it work, and how sure is it?
#
# The second step is to **build**: to choose the form of the function, its size and its
# start. Keras has the layers; `depth` hidden layers with ReLU, then an output without an
# activation. (`dropout` and `decay` wait for section 7.) Compiling takes seconds, so each
# network is compiled once, and our `fit` starts it from new random weights each time. Adam
# is an optimizer; chapter 04 takes it apart.


# %% tags=["export"]
def build_mlp(inputs, outputs, units=64, depth=2, dropout=0.0, decay=0.0):
    """`depth` ReLU layers, each followed by dropout, and an output of logits. Uncompiled.

    dropout: share of units that dropout silences; decay: λ of the L2 penalty λ Σ w².
    """
    model = keras.Sequential([keras.Input((inputs,))])
    for _ in range(depth):
        penalty = keras.regularizers.L2(decay)
        model.add(keras.layers.Dense(units, "relu", kernel_regularizer=penalty))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(outputs))
    return model


# %%
def compiled(model, loss, learning_rate=2e-3, metrics=None):
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss, metrics=metrics, steps_per_execution=10)
    return model


def fit(model, x, y, **options):
    """Train from new random weights, and return the history."""
    model.set_weights(keras.models.clone_model(model).get_weights())
    rate = float(model.optimizer.learning_rate)
    for variable in model.optimizer.variables:  # forget the last training
        variable.assign(ops.zeros_like(variable))
    model.optimizer.learning_rate = rate
    return model.fit(x, y, verbose=0, **options).history


# %% [markdown]
# The third step is to **train**. The origin, a word, becomes three columns of 0 and 1,
# *one-hot*. Miles per gallon are scaled too, and the predictions scaled back.
#
# The fourth step is to **evaluate**, and a number alone says nothing: beside it must stand
# what simple rivals reach with the same rows. Ours are
#
# - **median**: always the median of the training rows;
# - **line**: ridge regression, least squares plus a penalty $\alpha\sum w^2$, whose
#   $\alpha$ is chosen within the training rows (`RidgeCV`);
# - **random hidden layer**: 200 ReLU units with random weights, as section 4 has them,
#   that are *never trained*; only the output is fitted, by the same ridge regression;
# - **network**: two trained hidden layers of 64 units. How many epochs it trains is
#   chosen within the training rows as well, by a fifth of them that it does not train on.
#   (Ridge regression needs no such part: it can leave out each row in turn by a formula.)

# %%
from sklearn.linear_model import RidgeCV


def inputs_for(part):
    """Inputs (cars, 9), scaled by the rows `part`: six numbers and the origin, one-hot."""
    scaled = preprocess(raw, fit_statistics(raw[part]))
    return np.hstack([scaled, np.eye(3, dtype="float32")[origin]])


def random_hidden(x, units, rng):
    """A ReLU layer with random weights and biases that nobody trains: (rows, units)."""
    z = x @ rng.normal(scale=0.3, size=(x.shape[1], units)) + rng.normal(size=units)
    return np.maximum(z, 0)


def ridge(x, y, part):
    return RidgeCV(np.logspace(-3, 4, 15)).fit(x[part], y[part]).predict(x)


# %%
regressor = compiled(build_mlp(9, 1), "mse", 5e-3)
stop = keras.callbacks.EarlyStopping(patience=6, restore_best_weights=True)


def network_miles(x, part, rng):
    """Predictions for all cars of a network trained on the rows `part`."""
    center, spread = miles[part].mean(), miles[part].std()
    target = (miles - center) / spread
    inner = rng.permutation(part)
    kept, held = inner[len(inner) // 5 :], inner[: len(inner) // 5]
    held = x[held], target[held]  # chooses the number of epochs
    options = {"epochs": 30, "validation_data": held, "callbacks": [stop]}
    fit(regressor, x[kept], target[kept], **options)
    return common.predict(regressor, x)[:, 0] * spread + center


# %% [markdown]
# **Predict.** How many miles per gallon off, on average, is each of the four? How much of
# the network's lead over the line is due to its *training*?

# %% tags=["predict"]
number = seed(7)
rng, off = np.random.default_rng(number), {}
for part, judged in progress(folds(number), "folds"):
    x = inputs_for(part)
    guesses = {
        "median": np.full(len(cars), np.median(miles[part])),
        "line": ridge(x, miles, part),
        "random hidden layer": ridge(random_hidden(x, 200, rng), miles, part),
        "network": network_miles(x, part, rng),
    }
    for name, guess in guesses.items():
        off.setdefault(name, []).append(np.abs(guess - miles)[judged].mean())
for name, values in off.items():
    report(
        f"{name}, mean and deviation of five folds",
        np.mean(values),
        np.std(values, ddof=1),
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The median is more than six miles off, the line between two and three. The hidden layer
# gains about half a mile, and it does so even if nobody trains it. Training it gains
# nothing more that one could see: on four hundred cars, what helps is the curve, not the
# learned features.
#
# </details>

# %% tags=["claims"]
mean_off = {name: np.mean(values) for name, values in off.items()}
claim("miles off, median - line", mean_off["median"] - mean_off["line"], at_least=3)
gain = mean_off["line"] - mean_off["random hidden layer"]
claim("miles off, line - random hidden layer", gain, at_least=0.3)
claim(
    "miles off, line - network",
    mean_off["line"] - mean_off["network"],
    at_least=0.1,
)
lead = mean_off["random hidden layer"] - mean_off["network"]
claim("miles off, random hidden layer - network", lead, at_most=0.4)

# %% [markdown]
# Is it the activation? Without it the 200 random units are one linear layer, and all of the
# gain is gone: try it in `random_hidden`.
#
# ### One number hides much
#
# Now another question, with classes: where does a car come from? Its miles become an
# input, its origin the label. **Logistic regression** for three classes is softmax
# regression (chapter 01); the network has a hidden layer more. Both are judged by
# cross-validation, so that all cars count.

# %%
from sklearn.linear_model import LogisticRegression

by_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
classifier = compiled(build_mlp(7, 3, units=32, depth=1), by_logits, 5e-3)
chances = {"logistic regression": np.zeros((len(cars), 3))}
chances["network"] = np.zeros((len(cars), 3))
number = seed(8)
for part, judged in progress(folds(number), "folds"):
    scaled_miles = (miles - miles[part].mean()) / miles[part].std()
    x = np.column_stack([inputs_for(part)[:, :6], scaled_miles])  # (cars, 7)
    line = LogisticRegression(C=10.0, max_iter=1000).fit(x[part], origin[part])
    chances["logistic regression"][judged] = line.predict_proba(x[judged])
    fit(classifier, x[part], origin[part], epochs=25)
    chances["network"][judged] = softmax(common.predict(classifier, x[judged]))

# %% [markdown]
# A **confusion matrix** counts pairs: its rows are true classes, its columns predicted
# ones. **Recall** is the share of a row on the diagonal: of the cars *from* a place, how
# many were found. **Precision** is the share of a column: of those *said* to be from there,
# how many are. By hand: with the matrix $\begin{pmatrix}8&2\\1&4\end{pmatrix}$, the second
# class has recall $4/5$ and precision $4/6$. Either alone is easy to raise: say *yes* to
# all, and recall is 1. So one combines them by the harmonic mean, which is small as soon as
# one of them is, the **F1 score** $F_1=\frac{2PR}{P+R}$; in the example
# $\frac{2\cdot(4/6)(4/5)}{4/6+4/5}=\frac8{11}$.


# %% tags=["export"]
def confusion_matrix(y_true, y_pred, classes):
    """Counts (classes, classes): row = true class, column = predicted class."""
    y_true = common.integers(y_true, "y_true", "n", below=classes)
    y_pred = common.integers(y_pred, "y_pred", len(y_true), below=classes)
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


def precision_recall(matrix):
    """(precision, recall) of each class, NaN where there is nothing to divide by.

    Precision: the share of right ones among those predicted as the class (a column);
    recall: among those that are of the class (a row).
    """
    matrix = np.asarray(matrix)
    hits = np.diag(matrix)
    with np.errstate(invalid="ignore"):
        return hits / matrix.sum(axis=0), hits / matrix.sum(axis=1)


def accuracy(model, x, y):
    """The share of rows of x whose largest output is the one at their label y (n,).

    model: a Keras model, or a network as a list of (weights, bias, activation).
    """
    outputs = (
        forward(x, model)[-1]
        if isinstance(model, list)
        else common.predict(model, x)
    )
    return float(np.mean(outputs.argmax(axis=1) == common.integers(y, "y", len(x))))


# %% [markdown]
# **Predict.** Five of eight cars are American, so *always USA* is right for five of eight.
# How much better are the two? Which origin do they find least often? And is the network
# better than the line?

# %% tags=["predict"]
said = {name: p.argmax(axis=1) for name, p in chances.items()}
always = np.mean(origin == 0)
report("accuracy of always USA", always)
for name, guess in said.items():
    report(f"accuracy of {name}", np.mean(guess == origin))
matrix = confusion_matrix(origin, said["network"], 3)
precision, recall = precision_recall(matrix)
f1 = 2 * precision * recall / (precision + recall)
report("network, recall of USA, Europe, Japan", recall)
report("network, F1 of USA, Europe, Japan", f1)
disagree = (said["network"] == origin).astype(float) - (
    said["logistic regression"] == origin
)
error = disagree.std(ddof=1) / np.sqrt(len(cars))
report("network less line, and its standard error", disagree.mean(), error)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Both are better than *always USA*, by about a tenth. American cars are mostly found, the
# others much less often; accuracy hid that. Between network and line there is no clear
# difference: look at the last line, and at its standard error, before you announce a
# winner.
#
# </details>

# %% tags=["claims"]
from sklearn.metrics import f1_score

better = np.mean(said["network"] == origin) - always
claim("accuracy, network - always USA", better, at_least=0.05)
claim("recall, USA - Europe", recall[0] - recall[1], at_least=0.05)
theirs = f1_score(origin, said["network"], average=None)
claim("F1 away from scikit-learn's", np.abs(f1 - theirs).max(), at_most=1e-12)

# %% tags=["figure"]
figure = plots.confusion(matrix, ORIGINS)
figure.set_size_inches(3, 2.6)
plots.show(
    figure, alt="Confusion matrix of three origins; American cars are mostly found."
)

# %% [markdown]
# *Where the network says that cars come from.* Precision and recall can also be traded
# against each other. Ask only "Japanese or not", and say yes where $p$ exceeds a
# threshold. A low threshold finds all Japanese cars, and calls many others so. The
# **ROC curve** shows all thresholds at once: the share of Japanese cars found against the
# share of others that are called Japanese. Random guessing gives the diagonal.

# %% tags=["figure"]
from sklearn.metrics import roc_curve

figure, axis = plt.subplots(figsize=(3.6, 3.3))
for (name, p), style in zip(chances.items(), ("--", "-"), strict=True):
    false, true, _ = roc_curve(origin == 2, p[:, 2])
    axis.plot(false, true, style, label=name)
axis.plot([0, 1], [0, 1], ":", color=plots.BLACK, label="guessing")
axis.set(
    xlabel="others called Japanese", ylabel="Japanese cars found", aspect="equal"
)
axis.legend(loc="lower right", fontsize=8)
plots.show(figure, alt="Two curves rise steeply above the diagonal of guessing.")

# %% [markdown]
# *ROC curves of two classifiers.* The area under such a curve is one number for all
# thresholds. What it means, you derive in exercise 02.6.
#
# ### Does it know what it does not know?
#
# A probability is a promise. Call the largest probability of an answer its confidence.
# Among all answers given with 80 % confidence, 80 % should be right: then a model is
# **calibrated** (Guo et al., 2017). Sort the answers into bins by their confidence, compare
# in each bin the mean confidence with the share that is right, and average the gaps,
# weighted by the counts.


# %%
def calibration_gap(confidence, correct, bins=5):
    """Mean |confidence - share correct| over equally wide bins, weighted by their counts."""
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    sums = np.bincount(bin_of, weights=confidence - correct, minlength=bins)
    return np.abs(sums).sum() / len(confidence)


def gaps_by_chance(p, rng, repeats=400):
    """Gaps of a *perfectly* calibrated model: labels are drawn from its own p (n, k)."""
    confidence, said = p.max(axis=1), p.argmax(axis=1)
    steps = p.cumsum(axis=1)[:, :-1]  # (n, k - 1)
    gaps = []
    for _ in range(repeats):
        labels = (rng.random((len(p), 1)) > steps).sum(axis=1)
        gaps.append(calibration_gap(confidence, labels == said))
    return np.array(gaps)


# %% [markdown]
# **Predict.** A perfectly calibrated model is judged on our four hundred cars. Is its
# measured gap zero? And what follows for the network's?

# %% tags=["predict"]
rng = np.random.default_rng(seed(9))
p = chances["network"]
gap = calibration_gap(p.max(axis=1), said["network"] == origin)
by_chance = gaps_by_chance(p, rng)
report("measured gap", gap)
report(
    "perfect model, mean gap and 95 % of its gaps below",
    by_chance.mean(),
    np.quantile(by_chance, 0.95),
)
report("share of perfect models with a larger gap", np.mean(by_chance >= gap))

# %% [markdown]
# <details><summary>Answer</summary>
#
# It is not zero: even a perfect model shows a gap of some hundredths, because few answers
# fall into each bin. A measured gap says something only beside this **chance level**. If
# it lies below the 95 % mark, then these cars cannot tell the network from a calibrated
# one; that is not a proof that it is calibrated.
#
# </details>

# %% tags=["claims"]
claim(
    "gap of a perfect model on these cars",
    by_chance.mean(),
    at_least=0.01,
    at_most=0.05,
)

# %% [markdown]
# ## 7. How does it get better, honestly?
#
# A small loss on training rows is the means, not the end: the end is a small loss on rows
# that training has not seen. Two forces pull against each other there.
#
# ### Bias and variance
#
# Take one input $x$ whose target is $y=g(x)+\varepsilon$, with noise of mean 0 and variance
# $\sigma^2$. Let $\hat g$ be what a method learns from a random training set, and
# $m=\mathbb E[\hat g]$ the mean over all training sets. Insert $m$ twice:
#
# $$y-\hat g=\varepsilon+(g-m)+(m-\hat g).$$
#
# Square, and take the mean over noise and training sets. The three mixed products vanish:
# $\varepsilon$ is independent of the rest and has mean 0, and $\mathbb E[m-\hat g]=0$
# while $g-m$ is a fixed number. What is left is
#
# $$\mathbb E\big[(y-\hat g)^2\big]=\sigma^2+\underbrace{(g-m)^2}_{\text{bias}^2}
# +\underbrace{\mathbb E\big[(\hat g-m)^2\big]}_{\text{variance}} .$$
#
# **Bias** is what the method gets wrong on average, **variance** how much it depends on
# which rows it happened to see. By hand: the truth is 5, and two equally likely training
# sets give 3 and 5. Then $m=4$, the squared bias is 1, the variance 1, and the mean
# squared error without noise is $(4+0)/2=2$.
#
# Measure both: 300 training sets of 30 noisy points of the wave of section 2, and a line
# with $k$ hinges at even knots, fitted by least squares.


# %%
def hinge_features(x, k):  # (n,) -> (n, k + 2): 1, x and k hinges
    knots = np.arange(1, k + 1) / (k + 1)
    hinges = np.maximum(0, x[:, None] - knots)
    return np.column_stack([np.ones_like(x), x, hinges])


def bias_and_variance(k, rng, repeats=300, noise=0.4):
    """(mean squared bias, mean variance) over places of a fit with k hinges."""
    x, places = (np.arange(30) + 0.5) / 30, np.linspace(0.02, 0.98, 200)
    y = wave(x)[:, None] + rng.normal(scale=noise, size=(30, repeats))
    weights = np.linalg.lstsq(hinge_features(x, k), y, rcond=None)[0]
    fits = hinge_features(places, k) @ weights  # (places, repeats)
    mean = fits.mean(axis=1)
    return np.mean((mean - wave(places)) ** 2), np.mean(fits.var(axis=1))


# %% [markdown]
# **Predict.** More and more hinges: which of the two falls, which one rises? And with how
# many hinges is their sum smallest: 0, a few, or as many as possible?

# %% tags=["predict"]
rng = np.random.default_rng(seed(10))
counts = [0, 1, 2, 3, 4, 6, 8, 12, 16, 20, 26]
parts = np.array([bias_and_variance(k, rng) for k in counts])  # (counts, 2)
report("squared bias with 0, 4, 26 hinges", parts[[0, 4, -1], 0])
report("variance with 0, 4, 26 hinges", parts[[0, 4, -1], 1])
report("hinges with the smallest sum", counts[int(parts.sum(axis=1).argmin())])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Bias falls, variance rises, and the best is in between: a few. Each hinge fitted costs
# variance, whether it is needed or not.
#
# </details>

# %% tags=["claims"]
claim("squared bias, 0 hinges - 4", parts[0, 0] - parts[4, 0], at_least=0.15)
claim("variance, 26 hinges - 4", parts[-1, 1] - parts[4, 1], at_least=0.08)
claim("sum, 26 hinges - 4", parts[-1].sum() - parts[4].sum(), at_least=0.06)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.8))
axis.plot(counts, parts[:, 0], "s--", label="squared bias")
axis.plot(counts, parts[:, 1], "^--", label="variance")
axis.plot(counts, parts.sum(axis=1), "o-", label="sum")
axis.set(xlabel="hinges", ylabel="mean squared error")
axis.legend()
plots.show(
    figure,
    alt="Squared bias falls, variance rises; their sum is smallest at a few.",
)

# %% [markdown]
# *Bias, variance and their sum.* (The bias falls in zigzags, because even knots lie better
# for some numbers than for others.) A method that does badly on its own training rows has
# too much bias. One that does well there, and badly elsewhere, has too much variance: it
# **over-fits**. (With very many more parameters than rows, and weights kept small, the sum
# can fall again. Large networks live there, and this picture is not the whole truth.)
#
# ### What networks can learn by heart
#
# A network of 407,050 parameters meets 1,000 digits of MNIST. In one world the labels are
# right. In the other someone has thrown a ten-sided die for each label, so there is nothing
# to learn.

# %%
(images, labels), (new_images, new_labels) = data.mnist()
order = np.random.default_rng(seed(11)).permutation(60_000)
digits, labels = images[order[:6000]].reshape(-1, 784), labels[order[:6000]]
new_digits, new_labels = new_images[:4000].reshape(-1, 784), new_labels[:4000]
large = compiled(
    build_mlp(784, 10, units=512, depth=1), by_logits, metrics=["accuracy"]
)


def read(model, x=new_digits, y=new_labels):  # share of new digits read correctly
    return accuracy(model, x, y)


# %% [markdown]
# **Predict.** How many of the 1,000 dice can the network learn by heart? And with right
# labels, how many of 100 new digits does it read?

# %% tags=["predict", "E052", "E093"]
dice = np.random.default_rng(seed(12)).integers(0, 10, 1000)
results = {}
for name, target in {"dice": dice, "right labels": labels[:1000]}.items():
    history = fit(large, digits[:1000], target, epochs=20, batch_size=100)
    results[name] = history["accuracy"][-1], read(large)
    report(f"{name}, learned by heart and new digits read", *results[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# It learns nearly all of the dice by heart, and then reads new digits as well as a
# die. With right labels the very same network reads most of the new digits.
#
# </details>

# %% tags=["claims"]
claim("dice learned by heart", results["dice"][0], at_least=0.9)
gain = results["right labels"][1] - results["dice"][1]
claim("new digits read, right labels - dice", gain, at_least=0.5)
claim(
    "new digits read with right labels", results["right labels"][1], at_least=0.83
)

# %% [markdown]
# So *many parameters need much data* is no law, and neither is *deep networks generalize*
# (Zhang et al., 2017). The data decide, too.
#
# ### Four ways, with equal information
#
# Between right labels and dice lies every real table. Now 40 % of the labels of 1,500
# digits are dice. Four ways to train:
#
# - **plain**: a fixed number of epochs;
# - **early stopping**: the number of epochs is chosen;
# - **dropout** (Srivastava et al., 2014): in training each unit is silenced with
#   probability $r$, and what remains is divided by $1-r$. The mean stays the same:
#   $(1-r)\cdot\frac a{1-r}+r\cdot0=a$. The rate $r$ is chosen;
# - **L2 penalty**: $\lambda\sum w^2$ is added to the loss, so that large weights must
#   pay. Its gradient, $2\lambda w$, pulls each weight toward 0. The strength $\lambda$ is
#   chosen. (With plain gradient descent this is the same as **weight decay**, shrinking
#   each weight by a factor in every step. With Adam it is not, because Adam rescales this
#   gradient, too; chapter 04 has the difference, after Loshchilov & Hutter, 2019.)
#
# Three of them choose a number, and choosing needs labels. It would be unfair to give them
# extra labels, and more so right ones: whoever owns right labels should train on them. So
# all four get the same 1,500 noisy labels. Those who choose train on 1,000 of them, and
# choose by the loss on the other 500, *as noisy as they are*. Then everyone trains on all
# 1,500 with the number chosen. The score is the share of new digits read, whose labels are
# right; nothing is chosen by them.


# %%
def shrink(x):  # (n, 784) -> (n, 196): means of 2 × 2 pixels, to save time
    return x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


def noisy_draw(run):  # 1,500 digits, 40 % of whose labels are dice
    rng = np.random.default_rng(seed(13) + run)
    some = slice(1500 * run, 1500 * (run + 1))
    die, y = rng.integers(0, 10, 1500), labels[some]
    return shrink(digits[some]), np.where(rng.random(1500) < 0.4, die, y)


def small_model(**settings):
    model = build_mlp(196, 10, units=128, depth=1, **settings)
    entropy = keras.metrics.SparseCategoricalCrossentropy(
        from_logits=True, name="entropy"
    )
    return compiled(model, by_logits, 5e-3, metrics=[entropy])


EPOCHS = 16
OPTIONS = {"batch_size": 100, "validation_batch_size": 500}
MODELS = {
    "plain": small_model(),
    **{("dropout", r): small_model(dropout=r) for r in (0.5, 0.8)},
    **{("L2 penalty", s): small_model(decay=s) for s in (0.003, 0.01)},
}

# %% [markdown]
# We do this with four draws, and each makes its own choices. (Keras's `val_loss` contains
# the L2 penalty, too, which would favor small penalties. So we choose by the cross-entropy
# alone, a metric.)


# %%
def choose(x, y):
    """For each way its model and number of epochs, chosen on 500 of the 1,500 labels."""
    histories = {}
    for name, model in MODELS.items():
        options = {
            **OPTIONS,
            "epochs": EPOCHS,
            "validation_data": (x[1000:], y[1000:]),
        }
        histories[name] = fit(model, x[:1000], y[:1000], **options)
    losses = {name: history["val_entropy"] for name, history in histories.items()}
    best_epoch = int(np.argmin(losses["plain"])) + 1
    chosen = {"plain": ("plain", EPOCHS), "early stopping": ("plain", best_epoch)}
    for way in ("dropout", "L2 penalty"):
        names = [name for name in MODELS if name[0] == way]
        chosen[way] = min(names, key=lambda name: losses[name][-1]), EPOCHS
    return chosen, histories


# %% [markdown]
# **Predict.** Order the four by the new digits that they read. Which gains most over
# *plain*?

# %% tags=["predict"]
scores = {way: [] for way in ("plain", "early stopping", "dropout", "L2 penalty")}
for run in progress(range(4), "draws"):
    x, y = noisy_draw(run)
    chosen, histories = choose(x, y)
    for way, (name, epochs) in chosen.items():
        fit(MODELS[name], x, y, epochs=epochs, batch_size=100)
        scores[way].append(read(MODELS[name], shrink(new_digits)))
report("epochs of early stopping, last draw", chosen["early stopping"][1])
for way in ("dropout", "L2 penalty"):
    report(f"{way}, strength chosen in the last draw", chosen[way][0][1])
for way, values in scores.items():
    report(f"{way}, new digits read in four draws", values)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Dropout and early stopping gain most, and early stopping also saves time. The L2 penalty
# gains less. All choices were made by labels of which many are wrong, and they were good
# choices all the same, because the dice hit every rival alike.
#
# </details>

# %% tags=["claims"]
gains = {way: np.mean(np.subtract(scores[way], scores["plain"])) for way in scores}
claim("new digits read, dropout - plain", gains["dropout"], at_least=0)
claim(
    "new digits read, early stopping - plain", gains["early stopping"], at_least=0
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.6, 2.9))
styles = ["-", "--", "--", "-.", "-."]
for (name, history), style in zip(histories.items(), styles, strict=True):
    label = name if isinstance(name, str) else f"{name[0]} {name[1]}"
    axis.plot(history["val_entropy"], style, label=label)
axis.plot(
    histories["plain"]["entropy"],
    ":",
    color="#777777",
    label="plain, on its own labels",
)
axis.set(xlabel="epoch, from 0", ylabel="cross-entropy", xticks=range(0, EPOCHS, 4))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
alt = "The plain network's validation loss falls, then climbs as the dice are learned."
plots.show(figure, alt=alt)

# %% [markdown]
# *Cross-entropy on 500 noisy validation labels, last draw.* First the network learns digits. Then it
# learns its dice, too, and what it says of new digits gets worse. More training is not
# always better.
#
# Over-fitting also breaks promises. Judge by new digits whose labels are *as noisy* as
# those that were learned. Whoever knew every digit would be right about
# $0.6+0.4\cdot0.1=64\,\%$ of them, and would promise just that.
#
# **Predict.** The plain network trains three times as long as before. How sure is it on
# average, how often is it right, and is the gap within the chance level of section 6?

# %% tags=["predict"]
fit(MODELS["plain"], *noisy_draw(0), epochs=3 * EPOCHS, batch_size=100)
rng, n = np.random.default_rng(seed(14)), len(new_labels)
dice = rng.integers(0, 10, n)
as_noisy = np.where(rng.random(n) < 0.4, dice, new_labels)
p = softmax(common.predict(MODELS["plain"], shrink(new_digits)).astype(float))
confidence, correct = p.max(axis=1), p.argmax(axis=1) == as_noisy
promised_less_kept = confidence.mean() - correct.mean()
report("mean confidence, and share right", confidence.mean(), correct.mean())
gap = calibration_gap(confidence, correct)
level = np.quantile(gaps_by_chance(p, rng, 50), 0.95)
report("measured gap, and 95 % of a perfect model's gaps below", gap, level)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It is surer than even a perfect reader could be with such labels, and right much less
# often: on its own rows, learned by heart, its answers are nearly always right. Thousands
# of digits judge, so the chance level is low, and the gap is far above it.
#
# </details>

# %% tags=["claims"]
claim("promised less kept, plain network", promised_less_kept, at_least=0.1)
claim("calibration gap above its chance level", gap - level, at_least=0.05)

# %% [markdown]
# ### The winner's curse
#
# The last step is to **improve**: to choose sizes and settings by validation rows. Nobody
# knows the best ones; draw some at random and compare (Bergstra & Bengio, 2012). Let us do
# that for the random hidden layer of section 6, which is fitted in milliseconds: 30
# attempts at its size, the scale of its weights and its penalty. The attempt with the
# smallest validation error wins. Then the test rows are opened.
#
# To see what happens *on average*, we repeat all of it with 200 splits. (In real life there
# is one split, and the test rows are opened once.)


# %%
def attempt(x, y, part, rng):
    """Predictions of a random hidden layer with random settings, fitted on rows `part`."""
    units, penalty = int(rng.choice([20, 50, 100])), 10 ** rng.uniform(-2, 2)
    scale = 10 ** rng.uniform(-1, 0.3)
    z = x @ rng.normal(scale=scale, size=(x.shape[1], units)) + rng.normal(
        size=units
    )
    h = np.maximum(z, 0)  # (rows, units)
    center = h[part].mean(axis=0), y[part].mean()
    h, target = h - center[0], y[part] - center[1]
    square = h[part].T @ h[part] + penalty * np.eye(units)
    return h @ np.linalg.solve(square, h[part].T @ target) + center[1]


def search(rng, attempts=30):
    """(validation, test) errors of each attempt on a fresh split: (attempts, 2)."""
    part, by, at_last = split_groups(names, (0.5, 0.2, 0.3), rng)
    x = inputs_for(part)
    wrong = [np.abs(attempt(x, miles, part, rng) - miles) for _ in range(attempts)]
    return np.array([(w[by].mean(), w[at_last].mean()) for w in wrong])


# %% [markdown]
# **Predict.** The winner's validation error: on average, is it a fair guess of its test
# error, too low or too high? And that of the *first* attempt, which nobody chose?

# %% tags=["predict"]
rng = np.random.default_rng(seed(15))
# (200, 30, 2)
errors = np.array([search(rng) for _ in progress(range(200), "splits")])
winners = errors[np.arange(200), errors[:, :, 0].argmin(axis=1)]  # (200, 2)
too_low = winners[:, 1] - winners[:, 0]  # test minus validation
unchosen = errors[:, 0, 1] - errors[:, 0, 0]
for name, values in {"winner": too_low, "first attempt": unchosen}.items():
    report(
        f"{name}, test - validation, and standard error",
        values.mean(),
        values.std() / 200**0.5,
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The winner's is too low. It is the smallest of thirty noisy numbers, and it won partly
# because its noise was lucky. The first attempt's is fair. So it is the choice that
# flatters, nothing else, and only rows that took no part in any choice give an honest
# figure.
#
# </details>

# %% tags=["claims"]
curse = np.mean(too_low - unchosen)
claim("miles too low, winner - unchosen", curse, at_least=0.03)

# %% [markdown]
# ## 8. Who feeds the network?
#
# A fast machine waits if its data come slowly. Let a slow disk need 20 ms for a batch, and
# let a training step take 20 ms on an accelerator (both are played by `sleep`). One after
# the other, 20 batches take $20\cdot(20+20)=800$ ms. If the next batch is read *while* the
# current one is used, they take about $20\cdot20+20=420$ ms: one reading at the start, then
# the slower of the two, each time.

# %% tags=["figure", "diagram"]
d = Diagram("""
    p  r1 s1 r2 s2 .
    q  f1 f2 f3 .  .
    .  .  t1 t2 t3 .
""")
d.note(p="plain", q="prefetch")
d.data(r1="read 1", r2="read 2", f1="read 1", f2="read 2", f3="read 3")
d.operation(s1="step 1", s2="step 2", t1="step 1", t2="step 2", t3="step 3")
d.arrow("r1 -> s1 -> r2 -> s2")
d.arrow("f1 -> f2 -> f3")
d.arrow("t1 -> t2 -> t3")
alt = "Plain reads and steps in turn; with prefetch each read runs beside the step before."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Time runs to the right.* In TensorFlow's `tf.data`, `prefetch` reads ahead, and `cache`
# keeps what was read for the next epoch. (TensorFlow adds a prefetch of its own; we switch
# it off to see the effect.)

# %%
import time

import tensorflow as tf


def slow_disk():
    for start in range(0, 1000, 50):
        time.sleep(0.02)
        reads.append(start)
        yield digits[start : start + 50]


reads, batch = [], tf.TensorSpec((50, 784), "float32")
tf_options = tf.data.Options()
tf_options.experimental_optimization.inject_prefetch = False
source = tf.data.Dataset.from_generator(slow_disk, output_signature=batch)


def epoch_time(dataset):
    """Seconds of one epoch, and how many batches were read from the disk in it."""
    reads.clear()
    started = time.perf_counter()
    for _ in dataset:
        time.sleep(0.02)  # the training step
    return time.perf_counter() - started, len(reads)


# %% [markdown]
# The first epoch of a program also pays for its start, so we run one to warm up, and then
# measure three and take the quickest, which the machine's other work has disturbed least.
#
# **Predict.** How long does an epoch take, plain, with `prefetch`, and with `cache` from
# the second epoch on? And how many batches does each read from the disk?

# %% tags=["predict"]
feeds = {"plain": source, "prefetch": source.prefetch(2), "cache": source.cache()}
seconds, count = {}, {}
for name, dataset in feeds.items():
    dataset = dataset.with_options(tf_options)
    runs = [epoch_time(dataset) for _ in range(4)][1:]  # without the warm-up
    seconds[name], count[name] = min(t for t, _ in runs), runs[-1][1]
    report(f"{name}, seconds and batches read", seconds[name], count[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Plain takes about 0.8 s. `prefetch` reads as much but hides it behind the steps, and takes
# little more than the steps alone. `cache` reads nothing any more. Use both. If reading is
# the slower of the two, then reading ahead helps little, and a cache or more readers must.
#
# </details>

# %% tags=["claims"]
claim(
    "seconds, plain - prefetch",
    seconds["plain"] - seconds["prefetch"],
    at_least=0.1,
)
claim("seconds, plain - cache", seconds["plain"] - seconds["cache"], at_least=0.1)
claim(
    "batches read, prefetch - cache",
    count["prefetch"] - count["cache"],
    equals=20,
    tolerance=0,
)

# %% [markdown]
# Such a data set goes to `fit` as it is, as batches of pairs $(x, y)$. Beware of the order:
# what is shuffled *before* the cache is frozen in one order for ever.

# %%
numbers = tf.data.Dataset.range(100)
frozen, fresh = numbers.shuffle(100).cache(), numbers.cache().shuffle(100)
moved = {}
for name, dataset in {
    "shuffled, then cached": frozen,
    "cached, then shuffled": fresh,
}.items():
    first, second = ([int(n) for n in dataset] for _ in range(2))
    moved[name] = sum(a != b for a, b in zip(first, second, strict=True))

# %% tags=["claims"]
claim(
    "places that change, shuffled then cached",
    moved["shuffled, then cached"],
    at_most=0,
)
claim(
    "places that change, cached then shuffled",
    moved["cached, then shuffled"],
    at_least=80,
)

# %% [markdown]
# So: read, `cache`, `shuffle`, `batch`, `prefetch`. On other backends
# `keras.utils.PyDataset` reads ahead with Python workers.

# %% [markdown]
# ## Common mistakes
#
# ### A cell that is run twice
#
# Pixels are divided by 255 and centered *in place*. In a notebook a cell is soon run twice,
# and no error appears.

# %% tags=["E063"]
original = np.random.default_rng(seed(16)).uniform(0, 255, 1000)
pixels = original.copy()
for _ in range(2):
    pixels /= 255
    pixels -= pixels.mean()
once, twice = (original / 255 - np.mean(original / 255) for _ in range(2))
report(
    "deviation after two runs in place, and of a pure function",
    pixels.std(),
    twice.std(),
)

# %% tags=["claims"]
claim(
    "deviation, pure function - in place", twice.std() - pixels.std(), at_least=0.2
)
claim("the pure function repeats itself", np.array_equal(once, twice))

# %% [markdown]
# After the second run hardly anything is left of the picture. The cure is a function of the
# *raw* data that changes none of its inputs, like `preprocess`: run it as often as you
# like.
#
# ### Softmax twice
#
# The last layer ends in softmax, and the loss is told `from_logits=True`, which applies it
# again. Nothing complains. But probabilities between 0 and 1 are taken for logits, and then
# the most confident right answer among ten classes still gets a loss far from 0:

# %%
sure = np.array([[30.0, *np.zeros(9)]])
label = np.eye(10)[:1]
once_only = categorical_crossentropy(label, sure, from_logits=True)
twice_over = categorical_crossentropy(label, softmax(sure), from_logits=True)
report(
    "loss of a sure and right answer, softmax once and twice", once_only, twice_over
)

# %% tags=["claims"]
claim("loss, softmax twice - once", twice_over - once_only, at_least=1.4)

# %% [markdown]
# It is $\log(e+9)-1$: training can never get below that. Choose one place for the softmax,
# and let it be the loss.
#
# ### A forward pass that learns?
#
# Some believe that each unit updates its weights in the forward pass. Run one in training
# mode, and see which variables have changed.

# %% tags=["E084"]
probe = keras.Sequential([keras.layers.Dense(3), keras.layers.BatchNormalization()])
probe.build((8, 4))
before = probe.get_weights()
probe(np.random.default_rng(seed(17)).normal(size=(8, 4)), training=True)
trio = zip(probe.weights, before, probe.get_weights(), strict=True)
print([variable.name for variable, old, new in trio if (old != new).any()])

# %% [markdown]
# Only the running statistics of batch normalization moved (chapter 05), and they are no
# weights that the loss trains. Forward computes, backward differentiates, and the optimizer
# updates.

# %% [markdown]
# ## Exercises
#
# ### Exercise 02.5: a forward pass on paper
#
# *5 minutes, on paper.* Two inputs $x=(1,2)$. A hidden layer of two ReLU units: the first
# has the weights $(1,-1)$ and the bias $0.5$, the second the weights $(2,1)$ and the bias
# $-1$. Three output units whose weights from the hidden layer are $(4,\frac13\log2)$,
# $(1,0)$ and $(-7,-\frac13\log2)$, with biases 0; softmax makes probabilities of them. The
# label is the second class. Give four numbers: the two activations of the hidden layer, the
# loss as a logarithm of a fraction (`np.log(...)`), and how many numbers this network can
# learn.

# %% tags=["exercise"]
forward_by_hand = ...  # (a1, a2, loss, learnable numbers)

check("02.5", forward_by_hand)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What does ReLU do to the first unit?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The first hidden unit is silent, so only the second weights of the output units matter.
#
# </details>
# <details><summary>Hint 3</summary>
#
# $e^{\log2}=2$, and softmax divides by a sum of three numbers. The loss is the negative
# logarithm of one share.
#
# </details>

# %% tags=["solution"]
forward_by_hand_solution = (
    0.0,  # 1 - 2 + 0.5 = -0.5
    3.0,  # 2 + 2 - 1
    np.log(3.5),  # e^z = 2, 1, ½: the second has the share 1 / 3.5
    2 * 2 + 2 + 2 * 3 + 3,
)

check("02.5", forward_by_hand_solution, solution=True)

# %% [markdown]
# ### Exercise 02.2: a network by hand
#
# *15 minutes.* Six points: `knots` (increasing, *unevenly* spaced) and `heights`. The
# hidden layer is $\max(0,x-k_i)$ for the first five knots. Return its five output weights
# and the output bias, so that the network passes through all points.


# %% tags=["exercise"]
def draw(knots, heights):
    """(weights, bias) of the output unit."""
    raise NotImplementedError


check("02.2", draw)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# At the first knot all hinges are 0. What is left?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A slope is a difference of heights over a difference of knots. How many slopes are there?
#
# </details>
# <details><summary>Hint 3</summary>
#
# What is the slope before the first knot, and which change is due there?
#
# </details>


# %% tags=["solution"]
def draw_solution(knots, heights):
    slopes = np.diff(heights) / np.diff(knots)
    return np.diff(slopes, prepend=0), heights[0]


check("02.2", draw_solution, solution=True)

# %% [markdown]
# ### Exercise 02.6: what the area means
#
# *20 minutes.* The area under the ROC curve is the probability that a random *yes* gets a
# higher score than a random *no*, where a tie counts half. Show it on paper for three
# examples, then write it: count pairs, without drawing any curve.


# %% tags=["exercise"]
def area_under_roc(labels, scores):
    """The area; labels (n,) of 0 and 1, both present, and scores (n,), any numbers."""
    raise NotImplementedError


check("02.6", area_under_roc)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Going along the curve from left to right, each *no* is a step to the right. How high is
# the curve there?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Subtract the scores of all *no* from the scores of all *yes*: a matrix.
#
# </details>
# <details><summary>Hint 3</summary>
#
# How many entries are positive, how many are 0, and how many are there?
#
# </details>


# %% tags=["solution"]
def area_under_roc_solution(labels, scores):
    labels, scores = np.asarray(labels), np.asarray(scores)
    # each no is a step of 1/#no to the right, as high as the share of yes above it
    difference = scores[labels == 1][:, None] - scores[labels == 0]
    return np.mean((difference > 0) + 0.5 * (difference == 0))


check("02.6", area_under_roc_solution, solution=True)

# %% [markdown]
# ### Exercise 02.7: a start for a leaky layer
#
# *20 minutes, on paper, then one line.* A layer has $n$ inputs, and leaky ReLU as its
# activation: $f(z)=z$ for $z>0$ and $f(z)=s\,z$ otherwise. In training, dropout of the rate
# $r$ follows, as section 7 describes it. Which variance of the weights keeps the power of
# the signal level *in training*, from layer to layer?


# %% tags=["exercise"]
def starting_variance(inputs, s, r):
    """Var[w] for leaky ReLU of slope s, followed by dropout of rate r, 0 ≤ r < 1."""
    raise NotImplementedError


check("02.7", starting_variance)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Only the factor ½ of section 4's derivation changes. First without dropout: what does the
# negative half contribute?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Dropout keeps the *mean* of a. What does it do to the mean of a²?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Test your formula: 20 layers of 300 units in a loop, and the mean square after each.
#
# </details>


# %% tags=["solution"]
def starting_variance_solution(inputs, s, r):
    # q' = (1 + s²)/2 · n v q, and dropout: (1 - r) · a² / (1 - r)² = a² / (1 - r)
    return 2 * (1 - r) / ((1 + s**2) * inputs)


check("02.7", starting_variance_solution, solution=True)

# %% [markdown]
# ### Exercise 02.4: when to stop
#
# *15 minutes.* Walk through the validation losses. Stop after the first epoch that is
# `patience` epochs later than the best one so far (a tie is no improvement), or at the
# end. Return two epochs, counted from 0: where you stop, and which weights you keep.


# %% tags=["exercise"]
def early_stopping(losses, patience):
    """(epoch after which to stop, best epoch up to then)."""
    raise NotImplementedError


check("02.4", early_stopping)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# You may not look ahead: at each epoch you know only the losses so far.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Which single number must you remember from epoch to epoch?
#
# </details>
# <details><summary>Hint 3</summary>
#
# A new best starts the patience anew. What do you return if the losses end first?
#
# </details>


# %% tags=["solution"]
def early_stopping_solution(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best >= patience:
            break
    return epoch, best


check("02.4", early_stopping_solution, solution=True)

# %% [markdown]
# ### Exercise 02.8: find the leak
#
# *25 minutes.* Each car has a maker, a word with many values. A colleague replaces it by a
# number, the mean target of all cars of this maker, and judges a line on that number by
# cross-validation. To try the program out he gives it targets that are pure noise:


# %%
def leaky_encoding(makers, y, fold):
    """A number for each row; all are (n,), and fold says where a row is judged."""
    return np.array([y[makers == maker].mean() for maker in makers])


def explained(encoding, y, fold):
    """1 - (squared error of a cross-validated line) / (squared error of the mean)."""
    guess = np.empty(len(y))
    for k in np.unique(fold):
        part = fold != k
        guess[~part] = np.polyval(
            np.polyfit(encoding[part], y[part], 1), encoding[~part]
        )
    return 1 - np.sum((guess - y) ** 2) / np.sum((y - y.mean()) ** 2)


rng = np.random.default_rng(seed(18))
makers, noise, fold = (
    rng.integers(0, 60, 240),
    rng.normal(size=240),
    rng.integers(0, 5, 240),
)
report(
    "share of pure noise explained",
    explained(leaky_encoding(makers, noise, fold), noise, fold),
)

# %% [markdown]
# Where is the leak? Write the encoding without it: the number of a row may depend only on
# targets of *other folds*. For a maker that occurs in no other fold, take the mean target
# of all rows of the other folds. What does `explained` say then?


# %% tags=["exercise"]
def honest_encoding(makers, y, fold):
    """A number for each row, from targets of other folds only: (n,)."""
    raise NotImplementedError


check("02.8", honest_encoding)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A row's own target is part of its maker's mean. How large is that part if the maker has
# four cars?
#
# </details>
# <details><summary>Hint 2</summary>
#
# It is not enough to leave out the row itself: its fold's other targets are judged, too.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For each row, which rows are in another fold? And which of these have the same maker?
#
# </details>


# %% tags=["solution"]
def honest_encoding_solution(makers, y, fold):
    encoding = np.empty(len(y))
    for i, (maker, k) in enumerate(zip(makers, fold, strict=True)):
        others = fold != k
        same = others & (makers == maker)
        encoding[i] = y[same].mean() if same.any() else y[others].mean()
    return encoding


check("02.8", honest_encoding_solution, solution=True)

# %% [markdown]
# ### Exercise 02.9: what a penalty trades
#
# *35 minutes, an experiment.* Section 7 changed the number of hinges. Keep 26 of them, and
# change a ridge penalty instead: the weights that minimize
# $\sum_i(y_i-\hat y_i)^2+\alpha\sum_jw_j^2$, all weights penalized, are
# $(F^\top F+\alpha I)^{-1}F^\top y$ with the matrix $F$ of `hinge_features`. For
# $\alpha=10^{-6}$, $0.01$ and $100$ measure squared bias and variance as
# `bias_and_variance` does (30 training places, noise 0.4, measured at the 200 `places`
# between; at least 1,000 training sets). Your control: the sum of both must be the mean
# squared error from `wave`, measured directly. Hand in the six numbers: three rows of
# (squared bias, variance).

# %% tags=["exercise"]
measured = ...  # three rows, for α = 1e-6, 0.01 and 100

check("02.9", measured)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Only the line with `lstsq` changes. One `np.linalg.solve` fits all training sets at once.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Bias is a property of the mean over training sets, so take that mean before squaring.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Which of the three α should have the largest bias, and which the largest variance? If
# yours differ, look at what you average over.
#
# </details>


# %% tags=["solution"]
def ridge_parts(alpha, rng, repeats=2000):
    x, places = (np.arange(30) + 0.5) / 30, np.linspace(0.02, 0.98, 200)
    F, F_new = hinge_features(x, 26), hinge_features(places, 26)
    y = wave(x)[:, None] + rng.normal(scale=0.4, size=(30, repeats))
    fits = F_new @ np.linalg.solve(F.T @ F + alpha * np.eye(28), F.T @ y)
    bias = np.mean((fits.mean(axis=1) - wave(places)) ** 2)
    total = np.mean((fits - wave(places)[:, None]) ** 2)
    assert np.isclose(bias + np.mean(fits.var(axis=1)), total)  # the control
    return bias, np.mean(fits.var(axis=1))


rng = np.random.default_rng(seed(19))
measured_solution = [ridge_parts(alpha, rng) for alpha in (1e-6, 0.01, 100)]

check("02.9", measured_solution, solution=True)
