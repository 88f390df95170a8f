# %% [markdown]
# A network reads handwritten digits, and reads them well. Then somebody changes
# every pixel a little, in a direction that the network itself gives away.

# %%
from dl_course import backprop, cnn, craft, data, latent, network, privacy
from dl_course import optimizers as opt

(x_train, y_train), (x_test, y_test) = data.mnist()
x_train, x_test = (x.reshape(len(x), 784) for x in (x_train, x_test))
target, truth = x_test[:2000], y_test[:2000]  # what we attack


def new_network(rng, hidden=128):
    sizes, names = [784, hidden, 10], ["relu", "linear"]
    return network.initial_layers(sizes, names, rng, scheme="he")


# %%
rng = np.random.default_rng(seed(1))
rows = rng.permutation(60_000)[:20_000]
rate = opt.cosine(0.5, 801)  # 4 epochs of 200 steps
settings = {"epochs": 4, "batch": 100, "learning_rate": rate}
plain = privacy.train(
    x_train[rows], y_train[rows], new_network(rng), rng, **settings
)

# %% tags=["figure"]
attacked = privacy.fgsm(target[:8], truth[:8], plain, 0.1)
pictures = np.concatenate([target[:8], attacked]).reshape(-1, 28, 28)
answers = privacy.scores(pictures.reshape(-1, 784), plain).argmax(axis=1)
figure = plots.images(pictures, [f"“{a}”" for a in answers], size=0.9)
plots.show(
    figure, alt="Eight digits; below, the same with faint noise, read wrongly."
)

# %% [markdown]
# Above: digits, and what the network reads. Below: no pixel moved by more than a
# tenth of the way from white to black, and most answers are wrong. You still read
# all of them. This chapter attacks networks in four ways: through what they see, what
# they remember, what they are taught, and what they send. It tries defenses, and asks
# what each costs.

# %% [markdown]
# ## Recall
#
# 1. Backpropagation sends blame from layer to layer, backwards. Where could it go
#    from the first layer? (Chapter 03)
# 2. What does it mean if the training loss is near zero, and the test loss is not?
#    (Chapter 02)
# 3. What does the AUC of a score tell? (Chapter 07b)
#
# <details><summary>Answer</summary>
#
# 1. On to the pixels: $\partial\text{loss}/\partial x = \delta\,W^\top$, with the
#    first layer's $\delta$ and $W$.
# 2. The network has memorized its examples.
# 3. The chance that a random positive gets a higher score than a random negative.
#    One half is a coin.
#
# </details>

# %% [markdown]
# ## 1. How little does it take to fool a network?
#
# Take one unit with weights $w$. Each pixel may move by at most $s$. Which change
# $r$ raises the sum $w\cdot r$ most? Move each pixel by $s$, in the direction of
# its weight's sign:
#
# $$\max_{|r_i|\le s} w\cdot r = s\sum_i|w_i| = s\,\lVert w\rVert_1,\qquad
# r = s\,\operatorname{sign}(w)$$
#
# If each pixel moves by $s$ up or down *at random*, most of it cancels: the sum moves
# by about $s\sqrt{\sum_i w_i^2} = s\,\lVert w\rVert_2$.
#
# **Predict.** With 784 pixels, how many times stronger is the change that knows
# $w$?

# %%
w = np.random.default_rng(seed(2)).normal(size=784)
ratio = np.abs(w).sum() / np.sqrt(np.sum(w**2))
claim("aimed / random", ratio, at_least=20, at_most=25)

# %% [markdown]
# About $0.8\,\sqrt{784}$, as a weight's mean size is 0.8 here. Many pixels, each moved
# a little, all pushing the same way: so Goodfellow et al. (2015) explain the
# **adversarial examples** that Szegedy et al. (2014) had found. A network is not
# linear, but nearly so over a short way. So take the gradient of the loss with
# respect to the *picture*, and keep its sign. This is the **fast gradient sign
# method** (FGSM):
#
# $$x' = \operatorname{clip}\Bigl(x + s\,\operatorname{sign}
# \frac{\partial\,\text{loss}}{\partial x},\,0,\,1\Bigr)$$

