# %% [markdown]
# Two digits, and what lies halfway between them: pixel by pixel.

# %%
import keras
from dl_course import common, data, vae

(x_train, y_train), (x_test, y_test) = data.mnist()
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)

# %% tags=["figure"]
seven, three = 4049, 4770  # each looks like most of its class
a, b = x_test[[seven, three]]
path = [(1 - t) * a + t * b for t in np.linspace(0, 1, 7)]
figure = plots.images(np.reshape(path, (7, 28, 28)), columns=7)
plots.show(figure, alt="A seven fades out while a three fades in, like ghosts.")

# %% [markdown]
# Seven pictures from a seven to a three. The middle ones are no digits, but two
# ghosts at once. Pixels are the wrong numbers to mix. This chapter finds better ones:
# few numbers for each digit, such that *every* choice of them draws a digit.

# %% [markdown]
# ## Recall
#
# 1. A sigmoid ends in $p$, the pixel is $x$. What does binary cross-entropy charge?
# 2. Two layers without an activation between them: what can they compute?
# 3. What does back-propagation need of every operation on the way?
#
# <details><summary>Answer</summary>
#
# 1. $-x\log p-(1-x)\log(1-p)$: minus the log-likelihood of a coin (chapter 02).
# 2. One linear map (chapter 02).
# 3. A derivative with respect to its inputs (chapter 03).
#
# </details>

# %% [markdown]
# ## 1. How much of a digit fits into two numbers?
#
# A digit has 784 pixels. Keep two numbers, throw the pixels away, and draw the digit
# again. The oldest way is **principal component analysis** (PCA): lay the plane
# through the data that misses them least, and keep each digit's shadow on it. Let $m$
# be the mean digit. The rows of $U$ are the plane's axes, the two eigenvectors of the
# covariance with the largest eigenvalues. The code $z$ and the drawing $\hat x$ are
#
# $$z = U\,(x-m), \qquad \hat x = m + U^\top z$$

# %%
reveal(vae.fit_pca, vae.apply_pca)

# %% [markdown]
# Nobody told it which digit is which: learning without labels is called
# **unsupervised**. An **autoencoder** (Hinton & Salakhutdinov, 2006) does the same
# with networks: an **encoder** $z = e(x)$, and a **decoder** $\hat x = d(z)$, both
# trained to reproduce the input. Without activations it could only find PCA's plane
# (Baldi & Hornik, 1989). With them the plane may bend.

# %%
reveal(vae.build_encoder, vae.build_decoder)

# %% [markdown]
# The encoder has two outputs. For now we use the first one only.

# %%
seed(1)
mean_image = x_train.mean(axis=0)
coder, drawer = vae.build_encoder(2), vae.build_decoder(2, mean_image=mean_image)
autoencoder = keras.Model(coder.input, drawer(coder.outputs[0]))
_ = vae.train(
    autoencoder, x_train, epochs=2, callbacks=[progress_bar("autoencoder")]
)


# %%
def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def error(x_hat):  # mean squared, on digits that no method has seen
    return np.mean((x_hat - x_test) ** 2)


by_pca = vae.apply_pca(x_test, *vae.fit_pca(x_train, 2))[1]
by_network = sigmoid(common.predict(autoencoder, x_test))

# %% [markdown]
# **Predict.** Draw the average digit, whatever comes in: that makes some error. Which
# share of this error is left with PCA's two numbers, and which with the network's?

# %%
average = error(mean_image)
claim("error left by PCA", error(by_pca) / average, equals=0.825, tolerance=0.01)
claim("error left by the autoencoder", error(by_network) / average, at_most=0.7)

# %% tags=["figure"]
rows = np.concatenate([x_test[:10], by_pca[:10], by_network[:10]])
figure = plots.images(rows.reshape(-1, 28, 28), columns=10, size=0.7)
for axis, name in zip(figure.axes[::10], ["digit", "PCA", "network"], strict=True):
    axis.text(-4, 14, name, ha="right", va="center")
plots.show(figure, alt="Ten digits, PCA's smears, and the network's clear copies.")

# %% [markdown]
# Digits above, PCA in the middle, the network below. Two numbers on a plane draw
# smears; two numbers on a bent sheet draw digits, though sometimes the wrong one.

