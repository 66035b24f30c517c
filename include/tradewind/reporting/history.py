"""The scores of all runs of a pipeline, each file read once as long as it stays the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from tradewind.file_memo import FileMemo
from tradewind.reporting.contract import read_report
from tradewind.reporting.summary import SUMMARY, Summary


@dataclass(frozen=True)
class ScoredRun:
    """A run that has a report."""

    run: str
    """The name of its folder."""
    finished_at: str
    summary: Summary
    nothing_new_since: str | None
    """The run whose report stands here as nothing had changed."""


class _Origin(BaseModel):
    """What of a report's `result.json` says whose report it is; the rest is left unread."""

    status: str
    source_run: str | None = None
    started_at: str


class RunHistory:
    """The reports below folders of runs."""

    def __init__(self) -> None:
        self._summaries = FileMemo(_read_summary)
        self._origins = FileMemo(lambda path: _Origin.model_validate_json(path.read_bytes()))

    def of(self, runs: Path) -> list[ScoredRun]:
        """The runs below `runs` that have a report of scores, the oldest first; one that is damaged is left out."""
        try:
            folders = list(runs.iterdir())
        except OSError:
            return []
        found = [run for folder in folders if (run := self._run(folder))]
        return sorted(found, key=lambda run: (run.finished_at, run.run))

    def _run(self, folder: Path) -> ScoredRun | None:
        report = folder / "report"
        try:
            try:
                summary = self._summaries.get(report / SUMMARY)
            except FileNotFoundError:
                summary = self._summaries.get(report / "report.json")  # of a release that wrote no summary
            if summary is None:
                return None
            if summary.run == folder.name:
                return ScoredRun(folder.name, summary.finished_at, summary, None)
            origin = self._origins.get(report / "result.json")
        except OSError:
            return None
        return _borrowed(folder.name, summary, origin) if origin else None


def _borrowed(run: str, summary: Summary, origin: _Origin) -> ScoredRun | None:
    """A run with another's report, which is its own only where nothing had changed."""
    if origin.status == "skipped":
        return None
    if origin.status != "cached":
        return ScoredRun(run, summary.finished_at, summary, None)
    return ScoredRun(run, origin.started_at, summary, origin.source_run or summary.run)


def _read_summary(path: Path) -> Summary:
    if path.name == SUMMARY:
        return Summary.model_validate_json(path.read_bytes())
    return Summary.of(read_report(path))
