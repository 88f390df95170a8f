"""Which weight is to blame? Derivatives by nudging, on a graph, and a layer at a time.

Networks are lists of (weights, bias, activation), one a layer, as in `network`. Matrices
may be float64 or float32; one example a row.
"""

import math
from collections import defaultdict
from itertools import pairwise
from numbers import Real

import numpy as np

from dl_course import common, network
from dl_course.plots import BLACK, BLUE, RED

# ------------------------------------------------------------------------ nudging


def numerical_gradient(f, x, *, step=6e-6):
    """∂f/∂x by central differences: (f(x + h) - f(x - h)) / 2h, one number at a time.

    `f` takes a float64 array of x's shape and returns a number. h is `step`, times |x|
    above 1; the default is about the cube root of float64's precision.
    """
    common.positive(step, "step")
    x = np.asarray(x, dtype=np.float64)
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        h = np.zeros_like(x)
        h[i] = step * max(1.0, abs(x[i]))
        values = np.array([f(x + h), f(x - h)])
        if values.shape != (2,):
            raise ValueError(f"f: expected one number, got shape {values.shape[1:]}")
        gradient[i] = (values[0] - values[1]) / (2 * h[i])
    return gradient


def relative_error(a, b):
    """‖a - b‖ / max(‖a‖, ‖b‖): 0 if equal, 1 if one is zero, 2 if opposite."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    common.alike(b, a, "b", "a")
    largest = max(np.linalg.norm(a), np.linalg.norm(b))
    return float(np.linalg.norm(a - b) / largest) if largest else 0.0


# ---------------------------------------------------- reverse mode, number by number


class Value:
    """A number that remembers which numbers it was computed from, and how.

    Args:
        data: the number.
        parents: pairs (parent, local derivative ∂self/∂parent), a number at this point.
        label: the operation, or a name of your own, for `draw_graph`.

    + - * / ** and exp, log, tanh, sigmoid, relu make new Values; so does `x += y`: the
    name x moves on, the old Value stays in the graph.
    """

    __slots__ = ("data", "grad", "label", "parents")

    def __init__(self, data, parents=(), label=""):
        if not isinstance(data, Real):
            raise ValueError(f"data: expected a real number, got {data!r}")
        self.data, self.grad = float(data), 0.0
        self.parents, self.label = tuple(parents), label

    def backward(self):
        """Set `grad` of every Value in this one's history to ∂self/∂it, in one sweep."""
        nodes = self.history()
        for node in nodes:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(nodes):  # all that used it came before: its grad is complete
            for parent, local in node.parents:
                parent.grad += local * node.grad

    def history(self):
        """All Values this one depends on, then itself: parents before children."""
        order, seen, stack = [], set(), [(self, False)]  # a recursion would end at 1,000
        while stack:
            node, parents_are_in = stack.pop()
            if parents_are_in:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((parent, False) for parent, _ in reversed(node.parents))
        return order

    def __add__(self, other):
        other = _value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)], "+")

    def __sub__(self, other):
        other = _value(other)
        return Value(self.data - other.data, [(self, 1.0), (other, -1.0)], "−")

    def __mul__(self, other):
        other = _value(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)], "×")

    def __truediv__(self, other):
        other = _value(other)
        ratio = self.data / other.data
        return Value(ratio, [(self, 1 / other.data), (other, -ratio / other.data)], "/")

    def __pow__(self, n):
        if not isinstance(n, Real):
            raise ValueError(f"n: expected a constant as exponent, got {n!r}")
        local = n * self.data ** (n - 1) if n else 0.0
        return Value(self.data**n, [(self, local)], f"power {n:g}")

    def __neg__(self):
        return Value(-self.data, [(self, -1.0)], "−")

    def __rsub__(self, other):  # 2 - x: the number 2 does not know Values, so x is asked
        return _value(other) - self

    def __rtruediv__(self, other):
        return _value(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def exp(self):
        e = math.exp(self.data)
        return Value(e, [(self, e)], "exp")

    def log(self):
        if self.data <= 0:
            raise ValueError(f"log: expected a number > 0, got {self.data}")
        return Value(math.log(self.data), [(self, 1 / self.data)], "log")

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, [(self, 1 - t * t)], "tanh")

    def sigmoid(self):
        s = 0.5 + 0.5 * math.tanh(0.5 * self.data)  # 1 / (1 + e^-x) without overflow
        return Value(s, [(self, s * (1 - s))], "σ")

    def relu(self):
        return Value(max(self.data, 0.0), [(self, float(self.data > 0))], "ReLU")

    def __repr__(self):
        return f"Value({self.data:.4g}, grad={self.grad:.4g})"


def _value(x):
    return x if isinstance(x, Value) else Value(x)


def forward_derivative(output, variable):
    """∂output/∂variable by forward mode: the graph is swept from inputs to output."""
    moved = {}  # how fast each Value moves as the variable does
    for node in output.history():
        by_parents = sum(local * moved[parent] for parent, local in node.parents)
        moved[node] = 1.0 if node is variable else by_parents
    return float(moved[output])


# -------------------------------------------------------- reverse mode, layer by layer


