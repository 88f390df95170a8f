# %% [markdown]
# "5 mars 2021" is to become "2021-03-05". For each character that you write, where
# do you look?

# %%
import keras
from dl_course import attention, data, dates, translation
from keras import layers, ops

# %% tags=["figure"]
written, iso = "5 mars 2021", "2021-03-05"
looks = np.zeros((len(iso), len(written)))
looks[range(4), range(7, 11)] = 1  # four digits of the year
looks[5:7, 2:6] = 1 / 4  # the month, out of four letters
looks[8:, 0] = 1
figure = attention.draw_alignment(looks, written, iso)
plots.show(figure, alt="The year is copied, the month read from four letters.")

# %% [markdown]
# A row for each character that is written, a column for each that is read: dark is
# where you look. The year is copied, the month is read as a whole, the day is one
# look. Nobody will tell a network any of this. By the end of the chapter it has
# found out.

# %% [markdown]
# ## Recall
#
# 1. Chapter 02: what do all outputs of a softmax sum to, and what happens if you add
#    7 to all inputs?
# 2. Chapter 06: a GRU has read a sentence of 30 characters. Where is what it knows?
# 3. Chapter 03: the slope of a softmax is $p_i(1 - p_i)$ for its own input. When is
#    it nearly zero?
#
# <details><summary>Answer</summary>
#
# 1. To 1; nothing happens.
# 2. In its state, a vector of fixed size, however long the sentence was.
# 3. When $p_i$ is near 0 or near 1: a softmax that is sure learns slowly.
#
# </details>

# %% [markdown]
# ## 1. How can a network look something up?
#
# A dictionary has keys and values. You come with a query; the key that equals it
# gives you its value. *Equals* has no slope, so nothing could be learned through it.
#
# Make it soft. Compare the query $q$ with every key $k_j$: a **score** $s_j$, say
# $q \cdot k_j$. Let a softmax turn the scores into weights $a_j$, and take the mean
# of the values $v_j$ with these weights:
#
# $$z = \sum_j a_j v_j, \qquad a_j = \frac{e^{s_j}}{\sum_m e^{s_m}}$$

# %%
keys = np.array([[1.0, 0], [0, 1], [-1, 0]])
values = np.array([10.0, 20, 60])


def look_up(q):
    scores = keys @ q
    a = np.exp(scores) / np.exp(scores).sum()
    return a @ values


# %% [markdown]
# **Predict.** The query points the way of the second key. What comes back if it is
# 1 long, and if it is 20 long?

# %%
short = look_up(np.array([0, 1.0]))
claim("a short query fetches a mixture", short, equals=26.36, tolerance=0.01)
claim("a long query", look_up(np.array([0, 20.0])), equals=20, tolerance=1e-3)
between = look_up(np.array([20.0, 20]))
claim("... between two keys", between, equals=15, tolerance=1e-3)

# %% [markdown]
# The direction of a query says what it looks for, its length how sure it is. And
# everything has a slope: keys, values and queries can be learned. With many queries
# at once, as rows of matrices, it is
#
# $$Z = A V, \qquad A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right),$$
#
# the softmax along each row (Vaswani et al., 2017). This is **attention**. A key has
# $d_k$ numbers; section 2 says what the root is for. In **self-attention** queries,
# keys and values are computed from one sequence; in **cross-attention** a sequence
# asks another one.

# %%
reveal(attention.dot_product_attention, attention.masked_softmax)

# %%
rng = np.random.default_rng(seed(1))
q, k, v = (rng.normal(size=(n, 4)) for n in (5, 7, 7))
z, a = attention.dot_product_attention(q, k, v)
print("outputs", z.shape, " weights", a.shape)
claim("each row sums to 1, within", np.abs(a.sum(axis=1) - 1).max(), at_most=1e-9)
claim("columns do not, by up to", np.abs(a.sum(axis=0) - 1).max(), at_least=0.1)

# %% [markdown]
# Five queries, five outputs; seven keys, seven weights in each row.

# %% [markdown]
# ## 2. Why divide by √d?
#
# Let $q$ and $k$ have $d_k$ independent numbers each, of mean 0 and variance 1. Then
# $q \cdot k$ is a sum of $d_k$ products, each of variance 1, so its variance is $d_k$.
# Divide $q \cdot k$ by $\sqrt{d_k}$, and the variance is 1 again, at any size.
#
# **Predict.** Ten keys of 64 numbers. How large is the largest weight on average,
# with the division and without?


