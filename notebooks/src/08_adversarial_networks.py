# %% [markdown]
# A crowd of points wants to look like another crowd that it has never seen. All it gets
# is advice.

# %%
import keras
import tensorflow as tf
from dl_course import data
from dl_course.diagrams import Diagram
from dl_course.linear import sigmoid
from dl_course.network import softmax, softplus
from dl_course.optimizers import adam
from keras import ops

GRID = np.linspace(-5, 5, 201, dtype="float32")
STEP = GRID[1] - GRID[0]


def two_hills(shape, rng):
    """Real points (*shape, 1): half from N(-2, 0.6²), half from N(1.5, 0.9²)."""
    low = rng.random(shape) < 0.5
    x = np.where(low, rng.normal(-2, 0.6, shape), rng.normal(1.5, 0.9, shape))
    return x[..., None].astype("float32")


def two_hills_density(x):
    """The density that `two_hills` draws from."""
    low, high = (x + 2) / 0.6, (x - 1.5) / 0.9
    hills = np.exp(-(low**2) / 2) / 0.6 + np.exp(-(high**2) / 2) / 0.9
    return hills / np.sqrt(8 * np.pi)


# %% tags=["figure"]
import io
from base64 import b64encode

from PIL import Image
from scipy.ndimage import gaussian_filter1d


def advised(rounds=400, rate=0.02):
    """Points, and a perfect discriminator's verdict, in some of the rounds."""
    points = np.random.default_rng(seed(1)).normal(size=4000)
    edges = np.append(GRID - STEP / 2, GRID[-1] + STEP / 2)
    p = two_hills_density(GRID)
    for i in range(rounds + 1):
        counts = np.histogram(points, edges, density=True)[0]
        q = gaussian_filter1d(counts, 4, mode="constant")
        if i % 10 == 0 and (i < 100 or i % 40 == 0):
            yield i, points, p / (p + q + 1e-9)
        slope = np.gradient(np.log(p + 1e-6) - np.log(q + 1e-6), STEP)
        points = np.clip(points + rate * np.interp(points, GRID, slope), -5, 5)


def frame(i, points, verdict):
    figure, axis = plt.subplots(figsize=(6, 2.8))
    axis.hist(points, np.linspace(-5, 5, 51), density=True, color=plots.SKY)
    axis.plot(GRID, two_hills_density(GRID), color=plots.BLACK)
    axis.plot(GRID, verdict, "--", color=plots.RED)
    axis.set(title=f"round {i}", ylim=(0, 1.02), xlabel="$x$")
    return figure


# %% tags=["figure"]
def animate(figures, milliseconds=250):
    """Figures as one animated PNG (bytes), over and over; they are closed."""
    pictures = []
    for figure in figures:
        figure.set_dpi(110)
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
        pictures.append(Image.fromarray(pixels))
        plt.close(figure)
    palette = pictures[0].quantize(48)
    white = [255 if v > 248 else v for v in palette.getpalette()]
    palette.putpalette(white)
    first, *others = (
        p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures
    )
    file, durations = io.BytesIO(), [milliseconds] * len(others) + [3000]
    settings = {"save_all": True, "loop": 0, "duration": durations}
    first.save(file, "PNG", append_images=others, optimize=True, **settings)
    return file.getvalue()


alt = "Bars move under a curve of two hills; a dashed line bends and becomes flat."
film = b64encode(animate(frame(*moment) for moment in advised())).decode()
about = {"image/png": {"width": 600, "alt": alt}}
display({"image/png": film, "text/plain": alt}, metadata=about, raw=True)

# %% [markdown]
# *Blue bars: the crowd. Black: the density of the real points. Red, dashed: a verdict,
# the probability that a point found at $x$ is a real one.* The crowd starts as a single
# bell. Each point only climbs to where the red line is higher, until the line lies flat
# at ½ and has no advice left. In this film the verdict was computed from both densities.
# In this chapter it comes from a network, which learns it from samples, and the points
# come from a second network, which learns from the first one. Two networks that teach
# each other can draw digits. They can also run in circles, or agree to draw the same
# thing for ever. We will see why, and what helps.

# %% [markdown]
# ## Recall
#
# 1. A network ends in a logit $\ell$, and its verdict is $\sigma(\ell)$. Write the binary
#    cross-entropy for the labels 1 and 0 with softplus, without a logarithm of $\sigma$.
# 2. A sigmoid's output is 0.999. How large is its slope there?
# 3. What is the KL divergence of two distributions, and when is it zero?
#
# <details><summary>Answer</summary>
#
# 1. For label 1 it is $-\log\sigma(\ell)=\text{softplus}(-\ell)$, for label 0 it is
#    $-\log(1-\sigma(\ell))=\text{softplus}(\ell)$ (chapter 02).
# 2. $\sigma(1-\sigma)$, about 0.001. A saturated unit passes on almost no gradient
#    (chapter 02).
# 3. The mean of $\log q-\log p$ over draws from $q$. It is zero only where both agree
#    (chapter 07).
#
# </details>

# %% [markdown]
# ## 1. What would a perfect discriminator say?
#
# A variational autoencoder needs a formula for the likelihood of a picture. Often there
# is none that is worth much: a digit moved by one pixel is the same digit to us, and far
# away in pixels. So let a network decide what looks real.
#
# The **generator** $G$ turns noise $z$ into a sample $G(z)$. The **discriminator** $D$
# turns a sample into the probability that it is real rather than generated. $D$ is
# trained as any classifier with two classes; $G$ is trained to make it fail. This pair is
# a **generative adversarial network**, GAN (Goodfellow et al., 2014).

# %% tags=["figure", "diagram"]
d = Diagram("""
    z     .
    G     data
    fake  real
    D     D
    loss  loss
""")
d.data(z="noise $z$", fake="generated", real="real $x$")
d.operation(G="generator $G$", D="discriminator $D$")
d.note(data="data")
d.loss(loss="cross-entropy: real or generated?")
d.arrow("z -> G -> fake -> D", "(batch, noise)", "(batch, features)")
d.arrow("data -> real -> D", "", "(batch, features)")
d.arrow("D -> loss", "logit $\\ell$, (batch, 1)")
alt = (
    "Noise passes the generator; its samples and real ones enter the discriminator."
)
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The generator never sees a real sample. What it learns about them must come back through
# the discriminator.*
#
# Written as one number, $D$ wants the following to be high and $G$ wants it to be low:
#
# $$\min_G\max_D\;V=\mathbb E_{x}\log D(x)+\mathbb E_z\log\bigl(1-D(G(z))\bigr)$$
#
# $V$ has a value only if $D(x)$ lies between 0 and 1. (Texts that give $G(z)=G_\theta(z)$
# and $D(x)=D_\phi(x)$ as "the formulas" of a GAN leave that out; they only name the
# weights. And some cite the paper under another title, with Courville as its last author:
# it is "Generative adversarial nets", and the last author is Bengio.)
#
# Begin with a bag of balls. Of the real ones 50 % are red, 30 % green, 20 % blue. The
# generator draws 10 % red, 30 % green, 60 % blue. You are shown a red ball, and both
# sources are used equally often. Of 60 red balls 50 are real: the best verdict is
# $\tfrac56$. For green it is $\tfrac12$, for blue $\tfrac28=\tfrac14$.
#
# In general, let $p(x)$ be the density of real samples, and $q(x)$ that of generated ones.
# Then
#
# $$V=\int p(x)\log D(x)+q(x)\log\bigl(1-D(x)\bigr)\;dx.$$
#
# $D$ may choose its value at each $x$ freely, so we can maximize for each $x$ alone. The
# derivative with respect to $D$ is zero where
#
# $$\frac{p}{D}-\frac{q}{1-D}=0\quad\Longrightarrow\quad p\,(1-D)=q\,D
# \quad\Longrightarrow\quad D^*(x)=\frac{p(x)}{p(x)+q(x)}.$$
#
# The second derivative, $-p/D^2-q/(1-D)^2$, is negative, so this is the maximum. And the
# logit of $D^*$ is $\log\frac{D^*}{1-D^*}=\log\frac{p}{q}$.


# %%
def best_verdict(p, q):
    """D*(x) = p(x) / (p(x) + q(x)), where the densities p and q are not both 0."""
    return p / (p + q)


# %% [markdown]
# Is this what a network learns? It never sees a density. Let real points have the two
# hills of the film, and let the generator hand on its standard normal noise. A
# discriminator with two hidden layers is trained by `fit`, as a plain classifier.

# %%
number = seed(2)
rng = np.random.default_rng(number)
x = np.concatenate([two_hills((100_000,), rng), rng.normal(size=(100_000, 1))])
y = np.repeat([1, 0], 100_000)
stack = [keras.layers.Dense(32, "leaky_relu") for _ in range(2)]
classifier = keras.Sequential([keras.Input((1,)), *stack, keras.layers.Dense(1)])
classifier.compile(
    keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 400)),
    keras.losses.BinaryCrossentropy(from_logits=True),
)
_ = classifier.fit(x, y, batch_size=500, epochs=1, verbose=0)

