# %% [markdown]
# Since 1749 somebody has counted the spots on the sun, every month. What comes
# after the last count?

# %%
import keras
import tensorflow as tf
from dl_course import data, rnn
from dl_course import optimizers as opt
from keras import layers

months, spots = data.sunspots()

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(8, 2.4))
axis.plot(months, spots, lw=0.8)
axis.set(xlabel="year", ylabel="sunspot number", xlim=(months[0], months[-1]))
plots.show(figure, alt="Sunspot numbers over 260 years: two dozen uneven waves.")

# %% [markdown]
# Monthly sunspot numbers: a wave about every eleven years, no two alike. One month
# alone does not say whether the wave rises or falls. For that one must remember the
# months before. This chapter builds networks with a memory, finds out how long it
# lasts, and lets them forecast, against rivals that are hard to beat.

# %% [markdown]
# ## Recall
#
# 1. Chapter 03: a weight is used in five places. What is its gradient?
# 2. Chapter 05: what do all places of a convolution share?
# 3. Chapter 04: what does clipping keep, and what does it change?
#
# <details><summary>Answer</summary>
#
# 1. The sum of five gradients, one a place.
# 2. The kernel. A recurrent network shares weights too: over time.
# 3. It keeps the direction of a gradient, and shortens one that is too long.
#
# </details>

# %% [markdown]
# ## 1. How can a network remember?
#
# A dense layer sees one fixed list of numbers. A sequence has any length. So read it
# moment by moment, and keep a **state** $h$: a list of numbers that stands for all
# that was read. At each moment $t$, mix the new input $x_t$ with the old state
# $h_{t-1}$, with the *same* weights every time:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad h_0 = 0.$$
#
# That is a **recurrent** network (Elman, 1990). $W$ is called the kernel, $U$ the
# recurrent kernel.


# %%
def step(x, h, W, U, b):  # x (batch, features), h (batch, units)
    return np.tanh(x @ W + h @ U + b)


def read(x, W, U, b):  # x (batch, time, features)
    h, states = np.zeros((len(x), len(U))), []
    for t in range(x.shape[1]):
        h = step(x[:, t], h, W, U, b)
        states.append(h)
    return np.stack(states, axis=1)  # (batch, time, units)


# %%
rng = np.random.default_rng(seed(1))
layer = layers.SimpleRNN(12, return_sequences=True)
layer.build((None, None, 3))
x = rng.normal(size=(4, 30, 3)).astype("float32")
apart = np.abs(read(x, *layer.get_weights()) - np.array(layer(x))).max()
claim("ours from Keras's SimpleRNN", apart, at_most=1e-5)

# %% [markdown]
# **Predict.** One pulse comes in at the first moment, then nothing but zeros, up to
# moment 40. Nothing is trained. Does the state return to 0 at once, does it stay as
# it is, or does it go on moving?

