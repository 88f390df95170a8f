# %% [markdown]
# A network is a formula with numbers in it. This chapter takes the formula apart,
# down to one multiplication. Then it takes a dirty table of cars through the whole
# craft: clean, split, train, judge, improve. Training itself is a black box here;
# chapters 03 and 04 open it.

# %%
import keras
from dl_course import common, craft, data, network
from keras import layers

# %% [markdown]
# ## Recall
#
# From [chapter 01](01_background.ipynb):
#
# 1. What does logistic regression do to $w \cdot x + b$ before it calls the result
#    a probability?
# 2. Why can no perceptron learn XOR?
# 3. Why does one keep test examples away from training?
#
# <details><summary>Answer</summary>
#
# 1. It applies the sigmoid, $\sigma(z) = 1 / (1 + e^{-z})$.
# 2. It draws one straight line, and no straight line separates the two classes.
# 3. To learn how well the model does on examples that it has never met.
#
# </details>

# %% [markdown]
# ## 1. What is a network made of?
#
# A **unit** weighs its inputs, adds a bias, and bends the result:
#
# $$z = \sum_i w_i x_i + b, \qquad a = f(z).$$
#
# A weight belongs to a *connection*, the bias to the *unit*. Here $f$ turns negative
# numbers into 0.

# %%
x = np.array([2.0, -1.0, 0.5])  # three inputs
w, b = np.array([1.0, 3.0, 2.0]), 0.5
z = sum(w[i] * x[i] for i in range(3)) + b
print(f"z = {z}, a = {max(z, 0)}")

# %% [markdown]
# A **layer** is many units that read the same inputs. Their weights are the columns
# of a matrix, and a whole batch goes through at once. A **network** feeds each
# layer to the next:
#
# $$a^{(0)} = x, \qquad a^{(l)} = f_l\big(a^{(l-1)} W^{(l)} + b^{(l)}\big).$$

# %%
reveal(network.dense, network.forward)

# %% [markdown]
# **Predict.** A network has 3 inputs, a layer of 5 units and a layer of 2. How many
# numbers can it learn?

# %%
rng = np.random.default_rng(seed(1))
small = network.initial_layers([3, 5, 2], ["relu", "softmax"], rng)
twin = network.build_twin(small)  # the same network in Keras
claim("parameters", twin.count_params(), equals=15 + 5 + 10 + 2, tolerance=0)

# %% [markdown]
# Three times five weights and five biases, then five times two weights and two
# biases. Inputs have none; they only arrive. Do our layers compute what Keras
# computes? We ask a network of random sizes.

# %%
sizes = [int(size) for size in rng.integers(1, 30, 5)]
stack = network.initial_layers(sizes, ["relu", "tanh", "silu", "sigmoid"], rng)
batch = rng.normal(size=(16, sizes[0])).astype("float32")
theirs = keras.ops.convert_to_numpy(network.build_twin(stack)(batch))
difference = np.abs(network.forward(batch, stack)[-1] - theirs).max()
claim("largest difference to Keras", difference, at_most=1e-5)

# %% [markdown]
# Forward propagation is matrix products with a bend between them, and nothing else.

# %% [markdown]
# ## 2. Why must something bend?
#
# So far $f$ was a detail. Is it?
#
# **Predict.** Leave out $f$. What can ten layers do that one cannot?

# %%
rng = np.random.default_rng(seed(2))
q, A, B = rng.normal(size=(5, 3)), rng.normal(size=(3, 8)), rng.normal(size=(8, 2))
claim("two linear layers less one", np.ptp(q @ A @ B - q @ (A @ B)), at_most=1e-12)

# %% [markdown]
# Nothing: $(qA)B = q(AB)$, one layer with the matrix $AB$. Depth pays only if
# something bends in between. These functions do. We give each with its slope, for
# training multiplies slopes.

# %% tags=["figure"]
alt = "Four activations and their slopes; sigmoid and tanh go flat."
plots.show(network.plot_activations(), alt)

# %% [markdown]
# Four activations and their slopes. Sigmoid and tanh flatten on both sides: they
# **saturate**. ReLU (Nair & Hinton, 2010; Glorot et al., 2011) goes on forever to
# the right: an activation need not map to a fixed interval (E131).
#
# **Predict.** Read the sigmoid's greatest slope from the figure. How many times
# smaller is it at $z = 10$: ten, a hundred, or thousands?

