"""The numbers of a text, and what they count.

An answer is read strictly (digits and clear words), since a number read into it that it does not hold would throw it
away; a passage is read leniently (everything that a word can mean), since a number too many only spares an answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tradewind.numbers.korean import korean_numbers

_SCALES = {"thousand": 10**3, "million": 10**6, "mn": 10**6, "billion": 10**9, "bn": 10**9, "trillion": 10**12}
_LETTERS = {"k": 10**3, "m": 10**6, "b": 10**9}
_SCALED = re.compile(rf"(?<![\w.,])(\d[\d,]*(?:\.\d+)?)[\s-]*({'|'.join(_SCALES)})\b", re.IGNORECASE)
_MONEY = re.compile(r"(?<=[$€£₩])(\d[\d,]*(?:\.\d+)?) ?(k|m|b)\b", re.IGNORECASE)
_POINT_SCALED = re.compile(r"\b(\d+\.\d+|half an?|half) (1(?:000){1,4})\b", re.IGNORECASE)
_DOZENS = re.compile(r"\b(?:(\d+) |an? )?dozens?\b", re.IGNORECASE)
_PARTS = {"hal": 2, "thi": 3, "qua": 4, "for": 4, "fif": 5, "six": 6, "ten": 10}
_COUNTS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "nine": 9}
_FRACTION = re.compile(
    r"\b(?:(two|three|four|five|seven|nine|\d)[\s-](halves|thirds|quarters|fourths|fifths|sixths|tenths)"
    r"|(a|one)[\s-](half|third|quarter|fourth|fifth|sixth|tenth))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?P<sign>(?<![\w\d.,)])[-−–](?=\d))?(?P<digits>\d{1,3}(?: \d{3})+(?!\d|[.,]\d)|\d+(?:[.,]\d+)*)")
_BELOW = re.compile(r"(?:\b(?:minus|negative)|영하|마이너스)\s?$", re.IGNORECASE)
_LOSS = re.compile(
    r"\b(?:below|under|decline\w*|decreas\w*|f[ae]ll\w*|drop\w*|loss\w*|lost|deficit|down|shr[aiu]nk)\b"
    r"|감소|하락|줄|떨어|적자|손실",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(1\d|20) (\d\d)\b")
_WORDS: dict[str, tuple[float, ...]] = {
    "half": (0.5, 50, 30), "quarter": (0.25, 25, 15, 4), "no": (0,), "free": (0,), "nil": (0,), "without": (0,),
    "none": (0,), "once": (1,), "single": (1,), "only": (1,), "twice": (2,), "both": (2,), "pair": (2,),
    "double": (2,), "doubled": (2, 100), "triple": (3,), "thrice": (3,), "score": (20,), "fortnight": (14,)
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})(?:[a-z]{{3,}}|e|y|ch|il|t)?\b", re.IGNORECASE)

_UNITS = {
    "percent": r"%|per ?cent\b|percentage|퍼센트|프로(?![가-힣])",
    "dollar": r"(?:us |u\.s\. )?dollars?\b|usd\b|달러",
    "euro": r"euros?\b|eur\b|€|유로",
    "won": r"won\b|krw\b|원(?!본|칙|산|료|인)",
    "yen": r"yen\b|jpy\b|엔(?![가-힣]{2})",
    "hour": r"hours?\b|시간",
    "day": r"days?\b|(?:은행)?(?:영업)?일(?!반|부|정|치)",
    "week": r"weeks?\b|주(?!요|문|식|의|체|로|장|소|민)",
    "month": r"months?\b|개월|달(?!러)",
    "year": r"years?\b|년|해(?![가-힣])",
    "tonne": r"(?:metric )?tonn?e?s?\b|톤",
    "kilogram": r"kilo(?:gram(?:me)?)?s?\b|kgs?\b|킬로그램",
    "foot": r"feet\b|foot\b|ft\b|피트",
    "degree": r"degrees?\b|°|도(?![가-힣])",
}
_UNIT = re.compile(
    r"[\s-]{0,2}(?:(?!and|or|to|in|of|per|on|by|at)[a-z]+[\s-])?(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _UNITS.items())
    + ")",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"(?P<dollar>\$|\busd|\bus\$)\s?$|(?P<euro>€|\beur)\s?$|(?P<won>₩|\bkrw)\s?$", re.IGNORECASE)
_MEANS = {"week": ("day", 7), "year": ("month", 12), "day": ("hour", 24)}
_LONG = 100  # what is larger is a date


@dataclass(frozen=True)
class Amount:
    """A number of a text: each way of reading it (the likeliest first), and the unit that follows it, if known."""

    readings: tuple[frozenset[float], ...]
    """One of them has to hold, with all its values: 1 250 is 1250, or else 1 and 250."""
    unit: str | None
    end: int
    """Where it ends in the text as it is read, which is not where it ends in the text as it is written."""


def stated(text: str) -> list[Amount]:
    """The numbers that a text clearly states, in digits or words, without digits that are glued to letters (m3)."""
    loss = bool(_LOSS.search(text))
    found: list[Amount] = []
    for amount in _read(text, strict=True):
        either = tuple(frozenset(-value for value in reading) for reading in amount.readings) if loss else ()
        found.append(Amount(amount.readings + either, amount.unit, amount.end))
    return found


def given(text: str) -> dict[float, set[str | None]]:
    """All numbers that a text can be taken to give, each with the units that it stands before (None: no known one)."""
    found: dict[float, set[str | None]] = {}
    for amount in _read(text, strict=False):
        for value in frozenset().union(*amount.readings):
            found.setdefault(value, set()).add(amount.unit)
            if amount.unit in _MEANS and value < _LONG:
                unit, times = _MEANS[amount.unit]
                found.setdefault(value * times, set()).add(unit)
    for word in re.findall(r"[a-z]+", text.lower()):
        for value in _WORDS.get(word, ()):
            found.setdefault(float(value), set()).add(None)
    for match in _MONTH.finditer(text):
        found.setdefault(float(_MONTHS.index(match[1].lower()) + 1), set()).add(None)
    if _LOSS.search(text):
        for value in list(found):
            found.setdefault(-value, set()).update(found[value])
    return found


def is_given(amount: Amount, there: dict[float, set[str | None]]) -> bool:
    """Whether a text that gives `there` says an amount, of the same thing if it says of what."""
    return any(
        reading <= there.keys() and (amount.unit is None or counted(reading, amount.unit, there))
        for reading in amount.readings
    )


def counted(values: frozenset[float], unit: str, there: dict[float, set[str | None]]) -> bool:
    """Whether each value is given with this unit or with no known one."""
    return all(unit in there[value] or None in there[value] for value in values)


def _read(text: str, *, strict: bool) -> Iterator[Amount]:
    plain = _plain(text)
    for begin, end, values in korean_numbers(plain, strict=strict):
        readings = tuple(frozenset([value]) for value in values)
        yield Amount(_signed(plain, begin, readings), _unit(plain, begin, end), end)
        if strict or plain[begin].isdigit():  # its parts are no numbers of their own
            plain = plain[:begin] + "_" * (end - begin) + plain[end:]
    for match in _FRACTION.finditer(plain):
        count, part = (match[1] or match[3]).lower(), (match[2] or match[4]).lower()
        share = (int(count) if count.isdigit() else _COUNTS[count]) / _PARTS[part[:3]]
        if strict and match[3] and match[3].lower() == "a":  # "a third" may be a third party
            continue
        percents = {round(100 * share, digits) for digits in range(3)}
        yield Amount(tuple(frozenset([value]) for value in (share, *sorted(percents))), None, match.end())
    if strict:
        plain = _FRACTION.sub("_", plain)
    yield from _in_digits(_worded(plain, strict=strict), strict=strict)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?<=[A-Za-z])-(?=[A-Za-z])", " ", text)
    text = _MONEY.sub(lambda match: _times(match[1], _LETTERS[match[2].lower()]), text)
    return _SCALED.sub(lambda match: _times(match[1], _SCALES[match[2].lower()]), text)


def _worded(text: str, *, strict: bool) -> str:
    """The text with its English number words in digits; if strict, without "one" and the like standing alone."""
    from text_to_num import alpha2digit

    text = alpha2digit(text, "en") if strict else alpha2digit(text, "en", 0)
    text = _DOZENS.sub(lambda match: str(12 * int(match[1] or 1)), text)
    return _POINT_SCALED.sub(lambda match: _times("0.5" if match[1][0] in "hH" else match[1], int(match[2])), text)


def _in_digits(text: str, *, strict: bool) -> Iterator[Amount]:
    years = {match.start(): match for match in _YEAR.finditer(text)}
    skip = 0
    for match in _NUMBER.finditer(text):
        begin, end = match.span("digits")
        if begin < skip or (strict and re.search(r"[A-Za-z_]$", text[:begin][-1:])):
            continue
        readings = _readings(match["digits"])
        if begin in years and match["digits"] == years[begin][1]:  # nineteen ninety-eight
            end = skip = years[begin].end()
            parts = years[begin].groups()
            readings = (frozenset([float("".join(parts))]), frozenset(map(float, parts)))
        if match["sign"]:
            readings = tuple(frozenset(-value for value in reading) for reading in readings)
        yield Amount(_signed(text, begin, readings), _unit(text, match.start(), end), end)


def _readings(digits: str) -> tuple[frozenset[float], ...]:
    if " " in digits:
        return frozenset([float(digits.replace(" ", ""))]), frozenset(map(float, digits.split()))
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", digits)
    if not re.fullmatch(r"\d+(?:\.\d+)?", plain):
        # A version or a date such as 1.2.3 is its parts; 12,5 may be a decimal.
        parts = frozenset(map(float, re.split(r"[.,]", plain)))
        return (parts, frozenset([float(plain.replace(",", "."))])) if re.fullmatch(r"\d+,\d+", plain) else (parts,)
    return frozenset([float(plain)]), *([frozenset([float(plain.replace(".", ""))])] if plain[-4:-3] == "." else [])


def _signed(text: str, begin: int, readings: tuple[frozenset[float], ...]) -> tuple[frozenset[float], ...]:
    if not _BELOW.search(text[:begin][-12:]):
        return readings
    return tuple(frozenset(-value for value in reading) for reading in readings)


def _unit(text: str, begin: int, end: int) -> str | None:
    found = _UNIT.match(text[end : end + 30]) or _BEFORE.search(text[:begin][-5:])
    return found.lastgroup if found else None


def _times(number: str, scale: int) -> str:
    from decimal import Decimal

    return format((Decimal(number.replace(",", "")) * scale).normalize(), "f")
