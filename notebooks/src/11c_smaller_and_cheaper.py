# %% [markdown]
# Four networks read the same digits: a large one, and three that were made from it.
# Which would you put on a phone, and which price do you look at: bytes or
# milliseconds? In section 5 you will have measured both.

# %%
import keras
from dl_course import cnn, common, compression, craft, data

(x, y), (x_test, y_test) = data.mnist()
x, y = x[:20000].reshape(-1, 784), y[:20000]
x_test = x_test.reshape(-1, 784)

# %% [markdown]
# ## Recall
#
# 1. How many parameters has a dense layer from 784 inputs to 256 units? (Chapter 02)
# 2. Adam keeps two moving averages for each weight. What of? (Chapter 04)
# 3. Why does a convolution have so few parameters? (Chapter 05)
#
# <details><summary>Answer</summary>
#
# 1. 784 · 256 weights and 256 biases: 200,960.
# 2. Of its gradient, and of its gradient's square.
# 3. One small kernel serves all places of the image.
#
# </details>

# %% [markdown]
# ## 1. What does a network cost?
#
# "It needs much compute because it computes much" is no answer. A cost is a number.
# Count one example, forward. The unit is the **FLOP**, one floating-point operation. A
# product that is added up counts two: a multiplication and an addition. Biases and
# activations are small change. A dense layer of $n$ inputs and $m$ units costs
#
# $$\text{parameters} = nm + m, \qquad \text{FLOPs} = 2nm.$$
#
# A convolution uses its kernel once at each of its $P$ places. An LSTM uses its weights
# once at each of $T$ moments. It is four dense layers in one, three gates and a
# candidate, and each of them reads input and state.


# %%
def dense_cost(inputs, units):
    return np.array([inputs * units + units, 2 * inputs * units])


def conv_cost(places, size, channels, filters):
    one = dense_cost(size * size * channels, filters)
    return one * [1, places]


def lstm_cost(features, units, moments):
    one = dense_cost(features + units, 4 * units)
    return one * [1, moments]


# %% [markdown]
# Three networks for the same 28 × 28 digits: a dense one; a CNN; an LSTM that reads 28
# rows. The CNN is one of chapter 05: two convolutions of 3 × 3, each followed by
# pooling, and a dense layer. So its maps have a side of 26, 13, 11 and 5.

# %%
recurrent = keras.Sequential(
    [keras.Input((28, 28)), keras.layers.LSTM(64, unroll=True)]
)
recurrent.add(keras.layers.Dense(10))
models = {
    "dense": craft.build_mlp(784, 10, units=256, depth=2),
    "convolution": cnn.build_document_cnn(),
    "LSTM": recurrent,
}

# %%
dense = dense_cost(784, 256) + dense_cost(256, 256) + dense_cost(256, 10)
conv = conv_cost(26 * 26, 3, 1, 32) + conv_cost(11 * 11, 3, 32, 64)
conv += dense_cost(5 * 5 * 64, 10)
lstm = lstm_cost(28, 64, 28) + dense_cost(64, 10)
counts = dict(zip(models, (dense, conv, lstm), strict=True))

# %% [markdown]
# **Predict.** The CNN has an eighth of the dense network's parameters. Does it also
# need an eighth of the FLOPs?

# %%
for name, model in models.items():
    parameters, flops = counts[name]
    print(f"{name:12} {parameters:8,} parameters {flops:10,} FLOPs")
    claim(f"{name}: Keras agrees", model.count_params() == parameters)
    claim(f"{name}: the profiler agrees", compression.product_flops(model) == flops)

# %% [markdown]
# No. Our formulas agree with TensorFlow's own profiler to the last product. The CNN is
# eight times *smaller* and nine times *dearer* than the dense network: size and work
# are two prices.
#
# **Training** pays a third one, memory. Beside the weights it holds a gradient for
# each, the optimizer's averages, and every layer's output (the **activations**) for
# the way back.
#
# **Predict.** Which of these four is the largest for a batch of 128?