# %% [markdown]
# **Predict.** Where does $D^*$ cross ½? And which of the two tells real from generated
# better at $-5$, the formula or the network?

# %% tags=["predict"]
p, q = two_hills_density(GRID), np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi)
best, learned = (
    best_verdict(p, q),
    sigmoid(np.array(classifier(GRID[:, None])))[:, 0],
)
crossings = GRID[1:][np.diff(best > 0.5)]
report("the formula crosses one half near", crossings)
report("verdict at -5, formula and network", best[0], learned[0])
gap = np.sum((p + q) / 2 * np.abs(learned - best)) * STEP
report("mean distance of the two, over points that occur", gap)

# %% [markdown]
# <details><summary>Answer</summary>
#
# $D^*$ crosses ½ wherever both densities are equal. Far out on the left it turns back:
# the left hill is narrow, and out there the bell has a little more. The network does not
# know that. But hardly any point ever falls there, and so nobody will ever complain: where
# points occur, both agree.
#
# </details>

# %% tags=["claims"]
guess = np.sum((p + q) / 2 * np.abs(0.5 - best)) * STEP
claim("distance from D*, always ½ - network", guess - gap, at_least=0.15)
claim("distance from D*, network", gap, at_most=0.05)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.fill_between(GRID, q, color=plots.SKY, alpha=0.6)
axis.plot(GRID, p, color=plots.BLACK)
axis.plot(GRID, best, color=plots.GREEN)
axis.plot(GRID, learned, "--", color=plots.RED)
for x, y, text in [(-4.9, 0.9, "$D^*$"), (-2.2, 0.4, "$p$"), (0.1, 0.43, "$q$")]:
    axis.text(x, y, text)
axis.set(xlabel="$x$", ylim=(0, 1.05))
plots.show(figure, alt="Two hills, a bell, the perfect verdict and a trained one.")

# %% [markdown]
# *Green: the perfect verdict. Red, dashed: the network's.* What is left for the generator?
# Put $D^*$ into $V$, and write $m=\tfrac12(p+q)$ for the mixture of both, so that
# $D^*=p/(2m)$ and $1-D^*=q/(2m)$:
#
# $$V(D^*)=\int p\log\frac{p}{2m}+q\log\frac{q}{2m}\,dx
# =\underbrace{\int p\log\frac pm\,dx}_{D_{KL}(p\Vert m)}
# +\underbrace{\int q\log\frac qm\,dx}_{D_{KL}(q\Vert m)}-2\log2$$
#
# because $\log\frac1{2}$ comes out of both integrals, and each density integrates to 1.
# Half of the two KL divergences together is the **Jensen–Shannon divergence** of $p$ and
# $q$. It is 0 only if $p=q$, and then $D^*=\tfrac12$ everywhere: the end of the game. For
# the balls, $m=(0.3,0.3,0.4)$, and it is about 0.125 nats. If $p$ and $q$ do not overlap,
# $m=p/2$ wherever $p$ is, and it is $\log2$, no matter how far apart they are. Keep that
# in mind: a perfect discriminator does not tell the generator how far it has to go.

# %% [markdown]
# ## 2. Which loss gives the generator a slope?
#
# At the start the generator is bad, and the discriminator is sure of it. Let $\ell$ be the
# logit of a generated sample, so $D=\sigma(\ell)$. The minimax formula says: lower
# $\log(1-D)=-\text{softplus}(\ell)$. The same paper proposes another loss: lower
# $-\log D=\text{softplus}(-\ell)$. Both fall as $\ell$ rises. The derivative of softplus is
# $\sigma$, so their slopes are
#
# $$\frac{d}{d\ell}\bigl(-\text{softplus}(\ell)\bigr)=-\sigma(\ell),\qquad
# \frac{d}{d\ell}\,\text{softplus}(-\ell)=-\sigma(-\ell)=-(1-\sigma(\ell)).$$
#
# For $D=0.001$ the first is $-0.001$, the second $-0.999$. The first one fades exactly where
# advice is needed most. The other one is called the **non-saturating loss**.

# %% tags=["figure"]
logits = np.linspace(-8, 8, 161)
figure, axis = plt.subplots(figsize=(6, 2.6))
axis.plot(logits, -softplus(logits), "--")
axis.plot(logits, softplus(-logits))
axis.text(
    -7.8, -3.2, "minimax, $\\log(1-D)$: flat where $D$ is sure", color=plots.BLUE
)
axis.text(-4.5, 5, "non-saturating, $-\\log D$", color=plots.RED)
axis.set(xlabel="logit $\\ell$ of a generated sample", ylabel="loss of $G$")
plots.show(
    figure,
    alt="One loss is flat on the left and falls on the right, one the reverse.",
)

# %% [markdown]
# *Both losses of the generator.* A bad sample lies on the left.
#
# Does it matter in a game? Here is one in which everything can be computed. Real points
# are standard normal, the generator shifts its noise by $b$, and $D$ is perfect at every
# step. Its logit is $\log\frac pq$:
#
# $$\ell(x)=-\frac{x^2}2+\frac{(x-b)^2}2=\frac{b^2}2-b\,x$$
#
# with the slope $-b$. A generated point is $x=z+b$, so $dx/db=1$, and by the chain rule the
# loss of a sample has the slope $\frac{d\,\text{loss}}{d\ell}\cdot(-b)$ with respect to $b$.
# ($D$ is held still while $G$ steps.)


# %%
def generator_slope(logits, *, saturating=False):
    """Derivative of the generator's loss with respect to each logit."""
    return -sigmoid(logits) if saturating else -sigmoid(-logits)


def plain(b, slope, memory, *, learning_rate):
    """A step of gradient descent, called like `adam`."""
    return b - learning_rate * slope, memory


def shift_path(z, saturating, step, learning_rate, num_steps=400):
    """The shift b, step by step; it stops where b leaves [-1000, 1000]."""
    b, memory, path = np.array([8.0]), {}, [8.0]
    while len(path) <= num_steps and abs(b[0]) < 1000:
        logits = b**2 / 2 - b * (z + b)
        slopes = generator_slope(logits, saturating=saturating) * -b
        mean = np.mean(slopes, keepdims=True)
        b, memory = step(b, mean, memory, learning_rate=learning_rate)
        path.append(b[0])
    return np.array(path)


# %% [markdown]
# A small slope could be healed by a large learning rate. So each loss may choose its best
# one of 29, from 0.01 to 100,000, and is then judged with new noise: among many rates that
# shoot somewhere, one may land near the goal by luck, but hardly twice. It could also be
# healed by Adam, which divides a gradient by its usual size (chapter 04).
#
# **Predict.** All start at $b=8$. Which of the three come near 0 within 400 steps: minimax
# with gradient descent, minimax with Adam, the non-saturating loss with gradient descent?

# %% tags=["predict"]
rates = 10.0 ** np.arange(-2, 5.1, 0.25)
ways = {
    "minimax": (True, plain),
    "minimax, Adam": (True, adam),
    "non-saturating": (False, plain),
}
paths, (z, new_z) = {}, np.random.default_rng(seed(3)).normal(size=(2, 2000))
for name, way in ways.items():
    tried = [abs(shift_path(z, *way, rate)[-1]) for rate in rates]
    best_rate = rates[np.argmin(tried)]
    paths[name] = shift_path(new_z, *way, best_rate)
    report(f"{name}, best rate", best_rate)
    report(f"{name}, distance left", abs(paths[name][-1]))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The non-saturating loss comes home. With gradient descent minimax hardly moves, whatever
# the rate: one that is large enough to move it at 8 is far too large for the slope that it
# meets on the way, and shoots it beyond the goal. But with Adam minimax comes home, too.
#
# </details>

# %% tags=["claims"]
left = {name: abs(path[-1]) for name, path in paths.items()}
ahead = left["minimax"] - left["non-saturating"]
claim("distance left, minimax - non-saturating", ahead, at_least=0.5)
claim("non-saturating, distance left", left["non-saturating"], at_most=0.1)
claim("minimax with Adam, distance left", left["minimax, Adam"], at_most=0.1)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
for (name, path), style in zip(paths.items(), ["--", ":", "-"], strict=True):
    axis.plot(np.abs(path), style, label=name)
axis.set_xscale("symlog")
axis.set_xticks([0, 1, 10, 100, 400], [0, 1, 10, 100, 400])
axis.set(xlabel="step", ylabel="distance $|b|$", ylim=(-0.5, 9))
axis.legend(loc="center left")
plots.show(figure, alt="One line stays near 8, two others fall to 0.")

