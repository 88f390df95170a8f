"""Latent spaces. Made from notebooks/src/07b_latent_spaces.py: edit there."""

import numpy as np


def auc(normal, strange):
    """The chance that a random strange score is above a random normal one; ties count ½.

    Both are (n,) and not empty. 1 is perfect, ½ a coin (the Mann-Whitney statistic).
    """
    normal, strange = np.asarray(normal, float), np.asarray(strange, float)
    for name, scores in (("normal", normal), ("strange", strange)):
        if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
            raise ValueError(f"{name}: expected scores (n,), got shape {scores.shape}")
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, strange, "left")
    not_above = np.searchsorted(ordered, strange, "right")
    return float((below + not_above).mean() / 2 / len(normal))