# %%
model = models["convolution"]
optimizer = keras.optimizers.Adam()
optimizer.build(model.trainable_variables)
numbers = sum(int(np.prod(v.shape)) for v in optimizer.variables)
claim("Adam's numbers: 2 a weight + 2", numbers == 2 * model.count_params() + 2)
for batch in (1, 128):
    memory = compression.training_bytes(model, batch)
    print(batch, {name: f"{size / 1e6:.2f} MB" for name, size in memory.items()})
rest = sum(memory.values()) - memory["activations"]
claim("activations / all the rest", memory["activations"] / rest, at_least=10)

# %% [markdown]
# Weights, gradients and Adam's averages are four times the model, for any batch. The
# activations grow with the batch, and here they are nearly all. More memory permits
# a larger batch or network; it improves nothing by itself. With more compute the loss
# falls, but as a power law, a little less for each doubling (Kaplan et al., 2020).

# %% [markdown]
# ## 2. How many weights can go?
#
# The dense network of 269,322 parameters learns the digits. A tiny penalty on the
# squares of weights makes those shrink that nobody needs. So the size of a weight
# should tell its importance. **Magnitude pruning** sets to zero what is smaller than a
# threshold $\theta$ (Han et al., 2015):
#
# $$w \leftarrow w \cdot [\,|w| \ge \theta\,].$$
#
# The bracket is 1 where its condition holds, and 0 elsewhere. For comparison, we also
# let chance choose which weights go.

# %%
seed(1)
teacher = craft.build_mlp(784, 10, units=256, depth=2, decay=1e-5)
compression.train(teacher, x, y, epochs=5)
full = craft.accuracy(teacher, x_test, y_test)
claim("accuracy of the whole network", full, at_least=0.955)

# %% [markdown]
# **Predict.** Half of all weights go. What is left of the accuracy: if the smallest
# go, and if chance chooses?

# %%
levels = [0.5, 0.8, 0.9, 0.95]
rng = np.random.default_rng(seed(2))
weights, pruned = teacher.get_weights(), compression.copy(teacher)
curves = {"by lot": [], "smallest": [], "smallest, trained on": []}
for level in levels:
    for name, chance in (("by lot", rng), ("smallest", None)):
        pruned.set_weights(compression.prune(weights, level, chance))
        accuracy = craft.accuracy(pruned, x_test, y_test)
        curves[name].append(accuracy)

# %%
claim("half pruned: lost", full - curves["smallest"][0], at_most=0.01)
gain = curves["smallest"][1] - curves["by lot"][1]
claim("80 % pruned: smallest minus by lot", gain, at_least=0.3)

# %% [markdown]
# Half of all weights were not needed. Far beyond that the network breaks, for it never
# learned to do without them. So let it learn: prune half, train an epoch with the
# zeros held, prune more, and so on.
#
# **Predict.** With one weight of twenty left, how much accuracy is lost then?

# %%
seed(3)
pruned.set_weights(weights)
for level in progress(levels, "prune, train"):
    pruned.set_weights(compression.prune(pruned.get_weights(), level))
    compression.hold_zeros(pruned)
    compression.train(pruned, x, y, epochs=1)
    accuracy = craft.accuracy(pruned, x_test, y_test)
    curves["smallest, trained on"].append(accuracy)

# %%
zeros = np.mean(
    np.concatenate([w.ravel() for w in pruned.get_weights() if w.ndim == 2]) == 0
)
claim("share of zeros at the end", zeros, equals=0.95, tolerance=0.001)
at_95 = curves["smallest, trained on"][-1]
claim("95 % pruned, trained on: lost", full - at_95, at_most=0.03)
claim("and without training on", full - curves["smallest"][-1], at_least=0.1)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(7, 3))
axis.axhline(100 * full, color="silver", linestyle=":")
for (name, values), style in zip(curves.items(), ("s:", "o--", "^-"), strict=True):
    axis.plot(100 * np.array(levels), 100 * np.array(values), style, label=name)