# %%
pulse = np.zeros((1, 40, 3))
pulse[0, 0] = 2
states = read(pulse, *layer.get_weights())[0]  # (time, units)
claim("largest state after 40 moments", np.abs(states[-1]).max(), at_least=0.05)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(8, 2.2))
axis.imshow(states.T, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
axis.set(xlabel="moment", ylabel="unit", yticks=[0, 11], title="after one pulse")
axis.grid(False)
plots.show(figure, alt="Twelve units swing on for 40 moments after one pulse.")

# %% [markdown]
# Each row is a unit; blue is positive, red negative. The pulse rings on like a struck
# bell: $U$ mixes the units anew at each moment. A random recurrent kernel already
# remembers, in its way.
#
# Sequences of different length share a batch by **padding**: short ones get rows
# without meaning at their end. A **mask** says which rows count. Where the mask is
# False, the state stays as it is. `rnn.run` does that, for any kind of step.

# %%
reveal(rnn.run)

# %% [markdown]
# **Predict.** A sequence of 10 moments gets 20 rows of noise behind it. With the
# mask, is the last state *about* the same as without the noise, or exactly?

# %%
weights = layer.get_weights()
mask = np.arange(30) < np.array([[10], [17], [30], [1]])  # (batch, time)
_, (padded,) = rnn.run(rnn.rnn_step, x, weights, mask=mask)
_, (short,) = rnn.run(rnn.rnn_step, x[:, :10], weights)
claim("masked noise changes nothing", np.array_equal(padded[0], short[0]))
apart = np.abs(padded - np.array(layer(x, mask=mask))[:, -1]).max()
claim("and Keras agrees", apart, at_most=1e-5)

# %% [markdown]
# Exactly. Chapter 06b lives on that: sentences have all lengths.

# %% [markdown]
# ## 2. How does blame travel back through time?
#
# Write the moments side by side, and the network is a deep one: a layer for each
# moment, with shared weights. So chapter 03 applies. Let $L$ be the loss, and
# $\delta_t$ the blame of the sum inside tanh at moment $t$. Blame reaches $h_t$ on
# two roads: from the loss at moment $t$, and from $h_{t+1}$, through $U$. Then it
# passes the slope of tanh, which is $1 - h_t^2$:
#
# $$\delta_t = \Big(\frac{\partial L}{\partial h_t} + \delta_{t+1} U^\top\Big) \odot
# (1 - h_t^2).$$
#
# A shared weight sums over all its places, so
#
# $$\frac{\partial L}{\partial W} = \sum_t x_t^\top \delta_t, \qquad
# \frac{\partial L}{\partial U} = \sum_t h_{t-1}^\top \delta_t, \qquad
# \frac{\partial L}{\partial b} = \sum_t \delta_t.$$
#
# This is **back-propagation through time** (Werbos, 1990).

# %%
reveal(rnn.rnn_gradients)

# %% [markdown]
# The judge is `GradientTape`, in float64. The loss asks for the last state only.

# %%
rng = np.random.default_rng(seed(2))
weights = rnn.initial_weights(rnn.rnn_step, 3, 12, rng)
x = rng.normal(size=(4, 60, 3))
outputs, _ = rnn.run(rnn.rnn_step, x, weights)
blame = np.zeros_like(outputs)  # (batch, time, units)
blame[:, -1] = 2 * outputs[:, -1]  # of the loss Σ h², at the end
*ours, dx = rnn.rnn_gradients(x, outputs, weights, blame)

# %%
layer = layers.SimpleRNN(12, dtype="float64")
layer.build(x.shape)
layer.set_weights(weights)
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(layer(tf.constant(x)) ** 2)
taped = tape.gradient(loss, [v.value for v in layer.trainable_variables])
apart = max(np.abs(a - b).max() for a, b in zip(ours, taped, strict=True))
claim("ours from GradientTape", apart, at_most=1e-10)

# %% [markdown]
# Equal, but for rounding. The last result of `rnn_gradients`, `dx`, says how much
# each *input* is to blame for the loss at the end.
#
# **Predict.** The sequence has 60 moments. How large is the blame of the first, if
# that of the last is 1: about 1, a tenth, or less than a ten thousandth?

# %%
sizes = np.linalg.norm(dx, axis=2).mean(axis=0)  # (time,)
claim("blame of the first / the last", sizes[0] / sizes[-1], at_most=1e-4)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.semilogy(np.arange(60) - 59, sizes / sizes[-1])
axis.set(xlabel="moment, from the end", ylabel="blame of the input")
plots.show(figure, alt="Blame falls on a line, on a log axis, into the past.")

# %% [markdown]
# Blame falls by about the same *factor* at each moment back. What happened long ago
# hardly changes a weight: the network cannot learn that it mattered.
#
# If the past counts so little, why walk all the way back? **Truncated**
# back-propagation cuts the road every $k$ moments: no blame crosses a cut. It saves
# memory, for only $k$ states must be kept.
#
# **Predict.** Now the loss asks for the state at every moment. By what share is the
# gradient of $U$ off, if the road is cut every 20 moments? And every 2?

# %%
blame = 2 * outputs
exact = rnn.rnn_gradients(x, outputs, weights, blame)[1]
for k, most in [(20, 0.3), (2, 0.9)]:
    cut = rnn.rnn_gradients(x, outputs, weights, blame, truncate=k)[1]
    off = np.linalg.norm(cut - exact) / np.linalg.norm(exact)
    claim(f"cut every {k}: relative error", off, at_most=most)

# %% [markdown]
# Cut every 20 moments, the gradient is a good estimate. Cut every 2, it is a worse
# one. And the error is a bias: it leaves out the same long roads each time, so no
# averaging over batches repairs it.

# %% [markdown]
# ## 3. What is left of a nudge after eighty moments?
#
# Nudge the state a little, and follow the nudge. One moment multiplies it by the
# **Jacobian** of the step; $n$ moments by a product of $n$ of them:
#
# $$\frac{\partial h_{t+n}}{\partial h_t} = J_{t+n} \cdots J_{t+1}, \qquad
# J_t = \operatorname{diag}(1 - h_t^2)\; U^\top.$$
#
# Blame goes back through the same matrices. So the norm of the product, its largest
# stretch, says how well the network can remember *and* learn across $n$ moments. A
# product of many numbers below 1 **vanishes**, of many above 1 **explodes**
# (Hochreiter, 1991; Bengio et al., 1994; Pascanu et al., 2013).
#
# `rnn.memory` computes these norms. $U$ is an orthogonal matrix, which stretches
# nothing, times a number, the `gain`. Some texts blame the slope of tanh near zero
# for the vanishing. It is 1 there, its largest value.
#
# **Predict.** Gain 1, tanh, and *no* input, so that the state stays at 0: which part
# of a nudge is left after 80 moments? And with random inputs of size 1?


# %%
def left(step, number=3, inputs=1, activation=None, **start):
    rng = np.random.default_rng(seed(number))
    weights = rnn.initial_weights(step, 4, 32, rng, **start)
    x = inputs * rng.normal(size=(50 + 80, 4))  # 50 moments to warm up
    options = {"activation": activation} if activation else {}
    return rnn.memory(step, x, weights, **options)  # (80,) norms


tanh = {g: left(rnn.rnn_step, gain=g) for g in (0.5, 1, 1.5, 2)}
silent = left(rnn.rnn_step, inputs=0)
relu = {g: left(rnn.rnn_step, gain=g, activation=rnn.relu) for g in (1, 2)}

# %%
claim("tanh, gain 1, silent: left", silent[-1], equals=1, tolerance=1e-9)
claim("tanh, gain 1, inputs: left", tanh[1][-1], at_least=1e-10, at_most=1e-6)
claim("tanh, gain 0.5: left", tanh[0.5][-1], at_most=1e-24)
claim("tanh, gain 2: left", tanh[2][-1], at_least=1e3)
claim("ReLU, gain 1: left", relu[1][-1], at_most=1e-9)
claim("ReLU, gain 2: left", relu[2][-1], at_least=1e4)

# %% [markdown]
# Silent, nothing is lost: slopes of 1, and an orthogonal $U$. Inputs push the units
# out to where tanh is flat, and the nudge dies. A gain of 2 makes up for it, and far
# more than that. ReLU does not help: at gain 1 half of its slopes are 0 and the nudge
# dies, and at gain 2 it explodes. ReLU needs a start of its own (Le et al., 2015).
#
# So "plain networks forget" needs its conditions: a small $U$, or inputs that push
# tanh to its flat ends. Is there a gain between 1 and 2 that just fits? For these
# inputs, yes; the figure in section 4 shows 1.5. But training moves $U$, and other
# inputs need another gain. We need a state that is *kept* unless there is a reason to
# change it.

# %% [markdown]
# ## 4. How do gates keep a memory?
#
# A **gate** is a number from 0 to 1, a sigmoid $\sigma$ of input and state, that
# multiplies what passes. The **LSTM** (Hochreiter & Schmidhuber, 1997; Gers et al.,
# 2000) has a second state, the cell $c$. A forget gate $f$ keeps it, an input gate
# $i$ writes to it, an output gate $o$ shows it:
#
# $$i, f, o = \sigma(x_t W_{i,f,o} + h_{t-1} U_{i,f,o} + b_{i,f,o}), \qquad
# g = \tanh(x_t W_g + h_{t-1} U_g + b_g),$$
#
# $$c_t = f \odot c_{t-1} + i \odot g, \qquad h_t = o \odot \tanh c_t.$$
#
# Here $g$ is the content that may be written. The road from $c_{t-1}$ to $c_t$ has no
# matrix and no tanh on it, only $f$. With $f = 1$ it lets everything pass: memory
# forward, and blame backward.
#
# The **GRU** (Cho et al., 2014) needs only one state. It has two gates, computed as
# those above: $z$ keeps the old state, $r$ says how much of it the new content $g$
# may see:
#
# $$h_t = z \odot h_{t-1} + (1 - z) \odot g, \qquad
# g = \tanh(x_t W_g + r \odot (h_{t-1} U_g + b'_g) + b_g).$$
#
# In the paper, $r$ acts *before* the product: $(r \odot h_{t-1}) U_g$. Keras has both
# ways, chosen by `reset_after`, which is True unless you say otherwise.

# %%
reveal(rnn.lstm_step, rnn.gru_step)

# %% [markdown]
# **Predict.** An LSTM of 12 units reads 3 features. A plain recurrent layer has
# $12 \cdot (3 + 12 + 1) = 192$ weights then. And the LSTM?

# %%
rng = np.random.default_rng(seed(4))
x = rng.normal(size=(4, 30, 3)).astype("float32")
kinds = {
    "LSTM": (rnn.lstm_step, layers.LSTM, {}),
    "GRU, reset after": (rnn.gru_step, layers.GRU, {"reset_after": True}),
    "GRU, reset before": (rnn.gru_step, layers.GRU, {"reset_after": False}),
}
for name, (step, make, options) in kinds.items():
    layer = make(12, return_sequences=True, **options)
    theirs = np.array(layer(x, mask=mask))
    outputs, _ = rnn.run(step, x, layer.get_weights(), mask=mask, **options)
    claim(f"{name}, from Keras", np.abs(outputs - theirs).max(), at_most=1e-5)
    print(f"{name}: {layer.count_params()} weights")

# %% [markdown]
# Four times as many: three gates, and the content $g$. A GRU has two gates and the
# content, so three times as many. With `reset_after` it has a second bias too, the
# $b'_g$ above and one for each gate.
#
# Are gates the cure, then? A keeping gate that is half open halves the memory at each
# moment. How open it is *before* training, its bias decides. For $f$ Keras starts
# with a bias of 1, and $\sigma(1) \approx 0.73$. For $z$ it starts with 0, and
# $\sigma(0) = 0.5$.
#
# **Predict.** Order by what is left after 80 moments: plain with gain 1, LSTM and
# GRU as Keras starts them, both with a bias of 4 on the keeping gate.

# %%
lasts = {
    "GRU, bias 4": left(rnn.gru_step, keep=4),
    "LSTM, bias 4": left(rnn.lstm_step, keep=4),
    "LSTM, default": left(rnn.lstm_step),
    "plain, gain 1": tanh[1],
    "GRU, default": left(rnn.gru_step),
}

# %%
ends = {name: norms[-1] for name, norms in lasts.items()}
claim("LSTM, default: left", ends["LSTM, default"], at_least=1e-8, at_most=1e-4)
claim("GRU, default: left", ends["GRU, default"], at_most=1e-13)
claim("LSTM, bias 4: left", ends["LSTM, bias 4"], at_least=0.1)
claim("GRU, bias 4: left", ends["GRU, bias 4"], at_least=0.2, at_most=0.6)

# %% tags=["figure"]
plain = {f"tanh, gain {g}": norms for g, norms in tanh.items()}
plain |= {"tanh, silent": silent} | {f"ReLU, gain {g}": n for g, n in relu.items()}
figure = rnn.draw_memory(plain, lasts)
plots.show(figure, alt="Norms over 80 moments on a log axis; most fall, some rise.")

# %% [markdown]
# Left: plain networks, from the collapse at gain 0.5 to explosions. Right: gates. As
# Keras starts it, a GRU forgets *faster* than a plain network with an orthogonal $U$.
# Gates alone are no cure; gates that start open are. The open LSTM even lets the
# nudge grow: its output $h$ goes through $U$ and is written into the cell again. (The
# idea that the forget bias must be large is as old as the gate; Jozefowicz et al.,
# 2015, and Tallec & Ollivier, 2018, measured and explained it.) What the claims above
# say holds for five seeds and more.
#
# Does it matter in training? A task with one thing to remember: the first moment
# says +1 or −1, then come 59 moments of noise, then the question: which was it?


# %%
def recall_task(rng, n=3000, time=60):
    sign = rng.integers(0, 2, n)
    x = np.zeros((n, time, 2), "float32")
    x[:, 1:, 0] = rng.normal(size=(n, time - 1))  # noise
    x[:, 0, 1] = 2 * sign - 1
    return x, sign


def remembers(make, step, keep):  # accuracy on new sequences after three epochs
    rng = np.random.default_rng(seed(5))
    x, sign = recall_task(rng)
    layer = make(24)
    model = keras.Sequential([keras.Input((60, 2)), layer, layers.Dense(2)])
    layer.set_weights(rnn.initial_weights(step, 2, 24, rng, keep=keep))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    adam = keras.optimizers.Adam(0.01, clipnorm=1)
    model.compile(adam, loss, metrics=["accuracy"])
    bar = progress_bar(f"bias {keep}")
    settings = {"batch_size": 50, "epochs": 3, "verbose": 0, "callbacks": [bar]}
    model.fit(x[:2000], sign[:2000], **settings)
    return model.evaluate(x[2000:], sign[2000:], batch_size=500, verbose=0)[1]


# %% [markdown]
# **Predict.** An LSTM and a GRU, each as Keras starts it and with a bias of 4, train
# for three epochs. Which of the four then know the sign?

# %%
for name, make, step in [
    ("LSTM", layers.LSTM, rnn.lstm_step),
    ("GRU", layers.GRU, rnn.gru_step),
]:
    claim(f"{name} by Keras: accuracy", remembers(make, step, None), at_most=0.6)
    claim(f"{name}, bias 4: accuracy", remembers(make, step, 4), at_least=0.95)

# %% [markdown]
# One number in the start decides between guessing and knowing. With more epochs the
# default may find the way too, if it is lucky. And where does 4 come from? If your
# sequences have about $T$ moments, a bias of $\log T$ keeps a nudge for about that
# long, since $\sigma(\log T) \approx 1 - 1/T$. Here $\log 60 \approx 4.1$.

# %% [markdown]
# ## 5. What if blame explodes?
#
# Then one step throws the weights far away, and all learning is lost. **Clipping**
# (Pascanu et al., 2013) is made for this: chapter 04's `clip_by_global_norm`. Here is
# a plain network of ours, with a gain of 1.3. Its task is the same, with 20 moments
# and quieter noise. Plain gradient descent trains it, and the loss is the squared
# distance of its one output from +1 or −1.


# %%
def train(limit, rate=0.1, batch=32):
    rng = np.random.default_rng(seed(6))
    weights = rnn.initial_weights(rnn.rnn_step, 2, 24, rng, gain=1.3)
    v, losses, norms = rng.normal(size=(24, 1)) / 5, [], []
    for _ in range(200):
        x, sign = recall_task(rng, batch, 20)
        x[:, :, 0] *= 0.3
        states, (h,) = rnn.run(rnn.rnn_step, x, weights)
        error = h @ v - (2 * sign[:, None] - 1)  # (batch, 1)
        blame = np.zeros_like(states)
        blame[:, -1] = 2 * error / batch * v.T
        gradients = list(rnn.rnn_gradients(x, states, weights, blame)[:3])
        gradients.append(2 * h.T @ error / batch)
        norms.append(np.sqrt(sum(np.sum(g**2) for g in gradients)))
        gradients = opt.clip_by_global_norm(gradients, limit)
        *weights, v = (
            w - rate * g for w, g in zip([*weights, v], gradients, strict=True)
        )
        losses.append(np.mean(error**2))
    return np.array(losses), np.array(norms)


# %% [markdown]
# **Predict.** Whoever always says 0 has the loss 1. Where do 200 steps end, with
# clipping and without?

# %%
with np.errstate(all="ignore"):
    wild, wild_norms = train(limit=1e300)
tame, norms = train(limit=1.0)
claim("without clipping, worse than guessing", not wild[-20:].mean() < 1)  # or NaN
claim("clipped, mean of 20 last losses", tame[-20:].mean(), at_most=0.05)
claim("longest gradient that was clipped", norms.max(), at_least=5)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
axis.semilogy(wild[wild < 1e6], "--", label="without, soon off the scale")
axis.semilogy(tame, label="clipped at 1")
axis.set(xlabel="step", ylabel="loss")
axis.legend()
plots.show(figure, alt="Loss explodes without clipping; clipped, it falls.")

# %% [markdown]
# Losses of both runs. In Keras it is one word: `Adam(global_clipnorm=1.0)`.
# (`clipnorm`, in section 4, clips each array of weights by itself.) Clipping cures
# explosions only. It cannot bring back blame that has vanished.

# %% [markdown]
# ## 6. Can it forecast?
#
# Three real series, each with another difficulty: sunspots, a year ahead; carbon
# dioxide on Mauna Loa, half a year ahead; the highest temperature of tomorrow in
# Seattle. The rules are the same for all.
#
# - **Split by time.** Learn from the old part, score on the new. Shuffled windows
#   overlap, and would show the network its exam.
# - **Know only the past.** Training uses all that was measured before the split. A
#   forecast made earlier would know too much. So all forecasts are made after the
#   split, and the first `ahead` targets behind it are left out.
# - **Have rivals.** *Persistence* says: as it is now. *Seasonal naive* says: as it
#   was one period ago. *Linear autoregression* is the best weighted sum of the
#   window, by least squares (chapter 01).

# %%
reveal(rnn.windows, rnn.linear_autoregression)

# %% [markdown]
# Each task below is a window, the level at its end, the truth, and what seasonal
# naive says. The linear model and the network both forecast the *change* from that
# level: they begin where persistence ends.
#
# The noise of sunspots grows with their number; a square root evens it out. The
# window is eleven years of twelve months each, and the network reads a whole year at
# each moment.


# %%
def task(pasts, level, truth, seasonal, **split):
    numbers = {"level": level, "truth": truth, "seasonal": seasonal}
    return {"pasts": pasts, "change": truth - level, **numbers, **split}


def by_time(times, day, ahead):  # old and new targets
    return {"is_old": times < day, "is_new": times >= day + ahead}


# %%
root = np.sqrt(spots)
pasts, truth = rnn.windows(root, 132, ahead=12)  # (n, 132, 1), (n,)
split = by_time(months[143:], np.datetime64("1950-01"), 12)
years = pasts.reshape(-1, 11, 12)
tasks = {"sunspots": task(years, pasts[:, -1, 0], truth, root[11:-132], **split)}

# %% [markdown]
# Carbon dioxide climbs: the new years lie above all that was ever seen. So each
# window is taken relative to its last week; then new windows look like old ones. A
# week without a measurement repeats the one before, but only in windows: it is never
# a target.

# %%
weeks, co2 = data.co2()
known = np.maximum.accumulate(np.where(np.isnan(co2), 0, np.arange(len(co2))))
filled = co2[known]
pasts, truth = rnn.windows(filled, 104, ahead=26)
split = by_time(weeks[129:], np.datetime64("1990-01-01"), 26 * 7)
split = {name: part & ~np.isnan(co2[129:]) for name, part in split.items()}
level = pasts[:, -1, 0]
blocks = (pasts - level[:, None, None]).reshape(-1, 26, 4)  # four weeks a moment
tasks["carbon dioxide"] = task(blocks, level, truth, filled[77:-52], **split)

# %% [markdown]
# For tomorrow in Seattle we may use everything measured until today, and the
# calendar. (The table's weather *words* follow another rule after 2012; we leave
# them out.)

# %%
weather = data.seattle_weather()
day = weather["date"]
season = 2 * np.pi * (day - day.astype("datetime64[Y]")).astype(int) / 365.25
names = ("temp_max", "temp_min", "precipitation", "wind")
table = np.column_stack([weather[name] for name in names])
table[:, 2] = np.log1p(table[:, 2])
table = np.column_stack([table, np.cos(season), np.sin(season)])  # (1461, 6)

# %%
pasts, truth = rnn.windows(table, 14)
split = by_time(day[14:], np.datetime64("2015-01-01"), 1)
last_year = np.roll(table[:, 0], 365)[14:]  # the new days have one
tasks["Seattle"] = task(pasts, pasts[:, -1, 0], truth, last_year, **split)


# %% [markdown]
# The network is a small GRU with one number at the end. It sees each training window
# a dozen times, with dropout.


# %%
def network(pasts, change, is_old, is_new, number, **_):  # says the change
    seed(number)
    mean, scale = (f(pasts[is_old], axis=(0, 1)) for f in (np.mean, np.std))
    x, unit = (pasts - mean) / (scale + 1e-6), change[is_old].std()
    steps = 12 * int(np.ceil(is_old.sum() / 64))
    rate = keras.optimizers.schedules.CosineDecay(0.007, steps)
    gru = layers.GRU(32, dropout=0.1)
    model = keras.Sequential([keras.Input(x.shape[1:]), gru, layers.Dense(1)])
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.01), "mse")
    bar = progress_bar("forecast")
    settings = {"batch_size": 64, "epochs": 12, "verbose": 0, "callbacks": [bar]}
    model.fit(x[is_old], change[is_old] / unit, **settings)
    return model.predict(x, batch_size=3000, verbose=0)[:, 0] * unit


