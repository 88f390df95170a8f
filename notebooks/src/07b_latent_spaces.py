# %% [markdown]
# Twelve digits, each drawn again from two numbers and from twenty. What do eighteen
# more numbers buy, and what else are they good for?

# %%
import time

import keras
from dl_course import data, vae
from dl_course.common import predict
from dl_course.diagrams import Diagram
from dl_course.linear import sigmoid
from dl_course.network import log_sum_exp

(gray_train, y_train), (gray_test, y_test) = data.mnist()
coins = np.random.default_rng(seed(1))


# %%
def binarize(gray, rng):
    """Black-and-white images (rows, pixels): a pixel is 1 with its gray value as chance."""
    gray = gray.reshape(len(gray), -1)
    return (rng.random(gray.shape, dtype="float32") < gray).astype("float32")


def build_halves(latent_dim, mean_image):
    """Encoder and decoder of chapter 07, with wider layers. Not compiled."""
    encoder = vae.build_encoder(latent_dim, (400, 200))
    return encoder, vae.build_decoder(latent_dim, (200, 400), mean_image=mean_image)


def draw(decoder, z):
    """Images of the probability of ink (rows, 28, 28) that codes z are decoded to."""
    return sigmoid(predict(decoder, z)).reshape(-1, 28, 28)


x_train, x_test = binarize(gray_train[:52_000], coins), binarize(gray_test, coins)
mean_image = x_train.mean(axis=0)  # (784,)
gray_train = gray_train[
    :10_000
].copy()  # enough for later; the rest may be forgotten

# %%
two, twenty = build_halves(2, mean_image), build_halves(20, mean_image)
plan = {"epochs": 3, "learning_rate": 0.003}
bars = [progress_bar(f"{d} numbers") for d in (2, 20)]
model = vae.build_vae(*two, seed=seed(2))
_ = vae.train(model, x_train[:20_000], callbacks=bars[:1], **plan)
model = vae.build_vae(*twenty, seed=seed(3))
_ = vae.train(model, x_train[:40_000], callbacks=bars[1:], **plan)


# %% tags=["figure"]
def draw_rows(rows, size=0.5):
    """A figure of rows of pictures, {name: (n, 28, 28)}, the names at the left."""
    pictures = np.concatenate([*rows.values()])
    columns = len(pictures) // len(rows)
    figure = plots.images(pictures, columns=columns, size=size)
    for axis, name in zip(figure.axes[::columns], rows, strict=True):
        axis.text(-4, 14, name, ha="right", va="center")
    return figure


rows = {"digit": x_test[:12].reshape(-1, 28, 28)}
for name, (encoder, decoder) in {"2 numbers": two, "20 numbers": twenty}.items():
    rows[name] = draw(decoder, predict(encoder, x_test[:12])[0])
alt = (
    "Twelve digits, blurred copies from two numbers, and close copies from twenty."
)
plots.show(draw_rows(rows), alt=alt)

# %% [markdown]
# *Above: test digits in black and white. Below: what two decoders draw from the codes
# that their encoders gave to these digits.* Two numbers keep what kind of digit it is,
# more or less. Twenty keep the slant, the thickness and the loops as well.
#
# Why black and white? A decoder says for each pixel how likely ink is, so what it
# describes are pictures of ink and no ink. To make such a picture from a gray one,
# throw a coin for each pixel that falls on ink with the gray value as its probability:
# **binarization**. Only so is the number that a VAE reports really a probability of
# the picture. The first of the common mistakes below shows what goes wrong with gray.
#
# Here is where we are going. The code in the middle is what this chapter weighs.

# %% tags=["figure", "diagram"]
d = Diagram("""
    image    .
    enc      .
    code     rate
    dec      .
    drawing  cost
""")
d.data(image="image $x$", code="code $z$", drawing="drawing")
d.operation(enc="encoder: $q(z|x)$", dec="decoder: $p(x|z)$")
d.loss(
    rate="rate: nats charged\nfor the code",
    cost="distortion: nats that\nthe drawing still costs",
)
d.arrow("image -> enc -> code -> dec -> drawing", "784", "20", "20", "784")
d.arrow("code -> rate")
d.arrow("drawing -> cost")
alt = "Image, encoder, code, decoder, drawing; a rate hangs on the code, a distortion "
plots.show(d.draw(), alt=alt + "on the drawing.")

# %% [markdown]
# *The numbers on the arrows count values per image.* Section 1 asks what the charge on
# the code really buys, section 2 how likely a picture is, section 3 what happens if the
# code gets dearer. Then the code goes to work: it is read by a classifier (section 4),
# and it guards a door (section 5). Section 6 asks for a better decoder.

# %% [markdown]
# ## Recall
#
# 1. What are the two terms of the ELBO, and what does the ELBO miss of $\log p(x)$?
# 2. What is importance sampling?
# 3. How many weights has a convolution with a $3\times3$ kernel, one channel in and 8
#    out, and why does their number not depend on the size of the picture?
#
# <details><summary>Answer</summary>
#
# 1. The expected log-likelihood of the picture given its code, minus the KL divergence
#    of $q(z\mid x)$ from the prior. It misses the KL divergence of $q(z\mid x)$ from
#    the true posterior (chapter 07).
# 2. Draw from one distribution, and weigh each draw by how much more often the
#    distribution that we mean would have drawn it (chapter 07).
# 3. $3\cdot3\cdot8=72$, and 8 biases. The same kernel is used at every place
#    (chapter 05).
#
# </details>

# %% [markdown]
# ## 1. How many bits does a code carry?
#
# A VAE is charged for its code: the KL divergence of $q(z\mid x)$ from the prior, so
# many nats per image. It is tempting to read that as "the code holds so much about
# the image". If we want to compare codes, or to compress with them, or to trust them,
# we should know whether that is so. It is not: the charge is only an *upper bound*.
#
# ### Three codes of one coin
#
# Let there be two images, A and B, equally frequent, a code that is 0 or 1, and a prior
# that says ½ and ½. Everything can be counted in bits.
#
# - **An honest code.** A is always coded 0, and B is coded 1. The KL divergence of
#   $(1,0)$ from $(\tfrac12,\tfrac12)$ is $1\cdot\log_2\frac{1}{1/2}=1$ bit, and the same
#   for B. The charge is 1 bit. Whoever reads the code knows the image, and that is
#   worth 1 bit, too.
# - **A useless code.** Both are always coded 0. The charge is 1 bit again, but the
#   reader learns nothing: 0 bits.
# - **Something between.** A is always coded 0, and B is coded by a coin. The charges are
#   1 bit and 0 bits, on average ½. The code 0 comes up in ¾ of all cases. What the
#   reader learns is the uncertainty about the code before, minus what is left
#   once the image is known: $H(\tfrac34)-\tfrac12\cdot0-\tfrac12\cdot1=0.811-0.5=0.311$
#   bits. The rest of the charge, 0.189 bits, is the KL divergence of
#   $(\tfrac34,\tfrac14)$ from the prior: $1-0.811$.
#
# So a code can be charged for being *somewhere else* than the prior says. That pays for
# nothing.
#
# ### The charge has two parts
#
# Now in general. Let $p(x)$ say how often images occur. Mix the distributions of all
# their codes: $q(z)=\mathbb E_{x}\,q(z\mid x)$ is the **aggregate posterior**, the
# distribution of codes if nobody tells us the image. Take the mean charge, and
# multiply and divide by $q(z)$ inside the logarithm:
#
# $$\mathbb E_x\,\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)
# =\mathbb E_{x,\,z}\log\frac{q(z\mid x)}{p(z)}
# =\mathbb E_{x,\,z}\log\frac{q(z\mid x)}{q(z)}+\mathbb E_{x,\,z}\log\frac{q(z)}{p(z)}.$$
#
# In the second term nothing depends on $x$ any more once $z$ is drawn. What is left is a
# mean over $z\sim q(z)$, and that is by definition $\mathrm{KL}(q(z)\,\|\,p(z))$. The
# first term is the **mutual information** $I(x;z)$: how many nats the code tells about
# the image, on average. So
#
# $$\underbrace{\mathbb E_x\,\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)}_{\text{charged}}
# =\underbrace{I(x;z)}_{\text{carried}}
# +\underbrace{\mathrm{KL}\big(q(z)\,\|\,p(z)\big)}_{\text{wasted}}\;\ge\;I(x;z),$$
#
# because no KL divergence is negative. A code of 20 nats carries *at most* 20 nats, or
# $20/\log 2\approx29$ bits (Alemi et al., 2018).
#
# Here are three images with one latent variable. What is charged is the distance of each
# hill from the dotted prior; what is wasted is the distance of their mixture from it.

