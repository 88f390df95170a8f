# %% [markdown]
# Chapter 08 ended with a generator that draws *some* digit. Now we order: a seven,
# please. Four things are needed: players that know the order, a judge that reads the
# delivery, a yardstick for how real it looks, and a recipe that needs about a minute.

# %%
import keras
from dl_course import cnn, common, craft, data, vae
from dl_course import conditional_gan as cg

(x_train, y_train), (x_test, y_test) = data.mnist()

# %% [markdown]
# ## Recall
#
# 1. What does the generator of chapter 08 lower, and why not $\log(1-D)$?
# 2. Which of the two networks needs real digits?
# 3. Why should a step of one player not change the other?
#
# <details><summary>Answer</summary>
#
# 1. $-\log D(G(z))$: its slope is strong when D is sure that a digit is drawn.
# 2. Only the discriminator. The generator learns from its gradient.
# 3. Two players that change together can agree on a fraud: D learns to please.
#
# </details>

# %% [markdown]
# ## 1. How do two players learn what was ordered?
#
# Tell both of them (Mirza & Osindero, 2014). The generator gets the class beside its
# noise: $G(z, c)$. The discriminator is asked a sharper question: is this a real
# *seven*? Miyato & Koyama (2018) give each class $c$ a vector of weights of its own,
# $e_c$, beside the common ones, $w$ and $b$. From D's features $f(x)$ the logit of
# "real" is
#
# $$l(x, c) = w^\top f(x) + b + e_c^\top f(x)$$
#
# And D gets a second task (Odena et al., 2017): say which digit it sees. It learns
# that from real digits. Through its gradient the generator is told how to look more
# like the class that was ordered.

# %%
reveal(cg.build_generator, cg.build_discriminator)

# %% [markdown]
# Convolutions on all $28\times28$ pixels are dear on a CPU. This generator computes
# at $7\times7$ and $14\times14$ only. `unfold` lays four channels out as two by two
# pixels, which costs nothing.
#
# **Predict.** Each has one large dense layer: G's first turns 42 numbers into
# $7\cdot7\cdot32$, D's turns $7\cdot7\cdot32$ into 128. Which network has more
# parameters?

# %%
seed(1)
G, D = cg.build_generator(), cg.build_discriminator()
print(f"generator {G.count_params():,}   discriminator {D.count_params():,}")

# %%
seven = x_test[:1]  # the first test digit
verdicts = [float(D([seven, cg.one_hot([c])])[0][0, 0]) for c in range(10)]
claim("ten orders, ten verdicts on one image", len(set(verdicts)) == 10)

# %% [markdown]
# ## 2. Who judges the delivery?
#
# Not D: the generator has learned to please it. We need a classifier that never met
# the generator. Chapter 05 has one; a single pass over the digits is enough here.
#
# **Predict.** How many of 10,000 real test digits will it misread?

# %%
seed(2)
judge = cnn.build_mnist_cnn()
bar = progress_bar("judge")
_ = cnn.train_mnist_cnn(judge, x_train, y_train, epochs=1, callbacks=[bar])
reader = cg.with_features(judge)


def read(images):  # -> features (n, 128), classes (n,)
    features, probabilities = reader.predict(images, batch_size=1000, verbose=0)
    return features, probabilities.argmax(axis=1)


# %%
features, predicted = read(x_test)
ceiling = np.mean(predicted == y_test)
claim("judge: accuracy on real digits", ceiling, at_least=0.98)

# %% [markdown]
# That is the ceiling for any generator: even real digits are not always read as
# meant. A delivery counts as right if the judge reads what was ordered.

# %% [markdown]
# ## 3. How far is one cloud of digits from another?
#
# A generator could send the same perfect seven a thousand times, and every one would
# count. So we also compare *clouds*. The judge's last hidden layer turns an image
# into 128 features. Take the two clouds, $a$ and $b$, as if they were normal
# distributions with means $\mu$ and covariances $\Sigma$. Their **Fréchet distance**
# (Dowson & Landau, 1982) is
#
# $$d = \lVert\mu_a-\mu_b\rVert^2 + \operatorname{tr}\bigl(\Sigma_a+\Sigma_b
# -2(\Sigma_a\Sigma_b)^{1/2}\bigr)$$
#
# The first part compares where the clouds lie, the second how they are spread. With
# the features of a network trained on ImageNet it is called FID, and judges most
# image generators (Heusel et al., 2017). In one dimension it is
# $(\mu_a-\mu_b)^2+(\sigma_a-\sigma_b)^2$:

# %%
rng = np.random.default_rng(seed(3))
a, b = rng.normal(0, 1, (1000, 1)), rng.normal(3, 2, (1000, 1))
short = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
gap = cg.frechet_distance(a, b) - short
claim("formula - short form", gap, equals=0, tolerance=1e-6)

# %% [markdown]
# A yardstick needs a zero and some marks. Two halves of the *real* test digits are
# not at distance 0, because they are samples. This is the **floor**: no generator
# needs to come nearer.
#
# **Predict.** Put these four in order, by their distance from the real digits: half
# of them; all of them, with noise; one digit of each class, a thousand times; nines
# only.


# %%
def distance(images):  # from the real test digits
    return cg.frechet_distance(read(images)[0], features)


one_each = np.array([np.argmax(y_test == c) for c in range(10)])
marks = {
    "other half": cg.frechet_distance(features[::2], features[1::2]),
    "training digits": distance(x_train[:10_000]),
    "noisy": distance(np.clip(x_test + rng.normal(0, 0.2, x_test.shape), 0, 1)),
    "nines only": cg.frechet_distance(features[y_test == 9], features),
    "ten images": cg.frechet_distance(features[one_each.repeat(1000)], features),
}

# %%
floor = marks["other half"]
claim("noisy / floor", marks["noisy"] / floor, at_least=3)
claim("ten images / floor", marks["ten images"] / floor, at_least=10)
claim("nines only / floor", marks["nines only"] / floor, at_least=30)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.2))
axis.barh(list(marks), list(marks.values()), color=plots.SKY)
axis.set(xscale="log", xlabel="Fréchet distance from real test digits")
axis.invert_yaxis()
plots.show(
    figure, alt="Bars: halves closest, noise farther, collapsed sets farthest."
)

# %% [markdown]
# Marks on the yardstick, on a log axis. Training digits lie near the floor. Noise
# through which anyone can read moves the cloud; missing variety moves it farther.
# Unlike the judge's reading, this number sees collapse.

# %% [markdown]
# ## 4. Can it learn the ten digits in a minute?
#
# One round moves both players. To save time, both learn from the same drawn digits. But
# each gradient still goes to its own player's weights only.

# %%
reveal(cg.make_step)

# %% [markdown]
# The last lines keep a third network: an **average** of the generator's recent past
# (Yazıcı et al., 2019). Players in a game circle around the goal, as in chapter 08;
# once they circle, their average is closer to it. The learning rate sinks along a
# cosine of 6000 rounds; we take the first 1200.
#
# **Predict.** After how many of 1200 rounds are nine of ten orders read as meant?

# %%
import time

orders = np.arange(10).repeat(100)
curve = {"rounds": [], "seconds": [], "recognized": [], "distance": []}
started = time.process_time()


def watch(i, average):
    global started
    if i % 200 == 0:
        used = time.process_time() - started  # without the time to judge
        images = cg.draw(average, orders, np.random.default_rng(0))
        points, classes = read(images)
        curve["rounds"].append(i)
        curve["seconds"].append(used)
        curve["recognized"].append(np.mean(classes == orders))
        curve["distance"].append(cg.frechet_distance(points, features))
        started = time.process_time() - used


rng = np.random.default_rng(seed(4))
G, D = cg.build_generator(), cg.build_discriminator()
generator = cg.train(G, D, x_train, y_train, rng, watch=watch)

# %% [markdown]
# Now the full order: 10,000 digits, a thousand of each.

# %%
asked = np.arange(10).repeat(1000)
drawn = cg.draw(generator, asked, rng)
drawn_features, classes = read(drawn)
shares = cg.recognized(classes, asked)
claim("read as ordered", shares.mean(), at_least=0.95)
claim("the worst of the ten classes", shares.min(), at_least=0.8)
ours = cg.frechet_distance(drawn_features, features)
claim("Fréchet distance / floor", ours / floor, at_most=25)

