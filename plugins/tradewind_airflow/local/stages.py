"""What became of each stage, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.results import StageResult


def stage_lines(results: Sequence[StageResult]) -> list[str]:
    """A line for each: made here, taken from an earlier run, or left out."""
    names = [result.stage if result.shard is None else f"{result.stage} {result.shard}" for result in results]
    width = max(map(len, names), default=0)
    return [f"  {name.ljust(width)}  {_outcome(result)}" for name, result in zip(names, results, strict=True)]


def _outcome(result: StageResult) -> str:
    if result.status == "success":
        return f"made in {result.seconds:.0f} s"
    if result.status == "cached":
        return f"cached, made by run {result.source_run}"
    return f"skipped: {result.reason}"