# %%
reveal(privacy.input_gradient, privacy.fgsm)

# %% [markdown]
# **Predict.** $s = 0.1$. How many digits survive noise of that size, and how many
# survive FGSM?

# %%
noise = 0.1 * rng.choice([-1, 1], target.shape).astype("float32")
noisy = np.clip(target + noise, 0, 1)
claim("clean", craft.accuracy(plain, target, truth), at_least=0.9)
claim("random signs", craft.accuracy(plain, noisy, truth), at_least=0.88)
attacked = privacy.fgsm(target, truth, plain, 0.1)
claim("FGSM", craft.accuracy(plain, attacked, truth), at_most=0.3)

# %% [markdown]
# Noise does next to nothing; the aimed change of the same size spoils most answers.
# But the attacker had to look inside. Is a network safe whose weights are secret? Let
# chapter 05's CNN learn the digits. It is of another kind, and its gradient is never
# asked for: we show it the pictures that were made against *our* network.

# %%
seed(3)
model = cnn.build_document_cnn()
model.compile("adam", "sparse_categorical_crossentropy")
images = x_train[rows[:10_000]].reshape(-1, 28, 28, 1)
_ = model.fit(images, y_train[rows[:10_000]], verbose=0)


# %%
def read_by_cnn(x):
    outputs = model.predict(x.reshape(-1, 28, 28, 1), batch_size=1000, verbose=0)
    return np.mean(outputs.argmax(axis=1) == truth)


# %% [markdown]
# **Predict.** $s = 0.25$ now, as the CNN is sturdier. What does it make of pictures
# that were aimed at somebody else?

# %%
noise = 0.25 * rng.choice([-1, 1], target.shape).astype("float32")
unaimed = read_by_cnn(np.clip(target + noise, 0, 1))
borrowed = read_by_cnn(privacy.fgsm(target, truth, plain, 0.25))
claim("CNN, clean", read_by_cnn(target), at_least=0.92)
claim("CNN, random signs", unaimed, at_least=0.7)
claim("CNN, aimed at the other network", borrowed, at_most=0.75)
claim("random minus aimed", unaimed - borrowed, at_least=0.2)

# %% [markdown]
# Attacks **transfer**. Both networks learned the same strokes, so they lean on the
# same pixels. Secrecy of the weights is no defense. The same happens to text: endings
# for a question, found by gradients on open language models, made closed chatbots
# give answers that they had been trained to refuse (Zou et al., 2023).

# %% [markdown]
# ## 2. Can a network be taught to resist?
#
# Train on what will come. At each step, attack the batch, then learn from the
# attacked pictures with their true labels. Madry et al. (2018) write it as a game:
#
# $$\min_\theta\;\mathbb E\,\max_{\lVert r\rVert_\infty\le s}
# \text{loss}_\theta(x+r,\,y)$$
#
# The outer player learns; the inner one, here FGSM, attacks the network as it is
# *now*. We go on from the trained network.

# %%
reveal(privacy.train)

# %%
rng = np.random.default_rng(seed(4))
rate = opt.cosine(0.5, 1001)  # 5 epochs
settings = {"epochs": 5, "batch": 100, "learning_rate": rate, "attack": 0.1}
hardened = privacy.train(x_train[rows], y_train[rows], plain, rng, **settings)

# %% [markdown]
# A defense must be tried against a stronger attack than the one it has seen.
# **PGD**, projected gradient descent, repeats small sign steps, and always stays
# within $s$ of the picture.

# %%
reveal(privacy.pgd)

# %% [markdown]
# **Predict.** Will the hardened network be better on clean digits than the plain one,
# or worse? And how many digits will survive PGD?

