# %% [markdown]
# A network is about to look at a seven through a window of nine pixels.

# %%
import math
import time
from functools import partial
from itertools import product

import keras
import tensorflow as tf
from dl_course import data
from dl_course.common import predict
from dl_course.diagrams import Diagram
from dl_course.optimizers import cosine_decay
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

(x_train, y_train), (x_test, y_test) = data.mnist()
seven = x_train[84, :, :, 0]  # (height, width)
edge = np.array([[1.0, 1, 1], [0, 0, 0], [-1, -1, -1]])  # ink above, paper below


# %% tags=["figure"]
def draw_stencil(image, kernel, row, column):
    """A window of an image, times a kernel, gives one cell of the map; all are 2-D."""
    window = image[row : row + 3, column : column + 3]
    maps = np.sum(sliding_window_view(image, (3, 3)) * kernel, axis=(2, 3))
    pictures = {"image $x$": image, "window": window, "× kernel $k$": kernel}
    pictures["summed: map $y$"] = maps
    widths = [2, 1.2, 1.2, 2]
    figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), width_ratios=widths)
    for axis, (title, cells) in zip(axes, pictures.items(), strict=True):
        limit, colors = np.abs(cells).max(), "RdBu" if cells.min() < 0 else "gray_r"
        lowest = -limit if cells.min() < 0 else 0
        axis.imshow(cells, colors, vmin=lowest, vmax=limit)
        axis.set_title(title, loc="center")
        axis.set_axis_off()
        for (i, j), value in np.ndenumerate(cells[:, : 9 * (cells.size == 9)]):
            color = "white" if abs(value) > limit / 2 else "black"
            axis.text(j, i, f"{value:.1f}", ha="center", va="center", color=color)
    corner = column - 0.5, row - 0.5
    for axis, n in [(axes[0], 3), (axes[3], 1)]:
        box = plt.Rectangle(corner, n, n, fill=False, ec=plots.ORANGE, lw=2)
        axis.add_patch(box)
    return figure


figure = draw_stencil(seven, edge, row=8, column=9)
plots.show(figure, alt="A seven, nine of its pixels, nine weights, a map of sums.")

# %% [markdown]
# *Nine pixels, times nine weights, summed: one cell of a map.* The window visits every
# place and keeps its weights. Blue cells found ink above paper, red cells paper above
# ink. This chapter derives such layers, trains networks of them, finds out what each of
# their parts is worth, and does not believe any part until it has been switched off.

# %% [markdown]
# ## Recall
#
# 1. How many weights and biases has a dense layer from 784 pixels to 100 units?
# 2. A weight is used in two places of a network. What is its gradient?
# 3. You train twenty networks and report the best test accuracy. What is wrong?
#
# <details><summary>Answer</summary>
#
# 1. 784 · 100 weights and 100 biases: 78,500 numbers (chapter 02).
# 2. The sum of the gradients of both places (chapter 03).
# 3. The test set chose the winner, so it no longer stands for new digits. Choose on
#    validation data, and test once (chapter 02).
#
# </details>

# %% [markdown]
# ## 1. Which weights does a picture need?
#
# Take a photograph of 1,000 by 1,000 pixels, and a dense layer that turns it into a map
# of the same size. Each of the million outputs has a weight for each of the million
# pixels. That makes $10^{12}$ weights, four terabytes of them, and every single one has
# to be learned from pictures. Nobody has so many pictures. Two facts about pictures
# tell us which of these weights we do not need. We use them one at a time, on a picture
# so small that we can count: a row of three pixels.
#
# A dense layer without biases is $y_i=\sum_j W_{ij}\,x_j$. It has nine weights:
#
# $$\begin{pmatrix}y_1\\y_2\\y_3\end{pmatrix}=\begin{pmatrix}w_{11}&w_{12}&w_{13}\\
# w_{21}&w_{22}&w_{23}\\w_{31}&w_{32}&w_{33}\end{pmatrix}
# \begin{pmatrix}x_1\\x_2\\x_3\end{pmatrix}$$
#
# First we only rename. Let $a=j-i$ be the **offset** of the pixel from the place of the
# output, from $-2$ to 2, and let $V_{i,a}=W_{i,i+a}$. Then
#
# $$y_i=\sum_a V_{i,a}\;x_{i+a},$$
#
# with zeros for pixels outside of the row. Nothing has changed yet.
#
# ### Principle 1: what moves in the picture moves in the map
#
# If a pattern moves by one pixel, the map should move by one cell and be the same
# otherwise: a corner of a roof is a corner, wherever it is in the photograph. This is
# called **translation equivariance**. Call the moved row $x'$, with $x'_i=x_{i-1}$ (the
# last pixel was empty, so that nothing falls out of the row). Its map is
#
# $$y'_i=\sum_a V_{i,a}\,x'_{i+a}=\sum_a V_{i,a}\,x_{i+a-1},$$
#
# and we demand that this is the old map, moved:
#
# $$y'_i=y_{i-1}=\sum_a V_{i-1,a}\,x_{i-1+a}.$$
#
# Both sums run over the same pixels. They agree for *every* row $x$ only if each pixel
# has the same weight on both sides, $V_{i,a}=V_{i-1,a}$. So the weight depends on the
# offset alone: $V_{i,a}=v_a$. Nine weights have become five, one for each diagonal.
# From $n$ pixels to $n$ outputs, $n^2$ weights have become $2n-1$:
#
# $$y_i=\sum_a v_a\,x_{i+a},\qquad W=\begin{pmatrix}v_0&v_1&v_2\\v_{-1}&v_0&v_1\\
# v_{-2}&v_{-1}&v_0\end{pmatrix}$$
#
# All outputs use the same weights. This is called **weight sharing**, and we see now
# that it is no trick to save memory. It is the *only* way in which a linear layer can
# be equivariant.
#
# ### Principle 2: what is far away does not matter here
#
# Whether there is an edge *here*, the pixels around this place will tell. This is
# **locality**: $v_a=0$ for $|a|>\Delta$. With $\Delta=1$ three weights are left:
#
# $$W=\begin{pmatrix}v_0&v_1&0\\v_{-1}&v_0&v_1\\0&v_{-1}&v_0\end{pmatrix}$$
#
# In a picture of $n$ by $n$ pixels an offset has two parts, down and right, so every
# count is squared. For the photograph:
#
# $$n^4=10^{12}\;\xrightarrow{\text{equivariance}}\;(2n-1)^2\approx4\cdot10^6
# \;\xrightarrow{\text{locality}}\;(2\Delta+1)^2=9$$
#
# The nine weights are a **kernel**. What it makes of a picture is a **feature map**,
# and the layer is called a **convolution**. Fukushima (1980) had the idea for a network
# of neurons; LeCun et al. (1989) trained such layers by gradients.

# %% tags=["figure", "diagram"]
d = Diagram("""
    .      dense  .
    shared .      local
    .      both   .
""")
d.operation(dense="dense layer\n$n^4$ weights")
d.operation(shared="equivariant\n$(2n-1)^2$")
d.operation(local="local\n$n^2(2\\Delta+1)^2$")
d.operation(both="convolution\n$(2\\Delta+1)^2$")
d.arrow("dense -> shared", "equivariance", leave="left", enter="above")
d.arrow("dense -> local", "locality", leave="right", enter="above")
d.arrow("shared -> both", "locality", leave="below", enter="left")
d.arrow("local -> both", "equivariance", leave="below", enter="right")
alt = "Four layers: dense, equivariant, local, and both: a convolution."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Two principles, in either order, lead from the dense layer to the convolution.*
#
# **Predict.** One map of a digit, $n=28$, $\Delta=1$. Which of the two principles saves
# more weights if it is used alone?

