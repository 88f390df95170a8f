# %% [markdown]
# Each of these digits is a four or a nine. Say which.

# %%
import keras
from dl_course import data
from keras import layers

(x_train, y_train), (x_test, y_test) = data.mnist()

# %% tags=["figure"]
hard = [6642, 2043, 740, 1901, 2371, 3869, 2130, 2414, 4963, 1440, 1709, 1751]
figure = plots.images(x_test[hard], columns=12, size=0.75)
plots.show(figure, alt="Twelve clumsy handwritten digits, each of them a 4 or a 9.")

# %% [markdown]
# Twelve digits from MNIST, a collection of 70,000 handwritten ones (LeCun et al.,
# 1998), chosen because they are hard.
#
# <details><summary>Answer</summary>
#
# 9 4 4 9 4 9 4 9 9 4 9 4
#
# </details>
#
# You needed about a second for each. Now write down the rule that you used, so exactly
# that a machine can follow it. That turns out to be very hard, and yet it was the way
# to program such tasks for decades. This chapter shows what replaced it, and measures
# why it won.

# %% tags=["figure", "diagram"]
from dl_course.diagrams import Diagram

d = Diagram("""
    x  model  guess  loss
    .  w      .      y
""")
d.data(x="input\n$x$", guess="prediction\n$\\hat y$", y="target\n$y$")
d.operation(model="model")
d.parameter(w="weights\n$w$")
d.loss(loss="loss:\nhow wrong?")
d.arrow("x -> model -> guess -> loss")
d.arrow("w -> model")
d.arrow("y -> loss")
d.arrow(
    "loss ~> w", "gradient: which\nway is better?", leave="below", enter="below"
)
plots.show(
    d.draw(),
    alt="Input and weights enter a model. Its prediction meets the target in a loss. "
    "A dashed arrow, the gradient, leads from the loss back to the weights.",
)

# %% [markdown]
# The whole chapter in one picture. A **model** is a function with adjustable numbers,
# its **weights**. A **loss** says how far its predictions are from the targets. The
# **gradient** says how each weight should move to make the loss smaller. Every network
# in this course, up to the language models of its last chapters, goes round this loop.

# %% [markdown]
# ## Recall
#
# This is the first chapter, so the questions are about school.
#
# 1. What is the slope of $y = 3x^2$ at $x = 2$? And how fast does $a^2b$ change with
#    $a$, if $b$ stays as it is?
# 2. A coin shows heads with probability 0.7. How likely is heads, heads, tails in this
#    order? What is the logarithm of that number?
# 3. Both axes of a graph are logarithmic. What does $y = 5x^{-1/2}$ look like there?
#
# <details><summary>Answer</summary>
#
# 1. The slope is $6x = 12$. The second one is $2ab$; such a slope, with everything else
#    held still, is called a partial derivative, $\partial(a^2b)/\partial a$.
# 2. Independent probabilities are multiplied: $0.7\cdot0.7\cdot0.3 = 0.147$. The
#    logarithm turns the product into a sum, $2\log 0.7 + \log 0.3$. (Here and in the
#    whole course, $\log$ is the natural logarithm.)
# 3. It is a straight line of slope $-\frac12$, because $\log y = \log 5 - \frac12\log x$.
#
# </details>

# %% [markdown]
# ## 1. Who chooses the numbers in a rule?
#
# Let us try to write the rule after all. The upper loop of a nine is closed, that of a
# four is open. So take the columns in the middle of the image, find the darkest pixel
# near the top of each, and average them. Call this number the *ink on top*.


# %%
def ink_on_top(images):  # (n, 28, 28, 1) -> (n,), from 0 (paper) to 1 (ink)
    return images[:, 5:11, 11:18, 0].max(axis=1).mean(axis=1)


def fours_and_nines(x, y):
    rows = np.isin(y, [4, 9])
    return x[rows], (y[rows] == 9).astype(int)  # label 1 means nine


old_images, old_labels = fours_and_nines(x_train, y_train)
new_images, new_labels = fours_and_nines(x_test, y_test)
old_ink, new_ink = ink_on_top(old_images), ink_on_top(new_images)

# %% [markdown]
# Our rule says *nine* if the ink on top exceeds a threshold. Which threshold? A
# programmer who has to guess would take ½, the middle. But we own thousands of digits
# with their labels. We can try a hundred thresholds on these **training data**, and
# keep the one with the fewest mistakes.

# %%
thresholds = np.linspace(0, 1, 101)
mistakes = [np.sum((old_ink > t) != old_labels) for t in thresholds]
from_data = thresholds[np.argmin(mistakes)]

# %% [markdown]
# A fair contest needs digits that neither side has seen: the **test data**. They take
# no part in any choice, and they are asked once.
#
# **Predict.** Both rules now judge the test digits. What share of the guess's mistakes
# remains with the threshold from data: nine in ten, two thirds, or fewer than half?

# %% tags=["predict"]
guess_error = np.mean((new_ink > 0.5) != new_labels)
data_error = np.mean((new_ink > from_data) != new_labels)
report("share misread with the guessed threshold", guess_error)
report("share misread with the threshold from data", data_error)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Fewer than half remain. Nobody thought harder about fours and nines in between. Only
# one number was chosen differently.
#
# </details>

# %% tags=["claims"]
claim(
    "share misread by the guess, less twice that by data",
    guess_error - 2 * data_error,
    at_least=0.02,
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.0, 2.6))
groups = [new_ink[new_labels == label] for label in (0, 1)]
axis.hist(groups, 40, label=["fours", "nines"], histtype="stepfilled", alpha=0.6)
axis.axvline(0.5, color="black", ls=":", label="guessed")
axis.axvline(from_data, color="black", label="from data")
axis.set(xlabel="ink on top", ylabel="test digits")
axis.legend(loc="upper left")
plots.show(figure, alt="Fours spread over all values of ink; nines pile up near 1.")

# %% [markdown]
# Ink on top of the test digits. Fours have any amount of it, nines have much, so a
# threshold in the middle calls too many fours a nine. That is easy to see once the data
# are plotted, and hard to know before.
#
# We gave the *form* of the rule, and the data gave a *number*. That is learning, and
# three names tell how much is left to the data:

# %% tags=["figure", "diagram"]
d = Diagram("""
    rule
    number
    deep
""")
d.note(rule="every number chosen by hand:\na chess program's rules")
d.note(number="numbers from data:\nour threshold, a line")
d.note(deep="features from data, too:\na network with many layers")
d.group("rule number deep", "artificial intelligence")
d.group("number deep", "machine learning", color=plots.BLUE)
d.group("deep", "deep learning", color=plots.RED)
plots.show(
    d.draw(),
    alt="Three nested frames: deep learning lies inside machine learning, which lies "
    "inside artificial intelligence, with an example in each.",
)

# %% [markdown]
# Three names, one inside the other. **Artificial intelligence** is any program for
# tasks that seem to need thought, also one made of rules by hand. **Machine learning**
# is the part of it that takes numbers from data. **Deep learning** is the part of
# machine learning with many layers, whose lower ones learn *what to look at* (LeCun et
# al., 2015). We told our rule to look at the ink on top; a deep network would have to
# find that out. From section to section of this chapter, we leave more to the data.

# %% [markdown]
# ## 2. How does a machine find a line?
#
# Trying a hundred values works for one number. For two numbers it takes $100^2$ trials,
# for ten $100^{10}$, and the networks of this chapter have up to two hundred thousand.
# There must be a better way than trying.
#
# Take the simplest model with several weights, **linear regression**. Its inputs
# $x_1, \dots, x_d$ are called **features**. It multiplies each feature by a weight, adds
# the products, and adds a constant, the **bias** $b$:
#
# $$\hat y = w_1x_1 + \dots + w_dx_d + b = w^\top x + b .$$
#
# Here are three examples with one feature each, small enough for paper: inputs 0, 1, 2
# and targets 2, 2, 5. We start with $w = 0$ and $b = 0$, so all predictions are 0, and
# the errors $e_i = \hat y_i - y_i$ are $-2, -2, -5$. How wrong is that in all?
#
# ### Which loss, and why the square?
#
# Nobody expects a line to hit every point. Say that a target is the line's value plus
# **noise**, $y = \hat y + \varepsilon$, where $\varepsilon$ sums up everything that the
# features do not tell. The commonest assumption is that the noise follows a normal
# distribution of mean 0 and standard deviation $\sigma$ (Gauss's bell). Then a target
# $y_i$ has the probability density
#
# $$p(y_i \mid x_i) = \frac1{\sqrt{2\pi}\,\sigma}
# \exp\left(-\frac{(y_i-\hat y_i)^2}{2\sigma^2}\right).$$
#
# Good weights are those under which the data we saw are probable. This principle is
# **maximum likelihood**. Examples are independent, so their densities are multiplied;
# we take the logarithm, which turns the product into a sum and undoes the exponential,
# and a minus sign, so that better means smaller. The result is the
# **negative log-likelihood**:
#
# $$-\log\prod_{i=1}^n p(y_i \mid x_i) = \sum_{i=1}^n\frac{(\hat y_i-y_i)^2}{2\sigma^2}
# + n\log\left(\sqrt{2\pi}\,\sigma\right).$$
#
# The last term does not depend on the weights, and neither does the factor
# $1/\sigma^2$. What remains to be minimized is the sum of squares. We divide it by $n$,
# so that it does not grow with the number of examples, and keep the ½:
#
# $$L(w, b) = \frac1{2n}\sum_{i=1}^n(\hat y_i - y_i)^2 .$$
#
# So the **squared error** is not a matter of taste. It is what normal noise asks for;
# other noise asks for another loss, as the next two sections and an exercise show. For
# the three points, $L = (4 + 4 + 25)/6 = 5.5$.
#
# ### Which way is down?
#
# Imagine the loss as a landscape above all values of $w$ and $b$. You stand in it, in
# fog, and can only feel the slope under your feet. Let us calculate it. By the chain
# rule, the square gives a factor $2e_i$, which the ½ cancels, times the slope of $e_i$
# itself; and $e_i = w^\top x_i + b - y_i$ changes with $w_j$ at the rate $x_{ij}$, the
# feature $j$ of example $i$, and with $b$ at the rate 1:
#
# $$\frac{\partial L}{\partial w_j} = \frac1{2n}\sum_i 2e_i\frac{\partial e_i}{\partial
# w_j} = \frac1n\sum_i e_i\,x_{ij},\qquad
# \frac{\partial L}{\partial b} = \frac1n\sum_i e_i .$$
#
# In words: the mean of *error times input*. All partial derivatives together are the
# gradient. With the examples as rows of a matrix $X$, it is $X^\top e/n$. For our three
# points: $\partial L/\partial w = (-2\cdot0 - 2\cdot1 - 5\cdot2)/3 = -4$ and
# $\partial L/\partial b = (-2-2-5)/3 = -3$.