# %% [markdown]
# And the average itself: was it worth a third network? `G` is the last state.
#
# **Predict.** Which is farther from real digits, `G` or the average of its past?

# %%
last = read(cg.draw(G, asked[::4], rng))[0]
average = drawn_features[::4]  # as many, for a fair comparison
pair = [cg.frechet_distance(points, features) for points in (last, average)]
ratio = pair[0] / pair[1]
claim("last state / average, Fréchet distance", ratio, at_least=0.5, at_most=3)

# %% tags=["figure"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.6))
left.plot(curve["rounds"], curve["recognized"], "o-")
left.axhline(ceiling, color="gray", ls=":")
left.set(xlabel="rounds", ylabel="read as ordered", ylim=(0, 1.05))
right.semilogy(curve["seconds"], curve["distance"], "o-")
right.axhline(floor, color="gray", ls=":")
right.set(xlabel="CPU seconds", ylabel="Fréchet distance")
plots.show(figure, alt="Recognition rises to near the ceiling; the distance falls.")

# %% [markdown]
# What training bought: left by rounds, right by cost. The ceiling and the floor are
# dotted lines. Most is gained early.
#
# Whether the average is closer to real digits than `G` depends on the seed, so early
# in training. The last state carries the noise of its last steps. The average lags a
# hundred rounds behind a player that still learns fast. Its digits, nothing selected:

# %% tags=["figure"]
grid = drawn.reshape(10, 1000, 28, 28)[:, :12].swapaxes(0, 1).reshape(-1, 28, 28)
figure = plots.images(grid, columns=10, size=0.6)
plots.show(figure, alt="Twelve rows of ordered digits 0 to 9, most of them clear.")

# %% [markdown]
# Each column is one order, and each picture has noise of its own.
# `benchmarks/conditional_gan.py` gives the recipe more rounds and other seeds, beside a
# well-known example of the same task.
#
# The generator is saved and loaded like any model:

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    generator.save(Path(folder) / "digits.keras")
    again = keras.models.load_model(Path(folder) / "digits.keras")
orders = np.arange(10)
pair = [cg.draw(g, orders, np.random.default_rng(5)) for g in (generator, again)]
claim("saved and loaded: difference", np.abs(pair[0] - pair[1]).max(), at_most=1e-5)

# %% [markdown]
# ## 5. Which orders fail?
#
# **Predict.** Which two or three digits are delivered worst, and what does the judge
# take them for?

# %% tags=["figure"]
figure = plots.confusion(craft.confusion_matrix(asked, classes, 10))
figure.axes[0].set(xlabel="read by the judge", ylabel="ordered")
plots.show(figure, alt="Ordered against read: nearly all on the diagonal.")

# %% [markdown]
# Rows are orders, columns what the judge read; the darker a square, the more
# failures. Now look at some of them.

# %% tags=["figure"]
wrong = np.flatnonzero(classes != asked)
some = wrong[np.linspace(0, len(wrong) - 1, 16).astype(int)]
titles = [f"{asked[i]} read {classes[i]}" for i in some]
figure = plots.images(drawn[some], titles, columns=8, size=0.95)
plots.show(figure, alt="Sixteen failed orders: broken strokes, doubtful shapes.")

# %% [markdown]
# Sixteen failures: ordered first, then what the judge read. Most of them are not
# clean digits of another class: strokes are broken, or too many. One reason may be
# that noise $z$ changes continuously, while a real seven either has a bar or has
# none. What is drawn halfway is neither. Then the judge should be in doubt, too. Is
# it?

# %%
sure = reader.predict(drawn, batch_size=1000, verbose=0)[1].max(axis=1)
doubt = np.median(sure[classes != asked]) < np.median(sure[classes == asked])
claim("the judge is less sure of failed orders", doubt)