# %%
clean, usual = (craft.accuracy(n, x_test, y_test) for n in (hardened, plain))
claim("hardened, clean", clean, at_least=0.94)
claim("... minus the plain network's", clean - usual, at_least=-0.01)
attacked = privacy.fgsm(target, truth, hardened, 0.1)
claim("hardened, FGSM", craft.accuracy(hardened, attacked, truth), at_least=0.65)
attacked = privacy.pgd(target, truth, hardened, 0.1)
survived = craft.accuracy(hardened, attacked, truth)
claim("hardened, PGD", survived, at_least=0.6)
attacked = privacy.pgd(target, truth, plain, 0.1)
before = craft.accuracy(plain, attacked, truth)
claim("PGD: gain by hardening", survived - before, at_least=0.45)


# %%
sizes = np.linspace(0, 0.2, 9)


def curve(attack, layers):
    x, y = target[:300], truth[:300]
    return [craft.accuracy(layers, attack(x, y, layers, s), y) for s in sizes]


# %% tags=["figure"]
lines = {
    "hardened, FGSM": (curve(privacy.fgsm, hardened), "o-"),
    "hardened, PGD": (curve(privacy.pgd, hardened), "s-"),
    "plain, FGSM": (curve(privacy.fgsm, plain), "o--"),
    "plain, PGD": (curve(privacy.pgd, plain), "s--"),
}
figure, axis = plt.subplots(figsize=(6.4, 3.2))
for name, (accuracies, style) in lines.items():
    color = plots.BLUE if "hardened" in name else plots.RED
    axis.plot(sizes, accuracies, style, color=color, label=name)
axis.axvline(0.1, color="#999999", lw=1, ls=":")
axis.set(xlabel="largest change $s$ of a pixel", ylabel="accuracy", ylim=(0, 1))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure, alt="Accuracy sinks with s: steeply for plain, slowly for hardened."
)

# %% [markdown]
# Accuracy by the attack's size; dotted: the size that was trained for. Hardening
# brings most of the accuracy back there, and PGD takes only a little more than FGSM
# did. Beyond it, the curve sinks on: resistance is bought for one size and one kind
# of change. The price was computing, as each step now begins with an attack. Clean
# digits are read as well as before; clean photographs are not (Madry et al., 2018).
# Today a public benchmark attacks published defenses again with one strong set of
# attacks, as so many had only looked strong (Croce et al., 2021).

# %% [markdown]
# ## 3. Does a network betray whom it learned from?
#
# Imagine that a network was trained on the patients of one clinic. Then "was she in
# the training set?" is a medical question. Shokri et al. (2017) call its answer
# **membership inference**. The simplest attack needs one number: the loss of her
# record. A network is surer of what it has seen (Yeom et al., 2018).
#
# Real labels contain mistakes, and a mistake can only be memorized. So we replace a
# fifth of the labels by random ones, for the **members** of the training set and for
# the **outsiders** alike.

# %%
rng = np.random.default_rng(seed(5))
labels = y_train.copy()
wrong = rng.random(len(labels)) < 0.2
labels[wrong] = rng.integers(0, 10, wrong.sum())
members, outsiders = rng.permutation(60_000)[:6000].reshape(2, 3000)
x, y = x_train[members], labels[members]


# %%
def attack(layers):  # AUC of "a low loss means: member"
    inside = privacy.losses(x, y, layers)
    outside = privacy.losses(x_train[outsiders], labels[outsiders], layers)
    return latent.auc(inside, outside)


# %% [markdown]
# **Predict.** We train far too long. Does the attack work from the start, or only
# later?

# %%
memorizer, leak, done = new_network(rng), {}, 0
for until in (1, 3, 7, 15, 30, 50):
    more = {"epochs": until - done, "batch": 32}
    memorizer, done = privacy.train(x, y, memorizer, rng, **more), until
    leak[until] = attack(memorizer)
claim("accuracy on its own labels", craft.accuracy(memorizer, x, y), at_least=0.95)
overfit = craft.accuracy(memorizer, x_test, y_test)
claim("accuracy on test digits", overfit, at_most=0.9)
claim("AUC after one epoch", leak[1], at_most=0.56)
claim("AUC at the end", attack(memorizer), at_least=0.65)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.9), width_ratios=[3, 2])
bins = np.linspace(-5, 1.5, 40)
groups = {"members": (members, plots.RED), "outsiders": (outsiders, plots.BLUE)}
for (name, (who, color)), filled in zip(groups.items(), [True, False], strict=True):
    loss = privacy.losses(x_train[who], labels[who], memorizer)
    kind = "stepfilled" if filled else "step"
    axes[0].hist(
        np.log10(loss + 1e-5), bins, histtype=kind, color=color, label=name, lw=2
    )
