# %% [markdown]
# Twelve digits, each drawn again from two numbers and from twenty. What do eighteen
# more numbers buy?

# %%
import keras
from dl_course import common, data, latent, vae

(x_train, y_train), (x_test, y_test) = data.mnist()
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
mean_image = x_train.mean(axis=0)

# %%
few, rows = x_train[:10_000], {"digit": x_test[:12].reshape(-1, 28, 28)}
short = {"epochs": 2, "learning_rate": 0.002, "batch_size": 100}
for d in (2, 20):
    seed(1)
    halves = latent.build_dense_halves(d, mean_image=mean_image)
    _ = vae.train(vae.build_vae(*halves), few, **short)
    codes = common.predict(halves[0], x_test[:12])[0]
    rows[f"{d} numbers"] = latent.decode(halves[1], codes)
twenty = halves

# %% tags=["figure"]
alt = "Digits; two rows of blurred copies, the one from twenty numbers a little closer."
plots.show(latent.draw_rows(rows), alt=alt)

# %% [markdown]
# After two short passes neither copies well; twenty numbers keep a little more of
# each stroke than two. This chapter trains longer, and asks what a code of twenty
# numbers holds, what it costs, and what it is good for.

# %% [markdown]
# ## Recall
#
# 1. What two terms has the ELBO?
# 2. What does it miss of $\log p(x)$?
# 3. Why did a mean over pixels beside a sum over codes end badly?
#
# <details><summary>Answer</summary>
#
# 1. The expected log-likelihood of the image, minus the KL of the code from the
#    prior (chapter 07).
# 2. The KL of the encoder's guess from the true posterior.
# 3. The KL weighed 784 times too much, so the encoder gave up: collapse.
#
# </details>

# %% [markdown]
# ## 1. How many numbers does a digit need?
#
# The networks are those of chapter 07, with wider layers. Give them twenty latent
# numbers, and more training.

# %%
seed(2)
encoder, decoder = latent.build_dense_halves(20, mean_image=mean_image)
model = vae.build_vae(encoder, decoder, seed=seed(2))

# %% [markdown]
# **Predict.** Given enough passes, two numbers end at about 140 nats. Where are twenty
# after five passes, and does the network use all of them?

# %%
bar = progress_bar("VAE")
_ = vae.train(model, x_train, epochs=5, learning_rate=0.003, callbacks=[bar])
fit, kl = vae.elbo_terms(encoder, decoder, x_test)
claim("-ELBO, 20 numbers", np.mean(kl - fit), at_most=112)
claim("... of which the code costs", kl.mean(), at_least=17, at_most=27)

# %%
rates = latent.rate_of_each_unit(*common.predict(encoder, x_test))
claim("numbers in use (more than 0.1 nats)", np.sum(rates > 0.1), at_least=10)
claim("sum of the rates - KL", rates.sum() - kl.mean(), equals=0, tolerance=1e-3)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.4))
axis.bar(range(20), np.sort(rates)[::-1] / np.log(2), color=plots.BLUE)
axis.set(xlabel="latent numbers, largest first", ylabel="bits a digit")
axis.set_xticks(range(0, 20, 5))
plots.show(figure, alt="Bars of rates, falling from the left to the right.")

# %% [markdown]
# What each number carries, in bits: its share of the KL in nats, divided by $\log 2$.
# Some carry nothing. Such a number costs nothing either, since its $q$ is the prior:
# it is switched off (Burda et al., 2016, count the active ones). The repository's
# `benchmarks/vae.py` trains longer, with several seeds.
#
# Do random codes draw digits?

# %% tags=["figure"]
z = np.random.default_rng(seed(3)).normal(size=(36, 20))
figure = plots.images(latent.decode(decoder, z), columns=12, size=0.62)
plots.show(figure, alt="Thirty-six drawn digits: most are readable, some are not.")

# %% [markdown]
# Samples. Most could be digits, and some are in between: in twenty dimensions there
# is more room between the classes. Now a walk from digit to digit. It follows an arc,
# because in many dimensions nearly all codes lie near a sphere (White, 2016), and a
# straight line would cut through its empty inside:

# %% tags=["figure"]
codes = common.predict(encoder, x_test[:6])[0]
walks = [latent.spherical_path(codes[i], codes[i + 1], 12) for i in (0, 2, 4)]
pictures = [latent.decode(decoder, walk) for walk in walks]
figure = latent.draw_rows(
    dict(zip(["7 to 2", "1 to 0", "4 to 1"], pictures, strict=True))
)
plots.show(figure, alt="Three rows: one digit turns into another step by step.")

# %% [markdown]
# Three walks between test digits, twelve pictures each. The ends are good copies now.
# In the middle, strokes break and are joined anew.

# %% [markdown]
# ## 2. How likely is a digit really?
#
# The ELBO is a *lower* bound. How much is missing? With twenty numbers no grid helps:
# it would have too many cells. But draw $k$ codes from the encoder's guess. Weigh
# each by how well it explains $x$, and by how much more often the prior would draw it
# than the guess does,
#
# $$w = \frac{p(x\mid z)\,p(z)}{q(z\mid x)}, \qquad L_k = \mathbb E\log\frac1k
# \sum_{i=1}^k w_i$$
#
# The expected value of $w$ *is* $p(x)$. The logarithm of a mean of $k$ weights is on
# average too low, so it is a bound again, and a tighter one (Burda et al., 2016):
# $L_1$ is the ELBO, and $L_k \le L_{k+1} \le \log p(x)$.

# %%
reveal(latent.log_weights, latent.importance_bound)

# %% [markdown]
# **Predict.** The number of samples doubles from 1 to 64. How many nats does the
# bound rise in all: a tenth, a few, or tens? And does each doubling help as much as
# the one before?

# %%
log_w = latent.log_weights(encoder, decoder, x_test[:250], 64, seed=seed(4))
ks = 2 ** np.arange(7)
bounds = np.array([latent.importance_bound(log_w, int(k)).mean() for k in ks])
claim("each bound is above the one before", bool(np.all(np.diff(bounds) > 0)))
claim("64 samples above the ELBO", bounds[-1] - bounds[0], at_least=2, at_most=12)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.semilogx(ks, bounds, "o-", base=2)
axis.set(xlabel="samples k", ylabel="bound on log p(x) (nats)")
plots.show(figure, alt="The bound rises with the samples, ever more slowly.")

# %% [markdown]
# The bound on the log-likelihood, averaged over 250 test digits. Each doubling helps
# less. So the model is better than its ELBO said. Do not compare an ELBO of one paper
# with the $L_{5000}$ of another.

# %% [markdown]
# ## 3. What does β trade?
#
# The two terms pull against each other. The KL is a **rate**: how many nats the code
# tells about its digit. The drawing's cost is a **distortion**: what is wrong with
# the copy. A factor $\beta$ before the KL says how dear a nat of rate is (Higgins et
# al., 2017; Alemi et al., 2018).
#
# **Predict.** β = 0.1 and β = 10: which draws the sharper copies, which the better
# samples?

# %%
trade, samples = {}, {}
for beta in (0.1, 1, 3, 10):
    seed(1)
    if beta != 1:  # for β = 1 the chapter's first picture has trained it
        halves = latent.build_dense_halves(20, mean_image=mean_image)
        _ = vae.train(vae.build_vae(*halves, beta=beta), few, **short)
    else:
        halves = twenty
    f, r = vae.elbo_terms(*halves, x_test)
    trade[beta] = r.mean(), -f.mean()
    samples[f"β = {beta}"] = latent.decode(halves[1], z[:12])

# %%
rate, distortion = np.array(list(trade.values())).T
claim("more β, less rate", bool(np.all(np.diff(rate) < 0)))
claim("more β, more distortion", bool(np.all(np.diff(distortion) > 0)))
total = rate + distortion
claim("β = 1 beats both ends", bool(total[1] < min(total[0], total[-1])))

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
axis.plot(rate, distortion, "o-")
for beta, point in trade.items():
    axis.annotate(f" β = {beta}", point, va="bottom")
