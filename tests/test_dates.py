"""Dates in words: known ones, every day read back by a parser of another kind."""

import datetime
import re

import numpy as np
import pytest

from dl_course import dates

DAYS = [dates.FIRST + datetime.timedelta(days=n) for n in range(0, dates.NUM_DAYS, 97)]
FORMS = [(name, i) for name, (_, _, p) in dates.LOCALES.items() for i in range(len(p))]
CHINESE = {character: n for n, character in enumerate("〇一二三四五六七八九")}


def test_thirteen_languages_chinese_among_them():
    assert len(dates.LOCALES) == 13
    assert "Chinese" in dates.LOCALES
    for months, weekdays, _ in dates.LOCALES.values():
        assert len(set(months.split())) == 12
        assert weekdays is None or len(set(weekdays.split())) == 7
    assert dates.FIRST + datetime.timedelta(days=dates.NUM_DAYS - 1) == dates.LAST


@pytest.mark.parametrize(
    ("language", "pattern", "text"),
    [
        ("English", 1, "Friday, March 5, 2021"),
        ("German", 2, "05.03.2021"),
        ("French", 0, "5 mars 2021"),
        ("Spanish", 0, "5 de marzo de 2021"),
        ("Dutch", 1, "vrijdag 5 maart 2021"),
        ("Russian", 0, "5 марта 2021 г."),
        ("Turkish", 1, "5 Mart 2021 Cuma"),
        ("Chinese", 1, "2021年3月5日星期五"),
        ("Chinese", 2, "二〇二一年三月五日"),
        ("Korean", 1, "2021년 3월 5일 금요일"),
    ],
)
def test_known_dates(language, pattern, text):
    assert dates.write_date(datetime.date(2021, 3, 5), language, pattern) == text


def test_the_first_of_a_month_in_french():
    assert dates.write_date(datetime.date(1944, 8, 1), "French") == "1er août 1944"


def from_chinese(text):
    tens, ten, ones = text.rpartition("十")
    return 10 * CHINESE.get(tens, 1) * bool(ten) + CHINESE.get(ones, 0)


def read(text, language):
    """A parser that knows only the months: no pattern of ours."""
    if "〇" in text or re.match("[一二]", text):
        year, month, day = re.fullmatch("(.{4})年(.+)月(.+)日", text).groups()
        year = int("".join(str(CHINESE[c]) for c in year))
        return datetime.date(year, from_chinese(month), from_chinese(day))
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    year = max(numbers)
    if len(numbers) == 3:
        first, second = [n for n in numbers if n != year]
        day_first = language in ("German", "Dutch")
        return datetime.date(year, *((second, first) if day_first else (first, second)))
    months = dates.LOCALES[language][0].split()
    (month,) = (n for n, name in enumerate(months, 1) if name in re.split("[ ,.]", text))
    return datetime.date(year, month, min(numbers))


@pytest.mark.parametrize(("language", "pattern"), FORMS)
def test_every_form_says_one_day_only(language, pattern):
    for day in DAYS:
        text = dates.write_date(day, language, pattern)
        assert len(text) <= 30  # a row of chapter 09 holds 32
        assert read(text, language) == day


def test_chinese_numbers():
    assert [dates.chinese_number(n) for n in (1, 10, 11, 20, 23, 31)] == [
        *("一", "十", "十一", "二十", "二十三", "三十一")
    ]
    assert [from_chinese(dates.chinese_number(n)) for n in range(1, 32)] == [*range(1, 32)]


def test_test_days_are_no_training_days():
    train, test = dates.date_pairs(5000, 3000, np.random.default_rng(0))
    assert (len(train), len(test)) == (5000, 3000)
    assert not {iso for _, iso, _ in train} & {iso for _, iso, _ in test}
    assert {name for _, _, name in test} == set(dates.LOCALES)
    known = set(dates.alphabet())
    for text, iso, language in train + test:
        assert set(text) <= known
        assert read(text, language).isoformat() == iso
    assert dates.date_pairs(5000, 3000, np.random.default_rng(0)) == [train, test]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: dates.chinese_number(32), "n"),
        (lambda: dates.write_date(dates.FIRST, "Klingon"), "language"),
        (lambda: dates.write_date(dates.FIRST, "Spanish", 1), "pattern"),
        (lambda: dates.date_pairs(0, 1, np.random.default_rng(0)), "n_train"),
        (lambda: dates.date_pairs(1, 0, np.random.default_rng(0)), "n_test"),
    ],
)
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call()