# %% tags=["export"]
def squared_error(x, y, weights, bias):
    """L = 1/(2n) Σ (ŷ - y)², for x (n, features), y (n,) and ŷ = x @ weights + bias.

    Keras's "mse" has no ½: it is twice as large.
    """
    return np.mean((x @ weights + bias - y) ** 2) / 2


def squared_error_gradient(x, y, weights, bias):
    """(∂L/∂weights, ∂L/∂bias) of `squared_error`: (features,) and a number."""
    error = x @ weights + bias - y  # (n,): prediction minus target
    return x.T @ error / len(x), error.mean()


# %%
x_three, y_three = np.array([[0.0], [1.0], [2.0]]), np.array([2.0, 2.0, 5.0])
by_w, by_b = squared_error_gradient(x_three, y_three, np.zeros(1), 0.0)
print(
    f"loss {squared_error(x_three, y_three, np.zeros(1), 0.0)}, gradient {by_w}, {by_b}"
)

# %% [markdown]
# The gradient points uphill. We want down, so we take a step *against* it, whose length
# is set by the **learning rate** $\eta$:
#
# $$w \leftarrow w - \eta\,\frac{\partial L}{\partial w},\qquad
# b \leftarrow b - \eta\,\frac{\partial L}{\partial b} .$$
#
# This is **gradient descent**. With $\eta = 0.1$ the first step leads to $w = 0.4$ and
# $b = 0.3$. The predictions become 0.3, 0.7 and 1.1, the errors $-1.7, -1.3, -3.9$, and
# the loss falls from 5.5 to $(2.89 + 1.69 + 15.21)/6 = 3.3$. Then we feel the slope
# again, where we now stand.
#
# When is it time to stop? Not after a round number of steps, which may be far too few,
# and not below some loss, because noise sets a floor that nobody knows beforehand. The
# ground is flat at the lowest point. So we stop where no slope is steeper than a small
# tolerance, and we record the loss, to see whether it really falls.


# %% tags=["export"]
def gradient_descent(loss, gradient, x, y, *, learning_rate, tolerance, max_steps):
    """Go down from zero, all examples at each step: (weights, bias, losses).

    Args:
        loss, gradient: functions of (x, y, weights, bias).
        x, y: (n, features) and (n,).
        learning_rate, tolerance: length of a step; stop if no slope is steeper than this.

    `losses` holds the loss before each step. Raises ValueError for y of another shape,
    which would broadcast.
    """
    if np.shape(y) != (len(x),):
        raise ValueError(
            f"y: expected shape {(len(x),)}, like x, got {np.shape(y)}"
        )
    weights, bias, losses = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_steps):
        losses.append(loss(x, y, weights, bias))
        by_weights, by_bias = gradient(x, y, weights, bias)
        if max(abs(by_weights).max(), abs(by_bias)) <= tolerance:
            break
        weights = weights - learning_rate * by_weights
        bias = bias - learning_rate * by_bias
    return weights, bias, np.array(losses)


def linear_regression_gd(
    x, y, *, learning_rate=0.1, tolerance=1e-6, max_steps=10_000
):
    """Fit ŷ = x @ weights + bias by `gradient_descent` on the squared error."""
    return gradient_descent(
        squared_error, squared_error_gradient, x, y,
        learning_rate=learning_rate, tolerance=tolerance, max_steps=max_steps,
    )  # fmt: skip


# %% [markdown]
# Now a larger case, whose truth we know because we make it: three features, known
# weights, and normal noise with standard deviation 0.3. We train on 150 examples, and
# keep 2,000 others for the test. They come from the same source: a line that is asked
# about inputs far from all it has seen has to **extrapolate**, and no test inside tells
# how well it does that.

# %%
TRUE_WEIGHTS, TRUE_BIAS, NOISE = np.array([2.0, -1.0, 0.5]), 1.0, 0.3
rng = np.random.default_rng(seed(1))
x = rng.normal(size=(2150, 3))  # (examples, features)
y = x @ TRUE_WEIGHTS + TRUE_BIAS + rng.normal(scale=NOISE, size=2150)
x_old, y_old, x_new, y_new = x[:150], y[:150], x[150:], y[150:]

# %% [markdown]
# For this one loss there is also a **closed form**. At the lowest point all slopes are
# zero, and these are linear equations for $w$ and $b$ (Legendre, 1805, *least
# squares*). For the three points they give $w = b = 1.5$: check that the errors
# $-0.5, 1, -0.5$ add up to zero, alone and multiplied by the inputs.


# %%
def least_squares(x, y):  # (n, features), (n,) -> (features,), number
    with_ones = np.column_stack([x, np.ones(len(x))])  # the bias is one more weight
    *weights, bias = np.linalg.lstsq(with_ones, y, rcond=None)[0]
    return np.array(weights), bias


def rmse(guess, y):  # root of the mean squared error, in the unit of y
    return np.sqrt(np.mean((guess - y) ** 2))


# %% [markdown]
# **Predict.** After 200 steps in the fog, in how many decimals do the weights agree
# with the lowest point: one, or three and more? And how large is the typical error on
# new examples, when even the true line has one?

# %% tags=["predict"]
weights, bias, losses = linear_regression_gd(x_old, y_old, max_steps=200)
best_weights, best_bias = least_squares(x_old, y_old)
distance = max(abs(weights - best_weights).max(), abs(bias - best_bias))
learned, truth = (
    rmse(x_new @ weights + bias, y_new),
    rmse(x_new @ TRUE_WEIGHTS + 1, y_new),
)
report("largest difference from least squares", distance)
report("error on new examples, of the learned and of the true line", learned, truth)

# %% [markdown]
# <details><summary>Answer</summary>
#
# They agree in many decimals: both ways lead to the same lowest point. On new
# examples the error is that of the noise, and hardly larger than the true line's own.
# No model can predict the noise, however clever it is.
#
# </details>

# %% tags=["claims"]
claim("distance of descent from least squares", distance, at_most=1e-4)
claim(
    "error of the learned line above the true one's", learned - truth, at_most=0.03
)

# %% [markdown]
# We measure the error by the root of the mean of the *squares*, not by the standard
# deviation of the errors, which would not notice a wrong bias: it subtracts the mean
# first.
#
# In the language of networks, a weighted sum with its bias is a **unit**, and units
# side by side form a **layer**. So a line is a network of one layer with one unit, and
# Keras fits it in the same way. Its loss `"mse"` has no ½, so half the learning rate
# takes the same steps. (Linear regression is two centuries old, and nobody called it
# deep learning. It is the simplest case, one layer alone.)

# %%
line = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
line.compile(keras.optimizers.SGD(0.1 / 2), loss="mse")
for _ in range(200):
    line.train_on_batch(x_old, y_old)
kernel = line.get_weights()[0][:, 0]  # (3,)

# %% tags=["claims"]
claim(
    "weights of Dense(1) away from ours", abs(kernel - weights).max(), at_most=1e-4
)

# %% [markdown]
# ### How long may a step be?
#
# With one weight, the squared error is a parabola, $L = \frac\lambda2(w - w^*)^2$ plus a
# constant, around its lowest point $w^*$. The number $\lambda$ is its **curvature**: how
# fast the slope changes. The slope is $\lambda(w - w^*)$, so one step turns the distance
# $d = w - w^*$ into
#
# $$d - \eta\lambda d = (1 - \eta\lambda)\,d .$$
#
# If $\eta\lambda$ is small, the distance shrinks slowly. If $\eta\lambda = 1$, one step
# arrives. Between 1 and 2 the step jumps over the lowest point, but lands nearer than
# before. Beyond 2 it lands farther away each time: the descent **diverges**. (For the
# three points, with $b$ held at 0, the curvature is the mean of $x^2$, $\lambda =
# (0+1+4)/3$, and the limit of $\eta$ is $2/\lambda = 1.2$.) With several weights, each
# direction has its own curvature, and the largest of them, $\lambda_{\max}$, decides: a
# learning rate must stay below $2/\lambda_{\max}$.


# %%
def learning_rate_limit(x):  # (n, features) -> 2/λmax of the squared error
    with_ones = np.column_stack([x, np.ones(len(x))])
    # Smallest first
    curvatures = np.linalg.eigvalsh(with_ones.T @ with_ones / len(x))
    return 2 / curvatures[-1]


# %% [markdown]
# **Predict.** We take 40 steps at 0.1, at 0.9 and at 1.1 times this limit. Which of the
# three ends lowest, and which ends highest?

# %% tags=["predict"]
limit, lowest = (
    learning_rate_limit(x_old),
    squared_error(x_old, y_old, *least_squares(x_old, y_old)),
)
excess = {}
for share in (0.1, 0.9, 1.1):
    *_, history = linear_regression_gd(
        x_old, y_old, learning_rate=share * limit, max_steps=40
    )
    excess[share] = history - lowest
    report(
        f"loss above the lowest after 40 steps at {share} times the limit",
        excess[share][-1],
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# The one at 0.9 ends lowest: although it jumps over the lowest point at every step in
# the steepest direction, it makes good progress in all. The small rate is safe and
# slow. The one above the limit ends highest, far above its start.
#
# </details>

# %% tags=["claims"]
below, above = (np.log10(excess[s][-1] / excess[s][0]) for s in (0.9, 1.1))
claim("powers of ten lost below the limit", -below, at_least=2)
claim("powers of ten gained above it", above, at_least=2)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.0, 2.8))
for (share, values), style in zip(excess.items(), ("-", "--", ":"), strict=True):
    axis.semilogy(values, style)
    axis.text(40, values[-1], f"{share} × limit", va="center")
axis.set(xlabel="step", ylabel="loss above the lowest", xlim=(0, 50))
plots.show(figure, alt="Two curves fall; the one above the limit grows for ever.")

# %% [markdown]
# The loss above its lowest value, at three learning rates, on a logarithmic axis. Ten
# percent too long a step, and what converged becomes an explosion. That is the first
# thing to try when a network's loss becomes `nan`: a smaller learning rate.