# %% tags=["figure"]
z = np.linspace(-4, 4, 400)
figure, panels = plt.subplots(1, 2, figsize=(7, 2.4), sharey=True)
for axis, shift in zip(panels, (0, 1.5), strict=True):
    hills = [
        np.exp(vae.log_normal(z[:, None], shift + m, -1.6)) for m in (-1.2, 0, 1.2)
    ]
    for hill in hills:
        axis.plot(z, hill, color=plots.BLUE, lw=1)
    axis.plot(z, np.mean(hills, axis=0), color=plots.RED, lw=2.5)
    axis.plot(z, np.exp(vae.log_normal(z[:, None])), ":", color=plots.BLACK)
    axis.set(xlabel="$z$", title="where the prior is" if shift == 0 else "shifted")
panels[0].set(ylabel="density")
panels[1].text(-3.9, 0.75, "$q(z|x)$", color=plots.BLUE)
panels[1].text(-3.9, 0.62, "$q(z)$", color=plots.RED)
panels[1].text(-3.9, 0.49, "$p(z)$, dotted", color=plots.BLACK)
alt = "Three hills, their mixture, and the prior: the mixture fits it only at the left."
plots.show(figure, alt=alt)

# %% [markdown]
# *Both codes carry the same: the three hills overlap equally. The right one is charged
# more.* Shift all codes of a VAE by 3, and take 3 off again in front of the decoder:
# every drawing is what it was, nothing more is carried, and each number is charged about
# $3^2/2=4.5$ nats more.
#
# ### Measure it
#
# $q(z)$ is a mixture of as many hills as there are images. Take $N$ of them, draw one
# code $z_i$ for each, and compute all $\log q(z_i\mid x_j)$. With $N$ images the reader
# can learn which of the $N$ it is, and not more: at most $\log N$ nats. So the estimate
# from $N$ images never exceeds $\log N$, however good the code is, and it is on average
# too low (Poole et al., 2019).


# %%
def log_q(z, mean, log_variance):
    """log q(z_i|x_j) of each code under each image's normal distribution: (codes, images)."""
    precision = np.exp(-log_variance)  # (images, d)
    squares = z**2 @ precision.T - 2 * z @ (mean * precision).T  # (codes, images)
    squares += np.sum(mean**2 * precision, axis=1)
    return -0.5 * (squares + np.sum(log_variance + np.log(2 * np.pi), axis=1))


def carried_and_wasted(mean, log_variance, *, seed=0):
    """Nats: the mutual information of N images and their codes, and KL(q(z) || p(z)).

    Both arguments are (N, d). One code is drawn for each image.
    """
    mean, log_variance = np.asarray(mean, float), np.asarray(log_variance, float)
    noise = np.random.default_rng(seed).normal(size=mean.shape)
    z = mean + np.exp(log_variance / 2) * noise
    each = log_q(z, mean, log_variance)  # (N, N)
    mixture = log_sum_exp(each) - np.log(len(z))  # log q(z_i)
    carried = np.diag(each) - mixture
    return carried.mean(), np.mean(mixture - vae.log_normal(z))


# %% [markdown]
# **Predict.** We measure with 25, 250 and 2,500 test images. For the code of two numbers
# and for the code of twenty: will the measured information stop growing, and where?

# %% tags=["predict"]
counts = (25, 250, 2500)
charged, carried = {}, {}
for d, (encoder, _) in {2: two, 20: twenty}.items():
    q = predict(encoder, x_test[:2500])  # mean and log-variance
    charged[d] = np.mean(vae.gaussian_kl(*q))
    parts = [carried_and_wasted(*(a[:n] for a in q), seed=seed(4)) for n in counts]
    carried[d] = [part[0] for part in parts]
    report(f"{d} numbers, nats charged", charged[d])
    report(f"{d} numbers, nats measured, by number of images", carried[d])
report("log N", np.log(counts))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Two numbers cannot tell 2,500 images apart. From 25 to 250 images what is measured still
# grows, then hardly, and it ends a little below what is charged. So they carry nearly all
# that they are charged for. Twenty numbers name each of the 2,500 images: what is measured is $\log N$
# each time, and grows as long as images come in. The truth lies between the last of these
# numbers and the charge, and 2,500 images cannot say where.
#
# </details>

# %% tags=["claims"]
last_gain = {d: values[2] - values[1] for d, values in carried.items()}
claim(
    "nats charged, 2 numbers, and not measured",
    charged[2] - carried[2][2],
    at_most=1,
)
claim("what ten times more images add, 2 numbers", last_gain[2], at_most=1)
claim("what ten times more images add, 20 numbers", last_gain[20], at_least=1.8)
identity = sum(parts[-1]) - charged[20]
claim("carried + wasted - charged", identity, equals=0, tolerance=0.5)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.semilogx(counts, np.log(counts), ":", color=plots.BLACK)
axis.text(40, 8, "dotted: $\\log N$, no more can be seen")
for (d, values), mark, color in zip(
    carried.items(), "os", (plots.BLUE, plots.RED), strict=True
):
    axis.semilogx(counts, values, mark + "-", color=color, label=f"{d} numbers")
    axis.axhline(charged[d], color=color, lw=0.9, ls="--")
    axis.text(
        500, charged[d] + 0.2, f"charged, {d} numbers", color=color, va="bottom"
    )
axis.set(xlabel="images $N$", ylabel="nats", ylim=(0, charged[20] + 2.5))
axis.legend(loc="center left", bbox_to_anchor=(0, 0.65))
plots.show(
    figure, alt="Two numbers level off below their charge; twenty follow log N."
)

# %% [markdown]
# *Solid: what the code is measured to carry. Dashed: what is charged for it.* The
# training has put the codes of two numbers close to the prior, so little is wasted. For
# twenty numbers we can only say "between": to prove a code of 18 nats one would need
# $e^{18}$ images, more than sixty million. So say of a KL term that the code carries *at
# most* so much.
#
# The charge is a sum over the latent variables, and it is not shared evenly:

# %% tags=["figure"]
mean, log_variance = predict(twenty[0], x_test)
charges = np.mean(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=0) / 2
figure, axis = plt.subplots(figsize=(6.4, 2.2))
axis.bar(range(1, 21), np.sort(charges)[::-1] / np.log(2), color=plots.BLUE)
axis.set(xlabel="latent variables, largest first", ylabel="bits charged")
axis.set_xticks([1, 5, 10, 15, 20])
plots.show(
    figure, alt="Bars fall from left to right, the last ones are hardly there."
)

# %% [markdown]
# *Bits per image that each latent variable is charged.* A variable whose $q(z\mid x)$ is
# the prior for every image costs nothing and carries nothing. It is switched off. So a
# VAE with too many latent variables does no harm: it counts for itself how many are worth
# their price (Burda et al., 2016, count the active ones).