axis.set(xlabel="weights set to zero (%)", ylabel="test accuracy (%)")
axis.set_xticks(100 * np.array(levels))
axis.legend(loc="lower left")
plots.show(figure, alt="Accuracy by sparsity: by lot falls first, trained on last.")

# %% [markdown]
# Accuracy by the share of zeros, for three ways of pruning; dotted, the whole network.
# Nineteen of twenty weights go for a small loss, if training goes on. A zero still
# costs its multiplication in a dense matrix product. So pruning saves bytes at once,
# but time only with software or chips that skip zeros.
#
# *Today.* Half the weights of language models with more than a hundred billion
# parameters can go in one shot (Frantar & Alistarh, 2023).

# %% [markdown]
# ## 3. What does a byte less cost?
#
# A weight in float32 has four bytes. **Quantization** gives it one: an integer $q$
# from −127 to 127. All weights of a column $j$, one unit's, share one step $s_j$,
#
# $$s_j = \frac{\max_i |w_{ij}|}{127}, \qquad q_{ij} = \text{round}(w_{ij} / s_j),
# \qquad w_{ij} \approx s_j\, q_{ij}.$$
#
# Rounding moves no weight by more than half a step. So the sum over the inputs $x_i$
# moves by at most $\frac{s_j}{2} \sum_i |x_i|$, whatever the weights are.
#
# **Predict.** How much of these two bounds is used in the worst case?

# %%
w = weights[0]  # (784, 256)
codes, scale = compression.quantize(w)
worst = np.abs(w - codes * scale) / (scale / 2)  # 1 would be half a step
bound = scale / 2 * np.abs(x_test).sum(axis=1, keepdims=True)
used = np.abs(x_test @ w - x_test @ (codes * scale)) / bound
claim("worst rounding error / bound", worst.max(), at_least=0.9, at_most=1.001)
claim("worst output error / bound", used.max(), at_most=0.6)

# %% [markdown]
# Single weights reach their bound; sums stay far below theirs, because errors of both
# signs cancel. Keras quantizes a whole model in one line, `model.quantize("int8")`.
#
# **Predict.** A quarter of the bytes. How many percentage points does it cost?

# %%
small = compression.quantize_model(teacher)
theirs = next(w for w in small.get_weights() if w.dtype == "int8")
busy = scale > 1e-6
apart = np.abs(theirs.astype(int) - codes)[:, busy].max()
claim("Keras's integers minus ours", apart, at_most=1)
at_int8 = craft.accuracy(small, x_test, y_test)
claim("int8: change of accuracy", at_int8 - full, equals=0, tolerance=0.003)

# %% [markdown]
# Hardly anything. (Two details. Keras also rounds the inputs of each layer, on the fly.
# And it adds $10^{-7}$ to the largest weight, lest it divide by zero. So the integers
# are compared only for columns that are not nearly zero; and they may differ by one
# where $w/s$ is half-way between two integers.)
#
# **Predict.** And with fewer bits still? How many can one save before accuracy falls?

# %%
by_bits = {}
for bits in range(2, 9):
    rounded = [
        q * s for q, s in (compression.quantize(w, bits) for w in weights[::2])
    ]
    both = zip(rounded, weights[1::2], strict=True)
    pruned.set_weights([array for pair in both for array in pair])
    by_bits[bits] = craft.accuracy(pruned, x_test, y_test)
claim("4 bits: lost", full - by_bits[4], at_most=0.02)
claim("2 bits: lost", full - by_bits[2], at_least=0.05)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.plot(list(by_bits), 100 * np.array(list(by_bits.values())), "o-")
axis.set(xlabel="bits for a weight", ylabel="test accuracy (%)")
plots.show(figure, alt="Accuracy by bits: flat from four bits up, a cliff below.")

