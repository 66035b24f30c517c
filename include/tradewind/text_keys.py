"""64-bit keys of texts, by which millions are compared without holding one."""

from __future__ import annotations

from hashlib import blake2b

from tradewind.texts import normalise


def exact_key(text: str) -> int:
    """Of the text as it is; two of a million different texts share a key once in some thirty million runs."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def text_key(text: str) -> int:
    """The same for texts that differ in case, spaces and punctuation alone."""
    return exact_key(normalise(text) or text)
