# %% [markdown]
# A network is about to look at a seven through a window of nine pixels.

# %%
import keras
from dl_course import cnn, data
from keras import layers

(x_train, y_train), (x_test, y_test) = data.mnist()
seven = x_train[84, :, :, 0]  # (height, width)

# %% tags=["figure"]
k = np.array([[1.0, 1, 1], [0, 0, 0], [-1, -1, -1]])
figure = cnn.draw_stencil(seven, k, row=8, column=9)
plots.show(figure, alt="A seven, nine of its pixels, nine weights, a map of sums.")

# %% [markdown]
# Nine pixels, times nine weights, summed: one cell of a map. The window visits
# every place and keeps its weights. Blue cells found ink above paper, red cells
# paper above ink. This chapter builds such maps, stacks them into networks, and
# measures what the sharing buys.

# %% [markdown]
# ## Recall
#
# 1. How many parameters has a dense layer from 784 pixels to 100 units?
# 2. A weight is used in two places of a network. What is its gradient?
# 3. You train twenty networks and report the best test accuracy. What is wrong?
#
# <details><summary>Answer</summary>
#
# 1. 784 · 100 weights and 100 biases: 78,500.
# 2. The sum of the gradients of both places.
# 3. The test set chose the winner, so it no longer stands for new digits. Choose on
#    a validation set; test once.
#
# </details>

# %% [markdown]
# ## 1. Why should weights be shared?
#
# A digit has edges of ink at its top and at its bottom. A dense layer has different
# weights at each place: what it learned at the top, it must learn again at the
# bottom.
#
# Two assumptions help. **Locality**: a unit needs to see a small window only.
# **Sharing**: what is worth finding here is worth finding everywhere. Say the
# window is 3 pixels wide and 3 high. On a digit of 28 by 28 it has 26 by 26 places.
# And say we look for 32 patterns at each.
#
# **Predict.** A dense layer with these outputs has 17 million parameters. Which
# saves more: locality or sharing? By what factor?

# %%
pixels, places, patterns = 28 * 28, 26 * 26, 32
dense = (pixels + 1) * places * patterns  # each unit: all pixels and a bias
local = (9 + 1) * places * patterns  # each unit: nine pixels and a bias
shared = (9 + 1) * patterns  # all places together
print(f"dense {dense:,}   local {local:,}   shared {shared:,}")

# %%
layer = layers.Conv2D(patterns, 3)
layer.build((None, 28, 28, 1))
claim("Conv2D shares its weights", layer.count_params() == shared)

# %% [markdown]
# Locality divides by about 80, sharing by another 676, the number of places. The
# nine weights are a **kernel**, its outputs a **feature map**. Fukushima (1980) had
# the idea; LeCun et al. (1989) trained such **convolutional** layers by gradients.

# %% [markdown]
# ## 2. What does a convolution compute?
#
# Lay the kernel on the image at row $i$, column $j$. Multiply each weight by the
# pixel under it. Sum, and add a bias $b$:
#
# $$y_{i,j} = b + \sum_u\sum_v k_{u,v}\,x_{i+u,\,j+v}$$


# %%
def correlate(x, k, b=0.0):
    height, width = k.shape
    y = np.empty((x.shape[0] - height + 1, x.shape[1] - width + 1))
    for i, j in np.ndindex(y.shape):
        y[i, j] = b + np.sum(k * x[i : i + height, j : j + width])
    return y


# %% [markdown]
# Before networks learned kernels, people wrote them.
#
# **Predict.** Which strokes of the seven does each of these four find?

# %%
kernels = {
    "ink above": k,
    "ink left": k.T,
    "blur": np.full((3, 3), 1 / 9),
    "outline": np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
}
maps = {name: correlate(seven, kernel) for name, kernel in kernels.items()}

# %% tags=["figure"]
figure = cnn.draw_maps(list(maps.values()), list(maps), size=1.7)
plots.show(figure, alt="Four maps of a seven: two of edges, a blur, an outline.")

# %% [markdown]
# Each kernel draws its own seven: blue is positive, red negative. The first answers
# *where is ink above paper?*, the second *where is ink left of paper?*
#
# A mathematician would object: a true **convolution** runs the kernel backwards.
# NumPy has both:

# %%
print("convolve ", np.convolve([1, 2, 3], [1, 10, 100], "valid"))
print("correlate", np.correlate([1, 2, 3], [1, 10, 100], "valid"))

# %% [markdown]
# Both sum three products. `convolve` pairs the first with the last: $1\cdot100 +
# 2\cdot10 + 3\cdot1$. Our formula is `correlate`, a **cross-correlation**. True
# convolution would flip the kernel, $k_{k_h-1-u,\,k_w-1-v}$.
#
# **Predict.** Which of them does a Keras `Conv2D` compute?

