# %% [markdown]
# What kind of word is *back*: a noun, a verb, something else? Half a century ago,
# people wrote its class beside each of a million words of English (Francis & Kučera,
# 1979). Ask their table.

# %%
import itertools
from collections import Counter

import keras
from dl_course import data, text_rnn
from keras import layers

brown = data.brown()  # (document, words, tags) of each sentence

# %% tags=["figure"]
colors = {"NOUN": plots.SKY, "VERB": plots.ORANGE, "ADJ": plots.YELLOW}
colors |= {"DET": "0.9", "CONJ": "0.8", "ADV": "0.7", "PRON": "0.6"}
asked = ["run", "like", "round", "that", "back"]
figure, axis = plt.subplots(figsize=(8, 2.4))
for row, word in enumerate(asked):
    pairs = (zip(words, tags, strict=True) for _, words, tags in brown)
    tally = Counter(data.coarse_tag(t) for p in pairs for w, t in p if w == word)
    left = 0
    for tag, count in tally.most_common(5):
        share, color = count / tally.total(), colors.get(tag, "white")
        axis.barh(row, share, left=left, color=color, edgecolor="gray", lw=0.5)
        name = tag if share > 0.04 else ""
        axis.text(left + share / 2, row, name, ha="center", va="center", size=8)
        left += share
axis.set(
    yticks=range(5), yticklabels=asked, xlabel="share of its uses", xlim=(0, 1)
)
axis.grid(False)
plots.show(figure, alt="Shares of word classes for five words; each has several.")

# %% [markdown]
# Each word has several classes. Blue is a noun, orange a verb, yellow an adjective.
# The rest is gray or white: ADV an adverb, CONJ a conjunction, DET an article and the
# like, PRON a pronoun, ADP a preposition. Nobody who reads a sentence notices: the
# words before and after decide. This chapter lets recurrent networks read such
# sentences. They give one answer a text, then one answer a word, and at last they
# write.

# %% [markdown]
# ## Recall
#
# From chapter 06:
#
# 1. Where a mask is False, what happens to the state?
# 2. A layer has `return_sequences=True`. Which shape comes out?
# 3. What must a forecast be compared with?
#
# <details><summary>Answer</summary>
#
# 1. Nothing: it stays as it is.
# 2. (batch, time, units): the state after each moment, not only the last.
# 3. With rivals that cost nothing. Texts have such rivals too.
#
# </details>

# %% [markdown]
# ## 1. How does a network read words?
#
# It reads numbers. So cut the text into **tokens**, words and marks such as the full
# stop, and number them: a **vocabulary** gives each an id. Id 1 stands for any token
# that is not in it. Id 0 is **padding**, because sentences in a batch must be equally
# long.

# %%
sentences = ["the cat sat .", "the dog sat on the cat .", "who sat ?"]
sentences = [sentence.split() for sentence in sentences]
ids = text_rnn.vocabulary(sentences)
rows = text_rnn.encode([*sentences, ["the", "axolotl"]], ids, length=8)
print(ids)
print(rows)

# %% [markdown]
# The size of an id has no meaning: word 7 is not more than word 6. An **embedding**
# gives each id a vector: it looks up a row of a table $E$, and the table is learned.
# It is a dense layer on one-hot vectors, without the multiplications:
#
# $$\text{embed}(w) = E_w = \text{onehot}(w)\, E.$$

# %%
seed(1)
embedding = layers.Embedding(10, 4, mask_zero=True)
vectors = np.array(embedding(rows))  # (sentence, time, 4)
one_hot = np.eye(10)[rows]  # (sentence, time, 10)
table = embedding.get_weights()[0]
claim("lookup minus product", np.abs(vectors - one_hot @ table).max(), at_most=1e-6)

# %% [markdown]
# With `mask_zero=True` the embedding also tells all layers above which ids are
# padding. Many tutorials leave it out.
#
# **Predict.** A sentence of 5 words, and the same padded to 50. Does the output of an
# untrained GRU change not at all, a little, or by about its own size? Say it with the
# mask, and without.


