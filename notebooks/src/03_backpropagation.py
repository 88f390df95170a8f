# %% [markdown]
# A unit computes $wx + b$. It should have said 4, and said 5, so its loss is
# $(5-4)^2 = 1$. How would the loss change if we turned one of its numbers a little?

# %%
import itertools
import math
import time
from collections import defaultdict
from itertools import pairwise

import keras
import tensorflow as tf
from dl_course import common, data, network
from dl_course.diagrams import Diagram

# %% tags=["figure", "diagram"]
d = Diagram("""
    w     b     y     .
    times plus  minus square
    x     .     .     .
""")
d.parameter(w="$w$ = 2\ngradient 6", b="$b$ = −1\ngradient 2")
d.data(x="$x$ = 3\ngradient 4", y="target $y$ = 4\ngradient −2")
d.operation(times="$wx$ = 6\ngradient 2", plus="$wx+b$ = 5\ngradient 2")
d.operation(minus="error $e$ = 1\ngradient 2")
d.loss(square="$L = e^2$ = 1\ngradient 1")
d.arrow("w -> times -> plus -> minus -> square")
d.arrow("x -> times")
d.arrow("b -> plus")
d.arrow("y -> minus")
d.arrow("square ~> x", "gradients are found from right to left", leave="below")
alt = "Weight, input, bias and target lead to a loss; each box has a value, a gradient."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *One unit, from its weight to its loss.* Each box holds a value, computed from left to
# right. Below it stands how fast the loss grows with this value: raise $w$ by a tiny
# bit, and the loss grows by six times that bit. The six is a partial derivative, and
# all of them together are the **gradient** of the loss (chapter 01). This chapter finds
# the second number of each box: for one unit, and for a network with a hundred thousand
# weights, where all gradients together cost only about as much as the values, or twice
# as much.

# %% [markdown]
# ## Recall
#
# 1. In chapter 01 the derivative of the loss with respect to $w$ is positive. Which way
#    does gradient descent move $w$?
# 2. In chapter 02 a layer has 4 inputs and 3 units, and $x$ has the shape (8, 4). Which
#    shapes have $W$, $b$ and $xW + b$?
# 3. From school: what is the derivative of $(3w - 5)^2$ with respect to $w$?
#
# <details><summary>Answer</summary>
#
# 1. Down, against the gradient.
# 2. (4, 3), (3,) and (8, 3).
# 3. $2\,(3w - 5) \cdot 3$, the outer derivative times the inner derivative. This chapter
#    is that rule, many times over.
#
# </details>

# %% [markdown]
# ## 1. Can we find a gradient without any theory?
#
# Everything in this chapter is a formula for a gradient, and formulas for gradients are
# wrong surprisingly often: a forgotten factor trains, only worse. So before the first
# formula we want a way to check one that cannot share its mistakes.
#
# The plainest way needs no theory at all, and chapter 01 has used it already. Add a
# small **perturbation** $h$ to a number, and look how much the result changes:
#
# $$f'(x) \approx \frac{f(x+h) - f(x)}{h}, \qquad\text{or}\qquad
# f'(x) \approx \frac{f(x+h) - f(x-h)}{2h}.$$
#
# The second, the **central difference**, looks to both sides. Try both on $f(x) = x^2$
# at $x = 3$ with $h = 0.1$, where the right answer is 6. One side gives $(9.61 -
# 9)/0.1 = 6.1$, two sides give $(9.61 - 8.41)/0.2 = 6$. Taylor's series says why:
#
# $$f(x \pm h) = f(x) \pm h f'(x) + \tfrac{h^2}2 f''(x) \pm \tfrac{h^3}6 f'''(x) + \dots$$
#
# Subtract $f(x)$ and divide by $h$: the first formula is off by $\frac h2 f''$. Subtract
# the two signs from each other, and every even term cancels: the second is off by
# $\frac{h^2}6 f'''$ only, which is zero for a parabola.
#
# So make $h$ tiny? A computer keeps about 16 digits of a number. (That is the format
# *float64*, NumPy's own; *float32*, in which Keras computes, keeps 7.) The two values of
# $f$ agree in most of the digits, and their difference carries a rounding error of
# about $10^{-16}$, and the division by $h$ enlarges it to $10^{-16}/h$. We try it on
# tanh, whose derivative $1 - \tanh^2$ we know.

# %%
points, steps = np.linspace(-1, 1, 101), np.logspace(-14, 0, 57)[:, None]
known = 1 - np.tanh(points) ** 2
right, left = np.tanh(points + steps), np.tanh(points - steps)  # (57, 101)
one_sided = np.abs((right - np.tanh(points)) / steps - known).mean(axis=1)
central = np.abs((right - left) / (2 * steps) - known).mean(axis=1)

# %% [markdown]
# **Predict.** Which step is best for the central difference: $10^{-2}$, $10^{-5}$ or
# $10^{-12}$?

# %% tags=["predict"]
report("best step for two sides", steps[central.argmin(), 0])
report("error at the best step, one side and two", one_sided.min(), central.min())

# %% [markdown]
# <details><summary>Answer</summary>
#
# About $10^{-5}$. The sum of the two errors, $h^2$ and $10^{-16}/h$, is smallest where
# $h^3$ is about $10^{-16}$. With one side, $h$ and $10^{-16}/h$ balance at $10^{-8}$, and
# leave a much larger error.
#
# </details>

# %% tags=["claims"]
best = steps[central.argmin(), 0]
claim("best step for two sides", best, at_least=1e-6, at_most=1e-4)
decimals = np.log10(one_sided.min() / central.min())
claim("decimals that the second side gains", decimals, at_least=1.5)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.0, 3))
axis.loglog(steps, one_sided, "s--", markevery=4)
axis.loglog(steps, central, "o-", markevery=4)
axis.text(1e-5, 1e-4, "one side", color=plots.BLUE, ha="right")
axis.text(1e-3, 2e-9, "two sides", color=plots.RED)
axis.set(xlabel="step $h$", ylabel="mean error")
plots.show(figure, alt="Two V-shaped curves: errors fall with the step, then rise.")

# %% [markdown]
# *The error of both formulas by the step.* On the right arm of each V the function bends
# within the step, on the left arm rounding takes over.


# %%
def numerical_gradient(f, x, step=6e-6):
    """∂f/∂x by central differences, one number of x at a time.

    `f` takes a float64 array of x's shape and returns a number. The step is about the cube
    root of float64's precision, times |x| above 1.
    """
    x = np.asarray(x, dtype=np.float64)
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        h = np.zeros_like(x)
        h[i] = step * max(1.0, abs(x[i]))
        gradient[i] = (f(x + h) - f(x - h)) / (2 * h[i])
    return gradient


def relative_error(a, b):
    """‖a - b‖ / max(‖a‖, ‖b‖): 0 if equal, 1 if one is zero, 2 if opposite."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:  # they might broadcast
        raise ValueError(f"b: expected the shape of a, {a.shape}, got {b.shape}")
    largest = max(np.linalg.norm(a), np.linalg.norm(b))
    return float(np.linalg.norm(a - b) / largest) if largest else 0.0


# %% [markdown]
# ### What must a check notice?
#
# Now somebody hands us a gradient $g$, and we ask whether it is right. Comparing number
# by number costs two runs of the network for each. A network for digits has 101,770
# weights, so that is 203,540 runs. At a millisecond each, it takes more than three
# minutes, and training needs thousands of gradients. A check has to be cheaper than that.
#
# Two cheap ones come to mind. The **step check** walks down: a short step of length
# $\epsilon$ against $g$ should lower the loss by $\epsilon\lVert g\rVert$. The second one
# perturbs *all* weights at once, in a random direction $v$. Along the line $\theta + tv$
# every weight $\theta_i$ moves with speed $v_i$, so the loss grows with the speed
#
# $$\frac{d}{dt}L(\theta + tv)\Big|_{t=0} = \sum_i \frac{\partial L}{\partial\theta_i}v_i
# = v\cdot\nabla L,$$
#
# the **directional derivative**. A central difference along $v$ measures it with two
# runs, whatever the number of weights. If $g$ is right, it equals $v\cdot g$.
#
# How large is the difference if $g$ is wrong? It is $v\cdot e$ with $e = \nabla L - g$.
# Draw the numbers of $v$ independently, with mean 0 and variance 1. Then $\mathbb
# E[v_iv_j]$ is 1 for $i=j$ and else 0, and
#
# $$\mathbb E[(v\cdot e)^2] = \sum_{ij} e_ie_j\,\mathbb E[v_iv_j] = \sum_i e_i^2 =
# \lVert e\rVert^2 .$$
#
# So the root mean square over some directions *estimates the length of the error*, in all
# weights together. Divided by the same for $\nabla L$, it estimates the relative error.
# How good is the estimate? If the $v_i$ are normal, $v\cdot e$ is normal, too, and the
# root mean square of $k$ normal numbers scatters by about $1/\sqrt{2k}$ of itself. For 20
# directions that is a sixth, however many weights there are.


# %%
def step_check(f, x, g, step=1e-4):
    """Fall of f along -g over the predicted fall: near 1, one should think."""
    length = np.linalg.norm(g)
    return (f(x) - f(x - step * g / length)) / (step * length)


def estimated_error(f, x, g, rng, directions=20, step=1e-5):
    """An estimate of ‖∇f - g‖ / ‖∇f‖ at x from `directions` random directions."""
    measured, missed = [], []
    for _ in range(directions):
        v = rng.normal(size=x.shape)
        along = (f(x + step * v) - f(x - step * v)) / (2 * step)
        measured.append(along)
        missed.append(along - np.sum(v * g))
    return np.linalg.norm(missed) / np.linalg.norm(measured)


# %%
rng = np.random.default_rng(seed(1))
x_few, y_few = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))


def small_loss(theta):
    """Loss of a small network whose weights stand in one row: (35,) -> a number."""
    W1, W2 = theta[:20].reshape(4, 5), theta[20:].reshape(5, 3)
    return np.mean((np.tanh(x_few @ W1) @ W2 - y_few) ** 2)


theta = rng.normal(size=35)
gradient = numerical_gradient(small_loss, theta)
half = gradient * (np.arange(35) % 2)  # every second derivative is replaced by 0

# %% [markdown]
# **Predict.** We spoil the gradient on purpose and set half of it to zero. What does the
# step check say: about 1, about 0.7, or about 0.5? And which relative error do the random
# directions report?

# %% tags=["predict"]
steps_say = [step_check(small_loss, theta, g) for g in (gradient, half)]
directions_say = [
    estimated_error(small_loss, theta, g, rng) for g in (gradient, half)
]
report("step check of the right one, of the spoiled one", steps_say)
report("random directions, right one and spoiled one", directions_say)
report("true relative error of the spoiled one", relative_error(half, gradient))

# %% [markdown]
# <details><summary>Answer</summary>
#
# The step check says 1 for both. The loss falls by $\epsilon\,\nabla L\cdot g/\lVert
# g\rVert$, and $\epsilon\lVert g\rVert$ was predicted, so the check shows $\nabla L\cdot
# g/\lVert g\rVert^2$. A number of $g$ that is zero adds nothing to either; one that is right
# adds the same square to both. So every short step along a $g$ that has some numbers right
# and all others zero gives 1. The random directions report an error near
# $\sqrt{1/2}\approx0.7$ for the spoiled gradient, since about half of its squared length is
# missing, and next to none for the right one.
#
# </details>

# %% tags=["claims"]
claim("step check, spoiled", steps_say[1], equals=1, tolerance=0.02)
seen = np.log10(directions_say[1] / directions_say[0])
claim("log10 of the error seen, spoiled / right", seen, at_least=5)
claim("error seen in the right gradient", directions_say[0], at_most=1e-6)

# %% tags=["figure"]
zeros, order = np.arange(1, 35), rng.permutation(35)
spoiled = [np.where(np.isin(np.arange(35), order[:n]), 0, gradient) for n in zeros]
figure, axis = plt.subplots(figsize=(6.0, 3))
by_step = [abs(step_check(small_loss, theta, g) - 1) for g in spoiled]
by_directions = [estimated_error(small_loss, theta, g, rng) for g in spoiled]
axis.plot(
    zeros, [relative_error(g, gradient) for g in spoiled], ":", color=plots.BLACK
)
axis.plot(zeros, by_step, "s--")
axis.plot(zeros, by_directions, "o")
axis.text(34, 0.05, "step check: its distance from 1", color=plots.BLUE, ha="right")
axis.text(1, 0.9, "dots: 20 random directions", color=plots.RED)
axis.text(1, 0.75, "dotted: the truth")
axis.set(
    xlabel="numbers of 35 that are set to zero",
    ylabel="relative error",
    ylim=(-0.05, 1.1),
)
alt = "The step check stays at zero; random directions follow the true relative error."
plots.show(figure, alt=alt)

# %% [markdown]
# *What two checks say of a gradient in which more and more numbers are zero.* The step
# check is blind to what is missing. Twenty random directions, forty runs of the network,
# follow the truth as closely as we computed, and would do so for a hundred thousand weights.
#
# This is a **gradient check**, and it is only as good as the place where it is made:
#
# - Take each array of weights for itself. An error in an array with small derivatives
#   drowns in those of the others.
# - Take random weights. If the last weights are all zero, no gradient reaches the layers
#   below, and every formula for them passes.
# - Take float64, stay away from the kinks of ReLU, and switch off everything random.
# - Compare relative to the size of the gradient, never with a fixed threshold.

# %% [markdown]
# ## 2. How does a derivative pass through an operation?
#
# Perturbing finds derivatives one run at a time. The way to get all of them at once begins
# with single operations. Take the unit of the first picture apart:
#
# $$u = wx,\qquad v = u + b,\qquad e = v - y,\qquad L = e^2 .$$
#
# One operation alone is easy. Raise $u$ by a tiny bit, and $v$ rises by just as much.
# Raise $w$, and $u = wx$ rises $x = 3$ times as much. The factor between the change of an
# operation's input and the change of its output is a **local derivative**. One after the
# other, factors multiply. That is the **chain rule**:
#
# $$\frac{\partial L}{\partial w} = \frac{\partial L}{\partial e} \cdot
# \frac{\partial e}{\partial v} \cdot \frac{\partial v}{\partial u} \cdot
# \frac{\partial u}{\partial w} = 2e \cdot 1 \cdot 1 \cdot x = 2\cdot1\cdot3 = 6.$$
#
# The derivative of the loss with respect to a number on the way, such as $\partial
# L/\partial u$, has a name of its own: it is the **adjoint** of $u$. Look at the product
# from its left end: $2e$ is the adjoint of $e$, $2e\cdot1$ that of $v$, $2e\cdot1\cdot1$
# that of $u$. Each adjoint is the one before times a local derivative. The adjoints of
# $b$ and $y$ branch off on the way: $\partial L/\partial b = 2e\cdot1\cdot1 = 2$.
#
# **Predict.** Do not look back: is the derivative with respect to the target $y$ positive
# or negative?

# %% tags=["predict"]
w, x, b, y = 2.0, 3.0, -1.0, 4.0
e = w * x + b - y
by_hand = [2 * e * x, 2 * e, -2 * e]  # with respect to w, b, y
measured = numerical_gradient(lambda p: (p[0] * x + p[1] - p[2]) ** 2, [w, b, y])
report("by the chain rule, for w, b and y", by_hand)
report("by perturbation", measured)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Negative. The unit said 5, so a higher target would have been closer. The local
# derivative of $e = v - y$ with respect to $y$ is $-1$.
#
# </details>

# %% tags=["claims"]
claim(
    "chain rule against perturbation",
    relative_error(by_hand, measured),
    at_most=1e-6,
)

# %% [markdown]
# ### A number that is used more than once
#
# Now take $f(x) = x \tanh(x) + x$. The number $x$ reaches $f$ on three paths.

# %% tags=["figure", "diagram"]
d = Diagram("""
    .  tanh  .     .
    x  .     times plus