# %% tags=["E131"]
z = np.linspace(-20, 20, 4001)
for name in ["sigmoid", "tanh", "relu", "leaky_relu", "softplus", "silu"]:
    f, slope = network.activate(name, z), network.slope(name, z)
    values = f"{f.min():6.2f} to {f.max():5.2f}"
    print(f"{name:10} values {values}, slope at 10: {slope[3000]:.5f}")

# %%
claim("sigmoid's greatest slope", network.slope("sigmoid", z).max(), at_most=0.25)
claim("its slope at z = 10", network.slope("sigmoid", 10.0), at_most=5e-5)
claim("relu of a million", network.activate("relu", 1e6), at_least=1e6)

# %% [markdown]
# ReLU of a million is a million. So "an activation maps into a fixed range" is wrong.
# What can such bends draw? Take hinges, $\max(0, x - k_i)$: each is flat until its
# knot $k_i$, then rises. To pass through given points, let each hinge bring the
# *change* of slope that is due at its knot.


# %%
def hinge_network(curve, width):
    knots = np.linspace(0, 1, width + 1)
    changes = np.diff(np.diff(curve(knots)) * width, prepend=0)
    hidden = (np.ones((1, width)), -knots[:-1], "relu")
    return [hidden, (changes[:, None], curve(knots[:1]), "linear")]


def curve(x):
    return np.sin(2 * np.pi * x) + 0.5 * np.cos(5 * np.pi * x)


# %% [markdown]
# **Predict.** Twice as many hinges: by which factor does the largest error shrink?

# %%
grid, widths, errors = np.linspace(0, 1, 2001)[:, None], [4, 8, 16, 32, 64, 128], []
for width in widths:
    drawn = network.forward(grid, hinge_network(curve, width))[-1]
    errors.append(np.abs(drawn - curve(grid)).max())
claim("error of 64 by 128", errors[4] / errors[5], at_least=3.8, at_most=4.2)

# %% tags=["figure"]
figure = network.plot_hinges(curve, hinge_network(curve, 8), widths, errors)
plots.show(
    figure, alt="Sums of hinges follow a wave; the error falls as width to the -2."
)

# %% [markdown]
# Each hinge bends the line once more; eight of them follow the large waves. Twice
# as many hinges leave a quarter of the error.
#
# This is the **universal approximation theorem** at work (Cybenko, 1989; Hornik et
# al., 1989): one hidden layer, wide enough, comes as close as you like to any
# continuous function on a closed interval. It says that good weights exist. It does
# not say that training finds them, nor that they are right where there are no data.

# %% [markdown]
# ## 3. How wrong is it?
#
# A **loss** turns all mistakes into one number. It only measures; an optimizer does
# the rest. For numbers one takes the mean squared error, or half of it, whose
# derivative has no 2:
#
# $$L = \frac1n\sum_i (\hat y_i - y_i)^2 \qquad\text{or}\qquad
# L = \frac1{2n}\sum_i (\hat y_i - y_i)^2.$$
#
# For classes, the last layer gives scores $z_k$, the **logits**. Softmax makes them
# probabilities. **Cross-entropy** charges minus the logarithm of the probability
# that the true class got; $y_k$ is 1 for this class, else 0:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad L = -\sum_k y_k \log p_k.$$
#
# **Predict.** The scores are 1000, 1001 and 1002. What does this formula give,
# typed in as it stands?

# %%
scores = np.array([1000.0, 1001.0, 1002.0])
with np.errstate(all="ignore"):
    print("as it stands:", np.exp(scores) / np.exp(scores).sum())
print("ours:        ", network.softmax(scores).round(3))
reveal(network.softmax)

# %% [markdown]
# $e^{1000}$ is infinite for a computer. But a constant $c$ added to all scores
# cancels, $e^{z_k + c} / \sum_j e^{z_j + c} = p_k$, so we may subtract the maximum.

# %%
shifted = np.abs(network.softmax(scores) - network.softmax(scores - 1234)).max()
claim("a shift of all scores changes softmax by", shifted, at_most=1e-12)

# %% [markdown]
# With two classes one score is enough: $p = \sigma(z)$ and
#
# $$L = -y \log p - (1 - y) \log(1 - p).$$
#
# **Predict.** The score is $-40$, the truth is *yes*. How large is the loss, taken
# from the score? And from the probability?

# %%
yes, score = np.array([1.0]), np.array([-40.0])
loss = network.binary_crossentropy
claim(
    "from the score", loss(yes, score, from_logits=True), equals=40, tolerance=1e-6
)
clipped = loss(yes, network.sigmoid(score))
claim("from the probability", clipped, equals=16.118, tolerance=1e-3)

