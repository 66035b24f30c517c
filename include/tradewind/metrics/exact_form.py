"""Which answers have one exact form, and whether an answer has it: glossary terms and exam options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from tradewind.sources.exam import options_of

_NUMBERED = re.compile(r"\(?\s*([1-9])\s*(?:[.):]|번)?\s*(.*)", re.DOTALL)


def exact_forms(item: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The texts that a held-out question's answer is to be one of.

    All options of an exam question, in order; of a glossary entry that asks for its term, the term alone; None where
    the answer is free text.
    """
    if item["source"] == "exam":
        return tuple(options_of(item["question"])[1]) or None
    # A glossary's context reads "term: description" or "term (English term): description".
    if item["source"] == "term" and item["context"].startswith((f"{item['answer']}:", f"{item['answer']} (")):
        return (item["answer"],)
    return None


def chosen_form(answer: str, forms: Sequence[str]) -> str | None:
    """Which of several options an answer names: `2. text`, `2`, `(2)`, `2번` or the option's text; None: none of them.

    A number beside another option's text names neither. The only form of a term has to be there in full.
    """
    plain = normalised(answer)
    by_text = {normalised(form): form for form in forms}
    if plain in by_text:
        return by_text[plain]
    numbered = _NUMBERED.fullmatch(unicodedata.normalize("NFKC", answer).strip())
    if len(forms) > 1 and numbered and int(numbered[1]) <= len(forms):
        form = forms[int(numbered[1]) - 1]
        if normalised(numbered[2]) in ("", normalised(form)):
            return form
    return None


def normalised(text: str) -> str:
    """Without what does not tell answers apart: case, width of letters, punctuation, English articles, spaces.

    As for SQuAD (Rajpurkar et al., arXiv 1606.05250, section 6.1), but punctuation parts words, and Korean, where
    spaces between words are often optional, is compared without them.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    # A decimal point or a sign is no punctuation: 2.5 is not 25, nor -5 % the same as 5 %.
    text = re.sub(r"(?<!\d)[^\w\s%-]|[^\w\s%.,-]|[.,](?!\d)|-(?!\d)|(?<=\w)-", " ", text).replace("_", " ")
    words = [word for word in text.split() if word not in ("a", "an", "the")]
    return ("" if re.search(r"[가-힣]", text) else " ").join(words)
