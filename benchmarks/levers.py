"""What each lever of a training brings, alone and with all the others, and whether it changes what is learnt.

    python benchmarks/levers.py
    python benchmarks/levers.py --model gemma-2-2b

Off is the original's literal recipe, made of the settings of `TrainingConfig`; each lever is one or a few of them, or
which tokens carry loss. All run in one process, in turn, from the same weights. A lever that leaves the order and the
arithmetic of the steps alone must follow the losses of its counterpart, the same setting without it: the largest
difference of a step's loss stands in the table. Grouping and packing put other examples into a step, and dropout and
rank are other trainings, so that the loss of held-out answers is what says of them whether they learn as well. Both
come of one run more of each on twice the examples, those that are compared without dropout, whose masks are drawn anew
for another shape of batch.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from setting.machine import machine
from setting.models import model_folder
from setting.places import RESULTS
from setting.results import Table, result, show_and_keep
from setting.rows import train_and_held_out
from setting.scale import Scale, add_model_option, chosen, described
from setting.timing import FEWEST, Spread, counted, interleaved, ratio
from trainers.job import ALPHA, DROPOUT, Job
from trainers.ours import config_of, model_config

Row = dict[str, list[int]]


@dataclass(frozen=True)
class Lever:
    """A setting of a training."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of `TrainingConfig`, against `_off`; `lora` by its own fields."""
    answers_only: bool = False
    """Whether the answers alone carry loss."""
    follows: str | None = None
    """The lever whose losses it must repeat."""


@dataclass(frozen=True)
class Run:
    """One training."""

    seconds: float
    losses: tuple[float, ...]
    metrics: dict[str, Any]
    held_out: float | None = None


OFF, ANSWERS, AUTO = "off: the literal recipe", "completion-only loss", "all: what `auto` chooses"
NIGHT = f"{AUTO}, in bfloat16 as in a night"
_ONCE = {"micro_batch_size": 8}
_FAST: dict[str, Any] = dict.fromkeys(("micro_batch_size", "packing", "loss_type", "bf16", "optim"), "auto")
_AUTO = _FAST | {"group_by_length": True, "gradient_checkpointing": "auto", "torch_compile": "auto"}


def levers(scale: Scale) -> list[Lever]:
    """Those that the scale's device has."""
    small: dict[str, Any] = {"lora": {"r": scale.small_rank}}
    found = [
        Lever(OFF),
        Lever("gradient checkpointing (TRL's default)", {"gradient_checkpointing": True}, follows=OFF),
        Lever(ANSWERS, answers_only=True),
        Lever("loss at completions, in chunks", {"loss_type": "auto"}, answers_only=True, follows=ANSWERS),
        Lever("one batch of 8", _ONCE, follows=OFF),
        Lever("grouped by length", {"group_by_length": True}),
        Lever("one batch of 8, in one row without padding", _ONCE | {"packing": "auto"}, follows=OFF),
        Lever("packed, best fit decreasing", {"packing": True}),
        Lever("bfloat16", {"bf16": True}, follows=OFF),
        Lever("fused optimiser", {"optim": "adamw_torch_fused"}, follows=OFF),
        Lever("no dropout", {"lora": {"lora_dropout": 0.0}}),
        Lever(f"r={scale.small_rank}", small),
        Lever(AUTO, _AUTO | {"lora": {"lora_dropout": 0.0}}, answers_only=True),
        Lever(NIGHT, _AUTO | {"bf16": True, "lora": {"lora_dropout": 0.0}}, answers_only=True),
        Lever(f"{AUTO}, r={scale.small_rank}", _AUTO | {"lora": {"lora_dropout": 0.0} | small["lora"]}, True),
    ]
    compiled = Lever("compiled", {"torch_compile": True}, follows=OFF)  # minutes on a CPU
    return [*found[:-3], compiled, *found[-3:]] if scale.gpu else found