# %%
x, kernel = seven[None, :, :, None], k[:, :, None, None]  # axes for batch, channels
by_keras = np.array(keras.ops.conv(x, kernel.astype("float32")))[0, :, :, 0]
flipped = correlate(seven, k[::-1, ::-1])
claim("Keras differs by", np.abs(by_keras - maps["ink above"]).max(), at_most=1e-5)
claim("... from the flipped by", np.abs(by_keras - flipped).max(), at_least=1)

# %% [markdown]
# Keras correlates, and PyTorch does too. For a learned kernel it makes no difference:
# a library that flips would learn it flipped.
#
# Where is the dense layer now? Take the 36 images of 6 by 6 that have a single
# pixel of ink. What `correlate` makes of each is one row of a weight matrix.

# %%
k_random = np.random.default_rng(seed(1)).normal(size=(3, 3))
one_pixel = np.eye(36).reshape(36, 6, 6)
matrix = np.stack([correlate(image, k_random).ravel() for image in one_pixel])
image = seven[8:14, 10:16]
same = np.allclose(image.ravel() @ matrix, correlate(image, k_random).ravel())
claim("a convolution is a dense layer with a special matrix", same)

# %% tags=["figure"]
figure = cnn.draw_maps([matrix.T], size=4.5)
plots.show(figure, alt="A matrix: bands of nine colors, all other cells white.")

# %% [markdown]
# The matrix, turned: 36 pixels across, 16 outputs down. It is mostly zeros, which is
# locality. Each row has the same nine colors, which is sharing.

# %% [markdown]
# ## 3. How large is the output?
#
# Three settings move the window. The **stride** $s$ is its step. **Dilation** $d$
# spreads its weights, $d$ pixels apart. **Padding** adds a border of zeros: none
# for `"valid"`; for `"same"` just enough that a row of $n$ pixels has
# $\lceil n/s\rceil$ places: $n/s$, rounded up.

# %% tags=["figure"]
two = {"padding": "same", "strides": 2}
choices = {"valid": {}, "same": {"padding": "same"}, "same, stride 2": two}
choices["dilation 2"] = {"dilation": 2}
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), sharex=True, sharey=True)
for axis, (title, options) in zip(axes, choices.items(), strict=True):
    before, after = cnn.pad_amounts(6, 3, **options)
    row = np.arange(-before, 6 + after)
    axis.plot(row, 0 * row, "s", color="silver", mfc="white", ms=10)
    axis.plot(range(6), [0] * 6, "s", color="silver", ms=10)
    for i in range(cnn.output_size(6, 3, **options)):
        seen = options.get("strides", 1) * i - before
        seen = seen + options.get("dilation", 1) * np.arange(3)
        axis.plot(seen, [-1 - i] * 3, "s-", ms=10)
    axis.set_title(title, loc="center")
    axis.set_axis_off()
plots.show(figure, alt="Places of a window of three on a row of six, four ways.")

# %% [markdown]
# Gray is a row of six pixels; white ones are added. Below, one line for each place
# of a kernel of three. Dumoulin & Visin (2016) draw it all in two dimensions.
#
# With stride 2, `"same"` adds a pixel at the *end* only: TensorFlow's rule.
# PyTorch's layers pad both ends alike, so weights moved between the two can land
# one pixel off.
#
# A kernel of $k$ weights spans $d(k-1) + 1$ pixels. With $p$ added pixels, and
# rounding down, it has so many places:
#
# $$\left\lfloor\frac{n + p - d(k-1) - 1}{s}\right\rfloor + 1$$
#
# **Predict.** A row of 28, kernel 5, stride 2: how many places with each padding?

# %%
print("valid", cnn.output_size(28, 5, strides=2))
print("same ", cnn.output_size(28, 5, strides=2, padding="same"))

# %%
agree = True
for n, size, s in np.ndindex(20, 5, 3):
    options = {"kernel_size": size + 1, "strides": s + 1}
    options["padding"] = ("valid", "same")[n % 2]
    shape = layers.Conv1D(1, **options).compute_output_shape((1, n + 8, 1))
    agree &= shape[1] == cnn.output_size(n + 8, **options)
claim("300 sizes agree with Keras", agree)

# %% [markdown]
# ## 4. What about many channels, and speed?
#
# A photograph has three channels: red, green, blue. A layer with 32 kernels puts out
# 32 channels. A kernel sees all channels of its window, and each output channel
# $m$, or **filter**, has a kernel of its own:
#
# $$y_{i,j,m} = b_m + \sum_u\sum_v\sum_c k_{u,v,c,m}\,x_{si + du,\,sj + dv,\,c}$$
#
# So kernels have four axes, and a layer has $k_h k_w C_{in} C_{out} + C_{out}$
# parameters. Even a $1 \times 1$ kernel makes sense now: it mixes channels.


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
# Right, and slow: Python steps through all places, filters and weights. The cure is
# a matrix. Write each window, or patch, as a row and each filter as a column: all
# sums are *one* product. This is called **im2col**. A convolution is a dense layer,
# applied to every patch.

