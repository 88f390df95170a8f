# %% [markdown]
# A GRU reads a poem like a walker: one character, one step. Here is who sees whom in
# a Transformer, which takes all steps at once.

# %%
import keras
from dl_course import attention, text_rnn, transformer
from IPython.display import HTML

# %% tags=["figure"]
labels = [*"TEXT, ALL AT ONCE"]
mask = attention.causal_mask(len(labels)) * 0.6
plots.show(
    attention.draw_alignment(mask, labels, labels),
    alt="A triangle: each place sees itself and all before it.",
)

# %% [markdown]
# A row for each place that looks, a column for each that is seen: itself and all
# before it. There is no state to carry, and nothing to wait for. This chapter builds a
# network of little else, lets it write poems, and then takes the triangle away.

# %% [markdown]
# ## Recall
#
# 1. Chapter 09: what happens to the output of self-attention if you shuffle its
#    input, and what mends that?
# 2. Chapter 06b: a model gives the right next character the probability 1/8. How many
#    bits does that character cost?
# 3. Chapter 03: why do gradients vanish in a deep stack of layers?
#
# <details><summary>Answer</summary>
#
# 1. It is shuffled along. Positions, added to the input, mend it.
# 2. Three: $-\log_2 \frac18$.
# 3. They are multiplied by a Jacobian at each layer; if most shrink, so does the
#    product.
#
# </details>

# %% [markdown]
# ## 1. What is in a Transformer block?
#
# Two steps. First each place **looks around**: multi-head attention. Then each place
# **thinks** for itself: two dense layers, four times as wide inside. Around both there
# are two helpers.
#
# **Sums.** The block does not replace $x$, it adds to it. Blame travels back through a
# sum unchanged, however many blocks there are.
#
# **Norms.** Before each step every place is brought to mean 0 and variance 1 over its
# features, then scaled and shifted by learned numbers (Ba et al., 2016):
#
# $$\mathrm{norm}(x) = g\,\frac{x - \bar x}{\sqrt{\mathrm{var}(x) + \epsilon}} + s$$
#
# $$y = x + \mathrm{heads}(\mathrm{norm}(x)), \qquad
# z = y + W_2\,\mathrm{relu}(W_1\,\mathrm{norm}(y))$$

# %%
reveal(transformer.layer_norm, transformer.transformer_block)

# %% [markdown]
# (Biases are left out of the formula. Vaswani et al., 2017, put the norm after the
# sum; with the norm first, training is steadier.) Keras composes the same from layers.
# In front of the blocks stand an embedding of the characters and one of the places.
# Behind them stand a last norm and a dense layer with an output for each character.

# %%
reveal(transformer.build_transformer, transformer._block)

# %% [markdown]
# A small one, for nine characters and at most twelve places:

# %%
seed(1)
small = transformer.build_transformer(9, 12, width=8, heads=2, local=0)
ids = np.random.default_rng(seed(1)).integers(9, size=(2, 12))
table, places, *rest = small.get_weights()

# %% [markdown]
# **Predict.** We take the weights out of this network and compute its logits in
# NumPy, with nothing but chapter 09's functions. How close do we come?

# %%
x = table[ids] + places
for weights in (rest[:16], rest[16:32]):  # two blocks
    x = transformer.transformer_block(x, weights, attention.causal_mask(12))
ours = transformer.layer_norm(x, *rest[32:34]) @ rest[34] + rest[35]
claim("from Keras", np.abs(ours - np.array(small(ids))).max(), at_most=1e-4)

# %% [markdown]
# They agree as far as float32 goes. That is all of it: no secret is left in a
# Transformer, only size.

# %% [markdown]
# ## 2. Can it see the future?
#
# It must predict character $t + 1$ from characters $0 … t$. If it could see $t + 1$, it
# would learn to copy it, score perfectly in training, and write nonsense. A single
# wrong axis is enough. So test it: change one place, and look at which outputs move.
#
# **Predict.** We change place 7 of 12. Which outputs change?


# %%
def places_that_change(model, t):
    changed = ids.copy()
    changed[:, t] = (changed[:, t] + 1) % 9
    difference = np.abs(np.array(model(changed)) - np.array(model(ids)))
    return np.flatnonzero(difference.max(axis=(0, 2)) > 0)