# %% tags=["predict"]
n, delta = 28, 1
weights = {"dense": n**4, "local": n**2 * (2 * delta + 1) ** 2}
weights |= {"equivariant": (2 * n - 1) ** 2, "both": (2 * delta + 1) ** 2}
report("weights, dense and both", weights["dense"], weights["both"])
saved = {name: weights["dense"] / count for name, count in weights.items()}
report("factor saved by locality alone", saved["local"])
report("factor saved by equivariance alone", saved["equivariant"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Equivariance, by more than twice as much. Locality alone leaves nine weights at each
# of the 784 places. Equivariance alone leaves one for each offset, and there are $55^2$
# of them.
#
# </details>

# %% tags=["claims"]
layer = layers.Conv2D(1, 3, padding="same", use_bias=False)
layer.build((None, 28, 28, 1))
count = layer.count_params()
claim("Conv2D's weights are both principles' nine", count, equals=9, tolerance=0)
ratio = saved["equivariant"] / saved["local"]
claim("saved, equivariance / locality", ratio, at_least=2)

# %% [markdown]
# ### Fewer weights, fewer pictures
#
# Memory is not the point. The point is how much one has to see in order to learn.
# Somebody has a secret kernel, the one of the first figure, and shows us pictures of
# $6\times6$ pixels of noise, each with its map. How many such pairs do we need to find
# out what the layer does? The four kinds of layers are linear in their weights, so
# least squares finds the best weights of each kind, and none is favored by a clever
# optimizer.


# %%
def neighborhoods(x, reach):
    """Each pixel's neighborhood, zeros outside: (pictures, places, offsets)."""
    side = 2 * reach + 1
    x = np.pad(x, [(0, 0), (reach, reach), (reach, reach)])
    seen = sliding_window_view(x, (side, side), axis=(1, 2))
    return seen.reshape(len(x), -1, side**2)


def solve(w, y):
    """The weights with the least squared error of w @ weights from y."""
    return np.linalg.lstsq(w, y, rcond=None)[0]


def fit_layer(x, y, reach, shared):
    """Weights (places, offsets) from pictures x and their maps y."""
    w, y = neighborhoods(x, reach), y.reshape(len(x), -1)
    places, offsets = w.shape[1:]
    if shared:  # one set of weights for the equations of all places
        return np.tile(solve(w.reshape(-1, offsets), y.ravel()), (places, 1))
    return np.stack([solve(w[:, i], y[:, i]) for i in range(places)])


def relative_error(weights, x, y, reach):
    seen = neighborhoods(x, reach)
    guess = np.einsum("npo,po->np", seen, weights)  # (pictures, places)
    return np.mean((guess - y.reshape(guess.shape)) ** 2) / np.mean(y**2)


# %%
kinds = {  # name: reach of the windows, are the weights shared?
    "dense": (5, False),  # from any place, 5 steps lead to every pixel
    "local": (1, False),
    "equivariant": (5, True),
    "both": (1, True),
}
rng = np.random.default_rng(seed(1))
noise_old, noise_new = rng.normal(size=(100, 6, 6)), rng.normal(size=(200, 6, 6))
counts = [1, 2, 3, 4, 5, 8, 9, 16, 24, 35, 36, 37]


def learning_curve(secret, reach, shared):
    """Error on new pictures, after so many pairs (picture, secret(picture))."""
    errors = []
    for m in counts:
        fitted = fit_layer(noise_old[:m], secret(noise_old[:m]), reach, shared)
        errors.append(relative_error(fitted, noise_new, secret(noise_new), reach))
    return np.array(errors)


def find_edges(x):
    return (neighborhoods(x, 1) @ edge.ravel()).reshape(x.shape)


curves = {name: learning_curve(find_edges, *kind) for name, kind in kinds.items()}

# %% [markdown]
# **Predict.** After how many pairs does each of the four know the secret exactly? A
# pair gives 36 equations, one for each place of the map. How many unknown weights stand
# in them?

# %% tags=["predict"]
pairs = {name: counts[np.argmax(errors < 1e-9)] for name, errors in curves.items()}
for name, m in pairs.items():
    report(f"pairs that {name} needs", m)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Dense: each output has 36 weights of its own and gets one equation per pair, so 36
# pairs. Local: nine weights for an output, nine pairs. Equivariant: $11^2=121$ weights,
# but all 36 equations of a pair speak of them, so four pairs. Both: nine weights, 36
# equations. A single picture is enough.
#
# </details>

# %% tags=["claims"]
claim("pairs, dense - both", pairs["dense"] - pairs["both"], equals=35, tolerance=0)
claim("pairs, local - both", pairs["local"] - pairs["both"], equals=8, tolerance=0)
claim("pairs, equivariant - both", pairs["equivariant"] - pairs["both"], equals=3,
      tolerance=0)  # fmt: skip

# %% [markdown]
# That looks like a free gift, and it is not. Each principle is a bet on what the
# pictures are like. Give the four another secret, one that is neither local nor
# equivariant: *the map is the mirrored picture.*
#
# **Predict.** Who learns the mirror, and from how many pairs?


# %% tags=["predict"]
def mirror(x):
    return x[:, :, ::-1]


mirrors = {name: learning_curve(mirror, *kind) for name, kind in kinds.items()}
for name, errors in mirrors.items():
    report(f"error of {name} after 37 pairs", errors[-1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only the dense layer, again from 36 pairs. The others cannot even express it: more
# pictures do not help them.
#
# </details>

# %% tags=["claims"]
claim("dense layer's error, mirror", mirrors["dense"][-1], at_most=1e-9)
others = min(mirrors[name][-1] for name in kinds if name != "dense")
claim("smallest error of the others, mirror", others, at_least=0.3)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
secrets = {"secret: an edge": curves, "secret: a mirror": mirrors}
for axis, (title, many) in zip(axes, secrets.items(), strict=True):
    for (name, errors), marker in zip(many.items(), "os^D", strict=True):
        axis.semilogx(counts, np.clip(errors, 0, 1.5), f"-{marker}", label=name)
    axis.set(title=title, xlabel="pairs (picture, map)", ylim=(-0.05, 1.6))
    axis.set_xticks([1, 4, 9, 36], ["1", "4", "9", "36"])
    axis.set_xticks([], minor=True)
axes[0].set_ylabel("relative error, new pictures")
axes[0].legend()
alt = "Errors: an edge needs 1, 4, 9 or 36 pairs; only dense learns a mirror."
plots.show(figure, alt=alt)

# %% [markdown]
# *Error on new pictures against the number of pairs (cut off at 1.5).* On the left both
# principles are true, and each makes learning cheaper. On the right both are false.
# Where they do not hold, as in a table whose columns stand in any order, use another
# network.

# %% [markdown]
# ## 2. What does a convolution compute?
#
# Before networks learned kernels, people wrote them. To see what a kernel does, nothing
# is better than doing one by hand. Lay the kernel on the picture at row $i$, column
# $j$. Multiply each weight by the pixel under it, sum, and add a bias $b$:
#
# $$y_{i,j}=b+\sum_u\sum_v k_{u,v}\;x_{i+u,\,j+v}$$
#
# A picture of $3\times3$ pixels, a kernel of $2\times2$, no bias:
#
# $$x=\begin{pmatrix}1&2&0\\0&1&3\\2&0&1\end{pmatrix},\quad
# k=\begin{pmatrix}1&2\\0&-1\end{pmatrix},\quad
# y_{0,0}=1\cdot1+2\cdot2+0\cdot0-1\cdot1=4,\quad
# y=\begin{pmatrix}4&-1\\2&6\end{pmatrix}$$
#
# The offsets of section 1 went to both sides, $-\Delta$ to $\Delta$. Here they begin at
# 0, so that the kernel's corner is its first cell. This only names the cells of the map
# differently.


# %%
def correlate(x, k, b=0.0):
    height, width = k.shape
    y = np.empty((x.shape[0] - height + 1, x.shape[1] - width + 1))
    for i, j in np.ndindex(y.shape):
        y[i, j] = b + np.sum(k * x[i : i + height, j : j + width])
    return y


x = np.array([[1.0, 2, 0], [0, 1, 3], [2, 0, 1]])
print(correlate(x, np.array([[1.0, 2], [0, -1]])))


# %% tags=["export"]
def draw_maps(maps, titles=None, *, columns=8, size=1.1):
    """Signed pictures (n, height, width): blue is positive, red negative, white zero."""
    figure = plots.images(maps, titles, columns=columns, cmap="RdBu", size=size)
    for picture in (picture for axis in figure.axes for picture in axis.images):
        limit = np.abs(picture.get_array()).max() or 1
        picture.set_clim(-limit, limit)
    return figure


# %% [markdown]
# `draw_maps` draws maps with signs, here and in chapter 11b. Four kernels that people
# wrote:

# %%
kernels = {
    "ink above": edge,
    "ink left": edge.T,
    "blur": np.full((3, 3), 1 / 9),
    "outline": np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
}
maps = {name: correlate(seven, kernel) for name, kernel in kernels.items()}

# %% tags=["figure"]
figure = draw_maps(list(maps.values()), list(maps), size=1.7)
plots.show(figure, alt="Four maps of a seven: two of edges, a blur, an outline.")

# %% [markdown]
# *Each kernel draws its own seven: blue is positive, red negative.* The first answers
# the question where ink lies above paper, the second where ink lies left of paper.
# Their weights sum to zero, so on plain ink and on plain paper they answer nothing.
#
# A mathematician would object to the name: a true convolution runs the kernel
# backwards. NumPy has both. For the row 1, 2, 3 and the kernel 1, 10, 100,
# `np.correlate` pairs the first with the first, $1\cdot1+2\cdot10+3\cdot100=321$.
# `np.convolve` pairs the first with the last, $1\cdot100+2\cdot10+3\cdot1=123$. Our
# formula is a **cross-correlation**. The true convolution of a picture with a kernel of
# $k_h$ by $k_w$ weights has $k_{k_h-1-u,\,k_w-1-v}$ in the place of $k_{u,v}$.
#
# **Predict.** Which of the two does Keras's `Conv2D` compute?

# %% tags=["predict"]
kernel = edge[:, :, None, None].astype("float32")  # axes for channels in and out
by_keras = np.array(keras.ops.conv(seven[None, :, :, None], kernel))[0, :, :, 0]
differences = {
    "correlation": np.abs(by_keras - correlate(seven, edge)).max(),
    "convolution": np.abs(by_keras - correlate(seven, edge[::-1, ::-1])).max(),
}
for name, difference in differences.items():
    report(f"largest difference from the {name}", difference)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The correlation, and PyTorch does the same. For a learned kernel it makes no
# difference: a library that flips would learn the flipped kernel.
#
# </details>

# %% tags=["claims"]
claim("Keras - correlation", differences["correlation"], at_most=1e-5)
claim("Keras - convolution", differences["convolution"], at_least=1)

# %% [markdown]
# Where is the matrix $W$ of section 1? Take the 36 pictures of $6\times6$ that have a
# single pixel of ink. What `correlate` makes of the $j$-th is the $j$-th column of the
# matrix.

# %%
rng = np.random.default_rng(seed(2))
k_random = rng.normal(size=(3, 3))
one_pixel = np.eye(36).reshape(36, 6, 6)
columns = [correlate(image, k_random).ravel() for image in one_pixel]
matrix = np.stack(columns, axis=1)  # (16, 36)

# %% tags=["claims"]
image = rng.normal(size=(6, 6))
difference = np.abs(matrix @ image.ravel() - correlate(image, k_random).ravel())
claim("matrix product - correlation", difference.max(), at_most=1e-12)

# %% tags=["figure"]
figure = draw_maps([matrix], size=4.5)
plots.show(figure, alt="A matrix: bands of nine colors, all other cells white.")

# %% [markdown]
# *The matrix of a convolution: 36 pixels across, 16 outputs down.* Most of it is white,
# which is locality. Each row has the same nine colors, one step further to the right than
# the row above (three steps where a new row of the map begins), which is equivariance. So
# $f(Wx+b)$, the formula of a dense layer with the activation $f$, is not wrong for a
# convolutional network, but it keeps silent about everything that makes it one.

# %% [markdown]
# ## 3. How large is the output, and what about many channels?
#
# Real layers have settings, and whoever stacks ten of them must know what size arrives
# at the end. Three settings move the window. The **stride** $s$ is the length of its
# step. **Dilation** $d$ spreads its weights, $d$ pixels apart. **Padding** adds a
# border of zeros: none for `"valid"`, and for `"same"` just enough that a row of $n$
# pixels has $\lceil n/s\rceil$ places, which is $n/s$, rounded up.
#
# How many places are there? A kernel of $k$ weights spans $e=d(k-1)+1$ pixels. With $p$
# pixels added, its first pixel may lie at $0,s,2s,\dots$, but not beyond $n+p-e$, where
# its last weight meets the last pixel. So there are
#
# $$\left\lfloor\frac{n+p-d(k-1)-1}{s}\right\rfloor+1$$
#
# places. And how much does `"same"` add? The last of $\lceil n/s\rceil$ windows begins
# at $(\lceil n/s\rceil-1)\,s$ and ends $e$ pixels later. What is missing there,
# $(\lceil n/s\rceil-1)\,s+e-n$, is added: half of it in front, half behind, and if the
# number is odd, the odd pixel goes behind. (It is negative if the last window ends inside
# the row, which happens only with steps longer than the window. Then nothing is added.)


# %% tags=["export"]
def pad_amounts(size, kernel_size, *, strides=1, padding="valid", dilation=1):
    """How many cells are added (before, after) a row of `size` cells.

    "valid" adds none, "same" just enough for ⌈size / strides⌉ places.
    """
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: expected 'valid' or 'same', got {padding!r}")
    if padding == "valid":
        return 0, 0
    extent = dilation * (kernel_size - 1) + 1
    total = max((math.ceil(size / strides) - 1) * strides + extent - size, 0)
    return total // 2, total - total // 2


# %%
def output_size(size, kernel_size, *, strides=1, padding="valid", dilation=1):
    """How many places a window has in a row: ⌊(size + padded - extent) / strides⌋ + 1."""
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    padded = size + sum(pad_amounts(size, kernel_size, **options))
    extent = dilation * (kernel_size - 1) + 1
    if padded < extent:
        raise ValueError(f"size: expected ≥ {extent}, the kernel's, got {size}")
    return (padded - extent) // strides + 1


# %% tags=["figure"]
two = {"padding": "same", "strides": 2}
choices = {"valid": {}, "same": {"padding": "same"}, "same, stride 2": two}
choices["dilation 2"] = {"dilation": 2}
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), sharex=True, sharey=True)
for axis, (title, options) in zip(axes, choices.items(), strict=True):
    before, after = pad_amounts(6, 3, **options)
    row = np.arange(-before, 6 + after)
    axis.plot(row, 0 * row, "s", color="silver", mfc="white", ms=10)
    axis.plot(range(6), [0] * 6, "s", color="silver", ms=10)
    for i in range(output_size(6, 3, **options)):
        seen = options.get("strides", 1) * i - before
        seen = seen + options.get("dilation", 1) * np.arange(3)
        axis.plot(seen, [-1 - i] * 3, "s-", ms=10)
    axis.set_title(title, loc="center")
    axis.set_axis_off()
plots.show(figure, alt="Places of a window of three on a row of six, four ways.")

# %% [markdown]
# *Gray is a row of six pixels, white ones are added; below, a line for each place of a
# kernel of three.* Dumoulin & Visin (2016) draw all of this in two dimensions.
#
# **Predict.** A kernel of 3 moves with stride 2 and `"same"` padding over a row of 28,
# and over a row of 27. How many zeros are added in front, and how many behind?

# %% tags=["predict"]
report("row of 28, before and after", pad_amounts(28, 3, strides=2, padding="same"))
report("row of 27, before and after", pad_amounts(27, 3, strides=2, padding="same"))

# %% [markdown]
# <details><summary>Answer</summary>
#
# It depends on $n$. For $n=28$ there are 14 places, and $13\cdot2+3-28=1$ pixel is
# missing: it is added behind only. For $n=27$ there are 14 places as well, and
# $13\cdot2+3-27=2$ are missing: one at each end. In PyTorch a layer with a stride of 2 is
# told a number, `padding=1`, and adds as many zeros at one end as at the other. A network
# whose weights are moved from one library to the other can therefore look one pixel off.
#
# </details>

# %%
PADDINGS = "valid", "same"
settings = [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)]  # (stride, dilation)
wrong_sizes = 0
for n, k, (s, d), padding in product(range(8, 18), range(1, 6), settings, PADDINGS):
    if padding == "valid" and d * (k - 1) + 1 > n:
        continue  # Keras refuses such a kernel, and so do we
    options = {"strides": s, "padding": padding}
    layer = layers.Conv1D(1, k, dilation_rate=d, **options)
    theirs = layer.compute_output_shape((1, n, 1))[1]
    wrong_sizes += output_size(n, k, dilation=d, **options) != theirs

# %% tags=["claims"]
claim("sizes that differ from Keras", wrong_sizes, equals=0, tolerance=0)

# %% [markdown]
# ### Channels
#
# A photograph has three **channels**: red, green and blue. A layer that looks for 32
# patterns puts out 32 channels, and the next layer reads all of them. A kernel sees all
# channels of its window, and each output channel $m$, also called a **filter**, has a
# kernel of its own:
#
# $$y_{i,j,m}=b_m+\sum_u\sum_v\sum_c k_{u,v,c,m}\;x_{si+du,\;sj+dv,\;c}$$
#
# So the kernels of a layer have four axes: height, width, channels in, channels out. A
# layer has $k_hk_wC_{in}C_{out}$ weights and $C_{out}$ biases. Even a $1\times1$ kernel
# makes sense now: it mixes channels. The opposite exists as well. In a
# **depthwise convolution** each channel keeps to itself,
#
# $$y_{i,j,c}=\sum_u\sum_v k_{u,v,c}\;x_{si+du,\;sj+dv,\;c},$$
#
# and has $k_hk_wC$ weights only. Small networks for phones use both in turn: a depthwise
# convolution sees the neighbors, then a $1\times1$ convolution mixes the channels.
#
# A kernel slides along as many axes as the data have: one for a sound, two for a
# picture, three for a film or a scan of a body (`Conv1D`, `Conv2D`, `Conv3D`). Two more
# axes of the kernel are for the channels in and out. Even the words of a sentence have
# neighbors (Kim, 2014). Chapter 05b tries one axis, and three.


# %%
def conv2d_loop(x, k, b, s=1, d=1):  # x (height, width, c), k (u, v, c, m), b (m,)
    height, width, _, filters = k.shape
    rows = (x.shape[0] - d * (height - 1) - 1) // s + 1
    columns = (x.shape[1] - d * (width - 1) - 1) // s + 1
    y = np.tile(b, (rows, columns, 1))  # (rows, columns, filters)
    for i, j, m in np.ndindex(rows, columns, filters):
        for u, v in np.ndindex(height, width):
            y[i, j, m] += np.sum(k[u, v, :, m] * x[s * i + d * u, s * j + d * v])
    return y


# %% [markdown]
# This is right, and slow: Python steps through all places, filters and weights. The
# cure is a matrix. Write each window, or patch, as a row and each filter as a column.
# Then all sums are *one* product. This is called **im2col**. Seen so, a convolution is
# a dense layer that is applied to every patch.

# %% tags=["figure", "diagram"]
d = Diagram("""
    x       .
    patches kernel
    rows    columns
    product product
    y       .
""")
d.data(x="images $x$", patches="patches", rows="one row per patch", y="maps $y$")
d.parameter(kernel="kernel $k$")
d.data(columns="one column\nper filter")
d.operation(product="matrix product, plus bias")
d.arrow("x -> patches", "(n, 28, 28, 3)")
d.arrow("patches -> rows", "(n, 26, 26, 3, 3, 3)")
d.arrow("kernel -> columns", "(3, 3, 3, 16)")
d.arrow("rows -> product", "(676 n, 27)")
d.arrow("columns -> product", "(27, 16)")
d.arrow("product -> y", "(n, 26, 26, 16)")
alt = "Images become patches, patches rows; times the kernel's columns: the maps."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *A convolution as one matrix product, with the shapes of $n$ color images of 28 by 28
# and 16 filters of 3 by 3.*


# %% tags=["export"]
def patches(x, size, *, strides=1, padding="valid", dilation=1, fill=0.0):
    """Every window of x (batch, height, width, channels) that a kernel sees.

    size, strides, dilation: an integer, or a pair (down, right); fill: for padded cells.
    Returns (batch, rows, columns, kernel height, kernel width, channels), a view.
    """
    size, s, d = (np.broadcast_to(value, 2) for value in (size, strides, dilation))
    borders = [
        pad_amounts(n, size[i], strides=s[i], padding=padding, dilation=d[i])
        for i, n in enumerate(x.shape[1:3])
    ]
    x = np.pad(x, [(0, 0), *borders, (0, 0)], constant_values=fill)
    seen = sliding_window_view(x, d * (size - 1) + 1, axis=(1, 2))  # at every pixel
    seen = seen[:, :: s[0], :: s[1], :, :: d[0], :: d[1]]  # where strides allow
    return np.moveaxis(seen, 3, -1)


# %% [markdown]
# (`sliding_window_view` copies no pixels: it is another way to walk through the same
# memory.)


# %% tags=["export"]


def conv2d(x, kernel, bias=0.0, *, strides=1, padding="valid", dilation=1):
    """A convolution of x (batch, height, width, channels), as Keras has it.

    kernel: (kernel height, kernel width, channels, filters); bias: (filters,). Sizes and
    steps as in `patches`. Returns (batch, rows, columns, filters).
    """
    kh, kw, channels, filters = kernel.shape
    if x.ndim != 4 or x.shape[3] != channels:
        expected = f"expected (batch, height, width, {channels})"
        raise ValueError(f"x: {expected}, got {x.shape}")
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    windows = patches(x, (kh, kw), **options)
    rows = windows.reshape(-1, kh * kw * channels)  # one patch a row
    y = rows @ kernel.reshape(-1, filters) + bias  # one place a row
    return y.reshape(*windows.shape[:3], filters)


# %% [markdown]
# **Predict.** Loop, product and Keras: do they agree, and how many times faster is the
# product than the loop?

# %% tags=["predict"]
rng = np.random.default_rng(seed(3))
x = rng.normal(size=(1, 28, 28, 3)).astype("float32")
k_many = rng.normal(size=(3, 3, 3, 16)).astype("float32") / 5
b = rng.normal(size=16).astype("float32")


def fastest(function, times):
    """The shortest of so many runs, in seconds: what disturbs a run only adds time."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


slow = fastest(lambda: conv2d_loop(x[0], k_many, b, s=2), 3)
quick = fastest(lambda: conv2d(x, k_many, b, strides=2), 30)
report("times faster", slow / quick)
by_keras = np.array(keras.ops.conv(x, k_many, strides=2)) + b
gaps = [
    np.abs(ours - by_keras).max()
    for ours in (conv2d_loop(x[0], k_many, b, s=2), conv2d(x, k_many, b, strides=2))
]
report("largest difference from Keras, loop and product", gaps)

# %% [markdown]
# <details><summary>Answer</summary>
#
# One answer, three ways, and the product is faster by hundreds of times or more; how many
# depends on the machine. Its price is memory: `reshape` stores each pixel once for every
# window that sees it. With a kernel of 3 that is up to nine times with stride 1, and here,
# with stride 2, up to four times.
#
# </details>

# %% tags=["claims"]
claim("differences from Keras", max(gaps), at_most=1e-5)
claim("times faster, product", slow / quick, at_least=50)

# %% [markdown]
# ## 4. What does pooling keep, and what does a unit see?
#
# A feature map says where a pattern is, to the pixel. Often *about where* is enough: one
# number for every two by two cells, and so a quarter of the numbers. **Max pooling** keeps
# the largest value of each window, and average pooling the mean:
#
# $$y_{i,j,c}=\max_{u,\,v}\;x_{si+u,\;sj+v,\;c}$$
#
# The window $u,v$ and the stride $s$ are two settings, equal only by default: a window
# of 3 makes $2\times2$ numbers of a $7\times7$ map with stride 3, and $3\times3$ with
# stride 2. It keeps what is largest, important or not, and forgets where in the window
# that stood.


# %% tags=["export"]
def max_pool2d(x, size=2, *, strides=None, padding="valid"):
    """The largest value of each window and channel; padded cells never win."""
    strides = size if strides is None else strides
    windows = patches(x, size, strides=strides, padding=padding, fill=-np.inf)
    return windows.max(axis=(3, 4))


# %%
def average_pool2d(x, size=2, *, strides=None, padding="valid"):
    """The mean of each window and channel; padded cells do not count."""
    options = {"strides": size if strides is None else strides, "padding": padding}
    total = patches(x, size, **options).sum(axis=(3, 4))
    cells = patches(np.ones_like(x[:1, :, :, :1]), size, **options).sum(axis=(3, 4))
    return total / cells


# %% [markdown]
# At the border there is a trap. A convolution pads with zeros, and its zeros count.
#
# **Predict.** A picture of ones, windows of $3\times3$, stride 1, `"same"` padding.
# What does average pooling show in the corner? And a convolution whose nine weights are
# 1/9?

# %% tags=["predict"]
ones = np.ones((1, 5, 5, 1))
pooled = average_pool2d(ones, 3, strides=1, padding="same")
ninths = conv2d(ones, np.full((3, 3, 1, 1), 1 / 9), padding="same")
report("corner, average pooling", pooled[0, 0, 0, 0])
report("corner, convolution", ninths[0, 0, 0, 0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Pooling asks real pixels only, and shows 1. The convolution sees five zeros and four
# ones, and shows 4/9. So the map is lower at the border, and a network can find out
# from that where the border is (Islam et al., 2020). Padding breaks equivariance a
# little.
#
# </details>

# %% tags=["claims"]
claim("corner, pooling - convolution", (pooled - ninths)[0, 0, 0, 0], equals=5 / 9,
      tolerance=1e-6)  # fmt: skip
x = rng.normal(size=(2, 7, 7, 3)).astype("float32")
for stride, side in ((3, 2), (2, 3)):
    theirs = np.array(keras.ops.max_pool(x, 3, strides=stride))
    gap = np.abs(max_pool2d(x, 3, strides=stride) - theirs).max()
    claim(f"{side} x {side} maxima with stride {stride}, off Keras", gap, at_most=0)

# %% [markdown]
# ### The receptive field
#
# A unit of the second layer sees a window of windows. The pixels that it can see are its
# **receptive field**, and $r$ is how many they are along one direction. It decides what a
# unit can know: nobody recognizes a seven through three pixels.
#
# Let $j_l$ be the number of pixels from one unit of layer $l$ to the next, the *jump*,
# with $j_0=1$ for the pixels themselves, and $r_0=1$. A window of layer $l$ reaches
# over $k_l$ units of the layer below, which stand $d_l$ units apart. From its first to
# its last unit it is $(k_l-1)\,d_l$ units, each of them $j_{l-1}$ pixels long, and a
# stride makes the jumps longer:
#
# $$r_l=r_{l-1}+(k_l-1)\,d_l\,j_{l-1},\qquad j_l=s_l\,j_{l-1}
# \qquad\Longrightarrow\qquad r=1+\sum_l(k_l-1)\,d_l\prod_{i<l}s_i$$
#
# By hand, for convolution 3, pooling 2, convolution 3, pooling 2 (strides 1, 2, 1, 2):
# the jumps are 1, 1, 2, 2, 4, and $r=1+2\cdot1+1\cdot1+2\cdot2+1\cdot2=10$. The formula
# counts from the first pixel to the last. Pixels in between can be skipped, if a stride is
# longer than its kernel, or if a dilation is longer than the field below.


# %%
def receptive_field(stack):
    """How many input pixels, along one direction, a unit above these layers sees.

    stack: (kernel_size, strides) or (kernel_size, strides, dilation) of each convolution
    and pooling, the first layer first.
    """
    field, jump = 1, 1  # jump: input pixels from one unit to the next
    for layer in stack:
        kernel_size, strides, dilation = (*layer, 1)[:3]
        field += (kernel_size - 1) * dilation * jump
        jump *= strides
    return field


# %% [markdown]
# To *measure* it, poison one pixel. Whatever a NaN touches becomes NaN, so a poisoned
# unit saw that pixel. We poison each of the 784 pixels in a picture of its own.


# %%
def pixels_seen(stack):
    """Which pixels (28, 28) the middle unit sees; strides above 1 stand for pooling."""
    x = np.zeros((784, 784))
    np.fill_diagonal(x, np.nan)
    x = x.reshape(784, 28, 28, 1)
    for kernel_size, strides, *dilation in stack:
        if strides > 1:
            x = max_pool2d(x, kernel_size, strides=strides)
        else:
            kernel = np.ones((kernel_size, kernel_size, 1, 1))
            x = conv2d(x, kernel, dilation=dilation[0] if dilation else 1)
    return np.isnan(x[:, x.shape[1] // 2, x.shape[2] // 2, 0]).reshape(28, 28)


pooling = [(3, 1), (2, 2), (3, 1), (2, 2)]
dilated = [(3, 1, 1), (3, 1, 2), (3, 1, 4)]
plain = [(3, 1)] * 3

# %% [markdown]
# **Predict.** Three convolutions of $3\times3$ on top of each other see $1+2+2+2=7$
# pixels. What do they see if their dilations are 1, 2 and 4? They have as many weights
# as before.

# %% tags=["predict"]
seen = {"plain": pixels_seen(plain), "dilated": pixels_seen(dilated)}
for name, field in seen.items():
    report(f"pixels in a row that are seen, {name}", field.any(axis=0).sum())

# %% [markdown]
# <details><summary>Answer</summary>
#
# $1+2+4+8=15$. Each layer doubles the dilation, so the receptive field grows
# exponentially with the depth, without pooling and without more weights.
#
# </details>

# %% tags=["claims"]
stacks = [pooling[:depth] for depth in (1, 2, 3, 4)] + [plain, dilated]
measured = np.array([pixels_seen(stack).any(axis=0).sum() for stack in stacks])
by_formula = np.array([receptive_field(stack) for stack in stacks])
claim("measured - formula, six stacks", np.abs(measured - by_formula).max(), equals=0,
      tolerance=0)  # fmt: skip
claim("pixels, dilated - plain", measured[5] - measured[4], equals=8, tolerance=0)

# %% tags=["figure"]
fields = [pixels_seen(pooling[:depth]) for depth in (1, 2, 3, 4)]
titles = [f"layer {n}: {r}" for n, r in enumerate(by_formula[:4], start=1)]
fields, titles = [*fields, seen["dilated"]], [*titles, "dilated: 15"]
figure = plots.images([seven] * 5, titles, columns=5, size=1.5)
for axis, field in zip(figure.axes, fields, strict=True):
    axis.contour(field, [0.5], colors=[plots.RED])
alt = "Growing squares on a seven: 3, 4, 8, 10 and 15 pixels wide."
plots.show(figure, alt=alt)

# %% [markdown]
# *What one unit in the middle can see (inside the line): after each of four layers with
# pooling, and after three dilated ones.* A pooling adds little itself, but doubles what
# the next layer adds. The unit does not use all pixels alike: those in the middle count
# most, since most paths start there (Luo et al., 2016).
#
# ### What if the digit moves?
#
# Section 1 built equivariance into one layer. What is left of it in a stack with
# pooling, which keeps every second place only? We ask whether the map of the moved
# picture is the old map, moved by *any* number of cells. The canvas is wide, so that no
# border interferes.


# %%
def conv_and_relu(x):
    return np.maximum(conv2d(x, k_random[:, :, None, None]), 0)


def conv_and_pool(x):
    return max_pool2d(conv_and_relu(x))


def twice(x):
    return conv_and_pool(conv_and_pool(x))


def moves_along(stage, right):
    old, new = stage(canvas), stage(np.roll(canvas, right, axis=2))
    return any(np.allclose(new, np.roll(old, n, axis=2)) for n in range(right + 1))


canvas = np.pad(seven, 16)[None, :, :, None]
stages = {"convolution": conv_and_relu, "convolution, pooling": conv_and_pool}
stages["two of both"] = twice

# %% [markdown]
# **Predict.** The seven moves right by 1, 2, 3 or 4 pixels. For which of them does the
# map only move: for a convolution, for a convolution and a pooling, for two of both?

# %% tags=["predict"]
steps = {
    name: [right for right in (1, 2, 3, 4) if moves_along(stage, right)]
    for name, stage in stages.items()
}
for name, found in steps.items():
    report(f"{name}, it only moves at steps", found)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The convolution: at every step. With a pooling: at whole strides, 2 and 4. With two:
# at 4 only. At other steps the pooling windows cut the pattern in other places.
#
# </details>

# %% tags=["claims"]
right = {"convolution": [1, 2, 3, 4], "convolution, pooling": [2, 4]}
right["two of both"] = [4]
for name, expected in right.items():
    claim(f"{name}, it moves along at steps {expected}", steps[name] == expected)

# %% [markdown]
# So two things are wrong with the sentence "convolutional networks are shift
# invariant". First, **invariant** would mean that the answer stays as it is, but a
# convolution's map moves: it is *equi*variant. Second, pooling keeps even that for
# moves by whole strides only (Zhang, 2019). Section 8 measures how much of it a trained
# network keeps.

# %% [markdown]
# ## 5. How does the gradient come back?
#
# A kernel is learned like every weight: by its gradient. Deep-learning libraries
# compute it, but whoever has once derived it knows three things more: why the backward
# pass costs twice the forward pass, where large memory goes, and what the mysterious
# "transposed convolution" is.
#
# ### A row by hand
#
# A row of three pixels, a kernel of two weights, no bias: $y_0=k_0x_0+k_1x_1$ and
# $y_1=k_0x_1+k_1x_2$. The loss is $L$, and the layer above hands us $\delta_i=\partial
# L/\partial y_i$. By the chain rule, every path from a number to the loss contributes:
#
# $$\frac{\partial L}{\partial k_0}=\delta_0x_0+\delta_1x_1,\qquad
# \frac{\partial L}{\partial k_1}=\delta_0x_1+\delta_1x_2$$
#
# $$\frac{\partial L}{\partial x_0}=\delta_0k_0,\qquad
# \frac{\partial L}{\partial x_1}=\delta_0k_1+\delta_1k_0,\qquad
# \frac{\partial L}{\partial x_2}=\delta_1k_1$$
#
# The kernel's gradient is a correlation again, of the picture with $\delta$: a weight
# that is used at many places collects from all of them. For the input, each $\delta_i$
# is *spread* over the window that it came from, weighted by the kernel, and where
# windows overlap, the contributions add up.
#
# ### All channels at once
#
# With im2col the whole layer is $Y=RK+b$: $R$ has a row for each patch, $K$ a column
# for each filter. This is a dense layer, and chapter 03 derived its backward pass. From
# here on $\Delta$ holds all the $\delta$, in the shape of $Y$:
#
# $$\frac{\partial L}{\partial K}=R^\top\Delta,\qquad
# \frac{\partial L}{\partial b}=\sum_{\text{rows}}\Delta,\qquad
# \frac{\partial L}{\partial R}=\Delta K^\top$$
#
# One step is left. $R$ holds copies of pixels, and the gradient of a pixel is the sum
# over all its copies. `add_windows` does that: it is `patches`, run backwards. Two
# products back, one forward: that is the factor of two. And $R$ must wait in memory
# until the gradient comes.


# %%
def add_windows(windows, shape, *, strides=1, padding="valid", dilation=1):
    """Add up windows (batch, rows, columns, kh, kw, channels) in images of `shape`."""
    rows, columns, kh, kw = windows.shape[1:5]
    batch, height, width, channels = shape
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    top, bottom = pad_amounts(height, kh, **options)
    left, right = pad_amounts(width, kw, **options)
    x = np.zeros((batch, top + height + bottom, left + width + right, channels))
    for u, v in np.ndindex(kh, kw):
        # where the u-th row and the v-th column of all windows lie
        down = dilation * u + strides * np.arange(rows)
        across = dilation * v + strides * np.arange(columns)
        x[:, down[:, None], across] += windows[:, :, :, u, v]
    return x[:, top : top + height, left : left + width]


# %%
def conv2d_backward(x, kernel, delta, **options):
    """∂L/∂x, ∂L/∂kernel, ∂L/∂bias of conv2d(x, kernel, bias, **options)."""
    seen, filters = patches(x, kernel.shape[:2], **options), kernel.shape[3]
    R = seen.reshape(-1, kernel.size // filters)  # (patches, inputs)
    K, delta = kernel.reshape(-1, filters), delta.reshape(-1, filters)
    by_kernel = (R.T @ delta).reshape(kernel.shape)
    by_windows = (delta @ K.T).reshape(seen.shape)
    return add_windows(by_windows, x.shape, **options), by_kernel, delta.sum(axis=0)


# %% [markdown]
# Max pooling has no weights. $\partial y/\partial x$ is 1 for the pixel that won its
# window, and 0 for all others: if a loser grows a little, the maximum stays. (If
# several tie, Keras on a CPU lets the first one win, and so do we. The maximum has a
# corner there, and no gradient in the strict sense.) Average pooling of $m$ cells gives
# each of them $\delta/m$: it is a depthwise convolution with the weights $1/m$.


# %%
def max_pool2d_backward(x, delta, size=2, *, strides=None):
    """∂L/∂x of max_pool2d(x, size, strides=strides) from ∂L/∂y = delta."""
    strides = size if strides is None else strides
    seen = patches(x, size, strides=strides)
    flat = seen.reshape(
        *seen.shape[:3], size**2, -1
    )  # cells of a window in one axis
    winner = np.arange(size**2)[:, None] == flat.argmax(axis=3)[:, :, :, None]
    by_windows = (winner * delta[:, :, :, None]).reshape(seen.shape)
    return add_windows(by_windows, x.shape, strides=strides)


# %%
rng = np.random.default_rng(seed(4))
x, kernel = rng.normal(size=(2, 9, 8, 3)), rng.normal(size=(3, 2, 3, 4))


def worst_difference(layer, backward, *arrays):
    """Largest difference of our gradients from those of tf.GradientTape."""
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = layer(*tensors)
        delta = rng.normal(size=y.shape)
        loss = tf.reduce_sum(y * delta)  # ∂L/∂y is delta
    pairs = zip(backward(*arrays, delta), tape.gradient(loss, tensors), strict=True)
    return max(np.abs(ours - theirs).max() for ours, theirs in pairs)


# %%
def convolution_difference(strides, padding, dilation):
    options = {"strides": strides, "padding": padding, "dilation": dilation}

    def layer(x, kernel, bias):
        way = padding.upper()
        return tf.nn.convolution(x, kernel, strides, way, dilations=dilation) + bias

    def backward(x, kernel, bias, delta):
        return conv2d_backward(x, kernel, delta, **options)

    return worst_difference(layer, backward, x, kernel, np.zeros(4))


def pooling_difference(size, strides):
    return worst_difference(
        lambda x: tf.nn.max_pool2d(x, size, strides, "VALID"),
        lambda x, delta: [max_pool2d_backward(x, delta, size, strides=strides)],
        x,
    )


cases = [(1, "valid", 1), (2, "same", 1), (3, "valid", 1)]
cases += [(1, "same", 2), (1, "valid", 3)]  # (stride, padding, dilation)
gaps = [convolution_difference(*case) for case in cases]
pool_gaps = [pooling_difference(*case) for case in [(2, 2), (3, 2), (3, 1), (2, 3)]]

# %% tags=["claims"]
claim("our gradients of convolutions - GradientTape's", max(gaps), at_most=1e-10)
claim("our gradients of pooling - GradientTape's", max(pool_gaps), at_most=1e-10)

# %% [markdown]
# ### A kernel, learned back
#
# Now we can learn a kernel as a network does. Twenty digits and their maps by the
# secret edge kernel are the data, the loss is half the mean squared error, the start is
# zero, and gradient descent with momentum (chapter 04) goes down. No least squares this
# time, nothing but `conv2d` and its backward pass.

# %%
few = x_test[:20].astype(float)  # (20, 28, 28, 1)
maps_of_few = conv2d(few, edge[:, :, None, None])  # (20, 26, 26, 1)


def learn_kernel(num_steps, learning_rate=1.3, momentum=0.9):
    """The kernels (num_steps + 1, 3, 3) on the way from zero."""
    kernel, velocity, path = np.zeros((3, 3, 1, 1)), 0.0, []
    for _ in range(num_steps + 1):
        path.append(kernel[:, :, 0, 0])
        delta = (conv2d(few, kernel) - maps_of_few) / maps_of_few.size
        _, gradient, _ = conv2d_backward(few, kernel, delta)
        velocity = momentum * velocity - learning_rate * gradient
        kernel = kernel + velocity
    return np.array(path)


path = learn_kernel(200)

# %% [markdown]
# **Predict.** After 200 steps, how far is the worst of the nine weights from the secret
# one?

# %% tags=["predict"]
worst = np.abs(path - edge).max(axis=(1, 2))  # (201,)
report("largest error of a weight after 10, 50, 200 steps", worst[[10, 50, 200]])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing to speak of. The loss is a bowl in nine dimensions, and there is no other
# bottom. It is a long bowl, though: neighboring pixels of a digit are nearly always
# alike, so the data say little about the *difference* of neighboring weights, and those
# are learned last.
#
# </details>

# %% tags=["claims"]
claim("largest error of a weight after 200 steps", worst[200], at_most=1e-3)

# %% tags=["figure"]
shown = [0, 3, 10, 30, 200]
figure = draw_maps(path[shown], [f"step {n}" for n in shown], columns=5, size=1.3)
plots.show(figure, alt="A kernel grows out of nothing: blue above, red below.")

# %% [markdown]
# *The kernel on its way.* At first it is a blurred guess, then three clean rows.
#
# ### The backward pass as a layer
#
# Write the convolution as $y=Wx$, with the banded matrix of section 2. Then $\partial
# L/\partial x=W^\top\delta$: the backward pass is the product with the *transposed*
# matrix. It spreads each number over a window, so with a stride of 2 it turns a small
# map into one of twice the size. That is just what a network needs in order to *draw* a
# picture (chapters 07b and 08). As a layer of its own it is called a
# **transposed convolution**. By hand: the map $(1,2)$, the kernel $(1,10)$. With stride
# 1 the contributions $(1,10,0)$ and $(0,2,20)$ add up to $(1,12,20)$, with stride 2
# they lie side by side: $(1,10,2,20)$.
#
# Since $W^\top\delta$ does not need $x$, its shape is enough:


# %%
def transposed_conv2d(delta, kernel, shape, **options):
    """Spread delta (batch, rows, columns, filters) over images of `shape`."""
    return conv2d_backward(np.zeros(shape), kernel, delta, **options)[0]


# %% [markdown]
# **Predict.** A flat $5\times5$ map of ones goes through a transposed convolution with
# stride 2, all weights 1, once with a kernel of 3 and once with a kernel of 4. Which
# result is flat in the middle?

# %% tags=["predict"]
flat = np.ones((1, 5, 5, 1))
drawn = {}
for k in (3, 4):
    kernel, shape = np.ones((k, k, 1, 1)), (1, 8 + k, 8 + k, 1)
    drawn[k] = transposed_conv2d(flat, kernel, shape, strides=2)
spread = {k: np.ptp(image[0, 4:8, 4:8, 0]) for k, image in drawn.items()}
for k, difference in spread.items():
    report(f"largest - smallest in the middle, kernel {k}", difference)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The kernel of 4, which is a multiple of the stride: every cell is reached by as many
# windows as its neighbor. With 3, some cells are reached by four windows and some by
# one.
#
# </details>

# %% tags=["claims"]
difference = spread[3] - spread[4]
claim("unevenness, kernel 3 - kernel 4", difference, equals=3, tolerance=1e-9)
delta, kernel = rng.normal(size=(2, 4, 5, 3)), rng.normal(size=(3, 3, 2, 3))
theirs = np.array(keras.ops.conv_transpose(delta, kernel, strides=2))
ours = transposed_conv2d(delta, kernel, theirs.shape, strides=2)  # (2, 9, 11, 2)
claim("ours - Keras's transposed", np.abs(ours - theirs).max(), at_most=1e-10)

# %% tags=["figure"]
titles = [f"kernel {k}, stride 2" for k in drawn]
figure, axes = plt.subplots(1, 2, figsize=(5, 2.6))
for axis, title, image in zip(axes, titles, drawn.values(), strict=True):
    axis.imshow(image[0, :, :, 0], "gray_r", vmin=0)
    axis.set_title(title, loc="center")
    axis.set_axis_off()
alt = "Left a checkerboard, right a flat square with a pale border."
plots.show(figure, alt=alt)

# %% [markdown]
# *The same flat map, drawn larger by two transposed convolutions.* The checkerboard on
# the left is how pictures from careless generators look (Odena et al., 2016). With a
# kernel that is a multiple of the stride all cells are reached equally often, and only
# uneven *weights* can still draw the pattern. Enlarging first and convolving afterwards
# avoids both.

# %% [markdown]
# ## 6. How good is a small network, and what does it see?
#
# Layers of this kind, stacked, are a **convolutional network** (CNN). Here is one for
# digits that many tutorials have copied. One of them stopped with an error before
# anybody saw how good it is, another built a deeper one and never trained it. So let us
# look: at what it costs, at how good it is, at its mistakes, and into it. `keras.Input`
# comes first, so that all shapes are known before any data come (`input_shape=` in the
# first layer still works, and warns at every start). The digits are `float32` between 0
# and 1. Bytes divided by 255 would become `float64`: twice the memory for nothing,
# since Keras computes in `float32`.


# %% tags=["export"]
def build_document_cnn():
    """A tutorial's network for 28 x 28 digits, 34,826 parameters. Not compiled."""
    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),  # (batch, 26, 26, 32)
        layers.MaxPooling2D(2),  # (batch, 13, 13, 32)
        layers.Conv2D(64, 3, activation="relu"),  # (batch, 11, 11, 64)
        layers.MaxPooling2D(2),  # (batch, 5, 5, 64)
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)