# %%
reveal(cnn.patches, cnn.conv2d)

# %%
rng = np.random.default_rng(seed(2))
x = rng.normal(size=(1, 28, 28, 3)).astype("float32")
k_many = rng.normal(size=(3, 3, 3, 16)).astype("float32") / 5
b = rng.normal(size=16).astype("float32")

# %% [markdown]
# **Predict.** Loop, patches and Keras: do they agree, and how many times faster is
# the product than the loop?

# %%
import timeit

slow = timeit.timeit(lambda: conv2d_loop(x[0], k_many, b, s=2), number=1)
ten_fast = timeit.timeit(lambda: cnn.conv2d(x, k_many, b, strides=2), number=10)
claim("times faster", 10 * slow / ten_fast, at_least=5)

# %%
by_keras = np.array(keras.ops.conv(x, k_many, strides=2)) + b
ours = conv2d_loop(x[0], k_many, b, s=2), cnn.conv2d(x, k_many, b, strides=2)[0]
claim("loop from Keras", np.abs(ours[0] - by_keras).max(), at_most=1e-5)
claim("product from Keras", np.abs(ours[1] - by_keras).max(), at_most=1e-5)

# %% [markdown]
# One answer, three ways. The price of speed is memory: `reshape` stores each pixel
# once for every window that sees it.

# %% [markdown]
# ## 5. What does pooling keep?
#
# A feature map says where a pattern is, to the pixel. Often *about where* is
# enough, and a quarter of the numbers. Max pooling keeps the largest value of each
# window:
#
# $$y_{i,j,c} = \max_{u,\,v}\; x_{s i+u,\;s j+v,\;c}$$
#
# Window and stride are two settings. Only by default are they equal.

# %%
reveal(cnn.max_pool2d, cnn.average_pool2d)

# %% [markdown]
# **Predict.** A $7 \times 7$ map, window 3: what size comes out with stride 3, what
# with stride 2?

# %%
x = (np.arange(49) * 10 % 17.0).reshape(1, 7, 7, 1)
for stride in (3, 2):
    print(cnn.max_pool2d(x, 3, strides=stride)[0, :, :, 0])

# %% [markdown]
# At the border there is a trap. A convolution pads with zeros, and zeros count.
#
# **Predict.** An image of ones, windows of $3 \times 3$, `"same"` padding. What does
# a convolution show in the corner if all its weights are 1/9? And average pooling?

# %%
ones = np.ones((1, 5, 5, 1))
ninths = cnn.conv2d(ones, np.full((3, 3, 1, 1), 1 / 9), padding="same")
pooled = cnn.average_pool2d(ones, 3, strides=1, padding="same")
claim("convolution in the corner", ninths[0, 0, 0, 0], equals=4 / 9, tolerance=1e-6)
claim("pooling in the corner", pooled[0, 0, 0, 0], equals=1, tolerance=1e-6)

# %% [markdown]
# Pooling asks real pixels only. The convolution is lower at the border. So a network
# can tell where the border is (Islam et al., 2020).

# %% [markdown]
# ## 6. What does a unit see, and what if the digit moves?
#
# A unit of the second layer sees a window of windows. Let $r$ be its **receptive
# field**: the pixels that it can see along one direction. Layer $l$ adds
# $(k_l - 1)\,d_l$ steps. Each step is as long as the product of all strides below:
#
# $$r = 1 + \sum_l (k_l - 1)\,d_l\prod_{i<l}s_i$$
#
# To measure it, poison one pixel. Whatever a NaN touches becomes NaN: a poisoned
# unit saw that pixel. We try all 784 pixels, one image each, as one batch.
#
# **Predict.** Convolution 3, pooling 2, convolution 3, pooling 2; only the poolings
# have a stride, 2. What is $r$ after each?

