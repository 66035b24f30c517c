"""Which pairs must not be trained on, judged by their text alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tradewind.config import Language, QualityConfig
from tradewind.texts import Texts, every_character, normalise

# C0 and C1 without tab, line feed and carriage return; U+FFFD is what decoders put where they failed.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_REPLACEMENT = "\ufffd"
# How bytes above 0x7F look once Windows-1252 has read them. Quotation marks, dashes and dots are among them, and
# may follow an accented letter in good text: one such pair proves nothing, two lead bytes in their places do.
_TAIL = " \u00a0-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MOJIBAKE = re.compile(
    "Ã[\u00a0-\u00bf]"  # é as Ã©
    "|Â[\u00a0-\u00bf]"  # £ as Â£
    "|â€"  # ’ as â€™
    f"|(?:[ê-í][{_TAIL}]{{2}}){{2}}"  # Korean in UTF-8: 용장 as ìš©ìž¥
    "|(?=[^À-ÖØ-öø-ÿ]{0,4}[À-ÖØ-öø-ÿ])[\u00a1-\u00ff]{5,}"  # Korean in CP949: 신용장 as ½Å¿ëÀå
)
_LATIN_1 = re.compile("[À-ÖØ-öø-ÿ]")  # which every sign of mojibake has: cheaper to look for than the signs
_LATIN_LETTERS = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1effＡ-Ｚａ-ｚ"
_HANGUL_LETTERS = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f가-힣\ud7b0-\ud7ff"
_LATIN = re.compile(f"[{_LATIN_LETTERS}]+")
_HANGUL = re.compile(f"[{_HANGUL_LETTERS}]+")
_OTHER = re.compile(rf"[^\W\d_{_LATIN_LETTERS}{_HANGUL_LETTERS}]+")  # letters, and numbers such as ① and ½
_SAYS_SOMETHING = re.compile(r"[^\W_]")

_OPTION_ONLY = re.compile(
    r"(?:(?:정답|답|answer|option|choice|보기)\s*(?:은|는|is)?\s*:?\s*)?"
    r"[(\[<]?\s*(?:(?P<number>[1-9])|[A-Ea-e]|[①-⑳ㄱ-ㅁ]|[가나다라마](?=\s*[)\].]))\s*[)\]>]?\s*"
    r"(?:번\s*(?:이다|입니다)?)?\s*[.:]?",
    re.IGNORECASE,
)
_OPENS_OPTION = re.compile(r"[\W1-9A-Ea-eOo①-⑳ㄱ-ㅁ가나다라마정답보]+")
_OPTION = re.compile(r"(?<![\w.])(?:[1-9]|[A-Ea-e])\s*[.)번]\s*(?=\S)|[①-⑳]")
_ASKS_NUMBER = re.compile(r"\bhow (?:many|much|long|often|far)\b|\bnumber of\b|몇|얼마", re.IGNORECASE)

_LONGEST_OPTION = 40
"""Characters of an answer that may name an option alone; the pattern's many spaces are slow on a long text."""
_NAMES_ONLY = 80
"""Letters up to which an answer may be a name in the other language, such as that of a UN convention."""
_FOREIGN = 0.05
"""Hangul for each Latin letter that a Korean answer has at least: trade text is full of Latin abbreviations."""
_SAYS, _HANGUL_SAYS, _DOUBTFUL = 1, 2, 3  # what a character tells of its text


def fault_of(question: str, answer: str, language: Language, config: QualityConfig, stem: str = "") -> str | None:
    """Why this pair must not be trained on, or None.

    Args:
        language: that of the record.
        stem: the question without its template, where it has one; an answer that says no more than it is refused.
    """
    return (
        _length_fault("question", question, config.min_question, config.max_question)
        or _length_fault("answer", answer, config.min_answer, config.max_answer)
        or _encoding_fault("question", question)
        or _encoding_fault("answer", answer)
        or _content_fault(question, answer, stem)
        or (_language_fault(question, answer, language) if config.check_language else None)
    )


def faults_of(
    questions: Sequence[str],
    answers: Sequence[str],
    languages: Sequence[Language],
    stems: Sequence[str],
    config: QualityConfig,
) -> dict[int, str]:
    """What `fault_of` says against each of many pairs, by their places; nothing of those that are fit.

    Most pairs are fit, and all their characters at once show that of nearly each; only the others are looked at.
    """
    faults = {}
    for at in np.flatnonzero(_is_doubtful(questions, answers, languages, stems, config)).tolist():
        if fault := fault_of(questions[at], answers[at], languages[at], config, stems[at]):
            faults[at] = fault
    return faults


