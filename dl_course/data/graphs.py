"""Knowledge graphs as triples, and one graph for node classification."""

import io

import numpy as np

from dl_course.data.files import read_bytes, read_rows

GRAPHS = (
    *("nations", "kinships", "umls"),
    *("countries_s1", "countries_s2", "countries_s3"),
    *("geokg", "wn_mini", "wn_mini_rand"),
)


def knowledge_graph(name):
    """The facts of a knowledge graph, in its usual split.

    Args:
        name: one of GRAPHS. Nations, Kinships and UMLS are benchmarks; Countries S1 to
            S3 get harder; GeoKG can be judged by hand; of WN-mini's two splits,
            "wn_mini_rand" leaks symmetric facts from training into the test.

    Returns (train, valid, test), each a list of (head, relation, tail) strings.
    Raises ValueError for an unknown name.
    """
    if name not in GRAPHS:
        raise ValueError(f"name: expected one of {', '.join(GRAPHS)}, got {name!r}")
    splits = {"train": [], "valid": [], "test": []}
    for split, *triple in read_rows(f"{name.replace('_', '-')}.tsv.xz"):
        splits[split].append(tuple(triple))
    return tuple(splits.values())


def geokg_labels():
    """What GeoKG's 2,168 entities are called: {entity: (English, Chinese)}.

    The Chinese label is "" where none is known (863 entities).
    """
    rows = read_rows("geokg-labels.tsv.xz")
    return {entity: (english, chinese) for entity, english, chinese in rows}


def wn_mini_entities():
    """What WN-mini's 3,763 synsets mean (WordNet 3.0).

    Returns {synset, such as "ability.n.01": (word class, list of lemmas, gloss)}.
    """
    entities = {}
    for name, _, word_class, lemmas, gloss in read_rows("wn-mini-entities.tsv.xz"):
        entities[name] = (word_class, lemmas.split(", "), gloss)
    return entities


def definition_graph():
    """Nouns whose definitions mention each other (WordNet 3.0), in the form of Cora.

    Returns a dict:
    - "features": (2046, 910) float32, 1 if a word of "vocabulary" is in the definition
    - "labels": (2046,) int64, index into "classes", a list of 7 names
    - "edges": (6982, 2) int64, pairs of nodes, each undirected edge once
    - "train", "valid", "test": (140,), (500,), (1000,) int64, node numbers
    - "names", "vocabulary": lists of 2,046 and 910 strings
    """
    content = io.BytesIO(read_bytes("definition-graph.npz"))
    with np.load(content, allow_pickle=False) as file:
        packed, count = file["x"], int(file["nfeat"])
        features = np.unpackbits(packed, axis=1, count=count).astype(np.float32)
        return {
            "features": features,  # (nodes, words)
            "labels": file["y"].astype(np.int64),
            "edges": file["edges"].astype(np.int64),
            "train": file["train"].astype(np.int64),
            "valid": file["val"].astype(np.int64),
            "test": file["test"].astype(np.int64),
            "classes": file["classes"].tolist(),
            "names": file["names"].tolist(),
            "vocabulary": file["vocab"].tolist(),
        }


def family_verses():
    """Bible verses about families, of which a hundred were read and marked.

    Returns a list of 1,054 (reference, verse, facts): facts is the set of
    (parent, "parent_of", child) that the verse names, None where nobody has read it.
    """
    verses = []
    for state, reference, verse, pairs in read_rows("family-verses.tsv.xz"):
        pairs = [pair.split(">") for pair in pairs.split("; ") if pair]
        facts = {(parent, "parent_of", child) for parent, child in pairs}
        verses.append((reference, verse, facts if state == "checked" else None))
    return verses
