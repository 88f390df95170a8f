# %% [markdown]
# Here are a seven and a three, and what lies halfway between them if we mix their
# pixels.

# %%
import math
from statistics import NormalDist

import keras
from dl_course import data
from dl_course.common import predict
from dl_course.diagrams import Diagram
from dl_course.linear import sigmoid
from dl_course.optimizers import cosine_decay
from keras import ops
from matplotlib import patheffects

(x_train, y_train), (x_test, y_test) = data.mnist()
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
mean_image = x_train.mean(axis=0)  # (784,)

# %% tags=["figure"]
seven, three = 4049, 4770  # test digits that look like most of their class
share = np.linspace(0, 1, 7)[:, None]
path = (1 - share) * x_test[seven] + share * x_test[three]
figure = plots.images(path.reshape(7, 28, 28), columns=7)
plots.show(
    figure, alt="A seven fades out while a three fades in: two ghosts at once."
)

# %% [markdown]
# *From a seven to a three, mixed pixel by pixel.* The pictures in the middle are no
# digits. They are two ghosts at once, and nobody would ever write them. So pixels are
# the wrong numbers to mix. In this chapter a network finds better ones: two numbers
# for each digit, chosen so that *every* pair of numbers draws a digit, also pairs that
# belong to no digit we have. That is what it takes to imagine.

# %% [markdown]
# ## Recall
#
# 1. A network ends in a sigmoid and says $p$ for a pixel that is $x$. What does the
#    binary cross-entropy charge, and of which likelihood is it the negative logarithm?
# 2. Two linear layers follow each other without an activation between them. What can
#    they compute together?
# 3. What does backpropagation need to know about every operation between the weights
#    and the loss?
#
# <details><summary>Answer</summary>
#
# 1. It charges $-x\log p-(1-x)\log(1-p)$. For $x$ equal to 0 or 1 that is the negative
#    log-likelihood of a coin that shows 1 with probability $p$ (chapter 02).
# 2. One linear map, and nothing else (chapter 02).
# 3. Its derivative with respect to its inputs (chapter 03).
#
# </details>

# %% [markdown]
# ## 1. How much of a digit fits into two numbers?
#
# A picture of a digit has 784 pixels, but nobody thinks of 784 things while writing a
# seven. If a few numbers hold what matters, then pictures can be compared, searched,
# drawn on a map, and perhaps invented. So let us try something extreme: keep two
# numbers of each picture, throw the pixels away, and draw the picture again from the
# two numbers alone. The two numbers are called the **code** of the picture, and drawing
# it again is called **reconstruction**. No labels are needed for that. Learning
# without labels is **unsupervised learning**.
#
# ### The linear way
#
# Take four points in a plane, $(2,1)$, $(1,2)$, $(-2,-1)$ and $(-1,-2)$, and keep
# *one* number of each. The points lie along the diagonal, so we measure how far along
# it they are. The diagonal's unit vector is $u=(1,1)/\sqrt2$, the code of $(2,1)$ is
# $u\cdot(2,1)=3/\sqrt2$, and the reconstruction is code times $u$, which is
# $(1.5,1.5)$. The squared error is $0.5^2+0.5^2=0.5$, and the same for all four.
#
# Which direction is the best one in general? Let $C$ be the covariance matrix of the
# data, and let the mean be 0. A point $x$ splits into $u(u\cdot x)$, which we keep, and
# a rest at a right angle to it, which is the error. By Pythagoras the squares add up:
# the mean squared error is the total variance minus the variance of the code. And the
# variance of the code is the mean of $(u^\top x)^2=u^\top xx^\top u$, which is
# $u^\top C\,u$. So we want the largest $u^\top C\,u$ among all $u$ of length 1. At the
# maximum, the gradient of $u^\top Cu-\lambda(u^\top u-1)$ is zero:
#
# $$2\,C u - 2\lambda u = 0 \quad\Longrightarrow\quad C u=\lambda u,
# \qquad u^\top C\,u=\lambda$$
#
# The best direction is the eigenvector of $C$ with the largest eigenvalue, and the
# eigenvalue is the variance of the code. The next best direction at a right angle is
# the next eigenvector. In the example $C=\begin{pmatrix}2.5&2\\2&2.5\end{pmatrix}$, the
# eigenvalues are 4.5 and 0.5, and the 0.5 that we left out is the error we found. This
# is **principal component analysis** (PCA). With the mean digit $m$ and the chosen
# eigenvectors as rows of $U$, code and reconstruction are
#
# $$z = U\,(x-m), \qquad \hat x = m + U^\top z$$


# %% tags=["export"]
def fit_pca(x, dimensions):
    """The plane nearest to the rows of x: its mean (features,) and axes (d, features)."""
    mean = x.mean(axis=0)
    covariance = (x - mean).T @ (x - mean) / len(x)  # (features, features)
    _, vectors = np.linalg.eigh(covariance)  # in columns, smallest eigenvalue first
    return mean, vectors.T[::-1][:dimensions]


def apply_pca(x, mean, axes):
    """Codes (rows, d) of the rows of x, and their reconstructions (rows, features)."""
    codes = (x - mean) @ axes.T
    return codes, mean + codes @ axes


# %% [markdown]
# ### The way of a network
#
# An **autoencoder** puts a network in the place of each of the two formulas. The
# **encoder** turns the picture into a code, the **decoder** turns the code into a
# picture, and both are trained together to reproduce the input. The idea is from the
# 1980s, and was soon understood where the network is shallow: without useful activations
# the best an autoencoder can find is PCA's plane (Bourlard & Kamp, 1988; Baldi & Hornik,
# 1989). Deep ones could be trained with Hinton & Salakhutdinov (2006). In a deep network
# with activations, the sheet of all reconstructions may be curved.

# %% tags=["figure", "diagram"]
d = Diagram("""
    x
    encoder
    code
    decoder
    drawn
""")
d.data(x="image $x$", code="code $z$", drawn="reconstruction $\\hat x$")
d.operation(encoder="encoder\n256, 128, 64 units")
d.operation(decoder="decoder\n64, 128, 256 units")
d.arrow("x -> encoder -> code", "(batch, 784)", "(batch, 2)")
d.arrow("code -> decoder -> drawn", "(batch, 2)", "(batch, 784)")
alt = "An image of 784 numbers passes an encoder, a code of two, and a decoder."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *An autoencoder. Everything that the reconstruction knows about the image has passed
# through two numbers.*
#
# The encoder below has a second output, `log_variance`. The autoencoder does not use
# it; it waits for section 5. Both networks begin with `keras.Input`, so that they know
# their shapes before they have seen data. The decoder ends in one number for each
# pixel, a **logit** $\ell$, and the sigmoid of the logit is the probability of ink,
# $p=e^\ell/(1+e^\ell)$. Its last bias starts where it draws the mean digit. Whether that
# is worth anything, section 6 will measure.


# %% tags=["export"]
def hidden_layers(h, units):
    """Dense layers with ReLU, one for each number of units, on top of h."""
    for n in units:
        h = keras.layers.Dense(n, activation="relu")(h)
    return h


def build_encoder(latent_dim, hidden_units=(256, 128, 64), *, pixels=784):
    """Rows of pixels -> [mean, log-variance], each (batch, latent_dim). Not compiled.

    Log-variances start at 0 for every input: q(z|x) begins as wide as the prior.
    """
    x = keras.Input((pixels,))
    h = hidden_layers(x, hidden_units)
    mean = keras.layers.Dense(latent_dim)(h)
    log_variance = keras.layers.Dense(latent_dim, kernel_initializer="zeros")(h)
    return keras.Model(x, [mean, log_variance], name="encoder")


# %% tags=["export"]
def build_decoder(
    latent_dim, hidden_units=(64, 128, 256), *, mean_image=None, pixels=784
):
    """Codes z -> logits of the pixels (batch, pixels). Not compiled.

    With the training set's `mean_image` (pixels,) it begins by drawing that image.
    """
    start = "zeros"
    if mean_image is not None:
        p = np.clip(mean_image, 1e-3, 1 - 1e-3)
        start = keras.initializers.Constant(np.log(p / (1 - p)))
    z = keras.Input((latent_dim,))
    h = hidden_layers(z, hidden_units)
    logits = keras.layers.Dense(pixels, bias_initializer=start)(h)
    return keras.Model(z, logits, name="decoder")


# %% [markdown]
# A picture has 784 pixels, and the last layer must have exactly as many outputs. (A
# convolutional decoder that starts at $4\times4$ and doubles twice ends at $16\times16$;
# for digits it has to start at $7\times7$.)
#
# The loss is the binary cross-entropy of all pixels, *summed* over the picture. For a
# large logit $p$ is rounded to 1, and $\log(1-p)$ would be $-\infty$. Two lines make it
# safe. With $\text{softplus}(\ell)=\log(1+e^\ell)$,
#
# $$\log p=\ell-\text{softplus}(\ell),\qquad
# \log(1-p)=\log\frac1{1+e^\ell}=-\text{softplus}(\ell)$$
#
# and therefore
#
# $$x\log p+(1-x)\log(1-p)=x\,\ell-\text{softplus}(\ell).$$


# %% tags=["export"]
def log_bernoulli(x, logits):
    """Σ x log p + (1 - x) log(1 - p) with p = sigmoid(logits): (batch,), in nats.

    Both are (batch, ...), x within [0, 1]; the sum is over all axes but the first.
    """
    # (28, 28) against (28, 28, 1) would broadcast
    if x.shape[1:] != logits.shape[1:]:
        raise ValueError(
            f"logits: expected the shape of x, {x.shape}, got {logits.shape}"
        )
    each = x * logits - ops.softplus(logits)
    return ops.sum(each, axis=tuple(range(1, len(each.shape))))


def reconstruction_loss(x, logits):
    """The cost of a reconstruction in nats, summed over pixels: a loss for `compile`."""
    return -log_bernoulli(x, logits)


