"""Chapter 03's definitions against GradientTape, finite differences, brute force, Keras."""

import operator

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from dl_course import network
from tools.chapters import definitions

backprop = definitions("03")
Value, relative_error = backprop.Value, backprop.relative_error

# -------------------------------------------------------------------- perturbation


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_numerical_gradient_equals_a_closed_form(rows, columns, seed):
    rng = np.random.default_rng(seed)
    x, c = rng.normal(size=(2, rows, columns))
    kept = x.copy()
    found = backprop.numerical_gradient(lambda x: np.sum(c * np.sin(x)), x)
    assert relative_error(found, c * np.cos(x)) < 1e-9
    assert np.array_equal(x, kept)


def test_numerical_gradient_of_large_numbers_and_of_one_number():
    found = backprop.numerical_gradient(lambda x: np.sum(np.log(x)), [1e6, 2e9])
    np.testing.assert_allclose(found, [1e-6, 0.5e-9], rtol=1e-9)
    found = backprop.numerical_gradient(lambda x: x**3, 2.0)
    assert found.shape == () and found == pytest.approx(12)


def test_relative_error():
    assert relative_error([3, 4], [3, 4]) == 0 == relative_error([0], [0])
    assert relative_error([3, 4], [0, 0]) == 1
    assert relative_error([3, 4], [-3, -4]) == 2
    with pytest.raises(
        ValueError, match=r"b: expected the shape of a, \(2,\), got \(2, 1\)"
    ):
        relative_error(np.ones(2), np.ones((2, 1)))


# ---------------------------------------------------------------------- Value: graphs

IN_PLACE = {"+=": operator.iadd, "-=": operator.isub, "*=": operator.imul}
BINARY = IN_PLACE | {"+": operator.add, "-": operator.sub, "*": operator.mul,
                     "/": lambda a, b: a / (b * b + 1)}  # fmt: skip
UNARY = {  # name: (with a Value, with a tensor)
    "tanh": (Value.tanh, tf.tanh),
    "exp": (lambda v: (v.tanh()).exp(), lambda t: tf.exp(tf.tanh(t))),
    "log": (lambda v: (v * v + 1).log(), lambda t: tf.math.log(t * t + 1)),
    "power": (lambda v: v**3, lambda t: t**3),
    "root": (lambda v: (v * v + 0.5) ** 0.5, lambda t: (t * t + 0.5) ** 0.5),
    "negative": (operator.neg, operator.neg),
    "constants": (lambda v: 2 - 3 / (v * v + 1) + 0.5 * v - (1 + v) / 4,
                  lambda t: 2 - 3 / (t * t + 1) + 0.5 * t - (1 + t) / 4),
}  # fmt: skip


def follow(recipe, inputs, which):
    """Compute by a recipe: each step takes numbers computed before, old ones again too."""
    numbers = list(inputs)
    for name, i, j in recipe:
        i, j = i % len(numbers), j % len(numbers)
        if name in BINARY:
            x = numbers[i]
            x = BINARY[name](x, numbers[j])
        else:
            x = UNARY[name][which](numbers[i])
        numbers.append(x)
    return numbers[-1] + sum(numbers) * 0.1, numbers


@st.composite
def recipes(draw):
    names = st.sampled_from([*BINARY, *UNARY])
    step = st.tuples(names, st.integers(0, 20), st.integers(0, 20))
    recipe = draw(st.lists(step, min_size=1, max_size=12))
    numbers = st.floats(-2, 2, allow_nan=False).map(lambda x: round(x, 3))
    return recipe, draw(st.lists(numbers, min_size=1, max_size=4))


@given(recipes())
@settings(max_examples=150, deadline=None)
def test_random_graphs_equal_gradient_tape_and_finite_differences(case):
    recipe, numbers = case
    values = [Value(x) for x in numbers]
    output, steps = follow(recipe, values, 0)
    assume(all(abs(v.data) < 1e3 for v in steps))
    backprop.backpropagate(output)
    found = [v.grad for v in values]

    tensors = [tf.constant(x, tf.float64) for x in numbers]
    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        result = follow(recipe, tensors, 1)[0]
    taped = [float(g) for g in tape.gradient(result, tensors)]
    assert output.data == pytest.approx(float(result), rel=1e-12, abs=1e-12)
    # Derivatives can cancel: errors count against the largest number that was added.
    size = max(
        1, *(abs(v.data) for v in steps), *(abs(v.grad) for v in backprop.history(output))
    )
    assert np.max(np.abs(np.subtract(found, taped))) <= 1e-10 * size
    if np.linalg.norm(taped) > 1e-3 * size:
        assert relative_error(found, taped) <= 1e-6

    def f(x):
        return follow(recipe, [Value(number) for number in x], 0)[0].data

    perturbed = backprop.numerical_gradient(f, numbers)
    if size < 100 and np.linalg.norm(taped) > 1e-2:
        assert relative_error(found, perturbed) <= 1e-6
    for value, gradient in zip(values, found, strict=True):
        assert backprop.sweep_forward(backprop.history(output), value) == pytest.approx(
            gradient, rel=1e-9, abs=1e-9 * size
        )


