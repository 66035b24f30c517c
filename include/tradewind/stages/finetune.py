"""LoRA fine-tuning on question/answer pairs, from the adapted model or, without one, the base.

A shard of it is a trial of a sweep: it trains on all but the pairs by which the trials are compared.
"""

from __future__ import annotations

from typing import Any

from tradewind.errors import UserError
from tradewind.files import read_jsonl
from tradewind.models import base_source
from tradewind.shard import WHOLE
from tradewind.stages.stage_run import StageRun, StageSkipped
from tradewind.sweep.validation import hold_out


def run(stage: StageRun) -> None:
    """Train on `train.jsonl` and write `adapter/` and `model/`, the tuned model, merged; a trial adds its loss.

    Raises:
        StageSkipped: the recipe turned fine-tuning off.
        UserError: no pair fits `finetune.max_length`; or of a trial: there are too few pairs, or it diverged.
    """
    if not stage.config.finetune.enabled:
        raise StageSkipped("finetune.enabled is false in the recipe")
    adapted = "adapt/model" in stage.inputs
    source = stage.input("adapt/model") if adapted else base_source(stage.config.model)
    from tradewind.stages.train_and_save import train_and_save
    from tradewind.training.load import load_tokenizer
    from tradewind.training.tokens import pair_tokens

    config = stage.config.finetune
    tokenizer = load_tokenizer(source, None if adapted else stage.config.model.model_revision)
    pairs = read_jsonl(stage.input("prepare/train.jsonl"))
    judging: list[dict[str, Any]] = []
    if stage.shard != WHOLE:
        pairs, judging = hold_out(pairs, stage.config.sweep, stage.config.seed)
        # Each would overwrite the others' there, and all but one are thrown away.
        config = config.model_copy(update={"push_to_hub": False})
    rows = [pair_tokens(tokenizer, pair["question"], pair["answer"]) for pair in pairs]
    # A cut answer would teach the model never to stop: what is too long is left out, and counted.
    fitting = [row for row in rows if len(row["input_ids"]) <= config.max_length]
    if not fitting:
        longest = max(len(row["input_ids"]) for row in rows)
        raise UserError(f"finetune.max_length: no pair fits {config.max_length} tokens; raise it (longest: {longest})")
    if len(fitting) < len(rows):
        left_out = len(rows) - len(fitting)
        stage.warn(f"{left_out} of {len(rows)} pairs are longer than finetune.max_length and were left out")
    # Whatever their length: trials with another max_length are judged by the same pairs.
    validation = [pair_tokens(tokenizer, pair["question"], pair["answer"]) for pair in judging]
    train_and_save(stage, source, tokenizer, fitting, config, validation=validation)
