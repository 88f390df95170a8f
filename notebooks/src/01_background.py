# %% [markdown]
# Each of these digits is a four or a nine. Say which.

# %%
import keras
from dl_course import data, linear
from keras import layers

(x_train, y_train), (x_test, y_test) = data.mnist()

# %% tags=["figure"]
hard = [6642, 2043, 740, 1901, 2371, 3869, 2130, 2414, 4963, 1440, 1709, 1751]
figure = plots.images(x_test[hard], columns=12, size=0.75)
plots.show(figure, alt="Twelve clumsy handwritten digits, each of them a 4 or a 9.")

# %% [markdown]
# Twelve digits from MNIST (LeCun et al., 1998), chosen because they are hard.
#
# <details><summary>Answer</summary>
#
# 9 4 4 9 4 9 4 9 9 4 9 4
#
# </details>
#
# You needed a second for each. Now write down your rule, so exactly that a machine
# can follow it. That is hard, and it was the way for decades. This chapter shows
# what replaced it, and measures why.

# %% [markdown]
# ## Recall
#
# From school:
#
# 1. What is the slope of $y = 3x^2$ at $x = 2$?
# 2. Hold $b$ still. How fast does $a^2b$ change with $a$?
# 3. Both axes are logarithmic. What does $y = 5x^{-1/2}$ look like?
#
# <details><summary>Answer</summary>
#
# 1. $6x = 12$.
# 2. $2ab$: the partial derivative.
# 3. A straight line of slope $-\frac12$: $\log y = \log 5 - \frac12\log x$.
#
# </details>

# %% [markdown]
# ## 1. Who chooses the numbers in a rule?
#
# Try a rule. A nine is closed at the top, a four is open. So take the columns in
# the middle, find the darkest pixel near the top of each, and average: *ink on top*.


# %%
def ink_on_top(images):  # (n, 28, 28, 1) -> (n,)
    return images[:, 5:11, 11:18, 0].max(axis=1).mean(axis=1)


def fours_and_nines(x, y):
    rows = np.isin(y, [4, 9])
    return x[rows], (y[rows] == 9).astype(int)  # label 1 means nine


# %%
old_images, old_labels = fours_and_nines(x_train, y_train)
new_images, new_labels = fours_and_nines(x_test, y_test)
old_ink, new_ink = ink_on_top(old_images), ink_on_top(new_images)

# %% [markdown]
# The rule says *nine* if the ink exceeds a threshold. A programmer would guess ½.
# Or we try a hundred thresholds on the training digits, and keep the best.

# %%
thresholds = np.linspace(0, 1, 101)
mistakes = [np.sum((old_ink > t) != old_labels) for t in thresholds]
best = thresholds[np.argmin(mistakes)]

# %% [markdown]
# **Predict.** Both now judge new digits. How many of the guess's mistakes remain:
# nine in ten, two thirds, or fewer than half?

# %%
guess_error = np.mean((new_ink > 0.5) != new_labels)
best_error = np.mean((new_ink > best) != new_labels)
claim("error of the guessed threshold", guess_error, at_least=0.14, at_most=0.18)
claim("error of the threshold from data", best_error, at_most=0.07)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
groups = [new_ink[new_labels == label] for label in (0, 1)]
axis.hist(groups, 40, label=["fours", "nines"], histtype="stepfilled", alpha=0.6)
axis.axvline(0.5, color="black", ls=":", label="guessed")
axis.axvline(best, color="black", label="from data")
axis.set(xlabel="ink on top", ylabel="test digits")
axis.legend(loc="upper left")
plots.show(figure, alt="Fours spread over all values of ink; nines pile up near 1.")

# %% [markdown]
# Fours have any amount of ink on top, nines have much: the guess cuts too early.
# Fewer than half of the mistakes remain, and nobody thought harder. We gave the
# *form* of the rule, the data gave a *number*. That is learning.
#
# **Artificial intelligence** is any program for such tasks, rules by hand included.
# **Machine learning** is the part of it that takes numbers from data. **Deep
# learning** is the part of that with many layers: it also learns *what to look at*
# (LeCun et al., 2015). From here on, data choose ever more numbers.

# %% [markdown]
# ## 2. How did we get here?
#
# **Predict.** When did a network first learn from its mistakes: 1958, 1986 or 2012?

# %% tags=["figure"]
plots.show(linear.plot_timeline(), alt="Three waves: 1943-69, 1980-95, since 2006.")

# %% [markdown]
# Three waves of neural networks, each under its own name (Goodfellow et al., 2016,
# section 1.2.1).
#
# **Cybernetics.** McCulloch & Pitts (1943) described neurons as logic. Rosenblatt
# (1958) made one learn. Ivakhnenko & Lapa trained many layers in 1965 (Schmidhuber,
# 2015). The uses were pattern recognition and control. Then Minsky & Papert (1969)
# showed what one layer cannot do, and interest fell.
#
# **Connectionism.** Fukushima (1980), Rumelhart et al. (1986), LeCun et al. (1989)
# and Hochreiter & Schmidhuber (1997) found architectures and a way of training that
# are still in use. On the data and machines of the day, simpler methods often did
# as well.
#
# **Deep learning.** Hinton et al. (2006) trained deep stacks again. Krizhevsky et
# al. (2012) won a contest with 1.2 million photographs and two graphics cards.
# Vaswani et al. (2017) built the Transformer. The ideas were old. Data and compute
# were new: section 7 measures what they buy.
#
# Tools age faster than ideas. Theano, once beneath Keras, ended in 2017. Ask for
# it:

# %%
import os
import subprocess
import sys

settings = {**os.environ, "KERAS_BACKEND": "theano"}
command = [sys.executable, "-c", "import keras"]
run = subprocess.run(command, env=settings, capture_output=True, text=True)
claim("Keras on Theano is gone", "Unable to import backend" in run.stderr)

# %% [markdown]
# ## 3. How does a machine find a line?
#
# Start where we know the truth: three features, known weights, and noise.

# %%
rng = np.random.default_rng(seed(1))
x = rng.normal(size=(200, 3))  # (examples, features)
y = x @ [2.0, -1.0, 0.5] + 1 + rng.normal(scale=0.3, size=200)
x_old, y_old, x_new, y_new = x[:150], y[:150], x[150:], y[150:]

# %% [markdown]
# The model predicts $\hat y = Xw + b$; the data $y$ are such a line, and noise. A
# good model has a small loss
#
# $$L = \frac1{2n}\sum_i(\hat y_i - y_i)^2 .$$
#
# See the loss as a landscape over all $w$ and $b$. You stand in it, in fog, and can
# only feel the slope:
#
# $$\frac{\partial L}{\partial w} = \frac1n X^\top(\hat y - y), \qquad
# \frac{\partial L}{\partial b} = \frac1n\sum_i(\hat y_i - y_i).$$
#
# The slope points up. Step against it:
# $w \leftarrow w - \eta\,\partial L/\partial w$, the same for $b$. That is
# **gradient descent**, and $\eta$ is the learning rate.

# %%
weights, bias, learning_rate = np.zeros(3), 0.0, 0.1
for _ in range(200):
    error = x_old @ weights + bias - y_old  # (examples,)
    weights = weights - learning_rate * x_old.T @ error / len(x_old)
    bias = bias - learning_rate * error.mean()

# %% [markdown]
# For this loss there is also a closed form. At the lowest point all four slopes are
# zero, and these equations are linear (Legendre, 1805):

# %%
reveal(linear.least_squares)

# %% [markdown]
# **Predict.** After 200 steps in the fog, do the weights agree with the lowest point
# to one decimal, or to three and more?

# %%
best_weights, best_bias = linear.least_squares(x_old, y_old)
distance = max(abs(weights - best_weights).max(), abs(bias - best_bias))
new_error = np.std(x_new @ weights + bias - y_new)
claim("distance from least squares", distance, at_most=1e-3)
claim("error on held-out rows", new_error, at_least=0.2, at_most=0.4)

# %% [markdown]
# They meet. What is left on the new rows, which took no part in the fit, is the
# noise. No model can know it.
#
# In Keras this is a network of one layer. Its `"mse"` has no ½, so half the
# learning rate takes the same 200 steps.

# %%
line = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
line.compile(keras.optimizers.SGD(learning_rate / 2), loss="mse")
for _ in range(200):
    line.train_on_batch(x_old, y_old)
kernel = line.get_weights()[0][:, 0]  # (3,)
claim("Dense(1) from our weights", abs(kernel - weights).max(), at_most=1e-4)

# %% [markdown]
# How large may $\eta$ be? The curvature $\lambda$ says how fast the slope changes.
# Along a direction of curvature $\lambda$, each step multiplies the distance from
# the lowest point by $1 - \eta\lambda$. All distances shrink only if $\eta <
# 2/\lambda_{\max}$.
#
# **Predict.** Sketch the loss at 0.1, 0.9 and 1.1 times this limit.

# %%
limit = linear.learning_rate_limit(x_old)
lowest = linear.squared_error(x_old, y_old, best_weights, best_bias)
descend = linear.linear_regression_gd  # our loop, with a record of the loss
excess = {}
for share in (0.1, 0.9, 1.1):
    *_, history = descend(x_old, y_old, learning_rate=share * limit, max_steps=40)
    excess[share] = history - lowest
claim("below the limit the loss falls", excess[0.9][-1] < 0.01 * excess[0.9][0])
claim("above it the loss grows", excess[1.1][-1] > 100 * excess[1.1][0])

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
for (share, values), style in zip(excess.items(), ("-", "--", ":"), strict=True):
    axis.semilogy(values, style)
    axis.text(40, values[-1], f"{share} × limit", va="center")
axis.set(xlabel="step", ylabel="loss above the lowest", xlim=(0, 50))
plots.show(figure, alt="Two curves fall; the one above the limit grows for ever.")

# %% [markdown]
# Two rates lead down; above the limit the loss explodes. The same rule, a step
# against the slope, trains every network of this course.