# %% [markdown]
# ## 3. How does it learn to say yes or no?
#
# Is it a nine, yes or no? Is the mail spam, is the tumor malignant? Here the target is a
# **label**, 0 or 1, and a line is a poor answer: it predicts 3.7 as happily as $-2$.
# What we want is a probability. So **logistic regression** (Cox, 1958) passes the line's
# value $z = w^\top x + b$, now called the **logit**, through the **sigmoid**, which maps
# every number to one between 0 and 1:
#
# $$p = P(y = 1 \mid x) = \sigma(z) = \frac1{1+e^{-z}} = \frac{e^z}{1 + e^z}.$$
#
# Some values can be computed in the head. $\sigma(0) = \frac12$: undecided.
# $\sigma(\log 3) = \frac3{1+3} = \frac34$, and $\sigma(-\log 3) = \frac14$. A logit is
# the logarithm of the odds: $\log 3$ means three to one for yes.
#
# ### Which loss?
#
# The same principle as before: make the data probable. A label is 1 with probability
# $p$ and 0 with probability $1 - p$ (a *Bernoulli distribution*, a coin of the example's
# own). Both cases fit into one formula, $p^y(1-p)^{1-y}$. Its negative logarithm is the
# loss of one example, called **cross-entropy**:
#
# $$\ell = -y\log p - (1-y)\log(1-p) .$$
#
# If the label is 1, the loss is $-\log p$: nothing at $p = 1$, and without limit as $p$
# approaches 0. A model that is confident *and* wrong pays dearly.
#
# Now insert $p = e^z/(1+e^z)$, so $\log p = z - \log(1+e^z)$, and
# $1 - p = 1/(1+e^z)$, so $\log(1-p) = -\log(1+e^z)$:
#
# $$\ell = -y\,\big(z - \log(1+e^z)\big) + (1-y)\log(1+e^z) = \log(1+e^z) - y\,z .$$
#
# This form has two advantages. Computed naively, `exp` overflows at logits beyond 709,
# and $\log 0$ is infinite. But $\log(1+e^z)$ is a function that NumPy computes safely
# for every $z$: `np.logaddexp(0, z)`. And its slope is easy:
#
# $$\frac{\partial\ell}{\partial z} = \frac{e^z}{1+e^z} - y = p - y .$$
#
# Prediction minus target, as for the line! The rest of the way is also the same: $z$
# changes with $w_j$ at the rate $x_j$ and with $b$ at the rate 1, so the gradient of the
# mean loss is again the mean of *error times input*:
#
# $$\frac{\partial L}{\partial w_j} = \frac1n\sum_i(p_i - y_i)\,x_{ij},\qquad
# \frac{\partial L}{\partial b} = \frac1n\sum_i(p_i - y_i) .$$
#
# One example by hand: $x = (1, 2)$ with label 1, and all weights zero. Then $p =
# \frac12$, the loss is $\log 2 = 0.69$, the error is $-\frac12$, and the gradient is
# $(-\frac12, -1)$ for the weights and $-\frac12$ for the bias. A step with $\eta = 1$
# leads to $w = (\frac12, 1)$ and $b = \frac12$, so $z = \frac12 + 2 + \frac12 = 3$ and
# $p = 0.95$.


# %% tags=["export"]
def sigmoid(z):
    """1 / (1 + exp(-z)) of any shape, without overflow: exp only sees numbers ≤ 0.

    float32 stays float32. Of complex numbers the real part decides.
    """
    z = 1.0 * np.asarray(z)
    up = np.real(z) >= 0
    small = np.exp(np.where(up, -z, z))
    return np.where(up, 1, small) / (1 + small)


def binary_cross_entropy(y, logits):
    """Mean of log(1 + exp(z)) - y z over labels y, 0 or 1, and logits z, both (n,).

    Raises ValueError for two shapes: (n,) and (n, 1) would broadcast to (n, n).
    """
    if np.shape(logits) != np.shape(y):
        raise ValueError(
            f"logits: expected the shape of y, {np.shape(y)}, got {np.shape(logits)}"
        )
    return np.mean(np.logaddexp(0, logits) - y * logits)


def logistic_loss(x, y, weights, bias):
    """Cross-entropy of the model P(y = 1 | x) = sigmoid(x @ weights + bias)."""
    return binary_cross_entropy(y, x @ weights + bias)


def logistic_gradient(x, y, weights, bias):
    """(∂L/∂weights, ∂L/∂bias) of `logistic_loss`: (features,) and a number."""
    error = sigmoid(x @ weights + bias) - y  # (n,): probability minus label
    return x.T @ error / len(x), error.mean()


# %% tags=["export"]
def logistic_regression_gd(
    x, y, *, learning_rate=0.5, tolerance=1e-4, max_steps=10_000
):
    """Fit P(y = 1 | x) by `gradient_descent` on the cross-entropy.

    Raises ValueError for labels other than 0 and 1: their loss has no minimum.
    """
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y: expected labels 0 and 1 only, got {np.unique(y)[:5]}")
    return gradient_descent(
        logistic_loss, logistic_gradient, x, y,
        learning_rate=learning_rate, tolerance=tolerance, max_steps=max_steps,
    )  # fmt: skip


# %%
x_one, y_one = np.array([[1.0, 2.0]]), np.array([1])
by_w, by_b = logistic_gradient(x_one, y_one, np.zeros(2), 0.0)
print(f"gradient {by_w}, {by_b}; after a step p = {sigmoid(x_one @ -by_w - by_b)}")

# %% [markdown]
# ### Is the derivation right?
#
# Never trust a formula for a gradient, not even your own. There is a cheap test:
# move one weight a tiny bit both ways, and see how much the loss changes. This slope by
# **finite differences** needs no derivation, so it cannot share its mistakes.
#
# We need data for that, and again we make a world, so that we know what is possible.
# The label is 1 if $x_1 + x_2 + \varepsilon > 0$, where $\varepsilon$ is normal noise
# that the model never sees.

# %%
rng = np.random.default_rng(seed(2))


def draw(n):  # -> (n, 2), (n,)
    x = rng.normal(size=(n, 2))
    return x, (x.sum(axis=1) + rng.normal(size=n) > 0).astype(int)


def loss_at(w):
    return logistic_loss(x, y, w, 0.0)


x, y = draw(2000)
w = rng.normal(size=2)
slopes = [(loss_at(w + h) - loss_at(w - h)) / 2e-5 for h in 1e-5 * np.eye(2)]
exact, _ = logistic_gradient(x, y, w, 0.0)

# %% tags=["claims"]
claim("gradient off by", abs(slopes - exact).max() / abs(exact).max(), at_most=1e-6)

# %% [markdown]
# ### What is the best that anybody can do?
#
# Because nobody sees $\varepsilon$, the best rule is to say 1 if $x_1 + x_2 > 0$. How
# often is it right? Write $s = (x_1 + x_2)/\sqrt2$. Then $s$ and $\varepsilon$ are two
# independent standard normal numbers, so the point $(s, \varepsilon)$ lies in every
# direction from the origin equally often. The rule is wrong where the noise flips the
# sign: where the point lies between the lines $s = 0$ and $\sqrt2\,s + \varepsilon =
# 0$. On the second line $s = -\varepsilon/\sqrt2$, so the tangent of the angle between
# the two is $1/\sqrt2$. These are two opposite wedges, each of the angle
# $\arctan(1/\sqrt2)$, out of the full circle $2\pi$. So the accuracy of the best rule,
# the **Bayes rate**, is
#
# $$1 - \frac{2\arctan(1/\sqrt2)}{2\pi} .$$
#
# It is the ceiling for every model, deep or not.

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(3.4, 3.2))
s, e = rng.normal(size=(2, 1500))
flipped = (np.sqrt(2) * s + e > 0) != (s > 0)
axis.plot(s[~flipped], e[~flipped], ".", color=plots.SKY, ms=3)
axis.plot(s[flipped], e[flipped], "x", color=plots.RED, ms=4)
axis.plot([0, 0], [-3, 3], color="black")
axis.plot([-2.1, 2.1], [2.1 * 2**0.5, -2.1 * 2**0.5], color="black", ls="--")
axis.set(
    xlabel="$s$, seen", ylabel="noise $\\varepsilon$, not seen", aspect="equal"
)
axis.set(xlim=(-3, 3), ylim=(-3, 3))
axis.grid(False)
plots.show(
    figure, alt="A round cloud of points; those in two narrow wedges are marked."
)

# %% [markdown]
# Points $(s, \varepsilon)$. In the two wedges (crosses) the noise turns the label
# around, and the best rule is wrong.
#
# **Predict.** Logistic regression learns from 2,000 points. How far below this ceiling
# does it end on new points: about 1, 5 or 10 in a hundred?

# %% tags=["predict"]
bayes = 1 - np.arctan(1 / np.sqrt(2)) / np.pi
weights, bias, _ = logistic_regression_gd(x, y)
x_many, y_many = draw(100_000)
# The share of the best rule, by counting
ceiling = np.mean((x_many.sum(axis=1) > 0) == y_many)
accuracy = np.mean((x_many @ weights + bias > 0) == y_many)
report(
    "Bayes rate by formula, by counting, and accuracy learned",
    bayes,
    ceiling,
    accuracy,
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Less than 1. About a fifth of the new points are misread, and yet there is next to
# nothing left to gain. Before you blame a model for its errors, find out how many of
# them are the world's.
#
# </details>

# %% tags=["claims"]
claim("accuracy of the best rule", ceiling, equals=float(bayes), tolerance=0.015)
claim("learned accuracy below the best rule's", ceiling - accuracy, at_most=0.02)


# %% tags=["figure"]
def plot_regions(axis, probability, x, y):
    """Shade the plane by `probability` of (n, 2) points; mark examples x (n, 2), y (n,)."""
    side = np.linspace(x.min() - 0.5, x.max() + 0.5, 201)
    # (201 · 201, 2)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    shades = np.reshape(probability(points), (201, 201))
    axis.contourf(
        side, side, shades, np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.5
    )
    axis.contour(side, side, shades, [0.5], colors=plots.BLACK)
    for label, marker in ((0, "o"), (1, "P")):
        color = ("white", plots.BLACK)[label]
        axis.plot(*x[np.equal(y, label)].T, marker, color=color, mec=plots.BLACK)
    axis.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axis.grid(False)


figure, axis = plt.subplots(figsize=(4.2, 3.8))
plot_regions(axis, lambda x: sigmoid(x @ weights + bias), x[:300], y[:300])
plots.show(figure, alt="Points of two labels; a diagonal line splits most of them.")

# %% [markdown]
# Labels 0 (dots) and 1 (crosses), shaded by $p$. The black line is where $p = \frac12$,
# that is, $z = 0$: logistic regression always decides along a straight line. Points on
# its wrong side are noise.
#
# ### Back to the digits
#
# In section 1 the data chose one number. Now let them choose 785: a weight for each of
# the $28\times28$ pixels, and a bias. Nobody tells the model where to look.

# %%
pixels, labels = (
    old_images[:2000].reshape(2000, 784).astype(float),
    old_labels[:2000],
)
weights, bias, _ = logistic_regression_gd(
    pixels, labels, learning_rate=0.15, max_steps=200
)
said_nine = new_images.reshape(-1, 784) @ weights + bias > 0
pixel_error = np.mean(said_nine != new_labels)
report("share misread, one number from data, then 785", data_error, pixel_error)

# %% tags=["claims"]
claim("mistakes saved by 785 numbers", data_error - pixel_error, at_least=0.01)

# %% tags=["figure"]
four, nine = (pixels[labels == label].mean(axis=0) for label in (0, 1))
grids = np.reshape([four, nine, weights], (3, 28, 28))
figure = plots.images(grids, ["mean four", "mean nine", "weights"], size=1.7)
plots.show(figure, alt="A mean four, a mean nine, and weights: darkest at the top.")

# %% [markdown]
# The mean four, the mean nine, and the learned weights: where they are dark, ink votes
# for nine, and where they are white, for four. The darkest spot is at the top, in the
# gap that a nine closes. We had to think of the ink on top; this model found it.

# %% [markdown]
# ## 4. How does it choose among ten?
#
# There are ten digits, not two. So give each class $k$ weights and a bias of its own:
# ten lines, ten logits $z_k = w_k^\top x + b_k$. We need ten probabilities from them,
# all positive, with the sum 1. The exponential makes every number positive, and a
# division takes care of the sum. That is **softmax**:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} .$$
#
# Three classes by hand, with the logits $(\log 4, \log 3, 0)$: the exponentials are
# 4, 3 and 1, their sum is 8, so $p = (0.5, 0.375, 0.125)$.
#
# Softmax contains the sigmoid. With two classes, divide above and below by $e^{z_1}$:
# $p_1 = 1/(1 + e^{-(z_1 - z_2)}) = \sigma(z_1 - z_2)$. Only the *difference* counts.
#
# ### The loss, and its gradient
#
# The probability that the model gives to the label $y$ is $p_y$. Its negative logarithm
# is the cross-entropy for several classes (a *categorical distribution*, a die instead
# of a coin):
#
# $$\ell = -\log p_y = -z_y + \log\sum_j e^{z_j} .$$
#
# Now the gradient. The first term, $-z_y$, has the slope $-1$ by $z_y$ and 0 by all
# other logits; write $-[k = y]$ for that, where $[k = y]$ is 1 if $k$ is the label and
# 0 if not. For the second term, the chain rule gives the slope of the logarithm, one
# over the sum, times the slope of the sum, $e^{z_k}$. And that is just $p_k$:
#
# $$\frac{\partial\ell}{\partial z_k} = \frac{e^{z_k}}{\sum_j e^{z_j}} - [k = y]
# = p_k - [k = y] .$$
#
# Prediction minus target a third time: the target is now a row with a single 1 at the
# label's place, called **one-hot**. And since $z_k = \sum_j W_{jk}x_j + b_k$, weights
# again get *error times input*, $\partial\ell/\partial W_{jk} = x_j\,(p_k - [k = y])$.
#
# |Noise or chance|Prediction|Loss = negative log-likelihood|Slope by $z$|
# |-|-|-|-|
# |normal (a bell)|$\hat y = z$|$\frac12(z - y)^2$|$\hat y - y$|
# |Bernoulli (a coin)|$p = \sigma(z)$|$\log(1 + e^z) - yz$|$p - y$|
# |categorical (a die)|$p = \mathrm{softmax}(z)$|$\log\sum_j e^{z_j} - z_y$|$p_k - [k=y]$|
#
# One recipe, three losses: say which distribution the targets follow, and take the
# negative logarithm of their probability.
#
# In code there is one trap: `exp(1000)` overflows. But adding the same number to all
# logits multiplies every exponential by the same factor, which cancels. So subtract the
# largest logit first; then `exp` never gets a positive number.


# %%
def softmax(logits):  # (n, classes) -> (n, classes), each row with the sum 1
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(labels, logits):  # (n,) integers, (n, classes) -> a number
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(labels)), labels])