# %% [markdown]
# A probability of $e^{-40}$ is clipped to $10^{-7}$, by us as by Keras: the loss
# stands still there, and nothing is learned. **Give losses the scores**: no
# activation in the last layer, `from_logits=True` in the loss. Squared error on a
# probability is flat in the same place:

# %% tags=["figure"]
alt = "Cross-entropy stays steep for wrong scores, squared error is flat."
plots.show(network.plot_losses(), alt)

# %% [markdown]
# On the left the network is sure and wrong. Cross-entropy still pulls; squared
# error has let go. Do our losses agree with Keras, and survive scores of ±10,000?

# %%
rng = np.random.default_rng(seed(3))
scores = rng.normal(size=(50, 4)).astype("float32")
scores[:10] *= 1e4
truth = np.eye(4, dtype="float32")[rng.integers(0, 4, 50)]
for name in ["binary_crossentropy", "categorical_crossentropy"]:
    ours = getattr(network, name)(truth, scores, from_logits=True)
    theirs = getattr(keras.losses, name)(truth, scores, from_logits=True)
    claim(
        f"{name}, ours by Keras's", ours / np.mean(theirs), equals=1, tolerance=1e-5
    )

# %% [markdown]
# ## 4. Where should the weights start?
#
# If all weights of a layer are equal, all its units compute the same, get the same
# corrections, and stay equal forever. Weights must differ: they start random. How
# large? Call the mean square $q$ of the inputs $a_i$ the signal's *power*. With
# independent weights of mean 0,
#
# $$\operatorname{Var}[z_j] = \sum_{i=1}^n \operatorname{Var}[w_{ij}]\,
# \mathrm E[a_i^2] = n \operatorname{Var}[w]\, q.$$
#
# Every layer multiplies the power by $n\operatorname{Var}[w]$, and ReLU keeps half
# of it. Glorot & Bengio (2010) chose $\operatorname{Var}[w] = 2 /
# (n_\text{in} + n_\text{out})$ for tanh; He et al. (2015) chose $2 / n_\text{in}$
# to make up for ReLU's half.
#
# **Predict.** 20 ReLU layers of 256 units, $\operatorname{Var}[w] = 1$. By which
# factor does each layer multiply the power?

# %%
rng = np.random.default_rng(seed(4))
noise, powers = rng.normal(size=(200, 256)), {}
for scheme in ["zeros", "large", "glorot", "he"]:
    deep = network.initial_layers([256] * 21, ["relu"] * 20, rng, scheme=scheme)
    powers[scheme] = [np.mean(a**2) for a in network.forward(noise, deep)]

# %% tags=["figure"]
alt = "Power through 20 layers: large explodes, glorot fades, he is level."
plots.show(network.plot_powers(powers), alt)

# %% [markdown]
# The power of the signal, layer by layer. Power 0 has no logarithm; it is drawn at
# the bottom.

# %%
claim("he: power after 20 layers", powers["he"][20], at_least=0.03, at_most=30)
claim("glorot under ReLU", powers["glorot"][20], at_most=1e-4)
claim("large", powers["large"][20], at_least=1e38)

# %% [markdown]
# Only He's start carries the signal through. Too large explodes by $256 / 2$ a
# layer. Glorot's variance $1/256$ loses one half a layer under ReLU. Zeros carry
# nothing. With tanh the large start does not explode. It does something quieter:

# %%
deep = network.initial_layers([256] * 21, ["tanh"] * 20, rng, scheme="large")
stuck = np.mean(np.abs(network.forward(noise, deep)[-1]) > 0.99)
claim("share of saturated tanh units", stuck, at_least=0.8, at_most=0.92)

# %% [markdown]
# Most units sit where the slope is almost zero, and can hardly learn.

# %% [markdown]
# ## 5. What is wrong with this table?
#
# Now the craft: prepare, build, train, evaluate, improve. These are cars sold in the
# USA from 1970 to 1982 (Ramos & Donoho, 1983). Our question: how many miles does a
# car go on a gallon? Step 1 of 5 is to **prepare** the data.

# %%
rows = data.cars()
print(rows[10])
print({key: sum(row[key] is None for row in rows) for key in rows[0]})
print(sorted({row["Name"].split()[0] for row in rows})[6:14])