# %% [markdown]
# Test accuracy by bits: a plateau, then a cliff. Down to four bits nearly nothing is
# lost. With two bits a weight can only be $-s$, 0 or $s$.
#
# *Today.* Large language models are run with 8-bit (Dettmers et al., 2022) and 4-bit
# weights (Frantar et al., 2023).

# %% [markdown]
# ## 4. Can a large network teach a small one?
#
# A label says "this is a 7". The large network says more: "a 7, and if not, then
# rather a 9 than a 4". **Distillation** trains a small **student** on these
# probabilities (Hinton et al., 2015). The scores $z$ of both are divided by a
# *temperature* $T$: so the less likely classes are heard, too. Dividing makes the
# gradient smaller, and the factor $T^2$ makes up for that:
#
# $$L = -T^2 \sum_k p_k \log q_k, \qquad p = \text{softmax}(z_\text{teacher} / T),
# \quad q = \text{softmax}(z_\text{student} / T).$$

# %%
scores = np.array([9.0, 6.0, 5.0, 0.0])  # say: 7, 9, 2, 4
for temperature in (1, 4):
    print(np.round(compression.soften(scores, temperature), 2))
ratio = np.divide(*compression.soften(scores, 4)[1:3])
claim("9 against 2, heard at T = 4", ratio, equals=1.2840, tolerance=1e-4)

# %% [markdown]
# **Predict.** Two students of 32 units, the same start, the same 1,000 pictures. One
# gets labels, the other the teacher's probabilities, which are sometimes wrong. Who
# is better?


# %%
def student(pictures, targets, epochs, loss=None):
    seed(4)
    model = craft.build_mlp(784, 10, units=32, depth=1)
    settings = {"epochs": epochs, "learning_rate": 0.005, "loss": loss}
    return compression.train(model, pictures, targets, **settings)


logits = common.predict(teacher, x)  # (pictures, 10)
soft = compression.soften(logits, 4)
loss = compression.distillation_loss(4)
alone = student(x[:1000], y[:1000], 30)
taught = student(x[:1000], soft[:1000], 30, loss)

# %%
scores = [craft.accuracy(m, x_test, y_test) for m in (alone, taught)]
claim("taught minus alone", scores[1] - scores[0], at_least=0.005)

# %% [markdown]
# The taught one. The teacher has seen 20,000 pictures; what it learned about the shape
# of digits comes through its probabilities.
#
# *Today.* Some small language models that are published openly are distilled from
# larger ones, such as the smaller ones of Gemma 2 (Riviere et al., 2024).

# %% [markdown]
# ## 5. Which one should go on a phone?
#
# Now all on one sheet. A student of 32 units gets all 20,000 pictures. We measure each
# network's size in a file, after lossless compression, and its time for 1,000 pictures.
#
# **Predict.** Which of them is fastest? Is the one with one-byte weights faster than
# the original?

# %%
seed(5)
pruned.set_weights(compression.prune(weights, 0.8))
compression.hold_zeros(pruned)
compression.train(pruned, x, y, epochs=1)
contest = {
    "original": teacher,
    "80 % pruned": pruned,
    "int8": small,
    "student": student(x, soft, 6, loss),
}

# %%
table = {}
for name, model in contest.items():
    table[name] = (
        craft.accuracy(model, x_test, y_test),
        compression.stored_bytes(model.get_weights()),
        compression.milliseconds(model, x_test[:1000]),
    )
accuracies, sizes, times = (
    np.array(column) for column in zip(*table.values(), strict=True)
)

# %%
claim("80 % pruned: share of the bytes", sizes[1] / sizes[0], at_most=0.35)
claim("int8: share of the bytes", sizes[2] / sizes[0], at_most=0.27)
claim("student: share of the bytes", sizes[3] / sizes[0], at_most=0.12)
claim("pruned: lost", full - accuracies[1], at_most=0.015)
claim("student: lost", full - accuracies[3], at_most=0.06)
claim("student: share of the time", times[3] / times[0], at_most=0.8)

