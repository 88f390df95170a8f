# %% [markdown]
# Two artists drew the same eight things. What would you call each of them?

# %%
import math

import keras
from dl_course import cnn, craft, data, linear, optimizers
from dl_course.common import predict
from dl_course.diagrams import Diagram
from keras import layers, ops

emoji = data.emoji()
rows = [0, 60, 541, 607, 669, 786, 1019, 1100]
pairs = np.concatenate([emoji[artist][rows] for artist in ("google", "twitter")])

# %% tags=["figure"]
figure = plots.images(pairs, size=0.95)
plots.show(figure, alt="Eight emoji in two rows, one row for each artist.")

# %% [markdown]
# *Above: Noto, drawn for Google. Below: Twemoji, drawn for Twitter.* Each column is one
# **concept**, such as *pig face*. A network shall sort such pictures into nine
# categories, among them food, animals, flags and faces. It gets three thousand of them,
# in color, where chapter 05 had sixty thousand gray digits. This chapter is about
# getting more out of few pictures, about the networks that were invented for color
# pictures, and about finding out which of the reasons that people give for them hold.

# %% [markdown]
# ## Recall
#
# 1. How many weights has a $3\times3$ convolution from 32 channels to 64, without a
#    bias? How many multiplications does it need on a map of 13 by 13 places?
# 2. A convolution is equivariant to shifts: a shifted picture gives shifted maps. Is it
#    equivariant to turns as well?
# 3. Why must the examples that stop a training early be others than those that test it?
#
# <details><summary>Answer</summary>
#
# 1. It has $9\cdot32\cdot64=18{,}432$ weights, and uses each of them at all 169 places:
#    3.1 million multiplications (chapter 05).
# 2. No. Whoever wants turned pictures recognized must show turned pictures (chapter 05).
# 3. Whoever stops at the best of many epochs has chosen by those examples, so their score
#    is too good. Test data must not have been used for any choice (chapter 02).
#
# </details>

# %% [markdown]
# ## 1. What is a new picture?
#
# A test shall tell how good a network will be on pictures that it has never met. Here
# each concept is there twice. If the test pictures are drawn at random, most of them have
# a twin in training: the same concept by the other artist. A network could learn the twin
# by heart, get the test right, and be useless for anything new.
#
# How much could be gained in that way? We measure it with a method that can do nothing
# but learn by heart. The **nearest neighbor** gives a picture the label of the training
# picture whose pixels differ least. Written as long rows of numbers $a$ and $b$, the
# squared distance of two pictures is
#
# $$\lvert a-b\rvert^2=\lvert a\rvert^2-2\,a\cdot b+\lvert b\rvert^2.$$
#
# With $a=(1,2)$ and $b=(3,1)$ that is $5-2\cdot5+10=5$, and directly $2^2+1^2=5$. So one
# matrix product gives all distances at once. To save time, all experiments of this chapter
# use pictures halved to $16\times16$ pixels, each the mean of four. That makes a quarter
# of the work.


# %%
def halve(x):
    """Pictures (n, height, width, 3) -> (n, height / 2, width / 2, 3): means of 2 x 2."""
    n, height, width, channels = x.shape
    blocks = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    return blocks.mean(axis=(2, 4))


def squared_distances(a, b):
    """|a - b|² of each row of a (n, features) from each row of b (m, features): (n, m)."""
    squares = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)
    return squares - 2 * a @ b.T


both = np.concatenate([emoji["google"], emoji["twitter"]])
twins = halve(both).reshape(len(both), -1)  # row i and row i + 1852 are twins
labels = np.tile(emoji["labels"], 2)
distance = squared_distances(twins, twins)  # (3704, 3704)


# %%
def neighbor_accuracy(new, old):
    """Share of the pictures `new` whose nearest among `old` has their label."""
    nearest = old[distance[np.ix_(new, old)].argmin(axis=1)]
    return np.mean(labels[nearest] == labels[new])


def accuracy_of_order(order, size=740):
    """The first `size` pictures of an order are the test, all others are training."""
    return neighbor_accuracy(order[:size], order[size:])


rng = np.random.default_rng(seed(1))
by_picture, by_concept = [], []
for _ in range(20):
    by_picture.append(accuracy_of_order(rng.permutation(3704)))
    concepts = rng.permutation(1852)
    by_concept.append(accuracy_of_order(np.add.outer(concepts, [0, 1852]).ravel()))
torn = np.subtract(by_picture, by_concept)  # (20,)

# %% [markdown]
# **Predict.** First whole concepts are drawn for the test, so that twins stay together.
# Then single pictures are drawn, and twins are torn apart. How many more of 100 test
# pictures does the nearest neighbor get right in the second case? Is it more or less than
# one would get by always naming the most common category?

# %% tags=["predict"]
report("right, concepts drawn, mean of twenty", np.mean(by_concept))
report("right, pictures drawn, mean of twenty", np.mean(by_picture))
report("standard deviation of the twenty differences", torn.std(ddof=1))
most_common = np.bincount(labels).max() / len(labels)
report("right by naming the most common category", most_common)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Several more of a hundred, although the method is the same. Only the test has become
# easier. Even with twins together, nearest pixels are right far more often than the most
# common category, for many concepts have cousins: clock faces, flags, smileys.
#
# </details>

# %% tags=["claims"]
claim("accuracy, twins torn apart - together", torn.mean(), at_least=0.03)
ahead = np.mean(by_concept) - most_common
claim("accuracy, nearest neighbor - most common", ahead, at_least=0.2)

# %% [markdown]
# What counts as new depends on the question. Ours is *a concept of which the network has
# seen no drawing*. So concepts are split, not pictures. Here cousins are a danger, too: *man
# cook*, *woman cook* and *cook* are three concepts, and nearly one picture. The split that
# comes with the data keeps those together. From here on its 366 concepts are the test, and
# a fifth of all others is set aside for validation: whatever is chosen, is chosen there.


# %%
def drawings(rows, artists=("google", "twitter")):
    """Halved pictures (n, 16, 16, 3) of the concepts `rows`, and their labels (n,)."""
    x = np.concatenate([halve(emoji[artist][rows]) for artist in artists])
    return x, np.tile(emoji["labels"][rows], len(artists))


test_rows = np.flatnonzero(emoji["is_test"])
others = np.random.default_rng(0).permutation(np.flatnonzero(~emoji["is_test"]))
valid_rows, train_rows = others[:297], others[297:]
x_train, y_train = drawings(train_rows)  # (2378, 16, 16, 3)
x_valid, y_valid = drawings(valid_rows)
x_test, y_test = drawings(test_rows)  # (732, 16, 16, 3)

# %% [markdown]
# ## 2. How can three thousand pictures become more?
#
# A cat in a mirror is a cat. So is a cat a little to the left, or a little turned. Each
# such change $t$ keeps the label $y$ and gives another picture $t(x)$. Training on $t(x)$,
# with a new random $t$ each time, is **augmentation** (Shorten & Khoshgoftaar, 2019). Let
# $f$ be the network and $L$ the loss. In place of the loss of $n$ pictures it lowers the
# mean over all changes,
#
# $$\frac1n\sum_{i=1}^n \mathbb{E}_t\,L\big(f(t(x_i)),\,y_i\big),$$
#
# and each step draws one $t$ for each picture of its batch. A tiny case: two pictures,
# mirrored or not with probability $\tfrac12$. Without augmentation the network sees 2
# pictures in two epochs, each twice. With it, it sees on average 3 different ones, and may
# learn that left and right do not matter. That is knowledge about the *world*, which we
# have and the network has not, handed over in the form of data.
#
# In Keras these changes are layers. `RandomRotation` counts in full turns, so ten degrees
# are `10 / 360`. What comes in at a border repeats the pixel there.


# %% tags=["export"]
def augmentation():
    """Mirror left and right, turn by up to 10 degrees, move by up to a tenth of the size.

    Three Keras layers for color pictures; in use they do nothing.
    """
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="nearest"),  # in full turns
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
    ]


# %% tags=["figure"]
number = seed(2)
changed = np.repeat(both[[600, 1019]], 8, axis=0)  # (16, 32, 32, 3)
for layer in augmentation():
    changed = layer(changed, training=True)
figure = plots.images(ops.convert_to_numpy(changed), size=0.95)
plots.show(
    figure, alt="Two emoji, eight variants of each: mirrored, moved, turned."
)

# %% [markdown]
# *Two drawings, eight times each.* None has changed its category: always look. Digits
# would be another matter, for a mirrored 2 is no digit.
#
# In use, an answer must not depend on dice, so the layers should act in training only.
# There are three ways to use a model: `model.predict(x)`, `model(x, training=False)`, and
# a bare `model(x)`.
#
# **Predict.** In which of the three are the layers silent?

# %% tags=["predict"]
model = keras.Sequential([keras.Input((16, 16, 3)), *augmentation()])
few = x_test[:32]
results = {"predict": model.predict(few, verbose=0)}
results["training=False"] = ops.convert_to_numpy(model(few, training=False))
results["a bare call"] = ops.convert_to_numpy(model(few))
moved = {name: np.abs(result - few).max() for name, result in results.items()}
for name, value in moved.items():
    report(f"largest change of a pixel, {name}", value)

# %% [markdown]
# <details><summary>Answer</summary>
#
# In the first two. A bare call throws dice: random layers believe that they are in
# training unless they are told otherwise. Write `training=False`, or use `predict`.
#
# </details>

# %% tags=["claims"]
claim("change by predict and training=False",
      max(moved["predict"], moved["training=False"]), at_most=1e-6)  # fmt: skip
claim("change by a bare call", moved["a bare call"], at_least=0.1)

# %% [markdown]
# ### One program in five pieces
#
# A widely copied program for CIFAR-10 (Krizhevsky, 2009: photos of $32\times32$ pixels,
# ten classes, 50,000 to train and 10,000 to test) has five pieces. Here they are, put
# right.

# %% tags=["figure", "diagram"]
d = Diagram("""
    train   test   .
    augment scale  statistics
    model   .      .
    fit     judge  .
""")
d.data(train="1. training\npictures", test="test\npictures")
d.operation(augment="3. augmentation", scale="2. $(x - \\mu_c)/\\sigma_c$")
d.parameter(statistics="$\\mu_c, \\sigma_c$ of the\ntraining pictures")
d.operation(model="3. convolutions\nand dense layers")
d.loss(fit="4. training:\ncross-entropy")
d.data(judge="5. accuracy\nand loss")
d.arrow("train -> augment -> scale", "(batch, h, w, 3)", "training\nonly")
d.arrow("test -> scale")
d.arrow("statistics -> scale")
d.arrow("scale -> model -> fit")
d.arrow("model -> judge", "(batch, classes)")
alt = "Training pictures pass augmentation, test pictures do not; both are scaled by the same numbers, then pass the network."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The five pieces: data, preprocessing, model, training and evaluation.* Augmentation is
# on the way of the training pictures only. The numbers that scale them, the mean $\mu_c$
# and the standard deviation $\sigma_c$ of each channel $c$, come from the training pictures
# only, and both kinds of pictures are scaled by the same ones.
#
# 1. **Data.** `data.color_images()` gives CIFAR-10 where it can be had, and the emoji at
#    full size where not. We go on with the halved emoji.
# 2. **Preprocessing** is a layer, so that nobody can forget it, or do it twice.


