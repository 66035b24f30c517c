"""What is kept: the newest runs of each DAG, those of every version, what these refer to, and what is under way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tradewind.errors import UserError
from tradewind.registry.store import Registry
from tradewind.results import read_result
from tradewind.store.manifest import RESULT
from tradewind.store.units import folders_of_run


@dataclass(frozen=True)
class KnownRun:
    """A run, as far as it decides what is kept."""

    dag_id: str
    name: str
    """Of its folder."""
    written_at: datetime
    """When something of it was last written."""
    is_busy: bool
    """Whether a process of this machine works in it."""
    is_link: bool = False
    """Somebody's own name for a run, or for one that was moved elsewhere."""
    sources: frozenset[str] = frozenset()
    """The runs whose results stand in it."""


@dataclass
class Plan:
    """Which runs go, and why each other one stays."""

    going: list[KnownRun] = field(default_factory=list)
    staying: dict[tuple[str, str], str] = field(default_factory=dict)
    """By DAG and run."""


def plan(runs: Iterable[KnownRun], versions: Mapping[str, Mapping[str, str]], *, keep: int, idle: timedelta) -> Plan:
    """Decide.

    Args:
        versions: for each DAG the runs of its models' versions, and the version's name.
        keep: how many of the newest runs of each DAG stay.
        idle: a run that was written to within that time may be under way on another machine.

    Raises:
        UserError: `keep` is no number from 1.
    """
    if keep < 1:
        raise UserError(f"--keep: {keep} would remove the newest run as well; give a number from 1")
    now, found = datetime.now(UTC), Plan()
    by_dag: dict[str, list[KnownRun]] = {}
    for run in runs:
        by_dag.setdefault(run.dag_id, []).append(run)
    for dag_id, own in sorted(by_dag.items()):
        own.sort(key=lambda run: (run.written_at, run.name), reverse=True)
        named = versions.get(dag_id, {})
        newest = [run.name for run in own if not run.is_link][:keep]
        why = {
            run.name: reason
            for run in own
            if (reason := _reason(run, is_new=run.name in newest, is_recent=now - run.written_at < idle, named=named))
        }
        _add_sources(own, why)
        for run in reversed(own):
            if run.name in why:
                found.staying[dag_id, run.name] = why[run.name]
            else:
                found.going.append(run)
    return found


def _reason(run: KnownRun, *, is_new: bool, is_recent: bool, named: Mapping[str, str]) -> str | None:
    """Why a run stays for its own sake."""
    if run.is_link:
        return "a link, and so not ours to remove"
    if is_new:
        return "newest"
    if run.is_busy:
        return "under way"
    if is_recent:
        return "written to lately"
    return f"made {named[run.name]}" if run.name in named else None


def _add_sources(runs: list[KnownRun], why: dict[str, str]) -> None:
    """What a run that stays has taken from others, and they from others again."""
    by_name = {run.name: run for run in runs}
    due = list(why)
    while due:
        name = due.pop()
        for source in by_name[name].sources if name in by_name else ():
            if source in by_name and source not in why:
                why[source] = f"made what {name} has"
                due.append(source)


def sources_of(run: Path) -> frozenset[str]:
    """The runs whose results stand in a run's folder.

    Raises:
        UserError: a result cannot be read, so that nobody knows what it refers to.
    """
    results = [read_result(path / RESULT) for path in folders_of_run(run) if path.parent == run]
    return frozenset(result.source_run for result in results if result.source_run)


def version_runs(home: Path) -> dict[str, dict[str, str]]:
    """For each DAG the runs of the versions that its registry holds: champions and what they may be taken back to.

    A sweep's versions stand with the models of another DAG: each counts for the DAG of its own run as well.

    Raises:
        UserError: a version cannot be read.
    """
    found: dict[str, dict[str, str]] = {}
    folder = home / "models"
    for models in sorted(folder.iterdir()) if folder.is_dir() else ():
        if models.is_dir() and not models.name.startswith("."):
            registry = Registry(models)
            champion = registry.champion_name()
            for version in registry.versions():
                name = f"{version.name}, the champion" if version.name == champion else version.name
                for dag_id in _dags_with(home, version.record.run):
                    found.setdefault(dag_id, {})[version.record.run] = name
    return found


def _dags_with(home: Path, run: str) -> list[str]:
    return [path.parent.name for path in home.glob(f"runs/*/{run}")]