# %% [markdown]
# Its unit is the **nat**: a bit, but with the natural logarithm. One nat is about 1.44
# bits. Training is `fit` with Adam and a learning rate that climbs at first and then
# sinks to zero (chapter 04). The same function will train everything in this chapter.


# %% tags=["export"]
def train(
    model,
    x,
    *,
    epochs,
    loss=reconstruction_loss,
    learning_rate=0.004,
    batch_size=250,
    callbacks=(),
):
    """Compile a VAE or an autoencoder, fit it to x, and return its history.

    Adam. The learning rate climbs for a twentieth of all steps, then sinks to zero along
    a cosine.
    """
    steps = epochs * math.ceil(len(x) / batch_size)
    warm_up = max(steps // 20, 1)
    schedule = cosine_decay(
        learning_rate, steps, warmup_steps=warm_up, start=learning_rate / 10
    )
    model.compile(keras.optimizers.Adam(schedule), loss)
    # Once: `fit` would copy each NumPy batch
    x = ops.convert_to_tensor(x, "float32")
    options = {"batch_size": batch_size, "epochs": epochs, "verbose": 0}
    return model.fit(x, x, callbacks=[*callbacks], **options)


# %%
EPOCHS = 3  # for the autoencoder, and later for its rival

number = seed(1)
coder, drawer = build_encoder(2), build_decoder(2, mean_image=mean_image)
autoencoder = keras.Model(coder.input, drawer(coder.outputs[0]))
_ = train(
    autoencoder, x_train, epochs=EPOCHS, callbacks=[progress_bar("autoencoder")]
)


# %%
def decode(decoder, z):
    """The decoder's probabilities of ink for codes z (rows, 2): (rows, 784)."""
    return sigmoid(predict(decoder, z))


def error_left(x_hat):
    """Squared error on all test digits, as a share of the mean digit's error."""
    return np.mean((x_hat - x_test) ** 2) / np.mean((mean_image - x_test) ** 2)


_, plane = fit_pca(x_train, 2)
by_pca = apply_pca(x_test, mean_image, plane)[1]
by_network = decode(drawer, predict(coder, x_test)[0])

# %% [markdown]
# Whoever draws the mean digit, whatever comes in, makes some error. Two numbers should
# remove a part of it.
#
# **Predict.** Which share of that error is left with PCA's two numbers, and which share
# with the network's? All digits here are test digits, which neither has seen.

# %% tags=["predict"]
report("share of the error left, PCA", error_left(by_pca))
report("share of the error left, autoencoder", error_left(by_network))

# %% [markdown]
# <details><summary>Answer</summary>
#
# PCA removes less than a fifth of the error. The network removes about twice as much,
# with just as many numbers.
#
# </details>

# %% tags=["claims"]
claim("error left by PCA", error_left(by_pca), equals=0.825, tolerance=0.01)
gain = error_left(by_pca) - error_left(by_network)
claim("error left, PCA - autoencoder", gain, at_least=0.15)


# %% tags=["figure"]
def rows_of_images(rows, size=0.62):
    """A figure of {name: images (n, 784)}, each name at the left of its row."""
    cells = np.concatenate([*rows.values()]).reshape(-1, 28, 28)
    columns = len(cells) // len(rows)
    figure = plots.images(cells, columns=columns, size=size)
    for axis, name in zip(figure.axes[::columns], rows, strict=True):
        axis.text(-4, 14, name, ha="right", va="center")
    return figure


rows = {
    "digit": x_test[:9],
    "PCA": by_pca[:9].clip(0, 1),
    "network": by_network[:9],
}
alt = "Nine digits, PCA's smears of them, and the network's clearer copies."
plots.show(rows_of_images(rows), alt=alt)

# %% [markdown]
# *Nine test digits, and what two numbers keep of them.* PCA's reconstructions lie on a
# plane in the space of all pictures, and a plane leads through smears. The network's
# lie on a curved sheet that passes close to real digits, though it sometimes draws the
# wrong one. (A plane mixes digits just as the first picture of this chapter did, so most
# of its points are ghosts.)

# %% [markdown]
# ## 2. Which random codes draw digits?
#
# The decoder draws from any two numbers. So if we choose two numbers at random, out
# comes a picture that nobody has drawn. That is imagining, and both methods can do it.
# The only question is *where* to choose the numbers. A decoder has learned to draw from
# the codes of real digits. From a place where no code ever lay, it draws whatever it
# happens to draw.
#
# The simplest good choice: fit a normal distribution to the codes of the training
# digits, and draw from that. Let $c$ be the mean of the codes and $\Sigma=LL^\top$ their
# covariance matrix ($L$ is its Cholesky factor, a triangular root of it). Then
# $c+L\,z$ with $z\sim\mathcal N(0,I)$ has the right mean and covariance, and backwards
# $z=L^{-1}(\text{code}-c)$ has mean 0 and covariance $I$. This change of coordinates is
# called **whitening**.
#
# For PCA it has a famous name. The codes are uncorrelated, and their variances are the
# eigenvalues $\lambda_1,\lambda_2$, so the drawing of a random $z$ is $m+Wz$ with
# $W=U^\top\,\text{diag}(\sqrt{\lambda_1},\sqrt{\lambda_2})$. With a little noise for each
# pixel added, this is **probabilistic PCA** (Tipping & Bishop, 1999). Keep it in mind: it
# is the linear sister of what we are going to build.


# %%
def fit_normal(codes):
    """Mean (d,) of codes, and the Cholesky factor (d, d) of their covariance."""
    return codes.mean(axis=0), np.linalg.cholesky(np.cov(codes.T))


def whiten(codes, mean, factor):
    """Codes in the coordinates in which the fitted distribution is N(0, I)."""
    return np.linalg.solve(factor, (codes - mean).T).T


codes = {
    "PCA": apply_pca(x_train, mean_image, plane)[0],  # (60000, 2)
    "autoencoder": predict(coder, x_train)[0],
}
normals = {name: fit_normal(each) for name, each in codes.items()}
white = {name: whiten(each, *normals[name]) for name, each in codes.items()}

# %% [markdown]
# Is the fitted distribution right? Cut the plane into 400 cells, such that a standard
# normal $z$ falls into each with the same probability. Then count the real codes. If
# the fit is right, each cell holds the same share of them.
#
# We need one number for "uneven". With four cells and the shares
# $(\tfrac12,\tfrac12,0,0)$ in place of $(\tfrac14,\tfrac14,\tfrac14,\tfrac14)$, it is
#
# $$\tfrac12\log\frac{1/2}{1/4}+\tfrac12\log\frac{1/2}{1/4}=\log 2=0.69,$$
#
# and in general the sum of share times the logarithm of share over expected share. It
# is 0 if all is even, and never below (section 3 shows why). This measure will soon
# become the hero of the chapter.


# %%
def normal_quantiles(shares):
    """Where N(0, 1) has these shares (n,) to the left."""
    return np.array([NormalDist().inv_cdf(share) for share in shares])


def unevenness(z, cells=20):
    """KL in nats of the shares of z (rows, 2) in cells * cells cells from equal shares.

    Under N(0, I) all cells are equally likely, so codes from it give about 0.
    """
    edges = normal_quantiles(np.arange(1, cells) / cells)
    cell = [np.searchsorted(edges, column) for column in z.T]
    counts = np.bincount(cell[0] * cells + cell[1], minlength=cells**2)
    shares = counts[counts > 0] / len(z)
    return np.sum(shares * np.log(shares * cells**2))


# %% [markdown]
# **Predict.** Whose whitened codes fill the cells more evenly, PCA's or the
# autoencoder's?

# %% tags=["predict"]
uneven = {name: unevenness(z) for name, z in white.items()}
report("unevenness, PCA", uneven["PCA"])
report("unevenness, autoencoder", uneven["autoencoder"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# PCA's, by far. Each of its codes is a sum over hundreds of pixels, and such sums tend
# to look normal. The autoencoder was asked for good reconstructions only. Nothing in
# its loss says where codes should lie.
#
# </details>

# %% tags=["claims"]
ratio = uneven["PCA"] / uneven["autoencoder"]
claim("unevenness, PCA / autoencoder", ratio, at_most=0.75)


# %% tags=["figure"]
halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]


def scatter(clouds):
    """A figure of {name: codes (n, 2)}: the first 700, colored by digit."""
    figure, axes = plt.subplots(1, len(clouds), figsize=(6, 6 / len(clouds) + 0.2))
    for axis, (name, z) in zip(axes, clouds.items(), strict=True):
        axis.scatter(*z[:700].T, s=3, c=y_train[:700], cmap="tab10")
        named = []  # middles that have a number; none is written across another
        for digit in range(10):
            middle = np.median(z[y_train == digit], axis=0)
            if all(np.linalg.norm(middle - other) > 0.6 for other in named):
                axis.text(*middle, digit, weight="bold", size=12, ha="center",
                          va="center", path_effects=halo)  # fmt: skip
                named.append(middle)
        axis.set(title=name, aspect="equal", xlim=(-3.3, 3.3), ylim=(-3.3, 3.3))
        axis.set(xticks=(-2, 0, 2), yticks=(-2, 0, 2))
    return figure


alt = "PCA's codes form one cloud, the autoencoder's form rays with gaps between."
plots.show(scatter(white), alt=alt)

# %% [markdown]
# *Whitened codes of 700 digits. A number stands in the middle of its class, unless the
# middle of another class is too near.* PCA's
# cloud is nearly round. The autoencoder pulled the classes apart into rays, and left
# gaps between them. (Labels color the picture; no training has seen them.)

# %% tags=["figure"]
random_z = np.random.default_rng(seed(2)).normal(size=(18, 2))


def imagined(name):
    """Drawings from the 18 random codes, by PCA or by the autoencoder."""
    center, factor = normals[name]
    z = center + random_z @ factor.T
    return (
        (mean_image + z @ plane).clip(0, 1) if name == "PCA" else decode(drawer, z)
    )


rows = {"PCA": imagined("PCA")[:9], "": imagined("PCA")[9:]}
rows |= {"network": imagined("autoencoder")[:9], " ": imagined("autoencoder")[9:]}
alt = "Random codes: smears by PCA, digits and some blots by the autoencoder."
plots.show(rows_of_images(rows), alt=alt)

# %% [markdown]
# *Eighteen random codes, drawn by both.* So both can imagine. PCA's normal distribution
# fits well, but what it imagines are smears. The autoencoder imagines digits, here and
# there a blot, although its distribution had to be fitted afterwards, and fits badly.
# Can *one* training do all of it: learn to draw, put the codes where we are going to
# look for them, and say how likely a picture is? And would that imagine better? Keep
# your guess until the end of section 8.

# %% [markdown]
# ## 3. What should be learned instead?
#
# Turn the story around, and begin with the imagining. First a code is drawn from a
# fixed distribution, the **prior** $p(z)=\mathcal N(0,I)$. Then the decoder turns it
# into a distribution of pictures, $p(x\mid z)$: for each pixel a coin. The code is a
# **latent variable**, a cause that we never get to see. Learning means: choose the
# decoder's weights such that the digits of the training set become likely, whichever
# codes they came from. The likelihood of one picture is a sum over all codes,
#
# $$p(x)=\int p(x\mid z)\,p(z)\,dz,$$
#
# and $\log p(x)$ is called the **evidence**. Such a model is a **generative model**, and
# its training would be plain maximum likelihood (chapter 01), were it not for the
# integral. Only a tiny part of all codes explains a given digit, so random codes miss
# it, and a sum over all codes is hopeless as soon as there are more than a few latent
# variables.
#
# ### Two coins
#
# To see a way out, take the smallest model there is. Somebody picks one of two coins,
# $z=0$ or $z=1$, each with probability $\tfrac12$, throws it, and we see heads. Coin 0
# shows heads with probability $\tfrac14$, coin 1 with $\tfrac34$. Here the sum is easy:
#
# $$p(x)=\tfrac12\cdot\tfrac14+\tfrac12\cdot\tfrac34=\tfrac12,\qquad
# \log p(x)=-0.693.$$
#
# Which coin was it? Bayes' rule gives the **posterior** $p(z\mid x)=p(x,z)/p(x)$: coin 0
# with probability $\frac{1/8}{1/2}=\tfrac14$, coin 1 with $\frac{3/8}{1/2}=\tfrac34$.
#
# Now suppose that we could not do the sum, and had to *guess* a distribution $q(z)$ for
# the coin, say fifty-fifty. With it we compute a mean that needs the joint probability
# $p(x,z)$ only, which is never hard:
#
# $$\mathbb E_q\!\left[\log\frac{p(x,z)}{q(z)}\right]
# =\tfrac12\log\frac{1/8}{1/2}+\tfrac12\log\frac{3/8}{1/2}=-0.837.$$
#
# This is a little below $\log p(x)$. What is missing, $0.144$, is
# $\tfrac12\log\frac{1/2}{1/4}+\tfrac12\log\frac{1/2}{3/4}$: the unevenness of section 2
# again, now of the guess against the posterior.
#
# ### The gap identity
#
# That was no accident, and the proof takes two lines. By the definition of the
# posterior, $p(x)=p(x,z)/p(z\mid x)$ for *every* $z$. Divide and multiply by $q(z)$, and
# take the logarithm. Then take the mean over $z$ from $q$, which leaves the left side as it
# is, since it does not contain $z$:
#
# $$\log p(x)=\log\frac{p(x,z)}{q(z)}+\log\frac{q(z)}{p(z\mid x)}\quad\text{for every }z$$
# $$\log p(x)=\underbrace{\mathbb E_q\!\left[\log\frac{p(x,z)}{q(z)}\right]}_{\text{ELBO}}
# +\underbrace{\mathbb E_q\!\left[\log\frac{q(z)}{p(z\mid x)}\right]}_{
# D_{KL}(q\,\Vert\,p(z\mid x))}$$
#
# The second mean is the **Kullback–Leibler divergence** (KL divergence) of $q$ from the
# posterior (Kullback & Leibler, 1951). It is never negative: $\log t\le t-1$ for every
# $t>0$, with equality at 1 only, so for any two distributions
#
# $$-D_{KL}(q\,\Vert\,p)=\mathbb E_q\!\left[\log\frac pq\right]
# \le\mathbb E_q\!\left[\frac pq-1\right]=\sum_z p(z)-\sum_z q(z)=1-1=0,$$
#
# and it is zero only if the two agree. (For densities read integrals.) So the first mean
# is never above $\log p(x)$: it is the **evidence lower bound**, the ELBO.


# %%
def kl_divergence(q, p):
    """Σ q log(q / p) in nats, of distributions over a few values (..., values)."""
    return np.sum(q * np.log(q / p), axis=-1)


prior = np.array([1 / 2, 1 / 2])
joint = prior * np.array([1 / 4, 3 / 4])  # p(x, z) for both coins
log_evidence_of_heads = np.log(joint.sum())
posterior = joint / joint.sum()

q1 = np.linspace(0.02, 0.98, 97)  # guesses: the probability of coin 1
guesses = np.stack([1 - q1, q1], axis=1)  # (97, 2)
bounds = np.sum(guesses * np.log(joint / guesses), axis=1)  # the ELBO of each

# %% [markdown]
# **Predict.** The guess runs from "surely coin 0" to "surely coin 1". Where does the
# ELBO touch $\log p(x)$, and on which side is a wrong guess worse?

# %% tags=["predict"]
report("best guess for coin 1", q1[np.argmax(bounds)])
report(
    "gap at the left end, at the right end",
    (log_evidence_of_heads - bounds)[[0, -1]],
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It touches at the posterior, three quarters. Whoever is nearly sure of coin 0 loses
# more: the guess puts its weight where the posterior has little.
#
# </details>

# %% tags=["claims"]
identity = bounds + kl_divergence(guesses, posterior) - log_evidence_of_heads
claim("|ELBO + KL - log p(x)|, largest", np.abs(identity).max(), at_most=1e-12)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 3))
axis.axhline(log_evidence_of_heads, color=plots.BLACK, ls=":")
axis.plot(q1, bounds)
axis.plot(3 / 4, log_evidence_of_heads, "*", ms=13, color=plots.RED)
axis.annotate("", (0.25, log_evidence_of_heads), (0.25, bounds[23]),
              arrowprops={"arrowstyle": "<->"})  # fmt: skip
axis.text(0.27, -1.3, "gap = KL(guess ‖ posterior)", va="top")
axis.text(0.02, log_evidence_of_heads + 0.02, "$\\log p(x)$")
axis.text(0.76, -0.65, "the posterior", color=plots.RED)
axis.set(xlabel="$q(z=1)$, the guess for coin 1", ylabel="ELBO (nats)")
plots.show(
    figure, alt="A curve touches a dotted line from below, at three quarters."
)

# %% [markdown]
# *The ELBO of every guess. The distance to the line is the KL divergence of the guess
# from the posterior.*
#
# For a picture, the guess comes from the encoder: it looks at $x$ and proposes a normal
# distribution of codes, $q(z\mid x)=\mathcal N(\mu(x),\sigma(x)^2)$. One network guesses
# for all pictures, which is called **amortized inference**: the work of guessing is paid
# once, in training. Split the ELBO by $p(x,z)=p(x\mid z)\,p(z)$:
#
# $$\text{ELBO}=\mathbb E_q\!\left[\log p(x\mid z)\right]
# +\mathbb E_q\!\left[\log\frac{p(z)}{q(z\mid x)}\right]
# =\underbrace{\mathbb E_q[\log p(x\mid z)]}_{\text{reconstruction}}
# -\underbrace{D_{KL}\big(q(z\mid x)\,\Vert\,p(z)\big)}_{\text{what the code costs}}$$
#
# Raising it does two good things. Through the encoder's weights, the guess moves toward
# the posterior, since $\log p(x)$ does not depend on them. Through the decoder's
# weights, it pushes $\log p(x)$ up from below. This is the **variational autoencoder**, VAE
# (Kingma & Welling, 2014; Rezende et al., 2014). With a linear decoder and Gaussian
# noise the posterior is itself normal, the gap closes, and the best model that training
# can find is probabilistic PCA (Lucas et al., 2019): PCA is the linear VAE.

# %% [markdown]
# ## 4. What does each term charge?
#
# Training will weigh the two terms against each other, nat against nat. So we should
# know what each of them charges for.
#
# ### The KL divergence of two normal distributions
#
# Let $q=\mathcal N(m_1,s_1^2)$ and $p=\mathcal N(m_2,s_2^2)$, in one dimension. The
# density of a normal distribution has the logarithm
# $-\log s-\tfrac12\log 2\pi-\frac{(z-m)^2}{2s^2}$. So
#
# $$\log\frac{q(z)}{p(z)}=\log\frac{s_2}{s_1}-\frac{(z-m_1)^2}{2s_1^2}
# +\frac{(z-m_2)^2}{2s_2^2}.$$
#
# Now take the mean over $z$ from $q$. The mean of $(z-m_1)^2$ is the variance of $q$,
# $s_1^2$, so the second term becomes $-\tfrac12$. For the third, insert $m_1$:
#
# $$\mathbb E(z-m_2)^2=\mathbb E\big[(z-m_1)+(m_1-m_2)\big]^2
# =s_1^2+2\,(m_1-m_2)\underbrace{\mathbb E(z-m_1)}_{0}+(m_1-m_2)^2.$$
#
# Together:
#
# $$D_{KL}(q\,\Vert\,p)=\log\frac{s_2}{s_1}-\frac12+\frac{s_1^2+(m_1-m_2)^2}{2s_2^2}.$$
#
# Our $p$ is the prior, with $m_2=0$ and $s_2=1$. And the latent variables of $q$ are
# independent, so log densities add up over dimensions, and KL divergences with them:
#
# $$D_{KL}\big(q(z\mid x)\,\Vert\,p(z)\big)=\tfrac12\sum_d\left(\mu_d^2+\sigma_d^2-1
# -\log\sigma_d^2\right).$$


# %% tags=["export"]
def gaussian_kl(mean, log_variance):
    """KL(q || p) of q = N(mean, diag exp(log_variance)) from p = N(0, I), in nats.

    ½ Σ_d (μ_d² + σ_d² - 1 - log σ_d²). Both are (..., d); the result is (...).
    """
    return 0.5 * ops.sum(
        mean**2 + ops.exp(log_variance) - 1 - log_variance, axis=-1
    )


# %% [markdown]
# The encoder gives $\log\sigma^2$ and not $\sigma$, because a layer's output may be
# negative, and a standard deviation may not.
#
# **Predict.** One latent variable. Code A lies one standard deviation off the middle of
# the prior and is as wide as the prior ($\mu=1$, $\sigma=1$). Code B lies in the middle
# and is ten times narrower ($\mu=0$, $\sigma=0.1$). Which one is dearer?

# %% tags=["predict"]
mean, log_variance = np.array([[1.0], [0.0]]), np.log([[1.0], [0.1**2]])
formula = ops.convert_to_numpy(gaussian_kl(mean, log_variance))  # (2,)
rng = np.random.default_rng(seed(3))
z = mean + np.exp(log_variance / 2) * rng.normal(size=(2, 100_000))  # draws from q
draws = (
    z**2 - (z - mean) ** 2 / np.exp(log_variance) - log_variance
) / 2  # log q - log p
report("formula, code A and code B", formula)
report("mean over draws, code A and code B", draws.mean(axis=1))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The narrow one, by more than three times. By hand: A costs $\tfrac12\cdot 1^2=0.5$ nats,
# B costs $\tfrac12(0.01-1+4.61)=1.81$. The means over random draws, which use nothing
# but the definition, agree.
#
# </details>

# %% tags=["claims"]
standard_errors = draws.std(axis=1) / np.sqrt(draws.shape[1])
off = np.abs(draws.mean(axis=1) - formula) / standard_errors
claim("formula against draws, in standard errors", off.max(), at_most=5)
claim(
    "narrow code - shifted code",
    formula[1] - formula[0],
    equals=1.308,
    tolerance=0.01,
)

# %% [markdown]
# So the KL divergence charges for *precision*. Each time $\sigma$ is halved, $-\log\sigma$
# grows by $\log 2$: the code pays for one more bit. A code that is the prior itself costs
# nothing, and says nothing about its picture.
#
# ### The reconstruction, and what it is not
#
# A pixel of a scanned digit is gray, a number between 0 and 1. A coin knows only 0 and 1.
# If $x$ is 0 or 1, then $x\log p+(1-x)\log(1-p)$ is the logarithm of a probability. For
# gray $x$ it can still be computed, and nearly every VAE on these digits does so, ours
# included. But $p^x(1-p)^{1-x}$ is no probability density over gray values, because it
# does not integrate to 1. At $p=\tfrac12$ it is $\tfrac12$ for every $x$, and so is its
# integral. In general (Loaiza-Ganem & Cunningham, 2019)
#
# $$\int_0^1 p^x(1-p)^{1-x}dx=\int_0^1(1-p)\,e^{\ell x}\,dx
# =(1-p)\,\frac{e^{\ell}-1}{\ell}=\frac{2p-1}{\ell},$$
#
# because $\big(\frac p{1-p}\big)^x=e^{\ell x}$ with the logit $\ell$, and
# $(1-p)\,e^\ell=p$.
#
# **Predict.** For a whole picture the integrals of the 784 pixels multiply. Take the
# mean digit as $p$. The logarithm of the product should be 0. Is it off by less than a
# nat, by tens, or by hundreds?

# %% tags=["predict"]
p = np.clip(mean_image, 1e-3, 1 - 1e-3)
log_integral = np.sum(np.log((2 * p - 1) / np.log(p / (1 - p))))
report("log of the integral over all gray pictures", log_integral)

# %% [markdown]
# <details><summary>Answer</summary>
#
# By about a thousand nats, and by other amounts for other drawings. What is off by that
# much is no log-likelihood.
#
# </details>

# %% tags=["claims"]
claim("log of the integral", log_integral, at_most=-900)

# %% [markdown]
# So we call the cross-entropy of gray digits what it is, a **cost in nats**. It is a
# sensible cost: if we throw a coin for each pixel that shows 1 with probability $x$, then
# the mean cost of all these black-and-white pictures is exactly the cost of the gray one,
# because the formula is linear in $x$. For a $\log p(x)$ that deserves its name, the
# picture must be black and white itself. Section 8 will throw those coins.

# %% [markdown]
# ## 5. How does a gradient pass a random draw?
#
# Training needs the gradient of $\mathbb E_{z\sim q}[f(z)]$ with respect to the numbers
# $\mu$ and $\sigma$ that the encoder gives. But these numbers stand in the distribution
# from which $z$ is drawn, and a draw has no derivative. There are two ways out.
#
# ### The older way: move the probability
#
# Write the mean as an integral. Only the density depends on $\mu$, and the derivative of
# a density is the density times the derivative of its logarithm:
#
# $$\frac{d}{d\mu}\int q(z)\,f(z)\,dz=\int q(z)\,\frac{d\log q(z)}{d\mu}\,f(z)\,dz
# =\mathbb E\left[f(z)\,\frac{z-\mu}{\sigma^2}\right],$$
#
# since $\log q(z)=-\frac{(z-\mu)^2}{2\sigma^2}$ plus what does not depend on $\mu$. This
# is the **score-function gradient** (Williams, 1992, calls it REINFORCE). It needs
# no derivative of $f$ at all, so it also works for rewards in a game. Its weakness shows
# with two equally likely draws, $\mu=1$, $\sigma=1$ and $z=2$ or $z=0$. Let
# $f(z)=z+10$, whose true gradient is 1. The draws give $12\cdot 1$ and $10\cdot(-1)$.
# Their mean is 1, but each of them is far off, only because of the 10. So subtract a
# **baseline** $b$ from $f$, a number near the mean of $f$. That does not change the
# expected value, since $\mathbb E[z-\mu]=0$. With $b=11$ the two draws give 1 and 1.
#
# ### The newer way: move the draw
#
# Draw the noise first, and let $\mu$ and $\sigma$ act on it afterwards:
#
# $$z=\mu+\sigma\,\varepsilon,\qquad\varepsilon\sim\mathcal N(0,1).$$
#
# This $z$ has the same distribution. But $\varepsilon$ knows nothing of $\mu$, so the
# derivative may go inside the mean, and the chain rule does the rest:
#
# $$\frac{d}{d\mu}\,\mathbb E[f(\mu+\sigma\varepsilon)]=\mathbb E[f'(z)],\qquad
# \frac{d}{d\sigma}\,\mathbb E[f(\mu+\sigma\varepsilon)]=\mathbb E[f'(z)\,\varepsilon].$$
#
# This is the **reparameterization trick**. Its $f$ must have a derivative, and a decoder
# has one. Is it better? Let us try both on a decoder so simple that the truth is known:
# $D$ latent variables, each with a pixel of its own, and
# $f(z)=\sum_d\log\mathcal N(x_d;\,a z_d,1)$. We look at the gradient for the first $\mu$.

# %%
a, x, mu, sigma = 2.0, 3.0, 0.5, 0.6
true_gradient = a * (x - a * mu)  # of E[-½ (x - a z)²] = -½ (x - a μ)² - ½ a² σ²


def gradients(dimensions, rng, draws=20_000):
    """{estimator: its value (draws,) in each draw} of the gradient for the first μ."""
    noise = rng.normal(size=(draws, dimensions))
    z = mu + sigma * noise
    f = np.sum(-0.5 * np.log(2 * np.pi) - 0.5 * (x - a * z) ** 2, axis=1)
    score = noise[:, 0] / sigma  # d log q / dμ = (z - μ) / σ²
    derivative = a * (x - a * z[:, 0])  # f'(z)
    return {
        "score function": f * score,
        "score function, baseline": (f - f.mean()) * score,
        "reparameterized": derivative,
    }


# %% [markdown]
# **Predict.** One latent variable at first, then fifty. How does the standard deviation
# of a single draw's gradient change for each of the three? Does a baseline make the old
# way as good as the new one?

# %% tags=["predict"]
sizes = [1, 2, 5, 10, 20, 50]
rng = np.random.default_rng(seed(4))
results = [gradients(size, rng) for size in sizes]
noise_of = {name: [r[name].std() for r in results] for name in results[0]}
for name, deviations in noise_of.items():
    report(f"{name}, noise with 1 and with 50", deviations[0], deviations[-1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The baseline helps a lot, but not enough: with one latent variable the old way is still
# more than twice as noisy, and it gets noisier with each variable more. The
# reparameterized gradient does not care how many there are.
#
# </details>

# %% tags=["claims"]
for name in noise_of:
    errors = [(r[name].mean() - true_gradient) / r[name].std() for r in results]
    worst = np.abs(errors).max() * np.sqrt(20_000)
    claim(f"{name}: worst of six means, in standard errors", worst, at_most=6)
noise_ratio = np.divide(
    noise_of["score function, baseline"], noise_of["reparameterized"]
)
claim("noise, baseline / reparameterized, 1 variable", noise_ratio[0], at_least=2)
claim("... 50 variables", noise_ratio[-1], at_least=8)
saved = noise_of["score function"][0] - noise_of["score function, baseline"][0]
claim("noise that the baseline saves", saved, at_least=1)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 3))
for (name, deviations), marker in zip(noise_of.items(), "s^o", strict=True):
    axis.loglog(sizes, deviations, marker=marker, label=name)
axis.set(
    xlabel="latent variables", ylabel="standard deviation\nof one draw's gradient"
)
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.legend(loc="upper left")
plots.show(figure, alt="Two rising lines, and below them one that stays flat.")

# %% [markdown]
# *The noise of three gradients that agree in their mean.* The score function multiplies
# the *whole* $f$, so the noise of all other variables comes along. The derivative picks
# out what the first variable has done. To average noise away that is $k$ times as large
# takes $k^2$ times as many draws. (With a cleverer baseline for each variable the old way
# can be improved further. It stays the way to go where $f$ has no derivative.)
#
# In Keras the trick is a layer. It also adds the KL divergence to the loss, because here
# $\mu$ and $\sigma$ are at hand. A factor `beta` may weigh it; for the ELBO it is 1. The
# two outputs of the encoder have no activation: a $\tanh$ would lock the codes in a box
# from $-1$ to 1, which the prior often leaves.


# %% tags=["export"]
class Sampling(keras.layers.Layer):
    """Draws z from q(z|x), and adds beta times the KL divergence to the model's loss."""

    def __init__(self, beta=1.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, mean, log_variance):  # each (batch, latent_dim)
        self.add_loss(self.beta * ops.mean(gaussian_kl(mean, log_variance)))
        noise = keras.random.normal(ops.shape(mean), seed=self.generator)  # ε
        return mean + ops.exp(log_variance / 2) * noise  # z = μ + σ ε


def build_vae(encoder, decoder, *, beta=1.0, seed=0):
    """Encoder, noise and decoder as one model x -> logits, to be trained by `train`.

    Its loss is reconstruction plus beta KL, in nats per image. The halves keep their
    weights in common with it. `seed` starts the noise.
    """
    x = keras.Input(encoder.input_shape[1:])
    mean, log_variance = encoder(x)
    z = Sampling(beta, seed)(mean, log_variance)
    return keras.Model(x, decoder(z))


# %% tags=["figure", "diagram"]
d = Diagram("""
    x       x       .
    encoder encoder .
    mean    sigma   kl
    plus    times   noise
    z       .       .
    decoder .       .
    drawn   .       cost
""")
d.data(x="image $x$", z="code $z$", drawn="logits of the pixels")
d.data(mean="mean $\\mu$", sigma="standard\ndeviation $\\sigma$")
d.operation(encoder="encoder", decoder="decoder")
d.circle(plus="+", times="×")
d.note(noise="noise\n$\\varepsilon \\sim N(0, I)$")
d.loss(kl="KL to\n$N(0, I)$", cost="reconstruction")
d.arrow("x -> encoder", "(batch, 784)")
d.arrow(
    "encoder -> mean -> plus -> z -> decoder -> drawn -> cost", "", "", "(batch, 2)"
)
d.arrow("encoder -> sigma -> times -> plus")
d.arrow("noise -> times")
d.arrow("sigma -> kl")
d.arrow("mean -> kl", leave="above", enter="above")
d.arrow("x -> cost", leave="right", enter="right")
alt = "Image, encoder, mean and deviation, noise from outside, code, decoder, two losses."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The variational autoencoder. Noise enters from the side, so that the way from both
# losses back to the encoder has no random step on it.*
#
# Follow the arrows backwards to see who learns from what:

# %% tags=["figure", "diagram"]
d = Diagram("""
    encoder sampling decoder
    kl      .        cost
""")
d.operation(encoder="encoder", sampling="$z = \\mu + \\sigma\\varepsilon$")
d.operation(decoder="decoder")
d.loss(kl="KL to\n$N(0, I)$", cost="reconstruction")
d.arrow("cost ~> decoder ~> sampling")
d.arrow("sampling ~> encoder", "× 1 for $\\mu$\n× $\\varepsilon$ for $\\sigma$")
d.arrow("kl ~> encoder")
alt = "Dashed arrows: reconstruction to decoder, sampling, encoder; KL to encoder only."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Who receives which gradient.* The decoder learns from the reconstruction alone. The
# encoder hears both: "be precise" from the one, "stay near the prior" from the other.

# %% [markdown]
# ## 6. What does a digit cost?
#
# Everything is in place. The VAE gets the same two networks as the autoencoder, the same
# number of passes and the same training; only the noise and the KL term are new. Its
# score is the mean of $-$ELBO over test digits in nats, a cost: less is better. The two
# terms are computed from the two halves of the model.


# %% tags=["export"]
def elbo_terms(encoder, decoder, x, *, samples=1, seed=0):
    """What the ELBO of each row is made of: (E_q log p(x|z), KL), both (rows,).

    The expectation is a mean over `samples` draws of z; equal seeds draw equal noise.
    """
    rng = np.random.default_rng(seed)
    mean, log_variance = predict(encoder, x)
    fit = 0.0
    for _ in range(samples):
        z = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
        logits = predict(decoder, z)
        fit += log_bernoulli(x, logits) / samples
    kl = gaussian_kl(mean, log_variance)
    return ops.convert_to_numpy(fit), ops.convert_to_numpy(kl)


# %%
def mean_cost(encoder, decoder, x):
    """-ELBO in nats, averaged over the rows of x."""
    reconstruction, kl = elbo_terms(encoder, decoder, x)
    return np.mean(kl - reconstruction)


# %% [markdown]
# Is there a number to compare with? The VAE among Keras's own examples (Chollet, 2020)
# has two latent variables, too, and convolutions. As published it trains for 30 passes
# over all 70,000 digits, test digits included, and its last training loss is about 152
# nats. So 152 is a training loss also on the digits on which ours will be scored unseen.
# (The course's `benchmarks/vae.py` trains both on the training digits only, and counts
# the seconds.)
#
# **Predict.** Ours gets three passes. Where does it end on unseen digits: above 160, near
# 150, or below 140? And how many of these nats does the code cost?

# %%
number = seed(1)
encoder, decoder = build_encoder(2), build_decoder(2, mean_image=mean_image)
vae = build_vae(encoder, decoder, beta=1.0, seed=number)
costs = {}


def score(epoch, logs=None):
    costs[epoch + 1] = mean_cost(encoder, decoder, x_test[:2000])


calls = [keras.callbacks.LambdaCallback(on_epoch_end=score), progress_bar("VAE")]
_ = train(vae, x_train, epochs=EPOCHS, callbacks=calls)

# %% tags=["predict"]
reconstruction, kl = elbo_terms(encoder, decoder, x_test)
cost = np.mean(kl - reconstruction)
report("-ELBO on the test digits, in nats", cost)
report("... of which the code costs", kl.mean())

# %% [markdown]
# <details><summary>Answer</summary>
#
# It ends near 150. Nearly all of that is the drawing. The code costs about six nats, or
# nine bits: enough to tell about $e^6\approx400$ kinds of digits apart.
#
# </details>

# %% tags=["claims"]
claim("-ELBO after three passes", cost, at_most=157)
claim("KL, what the code costs", kl.mean(), at_least=4.5, at_most=7.5)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.6))
axis.plot(list(costs), list(costs.values()), "o-")
axis.axhline(152, color=plots.BLACK, ls=":")
axis.text(1, 151.8, "Keras's example,\n30 passes", va="top")
axis.set(
    xlabel="passes over the training digits",
    ylabel="cost (nats)",
    xticks=[*costs],
)
plots.show(
    figure, alt="The cost falls from pass to pass, toward a dotted line at 152."
)

