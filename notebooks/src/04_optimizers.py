# %% [markdown]
# Three walkers start at the circle and obey one rule: look at the slope under your feet,
# and step against it. They differ in one number only, the length of their stride.

# %%
import io
from base64 import b64encode
from collections import deque

import keras
from dl_course import common, data
from dl_course.diagrams import Diagram
from PIL import Image

# %% tags=["figure"]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.3), sharey=True)
grid = np.meshgrid(np.linspace(-4.6, 1.5, 150), np.linspace(-2, 2, 150))
for axis, stride in zip(axes, (0.006, 0.058, 0.0675), strict=True):
    place, places = np.array([-4.0, 1.0]), []
    for _ in range(40):
        places.append(place)
        place = place - stride * place * [1, 30]  # the slope of (x² + 30 y²) / 2
    height = np.log10(grid[0] ** 2 + 30 * grid[1] ** 2 + 0.1)
    axis.contourf(*grid, height, 12, cmap="Greys_r", alpha=0.4)
    axis.plot(*np.transpose(places), "o-", ms=3)
    axis.plot(-4, 1, "ow", markeredgecolor="black", ms=9)
    axis.plot(0, 0, "*", color=plots.RED, ms=12)
    axis.set(title=f"stride {stride:g}", xlim=(-4.6, 1.5), ylim=(-2, 2))
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
alt = "A valley three times: one path stops early, one zigzags to the star, one leaves."
plots.show(figure, alt=alt)

# %% [markdown]
# *Forty steps each in one long valley; dark means low, and the star is the lowest point.*
# With a short stride the walk stops far from the goal. With a longer one it zigzags
# there. With a stride that is longer by a sixth, it never arrives and in the end leaves
# the valley. This chapter explains such pictures, and then everything that people have
# invented to walk better: why some strides fail, what noise does to them, how a walker can
# remember, and how each weight can get a stride of its own. At the end, seven methods
# compete, and we shall take care that the race is fair.

# %% [markdown]
# ## Recall
#
# 1. In which direction does the gradient of a loss point?
# 2. What does backpropagation compute, and what does it *not* do?
# 3. A loss is the mean over 10,000 examples. What is its gradient?
#
# <details><summary>Answer</summary>
#
# 1. In the direction in which the loss rises fastest (chapter 01). So we step the other
#    way.
# 2. It computes the gradient with respect to every weight (chapter 03). It changes no
#    weight. That is the work of an optimizer.
# 3. The mean of the 10,000 gradients of single examples.
#
# </details>

# %% [markdown]
# ## 1. How large may a step be?
#
# A network with a million weights sees no map. At each step it knows the gradient $g$ at
# the place where it stands, and nothing else. An **optimizer** is the rule that turns
# gradients into steps. The oldest one, gradient descent (chapter 01), steps against the
# gradient, in proportion to it. The factor is the learning rate $\alpha$. (Papers on optimizers
# mostly write $\alpha$, other texts $\eta$.)
#
# $$w \leftarrow w - \alpha\, g$$
#
# If the learning rate is wrong, nothing else matters: when a network does not learn, this
# number is the first suspect. So we want to know what it depends on.
#
# ### One parabola
#
# Take the loss $\tfrac12\lambda w^2$. Its slope is $g=\lambda w$, and $\lambda$ is its
# curvature, the rate at which the slope changes. One step gives
#
# $$w-\alpha\lambda w=(1-\alpha\lambda)\,w,$$
#
# so every step multiplies the distance from the bottom by the same factor. Let
# $\lambda=10$ and start at $w=1$. With $\alpha=0.05$ the factor is 0.5: the walk goes to
# $0.5, 0.25, 0.125$. With $\alpha=0.1$ it is 0: we are there after a single step. With
# $\alpha=0.19$ it is $-0.9$: we jump across the bottom and come closer slowly. With
# $\alpha=0.21$ it is $-1.1$: each jump is longer than the last. The walk converges only if
# $|1-\alpha\lambda|<1$, which means $0<\alpha<2/\lambda$.
#
# ### Many directions
#
# A bowl in many dimensions is $\tfrac12 w^\top H w$ with a symmetric matrix $H$, and its
# gradient is $Hw$. Write $w=\sum_i c_i q_i$ with the eigenvectors $q_i$ of $H$, which stand
# at right angles to each other. Since $Hq_i=\lambda_iq_i$, one step gives
#
# $$w-\alpha Hw=\sum_i c_i\,q_i-\alpha\sum_i c_i\lambda_i\,q_i
# =\sum_i(1-\alpha\lambda_i)\,c_i\,q_i.$$
#
# So along each eigenvector the bowl is a parabola, and the parabolas do not disturb each
# other. All of them share one $\alpha$. The walk converges if $\alpha<2/\lambda_i$ for
# every $i$, so if $\alpha<2/\lambda_{\max}$.
#
# Which rate is best? The slowest direction is the one whose factor is largest in size.
# Since $1-\alpha\lambda$ falls with $\lambda$, it is one of the two ends. Raising $\alpha$
# helps the flattest direction and hurts the steepest, so the best rate makes both factors
# equally large: $1-\alpha\lambda_{\min}=-(1-\alpha\lambda_{\max})$. With the
# **condition number** $\kappa=\lambda_{\max}/\lambda_{\min}$,
#
# $$\alpha=\frac{2}{\lambda_{\min}+\lambda_{\max}},\qquad
# 1-\alpha\lambda_{\min}=\frac{\lambda_{\max}-\lambda_{\min}}{\lambda_{\max}+\lambda_{\min}}
# =\frac{\kappa-1}{\kappa+1}.$$
#
# For a large $\kappa$ that factor is about $1-2/\kappa$. Its $t$-th power is about
# $e^{-2t/\kappa}$, and it falls below $\varepsilon$ after
# $\tfrac\kappa2\log\tfrac1\varepsilon$ steps. If $\kappa$ is a hundred times as large,
# gradient descent needs a hundred times as many steps. (Such a valley looks ten times as
# long. On a line of equal height $\tfrac12\lambda w^2$ is the same along and across, so
# length over width is $\sqrt\kappa$.)
#
# In the code, a *step* is a function of the weights, the gradient, and what it remembers,
# a dictionary that begins empty. Gradient descent remembers nothing. `walk` repeats a step.


# %%
def descent(w, g, memory, *, learning_rate):
    """One step of gradient descent: new weights, and the memory as it was."""
    return w - learning_rate * g, memory


# %% tags=["export"]
def walk(
    step, gradient, w, num_steps, *, learning_rate=0.01, clip=None, **settings
):
    """Yield the weights w, and what they are after each of `num_steps` steps.

    step: a function of weights, gradient and memory that returns new weights and memory;
    gradient: a function of w, which may draw a batch of its own at each call;
    learning_rate: a number, or a schedule, a function of the step 0, 1, 2, …; clip: a
    function applied to each gradient; settings: what `step` takes.
    """
    memory = {}
    yield w
    for t in range(num_steps):
        g = gradient(w) if clip is None else clip(gradient(w))
        rate = learning_rate(t) if callable(learning_rate) else learning_rate
        w, memory = step(w, g, memory, learning_rate=rate, **settings)
        yield w


def minimize(step, gradient, w, num_steps, **settings):
    """The path of `walk` as one array, (num_steps + 1, *w.shape)."""
    w = np.array(w)
    w = w if w.dtype.kind == "f" else w.astype(float)
    return np.stack([*walk(step, gradient, w, num_steps, **settings)])


# %% [markdown]
# ### Where does $\lambda_{\max}$ come from?
#
# For a network, $H$ is the matrix of all second derivatives, the **Hessian**. With a
# million weights it has $10^{12}$ entries, and nobody writes it down. But its largest
# eigenvalue needs only *products* $Hv$. Take a random $v=\sum_ic_iq_i$ and multiply again
# and again:
#
# $$H^kv=\sum_i c_i\lambda_i^k\,q_i
# =\lambda_1^k\Big(c_1q_1+\sum_{i>1}c_i\big(\tfrac{\lambda_i}{\lambda_1}\big)^k q_i\Big).$$
#
# If $\lambda_1$ is the largest in size and $c_1$ is not zero (in a random vector it hardly
# ever is), all other terms fade, and the direction of $H^kv$ becomes that of $q_1$. This is
# **power iteration**. For a unit vector $v$ near $q_1$, $v^\top Hv$ is near $\lambda_1$.
# With eigenvalues 2 and 1 and $v=(1,1)$, the directions are $(2,1)$, $(4,1)$, $(8,1)$: each
# round halves what is wrong.


# %%
def largest_curvature(times_hessian, v, num_rounds):
    """The eigenvalue of H that is largest in size, and its unit vector, from products Hv."""
    v = v / np.linalg.norm(v)
    for _ in range(num_rounds):
        product = times_hessian(v)
        curvature = v @ product
        v = product / np.linalg.norm(product)
    return curvature, v


# %% [markdown]
# Below is a random bowl in 20 dimensions. To find the largest stable rate without theory,
# we bracket it: the limit lies between two rates; try the one in the middle. If the last
# step led away from the bottom, the limit is lower, else it is higher. Thirty halvings
# pin it down.

# %%
rng = np.random.default_rng(seed(1))
H = np.cov(rng.normal(size=(20, 100)))  # (20, 20)


def bowl(w):
    """The gradient of ½ wᵀHw, for w (..., 20)."""
    return w @ H


def distances(rate, num_steps):
    """How far from the bottom a descent from (1, …, 1) is after each step."""
    path = minimize(descent, bowl, np.ones(20), num_steps, learning_rate=rate)
    return np.linalg.norm(path, axis=1)


low, high = 0.0, 4.0
for _ in range(30):
    middle = (low + high) / 2
    before, after = distances(middle, 100)[-2:]
    low, high = (low, middle) if after > before else (middle, high)

# %% [markdown]
# **Predict.** This bowl has 20 curvatures, and the largest is several times as large as the
# smallest. Which of them decides the largest rate at which the walk still converges: the
# largest, their mean, or the smallest?