# %% tags=["export"]
def standardization(x_train):
    """A layer for (x - mean) / deviation by channel, from float pictures (n, h, w, 3)."""
    if x_train.ndim != 4 or x_train.shape[3] != 3 or x_train.dtype.kind != "f":
        wanted = "expected floats of shape (n, height, width, 3)"
        raise ValueError(f"x_train: {wanted}, got {x_train.dtype} {x_train.shape}")
    mean = x_train.mean(axis=(0, 1, 2), dtype=float)
    variance = x_train.var(axis=(0, 1, 2), dtype=float)
    return layers.Normalization(mean=mean, variance=variance)


# %% [markdown]
# 3. **The model**: two convolutions, each with a pool, and two dense layers. The
#    augmentation layers are a part of it, since they are silent in use.


# %% tags=["export"]
def build_document_color_cnn(x_train, classes, augment=()):
    """The CIFAR-10 network for pictures like `x_train` (n, h, w, 3). Not compiled.

    `augment`: layers to come first. 315,722 trained weights for 32 x 32 and 10 classes.
    """
    stack = [
        keras.Input(x_train.shape[1:]),
        *augment,
        standardization(x_train),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(stack)


# %% [markdown]
# 4. **Training** and 5. **evaluation**. Accuracy counts right answers. The loss, the mean
#    of $-\log p$ of the true category, also sees how sure the wrong ones were.


# %% tags=["export"]
def train_color_cnn(
    model, x, y, *, epochs=10, learning_rate=0.001, batch_size=64, callbacks=()
):
    """Compile with Adam and cross-entropy, fit to labels y (n,), return the history."""
    adam = keras.optimizers.Adam(learning_rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    return model.fit(x, y, callbacks=[*callbacks], **options)


def evaluate(model, x, y):
    """(share of right answers, mean of -log p of the label y) on pictures it is shown."""
    p = predict(model, x)  # (n, classes), random layers silent
    truth = np.clip(p[np.arange(len(y)), y], 1e-12, 1)
    return np.mean(p.argmax(axis=1) == y), -np.mean(np.log(truth))


# %% [markdown]
# ### What does it buy?
#
# The obvious comparison is with the same network without augmentation, after as many
# steps. But there is a simpler cure for learning by heart, which costs nothing at all:
# stop early (chapter 02). So after every second epoch we look at the validation pictures,
# and keep two scores on test pictures of each run: after the last epoch, and after the
# epoch that was best on validation pictures. Each pair of runs starts with equal weights.


# %%
def augmentation_run(number, augment, epochs=14):
    """Scores (epochs / 2, 3, 2): accuracy and loss on training, validation, test pictures."""
    number = seed(number)
    model = build_document_color_cnn(x_train, 9, augment)
    scores = []

    def look(epoch, logs=None):
        if epoch % 2 == 0:
            return
        sets = (x_train[::8], y_train[::8]), (x_valid, y_valid), (x_test, y_test)
        scores.append([evaluate(model, *some) for some in sets])

    watch = keras.callbacks.LambdaCallback(on_epoch_end=look)
    train_color_cnn(model, x_train, y_train, epochs=epochs, callbacks=[watch])
    return np.array(scores)


# %%
arms = {"plain": list, "augmented": augmentation}
runs = {name: [] for name in arms}
for number in progress([3, 4], "with and without augmentation"):
    for name, changes in arms.items():
        runs[name].append(augmentation_run(number, changes()))
runs = {name: np.array(each) for name, each in runs.items()}  # (2, 7, 3, 2)
last = {name: each[:, -1, 2] for name, each in runs.items()}  # (2, 2)
stopped = {
    name: np.array([run[run[:, 1, 1].argmin(), 2] for run in each])
    for name, each in runs.items()
}

# %% [markdown]
# **Predict.** On new pictures after the last epoch: by how much does augmentation raise
# the accuracy, and by how much does it lower the loss? And how much of that does stopping
# early get without any augmentation?

# %% tags=["predict"]
for name, scores in {"last epoch": last, "stopped early": stopped}.items():
    for arm in arms:
        report(f"{arm}, {name}, accuracy and loss", scores[arm].mean(axis=0))
gain = last["plain"] - last["augmented"]  # (2 seeds, accuracy and loss)
report("loss, plain - augmented, two runs", gain[:, 1])
rest = stopped["plain"] - stopped["augmented"]
report("... both stopped early, two runs", rest[:, 1])
gaps = {arm: np.diff(each[:, -1, ::2, 1])[:, 0] for arm, each in runs.items()}
report("loss, new - old pictures, plain, two runs", gaps["plain"])
report("loss, new - old pictures, augmented, two runs", gaps["augmented"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# In so few epochs the augmented network is not more often right; it may even be wrong a
# little more often. The loss is lower with most seeds, by no more than stopping early
# gets, and the two together get no more. What augmentation changes for certain is the gap
# between old pictures and new ones: it shrinks to a fraction. So it bought the freedom to
# train on without harm.
#
# </details>

# %% tags=["claims"]
closed = np.mean(gaps["plain"] - gaps["augmented"])
claim("gap between new and old pictures, plain - augmented", closed, at_least=0.1)
early = last["plain"] - stopped["plain"]
claim(
    "loss on new pictures, last epoch - stopped early",
    early[:, 1].mean(),
    at_least=0,
)
claim("accuracy, augmented - plain", -gain[:, 0].mean(), equals=0, tolerance=0.12)
claim(
    "loss, both stopped early, plain - augmented",
    rest[:, 1].mean(),
    equals=0,
    tolerance=0.3,
)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 3.2))
epoch = np.arange(2, 15, 2)
looks = (plots.RED, "bottom"), (plots.BLUE, "top")
for (name, each), (color, side) in zip(runs.items(), looks, strict=True):
    curves = each.mean(axis=0)[:, :, 1]  # (epochs, 3)
    axis.plot(epoch, curves[:, 1], color=color)
    axis.plot(epoch, curves[:, 0], "--", color=color)
    axis.text(14.3, curves[-1, 1], f"{name}, new", color=color, va=side)
    axis.text(14.3, curves[-1, 0], f"{name}, old", color=color, va="center")
axis.set(xlabel="epoch", ylabel="loss", xticks=epoch, xlim=(1.5, 19))
alt = "Loss by epoch: without augmentation the curve of new pictures turns up, with it not."
plots.show(figure, alt=alt)

# %% [markdown]
# *The loss on training pictures (old, dashed) and on validation pictures (new, solid), means of
# two runs.* Without augmentation the network learns its own pictures by heart, and gets ever
# surer where it errs on new ones. With it, the two curves lie nearer to each other, and both
# still fall. On
# CIFAR-10 itself the repository's `benchmarks/color_images.py` trains this program.

# %% [markdown]
# ## 3. How did networks grow?
#
# Between 2014 and 2022 a handful of ideas changed how convolutional networks are built.
# They are easy to confuse, because each came inside a large network with many other
# changes. So we put each idea into the same small frame: a first convolution, and then
# for each of three widths a convolution that halves the map and one **block**. Only the
# block differs. In this way one can count what an idea costs.
#
# All convolutions have **batch normalization** behind them (Ioffe & Szegedy, 2015): it
# subtracts the mean of a channel over the batch and all places, and divides by the standard
# deviation, so that no layer depends on the scale of the one before:
#
# $$\hat h=\frac{h-\mu}{\sqrt{\sigma^2+\epsilon}},\qquad y=\gamma\,\hat h+\beta .$$
#
# For the values 1 and 3 that is $-1$ and 1, and for 10 and 30 just as well. The numbers
# $\gamma$ and $\beta$ of a channel are learned. In use there may be no batch, so moving
# averages from training take the place of $\mu$ and $\sigma$.


# %%
def convolve(x, filters, size=3, strides=1, activation="relu"):
    """Convolution and batch normalization of maps x, then an activation or None."""
    options = {"strides": strides, "padding": "same", "use_bias": False}
    x = layers.Conv2D(filters, size, **options)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x) if activation else x


def build_features(block, augment=(), filters=(16, 32, 64), size=16):
    """Pictures (batch, size, size, 3) -> features (batch, filters[-1]), by blocks of one kind.

    `block`: a function of maps and a number of channels that returns such maps.
    """
    inputs = x = keras.Input((size, size, 3))
    for layer in augment:
        x = layer(x)
    x = convolve(
        x, filters[0], strides=2
    )  # (batch, size / 2, size / 2, filters[0])
    for level, width in enumerate(filters):
        if level:
            x = convolve(x, width, strides=2)
        x = layers.Activation("linear", name=f"block{level}")(block(x, width))
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def with_head(features, classes):
    """The features, and a softmax over the classes on top. Not compiled."""
    return keras.Sequential([features, layers.Dense(classes, activation="softmax")])


# %% [markdown]
# **Global average pooling** at the end takes the mean of each channel over all places, so
# that no wide dense layer is needed. Here are five kinds of blocks, in order of age.
#
# **VGG** (Simonyan & Zisserman, 2015): small kernels, but two of them. Two $3\times3$
# convolutions see $5\times5$ pixels, as one $5\times5$ does. From $n$ channels to $n$ they
# have $2\cdot9\,n^2=18\,n^2$ weights in place of $25\,n^2$, and one more activation.


# %%
def vgg_block(x, width):
    return convolve(convolve(x, width), width)


# %% [markdown]
# **Inception** (Szegedy et al., 2015): several sizes side by side, since nobody knows which
# size is right. Convolutions of $1\times1$, which mix the channels of one place, make the
# maps thin before the dear ones.


# %%
def inception_block(x, width):
    half, quarter, eighth = width // 2, width // 4, width // 8
    branches = [
        convolve(x, quarter, 1),
        convolve(convolve(x, quarter, 1), half, 3),
        convolve(convolve(x, eighth, 1), eighth, 5),
        convolve(layers.MaxPooling2D(3, strides=1, padding="same")(x), eighth, 1),
    ]
    return layers.Concatenate()(
        branches
    )  # quarter + half + eighth + eighth = width


# %% [markdown]
# **ResNet** (He et al., 2016): the two convolutions of VGG compute a *correction* $F(x)$,
# and $x$ is added to it by a **residual connection**, also called a shortcut. Section 4
# looks at what it changes.


# %%
def residual_block(x, width):
    correction = convolve(convolve(x, width), width, activation=None)
    return layers.Activation("relu")(layers.Add()([x, correction]))


# %% [markdown]
# **MobileNet** (Howard et al., 2017): a convolution does two things at once, it looks at
# neighbors and it mixes channels. Do them one after the other. A
# **depthwise convolution** has one $3\times3$ kernel for each channel and mixes nothing, and a
# $1\times1$ convolution mixes. Per place that takes $9n+n^2$ multiplications in place of
# $9n^2$, a share of $\frac1n+\frac19$.


# %%
def separable_block(x, width):
    for _ in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
        x = convolve(x, width, 1)
    return x


# %% [markdown]
# **ConvNeXt** (Liu et al., 2022): a convolutional network that took over what worked in
# Transformers. One depthwise convolution with a large kernel looks around, two dense
# layers per place, four times as wide in between, do the mixing, and a residual connection
# goes around all of it.


# %%
def convnext_block(x, width):
    h = layers.DepthwiseConv2D(7, padding="same")(x)
    h = layers.LayerNormalization()(h)
    h = layers.Dense(4 * width, activation="gelu")(h)  # at each place
    return layers.Add()([x, layers.Dense(width)(h)])


# %% [markdown]
# The **vision Transformer**, ViT (Dosovitskiy et al., 2021), does without convolution.
# It cuts the picture into patches, turns each into a row of numbers, adds a learned row
# that says where the patch was, and lets the rows look at each other by attention. Chapters
# 09 and 09b explain attention; here it is enough that every patch compares itself with
# every other one. Nothing in it knows that neighbors belong together.


# %%
class AddPositions(layers.Layer):
    """Adds a learned row to each of the patches (batch, patches, width)."""

    def build(self, shape):
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.positions = self.add_weight(shape=shape[1:], initializer=start)

    def call(self, x):
        return x + self.positions


def build_vit_features(width=48, depth=2, patch=4):
    """Pictures (batch, 16, 16, 3) -> features (batch, width), by attention alone."""
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(width, patch, strides=patch)(inputs)  # one row for each patch
    x = AddPositions()(layers.Reshape((-1, width))(x))  # (batch, 16, width)
    for _ in range(depth):
        h = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(3, width // 3)(h, h)])
        h = layers.LayerNormalization()(x)
        h = layers.Dense(4 * width, activation="gelu")(h)
        x = layers.Add()([x, layers.Dense(width)(h)])
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(x))


# %% tags=["figure", "diagram"]
d = Diagram("""
    x    a    b    e
    conv look mix1 cut
    .    mix  mix2 ask
    y    z    plus f
""")
d.data(x="maps", a="maps", b="maps", e="picture", y="VGG", z="MobileNet", f="ViT")
d.operation(conv="3 × 3: looks\nand mixes", look="3 × 3 for\neach channel")
d.operation(mix="1 × 1: mixes", mix1="3 × 3", mix2="3 × 3")
d.operation(cut="patches", ask="attention")
d.circle(plus="+")
d.arrow("x -> conv -> y")
d.arrow("a -> look -> mix -> z")
d.arrow("b -> mix1 -> mix2 -> plus")
d.arrow("b -> plus", leave="right", enter="right")
d.arrow("e -> cut -> ask -> f")
alt = (
    "Four columns: a convolution; a depthwise and a pointwise one; two convolutions "
    "with a shortcut around them into a sum; patches and attention."
)
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Four of the ideas: one convolution that does everything; looking and mixing one after
# the other; a shortcut around two convolutions (ResNet, ending in the sum); patches that
# ask each other.*
#
# Now count, with chapter 01's function for dense layers and convolutions. What is new is
# the depthwise convolution, and attention: for $n$ rows of $d$ numbers, four projections
# take $4nd^2$ multiplications, and comparing all rows with all rows and averaging takes
# $2n^2d$.


# %%
NO_PRODUCTS = (
    *(AddPositions, layers.Concatenate, layers.LayerNormalization),
    *(layers.GlobalAveragePooling1D, layers.Add, layers.Activation),
)


def multiplications(layer):
    """Multiplications of one picture's way through a layer, or a model of layers."""
    if isinstance(layer, keras.Model):
        return sum(multiplications(inner) for inner in layer.layers)
    if isinstance(layer, layers.DepthwiseConv2D):
        return math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.MultiHeadAttention):
        _, rows, width = layer.output.shape
        return 4 * rows * width**2 + 2 * rows**2 * width
    return 0 if isinstance(layer, NO_PRODUCTS) else linear.layer_flops(layer) // 2