def _is_doubtful(
    questions: Sequence[str],
    answers: Sequence[str],
    languages: Sequence[Language],
    stems: Sequence[str],
    config: QualityConfig,
) -> npt.NDArray[np.bool_]:
    """Which pairs `fault_of` may refuse."""
    n = len(questions)
    if not n:
        return np.empty(0, np.bool_)
    texts = Texts.as_they_are([*questions, *answers])
    first, chars = texts.start[n:], texts.chars[: texts.end[-1] + 1]
    signs = _signs().take(chars)
    question, answer = (texts.end - texts.start).reshape(2, n)
    most = np.maximum.reduceat(signs, texts.start).reshape(2, n)
    hangul = np.add.reduceat(signs[first[0] :] == _HANGUL_SAYS, first - first[0], dtype=np.int64)
    is_korean = np.array([language == "ko" for language in languages])
    doubtful: npt.NDArray[np.bool_] = (
        ((most < _SAYS) | (most == _DOUBTFUL)).any(axis=0)
        | (question < config.min_question)
        | (question > config.max_question)
        | (answer < config.min_answer)
        | (answer > config.max_answer)
        | (answer <= _LONGEST_OPTION) & _opens_option().take(chars[first])
        | _alike_long(question, answer)
        | _alike_long(np.array([*map(len, stems)]), answer)
        | (answer > _NAMES_ONLY) & np.where(is_korean, hangul < _FOREIGN * answer, hangul > 0)
    )
    return doubtful


def _length_fault(name: str, text: str, least: int, most: int) -> str | None:
    if not text or text.isspace():
        return f"no {name}"
    if len(text) < least:
        return f"{name} of {len(text)} characters, fewer than data.quality.min_{name} ({least})"
    if len(text) > most:
        return f"{name} of {len(text)} characters, more than data.quality.max_{name} ({most})"
    return None


def _encoding_fault(name: str, text: str) -> str | None:
    control = _CONTROL.search(text)
    if control:
        return f"control character U+{ord(control[0]):04X} in the {name}"
    if text.isascii():
        return None
    if _REPLACEMENT in text:
        return f"replacement character U+FFFD in the {name}"
    broken = _MOJIBAKE.search(text) if _LATIN_1.search(text) else None
    return f"{name} was read in a wrong encoding ('{broken[0]}')" if broken else None


def _content_fault(question: str, answer: str, stem: str) -> str | None:
    for name, text in (("question", question), ("answer", answer)):
        if not _SAYS_SOMETHING.search(text):
            return f"{name} without letters or digits"
    option = _OPTION_ONLY.fullmatch(answer.strip()) if len(answer) <= _LONGEST_OPTION else None
    if option and len(set(_OPTION.findall(question))) < 2:
        counts = option["number"] == answer.strip(" .") and _ASKS_NUMBER.search(question)
        if not counts:
            return "answer names an option that the question does not hold"
    # Normalising takes most of the time of all this: only texts that can come out alike are worth it.
    if any(_alike_long(len(text), len(answer)) and normalise(text) == normalise(answer) for text in (question, stem)):
        return "answer only repeats the question"
    return None


def _alike_long(one: Any, other: Any) -> Any:
    """Whether two lengths, or lengths in arrays, are those of texts that can come out alike."""
    return (one - other <= 4 + one // 8) & (other - one <= 4 + other // 8)


def _language_fault(question: str, answer: str, language: Language) -> str | None:
    for name, text in (("question", question), ("answer", answer)):
        if text.isascii():
            continue
        others = "".join(filter(str.isalpha, "".join(_OTHER.findall(text))))
        if others and len(others) > _count(_HANGUL, text) + _count(_LATIN, text):
            script = unicodedata.name(others[0], "UNKNOWN").split()[0]
            return f"{name} mostly in another script than Latin and Hangul ({script})"
    if len(answer) <= _NAMES_ONLY or (language == "en" and answer.isascii()):
        return None
    hangul, latin = _count(_HANGUL, answer), _count(_LATIN, answer)
    other_language = hangul < _FOREIGN * latin if language == "ko" else hangul > latin
    if hangul + latin > _NAMES_ONLY and other_language:
        return f"answer of {hangul + latin} letters in another language than its record's ({language})"
    return None


def _count(script: re.Pattern[str], text: str) -> int:
    return sum(map(len, script.findall(text)))


@cache
def _signs() -> npt.NDArray[np.uint8]:
    """Whether a character says something, is Hangul, or makes its text doubtful."""
    every = every_character()
    doubtful = f"{_CONTROL.pattern}|{_REPLACEMENT}|{_LATIN_1.pattern}"
    signs = _table(every, {r"[^\W_]+": _SAYS, _HANGUL.pattern: _HANGUL_SAYS, doubtful: _DOUBTFUL})
    signs[[ord(char) for run in _OTHER.findall(every) for char in run if char.isalpha()]] = _DOUBTFUL
    return signs


@cache
def _opens_option() -> npt.NDArray[np.uint8]:
    """Whether an answer that names an option alone may begin with a character."""
    return _table(every_character(), {_OPENS_OPTION.pattern: 1})


def _table(every: str, patterns: dict[str, int]) -> npt.NDArray[np.uint8]:
    """For each character the value of the last pattern that it matches."""
    table = np.zeros(len(every), np.uint8)
    for pattern, value in patterns.items():
        for run in re.finditer(pattern, every):
            table[run.start() : run.end()] = value
    return table
