"""What Airflow and this package's DAGs cost beyond the stages' own work, and how long the commands take to answer.

    python benchmarks/orchestrate.py
    python benchmarks/orchestrate.py --without-run      # parsing and commands alone, a minute

A real Airflow is started in a folder of its own and runs the shipped pipeline once, with the embedded model and sample
documents; then the same again, with every stage cached. A stage's own time is what its result.json says. The two lanes
of the DAG run at the same time: what counts is the longer way through it. The base of the parse times is a file with an
empty DAG, each file in a process of its own, started in turn.
"""

# ruff: noqa: TID251 - measured in a real Airflow

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from setting.machine import machine
from setting.places import PROJECT, RESULTS, environment
from setting.results import Bar, Table, result, show_and_keep
from setting.timing import FEWEST, Spread, counted, interleaved, ratio, run_process

_EMPTY = "from airflow.sdk import DAG\n\nwith DAG('empty'):\n    pass\n"
_PARSED, _HELP, _VALIDATED = 1.2, 0.2, 1.0
_SHARE, _SECONDS = 0.10, 10.0
_COMMANDS = {"tradewind --help": ["--help"], "tradewind validate": ["validate", "--data", "embedded:en"]}
LANES = (("extract", "prepare", "adapt", "finetune", "evaluate", "report"),
         ("extract", "prepare", "baseline", "evaluate", "report"))  # fmt: skip


@dataclass(frozen=True)
class Night:
    """One run of the DAG."""

    seconds: float
    """From its first task's start to its last one's end."""
    stages: Mapping[str, float]
    """Each stage's own, by its result; cached ones took none."""

    @property
    def own(self) -> float:
        """The stages' time along the longer lane."""
        return max(sum(self.stages.get(stage, 0.0) for stage in lane) for lane in LANES)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--without-run", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found_on = machine()
    with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as name:
        parsed, parse_bars, parse_raw = _parsing(Path(name), arguments.rounds)
        told, told_bars, told_raw = _commands(arguments.rounds)
        tables, bars = [parsed, told], parse_bars + told_bars
        raw: dict[str, Any] = {"parse": parse_raw, "commands": told_raw}
        if not arguments.without_run:
            nights = _nights(Path(name) / "home", arguments.recipe, arguments.rounds)
            tables.insert(0, _night_table(nights))
            first = nights[0]
            text = f"a night's time over its stages' own ({first.own:.0f} s); 10 % of that or 10 s, the smaller"
            asked = min(_SHARE * first.own, _SECONDS)
            bars.append(Bar(question=text, asked=asked, measured=first.seconds - first.own, unit="s", at_most=True))
            raw["nights"] = [asdict(night) for night in nights]
    show_and_keep(
        result(
            question="orchestrate", title="Orchestration", command="python benchmarks/orchestrate.py",
            setting={"pipeline": f"trade_qa, recipe {arguments.recipe}, embedded:en", "executor": "LocalExecutor"},
            tables=tables, bars=bars, raw=raw, found_on=found_on,
        ),
        arguments.out,
    )  # fmt: skip


def _parsing(work: Path, rounds: int) -> tuple[Table, list[Bar], dict[str, list[float]]]:
    """Each file of dags/ beside an empty DAG: what a process of Airflow that has loaded itself takes for it."""
    empty = work / "empty.py"
    empty.write_text(_EMPTY, encoding="utf-8")
    files = {"an empty DAG": empty} | {f"dags/{path.name}": path for path in sorted((PROJECT / "dags").glob("*.py"))}
    env = _airflow(work / "parsing")
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=env, check=True, capture_output=True)
    runs = interleaved(
        {name: partial(_process, [sys.executable, file], env) for name, file in files.items()}, rounds, tell=False
    )
    base = runs["an empty DAG"]
    rows = tuple((name, str(Spread.of(found)), f"{ratio(found, base):.2f}x") for name, found in runs.items())
    table = Table(title="A DAG file in a fresh process", head=("", "s", "of an empty DAG"), rows=rows,
                  note=f"{counted(rounds)}, with Python's start and Airflow's import.")  # fmt: skip
    worst = max((name for name in runs if name != "an empty DAG"), key=lambda name: ratio(runs[name], base))
    text = f"parse time of {worst} against an empty DAG"
    return table, [Bar(question=text, asked=_PARSED, measured=ratio(runs[worst], base), at_most=True)], runs