axis.set(xlabel="rate: KL (nats)", ylabel="distortion (nats)")
plots.show(figure, alt="A falling curve: less distortion costs more rate.")

# %% [markdown]
# The trade on test digits: a code that says less draws worse. And samples of each:

# %% tags=["figure"]
plots.show(
    latent.draw_rows(samples), alt="Samples: broken at β = 0.1, all alike at 10."
)

# %% [markdown]
# A row for each β. With a small one, codes are precise but lie where the prior rarely
# draws, so random codes miss them. With a large one the code collapses, and every
# sample is the average digit. Rate plus distortion is $-$ELBO for each of the four.
# But only β = 1 trains for that sum, so both ends pay. (After so few passes, a β a
# little off 1 may still be ahead.)

# %% [markdown]
# ## 4. Can a network see what it has never seen?
#
# A machine that watches sensors, or products on a belt, knows the normal ones only.
# Train on nine digits, and meet the tenth: does its cost stand out? Three scores
# compete, all with twenty numbers: the squared error of PCA, the cost of an
# autoencoder's drawing, and a VAE's $-$ELBO. The measure is the **AUC**: the chance
# that a random strange digit scores above a random normal one. It is 1 for a perfect
# alarm, and one half for a coin.

# %%
reveal(latent.auc)


# %%
def scores(strange):  # of the test digits, by models that never saw `strange`
    seed(6)
    x, out = few[y_train[:10_000] != strange], {}
    back = vae.apply_pca(x_test, *vae.fit_pca(x, 20))[1]
    out["PCA"] = np.sum((x_test - back) ** 2, axis=1)
    pair = latent.build_dense_halves(20, mean_image=x.mean(axis=0))
    autoencoder = keras.Model(pair[0].input, pair[1](pair[0].outputs[0]))
    _ = vae.train(autoencoder, x, **short)
    logits = common.predict(autoencoder, x_test)
    out["autoencoder"] = -vae.log_bernoulli(x_test, logits)
    pair = latent.build_dense_halves(20, mean_image=x.mean(axis=0))
    _ = vae.train(vae.build_vae(*pair), x, **short)
    f, r = vae.elbo_terms(*pair, x_test, samples=2)
    return out | {"VAE": r - f}


# %% [markdown]
# **Predict.** The 0 is left out, then the 1. Which of the two is harder to notice?

# %%
table = {}
for strange in (0, 1):
    is_strange = y_test == strange
    for name, s in scores(strange).items():
        table[name, strange] = latent.auc(s[~is_strange], s[is_strange])

# %%
claim("a 0 is noticed, VAE", table["VAE", 0], at_least=0.85)
claim("... better than by PCA", table["VAE", 0] - table["PCA", 0], at_least=0)
gap = table["VAE", 0] - table["autoencoder", 0]
claim("... about as well as by an autoencoder", gap, equals=0, tolerance=0.05)
claim("a 1 is taken for normal, VAE", table["VAE", 1], at_most=0.3)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 1.8))
for name, marker in zip(["PCA", "autoencoder", "VAE"], "so^", strict=True):
    axis.plot([table[name, d] for d in (0, 1)], [0, 1], marker, ms=9, label=name)
axis.axvline(0.5, color=plots.BLACK, ls=":")
axis.set(yticks=[0, 1], yticklabels=["0 left out", "1 left out"], xlabel="AUC")
axis.set(xlim=(0, 1), ylim=(1.5, -0.5))
axis.legend(loc="upper left")
plots.show(figure, alt="AUC of three scores for two left-out digits.")

# %% [markdown]
# Each mark is a score; the dotted line is a coin. A 0 stands out. The VAE notices it
# better than PCA does, but only about as well as an autoencoder. And the 1 lies far
# on the wrong side: it looks *more* likely than the digits that the models were
# trained on. It has little ink, and little ink costs
# little. A likelihood measures simplicity as well as strangeness (Nalisnick et al.,
# 2019). Look at the scores of plain things before you trust an alarm.