""")
d.data(x="$x$ = ½")
d.operation(tanh="tanh\n0.462", times="×\n0.231", plus="+\n0.731")
d.arrow("x -> tanh -> times -> plus", "0.786", "0.5", "1")
d.arrow("x -> times", "0.462")
d.arrow("x -> plus", "1", leave="below", enter="below")
alt = "From x = 0.5 three paths lead to a sum; a local derivative stands on each arrow."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Three paths from $x$ to the sum.* In the boxes are values, on the arrows local
# derivatives. Along a path they multiply. A perturbation of $x$ travels on all paths at
# once, and as long as it is small, its effects **add**:
#
# $$f'(x) = \underbrace{1}_{\text{last summand}} +
# \underbrace{\tanh x}_{\text{left factor}} +
# \underbrace{x\,(1 - \tanh^2 x)}_{\text{right factor}} .$$
#
# The whole rule is: *multiply along a path, add over all paths*. But nobody can walk all
# paths. Do `x = x + x` twenty times, and each time their number doubles.
#
# **Predict.** How many paths are there after twenty times? And how many arrows?

# %% tags=["predict"]
paths = [1.0]  # ways that lead to x, before the first doubling
for _ in range(20):
    paths.append(2 * paths[-1])
report("paths", int(paths[-1]))
report("arrows", 2 * 20)

# %% [markdown]
# <details><summary>Answer</summary>
#
# $2^{20}$, more than a million paths, over forty arrows.
#
# </details>
#
# The way out is to walk over each *arrow* once. Start at the end, with $\partial
# L/\partial L = 1$, and go backward through the operations. When we come to a number,
# everything that used it has already had its turn, so its adjoint is complete. It passes
# its share on to each of its **parents**, the numbers that it was computed from:
#
# $$\text{adjoint of the parent} \mathrel{+}= \text{local derivative} \times
# \text{own adjoint}.$$
#
# The $+$ adds over paths, the $\times$ multiplies along them. Each arrow costs one
# multiplication. This is **reverse mode** (Linnainmaa, 1976).

# %% [markdown]
# ## 3. Can a program do that to any formula?
#
# It can, if numbers remember where they come from. A `Value` is such a number: it keeps
# its parents, and with each parent the local derivative. Every operation makes a new
# Value, so the graph of a computation grows while it is computed. (The idea of such a
# class is that of Karpathy's *micrograd*, 2020.)
#
# Six operations are enough to begin with: sum, product, power, and three functions. The
# others follow from these: $a - b = a + (-1)\,b$ and $a / b = a\,b^{-1}$.


# %%
class Operators:
    """What follows from a + b, a * b and a ** n, whatever a and b are."""

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + other * -1

    def __truediv__(self, other):
        return self * other**-1

    def __radd__(self, other):  # 2 + a: the number 2 does not know a, so a is asked
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return self * -1 + other

    def __rtruediv__(self, other):
        return self**-1 * other


# %%
class Value(Operators):
    """A number that remembers its parents: pairs (parent, local derivative)."""

    def __init__(self, data, parents=(), label=""):
        self.data, self.grad = float(data), 0.0
        self.parents, self.label = tuple(parents), label

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)], "+")

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        parents = [(self, other.data), (other, self.data)]
        return Value(self.data * other.data, parents, "×")

    def __pow__(self, n):  # n is a number, no Value
        local = n * self.data ** (n - 1) if n else 0.0
        return Value(self.data**n, [(self, local)], f"power {n:g}")

    def exp(self):
        e = math.exp(self.data)
        return Value(e, [(self, e)], "exp")

    def log(self):
        return Value(math.log(self.data), [(self, 1 / self.data)], "log")

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, [(self, 1 - t * t)], "tanh")


# %% [markdown]
# The sweep needs an order in which every number comes after its parents. `history` finds
# it by walking back from the output. It uses a list of what is still to be done (a *stack*)
# and no function that calls itself, because Python gives up on those after about a thousand
# calls.


# %%
def history(output):
    """All Values that output depends on, then output itself: parents before children."""
    order, seen, stack = [], set(), [(output, False)]
    while stack:
        node, parents_are_in = stack.pop()
        if parents_are_in:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent, _ in reversed(node.parents))
    return order


def backpropagate(output):
    """Set grad of every Value in output's history to ∂output/∂it, in one sweep."""
    nodes = history(output)
    for node in nodes:
        node.grad = 0.0
    output.grad = 1.0
    for node in reversed(nodes):  # what used it came before: its grad is complete
        for parent, local in node.parents:
            parent.grad += local * node.grad


# %% [markdown]
# That is all of it. The next two cells, folded, only draw a graph.


# %% tags=["figure"]
def layout_graph(nodes):
    """({stop: (column, row)}, [(stops of an edge, one a column, local derivative)])."""
    steps = {nodes[-1]: 0}
    for node in reversed(nodes):
        steps |= {p: max(steps.get(p, 0), steps[node] + 1) for p, _ in node.parents}
    column = {node: max(steps.values()) - steps[node] for node in nodes}
    neighbors, edges = defaultdict(list), []
    for node in nodes:
        for k, (parent, local) in enumerate(node.parents):
            between = {
                (node, k, c): c for c in range(column[parent] + 1, column[node])
            }
            column |= between
            edges.append(([parent, *between, node], local))
            for a, b in pairwise(edges[-1][0]):
                neighbors[a].append(b)
                neighbors[b].append(a)
    row = {stop: i / len(column) for i, stop in enumerate(column)}
    for c in [
        *range(max(steps.values()) + 1)
    ] * 20:  # each near its neighbors' mean
        stops = [stop for stop in column if column[stop] == c]
        wish = {s: np.mean([row[n] for n in neighbors[s]] or 0) for s in stops}
        first = np.mean([*wish.values()]) - (len(stops) - 1) / 2
        row |= {s: first + i for i, s in enumerate(sorted(wish, key=wish.get))}
    return {s: (column[s], row[s]) for s in column}, edges


# %% tags=["figure"]
def draw_graph(output):
    """The graph of a Value: grad under each box, local derivatives on the lines."""
    nodes = history(output)
    place, edges = layout_graph(nodes)
    columns = 1 + max(x for x, _ in place.values())
    top, bottom = (end(y for _, y in place.values()) for end in (min, max))
    figure, axis = plt.subplots(figsize=(1.2 * columns, 0.8 * (bottom - top) + 0.9))
    axis.set(xlim=(-0.45, columns - 0.55), ylim=(bottom + 0.65, top - 0.4))
    axis.set_axis_off()
    center = {"ha": "center", "va": "center", "fontsize": 9}
    for stops, local in edges:
        x, y = np.transpose([place[stop] for stop in stops])
        axis.plot(x, y, color="#999999", linewidth=1.2, zorder=1)
        white = {"fc": "white", "ec": "none", "pad": 1}
        axis.text(
            x[-2:].mean(), y[-2:].mean(), f"{local:.3g}", **center, bbox=white
        )
    for node in nodes:
        x, y = place[node]
        edge = plots.BLUE if node.parents else plots.BLACK
        box = {"boxstyle": "round", "fc": "white", "ec": edge}
        axis.text(
            x, y, f"{node.label}\n{node.data:.3g}".strip(), **center, bbox=box
        )
        axis.text(x, y + 0.43, f"{node.grad:.3g}", **center, color=plots.RED)
    return figure


# %%
x = Value(0.5, label="x")
f = x * x.tanh() + x
backpropagate(f)

# %% tags=["figure"]
alt = "A graph of x = 0.5: tanh, product and sum, with a gradient under each box."
plots.show(draw_graph(f), alt=alt)

# %% [markdown]
# *The graph that grew while `x * x.tanh() + x` was computed.* Values stand in the boxes,
# local derivatives on the lines, and below each box, in red, its adjoint. The one of $x$ is
# the sum over the three paths of section 2.
#
# **Predict.** After the following lines, what is `x.data`, and what is `first.grad`?
#
# ```python
# first = x = Value(3.0)
# x *= x
# x += first
# backpropagate(x)
# ```

# %% tags=["predict"]
first = x = Value(3.0)
x *= x
x += first
backpropagate(x)
report("x.data and first.grad", x.data, first.grad)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The value is $x^2 + x = 12$ at $x = 3$, its derivative $2x + 1 = 7$. Python's `x *= x`
# only moves the *name* x on to a new Value. The old one is still there, as `first`, and in
# the graph.
#
# </details>

# %% tags=["claims"]
claim(
    "value and derivative at 3",
    abs(x.data - 12) + abs(first.grad - 7),
    at_most=1e-12,
)

# %% [markdown]
# Is it right for any formula? We write one that uses all six operations, and several
# numbers more than once, and ask two references: perturbation, and TensorFlow's
# `GradientTape`, which records operations just as our Values do. The same function serves
# all three. It just computes, and does not know that it is being recorded.


# %%
def formula(a, b, tanh, exp, log):
    c = tanh(a * b) + exp(-a) / (1 + b * b)
    c += a * log(c * c + 1)
    c *= 2 - c * b
    return c / (a * a + 0.5) - b**3