def test_a_node_used_twice_gets_both_shares():
    x = Value(3.0)
    y = x * x + x
    backprop.backpropagate(y)
    assert (y.data, x.grad) == (12, 7)
    y = x + x
    backprop.backpropagate(y)
    assert x.grad == 2


def test_backward_twice_gives_the_same_gradients():
    x = Value(0.5)
    y = (x * 3).tanh() * x
    backprop.backpropagate(y)
    first = x.grad
    backprop.backpropagate(y)
    assert x.grad == first


def test_updates_that_look_in_place_leave_the_old_value_in_the_graph():
    first = x = Value(2.0)
    x += 3  # 5
    x *= first  # 10
    x -= Value(1.0)  # 9
    x /= 3.0  # 3 = ((first + 3) first - 1) / 3
    backprop.backpropagate(x)
    assert x.data == 3 and first.data == 2
    assert first.grad == pytest.approx((2 * 2 + 3) / 3)


@pytest.mark.parametrize("length", [10_000, 50_000])
def test_a_long_chain_needs_no_recursion(length):
    first = x = Value(1.0)
    for _ in range(length):
        x = x * (1 + 1 / length)
    backprop.backpropagate(x)
    assert first.grad == pytest.approx((1 + 1 / length) ** length, rel=1e-9)
    assert len(backprop.history(x)) == 2 * length + 1


def test_a_graph_with_2_to_the_100_paths_is_swept_once():
    first = x = Value(1.0)
    for _ in range(100):
        x = x + x
    backprop.backpropagate(x)
    assert first.grad == 2.0**100


def test_history_has_parents_first_and_each_value_once():
    a, b = Value(1.0), Value(2.0)
    output = (a * b + a) * (a * b)
    nodes = backprop.history(output)
    assert len(nodes) == len(set(nodes)) and nodes[-1] is output
    for i, node in enumerate(nodes):
        assert all(parent in nodes[:i] for parent, _ in node.parents)


def test_special_points():
    zero = Value(0.0)
    for function, slope in [
        (Value.tanh, 1), (Value.exp, 1),
        (lambda v: v**0, 0), (lambda v: v**1, 1), (lambda v: v**2, 0),
    ]:  # fmt: skip
        backprop.backpropagate(function(zero))
        assert zero.grad == slope


def test_numpy_numbers_and_arrays_of_values():
    x = Value(3.0)
    for y in (np.float64(2) * x, x * np.float32(2), np.int64(2) * x):
        backprop.backpropagate(y)
        assert isinstance(y, Value) and (y.data, x.grad) == (6, 2)
    vector = np.array([Value(1.0), Value(2.0)])
    assert (vector @ vector).data == 5


def test_what_is_no_number_fails_at_once():
    for wrong in (None, 1j, [1.0], "a"):
        with pytest.raises((TypeError, ValueError)):
            Value(wrong)
    for wrong in (lambda: Value(-2) ** 0.5, lambda: Value(2) ** Value(3)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match=r"domain|positive"):
        Value(-1).log()


def test_both_sweeps_take_nodes_in_order():
    a, b = Value(0.4), Value(-1.3)
    output = (a * b + a.exp()).tanh() / b - a
    nodes = backprop.history(output)
    backprop.sweep_back(nodes)
    swept = a.grad, b.grad
    backprop.backpropagate(output)
    assert swept == (a.grad, b.grad)
    for variable in (a, b):
        assert backprop.sweep_forward(nodes, variable) == pytest.approx(variable.grad)


# --------------------------------------------------------------------- single formulas