# %% [markdown]
# *The distance from the goal, with the best rate of each.* So the saturating loss is an
# obstacle to gradient descent, and a smaller one to Adam, as long as all samples saturate
# alike. Near the goal $D$ is about ½, and both slopes are alike. From now on $G$ lowers
# $-\log D$. Then each player has a loss of its own, and the game is no longer one for a
# single number.
#
# ## 3. Why does the game circle?
#
# Each player goes downhill. But the hill moves whenever the other one steps. The smallest
# example is the **Dirac GAN** (Mescheder et al., 2018): all real points are 0, the generator
# owns a single point $\theta$, and the logit of the discriminator is $\ell(x)=\psi x$ with a
# single weight $\psi$. The game should end at $\theta=\psi=0$. We take the minimax loss;
# exercise 08.4 takes the other one.
#
# $D$'s loss is $\text{softplus}(0)+\text{softplus}(\psi\theta)$, with the slope
# $\theta\,\sigma(\psi\theta)$ with respect to $\psi$. $G$'s loss is
# $-\text{softplus}(\psi\theta)$, with the slope $-\psi\,\sigma(\psi\theta)$ with respect to
# $\theta$. Let $\alpha$ be the learning rate and $s=\alpha\,\sigma(\psi\theta)$. A step of
# both at the same time is
#
# $$\theta'=\theta+s\,\psi,\qquad\psi'=\psi-s\,\theta.$$
#
# By hand, with $\theta=1$, $\psi=1$ and $s=\tfrac12$: $\theta'=1.5$ and $\psi'=0.5$. The
# squared distance from the goal was 2, and is now 2.5. In general the mixed terms cancel:
#
# $$\theta'^2+\psi'^2=\theta^2+2s\psi\theta+s^2\psi^2+\psi^2-2s\psi\theta+s^2\theta^2
# =(1+s^2)\,(\theta^2+\psi^2)$$
#
# The distance grows at every step, with *every* learning rate, also one that sinks.
#
# The reason for the circling is the slope that $D$ keeps at the real point even when the
# generated one is right there: it pushes it off again. So make that slope expensive. The
# **R1 penalty** adds to $D$'s loss
#
# $$\frac\gamma2\,\mathbb E_{x\text{ real}}\left\lVert\nabla_x\,\ell(x)\right\rVert^2.$$
#
# Here $\nabla_x\ell=\psi$, so the penalty is $\frac\gamma2\psi^2$, its slope is
# $\gamma\psi$, and the step becomes $\psi'=\psi-s\theta-\alpha\gamma\psi$. Near the goal
# $\sigma\approx\tfrac12$, and a step is a matrix:
#
# $$\begin{pmatrix}\theta'\\\psi'\end{pmatrix}=\begin{pmatrix}1&\alpha/2\\
# -\alpha/2&1-\alpha\gamma\end{pmatrix}\begin{pmatrix}\theta\\\psi\end{pmatrix},\qquad
# \det=1-\alpha\gamma+\frac{\alpha^2}4.$$
#
# As long as its two eigenvalues are complex, they are conjugate, and their product, the
# determinant, is the square of their size. So a step shrinks the distance if
# $\alpha\gamma>\alpha^2/4$, that is if $\gamma>\alpha/4$. With $\alpha=0.2$ already
# $\gamma=0.05$ holds the circle, and more turns it inward.


# %%
def dirac_path(
    num_steps, *, rate=0.2, gamma=0.0, alternating=False, start=(1.0, 1.0)
):
    """The two numbers θ, ψ of the Dirac GAN, step by step: (num_steps + 1, 2).

    Both players step at the same time, or G after D (`alternating`).
    """
    theta, psi = start
    path = [(theta, psi)]
    for _ in range(num_steps):
        d_slope = theta * sigmoid(psi * theta) + gamma * psi
        new_psi = psi - rate * d_slope
        seen = new_psi if alternating else psi
        theta = theta + rate * seen * sigmoid(seen * theta)
        psi = new_psi
        path.append((theta, psi))
    return np.array(path)


# %% [markdown]
# **Predict.** In practice $G$ often waits for $D$'s step. Does that alone bring the game
# home? And with which of these four does the distance shrink?

# %% tags=["predict"]
dirac = {
    "together": dirac_path(400),
    "in turn": dirac_path(400, alternating=True),
    "R1, γ = 0.02": dirac_path(400, gamma=0.02),
    "R1, γ = 0.3": dirac_path(400, gamma=0.3),
}
away = {name: np.linalg.norm(path, axis=1) for name, path in dirac.items()}
for name, distances in away.items():
    report(
        f"distance at the end / at the start, {name}", distances[-1] / distances[0]
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# In turn it goes around and around, neither in nor out. A penalty below
# $\gamma=\alpha/4=0.05$ slows the way out, and does not stop it. Only the last one brings
# the game home.
#
# </details>

# %% tags=["claims"]
together, in_turn, weak, strong = (d[-1] / d[0] for d in away.values())
claim("together: distance, last / first", together, at_least=1.5)
claim("in turn: distance, last / first", in_turn, at_least=0.8, at_most=1.2)
claim("distance, γ below α/4 - γ above", weak - strong, at_least=0.8)
claim("with R1: distance, last / first", strong, at_most=1e-3)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 2, figsize=(5.4, 5.4), sharex=True, sharey=True)
for axis, (name, path) in zip(axes.flat, dirac.items(), strict=True):
    axis.plot(*path.T, lw=1)
    axis.plot(*path[0], "o", *path[-1], "s", color=plots.RED)
    axis.set(title=name, aspect="equal")
figure.supxlabel("generator $\\theta$", fontsize=10)
figure.supylabel("discriminator $\\psi$", fontsize=10)
alt = "Four paths: two spirals outward, a closed orbit, and one spiral inward."
plots.show(figure, alt=alt)

# %% [markdown]
# *Each path runs from the circle to the square.* There are other ways to limit the slope
# of $D$. The **Wasserstein GAN** of Arjovsky et al. (2017) needs a discriminator whose slope
# is nowhere above 1, and Gulrajani et al. (2017) ask for that by a penalty
# $(\lVert\nabla\ell\rVert-1)^2$ *between* real and generated samples. On the Dirac GAN, a
# discriminator whose slope is pushed to 1 keeps circling (Mescheder et al., 2018).

# %% [markdown]
# ## 4. How do two networks play in Keras?
#
# A round is a step of $D$, then a step of $G$. `fit` can do it, if a `keras.Model` says in
# its own `train_step` what a step is. There is one thing to get right: **each step changes
# its own player only**, although the gradient of $G$'s loss passes through $D$.

# %% tags=["figure", "diagram"]
d = Diagram("""
    loss_d .    loss_g
    D      .    D2
    both   .    G
""")
d.loss(loss_d="$D$'s loss", loss_g="$G$'s loss")
d.operation(
    D="discriminator\nmoves", D2="discriminator\nstays", G="generator\nmoves"
)
d.data(both="real and\ngenerated")
d.arrow("both -> D", leave="left", enter="left")
d.arrow("loss_d ~> D")
d.arrow("loss_g ~> D2 ~> G", "", "× slope of\nthe logit")
d.group("loss_d D both", "step of $D$")
d.group("loss_g D2 G", "step of $G$")
alt = "Left, the gradient of D's loss stops at D. Right, that of G's passes D to G."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Dashed: gradients. In $G$'s step the discriminator hands the gradient on and keeps its
# weights.* So there are two optimizers with a list of weights each. And there is a trap that
# lists do not cover: a network with batch normalization changes its moving averages whenever
# it is called with `training=True`, and dropout moves on its seed. Keras's `stateless_call`
# gets the state of a model as an argument and returns the new one, which `look` forgets.


# %%
def look(model, x):
    """The model's output as in training, but nothing in the model changes."""
    state = model.trainable_variables, model.non_trainable_variables
    return model.stateless_call(*state, x, training=True)[0]


def squared_slopes(inner, logits, x):
    """Mean over samples of |∇ logit|² at x; `inner` is the tape that watched x."""
    slopes = inner.gradient(logits, x)
    return ops.sum(slopes**2) / ops.cast(ops.size(logits), slopes.dtype)


# %% [markdown]
# The gradient of the *sum* of the logits with respect to all samples holds each sample's
# own slope, because a logit depends on its own sample only. (In a batch-normalized $D$ it
# would not.) The penalty is a gradient inside a loss, so there is a tape inside a tape.


# %%
class TwoPlayers(keras.Model):
    """Generator and discriminator, an optimizer for each, and noise."""

    def __init__(self, generator, discriminator, *, gamma=0.0, g_steps=1, seed=0):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.gamma, self.g_steps = gamma, g_steps
        self.random = keras.random.SeedGenerator(seed)

    def compile(self, g_optimizer, d_optimizer):
        super().compile()
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer
        g_optimizer.build(self.generator.trainable_variables)
        d_optimizer.build(self.discriminator.trainable_variables)

    def noise(self, real):  # as many samples as there are real ones
        shape = self.generator.input_shape
        shape = *ops.shape(real)[: len(shape) - 1], shape[-1]
        return keras.random.normal(shape, seed=self.random)


