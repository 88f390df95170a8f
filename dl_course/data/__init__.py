"""The course's data sets: one loader each; arrays, lists and dicts come out.

`card(name)` tells what a set is, with its license, source and known defects. Every
embedded file is checked against its SHA-256 on each read. A file of the same name in
the folder `$DL_COURSE_DATA` wins, and is checked too. Each call returns fresh objects.
"""

from dl_course.data.files import card, names
from dl_course.data.graphs import (
    GRAPHS,
    definition_graph,
    family_verses,
    geokg_labels,
    knowledge_graph,
    wn_mini_entities,
)
from dl_course.data.images import CIFAR10_CLASSES, cifar10, color_images, emoji, mnist
from dl_course.data.tables import cars, co2, el_nino, seattle_weather, sunspots
from dl_course.data.texts import (
    alice,
    as_you_like_it,
    brown,
    cmudict,
    coarse_tag,
    movie_snippets,
    tang_quatrains,
    wordnet_glosses,
)

__all__ = [
    "CIFAR10_CLASSES",
    "GRAPHS",
    "alice",
    "as_you_like_it",
    "brown",
    "card",
    "cars",
    "cifar10",
    "cmudict",
    "co2",
    "coarse_tag",
    "color_images",
    "definition_graph",
    "el_nino",
    "emoji",
    "family_verses",
    "geokg_labels",
    "knowledge_graph",
    "mnist",
    "movie_snippets",
    "names",
    "seattle_weather",
    "sunspots",
    "tang_quatrains",
    "wn_mini_entities",
    "wordnet_glosses",
]
