# %% [markdown]
# Two artists drew the same eight things. What would you call each of them?

# %%
import keras
from dl_course import cnn, craft, data, linear, vision
from keras import layers

emoji = data.emoji()
rows = [0, 60, 541, 607, 669, 786, 1019, 1100]
pairs = np.concatenate([emoji[artist][rows] for artist in ("google", "twitter")])

# %% tags=["figure"]
figure = plots.images(pairs, size=0.95)
plots.show(figure, alt="Eight emoji in two rows, one row an artist.")

# %% [markdown]
# Above: Noto, drawn for Google. Below: Twemoji, drawn for Twitter. Each column is one
# **concept**, such as *pig face*. A network shall sort such pictures into nine
# **categories**, among them food, animals, flags and faces. It gets three thousand of
# them, in color, where chapter 05 had sixty thousand gray digits. This chapter is
# about getting more out of few pictures, and about seeing what the network made of
# them.

# %% [markdown]
# ## Recall
#
# 1. How many multiplications does a $3 \times 3$ convolution need, from 32 channels
#    to 64, on a map of 13 by 13 places?
# 2. What does batch normalization do with a channel, in training and in use?
# 3. A convolution is equivariant to shifts. To turns as well?
#
# <details><summary>Answer</summary>
#
# 1. 9 · 32 · 64 weights at 169 places: 3.1 million.
# 2. It subtracts a mean and divides by a deviation, then scales and shifts. In
#    training they are the batch's, in use fixed averages.
# 3. No. Whoever wants turned pictures recognized must show turned pictures.
#
# </details>

# %% [markdown]
# ## 1. What is a new picture?
#
# Each concept is there twice. Draw the test pictures at random, and most of them have
# a twin in training: same concept, other artist. A network could learn the twin by
# heart.
#
# We measure this with a method that can do nothing else. The **nearest neighbor**
# takes the label of the training picture whose pixels differ least.
#
# **Predict.** First no test concept is in training. Then the pictures are drawn at
# random, and twins are torn apart. How many more of 100 test pictures does the
# nearest neighbor get right?


# %%
def neighbor_accuracy(x_old, y_old, x_new, y_new):
    old, new = x_old.reshape(len(x_old), -1), x_new.reshape(len(x_new), -1)
    distance = (
        np.sum(old**2, axis=1) - 2 * new @ old.T
    )  # + |new|², alike for all old
    return np.mean(y_old[distance.argmin(axis=1)] == y_new)


# %%
(x_train, y_train), (x_test, y_test) = vision.emoji_split(emoji)
by_concept = neighbor_accuracy(x_train, y_train, x_test, y_test)

x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
order = np.random.default_rng(seed(1)).permutation(len(x))
new, old = order[: len(x_test)], order[len(x_test) :]
by_picture = neighbor_accuracy(x[old], y[old], x[new], y[new])

# %%
common = np.bincount(y_test).max() / len(y_test)
claim("the most common category", common, at_most=0.2)
claim("nearest neighbor, unseen concepts", by_concept, at_least=0.55)
gained = by_picture - by_concept
claim("... more by tearing twins apart", gained, at_least=0.05)

# %% [markdown]
# A gain for nothing: the method is the same, only the test is easier. What counts as
# new depends on the question. Ours is *a concept of which the network saw no
# drawing*. So the split is by concept, and every accuracy below is measured on the
# drawings of 366 unseen ones. They are few, so a difference of a point or two says
# little.
#
# Whoever always names the most common category is right less than one time in five.
# Nearest pixels do far better, for many concepts have cousins: clock faces, flags,
# smileys. Their accuracy on unseen concepts is the number to beat.

# %% [markdown]
# ## 2. How can three thousand pictures become more?
#
# A cat in a mirror is a cat. So is a cat a little to the left, a little turned, a
# little larger, or a little more orange. Each such change keeps the label $y$ and
# gives another picture $t(x)$. Training on $t(x)$, with a new random $t$ each time,
# is **augmentation** (Shorten & Khoshgoftaar, 2019). Let $f$ be the network and $L$
# the loss. In place of the loss of the $n$ pictures it lowers the mean over all
# changes, $\mathbb{E}_t$:
#
# $$\frac1n\sum_{i=1}^n \mathbb{E}_t\,L\big(f(t(x_i)),\,y_i\big)$$
#
# In Keras these changes are layers.

