# %% [markdown]
# One hundred digits with labels, ten of each class.

# %%
from dl_course import common, craft, data, few_labels

(x, y), (x_test, y_test) = data.mnist()
x, x_test = few_labels.shrink(x), few_labels.shrink(x_test)  # 14 x 14: cheaper
rng = np.random.default_rng(seed(1))
few = few_labels.pick_per_class(y, 10, rng)
pool = rng.choice(np.setdiff1d(np.arange(60_000), few), 10_000, replace=False)

# %% tags=["figure"]
figure = plots.images(x[few], columns=20, size=0.38)
plots.show(figure, alt="One hundred small digits, ten of each class.")

# %% [markdown]
# With these hundred labels we begin. Beside them lie ten thousand digits whose labels
# we do not look at: the `pool`. That is the usual state of the world. Pictures cost
# nothing; a person who names each of them does. This chapter shows four ways to get
# along with few labels, and one to get along with labels for other pictures.

# %% [markdown]
# ## Recall
#
# 1. Why are distorted copies of a training image worth something?
# 2. What is softmax cross-entropy of a choice among 7 equally likely things?
# 3. What is a dense layer without activation, trained by squared error?
#
# <details><summary>Answer</summary>
#
# 1. They say which changes do *not* change the label (chapter 05b).
# 2. $\log 7$ (chapter 02).
# 3. Linear regression. It has a closed form (chapter 01).
#
# </details>

# %% [markdown]
# ## 1. What can be learned from pictures without labels?
#
# First the baseline: a small network, the hundred labels, nothing else.

# %%
seed(2)
scratch = few_labels.add_head(few_labels.build_encoder(), 10)
common.train(scratch, x[few], y[few], rng, num_steps=100)
alone = craft.accuracy(scratch, x_test, y_test)
claim("100 labels alone", alone, at_least=0.68, at_most=0.85)

# %% [markdown]
# **Self-supervised** learning makes a task out of the input itself. Here is one. Take
# 250 digits and distort each of them twice: that makes 500 **views**. Every view has
# one partner, the other view of the same digit. The network shall find it among the
# 499 others.

# %% tags=["figure"]
some = x[pool[:10]]
views = [some, few_labels.distort(some), few_labels.distort(some)]
plots.show(
    plots.images(np.concatenate(views), columns=10, size=0.6),
    alt="Ten digits; below each, two distorted views of it.",
)

# %% [markdown]
# Ten digits of the pool, and two views of each. The views differ in slant, size and
# place, not in the digit. Who can match them must know what stays.
#
# The network turns each view $i$ into a code $z_i$, a row of numbers. Let $s_{ij}$ be
# the cosine of the codes $z_i$ and $z_j$, divided by a temperature. Of $n$ digits there
# are $2n$ views; $p(i)$ is the partner of view $i$. The loss (Chen et al., 2020) is the
# cross-entropy of picking the partner, a softmax over all *other* views:
#
# $$L = \frac1{2n}\sum_i\Bigl(\log\sum_{j\ne i} e^{s_{ij}} - s_{i,p(i)}\Bigr)$$

# %%
reveal(few_labels.contrastive_loss)

# %% [markdown]
# **Predict.** Eight views, and all codes are alike. How large is the loss?

# %%
same_codes = few_labels.contrastive_loss(np.ones((8, 3)))
claim("no row can be told apart", same_codes, equals=np.log(7), tolerance=1e-6)

# %% [markdown]
# Seven others, all equally likely: $\log 7$, as in the second question above.
#
# `pretrain` minimizes this loss on the pool. The labels of the pool are not handed to
# it. Afterwards the **encoder**, which turns a digit into 64 numbers, stays as it is.
# On these numbers, the **features**, we put a *linear* classifier: least squares, with
# a small penalty on the weights, from the same hundred labels. Its baseline is the
# same classifier on the bare pixels.
#
# **Predict.** Which of the three wins: the network with 100 labels, a line on pixels,
# or a line on features that never saw a label?