# %% tags=["figure"]
figure = compression.draw_tradeoff(table)
plots.show(figure, alt="Accuracy against size and time, for four networks.")

# %% [markdown]
# Accuracy against size, left, and against measured time, right. Only the student saves
# much in both, and pays with accuracy: it does a tenth of the FLOPs. The pruned network
# takes as long as the original, since its zeros are multiplied like other numbers. The
# int8 network is *smaller* but need not be faster. On many processors it is slower
# here: TensorFlow has no fast 8-bit product for them, and Keras must round the inputs
# first. Measure on the machine that will run it. And one can save twice: a student can
# be quantized.

# %% [markdown]
# ## 6. What do half the bits and a kilowatt-hour buy?
#
# Training can save bits, too. **Mixed precision** computes in 16 bits and keeps the
# weights in 32 (Micikevicius et al., 2018). Why not all in 16?
#
# **Predict.** Add 0.0001 to 1, ten thousand times, in float16. What comes out?

# %%
total = np.float16(1)
for _ in range(10_000):
    total += np.float16(1e-4)
gradient = np.float32(1e-8)
scaled = np.float16(gradient * 2**15)
print("1 + 10,000 × 0.0001 =", total)
print("a gradient of 1e-8:", np.float16(gradient), "and scaled:", scaled > 0)
claim("the sum never moved", total == 1)
claim("scaled back", np.float32(scaled) / 2**15, equals=1e-8, tolerance=1e-10)

# %% [markdown]
# Still 1. Small steps vanish beside large weights: so weights stay in float32. Small
# gradients vanish altogether: so the loss is multiplied by a large number first, and
# the gradients are divided by it afterwards. The format bfloat16 also has 16 bits. It
# spends more of them on the range, as large as float32's, and needs no such scaling.
#
# **Predict.** Two equal networks, one trained with bfloat16. Which is more accurate?

# %%
seed(6)
keras.config.set_dtype_policy("mixed_bfloat16")
mixed = craft.build_mlp(784, 10, units=32, depth=1)
keras.config.set_dtype_policy("float32")
plain = craft.build_mlp(784, 10, units=32, depth=1)
for model in (mixed, plain):
    compression.train(model, x[:5000], y[:5000], epochs=3)
gap = craft.accuracy(mixed, x_test, y_test)
gap -= craft.accuracy(plain, x_test, y_test)

# %%
claim("weights stay float32", {v.dtype for v in mixed.weights} == {"float32"})
claim("outputs have 16 bits", mixed.compute_dtype == "bfloat16")
claim("mixed minus plain accuracy", gap, equals=0, tolerance=0.03)

# %% [markdown]
# Neither, within a few percentage points; and activations have half the size. Training
# is faster only on chips that multiply 16-bit numbers faster. There it is the standard
# way to train today.
#
# Last, **energy**. "Sustainable" does not mean "fits many scenarios", as one text has
# it. It means joules and carbon (Strubell et al., 2019). A first estimate multiplies
# counts by the energy of one operation. A known table gives 3.7 pJ (picojoules) for a
# product in float32 and 0.9 pJ for an addition (Horowitz, 2014); fetching one such
# number from memory off the chip takes 640 pJ (Han et al., 2015).
#
# **Predict.** One picture through our dense network: is it multiplying that takes
# the energy, or fetching the weights from memory?

# %%
parameters, flops = counts["dense"]
for number in ("float32", "int8"):
    for examples in (1, 1000):
        cost = compression.joules(flops, parameters, number, examples=examples)
        shares = [f"{1e6 * joules / examples:8.2f} µJ" for joules in cost]
        print(f"{number:8} {examples:5} a batch:", *shares)

