# %% [markdown]
# A pole stands on a cart. Every fiftieth of a second somebody must decide: push
# left or right. Nobody tells the network how. It is only told for how long it
# lasted.

# %%
from dl_course import agents, backprop, data, network, privacy

rng = np.random.default_rng(seed(1))
trained, path = agents.learn_to_balance(rng)
beginner = agents.learn_to_balance(rng, rounds=0)[0]


# %% tags=["figure"]
def strobe(axis, layers, title):
    states, _, alive = agents.play(agents.policy(layers), 1, rng)
    for x, _, angle, _ in states[alive][:240:8]:
        axis.plot([x, x + np.sin(angle)], [0, np.cos(angle)], color=plots.RED, lw=1)
        axis.plot(x, 0, "s", color=plots.BLUE, ms=5)
    axis.set(
        xlim=(-1.2, 1.2), ylim=(-0.15, 1.1), yticks=[], xlabel="meters", title=title
    )


# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6))
strobe(axes[0], beginner, "before")
strobe(axes[1], trained, "after 30 rounds")
plots.show(figure, alt="A pole that tips over at once; a pole that stays upright.")

# %% [markdown]
# Strobe pictures: the cart is blue, the pole red. Left: a network before learning;
# its pole tips over at once. Right: after some seconds of learning. The first half of
# this chapter is about acting: rewards instead of labels. The second is about
# relating: one task to another, and one kind of data to another.

# %% [markdown]
# ## Recall
#
# 1. A pick among letters has no gradient. What did chapter 08 do instead?
# 2. What do validation rows protect from? (Chapter 02)
# 3. Two vectors have length 1. What is their scalar product?
#
# <details><summary>Answer</summary>
#
# 1. Make likely what was liked: $r\,\nabla\log p$, right on average.
# 2. From choosing by luck, and from believing it.
# 3. The cosine of the angle between them: 1 for the same direction.
#
# </details>

# %% [markdown]
# ## 1. How can one learn what to do from rewards alone?
#
# A grid world: start S, goal G (reward 1), an abyss x (reward −1). The game is over
# in G and in x. Otherwise there is no reward, and nobody says which move was good. In
# the `sure` world every move goes where it should. A world is three arrays: chances
# `P[s, a, s']` of the next cell, the `prize` for entering each cell, and which cells
# are `ends`.

# %%
print("\n".join(agents.CLIFF))
sure = agents.world(agents.CLIFF)

# %% [markdown]
# What is a move $a$ in cell $s$ worth? Its reward $r$, and the worth of the cell $s'$
# where it leads. The latter counts $\gamma<1$ times, as sooner is better. So $Q$ stands
# on both sides:
#
# $$Q(s,a)=\mathbb E\bigl[r+\gamma\max_{a'}Q(s',a')\bigr]$$
#
# Whoever knows the world can put any table in on the right, get a better one on the
# left, and repeat until nothing changes (*value iteration*). An agent that only plays
# has no expectation, but it has samples. It moves its estimate a bit towards each:
# that is **Q-learning** (Watkins & Dayan, 1992).

# %%
reveal(agents.value_iteration, agents.q_learning)

# %% [markdown]
# **Predict.** $\gamma=0.95$, and the shortest way from S takes 7 moves. What is S
# worth to a perfect player? And will an agent that wanders at random for 20,000
# moves find that number?

# %%
rng = np.random.default_rng(seed(2))
Q = agents.q_learning(*sure, rng, num_steps=20_000, explore=1.0)
row, column = np.divmod(np.arange(24), 6)
moves = np.where(row < 3, 8 - row - column, 7)  # to the goal, around the abyss
exact = 0.95 ** (moves - 1)

# %%
open_cells = ~sure[2]
claim(
    "largest error", np.abs(Q.max(axis=1) - exact)[open_cells].max(), at_most=1e-9
)
known = agents.value_iteration(*sure[:2])
claim("... against value iteration", np.abs(Q - known).max(), at_most=1e-9)

