"""Domain-adaptive pretraining: the base model reads the documents' running text."""

from __future__ import annotations

from tradewind.files import read_jsonl
from tradewind.models import base_source
from tradewind.stages.stage_run import StageRun, StageSkipped


def run(stage: StageRun) -> None:
    """Train on `corpus.jsonl` and write `model/`, the adapted model.

    Raises:
        StageSkipped: the recipe turned adaptation off.
    """
    if not stage.config.adapt.enabled:
        raise StageSkipped("adapt.enabled is false in the recipe; fine-tuning starts from the base model")
    source = base_source(stage.config.model)
    from tradewind.stages.train_and_save import train_and_save
    from tradewind.training.load import load_tokenizer
    from tradewind.training.tokens import text_tokens

    config = stage.config.adapt
    tokenizer = load_tokenizer(source, stage.config.model.model_revision)
    texts = read_jsonl(stage.input("prepare/corpus.jsonl"))
    rows = [row for text in texts for row in text_tokens(tokenizer, text["text"], config.max_length)]
    train_and_save(stage, source, tokenizer, rows, config)