# %% [markdown]
# ## 4. How does it learn to say yes or no?
#
# Now the answer is 0 or 1. Again we make the world, to know what is possible: the
# label is 1 if $x_1 + x_2 + \varepsilon > 0$.

# %%
rng = np.random.default_rng(seed(2))


def draw(n):
    x = rng.normal(size=(n, 2))
    return x, (x.sum(axis=1) + rng.normal(size=n) > 0).astype(int)


# %% [markdown]
# Nobody sees $\varepsilon$, so the best rule says 1 if $x_1 + x_2 > 0$. How often
# is it right? Write $s = (x_1+x_2)/\sqrt2$. Then $s$ and $\varepsilon$ are standard
# normal, and the point $(s, \varepsilon)$ lies in every direction equally often. The
# noise flips the label where the point lies between the lines $s = 0$ and
# $\sqrt2 s + \varepsilon = 0$: in two wedges of angle $\arctan(1/\sqrt2)$, out of
# $2\pi$. So the **Bayes rate**, the ceiling of all models, is
# $1 - \arctan(1/\sqrt2)/\pi$.

# %%
bayes = 1 - np.arctan(1 / np.sqrt(2)) / np.pi
x_many, y_many = draw(1_000_000)
simulated = np.mean((x_many.sum(axis=1) > 0) == y_many)
claim("accuracy of the best rule", simulated, equals=bayes, tolerance=0.002)

# %% [markdown]
# **Logistic regression** (Cox, 1958) turns $z = w^\top x + b$ into a probability
# with the sigmoid: $p = P(y = 1 \mid x) = \sigma(z) = 1/(1+e^{-z})$. Its loss is
# the surprise at the labels, the cross-entropy
#
# $$L = -\frac1n\sum_i\big[y_i\log p_i + (1-y_i)\log(1-p_i)\big],\qquad
# \frac{\partial L}{\partial w} = \frac1n X^\top(p - y).$$
#
# It is the same gradient: mean of error times input. But in code $e^{-z}$ may
# overflow, and $\log 0$ is infinite. So `exp` never gets a positive number, and the
# loss of one example starts from its **logit** $z$:
#
# $$\max(z, 0) - zy + \log(1 + e^{-|z|}) .$$

# %%
reveal(linear.sigmoid, linear.binary_cross_entropy, linear.logistic_gradient)


# %% [markdown]
# Never trust a formula for a gradient. Nudge each weight both ways, and measure the
# slope.


# %%
def loss_at(w):
    return linear.logistic_loss(x, y, w, 0.0)


x, y = draw(2000)
w = rng.normal(size=2)
slopes = [(loss_at(w + h) - loss_at(w - h)) / 2e-5 for h in 1e-5 * np.eye(2)]
exact, _ = linear.logistic_gradient(x, y, w, 0.0)
claim("gradient off by", abs(slopes - exact).max() / abs(exact).max(), at_most=1e-6)

# %% [markdown]
# **Predict.** It learns from 2,000 such points. Nearest guess: how far below the
# ceiling is it on new points, by 1, 5 or 10 in 100?

# %%
fit_logistic = linear.logistic_regression_gd  # the same loop, with this loss
weights, bias, _ = fit_logistic(x, y)
x_new, y_new = draw(10_000)
accuracy = np.mean((x_new @ weights + bias > 0) == y_new)
claim("distance from the Bayes rate", abs(accuracy - bayes), at_most=0.03)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(4.2, 3.8))
sample = x[:300], y[:300]
linear.plot_regions(axis, lambda x: linear.sigmoid(x @ weights + bias), *sample)
plots.show(figure, alt="Points of two labels; a diagonal line splits most of them.")

# %% [markdown]
# Labels 0 (dots) and 1 (crosses), shaded by $p$; the black line is $p = ½$. Points
# on its wrong side are noise, and hardly any line does better.
#
# Now fours and nines again. Before, data chose one number. Let them choose 785: a
# weight for each pixel, and a bias.

# %%
pixels, labels = old_images[:2000].reshape(2000, 784), old_labels[:2000]
weights, bias, _ = fit_logistic(pixels, labels, learning_rate=0.15, max_steps=200)
said_nine = new_images.reshape(-1, 784) @ weights + bias > 0
claim("error with 785 numbers", np.mean(said_nine != new_labels), at_most=0.055)

# %% tags=["figure"]
four, nine = linear.class_means(pixels, labels)
grids = np.reshape([four, nine, weights], (3, 28, 28))
figure = plots.images(grids, ["mean four", "mean nine", "weights"], size=1.8)
plots.show(figure, alt="A mean four, a mean nine, and weights: darkest at the top.")

# %% [markdown]
# The mean of each digit, and the weights: dark pixels vote for nine, white ones for
# four. Nobody told it to look at the top. The data did.

# %% [markdown]
# ## 5. What can no straight line do?
#
# Rosenblatt's **perceptron** answers 0 or 1, and learns after each mistake.

# %%
reveal(linear.perceptron)

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
targets = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}