# %%
claim("first to change is place 7", places_that_change(small, 7)[0] == 7)
no_leaks = all(places_that_change(small, t)[0] == t for t in range(12))
claim("no place changes one before it", no_leaks)

# %%
both_ways = transformer.build_transformer(9, 12, width=8, heads=2, causal=False)
changes = places_that_change(both_ways, 7)
claim("without the mask all places change", len(changes) == 12)

# %% [markdown]
# The mask does more than hide. Because no place sees ahead, *every* place is an honest
# question: a poem of 24 characters is 24 training examples in one pass. A GRU has that
# too, but must walk through them.

# %% [markdown]
# ## 3. Does it beat the GRU?
#
# The text is chapter 06b's: Tang quatrains of four times five characters, the thousand
# most frequent characters, a tenth of the poems held out.

# %%
_, cut, rows, ids = text_rnn.quatrains(np.random.default_rng(seed(2)))

# %% [markdown]
# Id 0 starts a poem, id 1 is any rare character; id 1002 waits for section 6. The GRU
# is chapter 06b's. The Transformer has one block, behind a convolution over three
# characters (chapter 05). A fair race gives both about the same processor time. Here
# two passes over the poems cost either roughly the same, building included.
#
# **Predict.** Who needs fewer bits for a character of new poems?

# %%
import time


def train(model, label, **recipe):
    start = time.process_time()
    bar = progress_bar(label)
    text_rnn.train_writer(model, rows[:cut], callbacks=[bar], **recipe)
    spent[label] = time.process_time() - start
    bits[label] = transformer.bits_per_character(model, rows[cut:])


# %%
spent, bits = {}, {}
seed(3)
writer = transformer.build_transformer(1003, 24, width=96, blocks=1, drop=0)
claim("parameters", writer.count_params(), at_most=500_000)
train(writer, "Transformer", epochs=2, learning_rate=0.006)
seed(4)
train(text_rnn.build_writer(1002), "GRU", epochs=2)
print(*(f"{name}: {seconds:.1f} s" for name, seconds in spent.items()))

# %%
saved = bits["GRU"] - bits["Transformer"]
claim("bits per character, Transformer", bits["Transformer"], at_most=6.95)
claim("bits it saves against the GRU", saved, at_least=0, at_most=0.3)

# %% [markdown]
# The Transformer is a little ahead, no more. A poem of 24 characters is short enough for
# a state to carry, and three thousand poems are few. The Transformer is strong
# elsewhere: a look back costs one step at any distance, and all places are computed at
# once. That pays with long texts, much data, and a graphics chip.
#
# Do not read too much into such a race. `python -m benchmarks.transformer --muon`
# repeats it over seeds with another optimizer, Muon: it helps both more than either
# design does, and then the GRU is ahead. A rival deserves as much tuning as your own.

# %% [markdown]
# ## 4. How bold should it be?
#
# The model gives probabilities; *we* choose. A **temperature** $T$ sharpens
# ($T < 1$) or flattens ($T > 1$) them. **Top-k** keeps only the $k$ likeliest (Fan et
# al., 2018):
#
# $$p_i^{(T)} = \frac{e^{s_i / T}}{\sum_{j \in \text{top } k} e^{s_j / T}}$$

# %%
scores = np.log([0.5, 0.25, 0.15, 0.1])
for options in ({}, {"temperature": 0.5}, {"temperature": 2}, {"top_k": 2}):
    p = transformer.next_probabilities(scores, **options)
    print(f"{options!s:20} {np.round(p, 3)}")
claim("the odds of T = 1/2 are squared", bool(
    np.allclose(transformer.next_probabilities(scores, temperature=0.5),
                np.exp(2 * scores) / np.exp(2 * scores).sum())))  # fmt: skip

# %%
reveal(transformer.next_probabilities, transformer.sample)

# %% [markdown]
# A poem full of id 1 would be no joy to read. So we forbid the three ids that are no
# characters, by a bias that makes their scores hopeless. A poem **in form** has a
# mark, a comma or a full stop, after each five characters and nowhere else.

# %%
kernel, bias = writer.layers[-1].get_weights()
bias[[0, 1, 1002]] = -1e9
writer.layers[-1].set_weights([kernel, bias])
marks = {ids["，"], ids["。"]}