# %%
def change_by_padding(mask_zero):
    seed(2)
    stack = [layers.Embedding(1000, 16, mask_zero=mask_zero), layers.GRU(16)]
    short = np.random.default_rng(seed(2)).integers(2, 1000, (4, 5))
    long = np.pad(short, ((0, 0), (0, 45)))
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *stack])
    outputs = [np.array(model(x.astype("int32"))) for x in (short, long)]
    return np.abs(outputs[0] - outputs[1]).max(), np.abs(outputs[0]).max()


masked, size = change_by_padding(mask_zero=True)
unmasked, _ = change_by_padding(mask_zero=False)
claim("change, masked", masked, at_most=1e-6)
claim("change, not masked / largest output", unmasked / size, at_least=0.3)

# %% [markdown]
# Without the mask, what comes out is mostly about the padding: 45 moments of nothing
# come last. And what comes last counts most, as chapter 06 measured.

# %% [markdown]
# ## 2. One answer a text: is the critic happy?
#
# Here are sentences from movie reviews, each rated by twenty people (Hutto & Gilbert,
# 2014). We keep those with a clear rating, and ask whether it is positive. So the
# answer is one number for a whole text.

# %%
texts, scores = data.movie_snippets()
clear = np.abs(scores) > 0.5
read = [text_rnn.tokens(t) for t, kept in zip(texts, clear, strict=True) if kept]
scores, happy = scores[clear], scores[clear] > 0
order = np.random.default_rng(seed(3)).permutation(len(read))
old, new = np.split(order, [int(0.8 * len(read))])
print(len(read), "texts, such as:", *read[2])

# %% [markdown]
# First a rival. **Naive Bayes** counts, for each word, how many happy texts contain
# it, and how many unhappy ones. (One is added to each count, so that none is 0.) The
# log of the ratio is the word's vote. A new text gets the sum of the votes of its
# words: above 0 it is called happy. This is a linear model of a *bag of words*: order
# is lost. We give it pairs of neighbors too, so that "not good" is a word of its own.


# %%
def bag(words):
    return {*words, *itertools.pairwise(words)}


def log_ratios(rows):
    tallies = {True: Counter(), False: Counter()}
    for i in rows:
        tallies[bool(happy[i])].update(bag(read[i]))
    yes, no = tallies[True], tallies[False]
    ratio = yes.total() / no.total()
    return {w: np.log((yes[w] + 1) / (no[w] + 1) / ratio) for w in yes | no}


# %%
ratios = log_ratios(old)
ranked = sorted((r, word) for word, r in ratios.items() if isinstance(word, str))
print("happiest:  ", *(word for _, word in ranked[:-7:-1]))
print("unhappiest:", *(word for _, word in ranked[:6]))
sums = np.array([sum(ratios.get(w, 0) for w in bag(read[i])) for i in new])
linear = np.mean((sums > 0) == happy[new])
claim("accuracy, bag of words", linear, at_least=0.78, at_most=0.85)

# %% [markdown]
# Now the network: an embedding, a GRU that reads forward and one that reads backward
# (Schuster & Paliwal, 1997), the mean of their states over time, one logit.

# %%
reveal(text_rnn.build_sentiment)

# %% [markdown]
# Twenty people's mean says more than yes or no. As target we take a probability that
# grows with it, the sigmoid of 1.5 times the score.
#
# **Predict.** 8,000 short texts. Who wins, the bag that knows no order, or the
# network that does?

# %%
seed(4)
ids = text_rnn.vocabulary([read[i] for i in old], minimum=2)
x = text_rnn.encode(read, ids, length=30)  # (text, time)
model = text_rnn.build_sentiment(len(ids) + 2)
loss = keras.losses.BinaryCrossentropy(from_logits=True)
model.compile(keras.optimizers.AdamW(0.006, weight_decay=0.02), loss)
target = 1 / (1 + np.exp(-1.5 * scores))
bar = progress_bar("sentiment")
settings = {"batch_size": 128, "epochs": 3, "verbose": 0, "callbacks": [bar]}
_ = model.fit(x[old], target[old], **settings)