# %%
def largest_weight(d, scale, rng):
    q, k = rng.normal(size=(500, 1, d)), rng.normal(size=(500, 10, d))
    a = attention.masked_softmax(attention.dot_scores(q, k) / scale)
    return a.max(axis=-1).mean(), np.mean(a * (1 - a))


# %%
rng, sizes = np.random.default_rng(seed(2)), [1, 4, 16, 64, 256, 1024]
plain = np.array([largest_weight(d, 1, rng) for d in sizes])
scaled = np.array([largest_weight(d, np.sqrt(d), rng) for d in sizes])
claim("largest of ten weights, unscaled, d = 64", plain[3, 0], at_least=0.8)
claim("... divided by √d", scaled[3, 0], at_least=0.3, at_most=0.5)
claim("slope left without scaling", plain[-1, 1] / scaled[-1, 1], at_most=0.2)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.8))
for curve, name, marker in ((plain, "q · k", "o"), (scaled, "q · k / √d", "s")):
    axis.semilogx(sizes, curve[:, 0], marker=marker, base=2)
    axis.text(1200, curve[-1, 0], name, va="center")
axis.set(xlabel="$d_k$", ylabel="largest of ten weights", ylim=(0, 1.02))
plots.show(figure, alt="Unscaled weights rise to one with d; scaled ones stay.")

# %% [markdown]
# The largest of ten weights, against the size of the keys. Unscaled, a large model
# looks at one place only, before it has learned anything. And a sure softmax has
# hardly any slope to learn by.

# %% [markdown]
# ## 3. Why several heads?
#
# A row of weights makes *one* mean. A query that needs a verb's subject and its object
# would get their average. So let several attentions run side by side, each with
# matrices of its own, $Q_h = XW_h^Q$ and so on. One more matrix, $W_h^O$, brings each
# output back to full size; then they are added:
#
# $$Z = \sum_h A_h\,(X W_h^V)\, W_h^O + b$$
#
# Each such attention is a **head**. It is narrow, so that eight heads cost what one wide
# one would.

# %%
reveal(attention.multi_head_attention)

# %% [markdown]
# **Predict.** The numbers of two marked places, 5 and 9, are wanted at once. What does
# one head fetch that looks at both, and what do two heads?

# %%
x = np.array([[[1.0, 0, 5], [0, 1, 9], [0, 0, 2]]])  # mark, mark, number
marks, number = 50 * np.eye(3)[:2], np.eye(3)[2]
numbers = x[0] @ number[:, None]
one = attention.dot_product_attention(marks.sum(0)[None], x[0], numbers)
two = attention.dot_product_attention(marks, x[0], numbers)
claim("one head fetches the mean", one[0][0, 0], equals=7, tolerance=1e-6)
claim("two heads fetch both", bool(np.allclose(two[0].ravel(), [5, 9])))

# %% [markdown]
# Keras has a layer that does all this. With the layer's weights, our function must
# give the layer's numbers: when a sequence asks itself, and when it asks another.

# %%
seed(3)
layer = layers.MultiHeadAttention(num_heads=4, key_dim=8)
rng = np.random.default_rng(seed(3))
x = rng.normal(size=(2, 6, 32)).astype("float32")
memory = rng.normal(size=(2, 9, 32)).astype("float32")
for name, asked in {"self": x, "cross": memory}.items():
    by_keras = np.array(layer(x, asked))
    ours, a = attention.multi_head_attention(x, asked, layer.get_weights())
    claim(f"{name}, from Keras", np.abs(ours - by_keras).max(), at_most=1e-5)

# %% [markdown]
# ## 4. Who must not look where?
#
# Two kinds of places are none of a query's business. One is **padding**, which fills
# short sequences up. The other is the future: a network that predicts the next
# character must not see it, and a **causal** mask hides it. A mask is True where a
# query may look; elsewhere the score becomes $-\infty$, and the weight 0.
#
# **Predict.** Four places, the last is padding, and nobody sees ahead. Which cells
# are allowed?

# %%
mask = attention.causal_mask(4) & attention.padding_mask([3], 4)[0]
print(mask.astype(int))
claim("nine cells are allowed", mask.sum() == 9)

# %%
causal, padding = attention.causal_mask(6), attention.padding_mask([6, 2], 6)
weights = layer.get_weights()
by_keras = layer(x, x, use_causal_mask=True, value_mask=padding[:, 0])
ours, a = attention.multi_head_attention(x, x, weights, causal & padding)
claim("both masks, from Keras", np.abs(ours - by_keras).max(), at_most=1e-5)
hidden = a.swapaxes(0, 1)[:, ~(causal & padding)]  # of all four heads
claim("hidden weights", hidden.max(), at_most=0)