def in_form(poem):  # a mark after each five characters, and nowhere else
    return all((i in marks) == (n % 6 == 5) for n, i in enumerate(poem[1:]))


def write(**options):
    rng = np.random.default_rng(seed(5))
    start = np.zeros((100, 1), int)
    return transformer.sample(writer, start, 24, rng, length=24, **options)


# %% [markdown]
# **Predict.** A hundred poems each: as the model says, with $T = 0.6$, with the ten
# likeliest only. Which keep the form, and which use most characters?

# %%
written = {
    "plain": write(),
    "T = 0.6": write(temperature=0.6),
    "top 10": write(top_k=10),
}
form = {
    name: np.mean([in_form(p) for p in poems]) for name, poems in written.items()
}
kinds = {name: len(np.unique(poems)) for name, poems in written.items()}
claim("plain poems in form", form["plain"], at_least=0.75)
claim("... with T = 0.6", form["T = 0.6"], at_least=0.75)
claim("characters lost by T = 0.6", kinds["plain"] - kinds["T = 0.6"], at_least=100)
claim("... by top 10", kinds["plain"] - kinds["top 10"], at_least=100)

# %%
glyphs = {0: ""} | {i: character for character, i in ids.items()}
shown = ["".join(glyphs[i] for i in poems[0]) for poems in written.values()]
HTML("<pre>" + "\n".join(shown) + "</pre>")

# %% [markdown]
# One poem each: as the model says, with $T = 0.6$, with the ten likeliest. The form holds
# in most poems, whatever we choose. But safer means duller: fewer characters are used.
# Always taking the likeliest is the extreme, and leads into loops (Holtzman et al.,
# 2020). Exercise 09b.2 builds their remedy.

# %% [markdown]
# ## 5. What do the heads look at?
#
# Each of the four heads has a map for each poem. The mean over many poems shows what
# does not depend on the words.

# %%
(maps,) = transformer.attention_maps(writer, rows[cut:, :-1])  # (poem, 4, 24, 24)
mean_maps = maps.mean(axis=0)
claim(
    "a row sums to 1, within", np.abs(mean_maps.sum(axis=2) - 1).max(), at_most=1e-4
)

# %% tags=["figure"]
titles = [f"head {number}" for number in (1, 2, 3, 4)]
figure = plots.images(mean_maps, titles, columns=4, cmap="Blues", size=1.9)
plots.show(figure, alt="Four lower triangles, each with a pattern of its own.")

# %% [markdown]
# Rows look, columns are seen, dark is much. A diagonal is a fixed distance back. A
# column is a favorite place, such as the start or a mark.
#
# **Predict.** The entropy of a row tells how far a look is spread: 0 bits for one place,
# 3 bits for eight places alike. How does the sharpest head compare with one that looks
# at all places alike?

# %%
even = attention.causal_mask(24) / np.arange(1, 25)[:, None]


def entropy(a):  # bits; low is sharp
    return -np.sum(a * np.log2(a + 1e-12), axis=-1).mean()


by_head = np.array([entropy(maps[:, head]) for head in range(4)])
sharpest = by_head.min() / entropy(even)
claim("bits of the sharpest head, of an even look's", sharpest, at_most=0.9)
claim("heads differ in bits by", np.ptp(by_head), at_least=0.1)

# %% [markdown]
# Do not read too much into a map. It shows where a head looked, not what it fetched,
# nor whether the sum used it. To know what matters, change it, and measure the loss.

# %% [markdown]
# ## 6. What if it may look both ways?
#
# To understand a text, rather than go on with it, both sides help. But without the
# mask the next character is in plain sight. So hide something else: choose 15 % of the
# characters, and ask for these only (Devlin et al., 2019). Eight of ten chosen ones
# become gaps, id 1002. One of ten is swapped for another and one of ten kept, so that
# the model must doubt what it sees.

# %%
reveal(transformer.mask_tokens)

# %%
rng = np.random.default_rng(seed(6))
gappy, chosen = transformer.mask_tokens(rows[:3, 1:], 1002, 1002, rng)
print("chosen", chosen.sum(axis=1), " gaps", (gappy == 1002).sum(axis=1))
claim("the others are unchanged", bool(np.all((gappy == rows[:3, 1:])[~chosen])))