# %%
x = np.zeros((784, 784))
np.fill_diagonal(x, np.nan)
x, stack, fields = x.reshape(784, 28, 28, 1), [(3, 1), (2, 2), (3, 1), (2, 2)], []
for size, _ in stack:
    x = cnn.conv2d(x, np.ones((3, 3, 1, 1))) if size == 3 else cnn.max_pool2d(x)
    middle = x[:, x.shape[1] // 2, x.shape[2] // 2, 0]  # (784,) one unit
    fields.append(np.isnan(middle).reshape(28, 28))
measured = [field.sum(axis=0).max() for field in fields]
formula = [cnn.receptive_field(stack[:depth]) for depth in (1, 2, 3, 4)]
claim("the formula is right after each layer", measured == formula)

# %% tags=["figure"]
titles = [f"layer {n}: {r} pixels" for n, r in enumerate(formula, start=1)]
figure = plots.images([seven] * 4, titles, columns=4, size=1.6)
for axis, field in zip(figure.axes, fields, strict=True):
    axis.contour(field, [0.5], colors=[plots.RED])
plots.show(figure, alt="Growing squares on a seven: 3, 4, 8 and 10 pixels wide.")

# %% [markdown]
# Inside the orange line is what one unit in the middle sees, after each layer.
# Pooling adds little itself, but doubles what the next layer adds. The unit does not
# use all of it alike: pixels in the middle count most, since most paths start there
# (Luo et al., 2016).
#
# Now let the seven walk. Sharing makes a convolution **equivariant**: move the
# image, and the map moves along, unchanged. Pooling keeps every second place only.
# We ask whether the map of the moved image is the old map, moved by *any* number of
# cells. The canvas is wide, so that no border interferes.


# %%
def conv(x):
    return np.maximum(cnn.conv2d(x, k_random[:, :, None, None]), 0)


def conv_and_pool(x):
    return cnn.max_pool2d(conv(x))


def moves_along(stage, right):
    old, new = stage(canvas), stage(np.roll(canvas, right, axis=2))
    return any(np.allclose(new, np.roll(old, n, axis=2)) for n in range(right + 1))


# %% [markdown]
# **Predict.** The seven moves right by 1, 2, 3 or 4 pixels. For which of them does
# the map only move? Guess for a convolution, for a convolution and a pooling, and
# for two of both.

# %%
canvas = np.pad(seven, 16)[None, :, :, None]
stages = {
    "convolution": (conv, [1, 2, 3, 4]),
    "convolution, pooling": (conv_and_pool, [2, 4]),
    "two of both": (lambda x: conv_and_pool(conv_and_pool(x)), [4]),
}
for name, (stage, expected) in stages.items():
    found = [right for right in (1, 2, 3, 4) if moves_along(stage, right)]
    claim(f"{name}: it only moves at steps {found}", found == expected)

# %% [markdown]
# One line for each stack. "Convolutional networks are shift invariant" is wrong
# twice. *Invariant* would mean: the answer stays as it is. Convolutions are
# *equi*variant, and pooling keeps that only for moves by whole strides (Zhang,
# 2019). Section 8 measures what is left.

# %% [markdown]
# ## 7. How good are the tutorials' networks, and what do they see?
#
# This course checked five tutorials. The first has this network, and stopped with an
# error before anyone saw how good it was.

# %%
reveal(cnn.build_document_cnn)

# %% [markdown]
# What does it cost? A layer uses its kernel once at each place.
#
# **Predict.** Which layer has the most parameters, and which multiplies most?

# %%
seed(3)
first = cnn.build_document_cnn()


def products(layer):  # multiplications for one image
    weights = np.prod(layer.kernel.shape) if hasattr(layer, "kernel") else 0
    return int(weights * np.prod(layer.output.shape[1:-1]))


for layer in first.layers:
    name = type(layer).__name__
    print(f"{name:13}{layer.count_params():7,}{products(layer):11,}")

# %%
total, most = sum(map(products, first.layers)), products(first.layers[2])
claim("34,826 parameters", first.count_params() == 34_826)
claim("the second convolution's share of the work", most / total, at_least=0.9)

# %% [markdown]
# The second convolution has most of both. The dense layer has nearly as many
# parameters, but uses each only once. Parameters cost memory; places cost time.
#
# The tutorial keeps Adam's learning rate constant, so the network ends wherever the
# last batches pushed it. We repair one thing: the rate starts at twice Adam's usual
# value and sinks to zero along a cosine (chapter 04). All else stays: batches of
# 128, five epochs.
#
# **Predict.** Five epochs over 60,000 digits: how many of 1,000 *new* digits are
# wrong?

# %%
import time

settings = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
rate = keras.optimizers.schedules.CosineDecay(0.002, 5 * 469)  # epochs * batches
first.compile(keras.optimizers.Adam(rate), **settings)
start = time.perf_counter()
bar = progress_bar("first network")
first.fit(x_train, y_train, batch_size=128, epochs=5, verbose=0, callbacks=[bar])
seconds = {"first": time.perf_counter() - start}

# %%
probabilities = first.predict(x_test, batch_size=500, verbose=0)  # (10000, 10)
predicted = probabilities.argmax(axis=1)
claim("test accuracy, first network", np.mean(predicted == y_test), at_least=0.988)

# %% [markdown]
# We chose nothing by looking at these test digits, so the number is honest. The
# second tutorial built a deeper network, and never trained it. Compare both states:

# %%
seed(4)
second = cnn.build_deeper_document_cnn()
second.compile("adam", **settings)
_, untrained = second.evaluate(x_test, y_test, batch_size=500, verbose=0)
_ = second.fit(x_train[::2], y_train[::2], batch_size=128, verbose=0)
_, trained = second.evaluate(x_test, y_test, batch_size=500, verbose=0)
claim("test accuracy, untrained", untrained, at_most=0.3)
claim("test accuracy after half an epoch", trained, at_least=0.94)

# %% [markdown]
# One number hides which digits fail. Count each pair of truth and answer:

# %%
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, predicted), 1)
claim("each test digit is counted once", confusion.sum() == len(y_test))