def test_the_step_check_is_blind_and_random_directions_are_not():
    rng = np.random.default_rng(0)
    c, x = rng.normal(size=(2, 40))

    def f(x):
        return np.sum(c * np.sin(x))

    right = c * np.cos(x)
    for kept in (5, 20, 40):
        g = np.where(np.arange(40) < kept, right, 0)
        assert backprop.step_check(f, x, g, step=1e-6) == pytest.approx(1, abs=1e-5)
        guess = backprop.estimated_error(f, x, g, rng, directions=2000)
        assert guess == pytest.approx(relative_error(g, right), rel=0.1, abs=1e-8)
    assert backprop.step_check(f, x, 2 * right, step=1e-6) == pytest.approx(0.5, rel=1e-4)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_two_layers_equal_gradient_tape(batch, hidden, outputs, seed):
    rng = np.random.default_rng(seed)
    shapes = (3, hidden), (hidden,), (hidden, outputs), (outputs,)
    weights = [rng.normal(size=shape) for shape in shapes]
    x, y = rng.normal(size=(batch, 3)), rng.normal(size=(batch, outputs))
    W1, b1, W2, b2 = variables = [tf.Variable(array) for array in weights]
    with tf.GradientTape() as tape:
        expected = tf.reduce_sum((tf.nn.relu(x @ W1 + b1) @ W2 + b2 - y) ** 2) / (2 * batch)
    loss, ours = backprop.two_layer_gradients(x, y, *weights)
    assert loss == pytest.approx(float(expected))
    for found, theirs in zip(ours, tape.gradient(expected, variables), strict=True):
        np.testing.assert_allclose(found, tf.convert_to_tensor(theirs), atol=1e-10)


def test_softmax_vjp_equals_gradient_tape():
    rng = np.random.default_rng(1)
    z, u = rng.normal(size=(2, 3, 4, 5))
    tensor = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        p = tf.nn.softmax(tensor)
    found = backprop.softmax_vjp(p.numpy(), u)
    np.testing.assert_allclose(found, tape.gradient(p, tensor, u), atol=1e-12)


