"""prepare beside a straight-line conversion of the same glossary: seconds, ratios and peak memory.

    python benchmarks/make_glossary.py /tmp/glossary
    python benchmarks/compare.py /tmp/glossary --runs 3 --cpu 1

Each command runs in a process of its own, on one core, in turn; what is printed are medians. Seconds of the
processor are compared, as a busy machine hardly moves them; seconds on the clock stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from setting.timing import Process, run_process

_HERE = Path(__file__).parent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cpu", type=int, default=0, help="the core that all runs share")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.cpu})  # inherited
    straight = [sys.executable, _HERE / "straight_line.py", arguments.folder]
    prepare = [sys.executable, "-m", "tradewind", "prepare", "--data", arguments.folder, "--run-dir"]
    split = [sys.executable, _HERE / "convert_and_split.py", arguments.folder]
    found: dict[str, list[Process]] = {
        "convert, dedupe, split": [], "prepare, with its card": [], "straight line": [], "straight line, JSONL": []
    }  # fmt: skip
    rows = 0
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as name:
            work = Path(name)
            found["convert, dedupe, split"].append(run_process([*split, work / "out"]))
            shutil.rmtree(work / "out")
            found["prepare, with its card"].append(run_process([*prepare, work / "run"]))
            result = json.loads((work / "run/prepare/result.json").read_text(encoding="utf-8"))
            rows = result["metrics"]["pairs_made"]
            shutil.rmtree(work / "run")
            found["straight line"].append(run_process([*straight, work / "rows.json"]))
            found["straight line, JSONL"].append(run_process([*straight, "--lines", work / "rows.jsonl"]))
    print(f"{rows} rows; medians of {arguments.runs} runs in turn on one core")
    print(f"{'':24}{'clock s':>9}{'cpu s':>9}{'cpu µs/row':>12}{'peak MiB':>10}{'the first takes':>17}")
    mine = statistics.median(run.cpu for run in found["convert, dedupe, split"])
    for name, runs in found.items():
        seconds, cpu = (statistics.median(getattr(run, part) for run in runs) for part in ("seconds", "cpu"))
        peak = max(run.mib for run in runs)
        print(f"{name:24}{seconds:9.1f}{cpu:9.1f}{cpu / rows * 1e6:12.2f}{peak:10.0f}{mine / cpu:16.2f}x")


if __name__ == "__main__":
    main()