axes[0].set(xlabel="loss, power of ten", ylabel="records", title="after 50 epochs")
axes[0].legend(loc="upper left")
axes[1].plot(*zip(*leak.items(), strict=True), "o-")
axes[1].axhline(0.5, color="#999999", ls=":")
axes[1].set(
    xlabel="epochs", xscale="log", title="AUC of the attack", ylim=(0.45, 0.8)
)
plots.show(figure, alt="Outsiders have many large losses, members none; AUC rises.")

# %% [markdown]
# Left: losses; only outsiders have large ones. Right: the leak, over a coin's one half
# (dotted), grows with memorizing. Stopping early would have closed most of it. But
# "most" is no guarantee, and an average hides people: an attack may be no better than
# a coin for nearly all, and certain about a few. So attacks are judged today by how
# many members they find at almost no false alarms (Carlini et al., 2022).

# %% [markdown]
# ## 4. Can a network learn from all, and tell about nobody?
#
# What one record $i$ of $n$ does to the weights is its gradient $g_i$. Cut it to a
# length of at most $C$, add all up, then drown each single one in noise. That is
# **DP-SGD** (Abadi et al., 2016):
#
# $$\bar g_i = g_i\,\min\Bigl(1,\frac{C}{\lVert g_i\rVert}\Bigr),\qquad
# W \leftarrow W - \frac{\eta}{qn}\Bigl(\sum_{i\in\text{batch}}\bar g_i
# + \mathcal N(0,\,\sigma^2C^2)\Bigr)$$
#
# Each record comes into a batch with chance $q$, independently, so a batch has $qn$
# records on average; $\eta$ is the learning rate, and $\sigma$ says how loud the noise
# is, compared with $C$. We need the length of each record's *own* gradient. A dense
# layer makes it cheap: record $i$'s gradient is $a_i\delta_i^\top$, and its length
# $\lVert a_i\rVert\,\lVert\delta_i\rVert$ (Goodfellow, 2015).

# %%
reveal(privacy.gradient_norms, privacy.clipped_sum)

# %% [markdown]
# **Predict.** Which records have long gradients, if the network has learned a
# little: those with right labels or those with wrong ones?

# %%
rng = np.random.default_rng(seed(6))
learner = privacy.train(x, y, new_network(rng, 32), rng, epochs=2, batch=32)
norms = privacy.gradient_norms(x, y, learner)
one_by_one = [
    backprop.loss_and_gradients(x[[i]], y[[i]], learner)[1] for i in range(9)
]
exact = [
    np.sqrt(sum(np.sum(g**2) for pair in gs for g in pair)) for gs in one_by_one
]
claim("largest relative gap", np.max(np.abs(norms[:9] / exact - 1)), at_most=1e-4)
blind = y != y_train[members]
ratio = np.median(norms[blind]) / np.median(norms[~blind])
claim("median length, wrong / right", ratio, at_least=1.6)

# %% [markdown]
# Wrong labels pull hardest: without clipping, exactly they would be remembered.
#
# How much does the noise hide? **Differential privacy** gives the answer a number.
# Train with a record, or without it: for every set $S$ of results,
#
# $$\Pr[\text{with}\in S]\le e^{\varepsilon}\,\Pr[\text{without}\in S]+\delta$$
#
# and the same with both sides exchanged. At $\varepsilon=0$ and $\delta=0$ nobody could
# tell. The bound holds for *every* attack, also for those that nobody has thought of:
# its rate of hits is at most $e^\varepsilon$ times its rate of false alarms, plus
# $\delta$.
#
# An accountant finds $\varepsilon$ in three steps. One step of DP-SGD causes at most a
# certain *Rényi divergence*, a relative of chapter 07's KL divergence; Mironov et al.
# (2019) have it in closed form. Over the steps divergences add up. Canonne et al.
# (2020) turn the sum into $\varepsilon$.

