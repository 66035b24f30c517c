"""The account as JSON files, up to date after every request, so that a killed client's bill can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llm_server.errors import Json
from llm_server.ledger import Ledger, Served


def summary(ledger: Ledger) -> Json:
    """The bill and the counts; `passages` are different messages, `repeated` those asked again once well answered."""
    served = ledger.served
    return {
        "bill": asdict(ledger.bill),
        "requests": len(served),
        "outcomes": _named(ledger.outcomes),
        "statuses": _named(ledger.statuses),
        "faults": _named(ledger.faults),
        "passages": ledger.passages,
        "well_answered": ledger.well_answered,
        "repeated": sum(one.repeated for one in served),
        "too_soon": sum(one.too_soon for one in served),
    }


def entry(served: Served) -> Json:
    """One request as a line of the journal, without what was said in it."""
    return {name: value for name, value in asdict(served).items() if name not in {"headers", "body", "content"}}


def replace(path: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write(path: Path, ledger: Ledger) -> None:
    """Write the summary as it is now."""
    replace(path, json.dumps(summary(ledger), indent=1) + "\n")


def _named(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(name).lower(): count for name, count in counts.items()}