# %% [markdown]
# ## 2. Why can an autoencoder not imagine?
#
# The decoder draws from any two numbers. So choose them at random, and a new digit
# should come out. But at random *where*? Nothing in training said where codes may
# lie. Look at them.

# %%
codes = common.predict(coder, x_train)[0]  # (60000, 2)
center, spread = codes.mean(axis=0), np.linalg.cholesky(np.cov(codes.T))
standard = np.linalg.solve(spread, (codes - center).T).T  # mean 0, covariance I

# %% [markdown]
# Codes spread as they like. The best normal distribution that we can fit has their
# mean and covariance. Cut it into 400 cells of equal probability: were the fit right,
# each would hold 150 of the 60,000 codes. `unevenness` is the KL divergence of the
# true shares from equal ones (section 4 explains it): zero if the fit is right.
#
# **Predict.** Do the codes fill the 400 cells evenly?

# %%
uneven = {"autoencoder": vae.unevenness(standard)}
claim("spread of the codes", codes.std(axis=0).max(), at_least=2)
claim("unevenness, autoencoder", uneven["autoencoder"], at_least=0.25)

# %% tags=["figure"]
rng = np.random.default_rng(seed(2))
drawn = center + rng.normal(size=(40, 2)) @ spread.T
images = sigmoid(common.predict(drawer, drawn.astype("float32")))
figure = plots.images(images.reshape(-1, 28, 28), columns=10, size=0.7)
plots.show(figure, alt="Forty random drawings: digits, and blots between digits.")

# %% [markdown]
# Forty random codes, drawn. Many are digits, and some are blots: no digit ever
# trained the decoder there. Codes lie in rays and one clump, as a picture in section
# 7 will show, and a normal distribution is the wrong shape. We had to look at all
# codes to fit even that. We need a network that *knows* where its codes lie.

# %% [markdown]
# ## 3. What should be learned instead?
#
# Turn the story around, and begin with the imagining. First draw a code from a fixed
# **prior**, $p(z)=\mathcal N(0, I)$. Then let the decoder, with weights $\theta$,
# turn it into a distribution over images, $p_\theta(x\mid z)$. Learning means: make
# the real digits likely, whichever code they came from,
#
# $$\log p_\theta(x) = \log\int p_\theta(x\mid z)\,p(z)\,dz$$
#
# The integral is the trouble. Hardly any $z$ explains a given digit, so random ones
# miss. Guess where to look: an encoder with weights $\phi$ proposes
# $q_\phi(z\mid x)$, a normal distribution of codes for this one image. Multiply and
# divide by it. Then use that the logarithm of a mean is at least the mean of the
# logarithms (Jensen's inequality):
#
# $$\log p_\theta(x) = \log \mathbb E_q\!\left[\frac{p_\theta(x\mid z)\,p(z)}
# {q_\phi(z\mid x)}\right] \ge \mathbb E_q[\log p_\theta(x\mid z)] -
# D_{KL}\big(q_\phi(z\mid x)\,\Vert\,p(z)\big)$$
#
# The right side is the **evidence lower bound**, ELBO (Kingma & Welling, 2014;
# Rezende et al., 2014). All of it is measured in **nats**: bits, but with the natural
# logarithm, so one nat is about 1.44 bits. The first term wants good drawings. The
# second, a KL divergence, charges for codes that stray from the prior. What is lost
# is exactly the divergence of $q$ from the true **posterior** $p_\theta(z\mid x)$,
# which says where the code of $x$ may really lie:
#
# $$\log p_\theta(x) - \text{ELBO} = D_{KL}\big(q_\phi(z\mid x)\,\Vert\,
# p_\theta(z\mid x)\big) \ge 0$$
#
# Try it where everything can be solved, with one number for $x$ and one for $z$:
# $x\mid z\sim\mathcal N(az, s^2)$. Then $p(x)=\mathcal N(0, a^2+s^2)$.

# %%
a, s, x = 2.0, 1.0, 3.0


def fit(mean, log_variance):  # E log N(x; a z, s²) over z from q
    square = (x - a * mean) ** 2 + a**2 * np.exp(log_variance)
    return -0.5 * (np.log(2 * np.pi * s**2) + square / s**2)


def elbo(mean, log_variance):
    return fit(mean, log_variance) - vae.gaussian_kl([mean], [log_variance])