# %% [markdown]
# ## 2. Between which two numbers does log p(x) lie?
#
# A model that gives unseen digits a higher probability has understood more about digits.
# But the ELBO is only a lower bound of $\log p(x)$, and how far below it is depends on
# the encoder, which is not even part of the model $p$. If we compare two models by
# their ELBOs, we may compare their encoders. With two latent variables chapter 07 had a
# grid that knew the truth. With twenty there is none: ten points per axis make $10^{20}$
# cells. We shall catch the truth between two bounds instead.
#
# ### From below
#
# The weight $w=p(x\mid z)\,p(z)/q(z\mid x)$ of a draw $z\sim q(z\mid x)$ is right on
# average: $\mathbb E\,w=\int q\cdot\frac{p(x\mid z)p(z)}{q}\,dz=p(x)$. Chapter 07 took
# the logarithm of the mean of $k$ weights,
# $L_k=\mathbb E\log\frac1k\sum_{i=1}^k w_i\le\log p(x)$.
#
# **By hand.** A code is 0 or 1, each with prior ½. The image has $p(x\mid 0)=0.8$ and
# $p(x\mid 1)=0.2$, so $p(x)=0.5$ and $\log p(x)=-0.693$. Let the encoder be lazy and say
# ½ and ½. Then a weight is $0.8$ or $0.2$, equally often:
#
# - $L_1=\tfrac12(\log0.8+\log0.2)=-0.916$, the ELBO.
# - For two draws the mean weight is 0.8, 0.5, 0.5 or 0.2:
#   $L_2=\tfrac14(\log0.8+2\log0.5+\log0.2)=-0.805$. That is nearer.
#
# **More draws are never worse.** Take $k+1$ weights, and leave out one after the other.
# That gives $k+1$ means of $k$ weights each, and the mean of these means is the mean of
# all $k+1$, since every weight is in $k$ of them. The logarithm is concave: the
# logarithm of a mean is at least the mean of the logarithms. So the logarithm of the mean
# of all is at least the mean of $k+1$ logarithms, and each of those has the expected
# value $L_k$. Hence $L_{k+1}\ge L_k$ (Burda et al., 2016).
#
# ### From above
#
# Suppose that somebody gives us, for the same image, one draw $z^*$ from the *true*
# posterior $p(z\mid x)$. Put its weight in place of one of the $k$:
#
# $$U_k=\mathbb E\log\frac1k\Big(w(z^*)+\sum_{i=2}^k w_i\Big).$$
#
# In the example the true posterior is $(0.8,0.2)$, and
# $U_1=0.8\log0.8+0.2\log0.2=-0.500$. That is *above* $\log p(x)=-0.693$. It always is.
# To see why, call $\hat w$ the mean of $k$ weights, and compare two ways to draw $k$
# codes. The first, $Q$, draws all from $q$. The second, $R$, chooses one of the $k$
# places, draws that one from the posterior, and the others from $q$. Since the posterior
# is $q(z\mid x)\,w(z)/p(x)$, the two densities differ by a factor that we know:
#
# $$R=\frac1k\sum_{i=1}^k Q\cdot\frac{w_i}{p(x)}=Q\cdot\frac{\hat w}{p(x)},
# \qquad\text{so}\qquad \log\hat w-\log p(x)=\log\frac RQ.$$
#
# $U_k$ is the mean of $\log\hat w$ over draws from $R$ (the place of $z^*$ among the $k$
# does not change the sum), and $L_k$ the mean over draws from $Q$. So take both means of
# the last equation:
#
# $$U_k-\log p(x)=\mathrm{KL}(R\,\|\,Q)\ge0,\qquad
# L_k-\log p(x)=-\mathrm{KL}(Q\,\|\,R)\le0.$$
#
# The truth lies between, and one line gives both bounds (Grosse et al., 2015). Where do
# we get a draw from the true posterior? For a real digit nobody knows one. But let the
# model draw a picture itself: first $z^*$ from the prior, then $x$ from the decoder. Then
# $(x,z^*)$ is a draw from $p(x,z)$, and so $z^*$ is a draw from $p(z\mid x)$.


# %%
def log_mean(log_w):
    """log of the mean of k weights, from their logarithms (..., k)."""
    return log_sum_exp(log_w) - np.log(log_w.shape[-1])


def two_bounds(own, others, k):
    """(L_k, U_k), means over images, from log weights of draws.

    own (rows,): of one draw from the true posterior; others (rows, n): of draws from q,
    used in groups of k, a divisor of n.
    """
    groups = others.reshape(len(others), -1, k)
    posterior = np.broadcast_to(own[:, None, None], groups[..., :1].shape)
    replaced = np.concatenate([posterior, groups[..., 1:]], axis=2)
    return log_mean(groups).mean(), log_mean(replaced).mean()


def log_weight_of(z, encoder, decoder, x):
    """log w of one given code z (rows, d) for each image x (rows, pixels): (rows,)."""
    fit = np.asarray(vae.log_bernoulli(x, predict(decoder, z)))
    return fit + vae.log_normal(z) - vae.log_normal(z, *predict(encoder, x))


# %%
rng = np.random.default_rng(seed(5))
z_true = rng.normal(size=(200, 20))
drawn = binarize(draw(twenty[1], z_true), rng)  # the model's own pictures
own = log_weight_of(z_true, *twenty, drawn)
others = vae.log_weights(*twenty, drawn, 64, seed=seed(5))  # (200, 64)
lower, upper = {}, {}
for k in (1, 2, 4, 8, 16, 32, 64):
    lower[k], upper[k] = two_bounds(own, others, k)

# %% [markdown]
# **Predict.** With one draw, how far apart are the two bounds: less than a nat, a few, or
# dozens? How far with 64? And if you spend the 64 draws on a better *mean of the
# logarithms* instead, what do you gain?

# %% tags=["predict"]
width = {k: upper[k] - lower[k] for k in lower}
report("nats between the bounds, 1 draw", width[1])
report("nats between the bounds, 64 draws", width[64])
rise = lower[64] - others.mean()
report("log of the mean of 64 - mean of the 64 logarithms", rise)

# %% [markdown]
# <details><summary>Answer</summary>
#
# With one draw they are many nats apart, with 64 a few. A mean of logarithms gains
# nothing: it is the ELBO again, measured with less noise. The mean has
# to stand *inside* the logarithm.
#
# </details>

# %% tags=["claims"]
claim(
    "nats between the bounds, saved by 64 draws", width[1] - width[64], at_least=2
)
claim("nats between the bounds with 64 draws", width[64], at_most=9.5)
claim("log of the mean of 64 - mean of the 64 logarithms", rise, at_least=2)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.semilogx([*upper], [*upper.values()], "v-", base=2, color=plots.RED)
axis.semilogx([*lower], [*lower.values()], "^-", base=2, color=plots.BLUE)
axis.fill_between([*lower], [*lower.values()], [*upper.values()], color="0.92")
axis.text(1.15, upper[1] + 0.3, "$U_k$", color=plots.RED, va="bottom")
axis.text(
    1.15, lower[1] - 0.3, "$L_k$: the ELBO at $k=1$", color=plots.BLUE, va="top"
)
axis.set(xlabel="draws $k$", ylabel="$\\log p(x)$ (nats)")
axis.set(ylim=(lower[1] - 2, upper[1] + 2))
axis.set_xticks([*lower], [*lower])
plots.show(figure, alt="An upper and a lower curve close in on each other.")

# %% [markdown]
# *Bounds for 200 pictures that the model drew itself; the truth is in the gray band.* Now
# we know how far the bound of 64 draws can be off on such pictures: at most by the width
# of the band. And the digits of real people?

# %%
log_w = vae.log_weights(*twenty, x_test[:200], 64, seed=seed(6))

# %% [markdown]
# **Predict.** Does the bound of real digits rise by as much from 1 draw to 64 as that of
# the model's own pictures?

# %% tags=["predict"]
ends = log_w.mean(), log_mean(log_w).mean()
report("real digits, ELBO and bound of 64 draws", ends)
largest = np.exp(log_w.max(axis=1) - log_sum_exp(log_w))
report("share of the largest weight among 64, on average", largest.mean())

# %% [markdown]
# <details><summary>Answer</summary>
#
# It rises by a few nats as well. But look at the weights: one of the 64 alone makes up a
# large share of their sum. So most draws are as good as lost, and more of them help only
# slowly.
#
# </details>

# %% tags=["claims"]
claim(
    "real digits, bound of 64 - ELBO",
    log_mean(log_w).mean() - log_w.mean(),
    at_least=1.5,
)
claim("share of the largest weight, if equal 1/64", largest.mean(), at_least=0.1)

# %% [markdown]
# For pictures that people have drawn no upper bound is known. So the honest report is: "at
# least this much, by 64 draws, on these binarized test digits". Never compare the ELBO of
# one paper with the $L_{5000}$ of another.

# %% [markdown]
# ## 3. What does β trade?
#
# A code that tells more costs more, and a decoder that is told less draws worse. How much
# of the one should be given for the other depends on what the code is for: a thumbnail
# server and a medical archive will not agree. So it is good to have a knob, and to know
# what exactly it turns.
#
# Call the charge on the code the **rate** $R$ and what the drawing still costs, the
# negative expected log-likelihood, the **distortion** $D$. Then $-$ELBO is $R+D$. Put a
# factor on the rate and minimize $D+\beta R$ instead: that is a **β-VAE** (Higgins et al.,
# 2017).
#
# **By hand.** Let four codes be possible, with rate and distortion $(0,200)$, $(10,150)$,
# $(25,110)$ and $(60,85)$. For $\beta=1$ the sums are 200, 160, 135 and 145, and the third
# is chosen. For $\beta=0.3$ they are 200, 153, 117.5 and 103: the fourth. For $\beta=10$
# they are 200, 250, 360 and 685: the first, the code that says nothing.
#
# ### The price of a nat
#
# Here is a law that needs no network at all. Let $(R_1,D_1)$ be the best pair for
# $\beta_1$, and $(R_2,D_2)$ the best pair for a larger $\beta_2$. Each is at least as good
# for its own $\beta$ as the other one:
#
# $$D_1+\beta_1R_1\le D_2+\beta_1R_2,\qquad D_2+\beta_2R_2\le D_1+\beta_2R_1.$$
#
# The first says $\beta_1(R_1-R_2)\le D_2-D_1$. The second says
# $D_2-D_1\le\beta_2(R_1-R_2)$. So $\beta_1(R_1-R_2)\le\beta_2(R_1-R_2)$, and since
# $\beta_1<\beta_2$ the rate cannot have grown: $R_1\ge R_2$. Where it has fallen, divide:
#
# $$\beta_1\;\le\;\frac{D_2-D_1}{R_1-R_2}\;\le\;\beta_2.$$
#
# So going from $\beta_1$ to $\beta_2$, every nat of rate that is saved costs between
# $\beta_1$ and $\beta_2$ nats of distortion, whatever the network and the pictures are
# (Alemi et al., 2018). In the example, from $\beta=0.3$ to $1$ the distortion rises by 25
# for a rate that falls by 35: that is $0.71$ per nat, and indeed between $0.3$ and $1$.
#
# The law holds for minimizers, and a network after a few passes is none. So do not start
# four networks from nothing: start all of them from the trained `twenty`, and change β
# then.