# %% [markdown]
# *The cost of 2000 test digits after each pass. Dotted: the last training loss of Keras's
# example.*
#
# ### What makes it cheap?
#
# Three short passes in place of thirty long ones: where does that come from? Part of it is
# arithmetic. Each weight of a dense layer is used once per picture, so our two networks
# need as many multiplications as they have weights, about 0.5 million. In the example,
# kernels are used at every place: its first transposed convolution alone takes
# $7\cdot7$ places, $3\cdot3$ weights and $64\cdot64$ pairs of channels, 1.8 million, and
# all of it together more than 6 million.
#
# But we also do two things in training that the example does not. The decoder starts by
# drawing the mean digit, and the learning rate follows a schedule. It would be easy to
# believe that both help. Switch them off, one at a time, with everything else as it was.

# %%
few = x_train[:10_000]


def trained(number, *, start=mean_image, scheduled=True, loss=reconstruction_loss):
    """Encoder and decoder of a VAE after two passes over few digits."""
    number = seed(number)
    halves = build_encoder(2), build_decoder(2, mean_image=start)
    model = build_vae(*halves, seed=number)
    if scheduled:
        train(model, few, epochs=2, loss=loss)
    else:  # Keras's Adam as it comes, with a learning rate of 0.001
        model.compile("adam", loss)
        model.fit(few, few, batch_size=250, epochs=2, verbose=0)
    return halves