# %% [markdown]
# XOR is 1 where the inputs differ.
#
# **Predict.** Which of the three does it learn?

# %%
fits = {k: linear.perceptron(corners, y) for k, y in targets.items()}
wrong = {k: mistakes for k, (_, _, mistakes) in fits.items()}  # in each pass
claim("AND and OR are learned", wrong["AND"][-1] == wrong["OR"][-1] == 0)
claim("XOR is not, in 100 passes", min(wrong["XOR"]) > 0)

# %% [markdown]
# It never will be. The corner (0, 0) needs $b \le 0$. The corners (1, 0) and (0, 1)
# need $w_1 + b > 0$ and $w_2 + b > 0$; add them: $w_1 + w_2 + 2b > 0$. But (1, 1)
# needs $w_1 + w_2 + b \le 0$. Take that away: $b > 0$, a contradiction.
#
# The way out is a second layer. XOR is *OR, but not AND*, and each part is a line:


# %%
def step(z):
    return (z > 0).astype(int)


hidden = step(corners @ np.ones((2, 2)) + [-0.5, -1.5])  # columns: OR, AND
output = step(hidden @ [1, -1] - 0.5)
claim("two layers by hand make XOR", np.array_equal(output, targets["XOR"]))

# %% [markdown]
# Those weights came from thought. A step has no slope to follow. So use smooth
# `tanh` units, and let gradient descent choose.

# %%
seed(3)
hidden, output = layers.Dense(8, "tanh"), layers.Dense(1, "sigmoid")
network = keras.Sequential([keras.Input((2,)), hidden, output])
network.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
x, y = np.tile(corners, (500, 1)), np.tile(targets["XOR"], 500)  # 500 times each
_ = network.fit(x, y, batch_size=16, verbose=0)


# %%
def two_layers(x):
    return network.predict(x, batch_size=1000, verbose=0)[:, 0]


trained = two_layers(corners) > 0.5
claim("two trained layers make XOR", np.array_equal(trained, targets["XOR"]))

# %% tags=["figure"]
figure, axes = plt.subplots(1, 3, figsize=(7.6, 2.8))
for axis, (name, (w, b, _)) in zip(axes, fits.items(), strict=True):
    answer = two_layers if name == "XOR" else lambda x, w=w, b=b: step(x @ w + b)
    linear.plot_regions(axis, answer, corners, targets[name])
    axis.set_title(name)
plots.show(figure, alt="A line solves AND and OR; two layers bend a band for XOR.")

# %% [markdown]
# One line for AND and for OR (a point on it counts as 0), a band from two layers
# for XOR. The hidden layer turned a problem without a line into one with a line.
# How it finds its weights is the subject of chapter 03, Backpropagation.

# %% [markdown]
# ## 6. How far does each rung climb?
#
# All ten digits now, and a ladder of five models. The lowest rung compares an image
# with the mean of each digit.

# %%
flat_train, flat_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)


def mean_error(rows):
    means = linear.class_means(flat_train[rows], y_train[rows])  # (10, 784)
    return np.mean(linear.nearest_mean(means, flat_test) != y_test)


# %% [markdown]
# Then networks. Softmax regression is logistic regression with ten answers. An MLP
# (multi-layer perceptron) adds a hidden layer, of 32 or 256 units. A CNN
# (convolutional network) first looks at small patches, everywhere with the same
# weights.


# %%
def flat(*units):
    return [layers.Flatten(), *(layers.Dense(n, "relu") for n in units)]


def patches():
    conv5 = layers.Conv2D(16, 5, strides=2, padding="same", activation="relu")
    conv3 = layers.Conv2D(32, 3, activation="relu")
    return [conv5, conv3, layers.MaxPooling2D(), *flat(64)]


stacks = {"softmax": flat, "MLP 32": lambda: flat(32)}
stacks |= {"MLP 256": lambda: flat(256), "CNN": patches}


# %%
def classifier(name):
    stack = [keras.Input((28, 28, 1)), *stacks[name](), layers.Dense(10)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = keras.Sequential(stack)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


# %% [markdown]
# Training shows images in turn. It pauses to note the test error, for section 7.
# The last stretch takes smaller steps, so that the noise settles.

# %%
import time


def train(model, rows, pauses, rate=0.003):
    """Show images `rows` in turn; return test errors at `pauses`, and seconds."""
    errors, seconds = [], 0.0
    for start, stop in zip((0, *pauses[:-1]), pauses, strict=True):
        model.optimizer.learning_rate = rate / 10 if stop == pauses[-1] else rate
        part, began = rows[start:stop], time.perf_counter()
        model.fit(x_train[part], y_train[part], batch_size=100, verbose=0)
        seconds += time.perf_counter() - began
        accuracy = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)[1]
        errors.append(1 - accuracy)
    return errors, seconds


# %% [markdown]
# Each network sees each of the 60,000 images once.
#
# **Predict.** Of 100 new digits, how many does each model misread, from nearest mean
# to CNN? Write down five numbers.