# %% [markdown]
# **Predict.** The logits are $(\log 4, \log 3, 0)$ as above, and the label is the
# second class. What are the loss and the three numbers of its gradient?

# %% tags=["predict"]
z = np.log([[4.0, 3.0, 1.0]])
label = np.array([1])  # Python counts from 0
report("loss", cross_entropy(label, z))
report("gradient", softmax(z) - np.eye(3)[label])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The loss is $-\log 0.375$. The gradient is $p$ minus the row $(0, 1, 0)$: $(0.5,
# -0.625, 0.125)$. Its numbers always add up to zero: what the right class gains, the
# wrong ones lose, and those lose most that were most believed.
#
# </details>

# %%
h = 1e-5 * np.eye(3)  # each row moves one logit
slopes = [
    (cross_entropy(label, z + v) - cross_entropy(label, z - v)) / 2e-5 for v in h
]
rng = np.random.default_rng(seed(3))
many_logits, many_labels = (
    rng.normal(scale=30, size=(500, 10)),
    rng.integers(0, 10, 500),
)
keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ratio = cross_entropy(many_labels, many_logits) / float(
    keras_loss(many_labels, many_logits)
)

# %% tags=["claims"]
claim(
    "gradient off by",
    abs(slopes - (softmax(z) - [[0, 1, 0]])[0]).max(),
    at_most=1e-8,
)
claim("our loss over Keras's", ratio, equals=1, tolerance=1e-5)

# %% tags=["figure", "diagram"]
d = Diagram("""
    x  scores  soft  loss
    .  W       .     y
""")
d.data(x="pixels\n$x$", y="label $y$")
d.operation(scores="ten lines\n$xW + b$", soft="softmax")
d.parameter(W="$W$ (784, 10)\n$b$ (10,)")
d.loss(loss="$-\\log p_y$")
d.arrow("x -> scores -> soft -> loss", "(n, 784)", "(n, 10)", "$p$")
d.arrow("W -> scores")
d.arrow("y -> loss")
d.arrow("loss ~> W", "$x^\\top(p - [k = y])\\,/\\,n$", leave="below", enter="below")
plots.show(
    d.draw(),
    alt="Pixels go through ten lines and softmax into the loss; the gradient, input "
    "times probability minus label, returns to the weights.",
)

# %% [markdown]
# The same loop as at the beginning, now for ten classes. It is **softmax regression**, a
# network of one layer. In exercise 01.7 you write and train it yourself; in section 6 it
# becomes a rung of a ladder.

# %% [markdown]
# ## 5. What can no straight line do?
#
# The first machine that learned from its mistakes was the **perceptron** (Rosenblatt,
# 1958). It says 1 if $w^\top x + b > 0$, else 0, and changes its weights only after a
# mistake: it adds the input where it should have said 1, and subtracts it where it
# should have said 0. Each pass through all examples is called an **epoch**.


# %%
def perceptron(x, y, max_epochs=100):
    """(weights, bias, mistakes in each epoch) of Rosenblatt's rule; y holds 0 and 1."""
    weights, bias, mistakes = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for inputs, label in zip(x, y, strict=True):
            error = label - (inputs @ weights + bias > 0)  # -1, 0 or 1
            weights, bias = weights + error * inputs, bias + error
            wrong += int(error != 0)
        mistakes.append(wrong)
        if wrong == 0:
            break
    return weights, bias, mistakes


corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
targets = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}

# %% [markdown]
# The smallest tasks with two inputs are those of logic. AND is 1 if both inputs are 1;
# OR is 1 if at least one is. XOR, *exclusive or*, is 1 where the inputs differ.
#
# **Predict.** Which of the three does a perceptron learn?

# %% tags=["predict"]
fits = {name: perceptron(corners, y) for name, y in targets.items()}
for name, (*_, wrong) in fits.items():
    report(f"{name}, epochs and mistakes in the last", len(wrong), wrong[-1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# It learns AND and OR after a few epochs. XOR it does not learn, and more time would not
# help.
#
# </details>
#
# Why not? Suppose there were weights for XOR. The corner (0, 0) must give 0, so
# $b \le 0$. The corners (1, 0) and (0, 1) must give 1, so $w_1 + b > 0$ and
# $w_2 + b > 0$. Add these two: $w_1 + w_2 + 2b > 0$. But (1, 1) must give 0:
# $w_1 + w_2 + b \le 0$. Subtract this from the sum, and $b > 0$ remains, a
# contradiction. No straight line separates XOR (Minsky & Papert, 1969).
#
# The way out is a second layer. XOR is *OR, but not AND*, and each of the two is a line.
# Their answers are the inputs of a third unit, which computes OR minus AND:

# %% tags=["figure", "diagram"]
d = Diagram("""
    x1  or_   .
    .   .     out
    x2  and_  .
""")
d.data(x1="$x_1$", x2="$x_2$")
d.operation(or_="OR: is the sum\nabove 0.5?", and_="AND: is the sum\nabove 1.5?")
d.operation(out="XOR: is the\nsum above 0.5?")
d.arrow("x1 -> or_", "× 1", straight=True)
d.arrow("x1 -> and_", "× 1", straight=True)
d.arrow("x2 -> or_", "× 1", straight=True)
d.arrow("x2 -> and_", "× 1", straight=True)
d.arrow("or_ -> out", "× 1", straight=True)
d.arrow("and_ -> out", "× −1", straight=True)
plots.show(
    d.draw(),
    alt="Two inputs lead to two units, OR and AND, with weights 1. OR enters a third "
    "unit with weight 1, AND with weight minus 1.",
)

# %% [markdown]
# A network for XOR. Each number on an arrow is a weight, and each box asks whether its
# sum exceeds a threshold. In code:


# %%
def step(z):
    return (z > 0).astype(int)


hidden = step(corners @ np.ones((2, 2)) - [0.5, 1.5])  # (4, 2), columns: OR, AND
output = step(hidden @ [1, -1] - 0.5)  # (4,)
print(f"hidden layer {hidden.tolist()}, output {output}")

# %% [markdown]
# Follow the corner (1, 1) through the diagram: OR sees $2 > 0.5$ and says 1, AND sees
# $2 > 1.5$ and says 1, the last unit sees $1 - 1 = 0$ and says 0. Right. The units
# between input and output are a **hidden layer**, and a network with at least one is a
# **multi-layer perceptron** (MLP).
#
# We found these weights by thinking. Can they be learned? A step has no slope to follow:
# it is flat everywhere, but for the jump. So replace it by a smooth function such as
# $\tanh$, and let gradient descent choose. How the gradient gets through a hidden layer
# is the subject of chapter 03; here Keras does it.
#
# **Predict.** The best straight line gets three of the four corners right. How many does
# a network with eight hidden $\tanh$ units get, trained from random weights?

# %% tags=["predict"]
seed(4)
network = keras.Sequential(
    [keras.Input((2,)), layers.Dense(8, "tanh"), layers.Dense(1, "sigmoid")]
)
network.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
x, y = np.tile(corners, (1000, 1)), np.tile(targets["XOR"], 1000)  # each 1000 times
network.fit(x, y, batch_size=16, verbose=0)


def two_layers(x):  # (n, 2) -> (n,)
    return network.predict(x, batch_size=1000, verbose=0)[:, 0]


right = int(np.sum((two_layers(corners) > 0.5) == targets["XOR"]))
report("corners right", right)

# %% [markdown]
# <details><summary>Answer</summary>
#
# All four. Gradient descent found a second layer that does what we thought out by hand.
#
# </details>

# %% tags=["claims"]
claim(
    "mistakes on AND and OR at the end",
    fits["AND"][2][-1] + fits["OR"][2][-1],
    at_most=0,
)
claim("fewest mistakes on XOR in any epoch", min(fits["XOR"][2]), at_least=1)
claim("corners that two layers add to the best line's three", right - 3, at_least=1)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7))
for axis, (name, (w, b, _)) in zip(axes, fits.items(), strict=True):
    answer = two_layers if name == "XOR" else lambda x, w=w, b=b: step(x @ w + b)
    plot_regions(axis, answer, corners, targets[name])
    axis.set_title(name)