# %%
BETAS = (0.3, 1, 3, 10)
some, judged = x_train[:8000], x_test[:5000]


def copied(halves):
    """Networks of the same kind as `halves`, with the same weights, of their own."""
    copies = [keras.models.clone_model(half) for half in halves]
    for copy, half in zip(copies, halves, strict=True):
        copy.set_weights(half.get_weights())
    return copies


def rate_and_distortion(halves, beta, x, x_new):
    """(R, D) in nats per image of x_new, after training `halves` with this beta on x."""
    model = vae.build_vae(*halves, beta=beta, seed=seed(4))
    _ = vae.train(model, x, epochs=2, learning_rate=0.002)
    fit, kl = vae.elbo_terms(*halves, x_new)
    return kl.mean(), -fit.mean()


tuned = {beta: copied(twenty) for beta in BETAS}
bar = progress(tuned.items(), "β")
pairs = {beta: rate_and_distortion(h, beta, some, judged) for beta, h in bar}

# %% [markdown]
# **Predict.** For each step to the next β: between which bounds must the price of a saved
# nat be? And at which of the four is $-$ELBO on test digits lowest?

# %% tags=["predict"]
rate, distortion = np.array([*pairs.values()]).T
report("rates", rate)
report("distortions", distortion)
price = np.diff(distortion) / -np.diff(rate)
report("price of a saved nat, β from 0.3 to 1, 1 to 3, 3 to 10", price)
report("-ELBO", rate + distortion)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Each price lies between the two values of β, although these networks are no exact
# minimizers. The sum $R+D$ is lowest at β = 1: only there it is what is minimized.
#
# </details>

# %% tags=["claims"]
for low, high, paid in zip(BETAS, BETAS[1:], price, strict=False):
    claim(
        f"price of a nat, β from {low} to {high}", paid, at_least=low, at_most=high
    )
total = rate + distortion
claim("-ELBO, β = 0.3 - β = 1", total[0] - total[1], at_least=1)
claim("-ELBO, β = 3 - β = 1", total[2] - total[1], at_least=3)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
axis.plot(rate, distortion, "o-")
for beta, point in pairs.items():
    axis.annotate(f"β = {beta}", point, (5, 5), textcoords="offset points")
r = np.linspace(0, rate[0], 50)
axis.plot(r, total[1] - r, ":", color=plots.BLACK)
axis.text(0.3, distortion.min(), "dotted: $R+D$ as at β = 1")
axis.set(xlabel="rate $R$ (nats charged)", ylabel="distortion $D$ (nats)")
plots.show(figure, alt="A falling curve touches a dotted line at β = 1.")

# %% [markdown]
# *Rate and distortion on test digits.* The dotted line joins all pairs with the same sum as
# that of β = 1; its slope is $-1$, and the curve lies above it.
#
# ### Does a large β switch the code off?
#
# Many texts show that with a large β all drawings look alike: the code carries nothing, and
# the decoder draws the mean image, **posterior collapse** (chapter 07). Above, even β = 10
# has kept a few nats. Is the large β to blame for the collapse, or the start? Train
# two networks with the same first weights on the same pictures, twice for two passes. One
# has β = 10 from the beginning, the other β = 1 first and β = 10 then. To begin with a
# small β and to raise it is called **KL annealing** (Bowman et al., 2016).

# %%
seed(5)
plain, fresh = build_halves(20, mean_image), x_train[:14_000]
annealed = copied(plain)
rate_and_distortion(plain, 10, fresh, judged)
rate_and_distortion(annealed, 1, fresh, judged)
from_scratch = rate_and_distortion(plain, 10, fresh, judged)
raised = rate_and_distortion(annealed, 10, fresh, judged)

# %% [markdown]
# **Predict.** Both minimize $D+10R$ at the end. Which of the two comes lower?

# %% tags=["predict"]
objective = {"from scratch": from_scratch, "annealed": raised}
for name, (r, cost) in objective.items():
    report(f"β = 10 {name}, rate, and D + 10 R", r, cost + 10 * r)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The annealed one, by several nats, and by the very yardstick that both are trained for. In
# the other the code is switched off, or nearly so.
#
# </details>

# %% tags=["claims"]
lost = from_scratch[1] + 10 * from_scratch[0] - raised[1] - 10 * raised[0]
claim("D + 10 R, from scratch - annealed", lost, at_least=0.5)
claim("rate, annealed - from scratch", raised[0] - from_scratch[0], at_least=0.3)

# %% tags=["figure"]
z = np.random.default_rng(seed(5)).normal(size=(12, 20))
drawings = {f"β = {beta}": draw(halves[1], z) for beta, halves in tuned.items()}
drawings["β = 10,\nfrom scratch"] = draw(plain[1], z)
alt = "Random codes, decoded: varied digits in four rows, nearly one gray shape in the last."
plots.show(draw_rows(drawings), alt=alt)

# %% [markdown]
# *The same twelve random codes, decoded by five decoders.* The first four began with trained
# weights, and with all four values of β they draw digits. The fifth has learned little but
# the mean image. At the beginning the decoder cannot use the code yet, so the
# code brings nothing and costs β per nat. The quickest way down is to switch it off, and
# then the decoder never learns to use it. That is a trap on the way, and no property of
# the minimum.

# %% [markdown]
# ## 4. What can be read from a code?
#
# Labels are dear, pictures are cheap. A popular hope is this: learn a code from pictures
# without labels, then train a small classifier on the codes of the few pictures that do
# have one. If the encoder has sorted out what matters, a *linear* classifier suffices. A
# linear classifier on top of frozen features is called a **linear probe** (Alain &
# Bengio, 2017): it shows what is there and can be read off with a weighted sum.
#
# A score says little without rivals. So five kinds of features take part: the means of
# our encoder (20 numbers), the 20 numbers of PCA, the 20 numbers of a network like our
# encoder that was *never trained*, 20 random weighted sums of pixels, and the 784
# pixels themselves. Each gets the same classifier, the same labels, and its own penalty.
# The penalty is chosen on validation digits, never on the test digits. (The encoder saw
# training pictures, but no label.)

# %% tags=["figure", "diagram"]
d = Diagram("""
    all    few    valid   test
    enc    enc    enc     enc
    .      probe  probe   probe
    .      .      .       score
""")
d.data(all="40,000\nimages,\nno labels", few="to fit:\n100 or 1,000\nlabels")
d.data(valid="to choose:\n2,000\nlabels", test="to judge:\n10,000\nlabels")
d.operation(enc="encoder: 784 → 20 numbers", probe="linear classifier")
d.loss(score="share\nright")
d.arrow("all -> enc", "trains")
for name in ("few", "valid", "test"):
    d.arrow(f"{name} -> enc")
d.arrow("enc -> probe", "20 numbers")
d.arrow("probe -> score")
alt = "Images without labels train the encoder; few labels fit a classifier on its codes."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Who sees what. Only the classifier meets labels, and the test digits come in last.*

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

VALID = slice(50_000, 52_000)  # labels come from the rows before it
PENALTIES = (0.001, 0.01, 0.1, 1)  # scikit-learn's C: small means a strong penalty


def probe(fit, valid, test):
    """Test accuracy of a linear classifier whose penalty is chosen on `valid`.

    Each argument is a pair of features (rows, numbers) and labels (rows,).
    """
    scaler = StandardScaler().fit(fit[0])
    best = -1, None
    for c in PENALTIES:
        classifier = LogisticRegression(C=c, max_iter=200)
        classifier.fit(scaler.transform(fit[0]), fit[1])
        right = classifier.score(scaler.transform(valid[0]), valid[1])
        best = max(best, (right, classifier), key=lambda pair: pair[0])
    return best[1].score(scaler.transform(test[0]), test[1])


# %%
seed(7)
untrained = build_halves(20, mean_image)[0]
plane = vae.fit_pca(x_train[:20_000], 20)
sums = np.random.default_rng(seed(7)).normal(size=(784, 20))
features = {
    "VAE": lambda x: predict(twenty[0], x)[0],
    "PCA": lambda x: vae.apply_pca(x, *plane)[0],
    "untrained network": lambda x: predict(untrained, x)[0],
    "random sums": lambda x: x @ sums,
    "pixels": lambda x: x,
}

