"""Chapter 09's module against Keras and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import attention as at

SOME = settings(max_examples=40, derandomize=True, deadline=None, database=None)
FEW = settings(SOME, max_examples=20)
SMALL = st.integers(1, 6)
SEEDS = st.integers(0, 2**32 - 1)
RNG = np.random.default_rng(9)

pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis")


def normal(*shape, rng=RNG):
    return rng.normal(size=shape).astype("float32")


def random_mask(rng, *shape):
    """Random, but every query may look somewhere."""
    mask = rng.random(shape) < 0.6
    mask[..., 0] |= ~mask.any(axis=-1)
    return mask


# ---------------------------------------------------------------- scaled dot product


@given(SMALL, SMALL, SMALL, SMALL, SMALL, st.booleans(), SEEDS)
@SOME
def test_attention_is_kerass(batch, n, m, d_k, d_v, masked, seed):
    rng = np.random.default_rng(seed)
    q, k, v = (normal(batch, *shape, rng=rng) for shape in [(n, d_k), (m, d_k), (m, d_v)])
    mask = random_mask(rng, batch, n, m) if masked else None
    ours, weights = at.dot_product_attention(q, k, v, mask)
    layer = keras.layers.Attention(score_mode="dot")
    scale = np.float32(np.sqrt(d_k))
    theirs, their_weights = layer([q / scale, v, k], return_attention_scores=True)
    if not masked:
        assert np.abs(ours - theirs).max() <= 1e-5
        assert np.abs(weights - their_weights).max() <= 1e-5
    theirs = keras.ops.dot_product_attention(  # (batch, length, heads, features)
        *(x[:, :, None] for x in (q, k, v)), mask=None if mask is None else mask[:, None]
    )
    assert ours.dtype == np.float32
    assert np.abs(ours - np.asarray(theirs)[:, :, 0]).max() <= 1e-5


@given(
    SMALL,
    SMALL,
    SMALL,
    st.sampled_from(["self", "cross"]),
    SEEDS,
    st.sampled_from(["none", "padding", "causal", "both", "any"]),
    st.integers(1, 4),
)
@FEW
def test_multi_head_attention_is_kerass(n, m, features, kind, seed, masking, heads):
    rng = np.random.default_rng(seed)
    if kind == "self":
        m = n
    # not 1: Keras 3.15 on TensorFlow errs if heads of size 1 are as many as queries
    d_k, d_v = int(rng.integers(2, 6)), int(rng.integers(2, 6))
    layer = keras.layers.MultiHeadAttention(heads, d_k, value_dim=d_v)
    x = normal(2, n, features, rng=rng)
    memory = x if kind == "self" else normal(2, m, features + 1, rng=rng)
    layer.build(x.shape, memory.shape)
    layer.set_weights([normal(*w.shape, rng=rng) / 2 for w in layer.get_weights()])
    lengths = rng.integers(1, m + 1, size=2)
    masks = {
        "none": None,
        "padding": at.padding_mask(lengths, m),
        "causal": np.tri(n, m, dtype=bool),
        "both": at.padding_mask(lengths, m) & np.tri(n, m, dtype=bool),
        "any": random_mask(rng, 2, n, m),
    }
    mask = masks[masking]
    options = {"use_causal_mask": masking in ("causal", "both")}
    if masking in ("padding", "both"):
        options["value_mask"] = masks["padding"][:, 0]
    if masking == "any":
        options["attention_mask"] = mask
    theirs, a = layer(x, memory, return_attention_scores=True, **options)
    ours, weights = at.multi_head_attention(x, memory, layer.get_weights(), mask)
    assert ours.shape == theirs.shape
    assert weights.shape == a.shape
    assert np.abs(ours - theirs).max() <= 1e-5
    assert np.abs(weights - a).max() <= 1e-5


def test_keras_masks_padding_that_an_embedding_announces():
    numbers = np.array([[3, 1, 2, 0, 0], [4, 4, 0, 0, 0]])
    embed = keras.layers.Embedding(5, 6, mask_zero=True)
    layer = keras.layers.MultiHeadAttention(2, 3)
    x = embed(numbers)
    theirs = layer(x, x)
    mask = at.padding_mask([3, 2], 5)
    ours, weights = at.multi_head_attention(
        np.array(x), np.array(x), layer.get_weights(), mask
    )
    real = numbers > 0  # what stands at padded queries is nobody's business
    assert np.abs(ours - theirs)[real].max() <= 1e-5
    assert np.all(weights[0, :, :, 3:] == 0)


# ---------------------------------------------------------------- properties


@given(SMALL, SMALL, SMALL, SEEDS)
@SOME
def test_rows_sum_to_one_and_masked_cells_are_zero(n, m, d, seed):
    rng = np.random.default_rng(seed)
    q, k = 30 * rng.normal(size=(n, d)), rng.normal(size=(m, d))
    mask = random_mask(rng, n, m)
    _, a = at.dot_product_attention(q, k, k, mask)
    np.testing.assert_allclose(a.sum(axis=1), 1, atol=1e-12)
    assert np.all(a >= 0)
    assert np.all(a[~mask] == 0)


def test_a_row_that_may_look_nowhere_gets_zeros_not_nan():
    q, k, v = normal(3, 4), normal(5, 4), normal(5, 2)
    mask = np.ones((3, 5), bool)
    mask[1] = False
    with np.errstate(all="raise"):
        z, a = at.dot_product_attention(q, k, v, mask)
    assert np.all(a[1] == 0)
    assert np.all(z[1] == 0)
    without, _ = at.dot_product_attention(q, k, v)
    np.testing.assert_array_equal(z[[0, 2]], without[[0, 2]])


def test_softmax_is_stable_and_ignores_a_shift():
    scores = normal(3, 4).astype(float)
    a = at.masked_softmax(scores)
    np.testing.assert_allclose(at.masked_softmax(scores + 1e4), a, atol=1e-10)
    hidden = scores.copy()
    hidden[:, 0] = 1e30  # a masked score may be anything
    mask = np.arange(4) > 0
    np.testing.assert_allclose(
        at.masked_softmax(hidden, mask), at.masked_softmax(scores, mask)
    )
    np.testing.assert_allclose(at.masked_softmax([[1, 1]]), [[0.5, 0.5]])


@given(st.integers(2, 6), SMALL, SEEDS)
@FEW
def test_attention_is_permutation_equivariant_until_positions_are_added(n, features, seed):
    rng = np.random.default_rng(seed)
    layer = keras.layers.MultiHeadAttention(2, 3)
    x = normal(1, n, 2 * features, rng=rng)
    layer.build(x.shape, x.shape)
    weights = layer.get_weights()
    order = rng.permutation(n)

    def attend(x):
        return at.multi_head_attention(x, x, weights)[0]

    np.testing.assert_allclose(attend(x[:, order]), attend(x)[:, order], atol=1e-5)
    # a causal mask breaks it, and so do positions
    if np.any(order != np.arange(n)):
        p = at.sinusoidal_positions(n, 2 * features).astype("float32")
        broken = attend(x[:, order] + p) - attend(x + p)[:, order]
        assert np.abs(broken).max() > 1e-6


@given(st.integers(2, 7), SEEDS)
@FEW
def test_a_causal_mask_hides_the_future(n, seed):
    rng = np.random.default_rng(seed)
    x = normal(1, n, 4, rng=rng)
    layer = keras.layers.MultiHeadAttention(2, 3)
    layer.build(x.shape, x.shape)
    t = int(rng.integers(1, n))
    changed = x.copy()
    changed[:, t:] += 1
    before, after = (
        at.multi_head_attention(y, y, layer.get_weights(), at.causal_mask(n))[0]
        for y in (x, changed)
    )
    np.testing.assert_array_equal(before[:, :t], after[:, :t])
    assert np.abs(before[:, t:] - after[:, t:]).max() > 0


def test_the_scale_keeps_scores_at_variance_one():
    q, k = normal(20_000, 64), normal(20_000, 64)
    products = np.sum(q * k, axis=1)
    assert 60 < products.var() < 68
    assert 0.94 < (products / 8).var() < 1.06


# ---------------------------------------------------------------- scores


@given(SMALL, SMALL, SMALL, SEEDS)
@SOME
def test_scores_are_what_loops_say(n, m, d, seed):
    rng = np.random.default_rng(seed)
    q, k = rng.normal(size=(2, n, d)), rng.normal(size=(2, m, d + 1))
    w, w_q = rng.normal(size=(d, d + 1)), rng.normal(size=(d, 3))
    w_k, v = rng.normal(size=(d + 1, 3)), rng.normal(size=3)
    products = at.multiplicative_scores(q, k, w)
    sums = at.additive_scores(q, k, w_q, w_k, v)
    for b, i, j in np.ndindex(2, n, m):
        assert np.isclose(products[b, i, j], q[b, i] @ w @ k[b, j])
        assert np.isclose(sums[b, i, j], v @ np.tanh(q[b, i] @ w_q + k[b, j] @ w_k))
    np.testing.assert_allclose(
        at.dot_scores(q, q), at.multiplicative_scores(q, q, np.eye(d)), atol=1e-12
    )


def test_additive_scores_are_kerass():
    q, k, scale = normal(2, 3, 4), normal(2, 5, 4), normal(4)
    layer = keras.layers.AdditiveAttention()
    layer.build([q.shape, k.shape])
    layer.set_weights([scale])
    _, theirs = layer([q, k], return_attention_scores=True)
    ours = at.masked_softmax(at.additive_scores(q, k, np.eye(4), np.eye(4), scale))
    assert np.abs(ours - theirs).max() <= 1e-5


# ---------------------------------------------------------------- positions


def test_positions_are_sines_and_cosines():
    pe = at.sinusoidal_positions(50, 8)
    assert pe.shape == (50, 8)
    np.testing.assert_array_equal(pe[0], [0, 1] * 4)
    for p, i in [(3, 0), (7, 2), (49, 3)]:
        angle = p / 10000 ** (2 * i / 8)
        np.testing.assert_allclose(
            pe[p, [2 * i, 2 * i + 1]], [np.sin(angle), np.cos(angle)]
        )


@given(st.integers(0, 20), st.integers(1, 6), st.integers(0, 20))
@SOME
def test_a_step_turns_every_position_alike(step, half, p):
    pe = at.sinusoidal_positions(60, 2 * half)
    rates = 10000.0 ** (-np.arange(half) / half) * step
    turn = np.zeros((2 * half, 2 * half))
    for i, angle in enumerate(rates):
        c, s = np.cos(angle), np.sin(angle)
        turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[c, s], [-s, c]]
    np.testing.assert_allclose(turn @ pe[p], pe[p + step], atol=1e-9)
    assert np.isclose(pe[p] @ pe[p + step], np.cos(rates).sum())  # only the step counts


# ---------------------------------------------------------------- pooling


def pooling(shape=(4, 7, 5), hidden=6):
    x = normal(*shape)
    layer = at.attention_pooling_layer(hidden)
    return x, layer, np.asarray(layer(x))


def test_pooling_is_the_same_in_numpy_and_keras():
    x, layer, theirs = pooling()
    w, b, v = layer.get_weights()
    context, weights = at.attention_pooling(x, w, b, v[:, 0])
    assert theirs.shape == (4, 5)
    assert np.abs(context - theirs).max() <= 1e-5
    assert np.abs(weights - layer.weights_over(x)).max() <= 1e-5
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert weights.std() > 0


def test_pooling_does_not_mind_the_order_and_learns():
    x, layer, theirs = pooling()
    np.testing.assert_allclose(layer(x[:, ::-1]), theirs, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 2)
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert np.abs(gradient).max() > 1e-4


def test_pooling_heeds_a_mask():
    x, layer, _ = pooling()
    mask = np.arange(7) < np.array([[7], [3], [1], [5]])
    cut = np.stack([layer(x[i : i + 1, :n])[0] for i, n in enumerate([7, 3, 1, 5])])
    np.testing.assert_allclose(layer(x, mask=mask), cut, atol=1e-6)


def test_without_a_batch_axis_a_softmax_over_one_score_learns_nothing():
    """The tutorials' mistake (E030): scores (10, 1), softmax along the axis of size 1."""
    x = tf.constant(normal(10, 5))
    project, question = keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)
    with tf.GradientTape() as tape:
        weights = keras.ops.softmax(question(project(x)), axis=1)
        loss = tf.reduce_sum(weights * x)
    assert np.all(weights == 1)
    variables = project.trainable_variables + question.trainable_variables
    assert all(np.all(g == 0) for g in tape.gradient(loss, variables))


