"""A run that has come to `evaluate`, as small as `tradewind serve` takes it: a model and its answers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from setting.scale import Scale
from tradewind.config import RunConfig
from tradewind.files import write_atomically, write_jsonl
from tradewind.kinds import KINDS
from tradewind.results import Artifact, StageResult
from tradewind.run_dir import RunDir


def run_to_serve(path: Path, scale: Scale, model: Path, questions: Sequence[str]) -> RunDir:
    """Have the model answer the questions as the evaluation does, and publish both below `path`."""
    from tradewind.config import EvaluateConfig, ModelConfig
    from tradewind.training.generate import answer_all
    from tradewind.training.generation.plan import plan
    from tradewind.training.load import load_tokenizer
    from tradewind.training.tokens import chat_prompt

    model_config = ModelConfig(model_name_or_path=str(model), dtype=scale.dtype)
    evaluate = EvaluateConfig(max_new_tokens=scale.max_new_tokens)
    tokenizer = load_tokenizer(model)
    prompts = [chat_prompt(tokenizer, question) for question in questions]
    made = answer_all(
        "tuned", model, prompts, tokenizer=tokenizer, model_config=model_config, config=evaluate,
        plan=plan(model, prompts, model_config, evaluate),
    )  # fmt: skip
    run = RunDir(path)
    config = RunConfig(recipe="bench", data_dir="bench", model=model_config, evaluate=evaluate)
    shutil.copytree(model, run.published("finetune") / "model")
    trained = Artifact.of(run.published("finetune") / "model", run.path)
    _publish(run, StageResult(
        stage="finetune", started_at="now", seconds=0, seed=42, config=config.model_dump(mode="json"), versions={},
        outputs={"model": trained},
    ))  # fmt: skip
    run.published("evaluate").mkdir()
    predictions = run.published("evaluate") / "predictions.jsonl"
    write_jsonl(predictions, (
        {"id": f"q{at}", "kind": KINDS[at % len(KINDS)], "question": question, "answers": {"tuned": answer.text}}
        for at, (question, answer) in enumerate(zip(questions, made.answers, strict=True))
    ))  # fmt: skip
    _publish(run, StageResult(
        stage="evaluate", started_at="now", seconds=0, seed=42, config=config.model_dump(mode="json"), versions={},
        inputs={"finetune/model": trained}, outputs={"predictions.jsonl": Artifact.of(predictions, run.path)},
    ))  # fmt: skip
    return run


def _publish(run: RunDir, result: StageResult) -> None:
    write_atomically(run.result_file(result.stage), result.model_dump_json())