@pytest.mark.parametrize("batch", [2, 7])
def test_batch_normalization_equals_keras(batch):
    rng = np.random.default_rng(2)
    x, u = rng.normal(size=(2, batch, 3))
    gamma, beta = rng.normal(size=(2, 3))
    layer = keras.layers.BatchNormalization(epsilon=1e-2, dtype="float64")
    layer.build(x.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = layer(tensor, training=True)
    sources = [tensor, layer.gamma.value, layer.beta.value]
    y, kept = backprop.batch_norm(x, gamma, beta, epsilon=1e-2)
    np.testing.assert_allclose(y, expected, atol=1e-9)
    theirs = tape.gradient(expected, sources, u)
    for ours, other in zip(backprop.batch_norm_vjp(kept, u), theirs, strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-7)


# --------------------------------------------------------------- networks of any shape

ELEMENTWISE = [name for name, (_, slope) in network.ACTIVATIONS.items() if slope]


@st.composite
def networks(draw):
    """(x, labels, layers) in float64, of random depth, widths and activations."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=6))
    sizes[-1] += 1  # at least two classes
    names = [draw(st.sampled_from(ELEMENTWISE)) for _ in sizes[2:]]
    layers = [
        (w, rng.normal(0, 0.5, b.shape), name)
        for w, b, name in network.initial_layers(sizes, [*names, "linear"], rng)
    ]
    batch = draw(st.integers(1, 5))
    x, labels = rng.normal(size=(batch, sizes[0])), rng.integers(0, sizes[-1], batch)
    return x, labels, layers


def taped(x, labels, layers, loss_function):
    """The loss and its gradients by TensorFlow: [x, W, b, W, b, ...], float64."""
    x = tf.constant(x)
    variables = [tf.Variable(array) for w, b, _ in layers for array in (w, b)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        a = x
        for i, (_, _, name) in enumerate(layers):
            z = a @ variables[2 * i] + variables[2 * i + 1]
            a = getattr(keras.activations, name)(z)
        loss = loss_function(labels, a)
    return float(loss), tape.gradient(loss, [x, *variables])


def cross_entropy(labels, logits):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_mean(each)


@given(networks())
@settings(max_examples=60, deadline=None)
def test_matrix_backprop_equals_gradient_tape(case):
    x, labels, layers = case
    loss, gradients = backprop.loss_and_gradients(x, labels, layers)
    expected_loss, expected = taped(x, labels, layers, cross_entropy)
    assert loss == pytest.approx(expected_loss, rel=1e-7)  # Keras: a float32 0.2
    found = [array for pair in gradients for array in pair]
    assert [g.shape for g in found] == [g.shape for g in expected[1:]]
    everything = np.concatenate([np.ravel(g) for g in expected[1:]])
    assert relative_error(np.concatenate([np.ravel(g) for g in found]), everything) <= 1e-6
    for ours, theirs in zip(found, expected[1:], strict=True):
        if np.linalg.norm(theirs) > 1e-9:
            assert relative_error(ours, theirs) <= 1e-6


@given(networks())
@settings(max_examples=40, deadline=None)
def test_matrix_backprop_equals_finite_differences(case):
    x, labels, layers = case
    _, z = backprop.remember(x, layers)
    for (_, _, name), sums in zip(layers, z, strict=True):  # not at a kink
        assume("relu" not in name or np.abs(sums).min() > 1e-3)
    _, gradients = backprop.loss_and_gradients(x, labels, layers)
    found, perturbed = [], []
    for l, (weights, bias, name) in enumerate(layers):
        for place, array in enumerate((weights, bias)):

            def loss(array, l=l, place=place, pair=(weights, bias), name=name):
                pair = [*pair[:place], array, *pair[place + 1 :]]
                changed = [*layers[:l], (*pair, name), *layers[l + 1 :]]
                return backprop.loss_and_gradients(x, labels, changed)[0]

            found.append(gradients[l][place].ravel())
            perturbed.append(backprop.numerical_gradient(loss, array).ravel())
    found, perturbed = np.concatenate(found), np.concatenate(perturbed)
    assume(np.linalg.norm(perturbed) > 1e-4)
    assert relative_error(found, perturbed) <= 1e-6


@given(networks())
@settings(max_examples=30, deadline=None)
def test_backward_serves_any_loss_and_reaches_the_input(case):
    x, _, layers = case
    layers = [(w, b, name if name != "linear" else "tanh") for w, b, name in layers]
    target = np.ones((len(x), len(layers[-1][1])))
    a, z = backprop.remember(x, layers)
    gradients, deltas = backprop.backward(layers, a, z, 2 * (a[-1] - target) / target.size)
    _, expected = taped(x, target, layers, lambda y, p: tf.reduce_mean(tf.square(p - y)))
    at_input = deltas[0] @ layers[0][0].T
    assert relative_error(at_input, expected[0]) <= 1e-6
    assert relative_error(gradients[0][0], expected[1]) <= 1e-6
    assert [d.shape for d in deltas] == [s.shape for s in z]


def test_remember_computes_what_the_forward_pass_of_network_does():
    rng = np.random.default_rng(0)
    layers = network.initial_layers([4, 3, 2], ["silu", "softmax"], rng)
    x = rng.normal(size=(5, 4))
    for ours, theirs in zip(
        backprop.remember(x, layers)[0], network.forward(x, layers), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_softmax_cross_entropy_equals_tensorflow_even_for_extreme_logits(n, k, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 10.0 ** rng.integers(-2, 5, (n, 1))
    labels = rng.integers(0, k, n)
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = cross_entropy(labels, tensor)
    loss, by_logits = backprop.softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(float(expected), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(by_logits, tape.gradient(expected, tensor), atol=1e-12)


def test_float32_stays_float32():
    rng = np.random.default_rng(0)
    layers = network.initial_layers([3, 4, 2], ["relu", "linear"], rng)
    x, labels = rng.normal(size=(6, 3)).astype("float32"), np.arange(6) % 2
    trained = backprop.train(x, labels, layers, batch_size=2)
    assert {array.dtype for w, b, _ in trained for array in (w, b)} == {np.dtype("float32")}
    _, gradients = backprop.loss_and_gradients(x, labels, trained)
    assert {g.dtype for pair in gradients for g in pair} == {np.dtype("float32")}


@given(networks())
@settings(max_examples=20, deadline=None)
def test_push_forward_is_the_derivative_along_a_direction(case):
    x, _, layers = case
    _, z = backprop.remember(x, layers)
    for (_, _, name), sums in zip(layers, z, strict=True):  # not at a kink
        assume("relu" not in name or np.abs(sums).min() > 1e-3)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    right, left = (network.forward(x + h * v, layers)[-1] for h in (1e-6, -1e-6))
    found = backprop.push_forward(layers, z, v)
    np.testing.assert_allclose(found, (right - left) / 2e-6, atol=1e-5, rtol=1e-5)


def test_a_centered_start_makes_sigmoids_twice_tanh_of_half():
    def start(factor, centered):
        return backprop.deep_start(factor, centered, np.random.default_rng(3))

    x = np.random.default_rng(4).uniform(size=(5, 784))
    plain, centered = start(1, False), start(4, True)
    (W, b, _), *later = plain
    h = 2 * np.tanh((x @ W + b) / 2)
    for W, b, _ in later[:-1]:
        h = 2 * np.tanh((h @ W + b) / 2)
    expected = h @ later[-1][0] + later[-1][1]
    np.testing.assert_allclose(network.forward(x, centered)[-1], expected, atol=1e-9)
    assert [len(w) for w, _, _ in start(4, False)] == [784] + [64] * 20


# ----------------------------------------------------------------------------- training


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_100_steps_arrive_where_keras_fit_arrives(activation):
    rng = np.random.default_rng(1)
    layers = network.initial_layers([20, 16, 12, 5], [activation] * 2 + ["linear"], rng)
    x = rng.normal(size=(100 * 8 - 3, 20)).astype("float32")  # the last batch is smaller
    labels = rng.integers(0, 5, len(x))
    kept = [w.copy() for w, _, _ in layers]
    model = network.build_twin(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    model.fit(x, labels, batch_size=8, shuffle=False, verbose=0)
    trained = backprop.train(x, labels, layers, batch_size=8, learning_rate=0.1)
    ours = [array for w, b, _ in trained for array in (w, b)]
    for array, theirs in zip(ours, model.get_weights(), strict=True):
        np.testing.assert_allclose(array, theirs, rtol=0, atol=1e-5)
    assert all(np.array_equal(w, k) for (w, _, _), k in zip(layers, kept, strict=True))


def test_training_learns_what_no_linear_model_can():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 2))
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)  # XOR of the signs
    layers = network.initial_layers([2, 16, 2], ["tanh", "linear"], rng)
    options = {"epochs": 200, "batch_size": 32, "learning_rate": 0.5}
    trained = backprop.train(x, labels, layers, **options)
    logits = network.forward(x, trained)[-1]
    assert np.mean(logits.argmax(axis=1) == labels) > 0.97


def test_networks_name_what_is_wrong():
    rng = np.random.default_rng(0)
    layers = network.initial_layers([3, 4, 2], ["relu", "linear"], rng)
    x, labels = rng.normal(size=(5, 3)), np.zeros(5, int)
    with pytest.raises(ValueError, match=r"weights.*expected"):
        backprop.remember(x[:, :2], layers)
    a, z = backprop.remember(x, layers)
    with pytest.raises(ValueError, match=r"by_output: expected shape \(5, 2\), got \(5,\)"):
        backprop.backward(layers, a, z, np.ones(5))
    for wrong in (labels[:4], labels - 1, labels + 2, np.full(5, 0.5), np.eye(5)[:, :2]):
        with pytest.raises(ValueError, match="labels: expected integers 0 to 1 of shape"):
            backprop.loss_and_gradients(x, wrong, layers)
    with pytest.raises(ValueError, match="x: expected float32 or float64, got int"):
        backprop.train(x.astype(int), labels, layers)
    softmax = [*layers[:-1], (*layers[-1][:2], "softmax")]
    with pytest.raises(ValueError, match="name: expected an element-wise activation"):
        backprop.loss_and_gradients(x, labels, softmax)


# ----------------------------------------------------------------------------- drawing


def test_the_drawing_shows_every_value_and_no_two_boxes_in_one_place():
    w, x, b = Value(2.0, label="w"), Value(3.0, label="x"), Value(-1.0, label="b")
    y = (w * x + b).tanh() * x + w
    backprop.backpropagate(y)
    figure = backprop.draw_graph(y)
    texts = [text.get_text() for text in figure.axes[0].texts]
    for node in backprop.history(y):
        assert f"{node.label}\n{node.data:.3g}" in texts
        assert f"{node.grad:.3g}" in texts
    plt.close(figure)
    place, paths = backprop.layout_graph(backprop.history(y))
    spots = [place[stop] for stop in place]
    for i, (column, row) in enumerate(spots):
        for other_column, other_row in spots[:i]:
            assert column != other_column or abs(row - other_row) > 0.99
    assert len(paths) == sum(len(node.parents) for node in backprop.history(y))
    for path, _ in paths:
        assert np.all(np.diff([place[stop][0] for stop in path]) == 1)


def test_a_single_value_can_be_drawn():
    plt.close(backprop.draw_graph(Value(1.0, label="x")))
