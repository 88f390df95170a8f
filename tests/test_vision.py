"""Chapter 05b's module against Keras, TensorFlow and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import data, linear, vision

EXACT = settings(max_examples=50, derandomize=True, deadline=None, database=None)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def drawn():
    return data.emoji()


@pytest.fixture(scope="module")
def split(drawn):
    return vision.emoji_split(drawn)


# ---------------------------------------------------------------- pictures


def test_no_test_concept_is_in_training(drawn, split):
    (x, y), (x_test, y_test) = split
    assert x.shape == (2972, 32, 32, 3) and x_test.shape == (732, 32, 32, 3)
    assert x.dtype == np.float32 and y.dtype == np.int64
    test = np.flatnonzero(drawn["is_test"])
    assert np.array_equal(x_test[:366], drawn["google"][test])
    assert np.array_equal(x_test[366:], drawn["twitter"][test])
    assert np.array_equal(y_test, np.tile(drawn["labels"][test], 2))
    assert not set(test) & set(np.flatnonzero(~drawn["is_test"])) and len(y) == 2972
    old = {picture.tobytes() for picture in x}
    assert not any(picture.tobytes() in old for picture in x_test)


# ---------------------------------------------------------------- augmentation


def test_augmentation_is_off_in_use_and_on_in_training(split):
    keras.utils.set_random_seed(0)
    x = split[0][0][:64]
    for layer in vision.stronger_augmentation():
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


# ---------------------------------------------------------------- networks


def test_the_documents_network_has_the_documents_size(split):
    x = split[0][0]
    model = vision.build_document_color_cnn(x, 10)
    trained = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trained == 315_722
    assert not model.compiled
    p = model.predict(x[:3], verbose=0)
    assert p.shape == (3, 10) and np.allclose(p.sum(axis=1), 1, atol=1e-5)
    plain = vision.build_document_color_cnn(x, 10)
    assert not any("random" in layer.name for layer in plain.layers)


def test_each_channel_is_standardized_with_training_statistics(split):
    x = split[0][0]
    scaled = array(vision.build_document_color_cnn(x, 10).layers[0](x))
    scaled = scaled.astype(float)
    assert np.allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    assert np.allclose(scaled.std(axis=(0, 1, 2)), 1, atol=1e-4)


def test_networks_answer_alike_each_time_and_differ_in_training(split):
    keras.utils.set_random_seed(2)
    x = split[0][0][:8]
    for model in (
        vision.build_document_color_cnn(x, 9, vision.augmentation()),
        vision.build_residual_cnn(9, vision.stronger_augmentation(), filters=(4, 8)),
    ):
        p = array(model(x, training=False))
        assert np.array_equal(p, array(model(x, training=False)))
        assert np.allclose(p, model.predict(x, verbose=0), atol=1e-6)
        a, b = (array(model(x, training=True)) for _ in range(2))
        assert not np.allclose(a, b)
        a, b = (array(model(x)) for _ in range(2))
        assert not np.allclose(a, b), "Keras has repaired a bare call: say so in 05b"


def test_products_are_counted_by_hand(split):
    augment = vision.stronger_augmentation()
    model = vision.build_document_color_cnn(split[0][0], 9, augment)
    by_hand = 27 * 32 * 30**2 + 288 * 64 * 13**2 + 2304 * 128 + 128 * 9
    assert linear.forward_flops(model) == 2 * by_hand
    residual = vision.build_residual_cnn(9, augment, filters=(4, 8))
    by_hand = 75 * 4 * 256 + 2 * 36 * 4 * 256 + 36 * 8 * 256 + 2 * 72 * 8 * 64 + 72
    assert linear.forward_flops(residual) == 2 * by_hand


@pytest.mark.parametrize("shortcuts", [True, False])
def test_a_residual_block_is_kerass(shortcuts):
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    model = vision.build_residual_cnn(5, filters=(4, 6), shortcuts=shortcuts)
    norms = [w for w in model.layers if isinstance(w, keras.layers.BatchNormalization)]
    for layer in norms:
        count = layer.gamma.shape[0]
        normal, positive = rng.normal(size=(2, count)), rng.uniform(0.5, 2, (2, count))
        layer.set_weights([positive[0], *normal, positive[1]])
    convs = [w for w in model.layers if isinstance(w, keras.layers.Conv2D)]
    assert len(convs) == len(norms) == 6
    folded = [
        vision.fold_batch_norm(conv.get_weights()[0], *norm.get_weights())
        for conv, norm in zip(convs, norms, strict=True)
    ]
    inner = convs[-2].input  # what goes into the last block
    block = keras.Model(model.inputs, [inner, model.get_layer("block1").output])
    x, y = block.predict(rng.random((3, 32, 32, 3)), verbose=0)
    ours = vision.residual_block(x, *folded[-2:])
    if shortcuts:
        assert np.abs(ours - y).max() <= 1e-5
    else:
        assert np.abs(ours - y).max() > 0.1


def test_training_follows_the_schedule_and_learns():
    keras.utils.set_random_seed(4)
    rng = np.random.default_rng(4)
    y = np.arange(256) % 2
    x = rng.uniform(0, 0.2, size=(256, 32, 32, 3)).astype("float32")
    x[y == 1, 10:20, 10:20, 0] += 0.7  # a red square, or nothing
    model = vision.build_residual_cnn(2, filters=(4, 8))
    history = vision.train(model, x, y, epochs=6)
    assert history.history["accuracy"][-1] >= 0.9
    assert float(array(model.optimizer.learning_rate)) == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------- looking inside


def test_a_unit_sees_the_pixels_that_have_a_gradient():
    keras.utils.set_random_seed(5)
    stack = [(5, 2), (3, 1), (2, 2), (3, 1)]
    model = keras.Sequential([keras.Input((32, 32, 1))])
    for size, strides in stack:
        options = {"strides": strides, "padding": "same"}
        model.add(
            keras.layers.Conv2D(1, size, **options, kernel_initializer="ones")
            if size != 2
            else keras.layers.AveragePooling2D(2)
        )
    first, width, step = vision.field_of_unit(stack, 32)
    x = tf.Variable(np.ones((1, 32, 32, 1), "float32"))
    for i, j in [(0, 3), (4, 7), (5, 2)]:
        with tf.GradientTape() as tape:
            unit = model(x)[0, i, j, 0]
        rows, columns = np.nonzero(tape.gradient(unit, x).numpy()[0, ..., 0])
        for seen, place in ((rows, i), (columns, j)):
            assert seen.min() == max(first + place * step, 0)
            assert seen.max() == min(first + place * step + width, 32) - 1


def test_the_strongest_patches_excite_most():
    rng = np.random.default_rng(6)
    images = rng.random((9, 16, 16, 3)).astype("float32")
    images[4, 6:9, 7:10] = 5
    images[2], images[2, 0, 0] = -1, 60  # strongest where least of the -1 is seen
    keras.utils.set_random_seed(6)
    maps = array(keras.ops.conv(images, np.ones((3, 3, 3, 2), "float32"), padding="same"))
    patches, numbers = vision.strongest_patches(images, maps, [(3, 1)], 1, count=3)
    assert patches.shape == (3, 3, 3, 3) and numbers[:2].tolist() == [2, 4]
    assert (patches[1] == 5).all()
    corner = np.full((3, 3), 0.5)  # gray outside
    corner[1:, 1:] = [[60, -1], [-1, -1]]
    assert np.array_equal(patches[0], np.repeat(corner[..., None], 3, axis=2))
    best = np.sort(maps[..., 1].max(axis=(1, 2)))[::-1][:3]
    inside = [p.sum() for p in patches]
    assert all(b - 1e-4 <= i for b, i in zip(best, inside, strict=True))  # gray adds


def test_occlusion_finds_the_only_pixels_that_count():
    def predict(x):
        p = x[:, 8:12, 16:20, 0].mean(axis=(1, 2))
        return np.stack([1 - p, p], axis=1)

    image = np.zeros((32, 32, 3), "float32")
    image[8:12, 16:20] = 1
    drops = vision.occlusion_map(predict, image, 1, size=4, step=4, cover=0.25)
    assert drops.shape == (8, 8)
    assert np.argwhere(drops > 0).tolist() == [[2, 4]]
    assert drops[2, 4] == pytest.approx(0.75, abs=1e-6)
    assert vision.occlusion_map(predict, image, 1, size=1, step=8).shape == (4, 4)


# ---------------------------------------------------------------- boxes

numbers = st.integers(0, 12)


@st.composite
def some_boxes(draw, most=12):
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.integers(0, 12, size=(n, 2))
    return np.c_[corners, corners + rng.integers(1, 8, size=(n, 2))], rng


@given(some_boxes())
@EXACT
def test_iou_counts_pixels(drawn):
    boxes, _ = drawn
    masks = np.zeros((len(boxes), 20, 20), bool)
    for mask, (top, left, bottom, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    counted = [(masks[0] & m).sum() / (masks[0] | m).sum() for m in masks]
    assert np.allclose(vision.iou(boxes[0], boxes), counted)


@given(some_boxes(), st.sampled_from([0.1, 0.3, 0.55, 0.9]))
@EXACT
def test_suppression_is_tensorflows(drawn, threshold):
    boxes, rng = drawn
    scores = rng.permutation(len(boxes)) / 10.0  # no ties
    theirs = tf.image.non_max_suppression(
        boxes.astype("float32"), scores.astype("float32"), len(boxes), threshold
    )
    assert vision.non_max_suppression(boxes, scores, threshold) == theirs.numpy().tolist()


# ---------------------------------------------------------------- one dimension


def test_windows_go_both_ways():
    x, y = vision.both_ways(np.arange(10), 4, 3)
    assert x[:, :, 0].tolist() == [
        [0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9], [3, 2, 1, 0], [6, 5, 4, 3], [9, 8, 7, 6]
    ]  # fmt: skip
    assert y.tolist() == [1, 1, 1, 0, 0, 0]


# ---------------------------------------------------------------- mistakes

PICTURE = np.zeros((32, 32, 3), "float32")


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: vision.build_document_color_cnn(PICTURE[None, ..., 0], 9), "pictures: "),
        (lambda: vision.build_document_color_cnn(np.zeros((2, 8, 8, 3), int), 9), "int64"),
        (lambda: vision.occlusion_map(None, PICTURE, 0, size=40), "size: .*1 to 32.*40"),
        (lambda: vision.iou([0, 0, 0, 1], [[0, 0, 1, 1]]), "box: .*top < bottom"),
        (lambda: vision.occlusion_map(None, PICTURE, 0, size=0), "size: .*1 to 32.*0"),
        (lambda: vision.iou([0, 0, 1, 0], [[0, 0, 1, 1]]), "box: .*left < right"),
        (lambda: vision.iou([0, 0, 1, 1], [0, 0, 1, 1]), "boxes: "),
        (lambda: vision.iou([0, 0, 1, 1], [[0, 1, 1]]), "boxes: "),
        (lambda: vision.non_max_suppression([[0, 0, 1, 1]], [1, 2]), r"scores: .*\(1,\)"),
        (lambda: vision.both_ways(np.zeros(5), 6, 1), r"series: .*6.*\(5,\)"),
        (lambda: vision.both_ways(np.zeros((5, 1)), 2, 1), r"series: .*2.*\(5, 1\)"),
        (
            lambda: vision.residual_block(
                np.zeros((1, 4, 4, 2)),
                (np.zeros((3, 3, 2, 3)), np.zeros(3)),
                (np.zeros((3, 3, 3, 5)), np.zeros(5)),
            ),
            "x: expected the shape",
        ),
    ],
)
def test_mistakes_are_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()