# %% [markdown]
# Real dirt: missing numbers, makers spelled in several ways, two model years merged
# into one, and one car that is entered again under the next year. Mending them
# takes no estimate from other rows:

# %%
reveal(craft.clean_cars)

# %% [markdown]
# A limit that no car of the time exceeds catches a slip of the pen: the number
# becomes a hole. An odd but true car stays. An *outlier* is a reason to look, not
# to delete.
#
# Does it work? We add dirt that we know: forty copies, and a new car whose weight is
# in tons.
#
# **Predict.** How many rows more than in the clean table should be left? And what
# does a second cleaning change?

# %%
cars = craft.clean_cars(rows)
tons = cars[0] | {"Name": "test car", "Weight_in_lbs": 1.6}
again = craft.clean_cars([*cars, *cars[:40], tons])
claim("all copies are found", again[:-1] == cars)
claim("the weight in tons is now missing", again[-1]["Weight_in_lbs"] is None)
claim("cleaning twice is cleaning once", craft.clean_cars(cars) == cars)

# %% tags=["figure"]
alt = "Heavier cars go fewer miles; most of the heavy ones are American."
plots.show(craft.plot_cars(cars), alt)

# %% [markdown]
# Heavy cars go less far, on a curve rather than a line, and the heaviest are
# American.
#
# Next, **split**: training rows to learn from, validation rows to choose by, test
# rows to open once. The same model was sold for years, nearly unchanged. If it
# stands on both sides, the test rewards remembering. So a name goes to one side as
# a whole.

# %%
rng = np.random.default_rng(seed(5))
names = [row["Name"] for row in cars]
train, valid, test = craft.split_groups(names, (0.5, 0.2, 0.3), rng)
shared = {names[i] for i in train} & {names[i] for i in [*valid, *test]}
claim("no name is on two sides", not shared)

# %% [markdown]
# Then **scale**. Weights are in thousands, accelerations near 15; one learning rate
# cannot suit both. Standardizing makes each column $(x - \text{mean}) /
# \text{deviation}$. (Min-max scaling to $[0, 1]$ hangs on two rows alone: exercise
# 3.) Holes get the training median. All these are *learned* numbers: they may come
# from training rows only.

# %%
raw, miles, origin = craft.car_arrays(cars)  # (cars, 6), (cars,), (cars,)
statistics = craft.fit_statistics(raw[train])
x = craft.preprocess(raw, statistics)  # (cars, 6)

# %% [markdown]
# Keras has this as a layer, `Normalization`. And does anything leak from the test
# rows? We spoil them and look.

# %%
layer = layers.Normalization()
layer.adapt(raw[train, 3:])  # columns without holes
theirs = keras.ops.convert_to_numpy(layer(raw[:, 3:]))
claim("largest difference to Keras", np.abs(theirs - x[:, 3:]).max(), at_most=1e-3)

# %%
spoiled = raw.copy()
spoiled[test] = 1e6
means = [craft.fit_statistics(table[train])["mean"] for table in (raw, spoiled)]
claim("spoiled test rows change no statistic", np.array_equal(*means))

# %% [markdown]
# What if one forgets? Here is **leakage** at its plainest. Label the cars by
# tossing a coin. Invent 2000 random columns and keep the 40 that go best with the
# label. One assistant chooses them on all rows, the other on the training rows.
# Both then fit on training rows and test on test rows.
#
# **Predict.** On the test rows, how often is each right about the coin?

# %%
coin = rng.choice([-1.0, 1.0], len(cars))
junk = rng.normal(size=(len(cars), 2000))
hits = []
for seen in (np.arange(len(cars)), train):
    best = np.argsort(-np.abs(coin[seen] @ junk[seen]))[:40]
    fit = np.linalg.lstsq(junk[train][:, best], coin[train], rcond=None)[0]
    hits.append(np.mean(np.sign(junk[test][:, best] @ fit) == coin[test]))
claim("chosen on all rows: coins foretold", hits[0], at_least=0.58)
claim("chosen on training rows", hits[1], at_least=0.35, at_most=0.65)

# %% [markdown]
# The first assistant announces a discovery. Its cost comes later: on tomorrow's
# tosses it is right half of the time. The test rows had already voted on the
# columns.

# %% [markdown]
# ## 6. Does it work, and how sure is it?
#
# Step 2 is to **build**: choose the form of the function, its size and its start.

# %%
reveal(craft.build_mlp)