plots.show(figure, alt="A line solves AND and OR; two layers bend a band for XOR.")

# %% [markdown]
# One line each for AND and OR (a point on it counts as 0), and a band from two layers
# for XOR. A hidden layer turns a problem without a line into one with a line.

# %% [markdown]
# ## 6. How far does each rung climb?
#
# Now all ten digits, all 60,000 training images, and a ladder of five models from the
# simplest to a small deep network. The lowest rung, the **nearest mean**, hardly learns:
# it averages the training images of each digit, and compares a new image with the ten
# averages.


# %%
def class_means(x, y):  # (n, features), (n,) labels 0, 1, … -> (classes, features)
    return np.stack([x[y == label].mean(axis=0) for label in range(y.max() + 1)])


def nearest_mean(means, x):  # (classes, features), (n, features) -> (n,) labels
    # |x - m|² = |x|² - 2 x·m + |m|², where |x|² is the same for all means
    return np.argmin((means**2).sum(axis=1) - 2 * x @ means.T, axis=1)


def mean_error(x, y, x_new, y_new):
    flat, flat_new = x.reshape(len(x), -1), x_new.reshape(len(x_new), -1)
    return np.mean(nearest_mean(class_means(flat, y), flat_new) != y_new)


# %% [markdown]
# Next comes the softmax regression of section 4, then MLPs with a hidden layer of 32 or
# of 256 units. (Their **activation**, the function that bends, is `relu`: zero for
# negative numbers, unchanged for positive ones.) On top stands a
# **convolutional neural network** (CNN): its lower layers look at small patches of the
# image, everywhere with the same weights, so that a stroke is recognized wherever it
# is. In the code, `Flatten` turns an image into a row of numbers, and `MaxPooling2D`
# keeps the largest of four neighbors, which makes the image smaller; chapter 05
# explains all of that.


# %%
def dense(*units):
    return [layers.Flatten(), *(layers.Dense(n, "relu") for n in units)]


def patches():
    conv5 = layers.Conv2D(16, 5, strides=2, padding="same", activation="relu")
    conv3 = layers.Conv2D(32, 3, activation="relu")
    return [conv5, conv3, layers.MaxPooling2D(), *dense(64)]


LADDER = {
    "softmax": dense,
    "MLP 32": lambda: dense(32),
    "MLP 256": lambda: dense(256),
    "CNN": patches,
}


def classifier(shape, stack, learning_rate):
    model = keras.Sequential([keras.Input(shape), *stack, layers.Dense(10)])
    optimizer = keras.optimizers.Adam(learning_rate)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Saves time, changes nothing
    model.compile(optimizer, loss, steps_per_execution=20)
    return model


def error_of(model, x, y):
    return np.mean(model.predict(x, batch_size=1000, verbose=0).argmax(axis=1) != y)


# %% [markdown]
# Three things differ from the descent of section 2. Each step looks at a small **batch**
# of images instead of all of them, because a rough gradient now is better than an exact
# one after 60,000 images. *Adam* scales the steps, which chapter 04 explains. And the
# learning rate starts at a peak, and falls to zero along a line, so that the noise of the
# batches settles: the training is **annealed**. The peak is a setting that each model may
# choose for itself. We tried 0.001, 0.003 and 0.01 on 5,000 training images kept aside,
# and for the smaller networks 0.03, too; 0.01 was the best, or no worse than the noise,
# for all four. The test images had no part in it.

# %%
import math
import time

PEAK = 0.01  # for each model the best, or within noise of it, on images kept aside
order = np.random.default_rng(seed(5)).permutation(60_000)


def train(name, images):
    """Show so many images (from 55,000 on in whole passes), annealed: (model, seconds)."""
    passes, images = max(1, round(images / 60_000)), min(images, 60_000)
    rows = order[:images] if images < 55_000 else slice(None)  # fit shuffles them
    batch_size = min(100, max(10, images // 60))  # at least some 60 steps
    steps = passes * math.ceil(images / batch_size)
    rate = keras.optimizers.schedules.PolynomialDecay(PEAK, steps, 0.0)  # a line
    model = classifier((28, 28, 1), LADDER[name](), rate)
    start = time.perf_counter()
    model.fit(
        x_train[rows],
        y_train[rows],
        batch_size=batch_size,
        epochs=passes,
        verbose=0,
    )
    return model, time.perf_counter() - start


# %% [markdown]
# **Predict.** Of 100 new digits, how many does each model misread, from nearest mean
# through softmax, MLP 32 and MLP 256 to the CNN? Write down five numbers.

# %% tags=["predict"]
errors = {"nearest mean": mean_error(x_train, y_train, x_test, y_test)}
networks, seconds = {}, {"nearest mean": 0.0}
for name in progress(LADDER, "training"):
    seed(5)
    networks[name], seconds[name] = train(name, 60_000)
    errors[name] = error_of(networks[name], x_test, y_test)
parameters = {
    "nearest mean": 7840,
    **{k: m.count_params() for k, m in networks.items()},
}
for name in errors:
    report(f"{name}, misread of 100", 100 * errors[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The numbers stand above. Every rung misreads clearly fewer digits than the one below it.
# A linear rule on bare pixels already gets most of them right; the last ones need more.
#
# </details>

# %% tags=["claims"]
claim(
    "softmax below nearest mean",
    errors["nearest mean"] - errors["softmax"],
    at_least=0.08,
)
claim("MLP 32 below softmax", errors["softmax"] - errors["MLP 32"], at_least=0.004)
claim("MLP 256 below MLP 32", errors["MLP 32"] - errors["MLP 256"], at_least=0.003)
claim("CNN below MLP 256", errors["MLP 256"] - errors["CNN"], at_least=0.003)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.0, 2.5))
names, values = [*errors][::-1], [100 * error for error in errors.values()][::-1]
bars = axis.barh(names, values, color=plots.BLUE)
notes = [
    f" {e:.1f}:  {parameters[n]:,} numbers, {seconds[n]:.0f} s"
    for n, e in zip(names, values, strict=True)
]
axis.bar_label(bars, notes)
axis.set(xlabel="test digits misread, of 100", xlim=(0, 32))
axis.grid(False)
plots.show(figure, alt="Bars of mistakes: long for nearest mean, tiny for the CNN.")

# %% [markdown]
# Test digits misread, the numbers that each model has to learn, and the seconds of its
# training. Look at the numbers of the two last rungs: the CNN has fewer weights than the
# MLP below it, and reads better. So size alone does not decide. The CNN *assumes*
# something about images, and the assumption seems to be right. The next section puts
# that to the test.

# %% [markdown]
# ## 7. What does more data buy, and what can replace it?
#
# Why should anybody care? Because labels are expensive. Before you pay for ten times
# more of them, you would like to know what they will buy. A **learning curve** tells: the
# test error against the number of training examples.
#
# A fair curve needs care. Each model, at each size, must be trained until it has
# **converged**, and by the same rule; otherwise we compare how long we were patient.
# Our rule: show 2,000 images (the few ones again and again), then measure the loss on
# 1,000 **validation** images, which are neither trained on nor tested; stop when three
# rounds brought no progress, and go back to the best weights. This is called
# **early stopping**. We draw three random subsets of the training images, and repeat
# everything with each, to see the spread. To save time the images shrink to
# $14\times14$ pixels.
#
# Three models compete, whose small versions have these numbers of weights:


# %%
def shrink(x):  # (n, 28, 28, 1) -> (n, 14, 14, 1): the mean of 2 × 2 pixels
    return x.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4))


def small_patches():
    return [
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
    ]


SMALL = {"MLP": lambda: dense(128), "CNN": small_patches}
small_models = {
    name: classifier((14, 14, 1), stack(), 0.01) for name, stack in SMALL.items()
}
print({name: model.count_params() for name, model in small_models.items()})

# %%
SIZES, RUNS, ROUND = [125, 500, 2000], 3, 2000
early_stopping = dict(monitor="val_loss", patience=3, restore_best_weights=True)


def converge(name, x, y, x_val, y_val):
    """Train a small model from new random weights until the validation loss is flat."""
    model = small_models[name]
    model.set_weights(classifier((14, 14, 1), SMALL[name](), 0.01).get_weights())
    for variable in model.optimizer.variables:  # forget the last training's steps
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = 0.01
    rows = np.resize(np.arange(len(x)), ROUND)
    stop = keras.callbacks.EarlyStopping(**early_stopping)
    model.fit(
        x[rows], y[rows], batch_size=50, epochs=200, verbose=0, callbacks=[stop],
        validation_data=(x_val, y_val), validation_batch_size=1000,
    )  # fmt: skip
    return model


# %% [markdown]
# **Predict.** Which curve falls most when the training images become 16 times more: that
# of the nearest mean, the MLP, or the CNN? And which model is best with only 125 images?

# %% tags=["predict"]
small_train, small_test = shrink(x_train), shrink(x_test)
draws = [
    np.random.default_rng(seed(6) + run).permutation(60_000) for run in range(RUNS)
]
curves = {name: np.zeros((RUNS, len(SIZES))) for name in ("nearest mean", *SMALL)}
for run, rows in enumerate(progress(draws, "subsets")):
    validation = small_train[rows[-1000:]], y_train[rows[-1000:]]
    for i, size in enumerate(SIZES):
        few = small_train[rows[:size]], y_train[rows[:size]]
        curves["nearest mean"][run, i] = mean_error(*few, small_test, y_test)
        for name in SMALL:
            model = converge(name, *few, *validation)
            curves[name][run, i] = error_of(model, small_test, y_test)
for name, curve in curves.items():
    report(f"{name}, mean error at 125, 500, 2000 images", curve.mean(axis=0))

# %% [markdown]
# <details><summary>Answer</summary>
#
# MLP and CNN fall by far more than the nearest mean, which is nearly through with
# learning after a few hundred images. The CNN is ahead even with the fewest images, and
# at every size it makes fewer mistakes than the MLP.
#
# </details>
#
# Is there a law behind such curves? Let $n$ be the number of images, and try the
# **power law** $\text{error} \approx a\,n^{s}$. Its logarithm is
# $\log\text{error} \approx \log a + s\log n$, a straight line (Recall, question 3), so
# linear regression on logarithms finds the slope $s$, once for each subset.

# %%
log_sizes = np.log(SIZES)[:, None]  # one feature


def slopes_of(curve):  # (runs, sizes) -> (runs,)
    return np.array([least_squares(log_sizes, np.log(row))[0][0] for row in curve])


for name, curve in curves.items():
    slope = slopes_of(curve)
    report(
        f"{name}, mean slope and its standard deviation",
        slope.mean(),
        slope.std(ddof=1),
    )

# %% tags=["figure"]
STYLES = {
    "nearest mean": "D",
    "MLP": "s",
    "CNN": "^",
    "CNN, shuffled": "v",
}  # markers
YTICKS = [0.05, 0.1, 0.2, 0.4], ["5%", "10%", "20%", "40%"]