# %%
pauses = (1_000, 3_000, 10_000, 30_000, 50_000, 60_000)
order = np.random.default_rng(seed(4)).permutation(60_000)
networks, histories, errors = {}, {}, {"nearest mean": mean_error(order)}
for name in progress(stacks, "training"):
    seed(4)
    networks[name] = classifier(name)
    histories[name], seconds = train(networks[name], order, pauses)
    errors[name] = histories[name][-1]
    print(f"{name}: {networks[name].count_params():,} parameters, {seconds:.1f} s")

# %%
claim("nearest mean", 1 - errors["nearest mean"], at_least=0.815, at_most=0.825)
claim("softmax regression", 1 - errors["softmax"], at_least=0.91, at_most=0.93)
claim("MLP with 256 hidden units", 1 - errors["MLP 256"], at_least=0.965)
claim("CNN", 1 - errors["CNN"], at_least=0.98)
claim("each rung is higher", sorted(errors.values())[::-1] == list(errors.values()))

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.4))
bars = axis.barh([*errors][::-1], [100 * error for error in errors.values()][::-1])
axis.bar_label(bars, fmt=" %.1f")
axis.set(xlabel="test digits misread, of 100")
plots.show(figure, alt="Bars of mistakes: long for nearest mean, tiny for the CNN.")

# %% [markdown]
# Mistakes on 100 new digits, rung by rung. The CNN has fewer weights than the
# larger MLP: size alone does not decide. It assumes the right thing about images.
# Which, says [chapter 05](05_convolutional_networks.ipynb).

# %% [markdown]
# ## 7. Why so much data, and why so much compute?
#
# We train on 100, 400, 1,600 and 6,400 images, shown over and over until little
# changes. The last point, 60,000, is the ladder's.

# %%
shown = {100: 6_000, 400: 8_000, 1_600: 12_000, 6_400: 24_000}
sizes = [*shown, 60_000]

# %% [markdown]
# **Predict.** Which model gains most from more data, which least?

# %%
curves = {"nearest mean": [mean_error(order[:size]) for size in sizes]}
for name in progress(("softmax", "MLP 256", "CNN"), "sizes"):
    curves[name] = []
    for size, total in shown.items():
        seed(6)
        rows = np.resize(order[:size], total)  # the same few, over and over
        test_errors, _ = train(classifier(name), rows, (total * 4 // 5, total))
        curves[name].append(test_errors[-1])
    curves[name].append(errors[name])

# %% [markdown]
# Is there a law? Let $n$ be the number of images, and try $\text{error} \approx
# a\,n^{s}$. On log-log paper that is a straight line of slope $s$, so linear
# regression on logarithms finds it.

# %%
slopes = {name: linear.power_law(sizes, curve)[1] for name, curve in curves.items()}
claim("slope of nearest mean", slopes["nearest mean"], at_least=-0.13, at_most=0)
claim("slope of softmax", slopes["softmax"], at_least=-0.28, at_most=-0.1)
claim("slope of the MLP", slopes["MLP 256"], at_least=-0.48, at_most=-0.26)
claim("slope of the CNN", slopes["CNN"], at_least=-0.6, at_most=-0.33)
few, many = (curves["CNN"][i] / curves["nearest mean"][i] for i in (0, -1))
claim("100 images: CNN's error over nearest mean's", few, at_least=0.5)
claim("60,000 images: the same", many, at_most=0.12)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3.8))
for (name, curve), marker in zip(curves.items(), "Dos^", strict=True):
    factor, slope = linear.power_law(sizes, curve)
    (dots,) = axis.loglog(sizes, curve, marker)
    axis.loglog(sizes, factor * np.power(sizes, slope), color=dots.get_color())
    axis.text(75_000, curve[-1], f"{name}\nslope {slope:.2f}", va="center")
axis.set(xlabel="training images", ylabel="test error", xlim=(80, 400_000))
axis.set_yticks([0.01, 0.03, 0.1, 0.3], ["1%", "3%", "10%", "30%"])
axis.minorticks_off()
plots.show(figure, alt="Four lines fan out to the right; the CNN falls fastest.")

# %% [markdown]
# Four models, five sizes, and fitted lines. With 100 images the choice of model
# matters little. Then the lines fan out. Ten times more data cut the CNN's errors
# to less than half, and help the nearest mean little. The law is rough: where dots
# end above their line, a model nears its floor.
#
# Why? A model with few free numbers can express few functions. A handful of
# examples picks the best of them, and nothing is left to learn. A flexible model
# can express the right function, and a crowd of wrong ones. **Every example rules
# some wrong ones out.** Hestness et al. (2017) found such power laws in
# translation, language, speech and vision. (There, better networks lowered the line
# and kept its slope. Here the slopes differ because the simple models run out of
# things to learn.)
#
# And compute? Count it. A weight costs one product and one sum wherever it is used.
# The way back costs twice the way forward: one gradient for the inputs, one for the
# weights. So training takes about 3 × forward × images shown.