# %%
seed(3)
encoder = few_labels.build_encoder()
few_labels.pretrain(encoder, x[pool], rng, epochs=8)
everything = np.concatenate([x[few], x[pool], x_test])  # rows 0, 100 and 10,100 on
features = few_labels.features_of(encoder, everything, like=x[pool])
pixels = everything.reshape(-1, 196)
labels = np.concatenate([y[few], y[pool], y_test])


# %%
def linear(inputs, rows):  # trained on these rows: accuracy on the test digits
    weights = few_labels.fit_linear(inputs[rows], labels[rows], 10)
    scores = few_labels.linear_scores(weights, inputs[-10_000:])
    return np.mean(scores.argmax(axis=1) == y_test)


hundred = np.arange(100)
frozen, on_pixels = linear(features, hundred), linear(pixels, hundred)
claim("a line on pretrained features", frozen, at_least=0.82)
claim("... above the network", frozen - alone, at_least=0.01)
claim("... above a line on pixels", frozen - on_pixels, at_least=0.1)

# %% [markdown]
# How does it depend on the number of labels? For this question we do look at labels of
# the pool. Least squares costs next to nothing, so we can ask often.

# %% tags=["figure"]
counts = [1, 2, 5, 10, 20, 50, 100]
rows = [few_labels.pick_per_class(labels[:10_100], k, rng) for k in counts]
figure, axis = plt.subplots(figsize=(6.4, 3))
for inputs, name, style in [
    (features, "features", "o-"),
    (pixels, "pixels", "s--"),
]:
    axis.semilogx(counts, [linear(inputs, r) for r in rows], style, label=name)
axis.plot(10, alone, "^", ms=9, color=plots.GREEN, label="network from scratch")
axis.set(xlabel="labels of each class", ylabel="test accuracy", xticks=counts)
axis.set_xticklabels(counts)
axis.minorticks_off()
axis.legend(loc="lower right")
plots.show(
    figure, alt="Features lie far above pixels for few labels of each class."
)

# %% [markdown]
# A linear classifier on features needs a fraction of the labels that one on pixels
# needs. It beats the network that was trained on the hundred labels alone.
#
# Let us be fair. The views taught the encoder what a distortion is. A network from
# scratch can learn that, too: distort the labeled digits while it is trained.
#
# **Predict.** Now both networks see distorted digits, and all their weights are
# trained. Does it still help to begin with the pretrained encoder?

# %%
seed(4)
distorted = few_labels.add_head(few_labels.build_encoder(), 10)
tuned = few_labels.add_head(encoder, 10)
both = {"num_steps": 300, "warp": few_labels.distort}
for model in (distorted, tuned):
    common.train(model, x[few], y[few], rng, **both)
from_scratch = craft.accuracy(distorted, x_test, y_test)
pretrained = craft.accuracy(tuned, x_test, y_test)
claim("from scratch, with distortions", from_scratch, at_least=0.85)
gap = pretrained - from_scratch
claim("pretrained - from scratch, both distorted", gap, equals=0, tolerance=0.06)

# %% [markdown]
# Hardly. For digits we know which changes are harmless, and can say so directly.
# Pretraining pays where the encoder must stay frozen, as above, or where nobody can
# list the harmless changes. For text, masking takes the place of distortions: hide a
# word, and predict it from the rest (Devlin et al., 2019; chapter 09b).
#
# *Today.* Features of images, learned without any label from 142 million pictures,
# serve for many tasks as they are, with a line on top (Oquab et al., 2024).

# %% [markdown]
# ## 2. Can a network be its own teacher?
#
# **Semi-supervised** learning has both parts at once: a few labels, and many images
# without. The simplest way: train on the labels, let the network name the unlabeled
# images, keep the names it is sure of, and train a new network on both. These names
# are **pseudo-labels**. (Lee, 2013, who coined the word, lets one network name the
# images anew at every step.)

# %%
reveal(few_labels.pseudo_labels)

# %% [markdown]
# The network `distorted` of section 1 is the teacher.
#
# **Predict.** Of all its names for the pool, what share is right? And of the names
# with a probability of at least 0.9?