# %%
reveal(vision.augmentation, vision.stronger_augmentation)

# %% [markdown]
# The first list stands for the tutorial's `ImageDataGenerator`, which is gone. The
# second is ours.
#
# **Predict.** Is there a change among these six that could turn an emoji into one of
# another category?

# %%
seed(2)
copies = np.repeat(x_train[[600, 1019]], 8, axis=0)  # (16, 32, 32, 3)
changed = copies
for layer in vision.stronger_augmentation():
    changed = layer(changed, training=True)

# %% tags=["figure"]
figure = plots.images(np.array(changed), size=0.95)
plots.show(figure, alt="Two emoji, eight variants of each: moved, turned, tinted.")

# %% [markdown]
# Two pictures, eight times each. None has changed its category. A mirrored arrow
# would still be a symbol, and a flag in other colors still a flag. Digits would be
# another matter: mirror a 2, and it is no digit.
#
# In use, an answer must not depend on dice. So the layers should act in training
# only. There are three ways to use a model: `model.predict(x)`,
# `model(x, training=False)`, and a bare `model(x)`.
#
# **Predict.** In which of them are the layers silent?

# %%
mirror = keras.Sequential([keras.Input((32, 32, 3)), *vision.augmentation()])
few = x_test[:32]
results = {"predict": mirror.predict(few, verbose=0)}
results["called with training=False"] = mirror(few, training=False)
results["called without a word"] = mirror(few)
for name, result in results.items():
    same = np.array_equal(np.array(result), few)
    print(f"{name}: {'silent' if same else 'pictures changed'}")

# %%
silent = [np.array_equal(results[name], few) for name in list(results)[:2]]
claim("predict and training=False leave pictures alone", all(silent))

# %% [markdown]
# The third line is a trap. Random layers believe that they are in training unless
# told otherwise, so a bare `model(x)` throws dice. Write `training=False`, or use
# `predict`.

# %% [markdown]
# ## 3. Does it help?
#
# Here is the network of the tutorial, made for CIFAR-10 (Krizhevsky, 2009): photos of
# the same size, ten classes, 50,000 to train and 10,000 to test.

# %%
reveal(vision.build_document_color_cnn)

# %% [markdown]
# The tutorial subtracted a mean picture, and spoke of standardizing. The
# `Normalization` layer does it: $(x-\mu_c)/\sigma_c$ for each channel $c$, with mean
# $\mu_c$ and deviation $\sigma_c$ of the training pictures only.
#
# We train it twice, alike but for the augmentation, for the same number of steps.
#
# **Predict.** Order four accuracies: with and without augmentation, on old pictures
# and on new ones.


# %%
def fit(augment, epochs=14):
    seed(3)  # the same start for both
    model = vision.build_document_color_cnn(x_train, 9, augment)
    model.compile("adam", "sparse_categorical_crossentropy")
    bar = progress_bar("the tutorial's network")
    options = {"epochs": epochs, "batch_size": 64, "callbacks": [bar]}
    model.fit(x_train, y_train, verbose=0, **options)
    return model