# %%
costs = {}
for name, model in networks.items():
    costs[name] = 3 * linear.forward_flops(model) * np.array(pauses)
    print(f"{name}: {costs[name][-1] / 1e9:.1f} billion operations in all")

# %% [markdown]
# **Predict.** You may spend five billion operations. Which of the four do you
# train?

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3.8))
for name, style in zip(costs, ("o-", "D--", "s-.", "^:"), strict=True):
    axis.loglog(costs[name], histories[name], style)
    axis.text(1.1 * costs[name][0], 1.1 * histories[name][0], name)
axis.axvline(5e9, color="black", lw=1)
axis.set(xlabel="operations of training", ylabel="test error", ylim=(0.008, 0.6))
axis.set_yticks([0.01, 0.03, 0.1, 0.3], ["1%", "3%", "10%", "30%"])
plots.show(figure, alt="Small networks lead at first; larger ones overtake.")

# %% [markdown]
# Test error against effort. At five billion operations (the line) the small models
# lead, and the CNN has hardly started. But softmax is through with all images by
# then, and hardly falls any more. The others pass it one by one.

# %%
claim("at first, softmax leads", errors["softmax"] < histories["CNN"][0] / 2)
claim("at the end, the CNN leads", errors["CNN"] < 0.75 * errors["MLP 256"])

# %% [markdown]
# **Each budget has its best model, and a larger budget a costlier one.** Kaplan et
# al. (2020) followed such curves for language models over seven powers of ten.
#
# That answers the question of this chapter. A rule by hand improves as fast as its
# programmer. A learned one improves with data and compute, and both kept growing.

# %% [markdown]
# ## 8. Does the deeper model always win?
#
# Predict tomorrow's highest temperature in Seattle from four numbers about today.
# The rivals: linear regression, and a network with two hidden layers.

# %%
days = data.seattle_weather()
columns = ("temp_max", "temp_min", "precipitation", "wind")
today = np.column_stack([days[name] for name in columns])[:-1]  # (days, 4)
tomorrow = days["temp_max"][1:]


# %%
def rivals(rows):  # days to learn from -> two errors in 2015, in °C
    x = (today - today[rows].mean(axis=0)) / today[rows].std(axis=0)
    y = tomorrow - tomorrow[rows].mean()
    weights, bias = linear.least_squares(x[rows], y[rows])
    network = keras.Sequential([keras.Input((4,)), *flat(64, 64), layers.Dense(1)])
    network.compile("adam", loss="mse")
    often = np.resize(rows, 16_000)
    network.fit(x[often], y[often], batch_size=20, verbose=0)
    guesses = x @ weights + bias, network.predict(x, verbose=0)[:, 0]
    return [np.sqrt(np.mean((guess - y)[1095:] ** 2)) for guess in guesses]


# %% [markdown]
# **Predict.** Who wins with 30 days to learn from, and who with three years?

# %%
rng = np.random.default_rng(seed(7))
runs = [rivals(rng.choice(1095, 30, replace=False)) for _ in range(3)]
line, network = np.mean(runs, axis=0)
claim("30 days: error of the line over the network's", line / network, at_most=0.98)
line, network = rivals(np.arange(1095))
claim("three years: the same", line / network, at_least=0.95, at_most=1.06)

# %% [markdown]
# On 30 days the line wins; on three years they tie. This world is nearly linear,
# and the network pays for a freedom that it does not need. Stopping early would
# bring it closer; the line needs no such care. On tables of medium size, decision
# trees still beat networks (Grinsztajn et al., 2022). Depth wins where features must be
# *found*: in pixels, sound and text. Try the line first.
#
# ### Where it is used
#
# |Area|Its core is built in|
# |-|-|
# |Images, faces, road signs, scans|[05 CNN](05_convolutional_networks.ipynb)|
# |Genes and proteins, as one-dimensional images|05|
# |Speech; prices, climate and other series|06 Recurrent networks|
# |Language: sentiment, translation, summaries|06, 09 Attention|
# |Sensors and factories: what is abnormal?|07 Variational autoencoders|
# |New images, more data|08 Generative adversarial networks|
# |Facts and their links|10 Knowledge graphs|
# |Recommendation, games, driving|11 Future trends|
#
# ### Words
#
# |Word|Meaning|Here|
# |-|-|-|
# |Task|what goes in, what comes out, how it is judged|read digits|
# |Architecture|a family of functions|CNN|
# |Model|one of them, with its weights|our trained CNN|
# |Algorithm|how the weights are found|gradient descent|
# |Framework|software for all this|Keras|
#
# ### Tools, platforms, chips
#
# Today: TensorFlow, PyTorch and JAX; Keras 3 runs on all three. Clouds rent them
# out (Azure ML, Vertex AI, SageMaker), on NVIDIA's data-center GPUs, Google's TPU
# (Jouppi et al., 2017) or Intel's Gaudi.
#
# ### Often asked
#
# **Do I need a GPU?** Not for this course. **How much data?** Draw the line of
# section 7 through three sizes, and extend it. **Why so much memory?** Training
# with Adam keeps four numbers a weight (itself, its gradient, two averages), and
# every activation of a batch. **And bandwidth?** Data must arrive as fast as they
# are used: chapter 02 times it. **Does it think like a brain?** Neurons inspired
# it; it fits functions.