# %% [markdown]
# (`rate` and `decay` wait for section 7.) Step 3 is to **train**. The origin, a word,
# becomes three columns of 0 and 1: *one-hot*. Miles per gallon are scaled too, with
# the training rows' mean and deviation.


# %%
def fit(model, x, y, loss, learning_rate=2e-3, metrics=None, **more):
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=metrics)
    return model.fit(x, y, verbose=0, **more).history


# %%
inputs = np.hstack([x, np.eye(3, dtype="float32")[origin]])  # (cars, 9)
center, spread = miles[train].mean(), miles[train].std()
target = (miles - center) / spread
seed(6)
model = craft.build_mlp(9, 1)
history = fit(model, inputs[train], target[train], "mse", epochs=30)

# %% [markdown]
# Step 4 is to **evaluate**, beside the simplest rivals: always the median, and the
# best linear formula. We mean to improve later, so the validation rows judge; the
# test rows stay closed.
#
# **Predict.** How many miles per gallon off, on average, is *always the median*? And
# the network?

# %%
line = inputs @ np.linalg.lstsq(inputs[train], miles[train], rcond=None)[0]
guesses = common.predict(model, inputs)[:, 0] * spread + center
rivals = {"median": np.median(miles[train]), "linear": line, "network": guesses}
off = {name: np.abs(guess - miles)[valid].mean() for name, guess in rivals.items()}
claim("median: miles off", off["median"], at_least=4.5)
claim("linear", off["linear"], at_most=3.7)
claim("network", off["network"], at_most=3)

# %% [markdown]
# Now another question, with classes: where does a car come from? Its miles become an
# input, its origin the answer. We shall choose nothing by this result, so here the
# test rows may speak.

# %%
known = np.column_stack([x, target])  # (cars, 7)
seed(6)
classifier = craft.build_mlp(7, 3, units=32, depth=1)
by_scores = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
history = fit(classifier, known[train], origin[train], by_scores, 5e-3, epochs=40)

# %% [markdown]
# **Predict.** Five of eight cars are American, so *always American* is right five
# times of eight. How much better is the network? Which origin does it miss most?

# %%
chances = network.softmax(common.predict(classifier, known[test]))  # (cars, 3)
said = chances.argmax(axis=1)
matrix = craft.confusion_matrix(origin[test], said, 3)
precision, recall = craft.precision_recall(matrix)
claim("accuracy of always American", np.mean(origin[test] == 0), at_most=0.78)
claim("accuracy of the network", np.mean(said == origin[test]), at_least=0.65)
claim("share of American cars found (recall)", recall[0], at_least=0.7)
claim("share of European cars found", recall[1], at_most=0.85)

# %% tags=["figure"]
alt = "Confusion matrix of three origins; American cars are mostly found."
plots.show(plots.confusion(matrix, ["USA", "Eur.", "Jap."]), alt)

# %% [markdown]
# Rows are true origins, columns what the network said. Accuracy hides what the
# table shows: America is easy, the other two are not. **Recall** is the share of a
# row on the diagonal, **precision** the share of a column. Report both when classes
# are unequal.
#
# A probability is a promise too. Among all answers given with 80 % confidence, 80 %
# should be right: then the network is **calibrated** (Guo et al., 2017).

# %%
sure, right, count = craft.calibration(chances.max(axis=1), said == origin[test], 5)
gap = np.sum(np.abs(sure - right) * count) / count.sum()
claim("mean gap of confidence and accuracy", gap, at_most=0.2)

# %% [markdown]
# A hundred test cars settle this only roughly: the standard error of a share near
# 0.8 is $\sqrt{0.8 \cdot 0.2 / 119} \approx 0.04$.

# %% [markdown]
# ## 7. How does it get better, honestly?
#
# Step 5 is to **improve**: choose sizes and settings by validation rows. First,
# what goes wrong. A network of 407,050 parameters meets 1000 digits of MNIST. On a
# part of the labels someone has thrown dice.

# %%
(digits, labels), (new_digits, new_labels) = data.mnist()
picked = np.random.default_rng(seed(7)).permutation(60_000)[:2000]
digits, labels = digits[picked].reshape(-1, 784), labels[picked]
new_digits, new_labels = new_digits[:4000].reshape(-1, 784), new_labels[:4000]