# %%
scores = common.predict(distorted, x[pool])
sure, named = few_labels.pseudo_labels(scores, 0.9)
right = scores.argmax(axis=1) == y[pool]  # we peek, the student cannot
claim("right, of all names", right.mean(), at_least=0.85)
claim("right, of the sure names", right[sure].mean(), at_least=0.9)
claim("share of sure names", len(sure) / len(pool), at_least=0.5, at_most=0.95)
gain = right[sure].mean() - right.mean()
claim("sure names: more often right by", gain, at_least=0.03)


# %%
def student(count):  # learns from the labels and the first `count` of the pool
    rng = np.random.default_rng(seed(5))
    some = sure < count  # ... as far as the teacher is sure of their names
    rows = np.concatenate([few, pool[sure[some]]])
    names = np.concatenate([y[few], named[some]])
    model = few_labels.add_head(few_labels.build_encoder(), 10)
    common.train(model, x[rows], names, rng, **both)
    return craft.accuracy(model, x_test, y_test)


# %% [markdown]
# What does the unlabeled part contribute? Leave it out, then put in more and more of
# it. The students share their first weights, the number of steps and the distortions.
#
# **Predict.** The teacher's mistakes are among the names. Can a student get better
# than the teacher?

# %%
sizes = [0, 500, 5000]
students = [student(n) for n in progress(sizes, "students")]
claim("5000 images more: gain", students[-1] - students[0], at_least=0.005)
claim("last student - teacher", students[-1] - from_scratch, at_least=-0.005)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.plot(np.arange(3), students, "o-", label="students")
axis.axhline(from_scratch, color=plots.BLACK, ls=":", label="teacher")
axis.set(xlabel="images without label", ylabel="test accuracy")
axis.set_xticks(np.arange(3), sizes)
axis.legend(loc="lower right")
plots.show(figure, alt="Accuracy rises when unlabeled images are added.")

# %% [markdown]
# The same hundred labels, without and with unlabeled images. The last student is no
# worse than its teacher, though the teacher's mistakes are among its names.
#
# Why does it help? A label says which cluster has which name. The unlabeled images say
# where the clusters *are*: the border moves to where few of them lie. That only helps
# if classes are clusters (Chapelle et al., 2006). If they are not, the student learns
# the teacher's mistakes by heart, and is surer of them.
#
# *Today.* FixMatch (Sohn et al., 2020) takes names from slightly distorted images and
# trains on strongly distorted ones. It did well on CIFAR-10 with four labels of each
# class.

# %% [markdown]
# ## 3. Which image should we pay for?
#
# So far chance chose the labeled digits. **Active learning** asks for the label of
# the image that the classifier is least sure of (Settles, 2009). Unsure means: a
# small **margin** between the best and the second-best score,
#
# $$m(x) = f_{(1)}(x) - f_{(2)}(x)$$
#
# The bracketed numbers mean the order of the scores: $f_{(1)}$ is the best. Take the
# pool, the features of section 1, and least squares again. One buyer chooses by the
# margin, the other by chance. Both begin with the same 20 random labels and buy 20
# more in each round.

# %%
reveal(few_labels.ask)


# %%
def curve(unsure, repeat):
    rng = np.random.default_rng(seed(100 + repeat))
    start = rng.choice(10_000, 20, replace=False)
    inputs, names = features[100:10_100], y[pool]
    settings = {"rounds": 9, "count": 20, "unsure": unsure}
    for _, weights in few_labels.ask(inputs, names, start, rng, **settings):
        scores = few_labels.linear_scores(weights, features[10_100:])
        yield np.mean(scores.argmax(axis=1) == y_test)


# %% [markdown]
# **Predict.** After 200 labels: how far ahead is the one that chooses? We average
# over twenty starts.

# %%
chance, chosen = (
    np.mean([list(curve(unsure, i)) for i in range(20)], axis=0)
    for unsure in (False, True)
)
claim("200 labels: chosen - random", chosen[-1] - chance[-1], at_least=0.015)
claim("100 labels: chosen - random", chosen[4] - chance[4], at_least=0.005)
claim("160 chosen labels beat 200 random ones", bool(chosen[7] > chance[-1]))

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
asked = np.arange(20, 201, 20)
for line, name, style in [
    (chosen, "smallest margin", "o-"),
    (chance, "random", "s--"),
]:
    axis.plot(asked, line, style)
    axis.annotate(name, (asked[-1], line[-1]), (4, 0), textcoords="offset points")