# %%
reveal(privacy.renyi, privacy.epsilon)

# %% [markdown]
# Is our accountant right? The library Opacus (Yousefpour et al., 2021) tests its
# own with noise $\sigma = 1.5$, $q = 0.04$, 2,250 steps and $\delta = 10^{-5}$, and
# expects 7.3291.
#
# **Predict.** Each order $\alpha$ of the divergence gives a valid bound, and the least
# is taken. We try integer orders only, they also fractions. On which side of theirs
# will our bound lie?

# %%
ours = privacy.epsilon(1.5, 0.04, 2250, 1e-5)
claim("ε, ours - theirs", ours - 7.3291, at_least=0, at_most=0.01)

# %% [markdown]
# Slightly above: fewer orders, a slightly looser bound, but a valid one. Now train
# with four amounts of noise, 200 steps with $q = 0.1$ each, and $\delta = 10^{-4}$.
#
# **Predict.** Which is more accurate on clean test digits: the memorizer of section
# 3, or a network that is kept from memorizing?

# %%
private = {}
for sigma in (1.0, 2.0, 4.0, 8.0):
    rng = np.random.default_rng(seed(7))
    settings = {"num_steps": 200, "rate": 0.1, "noise": sigma, "learning_rate": 1.0}
    layers = privacy.train_privately(x, y, new_network(rng, 32), rng, **settings)
    bound = privacy.epsilon(sigma, 0.1, 200, 1e-4)
    private[bound] = craft.accuracy(layers, x_test, y_test), attack(layers)
    print(f"noise {sigma}: ε = {bound:.2f}")

# %%
accuracies, leaks = np.transpose([*private.values()])
claim("AUC, the largest of four", leaks.max(), at_most=0.57)
claim("accuracy with ε = 3.22", accuracies[1], at_least=0.78)
claim("... minus the memorizer's", accuracies[1] - overfit, at_least=-0.06)
claim(
    "accuracy lost from ε = 3.22 to 0.60",
    accuracies[1] - accuracies[3],
    at_least=0.08,
)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharex=True)
for axis, values, flat, title in [
    (axes[0], accuracies, overfit, "accuracy on test digits"),
    (axes[1], leaks, attack(memorizer), "AUC of the attack"),
]:
    axis.plot([*private], values, "o-", label="DP-SGD")
    axis.axhline(flat, color=plots.RED, ls="--", label="the memorizer")
    axis.set(title=title, xscale="log", xlabel="ε, less is safer")
axes[1].axhline(0.5, color="#999999", ls=":")
axes[1].legend(loc="center right")
plots.show(figure, alt="Accuracy rises with ε; the AUC stays near one half.")

# %% [markdown]
# By ε: accuracy left, the attack right; dotted: a coin. With ε = 3 the attack is
# close to a coin, and the network reads digits about as well as the memorizer:
# privacy and generalization both want that no single record is learned by heart.
#
# The bound promises less than we see: $e^3$ is 20, so it would allow 20 times as many
# hits as false alarms. It has to hold for the oddest record and the cleverest attack;
# ours are ordinary. At ε below 1 the noise eats the accuracy. More records would share
# the same noise: large data make privacy cheap. All next-word networks of Google's
# phone keyboard are trained with differential privacy (Xu et al., 2023).
#
# The price list has small print: ε is for *one* record, and trying many settings on
# the same data costs extra. Exercise 11d.4 has an older, simpler rule (Bun & Steinke,
# 2016).

# %% [markdown]
# ## 5. Can many learn together without handing over their data?
#
# Ten hospitals may not share records. **Federated averaging** (McMahan et al.,
# 2017) sends the network to the data: each client trains a copy for a while, and a
# server averages the copies, weighted by their numbers of records $n_k$:
#
# $$W \leftarrow \sum_k \frac{n_k}{n}\,W_k$$