# %%
def learn(noise, epochs=18, callbacks=(), **settings):
    rng = np.random.default_rng(seed(8))
    diced = np.where(
        rng.random(1000) < noise, rng.integers(0, 10, 1000), labels[:1000]
    )
    model = craft.build_mlp(784, 10, units=512, depth=1, **settings)
    more = {"batch_size": 100, "epochs": epochs, "callbacks": list(callbacks)}
    more["validation_data"] = (digits[1000:], labels[1000:])  # no dice here
    history = fit(
        model, digits[:1000], diced, by_scores, metrics=["accuracy"], **more
    )
    said = common.predict(model, new_digits).argmax(axis=1)
    return np.mean(said == new_labels), history


# %% [markdown]
# **Predict.** 407 parameters for each digit, and labels that are pure dice: how
# many of the 1000 can it learn by heart? And with sound labels, how well does it
# read new digits?

# %%
read, history = learn(noise=1.0, epochs=20)
claim("dice learned by heart", history["accuracy"][-1], at_least=0.9)
claim("new digits read after that", read, at_most=0.25)

# %%
read, history = learn(noise=0.0, epochs=10)
claim("sound labels learned", history["accuracy"][-1], at_least=0.98)
claim("new digits read with sound labels", read, at_least=0.84)

# %% [markdown]
# The same network learns noise by heart (Zhang et al., 2017), and reads digits
# well. So *many parameters need much data* is no law (E052), and *deep networks
# generalize* is none either (E093): the data decide too. Between these ends
# lies every real table. With 40 % dice, four ways:
#
# - **plain**, 18 epochs;
# - **dropout** (Srivastava et al., 2014): in training, silence each unit with
#   probability $r$ and divide the others by $1 - r$, so that the mean stays;
# - **weight decay**, or L2: add $\lambda \sum w^2$ to the loss, so that large
#   weights must pay (L1, $\lambda \sum |w|$, makes many of them 0);
# - **early stopping**: after a few epochs without progress on validation rows, stop
#   and go back to the best.

# %% tags=["E052", "E093"]
rng, rate = np.random.default_rng(seed(9)), 0.4
dropped = (rng.random(50_000) >= rate) / (1 - rate)  # dropout of a signal of ones
claim("mean after dropout", dropped.mean(), equals=1, tolerance=0.03)
penalty = keras.regularizers.L2(0.1)(np.array([3.0, 4.0]))
claim("0.1 times the sum of squares", float(penalty), equals=2.5, tolerance=1e-5)

# %%
early = keras.callbacks.EarlyStopping
stop = early("val_accuracy", patience=3, mode="max", restore_best_weights=True)
runs = {"plain": learn(0.4), "dropout": learn(0.4, rate=0.6)}
runs["weight decay"] = learn(0.4, decay=0.02)
runs["early stopping"] = learn(0.4, callbacks=[stop])

# %% tags=["figure"]
figure = craft.plot_runs({name: history for name, (_, history) in runs.items()})
plots.show(
    figure, alt="Validation accuracy peaks early, then falls as noise is learned."
)

# %% [markdown]
# Accuracy on sound validation digits, epoch by epoch. Dotted: the plain network on
# its own training labels, dice included.

# %%
plain = runs["plain"][0]
claim("plain: new digits read", plain, at_most=0.76)
claim("dropout reads more", runs["dropout"][0] - plain, at_least=0.02)
heart = [runs[name][1]["accuracy"][-1] for name in ("plain", "weight decay")]
claim("weight decay learns less by heart", heart[0] - heart[1], at_least=0.2)
claim("early stopping reads more", runs["early stopping"][0] - plain, at_least=0.05)

# %% [markdown]
# First the network learns digits, then it learns dice, and forgets digits over it.
# Early stopping takes the peak and saves epochs. Weight decay learns far less by
# heart, but what that gains on new digits differs from seed to seed, down to almost
# nothing: its strength $\lambda$ has to be chosen too.
#
# Back to the cars. How many units, how much dropout? Nobody knows; draw at random
# and compare (Bergstra & Bengio, 2012). The test rows are *sealed*: we overwrite
# them with NaN, so that whoever reads them is found out.

# %%
sealed = inputs.copy()
sealed[test] = np.nan
rng, attempts = np.random.default_rng(seed(10)), []
for _ in progress(range(5), "random search"):
    units, rate = int(rng.choice([16, 32, 64, 128])), rng.choice([0.0, 0.1, 0.2])
    model = craft.build_mlp(9, 1, units, rate=rate, decay=10 ** rng.uniform(-5, -2))
    stop = early(patience=6, restore_best_weights=True)
    more = {"validation_data": (sealed[valid], target[valid]), "callbacks": [stop]}
    fit(model, sealed[train], target[train], "mse", 5e-3, epochs=30, **more)
    wrong = common.predict(model, sealed[valid])[:, 0] - target[valid]
    attempts.append((np.abs(wrong).mean() * spread, model))