# ---------------------------------------------------------------- figure, errors


def test_alignment_has_a_cell_for_each_pair():
    figure = at.draw_alignment(np.eye(3, 4), "abcd", "xyz", title="t")
    (axis,) = figure.axes
    assert axis.images[0].get_array().shape == (3, 4)
    assert [t.get_text() for t in axis.get_xticklabels() if t.get_text()] == [*"abcd"]


def test_an_alignment_as_a_table():
    html = at.alignment_table(np.eye(2, 3), "二月五", "25")
    assert html.count("<tr>") == 3
    assert html.count("rgba(0,114,178,1.00)") == 2
    assert "<th>月</th>" in html


W = [np.zeros(s) for s in [(4, 2, 3), (2, 3), (4, 2, 3), (2, 3), (4, 2, 3), (2, 3)]]
W += [np.zeros((2, 3, 4)), np.zeros(4)]
X = np.zeros((1, 3, 4))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: at.dot_scores(np.zeros(3), np.zeros((2, 3))), "q"),
        (lambda: at.dot_scores(np.zeros((2, 3)), np.zeros((2, 4))), "k"),
        (lambda: at.dot_scores([["a"]], [[1]]), "q"),
        (lambda: at.multiplicative_scores(X, X, np.zeros((4, 3))), "w"),
        (lambda: at.additive_scores(X, X, np.eye(4, 2), np.eye(4, 3), [1, 2, 3]), "w_q"),
        (lambda: at.additive_scores(X, X, np.eye(4, 3), np.eye(3), [1, 2, 3]), "w_k"),
        (lambda: at.additive_scores(X, X, np.eye(4), np.eye(4), np.eye(4)), "v"),
        (lambda: at.dot_product_attention(X, X, np.zeros((1, 2, 4))), "v"),
        (lambda: at.dot_product_attention(X, X, X, np.ones((3, 3))), "mask"),
        (lambda: at.dot_product_attention(X, X, X, np.ones((2, 2), bool)), "mask"),
        (lambda: at.multi_head_attention(X, X, W[:6]), "weights"),
        (lambda: at.multi_head_attention(X[0], X, W), "x"),
        (lambda: at.multi_head_attention(X, X[..., :2], W), "memory"),
        (lambda: at.causal_mask(0), "length"),
        (lambda: at.padding_mask([4], 3), "lengths"),
        (lambda: at.padding_mask([-1], 3), "lengths"),
        (lambda: at.padding_mask([[1]], 3), "lengths"),
        (lambda: at.sinusoidal_positions(3, 5), "features"),
        (lambda: at.sinusoidal_positions(3, 0), "features"),
        (lambda: at.attention_pooling(X[0], np.eye(4), np.zeros(4), np.ones(4)), "x"),
        (lambda: at.draw_alignment(np.eye(3), "ab", "xyz"), "weights"),
        (lambda: at.alignment_table(np.eye(3), "ab", "xyz"), "weights"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call()
