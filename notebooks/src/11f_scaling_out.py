# %% [markdown]
# One network, two processes that share no memory, twenty steps. At the end both must
# hold the same weights as one process that did all the work. In this chapter that
# happens for real, on your machine; and then one of the two dies.

# %%
import tempfile
from pathlib import Path

import keras
from dl_course import common, craft, data, scaling

(digits, labels), _ = data.mnist()
digits = digits.reshape(-1, 784)

# %% [markdown]
# ## Recall
#
# 1. What is the gradient of a mean over a batch? (Chapter 03)
# 2. Which rule makes a weight from a weight and a gradient, in plain SGD? (Chapter 04)
# 3. What does batch normalization do in training that it does not do in use?
#    (Chapter 05)
#
# <details><summary>Answer</summary>
#
# 1. The mean of the gradients of its examples.
# 2. $w \leftarrow w - \eta\, g$.
# 3. It uses mean and deviation of *this* batch.
#
# </details>

# %% [markdown]
# ## 1. Do two halves make one gradient?
#
# Give each of $k$ workers a copy of the weights and a part of the batch, a **shard**.
# Worker $i$ has $n_i$ examples and computes the gradient $g_i$ of its mean loss. The
# mean over all examples has the gradient
#
# $$g = \frac{\sum_i n_i\, g_i}{\sum_i n_i}.$$
#
# So nothing about learning changes: *data-parallel* training is the same training.
# Try it on the softmax regression of chapter 01, where the gradient is one line.


# %%
def gradient(w, x, y):  # w (784, 10), x (n, 784), y (n,)
    scores = x @ w
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return x.T @ (p - np.eye(10)[y]) / len(x)


rng = np.random.default_rng(seed(1))
w = rng.normal(0, 0.1, (784, 10))
x, y = digits[:101].astype(float), labels[:101]
joined = gradient(w, x, y)

# %% [markdown]
# **Predict.** 101 pictures for four workers: 25, 25, 25, 26. Is the plain mean of
# their four gradients right?

# %%
pieces = [(scaling.shard(x, i, 4), scaling.shard(y, i, 4)) for i in range(4)]
parts = [gradient(w, *piece) for piece in pieces]
counts = [len(piece[1]) for piece in pieces]
weighted = scaling.joined_gradient(parts, counts)
print("shards:", counts)
claim("weighted mean minus joined", np.abs(weighted - joined).max(), at_most=1e-12)
plain = np.abs(np.mean(parts, axis=0) - joined).max()
claim("plain mean minus joined", plain, at_least=1e-6)

# %% [markdown]
# The plain mean is a little off: it gives a picture of a small shard more weight than
# one of a large shard. With equal shards the two agree.
#
# Weights are not all that a batch touches. A layer that looks *across* the batch
# breaks the equality: batch normalization takes the mean of whatever it gets.

# %%
seed(2)
norm = keras.layers.BatchNormalization()
batch = rng.normal(0, 1, (32, 5)).astype("float32")
whole = np.array(norm(batch, training=True))
halves = [np.array(norm(half, training=True)) for half in np.split(batch, 2)]
apart = np.abs(np.concatenate(halves) - whole).max()
claim("batch normalization: halves minus whole", apart, at_least=0.05)

# %% [markdown]
# Each worker normalizes by its own half. Often that does no harm, but after a step the
# weights no longer equal those of one process. (`BatchNormalization(synchronized=True)`
# asks all workers for their means.)