def answers(model, x):
    parts = np.array_split(x, len(x) // 250 + 1)
    return np.concatenate([np.array(model(part, training=False)) for part in parts])


def judge(model, x, y):
    p = answers(model, x)  # (n, 9)
    return np.mean(p.argmax(axis=1) == y), -np.log(p[range(len(y)), y]).mean()


# %%
plain, augmented = fit([]), fit(vision.stronger_augmentation())
old = [judge(model, x_train, y_train) for model in (plain, augmented)]
new = [judge(model, x_test, y_test) for model in (plain, augmented)]

# %%
claim("old pictures, plain", old[0][0], at_least=0.85)
claim("old pictures, augmented", old[1][0], at_least=0.68, at_most=0.9)
claim("new pictures, plain", new[0][0], at_least=0.53, at_most=0.66)
claim("new pictures, augmented", new[1][0], at_least=0.53, at_most=0.7)
gaps = [seen[0] - unseen[0] for seen, unseen in zip(old, new, strict=True)]
claim("gap, augmented / plain", gaps[1] / gaps[0], at_most=0.75)
claim("loss on new ones, augmented / plain", new[1][1] / new[0][1], at_most=0.85)

# %% [markdown]
# The plain network knows its own pictures nearly by heart, and new ones hardly better
# than the nearest neighbor does. Augmentation closes much of the gap, but mostly from
# the other side: the network knows the old pictures less well. In so few epochs it is
# hardly more often right on new ones. What falls clearly is the loss on new pictures:
# the augmented network is less sure where it errs.
#
# All this holds for emoji. On CIFAR-10 itself `benchmarks/color_images.py` in the
# repository trains the tutorial's network, with the tutorial's augmentation, for the
# tutorial's ten epochs.

# %% [markdown]
# ## 4. What does a shortcut change?
#
# Deeper networks should be better, and for a long time they were not: they were
# harder to train. He et al. (2016) changed one thing. Let two convolutions compute a
# *correction* $F(x)$, not the result:
#
# $$y = \mathrm{ReLU}\big(x + F(x)\big)$$
#
# The added $x$ is the **shortcut**. Doing nothing is now easy: $F = 0$. And where
# ReLU lets the sum pass, the derivative has a part that no weight can shrink:
# $1 + F'(x)$ in place of $F'(x)$.

# %%
reveal(vision.residual_block, vision.fold_batch_norm)

# %% [markdown]
# The second function shows what is left of batch normalization in use: it is another
# kernel and another bias, nothing more. Section 5 tests that on a trained network.
#
# Stack 20 blocks with weak kernels and nudge one pixel. How much of the nudge arrives
# at the end?
#
# **Predict.** About as much as was sent, a thousandth, or nothing that matters? Say
# it for the stack with shortcuts, and for the one without.

# %%
rng = np.random.default_rng(seed(4))
x = rng.uniform(size=(1, 8, 8, 8))
nudged = x.copy()
nudged[0, 4, 4] += 0.001
plainly, nudged_plainly, shortly, nudged_shortly = x, nudged, x, nudged
for _ in range(20):
    weak = rng.normal(size=(2, 3, 3, 8, 8)) * 0.04
    pair = [(kernel, np.zeros(8)) for kernel in weak]
    shortly, nudged_shortly = (
        vision.residual_block(h, *pair) for h in (shortly, nudged_shortly)
    )
    for kernel in weak:
        plainly = np.maximum(cnn.conv2d(plainly, kernel, padding="same"), 0)
        nudged_plainly = np.maximum(
            cnn.conv2d(nudged_plainly, kernel, padding="same"), 0
        )

# %%
sent = np.abs(nudged - x).max()
arrived = np.abs(nudged_plainly - plainly).max() / sent
claim("of the nudge, without shortcuts", arrived, at_most=1e-4)
arrived = np.abs(nudged_shortly - shortly).max() / sent
claim("of the nudge, with shortcuts", arrived, at_least=0.1)

# %% [markdown]
# Without shortcuts the signal dies, and so would the gradient on its way back
# (chapter 03). Batch normalization helps too, by another way: it scales each layer up
# again.

# %% [markdown]
# ## 5. Is a residual network better at equal work?
#
# Ours has three blocks, and nine convolutions in all.

# %%
reveal(vision.build_residual_cnn, vision.train)

# %% [markdown]
# Two things here are new. **Global average pooling** takes the mean of each channel
# over all places. So the head has few weights, and knows no places. **Label
# smoothing** (Szegedy et al., 2016) asks for a probability of a bit more than 0.9,
# not for 1. A softmax reaches 1 only with infinite scores, so nobody has to become
# infinitely sure. All choices were made on concepts held out from training.
#
# More layers must not mean more work. So we count.
#
# **Predict.** Nine convolutions against two. Whose epoch costs more
# multiplications, and who has more parameters?

# %%
seed(5)
residual = vision.build_residual_cnn(9, vision.stronger_augmentation())
epochs = {"plain": 14, "residual": 9}
work = linear.forward_flops(residual) * epochs["residual"]
work /= linear.forward_flops(plain) * epochs["plain"]
size = residual.count_params() / plain.count_params()
claim("work of training, of the plain network's", work, at_most=1)
claim("parameters, of the plain network's", size, at_most=0.5)

# %%
bar = progress_bar("residual network")
options = {"epochs": epochs["residual"], "callbacks": [bar]}
_ = vision.train(residual, x_train, y_train, **options)

# %%
accuracy, loss = judge(residual, x_test, y_test)
claim("unseen concepts, residual", accuracy, at_least=0.57)
claim("... minus augmented", accuracy - new[1][0], at_least=-0.03)
claim("... loss, of the augmented's", loss / new[1][1], at_most=1)

# %% [markdown]
# An epoch of the residual network costs more multiplications, so it got nine epochs
# and not fourteen. It has fewer parameters, for it has no wide dense layer. Same
# pictures, no more work, less than half of the parameters: a lower loss, and about as
# many pictures right or a few more. With 366 new concepts, two percent are noise, so
# one run cannot crown a winner. Nor can it say what lowered the loss: the shortcuts,
# the schedule, the smoothing? The repository's `benchmarks/color_images.py` takes
# them away one by one, over several seeds. It also trains a wider one for longer:
# this one had to stop early.
#
# And the claim of section 4? Behind the input and six changes come the first
# convolution and its batch normalization, both trained now. Folded into one kernel
# and one bias, they should do the same.

# %%
conv, norm = residual.layers[7:9]
kernel, bias = vision.fold_batch_norm(conv.get_weights()[0], *norm.get_weights())
folded = cnn.conv2d(few, kernel, bias, strides=2, padding="same")
apart = folded - np.array(norm(conv(few), training=False))
claim("folded, from the two layers", np.abs(apart).max(), at_most=1e-4)

# %% [markdown]
# ## 6. What did it learn, and where does it fail?
#
# First, look at its maps of one picture.


# %%
def predict(x):
    return answers(residual, x)


blocks = [residual.get_layer(f"block{level}").output for level in (0, 2)]
viewer = keras.Model(residual.input, blocks)
early, late = map(np.array, viewer(x_test, training=False))
probabilities = predict(x_test)  # (732, 9)
predicted = probabilities.argmax(axis=1)
sure = probabilities[range(len(y_test)), y_test]  # of the truth
best = [np.flatnonzero(y_test == k)[sure[y_test == k].argmax()] for k in (3, 2, 4)]

# %% tags=["figure"]
shown = np.moveaxis(early[best[0]], -1, 0)  # (16, 16, 16) channels first
figure = plots.images(shown, columns=8, size=0.95)
plots.show(figure, alt="Sixteen feature maps of a picture: edges, areas, colors.")

# %% [markdown]
# The sixteen maps of the first block: outlines, areas, shadows of one drawing. But
# what does a channel *look for*? Ask all test pictures. For each channel, find the
# units that are excited most, and cut out the patch that each of them sees. Section 6
# of chapter 05 says how large that patch is; `vision.strongest_patches` also finds
# where it lies.
#
# **Predict.** A unit of the first block sees 13 by 13 pixels. What will the eight
# favorite patches of a channel have in common? And what the eight favorite pictures
# of a channel of the last block, whose units see everything?

# %%
stack = [(5, 2), (3, 1), (3, 1)]  # (kernel size, stride) up to the first block
strongest = np.argsort(-early.max(axis=(0, 1, 2)))[:4]
patches = [vision.strongest_patches(x_test, early, stack, c)[0] for c in strongest]
channels = np.argsort(-late.std(axis=(0, 1, 2)))[:4]
favorites = [np.argsort(-late[..., c].mean(axis=(1, 2)))[:8] for c in channels]

# %% tags=["figure"]
figure = plots.images(np.concatenate(patches), columns=8, size=0.8)
plots.show(figure, alt="Four rows of eight patches, alike within a row.")

# %% [markdown]
# A row is a channel of the first block, with the patches that excite it most: colors,
# corners and edges. White is the ground of emoji; gray lies outside of the picture.

# %% tags=["figure"]
figure = plots.images(x_test[np.concatenate(favorites)], columns=8, size=0.8)
plots.show(figure, alt="Four rows of eight emoji; each row has a theme.")

# %% [markdown]
# A row is a channel of the last block, with the pictures that excite it most. Some
# rows have a theme, such as striped flags; others are mixed. To put a number on it:
# what share of a row belongs to its most frequent category? Rows of eight pictures
# drawn at random are the rival.


# %%
def purity(numbers):  # of a channel's eight favorites
    return np.bincount(y_test[numbers]).max() / len(numbers)


tops = [np.argsort(-late[..., c].mean(axis=(1, 2)))[:8] for c in range(64)]
by_chance = [purity(row) for row in rng.integers(0, 732, size=(1000, 8))]
claim("purity by chance", np.mean(by_chance), at_most=0.45)
claim(
    "purity of the last block", np.mean([purity(top) for top in tops]), at_least=0.6
)

# %% [markdown]
# Second, cover. Hide a part under a white square, and move the square over the
# picture. Where the probability of the true category falls, the part was evidence
# (Zeiler & Fergus, 2014).

# %%
drops = [
    vision.occlusion_map(predict, x_test[i], y_test[i], size=8, step=2)
    for i in best
]
claim("the largest drop", max(drop.max() for drop in drops), at_least=0.1)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 3, figsize=(5, 3.4))
for i, drop, (above, below) in zip(best, drops, axes.T, strict=True):
    above.imshow(x_test[i])
    above.set_title(emoji["categories"][y_test[i]], loc="center")
    below.imshow(drop, "RdBu", vmin=-np.abs(drop).max(), vmax=np.abs(drop).max())
    above.set_axis_off(), below.set_axis_off()