# %% [markdown]
# **Predict.** With 100 labels: in which order do the five come in? And with 1,000?

# %% tags=["predict"]
right = {}
for name, of in features.items():
    valid, test = (of(x_train[VALID]), y_train[VALID]), (of(x_test), y_test)
    for labels, draws in ((100, 5), (1000, 2)):
        for i in range(draws):
            rows = np.random.default_rng(seed(8 + i)).permutation(50_000)[:labels]
            score = probe((of(x_train[rows]), y_train[rows]), valid, test)
            right.setdefault((name, labels), []).append(score)
for labels in (100, 1000):
    for name in features:
        scores = right[name, labels]
        report(
            f"{labels} labels, {name}, mean and spread",
            np.mean(scores),
            np.ptp(scores),
        )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Numbers that were learned are far ahead of numbers that were not: the untrained network
# and the random sums come last. But between the VAE and plain PCA there is next to
# nothing, and with 1,000 labels the bare pixels are as good as either or better.
#
# </details>

# %% tags=["claims"]
gain = {
    (name, n): np.mean(np.subtract(right["VAE", n], right[name, n]))
    for name, n in right
    if name != "VAE"
}
control = max(
    np.mean(right[name, 100]) for name in ("untrained network", "random sums")
)
claim(
    "100 labels, VAE - best untrained",
    np.mean(right["VAE", 100]) - control,
    at_least=0.1,
)
claim("100 labels, VAE - PCA", gain["PCA", 100], equals=0, tolerance=0.1)
claim(
    "1,000 labels, VAE - pixels", gain["pixels", 1000], at_least=-0.06, at_most=0.05
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
for place, name in enumerate(features):
    for labels, mark, color in ((100, "o", plots.BLUE), (1000, "s", plots.RED)):
        scores = right[name, labels]
        axis.plot(scores, np.full(len(scores), place), mark, color=color, alpha=0.7)
axis.plot([], [], "o", color=plots.BLUE, label="100 labels")
axis.plot([], [], "s", color=plots.RED, label="1,000 labels")
axis.set(xlim=(0, 1), xlabel="share of test digits that is right")
axis.set_yticks(range(len(features)), features)
axis.set_ylim(len(features) - 0.5, -0.5)
axis.legend(loc="lower left")
plots.show(
    figure, alt="VAE, PCA and pixels lie together; untrained features far behind."
)

# %% [markdown]
# *Each mark is one draw of labels.* The story that one likes to tell, "the VAE has
# understood digits, so little supervision is enough", does not survive the rival. A VAE
# is paid for drawing pixels. Which digit it is matters to it only as far as it saves ink
# in the wrong place, and PCA, which is paid for the same thing, sorts digits for a linear
# classifier about as well. What the code offers is size: 20 numbers do the work of 784.
# Codes that are learned *in order to* tell pictures apart are the subject of chapter 11a.

# %% [markdown]
# ## 5. Can a model see what it has never seen?
#
# A machine that watches sensors, or products on a belt, knows the normal ones only. It
# should raise an alarm when something strange comes along, although nobody could show it
# beforehand what strange things look like: **anomaly detection**. The idea is obvious.
# Train a VAE on what is normal. What it finds improbable is strange.
#
# Let us try it with digits. 0, 1 and 6 are left out of the training, and at the test they
# are the strange ones. The score of a picture is its $-$ELBO.
#
# ### How good is an alarm?
#
# A threshold would turn scores into alarms. To judge scores before choosing one, ask
# how often a random strange picture scores higher than a random normal one. This
# share is the **AUC**, the area under the curve of alarms against false alarms. One half is
# a coin, 1 is perfect, and below one half the score looks the wrong way.
#
# **By hand.** Normal pictures score 1, 2 and 3, strange ones 2.5 and 0. Of the six pairs,
# 2.5 beats two, and 0 beats none. The AUC is $2/6$.


# %% tags=["export"]
def auc(normal, strange):
    """The chance that a random strange score is above a random normal one; ties count ½.

    Both are (n,) and not empty. 1 is perfect, ½ a coin (the Mann-Whitney statistic).
    """
    normal, strange = np.asarray(normal, float), np.asarray(strange, float)
    for name, scores in (("normal", normal), ("strange", strange)):
        if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
            raise ValueError(
                f"{name}: expected scores (n,), got shape {scores.shape}"
            )
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, strange, "left")
    not_above = np.searchsorted(ordered, strange, "right")
    return float((below + not_above).mean() / 2 / len(normal))


# %% [markdown]
# ### What the simplest model charges
#
# Before the VAE, take the simplest model of pictures: every pixel is ink with its own
# fixed probability $p_i$, the mean image. It has no code and no idea of shapes. It charges
#
# $$-\log p(x)=-\sum_i\big[x_i\log p_i+(1-x_i)\log(1-p_i)\big]
# =\underbrace{-\sum_i\log(1-p_i)}_{\text{the price of an empty page}}
# +\sum_i x_i\,\log\frac{1-p_i}{p_i}.$$
#
# Each pixel of ink adds $\log\frac{1-p_i}{p_i}$, which is positive wherever ink is rarer
# than paper. With $p=0.1$ an inked pixel costs $\log9\approx2.2$ nats on top, and an empty
# page of ten pixels costs only $-10\log0.9\approx1.1$. So here the charge is little more
# than *counted ink*, and an empty page is the most probable picture of all. Is a VAE
# better than that? It must be compared with it. The rivals are:
#
# - **ink**: the number of inked pixels, no model at all,
# - **mean image**: the charge above,
# - **PCA**: the squared error of the picture drawn from 20 numbers,
# - **autoencoder**: the cost of the drawing, with the VAE's network and 20 numbers,
# - **nearest**: the distance to the nearest of 3,000 normal training pictures.

# %%
from sklearn.neighbors import NearestNeighbors


def fixed_cost(x, p):
    """-log p(x) of rows of binary pixels that are 1 with fixed probabilities p: (rows,)."""
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return -(x @ np.log(p) + (1 - x) @ np.log(1 - p))


def wider(x):
    """Binary images (rows, 784) whose strokes are a pixel wider, to the right and below."""
    x = x.reshape(-1, 28, 28)
    x = np.maximum(x, np.roll(x, 1, axis=1))
    return np.maximum(x, np.roll(x, 1, axis=2)).reshape(-1, 784)


def scores_of(x, normal, plan):
    """Scores of the rows of x by six kinds of models of the rows of `normal`."""
    mean, out = normal.mean(axis=0), {"ink": x.sum(axis=1)}
    out["mean image"] = fixed_cost(x, mean)
    back = vae.apply_pca(x, *vae.fit_pca(normal, 20))[1]
    out["PCA"] = np.sum((x - back) ** 2, axis=1)
    encoder, decoder = build_halves(20, mean)
    autoencoder = keras.Model(encoder.input, decoder(encoder.outputs[0]))
    _ = vae.train(autoencoder, normal, **plan)
    logits = predict(autoencoder, x)
    out["autoencoder"] = -np.asarray(vae.log_bernoulli(x, logits))
    halves = build_halves(20, mean)
    _ = vae.train(vae.build_vae(*halves), normal, **plan)
    fit, kl = vae.elbo_terms(*halves, x)
    out["VAE"] = kl - fit
    index = NearestNeighbors(n_neighbors=1).fit(normal[:3000])
    out["nearest"] = index.kneighbors(x)[0][:, 0]
    return out


# %% [markdown]
# **Predict.** Which of the three strange digits is hardest to notice? And how much better
# than ink is the VAE?

# %% tags=["predict"]
STRANGE = (6, 0, 1)
normal = x_train[:11_000][~np.isin(y_train[:11_000], STRANGE)]
watched, kinds = x_test[:5000], y_test[:5000]
seed(9)
plan = {"epochs": 3, "learning_rate": 0.003, "batch_size": 125}
ones = watched[kinds == 1]
together = scores_of(np.concatenate([watched, wider(ones)]), normal, plan)
scored = {name: s[:5000] for name, s in together.items()}
scored_thick = {name: s[5000:] for name, s in together.items()}
usual, table = ~np.isin(kinds, STRANGE), {}
for name, s in scored.items():
    for digit in STRANGE:
        table[name, digit] = auc(s[usual], s[kinds == digit])
    report(f"AUC of {name}, 6, 0 and 1", [table[name, digit] for digit in STRANGE])
likeness = np.corrcoef(scored["ink"][usual], scored["VAE"][usual])[0, 1]
report("correlation of ink and the VAE's score of normal digits", likeness)
mean_ink = [x.sum(axis=1).mean() for x in (ones, wider(ones), watched[usual])]