# %% tags=["figure"]
plots.show(plots.confusion(confusion), alt="Counts: diagonal large, few mistakes.")

# %% [markdown]
# Rows are true digits, columns are answers; the shade marks mistakes. Look at some:

# %% tags=["figure"]
wrong = np.flatnonzero(predicted != y_test)
worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]])][:16]
titles = [f"{y_test[i]}, not {predicted[i]}" for i in worst]
figure = plots.images(x_test[worst], titles, size=0.95)
plots.show(figure, alt="Sixteen digits that the network got wrong, surest first.")

# %% [markdown]
# The mistakes that the network was surest of, titled *truth, not answer*. Some are
# clumsy, some could be either, and some are plain to you: those are worth a better
# network.
#
# What did it learn? Its first kernels are small enough to look at, and so are the
# maps they make of our seven.

# %% tags=["figure"]
kernels = np.moveaxis(first.layers[0].get_weights()[0][:, :, 0], -1, 0)
figure = cnn.draw_maps(kernels, columns=16, size=0.5)
plots.show(figure, alt="Thirty-two learned kernels of three by three weights.")

# %% [markdown]
# All 32 first kernels. Several are blue on one side and red on the other: edges at
# various slants, as we wrote by hand. Nobody asked for edges.

# %% tags=["figure"]
viewer = keras.Model(first.inputs, [first.layers[i].output for i in (0, 2)])
for layer, maps in enumerate(viewer.predict(seven[None, :, :, None], verbose=0), 1):
    strongest = np.argsort(-maps[0].sum(axis=(0, 1)))[:8]
    titles = [f"layer {layer}\nmap {channel}" for channel in strongest]
    figure = plots.images(np.moveaxis(maps[0], -1, 0)[strongest], titles, size=0.95)
    plots.show(figure, alt="Eight feature maps: strokes and edges of the seven.")

# %% [markdown]
# The strongest eight maps of each layer. The first redraws the seven; the second
# says where its parts lie. Are such features better than the pixels? Test them
# alike: fit the best *linear* map from features to labels by least squares (chapter
# 01), on 1,000 digits only.


# %%
def probe(body, x_old=x_train[:1000], x_new=x_test[::2]):
    features = [body.predict(x, batch_size=500, verbose=0) for x in (x_old, x_new)]
    old, new = (np.c_[rows, np.ones(len(rows))] for rows in features)
    gram = old.T @ old
    gram += 0.01 * np.diag(gram).mean() * np.eye(len(gram))  # a little weight decay
    weights = np.linalg.solve(gram, old.T @ np.eye(10)[y_train[: len(old)]])
    return np.mean((new @ weights).argmax(axis=1) == y_test[::2])


def body(model):
    return keras.Model(model.inputs, model.layers[4].output)  # up to Flatten


# %% [markdown]
# The rivals: the pixels; eight edge kernels written by hand, and pooled; the
# network before training, with random kernels; and after.
#
# **Predict.** Order the four, from worst to best.

# %%
seed(5)
slant = np.array([[2.0, 1, 0], [1, 0, -1], [0, -1, -2]])
edges = np.stack([k, k.T, slant, slant[::-1]], axis=-1)[:, :, None]  # (3, 3, 1, 4)
edge_layer = layers.Conv2D(8, 3, activation="relu", use_bias=False)
digits, flatten = keras.Input((28, 28, 1)), layers.Flatten()
by_hand = keras.Sequential([digits, edge_layer, layers.MaxPooling2D(4), flatten])
edge_layer.set_weights([np.concatenate([edges, -edges], axis=-1)])

# %%
pixels, random = keras.Sequential([digits, flatten]), body(cnn.build_document_cnn())
by_pixels, by_random = probe(pixels), probe(random)
claim("linear map of pixels", by_pixels, at_least=0.7, at_most=0.82)
claim("... of hand-made edges", probe(by_hand), at_least=0.9, at_most=0.94)
claim("... of random kernels", by_random, at_least=0.93, at_most=0.96)
claim("... of learned kernels", probe(body(first)), at_least=0.955)