def linear(pasts, change, is_old, **_):
    return rnn.linear_autoregression(pasts[is_old], change[is_old])(pasts)


# %% [markdown]
# **Predict.** Four forecasts for each of three series. On which does the network beat
# linear autoregression?

# %%
network_says = {name: network(**t, number=7) for name, t in tasks.items()}
errors = {}
for name, t in tasks.items():
    forecasts = {"persistence": 0, "seasonal naive": t["seasonal"] - t["level"]}
    forecasts |= {"linear": linear(**t), "GRU": network_says[name]}
    off = {k: (f - t["change"])[t["is_new"]] for k, f in forecasts.items()}
    errors[name] = {k: np.sqrt(np.mean(e**2)) for k, e in off.items()}

# %%
for name, low, high in [
    ("sunspots", 0.86, 0.98),
    ("carbon dioxide", 1.03, 1.3),
    ("Seattle", 0.92, 0.99),
]:
    error = errors[name]
    naive = min(error["persistence"], error["seasonal naive"])
    claim(f"{name}: linear / best naive", error["linear"] / naive, at_most=0.97)
    ratio = error["GRU"] / error["linear"]
    claim(f"{name}: GRU / linear", ratio, at_least=low, at_most=high)

# %% tags=["figure"]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.4), sharey=True)
for axis, (name, error) in zip(axes, errors.items(), strict=True):
    bars = axis.barh(list(error), list(error.values()), height=0.6)
    axis.bar_label(bars, fmt="%.2f", padding=3)
    axis.set(title=name, xlim=(0, 1.25 * max(error.values())))
    axis.grid(False)
