"""Tradewind's fine-tuning beside the original's recipe, TRL's command line and LLaMA-Factory.

    python benchmarks/finetune.py                        # the bench model, on a CPU
    python benchmarks/finetune.py --model tiny           # the embedded one, on the sample documents
    python benchmarks/finetune.py --rows 144 --contestants ours literal factory    # more steps, ten minutes
    python benchmarks/finetune.py --model gemma-2-2b     # its architecture with random weights, on a GPU

Each contestant is a process of its own, on the same model folder and pairs, once through, with the same rank; the
rounds go in turn. Compared is the training itself, as each trainer tells it; the whole process stands beside it. The
loss of held-out answers is computed alike for all, after the first round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from setting.flops import architecture_of, peak, training_flops
from setting.gpu import GpuMemory
from setting.machine import machine
from setting.models import model_folder
from setting.places import RESULTS, environment
from setting.results import Bar, Table, result, show_and_keep
from setting.rows import Pair, train_and_held_out
from setting.scale import Scale, add_model_option, chosen, described
from setting.timing import FEWEST, Spread, counted, interleaved, ratio, run_process
from trainers.field import DEFAULT, FIELD
from trainers.held_out import BASE
from trainers.job import Job, write_pairs

_BARS = {"literal": 5.0, "trl": 6.0, "factory": 4.0, "factory-best": 1.3}
_BARS_GPU = {"literal": 6.0}
_SHARE = 0.60
_SHARE_GPU = 0.50


@dataclass(frozen=True)
class Run:
    """One training by one contestant."""

    training: float
    process: float
    cpu: float
    mib: float
    gpu_mib: float | None
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Field:
    """What is the same for all contestants."""

    scale: Scale
    model: Path
    pairs: Sequence[Pair]
    work: Path
    bf16: bool | None = None

    def run(self, name: str) -> Run:
        """One training by the contestant of that name; its adapter stays in `work/name`."""
        trainer, folder = FIELD[name], self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        job = Job(
            folder, self.model, self.scale.max_length, self.scale.learning_rate, self.rank(name), seed=42,
            gpu=self.scale.gpu, bf16=self.bf16,
        )  # fmt: skip
        write_pairs(job, self.pairs)
        with GpuMemory() as memory:
            process = run_process(trainer.command(job), job.log, environment())
        kept = folder / "result.json"
        metrics = json.loads(kept.read_text(encoding="utf-8")).get("metrics", {}) if kept.exists() else {}
        return Run(trainer.seconds(job), process.seconds, process.cpu, process.mib, memory.most_mib, metrics)

    def rank(self, name: str) -> int:
        """Of a contestant's adapter."""
        return self.scale.small_rank if FIELD[name].small else self.scale.rank

    def for_a_night(self) -> dict[str, Any]:
        """Our precision, chosen as for a whole night; with the reason."""
        job = Job(
            self.work / "night", self.model, self.scale.max_length, self.scale.learning_rate, self.scale.rank, seed=42,
            gpu=self.scale.gpu,
        )  # fmt: skip
        write_pairs(job, self.pairs)
        out = job.folder / "chosen.json"
        script = Path(__file__).parent / "trainers" / "night.py"
        run_process([sys.executable, script, job.write(), out], job.log, environment())
        return dict(json.loads(out.read_text(encoding="utf-8")))

    def held_out(self, pairs: Sequence[Pair], names: Iterable[str]) -> dict[str, float]:
        """The loss of held-out answers of the base and of every adapter."""
        job = Job(self.work / "held-out", self.model, 0, 0.0, 0, 0, gpu=False)
        write_pairs(job, pairs)
        out = job.folder / "losses.json"
        named = [f"{name}={self.work / name / 'adapter'}" for name in names]
        script = Path(__file__).parent / "trainers" / "held_out.py"
        run_process([sys.executable, script, self.model, job.pairs, out, *named], job.log, environment())
        return dict(json.loads(out.read_text(encoding="utf-8")))


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_option(parser)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--rows", type=int, help="examples, in steps of 8; default: what fits into half an hour")
    parser.add_argument("--contestants", nargs="+", choices=FIELD, metavar="NAME", help="by default all but one of TRL")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    scale, found_on = chosen(arguments.model), machine()
    longer = f"-{arguments.rows}-examples" if arguments.rows else ""
    scale = replace(scale, rows=arguments.rows or scale.rows)
    pairs, held_out = train_and_held_out(scale)
    names = arguments.contestants or [name for name in DEFAULT if FIELD[name].is_there()]
    with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as work:
        field = Field(scale, model_folder(scale), pairs, Path(work))
        night = field.for_a_night()
        field = replace(field, bf16=night["bf16"])
        runs = interleaved({name: partial(field.run, name) for name in names}, arguments.rounds)
        losses = field.held_out(held_out, names)
        share, bars = _share(field, runs)
    trained = {name: [run.training for run in found] for name, found in runs.items()}
    head = ("", "training, s", "whole process, s", "Tradewind is faster", "whole process", "held-out loss", "peak MiB")
    absent = [FIELD[name].name for name in DEFAULT if not FIELD[name].is_there()]
    note = f"{counted(arguments.rounds)}; the loss of the base is {losses[BASE]:.3f}, computed after the last round."
    choosing = [run.metrics["before_training"] for found in runs.values() for run in found if run.metrics]
    precision = "bfloat16" if night["bf16"] else "float32"
    note += f" For a night of the original's length, of which this is a stretch, `bf16: auto` is {precision}"
    note += f": {night['why']}."
    if choosing:
        note += f" Tradewind chose its settings, before its first step, in {Spread.of(choosing)} s more."
    if absent:
        note += f" Not installed here, so not measured: {'; '.join(absent)}."
    rows = tuple(_row(name, runs, trained, losses) for name in runs)
    found = result(
        question=f"finetune{scale.suffix}{longer}",
        title=f"Fine-tuning, the {scale.name} model" + (f", {arguments.rows} examples" if longer else ""),
        command="python benchmarks/finetune.py" + ("" if scale.name == "bench" else f" --model {scale.name}")
        + (f" --rows {arguments.rows} --contestants {' '.join(names)}" if longer else ""),
        setting=described(scale) | {
            "LoRA": f"r={scale.rank}, and r={scale.small_rank} where named", "step": "8 examples",
            "learning rate": f"{scale.learning_rate:g}",
        },
        tables=[Table(title="Fine-tuning", head=head, rows=rows, note=note), share],
        bars=_ratio_bars(scale, trained, losses) + bars,
        raw={"runs": {name: [asdict(run) for run in each] for name, each in runs.items()}, "held_out_loss": losses},
        found_on=found_on,
    )  # fmt: skip
    show_and_keep(found, arguments.out)