# %% [markdown]
# Learned features win; only they had 60,000 digits to learn from. But look at the
# random ones: the architecture alone, without a learned number, gives most of the
# gain (Jarrett et al., 2009). What does it know? That neighbors belong together.
# Take that away: shuffle all pixels, in the same way in every image.

# %%
order = np.random.default_rng(seed(6)).permutation(784)
images = x_train[:1000], x_test[::2]
shuffled = [x.reshape(-1, 784)[:, order].reshape(x.shape) for x in images]
change = probe(pixels, *shuffled) - by_pixels
loss = by_random - probe(random, *shuffled)
claim("pixels, change by shuffling", change, equals=0, tolerance=0.002)
claim("random kernels, loss by shuffling", loss, at_least=0.05)

# %% [markdown]
# A linear map never knew what is next to what, and loses nothing. Convolutions lose
# much of what they had gained. Locality bets on neighbors, sharing bets on patterns
# that may appear anywhere. Where the bets are wrong, use another network.

# %% [markdown]
# ## 8. What makes a network better, and what does it cost?
#
# The official Keras example (Chollet, 2015) trains the first network with dropout
# for fifteen epochs. We want fewer mistakes, for less. Each choice was made on the
# last 10,000 training digits, never on the test set.

# %%
reveal(cnn.build_mnist_cnn, cnn.train_mnist_cnn)

# %% [markdown]
# - **Random translation** moves each training digit by up to two pixels, each time
#   anew: more data for free (Simard et al., 2003). In a prediction it does nothing.
# - **Batch normalization** (Ioffe & Szegedy, 2015) brings each channel to mean 0 and
#   deviation 1, over the batch, so that large steps are safe. Then it adds a learned
#   shift, hence `use_bias=False`.
# - **Narrow early, wide late.** Places cost time. Few filters where maps are large,
#   many where they are small; and pool *before* normalizing: fewer places.
# - **The learning rate** climbs, so that the start does no harm, then sinks to
#   zero: the last steps only polish (chapter 04).
# - **Weight decay** (Loshchilov & Hutter, 2019) keeps unused weights small.
#
# Which of them matters most? Leave one out and train again. Compare several seeds
# before you believe the difference.
#
# Its usual length is six epochs; four show the point here.
#
# **Predict.** It has more parameters than the first network, and trains an epoch
# less. In one epoch: more multiplications, or fewer?

# %%
seed(7)
better = cnn.build_mnist_cnn()
work = sum(map(products, better.layers)) / total
claim("parameters, times the first's", better.count_params() / 34_826, at_least=2)
claim("products, times the first's", work, at_most=0.42)

# %%
start = time.perf_counter()
bar = progress_bar("better network")
cnn.train_mnist_cnn(better, x_train, y_train, epochs=4, callbacks=[bar])
seconds["better"] = time.perf_counter() - start
_, accuracy = better.evaluate(x_test, y_test, batch_size=500, verbose=0)
claim("test accuracy, better network", accuracy, at_least=0.992)
claim("mistakes, of the first's", (1 - accuracy) * 1e4 / len(wrong), at_most=0.7)

# %%
print(*(f"{name}: {spent:.1f} s" for name, spent in seconds.items()))

# %% [markdown]
# Fewer mistakes, with fewer multiplications. The clock may not show it: small layers
# keep a processor less busy, and normalizing takes time too. The repository's
# `benchmarks/mnist_cnn.py` trains all six epochs, over several seeds, beside the
# official example.
#
# One thing more should have changed. The better network trained on moved digits.
#
# **Predict.** All test digits move right by three pixels. Who still reads them: a
# dense network, the first, the better one?

# %%
seed(8)
stack = [layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10, "softmax")]
dense = keras.Sequential([keras.Input((28, 28, 1)), *stack])
dense.compile("adam", **settings)
_ = dense.fit(x_train, y_train, batch_size=128, verbose=0)


# %%
def accuracy_after(model, right):
    moved = np.pad(x_test[::4], [(0, 0), (0, 0), (right, 0), (0, 0)])[:, :, :28]
    return model.evaluate(moved, y_test[::4], batch_size=500, verbose=0)[1]


models = {"dense": dense, "first": first, "better": better}
curves = {k: [accuracy_after(models[k], n) for n in range(7)] for k in models}