def plot_curves(names):
    figure, axis = plt.subplots(figsize=(6.0, 3.6))
    for name in names:
        curve, slope = curves[name], slopes_of(curves[name]).mean()
        color = plots.CYCLE[list(STYLES).index(name)]
        axis.loglog(SIZES, curve.mean(axis=0), STYLES[name], color=color)
        axis.vlines(SIZES, curve.min(axis=0), curve.max(axis=0), color=color, lw=1)
        middle = np.exp(np.log(curve).mean()), np.exp(np.log(SIZES).mean())
        axis.loglog(
            SIZES, middle[0] * (SIZES / middle[1]) ** slope, color=color, lw=1
        )
        label = f"{name}\nslope {slope:.2f}"
        axis.text(2300, curve[:, -1].mean(), label, va="center", color=color)
    axis.set(xlabel="training images", ylabel="test error", xlim=(105, 6000))
    axis.set_xticks(SIZES, SIZES)
    axis.set_yticks(*YTICKS)
    axis.minorticks_off()
    return figure


figure = plot_curves(["nearest mean", "MLP", "CNN"])
plots.show(
    figure, alt="Three falling lines; nearest mean is flat, the CNN is lowest."
)

# %% [markdown]
# Test error against training images: means of three subsets, their ranges (vertical
# lines), and fitted power laws. The nearest mean flattens. The MLP and the CNN fall side
# by side, and the CNN's line lies lower.
#
# The nearest mean can express few functions. A few hundred images suffice to find the
# best of them, and then nothing is left to learn, however many images come. Such a
# limit, set by what a model can express, is its **bias** (the word has a second meaning
# beside that of section 2, alas). The MLP can express many more functions, among them
# nearly the right one, and a crowd of wrong ones that fit a few images as well. Every
# further image rules some of the wrong ones out.
#
# And the CNN? It has about a tenth of the MLP's numbers, and hardly more than the nearest
# mean, whose ten averages are 1,960 numbers. So it is not ahead because it is large. But
# it starts with a good guess: pixels that are neighbors belong together, and a stroke is
# a stroke wherever it stands. Preferring some functions before any data are seen is
# called **inductive bias**. If it is right, it does the work of data.
#
# ### Is that the reason?
#
# "Because of its assumption" is easily said. We can switch the assumption off, and leave
# everything else as it is: shuffle the 196 pixels, in one and the same order for all
# images. No information is lost, but neighbors are no longer neighbors.

# %% tags=["figure"]
places = np.random.default_rng(0).permutation(196)


def shuffle_pixels(x):  # the same new order of the pixels in every image
    return x.reshape(-1, 196)[:, places].reshape(-1, 14, 14, 1)


pair = np.concatenate([small_train[:5], shuffle_pixels(small_train[:5])])
figure = plots.images(pair, columns=5, size=1.0)
plots.show(figure, alt="Five digits, and below them the same with shuffled pixels.")

# %% [markdown]
# Five digits, and the same five with their pixels shuffled.
#
# **Predict.** What do shuffled pixels do to the error of the MLP, and what to that of the
# CNN?

# %% tags=["predict"]
curves["CNN, shuffled"] = np.zeros((RUNS, len(SIZES)))
mixed_train, mixed_test = shuffle_pixels(small_train), shuffle_pixels(small_test)
for run, rows in enumerate(progress(draws, "shuffled")):
    validation = mixed_train[rows[-1000:]], y_train[rows[-1000:]]
    for i, size in enumerate(SIZES):
        few = mixed_train[rows[:size]], y_train[rows[:size]]
        model = converge("CNN", *few, *validation)
        curves["CNN, shuffled"][run, i] = error_of(model, mixed_test, y_test)


def times_higher(a, b):  # the error of a over that of b, in each subset
    return np.exp(np.mean(np.log(curves[a]) - np.log(curves[b]), axis=1))


for pair in (("MLP", "CNN"), ("CNN, shuffled", "CNN"), ("CNN, shuffled", "MLP")):
    report(" over ".join(pair) + ", in each subset", times_higher(*pair))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing happens to the MLP: it has a weight for each pixel, and to which of them we give
# which number makes no difference. The CNN loses everything that it had ahead, and
# more. It now assumes something false.
#
# </details>

# %% tags=["claims"]
gain = slopes_of(curves["nearest mean"]) - slopes_of(curves["MLP"])
claim("slope of the MLP below that of nearest mean", gain.mean(), at_least=0.03)
claim("MLP's error over the CNN's", times_higher("MLP", "CNN").mean(), at_least=1.0)
lost = times_higher("CNN, shuffled", "CNN").mean()
claim("CNN's error with shuffled pixels over that without", lost, at_least=1.4)

# %% tags=["figure"]
figure = plot_curves(["MLP", "CNN", "CNN, shuffled"])
plots.show(
    figure, alt="The line of the CNN with shuffled pixels lies above the MLP's."
)

# %% [markdown]
# The same axes again. With shuffled pixels the CNN is worse than the MLP at every size.
#
# So it is not the number of weights, and not convolution as such. **A right assumption
# replaces data; a wrong one costs data.** That explains many old and new successes, and
# it is the subject of [chapter 05](05_convolutional_networks.ipynb). Exercise 01.9 asks
# the same question about a table of numbers, where a network's freedom is worth less.
#
# Hestness et al. (2017) measured such curves in translation, language, images and
# speech, and found power laws in all of them. Better architectures there moved the line
# down and did not change its slope much. Ours agree, as far as three subsets can tell:
# compare the slopes of MLP and CNN, and their standard deviations, above.

# %% [markdown]
# ## 8. What does compute buy, and why did learning win so late?
#
# Data alone do nothing; somebody has to train on them. How much arithmetic is that? In
# a layer, each weight costs one multiplication and one addition wherever it is used, so
# two **operations** (also called *FLOPs*). (A Dense layer uses it once per example, a
# convolution at every place of the image.) Training also needs the way back, for two
# gradients: that of the *weights*, which costs as much as the way forward, and that of
# the layer's *inputs*, which costs as much again. But the first layer needs no gradient
# of its inputs: nobody wants to change the image. So
#
# $$\text{training} = 3\times\text{forward} - \text{forward of the first layer} .$$
#
# By hand, for MLP 32: its layers have $784\cdot32 = 25{,}088$ and $32\cdot10 = 320$
# weights. Forward costs $2\cdot25{,}408 = 50{,}816$ operations, training
# $3\cdot50{,}816 - 50{,}176 = 102{,}272$ per image: hardly more than twice forward.


# %% tags=["export"]
NO_PRODUCTS = {  # at most a few operations a number: nothing beside a product of matrices
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Dropout", "Flatten",
    "GlobalAveragePooling2D", "Identity", "InputLayer", "LeakyReLU", "MaxPooling2D",
    "Normalization", "RandomContrast", "RandomFlip", "RandomHue", "RandomRotation",
    "RandomTranslation", "RandomZoom", "ReLU", "Reshape", "Softmax",
}  # fmt: skip


def layer_flops(layer):
    """Additions and multiplications of one example in a Dense or convolution layer.

    Two for each weight, at each place where it is used. 0 for layers in NO_PRODUCTS;
    ValueError for others.
    """
    kind = type(layer).__name__
    if kind in ("Dense", "Conv1D", "Conv2D", "Conv3D"):
        # 1 for a Dense layer on vectors
        places = math.prod(layer.output.shape[1:-1])
        return 2 * places * math.prod(layer.kernel.shape)
    if kind not in NO_PRODUCTS:
        raise ValueError(f"model: expected Dense and Conv layers, got {kind}")
    return 0


def forward_flops(model):
    """Additions and multiplications of one example's way through a Keras model."""
    return sum(layer_flops(layer) for layer in model.layers)


# %%
def training_flops(model):
    """The same for a step forward and back; the first layer's inputs need no gradient."""
    first = next(flops for layer in model.layers if (flops := layer_flops(layer)))
    return 3 * forward_flops(model) - first


for name, model in networks.items():
    forward = forward_flops(model)
    ratio = training_flops(model) / forward
    print(f"{name}: forward {forward:,}, training {ratio:.2f} times as much")

# %% [markdown]
# Now fix a budget. Whoever has a certain number of operations to spend can show many
# images to a small model, or few images to a large one. We try three budgets: 0.5, 6 and
# 48 billion operations. Each training is annealed to its own end, and small models may
# see all images several times. (We leave out what would show fewer than 500 images, and
# softmax regression at the largest budget, which would take 25 passes.)
#
# **Predict.** With 6 billion operations, softmax regression sees all images three times,
# MLP 32 once, MLP 256 some 7,000 of them, and the CNN about 1,300. Which is best? And
# which one is best with the smallest, and with the largest budget?

# %% tags=["predict"]
BUDGETS = [0.5e9, 6e9, 48e9]
cost = {name: training_flops(model) for name, model in networks.items()}  # an image
spent = {budget: {} for budget in BUDGETS}  # {budget: {model: test error}}
for budget in progress(BUDGETS, "budgets"):
    for name in networks:
        images = int(budget / cost[name])
        if 500 <= images < 600_000:
            seed(7)
            model, _ = train(name, images)
            spent[budget][name] = error_of(model, x_test, y_test)
    report(
        f"{budget / 1e9:g} billion, {' '.join(spent[budget])}",
        list(spent[budget].values()),
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Softmax regression with the smallest budget, MLP 32 with the middle one, MLP 256 with
# the largest, though MLP 32 comes near. The CNN, the best of all with patience, has not
# seen enough yet.
#
# </details>

# %% tags=["claims"]
small, middle, large = (spent[budget] for budget in BUDGETS)
ahead = [rows["softmax"] - rows["MLP 32"] for rows in (small, middle)]  # of MLP 32
claim(
    "MLP 32 gains on softmax from 0.5 to 6 billion",
    ahead[1] - ahead[0],
    at_least=0.004,
)
claim("6 billion, softmax above MLP 32", ahead[1], at_least=0.005)
ahead = [rows["MLP 32"] - rows["MLP 256"] for rows in (middle, large)]  # of MLP 256
claim("6 billion, MLP 256 above MLP 32", -ahead[0], at_least=0.001)
claim(
    "MLP 256 gains on MLP 32 from 6 to 48 billion",
    ahead[1] - ahead[0],
    at_least=0.005,
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.0, 3.4))
for (budget, found), style in zip(spent.items(), ("D--", "s-.", "o-"), strict=True):
    axis.loglog([cost[name] for name in found], [*found.values()], style)
    end = [*found][-1]
    axis.text(cost[end], 1.1 * found[end], f"{budget / 1e9:g} billion", ha="right")
axis.set_xticks([*cost.values()], [f"{n}\n{c:,}" for n, c in cost.items()])
axis.set(
    xlabel="operations per training image", ylabel="test error", ylim=(0.018, 0.4)
)
axis.set_yticks([0.02, 0.05, 0.1, 0.2], ["2%", "5%", "10%", "20%"])
axis.minorticks_off()
plots.show(
    figure,
    alt="Three valleys; the deeper, the larger the budget, lie to the right.",
)

