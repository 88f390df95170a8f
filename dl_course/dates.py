"""Dates as people write them in thirteen languages, and their ISO form YYYY-MM-DD.

Names and patterns are those of the Unicode CLDR, written out by hand. Left out: patterns
that mean two days in two countries, such as 03/04/2021, and years of two digits.
"""

import datetime

from dl_course import common

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
NUM_DAYS = (LAST - FIRST).days + 1  # 73,049

LOCALES = {  # language: (months, weekdays from Monday on, patterns)
    "English": (
        "January February March April May June July August September October November "
        "December",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        ["{month} {d}, {y}", "{weekday}, {month} {d}, {y}", "{m}/{d}/{y}"],
    ),
    "German": (
        "Januar Februar März April Mai Juni Juli August September Oktober November "
        "Dezember",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        ["{d}. {month} {y}", "{weekday}, {d}. {month} {y}", "{dd}.{mm}.{y}"],
    ),
    "French": (
        "janvier février mars avril mai juin juillet août septembre octobre novembre "
        "décembre",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        ["{d} {month} {y}", "{weekday} {d} {month} {y}"],
    ),
    "Spanish": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
        "diciembre",
        None,
        ["{d} de {month} de {y}"],
    ),
    "Italian": (
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
        "novembre dicembre",
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        ["{d} {month} {y}", "{weekday} {d} {month} {y}"],
    ),
    "Portuguese": (
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
        "dezembro",
        None,
        ["{d} de {month} de {y}"],
    ),
    "Dutch": (
        "januari februari maart april mei juni juli augustus september oktober november "
        "december",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        ["{d} {month} {y}", "{weekday} {d} {month} {y}", "{dd}-{mm}-{y}"],
    ),
    "Swedish": (
        "januari februari mars april maj juni juli augusti september oktober november "
        "december",
        "måndag tisdag onsdag torsdag fredag lördag söndag",
        ["{d} {month} {y}", "{weekday} {d} {month} {y}"],
    ),
    "Polish": (
        "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października "
        "listopada grudnia",
        None,
        ["{d} {month} {y}"],
    ),
    "Russian": (
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        None,
        ["{d} {month} {y} г."],
    ),
    "Turkish": (
        "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
        "Pazartesi Salı Çarşamba Perşembe Cuma Cumartesi Pazar",
        ["{d} {month} {y}", "{d} {month} {y} {weekday}"],
    ),
    "Chinese": (
        "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
        "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
        ["{y}年{m}月{d}日", "{y}年{m}月{d}日{weekday}", "{zh_y}年{month}{zh_d}日"],
    ),
    "Korean": (
        "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
        "월요일 화요일 수요일 목요일 금요일 토요일 일요일",
        ["{y}년 {month} {d}일", "{y}년 {month} {d}일 {weekday}"],
    ),
}


def chinese_number(n):
    """1 to 31 as spoken: 二十三 for 23."""
    if not 1 <= n <= 31:
        raise ValueError(f"n: expected 1 to 31, got {n!r}")
    tens, ones = divmod(n, 10)
    digits = " 一二三四五六七八九"
    return (
        (digits[tens] if tens > 1 else "").strip()
        + "十" * (tens > 0)
        + digits[ones].strip()
    )


def write_date(day, language, pattern=0):
    """A date in words.

    Args:
        day: a `datetime.date`.
        language: a key of `LOCALES`.
        pattern: which of the language's patterns, counted from 0.

    `write_date(datetime.date(2021, 3, 5), "English")` is "March 5, 2021".
    """
    if language not in LOCALES:
        raise ValueError(f"language: expected one of {[*LOCALES]}, got {language!r}")
    months, weekdays, patterns = LOCALES[language]
    if not 0 <= pattern < len(patterns):
        raise ValueError(f"pattern: expected 0 to {len(patterns) - 1}, got {pattern!r}")
    first = language == "French" and day.day == 1
    return patterns[pattern].format(
        y=day.year,
        m=day.month,
        mm=f"{day.month:02}",
        d="1er" if first else day.day,
        dd=f"{day.day:02}",
        month=months.split()[day.month - 1],
        weekday=weekdays.split()[day.weekday()] if weekdays else "",
        zh_y="".join("〇一二三四五六七八九"[int(digit)] for digit in str(day.year)),
        zh_d=chinese_number(day.day),
    )


def date_pairs(n_train, n_test, rng):
    """Random dates in random languages; no test day is a training day, in any language.

    Args:
        n_train, n_test: how many pairs; at most 2,000 different days are kept for testing.
        rng: a `numpy.random.Generator`.

    Returns (train, test), two lists of (text, ISO date, language).
    """
    common.count(n_train, "n_train")
    common.count(n_test, "n_test")
    days = rng.permutation(NUM_DAYS)
    held_out = min(n_test, 2000)
    return [
        [_random_pair(int(day), rng) for day in rng.choice(pool, size=n)]
        for pool, n in ((days[held_out:], n_train), (days[:held_out], n_test))
    ]


def _random_pair(offset, rng):
    day = FIRST + datetime.timedelta(days=offset)
    language = [*LOCALES][rng.integers(len(LOCALES))]
    pattern = int(rng.integers(len(LOCALES[language][2])))
    return write_date(day, language, pattern), day.isoformat(), language


def alphabet():
    """All characters that a written date may hold, sorted."""
    days = [FIRST + datetime.timedelta(days=n) for n in range(0, NUM_DAYS, 73)]
    texts = {
        write_date(day, language, pattern)
        for day in days
        for language, (_, _, patterns) in LOCALES.items()
        for pattern in range(len(patterns))
    }
    return sorted(set("".join(texts)))