plots.show(figure, alt="Errors of four forecasts on three series, as bars.")

# %% [markdown]
# Root mean squared errors on the new years (in roots of sunspots, parts per million,
# degrees), shorter is better. On sunspots the network wins by some percent: their
# waves rise faster than they fall, which no weighted sum can say. On carbon dioxide,
# trend plus season, the linear model wins clearly. In Seattle the network wins by a
# few percent of a forecast that is hardly better than "as today". These three
# verdicts hold for five seeds; bolder ones would not. Without the linear rival, all
# three networks would have looked like a success.

# %% tags=["figure"]
t, new = tasks["sunspots"], tasks["sunspots"]["is_new"]
said = np.maximum(t["level"] + network_says["sunspots"], 0)
figure, axis = plt.subplots(figsize=(8, 2.6))
axis.plot(months[143:][new], t["truth"][new] ** 2, lw=0.8, color="silver")
axis.plot(months[143:][new], said[new] ** 2, lw=1.2)
axis.set(xlabel="year", ylabel="sunspot number")
plots.show(figure, alt="Forecasts follow the measured waves, with less noise.")

# %% [markdown]
# Gray: sunspots as counted. Blue: what the GRU had said a year before. It sees the
# fall of a wave coming, and is late when a new one begins.

# %% [markdown]
# ## Where the tutorials go wrong
#
# **Learning noise by heart (E021, E025).** One text trains an LSTM to predict random
# numbers from random numbers, and plots its "forecast". Its inputs say nothing about
# its targets: there is nothing to learn.
#
# **Predict.** Targets of variance 1. What loss is reached on the training data, and
# what on fresh noise? Saying 0 always has the loss 1.