def build_deeper_document_cnn():
    """Another tutorial's deeper one, 93,322 parameters. Not compiled."""
    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),  # (batch, 3, 3, 64)
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)


# %% [markdown]
# What does it cost? A convolution uses each of its weights once at each place, a dense
# layer once. So its first layer has $3\cdot3\cdot1\cdot32=288$ weights and 32 biases,
# and needs $288\cdot26\cdot26=194{,}688$ multiplications for one picture.
#
# **Predict.** Which layer has the most parameters? And which one multiplies most?


# %% tags=["predict"]
def multiplications(layer):
    """For one image; biases, activations and pooling not counted."""
    weights = np.prod(layer.kernel.shape) if hasattr(layer, "kernel") else 0
    return int(weights * np.prod(layer.output.shape[1:-1]))


number = seed(5)
first = build_document_cnn()
trained_layers = [layer for layer in first.layers if layer.count_params()]
for layer in trained_layers:
    name = f"{type(layer).__name__} {layer.output.shape[-1]}"
    report(f"{name}, parameters and multiplications", layer.count_params(),
           multiplications(layer))  # fmt: skip

# %% [markdown]
# <details><summary>Answer</summary>
#
# The second convolution has most of both: a bit more than half of the parameters, and
# nine tenths of the work. The dense layer has nearly as many parameters, but uses each
# only once. Parameters cost memory and pictures to learn from; places cost time.
#
# </details>