# %% [markdown]
# $0.95^6$, exactly: six moves without reward come before the seventh. The agent never
# played well, and yet knows what playing well is worth: the maximum in its rule asks
# for the best move, not for the one it made. Its steps went all the way ($\alpha=1$,
# as `power` is 0): here the same move always has the same result.
#
# Now the ground is icy: three moves in ten go in a random direction. The agent must
# average over luck, so its steps shrink with the number of visits.
#
# **Predict.** On ice, would you still walk along the abyss?

# %%
icy = agents.world(agents.CLIFF, slip=0.3)
rng = np.random.default_rng(seed(3))
settings = {"num_steps": 150_000, "power": 0.7, "explore": 0.5}
Q_icy = agents.q_learning(*icy, rng, **settings)
best = agents.value_iteration(*icy[:2])
error = np.abs(Q_icy.max(axis=1) - best.max(axis=1)).max()
claim("largest error of a cell's value", error, at_most=0.15)


# %%
def worth(world, choice):  # of always following it: a linear system
    P, prize, _ = world
    chosen = P[np.arange(len(P)), choice]
    return np.linalg.solve(np.eye(len(P)) - 0.95 * chosen, chosen @ prize)


lost = best.max(axis=1) - worth(icy, Q_icy.argmax(axis=1))
claim("largest reward lost by its choices", lost.max(), at_most=0.15)
careless = worth(icy, Q.argmax(axis=1))
claim(
    "S: lost by the sure world's choices",
    best[18].max() - careless[18],
    at_least=0.1,
)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8))
for axis, table, title in zip(axes, [Q, Q_icy], ["sure", "icy"], strict=True):
    values = np.where(sure[2], np.nan, table.max(axis=1)).reshape(4, 6)
    axis.imshow(values, cmap="Blues", vmin=0, vmax=1.6)
    for cell, (i, j) in enumerate(np.ndindex(4, 6)):
        arrow = [*agents.MOVES][table[cell].argmax()]
        text = agents.CLIFF[i][j] if sure[2][cell] else arrow
        axis.text(j, i, text, ha="center", va="center", fontsize=14)
    axis.set(title=title, xticks=[], yticks=[])
    axis.grid(False)
plots.show(
    figure, alt="Arrows to the goal; on ice those beside the abyss point away."
)

# %% [markdown]
# The best move of each cell; darker is worth more. On ice the arrows beside the
# abyss point away from it. Nobody said that it is dangerous: falls did. With a network
# in place of the table, the same rule played Atari games from pixels (Mnih et al.,
# 2015). Networks of moves and of values, joined with search, won at Go (Silver et al.,
# 2016). Sutton & Barto (2018) tell the whole story.

# %% [markdown]
# ## 2. Can a network learn to balance a pole?
#
# CartPole has four numbers for a state: position $x$, its velocity, the angle
# $\theta$, its velocity. No table holds them. The physics are those of Barto et al.
# (1983), with the constants of Gymnasium (Towers et al., 2024): a cart of 1 kg, a
# pole of 0.1 kg, a push of 10 newtons, 50 decisions a second.
#
# $$\ddot\theta=\frac{g\sin\theta-u\cos\theta}{l\,(\frac43-\frac{m}{M}\cos^2\theta)},\qquad
# \ddot x=u-\frac{m\,l}{M}\,\ddot\theta\cos\theta,\qquad
# u=\frac{F+m\,l\,\dot\theta^2\sin\theta}{M}$$
#
# Here $F$ is the push, $m$ the pole's mass, $M$ the mass of pole and cart together,
# $l$ half the pole's length, and $u$ an abbreviation. A game ends if the pole leans by
# more than 12 degrees, if the cart is 2.4 m off, or after 500 steps; each step earns 1.

# %%
reveal(agents.cartpole)

# %% [markdown]
# **Predict.** First, two players without a network: one pushes at random, one to where
# the pole leans. How many steps do they last? Our bar is 195, on average over 100
# games: Gym, the forerunner of Gymnasium, called its first CartPole solved there.

# %%
rng = np.random.default_rng(seed(4))


def mean_return(act, **settings):  # of 100 games
    return agents.play(act, 100, rng, **settings)[2].sum(axis=0).mean()


def by_chance(states):
    return rng.integers(0, 2, len(states))


def by_lean(states):
    return (states[:, 2] > 0).astype(int)


# %%
claim("by chance", mean_return(by_chance), at_least=15, at_most=35)
claim("to where it leans", mean_return(by_lean), at_least=30, at_most=60)

