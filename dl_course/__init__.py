"""Small, readable companions of the notebooks.

`import dl_course` is cheap: no TensorFlow, no matplotlib.
"""

import os

__version__ = "2.0.0.dev0"
COURSE = "The deep-learning course that cannot rot"  # no other dl_course has this

# NumPy's matrix products here are small: a second OpenBLAS thread waits more than it works,
# and on a busy machine it makes chapter 03 ten times slower. It is read when NumPy loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