plots.show(figure, alt="Three emoji, and below each where covering hurts.")

# %% [markdown]
# Blue: hiding this place lowers the probability of the truth. Red: hiding it helps.
# Such a map shows what *this* network used. It does not show that it was right to.
#
# Third, count by category.
#
# The nine are faces, people, animals, food, travel, activities, objects, symbols and
# flags.
#
# **Predict.** Which category is easiest, which is hardest?

# %%
matrix = craft.confusion_matrix(y_test, predicted, 9)
_, recall = craft.precision_recall(matrix)
flags = emoji["categories"].index("Flags")
claim("flags found", recall[flags], at_least=0.9)
claim("worst category found", recall.min(), at_most=0.5)

# %% tags=["figure"]
short = ["faces", "people", "animals", "food", "travel"]
short += ["activities", "objects", "symbols", "flags"]
figure = plots.confusion(matrix, short)
figure.axes[0].tick_params(axis="x", rotation=60)
title = f"easiest: {short[recall.argmax()]}, hardest: {short[recall.argmin()]}"
figure.axes[0].set_title(title)
plots.show(figure, alt="A table of counts: flags are safe, objects go everywhere.")

# %% [markdown]
# Rows are true categories, columns answers. The title names the largest and the
# smallest share that was found. Flags look like flags. *Activities* says what people
# do with a thing, not how it looks. And *objects* may look like anything: many wrong
# answers land there.