# %% tags=["claims"]
work = [multiplications(layer) for layer in trained_layers]
claim("parameters", first.count_params(), equals=34_826, tolerance=0)
claim("the second convolution's share of the work", work[1] / sum(work), equals=0.914,
      tolerance=0.001)  # fmt: skip

# %% [markdown]
# We train it briefly: one pass over 25,000 digits, with a learning rate that sinks to
# zero along a cosine (chapter 04). The tutorial's own five passes are in the course's
# benchmark, `benchmarks/mnist_cnn.py`. The deeper network gets one pass over 8,000.


# %%
def fit_digits(model, count, label):
    """One pass over the first `count` training digits."""
    schedule = keras.optimizers.schedules.CosineDecay(0.002, math.ceil(count / 64))
    optimizer = keras.optimizers.Adam(schedule)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, y, bar = x_train[:count], y_train[:count], progress_bar(label)
    model.fit(x, y, batch_size=64, verbose=0, callbacks=[bar])
    return model


def accuracy(model, x=x_test, y=y_test):
    return np.mean(predict(model, x).argmax(axis=1) == y)


second = build_deeper_document_cnn()
untrained = accuracy(second)
fit_digits(first, 25_000, "first network")
fit_digits(second, 8_000, "deeper network")
trained = accuracy(second)
probabilities = predict(first, x_test)  # (10000, 10)
predicted = probabilities.argmax(axis=1)
wrong = np.flatnonzero(predicted != y_test)