def _own(name: str) -> str:
    """Which run of ours a contestant is compared with: the one of its rank."""
    return "ours-small" if FIELD[name].small else "ours"


def _row(
    name: str, runs: Mapping[str, Sequence[Run]], trained: Mapping[str, Sequence[float]], losses: Mapping[str, float]
) -> tuple[str, ...]:
    found = runs[name]
    processes = {key: [run.process for run in each] for key, each in runs.items()}
    own = _own(name)
    compared = own != name and own in runs
    peaks = [run.gpu_mib or run.mib for run in found]
    return (
        FIELD[name].name, str(Spread.of(trained[name])), str(Spread.of(processes[name])),
        f"{ratio(trained[name], trained[own]):.2f}x" if compared else "",
        f"{ratio(processes[name], processes[own]):.2f}x" if compared else "",
        f"{losses[name]:.3f}", f"{max(peaks):,.0f}",
    )  # fmt: skip


def _ratio_bars(scale: Scale, trained: Mapping[str, Sequence[float]], losses: Mapping[str, float]) -> list[Bar]:
    """Of the models that have one; a loss above theirs makes no bar of the time but one of its own."""
    asked = {"bench": _BARS, "gemma-2-2b": _BARS_GPU}.get(scale.name, {})
    bars = []
    for name, least in asked.items():
        own = _own(name)
        if {name, own} <= trained.keys():
            text = f"training against {FIELD[name].name}"
            bars.append(Bar(question=text, asked=least, measured=ratio(trained[name], trained[own])))
            text = f"held-out loss against {FIELD[name].name}"
            bars.append(Bar(question=text, asked=losses[name], measured=losses[own], unit="nats", at_most=True))
    return bars


def _share(field: Field, runs: Mapping[str, Sequence[Run]]) -> tuple[Table, list[Bar]]:
    """How much of the machine's peak our trainings used."""
    from transformers import AutoConfig, AutoTokenizer

    from tradewind.training.tokens import pair_tokens

    tokenizer, config = AutoTokenizer.from_pretrained(field.model), AutoConfig.from_pretrained(field.model)
    rows = [pair_tokens(tokenizer, pair.question, pair.answer) for pair in field.pairs]
    tokens = sum(len(row["input_ids"]) for row in rows)
    peaks = {dtype: peak(dtype) for dtype in ("float32", "bfloat16")}
    table, bars = [], []
    for name in ("ours", "ours-small"):
        if name not in runs:
            continue
        flops = training_flops(architecture_of(config), config.vocab_size, field.rank(name), rows)
        seconds = Spread.of([run.training for run in runs[name]]).median
        used = "bfloat16" if field.scale.gpu or _is_bf16(runs[name][-1].metrics) else "float32"
        shares = {dtype: flops / seconds / most for dtype, most in peaks.items()}
        told = (f"{tokens / seconds:,.0f}", f"{flops / 1e12:.2f}", f"{flops / seconds / 1e9:,.0f}", used)
        table.append((FIELD[name].name, *told, *(f"{shares[dtype]:.0%}" for dtype in peaks)))
        asked = {"bench": _SHARE, "gemma-2-2b": _SHARE_GPU}.get(field.scale.name)
        if asked:
            text = f"{FIELD[name].name}: share of the measured {used} peak, over the training as a whole"
            bars.append(Bar(question=text, asked=asked, measured=shares[used], unit="%"))
    head = ("", "tokens/s", "model TFLOP", "GFLOP/s", "computed in", *(f"of {name}'s peak" for name in peaks))
    told_peaks = ", ".join(f"{value / 1e9:,.0f} GFLOP/s in {name}" for name, value in peaks.items())
    note = f"Peak of large products of matrices: {told_peaks}. What is counted stands in `benchmarks/setting/flops.py`."
    return Table(title="Share of the machine's peak", head=head, rows=tuple(table), note=note), bars


def _is_bf16(metrics: Mapping[str, Any]) -> bool:
    """What `bf16: auto` came to, as the training's metrics tell it."""
    return bool(metrics.get("chosen", metrics).get("bf16", False))


if __name__ == "__main__":
    main()