axis.set(xlabel="labels bought", ylabel="test accuracy", xlim=(10, 240))
plots.show(figure, alt="The curve of chosen labels runs above the random one.")

# %% [markdown]
# Means of twenty runs. The choice saves at least one label of five. Two warnings. The
# chosen digits are odd ones, so they are no fair test set. And the gain depends on
# the rest of the recipe.
#
# *Today.* In a wide comparison, no rule for a single network clearly beat plain
# uncertainty, and some fell behind chance (Gashi et al., 2024).

# %% [markdown]
# ## 4. What can be taken over from another task?
#
# **Transfer.** Someone has trained a network on the digits 0 to 4, with many labels.
# We want 5 to 9 and have five labels of each. What of the old network should we keep?
#
# - nothing: *scratch*;
# - all layers, *frozen*, and train only a new last layer;
# - the two convolutions, frozen, with new layers above;
# - all weights as a start, and *fine-tune* every one of them.

# %%
seed(6)
rng = np.random.default_rng(seed(6))
old = rng.choice(np.flatnonzero(y < 5), 10_000, replace=False)
source = few_labels.build_encoder()
first = few_labels.add_head(source, 5)
common.train(first, x[old], y[old], rng, num_steps=300)


# %%
def start_from(kept):  # how many of the source's six arrays to take over
    encoder = few_labels.build_encoder()
    arrays = source.get_weights()[:kept] + encoder.get_weights()[kept:]
    encoder.set_weights(arrays)  # kernel and bias of each of three layers
    return encoder


def convolutions_frozen():
    encoder = start_from(4)
    for layer in encoder.layers[:-1]:
        layer.trainable = False
    return encoder


ways = {
    "scratch": lambda: start_from(0),
    "convolutions frozen": convolutions_frozen,
    "fine-tuned": lambda: start_from(6),
}


def all_frozen(x_few, y_few, x_test):  # the last layer by least squares
    f = few_labels.features_of(source, np.concatenate([x_few, x_test]), x[old])
    weights = few_labels.fit_linear(f[: len(x_few)], y_few, 5)
    return few_labels.linear_scores(weights, f[len(x_few) :]).argmax(axis=1)


# %% [markdown]
# **Predict.** Put the four in order.

# %%
new, results = np.flatnonzero(y >= 5), {name: [] for name in [*ways, "all frozen"]}
test = x_test[y_test >= 5], y_test[y_test >= 5] - 5
for _ in progress(range(3), "three draws of 25 labels"):
    rows = new[few_labels.pick_per_class(y[new], 5, rng)]
    known = x[rows], y[rows] - 5
    for name, way in ways.items():
        model = few_labels.add_head(way(), 5)
        common.train(model, *known, rng, num_steps=80)
        results[name].append(craft.accuracy(model, *test))
    right = all_frozen(*known, test[0]) == test[1]
    results["all frozen"].append(right.mean())

# %%
mean = {name: np.mean(values) for name, values in results.items()}
gain = mean["convolutions frozen"] - mean["scratch"]
claim("convolutions frozen - scratch", gain, at_least=0.01)
gap = mean["convolutions frozen"] - mean["all frozen"]
claim("convolutions frozen - all frozen", gap, at_least=0.02)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.2))
for i, (name, values) in enumerate(results.items()):
    axis.plot(values, [i] * 3, "o", alpha=0.6)
    axis.plot(mean[name], i, "|", ms=22, mew=2, color=plots.BLACK)
axis.set_yticks(range(4), results)
axis.margins(y=0.2)
axis.invert_yaxis()
axis.set(xlabel="test accuracy on 5 to 9")
plots.show(figure, alt="Four rows of dots: frozen convolutions lie to the right.")