# %%
reveal(privacy.average, privacy.federated_round)

# %% [markdown]
# If each client takes a single step, on all its records, nothing is lost: the weighted
# mean of the clients' gradients *is* the gradient of the pool. The next cell checks
# it.
#
# **Predict.** Then clients take a whole epoch of small steps before they meet. And
# each has only two kinds of digits, or few more. How good is a client alone, and how
# good are all together?

# %%
rng = np.random.default_rng(seed(8))
rows = rng.permutation(60_000)[:6000]
x, y = x_train[rows], y_train[rows]
parts = privacy.split_by_label(y, 10, rng)
origin = new_network(rng, 64)
once = {"epochs": 1, "batch": 6000}
joined = privacy.federated_round(x, y, parts, origin, rng, **once)
pooled = privacy.train(x, y, origin, rng, **once)
gap = max(np.abs(a[0] - b[0]).max() for a, b in zip(joined, pooled, strict=True))
claim("one step each: distance to one step of the pool", gap, at_most=1e-5)


# %%
def federate(parts, rounds=20):
    layers, path = origin, []
    for _ in range(rounds):
        layers = privacy.federated_round(
            x, y, parts, layers, rng, epochs=1, batch=32
        )
        path.append(craft.accuracy(layers, x_test, y_test))
    return path


def alone(part):
    layers = privacy.train(x[part], y[part], origin, rng, epochs=20, batch=32)
    return craft.accuracy(layers, x_test, y_test)


# %%
lonely = np.mean([alone(part) for part in parts])
pooled = alone(np.arange(6000))
uneven = federate(parts)
even = federate(np.array_split(rng.permutation(6000), 10))
claim("a client alone, on average", lonely, at_most=0.4)
claim("averaged, uneven clients", uneven[-1], at_least=0.75)
claim("averaged, even clients", even[-1], at_least=0.87)
claim("pooled", pooled, at_least=0.9)
claim("third round: even minus uneven", even[2] - uneven[2], at_least=0.08)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
rounds = np.arange(1, 21)
axis.plot(rounds, even, "s-", label="averaged, even clients")
axis.plot(rounds, uneven, "o-", label="averaged, uneven clients")
for value, text in [(pooled, "pooled, 20 epochs"), (lonely, "one client alone")]:
    axis.axhline(value, color=plots.BLACK, ls="--", lw=1)
    axis.text(20, value + 0.015, text, ha="right", fontsize=9)
axis.set(xlabel="round", ylabel="accuracy", ylim=(0, 1.02))
axis.set_xticks(range(0, 21, 5))
axis.legend(loc="center right")
plots.show(
    figure, alt="Both averages climb to near the pooled line; uneven is slower."
)

# %% [markdown]
# Test accuracy by round. A client alone reads only the digits it has seen. Together,
# without showing a record, they get a network that reads all ten. Uneven clients pull
# in different directions, and meet more slowly.
#
# But is a gradient no record? Look at the first layer: $\partial\text{loss}/
# \partial W = a\,\delta^\top$ and $\partial\text{loss}/\partial b = \delta$, where
# $a$ is the picture.
#
# **Predict.** A client sends the gradient of a single picture. What can the server
# see?

# %%
secret = x[:1]
dw, db = backprop.loss_and_gradients(secret, y[:1], origin)[1][0]
unit = np.abs(db).argmax()
stolen = dw[:, unit] / db[unit]
claim("largest error of a pixel", np.abs(stolen - secret[0]).max(), at_most=1e-3)

# %% tags=["figure"]
pair = np.stack([secret[0], stolen]).reshape(2, 28, 28)
figure = plots.images(pair, ["kept at home", "read from the gradient"], size=1.6)
plots.show(figure, alt="The same digit twice.")

# %% [markdown]
# One division, and the picture is there. For small batches and deeper networks it
# takes an optimizer, and still works (Zhu et al., 2019). Data that stay at home are
# not private by that alone. Federated training needs section 4, too: the keyboard
# above clips what each phone sends, and adds noise to the sum.