# %%
point = np.random.default_rng(seed(3)).normal(size=2)
values = [Value(number) for number in point]
output = formula(*values, Value.tanh, Value.exp, Value.log)
backpropagate(output)
ours = [v.grad for v in values]
used = {node.label.split()[0] for node in history(output) if node.label}

perturbed = numerical_gradient(
    lambda p: formula(*p, np.tanh, np.exp, np.log), point
)
tensors = [tf.Variable(number) for number in point]  # float64
with tf.GradientTape() as tape:
    result = formula(*tensors, tf.tanh, tf.exp, tf.math.log)
taped = [float(each) for each in tape.gradient(result, tensors)]
print(f"operations in the graph: {sorted(used)}")

# %% [markdown]
# **Predict.** From which of the two will our result differ more, and in which decimal?

# %% tags=["predict"]
report("relative error, against perturbation", relative_error(ours, perturbed))
report("relative error, against GradientTape", relative_error(ours, taped))

# %% [markdown]
# <details><summary>Answer</summary>
#
# From perturbation, by the error that section 1 found at the best step. From the tape it
# differs by rounding alone, near the sixteenth digit, if at all.
#
# </details>

# %% tags=["claims"]
claim("operations that the formula uses, of six", len(used), equals=6, tolerance=0)
claim("Value against perturbation", relative_error(ours, perturbed), at_most=1e-6)
claim("Value against GradientTape", relative_error(ours, taped), at_most=1e-12)

# %% [markdown]
# ## 4. What does a gradient look like for a whole layer?
#
# One Python object for each number is slow. A layer does the same to many numbers at once,
# so its derivatives come in matrices, and so should our formulas.
#
# ### Jacobians, and why nobody builds them
#
# Let an operation turn $n$ numbers $x$ into $m$ numbers $y$. All its local derivatives
# together form the **Jacobian** $J$ with $J_{ij} = \partial y_i/\partial x_j$, an $m \times
# n$ matrix. It can be used in two ways.
#
# - *Forward.* A perturbation $v$ of the inputs becomes the perturbation $Jv$ of the outputs:
#   $\sum_j \frac{\partial y_i}{\partial x_j}v_j$ adds what arrives at $y_i$ on all paths.
#   This is a **Jacobian-vector product**, JVP. The directional derivative of section 1 is
#   one, with a single output.
# - *Backward.* The adjoints $u_i = \partial L/\partial y_i$ of the outputs become the
#   adjoints of the inputs, $\sum_i u_i\frac{\partial y_i}{\partial x_j}$, which is
#   $J^\top u$. This is a **vector-Jacobian product**, VJP. It is the rule of reverse mode,
#   "local derivative times own adjoint, added up", for many numbers at once.
#
# A network is a chain of operations, so its gradient is $J_1^\top J_2^\top\cdots J_L^\top
# u$. From the right each step is a matrix times a *vector*. But even one $J$ is far too
# large: for the first layer of a network for digits, 64 images give $64\cdot128$ outputs
# from $784\cdot128$ weights, and the Jacobian has over eight hundred million entries. So
# backpropagation never builds a Jacobian. For each operation it needs a formula for the VJP,
# and those are short.
#
# ### The VJP of a dense layer
#
# Take $z = aW + b$ with 8 examples, 4 inputs and 3 units, so $a$ is (8, 4), $W$ is (4, 3),
# $b$ is (3,) and $z$ is (8, 3). We are given the adjoint of $z$, with the same shape as $z$,
#
# $$\delta_{nj} = \frac{\partial L}{\partial z_{nj}}, \qquad
# z_{nj} = \sum_i a_{ni} W_{ij} + b_j ,$$
#
# and want the adjoints of $W$, $b$ and $a$. For each we ask: into which $z$ does it enter,
# with which factor?
#
# 1. *The weight $W_{ij}$* enters $z_{nj}$ of *every example* $n$, with the factor $a_{ni}$.
#    So $\frac{\partial L}{\partial W_{ij}} = \sum_n \delta_{nj}\,a_{ni} = \sum_n
#    (a^\top)_{in}\,\delta_{nj}$. The sum runs over the inner index, so it is a matrix product.
# 2. *The bias $b_j$* enters $z_{nj}$ of every example with the factor 1. So
#    $\frac{\partial L}{\partial b_j} = \sum_n \delta_{nj}$.
# 3. *The input $a_{ni}$* enters the $z_{nj}$ of its own example, in *every unit* $j$, with
#    the factor $W_{ij}$. So $\frac{\partial L}{\partial a_{ni}} = \sum_j \delta_{nj}W_{ij} =
#    \sum_j \delta_{nj}(W^\top)_{ji}$, again a matrix product.
#
# | adjoint of | formula | shapes |
# |---|---|---|
# | weights | $a^\top \delta$ | (4, 8) (8, 3) → (4, 3) |
# | bias | $\sum_n \delta_n$ | (8, 3) → (3,) |
# | inputs | $\delta\, W^\top$ | (8, 3) (3, 4) → (8, 4) |
#
# Each has the shape of what it belongs to. If the shapes of a formula do not fit, it is
# wrong. (If they do, it may still be wrong: test with three different sizes.)
#
# Behind a layer stands its activation $h = f(z)$, which acts on each number alone. Its
# Jacobian has $f'(z)$ on the diagonal and zeros elsewhere, so its VJP is a product number by
# number, written $\odot$:
#
# $$\frac{\partial L}{\partial z} = \frac{\partial L}{\partial h} \odot f'(z).$$
#
# ### Two layers by hand
#
# Two inputs, two hidden units with ReLU, one output, and a batch of two examples:
#
# $$x = \begin{pmatrix}1&2\\2&-1\end{pmatrix},\quad
# W^{(1)} = \begin{pmatrix}1&-1\\1&2\end{pmatrix},\quad b^{(1)} = (0, -1),\quad
# W^{(2)} = \begin{pmatrix}1\\-2\end{pmatrix},\quad b^{(2)} = 1,\quad
# y = \begin{pmatrix}1\\0\end{pmatrix}$$
#
# *Forward.* $z^{(1)} = xW^{(1)} + b^{(1)}$: the first example gives $(1+2,\ -1+4-1) = (3,
# 2)$, the second $(2-1,\ -2-2-1) = (1, -5)$. ReLU sets the $-5$ to 0:
#
# $$a^{(1)} = \begin{pmatrix}3&2\\1&0\end{pmatrix},\qquad
# z^{(2)} = a^{(1)}W^{(2)} + b^{(2)} = \begin{pmatrix}3-4+1\\1-0+1\end{pmatrix}
# = \begin{pmatrix}0\\2\end{pmatrix}.$$
#
# The loss is half the mean squared error, $L = \frac1{2\cdot2}\big((0-1)^2 + (2-0)^2\big) =
# 1.25$. *Backward.* It begins at the top:
#
# $$\delta^{(2)} = \frac{z^{(2)} - y}{2} = \begin{pmatrix}-\frac12\\1\end{pmatrix},\qquad
# \frac{\partial L}{\partial W^{(2)}} = a^{(1)\top}\delta^{(2)} =
# \begin{pmatrix}3\cdot(-\frac12) + 1\cdot1\\2\cdot(-\frac12)+0\cdot1\end{pmatrix} =
# \begin{pmatrix}-\frac12\\-1\end{pmatrix},\qquad
# \frac{\partial L}{\partial b^{(2)}} = \tfrac12 .$$
#
# One layer down, the adjoint of $a^{(1)}$ meets the slopes of ReLU, which are 1 where
# $z^{(1)} > 0$, else 0:
#
# $$\delta^{(1)} = \big(\delta^{(2)}W^{(2)\top}\big)\odot f'(z^{(1)}) =
# \begin{pmatrix}-\frac12&1\\1&-2\end{pmatrix}\odot\begin{pmatrix}1&1\\1&0\end{pmatrix} =
# \begin{pmatrix}-\frac12&1\\1&0\end{pmatrix}.$$
#
# Each row is an example, each column a hidden unit.

# %% tags=["figure", "diagram"]
d = Diagram("""
    .  w1     w2     y
    x  one    two    loss
    .  g1     g2     .
""")
d.data(x="$x$", y="$y$")
d.parameter(w1="$W^{(1)}, b^{(1)}$", w2="$W^{(2)}, b^{(2)}$")
d.operation(one="layer 1\n$z=xW+b$\n$a=f(z)$", two="layer 2\n$z=aW+b$")
d.loss(loss="$L$")
d.note(g1="$\\partial L/\\partial W^{(1)}$\n$\\partial L/\\partial b^{(1)}$")
d.note(g2="$\\partial L/\\partial W^{(2)}$\n$\\partial L/\\partial b^{(2)}$")
shapes = "(2, 2)", "$a^{(1)}$\n(2, 2)", "$z^{(2)}$\n(2, 1)"
d.arrow("x -> one -> two -> loss", *shapes)
d.arrow("y -> loss")
d.arrow("w1 -> one")
d.arrow("w2 -> two")
d.arrow("two ~> g2", "$a^\\top\\delta^{(2)}$")
d.arrow("one ~> g1", "$x^\\top\\delta^{(1)}$")
d.arrow("loss ~> two", "$\\delta^{(2)}$", leave="below", enter="right")
d.arrow("two ~> one", "$\\delta^{(2)}W^\\top$", leave="below", enter="below")
alt = (
    "Two layers forward to a loss; dashed arrows lead adjoints back to each weight."
)
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *The two layers, forward in black, backward dashed.* The backward pass needs what the
# forward pass computed: each $a$ for the weights, each $z$ for the slopes.
#
# **Predict.** Only the second column of $\partial L/\partial W^{(1)}$ is asked for: which
# of the two examples has a say in it? Work out that column with pencil and paper.


# %%
def two_layer_gradients(x, y, W1, b1, W2, b2):
    """L = Σ (ŷ - y)² / 2n of ŷ = relu(x W1 + b1) W2 + b2, and its four gradients."""
    z1 = x @ W1 + b1  # (batch, hidden)
    a1 = np.maximum(z1, 0)  # (batch, hidden)
    z2 = a1 @ W2 + b2  # (batch, outputs)
    loss = np.sum((z2 - y) ** 2) / (2 * len(x))
    delta2 = (z2 - y) / len(x)  # (batch, outputs): ∂L/∂z2
    delta1 = (delta2 @ W2.T) * (z1 > 0)  # (batch, hidden): ∂L/∂z1
    return loss, [
        x.T @ delta1,
        delta1.sum(axis=0),
        a1.T @ delta2,
        delta2.sum(axis=0),
    ]


# %% tags=["predict"]
x, y = np.array([[1.0, 2.0], [2.0, -1.0]]), np.array([[1.0], [0.0]])
weights = [[[1.0, -1.0], [1.0, 2.0]], [0.0, -1.0], [[1.0], [-2.0]], [1.0]]
weights = [np.array(each) for each in weights]  # W1, b1, W2, b2
loss, (dW1, db1, dW2, db2) = two_layer_gradients(x, y, *weights)
report("loss", loss)
report("second column of ∂L/∂W1", dW1[:, 1])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only the first example. The second one's $\delta$ has a 0 there, because its ReLU is off.
# With $\partial L/\partial W^{(1)} = x^\top\delta^{(1)}$ the column is $1\cdot(1, 2)$, the
# first example's inputs times its $\delta$. The first column gets shares from both examples:
# $(1\cdot(-\frac12) + 2\cdot1,\ 2\cdot(-\frac12) - 1\cdot1) = (1.5, -2)$.
#
# </details>


# %%
def loss_with(k, array):
    """The loss of the two layers with another array in place of weights[k]."""
    return two_layer_gradients(x, y, *weights[:k], array, *weights[k + 1 :])[0]


perturbed = [
    numerical_gradient(lambda p, k=k: loss_with(k, p), array)
    for k, array in enumerate(weights)
]

# %% tags=["claims"]
claim(
    "∂L/∂W1 against paper", np.abs(dW1 - [[1.5, 1], [-2, 2]]).max(), at_most=1e-12
)
ours = dW1, db1, dW2, db2
off = [relative_error(a, b) for a, b in zip(ours, perturbed, strict=True)]
claim("two layers against perturbation", max(off), at_most=1e-6)