# %% [markdown]
# One dot a draw of 25 labels, a bar at the mean. Frozen convolutions help; to freeze
# everything is too much. Fine-tuning does not freeze, and lies near the convolutions:
# three draws cannot rank these two. Early layers are of general use, late ones belong
# to their task (Yosinski et al., 2014). Strokes serve every digit, but what tells 0 to
# 4 apart is not enough for 5 to 9.
#
# *Today.* Where a trained network for such pictures exists, one starts from it. Which
# part to freeze stays a question: fine-tuning everything can spoil features that data
# of another look would have needed (Kumar et al., 2022).

# %% [markdown]
# ## 5. What if the pictures change their look?
#
# So far the labels belonged to digits like those of the test. Now we have ten thousand
# labels, but for the wrong pictures. Our labeled digits are clean: the **source**. The
# digits to be read come from another camera: gray paper, little contrast, noise. They
# are the **target**, and of them there are images, but no labels.

# %%
rng = np.random.default_rng(seed(7))
half = rng.permutation(60_000)[:20_000].reshape(2, -1)
x_source, y_source = x[half[0]], y[half[0]]
x_target = few_labels.other_camera(x[half[1]], rng)  # without labels
x_check = few_labels.other_camera(x_test, rng)

# %% tags=["figure"]
rows = np.concatenate([x_source[:12], x_target[:12]])
figure = plots.images(rows, columns=12, size=0.55)
for axis in figure.axes:
    axis.images[0].set_clim(0, 1)
plots.show(figure, alt="Clear digits above; gray, noisy digits below.")

# %% [markdown]
# Above the source, below the target. A person hardly minds.
#
# **Predict.** A network trained on the source reads nine of ten test digits of its own
# kind. How many of the target? And a network with batch normalization?


# %%
def trained_on(x, y, normalize):
    rng = np.random.default_rng(seed(8))
    model = few_labels.add_head(few_labels.build_encoder(normalize), 10)
    common.train(model, x, y, rng, num_steps=200, batch_size=128)
    return model


plain = trained_on(x_source, y_source, normalize=False)
model = trained_on(x_source, y_source, normalize=True)
table = {
    "source only": craft.accuracy(plain, x_check, y_test),
    "normalized": craft.accuracy(model, x_check, y_test),
}
claim("on the source", craft.accuracy(plain, x_test, y_test), at_least=0.9)
claim("on the target", table["source only"], at_most=0.8)
claim("on the target, normalized", table["normalized"], at_most=0.5)

# %% [markdown]
# **Domain adaptation** uses the target's images. Batch normalization (chapter 05) keeps
# a mean and a variance of each map. They were measured on the *source*, so they shift
# and scale the target wrongly. Measure them anew, on the target. No weight is trained,
# and no label is used (Li et al., 2018).

# %%
reveal(few_labels.refresh_statistics)

# %% [markdown]
# **Predict.** How much comes back?

# %%
few_labels.refresh_statistics(model.layers[0], x_target)
table["normalized, adapted"] = craft.accuracy(model, x_check, y_test)
told = trained_on(x_target, y[half[1]], normalize=False)  # if there were labels
table["trained on target labels"] = craft.accuracy(told, x_check, y_test)
claim("adapted", table["normalized, adapted"], at_least=0.55)
gain = table["normalized, adapted"] - table["source only"]
claim("adapted - source only", gain, at_least=0.08)
labels_gain = table["trained on target labels"] - table["source only"]
claim("... as a share of what labels bring", gain / labels_gain, at_least=0.5)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.2))
axis.barh(list(table), list(table.values()), color=plots.BLUE)
axis.invert_yaxis()
axis.axvline(0.1, color=plots.BLACK, ls=":")
axis.set(xlabel="accuracy on the target (dotted: chance)", xlim=(0, 1))
plots.show(figure, alt="Bars: adapted statistics bring most of the accuracy back.")