def remember(x, layers):
    """The forward pass, keeping what the backward pass needs:

    a[0] = x,  z[l] = a[l] W[l] + b[l],  a[l+1] = f(z[l])  for l = 0, 1, ...

    x is (batch, inputs). Returns the lists a, one longer than `layers`, and z.
    """
    a, z = [x], []
    for weights, bias, name in layers:
        z.append(network.dense(a[-1], weights, bias))  # a W + b: (batch, units)
        a.append(network.activate(name, z[-1]))  # (batch, units)
    return a, z


def backward(layers, a, z, blame):
    """Send the blame at the output back through all layers.

    δ[l] = ∂loss/∂a[l+1] ⊙ f'(z[l]),  ∂loss/∂W[l] = a[l]ᵀ δ[l],  ∂loss/∂b[l] = Σ_batch δ[l],
    and one layer down  ∂loss/∂a[l] = δ[l] W[l]ᵀ.

    layers, a, z: as `remember` takes and gives them. blame: ∂loss/∂a of the last layer,
    (batch, outputs). Activations must work element by element.
    Returns two lists, the first layer first: (∂loss/∂W, ∂loss/∂b), and δ (batch, units).
    """
    if blame.shape != a[-1].shape:
        raise ValueError(f"blame: expected shape {a[-1].shape}, got {blame.shape}")
    gradients, deltas = [], []
    for l in reversed(range(len(layers))):
        weights, _, name = layers[l]
        delta = blame * network.slope(name, z[l])  # (batch, units)
        gradients.append((a[l].T @ delta, delta.sum(axis=0)))  # (inputs, units), (units,)
        deltas.append(delta)
        if l > 0:
            blame = delta @ weights.T  # (batch, inputs)
    return gradients[::-1], deltas[::-1]


def softmax_cross_entropy(logits, labels):
    """(loss, ∂loss/∂logits) of the mean cross-entropy: the blame is (p - y) / batch.

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
    loss, blame = softmax_cross_entropy(a[-1], labels)
    return loss, backward(layers, a, z, blame)[0]


def train(x, labels, layers, *, epochs=1, batch_size=64, learning_rate=0.1):
    """Stochastic gradient descent with batches in the order of the data.

    Each step: W ← W - learning_rate ∂loss/∂W, b alike. Returns new layers of x's dtype.
    """
    if x.dtype.kind != "f":
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


# -------------------------------------------------------------------------- a drawing


def draw_graph(output):
    """The graph of a Value: `grad` under each box, local derivatives on the lines."""
    import matplotlib.pyplot as plt

    nodes = output.history()
    if len(nodes) > 40:
        raise ValueError(f"output: expected a graph of ≤ 40 Values, got {len(nodes)}")
    place, paths = _layout(nodes)
    columns = 1 + max(x for x, _ in place.values())
    top, bottom = (end(y for _, y in place.values()) for end in (min, max))
    figure, axis = plt.subplots(figsize=(1.3 * columns, 0.8 * (bottom - top) + 0.9))
    axis.set(xlim=(-0.45, columns - 0.55), ylim=(bottom + 0.65, top - 0.4))
    axis.set_axis_off()
    center = {"ha": "center", "va": "center", "fontsize": 9}
    for path, local in paths:
        x, y = np.transpose([place[stop] for stop in path])
        axis.plot(x, y, color="#999999", linewidth=1.2, zorder=1)
        white = {"fc": "white", "ec": "none", "pad": 1}
        axis.text(x[-2:].mean(), y[-2:].mean(), f"{local:.3g}", **center, bbox=white)
    for node in nodes:
        x, y = place[node]
        box = {"boxstyle": "round", "fc": "white", "ec": BLUE if node.parents else BLACK}
        text = f"{node.label}\n{node.data:.3g}".strip()
        axis.text(x, y, text, **center, bbox=box)
        axis.text(x, y + 0.43, f"{node.grad:.3g}", **center, color=RED)
    return figure


def _layout(nodes):
    """({stop: (column, row)}, [(stops of an edge, one a column, local derivative)])."""
    steps = {nodes[-1]: 0}
    for node in reversed(nodes):
        steps |= {p: max(steps.get(p, 0), steps[node] + 1) for p, _ in node.parents}
    column = {node: max(steps.values()) - steps[node] for node in nodes}
    neighbors, paths = defaultdict(list), []
    for node in nodes:
        for k, (parent, local) in enumerate(node.parents):
            between = {(node, k, c): c for c in range(column[parent] + 1, column[node])}
            column |= between
            paths.append(([parent, *between, node], local))
            for a, b in pairwise(paths[-1][0]):
                neighbors[a].append(b)
                neighbors[b].append(a)
    row = {stop: i / len(column) for i, stop in enumerate(column)}
    for c in [*range(max(steps.values()) + 1)] * 20:  # each stop near its neighbors' mean
        stops = [stop for stop in column if column[stop] == c]
        wish = {s: np.mean([row[n] for n in neighbors[s]] or 0) for s in stops}
        first = np.mean([*wish.values()]) - (len(stops) - 1) / 2
        row |= {s: first + i for i, s in enumerate(sorted(wish, key=wish.get))}
    return {s: (column[s], row[s]) for s in column}, paths