# %% [markdown]
# ### Any number of layers
#
# Now let there be layers $l = 1, \dots, L$ (as a number, $L$ counts layers; behind a
# $\partial$ it is the loss), with $a^{(0)} = x$ and
#
# $$z^{(l)} = a^{(l-1)}W^{(l)} + b^{(l)},\qquad a^{(l)} = f(z^{(l)}) .$$
#
# Let layer $l$ have $n_l$ units, so $W^{(l)}$ is $(n_{l-1}, n_l)$, and $z^{(l)}$, $a^{(l)}$
# and $\delta^{(l)} = \partial L/\partial z^{(l)}$ are (batch, $n_l$). Suppose we know
# $\delta^{(l+1)}$. The chain rule leads from it to $\delta^{(l)}$ in two steps, which are
# the two VJPs above:
#
# $$\underbrace{\frac{\partial L}{\partial a^{(l)}}}_{(\text{batch},\,n_l)} =
# \underbrace{\delta^{(l+1)}}_{(\text{batch},\,n_{l+1})}
# \underbrace{W^{(l+1)\top}}_{(n_{l+1},\,n_l)}
# \qquad\text{through the weights of the layer above,}$$
#
# $$\underbrace{\delta^{(l)}}_{(\text{batch},\,n_l)} = \frac{\partial L}{\partial a^{(l)}}
# \odot f'(z^{(l)}) \qquad\text{through the layer's own activation.}$$
#
# Together they are the recursion from the top layer down, and each $\delta$ gives the
# gradients of its layer (Rumelhart et al., 1986; Goodfellow et al., 2016, section 6.5):
#
# $$\delta^{(l)} = \big(\delta^{(l+1)}\, W^{(l+1)\top}\big) \odot f'(z^{(l)}),
# \qquad \frac{\partial L}{\partial W^{(l)}} = a^{(l-1)\top} \delta^{(l)}, \qquad
# \frac{\partial L}{\partial b^{(l)}} = \sum_n \delta^{(l)}_n.$$
#
# At the top stands $\delta^{(L)} = \frac{\partial L}{\partial a^{(L)}} \odot f'(z^{(L)})$,
# which needs the loss. One step further down, below layer 1, the same formula gives the
# gradient of the inputs, $\partial L/\partial x = \delta^{(1)}W^{(1)\top}$. That is
# **backpropagation**: once forward, keeping every $a$ and $z$, and once backward.
#
# As in chapter 02, a network is a list of (weights, bias, activation). Python counts from 0:
# `layers[0]` is layer 1, and `a[0]` is $a^{(0)} = x$.


# %% tags=["export"]
def remember(x, layers):
    """The forward pass, keeping what the backward pass needs:

    a[0] = x,  z[l] = a[l] W[l] + b[l],  a[l+1] = f(z[l])  for l = 0, 1, ...

    x (batch, inputs); layers: (weights, bias, activation) each. Returns the lists a, one
    longer than `layers`, and z.
    """
    a, z = [x], []
    for weights, bias, name in layers:
        z.append(network.dense(a[-1], weights, bias))  # a W + b: (batch, units)
        a.append(network.activate(name, z[-1]))  # (batch, units)
    return a, z


# %% [markdown]
# **Now it is your turn.** The loop backward through $L$ layers is the core of this chapter,
# and [exercise 03.7](#Exercise-03.7:-backward-through-L-layers) asks you to write it. You
# have everything you need: do it now, before you unfold the next cell. It holds our version,
# which the rest of the chapter uses.


# %% tags=["export", "core"]
def backward(layers, a, z, by_output):
    """Gradients of all weights from by_output = ∂L/∂a of the last layer.

    δ[l] = ∂L/∂a[l+1] ⊙ f'(z[l]),  ∂L/∂W[l] = a[l]ᵀ δ[l],  ∂L/∂b[l] = Σ_batch δ[l],
    and one layer down  ∂L/∂a[l] = δ[l] W[l]ᵀ.

    layers, a, z: as `remember` takes and gives them. by_output: (batch, outputs).
    Activations must work element by element.
    Returns two lists, the first layer first: (∂L/∂W, ∂L/∂b), and δ (batch, units).
    """
    if by_output.shape != a[-1].shape:
        raise ValueError(
            f"by_output: expected shape {a[-1].shape}, got {by_output.shape}"
        )
    gradients, deltas = [], []
    for l in reversed(range(len(layers))):
        weights, _, name = layers[l]
        delta = by_output * network.slope(name, z[l])  # (batch, units)
        gradients.append((a[l].T @ delta, delta.sum(axis=0)))
        deltas.append(delta)
        if l > 0:
            by_output = delta @ weights.T  # (batch, inputs of the layer)
    return gradients[::-1], deltas[::-1]


# %% [markdown]
# ### Forward and backward with the same Jacobians
#
# A network's JVP is just as short: a perturbation $v$ of the inputs passes the weights and
# is multiplied by the slopes. And there is a beautiful check that needs no finite
# difference. For any $v$ at the inputs and any $u$ at the outputs,
#
# $$u\cdot(Jv) = (J^\top u)\cdot v ,$$
#
# because both are $\sum_{ij}u_iJ_{ij}v_j$. The left side goes forward only, the right side
# backward only. If they agree for random $u$ and $v$, the way back is the transpose of the
# way forward. A mistake that both share, such as a wrong slope, stays unseen: for that we
# still need a reference.


# %%
def push_forward(layers, z, v):
    """The perturbation of the outputs, J v, for one of the inputs (batch, inputs)."""
    for (weights, _, name), sums in zip(layers, z, strict=True):
        v = (v @ weights) * network.slope(name, sums)  # (batch, units)
    return v


rng = np.random.default_rng(seed(5))
names = ["tanh", "sigmoid", "silu", "softplus", "linear"]
five = network.initial_layers([4, 6, 5, 7, 5, 3], names, rng)
x, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
a, z = remember(x, five)
v, u = rng.normal(size=x.shape), rng.normal(size=y.shape)
sides = {"forward": np.sum(u * push_forward(five, z, v))}
_, deltas = backward(five, a, z, u)
sides["backward"] = np.sum((deltas[0] @ five[0][0].T) * v)

# %% [markdown]
# Now the gradients of these five layers, for the loss $\frac12\sum(\hat y - y)^2$, against
# the references: all of them against `GradientTape`, those of the first weights against
# perturbation.
#
# **Predict.** Of these two comparisons and that of $u\cdot Jv$ with $J^\top u\cdot v$: which
# agree in about fifteen digits, and which in fewer?


# %%
def half_square(layers):
    return np.sum((network.forward(x, layers)[-1] - y) ** 2) / 2


def with_first(W):
    """The five layers with other weights in the first."""
    return [(W, *five[0][1:]), *five[1:]]


def flat(pairs):
    """All numbers of a list of pairs of arrays, in one row."""
    return np.concatenate([np.ravel(array) for pair in pairs for array in pair])


ours, _ = backward(five, a, z, a[-1] - y)
variables = [[tf.Variable(W), tf.Variable(b)] for W, b, _ in five]
with tf.GradientTape() as tape:
    out = tf.constant(x)
    for (W, b), name in zip(variables, names, strict=True):
        out = keras.activations.get(name)(out @ W + b)
    loss = tf.reduce_sum((out - y) ** 2) / 2
taped = tape.gradient(loss, variables)
perturbed = numerical_gradient(lambda W: half_square(with_first(W)), five[0][0])

