"""What a question's command prints and keeps: tables and bars, with machine, versions and commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from tabulate import tabulate

from setting.machine import commit, machine, versions
from setting.places import RESULTS
from tradewind.files import write_atomically


class Kept(BaseModel):
    """Part of a result: unknown keys are refused, as the page is made from these files alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Table(Kept):
    """A table as it is shown."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Bar(Kept):
    """What was asked for and what was measured, in one unit."""

    question: str
    asked: float
    measured: float
    unit: str = "x"
    at_most: bool = False
    """Whether less is better."""

    @property
    def met(self) -> bool:
        """Whether the figure, unrounded, keeps the bar."""
        return self.measured <= self.asked if self.at_most else self.measured >= self.asked

    @property
    def cells(self) -> tuple[str, ...]:
        """Question, bar, figure, answer."""
        words = "at most" if self.at_most else "at least"
        answer = "met" if self.met else f"**missed**: {self.measured / self.asked:.0%} of it"
        return self.question, f"{words} {self._told(self.asked)}", self._told(self.measured), answer

    def _told(self, value: float) -> str:
        if self.unit == "%":
            return f"{value:.0%}"
        number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        return f"{number}x" if self.unit == "x" else f"{number} {self.unit}"


class Result(Kept):
    """One question, answered on one machine."""

    question: str
    """The file's name without `.json`, such as `finetune` or `finetune-gpu`."""
    title: str
    command: str
    measured_on: str
    commit: str
    machine: dict[str, str]
    versions: dict[str, str]
    setting: dict[str, str]
    """What was the same for all contestants: model, rows, rounds."""
    tables: tuple[Table, ...]
    bars: tuple[Bar, ...] = ()
    raw: dict[str, Any] = {}
    """Every run's figures, by contestant."""


def result(
    *,
    question: str,
    title: str,
    command: str,
    setting: dict[str, str],
    tables: Sequence[Table],
    bars: Sequence[Bar] = (),
    raw: dict[str, Any] | None = None,
    found_on: dict[str, str] | None = None,
) -> Result:
    """A result of today; `found_on` is `machine()` as it stood before the runs."""
    return Result(
        question=question, title=title, command=command, measured_on=datetime.now(UTC).date().isoformat(),
        commit=commit(), machine=found_on or machine(), versions=versions(), setting=setting,
        tables=tuple(tables), bars=tuple(bars), raw=raw or {},
    )  # fmt: skip


def show(found: Result) -> None:
    """Print it."""
    print(f"\n{found.title}\n")
    for kind, facts in (("machine", found.machine), ("versions", found.versions), ("setting", found.setting)):
        print(f"{kind}: {'; '.join(f'{name} {value}' for name, value in facts.items())}")
    print(f"commit: {found.commit}, {found.measured_on}")
    for table in found.tables:
        print(f"\n{table.title}\n{tabulate(table.rows, table.head, tablefmt='github', disable_numparse=True)}")
        if table.note:
            print(table.note)
    if found.bars:
        print(f"\n{tabulate([bar.cells for bar in found.bars], ('bar', 'asked', 'measured', ''), tablefmt='github')}")


def keep(found: Result, folder: Path = RESULTS) -> Path:
    """Write it as JSON; an earlier one of the same question is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.question}.json"
    write_atomically(path, found.model_dump_json(indent=1) + "\n")
    return path


def read_results(folder: Path = RESULTS) -> list[Result]:
    """Every kept result, in the order of their names."""
    return [Result.model_validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def show_and_keep(found: Result, out: Path) -> None:
    """What every command ends with."""
    show(found)
    print(f"\n{keep(found, out)}")