# %% [markdown]
# **Predict.** Of 1,000 new digits, how many does the first network get wrong? How many
# does the deeper one get wrong before and after its pass?

# %% tags=["predict"]
report("wrong of 1000, first network", len(wrong) / 10)
report("wrong of 1000, deeper network, untrained", 1000 * (1 - untrained))
report("wrong of 1000, deeper network", 1000 * (1 - trained))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Two to three dozen after a single pass. The untrained network guesses: about nine of
# ten answers are wrong. After 8,000 digits the deeper one gets several dozen wrong. We
# chose nothing by looking at the test digits, so these numbers are honest: they would
# be the same for other new digits, up to chance. Accuracy on the *training* digits,
# which tutorials like to print, cannot tell a network that reads from one that has
# learned its examples by heart.
#
# </details>

# %% tags=["claims"]
claim("first network's accuracy", 1 - len(wrong) / 10_000, at_least=0.95)
claim("accuracy, deeper network, trained - untrained", trained - untrained,
      at_least=0.5)  # fmt: skip

# %% [markdown]
# One number hides *which* digits fail. The confusion matrix counts each pair of truth
# and answer.

# %% tags=["figure"]
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, predicted), 1)
plots.show(plots.confusion(confusion), alt="Counts: diagonal large, few mistakes.")

# %% [markdown]
# *Rows are true digits, columns are answers; the shade marks mistakes.* And some of the
# mistakes themselves:

# %% tags=["figure"]
surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]])][:16]
titles = [f"{y_test[i]}, not {predicted[i]}" for i in surest]
figure = plots.images(x_test[surest], titles, size=0.95)
plots.show(figure, alt="Sixteen digits that the network got wrong, surest first.")

# %% [markdown]
# *The mistakes that the network was surest of; the title gives the truth, then what it
# is not, but was taken for.* Some are clumsy, some could be either, and some are plain
# to you: those are worth a better network.
#
# ### Inside
#
# What did it learn? Its first kernels are small enough to look at, and so are the maps
# that they make of our seven.

# %% tags=["figure"]
first_kernels = first.layers[0].get_weights()[0]  # (3, 3, 1, 32)
learned = np.moveaxis(first_kernels[:, :, 0], -1, 0)  # (32, 3, 3)
figure = draw_maps(learned, columns=8, size=0.8)
plots.show(figure, alt="Thirty-two learned kernels of three by three weights.")

# %% [markdown]
# *All 32 first kernels.* Several are blue on one side and red on the other: edges at
# various slants, much like those that we wrote by hand. Nobody asked for edges.

# %% tags=["figure"]
viewer = keras.Model(first.inputs[0], [first.layers[i].output for i in (0, 2)])
rows, titles = [], []
for layer, outputs in enumerate(predict(viewer, seven[None, :, :, None]), start=1):
    strongest = np.argsort(-outputs[0].sum(axis=(0, 1)))[:8]
    chosen = np.moveaxis(outputs[0], -1, 0)[strongest]
    missing = 26 - len(chosen[0])  # all are drawn in one size
    border = missing // 2, missing - missing // 2
    rows += [*np.pad(chosen, [(0, 0), border, border])]
    titles += [f"layer {layer}\nmap {channel}" for channel in strongest]
figure = plots.images(np.array(rows), titles, size=0.95)
plots.show(figure, alt="Feature maps: first seven-shaped, then only parts of it.")

# %% [markdown]
# *The strongest eight maps of each convolution.* The first layer redraws the seven; the
# second, whose maps are smaller, says where its parts lie.
#
# Which parts of a picture matter for the answer? Cover a square of $7\times7$ pixels
# with paper, and see how far the probability of the true digit falls (Zeiler & Fergus,
# 2014).


# %%
def occlusion(model, image, digit, side=7):
    """How far p(digit) falls if a square around each place is covered: (28, 28)."""
    half = side // 2
    covered = np.repeat(image[None], 784, axis=0)  # (784, 28, 28, 1)
    for number, (i, j) in enumerate(np.ndindex(28, 28)):
        down = slice(max(i - half, 0), i + half + 1)
        covered[number, down, max(j - half, 0) : j + half + 1] = 0
    before = predict(model, image[None])[0, digit]
    return (before - predict(model, covered)[:, digit]).reshape(28, 28)


sureness = probabilities[np.arange(len(y_test)), y_test]  # p(true digit)
looked_at = [  # of each digit the one of which the network is nearest to 90 percent sure
    np.argmin(np.where(y_test == digit, np.abs(sureness - 0.9), 1.0))
    for digit in (0, 4, 5, 7, 9)
]

# %% tags=["figure"]
figure, axes = plt.subplots(1, 5, figsize=(8, 1.9))
for axis, i in zip(axes, looked_at, strict=True):
    axis.imshow(x_test[i, :, :, 0], "gray_r")
    falls = occlusion(first, x_test[i], y_test[i])
    axis.imshow(falls, "Reds", alpha=0.6, vmin=0, vmax=1)
    axis.set_axis_off()
alt = "Five digits; red where covering a square changes the answer."
plots.show(figure, alt=alt)

# %% [markdown]
# *Red: covering a square around this place makes the network doubt the right answer.*
# Only a part of the ink is red: some strokes can be covered, and the answer stays. The red
# ones are often those that tell a digit from another, such as the bar of the four. Chapter
# 11b has more such methods, and tests whether one may believe them.

