"""The same training by one process and by several, each with one thread, on one machine.

    python benchmarks/distributed.py
    python benchmarks/distributed.py --model gemma-2-2b       # one against all the GPUs of the machine

Each is started by the stage's own launcher (torchrun), does the same steps of eight examples from the same weights and
seed, and must follow the losses of one process: the largest difference of a step's loss stands in the table. Compared
is the training; the whole, with the start of the processes, the choice of settings and the adapter saved, stands
beside it. Whether to compute in bfloat16 is chosen once, by a training that does not count. On a CPU each process has
one thread, so that one process leaves a core idle where two do not.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from setting.machine import machine
from setting.models import model_folder
from setting.places import RESULTS, cache, environment
from setting.results import Table, result, show_and_keep
from setting.rows import train_and_held_out
from setting.scale import Scale, add_model_option, chosen, described
from setting.timing import FEWEST, Spread, counted, interleaved, ratio
from trainers.job import Job
from trainers.ours import BATCH, config_of, model_config

SEED = 3
Rows = list[dict[str, list[int]]]


@dataclass(frozen=True)
class Run:
    """One training."""

    whole: float
    """Seconds."""
    metrics: dict[str, Any]
    losses: list[float]

    @property
    def training(self) -> float:
        """Seconds, without the last checkpoint."""
        return float(self.metrics["train_seconds"] - self.metrics["checkpoint_seconds"])


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_option(parser)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--processes", type=int, nargs="+", help="default: 1 2, on GPUs 1 and as many as there are")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    os.environ.update(environment() | {"OMP_NUM_THREADS": "1"})
    scale, found_on = chosen(arguments.model), machine()
    counts = sorted({1, *(arguments.processes or [_gpus() if scale.gpu else 2])})
    job, rows = _job(scale), _rows(scale)
    bf16 = _trained(1, job, rows, bf16=None).metrics["chosen"]["bf16"]
    runs = interleaved(
        {_name(count): partial(_trained, count, job, rows, bf16=bf16) for count in counts}, arguments.rounds
    )
    tokens = sum(len(row["input_ids"]) for row in rows)
    setting = described(scale) | {"step": f"{BATCH} examples", "computed in": "bfloat16" if bf16 else "float32",
                                  "threads": "1 a process"}  # fmt: skip
    head = ("", "training, s", "tokens/s", "times as fast", "whole, s", "largest difference of a step's loss")
    table = Table(title="One training, shared", head=head, rows=_lines(runs, tokens),
                  note=f"{counted(arguments.rounds)}; {len(runs[_name(1)][0].losses)} steps.")  # fmt: skip
    show_and_keep(
        result(
            question=f"distributed{scale.suffix}", title=f"One and several processes, the {scale.name} model",
            command="python benchmarks/distributed.py" + ("" if scale.name == "bench" else f" --model {scale.name}"),
            setting=setting, tables=[table], found_on=found_on,
            raw={name: {"training": [run.training for run in found], "whole": [run.whole for run in found],
                        "losses": found[0].losses} for name, found in runs.items()},
        ),
        arguments.out,
    )  # fmt: skip


def _lines(runs: dict[str, list[Run]], tokens: int) -> tuple[tuple[str, ...], ...]:
    alone = runs[_name(1)]
    return tuple(
        (
            name,
            str(Spread.of([run.training for run in found])),
            f"{tokens / Spread.of([run.training for run in found]).median:,.0f}",
            f"{ratio([run.training for run in alone], [run.training for run in found]):.2f}x",
            str(Spread.of([run.whole for run in found])),
            f"{max(abs(a - b) for run in found for a, b in zip(alone[0].losses, run.losses, strict=True)):.1e}",
        )
        for name, found in runs.items()
    )


def _trained(processes: int, job: Job, rows: Rows, *, bf16: bool | None) -> Run:
    from tradewind.training.job import TrainJob, write_job
    from tradewind.training.launch import launch

    config = config_of(job, **({} if bf16 is None else {"bf16": bf16}))
    todo = TrainJob(
        name="finetune", source=str(job.model), source_is_folder=True, model=model_config(job), processes=processes,
        device="cuda" if job.gpu else "cpu", config=config, seed=job.seed,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=job.folder) as made:
        work = Path(made)
        folder = write_job(work, todo, rows=rows, validation=[])
        began = time.monotonic()
        launch(work, processes)
        whole = time.monotonic() - began
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        lines = (work / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return Run(whole, metrics, [float(json.loads(line)["loss"]) for line in lines])


def _job(scale: Scale) -> Job:
    folder = cache("distributed")
    folder.mkdir(parents=True, exist_ok=True)
    return Job(
        folder=folder, model=model_folder(scale), max_length=scale.max_length, learning_rate=scale.learning_rate,
        rank=scale.small_rank, seed=SEED, gpu=scale.gpu,
    )  # fmt: skip


def _rows(scale: Scale) -> Rows:
    from tradewind.training.load import load_tokenizer
    from tradewind.training.tokens import pair_tokens

    tokenizer = load_tokenizer(model_folder(scale))
    return [pair_tokens(tokenizer, pair.question, pair.answer) for pair in train_and_held_out(scale)[0]]


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())


def _name(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


if __name__ == "__main__":
    main()
