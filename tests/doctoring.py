"""What `tradewind doctor` found, as tests read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tradewind.doctor.check import Finding


@dataclass(frozen=True)
class Told:
    """What some checks found."""

    checks: Mapping[str, Finding]

    def outcome(self, name: str) -> str:
        """Of one check."""
        return self.checks[name].outcome.value

    def words(self, name: str) -> str:
        """What one check found, and what it says to do."""
        return f"{self.checks[name].found} -> {self.checks[name].to_do}"

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(f"{name}: {self.outcome(name)}: {self.words(name)}" for name in self.checks)


Doctor = Callable[..., Told]