def off(scale: Scale) -> dict[str, Any]:
    """The literal recipe."""
    return {
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "micro_batch_size": 2, "packing": False,
        "group_by_length": False, "gradient_checkpointing": False, "loss_type": "nll", "optim": "adamw_torch",
        "bf16": scale.gpu, "torch_compile": False,
        "lora": {"r": scale.rank, "lora_alpha": ALPHA, "lora_dropout": DROPOUT},
    }  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What all levers have in common."""

    scale: Scale
    job: Job
    rows: Sequence[Row]
    timed: int
    """How many of them a round trains on."""
    held_out: Sequence[Row]

    def run(self, lever: Lever) -> Run | None:
        """Train from the base's weights anew; None where the device, or a library on it, refuses the setting."""
        made = self._trained(lever, self.rows[: self.timed])
        return made and made[0]

    def check(self, lever: Lever, dropout: float | None) -> Run | None:
        """The same on all rows, and what it comes to on held-out ones."""
        from tradewind.training.answer_loss import answer_loss

        made = self._trained(lever, self.rows, dropout)
        return made and replace(made[0], held_out=answer_loss(made[1], self.held_out, 8))

    def _trained(self, lever: Lever, given: Sequence[Row], dropout: float | None = None) -> tuple[Run, Any] | None:
        from tradewind.training.load import load_model, load_tokenizer
        from tradewind.training.train import train

        shutil.rmtree(self.job.folder, ignore_errors=True)
        self.job.folder.mkdir()
        base = off(self.scale)
        settings = base | dict(lever.changes) | {"lora": base["lora"] | lever.changes.get("lora", {})}
        if dropout is not None:
            settings["lora"] |= {"lora_dropout": dropout}
        config = config_of(self.job, **settings)
        rows = [dict(row) if lever.answers_only else {**row, "labels": list(row["input_ids"])} for row in given]
        model, tokenizer = load_model(self.job.model, model_config(self.job)), load_tokenizer(self.job.model)
        try:
            trained, metrics = train("levers", model, tokenizer, rows, config, self.job.seed, self.job.folder)
        except ValueError as error:
            print(f"{lever.name}: refused: {error}", file=sys.stderr)
            return None
        lines = (self.job.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
        losses = tuple(float(json.loads(line)["loss"]) for line in lines)
        return Run(float(metrics["train_seconds"] - metrics["checkpoint_seconds"]), losses, metrics), trained


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_option(parser)
    parser.add_argument("--rounds", type=int, default=FEWEST)
    parser.add_argument("--rows", type=int, help="examples, in steps of 8; default: a sixth of those of finetune.py")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    scale, found_on = chosen(arguments.model), machine()
    count = arguments.rows or max(8, scale.rows // 6 // 8 * 8)
    with tempfile.TemporaryDirectory(prefix="tradewind-benchmark-") as work:
        bench = _bench(scale, count, Path(work))
        contestants = {lever.name: partial(bench.run, lever) for lever in levers(scale)}
        bench.run(levers(scale)[0])  # what a process does only once is nobody's
        made = interleaved(contestants, arguments.rounds)
        checked = {
            lever.name: bench.check(lever, 0.0 if is_compared(lever, scale) else None) for lever in levers(scale)
        }
    runs = {name: [run for run in each if run is not None] for name, each in made.items()}
    head = ("", "training, s", "as fast as off", "largest difference of a step's loss", "held-out loss")
    rows = tuple(_row(lever, runs, checked) for lever in levers(scale))
    found = result(
        question=f"levers{scale.suffix}", title=f"Levers of training, the {scale.name} model",
        command="python benchmarks/levers.py" + ("" if scale.name == "bench" else f" --model {scale.name}"),
        setting=described(scale)
        | {"examples": f"{count}, once, in one process; {2 * count} for the losses told", "LoRA": f"r={scale.rank}"},
        tables=[Table(title="Levers", head=head, rows=rows, note=f"{counted(arguments.rounds)}.")],
        raw={name: [asdict(run) for run in each] for name, each in runs.items()}, found_on=found_on,
    )  # fmt: skip
    show_and_keep(found, arguments.out)


def _bench(scale: Scale, count: int, work: Path) -> Bench:
    from transformers import AutoTokenizer

    from tradewind.training.tokens import pair_tokens

    model = model_folder(scale)
    tokenizer = AutoTokenizer.from_pretrained(model)
    pairs, held_out = train_and_held_out(scale)
    parts = (pairs[: 2 * count], held_out)
    made = [[pair_tokens(tokenizer, pair.question, pair.answer) for pair in part] for part in parts]
    rate = scale.learning_rate
    job = Job(work / "job", model, scale.max_length, rate, scale.rank, seed=42, gpu=scale.gpu)
    return Bench(scale, job, made[0], count, made[1])


def is_compared(lever: Lever, scale: Scale) -> bool:
    """Whether its losses are held against another's, or another's against its."""
    return lever.follows is not None or lever.name in {other.follows for other in levers(scale)}


def _row(lever: Lever, runs: Mapping[str, Sequence[Run]], checked: Mapping[str, Run | None]) -> tuple[str, ...]:
    mine = [run.seconds for run in runs[lever.name]]
    if not mine:
        return lever.name, "refused here", "", "", ""
    difference = ""
    own, other = checked.get(lever.name), checked.get(lever.follows or "")
    if own and other:
        pairs = zip(own.losses, other.losses, strict=True)
        difference = f"{max(abs(one - another) for one, another in pairs):.1e}"
    faster = ratio([run.seconds for run in runs[OFF]], mine)
    return (
        lever.name,
        str(Spread.of(mine)),
        f"{faster:.2f}x",
        difference,
        f"{own.held_out:.4f}" if own and own.held_out is not None else "",
    )


if __name__ == "__main__":
    main()