# %% [markdown]
# And a query that may look nowhere, as in an empty sequence? All its scores are
# $-\infty$.
#
# **Predict.** What does the formula of section 1 give for them?

# %%
nowhere = np.full(3, -np.inf)
with np.errstate(invalid="ignore"):
    print("formula", np.exp(nowhere - nowhere.max()) / np.exp(nowhere).sum())
print("ours   ", attention.masked_softmax(np.zeros(3), np.zeros(3, bool)))

# %% [markdown]
# Zero divided by zero: NaN, which spreads to every weight of a network in one step. So
# we define: a query that may look nowhere fetches the zero vector.
#
# Does a causal mask keep its promise? Change a place, and see which outputs change.

# %%
changed = x.copy()
changed[:, 3] += 1
after, _ = attention.multi_head_attention(changed, changed, weights, causal)
before, _ = attention.multi_head_attention(x, x, weights, causal)
first = np.flatnonzero(np.any(after != before, axis=(0, 2)))[0]
claim("place 3 changes outputs from place 3 on", first == 3)

# %% [markdown]
# ## 5. Does attention know the order?
#
# In the formula no place has a number. Shuffle the places, and each query still
# finds the same keys, elsewhere.
#
# **Predict.** We shuffle the input of self-attention. What happens to its output?

# %%
order = np.random.default_rng(seed(4)).permutation(6)
output = attention.multi_head_attention(x, x, weights)[0]
moved = attention.multi_head_attention(x[:, order], x[:, order], weights)[0]
claim("output is only shuffled, within", np.abs(moved - output[:, order]).max(),
      at_most=1e-5)  # fmt: skip

# %% [markdown]
# It is shuffled along, and nothing else: attention is **permutation equivariant**.
# "Dog bites man" and "man bites dog" would be the same three words. So the place
# must be written into the input: add a vector $p_t$ to each. It can be learned, one
# for each place. Or it can be a set of clocks that run ever slower, two of the $d$
# features for each clock:
#
# $$p_{t,2i} = \sin\left(t / 10000^{2i/d}\right), \qquad
# p_{t,2i+1} = \cos\left(t / 10000^{2i/d}\right)$$

# %%
reveal(attention.sinusoidal_positions)

# %% tags=["figure"]
clocks = attention.sinusoidal_positions(60, 32)
figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.6))
axes[0].imshow(clocks.T, cmap="RdBu", aspect="auto")
axes[0].set(xlabel="place $t$", ylabel="feature", title="the vectors $p_t$")
axes[0].grid(False)
for t, style in ((10, "-"), (30, "--"), (50, ":")):
    axes[1].plot(clocks @ clocks[t], style)
    axes[1].text(t, 16.2, f"t = {t}", ha="center")
axes[1].set(xlabel="other place", title="$p_t$ · other place", ylim=(5, 17.3))
plots.show(figure, alt="Stripes of waves, and three equal bumps around t.")

# %% [markdown]
# Left: fast clocks above, slow ones below. Right: the product with other places has
# one shape, moved along. Only the distance counts, so a head can learn "three places
# back" once, for all places.

# %%
p = clocks[:6].astype("float32")
y, y_moved = x + p, x[:, order] + p
output = attention.multi_head_attention(y, y, weights)[0]
moved = attention.multi_head_attention(y_moved, y_moved, weights)[0]
change = np.abs(moved - output[:, order]).max()
claim("with places, the order counts", change, at_least=0.01)
products = [clocks[t] @ clocks[t + 3] for t in range(50)]
claim("three apart, the same product, within", np.ptp(products), at_most=1e-9)

# %% [markdown]
# ## 6. Which score?
#
# Three ways to compare a query with a key are in use:
#
# |Score|$s(q, k)$|Parameters|
# |-|-|-|
# |dot product|$q \cdot k$|none|
# |multiplicative (Luong et al., 2015)|$q^\top W k$|$d_q d_k$|
# |additive (Bahdanau et al., 2015)|$v \cdot \tanh(W_q q + W_k k)$|$(d_q + d_k + 1)\,h$|
#
# A test: the query is one of ten keys, turned by a rotation $R$ that nobody tells, with
# some noise. Which key is it?

# %%
rng = np.random.default_rng(seed(5))
rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
keys = rng.normal(size=(4000, 10, 8)).astype("float32")
place = rng.integers(10, size=4000)
noise = 0.3 * rng.normal(size=(4000, 8))
queries = (keys[np.arange(4000), place] @ rotation + noise).astype("float32")


