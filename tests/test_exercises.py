"""The exercise checks: their core on toy checks, then every check in four states.

The states are the stub, our solution, another right answer, and wrong ones. Stub and
solution are taken from the chapter's source, so what is tested is what is shown. The others
stand in tests/answers/chapter_NN.py: RIGHT = {key: [answer, ...]} and
WRONG = {key: [(answer, part of the message it gets), ...]}.

Inputs are drawn with fixed seeds, and with one random seed, which a failure prints.
"""

import ast
import contextlib
import fractions
import importlib
import random
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from dl_course import exercises, lesson
from tools import chapters, notebooks

CHAPTERS = notebooks.manifest()[1]
ANSWERS = {
    chapter["number"]: importlib.import_module(f"tests.answers.chapter_{chapter['number']}")
    for chapter in CHAPTERS
}
KEYS = [key for module in ANSWERS.values() for key in module.RIGHT]
SEEDS = [1, 2, int(np.random.default_rng().integers(10_000))]


# ---------------------------------------------------------------- a toy exercise


def double_check(answer, rng):
    x = rng.normal(size=3)
    exercises.compare(
        exercises.call(answer, x), 2 * x, {"That is the square.": x**2}, "Twice x."
    )


@pytest.fixture
def toy(monkeypatch):
    """toy(check): a verdict function for an exercise 01.99 with this check."""
    from dl_course.exercises import chapter_01

    def verdict_of(check):
        monkeypatch.setitem(chapter_01.CHECKS, "01.99", check)
        return lambda answer, seed=None: exercises.verdict("01.99", answer, seed)

    return verdict_of


def stub(x):
    """What a learner finds."""
    raise NotImplementedError


def forgotten(x):
    2 * x


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda x: 2 * x, "correct."),
        (lambda x: [2 * float(v) for v in x], "correct."),
        (lambda x: (2 * x).astype("float32"), "correct."),
        (lambda x: x**2, "not right yet. That is the square.\n"),
        (lambda x: 3 * x, "not right yet. Twice x.\n"),
        (lambda x: 2 * x[:1], "not right yet. The result should have shape (3,), not (1,)"),
        (lambda x: "four", "not right yet. The result should be numbers, not str."),
        (lambda x: [1, [2, 3]], "not right yet. The result should be numbers, in rows of "),
        (lambda x: 2j * x, "not right yet. The result should be numbers, not complex"),
        (lambda x: x @ "a", "not right yet. Your function raised "),
        (lambda x: sys.exit(), "not right yet. Your function raised SystemExit"),
        (lambda: 1, "not right yet. Your function raised TypeError"),
        (7, "not right yet. A function is expected, but this is a int."),
        (forgotten, "not right yet. Your function returned None: is `return` missing?"),
        (lambda x: ..., "not right yet. Your function returned None: is `return`"),
        (stub, "not done yet."),
        (None, "not done yet."),
        (..., "not done yet."),
    ],
)
def test_check_gives_a_verdict_and_never_raises(capsys, toy, answer, verdict):
    toy(double_check)
    lesson.check("01.99", answer)
    assert capsys.readouterr().out.startswith(f"Exercise 01.99: {verdict}")


def test_a_verdict_on_our_solution_says_so(capsys, toy):
    toy(double_check)
    lesson.check("01.99", lambda x: 2 * x, solution=True)
    assert capsys.readouterr().out == "Exercise 01.99, our solution: correct.\n"


def test_an_answer_that_trips_the_check_gets_a_verdict(toy):
    assert toy(lambda answer, rng: answer + "text")(1) == (
        "not right yet. It could not be checked: TypeError: unsupported operand type(s) "
        "for +: 'int' and 'str'"
    )


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="expected a chapter out of 01, 02, 03"):
        lesson.check("99.1", 1)
    with pytest.raises(ValueError, match=r"key: expected one of 01\.2, 01\.3"):
        lesson.check("01.77", 1)
    with pytest.raises(ValueError, match="key: expected a chapter"):
        lesson.check(1.2, 1)


class Table:
    """What NumPy can turn into an array, such as a DataFrame."""

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.array(self.rows, dtype)


# ---------------------------------------------------------------- the right value first