# %% [markdown]
# ## Where the tutorials go wrong
#
# We ran five tutorials, line by line. An E number names one error in them.
#
# ### The sign is reversed (E001)
#
# Error as *target minus prediction*, and then the usual minus.

# %% tags=["E001"]
rng = np.random.default_rng(seed(8))
x, w, b, history = rng.normal(size=100), 0.0, 0.0, []
for _ in range(500):
    error = 2 * x + 1 - (w * x + b)  # target minus prediction
    w, b = w - 0.01 * np.mean(error * x), b - 0.01 * np.mean(error)
    history.append(np.mean(error**2) / 2)
claim("the loss grew, without a word, by", history[-1] / history[0], at_least=100)

# %% [markdown]
# It climbs. Two guards find it: record the loss, and nudge the weights as in
# section 4.
#
# ### A thousand timid steps (E120)
#
# One feature between 0 and 1, learning rate 0.01, 1,000 steps, done?

# %% tags=["E120"]
x = rng.uniform(size=(100, 1))
y = 2 * x[:, 0] + 1 + rng.normal(scale=0.33, size=100)
*_, timid = descend(x, y, learning_rate=0.01, max_steps=1000)
*_, patient = descend(x, y, learning_rate=0.5)  # stops when the slope is near zero
claim("timid loss over patient loss", timid[-1] / patient[-1], at_least=1.03)

# %% [markdown]
# It stopped on the way. Stop where it is flat, not at a round number.
#
# ### Labels that are no labels (E005)
#
# A tutorial makes labels by `np.round`: they run from −4 to 4. Cross-entropy then has
# no minimum, and the weights grow for ever. A check says so at once:

# %% tags=["raises-exception", "E005"]
x = rng.normal(size=(100, 2))
linear.logistic_regression_gd(x, np.round(x.sum(axis=1) + rng.normal(size=100)))

# %% [markdown]
# With `(… > 0).astype(int)`, as in section 4, it works.
#
# ### One column too many (E007, E008)
#
# Labels have shape `(32,)`, outputs `(32, 1)`.
#
# **Predict.** What is the shape of their difference?

# %% tags=["E007", "E008"]
print((np.zeros(32) - np.zeros((32, 1))).shape)

# %% [markdown]
# Every label met every output, in silence; pages later a plot fails. Ours refuses:

# %% tags=["raises-exception"]
linear.binary_cross_entropy(np.zeros(32), np.zeros((32, 1)))

# %% [markdown]
# Take `outputs[:, 0]`.
#
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E002, E006|trains on one set, tests on another|extrapolates|split one set|
# |E003, E122|no noise, seed, history or test|failure stays invisible|section 3|
# |E004|labels in a script that the font lacks|empty boxes|a font that has it|
# |E009|gradient `clip(y - p, 0, 1) - y`|not the slope of the loss|$p - y$|
# |E010|`1 / (1 + exp(-z))`, then its logarithm|overflows|from logits|
# |E011|1,000 steps, no metric|not converged|accuracy, a tolerance|
# |E034|$y = Xw + b$|that is the prediction|$\hat y$; $y = \hat y + \varepsilon$|
# |E035|$P(y = 1)$ is a sigmoid|of $x$: the condition is missing|$P(y = 1 \mid x)$|
# |E121|tests at 1.5, trains below 1|extrapolates|test inside the range|
# |E124|calls predictions `X_pred`|they are $\hat y$|`y_hat`|
# |E126|half the squared error is *the* loss|one of many; Keras has no ½|say which|
# |E127|$w = w - \dots$|an assignment; bias forgotten|$\leftarrow$, and $b$|
# |E039, E187|it simulates the brain|inspired once|Goodfellow et al. (2016)|
# |E040|born in the 1950s, declined to 2000|dates shifted|section 2|
# |E041|deep learning replaced neural networks|it *is* neural networks|section 2|
# |E205|four generations of networks|the "third" means spiking (Maass, 1997)|three waves|
# |E206|the fourth is "applied in deep learning"|it is deep learning|section 2|
# |E048|regression is deep learning|statistics, no hidden layer|sections 3, 4|
# |E049, E207|speech recognition is NLP|signal first|Graves et al. (2006)|
# |E069|`tensorflow.keras`|tied to one backend|`import keras`|
# |E079, E141, E204|cases, FAQ, code announced|missing, or comments|cells that run|
# |E081|deep beats classical|not on small tables|section 8|
# |E103, E140|Keras books by O'Reilly, by Wang|invented|Chollet (2021)|
# |E109|Schmidhuber, volume 51|misquoted|61, 85–117|
# |E119|57 references|25 distinct, none cited|cite each|
# |E135, E220|Theano, CNTK, Caffe|ended 2017, 2019, 2018|section 8|
# |E136|Facebook develops PyTorch|began it (Paszke et al., 2019)|a foundation|
# |E139|deep is "advanced"|says nothing|depth learns features|
# |E186|more data *causes* a lack of data|contradiction|growth helped; limits stay|
# |E219|NLP is a method|a field|words of section 8|
# |E221|Google Cloud ML|renamed|Vertex AI since 2021|
# |E222|Tesla, Nervana|brand dropped, chip cancelled, 2020|section 8|
# |E223|"an algorithm implements algorithms"|circular|words of section 8|
# |E225|future trends: one phrase, hundreds of times|broken text|chapter 11|