# %%
def build_finder(kind):
    q, k = keras.Input((8,)), keras.Input((10, 8))
    if kind == "additive":
        both = layers.Dense(32)(q)[:, None] + layers.Dense(32)(k)
        scores = layers.Dense(1)(ops.tanh(both))[..., 0]
    else:
        asked = (
            layers.Dense(8, use_bias=False)(q) if kind == "multiplicative" else q
        )
        scores = ops.einsum("bd,bkd->bk", asked, k)
    return keras.Model([q, k], scores)


# %% [markdown]
# **Predict.** Which of the three finds the key, and which finds it most often?

# %%
seed(5)
found = {}
for kind in ("dot product", "multiplicative", "additive"):
    finder = build_finder(kind)
    if finder.trainable_weights:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        finder.compile(keras.optimizers.Adam(0.05), loss)
        given = [queries[:3000], keys[:3000]], place[:3000]
        finder.fit(*given, batch_size=256, epochs=8, verbose=0)
    scores = np.array(finder([queries[3000:], keys[3000:]]))
    found[kind] = np.mean(scores.argmax(axis=1) == place[3000:])

# %%
claim("dot product finds", found["dot product"], at_most=0.4)
claim("multiplicative finds", found["multiplicative"], at_least=0.8)
claim("additive finds", found["additive"], at_least=0.93)

# %% [markdown]
# A bare dot product can only find what lies the same way. $W$ mends that, and in
# self-attention it is there: $(XW^Q)(XW^K)^\top = X\,(W^Q W^{K\top})\,X^\top$ is a
# multiplicative score. But it still errs. Did it train too little, or is no $W$ good
# enough? We know $R$: give it the $W$ that turns back.

# %%
scores = attention.multiplicative_scores(queries[:, None], keys, rotation.T)[:, 0]
pick, long = scores.argmax(axis=1), np.linalg.norm(keys, axis=2)
claim("with the true rotation", np.mean(pick == place), at_least=0.86, at_most=0.92)
n = np.flatnonzero(pick != place)
longer = np.mean(long[n, pick[n]] > long[n, place[n]])
claim("wrong keys that are longer than the right one", longer, at_least=0.98)

# %% [markdown]
# No $W$ is good enough. A product grows with the length of a key, so a long wrong key
# outbids the right one. The additive score found a way around that.
#
# Why did the product win in the end, then? An additive score computes $h$ tanh for
# every pair of query and key. A product of matrices is what hardware does best, and
# several heads with a layer after them make up for the rest.

# %% [markdown]
# ## 7. Can one vector carry a whole date?
#
# Now the task of the opening. We write random dates in thirteen languages, Chinese
# among them, in the forms that people use.

# %%
train, test = dates.date_pairs(16_000, 1000, np.random.default_rng(seed(6)))
for text, iso, language in train[:6]:
    print(f"{iso}  {language:11} {text}")
overlap = {iso for _, iso, _ in train} & {iso for _, iso, _ in test}
claim("no test day is a training day", not overlap)

# %% [markdown]
# We left out one kind: 03/04/2021 is in March in New York, in April in London. No
# network can know; ask the writer.
#
# A GRU, the **encoder**, reads the date (chapter 06). Its last state starts another
# GRU, the **decoder**, which writes. In training the decoder sees the right characters
# so far, whatever it would have written itself: **teacher forcing**. So all its steps
# are one call. In use it reads what it has written.
#
# Without attention the last state, 48 numbers, must carry the whole date (Sutskever
# et al., 2014). With attention each state of the decoder is a query, and the states
# of the encoder are keys and values.

# %%
reveal(translation.build_translator, translation._build_decoder)

# %% [markdown]
# A character becomes a number from 2 on. Number 1 ends each row and starts the decoder;
# 0 is padding.

# %%
letters = translation.number_symbols([dates.alphabet()])
digits = translation.number_symbols(["0123456789-"])


def as_numbers(pairs):
    sources = translation.encode([text for text, _, _ in pairs], letters, 31)
    return sources, translation.encode([iso for _, iso, _ in pairs], digits, 11)


x_train, y_train = as_numbers(train)
x_test, y_test = as_numbers(test)
print(x_test[0], y_test[0])

# %% [markdown]
# **Predict.** Both train on 16,000 dates, once, and then write 1,000 days they never
# saw. How many are right, to the last digit?