# %% [markdown]
# Test error against the cost of an image, one line for each budget. Each line is a
# valley: left of its lowest point the model is too simple for the budget, right of it
# the model has seen too little. (Of the highest valley only the right side can be seen:
# no model of ours is simpler than softmax regression.) The larger the budget, the
# farther right the valley. **Each budget has its best model**, and training a small one
# longer gains less and less: with the largest budget MLP 32 saw everything eight times.
#
# Language models made this question expensive. Kaplan et al. (2020) found power laws in
# the amount of compute over seven powers of ten, and advised to spend a larger budget
# mainly on a larger model, $\text{parameters} \propto \text{compute}^{0.73}$. Hoffmann et
# al. (2022) drew valleys like ours, with more than 400 models, and came to another
# answer: parameters and training text should grow in equal measure, each as about
# $\text{compute}^{0.5}$. Their *Chinchilla*, with 70 billion parameters, beat *Gopher*
# with 280 billion at the same budget, because it read more than four times as much text.
#
# What differed? Hoffmann et al. suspected the annealing: Kaplan et al. had used one and
# the same schedule of learning rates, however long the training, so that short
# trainings ended before they were annealed. Porian et al. (2024) repeated both studies,
# and found three other causes: the arithmetic of the last layer had not been counted,
# the learning rate had been raised too slowly for small models, and settings were not
# tuned for each size. With these mended, the older method gives the newer law. The
# lesson is the one of this section: count *all* the arithmetic, and give every rival
# its own best settings. (Our valleys keep one peak of the learning rate for all; a
# careful study would choose it for each point.)
#
# ### Why so late?
#
# If learning from data is so good, why did it take so long?

# %% tags=["figure"]
WAVES = [  # first and last year, name, as Goodfellow et al. (2016) tell it
    (1943, 1969, "Cybernetics"),
    (1980, 1995, "Connectionism"),
    (2006, 2026, "Deep learning"),
]
EVENTS = [
    (1943, "McCulloch & Pitts: a neuron as logic"),
    (1958, "Rosenblatt: the perceptron"),
    (1965, "Ivakhnenko: many layers"),
    (1969, "Minsky & Papert: what one layer cannot do"),
    (1980, "Fukushima: Neocognitron"),
    (1986, "Rumelhart et al.: backpropagation"),
    (1989, "LeCun et al.: handwritten digits"),
    (1997, "Hochreiter & Schmidhuber: LSTM"),
    (2006, "Hinton et al.: deep belief nets"),
    (2012, "Krizhevsky et al.: ImageNet on two GPUs"),
    (2017, "Vaswani et al.: Transformer"),
]


def plot_timeline():
    figure, axis = plt.subplots(figsize=(5.6, 5.0))
    for (start, end, name), color in zip(WAVES, ("C4", "C2", "C0"), strict=True):
        axis.axhspan(start, end, color=color, alpha=0.15, lw=0)
        axis.text(0.99, start + 1, name, ha="right", va="top", fontweight="bold")
    for year, text in EVENTS:
        axis.plot([0, 0.03], [year, year], color=plots.BLACK)
        axis.text(0.05, year, f"{year}  {text}", va="center", fontsize=9)
    axis.set(xlim=(0, 1), xticks=[], ylim=(2030, 1938))
    axis.grid(False)
    return figure


plots.show(plot_timeline(), alt="Three waves: 1943-69, 1980-95, since 2006.")

# %% [markdown]
# Three waves of neural networks (shaded), each under its own name (Goodfellow et al.,
# 2016, section 1.2.1), and two slumps, each with reasons of its own.
#
# McCulloch & Pitts (1943) described neurons as logic, and Rosenblatt (1958) made one
# learn. The uses were pattern recognition and control, and Ivakhnenko and Lapa trained
# many layers as early as 1965 (Schmidhuber, 2015). Then Minsky & Papert (1969) proved
# what one layer cannot do, as in section 5, and interest fell.
#
# In the second wave came most of the ideas that are still in use: the convolutional
# network (Fukushima, 1980; LeCun et al., 1989, who read handwritten digits), gradients
# for hidden layers (Rumelhart et al., 1986), a memory for sequences (Hochreiter &
# Schmidhuber, 1997). But gradients faded in deep networks, data were few, and on the
# data and machines of the day simpler methods often did as well. (The uses were digits,
# the sounds of speech and control; networks for language came later.)
#
# In the third wave, Hinton et al. (2006) trained deep networks again. Krizhevsky et al.
# (2012) won a contest with 1.2 million labeled photographs and two graphics cards.
# Vaswani et al. (2017) built the Transformer, the architecture of today's language
# models.
#
# So many ideas were old by 2012. What was new? You have measured it. *Data*: the curves
# of section 7 are steep, and labels by the million came with the internet. *Compute*: a
# better model is out of reach below its budget, and the chips of video games could
# suddenly pay for it. And a third factor is often forgotten: *algorithms*. Hernandez &
# Brown (2020) asked how much arithmetic it takes to reach the accuracy of 2012 on the
# same photographs. By 2019 it took 44 times less than in 2012; cheaper hardware alone
# would have given a factor of 11. In your own figures this progress is the distance
# *between* the curves: for the same error the CNN needs fewer images than the MLP. Data
# and compute lead down along a curve; a better idea jumps to a lower one.
#
# That answers the question of this chapter. A rule by hand improves as fast as its
# programmer. A learned one improves with data, with compute and with ideas, and all
# three kept growing.
#
# ### Words, tools and uses
#
# <details><summary>Which words should be kept apart?</summary>
#
# A *task* says what goes in, what comes out, and how it is judged: read digits. An
# *architecture* is a family of functions: the CNN. A *model* is one of them, with its
# weights: our trained CNN. An *algorithm* is how the weights are found: gradient
# descent. A *framework* is software for all this: Keras, or what it runs on. A *field*,
# such as natural-language processing, is a group of tasks, with many methods, most of
# them older than deep learning. And convolutional networks are a kind of deep networks,
# which are a kind of neural networks: not three things side by side. Neurons once
# inspired all this; today a network is a function fitted to data, no model of a brain.
# (Networks that imitate a neuron's pulses exist: spiking networks, which Maass (1997)
# called the third generation.)
#
# </details>
# <details><summary>Which tools are there today, and which are gone?</summary>
#
# TensorFlow, PyTorch and JAX; Keras 3 runs on all three, if you write `import keras`
# and not `tensorflow.keras`. PyTorch began at Facebook (Paszke et al., 2019), and
# belongs to a foundation since 2022. Theano and Caffe had their last main releases in
# 2017, CNTK in 2019. For rent there are Azure ML, SageMaker, and Google's platform,
# which changes its name every few years; beneath them run NVIDIA's data-center GPUs,
# Google's TPU (Jouppi et al., 2017) and others. A good book is by the author of Keras
# (Chollet, 2021). You need none of this for the course: it runs on a laptop.
#
# </details>
# <details><summary>Where is it used, and where does the course build its core?</summary>
#
# - Photographs, faces, road signs, scans: [05](05_convolutional_networks.ipynb). Genes and
#   proteins are images of one dimension.
# - Prices, climate, sensors: [06](06_recurrent_networks.ipynb). Speech is recognized from the
#   signal to its letters (Graves et al., 2006) with the same kind of network.
# - Translation, summaries, assistants: [09](09_attention.ipynb).
# - New images, and what is abnormal: [07](07_variational_autoencoders.ipynb) and
#   [08](08_adversarial_networks.ipynb).
# - Facts and their links: [10](10_knowledge_graphs.ipynb). Games, and what comes next:
#   chapter 11 and its parts.
#
# On tables of medium size, ensembles of decision trees still beat networks (Grinsztajn
# et al., 2022). Depth wins where features must be *found*: in pixels, sound and text.
#
# </details>

# %% [markdown]
# ## Common mistakes
#
# ### The sign is reversed
#
# Somebody computes the error as *target minus prediction*, and then subtracts the
# gradient as usual.

# %% tags=["E001"]
rng = np.random.default_rng(seed(8))
x, w, b, history = rng.normal(size=100), 0.0, 0.0, []
for _ in range(500):
    error = (2 * x + 1) - (w * x + b)  # target minus prediction
    w, b = w - 0.01 * np.mean(error * x), b - 0.01 * np.mean(error)
    history.append(np.mean(error**2) / 2)
report("loss at the start and at the end", history[0], history[-1])

# %% tags=["claims"]
claim(
    "powers of ten that the loss grew",
    np.log10(history[-1] / history[0]),
    at_least=0.5,
)

# %% [markdown]
# The program ends without a word, and the loss has exploded: two minus signs make a
# plus, and the descent became a climb. Two guards find this at once. Record the loss
# and look at it. And compare the gradient with finite differences, as in section 3: a
# reversed sign shows as a ratio of $-1$.
#
# ### Labels that are no labels
#
# Labels are made by rounding a sum, so they run from about $-4$ to 4. For a label 2 the
# loss $\log(1 + e^z) - 2z$ falls for ever as $z$ grows: it has no minimum, and the
# weights never come to rest. (The same happens in silence with labels $-1$ and 1.) A
# check says so before the first step:

# %% tags=["raises-exception", "E005"]
x = rng.normal(size=(100, 2))
logistic_regression_gd(x, np.round(x.sum(axis=1) + rng.normal(size=100)))

# %% [markdown]
# Ask the question with the answer yes or no, `(... > 0).astype(int)`, as in section 3.
# And see to it that the inputs lie on both sides: if they run from 0 to 99, nearly
# every label is 1. Then scale them, by the mean and standard deviation of the training
# rows.
#
# ### One column too many
#
# A model with one output returns the shape `(32, 1)`, one column. The labels have the
# shape `(32,)`.
#
# **Predict.** What is the shape of their difference?

# %% tags=["predict", "E007", "E008"]
labels, outputs = np.zeros(32), np.zeros((32, 1))
print((outputs - labels).shape)

# %% [markdown]
# <details><summary>Answer</summary>
#
# NumPy stretches both to `(32, 32)`, in silence. Every output meets every label, not
# only its own. A mean of that is still a number, and the training seems to run; much
# later, a plot of labels against answers fails.
#
# </details>
#
# This **broadcasting** is the commonest silent mistake of all. A loss should refuse two
# shapes, as ours does:

# %% tags=["raises-exception"]
binary_cross_entropy(labels, outputs)

# %% [markdown]
# Take the column out, `outputs[:, 0]`, and print shapes whenever you are in doubt.

# %% [markdown]
# ## Exercises
#
# ### Exercise 01.2: a noisier world
#
# *10 minutes, on paper, then one line.* Give $\varepsilon$ of section 3 the standard
# deviation $\tau$ instead of 1. What is the Bayes rate now?


# %% tags=["exercise"]
def bayes_rate(tau):
    """Return the accuracy of the best rule; tau is a number ≥ 0."""
    raise NotImplementedError


