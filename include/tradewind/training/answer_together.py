"""A model's answers as a job of a team: each process loads the model and answers its part of the questions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tradewind.config import EvaluateConfig, ModelConfig
from tradewind.results import PeakMemory
from tradewind.team import Team
from tradewind.training.generate import Answer, Made
from tradewind.training.generation.plan import Plan
from tradewind.training.job import AnswerJob, answers_name, write_job


def answer_together(
    name: str,
    source: Path | str,
    prompts: Sequence[list[int]],
    team: Team,
    work: Path,
    *,
    model_config: ModelConfig,
    config: EvaluateConfig,
    plan: Plan,
) -> tuple[Made, tuple[PeakMemory, ...]]:
    """As `answer_all`, and what each of the processes needed.

    Args:
        work: the job's folder is made in it, and removed.

    Raises:
        UserError: what the team's processes met.
    """
    job = AnswerJob(
        name=name, source=str(source), source_is_folder=isinstance(source, Path), model=model_config, config=config,
        processes=team.processes, device=team.device, plan=asdict(plan),
    )  # fmt: skip
    folder = write_job(work, job, prompts=({"ids": prompt} for prompt in prompts))
    team.launch(work)
    parts = [json.loads((folder / answers_name(rank)).read_text(encoding="utf-8")) for rank in range(team.processes)]
    shutil.rmtree(folder)
    answers = [Answer("", False)] * len(prompts)
    for rank, part in enumerate(parts):
        answers[rank :: team.processes] = [Answer(**answer) for answer in part["answers"]]
    plans = [Plan(**part["plan"]) for part in parts]
    used = next((other for other in plans if other != plan), plan)  # where a process had to answer in another way
    return Made(answers, used), tuple(PeakMemory(host=host, gpu=gpu) for host, gpu in (part["peak"] for part in parts))