# %% tags=["E021", "E025"]
rng = np.random.default_rng(seed(8))
x, y = rng.normal(size=(2, 100, 10, 1)), rng.normal(size=(2, 100))  # old and fresh
model = keras.Sequential([keras.Input((10, 1)), layers.LSTM(50), layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
_ = model.fit(x[0], y[0], epochs=60, verbose=0)
learned, fresh = (
    model.evaluate(a, b, verbose=0) for a, b in zip(x, y, strict=True)
)
claim("loss on the noise it was trained on", learned, at_most=0.5)
claim("loss on fresh noise", fresh, at_least=1.1)

# %% [markdown]
# It learned a hundred numbers by heart. On fresh noise it does worse than a network
# that says nothing but 0. The text set no data aside, so nobody could see it.
#
# **ReLU inside an LSTM (E023).** The same network says `activation="relu"`. The cell
# is a sum that may grow. tanh keeps what is shown of it below 1; with ReLU nothing
# does. Six networks with random weights read a thousand weeks of carbon dioxide:
# first as measured, about 330 each, then scaled to deviation 1.

# %% tags=["E023"]
rng = np.random.default_rng(seed(9))
raw = filled[None, :1000, None]  # (1, time, 1), about 330 each
scaled = (raw - raw.mean()) / raw.std()
weights = [rnn.initial_weights(rnn.lstm_step, 1, 50, rng) for _ in range(6)]


def largest(x, **options):  # |output|, of six networks
    with np.errstate(all="ignore"):
        runs = [rnn.run(rnn.lstm_step, x, w, **options)[0] for w in weights]
    return np.abs(runs).max()


# %% [markdown]
# **Predict.** With ReLU, how large does an output get on the values as measured:
# below 1, about 330, or far more? And on the scaled ones?

# %%
claim("tanh, as measured", largest(raw), at_most=1)
claim("ReLU, as measured", largest(raw, activation=rnn.relu), at_least=5000)
claim("ReLU, scaled", largest(scaled, activation=rnn.relu), at_most=2)

# %% [markdown]
# With ReLU the state feeds on itself: from some random weights it grows without
# limit. Keep tanh, and scale the inputs. (On a GPU, only the LSTM with tanh has the
# fast kernel.)
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E020 | the result is plotted | `plt` is never imported: after all training, a NameError | run a script from a fresh start |
# | E022 | `x` has the shape (100, 10) | it works only because Keras adds an axis | `x[..., None]`: batch, time, features |
# | E024 | inputs and forecasts in one plot | eleven lines, ten with one label, and sample numbers taken for time | one series and its forecast over time, as above |
# | E037 | $h_t = f(x_t W + h_{t-1} U + b)$, and an LSTM in the code | the LSTM has four such weighted sums and a second state | sections 1 and 4 |
# | E083 | RNNs capture long distances | plain ones learn them badly: gradients shrink or explode with the distance | section 3 |
# | E092 | the difference between CNN and RNN is ... not told | both share weights | over places and a fixed window; over time and the whole past, one moment after the other |
# | E097 | "Graves, P., & Schmidhuber, Exploiting long-range dependencies" | no such paper | Hochreiter & Schmidhuber (1997) for the LSTM |
# | E102 | Cho et al., 2014, pages 1729-1739 | wrong pages | EMNLP 2014, 1724-1734 |
# | E192 | blame vanishes as slopes of tanh go to 0 *near 0* | the slope is 1 there, its largest | it vanishes far from 0, and by a small $U$ |
# | E193 | gradients only vanish | they explode as well | section 5 |
# | E194 | ReLU helps | gain 1 vanishes, gain 2 explodes | identity start, or gates |
# | E195 | LSTM and GRU solve it | at Keras's defaults both forget in 80 moments | a larger bias of the forget or update gate, such as 4 |

# %% [markdown]
# ## Exercises
#
# ### Exercise 06.1: what a gate costs
#
# 5 minutes. How many weights, biases included, has a Keras layer of this kind? `kind`
# is `"rnn"`, `"lstm"` or `"gru"` (with `reset_after`, the default).


# %% tags=["exercise"]
def count_weights(kind, features, units):
    """An integer."""
    raise NotImplementedError


check("06.1", count_weights)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A plain layer has a kernel, a recurrent kernel and a bias.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# An LSTM has four such sets, a GRU three.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# With `reset_after` a GRU has two biases in each set.
#
# </details>


# %% tags=["solution"]
def count_weights_solution(kind, features, units):
    sets = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
    biases = 2 if kind == "gru" else 1
    return sets * units * (features + units + biases)


check("06.1", count_weights_solution, solution=True)

# %% [markdown]
# ### Exercise 06.2: how open must a gate be?
#
# 5 minutes. A state is multiplied by $\sigma(b)$ at each moment, and nothing else
# happens to it. Which bias $b$ halves a nudge in exactly `n` moments?


# %% tags=["exercise"]
def bias_for_half_life(n):
    """The bias b with sigmoid(b) ** n == 0.5."""
    raise NotImplementedError


check("06.2", bias_for_half_life)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# First find the gate's value, $f^n = \frac12$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $f = 2^{-1/n}$. Now undo the sigmoid.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $\sigma(b) = f$ means $b = \log\frac{f}{1-f}$.
#
# </details>


# %% tags=["solution"]
def bias_for_half_life_solution(n):
    f = 0.5 ** (1 / n)
    return np.log(f / (1 - f))


check("06.2", bias_for_half_life_solution, solution=True)

# %% [markdown]
# ### Exercise 06.3: the last word
#
# 10 minutes. `outputs` are (batch, time, units), `mask` (batch, time). For each
# sequence return the output at its *last* moment that counts. There may be holes in
# the mask; at least one moment counts.


# %% tags=["exercise"]
def last_output(outputs, mask):  # -> (batch, units)
    """The output at the last True of each row."""
    raise NotImplementedError


check("06.3", last_output)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `outputs[:, -1]` is padding, for short sequences.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With holes, the number of True is not the place of the last one. Turn the mask
# around: `argmax` finds the *first* True.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `last = time - 1 - mask[:, ::-1].argmax(axis=1)`, then
# `outputs[np.arange(batch), last]`.
#
# </details>


# %% tags=["solution"]
def last_output_solution(outputs, mask):
    batch, time = mask.shape
    last = time - 1 - mask[:, ::-1].argmax(axis=1)
    return outputs[np.arange(batch), last]


check("06.3", last_output_solution, solution=True)

# %% [markdown]
# ### Exercise 06.4: a rival that climbs
#
# 10 minutes. Carbon dioxide has a season and a trend. Forecast `ahead` moments after
# the last: what was there one period earlier, plus the growth over the last period.
# `series` is an array whose last number is now, and `ahead` is at most `period`.


# %% tags=["exercise"]
def seasonal_with_growth(series, period, ahead):
    """One number: the forecast of series[len(series) - 1 + ahead]."""
    raise NotImplementedError


check("06.4", seasonal_with_growth)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The target is moment `len(series) - 1 + ahead`. One period earlier is in the past.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The growth over the last period is the last value minus that one period before it.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `series[-1 + ahead - period]` is the first summand.
#
# </details>


# %% tags=["solution"]
def seasonal_with_growth_solution(series, period, ahead):
    growth = series[-1] - series[-1 - period]
    return series[-1 + ahead - period] + growth


check("06.4", seasonal_with_growth_solution, solution=True)

# %% [markdown]
# ### Exercise 06.5: blame for a leak
#
# 20 minutes. A leaky memory of one number: $h_t = a\,h_{t-1} + (1-a)\,x_t$,
# $h_0 = 0$. `blame[t]` is $\partial L/\partial h_t$, of the loss at that moment
# alone, where $h_t$ is the state just after `x[t]` was read; before `x[0]` it is 0.
# Return $\partial L/\partial a$.


# %% tags=["exercise"]
def leak_gradient(x, a, blame):  # (time,), a number, (time,)
    """The slope of the loss by a."""
    raise NotImplementedError


check("06.5", leak_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Forward: keep all states. Backward: $\delta_t = \text{blame}_t + a\,\delta_{t+1}$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# At each moment $a$ is used twice: it multiplies $h_{t-1}$ and $-x_t$.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $\partial L/\partial a = \sum_t \delta_t\,(h_{t-1} - x_t)$.
#
# </details>


# %% tags=["solution"]
def leak_gradient_solution(x, a, blame):
    h = [0.0]
    for value in x:
        h.append(a * h[-1] + (1 - a) * value)
    slope = delta = 0.0
    for t in reversed(range(len(x))):
        delta = blame[t] + a * delta
        slope += delta * (h[t] - x[t])
    return slope


check("06.5", leak_gradient_solution, solution=True)

# %% [markdown]
# ### Exercise 06.6: weights by hand (project)
#
# 30 minutes. Write down the weights of an LSTM with *one* unit that works as a
# latch. Its inputs are a value, +1 or −1, and a flag, 0 or 1. At the end its output
# must have the sign of the value that came with the last flag, and a size of at
# least ½, even 200 moments later. Return kernel (2, 4), recurrent kernel (1, 4) and
# bias (4,); the columns are i, f, g, o.


# %% tags=["exercise"]
def latch():
    """[kernel, recurrent kernel, bias] of the LSTM."""
    raise NotImplementedError


check("06.6", latch)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# When should $i$ be open, when $f$? The flag decides both. What should $g$ show?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A gate is open at a sum of +10 and shut at −10. $i$: bias −10, and +20 from the
# flag. The recurrent kernel may be 0.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $f$ is the opposite of $i$, $o$ is always open, and $g$ takes five times the value.
#
# </details>


# %% tags=["solution"]
def latch_solution():
    kernel = np.array([[0, 0, 5, 0], [20, -20, 0, 0]])  # rows: value, flag
    return [kernel, np.zeros((1, 4)), np.array([-10, 10, 0, 10])]


check("06.6", latch_solution, solution=True)