# %% [markdown]
# ## 7. Is it the learning, or the architecture?
#
# The maps look useful. But useful compared with what? Let us test features by what a
# *linear* map can do with them: ridge regression (chapter 02) from features to labels,
# fitted to 1,000 digits only. Nothing but the features differs, and each kind gets its
# own best penalty, chosen on 2,000 other training digits. Our network has seen none of
# these 3,000. Every fourth of the test digits judges.
#
# The rivals: the *pixels* themselves; eight *edge* kernels written by hand, and pooled;
# the 1,600 numbers that our network hands to its last layer, *learned* from 25,000
# digits; and the same 1,600 numbers from a network with *random* kernels that has
# learned nothing. Jarrett et al. (2009) found that random kernels do surprisingly well.
#
# If they do, then why? "Because neighbors belong together" is what one would like to
# say. But random features help a linear map even if they know nothing of neighbors:
# they bend it. So we need controls, and section 1 tells which. A random *dense* layer
# with as many features knows neither principle. Random *local* layers look at windows,
# with other random kernels at each place: locality without equivariance. Random
# *convolutions* have both. And for the convolutions one more control: *shuffle* all
# pixels, in the same way in every picture. All the numbers are still there, but
# neighbors are not neighbors any more.


# %%
def ridge_accuracy(features, count=1000, held_out=2000):
    """Test accuracy of ridge regression from features (rows, ...), the penalty tuned.

    The first `count` rows are to learn from, the next choose the penalty, the rest test.
    """
    features = features.reshape(len(features), -1)
    features = features - features[:count].mean(axis=0)
    targets = np.eye(10)[y_probe[:count]]
    middle = targets.mean(axis=0)
    gram = (features @ features[:count].T).astype(float)  # (rows, count)
    values, vectors = np.linalg.eigh(gram[:count])
    values, inside = values.clip(0)[:, None], vectors.T @ (targets - middle)
    scores = []  # (validation accuracy, test accuracy) with each penalty
    for penalty in values.max() * 10.0 ** np.arange(-6, 1.1, 0.5):
        answers = gram @ (vectors @ (inside / (values + penalty))) + middle
        hit = answers.argmax(axis=1) == y_probe
        validation, test = hit[count : count + held_out], hit[count + held_out :]
        scores.append((validation.mean(), test.mean()))
    return max(scores)[1]


def for_probing(train, test):
    return np.concatenate([train[50_000:53_000], test[::4]])


x_probe = for_probing(x_train, x_test)  # (5500, 28, 28, 1)
y_probe = for_probing(y_train, y_test)


# %% [markdown]
# Ridge regression with fewer pictures than features is cheaper through the matrix of
# products between pictures, the Gram matrix $G=FF^\top$: the weights are sums over
# pictures, and the answers are $G\,(G+\lambda I)^{-1}Y$. Its eigenvectors serve all
# penalties $\lambda$ at once.
#
# Random weights are drawn as He initialization does it (chapter 02).


# %%
def random_weights(rng, *shape):
    """Normal, with variance 2 / inputs: (..., inputs, outputs)."""
    scale = np.sqrt(2 / shape[-2])
    return (scale * rng.normal(size=shape)).astype("float32")


def random_dense(x, rng):
    return np.maximum(x.reshape(len(x), -1) @ random_weights(rng, 784, 1600), 0)


def random_layers(x, rng, shared):
    """Two layers of random 3 x 3 kernels, each with ReLU and pooling: (rows, 5, 5, 64)."""
    kernels = []
    for side, c_in, c_out in [(26, 1, 32), (11, 32, 64)]:
        places = 1 if shared else side**2
        kernels.append(random_weights(rng, places, 9 * c_in, c_out))
    parts = []
    for start in range(0, len(x), 250):
        h = x[start : start + 250]
        for kernel in kernels:
            w = patches(h, 3)
            rows = w.reshape(len(h), -1, kernel.shape[1]).swapaxes(0, 1)
            h = np.maximum(rows @ kernel, 0).swapaxes(0, 1)
            h = max_pool2d(h.reshape(*w.shape[:3], -1))
        parts.append(h)
    return np.concatenate(parts)


# %%
slant = np.array([[2.0, 1, 0], [1, 0, -1], [0, -1, -2]])
edges = np.stack([edge, edge.T, slant, slant[::-1]], axis=-1)  # (3, 3, 4)
edges = np.concatenate([edges, -edges], axis=-1)[:, :, None].astype("float32")
edge_maps = max_pool2d(np.maximum(conv2d(x_probe, edges), 0), 4)
to_flatten = keras.Model(first.inputs[0], first.layers[4].output)  # (batch, 1600)

by_hand = {
    "pixels": ridge_accuracy(x_probe),
    "hand-made edges": ridge_accuracy(edge_maps),
    "learned": ridge_accuracy(predict(to_flatten, x_probe)),
}
scores = {name: [] for name in ("dense", "local", "convolution", "shuffled")}
for number in progress(range(3), "random features"):
    rng = np.random.default_rng(seed(60 + number))
    order = rng.permutation(784)
    shuffled = x_probe.reshape(-1, 784)[:, order].reshape(x_probe.shape)
    features = {
        "dense": random_dense(x_probe, rng),
        "local": random_layers(x_probe, rng, shared=False),
        "convolution": random_layers(x_probe, rng, shared=True),
        "shuffled": random_layers(shuffled, rng, shared=True),
    }
    for name in scores:
        scores[name].append(ridge_accuracy(features[name]))
scores = {name: np.array(many) for name, many in scores.items()}  # (3,) each

# %% [markdown]
# **Predict.** Pixels give a good eighty percent, random convolutions about ninety-five.
# Of this gain, which share do random dense features get, which know nothing of
# neighbors? Which share does locality add, and which share the same kernels at all
# places?

# %% tags=["predict"]
for name, value in by_hand.items():
    report(f"accuracy, {name}", value)
for name, many in scores.items():
    report(f"accuracy, random {name}, three seeds", many)
ladder = [by_hand["pixels"]] + [scores[name].mean() for name in [*scores][:3]]
shares = np.diff(ladder) / (ladder[-1] - ladder[0])
report("shares of the gain, any features, locality, equivariance", shares)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About half of the gain is there with *any* random features. Locality adds a quarter of
# it or more, and the same kernels at all places the rest. (These parts are small only
# in this count: from dense to convolutional features, half of all mistakes are gone.)
# Shuffling the pixels, which leaves a linear map of them exactly as good as it was, throws
# the random convolutions back behind the dense features. So it is not that they have two
# layers and pooling, and the dense features one layer: the shuffled ones have both, too.
#
# </details>

# %% tags=["claims"]
gain_of = np.diff(ladder)  # means of three paired differences
claim("accuracy gained by any features", gain_of[0], at_least=0.03)
claim("accuracy gained by locality", gain_of[1], at_least=0.01)
claim("accuracy gained by equivariance", gain_of[2], at_least=0.005)
loss = (scores["convolution"] - scores["shuffled"]).mean()
claim("lost by shuffling", loss, at_least=0.03)
claim("share of any random features", shares[0], equals=0.5, tolerance=0.15)

# %% tags=["figure"]
many = {name: [value] for name, value in by_hand.items()} | scores
order = ["pixels", "dense", "shuffled", "local"]
order += ["hand-made edges", "convolution", "learned"]
figure, axis = plt.subplots(figsize=(6.4, 3))
for row, name in enumerate(order):
    axis.plot(many[name], [row] * len(many[name]), "o", ms=7)
names = [f"random {name}" if name in scores else name for name in order]
axis.set_yticks(range(len(order)), names)
axis.set(xlabel="test accuracy of a linear map, 1,000 labels")
axis.invert_yaxis()
alt = "Accuracies from pixels up to learned features, three seeds each."
plots.show(figure, alt=alt)

# %% [markdown]
# *What a linear map reads from seven kinds of features; a point per seed.* So the
# sentence "the architecture alone gives most of the gain, because neighbors belong
# together" was half right, and only the controls show which half. Random features of
# any kind give about half of it. What convolutions add to them comes from section 1's two
# principles, a part from each. The kernels that our network learned in its brief
# training are ahead of random ones by a point or two, in this test. They had
# 25,000 labels to learn from, and the others none.

# %% [markdown]
# ## 8. What makes a network better, and what does it cost?
#
# People who win competitions publish recipes with many ingredients, and the recipe
# works. Which of the ingredients does the work? Here is such a recipe for digits. Its
# choices were made on the last 10,000 training digits, never on the test set.
#
# - **Random translation** moves each training digit by up to $0.08\cdot28=2.24$ pixels
#   in each direction, each time anew: more data for free (Simard et al., 2003). In use
#   it has to be silent. `model.predict(x)` and our `predict` say so to all layers
#   (`training=False`); a bare `model(x)` does not, and moves the digits that it should
#   read.
# - **Batch normalization** (Ioffe & Szegedy, 2015) keeps the activations of all layers
#   at one scale; its formula follows.
# - **Narrow early, wide late.** Places cost time. So few filters where maps are large
#   and many where they are small.
# - **The learning rate follows a schedule**: it climbs, so that the start does no harm,
#   then sinks to zero along a cosine (chapter 04).
# - **Weight decay** (Loshchilov & Hutter, 2019) shrinks the weights a little in each
#   step.
#
# ### Batch normalization
#
# Chapter 03 derives it for dense layers, where it averages over the batch. A
# convolution's channel means the same at every place, so here it averages over the
# batch *and over all places*. With $N$ pictures and maps of $H$ by $W$, channel $c$ has
#
# $$\mu_c=\frac1{NHW}\sum_{n,i,j}x_{n,i,j,c},\qquad
# \sigma_c^2=\frac1{NHW}\sum_{n,i,j}(x_{n,i,j,c}-\mu_c)^2,\qquad
# y_{n,i,j,c}=\gamma_c\,\frac{x_{n,i,j,c}-\mu_c}{\sqrt{\sigma_c^2+\epsilon}}+\beta_c.$$
#
# By hand: one channel, two pictures of $1\times2$ pixels, $(1,3)$ and $(5,7)$. Then
# $\mu=4$, $\sigma^2=(9+1+1+9)/4=5$, and the first pixel becomes $-3/\sqrt5=-1.34$. The
# scale $\gamma$ and the shift $\beta$ are learned, so the convolution in front needs no
# bias. In use there may be no batch. So training keeps moving averages,
# $\bar\mu\leftarrow0.99\,\bar\mu+0.01\,\mu$, and the network in use takes those. They
# begin at 0 and 1 and lag behind. After the 192 steps of the experiment below,
# $0.99^{192}$ or a seventh of the start would still be in them. For short trainings the
# factor must be smaller, such as 0.9.


# %%
def normalize_batch(x, gamma, beta, epsilon=1e-3):
    """Normalize each channel of x (batch, height, width, channels) over all other axes."""
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))  # (channels,)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


# %% [markdown]
# **Predict.** Maps of $12\times12$ with 16 channels, a batch of 64. How many means are
# there, and over how many numbers is each of them taken?

# %% tags=["predict"]
rng = np.random.default_rng(seed(9))
x = rng.normal(2, 3, size=(64, 12, 12, 16)).astype("float32")
layer = layers.BatchNormalization()
theirs = np.array(layer(x, training=True))
gap = np.abs(normalize_batch(x, 1.0, 0.0) - theirs).max()
report("means", layer.moving_mean.shape[0])
report("numbers in each mean", x.size / layer.moving_mean.shape[0])
report("largest difference from ours", gap)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Sixteen means, one per channel, each over $64\cdot144=9{,}216$ numbers. So even a
# small batch gives good averages.
#
# </details>

# %% tags=["claims"]
claim("batch norm, ours - Keras's", gap, at_most=1e-4)

# %% [markdown]
# Now the recipe as code. Every ingredient can be switched off.


# %% tags=["export"]
BLOCKS = ((16, 5, True), (32, 3, True), (64, 3, False), (128, 3, False))