# %% [markdown]
# ## Exercises
#
# ### Exercise 01.1: the way down
#
# *10 minutes.* Write the gradient of Keras's loss,
# $\frac1n\sum_i(\hat y_i - y_i)^2$ with $\hat y = Xw + b$.


# %% tags=["exercise"]
def gradient(x, y, weights, bias):
    """Return (slope by weights, slope by bias); x is (n, features), y is (n,)."""
    raise NotImplementedError


check("01.1", gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Section 3 has the gradient of half this loss.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `error = x @ weights + bias - y`, in this order.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `2 * x.T @ error / len(x)`, and twice the mean of `error`.
#
# </details>


# %% tags=["solution"]
def gradient_solution(x, y, weights, bias):
    error = x @ weights + bias - y  # (n,)
    return 2 * x.T @ error / len(x), 2 * error.mean()


check("01.1", gradient_solution, solution=True)

# %% [markdown]
# ### Exercise 01.2: a noisier world
#
# *10 minutes, a one-liner.* Give $\varepsilon$ of section 4 the standard deviation
# $\tau$ instead of 1. What is the Bayes rate now?


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
# $s$ and $\varepsilon/\tau$ are again independent standard normals.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The second line is $\sqrt2 s + \tau\,(\varepsilon/\tau) = 0$. Its angle to $s = 0$
# is $\arctan(\tau/\sqrt2)$.
#
# </details>


# %% tags=["solution"]
def bayes_rate_solution(tau):
    return 1 - np.arctan(tau / np.sqrt(2)) / np.pi


check("01.2", bayes_rate_solution, solution=True)

# %% [markdown]
# ### Exercise 01.3: equal or not
#
# *10 minutes.* Choose by hand the weights of a network that says 1 where both inputs,
# 0 or 1, are *equal*. Give `(W, b, v, c)`. The network is `hidden = step(x @ W + b)`,
# `output = step(hidden @ v + c)`, with the `step` of section 5.

# %% tags=["exercise"]
weights_by_hand = ...  # W (2, 2), b (2,), v (2,), c a number

check("01.3", weights_by_hand)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Equal means *both*, or *none*.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Both: step($x_1 + x_2 - 1.5$). None: step($0.5 - x_1 - x_2$).
#
# </details>
# <details><summary>Hint 3</summary>
#
# The output is an OR: `v = [1, 1]`, `c = -0.5`.
#
# </details>

# %% tags=["solution"]
weights_by_hand_solution = (
    np.array([[1, -1], [1, -1]]),  # both, none
    np.array([-1.5, 0.5]),
    np.array([1, 1]),
    -0.5,
)

check("01.3", weights_by_hand_solution, solution=True)

# %% [markdown]
# ### Exercise 01.4: how many images?
#
# *15 minutes.* From a learning curve, foretell how many images a target error
# needs: a line through the logarithms of both, as in section 7. Do not round.


# %% tags=["exercise"]
def images_needed(sizes, errors, target):
    """Fit errors = a * sizes**s; return the size at which the fit meets target."""
    raise NotImplementedError


check("01.4", images_needed)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Take logarithms: $\log e = \log a + s\log n$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.polyfit(u, v, 1)` returns slope and intercept.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Solve for $n$: $\log n = (\log e - \log a)/s$, then `np.exp`.
#
# </details>


# %% tags=["solution"]
def images_needed_solution(sizes, errors, target):
    slope, log_factor = np.polyfit(np.log(sizes), np.log(errors), 1)
    return np.exp((np.log(target) - log_factor) / slope)


check("01.4", images_needed_solution, solution=True)

# %% [markdown]
# ### Exercise 01.5: a rung of your own
#
# *30 minutes, a small project.* Ask the $k$ nearest training examples, by squared
# distance, and let them vote; at a tie any of the winners will do. Each example is a
# row; labels are whole numbers. Then give it 5,000 rows of `flat_train` and 1,000 of
# `flat_test`: where does it stand on the ladder, and what does an answer cost?


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
# `np.bincount(votes).argmax()` wins one row.
#
# </details>


# %% tags=["solution"]
def neighbors_vote_solution(x_train, y_train, x, k):
    distances = (x_train**2).sum(axis=1) - 2 * x @ x_train.T  # + |x|², common
    nearest = np.argsort(distances, axis=1)[:, :k]
    return np.array([np.bincount(votes).argmax() for votes in y_train[nearest]])


check("01.5", neighbors_vote_solution, solution=True)
