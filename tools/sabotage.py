"""Switch the idea of each conclusion off: does its claim notice?

    python -m tools.sabotage 07b

A chapter's manifest lists its conclusions:

    [[conclusions]]
    says = "The hidden layer is what makes XOR possible."
    claim = "XOR, share right"
    without = ["hidden = relu(x @ W)", "hidden = x @ W"]

`says` is the sentence, `claim` the name of the claim that carries it, `without` a text of
the source and what replaces it to switch the idea off. The changed chapter is executed up
to the claim, which must fail there. Exits with 1 if one holds all the same, or is never
reached. A table goes to build/sabotage/NN.json.
"""

import argparse
import json
import sys

from tools.environment import use_course_keras
from tools.files import forgive_stdout, lock, make_folder, write_atomically
from tools.notebooks import ROOT, chapters_named, execute, source_path, stem
from tools.seeds import experiment, first_error

SABOTAGE = ROOT / "build" / "sabotage"


def without(chapter, conclusion):
    """The chapter's source with the idea of a conclusion switched off.

    Raises SystemExit if the text to be replaced does not occur exactly once.
    """
    source = source_path(chapter).read_text("utf-8")
    old, new = conclusion["without"]
    if source.count(old) != 1:
        raise SystemExit(
            f"{source_path(chapter).name}: {old!r} occurs {source.count(old)} times; for "
            f"the conclusion {conclusion['claim']!r} it must occur once"
        )
    return source.replace(old, new)


def verdict(chapter, conclusion):
    """{"claim", "noticed", "value", "why"} of one conclusion with its idea switched off."""
    name = conclusion["claim"]
    notebook = experiment(chapter, source=without(chapter, conclusion))
    took = execute(notebook, f"{stem(chapter)}: {name}", strict=False, until=name)
    reached = [record for record in took["claims"] if record["name"] == name]
    if not reached:
        error = first_error(notebook) or "no cell states it"
        return {"claim": name, "noticed": False, "value": None, "why": error}
    record = reached[0]
    why = "it fails, as it must" if not record["held"] else "it holds all the same"
    return {
        "claim": name,
        "noticed": not record["held"],
        "value": record["value"],
        "why": why,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    options = parser.parse_args()
    forgive_stdout()
    make_folder(SABOTAGE)
    unnoticed = 0
    with lock():
        use_course_keras(ROOT / "build")
        for chapter in chapters_named(options.chapters):
            rows = []
            for conclusion in chapter.get("conclusions", []):
                row = verdict(chapter, conclusion)
                rows.append(row)
                sign = "✓" if row["noticed"] else "✗"
                value = (
                    "" if row["value"] is None else f" (value {float(row['value']):.4g})"
                )
                print(f"{sign} {chapter['number']} {row['claim']}{value}: {row['why']}")
                sys.stdout.flush()
            if rows:
                text = json.dumps(rows, ensure_ascii=False, indent=1)
                write_atomically(SABOTAGE / f"{chapter['number']}.json", text)
                unnoticed += sum(not row["noticed"] for row in rows)
    print(f"{unnoticed} went unnoticed; tables: {SABOTAGE.relative_to(ROOT)}/")
    sys.exit(bool(unnoticed))


if __name__ == "__main__":
    main()