number = seed(5)
blocks = {
    "VGG": vgg_block,
    "Inception": inception_block,
    "ResNet": residual_block,
    "MobileNet": separable_block,
    "ConvNeXt": convnext_block,
}
line = {name: build_features(block) for name, block in blocks.items()}
line["ViT"] = build_vit_features()
size = {name: features.count_params() for name, features in line.items()}
work = {name: multiplications(features) for name, features in line.items()}

# %% [markdown]
# **Predict.** Which two of the six have exactly as many weights? Is the share of VGG's work
# that MobileNet needs more or less than the $\frac1n+\frac19$ of its blocks? And has the ViT,
# which does about as much work as VGG, more or fewer weights?

# %% tags=["predict"]
print("network     weights   multiplications")
for name in line:
    print(f"{name:10} {size[name]:8,} {work[name]:17,}")
report("work, MobileNet / VGG", work["MobileNet"] / work["VGG"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# VGG and ResNet: a shortcut costs nothing. MobileNet's share is well above
# $\frac1n+\frac19$, since the first convolution and those that halve the map are the same in
# all networks. The ViT has fewer weights: each of them serves all 16 patches, while most
# of VGG's sit in its last stage, where the map has four places only.
#
# </details>

# %% tags=["claims"]
claim("weights, ResNet - VGG", size["ResNet"] - size["VGG"], equals=0, tolerance=0)
share = work["MobileNet"] / work["VGG"]
claim("work, MobileNet / VGG", share, at_least=1 / 9 + 1 / 64, at_most=0.5)
claim("work, Inception / VGG", work["Inception"] / work["VGG"], at_most=0.5)
uses = {
    name: work[name] / size[name] for name in line
}  # of each weight, on average
claim("uses per weight, ViT - VGG", uses["ViT"] - uses["VGG"], at_least=5)
by_hand = sum(18 * n**2 * places for n, places in [(16, 64), (32, 16), (64, 4)])
ways_down = 27 * 16 * 64 + 9 * 16 * 32 * 16 + 9 * 32 * 64 * 4
claim("VGG's work, less what we count by hand", work["VGG"] - by_hand - ways_down,
      equals=0, tolerance=0)  # fmt: skip

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 3.2))
for name in line:
    axis.loglog(size[name] / 1e3, work[name] / 1e6, "o", color=plots.BLUE)
    up, left = name in ("ResNet", "MobileNet"), name in ("ResNet", "Inception")
    axis.annotate(
        name,
        (size[name] / 1e3, work[name] / 1e6),
        xytext=(-6 if left else 6, 4 if up else -10),
        textcoords="offset points",
        ha="right" if left else "left",
    )
axis.set(
    xlabel="weights (thousands)", ylabel="multiplications per\npicture (millions)"
)
axis.margins(x=0.3, y=0.2)
alt = (
    "Six points: weights to the right, work upwards. VGG and ResNet are one point."
)
plots.show(figure, alt=alt)

# %% [markdown]
# *Six networks in the same frame: what each has to store, and what each has to compute.*
# Counting says what an idea costs, not what it is worth. The large studies that these
# networks come from changed many things at once, and had millions of pictures. Whether
# one of the ideas is worth anything on three thousand is a question for an experiment, and
# the next section makes one.

# %% [markdown]
# ## 4. What does a shortcut change?
#
# Deeper networks should be better, and for a long time they were not. He et al. (2016)
# found something odd: with more layers, even the *training* error went up. That cannot be
# learning by heart. The deeper network could have copied the shallow one and done nothing
# in the layers that are left. It just did not find that solution. So they made doing
# nothing easy: let two convolutions compute a correction $F(x)$, and add $x$ to it,
#
# $$y = \mathrm{ReLU}\big(x + F(x)\big).$$
#
# For $F=0$ and $x\ge0$ the block returns $x$. With one number and $F(x)=wx$, the derivative is
# $1+w$ where the plain layer has $w$. With $w=0.1$ and twenty layers that is $0.1^{20}$
# against $1.1^{20}\approx6.7$.

# %% tags=["figure", "diagram"]
d = Diagram("""
    x     .      x2
    conv1 .      plain1
    conv2 .      plain2
    plus  .      y2
    y     .      .
""")
d.data(
    x="$x$", y="$\\mathrm{ReLU}(x + F(x))$", x2="$x$", y2="$\\mathrm{ReLU}(F(x))$"
)
d.operation(conv1="3 × 3, batch norm,\nReLU", conv2="3 × 3, batch norm")
d.operation(plain1="3 × 3, batch norm,\nReLU", plain2="3 × 3, batch norm")
d.circle(plus="+")
d.arrow("x -> conv1 -> conv2 -> plus -> y", "(b, h, w, c)")
d.arrow("x -> plus", leave="right", enter="right")
d.arrow("x2 -> plain1 -> plain2 -> y2", "(b, h, w, c)")
alt = "Left, two convolutions and an arrow around them into a plus; right, the same two without it."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *A residual block, and the plain one: the same weights, one arrow less.*
#
# The little calculation suggests a reason: without shortcuts the signal dies on its way up,
# and the gradient on its way down. One reads that everywhere. But $0.1$ was our choice.
# Chapter 02 chose starting weights such that a signal keeps its size: He's scale, with
# variance $2/(9c)$ for $3\times3$ kernels and $c$ channels. Is the reason still true then?
#
# Change one pixel a little, which is called a **perturbation**, and send both pictures
# through 40 convolutions, in NumPy and without any batch normalization.


# %%
def perturbation_left(rng, shortcuts, scale=1.0, blocks=20, c=8):
    """What 20 blocks make of a small change: largest change behind / before them."""
    x = rng.uniform(size=(1, 8, 8, c))
    pair = np.concatenate([x, x])  # the picture, and the changed one
    pair[1, 4, 4] += 0.001
    for _ in range(blocks):
        kernels = rng.normal(size=(2, 3, 3, c, c)) * scale * np.sqrt(2 / (9 * c))
        hidden = np.maximum(cnn.conv2d(pair, kernels[0], padding="same"), 0)
        f = cnn.conv2d(hidden, kernels[1], padding="same")
        pair = np.maximum(pair + f if shortcuts else f, 0)
    return np.abs(pair[1] - pair[0]).max() / 0.001


rng = np.random.default_rng(seed(6))
weak = [perturbation_left(rng, False, scale=0.25) for _ in range(5)]
plain = [perturbation_left(rng, False, scale=1.0) for _ in range(5)]
residual = [perturbation_left(rng, True, scale=1.0) for _ in range(5)]

# %% [markdown]
# **Predict.** How much of the perturbation is left behind 40 plain convolutions: about as
# much as was sent, a hundredth, or nothing that matters? First with kernels of a quarter of
# He's scale, then with He's scale, then with shortcuts as well. Could it also be *more*?

# %% tags=["predict"]
report("left, plain, a quarter of He's scale, five draws", weak)
report("left, plain, He's scale, five draws", plain)
report("left, with shortcuts, He's scale, five draws", residual)

# %% [markdown]
# <details><summary>Answer</summary>
#
# With weak kernels nothing is left. With He's scale a good part of it is left without any
# shortcut: the signal does not die. With shortcuts it *grows*, by orders of magnitude, since
# each block adds something. That is not healthy either, and it is one reason why batch
# normalization belongs into a residual network.
#
# </details>