# %% [markdown]
# **Predict.** Over all means and widths of $q$, how close to $\log p(x)$ does the
# ELBO come, and where?

# %%
log_p = vae.log_normal([x], 0, np.log([a**2 + s**2]))
means, deviations = np.linspace(-1, 3, 81), np.linspace(0.1, 1.5, 71)
surface = np.array([[elbo(m, 2 * np.log(d)) for m in means] for d in deviations])
variance = s**2 / (a**2 + s**2)  # of the true posterior
best = elbo(a * x / s**2 * variance, np.log(variance))
claim("the ELBO is nowhere above log p", bool(surface.max() <= log_p))
claim("gap at the true posterior", log_p - best, equals=0, tolerance=1e-9)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 3.2))
levels = [0.1, 0.5, 1, 2, 4, 8]
lines = axis.contour(means, deviations, log_p - surface, levels, colors="k")
axis.clabel(lines)
axis.plot(a * x / s**2 * variance, np.sqrt(variance), "*", ms=12, color=plots.RED)
axis.set(xlabel="mean of q", ylabel="standard deviation of q")
plots.show(figure, alt="Rings around a star: the gap grows away from it.")

# %% [markdown]
# The gap in nats, for every $q$. At the star, the true posterior, it is zero. Raising
# the ELBO through $\phi$ moves $q$ toward the star. Raising it through $\theta$
# pushes $\log p$ up from below. Training does both at once.

# %% [markdown]
# ## 4. What does the KL divergence charge?
#
# By definition it is $\mathbb E_q[\log q(z)-\log p(z)]$, an average over draws. Let
# $q$ be normal with means $\mu_d$ and deviations $\sigma_d$, and $p$ the standard
# normal prior. Then the average can be done on paper:
#
# $$D_{KL} = \tfrac12\sum_d\left(\mu_d^2+\sigma_d^2-1-\log\sigma_d^2\right)$$

# %%
reveal(vae.gaussian_kl, vae.monte_carlo_kl)

# %% [markdown]
# **Predict.** Take ten random choices of $\mu$ and $\log\sigma^2$ in 20 dimensions,
# and average 20,000 draws for each. How many standard errors is the worst of the ten
# averages away from the formula: less than 1, up to 4, or more?

# %%
rng = np.random.default_rng(seed(3))
mean, log_variance = rng.normal(size=(2, 10, 20))
estimate, standard_error = vae.monte_carlo_kl(mean, log_variance, 20_000, rng)
gaps = (vae.gaussian_kl(mean, log_variance) - estimate) / standard_error
claim("largest gap in standard errors", np.abs(gaps).max(), at_most=3.9)
claim("gaps within three of them", np.mean(np.abs(gaps) <= 3), at_least=0.9)

# %% [markdown]
# The formula is the average. It charges for telling codes apart: nothing if $q$ is
# the prior, more for each step of $\mu$ away from 0, more the narrower $q$ is.
#
# And the other term? We read a gray value $x_i$ as the share of ink of a pixel. The
# decoder's sigmoid is $p_i$. As most do, we use the log-likelihood of a coin,
# $\sum_i \big(x_i\log p_i+(1-x_i)\log(1-p_i)\big)$. It is a sum over pixels. Keep
# that in mind.

# %% [markdown]
# ## 5. How does a gradient pass a die?
#
# The encoder's numbers $\mu, \sigma$ decide where $z$ is drawn. To train them, we
# need the slope of an average over random draws. But a draw, like the throw of a die,
# has no derivative.
#
# The way out: throw the die outside of the formula. $z = \mu + \sigma\varepsilon$
# with $\varepsilon\sim\mathcal N(0, 1)$ is the same distribution, and now $\mu$ and
# $\sigma$ are ordinary inputs of an ordinary formula. This is the
# **reparameterization trick**:
#
# $$\frac{d}{d\mu}\,\mathbb E[f(z)] = \mathbb E[f'(\mu+\sigma\varepsilon)], \qquad
# \frac{d}{d\sigma}\,\mathbb E[f(z)] = \mathbb E[f'(\mu+\sigma\varepsilon)\,
# \varepsilon]$$
#
# There is an older way, which needs no derivative of $f$ (Williams, 1992):
# $\mathbb E[f(z)\,(z-\mu)/\sigma^2]$, for $\mu$.
#
# Try both on section 3's example, where $f(z) = \log \mathcal N(x; az, s^2)$.
#
# **Predict.** Both are right on average. Which one scatters less?