# %%
work, fetch = compression.joules(flops, parameters)
claim("fetching / computing", fetch / work, at_least=100, at_most=200)
work_int8 = compression.joules(flops, parameters, "int8")[0]
claim("arithmetic, float32 / int8", work / work_int8, equals=20, tolerance=1)

# %% [markdown]
# Each row gives the arithmetic, then the fetching, for one picture. A single picture
# pays for moving the weights, hardly for computing; a batch shares the move. So fewer
# *bytes* save energy first. The assumptions: a chip of 2014, each weight fetched once
# from memory off the chip, nothing else counted. It is an order of magnitude.
#
# A check from the other side. Training a Transformer takes about 6 FLOPs for each
# parameter and token (Kaplan et al., 2020). GPT-3 has 175 billion parameters and read
# 300 billion tokens (Brown et al., 2020); its training is estimated at 1,287 MWh and
# 552 tonnes of CO₂ equivalents (Patterson et al., 2021).

# %%
work = 6 * 175e9 * 300e9  # FLOPs
energy = 1287e6 * 3600  # joules
claim("picojoules a FLOP", energy / work * 1e12, equals=14.7, tolerance=0.1)
claim("kg of CO₂ a kWh", 552e3 / 1287e3, equals=0.43, tolerance=0.01)

# %% [markdown]
# Fifteen picojoules a FLOP, all in: memory, network, cooling, waiting. The table above
# gives two for the arithmetic alone.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### "Storage speed", twelve times (E055)
#
# One text asks the same question about storage speed twelve times, and answers it by
# itself. Here is an answer. Say that loading a batch takes 50 ms, and a training step
# 50 ms. In turn that makes 100. But the disk can read while the processor computes.
#
# **Predict.** Ten batches: how many seconds in turn, and how many with reading ahead?

# %% tags=["E055"]
in_turn = compression.pipeline_seconds(0.05, 0.05)
ahead = compression.pipeline_seconds(0.05, 0.05, prefetch=2)
print(f"in turn {in_turn:.2f} s, with prefetch(2) {ahead:.2f} s")
claim("prefetch: share of the time", ahead / in_turn, at_most=0.9)

# %% [markdown]
# (Both only sleep here.) With `dataset.prefetch(2)` the slower of the two sets the pace,
# no longer their sum. A faster disk then helps only if loading is the slower one.
#
# | | Said | In fact | Right |
# |---|---|---|---|
# | E053 | much compute is needed because much is computed; more of it improves a model | circular | count it: section 1; returns diminish |
# | E054 | memory holds the model, storage the data | in training, activations, gradients and the optimizer fill the memory | section 1's four entries |
# | E211 | sustainability is being ready for changing uses | it is energy and carbon | section 6 |

# %% [markdown]
# ## Exercises
#
# ### Exercise 11c.1: the price of a convolution
#
# *5 minutes.* An image (height, width, channels), padding "valid", stride 1, a bias.
# Return the parameters and the FLOPs (two a product, biases not counted).


# %% tags=["exercise"]
def conv_price(height, width, channels, filters, size):
    """(parameters, FLOPs) of Conv2D(filters, size)."""
    raise NotImplementedError


check("11c.1", conv_price)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A kernel has size · size · channels weights for each filter.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# "Valid" leaves (height − size + 1) rows.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Each weight multiplies once at each place; each filter has one bias.
#
# </details>


# %% tags=["solution"]
def conv_price_solution(height, width, channels, filters, size):
    weights = size * size * channels * filters
    places = (height - size + 1) * (width - size + 1)
    return weights + filters, 2 * weights * places


check("11c.1", conv_price_solution, solution=True)

# %% [markdown]
# ### Exercise 11c.2: prune each neuron
#
# *10 minutes.* Keep, in *each column* of `w`, the `kept` entries of largest magnitude;
# the others become 0. So every unit keeps equally many inputs. `w` has no ties.