# %% tags=["claims"]
claim(
    "log10 left, plain, a quarter of He's scale", np.log10(weak).mean(), at_most=-8
)
claim(
    "log10 left, plain, He's scale",
    np.log10(plain).mean(),
    at_least=-2.5,
    at_most=0.5,
)
claim(
    "log10 left, with shortcuts",
    np.log10(residual).mean(),
    at_least=1.2,
    at_most=4.5,
)

# %% [markdown]
# So the well-known reason is wrong as soon as starting weights are right. He et al. said so
# themselves (in their section 4.1): their plain networks had batch normalization, neither
# signals nor gradients vanished, and they trained badly all the same. So let us do the
# experiment in which only the shortcut differs. Many equal blocks are quickest as one layer
# that holds the weights of all of them, and runs through them in a loop. It normalizes by
# the batch at hand, which is enough as long as we look at the training loss. Of the learning
# rates 0.001, 0.003 and 0.01, which we tried beforehand, the last two were about equally
# good for both kinds.


# %%
class Blocks(layers.Layer):
    """A chain of blocks of two 3 x 3 convolutions, with batch norm, with shortcuts or not."""

    def __init__(self, count, width, shortcuts):
        super().__init__()
        self.count, self.width, self.shortcuts = count, width, shortcuts

    def build(self, shape):
        each, he = (self.count, 2, self.width), math.sqrt(2 / (9 * self.width))
        start = keras.initializers.RandomNormal(stddev=he)
        kernels = (self.count, 2, 3, 3, self.width, self.width)
        self.kernels = self.add_weight(shape=kernels, initializer=start)
        self.gamma = self.add_weight(shape=each, initializer="ones")
        self.beta = self.add_weight(shape=each, initializer="zeros")

    def convolve(self, h, kernel, gamma, beta):
        h = ops.conv(h, kernel, padding="same")
        mean, variance = ops.moments(h, axes=(0, 1, 2))  # (width,) each
        return gamma * (h - mean) * ops.rsqrt(variance + 1e-3) + beta

    def block(self, x, weights):
        kernels, gamma, beta = weights  # of this block
        h = ops.relu(self.convolve(x, kernels[0], gamma[0], beta[0]))
        f = self.convolve(h, kernels[1], gamma[1], beta[1])
        return ops.relu(x + f if self.shortcuts else f), None

    def call(self, x):
        return ops.scan(self.block, x, (self.kernels, self.gamma, self.beta))[0]


# %%
def build_deep(blocks, shortcuts, width=8):
    """1 + 2 blocks convolutions, on 8 x 8 places of halved pictures. Not compiled."""
    inputs = keras.Input((16, 16, 3))
    x = convolve(inputs, width, strides=2)
    x = layers.GlobalAveragePooling2D()(Blocks(blocks, width, shortcuts)(x))
    return keras.Model(inputs, layers.Dense(9, activation="softmax")(x))


def compile_once(model, learning_rate):
    """Compile with Adam; return the values of its variables before any step."""
    adam = keras.optimizers.Adam(learning_rate)
    model.compile(adam, "sparse_categorical_crossentropy")
    adam.build(model.trainable_variables)
    return [ops.convert_to_numpy(variable) for variable in adam.variables]


def restart(model, weights, adam_values):
    """Give a compiled model other weights, and make Adam begin anew."""
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, adam_values, strict=True):
        variable.assign(value)


def training_losses(blocks, shortcuts, numbers, epochs=3):
    """Mean training losses (runs, epochs), one run for each seed, compiled once."""
    model, losses = build_deep(blocks, shortcuts), []
    adam_values = compile_once(model, 0.01)
    for number in numbers:
        number = seed(number)
        restart(model, build_deep(blocks, shortcuts).get_weights(), adam_values)
        run = model.fit(x_train, y_train, batch_size=32, epochs=epochs, verbose=0)
        losses.append(run.history["loss"])
    return np.array(losses)


# %% [markdown]
# First the gradient, before any training. If it vanished in the plain network, the first
# of 12 blocks would get far less of it than the last.


# %%
def first_to_last(shortcuts, number):
    """Size of the loss's gradient for the kernels of the first block / of the last."""
    import tensorflow as tf

    number = seed(number)
    model = build_deep(12, shortcuts)
    with tf.GradientTape() as tape:
        p = model(x_train[:128], training=True)
        truth = ops.one_hot(y_train[:128], 9)
        loss = ops.mean(keras.losses.categorical_crossentropy(truth, p))
    gradient = ops.convert_to_numpy(tape.gradient(loss, model.layers[4].kernels))
    sizes = np.sqrt(np.sum(gradient**2, axis=(1, 2, 3, 4, 5)))  # (12,)
    return sizes[0] / sizes[-1]


reach = {name: [first_to_last(s, n) for n in (7, 8, 9)]
         for name, s in {"plain": False, "residual": True}.items()}  # fmt: skip

# %%
cases = [(blocks, shortcuts) for blocks in (2, 12) for shortcuts in (False, True)]
losses = {
    case: training_losses(*case, (7, 8))
    for case in progress(cases, "four networks")
}
ends = {case: each[:, -1] for case, each in losses.items()}

# %% [markdown]
# **Predict.** Which share of the last block's gradient reaches the first block of the plain
# network? And after training: is the residual network better with 5 convolutions, with 25,
# or with both?

# %% tags=["predict"]
for name, each in reach.items():
    report(f"gradient, first block / last, {name}, three starts", each)
for (blocks, shortcuts), each in ends.items():
    name = "residual" if shortcuts else "plain"
    report(f"training loss, {name}, {1 + 2 * blocks} convolutions, two runs", each)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing vanishes: with batch normalization the first block of the plain network gets even
# more gradient than the last. With 5 convolutions the two networks train about equally
# well. With 25 the plain one is far behind, on the very pictures it was trained with,
# and its loss is higher than that of its own shallow sister. The residual one is harmed
# far less by its depth.
#
# </details>

# %% tags=["claims"]
claim("log10 of gradient, first / last, plain", np.log10(reach["plain"]).mean(),
      at_least=0, at_most=4)  # fmt: skip
shallow = np.mean(ends[2, False] - ends[2, True])
deep = np.mean(ends[12, False] - ends[12, True])
claim(
    "training loss, plain - residual, 25 convolutions",
    deep,
    at_least=0.03,
    at_most=1.5,
)
claim(
    "training loss, plain - residual, 5 convolutions",
    shallow,
    equals=0,
    tolerance=0.2,
)
claim(
    "what depth adds to the loss, plain - residual", deep - shallow, at_least=0.03
)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9), sharey=True)
for axis, blocks in zip(axes, (2, 12), strict=True):
    for shortcuts, style in ((False, "s--"), (True, "o-")):
        curve = losses[blocks, shortcuts].mean(axis=0)
        name = "residual" if shortcuts else "plain"
        axis.plot([1, 2, 3], curve, style, label=name)
    axis.set(
        title=f"{1 + 2 * blocks} convolutions", xlabel="epoch", xticks=[1, 2, 3]
    )
axes[0].set_ylabel("training loss")
axes[1].legend(loc="lower left")
alt = "With 5 convolutions two curves close together, with 25 the plain one stays high."
plots.show(figure, alt=alt)

# %% [markdown]
# *The training loss with and without shortcuts, means of two runs.* So depth is what the
# shortcut helps with, and it helps with *training*. Why it does so is less settled than
# textbooks sound. One finding is that in deep plain networks the gradients of neighboring
# inputs soon have nothing to do with each other, like white noise, so that a step says
# little about the next one; with shortcuts they keep a resemblance (Balduzzi et al., 2017).

# %% [markdown]
# ## 5. Can other pictures help?
#
# Augmentation makes more of the pictures that one has. The other way out of having too few
# is to learn from *other* pictures first, and to go on from there: **transfer learning**. The
# features of the first layers, edges and colors and corners, should be good for any picture
# (Yosinski et al., 2014). It is how most networks are trained in practice.
#
# Our case: all of Noto's drawings have labels, but of Twemoji's there are only five for each
# category, 45 in all. The network is the residual one of section 3. There are many ways to
# use Noto, and at least as many ways to fool oneself about it.

# %% tags=["figure", "diagram"]
d = Diagram("""
    noto  few1  few2  few3
    body  body1 body2 body3
    head  head1 head2 head3
""")
d.data(
    noto="Noto,\nall labels", few1="45 labels", few2="45 labels", few3="45 labels"
)
d.operation(body="features,\ntrained", body2="features,\ntrained on")
d.parameter(body1="features,\nfrozen", body3="random,\nfrozen")
d.operation(head="head", head1="new head", head2="new head", head3="new head")
d.arrow("noto -> body -> head")
d.arrow("body -> body1")
d.arrow("few1 -> body1 -> head1")
d.arrow("few2 -> body2 -> head2")
d.arrow("few3 -> body3 -> head3")
alt = (
    "One column trains features on Noto; three others use 45 labels with frozen, "
    "further trained, and random features."
)
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Left the pre-training. Then three ways to use 45 labels: a new head on frozen features,
# fine-tuning of everything, and the control, a new head on features that were never
# trained.* A doubled frame holds numbers that do not change.
#
# **Fine-tuning** means to train all weights further, with a small learning rate. The head
# on frozen features is a ridge regression on one-hot labels (chapter 05), whose penalty is
# chosen by leaving out one example at a time, for each rival by itself. The recipe for
# pre-training is used for the network of section 6, too: AdamW, a learning rate that climbs
# and then sinks to 0 (chapter 04), and **label smoothing** (Szegedy et al., 2016), which
# asks for $1-s$ for the right class and shares $s$ among all, so that the logits need not
# grow without end.


# %%
def train(
    model,
    x,
    y,
    *,
    epochs,
    learning_rate=0.004,
    batch_size=32,
    smoothing=0.1,
    callbacks=(),
):
    """Compile and fit a softmax network to labels y (n,) by AdamW; return the history.

    The learning rate climbs in the first fifth of all steps, then sinks to zero.
    """
    classes = model.outputs[0].shape[-1]
    steps = epochs * math.ceil(len(x) / batch_size)
    schedule = optimizers.cosine_decay(
        learning_rate, steps, warmup_steps=steps // 5
    )
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05)
    model.compile(optimizer, loss, metrics=["accuracy"])
    targets = np.eye(classes, dtype="float32")[y]  # (n, classes)
    options = {"batch_size": batch_size, "epochs": epochs, "verbose": 0}
    return model.fit(x, targets, callbacks=[*callbacks], **options)


# %%
number = seed(10)
features = build_features(residual_block, augmentation())
random_weights = features.get_weights()
noto = drawings(train_rows, ["google"])
twemoji = drawings(train_rows, ["twitter"])
valid_twemoji = drawings(valid_rows, ["twitter"])
new_twemoji = drawings(test_rows, ["twitter"])
pretrained = with_head(features, 9)
bar = progress_bar("pre-training on Noto")
_ = train(pretrained, *noto, epochs=8, callbacks=[bar])
noto_weights = features.get_weights()
unchanged = evaluate(pretrained, *new_twemoji)[0]

