"""`python -m tradewind_airflow.local run` and `... up`: what `make run` and `make up` call."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from tradewind.dataset.survey import survey
from tradewind.errors import UserError
from tradewind.preflight import check_keys, check_recipe
from tradewind.recipes import resolve
from tradewind.reporting.contract import read_report
from tradewind.reporting.table import text_table
from tradewind.run_dir import RunDir, run_path
from tradewind.sources.location import DEFAULT_DATA
from tradewind_airflow.local.containers import end_containers
from tradewind_airflow.local.home import USER, LocalHome
from tradewind_airflow.local.run import DAG_ID, follow, set_paused, trigger, unfinished
from tradewind_airflow.local.server import free_port, running, started
from tradewind_airflow.local.stages import stage_lines
from tradewind_airflow.notifications.outcome import Outcome
from tradewind_airflow.schedule import RUNS, SCHEDULE, START

PAGE_PORT = 8080


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="tradewind_airflow.local", description=__doc__)
    parser.add_argument("--project", type=Path, default=Path.cwd(), help="the checkout; default: this folder")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the DAG once, to its end")
    run.add_argument("--recipe", default="tiny")
    run.add_argument("--data", default=DEFAULT_DATA)
    run.add_argument("--seed", type=int, default=42)
    run.add_argument("--force", action="store_true", help="make every stage anew")
    run.set_defaults(command=_run)
    up = commands.add_parser("up", help="start Airflow with its page, until Ctrl-C")
    up.add_argument("--port", type=int, default=PAGE_PORT)
    up.set_defaults(command=_up)
    arguments = parser.parse_args(argv)
    # A polite end stops Airflow's parts, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return int(arguments.command(arguments, LocalHome(arguments.project.resolve())))
    except UserError as error:
        print(f"tradewind: {error}", file=sys.stderr)
        return error.exit_code
    except httpx.HTTPError as error:
        print(f"tradewind: Airflow does not answer as expected: {error}; see .tradewind/airflow", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(arguments: argparse.Namespace, home: LocalHome) -> int:
    config = resolve(arguments.recipe, arguments.data, arguments.seed)
    check_recipe(config, in_image=bool(os.environ.get("TRADEWIND_IMAGE")))
    check_keys(config)
    survey(config)  # a fault of input is told now, not after Airflow has started
    shipped = config.recipe == arguments.recipe
    recipe = arguments.recipe if shipped else str(Path(arguments.recipe).expanduser().resolve())
    conf: dict[str, object] = {"recipe": recipe, "data": config.data_dir, "seed": config.seed, "force": arguments.force}
    began = time.monotonic()
    with ExitStack() as stack:
        server = running(home)
        shared = server is not None
        if server is None:
            for name in (SCHEDULE, START, RUNS):  # of those who keep it running: no night begins beside this run
                os.environ.pop(name, None)
            print("starting Airflow ...", flush=True)
            server = stack.enter_context(started(home, free_port(), page_port=PAGE_PORT))
        server.log_in()
        was_paused = set_paused(server, False)
        stack.callback(set_paused, server, was_paused)
        for cut_off in () if shared else unfinished(server):  # of a session that was killed: it would go before ours
            print(f"run {cut_off.run_id} was cut off earlier: marked failed", flush=True)
            cut_off.fail()
            end_containers(DAG_ID, cut_off.run_id)
        run = trigger(server, conf)
        print(f"run {run.run_id} of {DAG_ID} after {time.monotonic() - began:.0f} s", flush=True)
        try:
            state = follow(run, home)
        except (KeyboardInterrupt, SystemExit):
            run.fail()
            end_containers(DAG_ID, run.run_id)
            raise
        tasks = run.tasks()
    print(f"\n{DAG_ID} {state} in {time.monotonic() - began:.0f} s: ", end="")
    print(", ".join(f"{task['task_id']} {task['state']}" for task in tasks))
    if state != "success":
        failed = next((task["task_id"] for task in tasks if task["state"] == "failed"), "a task")
        print(f"tradewind: {failed} failed; its log stands above and in {home.airflow / 'logs'}", file=sys.stderr)
        return 1
    run_dir = run_path(home.runs, DAG_ID, run.run_id)
    outcome = Outcome.read(run_dir, f"{DAG_ID}/{run.run_id}")
    print("\n".join(stage_lines(outcome.results)))
    if since := outcome.nothing_new_since:
        print(f"nothing new: model and scores are those of run {since}")
    folder = RunDir(run_dir).published("report")
    if not (folder / "report.json").exists():
        print("nothing was trained, so there is nothing to compare")
        return 0
    report = read_report(folder / "report.json")
    print(f"\n{text_table(report.scores)}\n\n{report.scores.verdict}: {report.scores.verdict_reason}")
    print(f"report: {folder / 'report.html'}")
    return 0


def _up(arguments: argparse.Namespace, home: LocalHome) -> int:
    if running(home) is not None:
        raise UserError(f"{home.server_file}: an Airflow of this folder is up already")
    print("starting Airflow ...", flush=True)
    with started(home, arguments.port, shared=True) as server:
        print(f"Airflow: {server.url}  user: {USER}  password: {home.password()}  (Ctrl-C stops it)", flush=True)
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
