"""Chapter 05b's definitions against Keras, TensorFlow, SciPy and counting by hand."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from dl_course import cnn, data
from tools.chapters import definitions

vision = definitions("05b")
EXACT = settings(max_examples=50, derandomize=True, deadline=None, database=None)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def drawn():
    return data.emoji()


@pytest.fixture(scope="module")
def pictures(drawn):
    return vision.halve(drawn["google"][:200])  # (200, 16, 16, 3)


# ---------------------------------------------------------------- pictures


def test_halving_takes_means_of_four():
    x = np.arange(2 * 4 * 6 * 3, dtype="float32").reshape(2, 4, 6, 3)
    half = vision.halve(x)
    assert half.shape == (2, 2, 3, 3)
    assert half[1, 1, 2, 0] == x[1, 2:4, 4:6, 0].mean()


def test_squared_distances_are_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 7)), rng.normal(size=(3, 7))
    assert np.allclose(vision.squared_distances(a, b), cdist(a, b, "sqeuclidean"))


# ---------------------------------------------------------------- augmentation


def test_augmentation_is_off_in_use_and_on_in_training(pictures):
    keras.utils.set_random_seed(0)
    x = pictures[:64]
    for layer in vision.augmentation():
        assert np.array_equal(array(layer(x, training=False)), x)
        changed = array(layer(x, training=True))
        assert changed.shape == x.shape
        assert len({picture.tobytes() for picture in changed - x}) > 16


def one_pixel(layer, row, column, size=33):
    """Where the center of mass of one bright pixel goes, in 200 trials."""
    x = np.zeros((200, size, size, 3), "float32")
    x[:, row, column] = 1
    moved = array(layer(x, training=True))[..., 0]
    mass = moved.sum(axis=(1, 2))
    rows = (moved.sum(axis=2) * np.arange(size)).sum(axis=1) / mass
    columns = (moved.sum(axis=1) * np.arange(size)).sum(axis=1) / mass
    return rows - row, columns - column


def test_augmentation_moves_a_pixel_as_far_as_it_says():
    keras.utils.set_random_seed(1)
    flip, turn, move = vision.augmentation()
    down, right = one_pixel(flip, 16, 10)
    assert set(np.round(right).astype(int)) == {0, 12} and not down.any()
    down, right = one_pixel(turn, 16, 26)  # 10 pixels right of the center
    assert 1.4 < np.abs(down).max() < 10 * np.sin(np.radians(10)) + 0.5
    assert np.abs(right).max() < 0.7
    down, right = one_pixel(move, 16, 16)
    for way in (down, right):
        assert 2.9 < np.abs(way).max() < 3.4  # a tenth of 33


# ---------------------------------------------------------------- the program


def test_the_documents_network_has_the_documents_size(drawn):
    x = drawn["google"][:20]  # 32 x 32
    model = vision.build_document_color_cnn(x, 10)
    trained = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trained == 315_722
    assert not model.compiled
    p = model.predict(x[:3], verbose=0)
    assert p.shape == (3, 10) and np.allclose(p.sum(axis=1), 1, atol=1e-5)
    assert not any("random" in layer.name for layer in model.layers)


def test_each_channel_is_standardized_with_training_statistics(pictures):
    scaled = array(vision.standardization(pictures)(pictures)).astype(float)
    assert np.allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    assert np.allclose(scaled.std(axis=(0, 1, 2)), 1, atol=1e-4)
    others = array(vision.standardization(pictures)(1 - pictures))
    assert np.abs(others.mean()) > 0.3  # the statistics are not those of what comes in


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 8, 8)), np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8, 3), int)]
)
def test_other_pictures_are_refused(wrong):
    with pytest.raises(ValueError, match="x_train: expected floats of shape"):
        vision.standardization(wrong)


def test_networks_answer_alike_each_time_and_differ_in_training(pictures):
    keras.utils.set_random_seed(2)
    x = pictures[:8]
    augment = vision.augmentation()
    features = vision.build_features(vision.residual_block, augment, (8, 16))
    for model in (
        vision.build_document_color_cnn(x, 9, vision.augmentation()),
        vision.with_head(features, 9),
    ):
        p = array(model(x, training=False))
        assert np.array_equal(p, array(model(x, training=False)))
        assert np.allclose(p, model.predict(x, verbose=0), atol=1e-6)
        a, b = (array(model(x, training=True)) for _ in range(2))
        assert not np.allclose(a, b)
        a, b = (array(model(x)) for _ in range(2))
        assert not np.allclose(a, b), "Keras has repaired a bare call: say so in 05b"


def red_or_not(n=256):
    """Dark pictures, every second one with a red square: (n, 16, 16, 3), (n,)."""
    rng, y = np.random.default_rng(4), np.arange(n) % 2
    x = rng.uniform(0, 0.2, size=(n, 16, 16, 3)).astype("float32")
    x[y == 1, 5:10, 5:10, 0] += 0.7
    return x, y


def test_the_program_learns_and_is_judged_as_keras_judges():
    keras.utils.set_random_seed(4)
    x, y = red_or_not()
    model = vision.build_document_color_cnn(x, 2, vision.augmentation())
    history = vision.train_color_cnn(model, x, y, epochs=3, learning_rate=0.003)
    assert history.history["accuracy"][-1] >= 0.95
    accuracy, loss = vision.evaluate(model, x[:77], y[:77])
    by_keras = model.evaluate(x[:77], y[:77], verbose=0)
    assert [loss, accuracy] == pytest.approx(by_keras, abs=1e-5)


def test_the_recipe_follows_its_schedule_and_learns():
    keras.utils.set_random_seed(4)
    x, y = red_or_not()
    model = vision.with_head(vision.build_features(vision.residual_block, (), (8, 16)), 2)
    history = vision.train(model, x, y, epochs=4)
    assert history.history["accuracy"][-1] >= 0.9
    assert float(array(model.optimizer.learning_rate)) == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------- a line of networks

BLOCKS = ["vgg", "inception", "residual", "separable", "convnext"]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_keeps_the_shape(name):
    maps = keras.Input((8, 8, 16))
    assert getattr(vision, f"{name}_block")(maps, 16).shape == (None, 8, 8, 16)


def test_products_are_counted_by_hand():
    at = {16: 64, 32: 16, 64: 4}  # places of the map of each width
    frame = 27 * 16 * 64 + 9 * 16 * 32 * 16 + 9 * 32 * 64 * 4
    by_hand = {
        "vgg": sum(18 * n * n * p for n, p in at.items()),
        "residual": sum(18 * n * n * p for n, p in at.items()),
        "separable": sum(2 * (9 * n + n * n) * p for n, p in at.items()),
        "convnext": sum((49 * n + 8 * n * n) * p for n, p in at.items()),
        "inception": sum(
            (n * n // 4 * 2 + 9 * n * n // 8 + n * n // 8 + 25 * n * n // 64 + n * n // 8)
            * p
            for n, p in at.items()
        ),
    }
    for name, count in by_hand.items():
        features = vision.build_features(getattr(vision, f"{name}_block"))
        assert vision.multiplications(features) == frame + count, name
    d, rows = 48, 16
    attention = 4 * rows * d * d + 2 * rows * rows * d
    vit = 16 * 48 * d + 2 * (attention + 8 * rows * d * d)
    assert vision.multiplications(vision.build_vit_features()) == vit


def test_a_vision_transformer_needs_its_positions():
    keras.utils.set_random_seed(5)
    model = vision.build_vit_features()
    x = np.random.default_rng(5).random((1, 16, 16, 3)).astype("float32")
    patches = x.reshape(4, 4, 4, 4, 3).transpose(0, 2, 1, 3, 4).reshape(16, 4, 4, 3)
    mixed = patches[::-1].reshape(4, 4, 4, 4, 3).transpose(0, 2, 1, 3, 4).reshape(x.shape)
    apart = np.abs(array(model(x)) - array(model(mixed))).max()
    assert apart > 1e-4
    positions = next(v for v in model.weights if "positions" in v.path)
    positions.assign(0 * positions)
    assert np.abs(array(model(x)) - array(model(mixed))).max() < 1e-5


@pytest.mark.parametrize("shortcuts", [True, False])
def test_blocks_in_a_loop_are_kerass_blocks(shortcuts):
    keras.utils.set_random_seed(6)
    rng = np.random.default_rng(6)
    x = rng.normal(size=(5, 6, 6, 4)).astype("float32")
    blocks = vision.Blocks(3, 4, shortcuts)
    got = array(blocks(x))
    scale, shift = rng.uniform(0.5, 2, (2, 3, 2, 4)).astype("float32")
    blocks.gamma.assign(scale), blocks.beta.assign(shift)
    got, h = array(blocks(x)), x
    for k in range(3):
        f = h
        for j in range(2):
            norm = keras.layers.BatchNormalization()
            norm.build((None, 6, 6, 4))
            norm.gamma.assign(scale[k, j]), norm.beta.assign(shift[k, j])
            f = norm(keras.ops.conv(f, blocks.kernels[k, j], padding="same"), training=True)
            f = f if j else keras.ops.relu(f)
        h = keras.ops.relu(h + f if shortcuts else f)
    assert np.abs(got - array(h)).max() < 1e-4


def test_a_restart_leaves_nothing_of_an_earlier_run():
    keras.utils.set_random_seed(7)
    x, y = red_or_not(64)
    model = vision.build_document_color_cnn(x, 2)
    values, weights = vision.compile_once(model, 0.003), model.get_weights()
    ends = []
    for _ in range(2):
        vision.restart(model, weights, values)
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*ends, strict=True))
    assert not np.array_equal(ends[0][3], weights[3])


def test_the_perturbation_is_that_of_keras():
    left = vision.perturbation_left(np.random.default_rng(8), True, blocks=2, c=4)
    rng = np.random.default_rng(8)
    x = rng.uniform(size=(1, 8, 8, 4))
    pair = np.concatenate([x, x])
    pair[1, 4, 4] += 0.001
    for _ in range(2):
        kernels = rng.normal(size=(2, 3, 3, 4, 4)) * np.sqrt(2 / 36)
        h = np.maximum(cnn.conv2d(pair, kernels[0], padding="same"), 0)
        pair = np.maximum(pair + cnn.conv2d(h, kernels[1], padding="same"), 0)
    assert left == pytest.approx(np.abs(pair[1] - pair[0]).max() / 0.001)


# ---------------------------------------------------------------- transfer, looking inside


def test_few_of_each_label():
    y = np.array([0, 2, 2, 1, 0, 1, 2, 0])
    rows = vision.few_of_each(y, 2, np.random.default_rng(9))
    assert sorted(y[rows]) == [0, 0, 1, 1, 2, 2] and len(set(rows)) == 6


def test_favorites_excite_most():
    maps = np.random.default_rng(10).normal(size=(20, 2, 2, 3))
    rows = vision.favorites(maps, count=4)
    assert rows.shape == (3, 4)
    for channel in range(3):
        means = maps[..., channel].mean(axis=(1, 2))
        assert sorted(means)[-4:] == sorted(means[rows[channel]])


def test_covering_finds_the_only_pixels_that_count(monkeypatch):
    def fake(model, x):
        p = np.asarray(x)[:, 4:8, 8:12, 0].mean(axis=(1, 2))
        return np.stack([1 - p, p], axis=1)

    image = np.zeros((2, 16, 16, 3), "float32")
    image[:, 4:8, 8:12] = 1
    monkeypatch.setitem(vision.drops.__globals__, "predict", fake)
    drops = vision.drops(None, image, np.array([1, 1]), 0.25)
    assert drops.shape == (2, 49)
    assert vision.CORNERS[drops[0].argmax()] == (4, 8)
    assert drops.max() == pytest.approx(0.75)
    assert np.allclose(drops[1].reshape(7, 7)[:, :2], 0)


def test_places_to_compare_do_not_touch():
    rng = np.random.default_rng(11)
    white, ink = rng.random((2, 49))
    place, others = vision.places_to_compare(white, ink)
    assert place == white.argmax() and len(set(others)) == 5
    for k in others:
        apart = np.abs(np.subtract(vision.CORNERS[k], vision.CORNERS[place])).max()
        assert apart >= vision.SIDE


# ---------------------------------------------------------------- boxes


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
@EXACT
def test_iou_counts_pixels(n, seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 12, size=(n, 2))
    boxes = np.c_[corners, corners + rng.integers(1, 8, size=(n, 2))]
    masks = np.zeros((n, 20, 20), bool)
    for mask, (top, left, bottom, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    counted = [(masks[0] & m).sum() / (masks[0] | m).sum() for m in masks]
    assert np.allclose(vision.iou(boxes[0], boxes), counted)


def test_iou_by_hand():
    boxes = np.array([[2, 3, 6, 9], [0, 6, 4, 9], [0, 0, 4, 6]])
    assert vision.iou(boxes[2], boxes) == pytest.approx([1 / 7, 0, 1])


def test_peaks_are_the_highest_within_their_window():
    score = np.random.default_rng(12).random((20, 30))
    places = vision.peaks(score, 5)
    assert [0, 0] not in places.tolist() or score[0, 0] == score[:3, :3].max()
    for i in range(20):
        for j in range(30):
            around = score[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3]
            assert ([i, j] in places.tolist()) == (score[i, j] == around.max())


def test_found_and_false_are_counted():
    truth = np.array([[0, 0, 10, 10], [20, 20, 30, 30]])
    boxes = np.array([[1, 0, 11, 10], [50, 50, 60, 60], [0, 1, 10, 11]])
    assert vision.found_and_false(truth, boxes) == (1, 1)
    assert vision.found_and_false(truth, boxes[:0]) == (0, 0)


# ---------------------------------------------------------------- one dimension


def test_windows_go_both_ways():
    x, y = vision.both_ways(np.arange(5), 4)
    assert x[:, :, 0].tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [3, 2, 1, 0], [4, 3, 2, 1]]
    assert y.tolist() == [1, 1, 0, 0] and x.dtype == np.float32