check("01.2", bayes_rate)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Without noise the rate is 1, with endless noise ½.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $s$ and $\varepsilon/\tau$ are again independent standard normal numbers.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Write the line where the label changes in terms of $s$ and $\varepsilon/\tau$. Which
# angle does it have to the line $s = 0$?
#
# </details>


# %% tags=["solution"]
def bayes_rate_solution(tau):
    # the line √2 s + τ (ε/τ) = 0 has the angle arctan(τ/√2) to s = 0
    return 1 - np.arctan(tau / np.sqrt(2)) / np.pi


check("01.2", bayes_rate_solution, solution=True)

# %% [markdown]
# ### Exercise 01.3: equal or not
#
# *10 minutes, on paper.* Choose by hand the weights of a network that says 1 where both
# inputs, 0 or 1, are *equal*. Give `(W, b, v, c)`. The network is
# `hidden = step(x @ W + b)`, `output = step(hidden @ v + c)`, with the `step` of
# section 5.

# %% tags=["exercise"]
weights_by_hand = ...  # W (2, 2), b (2,), v (2,), c a number

check("01.3", weights_by_hand)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Draw the diagram of section 5 with two other questions in the hidden units.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Equal means *both are 1*, or *both are 0*. Each of the two can be found by one line.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A unit fires when both are 0 if its weights are negative and its bias positive.
#
# </details>

# %% tags=["solution"]
weights_by_hand_solution = (
    np.array([[1, -1], [1, -1]]),  # both 1, both 0
    np.array([-1.5, 0.5]),
    np.array([1, 1]),  # one or the other
    -0.5,
)

check("01.3", weights_by_hand_solution, solution=True)

# %% [markdown]
# ### Exercise 01.5: a rung of your own
#
# *30 minutes.* Ask the $k$ nearest training examples, by squared distance, and let them
# vote; at a tie any of the winners will do. Each example is a row; labels are whole
# numbers. Then give it 5,000 rows of the digits of section 6 to learn from and 1,000 to
# read: where does it stand on the ladder, and what does one answer cost? (Expect an
# error near that of softmax regression on all the data, and an answer that costs hundreds
# of times more arithmetic.)


# %% tags=["exercise"]
def neighbors_vote(x_train, y_train, x, k):
    """Return for each row of x the label of most of the k nearest in x_train."""
    raise NotImplementedError


check("01.5", neighbors_vote)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# First a matrix of squared distances, one row for each row of `x`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.argsort(distances, axis=1)[:, :k]` are places in `x_train`, not yet labels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.bincount` counts the votes of one row.
#
# </details>


# %% tags=["solution"]
def neighbors_vote_solution(x_train, y_train, x, k):
    distances = (x_train**2).sum(axis=1) - 2 * x @ x_train.T  # + |x|², common
    nearest = np.argsort(distances, axis=1)[:, :k]
    return np.array([np.bincount(votes).argmax() for votes in y_train[nearest]])


check("01.5", neighbors_vote_solution, solution=True)

# %% [markdown]
# ### Exercise 01.6: a loss for counts
#
# *25 minutes, on paper, then code.* Visitors in an hour, letters in a day: targets are
# counts 0, 1, 2, … A common assumption is the *Poisson distribution*, which gives the
# count $y$ the probability $r^y e^{-r}/y!$ at a rate $r > 0$. Let the model be $\log r
# = z = w^\top x + b$. Derive the mean negative log-likelihood, leave out the part that
# depends on no weight, and derive its gradient. Then write both.


# %% tags=["exercise"]
def poisson_loss_and_gradient(x, y, weights, bias):
    """Return (loss, ∂L/∂weights, ∂L/∂bias); x is (n, features), y (n,) counts."""
    raise NotImplementedError


check("01.6", poisson_loss_and_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The logarithm of the probability is $y\log r - r - \log y!$. Which of the three terms
# depends on no weight?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Insert $r = e^z$. What is the slope of $e^z$?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Compare your slope by $z$ with the last column of the table in section 4. Test it with
# finite differences.
#
# </details>


# %% tags=["solution"]
def poisson_loss_and_gradient_solution(x, y, weights, bias):
    z = x @ weights + bias  # (n,)
    error = np.exp(z) - y  # prediction minus target, a fourth time
    return np.mean(np.exp(z) - y * z), x.T @ error / len(x), error.mean()


check("01.6", poisson_loss_and_gradient_solution, solution=True)

# %% [markdown]
# ### Exercise 01.7: softmax regression, trained by you
#
# *30 minutes.* Write the descent for several classes. Start at zero, take `steps`
# steps, each on all examples, on the mean cross-entropy, and return the weights. It
# must survive logits of a thousand. Then try it on 2,000 digits of $14\times14$ pixels:
# `small_train` of section 7, as rows, 500 steps at a learning rate of 0.5. (Expect
# about as many mistakes on the test digits as the curves of section 7 show between
# nearest mean and MLP.)


# %% tags=["exercise"]
def fit_softmax(x, y, classes, learning_rate, steps):
    """Return W (features, classes) and b (classes,); x is (n, features), y (n,) labels."""
    raise NotImplementedError


check("01.7", fit_softmax)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Section 4 derived the slope by each logit; section 2 says what to do with a slope.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.eye(classes)[y]` are the one-hot rows, (n, classes), also if some class is missing
# in `y`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# What must be multiplied with what, so that a matrix (features, classes) comes out? The
# bias is the weight of an input that is always 1.
#
# </details>


# %% tags=["solution"]
def fit_softmax_solution(x, y, classes, learning_rate, steps):
    W, b = np.zeros((x.shape[1], classes)), np.zeros(classes)
    for _ in range(steps):
        error = softmax(x @ W + b) - np.eye(classes)[y]  # (n, classes)
        W = W - learning_rate * x.T @ error / len(x)
        b = b - learning_rate * error.mean(axis=0)
    return W, b


check("01.7", fit_softmax_solution, solution=True)

# %% [markdown]
# ### Exercise 01.8: find the leak
#
# *20 minutes.* A colleague has 300 features of tossed coins (the day's temperature, the
# size of the table, …), none of which can have to do with heads or tails. His program
# finds a feature that tells them apart in far more than half of the *test* tosses:


# %%
def leaky_accuracy(x_train, y_train, x_test, y_test):
    """Each feature votes by its sign: x is (n, features), y (n,) of 0 and 1."""
    agreement = np.mean((x_train > 0) == y_train[:, None], axis=0)  # (features,)
    votes = (x_test > 0) ^ (agreement < 0.5)  # it may be the wrong way round
    accuracy = np.mean(votes == y_test[:, None], axis=0)  # of each feature
    return accuracy.max()


rng = np.random.default_rng(seed(9))
coins, features = rng.integers(0, 2, 200), rng.normal(size=(200, 300))
report(
    "accuracy on coins",
    leaky_accuracy(features[:100], coins[:100], features[100:], coins[100:]),
)

# %% [markdown]
# What is wrong? Keep the method (one feature and its direction are chosen by accuracy,
# the first one at a tie), and write it without the leak.


# %% tags=["exercise"]
def honest_accuracy(x_train, y_train, x_test, y_test):
    """Return the accuracy on the test rows of the feature that is best in training."""
    raise NotImplementedError


check("01.8", honest_accuracy)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Which choices does the program make, and which rows does each of them look at?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The direction is chosen on the training rows. And which feature is it?
#
# </details>
# <details><summary>Hint 3</summary>
#
# On coins, an honest accuracy is ½ in the mean over many repetitions. Is yours?
#
# </details>


# %% tags=["solution"]
def honest_accuracy_solution(x_train, y_train, x_test, y_test):
    agreement = np.mean((x_train > 0) == y_train[:, None], axis=0)  # (features,)
    best = np.argmax(np.maximum(agreement, 1 - agreement))
    votes = (x_test[:, best] > 0) ^ (agreement[best] < 0.5)
    return np.mean(votes == y_test)


check("01.8", honest_accuracy_solution, solution=True)

# %% [markdown]
# ### Exercise 01.9: does the deeper model win?
#
# *40 minutes, an experiment.* Predict tomorrow's highest temperature in Seattle from
# four numbers about today. Learn from few days: every 36th of the first 1,095 (2012 to
# 2014). Test on all days from place 1,095 on. Measure the `rmse` of three rivals, in
# °C:
#
# - the control, which learns nothing: tomorrow is like today;
# - linear regression (`least_squares`);
# - a network with two hidden layers of 64 `relu` units, trained with Adam on the mean
# squared error in 400 steps of 20 days (`np.resize` repeats the few days): the mean
# `rmse` of three networks. Scale features and target by the means and standard
# deviations of the days it learns from.
#
# Hand in the three numbers. Who wins, and who wins if all 1,095 days may be learned from?

# %%
DAYS = data.seattle_weather()
COLUMNS = ("temp_max", "temp_min", "precipitation", "wind")
TODAY = np.column_stack([DAYS[name] for name in COLUMNS])[:-1]  # (1460, 4)
TOMORROW = DAYS["temp_max"][1:]  # (1460,), °C
FEW_DAYS = np.arange(0, 1095, 36)

# %% tags=["exercise"]
three_errors = ...  # control, line, network

check("01.9", three_errors)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The control's prediction is one of the COLUMNS of `TODAY`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Weights come from the rows `FEW_DAYS` alone, the error from the rows `1095:` alone.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `rows = np.resize(FEW_DAYS, 8000)`, and `fit(..., batch_size=20)` once takes 400
# steps. Undo the scaling of the target before you measure.
#
# </details>


# %% tags=["solution"]
def network_error(number):
    seed(10 + number)
    stack = [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(1)]
    network = keras.Sequential([keras.Input((4,)), *stack])
    network.compile("adam", "mse", steps_per_execution=20)
    x = (TODAY - TODAY[FEW_DAYS].mean(axis=0)) / TODAY[FEW_DAYS].std(axis=0)
    middle, spread = TOMORROW[FEW_DAYS].mean(), TOMORROW[FEW_DAYS].std()
    rows = np.resize(FEW_DAYS, 8000)
    network.fit(
        x[rows], (TOMORROW[rows] - middle) / spread, batch_size=20, verbose=0
    )
    guess = middle + spread * network.predict(x[1095:], verbose=0)[:, 0]
    return rmse(guess, TOMORROW[1095:])


w, b = least_squares(TODAY[FEW_DAYS], TOMORROW[FEW_DAYS])
three_errors_solution = (
    rmse(TODAY[1095:, 0], TOMORROW[1095:]),
    rmse(TODAY[1095:] @ w + b, TOMORROW[1095:]),
    np.mean([network_error(number) for number in range(3)]),
)
report("control, line, network", three_errors_solution)
check("01.9", three_errors_solution, solution=True)

# %% [markdown]
# With few days nobody beats the rule that learns nothing. Its assumption, weather
# changes slowly, is right, and free. Without this control you would have praised the
# winner of the other two. (With all 1,095 days both learners pass it, and the network
# is hardly ahead of the line.)