def test_a_right_value_is_right_even_if_a_mistake_gives_the_same():
    exercises.compare(4, 4, {"Square.": 4, "Odd.": True}, "Other.")
    for got, message in ((9, "Square."), (5, "Other.")):
        with pytest.raises(exercises.Wrong, match=message):
            exercises.compare(got, 4, {"Square.": 9, "Odd.": False}, "Other.")
    with pytest.raises(exercises.Wrong, match="Odd"):
        exercises.compare(5, 4, {"Odd.": np.True_, "Five.": 5}, "Other.")


def test_the_likeliest_mistake_comes_before_the_shape():
    with pytest.raises(exercises.Wrong, match="Transposed"):
        exercises.compare(np.ones((2, 3)), np.ones((3, 2)), {"Transposed.": True}, "Other.")
    with pytest.raises(exercises.Wrong, match="should have shape"):
        exercises.compare(np.ones((2, 3)), np.ones((3, 2)), {}, "Other.")
    with pytest.raises(exercises.Wrong, match="should be one number"):
        exercises.compare(np.ones(2), 1.0, {}, "Other.")


def hints_outside_of_if(node, inside=False):
    """Lines of `expect(not same(...))` and the like that right answers come by."""
    inside |= isinstance(node, ast.If)
    pattern = r"expect\(\s*not (same|np\.\w*(equal|close))\("
    if isinstance(node, ast.Expr) and not inside and re.match(pattern, ast.unparse(node)):
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from hints_outside_of_if(child, inside)