# %%
logits = model.predict(x[new], batch_size=1000, verbose=0)[:, 0]
network = np.mean((logits > 0) == happy[new])
both = np.mean((logits / logits.std() + sums / sums.std() > 0) == happy[new])
claim("accuracy, network", network, at_least=0.73)
claim("network minus bag of words", network - linear, at_least=-0.1, at_most=0.02)
claim("their sum minus bag of words", both - linear, at_least=-0.04, at_most=0.03)

# %% [markdown]
# The bag of words is not beaten, and adding the network to it hardly helps. With
# 8,000 short texts, the network sees most word orders too rarely to learn from them;
# and most of the mood is in single words anyway. Count first, then train. Networks
# win here once they have read far more text than this, rated or not.

# %% [markdown]
# ## 3. One answer a word: which class has it?
#
# Now each token has a label. So the recurrent layer must answer at each moment:
# `return_sequences=True`. The Brown corpus has 500 documents. Sentences of one
# document resemble each other, so we split by *document*: every tenth is held out.

# %%
documents = sorted({document for document, _, _ in brown})
held_out = set(documents[9::10])
classes = sorted({data.coarse_tag(t) for _, _, tags in brown for t in tags})
code = {t: classes.index(data.coarse_tag(t)) for _, _, tags in brown for t in tags}
parts = {"old": ([], []), "new": ([], [])}
for document, words, tags in brown:
    part = parts["new" if document in held_out else "old"]
    part[0].append(words)
    part[1].append(np.array([code[t] for t in tags]))
print(len(parts["old"][0]), "and", len(parts["new"][0]), "sentences;", *classes)

# %% [markdown]
# Twelve classes: ADP is a preposition, NUM a number, PRT a particle such as *up* in
# *get up*, X is the rest, and the full stop stands for all marks.
#
# The rival only counts: give each word the class it had most often in the old
# documents, and call every unknown word a noun.
#
# **Predict.** How many of 100 words does that get right?

# %%
noun = classes.index("NOUN")
rival = text_rnn.most_frequent(*parts["old"], unknown=noun)
truth = np.concatenate(parts["new"][1])  # (tokens,)
guessed = np.concatenate([rival(words) for words in parts["new"][0]])
baseline = np.mean(guessed == truth)
claim("accuracy, most frequent class", baseline, equals=0.9426, tolerance=0.002)

# %% [markdown]
# A strong rival: most words are easy. What is left are words of several classes, and
# words that the old documents do not contain. For those we look at the word itself:
# *axolotls* ends in *-ols*, *quickly* in *-kly*, and a capital letter often tells a
# name. So each token has three ids: the word, its last three letters, its shape.

# %%
low = [[word.lower() for word in sentence] for sentence in parts["old"][0]]
words = text_rnn.vocabulary(low, minimum=2)
suffixes = text_rnn.vocabulary([[w[-3:] for w in s] for s in low], minimum=5)
features = {
    name: text_rnn.word_features(sentences, words, suffixes)
    for name, (sentences, _) in parts.items()
}
print(*zip(parts["new"][0][0][:5], features["new"][0][:5].tolist(), strict=False))

# %% [markdown]
# *Ierulli* is no known word, so its first id is 1. But its ending is known, and its
# shape says that it begins with a capital letter.
#
# Batches hold sentences of about the same length, so there is little padding. The
# loss counts tokens only. And mind a trap: three embeddings are joined, and Keras
# joins their masks by *or*. If only one of them has no `mask_zero`, it says "all
# count" for everybody, silently, and the backward GRU reads padding first.

