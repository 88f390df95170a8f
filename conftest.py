"""What nbval 0.11 lacks, in three small patches (tests/test_conftest.py holds them).

1. Numbers in stored outputs are compared with a tolerance: 0.001 unless the cell has a tag
   such as `nbval-tol-0.02`. All other text must be equal. The sanitizer runs first.
2. What only decorates is not compared: stderr, HTML and SVG twins of a text.
3. A kernel that dies is noticed within a second instead of at the cell's time-out.
"""

import os
import re
import time
from queue import Empty

from nbval import kernel, plugin

from tools.environment import use_course_keras
from tools.files import ROOT

use_course_keras(ROOT / "build")  # not what ~/.keras/keras.json says
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as dl_course asks for
os.environ.setdefault("DL_COURSE_QUIET", "1")  # no progress bars in outputs
os.environ.setdefault("DL_COURSE_OFFLINE", "1")  # no test asks the network
os.environ.pop("DL_COURSE_SOLVED", None)  # tests run in the lab's terminal solve nothing
os.environ.setdefault("DL_COURSE_STRICT", "1")  # a claim that fails, fails
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    # Kernels that share the cores instead of fighting for them need a tenth less of them.
    share = max(1, (os.cpu_count() or 1) // workers)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(share))

TOLERANCE = 1e-3
DECORATION = ("stderr", "image/svg+xml", "text/html")
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?")


def close_texts(stored, fresh, tolerance):
    """True if both texts are equal but for white space and numbers within tolerance.

    Only numbers with a decimal point may differ, by tolerance · max(1, |stored|).
    """

    def skeleton(text):
        return " ".join(NUMBER.sub(" # ", text).split())

    if skeleton(stored) != skeleton(fresh):
        return False
    pairs = zip(NUMBER.findall(stored), NUMBER.findall(fresh), strict=True)
    return all(
        abs(float(a) - float(b)) <= tolerance * max(1, abs(float(a))) for a, b in pairs
    )


def tolerance_of(cell):
    """The tolerance of a notebook cell: its tag `nbval-tol-…`, or the default."""
    for tag in cell.get("metadata", {}).get("tags", []):
        if tag.startswith("nbval-tol-"):
            return float(tag.removeprefix("nbval-tol-"))
    return TOLERANCE


def text_slots(outputs):
    """(container, key) of every text that is compared, in order."""
    for output in outputs:
        if "text" in output and output.get("name") != "stderr":
            yield output, "text"
        for key in ("text/plain", "text/markdown", "text/latex"):
            if key in output.get("data", {}):
                yield output["data"], key


original_compare_outputs = plugin.IPyNbCell.compare_outputs


def compare_outputs(self, test, ref, skip_compare=None):
    """nbval's comparison, after texts that are close enough were made equal."""
    slots = zip(text_slots(ref), text_slots(test), strict=False)
    for (stored, stored_key), (fresh, fresh_key) in slots:
        texts = self.sanitize(stored[stored_key]), self.sanitize(fresh[fresh_key])
        if stored_key == fresh_key and close_texts(*texts, tolerance_of(self.cell)):
            fresh[fresh_key] = stored[stored_key]
    skip = tuple(skip_compare or self.parent.skip_compare) + DECORATION
    return original_compare_outputs(self, test, ref, skip_compare=skip)


def await_reply(self, msg_id, timeout=None):
    """nbval's wait for the end of a cell, looking every second whether the kernel lives."""
    deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
    while True:
        wait = min(1, max(0, deadline - time.monotonic()))
        try:
            message = self.get_message(stream="shell", timeout=wait)
        except Empty:
            if not self.is_alive():
                raise RuntimeError("the kernel died (out of memory?)") from None
            if time.monotonic() >= deadline:
                raise
            continue
        if message["parent_header"].get("msg_id") == msg_id:
            return


plugin.IPyNbCell.compare_outputs = compare_outputs
kernel.RunningKernel.await_reply = await_reply
