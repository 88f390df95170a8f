"""Chapter 11f's module: sums, closed forms, and real processes against one of Keras.

The chapter itself kills a worker and claims what is said then.
"""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import craft, lesson, scaling

MANY = settings(max_examples=60, derandomize=True, deadline=None, database=None)


@given(st.integers(1, 60), st.integers(1, 9))
@MANY
def test_shards_are_all_rows_once(rows, workers):
    if rows < workers:
        with pytest.raises(ValueError, match=r"^rows: expected"):
            scaling.shard(range(rows), 0, workers)
        return
    shards = [list(scaling.shard(range(rows), i, workers)) for i in range(workers)]
    assert [row for part in shards for row in part] == list(range(rows))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_joined_gradient_is_that_of_least_squares_on_all_rows():
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(23, 4)), rng.normal(size=23), rng.normal(size=4)

    def gradient(x, y):
        return 2 * x.T @ (x @ w - y) / len(x)

    pieces = [(scaling.shard(x, i, 3), scaling.shard(y, i, 3)) for i in range(3)]
    parts, counts = [gradient(*p) for p in pieces], [len(p[1]) for p in pieces]
    joined = scaling.joined_gradient(parts, counts)
    np.testing.assert_allclose(joined, gradient(x, y), rtol=1e-12)


@given(st.integers(1, 8), st.integers(1, 40))
@MANY
def test_ring_sums_and_counts(workers, size):
    vectors = np.random.default_rng(size).normal(size=(workers, size))
    before = vectors.copy()
    sums, sent = scaling.ring_all_reduce(vectors)
    for one in sums:
        np.testing.assert_allclose(one, vectors.sum(axis=0), atol=1e-12)
    np.testing.assert_array_equal(vectors, before)
    assert sent.mean() == pytest.approx(scaling.ring_bytes(size, workers, item=1))


def test_step_seconds_of_one_worker_is_its_computation():
    cost = {"compute": 2.0, "size": 100, "bandwidth": 50.0, "latency": 0.1}
    np.testing.assert_allclose(scaling.step_seconds([1, 2], **cost), [2, 1 + 2 + 0.2])


def test_ports_are_free_and_differ():
    assert len(set(scaling.free_ports(5))) == 5


@pytest.fixture(scope="module")
def task():
    seed = lesson.seed(0)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 9, 5)).astype("float32")  # 9 rows: shards of 4 and 5
    model = craft.build_mlp(5, 3, units=6, depth=1)
    return model, x, rng.integers(0, 3, (20, 9))


def test_two_processes_do_what_keras_does_in_one(task):
    model, x, y = task
    weights, seconds = scaling.train_in_processes(model, x, y, rate=0.3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.3), loss)
    before = model.get_weights()
    for batch in zip(x, y, strict=True):
        model.train_on_batch(*batch)
    for first, second, old, one in zip(*weights, before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, one, atol=1e-5)
        assert np.abs(one - old).max() > 1e-3
    model.set_weights(before)
    assert len(seconds) == 2 and min(seconds) > 0


def test_a_time_limit_holds(task):
    with pytest.raises(RuntimeError, match=r"not done within 0\.1 s"):
        scaling.train_in_processes(*task, rate=0.3, seconds=0.1)


def test_a_worker_that_lost_its_partner_is_not_blamed():
    codes = [scaling.LOST_PARTNER, -9]
    assert scaling._blame(codes, ["gone", ""], 5).startswith(
        "worker 1 ended with exit code -9"
    )
    alone = scaling._blame([scaling.LOST_PARTNER, None], ["gone", ""], 5)
    assert alone.endswith("It said: gone")


def test_a_fresh_process_answers_or_says_why_not():
    assert scaling.fresh_python("import sys; print(sys.argv[1])", 7).strip() == "7"
    with pytest.raises(RuntimeError, match="It said: ZeroDivisionError"):
        scaling.fresh_python("1 / 0")
    with pytest.raises(RuntimeError, match="not done within"):
        scaling.fresh_python("import time; time.sleep(60)", seconds=0.5)
    assert "keras" in sys.modules  # here, but not there:
    assert scaling.fresh_python("import sys; print('keras' in sys.modules)") == "False\n"


def test_an_exported_model_answers_alike_and_nothing_is_printed(task, tmp_path, capsys):
    model, x, _ = task
    scaling.export(model, tmp_path)
    assert capsys.readouterr().out == ""
    exported = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(exported.serve(x[0]), model(x[0]), atol=1e-6)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (scaling.shard, (range(4), 4, 4), "worker"),
        (scaling.shard, (range(4), -1, 4), "worker"),
        (scaling.joined_gradient, ([np.ones(2)], [1, 2]), "counts"),
        (scaling.joined_gradient, ([np.ones(2)], [0]), "counts"),
        (scaling.ring_all_reduce, ([np.ones(2), np.ones(3)],), "vectors"),
        (scaling.ring_all_reduce, (np.ones((2, 3, 3)),), "vectors"),
    ],
)
def test_mistakes_are_named(function, arguments, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        function(*arguments)