# %% [markdown]
# Five rivals get the same 45 drawings: three ridge regressions, on pixels, on random
# features and on Noto's features; and the whole network, trained from its random start or
# from Noto's weights. The last two get the better of two learning rates, chosen on the
# validation concepts. All is done for six draws of 45.


# %%
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import StandardScaler


def few_of_each(y, count, rng):
    """Numbers of `count` random examples of each label."""
    return np.concatenate(
        [rng.permutation(np.flatnonzero(y == k))[:count] for k in np.unique(y)]
    )


def by_ridge(x, y, x_new, y_new):
    """Accuracy of ridge regression on standardized features (n, d), its own best penalty."""
    scaler = StandardScaler().fit(x)
    model = RidgeClassifierCV(np.logspace(-1, 5, 13)).fit(scaler.transform(x), y)
    return np.mean(model.predict(scaler.transform(x_new)) == y_new)


def features_with(weights, x):
    """Features (n, 64) of pictures with these weights of the network."""
    features.set_weights(weights)
    return predict(features, x)


# %%
number = seed(11)
tuned = with_head(features, 9)
adam_values = compile_once(tuned, 0.001)
fresh_head = tuned.layers[1].get_weights()


def by_tuning(weights, x, y, learning_rate, steps=20):
    """Accuracy of the whole network, trained on from these weights: (validation, new)."""
    restart(tuned, [*weights, *fresh_head], adam_values)
    tuned.optimizer.learning_rate = learning_rate
    many = np.concatenate([x] * steps), np.tile(y, steps)  # all of x at each step
    tuned.fit(*many, batch_size=len(x), shuffle=False, verbose=0)
    return tuple(evaluate(tuned, *some)[0] for some in (valid_twemoji, new_twemoji))


# %%
def transfer_run(number):
    """Accuracies on new Twemoji from 45 of its drawings, one for each rival."""
    rows = few_of_each(twemoji[1], 5, np.random.default_rng(seed(number)))
    x, y = twemoji[0][rows], twemoji[1][rows]
    x_new, y_new = new_twemoji
    inputs = {
        "ridge on pixels": (x.reshape(len(x), -1), x_new.reshape(len(x_new), -1)),
        "frozen, random": [
            features_with(random_weights, each) for each in (x, x_new)
        ],
        "frozen, from Noto": [
            features_with(noto_weights, each) for each in (x, x_new)
        ],
    }
    result = {
        name: by_ridge(old, y, new, y_new) for name, (old, new) in inputs.items()
    }
    for name, weights in (
        ("from scratch", random_weights),
        ("fine-tuned", noto_weights),
    ):
        tried = [by_tuning(weights, x, y, rate) for rate in (0.001, 0.004)]
        _, result[name] = max(
            tried
        )  # of the rate that is best on validation concepts
    return result


draws = [transfer_run(number) for number in progress(range(20, 26), "45 labels")]
transfer = {name: np.array([draw[name] for draw in draws]) for name in draws[0]}

# %% [markdown]
# **Predict.** Order the five: ridge on pixels, frozen random features, frozen features from
# Noto, from scratch, fine-tuned. And where is the network that was trained on Noto alone
# and has never seen one of the 45?

# %% tags=["predict"]
for name, each in transfer.items():
    report(f"{name}, mean and deviation of six", [each.mean(), each.std()])
report("trained on Noto, unchanged", unchanged)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Features from Noto are far ahead of the same network from scratch, and of random features:
# it is the training that counts, not the architecture. But the rival that one forgets too
# easily, a ridge on pixels that has never seen Noto, comes close to them, and beats the
# network from scratch by far. And no way to use the 45 labels is clearly better than the
# network that has never seen one of them. What was gained came from Noto.
#
# </details>

# %% tags=["claims"]
means = {name: each.mean() for name, each in transfer.items()}
gained = means["fine-tuned"] - means["from scratch"]
claim("accuracy, fine-tuned - from scratch", gained, at_least=0.1)
gained = means["frozen, from Noto"] - means["frozen, random"]
claim("accuracy, features from Noto - random features", gained, at_least=0.01)
gained = means["frozen, from Noto"] - means["ridge on pixels"]
claim("accuracy, features from Noto - pixels", gained, equals=0.05, tolerance=0.15)
gained = means["ridge on pixels"] - means["from scratch"]
claim("accuracy, ridge on pixels - from scratch", gained, at_least=0.0)
claim("accuracy, features from Noto - unchanged network",
      means["frozen, from Noto"] - unchanged, equals=0, tolerance=0.18)  # fmt: skip

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.6))
order = sorted(transfer, key=lambda name: means[name])
for place, name in enumerate(order):
    axis.barh(place, means[name], color=plots.SKY)
    axis.plot(transfer[name], [place] * 6, "o", color=plots.BLACK, ms=4)
axis.axvline(unchanged, ls=":", color=plots.RED)
axis.text(
    unchanged + 0.005,
    0.5,
    "Noto's network,\nunchanged",
    color=plots.RED,
    va="center",
)
axis.set_yticks(range(5), order)
axis.set(xlabel="accuracy on new concepts", xlim=(0, 0.7))
alt = "Five bars: features from Noto longest, the network from scratch shortest."
plots.show(figure, alt=alt)

# %% [markdown]
# *Accuracy on new concepts of Twemoji, six draws of 45 labels each.* Transfer works where
# the old task is much like the new one, and here it is the same task in another style. How
# far that carries has to be measured each time, and always against the simple rival.

# %% [markdown]
# ## 6. What did it learn, and where does it fail?
#
# Now a residual network for all nine categories, trained by chapter 05's kind of recipe on
# both artists' drawings. Is it better than the program of section 2? To be fair it may not
# do more work.