# %% [markdown]
# Both are down after about a second.
#
# A **policy** is a network that gives chances:
# $p_\theta(\text{right}\mid\text{state})$. How must $\theta$ change so that the return
# $R$ of its games grows? As in chapter 08, play and weigh:
#
# $$\nabla\,\mathbb E[R]=\mathbb E\bigl[R\,\nabla\log p_\theta(\text{game})\bigr]$$
#
# The chance of a game is a product over its steps: the policy's chance of each action,
# and the world's chance of what follows, which does not depend on $\theta$. The
# logarithm makes the product a sum. So play, then make likelier what went better than
# usual (Williams, 1992):
#
# $$\nabla\,\mathbb E[R]\approx\mathbb E\Bigl[\sum_t
# \bigl(G_t-b_t\bigr)\,\nabla\log p_\theta(a_t\mid s_t)\Bigr],\qquad
# G_t=r_t+\gamma\,r_{t+1}+\gamma^2r_{t+2}+\dots$$
#
# In place of $R$ stands $G_t$, the return from $t$ on: an action is not to blame for
# what came before. Discounting makes this inexact, and less noisy. The **baseline**
# $b_t$ changes nothing on average, as $\sum_a p\,\nabla\log p=\nabla\sum_a p=0$, but
# takes off most of the noise. Ours is the mean over 32 games played at once. The code
# also divides by the standard deviation, so that one learning rate suits short and
# long games.

# %%
reveal(agents.policy_gradient, agents.learn_to_balance)

# %% [markdown]
# **Predict.** Five networks from five seeds, 30 rounds of 32 games each. Reinforcement
# learning is known for depending on luck. How many will pass 195?

# %%
pupils = []
for number in progress(range(5, 10), "five networks"):
    pupils.append(agents.learn_to_balance(np.random.default_rng(seed(number))))
    reached = mean_return(agents.policy(pupils[-1][0]))
    claim("mean return of 100 new games", reached, at_least=195)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 3))
for (_, path), style in zip(pupils, ["-", "--", "-.", ":", "o-"], strict=True):
    axis.plot(path, style, markersize=3)
axis.axhline(195, color="#999999", lw=1)
axis.text(29, 205, "solved", ha="right")
axis.set(xlabel="round", ylabel="mean return while learning", ylim=(0, 520))
plots.show(
    figure, alt="Five curves climb from about 20 to 500 within thirty rounds."
)

# %% [markdown]
# Return by round, a line for each network: five of five. The curves wobble on their
# way: a step changes the player, and thus the data. CartPole is easy. Where rewards
# are rare or late, luck comes back. The same idea, with "did the answer check out?" as
# reward and other answers to the same question as baseline, taught language models to
# reason in mathematics and programming (Guo et al., 2025).

# %% [markdown]
# ## 3. What if the world is not the one it was trained in?
#
# A car's driver learns in a simulator, and then meets a street. So let us change
# the world after training.
#
# **Predict.** Which will hurt: gravity doubled, pushes half as strong, or a sensor
# that shows the world as it was 0.06 seconds ago?

# %%
pupil = pupils[0][0]
act = agents.policy(pupil)
claim("gravity doubled", mean_return(act, gravity=19.6), at_least=300)
claim("half the force", mean_return(act, force=5.0), at_least=300)
claim("three steps late", mean_return(act, delay=3), at_most=150)

# %% [markdown]
# It shrugs off other physics, and fails with old news: its pushes come when the pole
# already swings back. The cure is to practice under the conditions of use.

# %%
rng = np.random.default_rng(seed(10))
veteran, _ = agents.learn_to_balance(rng, rounds=50, delay=3)
delays = range(8)
late = [mean_return(agents.policy(veteran), delay=d) for d in delays]
punctual = [mean_return(act, delay=d) for d in delays]

# %%
claim("trained with the delay: three steps late", late[3], at_least=300)
claim("... and with a perfect sensor", late[0], at_least=195)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.plot(delays, late, "s-", label="trained with a delay of 3")
axis.plot(delays, punctual, "o--", label="trained without delay")
axis.set(xlabel="delay of the sensor, steps of 0.02 s", ylabel="mean return")
axis.legend()
plots.show(
    figure, alt="Without practice the return collapses at 2 or 3, with it later."
)