# %%
def trained_translator(use_attention):
    model = translation.build_translator(
        len(letters) + 2, len(digits) + 2, attention=use_attention
    )
    translation.compile_translator(model, len(train) // 64, learning_rate=0.015)
    given = [x_train, translation.shift_right(y_train)]
    bar = progress_bar("with attention" if use_attention else "without")
    model.fit(given, y_train, batch_size=64, verbose=0, callbacks=[bar])
    return model


# %%
seed(7)
models = {"without": trained_translator(False), "with": trained_translator(True)}
written = {name: translation.translate(m, x_test, 11) for name, m in models.items()}
right = {name: np.all(rows == y_test, axis=1) for name, rows in written.items()}
claim("exactly right without attention", right["without"].mean(), at_most=0.1)
claim("exactly right with attention", right["with"].mean(), at_least=0.96)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6, 2.6))
for (name, rows), marker in zip(written.items(), "os", strict=True):
    axis.plot(np.mean(rows == y_test, axis=0)[:10], marker=marker)
    axis.text(9.2, np.mean(rows == y_test, axis=0)[9], name, va="center")
axis.set_xticks(range(10), "YYYY-MM-DD")
axis.set(ylabel="share right", xlim=(-0.3, 11), ylim=(0, 1.03))
plots.show(figure, alt="With attention all are right; without, month and day fail.")

# %% [markdown]
# The share of right characters, place by place. Without attention the century comes
# through, and something of the year; month and day are hardly better than guesses. Not
# that 48 numbers could not hold a date: 17 bits would do. But every digit's blame must
# travel back through one narrow state, step by step, and attention is a short cut.
#
# And where did it look?

# %%
a = translation.alignment(models["with"], x_test, y_test)  # (date, 11, 31)
languages = [language for _, _, language in test]

# %% tags=["figure"]
for language in ("German", "Turkish"):
    i = languages.index(language)
    text, iso, _ = test[i]
    seen = [*text, "end"]
    figure = attention.draw_alignment(a[i, :10, : len(seen)], seen, iso)
    plots.show(figure, alt=f"Where the decoder looked in {text} to write {iso}.")

# %% [markdown]
# A German and a Turkish date. Each row is a character that is written, and shows where
# the network looked for it. Mind that a state of the encoder has read all that stands
# to its left. So a look often lands one place after what it wants; after the last
# character that is "end". And a date in Chinese numerals:

# %%
from IPython.display import HTML

i = next(i for i, (text, _, _) in enumerate(test) if "二" in text[:4])
text, iso, _ = test[i]
seen = [*text, "end"]
HTML(attention.alignment_table(a[i, :10, : len(seen)], seen, iso))

# %% [markdown]
# The year is found digit by digit, the month in its name. Is that an impression, or a
# rule? Take the last digit of the year, in all test dates that hold the year in
# Western digits.

# %%
hits = [
    row[3].argmax() - text.index(iso[:4]) in (3, 4)
    for row, (text, iso, _) in zip(a, test, strict=True)
    if iso[:4] in text
]
claim("looks at the year's last digit, or just after", np.mean(hits), at_least=0.8)

# %% [markdown]
# ## 8. How is a new word pronounced?
#
# Dates follow rules. English spelling does its best not to. The CMU dictionary tells
# how over a hundred thousand words are spoken, in 39 sounds, called phonemes. We teach
# the same network a part of it, with an encoder that also reads backwards: the last *e*
# of "hate" changes the *a*.

# %%
pairs = translation.pronunciations(data.cmudict(), np.random.default_rng(seed(8)))
test, rest = pairs[:1000], pairs[1000:]
train = [pair for pair in rest if max(map(len, pair)) <= 10][:12_000]
letters = translation.number_symbols(word for word, _ in pairs)
sounds = translation.number_symbols(spoken for _, spoken in pairs)
share = len(train) / len(pairs)
print(f"{len(pairs):,} words, of which we train on {share:.0%}")
claim("26 letters, 39 sounds", (len(letters), len(sounds)) == (26, 39))