# %%
def epochs_for(model, budget):
    """How many epochs of a model cost no more than `budget` multiplications per picture."""
    return int(budget // multiplications(model))


program = build_document_color_cnn(x_train, 9)
budget = 14 * linear.forward_flops(program) // 2  # that counts additions, too
number = seed(13)
residual_net = with_head(build_features(residual_block, augmentation()), 9)
epochs = epochs_for(residual_net, budget)
bar = progress_bar("residual network")
_ = train(residual_net, x_train, y_train, epochs=epochs, callbacks=[bar])

# %% [markdown]
# **Predict.** The residual network gets fewer epochs, since each costs more. Will its loss
# on new pictures be lower than that of the augmented program with all its epochs? And is it
# right more often than the nearest neighbor?

# %% tags=["predict"]
accuracy, loss = evaluate(residual_net, x_test, y_test)
train_pixels = x_train.reshape(len(x_train), -1)
nearest = squared_distances(x_test.reshape(len(x_test), -1), train_pixels).argmin(
    axis=1
)
by_neighbor = np.mean(y_train[nearest] == y_test)
report("epochs of the residual network", epochs)
report("residual network, accuracy and loss", [accuracy, loss])
report("augmented program, accuracy and loss", last["augmented"].mean(axis=0))
report("nearest neighbor, accuracy", by_neighbor)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Its loss is lower with most seeds, for no more work. The accuracy of one run on 366 concepts is
# only known to two or three of a hundred, so the nearest neighbor, which learns nothing,
# is hard to beat. And one run cannot say *what* lowered the loss: the
# shortcuts, the normalization, the schedule? `benchmarks/color_images.py` takes them away
# one at a time, over several seeds.
#
# </details>

# %% tags=["claims"]
claim("loss on new pictures, program - residual", last["augmented"][:, 1].mean() - loss,
      at_least=-0.15)  # fmt: skip
claim("accuracy, residual - most common", accuracy - most_common, at_least=0.25)

# %% [markdown]
# ### What does a channel look for?
#
# Ask all test pictures. For each channel of the last block, find the pictures that excite
# it most, on average over all places.


# %%
def maps_of(model, pictures, level):
    """The maps (n, rows, columns, channels) behind block `level` of a network."""
    features = model.layers[0]
    block = keras.Model(features.input, features.get_layer(f"block{level}").output)
    return predict(block, pictures)


def favorites(maps, count=8):
    """The pictures that excite each channel most: (channels, count) row numbers."""
    return np.argsort(-maps.mean(axis=(1, 2)), axis=0)[:count].T


late = maps_of(residual_net, x_test, 2)  # (732, 2, 2, 64)
liveliest = np.argsort(-late.std(axis=(0, 1, 2)))[:4]
x_full = np.concatenate([emoji["google"][test_rows], emoji["twitter"][test_rows]])

# %% tags=["figure"]
figure = plots.images(
    x_full[favorites(late)[liveliest].ravel()], columns=8, size=0.8
)
plots.show(figure, alt="Four rows of eight emoji; each row has a theme.")

# %% [markdown]
# *Four channels of the last block, each with the eight test pictures that excite it most.*
# Some rows have a theme, such as flags or faces; others are mixed. Themes are easily seen,
# also where there are none. A number is harder to fool: the **purity** of a row is the share
# of its most frequent category. The rival must be an *untrained* network of the same kind:
# it, too, has channels that like blue, or round things.
#
# **Predict.** How pure are the rows of the trained network, of an untrained one, and rows
# drawn at random?


# %%
def purity(row):
    """Share of the most frequent category among test pictures with these numbers."""
    return np.bincount(y_test[row]).max() / len(row)


number = seed(14)
untrained_net = with_head(build_features(residual_block), 9)
rng = np.random.default_rng(number)
rows_of = {
    "trained": favorites(late),
    "untrained": favorites(maps_of(untrained_net, x_test, 2)),
    "drawn at random": rng.integers(0, len(x_test), (500, 8)),
}

# %% tags=["predict"]
pure = {
    name: np.mean([purity(row) for row in each]) for name, each in rows_of.items()
}
for name, value in pure.items():
    report(f"mean purity, {name}", value)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The trained rows are purest. But a good part of their purity needs no training: what
# looks alike often belongs together, and random channels see that, too.
#
# </details>

# %% tags=["claims"]
claim(
    "purity, trained - untrained",
    pure["trained"] - pure["untrained"],
    at_least=0.03,
)
claim("purity, untrained - at random", pure["untrained"] - pure["drawn at random"],
      at_least=0.02)  # fmt: skip

# %% [markdown]
# ### What does a decision rest on?
#
# Hide a part of a picture under a white square. If the probability of the true category
# falls, the part was evidence (Zeiler & Fergus, 2014). Move the square over the picture,
# and you get an **occlusion map**. Of course there is always a place where it falls *most*.
# So the map has to pass a test: does the place also matter when it is covered by something
# else, say a gray square? The rival is another place that hides just as much of the
# drawing.


# %%
SIDE, STEP = 4, 2  # of the square, in halved pixels
CORNERS = [(top, left) for top in range(0, 13, STEP) for left in range(0, 13, STEP)]


def cover(pictures, color):
    """Copies (n, squares, 16, 16, 3) of pictures (n, 16, 16, 3), one square covered."""
    copies = np.repeat(pictures[:, None], len(CORNERS), axis=1)
    for k, (top, left) in enumerate(CORNERS):
        copies[:, k, top : top + SIDE, left : left + SIDE] = color
    return copies


def drops(model, pictures, labels, color):
    """How much each covered square lowers the probability of the label: (n, squares)."""
    n = np.arange(len(pictures))
    copies = cover(pictures, color).reshape(-1, 16, 16, 3)
    p = predict(model, copies).reshape(len(n), len(CORNERS), -1)
    return predict(model, pictures)[n, labels][:, None] - p[n, :, labels]


def places_to_compare(white, ink):
    """The square of the largest drop, and five that do not touch it, with like ink."""
    place = white.argmax()
    apart = np.abs(np.subtract(CORNERS, CORNERS[place])).max(axis=1) >= SIDE
    unlike = np.where(apart, np.abs(ink - ink[place]), np.inf)
    return place, np.argsort(unlike)[:5]


# %%
truth = predict(residual_net, x_test)[np.arange(len(y_test)), y_test]
sure = np.flatnonzero(truth > 0.5)  # what it knows
shown = np.random.default_rng(seed(15)).choice(sure, 100, replace=False)
pictures, their = x_test[shown], y_test[shown]
white, gray = (drops(residual_net, pictures, their, color) for color in (1, 0.5))
ink = np.sum((cover(pictures, 1) - pictures[:, None]) ** 2, axis=(2, 3, 4))
at_place, elsewhere = [], []
for w, g, i in zip(white, gray, ink, strict=True):
    place, others_like_it = places_to_compare(w, i)
    at_place.append(g[place])
    elsewhere.append(g[others_like_it].mean())
difference = np.subtract(at_place, elsewhere)

# %% [markdown]
# **Predict.** The place is found with a white square, and tested with a gray one. Does it
# lower the probability there as much as the white one did? And more than at other places
# with as much ink?

# %% tags=["predict"]
report("drop at the place of the map, white square", white.max(axis=1).mean())
report("drop at the place of the map, gray square", np.mean(at_place))
report("drop at other places with as much ink, gray", np.mean(elsewhere))
error = difference.std() / np.sqrt(len(difference))
report("the last two, difference and standard error", [difference.mean(), error])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Far from it. With another cover only a small part of the drop is left. It is a little more
# than at other places with as much ink, so there is some truth in the map. But most of what
# it shows is the white square itself, and the luck of having been the largest of many.
#
# </details>

# %% tags=["claims"]
kept = white.max(axis=1).mean() - np.mean(at_place)
claim("drop at the place of the map, white - gray", kept, at_least=0.05)
claim(
    "drop, place of the map - other places",
    difference.mean(),
    equals=0,
    tolerance=0.15,
)

# %% tags=["figure"]
best = [
    np.flatnonzero(y_test == k)[truth[y_test == k].argmax()] for k in (3, 2, 4, 0)
]
figure, axes = plt.subplots(2, 4, figsize=(6, 3.2))
for i, (above, below) in zip(best, axes.T, strict=True):
    drop = drops(residual_net, x_test[[i]], y_test[[i]], 1).reshape(7, 7)
    above.imshow(x_full[i])
    above.set_title(
        emoji["categories"][y_test[i]].split()[0], loc="center", fontsize=9
    )
    below.imshow(drop, "RdBu", vmin=-np.abs(drop).max(), vmax=np.abs(drop).max())
    above.set_axis_off(), below.set_axis_off()
plots.show(figure, alt="Four emoji, and below each a map of where covering hurts.")

# %% [markdown]
# *Four drawings, and where covering them with white matters.* Blue: hiding this place lowers
# the probability of the true category. Red: hiding it helps. Such maps look convincing. Ask
# what they would look like with another cover, before you believe them.
#
# ### Where does it fail?
#
# Count by category. The **recall** of a category is the share of its pictures that is found
# (chapter 02).
#
# **Predict.** The nine are faces, people, animals, food, travel, activities, objects,
# symbols and flags. Which one is easiest, and which one is hardest? Could one of them
# never be found at all?

# %% tags=["predict"]
answers = predict(residual_net, x_test).argmax(axis=1)
matrix = craft.confusion_matrix(y_test, answers, 9)
_, recall = craft.precision_recall(matrix)
short = ["faces", "people", "animals", "food", "travel"]
short += ["activities", "objects", "symbols", "flags"]
for k in np.argsort(-recall):
    report(f"found, {short[k]}", recall[k])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Flags look like flags. *Activities* says what people do with a thing,
# not how the thing looks. It is also the smallest category, so a network that never says
# "activity" loses little: few or none of its pictures are found.
#
# </details>

# %% tags=["claims"]
claim("found, flags - activities", recall[8] - recall[5], at_least=0.3)
claim("answers that say activities, share", np.mean(answers == 5), at_most=0.12)

# %% tags=["figure"]
figure = plots.confusion(matrix, short)
figure.axes[0].tick_params(axis="x", rotation=60)
plots.show(
    figure, alt="A table of counts: flags are safe, activities go everywhere."
)

# %% [markdown]
# *Rows are true categories, columns answers.* An accuracy over all pictures hides that a
# category may be missing. Always look at the rows.

# %% tags=["figure"]
wrong = np.flatnonzero(answers != y_test)
said = predict(residual_net, x_test)[wrong].max(axis=1)
surest = wrong[np.argsort(-said)][:16]
titles = [f"{short[y_test[i]]}\nnot {short[answers[i]]}" for i in surest]
figure = plots.images(x_full[surest], titles, size=0.98)
plots.show(figure, alt="Sixteen emoji that were sorted wrongly, the surest first.")

# %% [markdown]
# *The mistakes that it was surest of, titled "truth, not answer".* Cover the titles and sort
# them yourself: some labels follow the meaning, and no pixel shows it.

# %% [markdown]
# ## 7. Where in the picture is it?
#
# So far a picture had one thing in it. A street has many, and the question becomes *what,
# and where*. A **detector** is a network that answers with **boxes**, and a score for each.
# A box is (top, left, bottom, right) in pixels; its last row is bottom $-$ 1.
#
# Two tools are needed. The first says how well two boxes agree. **Intersection over union**,
# IoU, is the area that both share, divided by the area that at least one of them covers:
#
# $$\mathrm{IoU}(A,B) = \frac{|A\cap B|}{|A\cup B|},\qquad
# |A\cup B|=|A|+|B|-|A\cap B|.$$
#
# By hand: $A=(0,0,4,6)$ and $B=(2,3,6,9)$, of 24 pixels each. They share the rows 2 and 3
# and the columns 3 to 5, which is 6 pixels, so that the IoU is $6/(24+24-6)=\tfrac17$.


# %%
def iou(box, boxes):
    """Intersection over union of one box (4,) with boxes (n, 4): n numbers in [0, 1]."""
    top_left = np.maximum(box[:2], boxes[:, :2])
    bottom_right = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(bottom_right - top_left, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return shared / (np.prod(box[2:] - box[:2]) + areas - shared)


# %% [markdown]
# The second tool cleans up. A thing is found by many boxes, each shifted a little, and the
# answer should be one box. **Non-maximum suppression** keeps the box with the best score,
# drops all others whose IoU with it is above a threshold, and goes on with those that are
# left. By hand, with the threshold 0.5: boxes $P$, $Q$, $R$, $S$ have the scores 0.9, 0.8,
# 0.7 and 0.6, and only $P,Q$ overlap by more than that (0.6), and $Q,R$ (0.7). $P$ is kept and drops
# $Q$. Next comes $R$, which overlaps $P$ little, and is kept; that $Q$ would have dropped
# it does not count, because $Q$ is gone. $S$ is kept, too. You will write it, in an exercise.
#
# If all boxes have one size, there is a quicker way, used by some detectors (Zhou et al.,
# 2019): keep a place if its score is the highest of all within a window around it. That is
# a max pooling with stride 1, and a comparison.


# %%
def peaks(score, window):
    """Places (n, 2) where a map (rows, columns) is highest within a window, an odd size."""
    highest = cnn.max_pool2d(
        score[None, :, :, None], window, strides=1, padding="same"
    )
    return np.argwhere(score == highest[0, :, :, 0])


# %% [markdown]
# For scores we need no network: a drawing $d$ can be a kernel. Slide it over a scene $s$
# and measure the squared distance at each place, $\sum s^2-2\sum s\,d+\sum d^2$. The first
# two sums are convolutions, the third is the same everywhere. Divided by the distance
# of $d$ from white paper, and subtracted from 1, it is a score: 1 for the drawing itself,
# 0 for blank paper.
#
# A scene has eight drawings, and the wanted pig face is two of them. How high must a score
# be to count? Here lies a trap. A threshold that works in one scene may fail in the next,
# as soon as that holds something similar. So ask the other 1,851 drawings of the artist
# first, which one comes closest.

# %%
pig = 541  # the pig face
wanted = emoji["google"][pig]
from_white = np.sum((1 - wanted) ** 2)
alone = 1 - np.sum((emoji["google"] - wanted) ** 2, axis=(1, 2, 3)) / from_white
alone[pig] = -np.inf
look_alikes = np.argsort(-alone)[:8]
threshold = alone.max() + 0.05  # a little above the closest rival


def scene_of(others, places, rng):
    """A noisy scene (80, 144, 3) of eight drawings, and the boxes (2, 4) of the wanted."""
    scene = np.ones((80, 144, 3), "float32")
    corners = [(i, j) for i in (3, 44) for j in (2, 40, 75, 110)]
    for n, (top, left) in enumerate(corners):
        picture = wanted if n in places else emoji["google"][others[n]]
        scene[top : top + 32, left : left + 32] = picture
    scene += 0.1 * rng.normal(size=scene.shape)
    return scene, np.array([(*corners[n], corners[n][0] + 32, corners[n][1] + 32)
                            for n in places])  # fmt: skip


def score_map(scene):
    """Likeness to the wanted drawing at each place: (rows, columns), at most about 1."""
    squares = cnn.conv2d(scene[None] ** 2, np.ones((32, 32, 3, 1), "float32"))
    products = cnn.conv2d(scene[None], wanted[..., None])
    distance = (squares - 2 * products)[0, :, :, 0] + np.sum(wanted**2)
    return 1 - distance / from_white


# %%
def detect(score, limit):
    """Boxes (n, 4) of all places with a score above a limit, and of the peaks among them."""
    places = np.argwhere(score > limit)
    best = np.array(
        [p for p in peaks(score, 31) if score[tuple(p)] > limit]
    ).reshape(-1, 2)
    return [np.concatenate([each, each + 32], axis=1) for each in (places, best)]


def found_and_false(truth, boxes):
    """(true boxes that some box meets with IoU > 0.5, boxes that meet no true one)."""
    overlap = np.array([iou(each, boxes) for each in truth]) > 0.5  # (truth, boxes)
    return overlap.any(axis=1).sum(), len(boxes) - overlap.any(axis=0).sum()


rng = np.random.default_rng(seed(16))
tally = {"all places": [], "peaks": [], "peaks, limit 0.3": []}
for _ in range(20):
    others = rng.permutation(look_alikes)  # the hardest scenes that there are
    scene, truth = scene_of(others, sorted(rng.permutation(8)[:2]), rng)
    score = score_map(scene)
    every, best = detect(score, threshold)
    loose = detect(score, 0.3)[1]
    for name, boxes in zip(tally, (every, best, loose), strict=True):
        tally[name].append([len(boxes), *found_and_false(truth, boxes)])
tally = {name: np.array(each) for name, each in tally.items()}  # (20, 3)

# %% [markdown]
# **Predict.** Twenty scenes, each with two pig faces and six of its closest look-alikes. How
# many places per scene pass the threshold? How many are left after the clean-up, and how
# many of those are false? What changes with a limit of 0.3, which is enough for most
# drawings?

# %% tags=["predict"]
for name, each in tally.items():
    report(f"boxes, found and false per scene, {name}", each.mean(axis=0))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Several places for each pig face, since a shift by a pixel still fits well; after the
# clean-up two boxes, both right, in every scene. With the loose limit all look-alikes are
# taken for pigs. No clean-up can mend a score that is too generous.
#
# </details>

# %% tags=["claims"]
claim("boxes per scene, all places", tally["all places"][:, 0].mean(), at_least=3)
claim(
    "boxes after the clean-up, fewest",
    tally["peaks"][:, 0].min(),
    equals=2,
    tolerance=0,
)
claim(
    "boxes after the clean-up, most",
    tally["peaks"][:, 0].max(),
    equals=2,
    tolerance=0,
)
claim("found, fewest", tally["peaks"][:, 1].min(), equals=2, tolerance=0)
generous = tally["peaks, limit 0.3"][:, 2] - tally["peaks"][:, 2]
claim("false boxes per scene, limit 0.3 - threshold", generous.mean(), at_least=2)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3.6))
axis.imshow(scene.clip(0, 1))
for boxes, color, width, style in (
    (loose, plots.ORANGE, 1.2, "--"), (every, plots.SKY, 0.6, "-"), (best, plots.RED, 2.5, "-")
):  # fmt: skip
    for box in boxes:
        corner, extent = box[1::-1] - 0.5, box[2:] - box[:2]
        style_of = {"fill": False, "ec": color, "lw": width, "ls": style}
        axis.add_patch(plt.Rectangle(corner, *extent, **style_of))
