"""Data-parallel training: shards, a ring all-reduce, two real processes, a fresh one.

`python -m dl_course.scaling FOLDER` is the worker's program: it reads its place in the
cluster from the environment (TF_CONFIG), and everything else from the folder.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LOST_PARTNER, NO_SERVER = 75, 76  # exit codes of a worker that is not itself to blame

# ---------------------------------------------------------------- shards and gradients


def shard(rows, worker, workers):
    """The part of `rows` that is this worker's: consecutive, sizes differ by at most 1."""
    if not 0 <= worker < workers:
        raise ValueError(f"worker: expected 0 to {workers - 1}, got {worker}")
    if len(rows) < workers:
        raise ValueError(f"rows: expected at least one a worker, got {len(rows)}")
    return rows[len(rows) * worker // workers : len(rows) * (worker + 1) // workers]


def joined_gradient(gradients, counts):
    """The gradient of the mean loss over all rows: Σ n_i g_i / Σ n_i.

    `gradients`: each worker's gradient of *its* mean loss; `counts`: its rows.
    """
    if len(gradients) != len(counts) or min(counts) < 1:
        raise ValueError(f"counts: expected {len(gradients)} numbers ≥ 1, got {counts}")
    shares = np.asarray(counts) / np.sum(counts)
    return sum(share * np.asarray(g) for share, g in zip(shares, gradients, strict=True))


# ---------------------------------------------------------------- communication


def ring_all_reduce(vectors):
    """Everybody gets the sum; each worker talks to its right neighbor only.

    `vectors`: one (n,) of each of the k workers. Each is cut into k pieces. In k - 1 rounds
    a worker passes on one piece, and adds what comes in: then it has one piece of the sum.
    In k - 1 more rounds these finished pieces travel round.

    Returns (sums, a list of k arrays; numbers that each worker sent, (k,)).
    """
    k = len(vectors)
    if len({np.shape(v) for v in vectors}) != 1 or np.ndim(vectors[0]) != 1:
        raise ValueError("vectors: expected vectors of one length")
    own = [np.array_split(np.array(v), k) for v in vectors]  # own[worker][piece]
    sent = np.zeros(k, int)
    for phase in (0, 1):
        for turn in range(k - 1):
            mail = []
            for worker in range(k):
                piece = (worker + phase - turn) % k
                mail.append((piece, own[worker][piece].copy()))
                sent[worker] += own[worker][piece].size
            for worker in range(k):
                piece, values = mail[worker - 1]  # from the left neighbor
                own[worker][piece] = values + (0 if phase else own[worker][piece])
    return [np.concatenate(pieces) for pieces in own], sent


def ring_bytes(numbers, workers, *, item=4):
    """Bytes each worker sends to sum `numbers` numbers: 2 (k - 1) / k of them."""
    return 2 * (workers - 1) / workers * numbers * item


def step_seconds(workers, *, compute, size, bandwidth, latency):
    """A model of one step's time: compute / k + ring bytes / bandwidth + 2 (k - 1) latency.

    compute: seconds on one worker; size: bytes of all gradients; bandwidth: bytes a second.
    """
    k = np.asarray(workers)
    return compute / k + ring_bytes(size, k, item=1) / bandwidth + 2 * (k - 1) * latency


# ---------------------------------------------------------------- two real processes


def train_in_processes(model, x, y, *, rate, workers=2, seconds=240, dies=None):
    """Train on batches with several processes on this machine; return (weights, seconds).

    Args:
        model: a Keras model of logits; it stays as it is.
        x, y: (steps, batch, ...) and (steps, batch) labels. Each worker takes its shard
            of every batch, and plain SGD of `rate` follows.
        seconds: the limit, after which all workers are stopped.
        dies: (worker, step) at which a worker ends without a word, to see what happens.

    Returns a list of the weights of each worker, and the seconds of its steps. Raises
    RuntimeError with a sentence if a worker fails or time is up. No process outlives it.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        job = {"rate": rate, "dies": dies or (-1, -1)}
        np.savez(Path(folder) / "job.npz", x=x, y=y, **job)
        for attempt in range(3):
            codes, said = _run_cluster(folder, workers, seconds)
            if NO_SERVER not in codes or attempt == 2:  # a port was taken: other ports
                break
        if any(code != 0 for code in codes):
            raise RuntimeError(_blame(codes, said, seconds))
        done = [np.load(Path(folder) / f"done{i}.npz") for i in range(workers)]
        weights = [[one[f"w{k}"] for k in range(len(one) - 1)] for one in done]
        return weights, [float(one["seconds"]) for one in done]


def _run_cluster(folder, workers, seconds):
    """Start all workers, wait; (exit codes, last line each said). All have ended then."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    running, logs = [], [Path(folder) / f"log{i}.txt" for i in range(workers)]
    try:
        for i, log in enumerate(logs):
            task = {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": i},
            }
            environment = quiet_environment() | {"TF_CONFIG": json.dumps(task)}
            command = [sys.executable, "-m", "dl_course.scaling", str(folder)]
            with log.open("w") as out:
                running.append(
                    subprocess.Popen(command, env=environment, stdout=out, stderr=out)
                )
        _wait(running, time.monotonic() + seconds)
        codes = [process.poll() for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    said = [log.read_text(errors="replace").strip().splitlines() for log in logs]
    return codes, [lines[-1][:300] if lines else "nothing" for lines in said]


def _wait(running, deadline):
    """Until all have ended well, one failed by itself, or time is up.

    One that only lost its partner may be seen first: the partner gets 3 s to show up.
    """
    lost = None
    while time.monotonic() < deadline:
        codes = [process.poll() for process in running]
        if None not in codes or any(code not in (None, 0, LOST_PARTNER) for code in codes):
            return
        if LOST_PARTNER in codes and lost is None:
            lost = time.monotonic()
        if lost and time.monotonic() > lost + 3:
            return
        time.sleep(0.05)


def _blame(codes, said, seconds):
    """One sentence: who failed, and what became of the others."""
    culprits = [i for i, code in enumerate(codes) if code not in (None, 0, LOST_PARTNER)]
    lost = [i for i, code in enumerate(codes) if code == LOST_PARTNER]
    for i in culprits or lost:
        rest = "The others were stopped." if culprits else f"It said: {said[i]}"
        return (
            f"worker {i} ended with exit code {codes[i]} before training was done. {rest}"
        )
    return f"the workers were not done within {seconds} s, and were stopped."


def free_ports(count):
    """Ports of this machine that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def quiet_environment():
    """This process's environment for another Python: finds the package, logs little."""
    package = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return os.environ | {
        "CUDA_VISIBLE_DEVICES": "",  # workers compute on the processor
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": path,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1",
    }


# ---------------------------------------------------------------- the worker's program


def make_step(strategy, model, batch_size, rate):
    """One step of SGD on this worker's rows, the same on all workers. fit cannot do it."""
    import keras
    import tensorflow as tf

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    def local(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True)) / batch_size  # of the *joined* batch
        gradients = tape.gradient(value, model.trainable_variables)
        here = tf.distribute.get_replica_context()
        gradients = here.all_reduce(tf.distribute.ReduceOp.SUM, gradients)  # over loopback
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
            weight.assign_sub(rate * gradient)

    @tf.function
    def step(x, y):
        strategy.run(local, args=(x, y))

    return step


def work(folder):
    """The program of one worker: load model and batches, train, save the weights."""
    import keras
    import tensorflow as tf

    config = json.loads(os.environ["TF_CONFIG"])
    me, workers = config["task"]["index"], len(config["cluster"]["worker"])
    ring = tf.distribute.experimental.CommunicationImplementation.RING
    options = tf.distribute.experimental.CommunicationOptions(implementation=ring)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except (tf.errors.UnknownError, tf.errors.UnavailableError) as error:
        print(error, file=sys.stderr)
        os._exit(NO_SERVER)
    job = np.load(Path(folder) / "job.npz")
    with strategy.scope():
        model = keras.saving.load_model(Path(folder) / "model.keras", compile=False)
    step = make_step(strategy, model, job["x"].shape[1], float(job["rate"]))
    start = time.perf_counter()
    for number, (x, y) in enumerate(zip(job["x"], job["y"], strict=True)):
        if (me, number) == tuple(job["dies"]):
            os._exit(9)  # no word to anybody
        rows = (tf.constant(shard(part, me, workers)) for part in (x, y))
        try:
            step(*rows)
        except tf.errors.OpError as error:
            print(str(error).splitlines()[0], file=sys.stderr, flush=True)
            os._exit(LOST_PARTNER)
    took = time.perf_counter() - start
    arrays = {f"w{k}": w for k, w in enumerate(model.get_weights())}
    np.savez(Path(folder) / f"done{me}.npz", seconds=took, **arrays)


# ---------------------------------------------------------------- a fresh process


def export(model, folder):
    """Write `model` as a SavedModel, a graph that runs without the code that built it."""
    model.export(folder, verbose=False)


def fresh_python(code, *arguments, seconds=240):
    """Run `code` in a new Python, which shares nothing with this one; what it printed.

    Raises RuntimeError with the last line of its log if it fails or takes too long.
    """
    command = [sys.executable, "-c", code, *map(str, arguments)]
    options = {"capture_output": True, "text": True, "env": quiet_environment()}
    try:
        run = subprocess.run(command, timeout=seconds, check=False, **options)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"the process was not done within {seconds} s.") from None
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"the process ended with {run.returncode}. It said: {last}")
    return run.stdout


if __name__ == "__main__":
    work(sys.argv[1])