# %% [markdown]
# <details><summary>Answer</summary>
#
# The 6 and the 0 are noticed by the VAE, clearly better than by ink or by the mean image:
# here the model has learned something that counting cannot know. But the distance to the
# nearest known digit, which learns nothing, is about as good. And the 1 looks *more* normal
# to every single score than the digits that the models were trained on.
#
# </details>

# %% tags=["claims"]
gap = {
    (name, d): table["VAE", d] - table[name, d]
    for name, d in table
    if name != "VAE"
}
claim(
    "the 6, AUC of the VAE - of the mean image", gap["mean image", 6], at_least=0.08
)
claim(
    "the 0, AUC of the VAE - of the mean image", gap["mean image", 0], at_least=0.03
)
both = (gap["nearest", 6] + gap["nearest", 0]) / 2
claim("6 and 0, AUC of the VAE - of nearest", both, equals=0, tolerance=0.1)
worst = max(table[name, 1] for name in scored)
claim("the 1, best AUC of all six", worst, at_most=0.4)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
for place, name in enumerate(scored):
    for d, mark, color in (
        (6, "o", plots.BLUE),
        (0, "s", plots.GREEN),
        (1, "^", plots.RED),
    ):
        axis.plot(table[name, d], place, mark, color=color, ms=8)
for d, mark, color in (
    (6, "o", plots.BLUE),
    (0, "s", plots.GREEN),
    (1, "^", plots.RED),
):
    axis.plot([], [], mark, color=color, label=f"the {d}")
axis.axvline(0.5, color=plots.BLACK, ls=":")
axis.set(xlim=(0, 1), xlabel="AUC; dotted: a coin")
axis.set_yticks(range(len(scored)), scored)
axis.set_ylim(len(scored) - 0.5, -0.5)
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure, alt="Six scores: the 6 at the right, the 1 far at the left for all."
)

# %% [markdown]
# *Each mark is the alarm of one score for one strange digit.* Is the 1 overlooked because it
# has so little ink? Change that alone: make the strokes of the strange
# 1s a pixel wider, and score them again with the same models.
#
# **Predict.** How does the AUC of the VAE for the 1 move?

# %% tags=["predict"]
thin, thick = table["VAE", 1], auc(scored["VAE"][usual], scored_thick["VAE"])
report("ink of a 1, of a wider 1, of a normal digit", *mean_ink)
report("AUC of the VAE, 1 and wider 1", thin, thick)

# %% [markdown]
# <details><summary>Answer</summary>
#
# It rises, but not nearly to one half, although the wider 1 has almost as much ink as a
# normal digit.
#
# </details>

# %% tags=["claims"]
claim("AUC of the VAE, wider 1 - 1", thick - thin, at_least=0.02)
claim("AUC of the VAE, wider 1", thick, at_most=0.45)

# %% [markdown]
# So little ink is a part of the reason, and not all of it. What remains may be its plain
# shape: one bar in the middle, without loops and ends that could go wrong. (This we have
# not tested. How would you?) A probability answers the question "how surprising is this picture, pixel by
# pixel?", and a plain picture is never surprising. That is no fault of this
# VAE: large models trained on photographs of animals and vehicles find house numbers more
# probable than their own test pictures (Nalisnick et al., 2019). So a score that finds
# *some* strange things proves little. Before you trust an alarm, compare it with the plainest
# quantity you can compute (ink, brightness, file size, length) and with the distance to the
# nearest known case.

# %% [markdown]
# ## 6. Does convolution draw better?
#
# Chapter 05 has shown that convolutions classify pictures better than dense layers, because
# a stroke is a stroke wherever it stands. Should they not draw better, too? "Better" must
# be said with its price. One comparison gives both networks the same number of passes over
# the data. Another gives the cheaper network more passes, for the time that it saves. Which
# one is fair?
#
# A decoder needs layers that make pictures *larger*. A convolution of stride 2 reads a
# window at every second place. Turn its arrows around, and every place *writes* a window
# at every second place, and what overlaps adds up: a **transposed convolution**.
#
# **By hand**, in one dimension: the input is $(1,2)$, the kernel $(1,10,100)$, and the
# stride 2. The 1 writes $(1,10,100)$ at places 0 to 2. The 2 writes $(2,20,200)$ at places
# 2 to 4. The sum is $(1,\,10,\,102,\,20,\,200)$.
#
# The decoder below starts from 7 × 7 places with 32 channels and doubles twice.

# %% tags=["figure", "diagram"]
d = Diagram("""
    code
    dense
    small
    first
    middle
    last
    logits
""")
d.data(
    code="code $z$", small="7 × 7 × 32", middle="14 × 14 × 16", logits="28 × 28 × 1"
)
d.operation(dense="dense layer, ReLU")
d.operation(first="transposed convolution 4 × 4, stride 2, ReLU")
d.operation(last="transposed convolution 4 × 4, stride 2")
d.arrow("code -> dense -> small -> first -> middle -> last -> logits")
alt = "A code becomes 7 by 7 places, then 14 by 14, then a picture of 28 by 28."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The convolutional decoder: places times channels.* The encoder is its mirror.


# %%
def build_convolutional_halves(latent_dim, ink):
    """Encoder and decoder of images (28, 28, 1); `ink`: the mean of all pixels. Not compiled."""
    options = {"strides": 2, "padding": "same"}
    layers, x = keras.layers, keras.Input((28, 28, 1))
    h = layers.Conv2D(16, 4, activation="relu", **options)(x)  # (batch, 14, 14, 16)
    h = layers.Conv2D(32, 4, activation="relu", **options)(h)  # (batch, 7, 7, 32)
    h = layers.Flatten()(h)
    log_variance = layers.Dense(latent_dim, kernel_initializer="zeros")(h)
    encoder = keras.Model(x, [layers.Dense(latent_dim)(h), log_variance])

    z = keras.Input((latent_dim,))
    h = layers.Dense(7 * 7 * 32, activation="relu")(z)
    h = layers.Reshape((7, 7, 32))(h)
    h = layers.Conv2DTranspose(16, 4, activation="relu", **options)(h)
    start = keras.initializers.Constant(np.log(ink / (1 - ink)))
    last = layers.Conv2DTranspose(1, 4, bias_initializer=start, **options)
    return encoder, keras.Model(z, last(h))  # (batch, 28, 28, 1)


# %% [markdown]
# ### Count, then measure
#
# A dense layer multiplies each input with each output once. A convolution uses its
# kernel at every place of its output, a transposed one at every place of its *input*.
# So the multiplications of one image can be counted:


# %%
def multiplications(model):
    """Multiplications that a network of dense layers and convolutions makes per image."""
    count = 0
    for layer in model.layers:
        if layer.weights:
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            places = layer.input.shape if transposed else layer.output.shape
            count += int(np.prod(layer.kernel.shape) * np.prod(places[1:-1]))
    return count


# %% [markdown]
# The clock below is the processor's. It counts seconds of work on all cores, and not what
# else the machine is doing. The first pass is left out, because it compiles. Both
# networks have a learning rate of 0.008. Of a handful between 0.001 and 0.016 it did well
# for both after three passes, on validation digits and with several seeds. (Higher rates
# brought the convolutional network some nats lower with most seeds, but with one of them it
# hardly got going at all. A single run would have hidden that.)


# %%
def cost_after(passes, convolutional):
    """(-ELBO on 3,000 test digits, CPU seconds per pass), means of two networks.

    They are trained on 5,000 digits.
    """
    shape = (-1, 28, 28, 1) if convolutional else (-1, 784)
    costs, marks = [], []
    for number in map(seed, (10, 20)):
        if convolutional:
            halves = build_convolutional_halves(20, mean_image.mean())
        else:
            halves = build_halves(20, mean_image)
        marks.append([])
        clock = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: marks[-1].append(time.process_time())
        )
        options = {"learning_rate": 0.008, "batch_size": 100, "callbacks": [clock]}
        model = vae.build_vae(*halves, seed=number)
        _ = vae.train(
            model, x_train[:5000].reshape(shape), epochs=passes, **options
        )
        fit, kl = vae.elbo_terms(*halves, x_test[:3000].reshape(shape))
        costs.append(np.mean(kl - fit))
    return np.mean(costs), np.diff(marks).mean()


# %%
dense, dense_seconds = cost_after(3, False)
conv, conv_seconds = cost_after(3, True)
twice, _ = cost_after(6, False)

# %% [markdown]
# **Predict.** After three passes, which network's $-$ELBO is lower? And if the dense one gets
# twice as many passes?

# %% tags=["predict"]
networks = {"dense": build_halves(20, mean_image)}
networks["convolutional"] = build_convolutional_halves(20, mean_image.mean())
for name, halves in networks.items():
    report(f"multiplications per image, {name}", sum(map(multiplications, halves)))