# %% [markdown]
# ## 6. Does it copy, and does it vary?
#
# A generator that had learned 60,000 digits by heart would win everything so far. So
# we look for the nearest training digit of 100 drawn ones, pixel by pixel. Real test
# digits, which cannot be copies, show what distance is normal.
#
# **Predict.** Which lie closer to the training set, drawn digits or new real ones?

# %%
some = rng.choice(10_000, 100, replace=False)
index, far = cg.nearest(drawn[some], x_train)
_, far_real = cg.nearest(x_test[some], x_train)
claim(
    "distance to training, drawn / new", far.mean() / far_real.mean(), at_least=0.6
)
claim("smallest distance of a drawn digit", far.min(), at_least=0.5)

# %% tags=["figure"]
both = np.concatenate([drawn[some[:10]], x_train[index[:10]]])
figure = plots.images(both, columns=10, size=0.7)
plots.show(figure, alt="Ten drawn digits, and below them their nearest real ones.")

# %% [markdown]
# Above drawn, below the nearest training digit: alike, but not copies. Does the
# generator also vary within one class? Compare the spread of features around their
# class's mean with the real spread. 1 means: as varied as real digits; 0: always the
# same picture.


# %%
def spread(points, labels):  # trace of the covariance, by class
    return np.array([np.trace(np.cov(points[labels == c].T)) for c in range(10)])


varied = spread(drawn_features, asked) / spread(features, y_test)
claim(
    "spread within a class, drawn / real", varied.mean(), at_least=0.4, at_most=1.6
)

# %% [markdown]
# About as varied as real digits: nothing has collapsed.
#
# Noise is a dial. Between two draws of one order we walk on a circle, so that the
# length of $z$ stays what the generator is used to. And we can walk between two
# *orders*, with the noise at rest.
#
# **Predict.** What lies between a 3 and an 8?

# %%
ends = np.random.default_rng(seed(5)).normal(size=(2, cg.NOISE))
angle = np.linspace(0, np.pi / 2, 10)[:, None]
walk = np.cos(angle) * ends[0] + np.sin(angle) * ends[1]
t = np.linspace(0, 1, 10)[:, None]
mixed = (1 - t) * cg.one_hot([3]) + t * cg.one_hot([8])
styles = generator.predict([walk, cg.one_hot(np.full(10, 5))], verbose=0)
between = generator.predict([ends[:1].repeat(10, axis=0), mixed], verbose=0)

# %% tags=["figure"]
figure = plots.images(np.concatenate([styles, between]), columns=10, size=0.7)
plots.show(
    figure, alt="A five changes its style; below, a three turns into an eight."
)

# %% [markdown]
# Above: ten fives on the way from one noise to another. Below: one noise, and the
# order slides from 3 to 8. The second is a question that no training digit asked.

# %% [markdown]
# ## 7. Is it better than a variational autoencoder?
#
# Chapter 07's VAE draws digits, too: it learns to describe real ones, and then
# decodes noise. Here it gets less time than the GAN got, half of the digits, and no
# labels. So this is a look at two characters, not a race.
#
# **Predict.** Which of the two is closer to real digits, by the yardstick? Which
# looks sharper?

# %%
seed(6)
pixels = x_train[:30_000].reshape(-1, 784)
encoder, decoder = vae.build_encoder(20), vae.build_decoder(20)
bar = progress_bar("VAE")
options = {"epochs": 3, "learning_rate": 0.002, "batch_size": 100}
_ = vae.train(vae.build_vae(encoder, decoder), pixels, callbacks=[bar], **options)
z = rng.standard_normal((10_000, 20), dtype="float32")
logits = decoder.predict(z, batch_size=1000, verbose=0)
vae_drawn = (1 / (1 + np.exp(-logits))).reshape(-1, 28, 28, 1)

# %%
theirs = distance(vae_drawn)
claim("Fréchet distance, VAE / GAN", theirs / ours, at_least=1.5)

# %% tags=["figure"]
rows = np.concatenate([vae_drawn[:10], drawn[some[:10]], x_test[:10]])
figure = plots.images(rows, columns=10, size=0.7)
plots.show(figure, alt="Three rows: soft VAE digits, crisp GAN digits, real ones.")