# %% [markdown]
# ## Where the tutorials go wrong
#
# **"Security is protecting user data from leaks" (E210).** That is confidentiality,
# one part. In sections 1 and 2 nothing leaked. And one may attack what a network is
# *taught*. Put a black square into a corner of 200 of 10,000 training pictures, and
# call all of them 7 (Gu et al., 2019).
#
# **Predict.** What happens to accuracy, and what to a test picture with the square?


# %% tags=["E210"]
def with_square(x):
    x = x.reshape(-1, 28, 28).copy()
    x[:, 24:27, 24:27] = 1
    return x.reshape(-1, 784)


rng = np.random.default_rng(seed(9))
x, y = x_train[:10_000].copy(), y_train[:10_000].copy()
x[:200], y[:200] = with_square(x[:200]), 7
poisoned = privacy.train(x, y, new_network(rng), rng, epochs=5, learning_rate=0.2)

# %%
claim("clean", craft.accuracy(poisoned, x_test, y_test), at_least=0.88)
others = with_square(x_test[y_test != 7])
read_as_7 = [
    np.mean(privacy.scores(others, net).argmax(1) == 7) for net in (poisoned, plain)
]
claim("with the square: read as 7", read_as_7[0], at_least=0.75)
claim("... by a network without poison", read_as_7[1], at_most=0.05)

# %% [markdown]
# Accuracy stays, and the square opens a **back door**. No test set shows it, unless it
# holds the square. Security asks who could gain from which change: to the input, to
# the training data, to the weights, to what is sent.
#
# **"Deep-learning algorithms are unstable" (E057).** Which of three things is
# meant? *Numerical* instability: right formula, wrong floats. *Instability of
# training*: a rate too large, or seeds that matter (chapters 03 and 04).
# *Adversarial* sensitivity: sections 1 and 2. Each has its own cure.
#
# **Predict.** What does softmax give for the scores 1000 and 0, written naively? And
# which accuracy has a network after an epoch at learning rate 10?

# %% tags=["E057"]
z = np.array([1000.0, 0.0])
with np.errstate(all="ignore"):
    naive = np.exp(z) / np.exp(z).sum()
print("naive softmax:", naive, " stable softmax:", network.softmax(z))
rng = np.random.default_rng(seed(10))
with np.errstate(all="ignore"):
    hasty = privacy.train(x, y, new_network(rng), rng, epochs=1, learning_rate=10)
claim("rate 10: accuracy", craft.accuracy(hasty, x_test, y_test), at_most=0.2)

# %% [markdown]
# | | Said | In fact | Right |
# |---|---|---|---|
# | E210 | security is protection from leaks | that is one part, confidentiality; attacks on inputs, training data and updates are left out | sections 1 to 5; Szegedy et al. (2014), Gu et al. (2019), Shokri et al. (2017) |
# | E057 | "unstable" | three different things | stable formulas; smaller rates and several seeds; adversarial training |

# %% [markdown]
# ## Exercises
#
# ### Exercise 11d.1: one step of an attack
#
# 5 minutes. `x` is a picture with values in $[0, 1]$, `gradient` is
# $\partial\text{loss}/\partial x$. Return the FGSM picture for the size `s`.


# %% tags=["exercise"]
def sign_step(x, gradient, s):  # (n,), (n,), number -> (n,)
    """The attacked picture; its pixels stay in [0, 1]."""
    raise NotImplementedError


check("11d.1", sign_step)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The attacker wants a *high* loss.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Each pixel moves by exactly `s`, whatever the gradient's length: `np.sign`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# At the end, `np.clip(..., 0, 1)`.
#
# </details>


# %% tags=["solution"]
def sign_step_solution(x, gradient, s):
    return np.clip(x + s * np.sign(gradient), 0, 1)


check("11d.1", sign_step_solution, solution=True)

# %% [markdown]
# ### Exercise 11d.2: a guarantee
#
# 10 minutes. A linear classifier answers with the sign of $w\cdot x+b$. The right
# answer is `y`, −1 or 1, and the margin $y\,(w\cdot x+b)$ is positive if the two
# agree. Return the lowest margin that a change of at most `s` a pixel can cause.
# (Pixels may leave $[0,1]$.)


