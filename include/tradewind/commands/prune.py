"""`tradewind prune`: remove old runs, but for those that something kept refers to."""

from __future__ import annotations

import argparse
import shutil
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from tradewind.errors import UserError
from tradewind.registry.store import Registry
from tradewind.retention.bucket import GRACE, remove_shared, shared_bytes, shared_runs, sweep
from tradewind.retention.disk import bytes_of, leftovers, remove_run, runs_of
from tradewind.retention.plan import KnownRun, plan, version_runs
from tradewind.store.address import home_of
from tradewind.store.mirror import Mirror, mirror_of
from tradewind.store.upload import number_of

_MOST_HOURS = 1e6


def run(arguments: argparse.Namespace) -> None:
    """Print what goes and how many bytes that frees, and remove it unless that is only to be shown."""
    if not 0 <= arguments.idle_hours < _MOST_HOURS:  # which nan is not either
        raise UserError(f"--idle-hours: {arguments.idle_hours} is no time; give hours from 0, such as 24")
    home = home_of(arguments.home).absolute()
    mirror = mirror_of(home)
    if mirror is not None:
        _refresh(mirror)
    elif not (home / "runs").is_dir():
        raise UserError(f"{home}: holds no runs; name $TRADEWIND_HOME, a folder or an address such as s3://bucket/home")
    known = shared_runs(mirror) if mirror else runs_of(home)
    found = plan(known, version_runs(home), keep=arguments.keep, idle=timedelta(hours=arguments.idle_hours))
    sizes = shared_bytes(mirror, found.going) if mirror else bytes_of(home, found.going)
    for (dag_id, name), why in found.staying.items():
        print(f"stays  {dag_id}/{name}: {why}")
    freed = 0
    for one, size in zip(found.going, sizes, strict=True):
        gone = arguments.dry_run or _remove(home, mirror, one)
        print(f"{_word(arguments.dry_run) if gone else 'stays '} {_named(one)}, {size:,} bytes"
              f"{'' if gone else ': under way by now'}")  # fmt: skip
        freed += size if gone else 0
    if not mirror and not arguments.dry_run:
        for leftover in leftovers(home):
            with suppress(FileNotFoundError):  # another prune is at it
                shutil.rmtree(leftover)
    would = "would free" if arguments.dry_run else "frees" if mirror else "freed"
    when = f", by the next prune after {GRACE.total_seconds() / 3600:.0f} hours" if mirror else ""
    print(f"{len(found.going)} of {len(known)} runs: {would} {freed:,} bytes{when}")
    if mirror is not None:
        swept = sweep(mirror.bucket, dry_run=arguments.dry_run)
        print(f"parts that nothing has named since then: {_swept(arguments.dry_run)} {swept:,} bytes")


def _named(run: KnownRun) -> str:
    """A run and when it was last written, for a line."""
    return f"{run.dag_id}/{run.name}, last written {run.written_at:%Y-%m-%d %H:%M}"


def _refresh(mirror: Mirror) -> None:
    mirror.refresh("runs")
    listed = mirror.bucket.find("manifests/models")
    for dag_id in sorted({entry.key.split("/")[2] for entry in listed if number_of(entry.key)}):
        Registry(mirror.root / "models" / dag_id).refresh()


def _remove(home: Path, mirror: Mirror | None, run: KnownRun) -> bool:
    return remove_run(home, run, first=None if mirror is None else partial(remove_shared, mirror, run))


def _word(dry_run: bool) -> str:
    return "would go" if dry_run else "gone  "


def _swept(dry_run: bool) -> str:
    return "would free" if dry_run else "freed"
