"""Answers of a model to a set of questions, made once: the same model asked in the same way answers the same."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig

from tradewind.asking.store import answers_file
from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.files import iter_jsonl, write_atomically
from tradewind.results import Artifact, PeakMemory
from tradewind.team import Device, Team
from tradewind.training.answer_together import answer_together
from tradewind.training.generate import Answer, answer_all
from tradewind.training.generation.plan import Plan, plan
from tradewind.training.load import load_tokenizer
from tradewind.training.tokens import chat_prompt

log = logging.getLogger("tradewind")


@dataclass(frozen=True)
class Answers:
    """A model's answers in the order of the questions."""

    answers: list[Answer]
    generated: int
    """How many were made now; the others were there."""
    peaks: tuple[PeakMemory, ...] = ()
    """Of the processes of a team that made them."""


def answers_of(
    name: str,
    source: Path | str,
    questions: Sequence[str],
    model_config: ModelConfig,
    config: EvaluateConfig,
    *,
    team: Team | None = None,
    work: Path | None = None,
) -> Answers:
    """The kept answers where the model, every prompt, the settings and the libraries are the same, else new ones.

    All of a set are kept together: the batch that a question stands in has a say in its last digits.

    Args:
        name: for progress lines.
        source: the model's folder or hub name.
        team: the processes that share the questions; None: this one answers all.
        work: where the team's job goes meanwhile.

    Raises:
        UserError: the model cannot be had.
    """
    revision = model_config.model_revision if isinstance(source, str) else None
    tokenizer = load_tokenizer(source, revision)
    prompts = [chat_prompt(tokenizer, question) for question in questions]
    device = None if team is None else team.device
    planned = plan(source, prompts, model_config, config, device=device)
    if team is not None and team.device == "cpu" and config.per_device_eval_batch_size == "auto":
        planned = replace(planned, batch_size=max(1, planned.batch_size // team.processes))  # they share its memory
    processes = 1 if team is None else team.processes
    where = partial(_file, device=device, processes=processes)
    identity = model_identity(source, revision)
    if identity is not None:
        kept = _read(where(identity, prompts, model_config, config, planned), len(prompts))
        if kept is not None:
            log.info("%s: %d answers are there from before", name, len(kept))
            return Answers(kept, 0)
    peaks: tuple[PeakMemory, ...] = ()
    if team is None or work is None:
        made = answer_all(
            name, source, prompts, tokenizer=tokenizer, model_config=model_config, config=config, plan=planned
        )
    else:
        made, peaks = answer_together(
            name, source, prompts, team, work, model_config=model_config, config=config, plan=planned
        )
    if identity is not None:
        path = where(identity, prompts, model_config, config, made.plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in made.answers)
        write_atomically(path, "".join(rows))
    return Answers(made.answers, len(made.answers), peaks)


def model_identity(source: Path | str, revision: str | None) -> str | None:
    """What changes with the model's weights: a folder's hash, or the commit on the hub; None where none is told."""
    if isinstance(source, Path):
        return Artifact.of(source, source.parent).sha256
    commit = getattr(AutoConfig.from_pretrained(source, revision=revision), "_commit_hash", None)
    return None if commit is None else f"{source}@{commit}"


def _file(
    identity: str,
    prompts: Sequence[list[int]],
    model: ModelConfig,
    config: EvaluateConfig,
    made: Plan,
    *,
    device: Device | None,
    processes: int,
) -> Path:
    decides = {
        "model": identity,
        "prompts": prompts,
        "dtype": model.dtype,
        "attn_implementation": model.attn_implementation,
        "max_new_tokens": config.max_new_tokens,
        "generator": made.generator,
        "batch": made.batch_size,
        "device": _device_name(device),
        "versions": [torch.__version__, transformers.__version__],
    }
    if processes > 1:  # which puts other questions into a batch
        decides["processes"] = processes
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return answers_file().parent / "models" / f"{key}.jsonl"


def _device_name(device: Device | None) -> str:
    """What the answers are computed on; of GPUs of other machines no more than that they are some."""
    if torch.cuda.is_available() and device != "cpu":
        return str(torch.cuda.get_device_name())
    return device if device == "cuda" else platform.machine()


def _read(path: Path, count: int) -> list[Answer] | None:
    """The answers in `path`; None where there are none, or not one for each question."""
    try:
        answers = [Answer(**row) for row in iter_jsonl(path)]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        log.warning("%s: is damaged (%s); its answers are made again", path, type(error).__name__)
        return None
    if len(answers) != count:
        log.warning(
            "%s: is damaged (%d answers for %d questions); its answers are made again", path, len(answers), count
        )
        return None
    return answers
