"""Names of chapter 02 for chapters that still import them from here; see `network`."""

from dl_course.network import (  # noqa: F401
    accuracy,
    build_mlp,
    car_arrays,
    clean_cars,
    confusion_matrix,
    fit_statistics,
    precision_recall,
    preprocess,
    split_groups,
)