# %% [markdown]
# BERT read billions of words. We have three thousand poems, so we choose 40 %, and do not
# begin from nothing. The writer knows what goes with what: the filler gets its weights,
# then may look both ways. Rare characters, id 1, are not asked for: the answer "rare"
# would be easy, and say nothing.

# %%
seed(7)
filler = transformer.build_transformer(
    1003, 24, width=96, blocks=1, drop=0, causal=False
)
filler.set_weights(writer.get_weights())
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
filler.compile(keras.optimizers.Adam(0.003), loss, weighted_metrics=[])
known, rng = rows[:cut, 1:], np.random.default_rng(seed(7))
gappy, chosen = transformer.mask_tokens(known, 1002, 1002, rng, share=0.4)
asked = (chosen & (known > 1)).astype("float32")
bar = progress_bar("gaps")
_ = filler.fit(gappy, known, 32, sample_weight=asked, verbose=0, callbacks=[bar])

# %% [markdown]
# New poems, one gap in each; every poem six times.
#
# **Predict.** How often does the filler find a mark? How often is the right character
# among its ten likeliest? The rival always names the ten most frequent.

# %%
new = np.repeat(rows[cut:], 6, axis=0)
n = np.arange(len(new))
place = np.random.default_rng(seed(8)).integers(24, size=len(new))
truth, seen = new[n, place + 1], new[:, 1:].copy()
seen[n, place] = 1002
scores = [np.array(filler(s))[n[: len(s)], p]
          for s, p in zip(np.split(seen, 6), np.split(place, 6), strict=True)]  # fmt: skip
ten = np.argsort(-np.concatenate(scores), axis=1)[:, :10]  # the likeliest first
inner = (place % 6 != 5) & (truth > 1)  # neither a mark nor rare

# %%
frequent = [i for i in ids.values() if i not in marks][:10]  # in order of frequency
by_rival = np.mean(np.isin(truth[inner], frequent))
by_filler = np.mean((ten == truth[:, None]).any(axis=1)[inner])
claim("marks found", np.mean((ten[:, 0] == truth)[place % 6 == 5]), at_least=0.95)
claim("among the ten most frequent", by_rival, at_most=0.2)
claim("the filler's ten, times that", by_filler / by_rival, at_least=1.1)

# %% [markdown]
# Marks are easy. Other characters are hard to guess for anyone: poets avoid the
# obvious. Yet what stands on both sides tells the filler something, and it beats the
# rival. Large models of this kind, trained on all of Wikipedia, gave search engines and
# classifiers their features.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### The future lies behind us (E138)
#
# A tutorial counts Transformer and BERT among the models of the future. They are of
# 2017 and 2018 (the paper on BERT was printed in 2019), and you have just trained both.

# %% tags=["E138"]
years = {"LSTM": 1997, "attention": 2015, "Transformer": 2017, "BERT": 2019}
claim("in order", sorted(years, key=years.get) == list(years))

# %% [markdown]
# ### Attention compares places (E200)
#
# Another says that self-attention computes the similarity of position codes. It
# compares queries and keys, which hold both. Keep the places and change the
# characters: do the weights stay?

# %% tags=["E200"]
two = rows[[cut, -1], :-1]
((first, second),) = transformer.attention_maps(writer, two)
claim("weights differ by up to", np.abs(first - second).max(), at_least=0.1)

# %% [markdown]
# ### The rest
#
# |Row|Said|In fact|Right|
# |-|-|-|-|
# |E181|adds $pos$, not saying how it is made|learned, or sines and cosines|section 1; chapter 09|
# |E098|names four authors|there are eight|Vaswani et al. (2017)|

# %% [markdown]
# ## Exercises
#
# ### Exercise 09b.1: the price of a block
#
# *5 minutes.* How many parameters has a block of width $w$, whose heads together are
# $w$ wide, and whose dense layers are $4w$ wide inside? All layers have biases.


# %% tags=["exercise"]
def block_parameters(w):
    """Return an integer."""
    raise NotImplementedError


check("09b.1", block_parameters)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Attention: four matrices of $w \times w$, each with a bias.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Dense: $w \times 4w$ and $4w \times w$, with $4w$ and $w$ biases.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Two norms, each with gain and shift.
#
# </details>


# %% tags=["solution"]
def block_parameters_solution(w):
    attention, dense, norms = 4 * (w + 1) * w, 8 * w * w + 5 * w, 4 * w
    return attention + dense + norms