# %% [markdown]
# ## 2. What must travel?
#
# After each step all workers need $\sum_i g_i$. The simplest way: everybody sends
# everything to one server, which sends the sum back. Then the server's cable carries
# $k$ gradients in and $k$ out.
#
# **Ring all-reduce** shares the work. The workers stand in a circle; each cuts its
# gradient into $k$ pieces and talks to its right neighbor only. In $k-1$ rounds pieces
# travel and are added up, in $k-1$ more the finished sums travel on. Three workers,
# each with pieces $a$, $b$, $c$; $\to$ marks what has just come in, a capital letter a
# finished sum:
#
# |after round|worker 0|worker 1|worker 2|
# |---|---|---|---|
# |0|$a_0,\,b_0,\,c_0$|$a_1,\,b_1,\,c_1$|$a_2,\,b_2,\,c_2$|
# |1|$a_0,\,b_0,\,{\to}c_2{+}c_0$|${\to}a_0{+}a_1,\,b_1,\,c_1$|$a_2,\,{\to}b_1{+}b_2,\,c_2$|
# |2|$a_0,\,{\to}B,\,c_2{+}c_0$|$a_0{+}a_1,\,b_1,\,{\to}C$|${\to}A,\,b_1{+}b_2,\,c_2$|
# |3|${\to}A,\,B,\,c_2{+}c_0$|$a_0{+}a_1,\,{\to}B,\,C$|$A,\,b_1{+}b_2,\,{\to}C$|
# |4|$A,\,B,\,{\to}C$|${\to}A,\,B,\,C$|$A,\,{\to}B,\,C$|
#

# %%
reveal(scaling.ring_all_reduce)

# %%
vectors = rng.normal(size=(5, 1000))  # five workers
sums, sent = scaling.ring_all_reduce(vectors)
errors = [np.abs(one - vectors.sum(axis=0)).max() for one in sums]
print("numbers sent by each worker:", sent)
claim("worst sum of five workers", max(errors), at_most=1e-12)
claim("sent: 2 (k - 1) / k of the vector", (sent == 2 * 4 / 5 * 1000).all())

# %% [markdown]
# **Predict.** From 5 workers to 500: by which factor does the ring's traffic for each
# worker grow? And the server's?

# %%
numbers = 25_557_032  # parameters of a ResNet-50
few, many = (scaling.ring_bytes(numbers, k) / 1e6 for k in (5, 500))
print(f"ring, 5 workers: {few:.0f} MB each; 500 workers: {many:.0f} MB each")
print(f"server, 500 workers: {2 * 500 * numbers * 4 / 1e6:,.0f} MB")
claim("500 workers / 5 workers", many / few, at_most=1.25)

# %% [markdown]
# The ring's traffic hardly grows: a worker never sends more than twice its gradient.
# The server's grows a hundredfold. So rings are built into TensorFlow and other
# libraries (Sergeev & Del Balso, 2018). What grows in a ring is the number of rounds,
# and each costs the time of a message.

# %% [markdown]
# ## 3. How many workers are worth it?
#
# A model of one step: the batch stays, so each of $k$ workers computes $1/k$ of it;
# the ring moves its bytes; each round waits for a message's latency:
#
# $$t(k) = \frac{t_1}{k} + \frac{2 (k-1)}{k} \cdot \frac{\text{bytes}}
# {\text{bandwidth}} + 2 (k-1) \cdot \text{latency}.$$
#
# **Predict.** One step takes a second on one machine. Cables carry 1.25 GB a second
# (10 Gbit/s), a message takes 0.1 ms. Is a step on 64 machines 64 times faster?

# %%
cluster = {"compute": 1.0, "size": numbers * 4, "latency": 1e-4}
workers = np.arange(1, 257)
speed = {}
for gigabits in (1, 10, 100):
    seconds = scaling.step_seconds(workers, **cluster, bandwidth=gigabits * 125e6)
    speed[gigabits] = seconds[0] / seconds
    best = workers[seconds.argmin()]
    print(
        f"{gigabits:3} Gbit/s: {speed[gigabits][63]:4.1f} times, best {best} workers"
    )
claim("64 workers, 10 Gbit/s: speed-up", speed[10][63], at_least=4, at_most=6)
claim("the same, 100 Gbit/s", speed[100][63], at_least=20, at_most=25)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(7, 3.2))
axis.plot(workers, workers, ":", color="gray")
axis.text(20, 26, "ideal", color="gray", ha="right")
for (gigabits, curve), style in zip(speed.items(), ("-", "--", "-."), strict=True):
    axis.plot(workers, curve, style)
    axis.text(270, curve[-1], f"{gigabits} Gbit/s", va="center")
axis.set(
    xscale="log", yscale="log", xlabel="workers", ylabel="speed-up", xlim=(1, 256)
)
plots.show(figure, alt="Speed-up by workers for three networks; all bend and fall.")

