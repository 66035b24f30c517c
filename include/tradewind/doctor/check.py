"""A check: a name, a look at one thing, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tradewind.doctor.subject import Subject


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    NOT_NEEDED = "not needed here"


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do about it."""

    outcome: Outcome
    found: str
    to_do: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    A `look` may raise: a UserError is a failure in its own words, anything else one in the error's.
    """

    name: str
    look: Callable[[Subject], Finding]
    limit: float = 30.0
    """Seconds after which it is given up."""


def ok(found: str) -> Finding:
    """All is as it should be."""
    return Finding(Outcome.OK, found)


def warning(found: str, to_do: str) -> Finding:
    """A run will go through, or most likely so."""
    return Finding(Outcome.WARNING, found, to_do)


def failure(found: str, to_do: str) -> Finding:
    """A run would fail of it."""
    return Finding(Outcome.FAILURE, found, to_do)


def not_needed(why: str) -> Finding:
    """The recipe does without it."""
    return Finding(Outcome.NOT_NEEDED, why)
