"""Small, readable companions of the notebooks: one module a chapter.

`import dl_course` is cheap: no TensorFlow, no matplotlib.
"""

import os

__version__ = "0.1.0"

# NumPy's matrix products here are small: a second OpenBLAS thread waits more than it works,
# and on a busy machine it makes chapter 03 ten times slower. It is read when NumPy loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