# %% tags=["predict"]
by_tape = relative_error(flat(ours), flat(taped))
by_perturbation = relative_error(ours[0][0], perturbed)
report("all five layers, against GradientTape", by_tape)
report("first layer, against perturbation", by_perturbation)
report("u · Jv and Jᵀu · v", sides["forward"], sides["backward"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Only perturbation agrees in fewer digits, because of its own error. We perturbed the
# *first* weights: their gradient comes last, through every step. From TensorFlow we differ
# by rounding, and so do the two sides, $u\cdot Jv$ and $J^\top u\cdot v$, from each other.
#
# </details>

# %% tags=["claims"]
claim("five layers against GradientTape", by_tape, at_most=1e-10)
claim("first of five layers against perturbation", by_perturbation, at_most=1e-6)
off = relative_error(sides["forward"], sides["backward"])
claim("u · Jv against Jᵀu · v", off, at_most=1e-10)

# %% [markdown]
# ## 5. How does a gradient pass softmax and batch normalization?
#
# Activations work number by number, and their Jacobian is diagonal. In the two most
# important operations that do not, every output depends on *every* input of its row or
# column. Their Jacobians look frightening and their VJPs are short.
#
# ### Softmax
#
# With $S = \sum_i e^{z_i}$ and $p_k = e^{z_k}/S$, the logit $z_j$ acts on $p_k$ through $S$,
# and, if $j=k$, also through the numerator. By the quotient rule
#
# $$\frac{\partial p_k}{\partial z_j} = \frac{\mathbb 1[j=k]\,e^{z_k}\,S -
# e^{z_k}e^{z_j}}{S^2} = p_k\big(\mathbb 1[j=k] - p_j\big),\qquad
# J = \operatorname{diag}(p) - p\,p^\top .$$
#
# For $p = (0.7, 0.2, 0.1)$ that is
#
# $$J = \begin{pmatrix}0.21&-0.14&-0.07\\-0.14&0.16&-0.02\\-0.07&-0.02&0.09\end{pmatrix}.$$
#
# Raise the first logit, and the first probability grows at the expense of the others. The
# VJP with the adjoints $u$ of $p$ needs no matrix ($J$ is symmetric, so $J^\top u = Ju$):
#
# $$J u = p\odot u - p\,(p\cdot u) = p\odot\big(u - p\cdot u\big).$$
#
# **Predict.** What does $J$ make of the perturbation $(1, 1, 1)$, all three logits raised
# alike? What follows for the sum of each row?


# %%
def softmax_vjp(p, u):
    """From ∂L/∂p to ∂L/∂z of p = softmax(z) along the last axis."""
    return p * (u - np.sum(p * u, axis=-1, keepdims=True))


# %% tags=["predict"]
p = np.array([0.7, 0.2, 0.1])
J = np.diag(p) - np.outer(p, p)
report("J (1, 1, 1)", J @ np.ones(3))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing: a constant that is added to all logits cancels in softmax (chapter 02). So every
# row of $J$ sums to 0.
#
# </details>

# %%
rng = np.random.default_rng(seed(6))
logits, u = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
ours = softmax_vjp(network.softmax(logits), u)
perturbed = numerical_gradient(lambda z: np.sum(u * network.softmax(z)), logits)

# %% tags=["claims"]
claim("J (1, 1, 1), largest number", np.abs(J @ np.ones(3)).max(), at_most=1e-12)
claim("softmax against perturbation", relative_error(ours, perturbed), at_most=1e-6)

# %% [markdown]
# Cross-entropy follows softmax: $L = -\sum_k y_k\log p_k$ with one-hot $y$. Its adjoint is
# $u_k = -y_k/p_k$, so $p\cdot u = -\sum_k y_k = -1$, and the VJP becomes
#
# $$\frac{\partial L}{\partial z} = p\odot\Big(-\frac yp + 1\Big) = p - y .$$
#
# The division by $p$ cancels, and with it the danger of dividing by a probability that was
# rounded to zero. That is why the two are programmed as one, from the logits. With a mean
# over the batch,
#
# $$\delta^{(L)} = \frac{p - y}{\text{batch}}\qquad (\text{batch}, \text{classes}):$$
#
# what was said minus what was true. The division by the batch happens here, once. Further
# down, sums over examples are sums.


# %% tags=["export"]
def softmax_cross_entropy(logits, labels):
    """(loss, ∂loss/∂logits) of the mean cross-entropy: (softmax - one-hot) / batch.

    logits (batch, classes); labels (batch,), integers from 0 to classes - 1.
    """
    batch, classes = logits.shape
    labels = common.integers(labels, "labels", batch, below=classes)
    y = np.eye(classes, dtype=logits.dtype)[labels]  # (batch, classes), one-hot
    loss = network.categorical_crossentropy(y, logits, from_logits=True)
    return loss, (network.softmax(logits) - y) / batch


def loss_and_gradients(x, labels, layers):
    """Mean softmax cross-entropy of a network that ends linearly, and its gradients.

    x (batch, inputs), labels (batch,). Returns (loss, [(∂loss/∂W, ∂loss/∂b), ...]).
    """
    a, z = remember(x, layers)
    loss, by_logits = softmax_cross_entropy(a[-1], labels)
    return loss, backward(layers, a, z, by_logits)[0]


# %% [markdown]
# ### Batch normalization
#
# **Batch normalization** (Ioffe & Szegedy, 2015) brings each unit to mean 0 and variance 1
# *over the batch*, and then lets the network choose another scale $\gamma$ and shift
# $\beta$. Many networks for images have it behind every layer (chapter 05). For one unit,
# let $x_1, \dots, x_n$ be its values in the $n$ examples:
#
# $$\mu = \frac1n\sum_i x_i,\qquad v = \frac1n\sum_i(x_i-\mu)^2,\qquad s =
# \sqrt{v+\epsilon},\qquad \hat x_i = \frac{x_i-\mu}s,\qquad y_i = \gamma\hat x_i + \beta .$$
#
# The way back from $y$ to $\gamma$, $\beta$ and $\hat x$ is that of any product and sum:
# $\frac{\partial L}{\partial\gamma} = \sum_i\frac{\partial L}{\partial y_i}\hat x_i$,
# $\frac{\partial L}{\partial\beta} = \sum_i\frac{\partial L}{\partial y_i}$, and $g_i =
# \frac{\partial L}{\partial\hat x_i} = \gamma\frac{\partial L}{\partial y_i}$. From $\hat x$
# to $x$ is harder, since $x_k$ enters every $\hat x_i$, through $\mu$ and through $s$. Step by
# step:
#
# 1. $\frac{\partial\mu}{\partial x_k} = \frac1n$, so $\frac{\partial(x_i-\mu)}{\partial x_k}
#    = \mathbb 1[i=k] - \frac1n$.
# 2. $\frac{\partial v}{\partial x_k} = \frac2n\sum_i(x_i-\mu)\big(\mathbb 1[i=k]-\frac1n\big)
#    = \frac2n(x_k-\mu)$, because $\sum_i(x_i-\mu) = 0$.
# 3. $\frac{\partial s}{\partial x_k} = \frac1{2s}\frac{\partial v}{\partial x_k} =
#    \frac{x_k-\mu}{ns} = \frac{\hat x_k}n$.
# 4. By the quotient rule, $\frac{\partial\hat x_i}{\partial x_k} = \frac1s\big(\mathbb
#    1[i=k]-\frac1n\big) - \frac{x_i-\mu}{s^2}\cdot\frac{\hat x_k}n = \frac1s\Big(\mathbb
#    1[i=k] - \frac1n - \frac{\hat x_i\hat x_k}n\Big)$.
# 5. The VJP sums this with $g_i$ over $i$:
#
# $$\frac{\partial L}{\partial x_k} = \frac1s\Big(g_k - \frac1n\sum_i g_i - \hat
# x_k\,\frac1n\sum_i g_i\hat x_i\Big).$$
#
# In words: from $g$ subtract its mean, and its part along $\hat x$. That must be so. If all
# $x_i$ are shifted or stretched together, $\hat x$ does not change (but for the tiny
# $\epsilon$), so the loss does not change, and the gradient has no part in these two
# directions.


# %%
def batch_norm(x, gamma, beta, epsilon=1e-5):
    """y (batch, units) with mean beta and deviation gamma; and what the way back needs."""
    s = np.sqrt(x.var(axis=0) + epsilon)  # (units,)
    x_hat = (x - x.mean(axis=0)) / s  # (batch, units)
    return gamma * x_hat + beta, (x_hat, s, gamma)


def batch_norm_vjp(kept, by_y):
    """From ∂L/∂y (batch, units) to ∂L/∂x, ∂L/∂gamma and ∂L/∂beta."""
    x_hat, s, gamma = kept
    g = by_y * gamma  # (batch, units)
    along = np.mean(g * x_hat, axis=0)  # (units,)
    by_x = (g - g.mean(axis=0) - x_hat * along) / s
    return by_x, np.sum(by_y * x_hat, axis=0), by_y.sum(axis=0)


# %% [markdown]
# **Predict.** How much of $g$ is left after both subtractions, measured as length after
# over length before: with a batch of 20 examples, and with a batch of 2?


# %% tags=["predict"]
def share_left(batch):
    """Length of s ∂L/∂x over that of ∂L/∂y, for one unit, mean of 200 random cases."""
    x, g = rng.normal(size=(2, batch, 200))
    _, kept = batch_norm(x, 1.0, 0.0, epsilon=0)
    by_x = batch_norm_vjp(kept, g)[0] * kept[1]
    return np.mean(np.linalg.norm(by_x, axis=0) / np.linalg.norm(g, axis=0))


left = {batch: share_left(batch) for batch in (20, 5, 3, 2)}
report("share left with a batch of 20, 5, 3 and 2", list(left.values()))

# %% [markdown]
# <details><summary>Answer</summary>
#
# With 20 nearly everything, with 2 nothing. Two directions are taken out of $n$, and two
# numbers have only two. You can see it without a formula: after batch normalization two
# examples are always $-1$ and $1$, whatever they were. So the weights below a unit that is
# normalized over examples alone learn nothing from batches of two.
#
# </details>

# %%
x, u = rng.normal(size=(2, 6, 3))
gamma, beta = rng.normal(size=(2, 3))
ours = batch_norm_vjp(batch_norm(x, gamma, beta)[1], u)
perturbed = [
    numerical_gradient(lambda x: np.sum(u * batch_norm(x, gamma, beta)[0]), x),
    numerical_gradient(lambda g: np.sum(u * batch_norm(x, g, beta)[0]), gamma),
    numerical_gradient(lambda b: np.sum(u * batch_norm(x, gamma, b)[0]), beta),
]

# %% tags=["claims"]
off = [relative_error(a, b) for a, b in zip(ours, perturbed, strict=True)]
claim("batch normalization against perturbation", max(off), at_most=1e-6)
claim("share left, batch of 20 - batch of 2", left[20] - left[2], at_least=0.8)

# %% [markdown]
# ## 6. Can a page of NumPy learn to read, and does `fit` do anything else?
#
# The gradient says which way is up for each weight. Training goes the other way, a batch
# at a time: $W \leftarrow W - \eta\,\partial L/\partial W$.


# %%
def train(x, labels, layers, *, epochs=1, batch_size=64, learning_rate=0.1):
    """Stochastic gradient descent with batches in the order of the data.

    Each step: W ← W - learning_rate ∂loss/∂W, b alike. Returns new layers of x's dtype.
    """
    if x.dtype.kind != "f":  # weights of integers would not move
        raise ValueError(f"x: expected float32 or float64, got {x.dtype}")
    layers = [(w.astype(x.dtype), b.astype(x.dtype), name) for w, b, name in layers]
    for _ in range(epochs):
        for start in range(0, len(x), batch_size):
            batch = slice(start, start + batch_size)
            _, gradients = loss_and_gradients(x[batch], labels[batch], layers)
            for (weights, bias, _), (dw, db) in zip(layers, gradients, strict=True):
                weights -= learning_rate * dw
                bias -= learning_rate * db
    return layers


# %%
(x_train, y_train), (x_test, y_test) = data.mnist()
x_train, x_test = x_train.reshape(-1, 784), x_test.reshape(-1, 784)
rng = np.random.default_rng(seed(7))
start = network.initial_layers([784, 128, 10], ["relu", "linear"], rng, scheme="he")


def accuracy(layers, x, labels):
    return np.mean(network.forward(x, layers)[-1].argmax(axis=1) == labels)


# %% [markdown]
# MNIST (LeCun et al., 1998) has 60,000 digits, and we show each of them four times. But is
# it worth sending the gradient down to the first layer? Two rivals spare backpropagation
# altogether, as the gradient of chapter 01 is all that they need. One leaves the first layer
# as it is, at its random start, and trains only the last one. The other has no hidden layer:
# it is softmax regression. All see the same digits, and each takes the learning rate that
# did best in a short training, judged by digits 50,000 to 60,000.


# %%
def hidden(x):
    """The first layer's output with its random start (batch, 128)."""
    return network.forward(x, start[:1])[-1].astype("float32")


def train_in_turn(x, labels, layers, rates):
    """One epoch for each learning rate; chapter 04 says why rates should sink."""
    for rate in rates:
        layers = train(x, labels, layers, learning_rate=rate)
    return layers


SIDES = {  # name: (how its inputs are made, its layers)
    "both layers": (lambda x: x, start),
    "last layer only": (hidden, start[1:]),
    "no hidden layer": (
        lambda x: x,
        [(np.zeros((784, 10)), np.zeros(10), "linear")],
    ),
}
RATES = [0.025, 0.1, 0.4, 1.6, 6.4, 25.6]
best_rate = {}
for side, (prepare, layers) in SIDES.items():
    x, held_out = prepare(x_train[:20_000]), prepare(x_train[50_000:])
    with np.errstate(all="ignore"):  # the largest rates overflow
        tried = [
            train_in_turn(x, y_train[:20_000], layers, (r, r / 5)) for r in RATES
        ]
    scores = [accuracy(each, held_out, y_train[50_000:]) for each in tried]
    best_rate[side] = RATES[np.argmax(scores)]

# %%
trained, read = {}, {}
for side, (prepare, layers) in progress(SIDES.items(), "training"):
    rates = [share * best_rate[side] for share in (1, 1, 0.4, 0.1)]
    trained[side] = train_in_turn(prepare(x_train), y_train, layers, rates)
    read[side] = accuracy(trained[side], prepare(x_test), y_test)

# %% [markdown]
# **Predict.** How many of 100 new digits does the network read if both layers learn, how
# many if only the last one does, and how many without a hidden layer?

# %% tags=["predict"]
for side, share in read.items():
    report(f"accuracy, {side}", share)
report("learning rates that did best", list(best_rate.values()))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Almost 98 with both, fewer than 90 if the first layer stays random. That is even less than
# softmax regression reads from the bare pixels: 128 random units keep less of a digit than
# its 784 pixels say. What makes these units worth having is that they hear of the loss. And
# all of this took a few seconds, where section 1 needed minutes for a single gradient.
#
# </details>

# %% tags=["claims"]
claim("test accuracy, NumPy alone", read["both layers"], at_least=0.97)
gain = read["both layers"] - read["last layer only"]
claim("accuracy, both layers - last layer only", gain, at_least=0.06)
gain = read["both layers"] - read["no hidden layer"]
claim("accuracy, both layers - no hidden layer", gain, at_least=0.03)

# %% [markdown]
# No library computed a single derivative. (`python -m benchmarks.numpy_mlp` runs a race
# against the same network in Keras.)
#
# ### One step further: to the pixels
#
# Below the first layer the recursion gives $\partial L/\partial x = \delta^{(1)}
# W^{(1)\top}$. It says which pixels make the network's mistake worse.

# %%
reader = trained["both layers"]
a, z = remember(x_test, reader)
_, by_logits = softmax_cross_entropy(a[-1], y_test)
_, deltas = backward(reader, a, z, by_logits)
by_pixel = deltas[0] @ reader[0][0].T  # (10000, 784)
wrong = np.flatnonzero(a[-1].argmax(axis=1) != y_test)[:6]

# %% tags=["figure"]
bare = {"frame_on": False, "xticks": [], "yticks": []}
figure, axes = plt.subplots(2, 6, figsize=(5.8, 2.2), subplot_kw=bare)
for (top, bottom), i in zip(axes.T, wrong, strict=True):
    top.imshow(x_test[i].reshape(28, 28))
    top.set_title(f"{y_test[i]} as {a[-1][i].argmax()}", fontsize=9)
    scaled = by_pixel[i].reshape(28, 28) / np.abs(by_pixel[i]).max()
    bottom.imshow(scaled, "PuOr_r", vmin=-1, vmax=1)
plots.show(
    figure, alt="Six misread digits; below each, the gradient of its pixels."
)

# %% [markdown]
# *Six digits that it misreads, and below each the gradient of the loss with respect to its
# pixels.* More ink on the orange pixels makes the loss worse, on the purple ones better.
#
# Is that real? Change every pixel, a number from 0 to 1, by 0.1: once with a random sign, and
# once with the sign of its gradient (Goodfellow et al., 2015). Some pixels leave their range
# by that, in both cases alike.
#
# **Predict.** How many of 100 digits does it still read, after either change?

# %% tags=["predict"]
steps_up = {
    "gradient": np.sign(by_pixel),
    "random": rng.choice([-1, 1], by_pixel.shape),
}
still = {k: accuracy(reader, x_test + 0.1 * s, y_test) for k, s in steps_up.items()}
report("accuracy after random signs", still["random"])
report("accuracy after the signs of the gradient", still["gradient"])

# %% [markdown]
# <details><summary>Answer</summary>
#
# After random changes nearly as many as before. After changes of exactly the same size along
# the gradient only a few: 784 tiny pushes, all in the worst direction, add up.
#
# </details>

# %% tags=["claims"]
harm = still["random"] - still["gradient"]
claim("accuracy, random signs - signs of the gradient", harm, at_least=0.5)

# %% [markdown]
# ### What `fit` does
#
# Keras hides the loop. Below it stands in the open: compute the loss, get its gradient,
# update. From one start we go four ways through 100 batches: this loop, our NumPy, `fit` with
# the batches in order, and `fit` as it is usually called. The hidden units are tanh here: at the
# kink of ReLU, rounding in the last digit can decide whether a unit is on, and then two programs
# that do the same part ways.

# %%
x, y = x_train[:6400], y_train[:6400]
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
smooth = network.initial_layers([784, 128, 10], ["tanh", "linear"], rng)
looped = network.build_twin(smooth)
for step in range(100):
    batch = slice(64 * step, 64 * step + 64)
    with tf.GradientTape() as tape:
        loss = cross_entropy(y[batch], looped(x[batch]))
    variables = looped.trainable_variables
    for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
        v.assign_sub(0.25 * g)

# %%
arrived = {"loop": flat([looped.get_weights()])}
by_hand = train(x, y, smooth, learning_rate=0.25)
arrived["NumPy"] = flat(layer[:2] for layer in by_hand)
for name, shuffle in {"fit, in order": False, "fit": True}.items():
    fitted = network.build_twin(smooth)
    fitted.compile(keras.optimizers.SGD(0.25), cross_entropy)
    fitted.fit(x, y, batch_size=64, shuffle=shuffle, verbose=0)
    arrived[name] = flat([fitted.get_weights()])

# %% [markdown]
# **Predict.** There are 101,770 weights, and 100 steps are taken. Which of the other three
# end where the loop ends: all of them, or some?

# %% tags=["predict"]
apart = {name: np.abs(w - arrived["loop"]).max() for name, w in arrived.items()}
for name in ("NumPy", "fit, in order", "fit"):
    report(f"largest difference from the loop, {name}", apart[name])

# %% [markdown]
# <details><summary>Answer</summary>
#
# NumPy and `fit` with `shuffle=False` end in the same place, up to rounding in float32.
# `fit` as it is usually called does not: it shuffles the examples before every epoch. That is
# its only secret here.
#
# </details>

# %% tags=["claims"]
same = max(apart["NumPy"], apart["fit, in order"])
claim("largest difference of NumPy and fit, in order", same, at_most=1e-5)
ratio = np.log10(apart["fit"] / same)
claim("log10 of the difference, fit shuffled / in order", ratio, at_least=2)

# %% [markdown]
# Backpropagation *computes* a gradient. The update is a separate step, and chapter 04 makes
# it better.

# %% [markdown]
# ## 7. Why does a gradient fade in deep networks?
#
# On its way down, $\delta$ is multiplied at each layer by weights and by slopes:
#
# $$\delta^{(l)} = \big(\delta^{(l+1)} W^{(l+1)\top}\big) \odot f'(z^{(l)}).$$
#
# By which factor does its length change? Take a layer of $n$ inputs and $n$ units, whose
# weights are independent, with mean 0. Then $(\delta W^\top)_i = \sum_j\delta_jW_{ij}$ is a
# sum of $n$ independent terms, so its mean square is
# $\operatorname{Var}[w]\sum_j\delta_j^2$, and with $n$ such numbers the squared length
# becomes $n\operatorname{Var}[w]\lVert\delta\rVert^2$. The slopes multiply each number, on
# average by $\mathbb E[f'(z)^2]$ in the square. So a layer multiplies the length by about
#
# $$\chi = \sqrt{n \operatorname{Var}[w]\; \mathbb E[f'(z)^2]} .$$
#
# Thirty factors well below 1 leave nothing: the gradient **vanishes** (Bengio et al., 1994).
# Thirty well above 1 **explode**. For example, a sigmoid's slope is at most $\frac14$. With
# weights that keep lengths, $n\operatorname{Var}[w] = 1$, at most $\big(\frac14\big)^{30}
# \approx 10^{-18}$ is left.
#
# The same happens *forward*. Two examples with a small difference $v$ differ by $Jv$ above,
# and $v$ passes the same weights and the same slopes: $(vW)\odot f'(z)$, the JVP of section
# 4. So the difference is multiplied by the same $\chi$. If a gradient vanishes on its way
# down, the examples become *equal* on their way up. The first layers do not hear of the loss,
# and the last layers cannot tell one input from another.
#
# The slopes come first. **Predict.** Where is the slope of tanh largest: near zero, or far
# from it?

# %% tags=["predict", "E192"]
z = np.linspace(-6, 6, 601)
largest = {name: network.slope(name, z) for name in ("tanh", "sigmoid")}
for name, slopes in largest.items():
    report(
        f"largest slope of {name}, and where", slopes.max(), abs(z[slopes.argmax()])
    )

# %% [markdown]
# <details><summary>Answer</summary>
#
# Near zero: 1 for tanh, and $\frac14$ for the sigmoid. One often reads that gradients vanish
# because these slopes go to zero *near zero*. The opposite holds. They fade far out, where a
# unit is **saturated**.
#
# </details>
#
# A test: 100 tanh layers whose weights rotate and do not stretch (Saxe et al., 2014), so that
# the slopes alone decide. They get inputs that make the weighted sums $z$ tiny, and then the
# same inputs ten thousand times as large.
#
# **Predict.** Of the gradient at the last layer, how much arrives at the first: nearly all,
# about half, or next to nothing?


# %%
def journey(layers, x, rng):
    """How far differences come forward and gradients come back, by layer.

    The spread of examples after each layer, that of the first as 1; the length of δ at each
    layer, that of the last as 1; and the product of χ from each layer to the last.
    """
    a, z = remember(x, layers)
    spread = np.array([np.sqrt(np.mean((h - h.mean(axis=0)) ** 2)) for h in a[1:]])
    _, deltas = backward(layers, a, z, rng.normal(size=a[-1].shape))
    length = np.array([np.linalg.norm(delta) for delta in deltas])
    slopes = [np.mean(network.slope(layers[0][2], sums) ** 2) for sums in z[:-1]]
    weights = [len(w) * w.var() for w, _, _ in layers[1:]]
    squares = np.cumprod([1, *np.multiply(slopes, weights)[::-1]])[::-1]
    return spread / spread[0], length / length[-1], np.sqrt(squares)


rng = np.random.default_rng(seed(8))
turns = [np.linalg.qr(rng.normal(size=(100, 100)))[0] for _ in range(100)]
turning = [(turn, np.zeros(100), "tanh") for turn in turns]
x = rng.normal(size=(20, 100))
near, far = (journey(turning, scale * x, rng)[1] for scale in (1e-3, 10))

# %% tags=["predict"]
report("gradient left at layer 1, sums near zero and large sums", near[0], far[0])
report("large sums, left at layers 2, 6, 11 and 21", far[[1, 5, 10, 20]])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nearly all with sums near zero, next to nothing with large ones. The lowest layers lose most
# of it. There the sums are large; a tanh gives no more than 1, so further up they become
# smaller and the slopes recover.
#
# </details>

# %% tags=["claims"]
for name, most in {"tanh": 1, "sigmoid": 0.25}.items():
    slopes = largest[name]
    claim(f"largest slope of {name}", slopes.max(), equals=most, tolerance=1e-9)
    claim(f"|z| where it lies, {name}", abs(z[slopes.argmax()]), at_most=1e-9)
left = near[0] - far[0]
claim("gradient left, sums near zero - large sums", left, at_least=0.8)

# %% [markdown]
# Now three activations with three ways to start (chapter 02), in 30 layers of 100 units: the
# way forward, the way back, and the product of the factors $\chi$. Forward we measure the
# *spread* of the examples, the root mean square of their distances from their mean.
#
# **Predict.** With sigmoid and weights that keep lengths (glorot), call the spread after the
# first layer 1. How large is it after the tenth?

# %%
names, schemes = ("sigmoid", "tanh", "relu"), ("glorot", "he", "large")
x, ways = rng.normal(size=(200, 100)), {}
for name, scheme in itertools.product(names, schemes):
    deep = network.initial_layers([100] * 31, [name] * 30, rng, scheme=scheme)
    ways[name, scheme] = journey(deep, x, rng)

# %% tags=["predict"]
spread, length, _ = ways["sigmoid", "glorot"]
report("sigmoid, difference of examples after layer 10", spread[9])
report("sigmoid, gradient left at layer 1", length[0])

# %% [markdown]
# <details><summary>Answer</summary>
#
# A few millionths are left, as nine slopes of $\frac14$ say: after ten layers of sigmoids all
# inputs look the same. Of the gradient less than $10^{-16}$ is left after thirty.
#
# </details>

# %% tags=["claims"]
claim("log10 of the spread after layer 10", np.log10(spread[9]), at_most=-4)
claim("log10 of the gradient at layer 1", np.log10(length[0]), at_most=-16)
level = [np.log10(ways[key][1][0]) for key in (("tanh", "glorot"), ("relu", "he"))]
claim(
    "log10 of the gradient, tanh glorot and relu he", np.abs(level).max(), at_most=2
)
exploded = np.log10(ways["relu", "large"][1][0])
claim("log10 of the gradient, relu large", exploded, at_least=20)
off = [np.log10(length[0] / chi[0]) for _, length, chi in ways.values()]
claim("gradient off χ's product, in powers of ten", np.abs(off).max(), at_most=1.2)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 3, figsize=(6.2, 4.4), sharex=True, sharey=True)
layer, styles = np.arange(1, 31), ("C0o", "C1s", "C2^")
for (column, name), (style, scheme) in itertools.product(
    enumerate(names), zip(styles, schemes, strict=True)
):
    spread, length, chi = ways[name, scheme]
    axes[0, column].semilogy(
        layer, spread, style + "-", markevery=3, lw=1, label=scheme
    )
    axes[1, column].semilogy(layer, chi, style[:2], lw=1)
    axes[1, column].semilogy(layer[::3], length[::3], style)
    axes[0, column].set(title=name)
    axes[1, column].set(xlabel="layer", xticks=[1, 10, 20, 30])
axes[0, 0].set(ylabel="spread, layer 1 = 1")
axes[1, 0].set(ylabel="δ, last layer = 1")
axes[0, 0].legend()
alt = "Six panels: with sigmoid, spread and δ fade; ReLU with he is flat, large explodes."
plots.show(figure, alt=alt)

# %% [markdown]
# *Above, the way forward: how much examples still differ after each layer. Below, the way
# back, from right to left: the length of $\delta$ (marks) and the product of the factors
# $\chi$ (lines).* Where a gradient fades, the differences fade, too, until rounding is all that
# is left. Glorot & Bengio (2010) and He et al. (2015) chose their variances such that $\chi$ is
# near 1 for tanh and for ReLU. Large weights make ReLU explode in both directions. With tanh
# they show that $\chi$ speaks of *small* differences: outputs lie between $-1$ and 1, so the
# spread cannot grow, but tiny differences do, until they fill the whole range, and the gradient
# explodes.
#
# ### Cures, and one tried
#
# There are cures for each factor of $\chi$, and detours around the product: activations with
# slope 1, such as ReLU; starts that balance the variance; normalization, which brings the
# spread back to 1 in each layer; residual connections, over which the gradient passes
# unmultiplied (chapter 05b); gates (chapter 06); and against explosion, clipping (chapter 04).
#
# We try the cheapest. With glorot's start a network with 20 layers of sigmoids does not
# learn. Does the *sigmoid* have to be replaced, or only the start? Look at what the sigmoid is:
#
# $$\sigma(z) = \tfrac12 + \tfrac12\tanh\tfrac z2\qquad\Longrightarrow\qquad 4\,\sigma(z) - 2 =
# 2\tanh\tfrac z2 ,$$
#
# which has mean 0 and slope 1 at 0. A layer that gets $4\sigma - 2$ as its input computes
#
# $$\big(4\sigma - 2\big)W + b = \sigma\,(4W) + \big(b - 2\textstyle\sum_i W_i\big) .$$
#
# So nothing has to be replaced. Start with weights four times as large, and with biases
# $-2\sum_iW_i$ in place of 0, and a network of plain sigmoids begins as if its activation
# were centered with slope 1. As controls we try four times the weights *without* the biases,
# and twelve times: the figure shows that large weights, too, keep $\chi$ near 1. (Of 8, 12, 16
# and 24 times, 12 did best.) All get the same digits and steps, and the best of three learning
# rates, chosen on digits 50,000 to 60,000.


# %%
def deep_start(factor, centered, rng):
    """20 layers of 64 sigmoids for digits, and ten logits; the first layer is glorot's.

    All later weights are `factor` times glorot's; `centered`: their inputs act as if their
    mean were 0.
    """
    sizes, names = [784] + [64] * 20 + [10], ["sigmoid"] * 20 + ["linear"]
    first, *later = network.initial_layers(sizes, names, rng)
    later = [(factor * w, b, name) for w, b, name in later]
    if centered:
        later = [(w, b - w.sum(axis=0) / 2, name) for w, b, name in later]
    return [first, *later]


STARTS = {  # name: (factor, centered)
    "glorot": (1, False),
    "4 × glorot": (4, False),
    "12 × glorot": (12, False),
    "4 × glorot, centered": (4, True),
}
x, y, held_out = x_train[:6000], y_train[:6000], slice(50_000, 60_000)
deep_read, first_spread = {}, {}
for kind in progress(STARTS, "starts"):
    layers = deep_start(*STARTS[kind], np.random.default_rng(seed(9)))
    first_spread[kind] = journey(layers[:-1], x[:200], rng)[0][-1]
    options = [
        train(x, y, layers, batch_size=32, learning_rate=rate)
        for rate in (0.01, 0.03, 0.1)
    ]
    scores = [
        accuracy(each, x_train[held_out], y_train[held_out]) for each in options
    ]
    deep_read[kind] = accuracy(options[np.argmax(scores)], x_test, y_test)

# %% [markdown]
# **Predict.** Which of the four starts learn to read, if any?

# %% tags=["predict"]
for kind in STARTS:
    report(f"spread that reaches layer 20, {kind}", first_spread[kind])
    report(f"test accuracy, {kind}", deep_read[kind])

# %% [markdown]
# <details><summary>Answer</summary>
#
# Glorot's start guesses, and so do weights four times as large: the sigmoid's outputs are all
# positive, so the sums land far from zero, where slopes are small. With the same weights and
# the biases that center the sums, differences reach the top and gradients the bottom, and the
# very same network of twenty sigmoid layers learns. Weights twelve times as large wake it, too,
# since $n\operatorname{Var}[w]$ makes up for small slopes. But they get less far with the same
# digits, and how far depends much on the start: try other seeds.
#
# </details>

# %% tags=["claims"]
claim("accuracy, glorot", deep_read["glorot"], at_most=0.15)
gain = deep_read["4 × glorot, centered"] - deep_read["4 × glorot"]
claim("accuracy, 4 × glorot, centered - not centered", gain, at_least=0.2)
ratio = first_spread["4 × glorot, centered"] / first_spread["4 × glorot"]
claim("log10 of the spread, centered / 4 × glorot", np.log10(ratio), at_least=1.5)

# %% [markdown]
# ## 8. What does a gradient cost?
#
# Each arrow of a graph carries one local derivative, and a sweep multiplies once for each
# arrow. But there are two ways to sweep.

# %% tags=["figure", "diagram"]
d = Diagram("""
    x     h1    h2    out
    v     v1    v2    v3
    g0    g1    g2    u
""")
d.data(x="$x$", out="$L$")
d.operation(h1="layer 1", h2="layer 2")
d.note(v="$v$", v1="$J_1v$", v2="$J_2J_1v$", v3="slope\nalong $v$")
d.note(g0="$\\nabla L$", g1="$J_2^\\top J_3^\\top$", g2="$J_3^\\top$", u="1")
d.arrow("x -> h1 -> h2 -> out", "$J_1$", "$J_2$", "$J_3$")
d.arrow("v -> v1 -> v2 -> v3")
d.arrow("u ~> g2 ~> g1 ~> g0")
alt = "Above, a network; in the middle, forward mode from v on; below, reverse mode back."
plots.show(d.draw(), alt=alt)

# %% [markdown]
# *Two sweeps through one network; $J_1$, $J_2$ and $J_3$ are the Jacobians of its three steps.*
# **Forward mode** starts at the inputs with *one direction*
# $v$, and is a product of JVPs. A sweep says how fast all results change along $v$.
# **Reverse mode** starts at *one output*, and is a product of VJPs. A sweep gives the
# derivatives of this output with respect to everything. Who has many weights and one loss
# takes reverse mode; who has one input and many outputs takes forward mode (Griewank &
# Walther, 2008; Baydin et al., 2018).
#
# On the graph of a `Value`, forward mode with respect to one number is as short as reverse
# mode. Both sweep a list of nodes that is already in order.


# %%
def sweep_forward(nodes, variable):
    """∂(last node)/∂variable: how fast each node moves if the variable has speed 1."""
    for node in nodes:
        node.speed = 1.0 if node is variable else 0.0
        for parent, local in node.parents:
            node.speed += local * parent.speed
    return nodes[-1].speed


def sweep_back(nodes):
    """grad of every node, as in `backpropagate`, from nodes in order."""
    for node in nodes:
        node.grad = 0.0
    nodes[-1].grad = 1.0
    for node in reversed(nodes):
        for parent, local in node.parents:
            parent.grad += local * node.grad


def loss_of_values(weights):
    return (sum((0.5 * w).tanh() for w in weights) - 1) ** 2


# %%
def cpu_seconds(work, repeat):
    """CPU seconds of the fastest of some runs."""
    runs = []
    for _ in range(repeat):
        began = time.process_time()
        work()
        runs.append(time.process_time() - began)
    return min(runs)


def both_modes(n):
    """CPU seconds for the derivatives with respect to n weights: forward, reverse."""
    weights = [Value(number) for number in rng.normal(size=n)]
    nodes = history(loss_of_values(weights))
    arrows = sum(len(node.parents) for node in nodes)
    print(f"{n:3} weights: {n * arrows:6} products forward, {arrows:4} in reverse")
    forward = cpu_seconds(lambda: [sweep_forward(nodes, w) for w in weights], 2)
    return forward, cpu_seconds(lambda: sweep_back(nodes), 100)


rng = np.random.default_rng(seed(10))
seconds = {n: both_modes(n) for n in (50, 100, 200, 400)}

# %% [markdown]
# **Predict.** All derivatives with respect to 400 weights are wanted. By counting, forward
# mode takes 400 times as many products. How many times as long does it take?

# %% tags=["predict"]
weights = [Value(number) for number in rng.normal(size=50)]
nodes = history(loss_of_values(weights))
forward = [sweep_forward(nodes, w) for w in weights]
sweep_back(nodes)
agree = relative_error(forward, [w.grad for w in weights])
slower = {n: f / r for n, (f, r) in seconds.items()}
report(
    "forward / reverse in time, for 50, 100, 200, 400 weights",
    list(slower.values()),
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# About 400 times as long, as counted, within a factor that depends on the machine. Forward
# mode needs one sweep for each weight: twice the weights are twice the sweeps, each over twice
# the graph.
#
# </details>

# %% tags=["claims"]
claim("forward mode against reverse mode", agree, at_most=1e-12)
ratio = slower[400] / 400
claim(
    "forward / reverse for 400 weights, over 400", ratio, at_least=0.15, at_most=4
)
doublings = np.log2(slower[400] / slower[50])
claim("doublings of forward / reverse, 50 to 400 weights", doublings, at_least=1.5)

# %% [markdown]
# ### A gradient beside its loss
#
# How far is reverse mode from the price of the loss itself? Count multiplications of matrix
# products, for one example. Forward, layer $l$ takes $n_{l-1}n_l$ for $aW$. Backward it takes
# as many for $a^\top\delta$, and once more as many for $\delta W^\top$, except in the first
# layer, whose inputs nobody asks about. So loss and gradient together cost about *three* times
# the loss if there are many equal layers. For our network for digits, whose first layer is
# nearly everything, it is about *two*.
#
# **Predict.** Does the clock confirm it: is the gradient relatively dearer for ten layers of
# 300 units than for the network for digits?


# %%
def price(sizes):
    """(loss and gradient) / loss: by counting products, and by CPU seconds."""
    names = ["relu"] * (len(sizes) - 2) + ["linear"]
    layers = network.initial_layers(sizes, names, rng, scheme="he")
    layers = [
        (w.astype("float32"), b.astype("float32"), name) for w, b, name in layers
    ]
    x = rng.normal(size=(256, sizes[0])).astype("float32")
    labels = rng.integers(0, sizes[-1], 256)
    products = [i * j for i, j in itertools.pairwise(sizes)]
    counted = (3 * sum(products) - products[0]) / sum(products)
    loss = cpu_seconds(
        lambda: softmax_cross_entropy(remember(x, layers)[0][-1], labels), 40
    )
    both = cpu_seconds(lambda: loss_and_gradients(x, labels, layers), 40)
    return counted, both / loss


# %% tags=["predict"]
digits, deep = price([784, 128, 10]), price([300] * 11)
report("network for digits, counted and measured", digits)
report("ten layers of 300, counted and measured", deep)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Yes: about two against about three. However many weights there are, the gradient of all of
# them costs a small multiple of the loss.
#
# </details>

# %% tags=["claims"]
claim("price by the clock, deep - digits", deep[1] - digits[1], at_least=0)

# %% [markdown]
# ### The other price
#
# The way back needs every $a$ and $z$, so memory grows with depth. **Checkpointing** pays with
# time instead: keep the activations of every $k$-th layer only, and on the way back compute
# the $k - 1$ between two of them once more (Griewank & Walther, 2008; Chen et al., 2016). With
# $L$ layers that keeps $L/k$ checkpoints and $k$ activations of the piece that is being worked
# on. The sum $L/k + k$ is smallest at $k = \sqrt L$: for 100 layers 20 stored arrays in place
# of 100, for one more forward pass. Exercise 03.10 builds it.

# %% [markdown]
# ## Common mistakes
#
# ### A scalar rule in matrix dress
#
# $\partial L/\partial W = \partial L/\partial y \cdot \partial y/\partial W$ looks right, and
# is, for single numbers. For a layer $y = xW$ the last factor has four indices.

# %% tags=["E071"]
rng = np.random.default_rng(seed(11))
x, W, by_y = (rng.normal(size=shape) for shape in [(8, 4), (4, 3), (8, 3)])
dy_dW = np.einsum("ni,jk->njik", x, np.eye(3))  # ∂y[n,j] / ∂W[i,k]
print(by_y.shape, dy_dW.shape)

# %% tags=["raises-exception"]
by_y @ dy_dW

# %% [markdown]
# The dot must mean a sum over *both* indices of $y$. Then it is the formula of section 4. And
# if the layer has an activation, $y = f(xW + b)$, then the factor $f'(z)$ is hidden in
# $\partial y/\partial W$ and easily forgotten.

# %%
summed = np.einsum("nj,njik->ik", by_y, dy_dW)  # should be xᵀ ∂L/∂y
delta = by_y * network.slope("sigmoid", x @ W)  # with a sigmoid behind
without_slope = relative_error(x.T @ by_y, x.T @ delta)

# %% tags=["claims"]
claim(
    "summed, against section 4", relative_error(summed, x.T @ by_y), at_most=1e-12
)
claim("relative error without the factor f'", without_slope, at_least=0.5)

# %% [markdown]
# ### A bias for every example
#
# Without the sum over the batch, $\delta$ itself is subtracted from the bias. Nothing
# complains.

# %% tags=["E072"]
b = np.zeros(3)
print((b - 0.1 * delta).shape)

# %% [markdown]
# The bias has grown a row for each example of this batch. Only a batch of another size fails,
# perhaps much later and far from the mistake. The gradient has the shape of what it belongs
# to, after a *sum*. (A mean has the right shape as well, and is wrong if the loss has been
# divided by the batch already.)

# %%
biases = {"sum": delta.sum(axis=0), "mean": delta.mean(axis=0)}
by_bias = numerical_gradient(
    lambda b: np.sum(by_y * network.activate("sigmoid", x @ W + b)), b
)
off = {name: relative_error(db, by_bias) for name, db in biases.items()}

# %% tags=["claims"]
claim("error of the summed bias", off["sum"], at_most=1e-6)
claim("error of the averaged bias", off["mean"], at_least=0.5)

# %% [markdown]
# ### Backpropagation does not update
#
# "Backpropagation changes the weights until the loss is small", one often reads. So compute a
# gradient, and look.

# %% tags=["E086"]
before = flat(layer[:2] for layer in reader)
_, gradients = loss_and_gradients(x_train[:64], y_train[:64], reader)
moved = np.abs(flat(layer[:2] for layer in reader) - before).max()

# %% tags=["claims"]
claim("largest change of a weight by a gradient", moved, at_most=0)
top = np.log10(np.abs(flat(gradients)).max())
claim("log10 of the gradient's largest number", top, at_least=-4)

# %% [markdown]
# The gradient is not zero, and yet no weight has moved: backpropagation only measures. What to
# do about the gradient is the optimizer's business.

# %% [markdown]
# ## Exercises
#
# ### Exercise 03.6: two layers by hand
#
# *15 minutes, with a pencil.* One example, $x = (2, -1)$, and two layers, the first with
# ReLU:
#
# $$W^{(1)} = \begin{pmatrix}1&0\\-1&2\end{pmatrix},\quad b^{(1)} = (0, 1),\quad
# W^{(2)} = \begin{pmatrix}2\\3\end{pmatrix},\quad b^{(2)} = -1,\quad L = \tfrac12(z^{(2)} -
# 3)^2 .$$
#
# Work out the gradients of $W^{(1)}$, of $W^{(2)}$, and of the inputs $x$.

# %% tags=["exercise"]
on_paper = ...  # ([[., .], [., .]], [[.], [.]], [., .])

check("03.6", on_paper)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Go forward first, and write down $z^{(1)}$, $a^{(1)}$ and $z^{(2)}$. Then begin with
# $\partial L/\partial z^{(2)} = z^{(2)} - 3$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# One of the two hidden units is off. Nothing passes it, neither forward nor backward.
#
# </details>
# <details><summary>Hint 3</summary>
#
# $z^{(2)} = 5$. The gradient of $W^{(1)}$ has its inputs in rows and its units in columns.
#
# </details>

# %% tags=["solution"]
on_paper_solution = ([[8, 0], [-4, 0]], [[6], [0]], [4, -4])

check("03.6", on_paper_solution, solution=True)

# %% [markdown]
# ### Exercise 03.7: backward through L layers
#
# *30 minutes.* Section 4 codes two layers and derives the recursion for any number of them.
# Write it: go forward through all layers, keep what the way back needs, and go backward. Each
# layer brings its own activation and the derivative of it. The loss is anybody's: you get a
# function that turns the outputs of the last layer into $\partial L/\partial a^{(L)}$.


# %% tags=["exercise"]
def deep_gradients(x, layers, slope_of_loss):
    """Return [(∂L/∂W, ∂L/∂b), ...], the first layer first.

    x: (batch, inputs); layers: [(W, b, f, f_prime), ...], one or more, with functions f and
    f_prime of arrays; slope_of_loss: a function, (batch, outputs) -> (batch, outputs).
    """
    raise NotImplementedError


check("03.7", deep_gradients)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two lists are enough: the inputs of each layer, and its sums $z$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Walk over the layers in reverse. One variable holds the adjoint of the current layer's
# output. Multiply it by the slope, take the two gradients, and send it through the weights.
#
# </details>
# <details><summary>Hint 3</summary>
#
# If the top layer is right and the one below is not, look at what you carry from one round of
# the loop to the next: which weights does it pass, and where is $f'$ taken?
#
# </details>


# %% tags=["solution"]
def deep_gradients_solution(x, layers, slope_of_loss):
    inputs, sums = [x], []
    for W, b, f, _ in layers:
        sums.append(inputs[-1] @ W + b)
        inputs.append(f(sums[-1]))
    adjoint, gradients = slope_of_loss(inputs.pop()), []
    for (W, _, _, f_prime), a, z in reversed(
        [*zip(layers, inputs, sums, strict=True)]
    ):
        delta = adjoint * f_prime(z)  # (batch, units)
        gradients.insert(0, (a.T @ delta, delta.sum(axis=0)))
        adjoint = delta @ W.T
    return gradients


check("03.7", deep_gradients_solution, solution=True)

# %% [markdown]
# ### Exercise 03.8: layer normalization
#
# *25 minutes.* Layer normalization, which every Transformer uses (chapter 09b), takes mean and
# variance over the *units of each example*. Each unit still has a $\gamma$ and a $\beta$ of its
# own. Section 5 derives the way back for batch normalization. Derive this one, and code it.


# %% tags=["exercise"]
def layer_norm_vjp(x, gamma, by_y, epsilon):
    """Return ∂L/∂x, ∂L/∂gamma, ∂L/∂beta for y = gamma (x - mean) / s + beta.

    x and by_y = ∂L/∂y: (batch, units); gamma: (units,); s² = variance + epsilon, with mean
    and variance of each row.
    """
    raise NotImplementedError


check("03.8", layer_norm_vjp)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The five steps of section 5 hold for any row of numbers that is normalized. Only the axis is
# another one: which sums run over units now, and which over examples?
#
# </details>
# <details><summary>Hint 2</summary>
#
# $\gamma$ and $\beta$ belong to a unit and serve all examples. So their gradients are still
# sums over the batch.
#
# </details>
# <details><summary>Hint 3</summary>
#
# $\gamma$ differs from number to number within a row, so it has to be multiplied in *before*
# any mean over the row is taken.
#
# </details>


# %% tags=["solution"]
def layer_norm_vjp_solution(x, gamma, by_y, epsilon):
    s = np.sqrt(x.var(axis=1, keepdims=True) + epsilon)  # (batch, 1)
    x_hat = (x - x.mean(axis=1, keepdims=True)) / s  # (batch, units)
    g = by_y * gamma
    along = np.mean(g * x_hat, axis=1, keepdims=True)
    by_x = (g - g.mean(axis=1, keepdims=True) - x_hat * along) / s
    return by_x, np.sum(by_y * x_hat, axis=0), by_y.sum(axis=0)


check("03.8", layer_norm_vjp_solution, solution=True)

# %% [markdown]
# ### Exercise 03.3: is it the gradient?
#
# *20 minutes.* Someone hands you a function `f` of an array and a function `gradient`. Is it
# the gradient of `f` at `x`? Perturb, compare, return True or False. Derivatives may be tiny or
# huge, so accept a relative error up to 0.001, and no more.


# %% tags=["exercise"]
def is_gradient(f, gradient, x):
    """Return True if gradient(x) is the gradient of f at x, else False."""
    raise NotImplementedError


check("03.3", is_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The arrays are small, so you can afford a central difference for each number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `for i in np.ndindex(x.shape)` walks over all numbers of any array. Perturb copies of `x`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# What is small? Compare the length of the difference of both gradients with the length of one
# of them.
#
# </details>


# %% tags=["solution"]
def is_gradient_solution(f, gradient, x):
    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape)  # one for each number
    measured = [(f(x + h) - f(x - h)) / 2e-5 for h in steps]
    error = np.linalg.norm(np.ravel(gradient(x)) - measured)
    return bool(error <= 1e-3 * np.linalg.norm(measured))


check("03.3", is_gradient_solution, solution=True)

# %% [markdown]
# ### Exercise 03.5: find three mistakes
#
# *30 minutes.* Two layers, and a squared error averaged over *all* numbers. With this gradient
# the network trains, but badly. Mend its three mistakes. Use a gradient check, from the top
# layer down.
#
# ```python
# a = np.tanh(x @ w1 + b1)  # (batch, hidden)
# p = a @ w2 + b2  # (batch, outputs)
# loss = np.mean((p - y) ** 2)
# delta2 = (p - y) / len(x)  # (batch, outputs)
# delta1 = delta2 @ w2.T * (1 - a)  # (batch, hidden)
# dw1, db1 = x.T @ delta1, delta1.mean(axis=0)
# dw2, db2 = a.T @ delta2, delta2.sum(axis=0)
# ```


# %% tags=["exercise"]
def mended(x, y, w1, b1, w2, b2):
    """Return (loss, dw1, db1, dw2, db2)."""
    raise NotImplementedError


check("03.5", mended)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Top: over how many numbers does the mean run, and what does a square leave in its derivative?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Middle: `a` is already tanh of the sum. What is the slope of tanh, written with `a`?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Bottom: the loss has been averaged once. Is there a second average?
#
# </details>


# %% tags=["solution"]
def mended_solution(x, y, w1, b1, w2, b2):
    a = np.tanh(x @ w1 + b1)  # (batch, hidden)
    p = a @ w2 + b2  # (batch, outputs)
    delta2 = 2 * (p - y) / p.size  # (batch, outputs)
    delta1 = delta2 @ w2.T * (1 - a**2)  # (batch, hidden)
    dw1, db1 = x.T @ delta1, delta1.sum(axis=0)
    dw2, db2 = a.T @ delta2, delta2.sum(axis=0)
    return np.mean((p - y) ** 2), dw1, db1, dw2, db2


check("03.5", mended_solution, solution=True)

# %% [markdown]
# ### Exercise 03.9: a residual connection, with its control
#
# *30 minutes, an experiment.* Section 7 names residual connections among the cures. A plain
# layer computes $h \leftarrow \sigma(hW)$, a residual one $h \leftarrow h + \sigma(hW)$. How
# much of a gradient reaches the inputs? Measure both, with the same weights, the same inputs
# and the same adjoint $u$ at the top, so that the connection is all that differs. Then try it
# with 5, 20 and 60 layers of 64 units and Glorot's start, and write down what you find.


# %% tags=["exercise"]
def gradient_left(weights, x, u):
    """Return (plain, residual): ‖∂L/∂x‖ / ‖u‖ without and with residual connections.

    weights: a list of (units, units); x: (batch, units); u = ∂L/∂h at the top, as x.
    """
    raise NotImplementedError


check("03.9", gradient_left)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Derive the VJP of $h + \sigma(hW)$: $h$ is used twice, and its adjoint gets a share from each
# use.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The sums $hW$ of the two networks differ from the second layer on, so each network needs a
# forward pass of its own.
#
# </details>
# <details><summary>Hint 3</summary>
#
# On the way back one network replaces the adjoint in every layer, and the other one adds to it.
#
# </details>


# %% tags=["solution"]
def gradient_left_solution(weights, x, u):
    shares = []
    for keep in (0, 1):  # how much of h a layer passes on unchanged
        h, slopes = x, []
        for W in weights:
            s = 1 / (1 + np.exp(-h @ W))
            slopes.append(s * (1 - s))
            h = keep * h + s
        adjoint = u
        for W, slope in zip(reversed(weights), reversed(slopes), strict=True):
            adjoint = keep * adjoint + (adjoint * slope) @ W.T
        shares.append(np.linalg.norm(adjoint) / np.linalg.norm(u))
    return tuple(shares)


check("03.9", gradient_left_solution, solution=True)

# %% [markdown]
# <details><summary>What will you find?</summary>
#
# Without the connection the share falls by a factor of about four with each layer. With it,
# the share stays near 1, since the adjoint is passed on as it is and a little is added. The
# additions pile up with more layers, so the share grows, but slowly.
#
# </details>

# %% [markdown]
# ### Exercise 03.10: checkpointing
#
# *40 minutes, a small project.* Build what section 8 describes. A layer is a pair of functions:
# `forward(a)` gives its output from its input, and `vjp(a, u)` gives the adjoint of its input
# $a$ from the adjoint $u$ of its output. Go forward and keep the input of every `every`-th layer
# only (layers 0, `every`, 2 · `every`, …). Go backward, piece by piece, and compute the inputs
# within a piece once more. The check counts: each layer may run forward twice, and at any time
# no more than $L/\text{every} + \text{every} + 2$ outputs may be alive.


# %% tags=["exercise"]
def checkpointed(x, layers, u, every):
    """Return ∂L/∂x from u = ∂L/∂(last output). layers: [(forward, vjp), ...]."""
    raise NotImplementedError


check("03.10", checkpointed)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Do it for `every` = 1 first, which keeps everything, and compare with any other number.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The last piece may be shorter than the others. `range(0, len(layers), every)` gives the first
# layers of all pieces.
#
# </details>
# <details><summary>Hint 3</summary>
#
# An array stays alive as long as any name or list still holds it: `pop` a checkpoint when its
# piece begins, and let the list of a piece be replaced by the next one before you fill it.
#
# </details>


# %% tags=["solution"]
def checkpointed_solution(x, layers, u, every):
    kept, a = [], x
    for i, (forward, _) in enumerate(layers):
        if i % every == 0:
            kept.append(a)
        a = forward(a) if i < len(layers) - 1 else a  # nobody needs the last output
    for first in reversed(range(0, len(layers), every)):
        piece, inputs = layers[first : first + every], [kept.pop()]
        for forward, _ in piece[:-1]:
            inputs.append(forward(inputs[-1]))
        for _, vjp in reversed(piece):
            u = vjp(inputs.pop(), u)
    return u


check("03.10", checkpointed_solution, solution=True)