# %% [markdown]
# Mean return by delay. Practice helps up to the delay practiced, and a little beyond;
# then this network falls, too. A driver needs chapter 05's eyes and this chapter's
# hands, and above all a list of the worlds it was tried in. What can be simulated well
# is done today: a network trained in simulation, with errors measured on the real
# machine mixed in, beat champions in drone racing (Kaufmann et al., 2023). Streets
# hold rarer things than a race track, and no simulator lists them all.

# %% [markdown]
# ## 4. Does a second task help the first?
#
# Fifty digits carry our labels, five of each kind. Another office has sorted 4,000
# digits, these fifty among them, in its own code of ten letters, and lost the code
# book. **Multi-task learning** (Caruana, 1997) makes use of it: all tasks share the
# first layers, the **trunk**; each has a last layer of its own, its **head**; and the
# losses are added, with weights $\lambda_t$:
#
# $$L=\sum_t\lambda_t\,L_t$$
#
# Where a label is missing, the example's weight is 0. In NumPy two heads are 20
# columns side by side; the blame of each is known from chapter 03.

# %%
rng = np.random.default_rng(seed(11))
(x, y), (x_test, y_test) = data.mnist()
rows = rng.permutation(60_000)[:4000]
x, y, x_test = x[rows].reshape(-1, 784), y[rows], x_test.reshape(-1, 784)
code = rng.permutation(10)[y]  # the other office's


# %%
def blame_of_both(scores, digit, code, weights):  # the heads are side by side
    main = network.softmax(scores[:, :10]) - np.eye(10)[digit]
    other = network.softmax(scores[:, 10:]) - np.eye(10)[code]
    both = np.concatenate([main * weights[:, :1], other * weights[:, 1:]], axis=1)
    return both.astype("float32") / len(scores)


# %%
def learn(x, digit, code, weights, epochs):  # weights (n, 2): of both tasks
    rng = np.random.default_rng(seed(12))
    sizes, names = [784, 128, 64, 20], ["relu", "relu", "linear"]
    layers = network.initial_layers(sizes, names, rng)
    layers = [(w.astype("f4"), b.astype("f4"), f) for w, b, f in layers]
    memory = [{} for _ in range(6)]
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for some in np.split(order, range(100, len(x), 100)):
            a, z = backprop.remember(x[some], layers)
            blame = blame_of_both(a[-1], digit[some], code[some], weights[some])
            gradients = backprop.backward(layers, a, z, blame)[0]
            layers = agents.adam_step(layers, gradients, memory, 0.001)
    scores = network.forward(x_test, layers)[-1][:, :10]
    return np.mean(scores.argmax(axis=1) == y_test)


# %% [markdown]
# **Predict.** Alone, with the code, and with the code shuffled into nonsense: how
# do the three accuracies compare? Fifty labels are luck, so we take the mean of
# three draws.

# %%
alone, together, nonsense = [], [], []
for draw in range(3):
    few = np.concatenate(
        [np.flatnonzero(y == d)[5 * draw :][:5] for d in range(10)]
    )
    known = np.where(np.isin(np.arange(4000), few), 80.0, 0.0)  # 1 on average
    weights = np.stack([known, np.ones(4000)], axis=1)
    main_only = np.tile([1.0, 0.0], (50, 1))
    alone.append(learn(x[few], y[few], code[few], main_only, 320))  # 320 steps each
    together.append(learn(x, y, code, weights, 8))
    nonsense.append(learn(x, y, rng.permutation(code), weights, 8))

# %%
claim("50 labels alone", np.mean(alone), at_most=0.8)
claim("with the code", np.mean(together), at_least=0.64)
claim("gain", np.mean(together) - np.mean(alone), at_least=0.02)
claim("gain by nonsense", np.mean(nonsense) - np.mean(alone), at_most=0.03)

# %% [markdown]
# The code's head never says which letter means 7. But to serve it, the trunk must
# learn what tells digits apart, and then fifty labels go further. Nonsense brings
# next to nothing: it is not the additional loss that helps, but what the tasks share.
# Tasks that fight over the trunk can even harm each other; which ones should be joined
# is found by trying (Standley et al., 2020). In Keras, a second head
# is a second output:

# %%
reveal(agents.build_two_heads)

# %% [markdown]
# ## 5. Can a spelling find its sound?
#
# The last step: relate two *kinds* of data. A word on paper is letters, a spoken
# word is phonemes. A **two-tower** model maps both into one space:
# $a_i=f(\text{spelling}_i)$ and $b_i=g(\text{sound}_i)$, vectors of length 1.
# Partners should be close, all others far. In a batch of $n$ pairs, each spelling
# must pick its sound among $n$, and each sound its spelling:
#
# $$L=-\frac1{2n}\sum_i\Bigl(\log\frac{e^{a_i\cdot b_i/\tau}}{\sum_je^{a_i\cdot b_j/\tau}}
# +\log\frac{e^{a_i\cdot b_i/\tau}}{\sum_je^{a_j\cdot b_i/\tau}}\Bigr)$$
#
# That is cross-entropy twice: along the rows and along the columns of the table of
# products. The temperature $\tau=0.07$ makes it bold (chapter 06b), as products reach
# only from −1 to 1. This **contrastive** loss is that of CLIP, which relates pictures
# and captions (Radford et al., 2021). Labels are not needed, only pairs. Our towers
# have one layer each.

# %%
reveal(agents.contrastive_loss, agents.build_tower)

# %%
dictionary = data.cmudict()
words = sorted(w for w in dictionary if w.isalpha() and 4 <= len(w) <= 9)
rng = np.random.default_rng(seed(13))
words = [words[i] for i in rng.permutation(len(words))[:5000]]
sounds = [[p.strip("012") for p in dictionary[w][0]] for w in words]
print(dictionary["science"][0])

# %% [markdown]
# These are the phonemes of *science*; the numbers mark stress, and we drop them. A
# tower sees which letters and which pairs of neighbors a word has: `at` has a, t,
# `<a`, `at`, `t>`; likewise the phonemes. We train on 2,000 pairs, and try 3,000
# others. The measure is **recall@k**: how often is the partner among the $k$ nearest?
# The baseline is not silly: it predicts the sound's columns from the spelling's by
# least squares with weight decay (*ridge regression*), and the nearest sound wins.
#
# **Predict.** How many of 3,000 unheard words have their own sound as the nearest? By
# chance it is one.

# %%
x, letters = agents.pairs_of_symbols(words[:2000])
y, phonemes = agents.pairs_of_symbols(sounds[:2000])
x_new, _ = agents.pairs_of_symbols(words[2000:], letters)
y_new, _ = agents.pairs_of_symbols(sounds[2000:], phonemes)


# %%
def ridge(x, y, x_new):
    predicted = x_new @ np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
    return predicted / np.linalg.norm(predicted, axis=1, keepdims=True)


# %%
seed(14)
spelling = agents.build_tower(len(letters))
sound = agents.build_tower(len(phonemes))
a, b = (np.array(t(rows[:250])) for t, rows in [(spelling, x), (sound, y)])
before = agents.contrastive_loss(a, b)
agents.train_towers(spelling, sound, x, y, rng, epochs=30)
a, b = np.array(spelling(x_new)), np.array(sound(y_new))
after = agents.contrastive_loss(a[:250], b[:250])

# %%
claim("loss before, of 250 pairs", before, at_least=4)
claim("loss after, of 250 new pairs", after, at_most=1.0)

# %%
there, back = ridge(x, y, x_new) @ y_new.T, ridge(y, x, y_new) @ x_new.T
recalls = [agents.recall_at(s) for s in (a @ b.T, b @ a.T, there, back)]

# %%
claim("spelling → sound, recall@1", recalls[0], at_least=0.75)
claim("sound → spelling, recall@1", recalls[1], at_least=0.75)
claim("gain over ridge, there", recalls[0] - recalls[2], at_least=0.02)
claim("gain over ridge, back", recalls[1] - recalls[3], at_least=0.01)
claim("recall@10", agents.recall_at(a @ b.T, 10), at_least=0.92)