# %% tags=["exercise"]
def prune_columns(w, kept):  # w (inputs, units) -> the same shape
    """Zero all but the `kept` largest of each column."""
    raise NotImplementedError


check("11c.2", prune_columns)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Large means far from zero, on either side.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.sort(np.abs(w), axis=0)` sorts each column; the smallest come first.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Row `-kept` of it is the threshold of each column.
#
# </details>


# %% tags=["solution"]
def prune_columns_solution(w, kept):
    threshold = np.sort(np.abs(w), axis=0)[-kept]
    return np.where(np.abs(w) >= threshold, w, 0)


check("11c.2", prune_columns_solution, solution=True)

# %% [markdown]
# ### Exercise 11c.3: one byte
#
# *10 minutes.* Numbers that are never negative, such as ReLU's outputs, waste int8's
# minus signs. Use unsigned integers: `(codes, low, step)` with codes from 0 to 255,
# the smallest number at 0, the largest at 255, and `x ≈ low + step * codes`. Not all
# numbers are equal.


# %% tags=["exercise"]
def to_byte(x):  # (n,) -> integers (n,), number, number
    """Codes from 0 to 255, where 0 is, and how far one step goes."""
    raise NotImplementedError


check("11c.3", to_byte)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# 256 codes have 255 steps between them.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `(x - low) / step` is the code before rounding.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `np.round`, not `astype`, which cuts off.
#
# </details>


# %% tags=["solution"]
def to_byte_solution(x):
    low = x.min()
    step = (x.max() - low) / 255
    return np.round((x - low) / step).astype(np.uint8), low, step


check("11c.3", to_byte_solution, solution=True)

# %% [markdown]
# ### Exercise 11c.4: listen to the teacher
#
# *10 minutes.* The distillation loss in NumPy: $-T^2 \sum_k p_k \log q_k$, the mean over
# the batch. Logits may be large.


# %% tags=["exercise"]
def listen(student, teacher, T):  # logits (batch, classes), both
    """A number."""
    raise NotImplementedError


check("11c.4", listen)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Divide *both* logits by $T$ first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $\log q = z - \log \sum_j e^{z_j}$, after the largest $z$ has been subtracted.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Sum over the classes, mean over the batch, times $T^2$.
#
# </details>


# %% tags=["solution"]
def listen_solution(student, teacher, T):
    def log_softmax(z):
        z = z - z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    p = np.exp(log_softmax(teacher / T))
    return -(T**2) * np.mean(np.sum(p * log_softmax(student / T), axis=1))


check("11c.4", listen_solution, solution=True)

# %% [markdown]
# ### Exercise 11c.5: a fourth way
#
# *30 minutes, a small project.* Replace a weight matrix `w` (inputs, units) by a product
# `a @ b` with as few columns in `a` as possible: two thin layers instead of one. The
# relative error $\|w - ab\| / \|w\|$ (root of the sum of squares) may be `allowed` at most.


# %% tags=["exercise"]
def thin(w, allowed):
    """(a, b): a (inputs, r), b (r, units), with the smallest r ≥ 1 that is allowed."""
    raise NotImplementedError


check("11c.5", thin)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `u, s, vt = np.linalg.svd(w, full_matrices=False)` gives `w = (u * s) @ vt`, and the
# numbers `s` are sorted, largest first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The best product with $r$ columns keeps the first $r$ of all three.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Its squared error is the sum of $s_i^2$ over those left out.
#
# </details>


# %% tags=["solution"]
def thin_solution(w, allowed):
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    lost = [np.sqrt(np.sum(s[r:] ** 2) / np.sum(s**2)) for r in range(len(s) + 1)]
    r = next(r for r in range(1, len(lost)) if lost[r] <= allowed or r == len(s))
    return u[:, :r] * s[:r], vt[:r]


check("11c.5", thin_solution, solution=True)