# %%
x = translation.encode([word for word, _ in train], letters, 11)
y = translation.encode([spoken for _, spoken in train], sounds, 11)
seed(8)
speaker = translation.build_translator(28, 41, units=48, both_ways=True)
translation.compile_translator(speaker, 2 * len(x) // 96, learning_rate=0.02)
bar = progress_bar("pronunciation")
given = [x, translation.shift_right(y)]
_ = speaker.fit(given, y, batch_size=96, epochs=2, verbose=0, callbacks=[bar])

# %% [markdown]
# The **word error rate** is the share of words with any wrong sound. The **phoneme
# error rate** counts the sounds that must be inserted, deleted or replaced, and divides
# by the number of right ones.
#
# **Predict.** A thousand new words, of any length. How many are right to the last
# sound?

# %%
x_test = translation.encode([word for word, _ in test], letters, 35)
spoken = translation.decode(translation.translate(speaker, x_test, 24), sounds)
true = [said for _, said in test]
words_wrong, sounds_wrong = translation.error_rates(spoken, true)
claim("word error rate", words_wrong, at_most=0.75)
claim("phoneme error rate", sounds_wrong, at_most=0.28)

# %% [markdown]
# About one word of three is right, and most of the sounds in the others. Published
# systems get 0.21 to 0.24 of the words wrong (Rao et al., 2015, with an n-gram model
# beside the network; Yao & Zweig, 2015), and about 0.05 of the sounds. Their networks
# are far larger and read the whole dictionary many times; ours read a tenth of it
# twice. (`python -m benchmarks.translation` gives it the rest.) The rates are not quite
# comparable, either. Test words differ, and so does what counts for a word that may be
# spoken in two ways: ours must be the first in the dictionary.

# %% tags=["figure"]
lengths = np.array([len(word) for word, _ in test])
missed = np.array([a != b for a, b in zip(spoken, true, strict=True)])
n = np.arange(3, 14)
figure, axis = plt.subplots(figsize=(6, 2.6))
axis.plot(n, [missed[lengths == length].mean() for length in n], "o-")
axis.set(xlabel="letters in the word", ylabel="share wrong", ylim=(0, 1.05))
plots.show(figure, alt="The share of wrong words grows with their length.")

# %% [markdown]
# The share of wrong words, by length. Longer words have more places to go wrong, and the
# longest in training had ten letters.
#
# And which letters made a sound?

# %%
x_word = translation.encode(["phone"], letters, 11)
rows = translation.translate(speaker, x_word, 11)
said = translation.decode(rows, sounds)[0]
claim("ph is F, and fewer sounds than letters", said[0] == "F" and len(said) < 5)

# %% tags=["figure"]
a = translation.alignment(speaker, x_word, rows)[0, : len(said), : len("phone")]
figure = attention.draw_alignment(a, "phone", said, size=0.35)
plots.show(figure, alt="Sounds in rows, letters in columns: a diagonal that skips.")

# %% [markdown]
# The sounds of "phone", and the letters they look at, from left to right. There are
# fewer rows than columns: two letters make one sound, and the last makes none. The
# *p* is no P here, because of the *h* that follows. The encoder has read that, coming
# back.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### A softmax over one number (E027–E033)
#
# One tutorial leaves Keras for PyTorch here, and calls its module self-attention. So do
# Lin et al. (2017), but it is not the formula for pairs of places that stands above the
# program. It is **attention pooling**, and useful: a learned question gives one score
# to each place, and the sequence becomes one weighted mean. But
# the data came without a batch axis, ten places of five numbers, and the softmax ran
# along axis 1. Here is the same in Keras.
#
# **Predict.** Scores of shape (10, 1), softmax along axis 1. What are the weights?

# %% tags=["E030", "E033"]
import warnings

ten = np.random.default_rng(seed(9)).normal(size=(10, 5)).astype("float32")
project, question = layers.Dense(5, "tanh"), layers.Dense(1)
with warnings.catch_warnings(record=True, action="always") as caught:
    a = ops.softmax(question(project(ten)), axis=1)
print(np.array(a).ravel())
print(str(caught[0].message).split(". ")[1])
claim("all weights are 1", bool(np.all(np.array(a) == 1)))

# %% [markdown]
# Keras even warns. What could such a layer learn?

# %%
import tensorflow as tf

with tf.GradientTape() as tape, warnings.catch_warnings(action="ignore"):
    a = ops.softmax(question(project(ten)), axis=1)
    loss = ops.sum(a * ten)
trained = project.trainable_variables + question.trainable_variables
blame = tape.gradient(loss, trained)
claim("largest gradient", max(float(ops.max(ops.abs(g))) for g in blame), at_most=0)

# %% [markdown]
# Nothing. A batch axis, and the softmax along *time*, mend it:

# %%
reveal(attention.attention_pooling_layer)

# %% [markdown]
# The tutorial's "training" was one forward pass. A task to train on: in each sequence
# one place is marked by a large first number. Report the second number of that place.

# %%
rng = np.random.default_rng(seed(10))
x = rng.normal(size=(2000, 10, 5)).astype("float32")
marked = rng.integers(10, size=2000)
x[np.arange(2000), marked, 0] = 4
y = x[np.arange(2000), marked, 1]

# %%
seed(10)
pooling = attention.attention_pooling_layer(16)
model = keras.Sequential([keras.Input((10, 5)), pooling, layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.02), "mse")
model.fit(x[:1500], y[:1500], batch_size=100, epochs=20, verbose=0)
error = np.mean((np.array(model(x[1500:]))[:, 0] - y[1500:]) ** 2) / y[1500:].var()
looked = np.argmax(pooling.weights_over(x[1500:]), axis=1)
claim("error, of a constant answer's", error, at_most=0.2)
claim("looks at the marked place", np.mean(looked == marked[1500:]), at_least=0.85)

# %% [markdown]
# ### A softmax of a softmax (E183)
#
# Another tutorial puts a whole attention into the exponent, of one query and one
# key. The softmax inside has one score, so it is 1, and what is left is $v_j$: the
# result does not depend on $q$ and $k$ at all.

# %% tags=["E183"]
rng = np.random.default_rng(seed(11))
k, v = rng.normal(size=(6, 4)), rng.normal(size=(6, 1))


def double(q):
    single = [
        attention.dot_product_attention(q, k[j : j + 1], v[j : j + 1])[0]
        for j in range(6)
    ]
    return attention.masked_softmax(np.ravel(single))


one, other = double(rng.normal(size=(1, 4))), double(rng.normal(size=(1, 4)))
claim("any query, the same weights", np.abs(one - other).max(), at_most=1e-9)

# %% [markdown]
# Even of proper weights, a second softmax only flattens: weights lie between 0 and 1,
# so of $n$ none can exceed $e / (e + n - 1)$.

# %%
sure = attention.masked_softmax(np.array([9.0, 0, 0, 0, 0]))
claim("surest of five", sure.max(), at_least=0.99)
claim("... after another", attention.masked_softmax(sure).max(), at_most=0.405)

# %% [markdown]
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E027|float64 into float32 layers|an exception|`astype("float32")`|
# |E028|`plt` without an import|`NameError`|run all, afresh|
# |E029|`.numpy()` inside a graph|an exception|detach first|
# |E031|sums along axis 1|that is features, without a batch|the softmax's axis|
# |E032|a formula for pairs, a program for places|two mechanisms: section 1, and pooling (Lin et al., 2017)|say which|
# |E033|"trains the model"|one forward pass|loss, optimizer, steps|
# |E038|$\alpha_i$, with a sum over $j$|an index is missing; no values|section 1|
# |E045|finds key information by itself|circular: it compares learned queries and keys|section 1|
# |E181|$x + pos$|how $pos$ is made is not said|section 5|
# |E182|calls the output a similarity|scores are; the output is $AV$|section 1|
# |E184|one sum $\sum_i \alpha_i v_i$|one for each query|section 1|
# |E200|compares places|it compares queries and keys|section 5|
# |E098|four of eight authors|and a wrong initial|Vaswani et al. (2017)|
# |E113|"Dosovitskiy & Tamkin, 2016"|not to be found|leave it out; Dosovitskiy et al. (2021) are another matter|
# |E138|Transformer and BERT lie ahead|2017 and 2018|chapter 09b|

# %% [markdown]
# ## Exercises
#
# ### Exercise 09.1: one look
#
# *10 minutes.* Write scaled dot-product attention for a single query.


# %% tags=["exercise"]
def look(q, keys, values):
    """Return (d_v,): q is (d_k,), keys (m, d_k), values (m, d_v)."""
    raise NotImplementedError


check("09.1", look)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One score for each key: `keys @ q`. What are they divided by?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Scores may be large: subtract their maximum before `np.exp`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The weights sum to 1; the result is `weights @ values`.
#
# </details>


# %% tags=["solution"]
def look_solution(q, keys, values):
    scores = keys @ q / np.sqrt(len(q))
    weights = np.exp(scores - scores.max())
    return weights / weights.sum() @ values


check("09.1", look_solution, solution=True)

# %% [markdown]
# ### Exercise 09.2: a short memory
#
# *10 minutes.* Long texts are costly: $n$ queries times $n$ keys. Some models let a
# place look at itself and at the `w - 1` places before it only. Write that mask.


# %% tags=["exercise"]
def window_mask(n, w):
    """Return (n, n), bool: True where query i may look at key j."""
    raise NotImplementedError


check("09.2", window_mask)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Rows are queries, columns are keys.
#
# </details>
# <details><summary>Hint 2</summary>
#
# How far back is key $j$ from query $i$? Which distances are allowed?
#
# </details>
# <details><summary>Hint 3</summary>
#
# `i = np.arange(n)[:, None]`, `j = np.arange(n)`: compare `i - j` with 0 and `w`.
#
# </details>


# %% tags=["solution"]
def window_mask_solution(n, w):
    back = np.arange(n)[:, None] - np.arange(n)
    return (back >= 0) & (back < w)


check("09.2", window_mask_solution, solution=True)

# %% [markdown]
# ### Exercise 09.3: what heads cost
#
# *10 minutes.* Count the parameters of multi-head attention, biases included. Keys
# and queries of a head have `d_k` features, its values `d_v`.


# %% tags=["exercise"]
def parameters(features, heads, d_k, d_v):
    """Return an integer; the output has as many features as the input."""
    raise NotImplementedError


check("09.3", parameters)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Four matrices: queries, keys, values, output.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Queries: `features * heads * d_k` weights, and a bias for each output.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The output matrix takes all heads' values, `heads * d_v` of them, to `features`.
#
# </details>


# %% tags=["solution"]
def parameters_solution(features, heads, d_k, d_v):
    asking = 2 * (features + 1) * heads * d_k
    values = (features + 1) * heads * d_v
    return asking + values + (heads * d_v + 1) * features


check("09.3", parameters_solution, solution=True)

# %% [markdown]
# ### Exercise 09.4: additive scores for all pairs
#
# *15 minutes.* $s_{ij} = v \cdot \tanh(q_i W_q + k_j W_k)$, without a loop.


# %% tags=["exercise"]
def additive(q, k, w_q, w_k, v):
    """Return (n, m): q is (n, d), k (m, d), w_q and w_k (d, h), v (h,)."""
    raise NotImplementedError


check("09.4", additive)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `q @ w_q` is (n, h), `k @ w_k` is (m, h). Every row of one meets every row of the
# other.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Axes of size 1 are stretched: (n, 1, h) + (1, m, h) is (n, m, h).
#
# </details>
# <details><summary>Hint 3</summary>
#
# The tanh comes after the sum, and `@ v` comes last.
#
# </details>


# %% tags=["solution"]
def additive_solution(q, k, w_q, w_k, v):
    return np.tanh((q @ w_q)[:, None] + (k @ w_k)[None]) @ v


check("09.4", additive_solution, solution=True)

# %% [markdown]
# ### Exercise 09.5: look at all, but never at nothing
#
# *15 minutes.* Softmax along the last axis over allowed cells only; a row without
# any gives zeros. No warning may be raised, and hidden scores may be NaN.


# %% tags=["exercise"]
def safe_softmax(scores, mask):
    """Return weights like scores (n, m), for a mask (n, m) of True and False."""
    raise NotImplementedError


check("09.5", safe_softmax)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# First make hidden scores harmless: `np.where(mask, scores, ...)`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# After `np.exp`, set hidden cells to 0; then they add nothing to the sum.
#
# </details>
# <details><summary>Hint 3</summary>
#
# A sum of 0 means: nothing was allowed. Divide by 1 there.
#
# </details>


# %% tags=["solution"]
def safe_softmax_solution(scores, mask):
    lowest = np.min(scores, axis=-1, keepdims=True, where=mask, initial=0)
    scores = np.where(mask, scores, lowest)
    powers = mask * np.exp(scores - scores.max(axis=-1, keepdims=True))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


check("09.5", safe_softmax_solution, solution=True)

# %% [markdown]
# ### Exercise 09.6: think twice before you write
#
# *40 minutes, a small project.* `translate` takes the likeliest next symbol and
# never looks back. **Beam search** keeps the `width` likeliest beginnings, extends
# each by every symbol, and again keeps the best `width`; after `length` symbols the
# likeliest wins. `next_logs(beginning)` gives an array: at index $i$, the logarithm of
# the probability that symbol $i$ comes next. A beginning is a tuple of symbols, at
# first empty.


# %% tags=["exercise"]
def beam_search(next_logs, length, width):
    """Return (symbols, log probability) of the best sequence found; symbols a tuple."""
    raise NotImplementedError


check("09.6", beam_search)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A beam is a list of (beginning, sum of logarithms). It starts as `[((), 0.0)]`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# In each round make all extensions of all beginnings, then sort, then cut.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Logarithms of products are sums. The largest sum is the likeliest.
#
# </details>


# %% tags=["solution"]
def beam_search_solution(next_logs, length, width):
    beam = [((), 0.0)]
    for _ in range(length):
        longer = []
        for start, total in beam:
            for symbol, log in enumerate(next_logs(start)):
                longer.append(((*start, symbol), total + float(log)))
        beam = sorted(longer, key=lambda pair: -pair[1])[:width]
    return beam[0]


check("09.6", beam_search_solution, solution=True)