report("CPU seconds per pass, dense and convolutional", dense_seconds, conv_seconds)
fitting = 3 * conv_seconds / dense_seconds
report("passes of the dense one in the time of three convolutional ones", fitting)
report("-ELBO after three passes, dense and convolutional", dense, conv)
report("-ELBO of the dense one after six", twice)

# %% [markdown]
# <details><summary>Answer</summary>
#
# At equal passes the convolutional one, by many nats. It multiplies only a little more
# often than the dense one, and takes somewhat longer. Twice as many passes take most of the
# lead away: a few nats are left, not much more than two seeds of one network differ by.
#
# </details>

# %% tags=["claims"]
claim("-ELBO after equal passes, dense - convolutional", dense - conv, at_least=0.1)
claim("-ELBO, dense after three - after six passes", dense - twice, at_least=0.5)
left = twice - conv
claim(
    "-ELBO, dense after six - convolutional after three",
    left,
    equals=0,
    tolerance=20,
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 1.9))
bars = {"dense, 3 passes": dense, "dense, 6 passes": twice}
bars["convolutional, 3 passes"] = conv
axis.barh([*bars], [*bars.values()], color=[plots.BLUE, plots.BLUE, plots.RED])
axis.set(
    xlim=(100, None),
    xlabel="$-$ELBO in nats, lower is better (the axis begins at 100)",
)
axis.invert_yaxis()
alt = "The longest bar is the dense network's after three passes; the other two are close."
plots.show(figure, alt=alt)

# %% [markdown]
# *The cost of unseen digits after short trainings.* The dense network has to learn for each
# place anew what a stroke looks like. The convolutional one learns it once, and needs fewer
# passes. But a pass costs it more, since a processor multiplies large dense matrices faster
# than many small kernels. How many dense passes fit into the time of three convolutional
# ones depends on the machine; the line above says it for yours. If it is between three and
# six, then at equal time the lead lies between the two that we have measured. (With a higher
# learning rate, where it works, the convolutional network is some nats better still.) So say
# of any such comparison what was held equal, passes, arithmetic or time, and for how much
# data.

# %% [markdown]
# ## Common mistakes
#
# ### A cost taken for a probability
#
# Train on gray digits, add up the cross-entropy and the KL divergence, and call the
# result "$-\log p(x)$": many programs and papers do. What would that mean for *one* gray
# pixel with $p=\tfrac12$? The formula $p^x(1-p)^{1-x}$ is then ½ for every gray value $x$.
# As a density between 0 and 1 it has the area ½. The probabilities of all gray values
# together make ½, not 1.
#
# For other $p$ the area is $\int_0^1 p^x(1-p)^{1-x}\,dx$. Write the integrand as
# $(1-p)\,e^{ax}$ with $a=\log\frac p{1-p}$. Its integral is $(1-p)\frac{e^a-1}{a}$, and
# since $(1-p)\,e^a=p$ that is $\frac{2p-1}{\log p-\log(1-p)}$. Divide by it, and a proper
# density comes out, the **continuous Bernoulli** distribution (Loaiza-Ganem & Cunningham,
# 2019).
#
# **Predict.** One pixel is off by a factor between 1 and 2 or a little more. How many nats
# are missing for the 784 pixels of the mean image?


# %% tags=["predict"]
def area(p):
    """The integral of p^x (1-p)^(1-x) over gray values x from 0 to 1."""
    p = np.asarray(p, float)
    near = np.abs(p - 0.5) < 1e-4  # there the fraction is 0/0, and its limit ½
    p = np.where(near, 0.4, p)
    return np.where(near, 0.5, (2 * p - 1) / (np.log(p) - np.log1p(-p)))


gray_mean = gray_train.reshape(-1, 784).mean(axis=0)
missing = np.log(area(np.clip(gray_mean, 1e-3, 1 - 1e-3))).sum()
grid = (np.arange(10_000) + 0.5) / 10_000
report(
    "area for p = 0.9, formula and sum",
    area(0.9),
    np.mean(0.9**grid * 0.1 ** (1 - grid)),
)
report("nats missing for a picture", -missing)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About a thousand nats, many times the whole cost of a digit. Once they are counted, the
# logarithm of the density lies far above zero. (A density may be larger than 1, a
# probability may not.) So the two numbers have nothing to do with each other.
#
# </details>

# %% tags=["claims"]
claim("nats missing for a picture", -missing, at_least=900, at_most=1200)

# %% [markdown]
# On gray pictures the cross-entropy is a useful loss. Call it a cost, and say $\log p(x)$
# only of binarized pictures, or with the area divided out.
#
# ### Kernels that overlap unevenly
#
# A transposed convolution of stride 2 writes its kernel at every second pixel. With a
# kernel of width 3 and all weights 1, neighboring copies overlap in every second pixel:
# in one dimension they add up to 1, 2, 1, 2, …
#
# **Predict.** In two dimensions, with a picture of ones: which values come out inside?
# And with a kernel of width 4?


# %% tags=["predict", "E160"]
def spread_ones(width):
    """Inside of what ones (1, 6, 6, 1) become if all weights of a kernel are 1."""
    layer = keras.layers.Conv2DTranspose(1, width, strides=2, padding="same")
    network = keras.Sequential([keras.Input((6, 6, 1)), layer])
    layer.set_weights([np.ones((width, width, 1, 1)), np.zeros(1)])
    return predict(network, np.ones((1, 6, 6, 1)))[0, 3:-3, 3:-3, 0]


uneven, even = spread_ones(3), spread_ones(4)
report("kernel 3, values", np.unique(uneven))
report("kernel 4, values", np.unique(even))

# %% [markdown]
# <details><summary>Answer</summary>
#
# With width 3 the values 1, 2 and 4, since one and two copies multiply in the two
# directions. With width 4 every pixel gets two copies in each direction: 4 everywhere.
#
# </details>

# %% tags=["claims"]
claim("kernel 3, largest - smallest", np.ptp(uneven), equals=3, tolerance=1e-5)
claim("kernel 4, largest - smallest", np.ptp(even), equals=0, tolerance=1e-5)

# %% tags=["figure"]
figure = plots.images([uneven, even], ["kernel 3", "kernel 4"], columns=2, size=1.6)
for axis in figure.axes:
    axis.images[0].set_clim(0, 8)
plots.show(figure, alt="A checkerboard at the left, an even gray at the right.")

# %% [markdown]
# *What ones become.* The pattern at the left is the **checkerboard artifact** of Odena et
# al. (2016). A network can learn weights against it, but it has to. Choose a kernel width
# that the stride divides.
#
# ### Layers without an activation between them
#
# The same decoders are often written without an activation.
#
# **Predict.** How much more than one linear map can three such layers compute?

