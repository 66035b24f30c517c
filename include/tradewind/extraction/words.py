"""The words that carry an answer's meaning, and how many of them a passage holds."""

from __future__ import annotations

import re
import unicodedata

from tradewind.config import Language

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_COUNTED = re.compile(r"\d+(?:[.,]\d+)*[가-힣]*")
_STEM = 5
_SYLLABLES = 2
_IDLE: dict[Language, frozenset[str]] = {
    "en": frozenset(
        re.findall(
            r"\w+",
            """a an the this that these those it its they their them he she we you i one is are was were be been being
            am has have had do does did will would shall should can could may might must of to in on at by for with from
            as into than then so and or but if which who whom whose what when where how there here also about some any
            each such own only both all more most very just no not nor never cannot without under
            over between per within""",
        )
    ),
    "ko": frozenset(
        re.findall(
            r"\w+",
            """이 그 저 것 수 등 및 또는 또 있다 있습니다 있는 한다 합니다 하는 하여 해야 된다 됩니다 되는 위해 대해
            대한 따라 경우 때 즉 그리고 이다 입니다 않습니다 않는다 않는 아닙니다 없습니다 없다""",
        )
    ),
}


def tokens(text: str) -> list[str]:
    """The words and numbers of a text in order, in small letters."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def stem(word: str) -> str:
    """What words of one root mostly share: five letters, or two syllables without the particles after them."""
    if "가" <= word[0] <= "힣":
        return word[:_SYLLABLES]
    return word[:_STEM] if len(word) > _STEM else word.removesuffix("s") or word


def stems(text: str, language: Language) -> list[str]:
    """The stems of the words that carry meaning, in order, without numbers; all words where none does."""
    text = unicodedata.normalize("NFKC", text).lower()
    words = [word for word in _WORD.findall(_COUNTED.sub(" ", text)) if not word[0].isdigit()]
    return [stem(word) for word in words if word not in _IDLE[language]] or [stem(word) for word in words]


def share(answer: str, passage: str, language: Language) -> float:
    """The share of the answer's words, 0 to 1, whose stem stands in the passage.

    There it begins a word, or in Korean stands anywhere, since compounds are written as one word. Numbers are judged
    apart: the share of an answer of nothing else is 1.
    """
    wanted = list(dict.fromkeys(stems(answer, language)))
    if language == "ko":
        whole = "".join(tokens(passage))
        held = [part for part in wanted if part in whole]
    else:
        begun = {stem(word) for word in tokens(passage)}
        held = [part for part in wanted if part in begun]
    return len(held) / len(wanted) if wanted else 1.0