# %% [markdown]
# ## 5. Does convolution draw better?
#
# The tutorial that chapter 07 took apart wanted convolutions. Here is its network,
# repaired.

# %%
reveal(latent.build_document_halves)

# %% [markdown]
# **Predict.** This network and our dense one, both with 32 latent numbers, see 6000
# digits three times. Which one's $-$ELBO ends lower, and which takes longer?

# %%
import time

small, ends = x_train[:6000], {}
options = {"epochs": 3, "learning_rate": 0.002, "batch_size": 50}
for name in ("dense", "convolutional"):
    seed(7)
    if name == "dense":
        shape = (-1, 784)
        halves = latent.build_dense_halves(32, mean_image=mean_image)
    else:
        shape, halves = (-1, 28, 28, 1), latent.build_document_halves()
    start = time.perf_counter()
    _ = vae.train(vae.build_vae(*halves), small.reshape(shape), **options)
    print(f"{name}: {time.perf_counter() - start:.1f} s")
    ends[name] = vae.negative_elbo(*halves, x_test[:2000].reshape(shape))

# %%
claim("dense, -ELBO", ends["dense"], at_most=165)
claim("convolutional, -ELBO", ends["convolutional"], at_most=165)
gap = ends["dense"] - ends["convolutional"]
claim("dense - convolutional", gap, equals=0, tolerance=15)

# %% [markdown]
# The scores are about the same, and the convolutions take longer. A digit is small
# and lies in the middle, so knowing that strokes may move (chapter 05) helps little;
# on larger pictures it would help more. Section 1's dense network saw all digits many
# times, and ends far below both. Compare networks at equal cost, not at equal passes.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### Four times four (E153, E160)
#
# The tutorial's decoder doubles 4 twice, with kernels of 3 and strides of 2.

# %% tags=["E160"]
layers = keras.layers
options = {"strides": 2, "padding": "same"}
stack = [keras.Input((4, 4, 1)), layers.Conv2DTranspose(1, 3, **options)]
once = keras.Sequential(stack)
print(once.output_shape, latent.build_document_halves()[1].output_shape)

# %% [markdown]
# 8 here, 16 after two: never 28. And a kernel of 3, moved by strides of 2, reaches
# some pixels more often than others. Give it ones, and look.
#
# **Predict.** All weights are 1, and so are all pixels that come in. Are all pixels
# that come out equal?

# %%
once.layers[0].set_weights([np.ones((3, 3, 1, 1)), np.zeros(1)])
uneven = common.predict(once, np.ones((1, 4, 4, 1)))[0, 2:-2, 2:-2, 0]
even = keras.Sequential(
    [keras.Input((4, 4, 1)), layers.Conv2DTranspose(1, 4, **options)]
)
even.layers[0].set_weights([np.ones((4, 4, 1, 1)), np.zeros(1)])
smooth = common.predict(even, np.ones((1, 4, 4, 1)))[0, 2:-2, 2:-2, 0]
claim("kernel 3: values between", np.ptp(uneven), at_least=1)
claim("kernel 4: values between", np.ptp(smooth), equals=0, tolerance=1e-6)

# %% tags=["figure"]
figure = plots.images([uneven, smooth], ["kernel 3", "kernel 4"], columns=2)
for picture in (axis.images[0] for axis in figure.axes):
    picture.set_clim(0, 8)
plots.show(figure, alt="A checkerboard at the left, an even gray at the right.")

# %% [markdown]
# The checkerboard of Odena et al. (2016). Choose a kernel size that is a multiple of
# the stride.
#
# ### Nothing between the layers (E159)
#
# Its transposed convolutions have no activation. **Predict.** Three of them: how
# much more than one linear map can they do?