# %% [markdown]
# Speed-up by number of workers, for three kinds of cable; dotted, the ideal. With
# 10 Gbit/s, 64 machines are about five times as fast as one, and more would be slower.
# At 1 Gbit/s moving the gradients takes longer than the whole computation did.
#
# So large jobs let the *batch* grow with the workers, and the learning rate with the
# batch: a ResNet-50 was trained in an hour on 256 GPUs (Goyal et al., 2017). The largest
# models do not fit on one GPU: weights and the optimizer's averages are sharded, too
# (Rajbhandari et al., 2020).

# %% [markdown]
# ## 4. Do two real processes learn the same?
#
# Up to here one process played all workers. Now two Python processes, each with a
# TensorFlow of its own, train together. They talk over the *loopback* network, which
# ends in the machine where it begins. Keras 3's `fit` cannot do this with TensorFlow
# (issue 20585 of its repository), but a step by hand can, under
# `tf.distribute.MultiWorkerMirroredStrategy`: each worker takes its shard, and
# `all_reduce` sums the gradients, in a ring.

# %%
reveal(scaling.make_step)

# %% [markdown]
# `train_in_processes` saves the model and the batches into a folder, looks for free
# ports, starts `python -m dl_course.scaling` once for each worker, and waits.
#
# **Predict.** Twenty steps of SGD. How far apart are the two workers' weights? How
# far are they from one process that sees the joined batches?

# %%
seed(3)
model = craft.build_mlp(784, 10, units=32, depth=1)
x = digits[: 20 * 64].reshape(20, 64, 784)  # (step, batch, pixels)
y = labels[: 20 * 64].reshape(20, 64)
weights, seconds = scaling.train_in_processes(model, x, y, rate=0.5)
print(f"20 steps took {max(seconds):.1f} s")


# %%
def alone(model, x, y):
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile(keras.optimizers.SGD(0.5), loss)
    for batch in zip(x, y, strict=True):
        twin.train_on_batch(*batch)
    return twin


def distance(first, second):
    return max(np.abs(a - b).max() for a, b in zip(first, second, strict=True))


# %%
one = alone(model, x, y)
moved = distance(one.get_weights(), model.get_weights())
claim("how far training moved a weight", moved, at_least=0.05)
claim("worker 0 minus worker 1", distance(*weights), at_most=1e-7)
apart = distance(weights[0], one.get_weights())
claim("two processes minus one", apart, at_most=1e-5)

# %% [markdown]
# The two agree to the last bit, and with Keras's own SGD in one process up to
# rounding. Nothing about the result tells that two had done it. That is what makes
# data-parallel training so popular: you can test it.
#
# What did it cost? This network is small, and a step takes next to no time: starting
# two processes takes longer than all the training. Count what they sent.

# %%
numbers = model.count_params()
traffic = 20 * scaling.ring_bytes(numbers, 2)
print(
    f"{numbers:,} parameters; each worker sent {traffic / 1e6:.2f} MB in 20 steps"
)
claim("a worker of two sends its gradient once", traffic == 20 * 4 * numbers)

# %% [markdown]
# ## 5. What if a worker dies?
#
# In an all-reduce everybody waits for everybody. So one dead worker stops all of
# them. That is no rare event: 54 days of training Llama 3 on up to 16,384 GPUs had 419
# interruptions that nobody had planned (Grattafiori et al., 2024).
#
# **Predict.** Worker 1 ends without a word before step 7. Does worker 0 notice? Does
# our notebook wait forever?

# %% tags=["raises-exception"]
scaling.train_in_processes(model, x, y, rate=0.5, dies=(1, 7))

# %% [markdown]
# No endless waiting, but a message, and not from worker 0. It may notice a broken
# connection; from a machine without power it would hear nothing, and wait. So somebody
# must watch: here the process that started the workers. It looks at their exit codes
# twenty times a second, stops the partners, and says in one sentence who was to blame.
# A time limit covers what nobody thought of:

# %%
try:
    scaling.train_in_processes(model, x, y, rate=0.5, seconds=0.2)