# %% [markdown]
# Accuracy on the target. With the source's means and variances the network with batch
# normalization fails; with the target's it brings back most of what labels would.
# This mends a shift and a scale, but no change of meaning.
#
# A stronger idea is a **critic**, a second network that tells source from target by
# the features. Its gradient reaches the encoder with the sign reversed, until the
# critic can only guess (Ganin & Lempitsky, 2015). That is a game of two players, with
# all of chapter 08's trouble, and wants more care than a few seconds of training.
#
# *Today.* On eight real shifts, from hospitals to satellites, methods that use
# unlabeled images had limited success (Sagawa et al., 2022). Measure on the target.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### The machine's own outputs (E214, E091)
#
# One tutorial says that self-supervised learning learns from the machine's own
# outputs. That is something else: **self-training**, our section 2. Another tutorial
# feeds it with "semi-supervised data"; but that is a way to learn, not a kind of data.
# Take the first one at its
# word, without a single label: an untrained network names the pool, and learns those
# names.
#
# **Predict.** How well does it agree with its own names afterwards? And with the
# truth?

# %% tags=["E091", "E214"]
seed(9)
blank = few_labels.add_head(few_labels.build_encoder(), 10)
own = common.predict(blank, x[pool]).argmax(axis=1)
common.train(blank, x[pool], own, rng, num_steps=200)
believes = craft.accuracy(blank, x[pool], own)
claim("agrees with its own names", believes, at_least=0.6)
claim("is right", craft.accuracy(blank, x_test, y_test), at_most=0.35)

# %% [markdown]
# Nothing comes from nothing. In self-supervised learning the targets come from the
# *input*: which view belongs to which image, which word was hidden. Section 1 is the
# repaired version.
#
# ### Methods of deep learning? (E224, E215)
#
# The same document counts unsupervised and self-supervised learning among the
# deep-learning methods, and says of the first that it learns "from the features of
# the data". But such words say where the targets come from, not how deep the model
# is. Unsupervised learning has no targets and looks for structure. **k-means** finds
# groups with no network at all: put each point to its nearest center, move each
# center to the mean of its points, and repeat (Goodfellow et al., 2016, section 5.8).
#
# **Predict.** Ten groups of bare pixels. If each group gets the name of its commonest
# digit, what share of digits is named right?


# %% tags=["E215", "E224"]
def k_means(points, k, rng, rounds=15):
    centers = points[rng.choice(len(points), k, replace=False)]
    for _ in range(rounds):
        distance = np.sum(centers**2, axis=1) - 2 * points @ centers.T  # + |point|²
        group = distance.argmin(axis=1)
        for j in np.unique(group):
            centers[j] = points[group == j].mean(axis=0)
    return group


def purity(points):
    group = k_means(points, 10, np.random.default_rng(seed(10)))
    names = [
        np.bincount(y[pool][group == j], minlength=10).max() for j in range(10)
    ]
    return sum(names) / len(points)


claim("k-means on pixels", purity(pixels[100:10_100]), at_least=0.4)

# %% [markdown]
# Guessing gets about a tenth. Self-supervised learning needs no depth either: predict
# the lower half of a digit from its upper half, by least squares. (`rcond` leaves out
# pixels that hardly ever have ink: their weights would be noise.)
#
# **Predict.** Which share of the variance does a linear map explain?

# %%
upper, lower = pixels[:, :98], pixels[:, 98:]
top = np.column_stack([upper, np.ones(len(upper))])
seen, unseen = slice(100, 10_100), slice(10_100, None)
weights = np.linalg.lstsq(top[seen], lower[seen], rcond=0.01)[0]
error = np.sum((lower[unseen] - top[unseen] @ weights) ** 2)
spread = np.sum((lower[unseen] - lower[seen].mean(axis=0)) ** 2)
claim("explained, unseen digits", 1 - error / spread, at_least=0.3)

# %% [markdown]
# No label, no network, and yet a task with targets, made from the input.
#
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E112|"Ganin, D."|another initial, other pages|Ganin, Y., & Lempitsky, V. (2015), pages 1180–1189|
# |E108|Bengio, Courville and Vincent in *Foundations and Trends*|another journal|*IEEE TPAMI* (Bengio et al., 2013)|

# %% [markdown]
# ## Exercises
#
# ### Exercise 11a.1: find the partner
#
# *15 minutes.* How good are codes? Rows $i$ and $n+i$ of `z` belong together. Return
# the share of all $2n$ rows whose most similar *other* row, by cosine, is their
# partner.