# %% tags=["figure"]
some = rng.permutation(3000)[:12]
names = [words[2000 + i] for i in some]
spoken = [" ".join(sounds[2000 + i]) for i in some]
figure, axis = plt.subplots(figsize=(6.4, 5))
axis.imshow(a[some] @ b[some].T, cmap="Blues", vmin=0, vmax=1)
axis.set_yticks(range(12), names)
axis.set_xticks(range(12), spoken, rotation=45, ha="right", fontsize=8)
axis.grid(False)
plots.show(figure, alt="Twelve words against twelve sounds: the diagonal is dark.")

# %% [markdown]
# Scalar products of new words (rows) and new sounds (columns): darker is closer.
# The diagonal stands out: at least three words in four find their sound. Two matrices
# and a loss sufficed, as spelling and sound share so much. CLIP needed deep towers and
# 400 million pairs of pictures and captions. Now a list of captions is a classifier,
# also for classes that nobody trained on: the nearest caption is the answer (Radford
# et al., 2021).
#
# **Recommender systems** have the same shape. One tower for users, one for items, and
# $u_i\cdot v_j$ for "does $i$ like $j$?" If each tower is just a table with one row for
# every user or item, then the scores are a matrix product, and the model is *matrix
# factorization* (Koren et al., 2009):
#
# $$\min_{U,V}\sum_{(i,j)\ \text{known}}(r_{ij}-u_i\cdot v_j)^2
# +\lambda\bigl(\lVert U\rVert^2+\lVert V\rVert^2\bigr)$$
#
# Exercise 11e.5 builds one. With towers that read more than a number, new items can be
# scored as well; YouTube has used them to choose candidates (Yi et al., 2019).

# %% [markdown]
# ## Where the tutorials go wrong
#
# **"DeepMind trained an Atari player with deep learning" (E134).** Deep
# *reinforcement* learning: the first paper is from 2013, before Google bought the
# company, the journal version is Mnih et al. (2015). The word matters. Take the
# rewards away, and the network just learns to repeat what it does: same games, same
# kind of network, but each action has weight 1 instead of $G_t-b_t$.
#
# **Predict.** What does it reach after the same 30 rounds?

# %% tags=["E134"]
rng = np.random.default_rng(seed(15))
layers = network.initial_layers([4, 32, 2], ["tanh", "linear"], rng)
for _ in range(30):
    states, actions, alive = agents.play(agents.policy(layers, rng), 32, rng)
    copied = states[alive], actions[alive], np.ones(alive.sum())
    gradients = agents.policy_gradient(layers, *copied)
    layers = privacy.update(layers, gradients, 0.1)
parrot = mean_return(agents.policy(layers, rng))
claim("without rewards", parrot, at_most=100)

# %% [markdown]
# | | Said | In fact | Right |
# |---|---|---|---|
# | E134 | Google's DeepMind, "with deep learning" | deep reinforcement learning, begun before the purchase of 2014 | sections 1 and 2; Mnih et al. (2015) |
# | E212 | two trends with two names, both "learning by interaction" | one: reinforcement learning, counted twice | one name, one definition (Sutton & Barto, 2018) |
# | E217 | cross-modal: "a method with different data types" | using several types is not yet relating them | align them in one space, so that one finds the other: section 5 |

# %% [markdown]
# ## Exercises
#
# ### Exercise 11e.1: what is still to come
#
# 10 minutes. `rewards` of one game, in order. Return $G_t=r_t+\gamma\,G_{t+1}$ for
# each step; after the last one comes nothing.


# %% tags=["exercise"]
def to_go(rewards, discount):  # (n,), number -> (n,)
    """The discounted return from each step on."""
    raise NotImplementedError


check("11e.1", to_go)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The last step's return is its reward.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Walk backwards, and keep a running total.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `total = r + discount * total`, once for each reward, from the last to the first.
#
# </details>


# %% tags=["solution"]
def to_go_solution(rewards, discount):
    total, result = 0.0, np.zeros(len(rewards))
    for t in reversed(range(len(rewards))):
        total = rewards[t] + discount * total
        result[t] = total
    return result


check("11e.1", to_go_solution, solution=True)

# %% [markdown]
# ### Exercise 11e.2: one step of Q-learning
#
# 10 minutes. In cell `s` the agent did `a`, got `reward` and came to `after`;
# `over` says whether the game ended there. Return the new table, and leave `Q` as
# it is.