# %%
reveal(text_rnn.batches, text_rnn.build_tagger)

# %%
rng = np.random.default_rng(seed(5))
tagger = text_rnn.build_tagger(len(words) + 2, len(suffixes) + 2, len(classes))
steps = -(-len(features["old"]) // 64)
rate = keras.optimizers.schedules.CosineDecay(0.008, steps)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
tagger.compile(keras.optimizers.Adam(rate), loss)
for batch in progress(
    text_rnn.batches(features["old"], parts["old"][1], 64, rng), "tagger"
):
    tagger.train_on_batch(*batch)  # every sentence once

# %% [markdown]
# **Predict.** The rival is right on 94 of 100 words. And the network, after reading
# each sentence once?

# %%
logits, tokens = [], []
for x, y, weights in text_rnn.batches(features["new"], parts["new"][1], 256):
    kept = weights > 0
    logits.append(tagger.predict_on_batch(x)[kept])
    tokens.append(np.column_stack([x[kept][:, 0], y[kept]]))
logits, tokens = np.concatenate(logits), np.concatenate(tokens)  # (tokens, ...)
answer, truth_here = logits.argmax(axis=1), tokens[:, 1]
right = answer == truth_here

# %%
claim("accuracy, tagger", right.mean(), at_least=0.975)
unknown = tokens[:, 0] == text_rnn.UNKNOWN
claim("accuracy on rare and unknown words", right[unknown].mean(), at_least=0.85)

# %% [markdown]
# More than half of the rival's mistakes are gone. And padding has no say in it: one
# sentence alone, or among rows of zeros, gets the same answers.

# %%
one = features["new"][7][None]  # (1, tokens, 3)
longer = np.pad(one, ((0, 0), (0, 40), (0, 0)))
p_one, p_longer = (
    np.array(keras.ops.softmax(tagger.predict_on_batch(x))) for x in (one, longer)
)
apart = np.abs(p_longer[:, : one.shape[1]] - p_one).max()
claim("change of probabilities by padding", apart, at_most=1e-6)

# %% [markdown]
# ## 4. What does the tagger still get wrong?
#
# One number hides which classes fail. For each class we count **recall**, the share
# of its words that were found, and **precision**, the share of the words given to it
# that belong there.

# %%
number = len(classes)
confusion = np.zeros((number, number), int)
np.add.at(confusion, (truth_here, answer), 1)
recall = confusion.diagonal() / confusion.sum(axis=1)
precision = confusion.diagonal() / np.maximum(confusion.sum(axis=0), 1)
rival_recall = [np.mean(guessed[truth == c] == c) for c in range(number)]
gains = recall - rival_recall
order = np.argsort(recall)

# %% [markdown]
# **Predict.** Which of these gains most recall over the rival: nouns, verbs,
# prepositions, punctuation?

# %%
claim("recall of punctuation", recall[classes.index(".")], at_least=0.99)
claim("verbs: gain in recall", gains[classes.index("VERB")], at_least=0.02)
claim("prepositions: gain in recall", gains[classes.index("ADP")], at_least=0.06)
claim("worst class is X, the rest", classes[order[0]] == "X")

# %% tags=["figure"]
table = np.stack([rival_recall, recall, precision], axis=1)[order]  # (class, 3)
names = [f"{classes[c]} ({confusion[c].sum():,})" for c in order]
figure, axis = plt.subplots(figsize=(8, 3.8))
marks = axis.plot(table, names, "x")
for mark, marker in zip(marks, "xo|", strict=True):
    mark.set(marker=marker, markersize=8)
for row, numbers in enumerate(table):
    text = "   ".join(f"{number:.3f}" for number in numbers)
    axis.text(1.03, row, text, transform=axis.get_yaxis_transform(), va="center")
axis.legend(marks, ["recall, rival", "recall", "precision"], loc=(0.02, 0.5))
axis.set(xlim=(0.8, 1.005), title="right: recall of rival, recall, precision")
plots.show(figure, alt="Recall and precision of twelve classes; X is far behind.")

# %% [markdown]
# A row for each class, with the number of its words; the worst at the bottom. X is
# what fits nowhere, mostly foreign words: few to learn from, few to lose. Its recall
# is off the scale. The tagger gains most where classes share their words:
# prepositions with adverbs and particles (*up the hill*, *get up*), adjectives and
# verbs with nouns (*a light*, *a run*).
#
# Does it read the words around? Ask for *back* and *run*, two words of the first
# picture, in sentences that it has never seen.


# %%
def tag(sentence):
    pieces = text_rnn.word_features([sentence.split()], words, suffixes)
    return [
        classes[c] for c in tagger.predict_on_batch(pieces[0][None])[0].argmax(-1)
    ]


claim("come BACK: an adverb", tag("Please come back .")[2] == "ADV")
claim("his BACK hurts: a noun", tag("His back hurts .")[1] == "NOUN")
claim("they RUN home: a verb", tag("They run home .")[1] == "VERB")
claim("a long RUN: a noun", tag("It was a long run .")[4] == "NOUN")

# %% [markdown]
# The same letters, another class: the states of both directions tell them apart. A
# table of frequencies cannot.
#
# Two more kinds of answer exist. A spoken sentence has many moments of sound and few
# letters, and nobody says which belong together; the loss of Graves et al. (2006),
# CTC, sums over all ways to align them. And a translation has another length and
# order: that is chapter 09.

# %% [markdown]
# ## 5. How far does counting go?
#
# A text model gives each next character a probability $p$. Its score is the mean of
# $-\log_2 p$ on *new* text, in **bits per character**: how many yes-or-no questions a
# character still needs. (Shannon, 1951, asked people: about one bit for English.)

# %%
alice = " ".join(data.alice().split())
cut = int(0.9 * len(alice))
letters = len(set(alice))
claim("knowing nothing, bits", np.log2(letters), equals=6.15, tolerance=0.05)

# %% [markdown]
# A rival that counts is the **n-gram** model: after the last $k$ characters, the
# **context** $c$, how often did each character $x$ follow? Let $n(cx)$ be that count,
# $n(c)$ the sum of all counts after $c$, and kinds$(c)$ the number of different
# characters that followed. Most contexts are rare. So every count gives up a discount
# $d$, and what it gives is spent by the model whose context $c'$ is one character
# shorter:
#
# $$p_k(x \mid c) = \frac{\max(n(cx) - d,\, 0) + d\, \text{kinds}(c)\;
# p_{k-1}(x \mid c')}{n(c)}.$$
#
# The shorter models count not how often $x$ came, but after how many different
# characters. That is the trick of Kneser & Ney (1995). In words: *Francisco* may be
# frequent, but it follows only *San*, so it is a bad guess anywhere else.

# %%
reveal(text_rnn.count_ngrams, text_rnn.ngram_probability)

# %% [markdown]
# **Predict.** Learn from nine tenths of *Alice*, score the last tenth. Knowing
# nothing costs six bits, and people need one. How many are needed with one character
# of context, with three, with six?

# %%
bits = {}
for order in (1, 3, 6):
    tables = text_rnn.count_ngrams([alice[:cut]], order)
    bits[order] = text_rnn.ngram_bits(tables, [alice[cut:]], letters, 0.9)
    rng, line = np.random.default_rng(seed(6)), "Alice "
    while len(line) < 70:
        line += text_rnn.ngram_draw(tables, line, rng, 0.9)
    print(f"{order}: {line}")

# %%
claim("bits, one character of context", bits[1], equals=3.42, tolerance=0.1)
claim("bits, three", bits[3], equals=2.21, tolerance=0.1)
claim("bits, six", bits[6], equals=1.98, tolerance=0.05)

# %% [markdown]
# Two bits with six characters, in two seconds. That is a serious rival: *Alice* is
# short, and a network must read it dozens of times to come near. (`python -m
# benchmarks.character_models` tries.) A network needs either much more text, or
# something that counting cannot see.

# %% [markdown]
# ## 6. What does a network see that counting cannot?
#
# A Chinese quatrain of the Tang time has four lines of five characters. After five
# comes a comma or a full stop. To know that, an n-gram would have to look back to the
# last mark; and contexts of that length are new in almost every poem. But the state
# of a recurrent network can count.
#
# `text_rnn.quatrains` shuffles such poems; a tenth of them will be the test. It numbers
# the thousand most frequent characters of the rest; id 1 stands for all others, id 0
# for the start.

# %%
poems, cut, rows, ids = text_rnn.quatrains(np.random.default_rng(seed(7)))
print(len(poems), "poems, such as", poems[0])
print("its first line in ids:", *rows[0, :7])

# %% [markdown]
# The rival first. We let it choose context and discount on the *test* poems: an
# unfair advantage, and our claim is the safer for it.

# %%
chosen = {}
for order in (3, 4, 5):
    padded = np.pad(rows, ((0, 0), (order - 1, 0)))  # a whole context at the start
    tables = text_rnn.count_ngrams(padded[:cut].tolist(), order)
    for discount in (0.8, 0.9):
        found = text_rnn.ngram_bits(tables, padded[cut:].tolist(), 1002, discount)
        chosen[found] = tables, discount, order
best = min(chosen)
tables, discount, order = chosen[best]
print(f"the best: {order} characters of context, discount {discount}")
claim("bits per character, best n-gram", best, equals=6.85, tolerance=0.35)

# %% [markdown]
# The network reads each poem four times. Its dense layer has 1002 outputs, and more
# weights than its GRU.
#
# **Predict.** Does it get below the n-gram's bits? And of 200 poems that each of the
# two writes, how many have the right form? (The network may not write ids below 2.)

# %%
seed(8)
writer = text_rnn.build_writer(1002)
bar = progress_bar("poems")
text_rnn.train_writer(writer, rows[:cut], epochs=4, callbacks=[bar])
nats = writer.evaluate(rows[cut:, :-1], rows[cut:, 1:], batch_size=400, verbose=0)
claim("bits per character, network", nats / np.log(2), at_most=6.95)
claim("bits that it saves", best - nats / np.log(2), at_least=0.05)

# %%
marks = {ids["，"], ids["。"]}


def in_form(poem):  # 25 ids: marks after each five characters, and nowhere else
    return all((i in marks) == (n % 6 == 5) for n, i in enumerate(poem[1:]))


rng = np.random.default_rng(seed(9))
start, no_rare = np.zeros((200, 1), int), {"without": (0, 1)}
written = text_rnn.write(writer, start, 25, rng, **no_rare)
drawn = np.zeros((200, 25 + len(tables)), int)
for poem in drawn:
    for t in range(len(tables) + 1, len(poem)):
        poem[t] = text_rnn.ngram_draw(tables, poem[:t].tolist(), rng, discount)

# %%
claim("real poems in form", np.mean(list(map(in_form, rows))), at_least=0.95)
claim("network's poems in form", np.mean(list(map(in_form, written))), at_least=0.8)
forms = np.mean([in_form(poem[-25:]) for poem in drawn])
claim("n-gram's poems in form", forms, at_most=0.3)

# %% [markdown]
# The network counts: five, mark, five, mark. Nobody told it about lines. (A table that
# was *told* the place in the line would know it, too. The network found out that it
# matters.)
#
# A **temperature** $T$ makes it bolder or duller: probabilities become $p^{1/T}$,
# renormalized.
#
# **Predict.** At $T = 0.6$: more different characters, or fewer? And the form?

# %%
cold, hot = (
    text_rnn.write(writer, start, 25, rng, temperature=t, **no_rare)
    for t in (0.6, 1.5)
)
kinds = len(np.unique(cold)), len(np.unique(written)), len(np.unique(hot))
claim("fewer when cold, more when hot", kinds[0] < kinds[1] < kinds[2])
cold_form, hot_form = (np.mean(list(map(in_form, p))) for p in (cold, hot))
claim("form when cold minus form when hot", cold_form - hot_form, at_least=0.2)

# %% [markdown]
# Cold, it takes what is likely: fewer characters, and a safer form. Hot, it is the
# other way round.
#
# Are these new lines, or copies? Compare them with all lines of all poems, and read a
# few.

# %%
glyphs = {0: ""} | {i: character for character, i in ids.items()}
texts = ["".join(glyphs[i] for i in poem) for poem in (*cold, *written)]
known = {poem[k : k + 5] for poem in poems for k in (0, 6, 12, 18)}
copied = [text[k : k + 5] in known for text in texts for k in (0, 6, 12, 18)]
claim("share of lines copied", np.mean(copied), at_most=0.05)

# %%
from IPython.display import HTML

HTML("<pre>" + "\n".join([*texts[:4], "", *texts[200:204]]) + "</pre>")

# %% [markdown]
# Four poems at $T = 0.6$, four at 1. Most keep the form, many pairs of characters are
# words, and the cold ones come back to the same few pictures. A sense is not there:
# for that, 4,000 poems and half a minute are too little. Chapter 09 takes the next
# step.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### Labels of another shape (E145)
#
# One text builds a predictor of sequences with `GRU(…, return_sequences=True)` and a
# dense layer of ten, and does not say for which labels. That is one answer a *word*.
# With one label for each whole sequence, it does not fit:

# %% tags=["raises-exception", "E145"]
stack = [layers.Embedding(1000, 16), layers.GRU(64, return_sequences=True)]
model = keras.Sequential([keras.Input((50,), dtype="int32"), *stack])
model.add(layers.Dense(10, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy")
model.train_on_batch(np.ones((32, 50)), np.ones(32))

# %% [markdown]
# Both right versions stand above: without `return_sequences` or with a mean over time
# for one answer a text (section 2), with it for one answer a word (section 3). The
# output's shape tells which you have:

# %%
per_word = model.output_shape
model = keras.Sequential([*model.layers[:1], layers.GRU(64), model.layers[-1]])
claim("one answer a word", per_word == (None, 50, 10))
claim("one answer a text", model(np.ones((32, 50))).shape == (32, 10))

# %% [markdown]
# ### A model without an input (E146)
#
# The same model never says what comes in. Then there are no weights to count:

# %% tags=["raises-exception", "E146"]
keras.Sequential([layers.Embedding(1000, 16), layers.GRU(64)]).count_params()

# %% [markdown]
# `keras.Input((None,), dtype="int32")` as the first entry mends it.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E144 | `Embedding(..., input_length=50)` | deprecated, without effect, and it warns | leave it out |
# | E147 | no mask for padding | padded behind, the padding decides the output: section 1 | `mask_zero=True` |
# | E148 | the model is built, and that is all | nothing was learned | data, `fit`, and a rival |

# %% [markdown]
# ## Exercises
#
# ### Exercise 06b.1: equally long
#
# 5 minutes. Make one array out of several lists of ids: cut those longer than
# `length`, pad the others *behind* with 0.


# %% tags=["exercise"]
def pad(lists, length):  # -> (len(lists), length) of integers
    """One row a list."""
    raise NotImplementedError


check("06b.1", pad)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Start from zeros of the right shape.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `row[: len(some)] = some` fills the front of a row.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Cut first: `some = some[:length]`.
#
# </details>


# %% tags=["solution"]
def pad_solution(lists, length):
    rows = np.zeros((len(lists), length), int)
    for row, some in zip(rows, lists, strict=True):
        some = some[:length]
        row[: len(some)] = some
    return rows


check("06b.1", pad_solution, solution=True)

# %% [markdown]
# ### Exercise 06b.2: only what counts
#
# 10 minutes. A tagger gives `probabilities` (batch, time, tags). Which share of the
# tokens has the right tag? `mask` (batch, time) is True for tokens.


# %% tags=["exercise"]
def masked_accuracy(probabilities, tags, mask):
    """A number from 0 to 1."""
    raise NotImplementedError


check("06b.2", masked_accuracy)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The answer at each moment is the tag with the largest probability.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The mean over *all* moments counts padding as right or wrong.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `right[mask]` keeps the tokens. All sentences together, not a mean of means.
#
# </details>


# %% tags=["solution"]
def masked_accuracy_solution(probabilities, tags, mask):
    right = probabilities.argmax(axis=-1) == tags
    return right[mask].mean()


check("06b.2", masked_accuracy_solution, solution=True)

# %% [markdown]
# ### Exercise 06b.3: how many bits
#
# 10 minutes. Row t of `logits` (time, characters) is what a network says about the
# character at t before it reads it; `ids[t]`, of `ids` (time,), is what came. Return
# the bits per character. Logits may be large.


# %% tags=["exercise"]
def bits_per_character(logits, ids):
    """The mean of -log2 p."""
    raise NotImplementedError


check("06b.3", bits_per_character)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Softmax first, then the probability of what came, at each moment.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Subtract the largest logit of each row, or `np.exp` overflows (chapter 02).
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `np.log2`, not `np.log`; and the *mean*.
#
# </details>


# %% tags=["solution"]
def bits_per_character_solution(logits, ids):
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(ids)), ids].mean() / np.log(2)


check("06b.3", bits_per_character_solution, solution=True)

# %% [markdown]
# ### Exercise 06b.4: cold and hot
#
# 5 minutes. Raise the probabilities `p` to the power $1/T$, and scale them so that
# they are a distribution again.


# %% tags=["exercise"]
def with_temperature(p, T):  # (n,) -> (n,)
    """p at temperature T."""
    raise NotImplementedError


check("06b.4", with_temperature)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# $T = 1$ changes nothing; a small $T$ makes the largest larger.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The power is $1/T$, not $T$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Divide by the sum of the powers.
#
# </details>


# %% tags=["solution"]
def with_temperature_solution(p, T):
    powers = p ** (1 / T)
    return powers / powers.sum()


check("06b.4", with_temperature_solution, solution=True)

# %% [markdown]
# ### Exercise 06b.5: a rival of your own (project)
#
# 30 minutes. Write a character model without a network: `learn(text)` returns a
# function `p(context, character)`. For any context, its values over the characters of
# `text` must sum to 1. It may need at most 3.0 bits per character on new text of the
# same alphabet, where a model without context needs about 4.2. The text has 30,000
# characters.


# %% tags=["exercise"]
def learn(text):
    """A function p(context, character): context is what stands before, any length."""
    raise NotImplementedError


check("06b.5", learn)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Count what follows each pair of characters. What if the pair is new?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Mix models of two, one and no characters of context. Each is a distribution, so any
# weighted mean of them is one.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $p_k = (n(cx) + a\,p_{k-1}) / (n(c) + a)$ with $a$ about 3, from $p = 1/$size upward,
# also works where $n(c) = 0$.
#
# </details>


# %% tags=["solution"]
def learn_solution(text):
    from collections import Counter

    pairs = [
        Counter(text[i - k : i + 1] for i in range(k, len(text))) for k in range(4)
    ]
    befores = [
        Counter(text[i - k : i] for i in range(k, len(text))) for k in range(4)
    ]
    size = len(set(text))

    def p(context, character):
        value = 1 / size
        for k in range(min(3, len(context)) + 1):
            before = context[len(context) - k :]
            total = befores[k][before]
            value = (pairs[k][before + character] + 3 * value) / (total + 3)
        return value

    return p


check("06b.5", learn_solution, solution=True)