# %%
rng = np.random.default_rng(seed(4))
mu, sigma, h = 0.5, 0.6, 1e-5
noise = rng.normal(size=200_000)
z = mu + sigma * noise
slope = a * (x - a * z) / s**2  # f'(z) of f(z) = log N(x; a z, s²)
f = -0.5 * (np.log(2 * np.pi * s**2) + (x - a * z) ** 2 / s**2)
draws = {"for μ": slope, "for σ": slope * noise, "older way": f * noise / sigma}


# %%
def difference(dm, ds):  # of the expected value, in closed form
    up, down = (fit(mu + i * dm, 2 * np.log(sigma + i * ds)) for i in (1, -1))
    return (up - down) / (2 * h)


true = {"for μ": difference(h, 0), "for σ": difference(0, h)}
true["older way"] = true["for μ"]
for name, each in draws.items():
    off = (each.mean() - true[name]) / (each.std() / np.sqrt(len(each)))
    claim(f"{name}, off in standard errors", abs(off), at_most=3.5)

# %%
ratio = draws["older way"].std() / draws["for μ"].std()
claim("the older way scatters more, times", ratio, at_least=2)

# %% [markdown]
# Both ways agree with finite differences of the expected value. But to be as precise
# as one draw of the trick, the older way needs the square of that ratio in draws. So
# we use the trick. In Keras it is a layer, and the layer also adds the KL to the
# loss.

# %%
reveal(vae.sampler, vae.build_vae, vae.reconstruction_loss)

# %% [markdown]
# ## 6. What does a VAE cost, in nats?
#
# Encoder, noise, decoder: a **variational autoencoder**. The networks are those of
# section 1; only the noise and the charge are new. The score is $-$ELBO on the test
# digits, averaged, in nats: less is better. The official Keras example
# (Chollet, 2020) ends at about 152 nats, after 30 passes, with two latent numbers as
# here. (`benchmarks/vae.py` trains both side by side, ours for sixteen passes, and
# compares what they cost.)

# %%
seed(5)
encoder, decoder = vae.build_encoder(2), vae.build_decoder(2, mean_image=mean_image)
model = vae.build_vae(encoder, decoder, seed=seed(5))
scores = {}


def score(epoch, logs=None):
    scores[epoch + 1] = vae.negative_elbo(encoder, decoder, x_test[:4000])


# %% [markdown]
# **Predict.** Ours gets six passes over the training digits. After how many is it
# below 152?

# %%
calls = [keras.callbacks.LambdaCallback(on_epoch_end=score), progress_bar("VAE")]
_ = vae.train(model, x_train, epochs=6, callbacks=calls)

# %%
reconstruction, kl = vae.elbo_terms(encoder, decoder, x_test)
claim("-ELBO after four passes", scores[4], at_most=152)
claim("-ELBO at the end", np.mean(kl - reconstruction), at_most=148)
claim("... of which the code costs", kl.mean(), at_least=5, at_most=9)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.plot(list(scores), list(scores.values()), "o-")
axis.axhline(152, color=plots.BLACK, ls=":")
axis.text(6, 152.5, "official example, 30 passes", ha="right")
axis.set(xlabel="passes over the training digits", ylabel="-ELBO (nats)")
plots.show(figure, alt="The cost falls below 152 early and keeps falling slowly.")

# %% [markdown]
# The cost on 4000 digits that the network has not seen. Most of it is the drawing; the
# code costs a few nats, about ten bits. Two things make it cheap. The decoder
# begins at the average digit, so no step is spent on learning that borders are
# white. And dense layers of this size keep a processor busy with few large products.
#
# The halves are ordinary networks, and are saved like any other.

# %%
import tempfile

z = np.float32([[0, 0], [1, -1]])
with tempfile.TemporaryDirectory() as folder:
    decoder.save(f"{folder}/decoder.keras")
    again = keras.models.load_model(f"{folder}/decoder.keras")
same = np.array_equal(*(common.predict(half, z) for half in (decoder, again)))
claim("a reloaded decoder draws the same", same)

