"""Answers in the passage's own words that say something else: a negation lost, a duty made of a permission, a swap.

Each test looks at the passage's nearest sentence only, and only where the answer nearly repeats it, since words say
little about an answer in words of its own. What they cannot see: an opposite by another word ("pays" for "receives"),
a swap together with other changes, a condition left out, a negation carried by the sentence's build. That takes a
reader (`extract.grounding.judge`).
"""

from __future__ import annotations

import re

from tradewind.config import Language
from tradewind.extraction.words import share, stem, stems, tokens
from tradewind.sentences import sentences

_REPEATS = 0.75
"""The share of the answer's words from which on it counts as the sentence's own."""
_NEGATOR: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:not|no|never|without|cannot|nor|neither|none|nobody|nothing|\w+n't)\b", re.IGNORECASE),
    "ko": re.compile(r"않|없|못|아니|아닙|아닌|안 (?=[가-힣])|금지|불가"),
}
# A negation that denies nothing, or only until something else.
_HARMLESS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:not (?:only|just)|(?:more|later|less|longer|earlier|other) than|not exceed\w*)\b"
        r"|\b(?:until|unless|except|only)\b",
        re.IGNORECASE,
    ),
    "ko": re.compile(r"뿐만? ?아니라|않는 한|않으면|없으면|않고|아니라|까지|제외|외에는|밖에|뿐"),
}
_LEAD = re.compile(
    r"(?:\s+(?:be|been|being|a|an|the|any|only|longer|yet|always|necessarily|to|have|has|do|does|is|are|was|were|it))*"
    r"\s+(\w+)",
    re.IGNORECASE,
)
_DENIED_KO = re.compile(
    r"([가-힣]{2,})(?:지(?:는|도|를)?|이|가|은|는|을|를|도)? ?(?:않|없|못|아니|아닙|아닌)|안 ([가-힣]+)"
    r"|([가-힣]{2,}) 수(?:는|가|도)? 없"
)
_DUTY: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:must|shall|ha(?:ve|s) to|(?:is|are) (?:required|obliged)|need(?:s|ed)?)\b", re.IGNORECASE),
    "ko": re.compile(r"야 (?:하|합|한|해|됩|된)|의무"),
}
_CHOICE: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b(?:may|optional\w*|(?:is|are) (?:allowed|permitted|free))\b(?! not| only)", re.IGNORECASE),
    "ko": re.compile(r"(?:ㄹ|할|을|[가-힣]) 수(?:도)? 있"),
}
_LINKS = frozenset(["and", "or", "is", "are", "was", "were", "means", "equals", "및", "또는", "그리고"])


def contradiction(answer: str, passage: str, language: Language) -> str | None:
    """What the answer says against the sentence of the passage that it nearly repeats; None where nothing is seen."""
    parts = sentences(passage)
    if not parts:
        return None
    nearest = max(parts, key=lambda part: share(answer, part, language))
    if share(answer, nearest, language) < _REPEATS:
        return None
    if denied := _negation(answer, nearest, passage, language):
        return f"the passage and it differ in a negation ({denied})"
    if _DUTY[language].search(answer) and not _DUTY[language].search(nearest) and _CHOICE[language].search(nearest):
        return "it makes a duty of a permission"
    if swapped := _swap(answer, parts):
        return f"it swaps {swapped[0]} and {swapped[1]}"
    return None


def _negation(answer: str, sentence: str, passage: str, language: Language) -> str | None:
    """The word that one side denies and the other, without any negation, affirms."""
    if _HARMLESS[language].search(sentence) or _HARMLESS[language].search(answer):
        return None
    negated, negates = (bool(_NEGATOR[language].search(text)) for text in (sentence, answer))
    if negated == negates:
        return None
    denied = _denied(sentence if negated else answer, language)
    other = answer if negated else sentence
    affirmed = set(stems(other, language))
    if negated:  # affirmed elsewhere in the passage, too, as where it tells two things apart
        plain = " ".join(part for part in sentences(passage) if not _NEGATOR[language].search(part))
        counts = stems(passage, language)
        affirmed -= {word for word in denied if word in stems(plain, language) or counts.count(word) > 1}
    return next((word for word in sorted(denied) if word in affirmed), None)


def _denied(text: str, language: Language) -> set[str]:
    if language == "ko":
        return {stem(match[match.lastindex]) for match in _DENIED_KO.finditer(text) if match.lastindex}
    found: set[str] = set()
    for match in _NEGATOR["en"].finditer(text):
        if following := _LEAD.match(text, match.end()):
            found.add(stem(following[1].lower()))
    return found


def _swap(answer: str, parts: list[str]) -> tuple[str, str] | None:
    """Two words that have changed places in what is otherwise a run of a sentence's words."""
    said = [stem(word) for word in tokens(answer)]
    found: tuple[str, str] | None = None
    for part in parts:
        words = [stem(word) for word in tokens(part)]
        for at in range(len(words) - len(said) + 1):
            window = words[at : at + len(said)]
            apart = [place for place, word in enumerate(said) if word != window[place]]
            if not apart:
                return None
            if len(apart) == len(("one", "other")) and sorted(said) == sorted(window):
                between = said[apart[0] + 1 : apart[1]]
                if len(said) > len(apart) + 1 and not (len(between) <= 1 and set(between) <= _LINKS):
                    found = said[apart[0]], said[apart[1]]
    return found