# %%
claim("dense, moved by three", curves["dense"][3], at_most=0.75)
claim("first, moved by three", curves["first"][3], at_least=0.7, at_most=0.97)
claim("better, moved by three", curves["better"][3], at_least=0.95)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
for (name, values), marker in zip(curves.items(), "os^", strict=True):
    axis.plot(values, marker=marker)
    axis.text(6.1, values[-1], name, va="center")
axis.set(xlabel="pixels moved to the right", ylabel="test accuracy", xlim=(0, 6.8))
plots.show(figure, alt="Accuracy falls with the move: dense first, better last.")

# %% [markdown]
# Accuracy against the move. The first network is better off than the dense one, but
# not invariant: its last layer is dense, and knows places. So does the better one:
# a $3 \times 3$ kernel on a $3 \times 3$ map is a dense layer. Did the moved digits
# in training make all the difference? Build it without `RandomTranslation`, and
# look.

# %% [markdown]
# ## Where the tutorials go wrong
#
# An E number names one error in the five tutorials.
#
# ### An axis too many (E013)
#
# One row of `probabilities` has one axis.

# %% tags=["raises-exception", "E013"]
np.argmax(probabilities[0], axis=1)

# %% [markdown]
# All rows: `probabilities.argmax(axis=1)`. One row: `probabilities[0].argmax()`.
#
# ### A class drawn as an image (E014)
#
# A classifier answers with a class. There is no "predicted image" in it.

# %% tags=["raises-exception", "E014"]
np.argmax(probabilities[0]).reshape(28, 28)

# %% [markdown]
# Show the input, and put the answer into its title: section 7's gallery.
#
# ### The channel axis forgotten (E015)
#
# `fit` forgives `(n, 28, 28)`, because it adds a last axis of 1 by itself. A layer
# does not, and three channels are never forgiven.

# %% tags=["raises-exception", "E015"]
first.layers[0](x_test[:2, :, :, 0])

# %% [markdown]
# `x[..., None]`, once, where the data are loaded.
#
# ### A warning at every start (E017, E067, E143)

# %% tags=["E017", "E067", "E143"]
import warnings

with warnings.catch_warnings(record=True, action="always") as caught:
    keras.Sequential([layers.Conv2D(32, 3, input_shape=(28, 28, 1))])
print(str(caught[0].message).split(".")[0])

# %% [markdown]
# `keras.Input((28, 28, 1))` comes first. (One of these tutorials also imports
# TensorFlow, and never uses it.)
#
# ### A plot without its library (E012)
#
# Each block was run alone. This one trained for most of a minute, then reached a
# plot:

# %% tags=["raises-exception", "E012"]
exec("plt.imshow(image)", {"image": seven})

# %% [markdown]
# Restart and run all, before you publish.
#
# ### Ten degrees, or ten turns (E059, E062)
#
# The tutorial's `ImageDataGenerator(rotation_range=10)` meant degrees, and needed
# SciPy without saying so. In Keras 3 its import fails; a deprecated copy is left in
# `tf.keras`. The layer that came instead counts in full turns.

# %% tags=["raises-exception", "E059"]
layers.RandomRotation(10)

# %% [markdown]
# Older versions obeyed without a word, and a pair still slips through.
#
# **Predict.** What does `RandomRotation((-10, 10))` do to a seven?

# %% tags=["figure"]
seed(9)
small, large = layers.RandomRotation(10 / 360), layers.RandomRotation((-10, 10))
sevens = np.repeat(seven[None, :, :, None], 6, axis=0)
turned = [np.array(layer(sevens, training=True)) for layer in (small, large)]
figure = plots.images(np.concatenate(turned), columns=6)
plots.show(figure, alt="Six sevens turned a little, six turned in all directions.")

# %% [markdown]
# Up to ten degrees above, up to ten full turns below. A seven on its head is no
# seven. And the specks are mirrored strokes: what comes in is a reflection, by
# default. Check an augmentation by looking.
#
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E036|a CNN is $y = f(Wx + b)$|nothing is local or shared in it|section 4|
# |E173|one index for image and kernel|it leaves the kernel, or all outputs are equal|section 2|
# |E190|a kernel is a small matrix|it has four axes|section 4|
# |E174|the stride is the size of the window|two settings|section 5|
# |E191|pooling keeps what is important|it keeps what is largest; places are lost|section 5|
# |E016|divides by 255 in float64|twice the memory for nothing|`float32`|
# |E018|no validation, no test|over-fitting stays unseen|section 7|
# |E142|builds, compiles, stops|untrained, it guesses|section 7|
# |E044|audio is 2-D or 3-D|the wave is 1-D, its spectrogram 2-D|`Conv1D`|
# |E189|CNNs are for images and video|text too (Kim, 2014)|`Conv1D`|
# |E060|`np.mean`|NumPy was never imported|run all, afresh|
# |E099, E117|"Going deeper", twice|two papers mixed|Szegedy et al. (2015)|
# |E100, E118|VGG, at two venues|neither|Simonyan & Zisserman (2015)|
# |E101|Kim, D., wrong pages|initial Y., 1746–1751|Kim (2014)|
# |E106|Unser & Vitelli 2001|not to be found|—|
# |E107|LeNet, by "Carlen, Clark, Durand"|not its authors|LeCun et al. (1998)|
# |E114|ImageNet, by "Ouyang, Huang"|not its authors|Deng et al. (2009)|
# |E115|DenseNet, wrong pages|4700–4708|Huang et al. (2017)|
# ||AlexNet, ResNet|cited right|Krizhevsky et al. (2012), He et al. (2016)|