# %% [markdown]
# ## 7. What lies between two digits?
#
# Now codes have a known place. Draw $z$ from the prior, and decode.
#
# **Predict.** The 400 cells of section 2 again, now those of the prior itself:
# nothing is fitted. Are the VAE's codes as uneven as the autoencoder's, less so, or
# not at all?

# %%
mean, log_variance = common.predict(encoder, x_train)
rng = np.random.default_rng(seed(6))
z = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
uneven["VAE"] = vae.unevenness(z)
claim("unevenness, VAE", uneven["VAE"], at_most=0.3)
claim(
    "... of the autoencoder's", uneven["VAE"] / uneven["autoencoder"], at_most=0.7
)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(7, 3.5))
for axis, points, name in zip(
    axes, [standard, z], ["autoencoder", "VAE"], strict=True
):
    axis.scatter(*points[:2000].T, s=2, c=y_train[:2000], cmap="tab10")
    for digit in range(10):
        middle = np.median(points[y_train == digit], axis=0)
        axis.text(*middle, digit, weight="bold", size=14, ha="center", va="center")
    axis.set(title=name, aspect="equal", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
plots.show(figure, alt="Codes: rays at the left, nearly a disk at the right.")

# %% [markdown]
# Codes of 2000 digits; a number stands in the middle of its class. Left: rays from
# one clump. Right: closer to the prior's round cloud, though gaps between classes
# remain. No label was used on either side. Walk over the right one in steps of equal
# probability:

# %% tags=["figure"]
side = vae.normal_quantiles(np.arange(0.5, 12) / 12)
grid = np.stack(np.meshgrid(side, side[::-1]), axis=-1).reshape(-1, 2)
drawn = sigmoid(common.predict(decoder, grid.astype("float32")))
sheet = drawn.reshape(12, 12, 28, 28).transpose(0, 2, 1, 3).reshape(12 * 28, -1)
figure, axis = plt.subplots(figsize=(4.5, 4.5))
axis.imshow(sheet)
axis.set_axis_off()
plots.show(figure, alt="A map of 144 drawn digits; each turns into its neighbors.")

# %% [markdown]
# A map of what this network can imagine: 144 drawings that nobody made. Each turns
# into its neighbors. A random sample is a random place of this map. The seven and the
# three from the beginning have codes, too. Walk from one to the other:

# %% tags=["figure"]
ends = common.predict(encoder, x_test[[seven, three]])[0]
t = np.linspace(0, 1, 9)[:, None]
walk = sigmoid(common.predict(decoder, (1 - t) * ends[0] + t * ends[1]))
fade = (1 - t) * x_test[seven] + t * x_test[three]
figure = plots.images(np.concatenate([fade, walk]).reshape(-1, 28, 28), columns=9)
plots.show(figure, alt="Above, ghosts; below, a digit that changes its shape.")

# %% [markdown]
# Above the mix of pixels, below the mix of codes. Strokes bend instead of fading, and
# the walk crosses the land of other digits. Its ends only resemble ours: two numbers are
# few. Chapter 07b takes twenty.

# %% [markdown]
# ## 8. How far is the bound from the truth?
#
# The ELBO is below $\log p(x)$. By how much? With two latent numbers, $\log p(x)$ can
# be computed by brute force: decode a fine grid of codes, and add up
# $p(x\mid z)\,p(z)$, times the area of a cell, over all cells. Divided by their sum,
# the same numbers are the true posterior.

# %%
some = x_test[:200]
log_p, posterior = vae.grid_posterior(decoder, some)  # (200,), (200, 201, 201)
reconstruction, kl = vae.elbo_terms(encoder, decoder, some, samples=20)
gap = np.mean(log_p - (reconstruction - kl))

# %% [markdown]
# **Predict.** How many nats an image does the bound lose, because the encoder's guess
# is not the true posterior: less than a tenth, a few, or tens?

# %%
claim("nats lost by the bound", gap, at_least=1, at_most=9)

# %% tags=["figure"]
side = np.linspace(-5, 5, 201)
mean, log_variance = common.predict(encoder, some)
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2))
doubtful = np.argsort(posterior.max(axis=(1, 2)))[:4]
for axis, i in zip(axes, doubtful, strict=True):
    axis.pcolormesh(side, side, posterior[i], cmap="Blues", rasterized=True)
    widths = 4 * np.exp(log_variance[i] / 2)  # two deviations each way
    ring = plt.matplotlib.patches.Ellipse(
        mean[i], *widths, fill=False, ec=plots.RED
    )
    axis.add_patch(ring)
    x, y = side @ posterior[i].sum(axis=0), side @ posterior[i].sum(axis=1)
    axis.set(xlim=(x - 1.2, x + 1.2), ylim=(y - 1.2, y + 1.2))
    axis.set_title(f"a {y_test[i]}", loc="center")
    axis.grid(False)
