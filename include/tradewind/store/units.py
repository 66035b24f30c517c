"""Which paths of a home are shared, and as what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tradewind.store.manifest import RECORD, RESULT, TASKS, mark_of

_NAME = r"[\w-][\w.~+@=-]*"
"""As Airflow names DAGs: by the letters of any language."""
_FILES = ("run.json", "config.json", "slack.json", "answer.json", "pipeline.yaml", "pipeline.json")
_UNIT = re.compile(
    rf"runs/{_NAME}/{_NAME}/(?:(?!(?:errors|{TASKS})$){_NAME}|{TASKS}/{_NAME}|errors/{_NAME}\.json|\.{_NAME}\.begun)"
    rf"|runs/{_NAME}/\.results/{_NAME}/[0-9a-f]+\.json"
    r"|answers/models/[0-9a-f]{64}\.jsonl"
    rf"|models/{_NAME}/versions/v[1-9][0-9]*"
)


def is_unit(path: str) -> bool:
    """Whether such a thing is shared; locks, work folders and links of a hostile bucket are not."""
    return bool(_UNIT.fullmatch(path)) and ".." not in path.split("/")


def units_of_run(run: Path, root: Path) -> Iterator[str]:
    """What stands in a run's folder, and what it entered into the index of results; whole folders first."""
    if run.is_dir():
        yield from (_below(path, root) for path in folders_of_run(run))
        yield from (_below(run / name, root) for name in _FILES if (run / name).is_file())
        yield from (_below(path, root) for path in sorted(run.glob("errors/[!.]*.json")))
        yield from (_below(path, root) for path in sorted(run.glob(".*.begun")) if is_unit(_below(path, root)))
    yield from (_below(path, root) for path in sorted(run.parent.glob(".results/*/[!.]*.json")))


def folders_of_run(run: Path) -> list[Path]:
    """The folders of a run that stages published, and those that tasks of anyone's image have left."""
    stages = [path.parent for path in run.glob(f"[!.]*/{RESULT}") if path.is_file() and path.parent.name != TASKS]
    tasks = [path for path in (run / TASKS).glob("[!.]*/") if mark_of(path).is_file()]
    return [*sorted(stages), *sorted(tasks)]


def unit_of(path: Path, root: Path) -> str | None:
    """The unit that a path is, or is in."""
    if not path.is_relative_to(root):
        return None
    parts = path.relative_to(root).parts
    return next((found for end in range(3, 6) if is_unit(found := "/".join(parts[:end]))), None)


def is_whole_folder(path: Path) -> bool:
    """Whether it is a folder that was published."""
    return any((path / name).is_file() for name in (RESULT, RECORD))


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