# %% [markdown]
# Rows: VAE, GAN, real. The VAE pays for every pixel of every real digit, so it hedges
# with gray, and some of its draws are between two digits. The GAN pays only for being
# found out. In turn the VAE gives what a GAN cannot: a bound on the probability of
# any image, a code for it, and a training that never circles.

# %% [markdown]
# ## 8. Are drawn digits good for anything?
#
# Some texts call generators a source of training data. Test that (Ravuri & Vinyals,
# 2019): train a classifier on drawn digits only, and let it read real ones.
#
# **Predict.** 10,000 drawn digits against 10,000 real ones: who teaches better?


# %%
def taught_by(images, labels):
    seed(7)
    model = craft.build_mlp(784, 10, units=128, depth=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.002), loss)
    model.fit(images.reshape(-1, 784), labels, batch_size=100, epochs=5, verbose=0)
    outputs = common.predict(model, x_test.reshape(-1, 784))
    return np.mean(outputs.argmax(axis=1) == y_test)


by_real = taught_by(x_train[:10_000], y_train[:10_000])
by_drawn = taught_by(drawn, asked)
by_both = taught_by(np.r_[drawn, x_train[:10_000]], np.r_[asked, y_train[:10_000]])

# %%
claim("taught by 10,000 drawn digits", by_drawn, at_least=0.75)
claim("real teaches better by", by_real - by_drawn, at_least=0.005)
claim(
    "gain of adding drawn to real", by_both - by_real, at_least=-0.02, at_most=0.02
)

# %% [markdown]
# Drawn digits teach, and as many real ones teach clearly better. Adding drawn to real
# hardly moves the score, although the generator has seen all 60,000 digits and this
# classifier only 10,000 of them. A generator cannot hand on what it has not learned.

# %% [markdown]
# ## Where the tutorials go wrong
#
# **Numbers that cannot be compared.** Fréchet distances are quoted without the number
# of images. **Predict.** All these images are real. Take 150 of them, 1000, or 5000.
# Which are farthest from all 10,000, and how many times farther than the next?

# %%
few = {}
for size in (150, 1000, 5000):
    rows = rng.choice(10_000, size, replace=False)
    few[size] = cg.frechet_distance(features[rows], features)
claim("150 real digits / 1000 real digits", few[150] / few[1000], at_least=2)
claim("1000 real digits / 5000 real digits", few[1000] / few[5000], at_least=2)

# %% [markdown]
# The fewer images, the larger the distance, though nothing is wrong with them: 128
# features have $128\cdot129/2 = 8256$ variances and covariances to estimate. Say how
# many images you used, and show the floor.
#
# **A judge who knows the answers.** A well-known example trains its GAN on all 70,000
# digits, test digits included. Then no digits are left that the generator has not
# seen, and section 6 cannot be done. Ours saw the 60,000.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E111 | "Radford, Metz & Chintala, ICML 32, 48–56" | the work is real, the place is not | Radford et al. (2016), ICLR |
# | E137 | GANs and VAEs are more efficient training methods | they are families of generative models, and GANs are harder to train than most | efficient training: better optimizers, mixed precision, distillation |

# %% [markdown]
# ## Exercises
#
# ### Exercise 08b.1: a telephone number
#
# 5 minutes. Turn a text such as `"0451-70"` into orders for the generator: a one-hot
# row for each digit, zeros in front included. Leave out all that is no digit: spaces,
# hyphens, letters.


# %% tags=["exercise"]
def orders_of(text):  # -> (n, 10)
    """A one-hot row for each digit of the text."""
    raise NotImplementedError


check("08b.1", orders_of)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `"7".isdigit()` is true, `" ".isdigit()` is not.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# First a list of integers, one for each digit.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `np.eye(10)[[3, 1]]` are two one-hot rows.
#
# </details>


# %% tags=["solution"]
def orders_of_solution(text):
    return np.eye(10)[[int(c) for c in text if c.isdigit()]]


check("08b.1", orders_of_solution, solution=True)