plots.show(figure, alt="Blue clouds of four digits, red rings not always on them.")

# %% [markdown]
# The four digits of most doubt. Blue: where the code truly may lie. The ring: two
# standard deviations of the encoder's guess. Some rings miss. A guess can only be an
# ellipse along the axes; the truth has any shape. And the encoder must guess for all
# digits with one network (Cremer et al., 2018). Beyond two dimensions no grid is fine
# enough; chapter 07b finds another way.

# %% [markdown]
# ## Where the tutorials go wrong
#
# One VAE of our collection cannot be built, and could not be trained if it could.
# Here are its mistakes in the order in which they stop it, each as small as
# possible.
#
# ### An input before there is one (E149)

# %% tags=["raises-exception", "E149"]
keras.Sequential([keras.layers.Dense(4)]).input

# %% [markdown]
# Begin with `keras.Input(...)`, as section 1's networks do.
#
# ### A model inside itself (E151, E152)
#
# The tutorial's `classifier` (it classifies nothing) already was encoder and
# decoder. Then it was given codes.

# %% tags=["raises-exception", "E151", "E152"]
autoencoder(coder(x_test[:2])[0])

# %% [markdown]
# One chain is enough: $x \to (\mu, \sigma) \to z \to \hat x$.
#
# ### Sixteen is not twenty-eight (E153)
#
# Its decoder starts with 4 × 4 and doubles twice.

# %% tags=["raises-exception", "E153"]
layers = keras.layers
small = [keras.Input((4, 4, 1)), layers.UpSampling2D(2), layers.UpSampling2D(2)]
small = keras.Sequential(small)
small.compile(loss="binary_crossentropy")
small.evaluate(np.zeros((2, 4, 4, 1)), np.zeros((2, 28, 28, 1)), verbose=0)

# %% [markdown]
# Start with 7 × 7: 14, 28.
#
# ### A loss of three arguments (E154)

# %% tags=["raises-exception", "E154"]
autoencoder.compile(loss=lambda x, z, y: 0.0)
autoencoder.evaluate(x_test[:2], x_test[:2], verbose=0)

# %% [markdown]
# Keras calls `loss(y_true, y_pred)`, and there is no place for $\mu$ and $\sigma$.
# So the KL is added where they are known: in the layer.
#
# ### The drawing taken for a code (E155)
#
# With two arguments, the second is the drawing. The tutorial decodes it as if it
# were $z$.

# %% tags=["raises-exception", "E155"]
autoencoder.compile(loss=lambda x, z: keras.ops.mean((x - drawer(z)) ** 2))
autoencoder.evaluate(x_test[:2], x_test[:2], verbose=0)

# %% [markdown]
# ### Compiled twice (E161, E201)
#
# Outside its function, the tutorial compiles again, for classes. Images come out.

# %% tags=["raises-exception", "E161", "E201"]
small.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
small.evaluate(np.zeros((2, 4, 4, 1)), y_test[:2], verbose=0)

# %% [markdown]
# The second `compile` replaces the first without a word. Compile once.
#
# ### A divergence that is infinite at zero (E156)
#
# In its "KL", $z$ stands for the mean and for the deviation, and the two ones
# cancel: $-\frac12\sum(1+\log z^2-z^2-1)$.
#
# **Predict.** What does it charge for the most likely code, $z=0$?