# %%
class GAN(TwoPlayers):
    """Trained in turn by `fit` on real samples, `g_steps` of G after each step of D.

    D lowers softplus(-D(x)) + softplus(D(G(z))) + γ/2 |∇D(x)|², G softplus(-D(G(z))).
    """

    def d_step(self, real):
        fake = look(self.generator, self.noise(real))
        with tf.GradientTape() as tape:
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(real)
                real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            loss = ops.mean(ops.softplus(-real_logits))
            loss += ops.mean(ops.softplus(fake_logits))
            if self.gamma:
                loss += self.gamma / 2 * squared_slopes(inner, real_logits, real)
        weights = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    def g_step(self, real):
        with tf.GradientTape() as tape:
            fake = self.generator(self.noise(real), training=True)
            loss = ops.mean(ops.softplus(-look(self.discriminator, fake)))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    def train_step(self, real):
        d_loss = self.d_step(real)
        for _ in range(self.g_steps):
            g_loss = self.g_step(real)
        return {"d_loss": d_loss, "g_loss": g_loss}


# %%
def play(
    G, D, real, *, batch_size, rates, beta_1=0.0, sinking=True, callbacks=(), **more
):
    """One pass over `real`, a round for each batch; returns the GAN.

    rates: of G and D, for an Adam each; `sinking`: along a cosine to zero. The other
    settings are those of `GAN`.
    """
    model = GAN(G, D, **more)
    rounds = len(real) // batch_size
    adams = []
    for rate, steps in zip(rates, (model.g_steps, 1), strict=True):
        cosine = keras.optimizers.schedules.CosineDecay(rate, steps * rounds)
        adams.append(
            keras.optimizers.Adam(cosine if sinking else rate, beta_1, 0.99)
        )
    model.compile(*adams)
    # already in random order; JIT compilation would cost more than it saves
    settings = {"batch_size": batch_size, "shuffle": False, "verbose": 0}
    model.fit(real[: rounds * batch_size], callbacks=[*callbacks], **settings)
    return model


# %% [markdown]
# ### The networks
#
# First the networks for digits, which we need in section 7. $G$ begins with dense layers,
# reshapes to $7\times7$, and doubles twice. $D$ is a small convolutional network that
# returns a logit. Pixels have bounds, so $G$ ends in $\tanh$ and the data get the same
# range, from $-1$ to 1.


# %% tags=["export"]
def normalized(layer):
    """The layer, batch normalization, then the activation: no ReLU before either."""
    leaky = keras.layers.LeakyReLU(negative_slope=0.2)
    return [layer, keras.layers.BatchNormalization(), leaky]


def build_document_players(*, noise=100, widths=(256, 512), channels=(64, 32)):
    """(G, D) of a tutorial, put right for digits (28, 28, 1) in [-1, 1]. Not compiled.

    G: dense layers, 7 x 7, two transposed convolutions to 14 x 14 and 28 x 28, tanh. D
    returns a logit. `widths` and `channels` are smaller than the tutorial's.
    """
    layers, (first, second) = keras.layers, channels
    stride = {"kernel_size": 4, "strides": 2, "padding": "same"}
    g = [keras.Input((noise,))]
    for units in (*widths, 7 * 7 * first):
        g += normalized(layers.Dense(units, use_bias=False))
    g += [layers.Reshape((7, 7, first))]
    g += normalized(layers.Conv2DTranspose(second, use_bias=False, **stride))
    g += [layers.Conv2DTranspose(1, activation="tanh", **stride)]
    d = [keras.Input((28, 28, 1))]
    for filters in (second, first):
        leaky = layers.LeakyReLU(negative_slope=0.2)
        d += [layers.Conv2D(filters, **stride), leaky, layers.Dropout(0.3)]
    d += [layers.Flatten(), layers.Dense(1)]
    return keras.Sequential(g), keras.Sequential(d)


# %% [markdown]
# **Predict.** This $G$ has batch normalization, this $D$ has dropout. We compare all their
# variables, bit by bit, before and after a step of each player. How many variables of the
# *other* player change?


# %% tags=["predict"]
def bits(model):
    return [v.numpy().tobytes() for v in model.variables]


def changed(before, model):
    return sum(a != b for a, b in zip(before, bits(model), strict=True))


