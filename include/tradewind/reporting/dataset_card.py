"""The data set's card: `dataset_card.md` in the hub's form, and `dataset_card.html`, one page that needs no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from tradewind.config import RunConfig
from tradewind.dataset.contradictions import Contradictions
from tradewind.dataset.files import conversational_name, pairs_of, rows_of
from tradewind.dataset.split_proof import USES, Check, SplitProof, assert_kept
from tradewind.files import write_atomically
from tradewind.reporting.dataset_facts import DatasetFacts
from tradewind.text_keys import text_key

CARD, PAGE = "dataset_card.md", "dataset_card.html"
FILES_SHOWN = 40
CONTRADICTIONS_SHOWN = 20
_ANSWERS_SHOWN = 5
_LONGEST_SHOWN = 400
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


@dataclass(frozen=True)
class Contradiction:
    """A question with the different answers that were given to it."""

    question: str
    answers: tuple[tuple[str, str], ...]
    """Pair ids and answers, `_ANSWERS_SHOWN` of them at most."""
    pairs: int
    """How many pairs ask it."""


def write_dataset_card(
    prepare_dir: Path, out_dir: Path, *, title: str, config: RunConfig, accounting: Mapping[str, int]
) -> None:
    """Write the card of the pairs in `prepare_dir`, in flat memory, once the split is proven from them.

    Args:
        prepare_dir: holds `train.jsonl`, `heldout.jsonl`, `corpus.jsonl` and `rejected.jsonl`.
        accounting: what became of the documents, from entries to pairs: numbers under names for a reader, in order.

    Raises:
        AssertionError: a record does not keep to its kind: a fault of ours.
    """
    facts, proof, pairs = DatasetFacts(config.seed), SplitProof(), Contradictions()
    for use, row in pairs_of(prepare_dir):
        question_key = text_key(row["question"])
        facts.add_pair(use, row)
        proof.add_pair(use, row, question_key)
        pairs.add(question_key, text_key(row["answer"]))
    for row in rows_of(prepare_dir / "corpus.jsonl"):
        proof.add_text(row["text"])
    for row in rows_of(prepare_dir / "rejected.jsonl"):
        facts.add_rejected(row)
    checks = proof.checks()
    assert_kept(checks)
    said = _said(facts, checks, title, config, accounting) | _contradictory(prepare_dir, pairs)
    from tradewind.reporting.plots import length_histograms
    from tradewind.reporting.templates import template

    page = said | {"lengths_plot": length_histograms(facts.lengths)}
    write_atomically(out_dir / CARD, template("dataset_card.md.j2", autoescape=False).render(said))
    write_atomically(out_dir / PAGE, template("dataset_card.html.j2", autoescape=True).render(page))


def _said(
    facts: DatasetFacts, checks: tuple[Check, ...], title: str, config: RunConfig, accounting: Mapping[str, int]
) -> dict[str, Any]:
    files = facts.counted("file")
    return {
        "front_matter": yaml.safe_dump(_front_matter(facts, title), allow_unicode=True, sort_keys=False),
        "title": title,
        "uses": USES,
        "used": facts.uses,
        "total": facts.uses.total(),
        "settings": _settings(config),
        "accounting": accounting,
        "tables": {
            "source": facts.counted("source"),
            "language": facts.counted("language"),
            "file": files[:FILES_SHOWN],
        },
        "files_left": len(files) - FILES_SHOWN,
        "lengths": facts.length_rows(),
        "reasons": sorted(facts.reasons.items(), key=lambda reason: -reason[1].offered),
        "rejected": sum(sample.offered for sample in facts.reasons.values()),
        "checks": checks,
        "samples": {
            source: [_shown(*item) for item in sample.items] for source, sample in sorted(facts.samples.items())
        },
    }


def _front_matter(facts: DatasetFacts, title: str) -> dict[str, Any]:
    """The hub's metadata; its keys and size classes are those of `huggingface/hub-docs`, `datasetcard.md`."""
    total = facts.uses.total()
    data_files = [{"split": use, "path": conversational_name(use)} for use in USES if facts.uses[use]]
    configs = [
        {"config_name": "default", "data_files": data_files},
        {"config_name": "pairs", "data_files": [{"split": "train", "path": "train.jsonl"}]},
    ]
    if total > facts.uses["train"]:
        configs.append({"config_name": "heldout_pairs", "data_files": [{"split": "test", "path": "heldout.jsonl"}]})
    return {
        "pretty_name": title,
        "language": sorted(row.name for row in facts.counted("language")),
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": [_SIZES[max(0, len(str(total)) - 3)]],
        "configs": configs,
    }


def _settings(config: RunConfig) -> dict[str, str]:
    quality, split = config.data.quality, config.split
    settings = {
        "recipe": config.recipe,
        "documents": Path(config.data_dir).name,  # a whole path says more of a computer than readers may know
        "seed": str(config.seed),
        "held out": f"{split.reworded:.0%} of facts reworded, {split.read:.0%} of records read, "
        f"{split.unseen:.0%} unseen",
        "near-duplicates": f"from a similarity of {config.data.near_duplicate_threshold}",
        "length of a question": f"{quality.min_question:,} to {quality.max_question:,} characters",
        "length of an answer": f"{quality.min_answer:,} to {quality.max_answer:,} characters",
    }
    return settings | ({"pairs drawn by": config.extract.model} if config.extract else {})


def _shown(use: str, row: Mapping[str, Any]) -> dict[str, str]:
    return {"use": use} | {name: _cut(row[name]) for name in ("id", "language", "question", "answer", "context")}


def _contradictory(prepare_dir: Path, pairs: Contradictions) -> dict[str, Any]:
    """How many questions are contested, and the first of them with their answers, fetched in a second reading."""
    contested, asking, shown = 0, 0, list[tuple[int, ...]]()
    for group in pairs.groups():
        contested += 1
        asking += len(group)
        if contested <= CONTRADICTIONS_SHOWN:
            shown.append(group)
    wanted = {place for group in shown for place in group}
    rows = {place: row for place, (_, row) in enumerate(pairs_of(prepare_dir)) if place in wanted} if wanted else {}
    found = []
    for group in shown:
        answers: dict[int, tuple[str, str]] = {}
        for row in map(rows.__getitem__, group):
            answers.setdefault(text_key(row["answer"]), (row["id"], _cut(row["answer"])))
        first = islice(answers.values(), _ANSWERS_SHOWN)
        found.append(Contradiction(_cut(rows[group[0]]["question"]), tuple(first), len(group)))
    return {"contested": contested, "contested_pairs": asking, "contradictions": found}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