# %% tags=["figure"]
wrong = np.flatnonzero(predicted != y_test)
worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]])][:16]
titles = [f"{short[y_test[i]]}\nnot {short[predicted[i]]}" for i in worst]
figure = plots.images(x_test[worst], titles, size=0.98)
plots.show(figure, alt="Sixteen emoji that were sorted wrongly, surest first.")

# %% [markdown]
# The mistakes that it was surest of, titled *truth, not answer*. Cover the titles and
# sort them yourself: some labels follow meaning, and no pixel shows it.

# %% [markdown]
# ## 7. Where in the picture is it?
#
# So far a picture had one thing in it. A street has many, and the question becomes
# *what, and where*. **Detectors** are networks that answer it: with **boxes**, and a
# score for each. Two tools serve nearly all of them.
#
# **Intersection over union** says how well two boxes agree. It is the area that both
# share, divided by the area that either covers:
#
# $$\mathrm{IoU}(A,B) = \frac{|A\cap B|}{|A\cup B|}$$
#
# **Non-maximum suppression** cleans up: one thing is found by many boxes. Keep the
# box with the best score, drop all that overlap it too much, and repeat with the
# rest.

# %%
reveal(vision.iou, vision.non_max_suppression)

# %% [markdown]
# For scores we need no network: a picture can be a kernel. Slide a drawing $d$ over a
# scene $s$ and measure the squared distance at each place,
# $\sum s^2 - 2\sum s\,d + \sum d^2$. The first two sums are convolutions; the third
# is the same everywhere.