# %% [markdown]
# **Predict.** Which of the two saves more nats after two passes over 10,000 digits?

# %% tags=["predict"]
changes = {
    "as above": {},
    "start from zero": {"start": None},
    "no schedule": {"scheduled": False},
}
models, ablation = {}, {}  # four runs for each, from equal seeds
for name, change in progress(changes.items(), "ablation"):
    models[name] = [trained(number, **change) for number in (11, 12, 13, 14)]
    ablation[name] = np.array([mean_cost(*m, x_test[:2000]) for m in models[name]])
    report(f"cost, {name}, four runs", ablation[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The start at the mean digit. Without it, the first steps are spent on learning that
# borders are white. The schedule makes no difference that is larger than the difference
# between two runs, at least in a training as short as this one.
#
# </details>

# %% tags=["claims"]
from_zero = np.mean(ablation["start from zero"] - ablation["as above"])
unscheduled = np.mean(ablation["no schedule"] - ablation["as above"])
claim("cost, start from zero - mean digit", from_zero, at_least=0.1)
claim("cost, no schedule - schedule", unscheduled, equals=0, tolerance=15)

# %% [markdown]
# Only an **ablation**, one thing changed at a time, can tell what helps. We would have
# told you a nice story about the schedule.

# %% [markdown]
# ## 7. What lies between two digits?
#
# Now codes have a place by construction. No distribution has to be fitted: draw $z$ from
# the prior, and decode it.
#
# **Predict.** The 400 cells of section 2 once more, now those of the prior itself. One
# code is drawn from $q(z\mid x)$ for each training digit. Is the VAE's unevenness like
# that of the autoencoder, like PCA's, or near 0?

# %% tags=["predict"]
mean, log_variance = predict(encoder, x_train)
rng = np.random.default_rng(seed(6))
white["VAE"] = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
uneven["VAE"] = unevenness(white["VAE"])
for name in uneven:
    report(f"unevenness, {name}", uneven[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Like PCA's. It is far more even than the autoencoder, although nothing was fitted
# afterwards. But it is not more even than whitened PCA.
#
# </details>

# %% tags=["claims"]
claim(
    "unevenness, VAE / autoencoder",
    uneven["VAE"] / uneven["autoencoder"],
    at_most=0.8,
)
claim(
    "unevenness, VAE - PCA", uneven["VAE"] - uneven["PCA"], equals=0, tolerance=0.15
)

# %% tags=["figure"]
alt = (
    "Three clouds: PCA's round, the autoencoder's in rays, the VAE's nearly round."
)
plots.show(scatter(white), alt=alt)

# %% [markdown]
# *Codes of 700 digits under the three methods, the first two whitened, the third as it
# is.* PCA's evenness and the network's order of the classes in one picture. Here are the
# eighteen random codes of section 2 again, now drawn by the VAE:

# %% tags=["figure"]
by_vae = decode(decoder, random_z)
rows = {"VAE": by_vae[:9], "": by_vae[9:]}
plots.show(
    rows_of_images(rows), alt="Eighteen random drawings, nearly all are digits."
)

# %% [markdown]
# *Eighteen random codes, drawn by the VAE.* And this is everything it can imagine, on one
# sheet:

# %% tags=["figure"]
side = normal_quantiles(np.arange(0.5, 10) / 10)  # steps of equal probability
sheet_z = np.stack(np.meshgrid(side, side[::-1]), axis=-1).reshape(-1, 2)
sheet = decode(decoder, sheet_z).reshape(10, 10, 28, 28)
figure, axis = plt.subplots(figsize=(3.7, 3.7))
axis.imshow(sheet.transpose(0, 2, 1, 3).reshape(280, 280))
axis.set_axis_off()
plots.show(figure, alt="A map of 100 drawn digits; each turns into its neighbors.")

# %% [markdown]
# *A map of 100 drawings that nobody made, in steps of equal probability.* Each turns into
# its neighbors. The seven and the three from the beginning have their places on this map,
# too. Walk from one to the other:

# %% tags=["figure"]
ends = predict(encoder, x_test[[seven, three]])[0]
share = np.linspace(0, 1, 9)[:, None]
fade = (1 - share) * x_test[seven] + share * x_test[three]
walk = decode(decoder, (1 - share) * ends[0] + share * ends[1])
alt = "Above, two ghosts; below, a digit whose strokes change from seven to three."
plots.show(rows_of_images({"pixels": fade, "codes": walk}), alt=alt)

# %% [markdown]
# *Above the pixels are mixed, below the codes.* Strokes bend now, where they faded before,
# and the walk crosses the land of other digits. Its ends only resemble our two digits:
# two numbers are few. Chapter 07b takes twenty.

# %% [markdown]
# ## 8. How likely is a digit?
#
# The ELBO is a lower bound of $\log p(x)$. How far below is it, and whose fault is that?
# Two latent variables are few enough to do the forbidden integral after all. But first,
# pictures must be such that $p(x)$ is a probability. Throw the coins of section 4: each
# pixel becomes 1 with the probability of its gray value. The networks were trained on gray
# digits. To the decoder that makes no difference, since a gray digit's cost is the mean
# over such throws. The encoder has to cope with pictures that look a little different.

# %%
binary_rng = np.random.default_rng(seed(7))
binary = (binary_rng.random((200, 784)) < x_test[:200]).astype("float32")


# %% tags=["export"]
def log_normal(z, mean=0.0, log_variance=0.0):
    """log N(z; mean, diag exp(log_variance)), summed over the last axis."""
    squares = (z - mean) ** 2 / np.exp(log_variance)
    return -0.5 * np.sum(math.log(2 * math.pi) + log_variance + squares, axis=-1)


# %%
def log_evidence(logits_of, x, *, reach=4.0, points=121):
    """log p(x) (rows,) and p(z|x) (rows, points, points) under the prior N(0, I).

    Brute force over a square grid of two latent variables: for each cell p(x|z) p(z)
    times its area. `logits_of` turns codes (n, 2) into logits (n, pixels).
    """
    side = np.linspace(-reach, reach, points)
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    log_joint = np.empty((len(x), len(z)))
    for some in np.array_split(np.arange(len(z)), 20):
        logits = logits_of(z[some])
        softplus = np.logaddexp(0, logits).sum(axis=1)
        log_joint[:, some] = x @ logits.T - softplus
    log_joint += log_normal(z) + 2 * np.log(side[1] - side[0])
    log_p = np.logaddexp.reduce(log_joint, axis=1)  # the logarithm of the sum
    return log_p, np.exp(log_joint - log_p[:, None]).reshape(-1, points, points)


# %% [markdown]
# With twenty latent variables there is no grid. But there is the encoder, which knows
# where to look. Extend the integral by $q$, and it becomes a mean over draws from $q$:
#
# $$p(x)=\int p(x\mid z)\,p(z)\,dz=\mathbb E_{z\sim q}[w],\qquad
# w=\frac{p(x\mid z)\,p(z)}{q(z\mid x)}.$$
#
# Drawing from one distribution, and weighting for another, is **importance sampling**.
# The mean of $k$ weights is right on average. Its logarithm is on average a little too
# low, because the logarithm is concave: it loses more from a mean that came out too small
# than it gains from one that came out too large. So
#
# $$L_k=\mathbb E\log\frac1k\sum_{i=1}^k w_i\;\le\;\log p(x)$$
#
# is another lower bound (Burda et al., 2016). $L_1$ is the ELBO, and $L_k$ rises to
# $\log p(x)$ as $k$ grows.


# %% tags=["export"]
def log_weights(encoder, decoder, x, samples, *, seed=0):
    """log p(x|z) + log p(z) - log q(z|x) for draws z from q(z|x): (rows, samples).

    The mean of the weights themselves is p(x), without bias.
    """
    rng = np.random.default_rng(seed)
    mean, log_variance = predict(encoder, x)
    log_w = np.empty((len(x), samples))
    for k in range(samples):
        z = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
        logits = predict(decoder, z)
        fit = ops.convert_to_numpy(log_bernoulli(x, logits))
        log_w[:, k] = fit + log_normal(z) - log_normal(z, mean, log_variance)
    return log_w


# %%
def importance_bound(log_w, k):
    """L_k of each row of log_w (rows, samples), a mean over its groups of k."""
    groups = log_w.reshape(len(log_w), -1, k)
    return np.mean(np.logaddexp.reduce(groups, axis=2) - np.log(k), axis=1)


# %% [markdown]
# ### The parts of the gap
#
# The gap between ELBO and $\log p(x)$ is the KL divergence of $q(z\mid x)$ from the
# posterior. It can have two causes (Cremer et al., 2018). Even the best $q$ for this
# picture is a normal distribution along the axes, and the posterior may have another
# shape: the **approximation gap**. And the encoder's $q$ is not the best one, because one
# network has to guess for all pictures at once: the **amortization gap**. To tell them
# apart, replace the encoder by a table that has a $\mu$ and a $\log\sigma^2$ of its own
# for each of the 200 pictures. Begin with the encoder's guess, keep the decoder fixed,
# and train the table.

# %%
row = np.arange(len(binary))[:, None]  # (200, 1): which picture
index = keras.Input((1,))
table = keras.layers.Embedding(len(binary), 4)  # μ and log σ² of each picture
own = keras.layers.Flatten()(table(index))  # (batch, 4)
own_encoder = keras.Model(index, [own[:, :2], own[:, 2:]])

guess = np.concatenate(predict(encoder, binary), axis=1)
table.set_weights([guess])
decoder.trainable = False
own_vae = build_vae(own_encoder, decoder, seed=seed(8))
own_vae.compile(keras.optimizers.Adam(0.02), reconstruction_loss)
many = np.repeat(row, 20, axis=0), np.repeat(binary, 20, axis=0)  # 20 draws each
_ = own_vae.fit(*many, batch_size=500, epochs=12, verbose=0)
decoder.trainable = True

# %%
log_w = log_weights(encoder, decoder, binary, 64, seed=seed(9))  # (200, 64)
log_p, posteriors = log_evidence(lambda z: predict(decoder, z), binary)
best_bound = -own_vae.evaluate(*many, batch_size=1000, verbose=0)

# %% [markdown]
# **Predict.** How many nats per picture does the ELBO lose: less than one, a few, or
# tens? Which of the two parts is larger? And do 64 draws make up for it?

# %% tags=["predict"]
elbo = importance_bound(log_w, 1).mean()
amortization, approximation = best_bound - elbo, log_p.mean() - best_bound
report("log p(x) - ELBO, in nats", log_p.mean() - elbo)
report("amortization gap, approximation gap", amortization, approximation)
report(
    "log p(x) - bound of 64 draws",
    log_p.mean() - importance_bound(log_w, 64).mean(),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# A few nats, and the larger part is amortization: a $q$ of its own for each picture comes
# within about a nat. Draws from the encoder's $q$ help, but slowly: where the guess misses,
# they have to land in its tails to find out.
#
# </details>

# %% tags=["claims"]
rises = importance_bound(log_w, 64).mean() - elbo
claim("bound of 64 draws - ELBO", rises, at_least=0.2)
gap = amortization + approximation
claim(
    "share of the gap that 64 draws close", rises / gap, at_least=0.2, at_most=0.9
)
claim("share of the gap that is amortization", amortization / gap, at_least=0.5)

# %% tags=["figure"]
ks = 2 ** np.arange(7)
figure, axis = plt.subplots(figsize=(6, 2.8))
axis.semilogx(
    ks, [importance_bound(log_w, int(k)).mean() for k in ks], "o-", base=2
)
for height, text in [(log_p.mean(), "$\\log p(x)$, by the grid"),
                     (best_bound, "ELBO, a $q$ for each picture")]:  # fmt: skip
    axis.axhline(height, color=plots.BLACK, ls=":")
    axis.text(1, height + 0.08, text)
axis.set(xlabel="draws $k$", ylabel="bound $L_k$ (nats)", xticks=ks, xticklabels=ks)
plots.show(figure, alt="The bound rises with the draws toward two dotted lines.")

# %% [markdown]
# *Lower bounds of the log-likelihood of 200 black-and-white test digits. At $k=1$ stands
# the ELBO.* Whoever compares models should compare equal bounds: the ELBO of one paper
# beside the $L_{5000}$ of another says little.
#
# Where do the guesses miss? Here are four pictures on which grid and encoder disagree most:

# %% tags=["figure"]
side = np.linspace(-4, 4, 121)
own_guess = np.concatenate(predict(own_encoder, row), axis=1)
worst = np.argsort(importance_bound(log_w, 1) - log_p)[:4]
figure, panels = plt.subplots(2, 2, figsize=(5.4, 5.4))
for axis, i in zip(panels.flat, worst, strict=True):
    axis.pcolormesh(side, side, posteriors[i], cmap="Blues", rasterized=True)
    axis.contour(side, side, np.add.outer(side**2, side**2), [1, 4, 9],
                 colors="0.8", linewidths=0.8)  # fmt: skip
    for q, color, ls in [
        (guess[i], plots.RED, "-"),
        (own_guess[i], plots.GREEN, "--"),
    ]:
        size = 4 * np.exp(q[2:] / 2)  # two standard deviations to each side
        ring = plt.matplotlib.patches.Ellipse(
            q[:2], *size, fill=False, ec=color, ls=ls, lw=1.6
        )
        axis.add_patch(ring)
    row_of, column_of = np.unravel_index(
        posteriors[i].argmax(), posteriors[i].shape
    )
    points = [guess[i, :2], own_guess[i, :2], side[[column_of, row_of]]]
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    middle, reach = (low + high) / 2, (high - low).max() / 2 + 0.5
    low, high = middle - reach, middle + reach
    axis.set(aspect="equal", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axis.set_title(f"a {y_test[i]}", loc="center")
    axis.grid(False)
alt = "Posteriors as blue spots; red solid rings beside them, green dashed ones on some."
plots.show(figure, alt=alt)

# %% [markdown]
# *Blue: the posterior, where the code truly may lie. Red, solid: the encoder's guess.
# Green, dashed: the guess of the picture's own. Gray circles: one, two and three standard
# deviations of the prior.* A green ring that is not on the blue has stopped on the way from
# the encoder's guess, at a lesser optimum. A still better $q$ exists there, so in truth even
# more of the gap is amortization than we have measured.
#
# ### Who imagines best?
#
# With a grid we can be fair to all three ways to imagine. Each of them draws a normal $z$
# and turns it into probabilities of ink: PCA (cut to lie between 0.01 and 0.99), the
# autoencoder with the normal distribution that was fitted to its codes, and the VAE. So
# each gives a $\log p(x)$ to a black-and-white digit. (On a grid a model can draw 14,641
# different pictures only. That costs most where the picture changes fastest with the code,
# which is the autoencoder.)
#
# **Predict.** Which order do they take?


# %%
def pca_logits(z):
    center, factor = normals["PCA"]
    p = np.clip(mean_image + (center + z @ factor.T) @ plane, 0.01, 0.99)
    return np.log(p / (1 - p))


def autoencoder_logits(z):
    center, factor = normals["autoencoder"]
    return predict(drawer, center + z @ factor.T)


# %% tags=["predict"]
honest = {
    "PCA": log_evidence(pca_logits, binary)[0].mean(),
    "autoencoder": log_evidence(autoencoder_logits, binary)[0].mean(),
    "VAE": log_p.mean(),
}
for name, value in honest.items():
    report(f"log p(x) of a test digit, {name}", value)

# %% [markdown]
# <details><summary>Answer</summary>
#
# PCA comes last, by dozens of nats: that is the price of its smears. The VAE and the
# autoencoder are close to each other, and on most runs the *autoencoder* is a little
# ahead.
#
# </details>

# %% tags=["claims"]
claim("log p(x), VAE - PCA", honest["VAE"] - honest["PCA"], at_least=25)
gap = honest["autoencoder"] - honest["VAE"]
claim("log p(x), autoencoder with fitted normal - VAE", gap, equals=0, tolerance=15)

# %% [markdown]
# That is not the end that this story usually has. The autoencoder's codes are uneven, but
# once a distribution is *fitted* to them, it is a generative model like the others, and
# with two latent variables no worse than the VAE. (Fitting a far richer distribution to
# the codes of an autoencoder is how today's large image generators work: Rombach et al.,
# 2022.) What the VAE adds is that it needs no second step, and that its training loss *is*
# a bound of the likelihood: without any grid, one pass through the encoder says what a
# picture costs, up to a few nats. Chapter 07b puts that to use with twenty latent
# variables, where no grid can help.

# %% [markdown]
# ## Common mistakes
#
# One VAE that has been copied a lot cannot be built, and could not be trained if it could.
# Three of its mistakes are worth making once.
#
# ### A loss that asks for what Keras does not give
#
# It writes the loss as a function of three arguments, the image, the code and the
# reconstruction.

# %% tags=["raises-exception", "E154"]
autoencoder.compile(loss=lambda x, z, x_hat: 0.0)
autoencoder.evaluate(x_test[:2], x_test[:2], verbose=0)

# %% [markdown]
# Keras calls a loss with two: the target, and what the model gave. Nor does it help to
# take the second for the code, and decode it in the loss. It is the reconstruction:

# %% tags=["raises-exception", "E155"]
autoencoder.compile(loss=lambda x, z: ops.mean((x - drawer(z)) ** 2))
autoencoder.evaluate(x_test[:2], x_test[:2], verbose=0)

# %% [markdown]
# There is no place in `compile` for $\mu$ and $\sigma$. So the KL term is added where they
# are known, by `add_loss` in the layer `Sampling`, and the model is one chain:
# $x\to(\mu,\sigma)\to z\to\hat x$. Compile it once: a second `compile` replaces the loss
# of the first without a word.
#
# ### A divergence that is infinite at the best code
#
# The same program has one $z$ where $\mu$ and $\sigma$ should be two things, and its "KL
# divergence" reads $-\tfrac12\sum(1+\log z^2-z^2-1)$.
#
# **Predict.** What does it charge for $z=0$, the most likely code of all?


# %% tags=["predict", "E156"]
def wrong_kl(z):
    """-½ Σ (1 + log z² - z² - 1): z stands for the mean and for the deviation."""
    with np.errstate(divide="ignore"):
        return -0.5 * np.sum(1 + np.log(z**2) - z**2 - 1, axis=-1)


z = np.linspace(-3, 3, 601)[:, None]  # its middle is 0
report("charge at 0", wrong_kl(z[300]))
report(
    "smallest charge, and where", wrong_kl(z).min(), abs(z[wrong_kl(z).argmin(), 0])
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# An infinite charge. It is smallest at $\pm1$, and never 0.
#
# </details>

# %% tags=["claims"]
claim("infinite at 0", bool(np.isinf(wrong_kl(z[300]))))
claim("its smallest charge", wrong_kl(z).min(), equals=0.5, tolerance=1e-3)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.6))
axis.plot(z, wrong_kl(z), "--")
axis.plot(z, gaussian_kl(z, 0 * z))
axis.text(0.3, 3, "the copied one", color=plots.BLUE)
axis.text(1.2, 3.6, "KL, σ = 1", color=plots.RED)
axis.set(xlabel="$z$, or $\\mu$", ylabel="charge (nats)", ylim=(0, 5))
plots.show(figure, alt="A parabola from 0, and a curve with a pole at 0.")

# %% [markdown]
# *The true charge is a bowl with its bottom at the prior's middle. The copied one has a
# wall there, and pushes every code to 1 or $-1$.*
#
# ### A mean beside a sum
#
# It averages the reconstruction error over the 784 pixels, and sums the KL divergence over
# the latent variables. Each looks harmless. Do the same here: the loss is divided by 784,
# the KL divergence is not.
#
# **Predict.** What will the encoder do with its codes?


# %% tags=["E158"]
def mean_over_pixels(x, logits):
    return reconstruction_loss(x, logits) / 784


with_sum = models["as above"][0]  # of section 6, trained from the same seed
with_mean = trained(11, loss=mean_over_pixels)
code_cost = {}
for name, halves in {"sum": with_sum, "mean": with_mean}.items():
    code_cost[name] = gaussian_kl(*predict(halves[0], x_test[:2000]))

# %% tags=["predict"]
report("KL in nats with the sum", np.mean(code_cost["sum"]))
report("KL in nats with the mean", np.mean(code_cost["mean"]))

# %% [markdown]
# <details><summary>Answer</summary>
#
# It gives up: each digit gets the prior as its code.
#
# </details>

# %% tags=["claims"]
difference = np.mean(code_cost["sum"]) - np.mean(code_cost["mean"])
claim("KL, sum - mean", difference, at_least=1.2)
claim("KL with the mean", np.mean(code_cost["mean"]), at_most=0.1)

# %% tags=["figure"]
rows = {"digit": x_test[:9]}
for name, halves in {"sum": with_sum, "mean": with_mean}.items():
    rows[name] = decode(halves[1], predict(halves[0], x_test[:9])[0])
alt = "Digits, blurred copies with the sum, nine times the same blot with the mean."
plots.show(rows_of_images(rows), alt=alt)

# %% [markdown]
# *Nine digits, reconstructed after a short training with each loss.* With the mean, a nat
# of KL is 784 times too dear beside a nat of reconstruction, so no code is worth its price.
# The decoder learns nothing about the digit, and draws one average for all. This is
# **posterior collapse**. Sum both, or say openly that you weigh the KL divergence by a
# factor, as the $\beta$-VAE does (Higgins et al., 2017).

# %% [markdown]
# ## Exercises
#
# ### Exercise 07.6: a bound by hand
#
# *10 minutes, pencil and calculator.* Somebody picks coin 0 with probability
# $\tfrac23$ and coin 1 with probability $\tfrac13$. Coin 0 shows heads with
# probability $\tfrac14$, coin 1 with $\tfrac34$. We see heads, and guess $q$ to be
# fifty-fifty. Work out $\log p(x)$, the ELBO and the gap between them in nats, to four
# decimals.

# %% tags=["exercise"]
by_hand = ...  # (log p(x), ELBO, gap)

check("07.6", by_hand)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Begin with the joint probabilities $p(x,z)$ of heads with each coin. Section 3 does it
# for two coins that are equally likely.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $p(x)$ is their sum. The ELBO is the mean over $q$ of the logarithm of joint
# probability divided by $q$.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The joint probabilities are $\tfrac16$ and $\tfrac14$.
#
# </details>

# %% tags=["solution"]
by_hand_solution = (
    np.log(1 / 6 + 1 / 4),
    np.log((1 / 6) / (1 / 2)) / 2 + np.log((1 / 4) / (1 / 2)) / 2,
    np.log((1 / 2) / (2 / 5)) / 2 + np.log((1 / 2) / (3 / 5)) / 2,
)
check("07.6", by_hand_solution, solution=True)

# %% [markdown]
# ### Exercise 07.4: any two normal distributions
#
# *10 minutes.* Section 4 derives the KL divergence of any two normal distributions, and
# codes it for one of them only. Code it for $q=\mathcal N(m_1, s_1^2)$ and
# $p=\mathcal N(m_2, s_2^2)$.


# %% tags=["exercise"]
def divergence(m1, s1, m2, s2):
    """KL(q || p) in nats. Numbers; s1 and s2 are standard deviations."""
    raise NotImplementedError


check("07.4", divergence)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# If the two are equal, the result must be 0. That finds many slips.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The divergence is not symmetric: the mean is over $q$, the first of the two.
#
# </details>
# <details><summary>Hint 3</summary>
#
# In place of the formula you may shift and scale both until $p$ is $\mathcal N(0,1)$.
# Then the formula for the prior is enough.
#
# </details>


# %% tags=["solution"]
def divergence_solution(m1, s1, m2, s2):
    return np.log(s2 / s1) - 1 / 2 + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2)


check("07.4", divergence_solution, solution=True)

# %% [markdown]
# ### Exercise 07.7: the ELBO of another VAE
#
# *25 minutes.* Pictures with more than one channel, sounds and measurements are no coins.
# For them the decoder often gives the mean of a normal distribution,
# $p(x\mid z)=\prod_i\mathcal N(x_i;\,\hat x_i(z),\,s^2)$, with a standard deviation $s$
# that is the same for all. Write the reparameterized ELBO of this VAE from the parts:
# draw, decode, measure, charge.


# %% tags=["exercise"]
def gaussian_elbo(x, encode, decode, noise, s):
    """The ELBO of each row of x (batch, features), in nats: (batch,).

    encode: x -> mean, log_variance, each (batch, d); decode: z (batch, d) -> (batch,
    features); noise: (samples, batch, d), standard normal, to draw z. The reconstruction
    term is a mean over the samples, the KL divergence is the formula.
    """
    raise NotImplementedError


check("07.7", gaussian_elbo)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Only the reconstruction term is new. The code costs what it always costs.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The logarithm of a normal density has three parts. One of them depends on $s$ alone, and
# one on nothing.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Sum over features, take the mean over samples, and subtract the KL divergence, summed over
# latent variables.
#
# </details>


# %% tags=["solution"]
def gaussian_elbo_solution(x, encode, decode, noise, s):
    mean, log_variance = encode(x)
    fit = 0.0
    for epsilon in noise:
        x_hat = decode(mean + np.exp(log_variance / 2) * epsilon)
        each = -np.log(s) - np.log(2 * np.pi) / 2 - (x - x_hat) ** 2 / (2 * s**2)
        fit = fit + each.sum(axis=1) / len(noise)
    kl = np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1) / 2
    return fit - kl


check("07.7", gaussian_elbo_solution, solution=True)

# %% [markdown]
# ### Exercise 07.8: the gap on a grid
#
# *25 minutes.* Section 8 found $\log p(x)$ on a grid. The same grid shows the whole gap
# identity. You get $\log p(x,z)$ and $\log q(z)$ at the points of a grid, and the area of
# a cell. Return $\log p(x)$, the ELBO and $D_{KL}(q\,\Vert\,p(z\mid x))$. For pictures
# $\log p(x,z)$ lies near $-1000$, where its exponential is 0 for a computer; and where
# $q(z)$ is 0, its logarithm is $-\infty$.


# %% tags=["exercise"]
def gap_on_a_grid(log_joint, log_q, cell):
    """(log p(x), ELBO, KL) in nats, from log densities (rows, columns) and a cell's area."""
    raise NotImplementedError


check("07.8", gap_on_a_grid)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A density times the area of a cell is a probability. `np.logaddexp.reduce` of all
# logarithms is the logarithm of the sum, without underflow.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Cells where $q$ is 0 contribute nothing to a mean over $q$. Leave them out before you
# subtract logarithms.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The logarithm of the posterior density is `log_joint` minus $\log p(x)$.
#
# </details>


# %% tags=["solution"]
def gap_on_a_grid_solution(log_joint, log_q, cell):
    log_evidence = np.logaddexp.reduce(log_joint, axis=None) + np.log(cell)
    some = np.isfinite(log_q)
    q = np.exp(log_q[some]) * cell
    elbo = np.sum(q * (log_joint[some] - log_q[some]))
    log_posterior = log_joint[some] - log_evidence
    return log_evidence, elbo, np.sum(q * (log_q[some] - log_posterior))


check("07.8", gap_on_a_grid_solution, solution=True)

# %% [markdown]
# ### Exercise 07.9: a baseline that cheats
#
# *20 minutes.* The baseline of section 5 is the mean of $f$ over *all* draws, and each
# draw's own $f$ is in it. With 20,000 draws nobody sees the difference. Take $f(z)=z$ and
# two draws, and work out what is wrong. Then write the estimate without the mistake: the
# baseline of each draw is the mean of the *other* draws. (Kool et al., 2019, train
# networks with it.)


# %% tags=["exercise"]
def fair_gradient(f, score):
    """The gradient (d,) from f (draws,) and scores d log q / dμ (draws, d); draws ≥ 2."""
    raise NotImplementedError


check("07.9", fair_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $\mathbb E[b\,(z-\mu)]=0$ holds for every $b$ that does not depend on $z$. Does the mean of
# all $f$ depend on it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The mean of the others is the sum without your own, over one less.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `(f.sum() - f) / (len(f) - 1)` holds a baseline for each draw. Mind the shapes when you
# multiply by `score`.
#
# </details>


# %% tags=["solution"]
def fair_gradient_solution(f, score):
    baseline = (f.sum() - f) / (len(f) - 1)
    return np.mean((f - baseline)[:, None] * score, axis=0)


check("07.9", fair_gradient_solution, solution=True)

# %% [markdown]
# ### Exercise 07.10: why is even PCA uneven?
#
# *25 minutes, an experiment.* Whitened codes can be uneven for two reasons. Each of the
# two columns may not be normally distributed, or the columns may depend on each other,
# although they are uncorrelated. Find a control that switches the dependence off and
# leaves the values of each column exactly as they are. Write the experiment, and then run
# it: `reasons(white["PCA"], unevenness)`. Which reason is the larger one?


# %% tags=["exercise"]
def reasons(z, unevenness):
    """(unevenness from the columns alone, what their dependence adds), in nats.

    z: codes (rows, 2), not to be changed; unevenness: a function of such codes.
    """
    raise NotImplementedError


check("07.10", reasons)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Dependence means that the value in one column says something about the value in the other
# column *of the same row*.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A random order destroys that. How many of the two columns do you have to shuffle?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The unevenness of the shuffled codes is the first number. The two numbers add up to the
# unevenness of the codes as they are.
#
# </details>


# %% tags=["solution"]
def reasons_solution(z, unevenness):
    shuffled = np.random.default_rng(1).permutation(z[:, 0])
    columns = unevenness(np.stack([shuffled, z[:, 1]], axis=1))
    return columns, unevenness(z) - columns


check("07.10", reasons_solution, solution=True)

# %% [markdown]
# <details><summary>Which reason?</summary>
#
# For PCA the larger part is dependence: uncorrelated is not independent.
#
# </details>

# %% [markdown]
# ### Exercise 07.5: walk through digits
#
# *30 minutes, a small project.* Walk through the codes from the first image to the
# second, on to the third, and so on, with `steps` equal steps between two of them. Then
# call it with `encoder` and `decoder` of section 6 and `rows_of_images`, and look at your
# film: through which digits does it lead?


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
# Encode all images first, then mix codes, then decode.
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
    walks = [
        codes[i] + t * (codes[i + 1] - codes[i]) for i in range(len(images) - 1)
    ]
    return decode(np.concatenate([*walks, codes[-1:]]))


check("07.5", tour_solution, solution=True)