seed(4)
G, D = build_document_players(widths=(32,), channels=(8, 4))
gan = GAN(G, D, gamma=0.1)
gan.compile(keras.optimizers.Adam(0.001), keras.optimizers.Adam(0.001))
real = tf.random.uniform((4, 28, 28, 1), -1, 1)
moved = {}
for name, step in {"D": gan.d_step, "G": gan.g_step}.items():
    g, d = bits(G), bits(D)
    step(real)
    moved[name] = {"G": changed(g, G), "D": changed(d, D)}
    report(
        f"step of {name}, variables of G and of D that changed",
        *moved[name].values(),
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# None. Without `look`, $D$'s step would have moved the averages of $G$'s batch
# normalization, and $G$'s step the seed of $D$'s dropout.
#
# </details>

# %% tags=["claims"]
claim("a step of D changes no bit of G", moved["D"]["G"] == 0)
claim("... and of its own variables", moved["D"]["D"], at_least=6)
claim("a step of G changes no bit of D", moved["G"]["D"] == 0)
claim("... and of its own variables", moved["G"]["G"], at_least=6)

# %% [markdown]
# ### Many games at once
#
# One game proves little, because the next seed may play another one. So from now on we play
# ten at the same time. A layer holds a kernel for each game, and its input has the shape
# (games, batch, features); `fit` takes a "batch" of ten rows, one row of 128 samples for each
# game. The loss is the mean over games. That divides every gradient by ten, which Adam does
# not notice, and otherwise the games know nothing of each other.
#
# The layer can do one more thing. **Spectral normalization** (Miyato et al., 2018) divides
# a kernel $W$ by its largest singular value $\sigma_1$, the most by which $W$ can stretch
# a vector. Leaky ReLUs stretch nothing, so a discriminator made of such layers has a slope
# of at most 1 everywhere. Where R1 pays for slopes at real samples, this forbids them. A
# step of *power iteration* finds the singular value: with $u=Wv/\lVert Wv\rVert$ and
# $v=W^\top u/\lVert W^\top u\rVert$ repeated, $v$ turns toward the direction that is
# stretched most, since each repetition multiplies its share by $\sigma_1^2$ and the next
# one's by $\sigma_2^2$. Then $\sigma_1=u^\top Wv$. As $W$ changes little in a training
# step, one repetition for each step is enough.


# %%
class ManyDense(keras.layers.Layer):
    """A dense layer for each of several games: (games, batch, in) -> (games, batch, units).

    spectral: divide each kernel by its largest singular value, by power iteration.
    """

    def __init__(self, units, games, *, spectral=False):
        super().__init__()
        self.units, self.games, self.spectral = units, games, spectral

    def build(self, shape):
        limit = (6 / (shape[-1] + self.units)) ** 0.5  # Glorot's, for each game
        start = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.add_weight((self.games, shape[-1], self.units), start)
        self.bias = self.add_weight((self.games, 1, self.units), "zeros")
        if self.spectral:
            size = (self.games, self.units, 1)
            self.v = self.add_weight(size, "random_normal", trainable=False)

    def call(self, x, training=False):
        kernel = self.kernel
        if self.spectral:
            W = ops.stop_gradient(kernel)
            u = ops.normalize(W @ ops.stop_gradient(self.v), axis=1)
            v = ops.normalize(ops.swapaxes(W, 1, 2) @ u, axis=1)
            if training:
                self.v.assign(v)
            kernel = kernel / (ops.swapaxes(u, 1, 2) @ kernel @ v)
        return x @ kernel + self.bias


# %%
def build_players(noise, features, games, *, hidden=32, spectral=False):
    """(G, D) for points (games, batch, features): two hidden layers each."""

    def build(inputs, outputs, spectral):
        stack = [keras.Input((None, inputs))]
        for _ in range(2):
            stack += [ManyDense(hidden, games, spectral=spectral)]
            stack += [keras.layers.LeakyReLU(negative_slope=0.2)]
        return keras.Sequential(
            [*stack, ManyDense(outputs, games, spectral=spectral)]
        )

    return build(noise, features, False), build(features, 1, spectral)


# %% [markdown]
# Now the two hills, ten times. $D$ learns five times as fast as $G$, so that its advice is
# up to date; no momentum; and learning rates that sink to zero. A game ends well if the
# verdict is about ½ wherever real points are, and if the generated points lie like the real
# ones. For the second we sort both sets of points and pair them: that is the cheapest way
# to carry one crowd to the other, and its mean way is the **Wasserstein distance**.

# %%
GAMES = 10


def wasserstein(points, truth):
    """Mean way from points (games, n, 1) to truth (n, 1): (games,)."""
    return np.abs(np.sort(points, axis=1) - np.sort(truth, axis=0)).mean(
        axis=(1, 2)
    )


number = seed(5)
rng = np.random.default_rng(number)
G, D = build_players(1, 1, GAMES)
real = two_hills((1000 * GAMES, 128), rng)
z = rng.standard_normal((GAMES, 4000, 1), dtype="float32")
truth = two_hills((4000,), rng)


def watch(i, logs=None):
    if i + 1 in (50, 200, 1000):
        stills[i + 1] = np.array(G(z)), verdicts(D)


def verdicts(D):
    """What D says on the grid, in each game: (games, points)."""
    x = np.broadcast_to(GRID[:, None], (GAMES, len(GRID), 1))
    return sigmoid(np.array(D(x)))[..., 0]


stills = {0: (np.array(G(z)), verdicts(D))}
watching = keras.callbacks.LambdaCallback(on_train_batch_end=watch)
settings = {"batch_size": GAMES, "rates": (0.002, 0.01), "seed": number}
_ = play(G, D, real, callbacks=[watching, progress_bar("ten games")], **settings)

# %% [markdown]
# **Predict.** In how many of the ten games does the verdict end within 0.15 of ½ between $-3$
# and 3? And how far, on average, do points have to be carried, if the hills lie 3.5 apart?

# %% tags=["predict"]
points, verdict = stills[1000]
off = np.abs(verdict[:, np.abs(GRID) < 3] - 0.5).max(axis=1)
ways = {i: wasserstein(still[0], truth) for i, still in stills.items()}
report("games that end near one half", np.sum(off < 0.15))
report(
    "mean way to carry, at the start and at the end",
    ways[0].mean(),
    ways[1000].mean(),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# In nearly all of them, and points have to be carried about a tenth of a unit.
#
# </details>

# %% tags=["claims"]
claim("largest |D - ½| of all games", off.max(), at_most=0.4)
claim("largest way to carry, of all games", ways[1000].max(), at_most=0.3)
claim(
    "mean way to carry, start - end",
    ways[0].mean() - ways[1000].mean(),
    at_least=0.8,
)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 2, figsize=(6.4, 4), sharex=True, sharey=True)
for axis, (i, (points, verdict)) in zip(axes.flat, stills.items(), strict=True):
    axis.hist(
        points[0, :, 0], np.linspace(-5, 5, 51), density=True, color=plots.SKY
    )
    axis.plot(GRID, two_hills_density(GRID), color=plots.BLACK)
    axis.plot(GRID, verdict[0], "--", color=plots.RED)
    axis.set(title=f"round {i}", ylim=(0, 1.02))
alt = "Four stills: the bars come to fill the curve, and the verdict goes flat."
plots.show(figure, alt=alt)

# %% [markdown]
# *One of the ten games: generated points (bars), the density of the real ones (black), and
# the verdict (dashed).*

# %% [markdown]
# ## 5. What calms a restless game?
#
# Those ten games were played with care. Take away one half of it: Adam as it comes, with
# $\beta_1=0.9$, and learning rates that do not sink. Momentum remembers the advice of ten
# rounds ago, and that advice was about points that have moved since. Then
# mend it, one thing at a time, with everything else as it was:
#
# - R1, with a $\gamma$ that was chosen on games with other seeds,
# - spectral normalization, which limits the slope of $D$ to 1,
# - no momentum, $\beta_1=0$,
# - sinking learning rates.
#
# Restless games are judged by more than their last round: we average the Wasserstein distance
# over the second half of all rounds.


# %%
def restless_games(number, *, rounds=440, spectral=False, **change):
    """Wasserstein distance in the second half of each game, and D afterwards."""
    number = seed(number)
    rng = np.random.default_rng(number)
    G, D = build_players(1, 1, GAMES, spectral=spectral)
    real = two_hills((rounds * GAMES, 128), rng)
    z = rng.standard_normal((GAMES, 2000, 1), dtype="float32")
    truth, ways = two_hills((2000,), rng), []

    def measure(i, logs=None):
        if i >= rounds // 2 and i % 20 == 0:
            ways.append(wasserstein(np.array(G(z)), truth))

    calls = [keras.callbacks.LambdaCallback(on_train_batch_end=measure)]
    settings = {"rates": (0.002, 0.01), "beta_1": 0.9, "sinking": False} | change
    play(G, D, real, batch_size=GAMES, seed=number, callbacks=calls, **settings)
    return np.mean(ways, axis=0), D


def steepest(D):
    """The largest slope of D's logit on the grid, in all games."""
    x = np.broadcast_to(GRID[:, None], (GAMES, len(GRID), 1))
    return np.abs(np.diff(np.array(D(x))[..., 0], axis=1)).max() / STEP


# %% [markdown]
# **Predict.** Order the four mends by what you expect of them. Does each of them help?

# %% tags=["predict"]
mends = {
    "Adam as it comes": {},
    "R1, γ = 100": {"gamma": 100.0},
    "spectral normalization": {"spectral": True},
    "no momentum": {"beta_1": 0.0},
    "sinking rates": {"sinking": True},
}
way, slope = {}, {}
for name, change in progress(mends.items(), "mends"):
    way[name], D = restless_games(20, **change)
    slope[name] = steepest(D)
    report(f"{name}, way, median and worst", np.median(way[name]), way[name].max())
    report(f"{name}, steepest slope of the logit", slope[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# R1, no momentum and sinking rates each make the way much shorter, though without momentum a
# game sometimes fails outright. Spectral normalization makes it *longer* in this game.
#
# </details>

# %% tags=["claims"]
base = way["Adam as it comes"]
saved = {name: np.median(base - way[name]) for name in way}
claim("way, Adam as it comes - R1", saved["R1, γ = 100"], at_least=0)
claim("way, Adam as it comes - no momentum", saved["no momentum"], at_least=0.05)
claim("way, Adam as it comes - sinking rates", saved["sinking rates"], at_least=0)
worse = np.median(way["spectral normalization"] - base)
claim("way, spectral normalization - without", worse, at_least=0.1)
claim("steepest slope, spectral", slope["spectral normalization"], at_most=1.05)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.8))
for i, name in enumerate(way):
    axis.plot(way[name], np.full(GAMES, -i), "o", color=plots.BLUE, alpha=0.6)
    axis.plot(np.median(way[name]), -i, "|", ms=22, mew=2, color=plots.RED)
axis.set_yticks([-i for i in range(len(way))], way)
axis.set(xlabel="mean way to carry (log scale)", xscale="log")
axis.set_xticks([0.1, 0.2, 0.5, 1, 2], [0.1, 0.2, 0.5, 1, 2])
axis.minorticks_off()
alt = "Rows of dots: three mends left of the base, spectral normalization right."
plots.show(figure, alt=alt)

# %% [markdown]
# *Dots: ten games for each row. Stroke: their median.* Look at the slopes, too. R1 made
# the logit nearly flat, and $G$ learns from it all the same, since its Adam divides a
# small gradient by its size. Spectral normalization did keep the slope below 1. But a
# limit is no pull toward zero: the Dirac GAN circles within $|\psi|\le1$ as it does
# without a limit. Why spectral normalization is even worse here than no mend we have not
# found out; it cannot be that its slope is too small, because R1's is far smaller. It was
# made for deep networks on images, where slopes multiply from layer to layer. No mend is
# good by its name.
#
# R1 is the mend that leaves the optimizer alone. Whether it matters depends on the game:
# in the careful games of section 4 a small penalty changes little, as you can try with
# `gamma=0.1`.
#
# ## 6. What makes a generator collapse?
#
# $D$ judges one sample at a time. It never sees that all samples are alike. So $G$ may
# find the one place that $D$ likes best at the moment, and send everything there. Real
# samples come in several heaps, or **modes**, and only one is drawn: that is
# **mode collapse**. Then $D$ learns to dislike that place, and $G$ moves on to the next.
#
# Eight clouds on a ring show it (Metz et al., 2017). We count what falls near each center,
# within 0.5, and take the entropy of the shares, $H=-\sum_c p_c\log p_c$. If all eight
# clouds get the same, $H=\log8\approx2.08$ nats. If one gets all, $H=0$. If two share
# evenly, $H=\log2\approx0.69$, and so $e^H$ is the number of clouds that are *effectively*
# drawn.

# %%
ANGLES = 2 * np.pi * np.arange(8) / 8
CENTERS = 2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)  # (8, 2)


def ring(shape, rng):
    """Points (*shape, 2) around the eight centers, with a standard deviation of 0.2."""
    noise = rng.normal(0, 0.2, (*shape, 2))
    return (CENTERS[rng.integers(0, 8, shape)] + noise).astype("float32")


def effective_modes(points, centers=CENTERS, radius=0.5):
    """e^H of the shares of the centers (k, d) among points (n, d); 0 if none is near."""
    distances = np.linalg.norm(points[:, None] - centers, axis=2)  # (n, k)
    near = distances.min(axis=1) <= radius
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=len(centers))
    shares = counts[counts > 0] / max(near.sum(), 1)
    return float(np.exp(-np.sum(shares * np.log(shares)))) if near.any() else 0.0


def ring_games(number, *, rounds=340, games=6, **change):
    """Points that six generators draw (games, 1000, 2), and G's and D's mean losses."""
    number = seed(number)
    rng = np.random.default_rng(number)
    G, D = build_players(2, 2, games, hidden=64)
    losses = []

    def note(i, logs):
        if i >= rounds - 100:
            losses.append((logs["d_loss"], logs["g_loss"]))

    calls = [keras.callbacks.LambdaCallback(on_train_batch_end=note)]
    settings = {"rates": (0.004, 0.02), "gamma": 0.05} | change
    real = ring((rounds * games, 128), rng)
    play(G, D, real, batch_size=games, seed=number, callbacks=calls, **settings)
    z = rng.standard_normal((games, 1000, 2), dtype="float32")
    return np.array(G(z)), np.mean(losses, axis=0)