def build_mnist_cnn(
    side=28, blocks=BLOCKS, *, translation=0.08, batch_norm=True, momentum=0.99
):
    """The better network, for digits of side x side pixels. Not compiled.

    blocks: (filters, kernel size, is there a pooling?) of each convolution;
    translation: the largest move in training, as a part of the side;
    momentum: of batch norm's averages.
    """
    stack = [keras.Input((side, side, 1))]
    if translation:
        move = layers.RandomTranslation
        stack.append(move(translation, translation, fill_mode="constant"))
    for filters, size, is_pooled in blocks:
        stack.append(layers.Conv2D(filters, size, use_bias=not batch_norm))
        if is_pooled:  # before normalizing: fewer places
            stack.append(layers.MaxPooling2D(2))
        if batch_norm:
            stack.append(layers.BatchNormalization(momentum=momentum))
        stack.append(layers.Activation("relu"))
    stack += [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential(stack)


# %% tags=["export"]
def compile_mnist_cnn(
    model, steps, *, learning_rate=0.015, weight_decay=0.05, is_constant=False
):
    """Compile for a training of so many steps with AdamW.

    The learning rate climbs in the first fifth, then sinks to zero along a cosine,
    unless it is constant.
    """
    schedule = cosine_decay(learning_rate, steps, warmup_steps=steps // 5)
    if is_constant:
        decay = keras.optimizers.schedules.ExponentialDecay
        schedule = decay(learning_rate, steps, 1.0)  # times 1 after each step
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"])


def train_mnist_cnn(model, x, y, *, epochs=6, callbacks=(), **settings):
    """Compile and train the better network; return the history of `fit`."""
    compile_mnist_cnn(model, epochs * math.ceil(len(x) / 128), **settings)
    options = {"batch_size": 128, "epochs": epochs, "verbose": 0}
    return model.fit(x, y, callbacks=[*callbacks], **options)


# %% [markdown]
# **Predict.** The recipe's network has 99,418 parameters, nearly three times as many as
# the first network of section 6. How many multiplications does it need for a digit,
# compared with the first?

# %% tags=["predict"]
number = seed(10)
better = build_mnist_cnn()
work_of_better = sum(map(multiplications, better.layers))
report("parameters, better / first", better.count_params() / first.count_params())
report("multiplications, better / first", work_of_better / sum(work))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Less than half as many. Its widest layer has 73,728 weights, and uses each of them at
# a single place. The clock may show less of that saving, or nothing of it: small layers
# keep a processor less busy, and normalizing and moving digits take time, too.
#
# </details>

# %% tags=["claims"]
more = better.count_params() - first.count_params()
claim("parameters, better - first", more, equals=64_592, tolerance=0)
claim("multiplications, better / first", work_of_better / sum(work), at_most=0.42)

# %% [markdown]
# ### Leave one out
#
# Which ingredient does the work? Train without it and see what is lost: a
# **leave-one-out ablation**. Three rules keep it honest. *One change at a time.* *Each
# variant with its own best settings*: the rate that is best with batch normalization
# may be deadly without, and that would be no fair comparison. *Paired seeds*: each
# variant is trained from the same seeds on the same digits, and we look at the
# differences run by run, since good and bad luck then cancel.
#
# To afford it, everything is small: digits of $14\times14$ pixels, of which each is the
# mean of four; three convolutions; 2,000 training digits, new ones for each seed;
# twelve passes. For each variant we tried the learning rates 0.01, 0.03 and 0.1 on the
# last 10,000 training digits (with a constant rate also 0.003), and took the best.


# %%
def halve(x):
    """Every pixel the mean of four: (batch, 14, 14, 1)."""
    return x.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4))


x_small, x_small_test = halve(x_train[:50_000]), halve(x_test)
SMALL = ((16, 3, True), (32, 3, False), (64, 3, False))
SEEDS, COUNT, PASSES = 4, 2000, 12


def small_cnn(blocks=SMALL, **settings):
    return build_mnist_cnn(14, blocks, momentum=0.9, **settings)


def small_accuracy(model):
    return accuracy(model, x_small_test)


def after_moves(model, most=3):
    """Test accuracy of digits that were moved right by 0, 1, ... pixels: (most + 1,)."""
    wide = np.pad(x_small_test[::8], [(0, 0), (0, 0), (most, 0), (0, 0)])
    moved = [wide[:, :, most - n :][:, :, :14] for n in range(1, most + 1)]
    after = [accuracy(model, x, y_test[::8]) for x in moved]
    return [small_accuracy(model), *after]


# %%
def small_scores(build, score=small_accuracy, *, seeds=range(SEEDS), **settings):
    """score(model) of small networks, each trained from its own seed: (seeds, ...)."""
    model, results = build(), []
    compile_mnist_cnn(model, PASSES * math.ceil(COUNT / 128), **settings)
    for number in seeds:  # compiled once, started afresh for each seed
        some = np.random.default_rng(seed(100 + number)).permutation(50_000)[:COUNT]
        model.set_weights(build().get_weights())
        for variable in model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        options = {"batch_size": 128, "epochs": PASSES, "verbose": 0}
        model.fit(x_small[some], y_train[some], **options)
        results.append(score(model))
    return np.array(results)


# %%
VARIANTS = {  # what is left out: how the network is built, how it is trained
    "nothing": ({}, {"learning_rate": 0.03}),
    "translation": ({"translation": 0.0}, {"learning_rate": 0.03}),
    "batch norm": ({"batch_norm": False}, {"learning_rate": 0.03}),
    "rate schedule": ({}, {"learning_rate": 0.01, "is_constant": True}),
    "weight decay": ({}, {"learning_rate": 0.03, "weight_decay": 0.0}),
}


ablation = {}
for name, (how_built, how_trained) in progress(VARIANTS.items(), "ablation"):
    build = partial(small_cnn, **how_built)
    ablation[name] = small_scores(build, after_moves, **how_trained)

# %% [markdown]
# **Predict.** Order translation, batch norm, the schedule of the rate and weight decay by
# what is lost without them. Is there one that is not missed at all?

# %% tags=["predict"]
whole = ablation["nothing"][:, 0]
report("accuracy of the whole recipe, each seed", whole)
lost = {name: whole - many[:, 0] for name, many in ablation.items()}
del lost["nothing"]
for name, differences in lost.items():
    error = differences.std(ddof=1) / np.sqrt(SEEDS)
    report(f"points lost without {name}, mean and standard error",
           100 * differences.mean(), 100 * error)  # fmt: skip

# %% [markdown]
# <details><summary>Answer</summary>
#
# Batch normalization and translation are missed: each is worth the better part of a
# point, many times its standard error. So is the schedule in the mean, but how much it is
# worth depends on the seed: with a constant rate, some runs end far from where they
# should. Weight decay is not missed: what is lost without it is about as small as its
# error, so there is no clear difference.
#
# </details>

# %% tags=["claims"]
points = {name: 100 * differences.mean() for name, differences in lost.items()}
claim("points lost without batch norm", points["batch norm"], at_least=0.1)
claim("points lost without translation", points["translation"], at_least=0.1)
claim("points lost without weight decay", points["weight decay"], at_most=0.65)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
for row, differences in enumerate(lost.values()):
    error = 2 * differences.std(ddof=1) / np.sqrt(SEEDS)
    bar = {"xerr": 100 * error, "fmt": "s", "color": plots.BLACK}
    axis.errorbar(100 * differences.mean(), row, **bar)
    axis.plot(100 * differences, [row + 0.2] * SEEDS, "o", ms=4)
axis.axvline(0, color="silver")
axis.set_yticks(range(len(lost)), [f"without {name}" for name in lost])
axis.set(xlabel="points of test accuracy that are lost")
axis.invert_yaxis()
plots.show(figure, alt="Four rows of points: what is lost without each ingredient.")

# %% [markdown]
# *What each ingredient is worth here: a point per seed, their mean, and two standard
# errors.* Three ingredients are missed although the others are there, so none of them can
# stand in for another; one is on the list, perhaps, because it was on somebody else's.
# Mind what such a table says: it holds for *this* network, this number of digits and these
# twelve passes. It may be otherwise for whoever trains longer, or shorter: set `PASSES` to
# 6, and look at translation again. So the benchmark repeats the ablation with the whole
# recipe, and there with layers of one width, too
# (`python -m benchmarks.mnist_cnn --ablation`).
#
# ### Who still reads a moved digit?
#
# One thing more should have changed. Moved digits in training should make a network
# tolerant of moves. Or does the architecture do that, with its convolutions and its
# pooling? These are two causes, so we need four networks: dense or convolutional, each
# with and without moved digits in training. Nothing else may differ, so none of the four
# has batch normalization. (Of the same three rates the convolutional ones are best at
# 0.03, and the dense ones at 0.1, where 0.03 is about as good with moved digits.)


# %%
def small_dense(translation=0.0):
    """A dense rival with about as many parameters as the small CNN."""
    stack = [keras.Input((14, 14, 1))]
    if translation:
        move = layers.RandomTranslation
        stack.append(move(translation, translation, fill_mode="constant"))
    stack += [layers.Flatten(), layers.Dense(128, "relu")]
    return keras.Sequential([*stack, layers.Dense(10, "softmax")])


still_cnn = partial(small_cnn, translation=0.0, batch_norm=False)
moves = {"CNN": small_scores(still_cnn, after_moves, learning_rate=0.03)}
moves["CNN, moved"] = ablation["batch norm"]
for name, translation in {"dense": 0.0, "dense, moved": 0.08}.items():
    build = partial(small_dense, translation)
    moves[name] = small_scores(build, after_moves, learning_rate=0.1)

# %% [markdown]
# **Predict.** All test digits move right by two pixels, a seventh of the picture. Which
# counts for more, convolutions or moved digits in training?

# %% tags=["predict"]
for name, many in moves.items():
    report(f"accuracy after moves by 0 to 3 pixels, {name}", many.mean(axis=0))
name = "CNN, moved, with batch norm"
report(
    f"accuracy after moves by 0 to 3 pixels, {name}",
    ablation["nothing"].mean(axis=0),
)
by_convolutions = [
    moves["CNN"] - moves["dense"],
    moves["CNN, moved"] - moves["dense, moved"],
]
by_moved_digits = [
    moves["dense, moved"] - moves["dense"],
    moves["CNN, moved"] - moves["CNN"],
]
report("points gained by convolutions, without and with moved digits",
       [100 * gain[:, 2].mean() for gain in by_convolutions])  # fmt: skip
report("points gained by moved digits, dense and CNN",
       [100 * gain[:, 2].mean() for gain in by_moved_digits])  # fmt: skip

# %% [markdown]
# <details><summary>Answer</summary>
#
# Both count for much, and moved digits for more here, in either kind of network. Neither
# can stand in for the other: each gains at least as much if the other is there, too. And
# batch normalization helps as well. If only the convolutional networks had it, we would
# have counted its part as theirs.
#
# </details>

# %% tags=["claims"]
gains = [100 * gain[:, 2].mean() for gain in (by_convolutions[1], *by_moved_digits)]
claim("points gained by convolutions, with moved digits", gains[0], at_least=10)
claim("points gained by moved digits, dense", gains[1], at_least=20)
claim("points gained by moved digits, CNN", gains[2], at_least=20)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
for (name, many), marker in zip(moves.items(), "s^ov", strict=True):
    axis.plot(many.mean(axis=0), f"-{marker}", label=name)
axis.set(xlabel="pixels moved to the right, of 14", ylabel="test accuracy")
axis.set_xticks(range(4))
axis.legend(loc="lower left")
alt = "Accuracy falls with the move: dense first, moved digits last."
plots.show(figure, alt=alt)

# %% [markdown]
# *Accuracy against the move, mean over the seeds.* Convolutions make a network more
# tolerant, and so do moved digits, but no network here is invariant. What convolutions
# promise is equivariance, and that is not the same: the last layer of each is dense,
# and knows places, whatever stands below it.
#
# ### What came after
#
# LeNet (LeCun et al., 1998) read checks with convolutions and pooling in between. With
# millions of labeled photographs (Deng et al., 2009) and two graphics cards, AlexNet
# (Krizhevsky et al., 2012) made the same idea win. VGG (Simonyan & Zisserman, 2015)
# stacked nothing but $3\times3$ kernels, GoogLeNet (Szegedy et al., 2015) kernels of
# several sizes side by side. ResNet (He et al., 2016) and DenseNet (Huang et al., 2017)
# found out how to train a hundred layers: that is where chapter 05b begins. The
# official Keras example for digits (Chollet, 2015) is the network of section 6 with
# dropout, trained for fifteen passes. The course's benchmark trains it beside our
# recipe with all 60,000 digits, and leaves each ingredient of the recipe out there,
# too.