except RuntimeError as error:
    print(error)
    claim("the limit is kept", "not done within 0.2 s" in str(error))

# %% [markdown]
# The work of all steps before is lost, unless somebody saved it. Large jobs save a
# **checkpoint** now and then and start again from the last one. How often? Saving costs
# $\delta$ seconds. A failure costs half an interval, and one comes every $M$ seconds.
# Saving every $\sqrt{2 \delta M}$ seconds loses least (Young, 1974). If Llama's job
# needed a minute to save:

# %%
saving, between_failures = 60, 54 * 86400 / 419
every = np.sqrt(2 * saving * between_failures)
interval = np.linspace(300, 6000, 1000)
lost = saving / interval + interval / 2 / between_failures  # share of the time
best = interval[lost.argmin()]
print(
    f"a failure every {between_failures / 3600:.1f} h: save every {every / 60:.0f} min"
)
claim("best interval / Young's", best / every, equals=1, tolerance=0.01)

# %% [markdown]
# ## 6. Does a model survive the journey?
#
# A model is trained here and used elsewhere. Two formats: `.keras` holds layers and
# weights, to be read by Keras; a **SavedModel** holds a graph of operations, which
# TensorFlow runs without the Python code that built it.
#
# **Predict.** A fresh process, which shares nothing with this one, reads each file and
# computes. Same outputs?

# %%
code = """
import sys, numpy as np
folder, form = sys.argv[1:]
x = np.load(folder + "/x.npy")
if form == "keras":
    import keras
    y = keras.saving.load_model(folder + "/model.keras").predict(x, verbose=0)
else:
    import tensorflow as tf
    model = tf.saved_model.load(folder + "/saved")
    y = model.serve(x).numpy()
np.save(f"{folder}/{form}.npy", y)
"""

# %%
here = common.predict(one, x[0])
with tempfile.TemporaryDirectory() as folder:
    np.save(Path(folder) / "x.npy", x[0])
    one.save(Path(folder) / "model.keras")
    scaling.export(one, Path(folder) / "saved")
    for form in ("keras", "saved"):
        scaling.fresh_python(code, folder, form)
        there = np.load(Path(folder) / f"{form}.npy")
        claim(f"{form}: there minus here", np.abs(there - here).max(), at_most=1e-5)

# %% [markdown]
# Both do. Every model that leaves your machine needs such a test, with *raw* inputs:
# preprocessing travels only if it is inside the model. Other formats, such as ONNX and
# StableHLO, carry models between frameworks.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### Quantum and biological computing will speed up deep learning (E051)
#
# One text lists this as a trend. It is open research. Quantum circuits can be trained
# on small problems. But gradients of random circuits vanish exponentially with the
# number of **qubits**, the bits of a quantum computer (McClean et al., 2018), and a
# review leaves open whether practical problems gain (Cerezo et al., 2022).
#
# Living nerve cells on electrodes learned to meet the ball of a simple video game more
# often (Kagan et al., 2022). Such cells can be bought today, on a chip, for research on
# neurons and medicines; that is not yet faster deep learning. Ask both promises for
# what each section here has: a baseline, a number, and a test.
#
# How fast do the gradients vanish? For $n$ qubits their variance falls like $2^{-n}$ or
# faster. Measuring is noisy, too: the mean of $m$ repetitions is off by about
# $1/\sqrt m$. Take the mildest case:

# %% tags=["E051"]
qubits = np.array([10, 50, 100])
size = np.sqrt(0.5**qubits)  # a typical gradient
shots = 1 / size**2  # repetitions, to see it above the noise of measurement
for n, g, s in zip(qubits, size, shots, strict=True):
    print(f"{n:3} qubits: gradient about {g:.0e}, {s:.0e} repetitions to see it")
claim("more than 1e30 repetitions at 100 qubits", shots[-1] > 1e30)