# %% [markdown]
# ## Exercises
#
# ### Exercise 05.1: a detector by hand
#
# *10 minutes.* Write a $3 \times 3$ kernel for `correlate`. Its map should be positive
# where paper lies left of ink, and negative where ink lies left of paper. On plain
# areas and on horizontal edges it should be zero.

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
# Zero on horizontal edges: each *row* sums to zero too.
#
# </details>

# %% tags=["solution"]
left_edge_solution = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])

check("05.1", left_edge_solution, solution=True)

# %% [markdown]
# ### Exercise 05.2: the price of a layer
#
# *10 minutes.* What does a convolution with biases and `"valid"` padding cost?
# Count its parameters, and its multiplications for one image of `height` by `width`.
# Kernels are square.


# %% tags=["exercise"]
def price(height, width, channels, filters, kernel_size, strides):
    """Return (parameters, multiplications); all arguments are integers."""
    raise NotImplementedError


check("05.2", price)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Each filter has one weight a pixel and channel of its window, and one bias.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Every weight is multiplied once at each place. Section 3 counts places.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `(height - kernel_size) // strides + 1` rows; biases are added, not multiplied.
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
# ### Exercise 05.3: a stride of your own
#
# *15 minutes.* Extend `correlate` of section 2 by a stride `s`. `x` and `k` may have
# any height and width.


# %% tags=["exercise"]
def strided_correlate(x, k, b, s):
    """Return y, 2-D: the window moves by s in both directions, "valid" padding."""
    raise NotImplementedError


check("05.3", strided_correlate)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# How many rows has `y`? Section 3 has the formula.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The window of `y[i, j]` starts at row `s * i`, column `s * j`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Or compute every place, then keep some of them.
#
# </details>


# %% tags=["solution"]
def strided_correlate_solution(x, k, b, s):
    windows = np.lib.stride_tricks.sliding_window_view(x, k.shape)[::s, ::s]
    return np.sum(windows * k, axis=(2, 3)) + b


check("05.3", strided_correlate_solution, solution=True)

# %% [markdown]
# ### Exercise 05.4: pooling at the border
#
# *15 minutes.* Max pooling of a row of numbers, with `"same"` padding: window
# `size`, stride 1, so as many numbers come out as go in. `size` is odd; numbers may
# be negative.


# %% tags=["exercise"]
def max_pool_row(x, size):
    """Return the largest number of the window around each x[i]; x is (n,)."""
    raise NotImplementedError


check("05.4", max_pool_row)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `size // 2` places to the left, as many to the right, as far as there are any.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Zeros at the border would win over negative numbers.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `x[max(i - half, 0) : i + half + 1]`, or pad with `-np.inf`.
#
# </details>


# %% tags=["solution"]
def max_pool_row_solution(x, size):
    half = size // 2
    return [max(x[max(i - half, 0) : i + half + 1]) for i in range(len(x))]


check("05.4", max_pool_row_solution, solution=True)

# %% [markdown]
# ### Exercise 05.5: see the whole digit
#
# *15 minutes.* MNIST digits fit in a box of 20 by 20 pixels. Design four layers: all
# `"valid"`, kernels of 3 at most, any strides, no dilation. Along each direction a
# unit of the last layer must see 20 pixels or more. And from 28 pixels, two units
# or more must be left.

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
# Two strides of 2 suffice, if they come early.
#
# </details>

# %% tags=["solution"]
design_solution = [(3, 2), (3, 2), (3, 1), (3, 1)]

check("05.5", design_solution, solution=True)

# %% [markdown]
# ### Exercise 05.6: nine looks
#
# *30 minutes, a small project.* Let a network look at nine copies of each image: in
# place, and moved by one pixel in each of the eight directions, zeros coming in.
# Average the nine probabilities, and answer with the likeliest class. `images` has
# shape (n, height, width, channels). Then try it: is `lambda x: better.predict(x,
# verbose=0)` right more often with nine looks?


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
# Sum `predict(crop)` over all crops, then `argmax(axis=1)`.
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
