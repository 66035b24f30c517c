"""What was found, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tabulate import tabulate

from tradewind.doctor.check import Finding, Outcome

_MARKS = {Outcome.OK: "ok", Outcome.WARNING: "warning", Outcome.FAILURE: "FAILURE", Outcome.NOT_NEEDED: "not needed"}
_LEAST = 60


def as_table(found: Mapping[str, Finding], width: int) -> str:
    """A table of `width` columns; what to do stands below what was found where both would be too narrow."""
    rows = [
        (name, _MARKS[finding.outcome], finding.found + (f"\n-> {finding.to_do}" if finding.to_do else ""))
        for name, finding in found.items()
    ]
    first = max([len("check"), *(len(row[0]) for row in rows)])
    second = max([len("outcome"), *(len(row[1]) for row in rows)])
    last = max(width, _LEAST) - first - second - 4  # two blanks between columns
    table: str = tabulate(
        rows, ("check", "outcome", "found, and what to do"), tablefmt="simple", disable_numparse=True,
        maxcolwidths=[None, None, last],
    )  # fmt: skip
    return table


def as_json(found: Mapping[str, Finding]) -> str:
    """An object with a list of `checks`, and whether all that is needed is `ready`."""
    checks = [
        {"name": name, "outcome": finding.outcome.value, "found": finding.found, "to_do": finding.to_do}
        for name, finding in found.items()
    ]
    ready = all(finding.outcome is not Outcome.FAILURE for finding in found.values())
    return json.dumps({"ready": ready, "checks": checks}, indent=1, ensure_ascii=False)


def last_line(found: Mapping[str, Finding], recipe: str) -> str:
    """What it comes to."""
    failed = [name for name, finding in found.items() if finding.outcome is Outcome.FAILURE]
    warned = [name for name, finding in found.items() if finding.outcome is Outcome.WARNING]
    told = f"not ready for recipe {recipe}: {', '.join(failed)}" if failed else f"ready for recipe {recipe}"
    return told + (f" ({len(warned)} warning{'s' if len(warned) > 1 else ''})" if warned else "")