# %%
rng = np.random.default_rng(seed(6))
wanted, others = emoji["google"][541], emoji["google"][rng.integers(0, 1852, 6)]
scene = np.ones((80, 144, 3), "float32")
corners = [(i, j) for i in (3, 44) for j in (2, 40, 75, 110)]
for n, (top, left) in enumerate(corners):
    picture = wanted if n in (1, 6) else others[n % 6]
    scene[top : top + 32, left : left + 32] = picture
scene += rng.normal(size=scene.shape).astype("float32") * 0.1

# %%
squares = cnn.conv2d(scene[None] ** 2, np.ones((32, 32, 3, 1), "float32"))
products = cnn.conv2d(scene[None], wanted[..., None])
distance = (squares - 2 * products)[0, :, :, 0] + np.sum(wanted**2)
score = 1 - distance / np.sum((1 - wanted) ** 2)  # 1: the same, 0: like blank paper
places = np.argwhere(score > 0.3)  # (n, 2)
boxes = np.concatenate([places, places + 32], axis=1)

# %% [markdown]
# **Predict.** The wanted drawing is there twice. Each place with a score above 0.3
# gives a box. Are there two of them, or many more? And how many are left after the
# clean-up?

# %%
kept = vision.non_max_suppression(boxes, score[places[:, 0], places[:, 1]], 0.3)
truth = np.array([(top, left, top + 32, left + 32) for top, left in corners])
hits = [vision.iou(truth[n], boxes[kept]).max() for n in (1, 6)]
claim("boxes before", len(boxes), at_least=4)
claim("boxes after", len(kept), equals=2, tolerance=0)
claim("worst IoU with the truth", min(hits), at_least=0.9)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3.6))
axis.imshow(scene.clip(0, 1))
for n, box in enumerate(boxes):
    color, width = (plots.RED, 2.5) if n in kept else (plots.SKY, 0.6)
    corner, size = box[1::-1] - 0.5, box[2:] - box[:2]
    axis.add_patch(plt.Rectangle(corner, *size, fill=False, ec=color, lw=width))
axis.set_axis_off()
plots.show(
    figure, alt="Eight emoji; thin boxes around two of them, one thick each."
)

# %% [markdown]
# Thin: all boxes that passed. Thick: those that were kept. Real detectors learn the
# scores, and corrections of the boxes, from features such as ours (Girshick et al.,
# 2014). They find faces, license plates, road signs and pedestrians; IoU and
# suppression stay as they are.

# %% [markdown]
# ## 8. And what if the signal has one axis, or three?
#
# A kernel can slide along time as well. Sunspots come and go in cycles of about
# eleven years. Cut 260 years of them into scenes of twelve years, and play each scene
# twice: once forward, once backward.
#
# **Predict.** Could you tell which way such a scene runs? By what?

# %%
months, count = data.sunspots()
smooth = np.convolve(count, np.ones(7) / 7, "valid")[::3] / 100  # a value a quarter
cut = int(0.65 * len(smooth))  # learn from the past, test on the future
x_past, y_past = vision.both_ways(smooth[:cut], 48, 1)  # (n, 48, 1)
x_future, y_future = vision.both_ways(smooth[cut:], 48, 1)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 1, figsize=(6.4, 3), sharex=True)
for axis, way, title in zip(axes, (1, -1), ("forward", "backward"), strict=True):
    axis.plot(np.arange(200) / 4, 100 * smooth[-200:][::way])
    axis.set(title=title, ylabel="sunspots")
axes[1].set_xlabel("years")
plots.show(figure, alt="Fifty years of sunspots, forward above, backward below.")

# %% [markdown]
# Fifty years, both ways. Cycles rise faster than they sink (Hathaway, 2015). So a
# rise that is steeper than the fall means forward. A linear model has one weight for
# each moment of a scene, and a scene may begin anywhere in the cycle.


# %%
def tell_direction(*body):
    seed(7)
    stack = [keras.Input((48, 1)), *body, layers.Dense(1, "sigmoid")]
    model = keras.Sequential(stack)
    adam = keras.optimizers.Adam(0.005)
    model.compile(adam, "binary_crossentropy", metrics=["accuracy"])
    model.fit(x_past, y_past, batch_size=64, epochs=12, verbose=0)
    return model.evaluate(x_future, y_future, verbose=0)[1]