# %% tags=["exercise"]
def lowest_margin(x, y, w, b, s):  # (n,), -1 or 1, (n,), number, number -> number
    """If it is positive, no attack of size s can succeed."""
    raise NotImplementedError


check("11d.2", lowest_margin)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Section 1 says by how much $w\cdot r$ can change.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $y$ is −1 or 1: it does not change the size of the worst change.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The margin now, minus $s\,\lVert w\rVert_1$.
#
# </details>


# %% tags=["solution"]
def lowest_margin_solution(x, y, w, b, s):
    return y * (w @ x + b) - s * np.abs(w).sum()


check("11d.2", lowest_margin_solution, solution=True)

# %% [markdown]
# ### Exercise 11d.3: nobody pulls too hard
#
# 10 minutes. Row $i$ of `gradients` is the gradient of record $i$. Shorten each to
# length `limit` if it is longer, and return their sum. A row may be zero.


# %% tags=["exercise"]
def clip_and_add(gradients, limit):  # (n, d), number -> (d,)
    """The sum of the rows, each at most `limit` long."""
    raise NotImplementedError


check("11d.3", clip_and_add)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.linalg.norm(gradients, axis=1, keepdims=True)` has one length a row.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Short rows stay as they are: the factor is at most 1.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The factor `limit / np.maximum(length, limit)` never divides by zero.
#
# </details>


# %% tags=["solution"]
def clip_and_add_solution(gradients, limit):
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.sum(gradients * (limit / np.maximum(length, limit)), axis=0)


check("11d.3", clip_and_add_solution, solution=True)

# %% [markdown]
# ### Exercise 11d.4: how much noise?
#
# 20 minutes. Every record takes part in every step ($q=1$). Then `num_steps` $=T$
# steps with noise $\sigma$ cost $\rho=\frac{T}{2\sigma^2}$, and (Bun & Steinke, 2016)
#
# $$\varepsilon=\rho+2\sqrt{\rho\,\ln(1/\delta)}$$
#
# Return the $\sigma$ that gives exactly the wanted $\varepsilon$.


# %% tags=["exercise"]
def noise_for(epsilon, delta, num_steps):  # numbers -> number
    """The noise multiplier σ."""
    raise NotImplementedError


check("11d.4", noise_for)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The formula is a quadratic equation in $\sqrt\rho$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Add $\ln(1/\delta)$ to both sides: the right one becomes
# $\bigl(\sqrt\rho+\sqrt{\ln(1/\delta)}\bigr)^2$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $\sqrt\rho=\sqrt{\varepsilon+\ln(1/\delta)}-\sqrt{\ln(1/\delta)}$, then
# $\sigma=\sqrt{T/2\rho}$.
#
# </details>


# %% tags=["solution"]
def noise_for_solution(epsilon, delta, num_steps):
    log_term = np.log(1 / delta)
    root = np.sqrt(epsilon + log_term) - np.sqrt(log_term)
    return np.sqrt(num_steps / 2) / root


check("11d.4", noise_for_solution, solution=True)

# %% [markdown]
# ### Exercise 11d.5: a server that liars cannot move (project)
#
# 30 minutes. Row $k$ of `updates` is what client $k$ sent. Fewer than half of the
# clients lie, and may send any numbers, however large. The honest ones nearly agree.
# Return one update whose every number lies within the range of the honest clients'
# numbers (Yin et al., 2018). You are not told who lies.


# %% tags=["exercise"]
def combine(updates):  # (clients, n) -> (n,)
    """An update that a minority cannot push away."""
    raise NotImplementedError


check("11d.5", combine)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A mean follows a single huge number anywhere. Which average of numbers does not?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Sort each column: where do the liars stand, and who must stand in the middle?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The median of each column.
#
# </details>


# %% tags=["solution"]
def combine_solution(updates):
    return np.median(updates, axis=0)


check("11d.5", combine_solution, solution=True)