def test_no_check_looks_for_a_mistake_before_it_compares():
    """Such a line lets a hint outrank correctness: `compare` does not.

    In an `if`, what it judges is no single value, and right answers have passed by.
    """
    for path in sorted(Path(exercises.__file__).parent.glob("chapter_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        assert not list(hints_outside_of_if(tree)), f"{path.name}: use compare"
    assert list(hints_outside_of_if(ast.parse("expect(not same(a, b), 'Square.')"))) == [1]


@pytest.mark.parametrize(
    "thing",
    [
        "four",
        "4",
        ["1", "2"],
        None,
        [1, None],
        [[1], [2, 3]],
        {1: 2},
        {1, 2},
        object(),
        [1 + 2j],
        lambda: 1,
        (i for i in (1, 2)),
        float,
        np.array("2020-01-01", dtype="datetime64[D]"),
        keras.Input((2,)),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_no_number_is_never_the_same(thing):
    for expected in (0, 1, 4, [1, 2], np.nan, np.ones((2, 2))):
        assert exercises.same(thing, expected) is False


def test_same_takes_every_kind_of_numbers():
    for thing in (
        [1, 2],
        (1.0, np.float32(2)),
        range(1, 3),
        np.array([1, 2], "uint8"),
        np.array([1, 2], "float16"),
        [fractions.Fraction(1), 2],
        Table([1, 2]),
        keras.ops.convert_to_tensor([1, 2]),
        keras.Variable([1.0, 2.0]),
    ):
        assert exercises.same(thing, [1, 2])
        assert not exercises.same(thing, [1, 3])
        assert not exercises.same(thing, [[1, 2]])
    assert exercises.same([True, False], [1, 0]) and exercises.same(np.bool_(1), True)
    assert exercises.same(10**30, 1e30)


def test_same_has_a_tolerance_that_fits_the_precision():
    assert exercises.same(1 + 5e-7, 1) and not exercises.same(1 + 5e-6, 1)
    assert exercises.same(np.float32(1 + 5e-6), 1)
    assert not exercises.same(np.float32(1 + 1e-4), 1)
    assert exercises.same(1.001, 1, 0.01)
    assert not exercises.same([1, np.nan], [1, 2]) and not exercises.same(np.inf, 1)


def test_numbers_takes_sets_and_names_what_is_none():
    assert sorted(exercises.numbers({3, 1}, "The rows").tolist()) == [1, 3]
    for answer, message in (
        ("a", "The rows should be numbers, not str"),
        ([[1], [2, 3]], "The rows should be numbers, in rows of one length"),
        ([1, 2, 3], r"The rows should have shape \(2,\), not \(3,\)"),
    ):
        with pytest.raises(exercises.Wrong, match=message):
            exercises.numbers(answer, "The rows", (2,))


@pytest.mark.parametrize("answer", [(1, 2), [1, 2], np.array([1, 2]), np.ones((2, 3))])
def test_parts_takes_what_has_the_right_length(answer):
    assert len(exercises.parts(answer, 2, "two things")) == 2
    for other in (3, "ab", {1, 2}, np.float64(1), np.array(1), [1], (1, 2, 3)):
        with pytest.raises(exercises.Wrong, match="Return two things"):
            exercises.parts(other, 2, "two things")


# ---------------------------------------------------------------- inputs


class Box:
    def __init__(self, value):
        self.value, self._cache = value, {}


def set_item(x):
    x[0] = 7


def set_attribute(x):
    x.value = 7


def set_inside(x):
    x["a"][0][0] = 7


@pytest.mark.parametrize(
    ("given", "change"),
    [
        (np.arange(3), set_item),
        (np.array([np.nan, 1.0]), set_item),
        (np.ones((3, 2))[:, ::-1], set_item),
        (np.array(["a", None], dtype=object), set_item),
        (np.ones(3), lambda x: x.resize(2, refcheck=False)),
        ([1, 2], set_item),
        ([np.nan, 2.0], lambda x: x.append(3)),
        ([1, 2], lambda x: x.reverse()),
        ({"a": [np.zeros(2)]}, set_inside),
        ({"a": 1}, lambda x: x.clear()),
        ({1, 2}, lambda x: x.add(3)),
        (Box(3), set_attribute),
        (Box([1]), lambda x: x.value.append(2)),
        (Table([1.0, np.nan]), lambda x: x.rows.append(3)),
        (keras.Variable([1.0]), lambda x: x.assign([2.0])),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_an_answer_that_changes_its_input_is_told_which(given, change):
    def answer(first, data):
        change(data)
        return 1

    original = exercises.copy.deepcopy(given)
    with pytest.raises(exercises.Wrong, match="changed its input data: work on a copy"):
        exercises.call(answer, 0, given)
    with pytest.raises(exercises.Wrong, match="changed its input data: work on a copy"):
        exercises.call(answer, 0, data=given)
    assert exercises.alike(original, given)  # ours is untouched
    assert exercises.call(lambda first, data: 1, 0, given) == 1


def test_what_a_function_of_the_check_says_reaches_the_learner():
    def counted():
        raise exercises.Wrong("Only 5 calls are allowed.")

    with pytest.raises(exercises.Wrong, match=r"^Only 5 calls"):
        exercises.call(lambda f: f(), counted)


def test_what_changes_by_being_used_may_change():
    def answer(rng, box, function, numbers):
        box._cache["a"] = 1
        return rng.random() + function() + sum(numbers)

    calls = []

    def counted():
        calls.append(1)
        return 1

    rng = np.random.default_rng(0)
    assert exercises.call(answer, rng, Box(1), counted, [0.5, np.nan]) is not None
    assert len(calls) == 1 and rng.random() == np.random.default_rng(0).random()


def test_a_changed_input_without_a_name_has_a_number():
    with pytest.raises(exercises.Wrong, match="its input number 2: "):
        exercises.call(lambda *given: given[1].append(1), 1, [2])


def test_lists_that_hold_themselves_do_not_hang():
    endless = [1]
    endless.append(endless)
    assert exercises.call(len, endless) == 2


# ---------------------------------------------------------------- settings and seeds


def test_an_answer_leaves_no_setting_behind(toy):
    def careless(x):
        np.seterr(all="raise")
        warnings.simplefilter("error")
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        return 2 * x

    before = np.geterr(), list(warnings.filters), random.getstate()
    state = np.random.get_state()[1].tolist()  # noqa: NPY002

    def twice(answer, rng):
        double_check(answer, rng)
        assert np.isinf(np.array(1.0) / 0)  # our own arithmetic is not theirs
        double_check(answer, rng)

    assert toy(twice)(careless) == "correct."
    assert toy(twice)(lambda x: 3 * x).startswith("not right yet.")
    assert (np.geterr(), list(warnings.filters), random.getstate()) == before
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_a_wrong_verdict_names_a_seed_that_draws_the_same_inputs(toy, capsys):
    drawn = []

    def check(answer, rng):
        drawn.append(rng.normal(size=3).tolist())
        raise exercises.Wrong("No.")

    said = toy(check)(1)
    assert said.startswith("not right yet. No.\nInputs drawn with seed ")
    call = re.search(r'check\("01\.99", answer, seed=(\d+)\)', said)
    lesson.check("01.99", 1, seed=int(call[1]))
    assert capsys.readouterr().out == f"Exercise 01.99: {said}\n"
    toy(check)(1)
    assert drawn[0] == drawn[1] != drawn[2]


def test_no_seed_is_named_where_nothing_was_drawn(toy):
    def check(answer, rng):
        raise exercises.Wrong("No.")

    assert toy(check)(1) == "not right yet. No."


def test_a_seed_that_is_none_is_named():
    for seed in (-1, 1.5, "1", 2**32):
        with pytest.raises(ValueError, match="seed: expected an integer"):
            exercises.verdict("01.2", lambda tau: tau, seed)


def test_a_seed_covers_global_generators_and_layers_of_keras(toy):
    def check(answer, rng):
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        numbers = random.random(), np.random.random(), layer.get_weights()  # noqa: NPY002
        raise exercises.Wrong(f"{numbers}")

    verdict = toy(check)
    assert verdict(1, 5) == verdict(1, 5) != verdict(1, 6)


# ---------------------------------------------------------------- the time limit


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.2)


def spin(x):
    while True:
        pass


def stubborn(x):
    """Catches the first two interrupts."""
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            spin(x)
    return spin(x)


def swallow(x):
    try:
        spin(x)
    except KeyboardInterrupt:
        return 2 * x


def sleep(x):
    import time

    while True:
        time.sleep(0.01)


@pytest.mark.parametrize("answer", [spin, sleep, swallow, stubborn])
def test_an_endless_loop_ends_with_a_verdict(toy, soon, answer):
    said = toy(double_check)(answer)
    assert said.startswith("not right yet. It took longer than 0.2 s and was stopped")
    assert "seed" in said
    sum(range(300_000))  # a late interrupt would show here
    assert threading.active_count() < 20


def test_a_quick_answer_is_not_interrupted(toy, monkeypatch):
    import time

    monkeypatch.setattr(exercises, "TIME_LIMIT", 1.0)
    for _ in range(20):
        assert toy(double_check)(lambda x: 2 * x) == "correct."
    time.sleep(1.2)


def test_at_the_very_limit_an_interrupt_never_comes_late(toy, monkeypatch):
    """The limit strikes around the end of the answer: before, within or after it."""
    import time

    verdict = toy(double_check)

    def answer(x):
        time.sleep(0.004)
        return 2 * x

    for step in range(60):
        monkeypatch.setattr(exercises, "TIME_LIMIT", 0.003 + step * 5e-5)
        said = verdict(answer)
        assert said == "correct." or "It took longer than" in said
        sum(range(1000))


def test_ctrl_c_stays_ctrl_c(toy):
    def check(answer, rng):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy(check)(1)


def test_outside_of_the_main_thread_there_is_no_limit(toy, soon):
    import time

    said = []

    def slow(x):
        time.sleep(0.4)
        return 2 * x

    thread = threading.Thread(target=lambda: said.append(toy(double_check)(slow)))
    thread.start()
    thread.join()
    assert said == ["correct."]


KERNEL = """
from dl_course import exercises
from dl_course.lesson import check
exercises.TIME_LIMIT = 0.5

def endless(tau):
    import time
    while True:
        time.sleep(0.05)

check("01.2", endless)
print("and on")
"""


def test_an_endless_loop_ends_in_a_kernel():
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(KERNEL), nbformat.v4.new_code_cell("print(1 + 1)")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    text = notebook.cells[0].outputs[0].text
    assert text.startswith("Exercise 01.2: not right yet. It took longer than 0.5 s")
    assert text.endswith("and on\n")
    assert notebook.cells[1].outputs[0].text == "2\n"


def test_an_endless_loop_ends_in_a_script():
    script = KERNEL.replace("time.sleep(0.05)", "pass")
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "It took longer than 0.5 s" in run.stdout and run.stdout.endswith("and on\n")
    assert run.returncode == 0 and run.stderr == ""


# ---------------------------------------------------------------- the exercises


def cells(key, tag):
    """Sources of the cells with this tag that check exercise `key`."""
    chapter = next(c for c in CHAPTERS if c["number"] == key.partition(".")[0])
    return [
        cell.source
        for cell in BUILT[chapter["number"]]
        if tag in notebooks.tags(cell) and f'check("{key}"' in cell.source
    ]


BUILT = {c["number"]: notebooks.build(c).cells for c in CHAPTERS}


def answer_in(source, number):
    """Run a cell as the notebook would; return what it hands to `check`, and how.

    The cell may use what its chapter defines: functions, classes, constants, imports.
    """
    handed_in = []
    names = {
        "np": np,
        "keras": keras,
        "check": lambda key, answer, **how: handed_in.append((answer, how)),
    }
    read = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    for name in read & set(chapters.source(number).names) - set(names):
        names[name] = getattr(chapters.definitions(number), name)
    exec(source, names)
    assert len(handed_in) == 1
    return handed_in[0]


def test_every_exercise_has_checks_and_answers():
    assert exercises.chapters() == sorted(chapter["number"] for chapter in CHAPTERS)
    for chapter in CHAPTERS:
        number = chapter["number"]
        checks = importlib.import_module(f"dl_course.exercises.chapter_{number}").CHECKS
        text = "\n".join(cell.source for cell in BUILT[number])
        keys = re.findall(r"^### Exercise ([\da-z.]+):", text, re.MULTILINE)
        assert sorted(keys) == sorted(checks) == sorted(ANSWERS[number].RIGHT)
        assert checks.keys() == ANSWERS[number].WRONG.keys()
        for key, wrong in ANSWERS[number].WRONG.items():
            assert len(wrong) >= 4, f"{key}: {len(wrong)} of at least 4 wrong answers"


@pytest.mark.parametrize("key", KEYS)
def test_the_stub_is_not_done_yet(key):
    (source,) = cells(key, "exercise")
    answer, how = answer_in(source, key.partition(".")[0])
    assert exercises.verdict(key, answer) == "not done yet." and how == {}
    assert not callable(answer) or source.count("raise NotImplementedError") == 1


@pytest.mark.parametrize("key", KEYS)
def test_our_solution_is_right_and_has_a_name_of_its_own(key):
    ((stub,), (solution,)) = cells(key, "exercise"), cells(key, "solution")
    answer, how = answer_in(solution, key.partition(".")[0])
    assert how == {"solution": True}
    name = re.search(rf'check\("{key}", (\w+)\)', stub)[1]
    assert f'check("{key}", {name}_solution, solution=True)' in solution
    assert not re.search(rf"\b{name}\b", solution)
    for seed in SEEDS:
        assert exercises.verdict(key, answer, seed) == "correct.", f"seed {seed}"


@pytest.mark.parametrize("key", KEYS)
def test_another_right_solution_is_right(key):
    assert ANSWERS[key.partition(".")[0]].RIGHT[key]
    for answer in ANSWERS[key.partition(".")[0]].RIGHT[key]:
        for seed in SEEDS:
            assert exercises.verdict(key, answer, seed) == "correct.", f"seed {seed}"


@pytest.mark.parametrize(
    ("key", "number"),
    [
        (k, i)
        for m in ANSWERS.values()
        for k, wrong in m.WRONG.items()
        for i in range(len(wrong))
    ],
)
def test_a_typical_mistake_is_named(key, number):
    answer, message = ANSWERS[key.partition(".")[0]].WRONG[key][number]
    for seed in SEEDS:
        said = exercises.verdict(key, answer, seed)
        assert said.startswith("not right yet. ") and message in said, f"seed {seed}"
        assert "could not be checked" not in said


@pytest.mark.parametrize("key", KEYS)
def test_not_every_mistake_gets_the_same_message(key):
    wrong = ANSWERS[key.partition(".")[0]].WRONG[key]
    assert len({exercises.verdict(key, answer, 1) for answer, _ in wrong}) > 1


RAGGED = [[1], [2, 3]]
ODD = {
    "a word": "four",
    "a ragged list": RAGGED,
    "a pair of ragged lists": (RAGGED, RAGGED),
    "an empty list": [],
    "a pair of words": ("a", "b"),
    "a pair of sets": ({1}, {2}),
    "a pair of NaN": (np.nan, np.nan),
    "three cubes": (np.zeros((2, 2, 2)),) * 3,
    "NaN": np.nan,
    "complex numbers": (1j, 1j),
    "a dictionary": {},
    "an object": object(),
    "an array of nothing": np.array(None),
    "a function": len,
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_answers_get_a_clear_verdict(kind):
    for key in KEYS:
        for answer in (ODD[kind], lambda *args, **kwargs: ODD[kind]):
            said = exercises.verdict(key, answer, 1)
            assert said.startswith("not right yet. "), f"{key}: {said}"
            assert "could not be checked" not in said, f"{key}: {said}"