# %% [markdown]
# ## Common mistakes
#
# Three mistakes that tutorials on convolutional networks make, and everybody else once.
# (A fourth needs no cell: a program whose blocks were each run alone, in any order, and
# that fails for its readers because a library is missing. Restart and run all, before
# you publish.)
#
# ### The channel axis forgotten
#
# The digits come as `(60000, 28, 28)`, the network was told `(28, 28, 1)`. `fit`
# forgives that: it adds a last axis of 1 without a word. A layer does not:

# %% tags=["raises-exception", "E015"]
first.layers[0](x_test[:2, :, :, 0])

# %% [markdown]
# Write `x[..., None]` once, where the data are loaded. With three channels nothing is
# ever forgiven.
#
# ### An axis too many, and a class drawn as a picture
#
# The network gives a row of ten probabilities for each picture. Which class does it
# mean?

# %% tags=["raises-exception", "E013"]
np.argmax(probabilities[0], axis=1)  # one row has one axis, and that is axis 0

# %% [markdown]
# For all rows, `probabilities.argmax(axis=1)`; for one row,
# `probabilities[0].argmax()`. The same program then wants to show "the predicted
# picture":

# %% tags=["raises-exception", "E014"]
np.argmax(probabilities[0]).reshape(28, 28)

# %% [markdown]
# A classifier answers with a class. There is no picture in it. Show the input, and put
# the answer into its title, as in section 6.
#
# ### Ten degrees, or ten turns
#
# Turned digits are more data for free, if they are turned a little. Keras once had a
# generator whose `rotation_range=10` meant degrees. In Keras 3 its import fails, a
# deprecated copy is left in `tf.keras` (it needs SciPy, too), and the layer that came
# instead counts in full turns:

# %% tags=["raises-exception", "E059"]
layers.RandomRotation(10)

# %% [markdown]
# Older versions obeyed without a word, and a pair still slips through.
#
# **Predict.** What does `RandomRotation((-10, 10))` do to a seven? How far from the
# upright one do the turned ones lie, compared with turns of up to ten degrees?

# %% tags=["predict"]
number = seed(12)
sevens = np.repeat(seven[None, :, :, None], 100, axis=0)
turned = {
    "ten degrees": np.array(layers.RandomRotation(10 / 360)(sevens, training=True)),
    "ten turns": np.array(layers.RandomRotation((-10, 10))(sevens, training=True)),
}
moved_ink = {}
for name, many in turned.items():
    moved_ink[name] = np.abs(many - sevens).mean() / seven.mean()
    report(f"share of ink that differs, up to {name}", moved_ink[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# It turns the seven by any angle. Most of its ink then lies where none was.
#
# </details>

# %% tags=["claims"]
difference = moved_ink["ten turns"] - moved_ink["ten degrees"]
claim("share of ink that differs, turns - degrees", difference, at_least=0.3)

# %% tags=["figure"]
rows = np.concatenate([turned["ten degrees"][:6], turned["ten turns"][:6]])
figure = plots.images(rows, columns=6)
plots.show(figure, alt="Six sevens turned a little, six turned in all directions.")

# %% [markdown]
# *Up to ten degrees above, up to ten full turns below.* A seven on its head is no
# seven. The specks are mirrored strokes: what comes in at the border is a reflection,
# by default. Check an augmentation by looking.

# %% [markdown]
# ## Exercises
#
# ### Exercise 05.1: a detector by hand
#
# *10 minutes, on paper.* Write a $3 \times 3$ kernel for `correlate`. Its map should be
# positive where paper lies left of ink, and negative where ink lies left of paper. On
# plain areas and on horizontal edges it should be zero.

# %% tags=["exercise"]
left_edge = ...  # (3, 3)

check("05.1", left_edge)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Ink is 1, paper is 0. Which column should count positively?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Zero on plain areas: the nine weights sum to zero.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Zero on horizontal edges asks for more than a sum of zero. Think of a window whose
# upper row alone is ink.
#
# </details>

# %% tags=["solution"]
left_edge_solution = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])

check("05.1", left_edge_solution, solution=True)

# %% [markdown]
# ### Exercise 05.2: the price of a layer
#
# *10 minutes.* What does a convolution with biases and `"valid"` padding cost? Count
# its parameters, and its multiplications for one image of `height` by `width`. Kernels
# are square.


# %% tags=["exercise"]
def price(height, width, channels, filters, kernel_size, strides):
    """Return (parameters, multiplications); all arguments are integers."""
    raise NotImplementedError


check("05.2", price)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Each filter has one weight per pixel and channel of its window, and one bias.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Every weight is multiplied once at each place. Section 3 counts places.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Count the rows and the columns of places separately. What the stride leaves over at
# the end of a row counts nothing.
#
# </details>


# %% tags=["solution"]
def price_solution(height, width, channels, filters, kernel_size, strides):
    weights = kernel_size * kernel_size * channels * filters
    rows = (height - kernel_size) // strides + 1
    columns = (width - kernel_size) // strides + 1
    return weights + filters, rows * columns * weights


check("05.2", price_solution, solution=True)

# %% [markdown]
# ### Exercise 05.5: see the whole digit
#
# *15 minutes.* MNIST digits fit in a box of 20 by 20 pixels. Design four layers: all
# `"valid"`, kernels of 3 at most, any strides, no dilation. Along each direction a unit
# of the last layer must see 20 pixels or more; pixels that a long stride skips do not
# count. And from 28 pixels, two units or more must be left.

# %% tags=["exercise"]
design = ...  # a list of four (kernel_size, strides)

check("05.5", design)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Four times (3, 1) sees 9 pixels. Strides make later layers see further.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Where does a stride help most, and where does it only cost places?
#
# </details>
# <details><summary>Hint 3</summary>
#
# `receptive_field` and `output_size` tell you how far a design is from the goal. Start
# from four times (3, 1), and make one stride longer.
#
# </details>

# %% tags=["solution"]
design_solution = [(3, 2), (3, 2), (3, 1), (3, 1)]

check("05.5", design_solution, solution=True)

# %% [markdown]
# ### Exercise 05.7: depthwise, there and back
#
# *30 minutes.* Section 3 has the formula of a depthwise convolution, and section 5
# derives the backward pass of its big sister. Write both passes, with stride $s$ and
# `"valid"` padding. Do not use `conv2d`: with a kernel of zeros and ones it would work,
# and multiply mostly zeros.


# %% tags=["exercise"]
def depthwise(x, k, delta, s):
    """Return (y, ∂L/∂x, ∂L/∂k), where delta is ∂L/∂y.

    x: (batch, height, width, channels), k: (kernel height, kernel width, channels),
    delta: (batch, rows, columns, channels), as y; s: the stride in both directions.
    """
    raise NotImplementedError


check("05.7", depthwise)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Loop over $u$ and $v$ only. For one of them, all places of all pictures at once are a
# slice of `x` with the step $s$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# That slice, times `k[u, v]`, is what this weight adds to `y`. What does the same
# slice, together with `delta`, say about the gradient of `k[u, v]`?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The gradient of `x` is collected in the same slices. Slices overlap, so add; and some
# pixels at the end of a row may belong to no window at all.
#
# </details>


# %% tags=["solution"]
def depthwise_solution(x, k, delta, s):
    rows, columns = delta.shape[1:3]
    y, by_x, by_k = np.zeros(delta.shape), np.zeros(x.shape), np.zeros(k.shape)
    for u, v in np.ndindex(*k.shape[:2]):
        down = slice(u, u + s * (rows - 1) + 1, s)
        across = slice(v, v + s * (columns - 1) + 1, s)
        y += k[u, v] * x[:, down, across]
        by_k[u, v] = np.sum(x[:, down, across] * delta, axis=(0, 1, 2))
        by_x[:, down, across] += k[u, v] * delta
    return y, by_x, by_k


check("05.7", depthwise_solution, solution=True)

# %% [markdown]
# ### Exercise 05.8: the layer that was moved
#
# *25 minutes, find the bugs.* Somebody moves a trained layer from PyTorch to NumPy.
# There pictures are `(batch, channels, height, width)`, kernels are `(filters,
# channels, height, width)`, and the layer had stride 2 and `padding=1`: one zero at
# *each* of the four sides. The function below runs without an error, its result has the
# right shape, and its numbers are wrong.


# %%
def shaky_layer(x, kernel, bias):
    batch, channels, height, width = x.shape
    x = x.reshape(batch, height, width, channels)
    kernel = kernel.reshape(3, 3, channels, -1)
    y = conv2d(x, kernel, bias, strides=2, padding="same")
    return np.moveaxis(y, -1, 1)


# %% [markdown]
# It has three bugs. Find them, and write the function without them.


# %% tags=["exercise"]
def moved_layer(x, kernel, bias):
    """x: (batch, channels, height, width), kernel: (filters, channels, 3, 3).

    bias: (filters,). Return (batch, filters, rows, columns), what PyTorch's layer gives
    with stride 2 and padding 1.
    """
    raise NotImplementedError


check("05.8", moved_layer)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Try it on a picture with two channels, of which the second is zero everywhere, and
# print what arrives as the first channel.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `reshape` keeps the order of the numbers in memory and cuts it anew. To give axes
# another order is another thing.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For the third bug read section 3 again: where does `"same"` put its zeros if the
# height is even? You can add zeros yourself.
#
# </details>


# %% tags=["solution"]
def moved_layer_solution(x, kernel, bias):
    x = np.pad(np.moveaxis(x, 1, -1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    y = conv2d(x, kernel.transpose(2, 3, 1, 0), bias, strides=2)
    return np.moveaxis(y, -1, 1)


check("05.8", moved_layer_solution, solution=True)

# %% [markdown]
# ### Exercise 05.9: add one in
#
# *25 minutes, an experiment.* Section 8 leaves one ingredient out of the whole recipe.
# One could also start from *no* ingredient and add a single one. The two can disagree,
# for ingredients may help each other or do each other's work. Write the other
# experiment: `train(ingredients, seed)` trains with a set of ingredients and returns
# the test accuracy. Return for each ingredient the mean gain and its standard error
# (with $n-1$), from differences that are paired by seed.
#
# Then run it on the chapter's own networks, and compare:
#
# ```python
# without = {"translation": {"translation": 0.0}, "batch norm": {"batch_norm": False}}
#
# def train(ingredients, seed):
#     settings = {}
#     for name in without.keys() - set(ingredients):
#         settings |= without[name]
#     build = partial(small_cnn, **settings)
#     return small_scores(build, seeds=[seed], learning_rate=0.03)[0]
# ```


# %% tags=["exercise"]
def add_one_in(train, ingredients, seeds):
    """Return {ingredient: (mean gain, standard error)}.

    train: a function of a set of names and a seed; ingredients: names; seeds: two or more.
    """
    raise NotImplementedError


check("05.9", add_one_in)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What is the control? It is trained with no ingredient, once with each seed.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Subtract run by run, with the same seed on both sides, before you take a mean. The
# seed's own luck then cancels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The standard error is the standard deviation of the differences, over the root of
# their number. `np.std` divides by $n$ unless you tell it otherwise.
#
# </details>


# %% tags=["solution"]
def add_one_in_solution(train, ingredients, seeds):
    base = np.array([train(set(), seed) for seed in seeds])
    gains = {}
    for name in ingredients:
        gain = np.array([train({name}, seed) for seed in seeds]) - base
        gains[name] = gain.mean(), gain.std(ddof=1) / np.sqrt(len(seeds))
    return gains


check("05.9", add_one_in_solution, solution=True)

# %% [markdown]
# ### Exercise 05.6: nine looks
#
# *30 minutes, a small project.* Let a network look at nine copies of each image: in
# place, and moved by one pixel in each of the eight directions, zeros coming in.
# Average the nine probabilities, and answer with the likeliest class. `images` has
# shape (n, height, width, channels). Then try it on `first`, with `lambda x:
# predict(first, x)`: is it right more often with nine looks? And what is the price?


# %% tags=["exercise"]
def nine_looks(predict, images):
    """Return classes (n,); predict(images) gives probabilities (n, classes)."""
    raise NotImplementedError


check("05.6", nine_looks)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Pad height and width by one on each side, once: `np.pad`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The nine copies are nine crops of the padded images.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Keep the probabilities of all crops until the end: who takes the likeliest class of
# each look first has forgotten how sure it was.
#
# </details>


# %% tags=["solution"]
def nine_looks_solution(predict, images):
    height, width = images.shape[1:3]
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    at = np.ndindex(3, 3)
    crops = [padded[:, i : i + height, j : j + width] for i, j in at]
    return sum(predict(crop) for crop in crops).argmax(axis=1)


check("05.6", nine_looks_solution, solution=True)