def conv():
    return layers.Conv1D(16, 9, activation="relu")


# %%
linear = tell_direction(layers.Flatten())
convolved = tell_direction(conv(), conv(), layers.GlobalAveragePooling1D())
claim("linear, on the future", linear, at_least=0.4, at_most=0.6)
claim("Conv1D, on the future", convolved, at_least=0.9)

# %% [markdown]
# The linear model guesses; the convolution looks for steep rises, wherever they are.
# (The scenes overlap, so there are fewer cycles in the test than it seems: about
# eight.)
#
# Sound is such a signal too; its spectrogram is a picture. So is a gene, with four
# channels, one for each letter. Films and body scans have three axes.
#
# **Predict.** A film of 10 frames, 32 by 32 pixels, 3 channels. Eight kernels of
# $3 \times 3 \times 3$ slide over it, without padding. Which shape comes out, and how
# many parameters are there?

# %%
film = np.zeros(
    (1, 10, 32, 32, 3), "float32"
)  # (batch, time, height, width, channel)
layer = layers.Conv3D(8, 3)
print(tuple(layer(film).shape), layer.count_params())

# %%
one = layers.Conv1D(4, 9)
by_keras = np.array(one(x_past[:2]))
kernel, bias = one.get_weights()  # (9, 1, 4), (4,)
by_plane = cnn.conv2d(x_past[:2, None], kernel[None], bias)[:, 0]
claim("Conv1D from Conv2D", np.abs(by_plane - by_keras).max(), at_most=1e-5)

# %% [markdown]
# A kernel has one axis for each axis it slides along, and two for channels: all else
# is as before. A one-dimensional convolution is a two-dimensional one on a picture of
# height 1.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### Ten turns instead of ten degrees (E059)
#
# The tutorial wants turns of up to 10 degrees. Carried over to the layer as (-10,
# 10), they are something else: chapter 05 saw sevens spin. Here is the number. A
# pixel lies 14 from the center. Turned by 10 degrees it moves by at most
# $2 \cdot 14 \sin 5° \approx 2.4$ pixels.

# %%
seed(8)
dot = np.zeros((200, 33, 33, 1), "float32")
dot[:, 16, 30] = 1
for name, factor in [("10 / 360", 10 / 360), ("(-10, 10)", (-10, 10))]:
    turned = np.array(layers.RandomRotation(factor)(dot, training=True))
    places = np.array([np.unravel_index(p.argmax(), p.shape)[:2] for p in turned])
    moved = np.hypot(*(places - [16, 30]).T)
    print(f"factor {name}: more than 3 pixels: {moved.max() > 3}")

# %% [markdown]
# A factor of 1 is a full turn, so (-10, 10) means up to ten turns.
#
# ### Normalized, but not standardized
#
# The tutorial divides by 255 and subtracts a mean picture. That is a usual choice, and
# no mistake, but it is not yet standardizing: what is left of the deviation?

# %%
centered = x_train - x_train.mean(axis=0)
claim("deviation after subtracting", centered.std(), at_least=0.2, at_most=0.4)
claim(
    "mean of subtracting twice", np.abs(centered.mean(axis=0)).max(), at_most=1e-4
)
scaled = np.array(plain.layers[0](x_train))
claim("deviation, standardized", scaled.std(), equals=1, tolerance=0.01)

# %% [markdown]
# Subtracting a mean twice does nothing the second time, so that mistake is harmless.
# Dividing by 255 twice is not.
#
# ### Ten epochs without validation (E066)
#
# Old pictures, new pictures: section 3 needed both to see what augmentation does. The
# tutorial tests once, at the end. While it trains, it shows the first number only.

# %% tags=["E066"]
claim("seen by the tutorial, plain", old[0][0], at_least=0.85)
claim("... augmented, less by", old[0][0] - old[1][0], at_least=0.05)