claim("no attempt saw a sealed row", all(np.isfinite(a[0]) for a in attempts))

# %% [markdown]
# **Predict.** The winner's validation error: is it a fair guess of its test error,
# too low or too high?

# %%
best, winner = min(attempts, key=lambda attempt: attempt[0])
guesses = common.predict(winner, inputs[test])[:, 0] * spread + center  # unsealed
claim(
    "winner: miles off on test rows",
    np.abs(guesses - miles[test]).mean(),
    at_most=3,
)

# %% [markdown]
# Too low, on average: it is the smallest of five noisy numbers.
# Only rows that took no part in any choice give an honest figure, and they give it
# once.

# %% [markdown]
# ## 8. Who feeds the network?
#
# A fast machine waits if its data come slowly. Let a slow disk need 20 ms for a
# batch, and let a training step take 20 ms on an accelerator (both played by
# `sleep`).

# %%
import time

import tensorflow as tf


def slow_disk():
    for start in range(0, 1000, 50):
        time.sleep(0.02)
        reads.append(start)
        yield digits[start : start + 50]


reads, batch = [], tf.TensorSpec((50, 784), "float32")
options = tf.data.Options()
options.experimental_optimization.inject_prefetch = False  # TensorFlow's own help
plain = tf.data.Dataset.from_generator(slow_disk, output_signature=batch)

# %% [markdown]
# `prefetch` reads the next batch while the current one is used. `cache` keeps what
# was read for the next epoch.
#
# **Predict.** Two epochs have 40 batches. How many reads, and how many seconds,
# does each of the two save?

# %%
feeds = {"plain": plain, "prefetch": plain.prefetch(2), "cache": plain.cache()}
for name, dataset in feeds.items():
    reads.clear()
    started = time.perf_counter()
    for _ in dataset.repeat(2).with_options(options):
        time.sleep(0.02)  # the training step
    print(f"{name:8} {len(reads)} reads, {time.perf_counter() - started:.1f} s")
claim("batches read with cache", len(reads), equals=20, tolerance=0)

# %% [markdown]
# Prefetching reads as much, but hides reading behind computing. The cache reads
# once. Use both. (TensorFlow now adds a prefetch of its own; we switched it off to
# see the effect.) If reading is the slower of the two, only the cache helps, or
# more readers. Such a data set goes to `fit` as it is, batches of pairs $(x, y)$.
# Beware of the order:

# %%
numbers = tf.data.Dataset.range(100)
frozen, fresh = numbers.shuffle(100).cache(), numbers.cache().shuffle(100)
first, second = ([int(n) for n in frozen] for _ in range(2))
claim("shuffled, then cached: one order forever", first == second)
first, second = ([int(n) for n in fresh] for _ in range(2))
claim("cached, then shuffled: a new order", first != second)

# %% [markdown]
# So: read, `cache`, `shuffle`, `batch`, `prefetch`. On other backends
# `keras.utils.PyDataset` reads ahead with Python workers.

# %% [markdown]
# ## Where the tutorials go wrong
#
# An E number names one error in the five tutorials.
#
# **Preprocessing in place** (E063). The cell is run twice, as happens in notebooks.

# %% tags=["E063"]
original = np.random.default_rng(seed(11)).uniform(0, 255, 1000)
pixels = original.copy()
for _ in range(2):
    pixels /= 255
    pixels -= pixels.mean()
claim("deviation after two runs", pixels.std(), at_most=0.002)

# %% [markdown]
# It should be $1/\sqrt{12}$, that of numbers spread evenly over $[0, 1]$. The mend is
# a pure function of the raw data: run it as often as you like.

# %%
once, twice = (craft.preprocess(raw, statistics) for _ in range(2))
claim("a pure function repeats itself", np.array_equal(once, twice))

# %% [markdown]
# **"In the forward pass each node updates its weights"** (E084).

# %% tags=["E084"]
probe = keras.Sequential([layers.Dense(3), layers.BatchNormalization()])
probe.build((8, 4))
before = probe.get_weights()
probe(rng.normal(size=(8, 4)), training=True)
trio = zip(probe.weights, before, probe.get_weights(), strict=True)
print([variable.name for variable, old, new in trio if (old != new).any()])