# %% tags=["predict", "E159"]
seed(11)
options = {"strides": 2, "padding": "same", "use_bias": False}
stack = [keras.layers.Conv2DTranspose(3, 4, **options) for _ in range(3)]
plain = keras.Sequential([keras.Input((2, 2, 1)), *stack])
stack = [
    keras.layers.Conv2DTranspose(3, 4, activation="relu", **options) for _ in "123"
]
bent = keras.Sequential([keras.Input((2, 2, 1)), *stack])
p, q = np.random.default_rng(seed(11)).normal(size=(2, 64, 2, 2, 1))
from_linear = {}
for name, network in {"plain": plain, "with ReLU": bent}.items():
    whole, a, b = (predict(network, x) for x in (p + q, p, q))
    from_linear[name] = np.abs(whole - (a + b)).mean() / np.abs(whole).mean()
    report(f"f(p + q) differs from f(p) + f(q), {name}", from_linear[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing more: $f(p+q)=f(p)+f(q)$ up to rounding, so the three layers are one linear map,
# at three times the price. With ReLU between them they are not.
#
# </details>

# %% tags=["claims"]
claim("plain layers, difference", from_linear["plain"], at_most=1e-4)
claim("layers with ReLU, difference", from_linear["with ReLU"], at_least=0.05)

# %% [markdown]
# And a linear end draws pixels below 0 and above 1. Put an activation between the layers,
# and end in logits.

# %% [markdown]
# ## Exercises
#
# ### Exercise 07b.1: a tighter bound
#
# *15 minutes.* Write section 2's $\log\frac1k\sum_i w_i$ for each row of $\log w_i$ without
# SciPy. The logarithms may be as low as −1000, and differ by as much within a row.


# %% tags=["exercise"]
def tighter_bound(log_w):
    """log_w is (rows, k); return (rows,)."""
    raise NotImplementedError


check("07b.1", tighter_bound)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $e^{-1000}$ is 0 in floating point numbers, and $\log 0$ is $-\infty$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $\log\sum_i e^{a_i}=m+\log\sum_i e^{a_i-m}$ for every $m$. Which $m$ is safe?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Each row has its own largest element, and the bound is the mean of the weights, not
# their sum.
#
# </details>


# %% tags=["solution"]
def tighter_bound_solution(log_w):
    top = log_w.max(axis=1)
    return top + np.log(np.exp(log_w - top[:, None]).mean(axis=1))


check("07b.1", tighter_bound_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.3: an alarm
#
# *15 minutes.* Scores above a threshold ring the alarm. Choose the threshold so that a
# share `false_alarms` of the *normal* scores rings. There are hundreds of scores, so it
# does not matter where it lies between two neighbors. Return it, and the share of the
# strange scores that ring. Scores may have any distribution.


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
# A share of 0.05 above means a share of 0.95 below. Sort.
#
# </details>
# <details><summary>Hint 3</summary>
#
# NumPy knows quantiles. A formula with mean and standard deviation holds for one
# distribution only.
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
# *30 minutes, a small project.* Move codes from one class to another: take off the mean
# code of class `old`, and add that of class `new`. Then try it on the codes of `twenty`:
# move ten 3s to 8, decode, and look. Does the slant stay? As a control, move them by a
# random vector of the same length.


# %% tags=["exercise"]
def move(codes, codes_known, labels, old, new):
    """codes (n, d); codes_known (m, d) with labels (m,). Return (n, d)."""
    raise NotImplementedError


check("07b.4", move)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A comparison of `labels` with a class picks the rows of `codes_known` that belong to it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Take means over rows: `axis=0`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# All codes move by one and the same vector.
#
# </details>


# %% tags=["solution"]
def move_solution(codes, codes_known, labels, old, new):
    mean = [codes_known[labels == digit].mean(axis=0) for digit in (old, new)]
    return codes + mean[1] - mean[0]


check("07b.4", move_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.5: charged, carried, wasted
#
# *20 minutes, first by hand.* A code has a few values, image $n$ gets value $j$ with
# probability $q_{nj}$, all images are equally frequent, and the prior is $p_j$. Compute
# for $q=\begin{pmatrix}1&0\\\tfrac12&\tfrac12\end{pmatrix}$ and a prior of
# $(\tfrac14,\tfrac34)$ what is charged, carried and wasted, in bits. Then write it for all
# tables. Probabilities may be 0.


# %% tags=["exercise"]
def account(q, prior):
    """q is (images, values), prior (values,), above 0.

    Return (charged, carried, wasted), three numbers in bits.
    """
    raise NotImplementedError


check("07b.5", account)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# All three are KL divergences, in bits: of each row from the prior, of each row from
# the mean row, and of the mean row from the prior.
#
# </details>
# <details><summary>Hint 2</summary>
#
# $0\log0$ counts as 0: what never happens costs nothing. NumPy says NaN.
#
# </details>
# <details><summary>Hint 3</summary>
#
# By hand: the mean row is $(\tfrac34,\tfrac14)$, and $\log_2 4=2$. The last two must add
# up to the first.
#
# </details>


# %% tags=["solution"]
def account_solution(q, prior):
    def divergence(a, b):  # of rows (n, values), averaged, in bits
        ratio = np.where(a > 0, a, 1) / np.where(a > 0, b, 1)
        return np.sum(a * np.log2(ratio), axis=-1).mean()

    mixture = q.mean(axis=0)
    return divergence(q, prior), divergence(q, mixture), divergence(mixture, prior)


check("07b.5", account_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.6: a transposed convolution
#
# *30 minutes.* Write the core of section 6's decoder in one dimension, with loops or
# without: every input $x_i$ writes its multiple of the kernel, beginning at place $i$
# times the stride, and what overlaps adds up. Nothing is cut off at the ends.


# %% tags=["exercise"]
def transposed(x, kernel, stride):
    """x is (n,), kernel (k,); return ((n - 1) * stride + max(k, stride),).

    The kernel may be shorter than the stride: then zeros lie between its copies.
    """
    raise NotImplementedError


check("07b.6", transposed)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Begin with an array of zeros of the full length.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Input $i$ touches the places from $i\cdot$stride on, as many as the kernel is wide.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Use `+=` on a slice: copies of the kernel overlap where it is wider than the stride.
#
# </details>


# %% tags=["solution"]
def transposed_solution(x, kernel, stride):
    y = np.zeros((len(x) - 1) * stride + max(len(kernel), stride))
    for i, value in enumerate(x):
        y[i * stride : i * stride + len(kernel)] += value * kernel
    return y


check("07b.6", transposed_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.7: find the leak
#
# *20 minutes.* Somebody writes a probe with ridge regression, and reports an accuracy on
# test digits that nobody can reproduce on new ones. The program runs. Find what it learns
# from the test data before it should, in two places, and mend it. Keep everything else.

# %%
PENALTIES_OF_RIDGE = (0.01, 1.0, 100.0, 10_000.0)


def leaky_probe(fit, valid, test):
    """Each is a pair of features (rows, d) and labels 0 or 1. Return (penalty, accuracy)."""
    everything = np.concatenate([fit[0], valid[0], test[0]])
    center, scale = everything.mean(axis=0), everything.std(axis=0)
    a = (fit[0] - center) / scale
    best = None
    for penalty in PENALTIES_OF_RIDGE:
        w = np.linalg.solve(
            a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (2 * fit[1] - 1)
        )
        said = (test[0] - center) / scale @ w > 0
        accuracy = np.mean(said == test[1])
        if best is None or accuracy > best[1]:
            best = penalty, accuracy
    return best


# %% tags=["exercise"]
def honest_probe(fit, valid, test):
    """Each is a pair of features (rows, d) and labels 0 or 1. Return (penalty, accuracy).

    On equal accuracies the smaller penalty wins, as in `leaky_probe`.
    """
    raise NotImplementedError


check("07b.7", honest_probe)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# If all test labels were wrong, which penalty would come out? It must not matter.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Center and scale are learned from data, too. From which data may they be learned?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Fit on `fit`, choose on `valid`, look at `test` once, at the end.
#
# </details>


# %% tags=["solution"]
def honest_probe_solution(fit, valid, test):
    center, scale = fit[0].mean(axis=0), fit[0].std(axis=0)
    a, best = (fit[0] - center) / scale, None
    for penalty in (0.01, 1.0, 100.0, 10_000.0):
        w = np.linalg.solve(
            a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (2 * fit[1] - 1)
        )
        accuracy = np.mean(((valid[0] - center) / scale @ w > 0) == valid[1])
        if best is None or accuracy > best[0]:
            best = accuracy, penalty, w
    said = (test[0] - center) / scale @ best[2] > 0
    return best[1], np.mean(said == test[1])


check("07b.7", honest_probe_solution, solution=True)

# %% [markdown]
# ### Exercise 07b.8: ten alarms without a model
#
# *30 minutes, an experiment.* For which digits can a clever model show that it is clever?
# For those that counting does not notice. Find them. For each digit $d$ from 0 to 9, leave
# $d$ out of the first 10,000 training digits, take the mean image of the others, and score
# all 10,000 test digits, of which those of class $d$ are the strange ones. Hand in a table of
# ten rows: the AUC of the ink alone (the control), and the AUC of the mean image's cost.
# So that all of us get the same numbers, a pixel is ink here if its gray value is above
# ½, and probabilities are kept between 0.001 and 0.999.

# %% tags=["exercise"]
ten_alarms = None  # (10, 2): AUC of ink, AUC of the mean image's cost

check("07b.8", ten_alarms)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `fixed_cost` and `auc` of section 5 do all the work, `gray_train > 0.5` is the ink.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The mean image must not see the strange digit, and not the test digits.
#
# </details>
# <details><summary>Hint 3</summary>
#
# One row for 1 has two AUCs close to 0. If yours are close to 1, normal and strange are
# swapped.
#
# </details>


# %% tags=["solution"]
from dl_course import data
from sklearn.metrics import roc_auc_score

(train_ink, train_labels), (test_ink, test_labels) = (
    ((x[:10_000].reshape(-1, 784) > 0.5).astype("float32"), y[:10_000])
    for x, y in data.mnist()
)
ten_alarms_solution = np.empty((10, 2))
for digit in range(10):
    p = np.clip(train_ink[train_labels != digit].mean(axis=0), 0.001, 0.999)
    cost = -(test_ink @ np.log(p) + (1 - test_ink) @ np.log(1 - p))
    for column, score in enumerate((test_ink.sum(axis=1), cost)):
        area_under = roc_auc_score(test_labels == digit, score)
        ten_alarms_solution[digit, column] = area_under

check("07b.8", ten_alarms_solution, solution=True)