check("09b.1", block_parameters_solution, solution=True)

# %% [markdown]
# ### Exercise 09b.2: the nucleus
#
# *15 minutes.* Top-k keeps ten characters, whether one or a hundred make sense. Keep
# instead the fewest likeliest ones whose probabilities together reach `mass`. No two
# probabilities are equal.


# %% tags=["exercise"]
def nucleus(p, mass):
    """Return (size,): p of those kept, renormalized; 0 for the others."""
    raise NotImplementedError


check("09b.2", nucleus)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.argsort(-p)` lists the ids, the likeliest first.
#
# </details>
# <details><summary>Hint 2</summary>
#
# An id stays if those before it have less than `mass` together.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `before = np.cumsum(p[order]) - p[order]`; keep where `before < mass`.
#
# </details>


# %% tags=["solution"]
def nucleus_solution(p, mass):
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]
    kept = np.zeros(len(p))
    kept[order] = np.where(before < mass, p[order], 0)
    return kept / kept.sum()


check("09b.2", nucleus_solution, solution=True)

# %% [markdown]
# ### Exercise 09b.3: find the leak
#
# *15 minutes.* A model maps ids (batch, time), below `size`, to outputs (batch, time,
# features). Does any output depend on a later id?


# %% tags=["exercise"]
def leaks(model, ids, size):
    """Return True if an output before a changed place changes, else False."""
    raise NotImplementedError


check("09b.3", leaks)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Change place t in a copy of `ids`, to another id below `size`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Only outputs *before* t must stay: `[:, :t]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# One place is not enough: try every t from 1 on.
#
# </details>


# %% tags=["solution"]
def leaks_solution(model, ids, size):
    before = np.array(model(ids))
    for t in range(1, ids.shape[1]):
        changed = ids.copy()
        changed[:, t] = (changed[:, t] + 1) % size
        if np.any(np.array(model(changed))[:, :t] != before[:, :t]):
            return True
    return False


check("09b.3", leaks_solution, solution=True)

# %% [markdown]
# ### Exercise 09b.4: do not look twice
#
# *20 minutes.* `sample` computes all keys and values anew for each character. They do
# not change: keep them in a cache, and each step has one query only. `cache` is
# (keys, values), both (places so far, d); at first they have no rows.


# %% tags=["exercise"]
def attend_next(q, k, v, cache):
    """Return (z, new cache): q, k, v and z are (d,), for the new place."""
    raise NotImplementedError


check("09b.4", attend_next)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The new place sees itself: append `k` and `v` first.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `np.vstack([keys, k])` adds a row.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The rest is exercise 09.1: scores, softmax, mean.
#
# </details>


# %% tags=["solution"]
def attend_next_solution(q, k, v, cache):
    keys, values = (
        np.vstack([old, new]) for old, new in zip(cache, (k, v), strict=True)
    )
    scores = keys @ q / np.sqrt(len(q))
    weights = np.exp(scores - scores.max())
    return weights / weights.sum() @ values, (keys, values)


check("09b.4", attend_next_solution, solution=True)

# %% [markdown]
# ### Exercise 09b.5: the surest first
#
# *30 minutes, a small project.* A model that looks both ways can restore a damaged
# poem. `predict(ids)`, for ids (time,), gives probabilities (time, size); damaged
# places hold the id `gap`. Of all gaps, take the one whose likeliest id has the highest
# probability, fill it with that id, look again, and go on. Then try it with `filler` on
# a poem of your own; there, forbid the id `gap` itself.


# %% tags=["exercise"]
def fill(predict, ids, gap):
    """Return (time,): ids without gaps."""
    raise NotImplementedError


check("09b.5", fill)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.flatnonzero(ids == gap)` are the places left.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The surest gap has the largest of all largest probabilities.
#
# </details>
# <details><summary>Hint 3</summary>
#
# After each filled gap, `predict` must see the new row.
#
# </details>


# %% tags=["solution"]
def fill_solution(predict, ids, gap):
    ids = ids.copy()
    while len(gaps := np.flatnonzero(ids == gap)):
        p = predict(ids)
        surest = gaps[p[gaps].max(axis=1).argmax()]
        ids[surest] = p[surest].argmax()
    return ids


check("09b.5", fill_solution, solution=True)