# %% [markdown]
# What training learns stays put. Only batch normalization's running statistics
# moved. Forward computes, backward differentiates, the optimizer updates.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E042, E128 | Weights and biases connect nodes; a node has a weight and a bias | A weight lies on a connection, a bias in a unit | $d$ inputs, $u$ units: $du + u$ numbers |
# | E129 | A node activates weight times input | The sum and the bias are missing | $f(\sum_i w_i x_i + b)$ |
# | E070, E175 | A forward pass is $f(xW + b)$; a layer is one sum | That is one layer; that is one unit | Section 1's recursion, one notation |
# | E043 | An activation maps input to output | So does every function | It must be non-linear: section 2 |
# | E130 | Every layer has weights | Input, flatten, pooling and dropout have none | Section 1 counts them |
# | E080 | A network is a pipeline of nodes | It is a graph of layers, without cycles once loops in time are unrolled; branches are allowed | Goodfellow et al. (2016), sections 6.5 and 10.1 |
# | E085 | Preprocessing belongs to the forward pass | It comes before, unless it is a layer | Section 5 |
# | E046 | Building a model converts the data | That is preprocessing | Form, size and start of a function |
# | E132 | A loss brings predictions closer to the truth | It measures | The optimizer moves |
# | E047 | To improve is to compute gradients and update | That is training | Choose by validation: section 7 |
# | E123 | Linear regression as a deep model | No hidden layer, no activation | A hidden layer with a non-linear activation makes it a network |

# %% [markdown]
# ## Exercises
#
# About 45 minutes. Each check tells you what seems to be wrong.

# %% [markdown]
# ### Exercise 02.1: log softmax
#
# 8 minutes. Return $\log p_k$ for each row of scores `z`, shape (batch, classes).
# It must survive scores of ±10,000.


# %% tags=["exercise"]
def log_softmax(z):
    """Logarithm of softmax along the last axis."""
    raise NotImplementedError


check("02.1", log_softmax)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Subtract each row's maximum first (`keepdims=True`).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Do not take the logarithm of softmax: a tiny probability is already 0.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $\log p_k = z_k - \log\sum_j e^{z_j}$.
#
# </details>


# %% tags=["solution"]
def log_softmax_solution(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


check("02.1", log_softmax_solution, solution=True)

# %% [markdown]
# ### Exercise 02.2: a network by hand
#
# 10 minutes. Six points: `knots` (increasing, *unevenly* spaced) and `heights`. The
# hidden layer is $\max(0, x - k_i)$ for the first five knots. Return its five
# output weights and the output bias, so that the network passes through all points.


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
#
# <details><summary>Hint 2</summary>
#
# The slopes are `np.diff(heights) / np.diff(knots)`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Each hinge adds the change from the slope before; before the first knot it is 0.
#
# </details>


# %% tags=["solution"]
def draw_solution(knots, heights):
    slopes = np.diff(heights) / np.diff(knots)
    return np.diff(slopes, prepend=0), heights[0]


check("02.2", draw_solution, solution=True)

# %% [markdown]
# ### Exercise 02.3: min-max without a leak
#
# 8 minutes. Scale each column to $[0, 1]$ by $(x - \min) / (\max - \min)$. Return
# the scaled training rows and the scaled new rows. If a column is constant in
# training, only subtract its minimum.


# %% tags=["exercise"]
def min_max(train, new):
    """Both arrays, scaled with the training rows' numbers."""
    raise NotImplementedError


check("02.3", min_max)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Minimum and maximum run along `axis=0`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Use the training rows' numbers for both. New rows may fall outside $[0, 1]$: let
# them.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Where the width is 0, divide by 1.
#
# </details>


# %% tags=["solution"]
def min_max_solution(train, new):
    low, width = train.min(axis=0), np.ptp(train, axis=0)
    width = np.where(width == 0, 1, width)
    return (train - low) / width, (new - low) / width


check("02.3", min_max_solution, solution=True)

# %% [markdown]
# ### Exercise 02.4: when to stop
#
# 15 minutes. Walk through the validation losses. Stop after the first epoch that is
# `patience` epochs later than the best one so far (a tie is no improvement), or at
# the end. Return two epochs, counted from 0: where you stop, and which weights you
# keep.


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
#
# <details><summary>Hint 2</summary>
#
# Remember the best epoch. A new best starts the patience anew.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Break as soon as `epoch - best >= patience`.
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