# %% [markdown]
# By that number, augmentation only does harm, and over-fitting is seen when it is too
# late to stop. Set validation pictures aside, and look at them after each epoch.
#
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E059, E060, E065|five blocks in order|stop at the second|run all, afresh|
# |E059, E062|`ImageDataGenerator`|not in Keras 3; it needed SciPy|layers|
# |E067|`input_shape=`|a warning|`keras.Input`|
# |E044|audio is 2-D or 3-D|the wave is 1-D|section 8|

# %% [markdown]
# ## Exercises
#
# ### Exercise 05b.1: factors
#
# *5 minutes.* You want turns of up to 15 degrees, and moves of up to 4 pixels, on
# pictures of 32 by 32. Which factors do `RandomRotation` and `RandomTranslation` get?

# %% tags=["exercise"]
factors = ...  # (rotation, translation)

check("05b.1", factors)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One counts in full turns, the other in widths.
#
# </details>
# <details><summary>Hint 2</summary>
#
# What share of 360 degrees are 15 degrees?
#
# </details>
# <details><summary>Hint 3</summary>
#
# What share of 32 pixels are 4 pixels?
#
# </details>

# %% tags=["solution"]
factors_solution = (15 / 360, 4 / 32)

check("05b.1", factors_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.2: a split that keeps twins together
#
# *15 minutes.* Each picture has the name of its concept. Draw a share of the
# *concepts* at random, with `rng`, rounded to a whole number of them. Each concept has the
# same chance, and none is drawn twice; all their pictures are for testing, and no others.


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
# `np.isin(concepts, chosen)`.
#
# </details>


# %% tags=["solution"]
def split_by_concept_solution(concepts, share, rng):
    shuffled = rng.permutation(np.unique(concepts))
    return np.isin(concepts, shuffled[: round(share * len(shuffled))])


check("05b.2", split_by_concept_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.3: smooth targets
#
# *10 minutes.* Turn labels into smoothed targets: $1-s$ for the right class, and $s$
# shared alike by *all* classes, the right one included.


# %% tags=["exercise"]
def smooth_targets(y, classes, smoothing):
    """Return targets (n, classes) for integer labels y (n,)."""
    raise NotImplementedError


check("05b.3", smooth_targets)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Begin with rows of 0 and one 1: `np.eye(classes)[y]`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Scale them down, then add something to each entry.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Each class gets `smoothing / classes`. A row must sum to 1.
#
# </details>


# %% tags=["solution"]
def smooth_targets_solution(y, classes, smoothing):
    return (1 - smoothing) * np.eye(classes)[y] + smoothing / classes


check("05b.3", smooth_targets_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.4: how well do two boxes agree?
#
# *15 minutes.* Write intersection over union for two boxes, without `vision`. A box
# is (top, left, bottom, right), in pixels. Its last row is bottom − 1, its last
# column right − 1, so its height is bottom − top.


# %% tags=["exercise"]
def overlap(a, b):
    """Return the IoU of two boxes (top, left, bottom, right), ends outside."""
    raise NotImplementedError


check("05b.4", overlap)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The common part begins at the larger top, and ends at the smaller bottom.
#
# </details>
# <details><summary>Hint 2</summary>
#
# If it ends before it begins, its height is 0, not negative.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Union: both areas, less the common part that both counted.
#
# </details>


# %% tags=["solution"]
def overlap_solution(a, b):
    height = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    width = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return height * width / (sum(areas) - height * width)


check("05b.4", overlap_solution, solution=True)

# %% [markdown]
# ### Exercise 05b.5: half a cat, half a flag
#
# *45 minutes, a small project.* **Mixup** (Zhang et al., 2018) blends each picture
# with a partner, and the labels alike: $w\,x_i + (1-w)\,x_j$ and
# $w\,y_i + (1-w)\,y_j$. Write it for a batch. Then blend `x_train` and its one-hot
# labels with random partners and weights between 0.6 and 1, train a residual network
# on the result, and compare. (`vision.train` takes integer labels, so call `compile`
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
# `weight[:, None, None, None]` for pictures, `weight[:, None]` for labels.
#
# </details>


# %% tags=["solution"]
def mixup_solution(x, y, partner, weight):
    wide, flat = weight[:, None, None, None], weight[:, None]
    x_mixed = wide * x + (1 - wide) * x[partner]
    return x_mixed, flat * y + (1 - flat) * y[partner]


check("05b.5", mixup_solution, solution=True)