# %% tags=["exercise"]
def learn_from(Q, s, a, reward, after, over, rate, discount):
    """Q (cells, actions) after one step of experience."""
    raise NotImplementedError


check("11e.2", learn_from)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Only one number of the table changes. `Q.copy()` protects the old one.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Target: the reward, plus `discount` times the best entry of row `after`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# If the game is over, nothing comes after: the target is just the reward. Move by
# `rate` times (target − old).
#
# </details>


# %% tags=["solution"]
def learn_from_solution(Q, s, a, reward, after, over, rate, discount):
    new = Q.copy()
    target = reward + (0 if over else discount * Q[after].max())
    new[s, a] += rate * (target - Q[s, a])
    return new


check("11e.2", learn_from_solution, solution=True)

# %% [markdown]
# ### Exercise 11e.3: two losses, some labels missing
#
# 10 minutes. `main` and `other` are the losses of each example for two tasks.
# `known` says for which examples the first one has a label. Return $L_1+\lambda
# L_2$, each the mean over the examples that have a label; the second task has all.
# If nothing is known, $L_1=0$.


# %% tags=["exercise"]
def joint_loss(main, other, known, balance):  # (n,), (n,), (n,) bool, λ -> number
    """The sum of both tasks' losses."""
    raise NotImplementedError


check("11e.3", joint_loss)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `main[known]` are the losses that count.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A mean over the known ones divides by *their* number, not by $n$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The mean of nothing is NaN: ask `known.any()` first.
#
# </details>


# %% tags=["solution"]
def joint_loss_solution(main, other, known, balance):
    first = main[known].mean() if known.any() else 0.0
    return first + balance * other.mean()


check("11e.3", joint_loss_solution, solution=True)

# %% [markdown]
# ### Exercise 11e.4: who belongs to whom?
#
# 15 minutes. Rows of `a` and `b` are towers' outputs, not yet of length 1; row $i$
# belongs to row $i$. Return the recall@k from `a` to `b`: the share of rows whose
# partner is among the `k` with the highest cosine.


# %% tags=["exercise"]
def recall(a, b, k):  # (n, d), (n, d), integer -> number
    """Share of rows of a whose partner is among the k nearest rows of b."""
    raise NotImplementedError


check("11e.4", recall)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Divide each row by its length; then `a @ b.T` holds all cosines.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The partner's cosine stands on the diagonal.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Count in each row how many cosines are larger than the diagonal's: fewer than `k`
# is a hit.
#
# </details>


# %% tags=["solution"]
def recall_solution(a, b, k):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    cosines = a @ b.T
    better = (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    return np.mean(better < k)


check("11e.4", recall_solution, solution=True)

# %% [markdown]
# ### Exercise 11e.5: a recommender (project)
#
# 45 minutes. `ratings` has a row for each user and a column for each item; NaN
# means: not rated. Behind it are two hidden traits: a rating is $u_i\cdot v_j$ with two
# numbers for each user and two for each item. Return the full table. Only its missing
# ratings are judged: there its error (root mean square) must be at most a third of the
# error of guessing each item's mean.


# %% tags=["exercise"]
def complete(ratings):  # (users, items) with NaN -> (users, items)
    """Every rating, also those that nobody gave."""
    raise NotImplementedError


check("11e.5", complete)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A table with two traits is a product $UV$: its rank is 2. The best such table for
# *full* ratings comes from the singular value decomposition, cut after two terms.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Ours has holes. Fill them with a guess, cut to rank 2, take the result as the new
# guess for the holes only, and repeat.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `u, s, v = np.linalg.svd(full, full_matrices=False)`, then `guess = (u[:, :2] *
# s[:2]) @ v[:2]`. A hundred rounds, from a guess of 0.
#
# </details>


# %% tags=["solution"]
def complete_solution(ratings):
    known, guess = ~np.isnan(ratings), np.zeros(ratings.shape)
    for _ in range(100):
        full = np.where(known, ratings, guess)
        u, s, v = np.linalg.svd(full, full_matrices=False)
        guess = (u[:, :2] * s[:2]) @ v[:2]
    return guess


check("11e.5", complete_solution, solution=True)
