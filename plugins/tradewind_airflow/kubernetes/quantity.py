"""Amounts of memory, as Docker's options and as Kubernetes write them."""

from __future__ import annotations

import re

_DOCKER = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE)
_KUBERNETES = re.compile(r"\d+(\.\d+)?([KMGTPE]i?|k)?")
_BINARY = {"": "", "b": "", "k": "Ki", "m": "Mi", "g": "Gi"}


def memory_quantity(amount: str) -> str:
    """`24g`, 24 GiB in Docker's words, as Kubernetes' `24Gi`; what is written as Kubernetes does stays.

    Kubernetes itself reads `24m` as 24 thousandths of a byte, and `24g` not at all.

    Raises:
        ValueError: it is no such amount.
    """
    if found := _DOCKER.fullmatch(amount):
        return found[1] + _BINARY[found[2].lower()]
    if _KUBERNETES.fullmatch(amount):
        return amount
    raise ValueError(f"'{amount}' is no amount of memory; write one such as 24g or 24Gi")
