"""docs/performance.md, made of the kept results alone.

    python benchmarks/page.py

Why a bar is missed stands in `benchmarks/results/<QUESTION>.md`, such as `FINETUNE.md`, written by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from setting.places import PAGE, RESULTS
from setting.results import Result, read_results
from tradewind.files import write_atomically
from tradewind.settings_page import table

_HEAD = """# Performance

Measured by `make bench`, on a GPU by `make bench-gpu`; this page is made from `benchmarks/results/` by
`python benchmarks/page.py`, and a test holds it to that. How each comparison is made fair, and how to add a
contestant: [benchmarks](../benchmarks/README.md). Times are medians, with the least and the most of the runs in
brackets; a ratio is the median of the ratios of runs that stood next to each other. The bars were set before anything
was measured.
"""
_ORDER = ("finetune", "levers", "generate", "distributed", "score", "prepare", "orchestrate", "serve")


def main() -> None:
    """Write the page."""
    write_atomically(PAGE, page(read_results(), RESULTS))
    print(PAGE)


def page(results: Sequence[Result], folder: Path) -> str:
    """The whole page.

    Args:
        folder: where the causes of what was missed stand.
    """
    ordered = sorted(results, key=lambda found: (_rank(found.question), found.question))
    if not ordered:
        return f"{_HEAD}\nNothing has been measured yet.\n"
    parts = [_HEAD, _bars(ordered), *(_section(found, folder) for found in ordered)]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _rank(question: str) -> int:
    kind = question.partition("-")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _bars(results: Sequence[Result]) -> str:
    rows = [(found.title, *bar.cells) for found in results for bar in found.bars]
    return f"## The bars\n\n{table(('', 'question', 'as asked', 'measured', ''), rows)}"


def _section(found: Result, folder: Path) -> str:
    lines = [f"## {found.title}", f"`{found.command}`, {found.measured_on}, commit {found.commit}."]
    facts = {"Machine": found.machine, "Versions": found.versions, "Setting": found.setting}
    lines += [f"{name}: {'; '.join(f'{key} {value}' for key, value in each.items())}." for name, each in facts.items()]
    for each in found.tables:
        lines += [f"### {each.title}", table(each.head, each.rows)]
        lines += [each.note] if each.note else []
    cause = folder / f"{found.question.upper()}.md"
    if cause.exists():
        lines += [cause.read_text(encoding="utf-8").strip()]
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()