# %% tags=["E159"]
seed(8)
linear = [layers.Conv2DTranspose(3, 4, **options) for _ in range(3)]
linear = keras.Sequential([keras.Input((2, 2, 1)), *linear])
p, q = np.random.default_rng(seed(8)).normal(size=(2, 1, 2, 2, 1)).astype("float32")
sum_of_two = common.predict(linear, p) + common.predict(linear, q)
gap = np.abs(common.predict(linear, p + q) - sum_of_two).max()
claim("three layers differ from a linear map by", gap, at_most=1e-4)

# %% [markdown]
# Nothing more. And a linear end draws pixels below 0 and above 1.
#
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E157|codes from $\tanh$, no noise|prior samples mean nothing|two heads|
# |E163|"generation and compression"|neither was shown|sections 1 and 3|
# |E196|a VAE compresses|bits need an entropy coder|the KL is the rate|

# %% [markdown]
# ## Exercises
#
# ### Exercise 07b.1: a tighter bound
#
# *15 minutes.* Section 2's $\log\frac1k\sum_i w_i$ for each row, from $\log w_i$,
# which may be as low as −1000.


# %% tags=["exercise"]
def tighter_bound(log_w):
    """log_w is (rows, k); return (rows,)."""
    raise NotImplementedError


check("07b.1", tighter_bound)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $e^{-1000}$ is 0 in floats, and $\log 0$ is infinite.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Subtract the largest of each row first, and add it again at the end.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The mean of the exponentials, not their sum.
#
# </details>


# %% tags=["solution"]
def tighter_bound_solution(log_w):
    top = log_w.max(axis=1)
    return top + np.log(np.exp(log_w - top[:, None]).mean(axis=1))


check("07b.1", tighter_bound_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.2: bits a digit
#
# *10 minutes.* How many bits does the code of an image cost on average, from the
# encoder's $\mu$ and $\log\sigma^2$?


# %% tags=["exercise"]
def bits(mean, log_variance):
    """Both are (rows, d); return one number."""
    raise NotImplementedError


check("07b.2", bits)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The rate in nats is chapter 07's KL.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Sum over the code, average over the rows.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A bit is $\log 2$ nats: fewer nats than bits.
#
# </details>


# %% tags=["solution"]
def bits_solution(mean, log_variance):
    kl = -0.5 * np.sum(1 + log_variance - mean**2 - np.exp(log_variance), axis=1)
    return kl.mean() / np.log(2)


check("07b.2", bits_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.3: an alarm
#
# *15 minutes.* Scores above a threshold ring the alarm. Choose the threshold so that
# a share `false_alarms` of the *normal* scores rings. There are hundreds of scores, so
# it does not matter where it lies between two neighbors. Return it, and the share of
# the strange scores that ring.


# %% tags=["exercise"]
def alarm(normal, strange, false_alarms):
    """Return (threshold, share of strange scores above it)."""
    raise NotImplementedError


check("07b.3", alarm)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The threshold must not look at strange scores: nobody has them in advance.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A share of 0.05 above means a share of 0.95 below.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.quantile(normal, 1 - false_alarms)`.
#
# </details>


# %% tags=["solution"]
def alarm_solution(normal, strange, false_alarms):
    threshold = np.quantile(normal, 1 - false_alarms)
    return threshold, np.mean(np.asarray(strange) > threshold)


check("07b.3", alarm_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.4: the same hand, another digit
#
# *30 minutes, a small project.* Move codes from one class to another: take off the
# average code of class `old`, add that of class `new`. Then try it on `encoder`'s
# codes, decode, and look: what stays of the hand, that is, of the writer's style?


# %% tags=["exercise"]
def move(codes, codes_known, labels, old, new):
    """codes (n, d); codes_known (m, d) with labels (m,). Return (n, d)."""
    raise NotImplementedError


check("07b.4", move)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `codes_known[labels == old]` are the codes of one class.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Average over rows: `axis=0`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# All codes move by one and the same vector: new average minus old average.
#
# </details>


# %% tags=["solution"]
def move_solution(codes, codes_known, labels, old, new):
    average = [codes_known[labels == digit].mean(axis=0) for digit in (old, new)]
    return codes + average[1] - average[0]


check("07b.4", move_solution, solution=True)