# %% tags=["E156"]
z = np.linspace(-3, 3, 600)[:, None]
claim(
    "true charge at the prior", vae.gaussian_kl([0.0], [0.0]), equals=0, tolerance=0
)
claim("its charge at zero is infinite", bool(np.isinf(vae.document_kl([0.0]))))
claim("its smallest", vae.document_kl(z).min(), equals=0.5, tolerance=1e-3)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.plot(z, vae.document_kl(z), "--")
axis.plot(z, vae.gaussian_kl(z, 0 * z))
axis.text(0.35, 3, "the tutorial's", color=plots.BLUE)
axis.text(1.3, 3.6, "true, σ = 1", color=plots.RED)
axis.set(xlabel="z, or μ", ylabel="charge (nats)", ylim=(0, 5))
plots.show(figure, alt="A parabola from 0, and a curve with a pole at 0.")

# %% [markdown]
# The true charge is a bowl with its bottom at the prior. The tutorial's is a wall
# there: every code is pushed to 1 or −1.
#
# ### No noise, and a box (E157)
#
# Its encoder ends in $\tanh$, without a draw: codes lie between −1 and 1. The prior
# does not.

# %% tags=["E157"]
import math

inside = math.erf(1 / math.sqrt(2))  # the share of N(0, 1) between -1 and 1
draws = np.abs(np.random.default_rng(seed(7)).normal(size=100_000)) < 1
claim("share of N(0, 1) inside", draws.mean(), equals=inside, tolerance=0.01)
claim("... for 32 numbers at once", inside**32, at_most=1e-5)

# %% [markdown]
# ### A mean beside a sum (E158)
#
# It averages the drawing's error over 784 pixels, and sums the KL over codes. So the
# KL weighs 784 times too much beside the drawing.
#
# **Predict.** What will the encoder do with its codes, if each nat of KL is so dear?


# %% tags=["E158"]
def mean_over_pixels(x, logits):
    return vae.reconstruction_loss(x, logits) / 784


charges = {}
for loss in (mean_over_pixels, vae.reconstruction_loss):
    seed(8)
    halves = vae.build_encoder(2), vae.build_decoder(2, mean_image=mean_image)
    _ = vae.train(vae.build_vae(*halves), x_train[:10_000], epochs=3, loss=loss)
    mean, log_variance = common.predict(halves[0], x_test)
    charges[loss] = vae.gaussian_kl(mean, log_variance).mean(), mean.std()

# %%
claim("KL with the mean", charges[mean_over_pixels][0], at_most=0.05)
claim("... spread of the codes", charges[mean_over_pixels][1], at_most=0.1)
claim("KL with the sum", charges[vae.reconstruction_loss][0], at_least=2)

# %% [markdown]
# It gives up. Every digit gets the prior as its code, so the decoder learns nothing
# about the digit, and can only draw one average: **posterior collapse**. Sum both, or
# say openly that you weigh the KL, as a β-VAE does (Higgins et al., 2017).
#
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E150|`input_shape=` in a layer|a warning at every start|`keras.Input` first|
# |E159|linear transposed convolutions|one linear map; pixels below 0|ReLU, logits|
# |E160|kernel 3, stride 2|overlaps unevenly (Odena et al., 2016)|kernel 4|
# |E162|`tf.` inside the loss|runs on one backend|`keras.ops`|
# |E163|no data, no training|nothing was ever drawn|sections 6 and 7|
# |E177|$z$ = encoder$(x)$|that is an autoencoder|$z\sim q(z\mid x)$|
# |E178|the bound, as $q_{z\mid x}$|right, oddly written|section 3|
# |E196|a VAE compresses|needs an entropy coder, too|a generative model|
# |E197|"dual" log-likelihood|no such name|evidence lower bound|
# |E198|"Kelman" divergence|Kullback & Leibler (1951)|section 4|

# %% [markdown]
# ## Exercises
#
# ### Exercise 07.1: the charge of a code
#
# *10 minutes.* Write the KL divergence of section 4 for a batch, from $\mu$ and
# $\log\sigma^2$.


# %% tags=["exercise"]
def charge(mean, log_variance):
    """Both are (batch, d); return (batch,), in nats."""
    raise NotImplementedError


