"""A version's card, `README.md` in the hub's form: what the model is for, how good it is, and how to load it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tradewind.config import RunConfig, TrainingConfig
from tradewind.models import locate
from tradewind.registry.version import MODEL, VersionRecord
from tradewind.reporting.contract import Report
from tradewind.reporting.table import header, score_rows
from tradewind.reporting.templates import template

_DATA = ("train.jsonl", "heldout.jsonl", "corpus.jsonl")


def model_card(record: VersionRecord, report: Report, config: RunConfig, prepared: Mapping[str, Any]) -> str:
    """The card; every text of a document or a recipe is escaped.

    Args:
        prepared: the metrics of `prepare`.
    """
    languages = sorted({group.language for group in report.scores.groups})
    return template("model_card.md.j2", autoescape=False).render(
        front_matter=yaml.safe_dump(_front_matter(config, languages), allow_unicode=True, sort_keys=False),
        record=record,
        report=report,
        base=_base(config),
        languages=languages,
        header=header(report.scores),
        rows=score_rows(report.scores),
        data={
            "documents": Path(config.data_dir).name,  # a whole path says more of a computer than readers may know
            "files": f"{prepared['files']:,}",
            "pairs trained on": f"{prepared['train']:,}",
            **{f"pairs held out, {kind}": f"{count:,}" for kind, count in prepared["heldout"].items()},
            **{f"sha256 of {name}": record.data[name] for name in _DATA if name in record.data},
        },
        trainings={"adaptation": _training(config.adapt), "fine-tuning": _training(config.finetune)},
        load=json.dumps((config.registry.hub_model_id if config.registry.push_to_hub else None) or MODEL),
        max_new_tokens=config.evaluate.max_new_tokens,
    )


def _front_matter(config: RunConfig, languages: list[str]) -> dict[str, Any]:
    """The hub's metadata; its keys are those of `huggingface/hub-docs`, `modelcard.md`."""
    name = config.model.model_name_or_path
    on_hub = isinstance(locate(name), str)
    # Google's terms pass on to what is made of its weights.
    terms = {"license": "gemma"} if name.startswith("google/gemma-") else {}
    return {
        **terms,
        **({"base_model": name} if on_hub else {}),
        "language": languages,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["tradewind", "question-answering", *(["lora"] if config.finetune.lora else [])],
    }


def _base(config: RunConfig) -> str:
    name = config.model.model_name_or_path
    found = locate(name)
    shown = name if name.startswith("embedded:") or isinstance(found, str) else found.name
    return shown + (f", revision {config.model.model_revision}" if config.model.model_revision else "")


def _training(training: TrainingConfig) -> str:
    if not training.enabled:
        return "none"
    lora = training.lora
    weights = f"LoRA of rank {lora.r}, alpha {lora.lora_alpha:g}, merged" if lora else "every weight"
    return f"{training.num_train_epochs:g} epochs, learning rate {training.learning_rate:g}, {weights}"