# %% [markdown]
# ### Exercise 08b.2: unfold
#
# 15 minutes. Lay four channels out as two by two pixels: `x` is (batch, s, s, 4), the
# result (batch, 2s, 2s). Channels 0 and 1 become the upper two pixels, from left to
# right, 2 and 3 the lower two.


# %% tags=["exercise"]
def unfold(x):  # (batch, s, s, 4) -> (batch, 2 s, 2 s)
    """Four channels become two by two pixels."""
    raise NotImplementedError


check("08b.2", unfold)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Make an array of zeros of the right shape. `y[:, 0::2, 0::2]` are its upper left
# pixels.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Channel 1 goes to the same rows and the next columns.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Without zeros: reshape to (batch, s, s, 2, 2), bring the axes in the order batch,
# row, small row, column, small column, reshape.
#
# </details>


# %% tags=["solution"]
def unfold_solution(x):
    batch, s = x.shape[:2]
    x = x.reshape(batch, s, s, 2, 2).transpose(0, 1, 3, 2, 4)
    return x.reshape(batch, 2 * s, 2 * s)


check("08b.2", unfold_solution, solution=True)

# %% [markdown]
# ### Exercise 08b.3: the distance without mixtures
#
# 10 minutes. If features do not vary together, the covariance matrices are diagonal,
# and the Fréchet distance is a sum over features of
# $(\mu_a-\mu_b)^2+(\sigma_a-\sigma_b)^2$. Compute that from two clouds of points. Use
# `ddof=1`.


# %% tags=["exercise"]
def diagonal_distance(a, b):  # (n, d), (m, d) -> a number
    """The Fréchet distance, as if features did not vary together."""
    raise NotImplementedError


check("08b.3", diagonal_distance)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A mean and a standard deviation for each *column*: `axis=0`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\sigma$ is the standard deviation, not the variance.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `np.std(a, axis=0, ddof=1)` divides by $n-1$.
#
# </details>


# %% tags=["solution"]
def diagonal_distance_solution(a, b):
    means = a.mean(axis=0) - b.mean(axis=0)
    deviations = a.std(axis=0, ddof=1) - b.std(axis=0, ddof=1)
    return np.sum(means**2 + deviations**2)


check("08b.3", diagonal_distance_solution, solution=True)

# %% [markdown]
# ### Exercise 08b.4: the network that trails behind
#
# 10 minutes. `averages` and `weights` are lists of arrays. Return the new averages:
# each keeps the share `decay` of itself and takes the rest from the weights.


# %% tags=["exercise"]
def trail(averages, weights, decay):  # -> a list of arrays
    """The averages after one more step."""
    raise NotImplementedError


check("08b.4", trail)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# It is the moving average of chapter 04, without correction.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `zip(averages, weights)` walks through both lists.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $a \leftarrow \beta\,a + (1-\beta)\,w$.
#
# </details>


# %% tags=["solution"]
def trail_solution(averages, weights, decay):
    pairs = zip(averages, weights, strict=True)
    return [decay * a + (1 - decay) * w for a, w in pairs]


check("08b.4", trail_solution, solution=True)

# %% [markdown]
# ### Exercise 08b.5: a catalog (project)
#
# 30 minutes. A catalog shall show `n` sevens that differ as much as possible.
# `features` are those of many sevens. Begin with the first one. Then always add the
# one whose nearest chosen neighbor is farthest away (Euclidean distance). Return the
# indices, in the order of choice; none comes twice.


# %% tags=["exercise"]
def choose(features, n):  # (m, d) -> n integers
    """Indices of n points, each far from all chosen before."""
    raise NotImplementedError


check("08b.5", choose)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Keep one number for each point: the distance to its nearest chosen point.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# After each choice that number can only shrink: `np.minimum(old, distance to new)`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The next choice is `argmax` of these numbers.
#
# </details>


# %% tags=["solution"]
def choose_solution(features, n):
    chosen, nearest = [0], np.full(len(features), np.inf)
    while len(chosen) < n:
        far = np.linalg.norm(features - features[chosen[-1]], axis=1)
        nearest = np.minimum(nearest, far)
        chosen.append(int(nearest.argmax()))
    return chosen


check("08b.5", choose_solution, solution=True)