# %% [markdown]
# ||Said|In fact|Right|
# |---|---|---|---|
# |E057|deep learning is unstable|three things in one: training that diverges (chapters 03, 04), seeds that differ, tiny changes of an input (11d)|say which, and measure it|
# |E211|scalability and standards, without means|an aim is no method|speed-up by workers, section 3; files, section 6|
#
# ### Where does each promise stand?
#
# |Promise|Its experiment|Today|
# |---|---|---|
# |fewer labels|11a|pre-training without labels is how language models begin|
# |explanations|11b|useful for debugging, if they pass sanity checks|
# |smaller and cheaper|11c|routine: networks in phones are small and quantized|
# |safe and private|11d|private training costs accuracy; attacks stay ahead|
# |acting|11e|strong in games and for tuning language models; hungry for trials|
# |more machines|11f|routine, with failures every few hours|
# |quantum, biological|none|open research|

# %% [markdown]
# ## Exercises
#
# ### Exercise 11f.1: one gradient
#
# 5 minutes. Each worker reports the gradient of its *mean* loss, and how many examples
# it had. Return the gradient of the mean loss of all examples.


# %% tags=["exercise"]
def combine(gradients, counts):  # (workers, n), (workers,) -> (n,)
    """The gradient of the joined batch."""
    raise NotImplementedError


check("11f.1", combine)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A worker with more examples counts more.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A mean times its count is a sum. Sums may be added.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Divide by the number of all examples at the end.
#
# </details>


# %% tags=["solution"]
def combine_solution(gradients, counts):
    return np.average(gradients, axis=0, weights=counts)


check("11f.1", combine_solution, solution=True)

# %% [markdown]
# ### Exercise 11f.2: your part
#
# 10 minutes. There are `rows` examples and `workers` workers. Which row numbers does
# `worker` get? Together the workers must get all rows, each once, in shares whose sizes
# differ by at most one.


# %% tags=["exercise"]
def my_rows(rows, worker, workers):
    """A list of row numbers; worker counts from 0."""
    raise NotImplementedError


check("11f.2", my_rows)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Deal them like cards.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `range` has a third argument.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Start at `worker`, go in steps of `workers`.
#
# </details>


# %% tags=["solution"]
def my_rows_solution(rows, worker, workers):
    return list(range(worker, rows, workers))


check("11f.2", my_rows_solution, solution=True)

# %% [markdown]
# ### Exercise 11f.3: what a month of training sends
#
# 5 minutes. How many bytes does *one* worker send in `steps` steps, each with one ring
# all-reduce of `parameters` gradients of `item` bytes?


# %% tags=["exercise"]
def bytes_sent(parameters, item, workers, steps):
    """A number."""
    raise NotImplementedError


check("11f.3", bytes_sent)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# In one round a worker sends one of `workers` pieces.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# There are two phases, each of `workers - 1` rounds.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Times bytes a number, times steps.
#
# </details>


# %% tags=["solution"]
def bytes_sent_solution(parameters, item, workers, steps):
    return 2 * (workers - 1) / workers * parameters * item * steps


check("11f.3", bytes_sent_solution, solution=True)

# %% [markdown]
# ### Exercise 11f.4: train less often, send less often (project)
#
# 30 minutes. *Local SGD*: every worker takes `local` steps of its own, then all go on
# from the mean of their weights; and so on, `rounds` times. Worker $i$ minimizes
# $\frac{1}{2} \sum_j a_{ij} (w_j - c_{ij})^2$. Its gradient is $a_i (w - c_i)$, element
# by element. All start at `w`. Return the weights after the last mean.


# %% tags=["exercise"]
def local_sgd(w, a, c, rate, local, rounds):  # w (n,), a and c (workers, n)
    """The weights (n,) after all rounds."""
    raise NotImplementedError


check("11f.4", local_sgd)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# All workers at once: `v = np.tile(w, (len(a), 1))` has a row for each.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A local step is `v = v - rate * a * (v - c)`.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# After `local` of them, `v.mean(axis=0)` is everybody's new start.
#
# </details>


# %% tags=["solution"]
def local_sgd_solution(w, a, c, rate, local, rounds):
    for _ in range(rounds):
        v = np.tile(w, (len(a), 1))
        for _ in range(local):
            v = v - rate * a * (v - c)
        w = v.mean(axis=0)
    return w


check("11f.4", local_sgd_solution, solution=True)