axis.set_axis_off()
plots.show(
    figure, alt="Eight pink emoji; one thick box around each of two pig faces."
)

# %% [markdown]
# *The last scene. Thin: all places that pass the threshold. Thick: the peaks among them.
# Dashed: what the loose limit takes for pigs.* Real detectors learn the scores, and corrections
# of the boxes, from features such as ours (Girshick et al., 2014). They find faces, license
# plates, road signs and pedestrians. Suppression has a weakness: two things that really
# overlap lose a box. Newer detectors avoid it. They are trained so that each thing is
# claimed by exactly one output, and need no suppression at all (Carion et al., 2020).

# %% [markdown]
# ## 8. And what if the signal has one axis, or three?
#
# A kernel can slide along time as well. Sunspots come and go in cycles of about eleven
# years. Cut 260 years of them into windows of twelve years, and play each window twice:
# once forward, once backward. Which way does it run? The past is for training, the future
# for testing.


# %%
def both_ways(series, length):
    """All windows of a series (n,) as they are, label 1, and reversed in time, label 0."""
    windows = np.lib.stride_tricks.sliding_window_view(series, length)
    x = np.concatenate([windows, windows[:, ::-1]])[..., None].astype("float32")
    return x, np.repeat(
        [1, 0], len(windows)
    )  # (2 windows, length, 1), (2 windows,)


months, count = data.sunspots()
smooth = (
    np.convolve(count, np.ones(7) / 7, "valid")[::3] / 100
)  # one value per quarter
cut = int(0.65 * len(smooth))
x_past, y_past = both_ways(smooth[:cut], 48)  # (n, 48, 1)
x_future, y_future = both_ways(smooth[cut:], 48)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 1, figsize=(6.4, 3), sharex=True)
for axis, way, title in zip(axes, (1, -1), ("forward", "backward"), strict=True):
    axis.plot(np.arange(200) / 4, 100 * smooth[-200:][::way])
    axis.set(title=title, ylabel="sunspots")
axes[1].set_xlabel("years")
plots.show(figure, alt="Fifty years of sunspots, forward above, backward below.")

# %% [markdown]
# *Fifty years, both ways.* Cycles rise faster than they sink (Hathaway, 2015), so a rise
# that is steeper than the fall means forward. It is tempting to tell a story about that: a
# linear model has one weight for each time step, and a window may begin anywhere in the
# cycle, so it must guess; a convolution looks for steep rises wherever they are. Both
# halves of the story call for a rival. If it is the *sliding* that matters, a dense network
# of about as many weights, which slides nothing, should fail.


# %%
def direction_accuracy(body, number):
    """Accuracy on the future of a network with these layers, trained on the past."""
    number = seed(number)
    head = layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((48, 1)), *body, head])
    adam = keras.optimizers.Adam(0.005)
    model.compile(adam, "binary_crossentropy")
    model.fit(x_past, y_past, batch_size=64, epochs=12, verbose=0)
    return np.mean((predict(model, x_future)[:, 0] > 0.5) == y_future)


rivals = {
    "linear": lambda: [layers.Flatten()],
    "dense": lambda: [layers.Flatten(), layers.Dense(64, activation="relu")],
    "convolution": lambda: [
        layers.Conv1D(16, 9, activation="relu"),
        layers.Conv1D(16, 9, activation="relu"),
        layers.GlobalAveragePooling1D(),
    ],
}
told = {name: [direction_accuracy(body(), n) for n in (17, 18)]
        for name, body in progress(rivals.items(), "directions")}  # fmt: skip

# %% [markdown]
# **Predict.** Half of the windows run forward. How often is each of the three right about
# the future: guessing, better than that, or nearly always?

# %% tags=["predict"]
for name, each in told.items():
    report(f"{name}, two runs", each)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The linear model guesses. The convolution is nearly always right, and the dense network
# is not far behind. So most of the way from guessing to knowing needs no sliding. It
# needs a nonlinear layer, and a past whose windows begin everywhere in the cycle, so
# that the dense network has seen each shift.
#
# </details>

# %% tags=["claims"]
scores = {name: np.mean(each) for name, each in told.items()}
claim("accuracy, dense - linear", scores["dense"] - scores["linear"], at_least=0.2)
claim(
    "accuracy, convolution - linear",
    scores["convolution"] - scores["linear"],
    at_least=0.2,
)
claim("accuracy, convolution - dense", scores["convolution"] - scores["dense"],
      equals=0, tolerance=0.3)  # fmt: skip

# %% [markdown]
# The windows overlap, so there are fewer different cycles in the test than it seems: about
# eight. What shared weights add here is the rest. They add more where the shifts are *not*
# all in the training data, and they keep the number of weights small for long signals.
#
# Sound is such a signal, too; its spectrogram is a picture. So is a gene, with four
# channels, one for each letter. Films and body scans have three axes.
#
# **Predict.** A film has 10 frames of 32 by 32 pixels and 3 channels. Eight kernels of
# $3\times3\times3$ slide over it, without padding. Which shape comes out, and how many
# parameters are there?

# %% tags=["predict"]
film = np.zeros(
    (1, 10, 32, 32, 3), "float32"
)  # (batch, time, height, width, channel)
layer = layers.Conv3D(8, 3)
print(tuple(layer(film).shape), layer.count_params())

# %% [markdown]
# <details><summary>Answer</summary>
#
# Each axis along which it slides loses two, and the last axis counts the kernels:
# (1, 8, 30, 30, 8). Each kernel has $3\cdot3\cdot3\cdot3$ weights and a bias:
# $8\cdot(81+1)=656$. A kernel has one axis for each axis it slides along, and two for
# channels. All else is as before.
#
# </details>

# %% tags=["claims"]
one = layers.Conv1D(4, 9)
by_keras = ops.convert_to_numpy(one(x_past[:2]))
kernel, bias = one.get_weights()  # (9, 1, 4), (4,)
by_plane = cnn.conv2d(x_past[:2, None], kernel[None], bias)[:, 0]
claim("Conv1D less Conv2D on a picture of height 1", np.abs(by_plane - by_keras).max(),
      at_most=1e-5)  # fmt: skip
claim("parameters of Conv3D", layer.count_params(), equals=656, tolerance=0)

# %% [markdown]
# ## Common mistakes
#
# The widely copied program of section 2 stops with an error before it trains. Three of its
# mistakes are worth making once.
#
# ### Ten turns instead of ten degrees
#
# It wants turns of up to 10 degrees, by a class that Keras no longer has, and that needed
# SciPy without saying so; layers need neither. Whoever carries
# the number over to the layer gets an error:

# %% tags=["raises-exception"]
layers.RandomRotation(10)

# %% [markdown]
# The message asks for factors between $-1$ and 1, or for a pair of numbers. So one tries
# the pair $(-10, 10)$, and the error is gone. Does it do what was meant? Put one bright
# pixel 14 pixels from the middle. Turned by 10 degrees it moves by at most
# $2\cdot14\,\sin5^\circ\approx2.4$ pixels.
#
# **Predict.** How far does the pixel move at most under each factor?

# %% tags=["predict"]
number = seed(19)
dots = np.zeros((200, 33, 33, 1), "float32")
dots[:, 16, 30] = 1
farthest = {}
for factor in (10 / 360, (-10, 10)):
    turned = layers.RandomRotation(factor)(dots, training=True)
    turned = ops.convert_to_numpy(turned).reshape(200, -1)
    places = np.array(np.unravel_index(turned.argmax(axis=1), (33, 33))).T
    farthest[str(factor)] = np.hypot(*(places - [16, 30]).T).max()
