"""What a served model is asked before clients may ask it: held-out questions with the answers of its evaluation."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from tradewind.errors import UserError
from tradewind.files import read_jsonl, sha256_of
from tradewind.results import Contract, StageResult
from tradewind.run_dir import RunDir

SMOKE = "smoke.json"
COUNT = 10
PREDICTIONS = "predictions.jsonl"


class SmokeQuestion(Contract):
    """A held-out question, and what the model answered it in the evaluation."""

    id: str
    kind: str
    question: str
    answer: str
    tells: bool
    """No other model of the evaluation gave this answer."""


class SmokeSet(Contract):
    """`smoke.json` of a version: the questions, and how they were answered."""

    schema_version: Literal[1] = 1
    questions: tuple[SmokeQuestion, ...]
    max_new_tokens: int
    dtype: str
    """Of the weights in the evaluation."""
    on_gpu: bool
    """Whether the evaluation computed on one."""

    @classmethod
    def of(cls, run_dir: RunDir, evaluate: StageResult, model: str) -> SmokeSet:
        """Draw the questions from what `evaluate` published, by the run's seed.

        Args:
            model: whose answers count: `tuned` or `adapted`.

        Raises:
            UserError: the predictions are not those that `evaluate` published, or hold no answer of the model.
        """
        file = run_dir.published("evaluate") / PREDICTIONS
        made = evaluate.outputs.get(PREDICTIONS)
        if made is None or not file.is_file() or sha256_of(file) != made.sha256:
            raise UserError(f"{file}: is not what evaluate published; run the stage 'evaluate' again")
        rows = [row for row in read_jsonl(file) if model in row["answers"]]
        if not rows:
            raise UserError(f"{file}: holds no answer of the model '{model}'; run the stage 'evaluate' again")
        peak = evaluate.peak_memory_bytes
        return cls(
            questions=draw(rows, model, evaluate.seed),
            max_new_tokens=evaluate.config["evaluate"]["max_new_tokens"],
            dtype=evaluate.config["model"]["dtype"],
            on_gpu=peak is not None and peak.gpu is not None,
        )

    @classmethod
    def read(cls, file: Path) -> SmokeSet:
        """Read a version's; UserError where it is absent or not ours."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError as error:
            raise UserError(
                f"{file}: no such file: the version was registered before versions were served; serve its run's folder"
            ) from error
        except ValidationError as error:
            raise UserError(f"{file}: {error.errors()[0]['msg']}; restore it from a copy") from error


def draw(rows: Sequence[Mapping[str, Any]], model: str, seed: int) -> tuple[SmokeQuestion, ...]:
    """Ten questions, of each kind in turn; of a kind first those that only this model answered so.

    A question that base and tuned answer alike does not tell which of them is served.
    """
    dice = random.Random(seed)
    kinds: dict[str, list[SmokeQuestion]] = {}
    for row in dice.sample(rows, len(rows)):
        answers = row["answers"]
        tells = answers[model] not in {"", *(answer for name, answer in answers.items() if name != model)}
        question = SmokeQuestion(
            id=str(row["id"]), kind=row["kind"], question=row["question"], answer=answers[model], tells=tells
        )
        kinds.setdefault(question.kind, []).append(question)
    queues = [sorted(kinds[kind], key=lambda question: not question.tells) for kind in sorted(kinds)]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    return tuple(question for question in turns if question is not None)[:COUNT]