check("07.1", charge)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The network gives $\log\sigma^2$; the formula needs $\sigma^2$, too.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.exp(log_variance)` is $\sigma^2$.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Sum over the last axis, not over the batch; and mind the factor $\frac12$.
#
# </details>


# %% tags=["solution"]
def charge_solution(mean, log_variance):
    variance = np.exp(log_variance)
    return -0.5 * np.sum(1 + log_variance - mean**2 - variance, axis=1)


check("07.1", charge_solution, solution=True)

# %% [markdown]
# ### Exercise 07.2: the trick
#
# *5 minutes.* Turn standard normal noise into a draw from $q$.


# %% tags=["exercise"]
def draw(mean, log_variance, noise):
    """All are (batch, d); return z (batch, d)."""
    raise NotImplementedError


check("07.2", draw)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $z=\mu+\sigma\varepsilon$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $\sigma$ is the root of $\sigma^2$.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The root of $e^{v}$ is $e^{v/2}$.
#
# </details>


# %% tags=["solution"]
def draw_solution(mean, log_variance, noise):
    return mean + np.exp(log_variance / 2) * noise


check("07.2", draw_solution, solution=True)

# %% [markdown]
# ### Exercise 07.3: a drawing's cost
#
# *20 minutes.* Write $-\log p(x\mid z)$ of section 4 for each image, from the
# decoder's logits. They may be as large as ±1000, and nothing may overflow.


# %% tags=["exercise"]
def drawing_cost(x, logits):
    """Both are (batch, pixels), x in [0, 1]; return (batch,), in nats."""
    raise NotImplementedError


check("07.3", drawing_cost)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A pixel costs $\log(1+e^{l}) - x\,l$, with logit $l$. Why?
#
# </details>
# <details><summary>Hint 2</summary>
#
# $e^{1000}$ is too large for a float, its logarithm is not.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.logaddexp(0, l)` is $\log(e^0+e^l)$, without overflow.
#
# </details>


# %% tags=["solution"]
def drawing_cost_solution(x, logits):
    return np.sum(np.logaddexp(0, logits) - x * logits, axis=1)


check("07.3", drawing_cost_solution, solution=True)

# %% [markdown]
# ### Exercise 07.4: any two normal distributions
#
# *20 minutes.* A prior need not be $\mathcal N(0, 1)$. What is $D_{KL}(q\Vert p)$ of
# $q=\mathcal N(m_1, s_1^2)$ from $p=\mathcal N(m_2, s_2^2)$, in one dimension?


# %% tags=["exercise"]
def divergence(m1, s1, m2, s2):
    """Numbers in, a number out; s1 and s2 are standard deviations."""
    raise NotImplementedError


check("07.4", divergence)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Shift and scale both, so that $p$ becomes $\mathcal N(0, 1)$. The divergence does
# not change.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $q$ becomes a normal distribution with mean $(m_1-m_2)/s_2$. Which deviation?
#
# </details>
# <details><summary>Hint 3</summary>
#
# $s_1/s_2$. Now use section 4's formula.
#
# </details>


# %% tags=["solution"]
def divergence_solution(m1, s1, m2, s2):
    mean, deviation = (m1 - m2) / s2, s1 / s2
    return -0.5 * (1 + 2 * np.log(deviation) - mean**2 - deviation**2)


check("07.4", divergence_solution, solution=True)

# %% [markdown]
# ### Exercise 07.5: walk through digits
#
# *30 minutes, a small project.* Walk through the codes from the first image to the
# second, on to the third, and so on, with `steps` equal steps between two of them.
# Then try it with `encoder` and `decoder` of section 6, and look at your film.


# %% tags=["exercise"]
def tour(encode, decode, images, steps):
    """encode: (n, pixels) -> codes (n, d); decode: codes (m, d) -> (m, pixels).

    Return ((n - 1) * steps + 1, pixels): every image's code is decoded once.
    """
    raise NotImplementedError


check("07.5", tour)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Encode all images first, then mix codes, then decode once.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Between codes $a$ and $b$: $a + \frac{k}{\text{steps}}(b - a)$ for $k = 0, 1, \dots$
#
# </details>
# <details><summary>Hint 3</summary>
#
# The end of one walk is the start of the next. Count it once, and do not forget the
# last.
#
# </details>


# %% tags=["solution"]
def tour_solution(encode, decode, images, steps):
    codes, t = encode(images), np.arange(steps)[:, None] / steps
    pairs = np.stack([codes[:-1], codes[1:]], axis=1)
    walks = [a + t * (b - a) for a, b in pairs]
    return decode(np.concatenate([*walks, codes[-1:]]))


check("07.5", tour_solution, solution=True)