# %% [markdown]
# The usual explanation is that $G$ runs ahead of $D$. Three knobs let it do that: five
# steps of $G$ for each step of $D$; a slow $D$, with a twentieth of its learning rate; and
# momentum, with which $G$ overshoots. Turn each of them alone, starting from games that go
# well; then two at a time.
#
# **Predict.** Which of the three knobs makes $G$ collapse?

# %% tags=["predict"]
knobs = {
    "steps": {"g_steps": 5},
    "slow D": {"rates": (0.004, 0.001)},
    "momentum": {"beta_1": 0.9},
}
turned = [(), ("steps",), ("slow D",), ("momentum",)]
turned += [("steps", "slow D"), ("steps", "momentum"), ("slow D", "momentum")]
clouds, losses, effective = {}, {}, {}
for names in progress(turned, "knobs"):
    name = " + ".join(names) or "none"
    change = {key: value for k in names for key, value in knobs[k].items()}
    clouds[name], losses[name] = ring_games(30, **change)
    effective[name] = np.array([effective_modes(points) for points in clouds[name]])
    report(f"{name}, effective modes, mean, min, max",
           effective[name].mean(), effective[name].min(), effective[name].max())  # fmt: skip

# %% [markdown]
# <details><summary>Answer</summary>
#
# None of them alone, and any two together. Whoever turns all knobs at once may blame the one
# they like best. And whoever turns one at a time from a good start finds no cause at all,
# because here the knobs *interact*: as long as two of the three are right, $D$ keeps up.
#
# </details>

# %% tags=["claims"]
single = np.mean(
    [effective[name] for name in ("steps", "slow D", "momentum")], axis=1
)
pairs = {name: value for name, value in effective.items() if "+" in name}
claim("effective modes, no knob", effective["none"].mean(), at_least=7)
claim("effective modes, the worst single knob", single.min(), at_least=4)
worst = {name: single.min() - value.mean() for name, value in pairs.items()}
claim("modes, single - steps + slow D", worst["steps + slow D"], at_least=1)
claim("modes, single - steps + momentum", worst["steps + momentum"], at_least=2)
claim("modes, single - slow D + momentum", worst["slow D + momentum"], at_least=2)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 4, figsize=(6.4, 3.6), sharex=True, sharey=True)
panels = {name.replace(" + ", " +\n"): points[0] for name, points in clouds.items()}
panels["real"] = ring((1000,), np.random.default_rng(7))
for axis, (name, points) in zip(axes.flat, panels.items(), strict=True):
    axis.plot(*CENTERS.T, "x", color=plots.RED)
    axis.plot(*points.T, ".", ms=2, alpha=0.3, color=plots.BLUE)
    axis.set(
        xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal", xticks=[], yticks=[]
    )
    axis.set_title(name, fontsize=9)
alt = "Eight panels: rings of clouds, and three with one spot or a smear only."
plots.show(figure, alt=alt)

# %% [markdown]
# *The first of six games for each setting. Crosses are the centers.* No collapse is not
# yet success: with a slow $D$, or with momentum, the points fill a disc. Even in good
# games some lie between the clouds: $G$ is continuous, so it can bend and stretch the
# plane of its noise, and not tear it apart. Other mends let $D$ see several samples at
# once (Salimans et al., 2016; Lin et al., 2018), or let $G$ reckon with $D$'s next steps
# (Metz et al., 2017).
#
# Would the losses have told us? A $D$ that says ½ to everything has the loss
# $2\log2\approx1.39$, and its $G$ has $\log2\approx0.69$.
#
# **Predict.** How far from these two numbers are the losses of games with no knob turned, and
# those of the games that collapsed because of "steps + slow D"?

