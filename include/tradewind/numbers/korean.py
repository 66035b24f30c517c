"""Korean numerals: Sino-Korean with scales (이십, 3만, 1억 2천만) and native (열한, 세).

No library on PyPI reads them out of running text. Syllables of numerals are also ordinary words (이사회, 구조, 한),
so `strict` takes only what stands before a unit; without it everything counts that can be a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_DIGITS = {
    "영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9
}  # fmt: skip
_TENS = {"십": 10, "백": 100, "천": 1000}
_SCALES = {"만": 10**4, "억": 10**8, "조": 10**12}
_NATIVE_ONES = {
    "하나": 1, "한": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "석": 3, "네": 4, "넷": 4, "넉": 4, "다섯": 5, "여섯": 6,
    "일곱": 7, "여덟": 8, "아홉": 9
}  # fmt: skip
_NATIVE_TENS = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90
}  # fmt: skip

_D = "".join(_DIGITS)
_ATOM = rf"(?:\d+(?:,\d{{3}})*(?:\.\d+)?|[{_D}])"
_STEP = rf"(?:{_ATOM}?(?:[십백천]|[만억조](?:\s(?={_ATOM}[십백천만]|[십백천]|\d{{1,3}},?\d{{3}}))?))"
_SCALED = rf"{_STEP}+{_ATOM}?"
_TOKEN = re.compile(rf"{_ATOM}|[십백천만억조]")
_COUNTER = (
    r"(?:가지|개|부|통|장|명|사람|주|달|해|번|시간|배|곳|나라|차례|건|대|종류|단계|(?:은행)?영업일|척|권|쪽|벌|상자|분기"
    r"|층|줄|쌍|원칙|조건|규칙)"
)
_LONG_UNIT = r"(?:퍼센트|프로|달러|유로|위안|톤|개월|시간|영업일|킬로|미터|센티|피트|센트|마일|리터)"
_UNIT = rf"(?:{_LONG_UNIT}|{_COUNTER}|%|원(?!본|칙|산)|엔|년|월|일|분|호|도|차|세기)"
_ONES = "|".join(sorted(_NATIVE_ONES, key=len, reverse=True))
_NATIVE_PLAIN = "|".join(_NATIVE_TENS)

_DIGITS_SCALED = re.compile(rf"(?<![A-Za-z\d.,])(?=[\d.,]+[십백천만억조]){_SCALED}")
_WORDS_STRICT = re.compile(
    rf"(?<![가-힣\d])제?(?!만일|구조|조)(?P<number>{_SCALED}(?=\s?{_UNIT})|[{_D}](?=\s?{_LONG_UNIT})"
    r"|[삼사오육칠팔구](?= (?:년|주|일)))"
)
_WORDS = re.compile(rf"{_SCALED}(?<=.{{2}})|[{_D}]{{2,}}|(?<![가-힣\d])제?(?P<number>[{_D}십백천만](?=\s?{_UNIT}))")
_NATIVE_STRICT = re.compile(
    rf"(?<![가-힣])(?P<tens>{_NATIVE_PLAIN})?(?P<ones>{_ONES})?"
    rf"(?:(?<=[가-힣]{{2}})(?=\s?{_COUNTER})|(?<=세|네|석|넉)(?:(?=\s{_COUNTER})|(?=가지|개월|시간)))"
)
_NATIVE = re.compile(
    rf"(?<![가-힣])(?P<tens>{_NATIVE_PLAIN})?(?P<ones>{_ONES})?(?=\s|{_COUNTER}|째|이|을|를|은|의|로|,)"
)
_OTHERS: dict[str, tuple[float, ...]] = {
    "절반": (0.5, 50), "반": (0.5, 50, 30), "첫": (1,), "갑절": (2,), "무료": (0,), "없": (0,), "이틀": (2,),
    "사흘": (3,), "나흘": (4,), "열흘": (10,), "보름": (15,), "하루": (1, 24)
}  # fmt: skip


def korean_numbers(text: str, *, strict: bool) -> Iterator[tuple[int, int, list[float]]]:
    """Where each Korean numeral begins and ends, with all that it may mean, the likeliest first.

    Numbers in digits alone are not told; digits with a scale (3만) are, whether strict or not.
    """
    taken: list[tuple[int, int]] = []
    for match in _DIGITS_SCALED.finditer(text):
        taken.append(match.span())
        yield (*match.span(), _values(match.group(), strict=strict))
    for match in (_WORDS_STRICT if strict else _WORDS).finditer(text):
        group = "number" if match.group("number" if "number" in match.groupdict() else 0) else 0
        begin, end = match.span(group)
        if not any(begin < to and end > at for at, to in taken):
            yield begin, end, _values(match.group(group), strict=strict)
    for match in (_NATIVE_STRICT if strict else _NATIVE).finditer(text):
        if match["tens"] or match["ones"]:
            yield (*match.span(), [float(_NATIVE_TENS.get(match["tens"], 0) + _NATIVE_ONES.get(match["ones"], 0))])
    if not strict:
        for word, values in _OTHERS.items():
            for match in re.finditer(rf"(?<![가-힣]){word}|(?<=의 ){word}", text):
                yield (*match.span(), list(values))


def _values(numeral: str, *, strict: bool) -> list[float]:
    found = [_value(numeral)]
    if numeral.endswith("조") and len(numeral) > 1:  # 제20조 is an article, 20조 twenty trillion
        found.append(_value(numeral[:-1]))
    if numeral[-1] in "이일" and len(numeral) > 1:  # a particle, or the word for day
        found.append(_value(numeral[:-1]))
    if not strict and all(letter in _DIGITS for letter in numeral):  # spelled digit by digit
        found.append(float("".join(str(_DIGITS[letter]) for letter in numeral)))
    return found


def _value(numeral: str) -> float:
    """Sections of four digits, each with its scale: 1억 2,000만 is 1 x 10^8 + 2,000 x 10^4."""
    total = section = 0.0
    pending: float | None = None
    for token in _TOKEN.findall(numeral):
        if token in _TENS:
            section += (1 if pending is None else pending) * _TENS[token]
            pending = None
        elif token in _SCALES:
            section += pending or 0
            total += (section or 1) * _SCALES[token]
            section, pending = 0.0, None
        else:
            pending = float(_DIGITS[token]) if token in _DIGITS else float(token.replace(",", ""))
    return total + section + (pending or 0)
