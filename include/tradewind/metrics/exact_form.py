"""Which answers have one exact form, and whether an answer has it: glossary terms and exam options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from tradewind.sources.options import options_in

Forms = Mapping[str, str]
"""The texts that an answer is to be one of, by their labels (1, 2, ... or A, B, ...); a term has the label ""."""

_LABELLED = re.compile(r"\(?\s*([1-9A-Ia-i])(?![0-9A-Za-z])\s*([.):]|번)?\s*(.*)", re.DOTALL)


def exact_forms(item: Mapping[str, Any]) -> Forms | None:
    """What a held-out question's answer is to be one of.

    All options of an exam question; of a glossary entry that asks for its term, the term alone; None where the
    answer is free text.
    """
    if item["source"] == "exam":
        found = (options for options in options_in(item["question"]) if options.named(item["answer"]) is not None)
        options = next(found, None)
        return None if options is None else options.texts
    # A glossary's context reads "term: description" or "term (English term): description".
    if item["source"] == "term" and item["context"].startswith((f"{item['answer']}:", f"{item['answer']} (")):
        return {"": item["answer"]}
    return None


def chosen_form(answer: str, forms: Forms) -> str | None:
    """The label of the option that an answer names: by `2. text`, `2`, `(2)`, `2번` or the text; None: none of them.

    A label beside another option's text names neither. The only form of a term has to be there in full.
    """
    by_text = {normalised(form): label for label, form in forms.items()}
    chosen = by_text.get(normalised(answer))
    labelled = _LABELLED.fullmatch(unicodedata.normalize("NFKC", answer).strip())
    for label, form in forms.items():
        if labelled and label and labelled[1].casefold() == label.casefold():
            if normalised(labelled[3]) in ("", normalised(form)):
                return label
            return None if labelled[2] else chosen  # a bare "A" may be an article
    return chosen


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