# %% tags=["predict"]
for name in ("none", "steps + slow D"):
    report(f"{name}, mean losses of D and of G", losses[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Close in both. Whoever only watches the losses takes the collapse for a good end: the
# wandering spot is gone before $D$ has learned to see it, and so $D$ is no better than a
# coin.
#
# </details>

# %% tags=["claims"]
coin = np.array([2, 1]) * np.log(2)
for name in ("none", "steps + slow D"):
    far = np.abs(losses[name] - coin).max()
    claim(f"{name}: losses from a coin's", far, at_most=0.2)

# %% [markdown]
# So look at samples, and count modes. Even that is not enough: a generator may cover all
# of them, and draw too little variety inside each. Chapter 08b measures that, too.

# %% [markdown]
# ## 7. What do such networks draw?
#
# Now the networks of section 4 for digits. Like Radford et al. (2016) we take Adam with
# $\beta_1=0.5$ for both players. Their learning rate was 0.0002. We have few rounds, and
# take 0.0005.
#
# Is there a simple rival? A generator that draws each pixel alone, black or white with
# the right probability, has a perfect mean image. It is no digit, since pixels that
# are neighbors know nothing of each other. So we look at two numbers: how far the mean image
# is off, and the mean correlation of a pixel with its right neighbor.

# %%
(images, _), _ = data.mnist()
number = seed(8)
rng = np.random.default_rng(number)
real = 2 * images[rng.permutation(len(images))[: 250 * 32]][..., None] - 1
real = real.reshape(-1, 28, 28, 1).astype("float32")
G, D = build_document_players(channels=(32, 32))
z = rng.standard_normal((500, 100), dtype="float32")
drawn = {}


def draw(i, logs=None):
    if i + 1 in (1, 100, 250):
        drawn[i + 1] = np.array(G(z))


calls = [
    keras.callbacks.LambdaCallback(on_train_batch_end=draw),
    progress_bar("digits"),
]
settings = {"batch_size": 32, "rates": (0.0005, 0.0005), "beta_1": 0.5}
_ = play(G, D, real, sinking=False, seed=number, callbacks=calls, **settings)


# %%
def neighbors(images):
    """Mean correlation of a pixel with its right neighbor, both within the middle."""
    middle = images[:, 6:22, 6:22, 0]
    a, b = middle[:, :, :-1], middle[:, :, 1:]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    spread = np.sqrt((a**2).mean(axis=0) * (b**2).mean(axis=0)) + 1e-6
    return np.mean((a * b).mean(axis=0) / spread)


shares = (real.mean(axis=0) + 1) / 2  # of white, for each pixel
alone = 2.0 * (rng.random((500, 28, 28, 1)) < shares) - 1

# %% [markdown]
# **Predict.** After 250 rounds of 32 digits, less than a seventh of the data: noise, blobs,
# or strokes? And whose pixels hang together more like those of real digits, the pixel-wise
# rival's or the generator's?

# %% tags=["predict"]
mean_gap = {
    i: np.abs(x.mean(axis=0) - real.mean(axis=0)).mean() for i, x in drawn.items()
}
report("mean image off, after 1 and 250 rounds", mean_gap[1], mean_gap[250])
together = {
    "real": neighbors(real[:2000]),
    "G": neighbors(drawn[250]),
    "alone": neighbors(alone),
}
for name, value in together.items():
    report(f"correlation of neighbors, {name}", value)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Strokes, a few of them like digits. The rival's pixels know nothing of each other. The
# generator's hang together about as those of real digits do.
#
# </details>

# %% tags=["claims"]
claim("mean image off, last / first", mean_gap[250] / mean_gap[1], at_most=0.4)
claim(
    "correlation of neighbors, G - rival",
    together["G"] - together["alone"],
    at_least=0.3,
)

# %% tags=["figure"]
rows = np.concatenate([*(drawn[i][:9] for i in drawn), alone[:9], real[:9]])
figure = plots.images(rows, columns=9, size=0.62)
names = ["round 1", "100", "250", "alone", "real"]
for axis, name in zip(figure.axes[::9], names, strict=True):
    axis.text(-4, 14, name, ha="right", va="center")
alt = "Gray, then blobs, then strokes like digits; speckles; real digits."
plots.show(figure, alt=alt)

# %% [markdown]
# *Generated after 1, 100 and 250 rounds; pixels drawn alone; real digits.* Nobody showed the
# generator a digit. Chapter 08b asks for more: the digit that we *order*, and a fair measure
# of how good and how varied the drawings are.
#
# ## 8. Why does text need more?
#
# A pixel can be a little darker. A letter cannot be a little more like *b*. A text generator
# turns scores $s$ into probabilities $p=\text{softmax}(s)$ and *picks* a letter $i$.
#
# **Predict.** There are five letters, and the picked one goes to $D$, which answers $r_i$.
# What is the gradient of that answer with respect to the five scores?

# %% tags=["predict"]
rng = np.random.default_rng(9)  # these five letters, once and for all
scores, answers = rng.normal(size=5), 10 + rng.normal(size=5)  # r, for each letter
s = tf.Variable(scores)
with tf.GradientTape() as tape:
    answer = tf.gather(answers, tf.argmax(s))
through_pick = tape.gradient(answer, s)
print(through_pick)

# %% [markdown]
# <details><summary>Answer</summary>
#
# There is none at all. A little more of a score changes nothing, until it changes everything.
#
# </details>

# %% tags=["claims"]
claim("through a pick there is no gradient", through_pick is None)

# %% [markdown]
# But the *expected* answer $\mathbb E[r]=\sum_ip_ir_i$ has one. From
# $\partial p_i/\partial s_k=p_i(\delta_{ik}-p_k)$ it is $p_k\,(r_k-\mathbb E[r])$. With five
# letters we can compute it. A sentence of twenty letters has $5^{20}$ possible answers, and
# we can only sample. Two estimates are used.
#
# The **score-function estimator** (Williams, 1992) is the score-function gradient of chapter
# 07. It uses the answer as a number, and not its slope:
#
# $$\frac{\partial}{\partial s_k}\mathbb E[r]=\mathbb E\left[r_i\,
# \frac{\partial\log p_i}{\partial s_k}\right]=\mathbb E\bigl[r_i\,(\delta_{ik}-p_k)\bigr].$$
#
# It is right on average and noisy; a baseline helps. SeqGAN (Yu et al., 2017) trains a text
# generator with it.
#
# The **Gumbel-softmax** estimator (Jang et al., 2017) is the reparameterization trick for
# letters. If $g_k=-\log(-\log u_k)$ with $u_k$ uniform in $(0,1)$, then the largest of
# $s_k+g_k$ is letter $k$ with exactly the probability $p_k$. The reason: write
# $s_k+g_k=-\log(E_k/e^{s_k})$, where $E_k=-\log u_k$ is an exponentially distributed
# waiting time. $E_k/e^{s_k}$ is the waiting time for an event that comes at the rate
# $e^{s_k}$, and of several such events $k$ comes first with the probability
# $e^{s_k}/\sum_je^{s_j}=p_k$. So the noise is outside, as in chapter 07. Only the maximum
# still has no slope, and is replaced by a softmax at a temperature $\tau$:
#
# $$y=\text{softmax}\left(\frac{s+g}\tau\right)$$
#
# This is a *mixture* of letters, and its gradient is that of another expected value. As
# $\tau\to0$ the mixture becomes a pick. By the softmax derivative above, the gradient of
# $\sum_iy_ir_i$ is $\frac{y_k}\tau\,(r_k-\sum_iy_ir_i)$.


# %%
def estimates(scores, answers, draws, rng, temperature=None, baseline=0.0):
    """Single-draw estimates (draws, letters) of the gradient of the expected answer.

    The score-function estimator, or Gumbel-softmax if a temperature is given.
    """
    gumbel = rng.gumbel(size=(draws, len(scores)))
    if temperature is None:
        picks = np.argmax(scores + gumbel, axis=1)
        score = np.eye(len(scores))[picks] - softmax(scores)
        return (answers[picks] - baseline)[:, None] * score
    y = softmax((scores + gumbel) / temperature)
    return y / temperature * (answers - (y @ answers)[:, None])


def bias_and_noise(each, exact):
    """Distance of the mean, and root mean square around it, over the length of exact."""
    around = np.sqrt(each.var(axis=0).sum())
    return np.array([np.linalg.norm(each.mean(axis=0) - exact), around]) / (
        np.linalg.norm(exact)
    )


# %% [markdown]
# The baseline below is the best one can hope for without more work: the true mean answer.
#
# **Predict.** Which estimate has the least noise in a single draw? What does it pay for that?

# %% tags=["predict"]
rng = np.random.default_rng(seed(9))
p = softmax(scores)
exact = p * (answers - p @ answers)
kinds = {
    "score function": {},
    "with a baseline": {"baseline": p @ answers},
    "Gumbel-softmax, τ = 1": {"temperature": 1.0},
    "Gumbel-softmax, τ = 0.2": {"temperature": 0.2},
}
quality = {}
for name, kind in kinds.items():
    each = estimates(scores, answers, 200_000, rng, **kind)
    quality[name] = bias_and_noise(each, exact)
    report(f"{name}, bias and noise", *quality[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Gumbel-softmax at $\tau=1$. It pays with a bias that no number of draws removes. At a low
# temperature the bias shrinks and the noise comes back. The score function has no bias, and
# with a baseline far less noise than without one.
#
# </details>

# %% tags=["claims"]
bias, noise = np.array([*quality.values()]).T
claim("score function, bias", bias[:2].max(), at_most=0.3)
claim("noise, score function - with a baseline", noise[0] - noise[1], at_least=3)
claim("noise, with a baseline - Gumbel-softmax", noise[1] - noise[2], at_least=0.2)
claim("bias, Gumbel-softmax, τ = 1 - τ = 0.2", bias[2] - bias[3], at_least=0.1)

# %% tags=["figure"]
temperatures = [0.1, 0.2, 0.4, 0.7, 1, 1.5, 2]
curve = np.array(
    [
        bias_and_noise(estimates(scores, answers, 50_000, rng, t), exact)
        for t in temperatures
    ]
)
figure, axis = plt.subplots(figsize=(6, 2.8))
axis.plot(temperatures, curve[:, 0], "s-", label="Gumbel-softmax, bias")
axis.plot(temperatures, curve[:, 1], "o-", label="Gumbel-softmax, noise")
axis.axhline(noise[1], ls=":", color=plots.BLACK)
axis.text(
    2, noise[1], "score function with baseline, noise", ha="right", va="bottom"
)
axis.set(xlabel="temperature $\\tau$", ylabel="over the length\nof the gradient")
axis.legend()
plots.show(
    figure, alt="As the temperature rises, the noise falls and the bias rises."
)

# %% [markdown]
# *Bias and noise of one draw.* Both ways are in use. A sentence needs a pick for each
# letter, and the noise of all picks adds up. Most text of today comes from models that need
# neither: they are trained to predict the next word, where a right answer is known at every
# place and the loss has a plain gradient (chapters 06b and 09b). That does not prove that
# adversarial text is hopeless, and we have not tried it here.
#
# ## Common mistakes
#
# One listing that has been copied a lot builds a generator, a discriminator and a line that
# should join them. Three of its mistakes are worth making once. (It also stops there: no
# data, no round, no sample.)
#
# ### Asking a chain for its wrong end
#
# It asks the discriminator, a `Sequential`, for its `input`:

# %% tags=["raises-exception", "E164"]
stack = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
keras.Sequential(stack, name="discriminator").input

# %% [markdown]
# A `Sequential` has an `input` only after a call on a `keras.Input`; `inputs`, with an s, is
# there from the start. But $D$'s input is an image, and the listing then hands it to the
# generator, which wants noise. And behind that error waits another one, because its generator
# makes pictures of $32\times32\times3$ where its discriminator wants $28\times28\times1$.
#
# **Predict.** Keras can say what it got. What do the two complaints expect?

# %% tags=["predict", "E165", "E166"]
G, D = build_document_players(widths=(32,), channels=(8, 4))
wide = keras.Input((32, 32, 3))  # what the listing's generator makes
for first, second in [(D.inputs[0], G), (wide, D)]:
    try:
        second(first)
    except ValueError as error:
        text = "expected" + str(error).partition("expected")[2]
        print(text.splitlines()[0].partition("\x1b")[0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Noise of 100 numbers, and an image with one channel. Chain networks by calling them,
# from the noise on: $z\to G\to D$. The tutorial's text says that its generator makes
# "noise images". It makes images *from* noise.
#
# </details>
#
# ### Two partners instead of two opponents
#
# Chained and compiled as one model, with $D$ not frozen, *all* weights are trained for one
# goal. Let it call generated digits real.
#
# **Predict.** What does $D$ say of generated digits afterwards: near 0, about ½, or near 1?

# %% tags=["E169"]
number = seed(10)
G, D = build_document_players(widths=(32,), channels=(8, 4))
start = bits(D)
noise_in = np.random.default_rng(number).normal(size=(2048, 100)).astype("float32")
z_in = keras.Input((100,))
pair = keras.Model(z_in, D(G(z_in)))
bce = keras.losses.BinaryCrossentropy(from_logits=True)
pair.compile(keras.optimizers.Adam(0.001), bce)  # the listing's rate
_ = pair.fit(noise_in, np.ones((2048, 1)), batch_size=64, epochs=3, verbose=0)
joint = changed(start, D), sigmoid(np.array(pair(noise_in[:500]))).mean()
D.trainable = False
pair.compile(keras.optimizers.Adam(0.001), bce)
before = D.get_weights()
_ = pair.fit(noise_in[:64], np.ones((64, 1)), verbose=0)
kept = [np.array_equal(*two) for two in zip(before, D.get_weights(), strict=True)]

# %% tags=["predict", "E169"]
report("verdict on generated digits", joint[1])
report("variables of D that changed", joint[0])
report("frozen before compile, variables of D that changed", len(kept) - sum(kept))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Near 1. $D$ has learned to please, and $G$ had no need to get better. With
# `D.trainable = False` *before* `compile`, only $G$ moves.
#
# </details>

# %% tags=["claims"]
claim("verdict on generated digits", joint[1], at_least=0.9)
claim("variables of D that changed", joint[0], at_least=6)
claim("frozen: D keeps its weights", all(kept))

# %% [markdown]
# The listing compiles with `optimizer="adam"`, whose learning rate of 0.001 and
# $\beta_1=0.9$ Radford et al. (2016) found too restless for this game; section 5 shows it.
# Its generator ends without activation, so that its pixels have no bounds.
#
# ### A ReLU before the leaky ReLU
#
# Each of its dense layers has a ReLU; then comes batch normalization, then a leaky ReLU.
#
# **Predict.** Half of the values are negative before the ReLU. Which share of the values can
# the leaky ReLU no longer tell apart?

# %% tags=["predict", "E167"]
x = np.random.default_rng(seed(11)).normal(size=(1000, 64)).astype("float32")
normalize, leaky = keras.layers.BatchNormalization(), keras.layers.LeakyReLU(0.2)
cut = np.array(leaky(normalize(np.maximum(x, 0), training=True)))[:, 0]
kept = np.array(leaky(normalize(x, training=True)))[:, 0]
report("share of equal outputs with the ReLU", np.mean(cut == cut.min()))
report("share of equal outputs without it", np.mean(kept == kept.min()))

# %% [markdown]
# <details><summary>Answer</summary>
#
# About half. The ReLU made one number of all negative values, and nothing after it can tell
# them apart again.
#
# </details>

# %% tags=["claims"]
claim(
    "with the ReLU: share of equal outputs", np.mean(cut == cut.min()), at_least=0.4
)
claim("without it all outputs differ", len(np.unique(kept)) == 1000)

# %% [markdown]
# ## Exercises
#
# ### Exercise 08.6: another discriminator, by hand
#
# *15 minutes.* Some GANs use the **hinge loss** (Lim & Ye, 2017): the discriminator gives
# a number $h$ instead of a probability, and lowers $\mathbb E_x\max(0,1-h(x))+\mathbb
# E_z\max(0,1+h(G(z)))$. Derive, as in section 1, the best $h$ for given densities, and the
# loss that is left. At the points of a grid, real samples have the shares `p` (they sum to
# 1), generated ones `q`. Return $h$ at each point, between $-1$ and 1 (0 where `p` equals
# `q`), and the loss that is left.


# %% tags=["exercise"]
def hinge_game(p, q):  # (n,), (n,) -> (n,), a number
    """The best h at each point, and the discriminator's loss with it."""
    raise NotImplementedError


check("08.6", hinge_game)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# At one point the loss is $p\max(0,1-h)+q\max(0,1+h)$. Draw it as a function of $h$ for
# $p=0.5$ and $q=0.1$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Between $-1$ and 1 it is the straight line $p+q+(q-p)\,h$. At which end is it lowest?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Put that end into the line: what is left at a point is twice the smaller one of both shares.
#
# </details>


# %% tags=["solution"]
def hinge_game_solution(p, q):
    h = np.sign(p - q)
    return h, np.sum(p * (1 - h) + q * (1 + h))


check("08.6", hinge_game_solution, solution=True)

# %% [markdown]
# ### Exercise 08.4: tame the circle
#
# *15 minutes.* Section 3's game, with the *non-saturating* generator: $D$ lowers
# $\log(1+e^{\psi\theta}) + \frac\gamma2\psi^2$, $G$ lowers $\log(1+e^{-\psi\theta})$.
# Both take one gradient step at the same time. Return the new $\theta$ and the new
# $\psi$.


# %% tags=["exercise"]
def both_step(theta, psi, rate, gamma):
    """The new theta, the new psi."""
    raise NotImplementedError


check("08.4", both_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The derivative of $\log(1+e^{u})$ is $\sigma(u)$. Then the chain rule.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $D$'s slope has two terms, one of them from the penalty. $G$'s slope has
# $\sigma(-\psi\theta)$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Both slopes are taken at the *old* $\theta$ and $\psi$.
#
# </details>


# %% tags=["solution"]
def both_step_solution(theta, psi, rate, gamma):
    real = sigmoid(psi * theta)  # the verdict on the generator's point
    d_slope = theta * real + gamma * psi
    g_slope = -psi * (1 - real)
    return theta - rate * g_slope, psi - rate * d_slope


check("08.4", both_step_solution, solution=True)

# %% [markdown]
# ### Exercise 08.7: find the mistake in a penalty
#
# *20 minutes.* Somebody wants $\frac\gamma2$ times the mean over samples of
# $\lVert\nabla_x\ell(x)\rVert^2$, for a discriminator on samples of any shape, (batch,
# features) or (batch, height, width, channels). They wrote this:
#
# ```python
# def penalty(discriminator, x, gamma):
#     with tf.GradientTape() as tape:
#         tape.watch(x)
#         logits = keras.ops.mean(discriminator(x))
#     return gamma / 2 * keras.ops.mean(tape.gradient(logits, x) ** 2)
# ```
#
# It runs, it is never negative, training with it does not crash, and it is far too small.
# It has two mistakes. `x` is a tensor. Return the right number.


# %% tags=["exercise"]
def penalty(discriminator, x, gamma):
    """γ/2 times the mean over samples of the squared slope, a number."""
    raise NotImplementedError


check("08.7", penalty)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Try it by hand: $\ell(x)=3x$ has the slope 3 everywhere. What does the program give for four
# samples, and what for eight?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Each sample's logit takes part in the *mean* of the logits with the factor 1/batch. And
# what does a mean over *all* entries do to a gradient with 784 of them?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Sum where a sample's own numbers are meant, and average over samples only.
#
# </details>


# %% tags=["solution"]
def penalty_solution(discriminator, x, gamma):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = keras.ops.sum(discriminator(x))
    slopes = tape.gradient(logits, x)
    return gamma / 2 * keras.ops.sum(slopes**2) / slopes.shape[0]


check("08.7", penalty_solution, solution=True)

# %% [markdown]
# ### Exercise 08.8: how much penalty is best?
#
# *25 minutes.* In section 3 a penalty of 0.3 calmed the Dirac GAN. Would 3 be ten times as
# good? Run `dirac_path` with the rate 0.2 for 100 steps from a start near the goal,
# `start=(0.01, 0.01)`, for many $\gamma$ between 0 and 4, with both players stepping at
# the same time. Keep $\gamma=0$ as a control. Return a function that gives the $\gamma$
# with the smallest distance at the end, to a tenth, and the two distances at the end with
# $\gamma=0$ and with $\gamma=4$, over the distance at the start.


# %% tags=["exercise"]
def best_penalty():
    """The best gamma, and last/first distance with gamma 0 and with gamma 4."""
    raise NotImplementedError


check("08.8", best_penalty)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A loop over `np.arange(0, 4.05, 0.1)`, and `np.linalg.norm(path, axis=1)`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The control must get farther away. If it does not, look at what differs.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# To understand what you find: the matrix of section 3 has two real eigenvalues if $\gamma$ is
# large, and their product is its determinant. What happens to the larger one?
#
# </details>


# %% tags=["solution"]
def best_penalty_solution():
    def shrunk(gamma):
        path = dirac_path(100, gamma=gamma, start=(0.01, 0.01))
        return np.linalg.norm(path[-1]) / np.linalg.norm(path[0])

    gammas = np.arange(0, 4.05, 0.1)
    best = gammas[np.argmin([shrunk(gamma) for gamma in gammas])]
    return best, shrunk(0), shrunk(4)


check("08.8", best_penalty_solution, solution=True)

# %% [markdown]
# ### Exercise 08.5: a quieter estimate (project)
#
# *30 minutes.* `picks` are letters drawn from the softmax of `scores`, and `rewards`
# is what $D$ said of each. All rewards are about 10. Estimate the gradient of the
# expected reward with respect to `scores`. It must be right on average, and the
# plain score-function estimate of section 8 is far too noisy: get below a third of its noise.
# The true mean is not given.


# %% tags=["exercise"]
def estimate(scores, picks, rewards):  # (k,), (n,), (n,) -> (k,)
    """The gradient of the expected reward."""
    raise NotImplementedError


check("08.5", estimate)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $\mathbb E[\nabla\log p] = 0$. So a constant may be taken off all rewards, and the
# mean stays right.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Take off what is usual: a mean reward. But a letter's own reward must not be part
# of its constant, or the mean is a little off.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# For each pick, use the mean of all *other* rewards.
#
# </details>


# %% tags=["solution"]
def estimate_solution(scores, picks, rewards):
    p = np.exp(scores - scores.max())
    p = p / p.sum()
    others = (rewards.sum() - rewards) / (len(rewards) - 1)
    slopes = np.eye(len(p))[picks] - p  # ∇ log p(letter)
    return np.mean((rewards - others)[:, None] * slopes, axis=0)


check("08.5", estimate_solution, solution=True)