# %% tags=["exercise"]
def partner_found(z):  # (2n, d) -> a number
    """Share of rows that find their partner."""
    raise NotImplementedError


check("11a.1", partner_found)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A cosine is the product of two rows of length 1.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each row is most similar to itself: forbid that with `np.fill_diagonal`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The partners of all rows are `np.roll(np.arange(2 * n), n)`.
#
# </details>


# %% tags=["solution"]
def partner_found_solution(z):
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    similar = z @ z.T
    np.fill_diagonal(similar, -np.inf)
    partner = np.roll(np.arange(len(z)), len(z) // 2)
    return np.mean(similar.argmax(axis=1) == partner)


check("11a.1", partner_found_solution, solution=True)

# %% [markdown]
# ### Exercise 11a.2: a fair share of names
#
# *20 minutes.* A threshold takes many names of easy classes and few of hard ones.
# Instead, take the `count` surest rows of each predicted class, or all if it has fewer.
# Return their numbers and their names.


# %% tags=["exercise"]
def balanced_names(p, count):  # p (n, classes): probabilities
    """Return (numbers, names), `count` of each class, in any order."""
    raise NotImplementedError


check("11a.2", balanced_names)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The predicted class is `p.argmax(axis=1)`, its probability `p.max(axis=1)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# For each class: `np.flatnonzero(name == c)`, then sort by probability.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.argsort` sorts upward, so the last `count` are the surest.
#
# </details>


# %% tags=["solution"]
def balanced_names_solution(p, count):
    name, best, chosen = p.argmax(axis=1), p.max(axis=1), []
    for c in range(p.shape[1]):
        rows = np.flatnonzero(name == c)
        chosen.extend(rows[np.argsort(best[rows])[-count:]])
    return np.array(chosen), name[chosen]


check("11a.2", balanced_names_solution, solution=True)

# %% [markdown]
# ### Exercise 11a.3: the most open questions
#
# *15 minutes.* Another measure of doubt is entropy, $-\sum_k p_k\log p_k$. It sees all
# classes, a margin only two. Return the numbers of the `count` rows to ask about.
# Some probabilities are 0.


# %% tags=["exercise"]
def most_open(p, count):  # p (n, classes): probabilities
    """Numbers of the rows of largest entropy, in any order."""
    raise NotImplementedError


check("11a.3", most_open)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $p\log p$ tends to 0 as $p$ does, but NumPy says NaN.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Put 1 in place of 0 inside the logarithm: `np.log(np.where(p > 0, p, 1))`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Sort the entropies, take the last ones.
#
# </details>


# %% tags=["solution"]
def most_open_solution(p, count):
    entropy = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1)
    return np.argsort(entropy)[-count:]


check("11a.3", most_open_solution, solution=True)

# %% [markdown]
# ### Exercise 11a.4: the same statistics
#
# *20 minutes, a small project.* The simplest adaptation: move and scale each feature
# of the target until its mean and deviation are the source's. A feature that never
# changes in the target can only be moved: its mean becomes the source's. Then try it on
# section 5, where the features are the 196 pixels: make `x_check` like `x_source`, and hand the result to `plain`. Does it read
# more digits than before?


# %% tags=["exercise"]
def match_statistics(source, target):  # (n, d), (m, d) -> (m, d)
    """Target features with the mean and deviation of the source's, by column."""
    raise NotImplementedError


check("11a.4", match_statistics)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A column at a time: `mean(axis=0)` and `std(axis=0)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# First make the target's columns standard: mean 0, deviation 1. Where the deviation is 0,
# divide by 1 instead.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Then multiply by the source's deviation, and add its mean.
#
# </details>


# %% tags=["solution"]
def match_statistics_solution(source, target):
    varies = np.ptp(target, axis=0) > 0
    deviation = np.where(varies, target.std(axis=0), 1)  # (d,)
    standard = (target - target.mean(axis=0)) / deviation
    return standard * source.std(axis=0) + source.mean(axis=0)


check("11a.4", match_statistics_solution, solution=True)