def _commands(rounds: int) -> tuple[Table, list[Bar], dict[str, list[float]]]:
    words = {name: [sys.executable, "-m", "tradewind", *arguments] for name, arguments in _COMMANDS.items()}
    runs = interleaved({name: partial(_process, each) for name, each in words.items()}, rounds, tell=False)
    rows = tuple((name, str(Spread.of(found))) for name, found in runs.items())
    table = Table(title="Commands", head=("", "s"), rows=rows, note=f"{counted(rounds)}.")
    asked = dict(zip(_COMMANDS, (_HELP, _VALIDATED), strict=True))
    bars = [Bar(question=name, asked=asked[name], measured=Spread.of(found).median, unit="s", at_most=True)
            for name, found in runs.items()]  # fmt: skip
    return table, bars, runs


def _nights(folder: Path, recipe: str, cached: int) -> list[Night]:
    """One that makes everything, and some with nothing to do, in one Airflow."""
    from tradewind_airflow.local.home import LocalHome
    from tradewind_airflow.local.run import DAG_ID, DagRun, follow, set_paused, trigger
    from tradewind_airflow.local.server import free_port, started

    os.environ["TRADEWIND_HOME"] = str(folder)
    home = LocalHome(PROJECT)
    conf: dict[str, object] = {"recipe": recipe, "data": "embedded:en", "seed": 42, "force": False}
    nights = []
    with ExitStack() as stack:
        print("starting Airflow ...", file=sys.stderr, flush=True)
        server = stack.enter_context(started(home, free_port()))
        server.log_in()
        set_paused(server, False)
        for number in range(1 + cached):
            run: DagRun = trigger(server, conf)
            with redirect_stdout(sys.stderr):
                state = follow(run, home)
            tasks = run.tasks()
            if state != "success":
                raise SystemExit(f"tradewind: the run of {DAG_ID} ended as {state}")
            times = [datetime.fromisoformat(task[key]) for task in tasks for key in ("start_date", "end_date")
                     if task[key]]  # fmt: skip
            nights.append(Night((max(times) - min(times)).total_seconds(), _own_seconds(home.path, run.run_id)))
            print(f"  night {number}: {nights[-1].seconds:.1f} s", file=sys.stderr, flush=True)
    return nights


def _own_seconds(home: Path, run_id: str) -> dict[str, float]:
    from tradewind.results import read_result
    from tradewind.run_dir import run_path
    from tradewind_airflow.local.run import DAG_ID

    found = [read_result(path) for path in sorted(run_path(home, DAG_ID, run_id).glob("*/result.json"))]
    return {each.stage: each.seconds for each in found if each.status == "success"}


def _night_table(nights: Sequence[Night]) -> Table:
    first, *cached = nights
    rows = [("everything made", f"{first.seconds:.1f}", f"{first.own:.1f}", f"{first.seconds - first.own:.1f}")]
    if cached:
        spent = Spread.of([night.seconds for night in cached])
        rows.append((f"nothing new, {len(cached)} nights", str(spent), "0", str(spent)))
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in first.stages.items())
    note = f"The first night once, as it takes long. Its stages, s: {stages}."
    return Table(title="A night of the DAG", head=("", "s", "stages' own, s", "beyond, s"), rows=tuple(rows), note=note)


def _airflow(home: Path) -> dict[str, str]:
    return environment() | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "PYTHONPATH": os.pathsep.join(str(PROJECT / name) for name in ("include", "plugins", "dags")),
    }


def _process(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> float:
    return run_process(command, env=env or environment()).seconds


if __name__ == "__main__":
    main()
