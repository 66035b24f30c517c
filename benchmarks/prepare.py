"""Documents to pairs: rows a second and peak memory of `prepare` as the glossary grows, beside a straight line.

    python benchmarks/prepare.py
    python benchmarks/prepare.py --rows 10000 100000

Each command is a process of its own on one core; a record of the made-up glossary is two rows. Seconds are the
processor's, as a busy machine hardly moves them. `converted alone` reads, checks and converts every document into
pairs and writes them, without quality, duplicates or a split.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from setting.machine import machine
from setting.places import RESULTS, environment
from setting.results import Bar, Table, result, show_and_keep
from setting.timing import FEWEST, Process, Spread, counted, interleaved, run_process

_ROWS = (10_000, 100_000, 1_000_000)
_LARGE = 1_000_000
"""From here on once, and without what lies between: it takes minutes."""
_FLAT = 2.0
_A_SECOND = 50_000
_HERE = Path(__file__).parent
ALONE, WHOLE = "converted alone", "prepare, with its card"
SPLIT = "convert, judge, de-duplicate, split"


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=_ROWS)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found_on = machine()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # inherited
    runs = {rows: _measure(rows, 1 if rows >= _LARGE else arguments.rounds) for rows in sorted(arguments.rows)}
    most = max(runs)
    large, alone = runs[most], [run.cpu for run in runs[most][ALONE]]
    bars = [Bar(question=f"conversion alone, {most:,} rows, on one core", asked=_A_SECOND,
                measured=most / Spread.of(alone).median, unit="rows/s")]  # fmt: skip
    if len(runs) > 1:
        before = sorted(runs)[-2]
        grown = max(run.mib for run in large[WHOLE]) / max(run.mib for run in runs[before][WHOLE])
        text = f"peak memory of prepare at {most:,} rows, against {before:,}"
        bars.append(Bar(question=text, asked=_FLAT, measured=grown, at_most=True))
    tables = [_table(rows, found) for rows, found in runs.items()]
    raw = {str(rows): {name: [asdict(run) for run in each] for name, each in found.items()}
           for rows, found in runs.items()}  # fmt: skip
    show_and_keep(
        result(
            question="prepare", title="Preparing: documents to pairs", command="python benchmarks/prepare.py",
            setting={"documents": "make_glossary.py, English and Korean terms", "cores": "1"},
            tables=tables, bars=bars, raw=raw, found_on=found_on,
        ),
        arguments.out,
    )  # fmt: skip


def _measure(rows: int, rounds: int) -> dict[str, list[Process]]:
    with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as name:
        work = Path(name)
        folder = work / "glossary"
        run_process([sys.executable, _HERE / "make_glossary.py", folder, "--records", str(rows // 2)])
        python = sys.executable
        commands: dict[str, list[str | Path]] = {
            ALONE: [python, _HERE / "convert.py", folder, work / "out"],
            SPLIT: [python, _HERE / "convert_and_split.py", folder, work / "out"],
            WHOLE: [python, "-m", "tradewind", "prepare", "--data", folder, "--run-dir", work / "out"],
            "straight line, JSON Lines": [python, _HERE / "straight_line.py", "--lines", folder, work / "out"],
        }
        if rows >= _LARGE:
            del commands[SPLIT]
        return interleaved({key: partial(_run, words, work / "out") for key, words in commands.items()}, rounds)


def _run(command: list[str | Path], out: Path) -> Process:
    done = run_process(command, out.with_name("log.txt"), environment())
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink()
    return done


def _table(rows: int, found: Mapping[str, list[Process]]) -> Table:
    head = ("", "s of the processor", "rows/s", "peak MiB")
    lines = []
    for name, runs in found.items():
        spread = Spread.of([run.cpu for run in runs])
        lines.append((name, str(spread), f"{rows / spread.median:,.0f}", f"{max(run.mib for run in runs):,.0f}"))
    rounds = len(next(iter(found.values())))
    return Table(title=f"{rows:,} rows", head=head, rows=tuple(lines), note=f"{counted(rounds)}, start-up included.")


if __name__ == "__main__":
    main()