# %% tags=["predict"]
steepest, _ = largest_curvature(lambda v: H @ v, rng.normal(size=20), 200)
curvatures = np.linalg.eigvalsh(H)  # ascending; possible for 20 weights
report("largest stable rate, measured", low)
report("2 / largest curvature, by power iteration", 2 / steepest)
report("2 / mean curvature", 2 / curvatures.mean())
report("2 / smallest curvature", 2 / curvatures[0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The largest. The steepest direction sets the limit for all, and the flattest one pays for
# it. Power iteration found it without ever seeing the 20 eigenvalues.
#
# </details>

# %% tags=["claims"]
claim("measured limit × steepest / 2", low * steepest / 2, equals=1, tolerance=0.01)
claim(
    "power iteration / eigenvalue",
    steepest / curvatures[-1],
    equals=1,
    tolerance=1e-3,
)

# %% tags=["figure"]
limit = 2 / curvatures[-1]
shares = np.linspace(0.02, 1.12, 120)
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.semilogy(shares, [distances(share * limit, 50)[-1] for share in shares])
axis.axvline(1, color=plots.BLACK, ls=":")
axis.text(1.01, 1e-5, "2 / λmax")
best = 2 / (curvatures[0] + curvatures[-1]) / limit
axis.axvline(best, color=plots.RED, ls="--")
axis.text(
    best - 0.01, 1e2, "2 / (λmin + λmax)", color=plots.RED, ha="right", va="top"
)
axis.set(xlabel="learning rate / limit", ylabel="distance after 50 steps")
plots.show(
    figure,
    alt="Distance falls as the rate grows, to a minimum just before a cliff.",
)

# %% [markdown]
# *Distance from the bottom after 50 steps, for 120 rates.* The best rate lies where the
# derivation says, shortly before the cliff. (The walk is a little luckier just beside it,
# because 50 steps are few.) Ten times too small costs far more than one might think, and a
# tenth too large costs everything.

# %% [markdown]
# ## 2. How much of the data does one step need?
#
# The exact gradient looks at all $N$ examples. For a large data set that is a high price
# for a single step, and the next step will be taken from another place anyway. A
# **mini-batch** of $B$ random examples gives an estimate:
#
# $$g_B=\frac1B\sum_{i\in\text{batch}} g_i$$
#
# where $g_i$ is the gradient of example $i$. The update stays as it was, sign by sign. With
# such a $g$ it is called **stochastic gradient descent**, SGD (Robbins & Monro, 1951, who
# took $B=1$).
#
# How wrong is the estimate? Say that single gradients are 1 and 3. Their mean is 2, and a
# batch of one is wrong by 1, half of the time upwards and half downwards. So it is right
# *on average*, and its **gradient noise**, the root of the mean squared error, is 1. (For a
# gradient of many weights we take the squared length of the error.) Call the noise of a
# batch of one $\sigma$. If $B$ examples are drawn with replacement, their errors are
# independent, so the variances add up: the variance of the sum is $B\sigma^2$, the variance
# of the mean is $B\sigma^2/B^2=\sigma^2/B$, and the noise is $\sigma/\sqrt B$. Drawing
# without replacement cannot meet an example twice, and helps a little. The exact formula
# then is
#
# $$\text{noise}=\frac{\sigma}{\sqrt B}\sqrt{\frac{N-B}{N-1}},$$
#
# which is zero for the full batch $B=N$, as it must be.

# %% tags=["figure", "diagram"]
d = Diagram("""
    data      .    batch     .    .
    weights   .    network   .    loss
    .         .    .         .    .
    step      .    gradient  .    .
    memory    .    .         .    .
""")
d.data(data="training\nexamples", batch="mini-batch", weights="weights $w$")
d.data(memory="memory", gradient="gradient $g$")
d.operation(network="network", step="optimizer")
d.loss(loss="loss")
d.arrow("data -> batch -> network -> loss", "draw $B$")
d.arrow("weights -> network")
d.arrow("loss ~> gradient", leave="below", enter="right")
d.arrow("gradient -> step -> weights")
d.arrow("memory -- step")
alt = "A batch passes the network to a loss; its gradient goes to the optimizer, then w."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *One step of training. This chapter is about the optimizer: what it does with a gradient,
# and what it keeps in its memory.*
#
# Now a network for digits, as in chapters 02 and 03, with 32 ReLU units. Digits at half
# resolution keep everything quick, and a last column of ones serves as the bias of the
# hidden units (the outputs get none). We split the digits in three: 10,000 to train, 4000
# to choose learning rates (validation), and 10,000 others, which only ever give the final
# score (test).

# %%
(images, labels), (test_images, test_labels) = data.mnist()


def small(images):
    """Images (n, 28, 28) as rows of 14 * 14 pixels and a 1: (n, 197)."""
    rows = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
    return np.pad(rows, ((0, 0), (0, 1)), constant_values=1).astype("float32")


x, y = small(images[:10_000]), labels[:10_000]
x_val, y_val = small(images[10_000:14_000]), labels[10_000:14_000]
x_test, y_test = small(test_images), test_labels

# %% [markdown]
# All 6624 weights stand in one vector, so that an optimizer needs to know nothing about
# layers. And there is a second trick. To compare optimizers honestly, we shall need
# hundreds of trainings. NumPy does many at once if the weights get leading axes: with `w`
# of shape `(rates, seeds, 6624)`, one matrix product serves all networks.

# %%
INPUTS, UNITS, CLASSES = 197, 32, 10


def layers(w):
    """Both weight matrices, (..., 197, 32) and (..., 32, 10), out of w (..., 6624)."""
    cut = INPUTS * UNITS
    first = w[..., :cut].reshape(*w.shape[:-1], INPUTS, UNITS)
    return first, w[..., cut:].reshape(*w.shape[:-1], UNITS, CLASSES)


def join(first, second):
    """The reverse of `layers`."""
    flat = [part.reshape(*part.shape[:-2], -1) for part in (first, second)]
    return np.concatenate(flat, axis=-1)


def random_start(rng):
    """Random weights with He's spread (chapter 02): (6624,)."""
    first = rng.normal(0, (2 / INPUTS) ** 0.5, INPUTS * UNITS)
    second = rng.normal(0, (2 / UNITS) ** 0.5, UNITS * CLASSES)
    return np.concatenate([first, second]).astype("float32")


# %%
def forward(w, x):
    """Probabilities (..., batch, 10) and the hidden layer (..., batch, 32)."""
    first, second = layers(w)
    hidden = np.maximum(x @ first, 0)
    scores = hidden @ second
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True), hidden


def loss_gradient(w, x, y):
    """The gradient of the mean cross-entropy with respect to w, by backpropagation."""
    p, hidden = forward(w, x)
    delta = (p - np.eye(CLASSES, dtype="float32")[y]) / y.shape[-1]
    below = (delta @ layers(w)[1].swapaxes(-1, -2)) * (hidden > 0)
    return join(x.swapaxes(-1, -2) @ below, hidden.swapaxes(-1, -2) @ delta)


def loss(w, x, y):
    """The mean cross-entropy of each network: (...)."""
    p, _ = forward(w, x)
    return -np.log(p[..., np.arange(len(y)), y] + 1e-9).mean(axis=-1)


def accuracy(w, x, y):
    """The share of digits that each network reads right: (...)."""
    return np.mean(forward(w, x)[0].argmax(axis=-1) == y, axis=-1)


# %% [markdown]
# **Predict.** A batch of 100 digits has some noise. You want half of it. How large must the
# batch be?

# %% tags=["predict"]
rng = np.random.default_rng(seed(2))
w = random_start(rng)
exact = loss_gradient(w, x, y)


def noise(batch, draws=60):
    """The root of the mean squared error of gradients of random batches."""
    errors = []
    for _ in range(draws):
        rows = rng.choice(len(x), batch, replace=False)
        errors.append(np.sum((loss_gradient(w, x[rows], y[rows]) - exact) ** 2))
    return np.sqrt(np.mean(errors))


sizes = np.array([1, 4, 10, 40, 100, 400, 1000, 4000])
noises = np.array([noise(size) for size in sizes])
report("noise of batches of 100, of 200, of 400", noises[4], noise(200), noises[5])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Four times as large, 400. The noise falls with the *root* of the batch size while the work
# grows with the batch size itself. The first examples of a batch buy precision cheaply, the
# later ones dearly.
#
# </details>

# %% tags=["claims"]
finite = np.sqrt((len(x) - sizes) / (len(x) - 1))  # drawn without replacement
slope = np.polyfit(np.log(sizes), np.log(noises / finite), 1)[0]
claim("power of the batch size in the noise", slope, equals=-0.5, tolerance=0.05)

# %% [markdown]
# So what is the best use of, say, 20,000 digits: two exact steps, twenty good ones, or
# two hundred careless ones? Each of the three gets the learning rate that suits it,
# chosen from its own grid by the validation digits. `train` trains all rates and seeds at
# once. Runs with one seed share their start and their batches: they are **paired**, and
# differences between them are more precise than the runs themselves. The paths of so many
# networks would fill the memory, so `arrive` keeps their ends only.


# %%
def arrive(*args, **settings):
    """The weights at the end of a `walk`."""
    return deque(walk(*args, **settings), maxlen=1)[0]


def train(
    step, rates, seeds, *, num_steps=300, batch=100, plan=None, light=None, **more
):
    """Networks after training, (rates, seeds, 6624).

    plan: a function of the share of the training that is done; it multiplies the rate.
    light: an iterator of factors for the pixels of each batch (for section 8); more:
    settings of the step.
    """
    rngs = [np.random.default_rng(number) for number in seeds]
    w = np.stack([random_start(rng) for rng in rngs])
    w = np.repeat(w[None], len(rates), axis=0)
    rate = np.array(rates, "float32")[:, None, None]
    clip = more.pop("clip", None)

    def draw(w):
        rows = [rng.choice(len(x), batch, replace=False) for rng in rngs]
        factor = next(light) if light else 1
        return loss_gradient(w, factor * x[rows], y[rows])

    schedule = (lambda t: rate * np.float32(plan(t / num_steps))) if plan else rate
    with np.errstate(all="ignore"):  # some rates are too large, and should be tried
        return arrive(
            step, draw, w, num_steps, learning_rate=schedule, clip=clip, **more
        )


# %%
def seeds(first, count):
    """Numbers for `count` random generators."""
    return [seed(first + i) for i in range(count)]


PLANS = {10_000: 2, 1000: 20, 100: 200}  # batch size: steps for 20,000 digits
grid = [0.125, 0.25, 0.5, 1, 2, 4]
test_loss = {}
for batch, num_steps in progress(PLANS.items(), "batches"):
    budget = {"batch": batch, "num_steps": num_steps}
    tried = loss(train(descent, grid, seeds(20, 3), **budget), x_val, y_val)
    best = grid[np.nanargmin(tried.mean(axis=1))]
    test_loss[batch] = loss(
        train(descent, [best], seeds(30, 8), **budget)[0], x_test, y_test
    )

# %% [markdown]
# **Predict.** Each training sees 20,000 digits. Batches of 10,000, of 1000 or of 100: which
# ends with the lowest loss on the test digits?

# %% tags=["predict"]
for batch, values in test_loss.items():
    report(
        f"test loss with batches of {batch}, mean and deviation of 8",
        values.mean(),
        values.std(ddof=1),
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Batches of 100. Two exact steps, even with the best rate for two steps, get hardly
# anywhere: a curved landscape has to be walked, and two straight lines do not follow it.
#
# </details>

# %% tags=["claims"]
gain = np.mean(np.log(test_loss[10_000] / test_loss[100]))
claim("log of test loss, full batch - batch 100", gain, at_least=1)

# %% tags=["figure"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.loglog(sizes, noises, "o", sizes, noises[0] * sizes**-0.5, ":k")
left.text(30, noises[0] / 4, "slope −½")
left.set(xlabel="batch size", ylabel="noise of the gradient")
for i, values in enumerate(test_loss.values()):
    right.plot(values, [i] * len(values), "o", alpha=0.5)
right.set(xlabel="test loss after 20,000 digits", ylim=(-0.5, 2.5), xlim=(0, None))
names = [f"{n} steps\nof {b} digits" for b, n in PLANS.items()]
right.set_yticks(range(3), names)
alt = "Noise falls with slope −½. Two hundred steps of 100 digits end lowest."
plots.show(figure, alt=alt)

# %% [markdown]
# *Left: noise falls along the dotted line of slope −½, and a bit faster near the full
# batch. Right: eight paired runs for each batch size.* Single examples would be the
# extreme, but a computer handles a hundred in hardly more time than one. So "SGD is faster"
# is half a sentence. Per example seen it usually is; per step it is not, since an exact
# gradient is never worse than a noisy one; and per second it depends on the hardware
# (Bottou et al., 2018).

# %% [markdown]
# ## 3. Does a network obey the limit?
#
# A network's loss is no bowl. Its curvature changes from place to place. The largest
# eigenvalue of the Hessian at the present place is called the **sharpness**. If we descend
# with rate $\alpha$ and the sharpness exceeds $2/\alpha$, section 1 says that the walk
# leaves the place along the steepest direction. Whoever chooses a learning rate decides how
# sharp a place the network can stay in. Does it really?
#
# To measure the sharpness we need products of the Hessian with a vector, and no Hessian.
# $Hv$ is the change of the gradient in direction $v$, so two gradients give it:
#
# $$Hv=\lim_{\epsilon\to0}\frac{g(w+\epsilon v)-g(w-\epsilon v)}{2\epsilon}.$$
#
# For $\tfrac12(w_1^2+30w_2^2)$ and $v=(0,1)$, the two gradients differ by
# $60\,\epsilon$ in the second place, and $Hv=(0,30)$, exactly. (Automatic differentiation
# can do it without the limit: Pearlmutter, 1994.) A product costs two gradients, whatever
# the number of weights.
#
# The network is smaller here, 300 digits of $7\times7$ pixels, 32 units with a hyperbolic
# tangent, and the squared error, because we want exact gradients (all 300 digits) and many
# steps.

# %%
few = images[:300].reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(-1, 49)
few = np.pad(few.astype(float), ((0, 0), (0, 1)), constant_values=1)  # (300, 50)
targets = np.eye(10)[labels[:300]]


def smooth_loss_and_gradient(w):
    """Half the squared error of the small network, mean over 300 digits; its gradient."""
    first, second = w[:1600].reshape(50, 32), w[1600:].reshape(32, 10)
    hidden = np.tanh(few @ first)
    delta = (hidden @ second - targets) / len(few)
    below = (delta @ second.T) * (1 - hidden**2)
    value = 0.5 * np.sum(delta**2) * len(few)
    return value, np.r_[(few.T @ below).ravel(), (hidden.T @ delta).ravel()]


def hessian_product(w, v, size=1e-4):
    """Hv at w, from the gradients at two places beside w along v."""
    ahead = smooth_loss_and_gradient(w + size * v)[1]
    behind = smooth_loss_and_gradient(w - size * v)[1]
    return (ahead - behind) / (2 * size)


# %%
def watch(rate, num_steps=3600, every=60):
    """A descent with the exact gradient: (loss, sharpness) every few steps, and all w."""
    rng = np.random.default_rng(seed(3))
    w = np.r_[rng.normal(0, 50**-0.5, 1600), rng.normal(0, 32**-0.5, 320)]
    v, seen, places = rng.normal(size=w.size), [], []
    for t in range(num_steps + 1):
        value, g = smooth_loss_and_gradient(w)
        if t % every == 0:
            sharpness, v = largest_curvature(
                lambda v, w=w: hessian_product(w, v), v, 20
            )
            seen.append([value, sharpness])
            places.append(w)
        w = w - rate * g
    return np.array(seen), places


SLOW, FAST = 0.15, 0.3
watched = {rate: watch(rate) for rate in progress((SLOW, FAST), "sharpness")}

# %% [markdown]
# **Predict.** The network descends with rate 0.3, so section 1 draws a line at
# $2/0.3=6.7$. What will the sharpness do in the long run: fall far below the line, since
# minima are flat; end near the line; or rise above it, so that the loss explodes? And with
# half the rate?

# %% tags=["predict"]
late = {rate: seen[-12:, 1].mean() for rate, (seen, _) in watched.items()}
report("rate 0.3, 2 / rate, late sharpness", 2 / FAST, late[FAST])
report("rate 0.15, 2 / rate, late sharpness", 2 / SLOW, late[SLOW])
for rate, (seen, _) in watched.items():
    report(f"rate {rate}, loss at the start, at the end", seen[0, 0], seen[-1, 0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# It ends near the line, with both rates. With half the rate the start lies below its line,
# and the sharpness rises until it reaches $2/\alpha$. With the rate 0.3 the start lies above
# its line, and the first steps throw the network down to it. From then on the sharpness
# hovers there while the loss goes on falling, by fits and starts. With half the rate, the
# network ends in a place that is about twice as sharp.
#
# </details>

# %% tags=["claims"]
ratio = late[SLOW] / late[FAST]
claim("late sharpness, half the rate / whole rate", ratio, equals=2, tolerance=0.25)
claim("late sharpness × rate / 2", late[FAST] * FAST / 2, equals=1, tolerance=0.1)
claim(
    "loss at the end / at the start",
    watched[FAST][0][-1, 0] / watched[FAST][0][0, 0],
    at_most=0.4,
)

# %% tags=["figure"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
for (rate, (seen, _)), style in zip(watched.items(), ["-", "--"], strict=True):
    steps = 60 * np.arange(len(seen))
    (line,) = left.plot(steps, seen[:, 1], style, label=f"rate {rate}")
    left.axhline(2 / rate, color=line.get_color(), ls=":")
    color = line.get_color()
    left.text(3600, 2 / rate + 0.7, f"2 / {rate}", ha="right", color=color)
    right.semilogy(steps, seen[:, 0], style, label=f"rate {rate}")
left.set(xlabel="step", ylabel="sharpness", ylim=(0, 16))
right.set(xlabel="step", ylabel="loss")
right.legend()
alt = "Sharpness goes to 2 / rate and stays there, for both rates; the loss falls."
plots.show(figure, alt=alt)

# %% [markdown]
# *Left: the sharpness on the way; dotted, the limit of each rate. Right: the loss.* This is
# called the **edge of stability** (Cohen et al., 2021). A bowl with that curvature would
# throw the walk out. In the network something bends it back: as the walk swings across the
# steep direction, it is pushed to flatter places. So $2/\lambda_{\max}$ is a law for bowls.
# For networks it is where training settles by itself, and the learning rate chooses
# $\lambda_{\max}$, and not the reverse. (With the noise of small batches the sharpness
# stays lower.) Does the difference really lie in the changing curvature? We freeze it. At
# one late place of the walk with rate 0.3, where the sharpness is above the limit, we
# replace the loss by the bowl that fits best there, and walk on.
#
# **Predict.** Does the loss of the frozen bowl fall as the network's did?

# %% tags=["predict"]
seen, places = watched[FAST]
index = 12 + np.argmax(seen[12:, 1])  # the sharpest place on the way
w = places[index]
slope = smooth_loss_and_gradient(w)[1]
frozen = minimize(
    descent,
    lambda u: slope + hessian_product(w, u, size=1e-4 / max(1, np.linalg.norm(u))),
    np.zeros_like(w),
    400,
    learning_rate=FAST,
)
report("sharpness × rate / 2 at this place", seen[index, 1] * FAST / 2)
lengths_from_start = np.linalg.norm(frozen, axis=1)
growth = lengths_from_start[400] / lengths_from_start[200]
report("frozen, distance after 400 steps / after 200", growth)

# %% [markdown]
# <details><summary>Answer</summary>
#
# No. In the frozen bowl the swings grow without end. The network escapes them because its
# curvature changes as it swings.
#
# </details>

# %% tags=["claims"]
claim("log10 of that growth", np.log10(growth), at_least=1)

# %% [markdown]
# ## 4. Can a step remember the way?
#
# In a long valley, gradients point mostly across it and only a little along it. Across they
# change their sign at every step, along they agree. A walker who sees the last gradient
# only cannot tell the two apart. One who remembers can, and that is worth a lot: section 1
# says that a descent needs steps in proportion to $\kappa$. A heavy ball (Polyak, 1964)
# collects its steps in a velocity $v$:
#
# $$v \leftarrow \beta v - \alpha g, \qquad w \leftarrow w + v$$
#
# This is **momentum**. By hand, with $\alpha=1$ and $\beta=0.5$: along the valley the
# gradients are $-1,-1,-1$, so $v$ becomes $1,\ 1.5,\ 1.75$, and the ball gets faster.
# Across it they are $1,-1,1$, so $v$ becomes $-1,\ 0.5,\ -0.75$: each swing is shorter than
# $\alpha g$ from the second step on.
#
# ### What the velocity remembers
#
# Insert the rule into itself, step by step, from $v_0=0$:
#
# $$v_t=-\alpha g_t+\beta v_{t-1}=-\alpha g_t-\alpha\beta g_{t-1}+\beta^2v_{t-2}=\dots
# =-\alpha\sum_{k=0}^{t-1}\beta^k g_{t-k}$$
#
# The velocity is a sum of all past gradients, and the one of $k$ steps ago has the weight
# $\beta^k$. If the gradient is always the same, the weights add up to
# $1+\beta+\beta^2+\dots=1/(1-\beta)$. So the ball moves as plain descent with the rate
# $\alpha/(1-\beta)$, ten times $\alpha$ for $\beta=0.9$. Keep that in mind: whoever
# compares momentum with plain descent *at one rate* compares two different rates.
#
# Some texts use a moving average instead, $m\leftarrow\beta m+(1-\beta)g$ and
# $w\leftarrow w-\alpha m$. Its weights are $(1-\beta)\beta^k$ and add up to 1.

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
ages = np.arange(40)
for beta, color, shift in ((0.9, plots.BLUE, -0.2), (0.5, plots.RED, 0.2)):
    axis.bar(ages + shift, beta**ages, 0.4, color=color)
axis.text(9, 0.42, "β = 0.9: the weights add up to 10", color=plots.BLUE)
axis.text(2.4, 0.75, "β = 0.5: they add up to 2", color=plots.RED)
axis.set(xlabel="how many steps ago, $k$", ylabel="weight $\\beta^k$")
plots.show(
    figure, alt="Weights of past gradients: falling bars, slowly for β = 0.9."
)

# %% [markdown]
# *The weights of past gradients in the velocity. With $\beta=0.9$ the memory is about ten
# steps long, with 0.5 about two.*
#
# ### Nesterov's look ahead
#
# The ball is going to move by $\beta v$ in any case. So why not look at the slope *there*?
# Nesterov (1983) takes the gradient at the point ahead, $\theta+\beta v$:
#
# $$v_{t+1}=\beta v_t-\alpha\, g(\theta_t+\beta v_t),\qquad \theta_{t+1}=\theta_t+v_{t+1}$$
#
# A program would need two sets of weights, here and ahead. Call the point ahead
# $w_t=\theta_t+\beta v_t$ and keep only that. With $g=g(w_t)$ we have
# $v_{t+1}=\beta v_t-\alpha g$, and
#
# $$w_{t+1}=\theta_{t+1}+\beta v_{t+1}=\theta_t+v_{t+1}+\beta v_{t+1}
# =w_t-\beta v_t+v_{t+1}+\beta v_{t+1}=w_t+\beta v_{t+1}-\alpha g,$$
#
# where the last step used $v_{t+1}-\beta v_t=-\alpha g$. That is the form of Keras, and
# ours.


# %% tags=["export"]
def sgd(w, g, memory, *, learning_rate=0.01, momentum=0.0, nesterov=False):
    """One step of gradient descent, with momentum (Polyak, 1964), or Nesterov's (1983).

    Weights w and gradient g have one shape. It is *stochastic* gradient descent if g comes
    from a random part of the data.
    """
    w, g = same_shape(w, g)
    v = momentum * memory.get("v", 0) - learning_rate * g
    step = momentum * v - learning_rate * g if nesterov else v
    return w + step, {"v": v}


def same_shape(w, g):
    """Both as arrays. ValueError if their shapes differ: (n,) with (n, 1) would spread."""
    g, w = common.alike(g, w, "g", "w")
    return w, g


# %% [markdown]
# ### Why the root of $\kappa$?
#
# Along an eigenvector with curvature $\lambda$ the gradient is $\lambda w$. Since
# $v_t=w_t-w_{t-1}$, the rule says
#
# $$w_{t+1}=w_t+\beta(w_t-w_{t-1})-\alpha\lambda w_t
# =(1+\beta-\alpha\lambda)\,w_t-\beta\,w_{t-1}.$$
#
# Try $w_t=z^t$. It solves this if
#
# $$z^2-(1+\beta-\alpha\lambda)\,z+\beta=0.$$
#
# The product of the two solutions is $\beta$. If they are complex, they are conjugate, and
# both have the size $\sqrt\beta$, *whatever $\lambda$ is*. That is the secret: in contrast
# to plain descent, all directions shrink equally fast. They are complex (or equal) if
# $(1+\beta-\alpha\lambda)^2\le4\beta$, that is
# $(1-\sqrt\beta)^2\le\alpha\lambda\le(1+\sqrt\beta)^2$. We want the smallest $\beta$ for
# which that holds from $\lambda_{\min}$ to $\lambda_{\max}$, so both ends are equalities:
#
# $$\sqrt{\alpha\lambda_{\min}}=1-\sqrt\beta,\quad\sqrt{\alpha\lambda_{\max}}=1+\sqrt\beta
# \quad\Longrightarrow\quad
# \sqrt\kappa=\frac{1+\sqrt\beta}{1-\sqrt\beta},\quad
# \sqrt\beta=\frac{\sqrt\kappa-1}{\sqrt\kappa+1},$$
#
# and adding the two, $\alpha=4/(\sqrt{\lambda_{\min}}+\sqrt{\lambda_{\max}})^2$. The factor
# per step is $\sqrt\beta\approx1-2/\sqrt\kappa$ where plain descent had $1-2/\kappa$.


# %%
def steps_needed(k, **settings):
    """Steps until a walk in a valley of condition number k comes a million times closer."""
    valley = walk(sgd, lambda w: w * [1, k], np.ones(2), 30_000, **settings)
    return next(t for t, w in enumerate(valley) if np.abs(w).max() < 1e-6)


kappas = np.array([30, 100, 300, 1000, 3000])
needed = {"descent": [], "ball": []}
for k in kappas:
    needed["descent"].append(steps_needed(k, learning_rate=2 / (1 + k)))
    root = np.sqrt(k)  # Polyak's settings
    rate, beta = 4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2
    needed["ball"].append(steps_needed(k, learning_rate=rate, momentum=beta))

# %% [markdown]
# **Predict.** From $\kappa=30$ to $\kappa=3000$ the condition number grows a hundredfold. How
# many times as many steps does each method need, with its best settings?

# %% tags=["predict"]
for name, steps in needed.items():
    report(f"{name}, steps at 30 and at 3000", steps[0], steps[-1])
powers = {n: np.polyfit(np.log(kappas), np.log(s), 1)[0] for n, s in needed.items()}
report("power of κ, descent and ball", *powers.values())

# %% [markdown]
# <details><summary>Answer</summary>
#
# Plain descent needs a hundred times as many, the ball about eleven times. The measured
# power of the ball is a little above the ½ of the theory, for a reason that can be named.
# At its best settings the equation for $z$ has a *double* solution at both ends of the
# valley, and then $t\,z^t$ solves the rule, too. The extra factor $t$ costs some steps more,
# and it costs more of them the longer the walk is.
#
# </details>

# %% tags=["claims"]
claim("power of κ, descent", powers["descent"], equals=1, tolerance=0.03)
claim("power of κ, ball", powers["ball"], equals=0.5, tolerance=0.06)
claim(
    "power of κ, descent - ball", powers["descent"] - powers["ball"], at_least=0.4
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
for (name, steps), style in zip(needed.items(), ["o-", "s--"], strict=True):
    axis.loglog(kappas, steps, style, label=name)
axis.loglog(kappas, 4 * kappas, ":k", kappas, 14 * kappas**0.5, ":k", lw=1)
axis.text(1500, 3000, "κ")
axis.text(1400, 620, "√κ")
axis.set(xlabel="condition number κ", ylabel="steps to $10^{-6}$")
axis.legend()
plots.show(
    figure, alt="Steps grow with κ for plain descent, with its root for the ball."
)

# %% [markdown]
# *Steps to come a million times closer. Dotted, for the eye: lines of slope 1 and ½.*
# Networks have long valleys, and momentum helps there (Sutskever et al., 2013), *as long as
# curvature is what limits the steps*. Section 7 will ask whether that is so with small
# batches.
#
# **Predict.** The moving average takes the rate $\alpha=0.1$, with $\beta=0.9$. Which rate
# must our ball take to follow the same path?


# %% tags=["predict"]
def ema_momentum(w, g, memory, *, learning_rate, beta=0.9):
    """One step along a moving average of the gradients that starts at 0."""
    m = beta * memory.get("m", 0) + (1 - beta) * g
    return w - learning_rate * m, {"m": m}


mean = minimize(ema_momentum, bowl, np.ones(20), 50, learning_rate=0.1)
for rate in (0.1, 0.01):
    ball = minimize(sgd, bowl, np.ones(20), 50, learning_rate=rate, momentum=0.9)
    report(f"rate {rate}, largest gap between the paths", np.abs(ball - mean).max())

# %% [markdown]
# <details><summary>Answer</summary>
#
# $\alpha(1-\beta)=0.01$. Written as a moving average, momentum needs a rate ten times as
# large.
#
# </details>

# %% tags=["claims"]
claim("gap at α(1 - β)", np.abs(ball - mean).max(), at_most=1e-9)

# %% [markdown]
# Is ours the momentum of Keras? Both take 200 steps in a bumpy bowl, and we note the
# largest difference on the way. (Keras keeps some settings in single precision even if the
# weights are in double precision. So both get settings that are rounded to it.)


# %%
def bumpy(w):
    """The gradient of a bowl with bumps, which is not quadratic."""
    return H @ w + np.sin(3 * w)


def gap_to_keras(step, keras_class, *variants, w=None, **settings):
    """The largest difference to Keras in 200 steps, over variants of the settings."""
    gap, w = 0.0, np.ones(20) if w is None else w
    for variant in variants or [{}]:
        both = {
            name: float(np.float32(value)) if type(value) is float else value
            for name, value in (settings | variant).items()
        }
        optimizer = keras_class(**both)
        theirs = keras.Variable(w, dtype="float64")
        for ours in walk(step, bumpy, w, 200, **both):
            there = keras.ops.convert_to_numpy(theirs)
            gap = np.maximum(gap, np.abs(ours - there).max())
            optimizer.apply([keras.ops.convert_to_tensor(bumpy(there))], [theirs])
    return gap


kinds = {}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}
gap = gap_to_keras(sgd, keras.optimizers.SGD, *kinds, learning_rate=0.05)

# %% tags=["claims"]
claim("plain, momentum, Nesterov: gap to Keras", gap, at_most=1e-6)

# %% [markdown]
# ## 5. Can every weight have its own rate?
#
# In a network that reads text, a weight that belongs to a rare word gets a gradient once in
# a thousand examples, a bias gets one each time. With one rate for all, either the frequent
# weights jump about or the rare ones never get anywhere. In the terms of section 1:
# a feature that is present (1) in a share $p$ of the examples, and else absent (0), gives
# its weight a curvature in proportion to $p$, so rare features make long valleys, and now
# the valleys lie along the coordinates.
#
# **AdaGrad** (Duchi et al., 2011) lets each weight count the squared gradients that it has
# got so far, and divides by the root of the count:
#
# $$G \leftarrow G + g^2,\qquad w \leftarrow w - \frac{\alpha}{\sqrt{G+\epsilon}}\; g$$
#
# All operations are weight by weight. By hand: one weight gets the gradient 1 at each of 100
# steps, another only at the 100th. At that step the first has $G=100$ and moves by
# $\alpha/10$. The second has $G=1$ and moves by $\alpha$, ten times as far. The sum must
# be up to date *before* it divides. The small $\epsilon$ keeps the division finite: a weight
# that never had a gradient has $G=0$, and $0/\sqrt 0$ is not a number.


# %% tags=["export"]
def adagrad(
    w,
    g,
    memory,
    *,
    learning_rate=0.001,
    initial_accumulator_value=0.1,
    epsilon=1e-7,
):
    """One step of AdaGrad (Duchi et al., 2011): divide by the root of *all* g² so far."""
    w, g = same_shape(w, g)
    G = memory.get("G", initial_accumulator_value) + g**2
    return w - learning_rate * g / np.sqrt(G + epsilon), {"G": G}


# %% [markdown]
# Does it help where features are rare, and *because* they are rare? We learn a linear
# function of 40 features that are 1 or 0, from batches of four examples. In the first
# world, feature $j$ is present with a probability between one half and 1 in 500. In the
# control, all features are equally frequent, and an example has as many of them on average
# as before. Everything else is the same. Both optimizers take the best of their own rates,
# chosen with five other seeds than the 20 that are scored.

# %%
RARE = np.geomspace(0.5, 0.002, 40)
EQUAL = np.full(40, RARE.mean())


def learn_sparse(step, rates, numbers, frequencies, num_steps=2000, **settings):
    """Mean squared error on all examples, beyond the noise: (rates, seeds)."""
    rngs = [np.random.default_rng(number) for number in numbers]
    target = np.stack([rng.normal(size=40) for rng in rngs])  # (seeds, 40)

    def draw(w):
        x = np.stack([rng.random((4, 40)) < frequencies for rng in rngs]) * 1.0
        noise = np.stack([0.1 * rng.normal(size=4) for rng in rngs])
        error = (x @ (w - target)[..., None])[..., 0] - noise  # (rates, seeds, 4)
        return (error[..., None, :] @ x)[..., 0, :] / 4

    w, rate = np.zeros((len(rates), *target.shape)), np.array(rates)[:, None, None]
    with np.errstate(all="ignore"):
        end = arrive(step, draw, w, num_steps, learning_rate=rate, **settings)
        off = end - target
        spread = (frequencies * (1 - frequencies) * off**2).sum(axis=-1)
        return spread + (frequencies * off).sum(axis=-1) ** 2


# %%
SPARSE_RATES = {
    "SGD": (sgd, {}, [0.025, 0.05, 0.1, 0.2, 0.4, 0.8]),
    "AdaGrad": (
        adagrad,
        {"initial_accumulator_value": 1e-8},
        [0.05, 0.1, 0.2, 0.4, 0.8],
    ),
}
sparse = {}
for world, frequencies in {"rare": RARE, "equal": EQUAL}.items():
    for name, (step, settings, rates) in SPARSE_RATES.items():
        tried = learn_sparse(step, rates, seeds(40, 5), frequencies, **settings)
        best = rates[np.nanargmin(np.log(tried).mean(axis=1))]
        scored = learn_sparse(step, [best], seeds(50, 20), frequencies, **settings)
        sparse[world, name] = scored[0]

# %% [markdown]
# **Predict.** In which of the two worlds does AdaGrad end with the smaller error: with rare
# features, with equal ones, or in both?

# %% tags=["predict"]
gains = {}
for world in ("rare", "equal"):
    gains[world] = np.log(sparse[world, "SGD"] / sparse[world, "AdaGrad"])
    report(f"{world}, error of SGD / of AdaGrad", np.exp(gains[world].mean()))
    report(
        f"{world}, standard error of its log", gains[world].std(ddof=1) / 20**0.5
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# With rare features only, where AdaGrad's error is about half of SGD's. Where all features
# are equally frequent, their own rates have nothing to even out, and SGD is the better one.
# So AdaGrad is not better in general. It is a cure for unequal frequencies.
#
# </details>

# %% tags=["claims"]
claim("log error, SGD - AdaGrad, rare features", gains["rare"].mean(), at_least=0.2)
difference = gains["rare"] - gains["equal"]
claim("that, minus the same for equal features", difference.mean(), at_least=0.4)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
for i, ((_, name), values) in enumerate(sparse.items()):
    marker, color = ("o", plots.BLUE) if name == "SGD" else ("s", plots.RED)
    axis.semilogx(values, [i] * 20, marker, color=color, alpha=0.4)
    axis.semilogx([np.exp(np.log(values).mean())], [i], "|k", ms=18, mew=2)
axis.set(xlabel="error beyond the noise", ylim=(3.6, -0.6))
axis.set_yticks(range(4), [f"{world}: {name}" for world, name in sparse])
alt = "With rare features AdaGrad's errors are smaller, with equal ones SGD's are."
plots.show(figure, alt=alt)

# %% [markdown]
# *Errors of 20 runs each, and their mean (bar).*
#
# ### It never forgets
#
# The sum $G$ only grows, so AdaGrad's steps only shrink. In a long training of a network
# the early gradients are large and soon irrelevant, but they stay in the divisor. The
# remedy is the moving average of section 4, now for the squares,
# $G\leftarrow\rho G+(1-\rho)g^2$ with, say, $\rho=0.9$. AdaGrad with this change is
# **RMSprop** (Tieleman & Hinton, 2012). You know all parts of it: write it now, as exercise
# 04.7. The folded cell holds ours, which later cells use. It has two extras of Keras:
# momentum, and *centered*, which divides by the standard deviation of recent gradients, the
# root of $G$ minus the squared mean, in place of the root of $G$.


# %% tags=["export", "core"]
def rmsprop(
    w,
    g,
    memory,
    *,
    learning_rate=0.001,
    rho=0.9,
    momentum=0.0,
    epsilon=1e-7,
    centered=False,
):
    """One step of RMSprop (Tieleman & Hinton, 2012): divide by the root of *recent* g².

    centered: divide by the standard deviation of recent gradients.
    """
    w, g = same_shape(w, g)
    G = rho * memory.get("G", 0) + (1 - rho) * g**2
    mean = rho * memory.get("mean", 0) + (1 - rho) * g
    scale = np.sqrt((G - mean**2 if centered else G) + epsilon)
    v = momentum * memory.get("v", 0) + learning_rate * g / scale
    return w - v, {"G": G, "mean": mean, "v": v}


# %% [markdown]
# **Predict.** A gradient is 1 for 100 steps and 0.01 for 300 more. The steps shrink with it.
# Whose steps grow back: AdaGrad's, RMSprop's, or both?


# %% tags=["predict"]
def lengths(step, gradients, **settings):
    """The lengths of the steps that a sequence of gradients causes, in learning rates."""
    g = iter(gradients)
    path = minimize(
        step, lambda w: np.array(next(g)), 0.0, len(gradients), **settings
    )
    return np.abs(np.diff(path)) / 0.01  # the default of `walk`


drop = [1.0] * 100 + [0.01] * 300
ada, rms = lengths(adagrad, drop), lengths(rmsprop, drop)
report("AdaGrad, before the drop, last step", ada[99], ada[-1])
report("RMSprop, before the drop, last step", rms[99], rms[-1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# RMSprop's alone. After about 90 steps it has forgotten the large gradients, and a step is
# as long as the learning rate again, whatever the size of the gradient. AdaGrad divides by
# the old sum for ever.
#
# </details>

# %% tags=["claims"]
claim("AdaGrad: last step / before the drop", ada[-1] / ada[99], at_most=0.02)
claim("RMSprop: last step / before the drop", rms[-1] / rms[99], at_least=0.95)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
for name, steps, style in (("AdaGrad", ada, "-"), ("RMSprop", rms, "--")):
    axis.semilogy(steps, style)
    axis.text(402, steps[-1], name, va="center")
axis.set(xlabel="step", ylabel="step length / rate", xlim=(0, 460))
plots.show(
    figure, alt="After the drop AdaGrad's steps stay small; RMSprop's recover."
)

# %% [markdown]
# *Step lengths; the gradient drops at step 100.* Keras agrees with both functions:

# %%
rates = {"learning_rate": 0.01}
ada_gap = gap_to_keras(adagrad, keras.optimizers.Adagrad, **rates)
kinds = {}, {"centered": True}, {"momentum": 0.9}
rms_gap = gap_to_keras(rmsprop, keras.optimizers.RMSprop, *kinds, rho=0.9, **rates)

# %% tags=["claims"]
claim("AdaGrad: gap to Keras", ada_gap, at_most=1e-6)
claim("RMSprop, three kinds: gap to Keras", rms_gap, at_most=1e-6)

# %% [markdown]
# ## 6. What does Adam add, and when is it wrong?
#
# Momentum averages gradients, RMSprop averages their squares. Why not both? **Adam**
# (Kingma & Ba, 2015) does, and became the default of the field. It also mends a flaw that
# both averages have. They start at 0, so the first values are far too small.
#
# ### The start at zero
#
# Unroll the average as in section 4. After $t$ steps
#
# $$m_t=(1-\beta)\sum_{k=0}^{t-1}\beta^k g_{t-k}.$$
#
# If the gradients have the mean $\mathbb E[g]$, then
# $\mathbb E[m_t]=\mathbb E[g]\,(1-\beta)(1+\beta+\dots+\beta^{t-1})$. The sum telescopes:
# $(1-\beta)(1+\beta+\dots+\beta^{t-1})=1-\beta^t$. So
#
# $$\mathbb E[m_t]=(1-\beta^t)\,\mathbb E[g].$$
#
# After the first step the average is only $1-\beta$ of what it should be, a tenth for
# $\beta=0.9$. Dividing by $1-\beta^t$ mends that exactly, and does less and less as $t$
# grows. This is **bias correction**. For the squares, with $\beta_2=0.999$, it matters for
# thousands of steps. Together:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g,\quad
# v \leftarrow \beta_2 v + (1-\beta_2) g^2,\quad
# w \leftarrow w - \alpha\,\frac{m/(1-\beta_1^t)}{\sqrt{v/(1-\beta_2^t)}+\epsilon}$$
#
# By hand, for the gradients 2 and then 0 with $\beta_1=0.9$ and $\beta_2=0.999$: after the
# first step $m=0.2$ and $v=0.004$, corrected to 2 and 4, so the step is
# $\alpha\cdot2/\sqrt4=\alpha$. After the second $m=0.18$ and $v=0.003996$, corrected to
# $0.18/0.19=0.947$ and $0.003996/0.001999=1.999$, so the step is
# $\alpha\cdot0.947/1.414=0.67\,\alpha$: momentum carries on where the gradient is zero.
#
# Write it, as exercise 04.8. Ours is folded here. Keras, as the paper suggests, pulls both
# corrections into the learning rate, so that $\epsilon$ stands beside the uncorrected root;
# and it has one more option, `amsgrad`, which comes below.


# %% tags=["export", "core"]
def adam(
    w,
    g,
    memory,
    *,
    learning_rate=0.001,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
):
    """One step of Adam (Kingma & Ba, 2015), or AMSGrad (Reddi et al., 2018).

    As in Keras, epsilon stands beside the root of v before its bias is corrected.
    """
    w, g = same_shape(w, g)
    t = memory.get("t", 0) + 1
    m = beta_1 * memory.get("m", 0) + (1 - beta_1) * g
    v = beta_2 * memory.get("v", 0) + (1 - beta_2) * g**2
    largest = np.maximum(memory.get("largest", 0), v)
    corrected = learning_rate * ((1 - beta_2**t) ** 0.5 / (1 - beta_1**t))
    root = np.sqrt(largest if amsgrad else v)
    w = w - corrected * m / (root + epsilon)
    return w, {"t": t, "m": m, "v": v, "largest": largest}


# %% tags=["figure", "diagram"]
d = Diagram("""
    descent   .    heavy   .    nesterov
    .         .    .       .    muon
    adagrad   .    .       .    .
    .         .    .       .    .
    rms       .    adam    .    adamw
    .         .    .       .    amsgrad
""")
d.operation(descent="gradient\ndescent", heavy="momentum", nesterov="Nesterov")
d.operation(adagrad="AdaGrad", rms="RMSprop", adam="Adam")
d.operation(adamw="AdamW", amsgrad="AMSGrad", muon="Muon")
d.arrow("descent -> heavy", "mean of $g$")
d.arrow("heavy -> nesterov", "look ahead")
d.arrow("heavy -> muon", leave="below", enter="left")
d.arrow("descent -> adagrad", "sum of $g^2$")
d.arrow("adagrad -> rms", "forget")
d.arrow("rms -> adam", "mean of $g$")
d.arrow("heavy -> adam", "mean of $g^2$")
d.arrow("adam -> adamw", "decay apart")
d.arrow("adam -> amsgrad", leave="below", enter="left")
alt = "A family tree from gradient descent: by averages of g, by sums of squares."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The family. To the right: remember gradients. Downwards: give each weight its own rate.*
#
# **Predict.** How long is Adam's very first step if the gradient is a thousandth? And if it
# is a million?

# %% tags=["predict"]
first_steps = [lengths(adam, [size])[0] for size in (1e-3, 1e6)]
report("first step in learning rates, gradient 0.001 and 1,000,000", first_steps)

# %% [markdown]
# <details><summary>Answer</summary>
#
# One learning rate, both times (less what $\epsilon$ takes off, which shows only where the
# gradient is tiny): the corrected average of one gradient is that gradient, and the root of
# the corrected average of its square is its size. So Adam's learning rate is a *length*,
# and a good first guess carries over from one loss to another. That convenience is a large
# part of its success.
#
# </details>

# %% tags=["claims"]
for size, length in zip(("small", "large"), first_steps, strict=True):
    claim(f"first step, {size} gradient", length, equals=1, tolerance=0.01)

# %% [markdown]
# ### A game that it loses
#
# Reddi et al. (2018) found a simple game in which Adam walks the wrong way. A weight in
# $[-1,1]$ sees the slopes $+3,-1,-1$, again and again. Three rounds add up to $+1$, so the
# loss rises to the right, and $-1$ is the best place. In the game Adam averages no gradients
# ($\beta_1=0$) and forgets fast ($\beta_2=0.1$). Then $v$ is nearly the last squared
# gradient. Right after the $+3$ the step is about $3/\sqrt9=1$ to the left. At the first
# $-1$ there is $v\approx0.1\cdot9+0.9=1.8$, so the step is $1/\sqrt{1.8}=0.75$ to the right,
# and at the second one $v\approx0.1\cdot1.8+0.9=1.1$, and the step 0.96. The large slope is
# divided by its own size, and outvoted.
#
# Their remedy, **AMSGrad**, divides by the largest $v$ so far: now the steps are 1 to the
# left and twice about $1/3$ to the right. They prove that it converges on convex
# problems if the rate falls like $1/\sqrt t$. (One game would prove nothing.)
#
# **Predict.** Where does each of them end, at $-1$ or at $+1$?


# %% tags=["predict"]
def play(**settings):
    """The places of 600 rounds of the game."""
    w, memory, places = np.zeros(1), {}, []
    for t in range(600):
        g = np.array([3.0 if t % 3 == 0 else -1.0])
        rate = 0.5 / np.sqrt(t + 1)
        w, memory = adam(
            w, g, memory, learning_rate=rate, beta_1=0, beta_2=0.1, **settings
        )
        w = np.clip(w, -1, 1)
        places.append(w[0])
    return places


games = {"Adam": play(), "AMSGrad": play(amsgrad=True)}
for name, places in games.items():
    report(f"{name}, mean of the last 30 places", np.mean(places[-30:]))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Adam ends at $+1$, the worst place, AMSGrad at $-1$, the best. Per three rounds Adam's
# steps are one to the left against $0.75+0.96$ to the right.
#
# </details>

# %% tags=["claims"]
ends = {name: np.mean(places[-30:]) for name, places in games.items()}
claim("last places, Adam - AMSGrad", ends["Adam"] - ends["AMSGrad"], at_least=1.8)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.3))
for (name, places), style in zip(games.items(), ["-", "--"], strict=True):
    axis.plot(places, style)
    axis.text(606, places[-1], name, va="center")
axis.set(xlabel="round", ylabel="$w$", xlim=(0, 700))
plots.show(figure, alt="Adam climbs to +1, the worst place; AMSGrad falls to −1.")

# %% [markdown]
# *Both play the same game.* With the usual long memory ($\beta_2=0.999$) Adam wins this
# game, too, and in practice AMSGrad differs little from it. But the game says: there is no
# guarantee, and a divisor that follows the present gradient is part of the step.
#
# ### Decay that is divided away
#
# Weight decay pulls all weights a little towards 0 at each step, against overfitting
# (chapter 02). There are two ways to write it. One adds $\tfrac\lambda2\lVert w\rVert^2$ to
# the loss, and so $\lambda w$ to the gradient. The other shrinks the weights themselves,
# $w\leftarrow w-\alpha\lambda w$. For plain descent they are the same:
# $w-\alpha(g+\lambda w)=w-\alpha g-\alpha\lambda w$. For Adam they are not, since an added $\lambda w$ is
# divided by $\sqrt v$ like the rest of the gradient. **AdamW** (Loshchilov & Hutter, 2019)
# shrinks the weights beside Adam's step. It is the usual choice for Transformers, and
# exercise 04.9.


# %% tags=["export", "core"]
def adamw(w, g, memory, *, learning_rate=0.001, weight_decay=0.004, **settings):
    """One step of AdamW (Loshchilov & Hutter, 2019): shrink the weights, then Adam."""
    w = w - learning_rate * weight_decay * w
    return adam(w, g, memory, learning_rate=learning_rate, **settings)


# %% [markdown]
# **Predict.** Two weights start at 1. The first sees gradients $+10,-10,+10,\dots$, the
# second $+0.1,-0.1,\dots$. Which one does an added $0.1\,w$ shrink more, and which one
# AdamW?

# %% tags=["predict"]
signs = np.tile([[10, 0.1], [-10, -0.1]], (150, 1))  # (300, 2)
g, h = iter(signs), iter(signs)
added = minimize(adam, lambda w: next(g) + 0.1 * w, [1, 1], 300)[-1]
apart = minimize(adamw, lambda w: next(h), [1, 1], 300, weight_decay=0.1)[-1]
report("left of both weights, added to the gradient", added)
report("left of both weights, AdamW", apart)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The added pull nearly erases the second weight and hardly touches the first: it was divided
# by the size of the gradients, and so weights with small gradients pay for all. AdamW
# shrinks both alike, by $\alpha\lambda$ per step.
#
# </details>

# %% tags=["claims"]
claim("added: first weight - second", added[0] - added[1], at_least=0.5)
claim("AdamW: difference of the two", np.ptp(apart), at_most=0.02)

# %%
rates = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999}
adam_gap = gap_to_keras(adam, keras.optimizers.Adam, {}, {"amsgrad": True}, **rates)
adamw_gap = gap_to_keras(adamw, keras.optimizers.AdamW, weight_decay=0.1, **rates)

# %% tags=["claims"]
claim("Adam and AMSGrad: gap to Keras", adam_gap, at_most=1e-6)
claim("AdamW: gap to Keras", adamw_gap, at_most=1e-6)

# %% [markdown]
# ### A race on three maps
#
# Five walkers, three maps: a long valley; the bent valley of Rosenbrock (1960), known as
# the banana; and a saddle, whose walkers start a thousandth beside the ridge. Each walker
# has its best rate, out of those among fifteen that keep it on the map.

# %%
SURFACES = {  # name: loss of points (..., 2), gradient at a point, start, window
    "long valley": (
        lambda p: (p[..., 0] ** 2 + 30 * p[..., 1] ** 2) / 2,
        lambda p: p * [1, 30],
        np.array([-4.0, 1.0]),
        (-4.5, 2.0, -1.5, 1.5),
    ),
    "banana": (
        lambda p: (1 - p[..., 0]) ** 2 + 100 * (p[..., 1] - p[..., 0] ** 2) ** 2,
        lambda p: np.array(
            [
                2 * (p[0] - 1) - 400 * p[0] * (p[1] - p[0] ** 2),
                200 * (p[1] - p[0] ** 2),
            ]
        ),
        np.array([-1.2, 1.0]),
        (-1.8, 1.8, -0.7, 2.2),
    ),
    "saddle": (
        lambda p: (
            (2 * p[..., 0] ** 2 - 2 * p[..., 1] ** 2 + p[..., 1] ** 4 + 1) / 4
        ),
        lambda p: np.array([p[0], p[1] ** 3 - p[1]]),
        np.array([-1.8, 0.001]),
        (-2.0, 1.0, -0.6, 1.4),
    ),
}
# %%
RACERS = {  # name: step, its settings
    "gradient descent": (sgd, {}),
    "momentum": (sgd, {"momentum": 0.9}),
    "AdaGrad": (adagrad, {}),
    "RMSprop": (rmsprop, {}),
    "Adam": (adam, {}),
}
RATES = [digit * 10.0**power for power in range(-4, 1) for digit in (1, 2, 5)]


def race(surface, num_steps=120):
    """{racer: (rate, path)}: each at the best of `RATES` that keeps it on the map."""
    height, slope, begin, window = SURFACES[surface]
    (low, high), best = np.reshape(window, (2, 2)).T, {}
    for name, (step, settings) in RACERS.items():
        tried = []
        for rate in RATES:
            with np.errstate(all="ignore"):  # some rates diverge
                settings = settings | {"learning_rate": rate}
                path = minimize(step, slope, begin, num_steps, **settings)
            if ((low < path) & (path < high)).all():
                tried.append((height(path[num_steps // 2 :]).mean(), rate, path))
        best[name] = min(tried, key=lambda result: result[0])[1:]
    return best


races = {surface: race(surface) for surface in SURFACES}


# %% [markdown]
# **Predict.** Who comes closest to the lowest point within 120 steps: on the long valley,
# on the banana, on the saddle? Is it the same walker on all maps?

# %% tags=["predict"]
final = {
    surface: {n: SURFACES[surface][0](path[-1]) for n, (_, path) in results.items()}
    for surface, results in races.items()
}
for surface, heights in final.items():
    report(
        f"{surface}, lowest", min(heights, key=heights.get), min(heights.values())
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Three maps do not have one winner. In the long valley, which lies along the coordinates,
# AdaGrad is best: it gives each coordinate the rate that it needs. On the banana nothing
# lies along the coordinates, and momentum gets furthest. On the saddle all five come down.
# Gradient descent and AdaGrad have come to rest at the bottom, momentum and Adam still swing
# a little. The maps show characters and not one champion.
#
# </details>

# %% tags=["claims"]
heights = final["long valley"]
claim(
    "long valley: AdaGrad / momentum",
    heights["AdaGrad"] / heights["momentum"],
    at_most=0.1,
)
heights = final["banana"]
claim(
    "banana: momentum / AdaGrad",
    heights["momentum"] / heights["AdaGrad"],
    at_most=0.5,
)


# %% tags=["figure"]
def draw_race(races):
    """Maps of {surface: race(surface)} with all paths; a matplotlib Figure."""
    figure, axes = plt.subplots(1, len(races), figsize=(8, 3.1), squeeze=False)
    for axis, (surface, results) in zip(axes[0], races.items(), strict=True):
        height, _, begin, (left, right, low, high) = SURFACES[surface]
        grid = np.meshgrid(
            np.linspace(left, right, 200), np.linspace(low, high, 200)
        )
        shade = np.log10(height(np.stack(grid, -1)) + 1e-3)
        axis.contourf(*grid, shade, 12, cmap="Greys_r", alpha=0.4)
        axis.plot(*begin, "ow", markeredgecolor="black", markersize=9)
        for (name, (_, path)), marker in zip(results.items(), "osD^v", strict=True):
            (line,) = axis.plot(*path.T, linewidth=1.4)
            head = {"color": line.get_color(), "ms": 8, "mec": "white"}
            axis.plot(*path[-1:].T, marker, label=name, **head)
        axis.set(title=surface, xlim=(left, right), ylim=(low, high))
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
    legend = axes[0, 0].get_legend_handles_labels()
    figure.legend(*legend, ncols=5, loc="outside lower center")
    return figure


# %% tags=["figure"]
def frames(races, every=5):
    """The race as pictures (palette images), one every few steps."""
    figure = draw_race(races)
    figure.set_dpi(96)
    canvas = figure.canvas
    movers = [line for axis in figure.axes for line in axis.lines[1:]]
    paths = [path for results in races.values() for _, path in results.values()]
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    palette = picture.quantize(127)
    for line in movers:
        line.set_visible(False)
    canvas.draw()
    empty, pictures = canvas.copy_from_bbox(figure.bbox), []
    for t in [*range(0, len(paths[0]) - 1, every), len(paths[0]) - 1]:
        canvas.restore_region(empty)
        for i, line in enumerate(movers):
            points = paths[i // 2][(t if i % 2 else 0) : t + 1]
            line.set(data=points.T, visible=True)
            line.axes.draw_artist(line)
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        pictures.append(picture.quantize(palette=palette, dither=Image.Dither.NONE))
    plt.close(figure)
    return pictures, palette.getpalette()[: 3 * 127]


# %% tags=["figure"]
def film(races, milliseconds=200):
    """The race as an animated PNG (bytes), over and over."""
    pictures, colors = frames(races)
    # Keep what changes; color 127 lets the rest shine through
    before, small = -1, []
    for picture in pictures:
        now = np.asarray(picture)
        small.append(
            Image.fromarray(np.where(now == before, 127, now).astype(np.uint8))
        )
        small[-1].putpalette(colors + [255] * 3)
        before = now
    file, first = io.BytesIO(), small[0]
    times = [milliseconds] * (len(small) - 1) + [3000]
    options = {"save_all": True, "append_images": small[1:], "loop": 0, "blend": 1}
    first.save(file, "PNG", transparency=127, duration=times, **options)
    return file.getvalue()


# %% tags=["figure"]
alt = "Five optimizers move over three maps: a valley, a bent valley and a saddle."
about = {"image/png": {"width": 768, "alt": alt}}
moving = b64encode(film(races)).decode()
display({"image/png": moving, "text/plain": alt}, metadata=about, raw=True)

# %% [markdown]
# *The race as a film, which starts again by itself. One second is 25 steps.*

# %% tags=["figure"]
figure = draw_race(races)
plots.show(figure, alt="Five paths over a valley, a bent valley and a saddle.")

# %% [markdown]
# *All 120 steps.* Long valley: gradient descent zigzags across and creeps along; momentum
# swings. AdaGrad, RMSprop and Adam leave the start in the same direction, with equal steps
# along and across, because each coordinate is divided by its own size. Banana: RMSprop
# rattles between the walls, since its steps stay about as long as its rate. Saddle: at the
# start the slope to the side is nearly zero, and so are the first steps to the side of
# gradient descent and momentum. They run along the ridge and leave it late. RMSprop and Adam
# divide the tiny slope by its tiny size and leave at once, although that does not make them
# the first at the bottom. (AdaGrad's sum begins at 0.1, as in Keras, so it does not see how
# tiny the slope is.)

# %% [markdown]
# ## 7. Which optimizer is best, if all are treated fairly?
#
# Maps are toys, so back to the digits of section 2. Experiments of the form "A beats B" fill
# papers, and many do not survive a second look. Here is how such a result comes about.
#
# ### A result that looks good
#
# Plain SGD gets the rate 0.3 and momentum the rate 0.1 with $\beta=0.9$. Both are sensible
# numbers from textbooks. Fifty runs each, 300 steps, scored on test digits.

# %%
constant = {"num_steps": 300, "count": 50}


def score(step, rate, count=30, **settings):
    """Test accuracies of the scored runs, (count,). Runs of one seed are paired."""
    w = train(step, [rate], seeds(100, count), **settings)
    return accuracy(w[0], x_test, y_test)


textbook = {
    "SGD": score(sgd, 0.3, **constant),
    "momentum": score(sgd, 0.1, momentum=0.9, **constant),
}
apparent = textbook["momentum"] - textbook["SGD"]

# %% [markdown]
# Momentum is ahead, by many standard errors (the number comes below). What is wrong with it?
# Section 4 says that momentum 0.9 at the rate 0.1 moves like plain descent at the rate 1. So
# plain descent ran at less than a third of the speed of its rival, and the comparison
# measured the rates.
#
# A fair comparison has rules, and they are cheap:
#
# 1. Each method gets **its own grid** of rates, and its best rate lies inside of the grid.
# 2. Rates are chosen on **validation** digits and other seeds. The test digits are touched
#    once, with the chosen rate.
# 3. All get the **same budget**: here 300 gradients of the same batches.
# 4. **Several seeds**, paired, and the difference is reported with its spread.


# %%
def best_rate(step, rates, **settings):
    """The rate with the best mean validation accuracy of 10 runs, and all the means."""
    w = train(step, rates, seeds(60, 10), **settings)
    means = accuracy(w, x_val, y_val).mean(axis=1)
    return rates[np.argmax(means)], means


GRID = {
    "SGD": [0.25, 0.35, 0.5, 0.7, 1, 1.4],
    "momentum": [0.05, 0.07, 0.1, 0.14, 0.2, 0.28],
}
tuned = {}
for name, beta in {"SGD": 0.0, "momentum": 0.9}.items():
    rate, _ = best_rate(sgd, GRID[name], momentum=beta)
    tuned[name] = score(sgd, rate, momentum=beta, **constant)

# %% [markdown]
# **Predict.** With the rates of the textbooks, momentum was ahead. How much of its lead is
# left when both have their own best rate?


# %% tags=["predict"]
def spread(differences):
    """Mean and standard error of paired differences."""
    return differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))


report("lead with textbook rates, and its standard error", *spread(apparent))
fair = tuned["momentum"] - tuned["SGD"]
report("lead with own best rates, and its standard error", *spread(fair))
report("standard deviation of single runs", tuned["momentum"].std(ddof=1))

# %% [markdown]
# <details><summary>Answer</summary>
#
# A part of it only. What is left is no more than about the standard deviation of single
# runs: one run of each would hardly tell them apart, and their order changes from seed to
# seed.
#
# </details>

# %% tags=["claims"]
lost = (apparent - fair).mean()
claim("lead, textbook rates - own rates", lost, at_least=0)

# %% [markdown]
# ### Is that the last word?
#
# Why do runs of one method differ so much? With a constant rate, the last steps still jump
# about in the noise, and where they happen to stop is chance. That chance is a large part of
# each score, and all methods pay it. Section 8 derives it, and derives the cure: let the
# rate sink to zero. So we repeat the comparison with the same **schedule** for all, half a
# cosine from the chosen rate down to zero, and with the whole field. A newcomer is among
# them.
#
# ### Muon
#
# All methods so far treat the weights as a long list. But the weights of a layer are a
# matrix $W$ that multiplies. Its gradient matrix $M$ has a singular value decomposition
# $M=U\,\text{diag}(\sigma_1,\sigma_2,\dots)\,V^\top$, and usually a few large singular values
# carry most of it: a step along $M$ changes what the layer does in a few directions, and
# hardly touches all others. Among all steps that change no vector by more than its own
# length times $\alpha$ (spectral norm at most $\alpha$), the one that lowers the loss most
# to first order is $-\alpha\,UV^\top$. It has the same directions, with all singular values
# set to 1. To first order a step $-\alpha S$ lowers the loss by $\alpha$ times the sum of all
# products of entries of $M$ and $S$, which is $\alpha\sum_i\sigma_i\,u_i^\top S\,v_i$. Since
# $S$ makes no vector longer, each $u_i^\top S\,v_i$ is at most 1, and $S=UV^\top$ makes all
# of them 1. **Muon** (Jordan et al., 2024) takes momentum, replaces its
# matrix by (nearly) $UV^\top$, and steps.
#
# A singular value decomposition at each step is slow, so it uses a polynomial. For
# $X=U\,\text{diag}(\sigma)V^\top$ with $V^\top V=U^\top U=I$,
#
# $$aX+b\,(XX^\top)X+c\,(XX^\top)^2X=U\,\text{diag}(a\sigma+b\sigma^3+c\sigma^5)\,V^\top,$$
#
# so products of matrices apply $p(\sigma)=a\sigma+b\sigma^3+c\sigma^5$ to every singular
# value at once. This is a **Newton–Schulz iteration**. Muon makes five rounds with
# $a=3.4445$, $b=-4.7750$ and $c=2.0315$. For example, 0.1 becomes
# $0.34445-0.004775+0.00002=0.340$ in the first round and 0.99 in the second.


# %%
def orthogonalize(X, num_rounds=5):
    """Nearly UVᵀ for each matrix X = U diag(σ) Vᵀ of (..., rows, columns)."""
    wide = X.shape[-2] <= X.shape[-1]
    X = X if wide else X.swapaxes(-1, -2)  # the product XXᵀ is smaller so
    X = X / (np.linalg.norm(X, axis=(-2, -1), keepdims=True) + 1e-7)  # all σ ≤ 1
    for _ in range(num_rounds):
        A = X @ X.swapaxes(-1, -2)
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X if wide else X.swapaxes(-1, -2)


def muon_matrix(w, g, memory, *, learning_rate, momentum=0.95, rms_rate=0.2):
    """One step of Muon (Jordan et al., 2024) for matrices.

    rms_rate: the root of the mean square of a step's numbers, in learning rates; with 0.2,
    as in Keras, steps are about as long as Adam's. None: as UVᵀ comes.
    """
    m = momentum * memory.get("m", 0) + g
    ahead = g + momentum * m  # Nesterov's look ahead
    size = 1 if rms_rate is None else rms_rate * max(w.shape[-2:]) ** 0.5
    return w - learning_rate * size * orthogonalize(ahead), {"m": m}


def muon(w, g, memory, *, learning_rate, **settings):
    """One step of Muon for both layers of the network, (..., 6624)."""
    rate = np.asarray(learning_rate)[..., None]  # (rates, 1, 1, 1): for matrices
    parts, kept = [], {}
    for i, (matrix, slope) in enumerate(zip(layers(w), layers(g), strict=True)):
        new, kept[i] = muon_matrix(
            matrix, slope, memory.get(i, {}), learning_rate=rate, **settings
        )
        parts.append(new)
    return join(*parts), kept


# %% [markdown]
# **Predict.** A random $32\times197$ matrix with singular values spread from 1 down to 0.05
# passes five rounds. Where do its singular values end: all at 1, between 0.6 and 1.3, or
# still spread twenty-fold?

# %% tags=["predict"]
rng = np.random.default_rng(seed(4))
U, _, Vt = np.linalg.svd(rng.normal(size=(32, 197)), full_matrices=False)
spread_out = (U * np.geomspace(0.05, 1, 32)) @ Vt
values = np.linalg.svd(orthogonalize(spread_out), compute_uv=False)
report(
    "singular values after five rounds, smallest and largest",
    values.min(),
    values.max(),
)


def keras_muon(**settings):
    """Keras's Muon without its weight decay."""
    return keras.optimizers.Muon(weight_decay=None, **settings)


muon_gap = gap_to_keras(
    muon_matrix,
    keras_muon,
    w=rng.normal(size=(20, 8)),
    learning_rate=0.01,
    rms_rate=None,  # Keras's factor is in single precision
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Between about 0.6 and 1.3. The polynomial does not converge to 1: it sends 1 to 0.70, and
# 0.70 to 1.11. Its coefficients were chosen to lift small values quickly, and for a step
# that is enough.
#
# </details>

# %% tags=["claims"]
claim("smallest singular value", values.min(), at_least=0.5)
claim("largest singular value", values.max(), at_most=1.35)
claim("Muon: gap to Keras", muon_gap, at_most=1e-6)

# %% [markdown]
# Now the field. Muon is meant for the matrices inside of a network, and people give the
# first and last layer to AdamW. Ours has no others, so it gets both.


# %%
def sink(share):
    """Half a cosine: 1 at the start of a training (share 0), 0 at its end (share 1)."""
    return (1 + np.cos(np.pi * share)) / 2


FIELD = {  # name: step, settings, its own grid of rates
    "SGD": (sgd, {}, [0.35, 0.5, 0.7, 1, 1.4, 2]),
    "momentum": (sgd, {"momentum": 0.9}, [0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8]),
    "Nesterov": (
        sgd,
        {"momentum": 0.9, "nesterov": True},
        [0.2, 0.28, 0.4, 0.56, 0.8],
    ),
    "AdaGrad": (adagrad, {}, [0.2, 0.28, 0.4, 0.56, 0.8]),
    "RMSprop": (rmsprop, {}, [0.014, 0.02, 0.028, 0.04, 0.056, 0.08]),
    "Adam": (adam, {}, [0.014, 0.02, 0.028, 0.04, 0.056, 0.08]),
    "Muon": (muon, {}, [0.014, 0.02, 0.028, 0.04, 0.056, 0.08]),
}
chosen, curves, scores = {}, {}, {}
for name in progress(FIELD, "optimizers"):
    step, settings, rates = FIELD[name]
    settings = settings | {"plan": sink}
    chosen[name], curves[name] = best_rate(step, rates, **settings)
    scores[name] = score(step, chosen[name], **settings)

# %% [markdown]
# **Predict.** All seven, each with its own best rate and the same schedule. Are single runs
# still as widely spread? And does momentum's lead over SGD come back, or was it never
# there?

# %% tags=["predict"]
for name, values in scores.items():
    report(f"{name}, best rate, accuracy", chosen[name], values.mean())
    if name != "SGD":
        lead = spread(values - scores["SGD"])
        report(f"{name}, lead over SGD, standard error", *lead)
report(
    "standard deviation of SGD, constant rate and schedule",
    tuned["SGD"].std(ddof=1),
    scores["SGD"].std(ddof=1),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# With the schedule the runs of one method mostly lie closer together, and now the difference
# is clear: momentum is ahead of plain SGD by several standard errors, Adam is ahead of SGD,
# too, and Muon is ahead of all. AdaGrad, whose steps shrink anyway, is hardly ahead. So the
# lead of momentum is real, and one could not have known its size from either of the first
# two comparisons. The first saw a lead, but of the rates. The second was fair, and noise of
# the last steps hid what momentum can do. The best rates suggest where the lead comes from.
# Momentum's, divided by $1-\beta$, is larger than the one that plain SGD can bear: in
# section 4 the ball was stable at rates where the descent is not.
#
# </details>

# %% tags=["claims"]
lead = scores["momentum"] - scores["SGD"]
claim("accuracy, momentum - SGD, both with the schedule", lead.mean(), at_least=0)
lead = scores["Muon"] - scores["Adam"]
claim("accuracy, Muon - Adam", lead.mean(), at_least=0)

# %% tags=["figure"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
for i, values in enumerate(scores.values()):
    left.plot(values, [i] * len(values), "o", alpha=0.35)
    left.plot(values.mean(), i, "|k", ms=16, mew=2)
left.set(xlabel="test accuracy", ylim=(6.6, -0.6))
left.set_yticks(range(7), FIELD)
for (name, means), style in zip(
    curves.items(), ["-", "--", ":", "-."] * 2, strict=False
):
    if name in ("SGD", "momentum", "Adam", "Muon"):
        color = plots.CYCLE[[*FIELD].index(name)]
        shares = np.array(FIELD[name][2]) / chosen[name]
        right.semilogx(shares, means, style, color=color, label=name, base=2)
right.set(
    xlabel="rate / own best rate", ylabel="validation accuracy", ylim=(0.86, 0.95)
)
right.legend(fontsize=8)
alt = "Seven rows of dots, Muon rightmost. Accuracy falls on both sides of the best rate."
plots.show(figure, alt=alt)

# %% [markdown]
# *Left: 20 runs each at their own best rate, and the mean (bar). Right: four of them over
# their grids; 1 is each one's own best rate.* Plain SGD with a rate that is off by a factor
# of two loses about as much as momentum would have gained. Adam and Muon mind a large rate
# less. So tune the rate before you change the optimizer. The order holds for this network
# and 300 steps, and it is no law: on eight tasks, Schmidt et al. (2021) saw none of fifteen
# optimizers dominate.
#
# New ones keep coming. Lion (Chen et al., 2023) steps by the *sign* of a momentum and needs
# half of Adam's memory; schedule-free methods (Defazio et al., 2024) average weights instead
# of lowering the rate. The four rules are how to judge the next one.

# %% [markdown]
# ## 8. Should the rate change, and what if a gradient explodes?
#
# A large rate travels fast and jumps about in the noise. A small one settles and travels
# slowly. A **schedule** of rates does both in turn. When is it worth it?
#
# ### How much noise stays?
#
# Take the parabola $\tfrac12\lambda w^2$ once more, and let each gradient carry noise $\xi$
# of mean 0 and variance $\sigma^2$: $w'=(1-\alpha\lambda)\,w-\alpha\xi$. Noise and place
# are independent, so variances add up. Once the walk has settled, its variance $s^2$ no
# longer changes:
#
# $$s^2=(1-\alpha\lambda)^2s^2+\alpha^2\sigma^2
# \quad\Longrightarrow\quad s^2=\frac{\alpha^2\sigma^2}{1-(1-\alpha\lambda)^2}
# =\frac{\alpha\,\sigma^2}{\lambda\,(2-\alpha\lambda)}$$
#
# The mean loss, $\tfrac12\lambda s^2=\alpha\sigma^2/(4-2\alpha\lambda)$, never goes below
# that, however long we walk. It is in proportion to $\alpha$ as long as $\alpha\lambda$ is
# small. With $\alpha=0.5$, $\lambda=1$ and $\sigma=1$ it is $\tfrac16$. So in noise the rate
# has to sink. It must not sink too fast, or the walk stops before it arrives. Robbins and
# Monro gave the conditions in 1951:
#
# $$\sum_t\alpha_t=\infty\ \text{(far enough)},\qquad\sum_t\alpha_t^2<\infty\
# \text{(quiet enough)}.$$
#
# For example $\alpha_t=1/t$ fulfills both, $1/t^2$ fails the first, and $1/\sqrt t$ fails
# the second. (The proof for AMSGrad could allow it, since it speaks of the *mean* loss on
# the way and not of the last place.) The conditions speak about infinitely many steps. With
# a fixed number of steps one uses shapes such as half a *cosine* (Loshchilov & Hutter,
# 2017), often after a short **warm-up** from 0 (Goyal et al., 2017), so that the first,
# wildest gradients do no harm.


# %% tags=["export"]
def cosine(learning_rate, num_steps, *, warmup_steps=0, final=0.0):
    """Schedule: a line from 0 up to `learning_rate`, then half a cosine down to `final`.

    A function of the step; `num_steps` counts all steps.
    """
    if not 0 <= warmup_steps < num_steps:
        raise ValueError(
            f"warmup_steps: expected 0 to {num_steps - 1}, got {warmup_steps!r}"
        )

    def rate(t):
        if t < warmup_steps:
            return learning_rate * t / warmup_steps
        done = min(1, (t - warmup_steps) / (num_steps - warmup_steps))
        return final + (learning_rate - final) * (1 + np.cos(np.pi * done)) / 2

    return rate


def cosine_decay(learning_rate, num_steps, *, warmup_steps=0, start=0.0):
    """The same for Keras, down to 0; the line up begins at the learning rate `start`."""
    # Imported here, because modules without Keras use the others.
    from keras.optimizers.schedules import CosineDecay

    down = num_steps - warmup_steps
    return CosineDecay(
        start, down, warmup_target=learning_rate, warmup_steps=warmup_steps
    )


# %% [markdown]
# We walk 300 steps in a bowl with 20 curvatures from 0.2 to 1, two hundred times at once, with
# noise in the gradients and without. A constant rate competes with a cosine, each at its own
# best rate below the limit of 2 for this bowl.


# %%
STEEPNESS = np.geomspace(0.2, 1, 20)  # curvatures, along the coordinates


def final_losses(rates, noise, number, schedule, num_steps=300):
    """The height of the bowl after noisy descents: (rates, 200)."""
    rng = np.random.default_rng(seed(number))
    w = np.ones((len(rates), 200, 20))
    rate = np.array(rates)[:, None, None]

    def noisy(w):
        return w * STEEPNESS + noise * rng.normal(size=(200, 20))

    plan = {"learning_rate": rate}
    if schedule:
        plan["learning_rate"] = lambda t: rate * sink(t / num_steps)
    end = arrive(descent, noisy, w, num_steps, **plan)
    return np.sum(STEEPNESS * end**2, axis=-1) / 2


NOISE, bowl_rates = 0.3, np.geomspace(0.02, 1.8, 12)
heights = {}
for noise_now in (NOISE, 0.0):
    for schedule in (False, True):
        tried = final_losses(bowl_rates, noise_now, 70, schedule).mean(axis=1)
        best = bowl_rates[np.argmin(tried)]
        scored = final_losses([best], noise_now, 71, schedule)[0]
        heights[noise_now, schedule] = tried, scored.mean()

# %% [markdown]
# **Predict.** With noise: which ends lower, the constant rate or the cosine, each at its own
# best rate? And without any noise? And if both have the rate 0.3?

# %% tags=["predict"]
for noise_now in (NOISE, 0.0):
    pair = [np.log10(heights[noise_now, schedule][1]) for schedule in (False, True)]
    report(f"noise {noise_now}, log10 of the loss, constant and cosine", pair)
at_03 = [
    final_losses([0.3], NOISE, 72, schedule).mean() for schedule in (False, True)
]
report("noise 0.3, both with rate 0.3, constant / cosine", at_03[0] / at_03[1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# With noise the cosine ends lower, also when the constant rate may be chosen as small as it
# likes. At the same rate of 0.3 the cosine's loss is several times smaller. Without noise there is
# nothing to calm, and the cosine only takes speed away: the constant rate ends lower by many
# powers of ten.
#
# </details>

# %% tags=["claims"]
gain = np.log(heights[NOISE, False][1] / heights[NOISE, True][1])
claim("log loss in noise, constant - cosine, own rates", gain, at_least=0.2)
claim("constant / cosine, both with rate 0.3", at_03[0] / at_03[1], at_least=5)
gain = np.log10(heights[0.0, True][1] / heights[0.0, False][1])
claim("log10 loss without noise, cosine - constant", gain, at_least=5)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.9))
for axis, noise_now in zip(axes, (NOISE, 0.0), strict=True):
    for schedule, style, name in (
        (False, "o-", "constant"),
        (True, "s--", "cosine"),
    ):
        axis.loglog(bowl_rates, heights[noise_now, schedule][0], style, label=name)
    axis.set(title=f"noise {noise_now:g}", xlabel="(first) learning rate")
axes[0].set(ylabel="loss after 300 steps")
axes[1].set(yticks=[1e-75, 1e-50, 1e-25, 1])
axes[0].legend()
alt = "With noise the cosine lies lower at all larger rates; without, the constant rate."
plots.show(figure, alt=alt)

# %% [markdown]
# *Left: in noise the loss of a constant rate rises with the rate, as derived, once the rate is
# large enough to arrive at all; the cosine hardly minds. Right: without noise the schedule
# only costs.* (A cosine could begin above the limit, since it soon sinks below it. Without
# noise that brings it near the constant rate.) A network with small batches is on the left
# side, at least near the end. This is what section 7 saw.
#
# ### An accident
#
# In step 100, somebody forgets to divide the pixels by 255. The gradient is huge, and one
# step along it destroys what a hundred have built. **Gradient clipping** (Pascanu et al.,
# 2013) shortens a gradient that is too long, and keeps its direction:
# $g\leftarrow g\cdot\min(1,c/\lVert g\rVert)$. The gradient $(3,4)$ has length 5; with
# $c=1$ it becomes $(0.6,0.8)$. Cutting each component to $[-c,c]$ would give $(1,1)$, and
# another direction. In Keras `clipnorm` does it for each weight array by itself, and
# `global_clipnorm` for all of them as one long vector.


# %% tags=["export"]
def clip_by_global_norm(gradients, limit):
    """Shorten a list of arrays, taken as one long vector, to length `limit` if longer."""
    common.positive(limit, "limit")
    norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradients))
    return [np.asarray(g) * (limit / max(norm, limit)) for g in gradients]


# %%
def clip_by_norm(g, limit):
    """Shorten each vector of g (..., n) to length `limit` if it is longer."""
    norm = np.linalg.norm(g, axis=-1, keepdims=True)
    return g * (limit / np.maximum(norm, limit))


LIMIT = 1.0


def accident(factor, clip):
    """Test accuracy of 8 trainings of 200 steps; step 100 sees pixels times `factor`."""
    light = iter(np.float32([1] * 99 + [factor] + [1] * 100))
    settings = {"momentum": 0.9, "num_steps": 200, "light": light, "clip": clip}
    return accuracy(train(sgd, [0.1], seeds(80, 8), **settings)[0], x_test, y_test)


def short(g):
    return clip_by_norm(g, LIMIT)


after = {
    (factor, clipped): accident(factor, short if clipped else None)
    for factor in (1, 255)
    for clipped in (False, True)
}

# %% [markdown]
# **Predict.** A hundred good steps follow the accident. How many of 100 test digits does the
# network read in the end, without clipping and with it? And does clipping cost anything if
# there is no accident?

# %% tags=["predict"]
for (factor, clipped), values in after.items():
    what = "accident" if factor > 1 else "no accident"
    report(f"{what}, {'clipped' if clipped else 'bare'}, accuracy", values.mean())

# %% [markdown]
# <details><summary>Answer</summary>
#
# Without clipping a hundred good batches do not repair what one bad batch broke. Clipped,
# the accident costs one bad step and little more. And where nothing happens, clipping costs
# next to nothing.
#
# </details>

# %% tags=["claims"]
saved = after[255, True] - after[255, False]
claim("accuracy after the accident, clipped - bare", saved.mean(), at_least=0.1)
cost = after[1, False] - after[1, True]
claim("accuracy without accident, bare - clipped", cost.mean(), at_most=0.03)

# %% [markdown]
# Chapter 06 will need clipping again, where gradients explode without any accident.

# %% [markdown]
# ## Common mistakes
#
# Formulas of optimizers are often copied, and often wrongly. Three mistakes are worth making
# once.
#
# ### A sum of yesterday
#
# A text prints AdaGrad as $w\leftarrow w-\frac{\alpha}{\sqrt{G+\epsilon}}\,g$ with the *old*
# sum of squared gradients $G$, and no line that adds to it. We add the new square after the
# step. At the start the old sum is 0.
#
# **Predict.** The loss is $5w^2$, the start $w=5$, $\alpha=0.001$ and $\epsilon=10^{-7}$. Is
# that a safe, small rate? Where is $w$ after one step, and after 2000?

# %% tags=["predict", "E075"]
place, G, places = 5.0, 0.0, []
for _ in range(2000):
    slope = 10 * place  # the gradient of 5 w²
    place, G = place - 0.001 / np.sqrt(G + 1e-7) * slope, G + slope**2  # the old G
    places.append(place)
report("after one step, after 2000", places[0], places[-1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The first rate is $0.001/\sqrt{10^{-7}}=3.16$, and section 1's limit for a curvature of 10
# is 0.2. So $w$ leaps from 5 to $-153$. Only then does $G$ learn of the gradient, and of one
# so large that every later step is tiny: $w$ is held fast where it landed.
#
# </details>

# %% tags=["claims"]
claim("distance after one step", abs(places[0]), at_least=150)
claim("distance after 2000", abs(places[-1]), at_least=150)

# %% [markdown]
# The new gradient must enter the sum before the step. Then the first step is
# $\alpha g/\sqrt{g^2+\epsilon}$, hardly more than $\alpha$. The same text prints the
# *identical* line for RMSprop, and one word beside it differs, "mean" for "sum". But the
# difference between the two lies in the line that is missing, the one that says what happens
# to $G$. With it, neither explodes, and they part:

# %% tags=["E077"]
slow = minimize(adagrad, lambda w: 10 * w, 5, 100, learning_rate=0.1)[-1]
fast = minimize(rmsprop, lambda w: 10 * w, 5, 100, learning_rate=0.1)[-1]

# %% tags=["claims"]
claim("AdaGrad with its sum: distance left", abs(slow), at_least=0.1, at_most=4.5)
claim("RMSprop with its average: distance left", abs(fast), at_most=0.01)

# %% [markdown]
# ### Momentum at the rate of plain descent
#
# The moving average of section 4 is printed as *the* momentum, "to speed training up", and
# takes the rate that plain descent had.
#
# **Predict.** After 50 steps in the bowl of section 1, who is closer to the bottom: plain
# descent, or the average at the same rate of 0.01?

# %% tags=["predict", "E074"]
plain = minimize(descent, bowl, np.ones(20), 50)[-1]
average = minimize(ema_momentum, bowl, np.ones(20), 50)[-1]
report("distance of plain descent", np.linalg.norm(plain))
report("distance of the average", np.linalg.norm(average))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Plain descent. The average starts at 0 and lags behind. Later it draws level, and hardly
# more: its weights add up to 1, so it makes the same way. The speed of momentum comes from
# the larger rate that it can bear.
#
# </details>

# %% tags=["claims"]
lag = np.linalg.norm(average) / np.linalg.norm(plain)
claim("distance, average / plain", lag, at_least=1.02)

# %% [markdown]
# ### An argument of the past
#
# Programs from before 2021 call the learning rate `lr`. Keras refuses:

# %% tags=["raises-exception", "E065"]
keras.optimizers.Adam(lr=0.001)

# %% [markdown]
# The name is `learning_rate`. Be glad about the error: an argument that is silently ignored
# would have trained with the default.

# %% [markdown]
# ## Exercises
#
# ### Exercise 04.6: a bowl by hand
#
# *10 minutes, pencil and calculator.* A bowl has the curvatures 2 and 50. Work out the
# largest stable rate of plain descent, its best rate, the factor by which it then shrinks
# the distance per step, and the factor $\sqrt\beta$ of the heavy ball with its best settings,
# to four decimals.

# %% tags=["exercise"]
by_hand = ...  # (limit, best rate, factor of descent, factor of the ball)

check("04.6", by_hand)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The limit belongs to the steepest direction alone, the best rate to both ends.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Both factors depend on the condition number only.
#
# </details>
# <details><summary>Hint 3</summary>
#
# $\kappa=25$, and its root is 5.
#
# </details>

# %% tags=["solution"]
by_hand_solution = (2 / 50, 2 / (2 + 50), (25 - 1) / (25 + 1), (5 - 1) / (5 + 1))
check("04.6", by_hand_solution, solution=True)

# %% [markdown]
# ### Exercise 04.7: RMSprop
#
# *15 minutes.* Section 5 codes AdaGrad and tells you the one change. Write one step of
# RMSprop in the same form. The memory begins as an empty dictionary; do not change the one
# you get, return a new one.


# %% tags=["exercise"]
def rmsprop_step(w, g, memory, *, learning_rate, rho=0.9, epsilon=1e-7):
    """(new w, new memory). w and g: arrays of one shape; epsilon stands under the root."""
    raise NotImplementedError


check("04.7", rmsprop_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Which line of AdaGrad speaks about the past?
#
# </details>
# <details><summary>Hint 2</summary>
#
# At the first step there is no old average. `memory.get("G", 0)` serves both cases.
#
# </details>
# <details><summary>Hint 3</summary>
#
# First the average takes in the new square, then the step divides by its root.
#
# </details>


# %% tags=["solution"]
def rmsprop_step_solution(w, g, memory, *, learning_rate, rho=0.9, epsilon=1e-7):
    G = rho * memory.get("G", 0) + (1 - rho) * g**2
    return w - learning_rate * g / np.sqrt(G + epsilon), {"G": G}


check("04.7", rmsprop_step_solution, solution=True)

# %% [markdown]
# ### Exercise 04.8: Adam
#
# *25 minutes.* Write one step of Adam by the formulas of section 6, with both corrections
# and with $\epsilon$ beside the *corrected* root.


# %% tags=["exercise"]
def adam_step(
    w, g, memory, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8
):
    """(new w, new memory). The memory begins as {}; w and g are arrays of one shape."""
    raise NotImplementedError


check("04.8", adam_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Three things have to be remembered: two averages, and how many steps there were.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The memory keeps the averages as they are. Only what enters the step is corrected.
#
# </details>
# <details><summary>Hint 3</summary>
#
# At the first step $t=1$, and the step is one learning rate long, whatever $g$ is. Test that.
#
# </details>


# %% tags=["solution"]
def adam_step_solution(
    w, g, memory, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8
):
    t = memory.get("t", 0) + 1
    m = beta_1 * memory.get("m", 0) + (1 - beta_1) * g
    v = beta_2 * memory.get("v", 0) + (1 - beta_2) * g**2
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
    w = w - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
    return w, {"t": t, "m": m, "v": v}


check("04.8", adam_step_solution, solution=True)

# %% [markdown]
# ### Exercise 04.9: decay for every optimizer
#
# *15 minutes.* AdamW is Adam with decay beside it. The same can be done to *any* step.
# Write a function that takes a step such as `adam` and gives back a new step with decoupled
# weight decay: the weights shrink by the share $\alpha\lambda$, and the step that follows
# must not see the decay in its gradient. `decoupled(adam, 0.004)` is then AdamW.


# %% tags=["exercise"]
def decoupled(step, weight_decay):
    """A step(w, g, memory, *, learning_rate, **settings) that also shrinks the weights."""
    raise NotImplementedError


check("04.9", decoupled)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A function can define another function inside, and return it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The gradient is passed on as it came, and so are memory and settings.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Shrink $w$ first, and hand the shrunk weights to `step`.
#
# </details>


# %% tags=["solution"]
def decoupled_solution(step, weight_decay):
    def new_step(w, g, memory, *, learning_rate, **settings):
        w = w - learning_rate * weight_decay * w
        return step(w, g, memory, learning_rate=learning_rate, **settings)

    return new_step


check("04.9", decoupled_solution, solution=True)

# %% [markdown]
# ### Exercise 04.10: three leaks
#
# *20 minutes.* A student compares two optimizers, A and B. `run(name, rate, seed)` trains
# one network, and returns its validation accuracy and its test accuracy. The program below
# works, and its result cannot be trusted: it breaks three of the four rules of section 7.
#
# ```python
# def compare(run, rates, seeds):
#     best = {}
#     for name in ("A", "B"):
#         best[name] = max(run(name, rate, seeds[0])[1] for rate in rates["A"])
#     return best["A"] - best["B"]
# ```
#
# Write it anew. Each optimizer takes the rate of its *own* grid with the best mean validation
# accuracy over `tuning_seeds`; on a tie, the first. Then both run with every seed of `seeds`.
# Return the mean of the paired differences of test accuracy, A minus B, and its standard
# error, the standard deviation (with $n-1$) over $\sqrt n$.


# %% tags=["exercise"]
def compare(run, rates, tuning_seeds, seeds):
    """(mean of A - B on test, its standard error). rates: {"A": [...], "B": [...]}."""
    raise NotImplementedError


check("04.10", compare)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Find the leaks first: which of the two accuracies chooses, whose grid is searched, and how
# many seeds speak?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Subtract run by run, for each seed, and only then take mean and deviation.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `max(rates[name], key=...)` finds the rate, if the key is the mean validation accuracy of a
# rate.
#
# </details>


# %% tags=["solution"]
def compare_solution(run, rates, tuning_seeds, seeds):
    scores = {}
    for name in ("A", "B"):
        means = [
            np.mean([run(name, rate, number)[0] for number in tuning_seeds])
            for rate in rates[name]
        ]
        best = rates[name][int(np.argmax(means))]
        scores[name] = np.array([run(name, best, number)[1] for number in seeds])
    differences = scores["A"] - scores["B"]
    return differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))


check("04.10", compare_solution, solution=True)

# %% [markdown]
# ### Exercise 04.11: what noise does to momentum
#
# *30 minutes, an experiment.* Section 4 says that a heavy ball is faster, section 7 finds
# little of it at a constant rate. Is it the noise? Walk 200 steps from $w=(1,\dots,1)$ in a
# bowl with 20 curvatures from 0.01 to 1, `np.logspace(-2, 0, 20)`, along the coordinates.
# Each number of each gradient carries normal noise of deviation `noise`. Plain descent
# chooses among the constant rates 1.9, 1, 0.5, 0.2, 0.1, 0.05, and the ball with $\beta=0.9$
# among the same rates times $0.1$. For each, the best rate is the one with the lowest loss,
# $\tfrac12\sum\lambda w^2$ after the last step, as a mean over 200 walks. Return the loss of
# plain descent divided by that of the ball. Then call it with the noise 0, 0.01, 0.1 and 1.


# %% tags=["exercise"]
def momentum_gain(noise):
    """Best mean loss of plain descent / best mean loss of the ball."""
    raise NotImplementedError


check("04.11", momentum_gain)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Let the 200 walks be the rows of an array of shape (200, 20).
#
# </details>
# <details><summary>Hint 2</summary>
#
# Plain descent is the ball with $\beta=0$. One function of rate and $\beta$ is enough.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The noise must be new at each step and in each walk. The mean over walks comes before the
# choice of the best rate.
#
# </details>


# %% tags=["solution"]
def momentum_gain_solution(noise):
    curvature, rng = np.logspace(-2, 0, 20), np.random.default_rng(0)

    def mean_loss(rate, beta):
        w, v = np.ones((200, 20)), np.zeros((200, 20))
        for _ in range(200):
            v = beta * v - rate * (curvature * w + noise * rng.normal(size=w.shape))
            w = w + v
        return np.mean(np.sum(curvature * w**2, axis=1)) / 2

    rates = (1.9, 1, 0.5, 0.2, 0.1, 0.05)
    plain = min(mean_loss(rate, 0.0) for rate in rates)
    return plain / min(mean_loss(0.1 * rate, 0.9) for rate in rates)


check("04.11", momentum_gain_solution, solution=True)

# %% [markdown]
# <details><summary>What noise does</summary>
#
# Without noise the loss of plain descent is 5.5 times that of the ball. With the noise 0.01
# the factor is 1.2, and with 0.1 and 1 hardly anything is left of it: then the walk is
# limited by what it cannot average away, and no longer by the long valley.
#
# </details>

# %% [markdown]
# ### Exercise 04.5: beat the baseline
#
# *30 minutes, a small project.* `gradient(w)` returns a *noisy* gradient of a bowl
# $\frac12(w-c)^\top H(w-c)$ in 20 dimensions. You know neither $c$ nor $H$, only that the
# curvatures go from 0.001 to 1. Each number of the gradient has noise of deviation 0.03. `w`
# is the start, all zeros; $c$'s numbers are about 3. You may ask 300 times. The baseline is
# gradient descent with the constant rate 1.4, about the best one. End, on average over 100 bowls,
# with at most 0.7 of its loss (the bowl's height, without noise).


# %% tags=["exercise"]
def descend(gradient, w):
    """Weights after at most 300 calls of gradient."""
    raise NotImplementedError


check("04.5", descend)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two things hold the baseline back: the flat directions (section 4) and the noise at the end
# (section 8). Mending one is not enough.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A heavy ball with $\beta=0.9$ travels ten times as far. It needs a rate below 1.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Which schedule of section 8 ends quietly? Try peaks between 0.2 and 1.
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