report("farthest with 10 / 360, in pixels", farthest[str(10 / 360)])
report("farthest with (-10, 10), in pixels", farthest["(-10, 10)"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# With `10 / 360` it stays where it should. With $(-10, 10)$ it goes to the other side: a
# factor of 1 is a full turn, so these are up to ten turns either way, 3600 degrees.
#
# </details>

# %% tags=["claims"]
claim("farthest with 10 / 360", farthest[str(10 / 360)], at_most=3.2)
claim("farthest with (-10, 10)", farthest["(-10, 10)"], at_least=20)

# %% [markdown]
# ### Normalized, but not standardized
#
# It divides by 255 and subtracts a mean picture. That is a usual choice and no mistake, but
# it is not standardizing. And it does so in place, in a cell of a notebook. Cells get run
# twice.
#
# **Predict.** What is the standard deviation of the pixels after one run of the cell, and
# after two? (Whole numbers from 0 to 255 have a standard deviation of some 80 here.)

# %% tags=["predict"]
pixels = 255 * x_train
for run in (1, 2):
    pixels = pixels / 255
    pixels = pixels - pixels.mean(axis=0)
    report(f"standard deviation after run {run}", pixels.std())
by_layer = ops.convert_to_numpy(standardization(x_train)(x_train))
report("standard deviation after the layer", by_layer.std())

# %% [markdown]
# <details><summary>Answer</summary>
#
# After one run about a quarter to a third, not 1. After two it is 255 times smaller again,
# and the pictures are nearly gone. Subtracting twice does no harm; dividing twice does. A
# layer in the model is applied once, whatever one runs again.
#
# </details>

# %% tags=["claims"]
claim("deviation after two runs", pixels.std(), at_most=0.002)
claim("deviation of the layer", by_layer.std(), equals=1, tolerance=0.01)

# %% [markdown]
# ### Ten epochs without validation
#
# It trains for ten epochs, looks at the training loss only, and tests once, at the end.
#
# **Predict.** Judged by the training loss, which of the two networks of section 2 would you
# hand in? And by the loss on new pictures?

# %% tags=["predict", "E066"]
for name, each in runs.items():
    report(
        f"{name}, loss on old and on new pictures",
        each[:, -1, [0, 2], 1].mean(axis=0),
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# By the training loss the plain one, and augmentation seems to do nothing but harm. By the
# loss on new pictures it is the other way round.
#
# </details>

# %% tags=["claims"]
ends_of = {name: each[:, -1, :, 1].mean(axis=0) for name, each in runs.items()}
seen = ends_of["augmented"][0] - ends_of["plain"][0]
claim("loss on old pictures, augmented - plain", seen, at_least=0.1)

# %% [markdown]
# Learning by heart is seen too late to stop it; and whoever changes the network afterwards
# has chosen by the test. Set validation pictures aside, look at them after each epoch, and
# say with the result how far runs from other seeds are apart, and what guessing would get.

# %% [markdown]
# ## Exercises
#
# ### Exercise 05b.6: a bottleneck by hand
#
# *10 minutes, pencil and paper.* The deep members of the ResNet family have another
# block: a $1\times1$ convolution from $n$ channels to $n/4$, a $3\times3$ convolution from
# $n/4$ to $n/4$, and a $1\times1$ convolution back to $n$. No biases, no batch norm, all
# with stride 1. For $n=64$ on a map of 8 by 8 places: how many weights has it, how many
# multiplications does it need, and how many times fewer are they than those of two
# $3\times3$ convolutions from 64 channels to 64?

# %% tags=["exercise"]
bottleneck = ...  # (weights, multiplications, times fewer)

check("05b.6", bottleneck)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Weights of a convolution: kernel height times kernel width times channels in times channels
# out.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each weight is used once at every place of the map.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The $3\times3$ convolution in the middle has $9\cdot16\cdot16$ weights. The other two have
# equally many.
#
# </details>

# %% tags=["solution"]
bottleneck_solution = (
    64 * 16 + 9 * 16 * 16 + 16 * 64,
    64 * (64 * 16 + 9 * 16 * 16 + 16 * 64),
    2 * 9 * 64 * 64 / (64 * 16 + 9 * 16 * 16 + 16 * 64),
)
check("05b.6", bottleneck_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.2: a split that keeps twins together
#
# *15 minutes.* Each picture has the name of its concept. Draw a share of the *concepts* at
# random, with `rng`, rounded to a whole number of them. Each concept has the same chance,
# and none is drawn twice; all their pictures are for testing, and no others.


# %% tags=["exercise"]
def split_by_concept(concepts, share, rng):
    """Return (n,) bool, True for test pictures; concepts is an array of n names."""
    raise NotImplementedError


check("05b.2", split_by_concept)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.unique` gives each concept once.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `rng.permutation` shuffles them; take the first few.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.isin` says of each picture whether its name is among some others.
#
# </details>


# %% tags=["solution"]
def split_by_concept_solution(concepts, share, rng):
    shuffled = rng.permutation(np.unique(concepts))
    return np.isin(concepts, shuffled[: round(share * len(shuffled))])


check("05b.2", split_by_concept_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.7: non-maximum suppression
#
# *25 minutes.* Section 7 describes it in words, and plays one case by hand. Write it for
# boxes of any size. Of two boxes with equal scores the one that comes first in the list goes
# first. An overlap of exactly the threshold is still allowed.


# %% tags=["exercise"]
def suppress(boxes, scores, threshold):
    """The numbers (a list) of the boxes that are kept, best score first.

    boxes (n, 4): top, left, bottom, right, the last two outside; scores (n,).
    """
    raise NotImplementedError


check("05b.7", suppress)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Which of the boxes that are left is kept next? Which of the others does it take with it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A box that was dropped can no longer drop others. So compare with *kept* boxes only.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Go through the boxes in the order of their scores. `np.argsort` of the negative scores,
# with `kind="stable"`, respects ties. You need the IoU of one box with all kept ones.
#
# </details>


# %% tags=["solution"]
def suppress_solution(boxes, scores, threshold):
    boxes, kept = np.asarray(boxes, float), []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) if len(boxes) else []
    for i in np.argsort(-np.asarray(scores, float), kind="stable"):
        low = np.maximum(boxes[i, :2], boxes[kept, :2])
        high = np.minimum(boxes[i, 2:], boxes[kept, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        if np.all(shared <= threshold * (areas[i] + areas[kept] - shared)):
            kept.append(int(i))
    return kept


check("05b.7", suppress_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.8: a shortcut where the shapes differ
#
# *25 minutes.* Our frame halves the maps *between* blocks. ResNet itself does it *inside* a
# block: the first convolution has stride 2 and twice as many filters, so that $F(x)$ has
# another shape than $x$, and cannot be added to it. The shortcut then becomes a
# $1\times1$ convolution with stride 2, the **projection**. Write such a block with
# `cnn.conv2d` of chapter 05, which takes `strides` and `padding`: ReLU behind the first
# convolution, none behind the second, and ReLU behind the sum.


# %% tags=["exercise"]
def projection_block(x, first, second, shortcut, strides):
    """Maps (batch, h, w, c) -> maps (batch, h / strides, w / strides, filters).

    first, second, shortcut: (kernel, bias) of 3 x 3, 3 x 3 and 1 x 1 convolutions. The
    first and the shortcut have these strides. All padding is "same".
    """
    raise NotImplementedError


check("05b.8", projection_block)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write down the shape behind each of the three convolutions. Which two must agree?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Only two of the three convolutions move in steps of `strides`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# There are two ReLUs: one inside $F$, one around the whole sum. The projection has none of
# its own.
#
# </details>


# %% tags=["solution"]
def projection_block_solution(x, first, second, shortcut, strides):
    from dl_course import cnn

    options = {"strides": strides, "padding": "same"}
    hidden = np.maximum(cnn.conv2d(x, *first, **options), 0)
    f = cnn.conv2d(hidden, *second, padding="same")
    return np.maximum(f + cnn.conv2d(x, *shortcut, **options), 0)


check("05b.8", projection_block_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.9: find the leak
#
# *20 minutes.* A colleague wanted more pictures. She added a mirrored copy of each, *then*
# split at random, and is glad about her accuracy. Write the detective: which test pictures
# are in training as well, as they are or mirrored left and right? Saving and scaling may
# have changed each number a little, by at most `tolerance`.


# %% tags=["exercise"]
def leaked(x_train, x_test, tolerance):
    """Return (n,) bool: True for test pictures that are in training, perhaps mirrored.

    x_train (m, h, w, 3), x_test (n, h, w, 3): pictures in floats.
    """
    raise NotImplementedError


check("05b.9", leaked)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two pictures are the same if *no* number differs by more than the tolerance. A small mean
# difference is not enough.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Which axis of (n, height, width, 3) has to be reversed for a mirror image?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Take one test picture at a time. Its largest difference from each training picture is a
# maximum over the last three axes.
#
# </details>


# %% tags=["solution"]
def leaked_solution(x_train, x_test, tolerance):
    def is_there(picture):
        return (np.abs(x_train - picture).max(axis=(1, 2, 3)) <= tolerance).any()

    return np.array([is_there(p) or is_there(p[:, ::-1]) for p in x_test])


check("05b.9", leaked_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.10: is the difference luck?
#
# *25 minutes, an experiment.* Two methods were scored with the same $n$ seeds, in pairs. If
# the method made no difference, then each of the $n$ differences might as well have had the
# other sign. That is the control: flip the signs in all $2^n$ possible ways, and see how
# often the mean is at least as far from 0 as the one that was measured. Write it. Then run
# `augmentation_run` of section 2 with more seeds, and ask it about the accuracy and about the
# loss. How many seeds does one need before a share below 0.05 is possible at all?


# %% tags=["exercise"]
def sign_flips(a, b):
    """(mean of a - b, share of all sign patterns whose mean is as far from 0 or farther).

    a, b: scores (n,) with equal seeds, n from 1 to 12.
    """
    raise NotImplementedError


check("05b.10", sign_flips)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `itertools.product([1, -1], repeat=n)` runs through all patterns. The one that was measured
# is among them and counts.
#
# </details>
# <details><summary>Hint 2</summary>
#
# "As far from 0" looks at both sides: compare absolute values.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Sums of the same numbers in another order differ by tiny rounding errors. Grant each
# comparison a tolerance of `1e-12` or so.
#
# </details>


# %% tags=["solution"]
def sign_flips_solution(a, b):
    import itertools

    difference = np.asarray(a, float) - np.asarray(b, float)
    signs = np.array(list(itertools.product([1, -1], repeat=len(difference))))
    means = np.abs(signs @ difference) / len(difference)
    enough = np.abs(difference.mean()) - 1e-12 * (1 + np.abs(difference).max())
    return difference.mean(), np.mean(means >= enough)


check("05b.10", sign_flips_solution, solution=True)

# %% [markdown]
# <details><summary>How many seeds?</summary>
#
# The pattern that was measured and its opposite always count, so that the share is at least
# $2/2^n$: with five seeds it cannot fall below 0.0625, with six it can.
#
# </details>

# %% [markdown]
# ### Exercise 05b.5: half a cat, half a flag
#
# *45 minutes, a small project.* **Mixup** (Zhang et al., 2018) blends each picture with a
# partner, and the labels alike: $w\,x_i + (1-w)\,x_j$ and $w\,y_i + (1-w)\,y_j$. Write it
# for a batch. Then blend `x_train` and its one-hot labels with random partners and weights
# between 0.6 and 1, train the network of section 6 on the result, choose by validation
# pictures, and compare over several seeds. (`train` takes integer labels, so call `compile`
# and `fit` yourself, with the loss `categorical_crossentropy`. Only the function is
# checked.)


# %% tags=["exercise"]
def mixup(x, y, partner, weight):
    """Return mixed x (n, height, width, 3), y (n, classes); partner, weight: (n,)."""
    raise NotImplementedError


check("05b.5", mixup)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `x[partner]` are the partners, in order.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `weight` must be multiplied along the first axis: give it more axes.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Pictures have four axes and labels two, so the weights need two shapes. Whole numbers must
# not be rounded: let the result be floats.
#
# </details>


# %% tags=["solution"]
def mixup_solution(x, y, partner, weight):
    wide, flat = weight[:, None, None, None], weight[:, None]
    x_mixed = wide * x + (1 - wide) * x[partner]
    return x_mixed, flat * y + (1 - flat) * y[partner]


check("05b.5", mixup_solution, solution=True)
