"""Raw documents to training pairs, held-out questions and a pretraining corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import write_jsonl
from tradewind.near_duplicates import near_duplicates
from tradewind.preflight import check_recipe
from tradewind.sources import read_documents
from tradewind.sources.location import locate_documents
from tradewind.sources.record import Documents, Pair, Record, Rejected
from tradewind.split import KINDS, Split, corpus, split_pairs
from tradewind.stages.stage_run import StageRun


@dataclass(frozen=True)
class Prepared:
    """The documents without near-duplicates, and their split."""

    documents: Documents
    split: Split


def prepare(config: RunConfig, extracted: Sequence[Path] = ()) -> Prepared:
    """Read, remove near-duplicates, split: all that `validate` checks too; imports nothing heavy.

    Args:
        extracted: the stage `extract`'s files of pairs and of rejections.

    Raises:
        UserError: as `read_documents` and `split_pairs` do.
    """
    documents = read_documents(locate_documents(config.data_dir), config.data, extracted)
    _remove_near_duplicates(documents, config.data.near_duplicate_threshold)
    try:
        split = split_pairs(documents, config.split, config.seed)
    except UserError as error:
        raise UserError(f"{config.data_dir}: {error}") from error
    return Prepared(documents, split)


def run(stage: StageRun) -> None:
    """Write `train.jsonl`, `heldout.jsonl`, `corpus.jsonl` and `rejected.jsonl`."""
    check_recipe(stage.config)
    prepared = prepare(stage.config, [stage.input(name) for name in stage.inputs])
    documents, split = prepared.documents, prepared.split
    heldout = [{"kind": kind} | _row(*item) for kind in KINDS for item in split.heldout[kind]]
    rows = {
        "train.jsonl": [_row(*item) for item in split.train],
        "heldout.jsonl": heldout,
        "corpus.jsonl": [{"text": text} for text in corpus(documents, split)],
        "rejected.jsonl": [asdict(rejected) for rejected in documents.rejected],
    }
    for name, content in rows.items():
        write_jsonl(stage.work / name, content)
        stage.outputs.append(name)
    stage.metrics = {
        "files": len(documents.files),
        "records": dict(Counter(record.source for record in documents.records)),
        "pairs": sum(len(record.pairs) for record in documents.records),
        "train": len(split.train),
        "heldout": {kind: len(split.heldout[kind]) for kind in KINDS},
        "languages": dict(Counter(record.language for record in documents.records)),
        "corpus_texts": len(rows["corpus.jsonl"]),
        "rejected": len(documents.rejected),
        "rejected_reasons": dict(Counter(item.reason.split(":")[0].split(" of ")[0] for item in documents.rejected)),
    }
    if documents.rejected:
        stage.warn(f"{len(documents.rejected)} could not be used; prepare/rejected.jsonl says which and why")


def _remove_near_duplicates(documents: Documents, threshold: float) -> None:
    place = {pair.pair_id: record for record in documents.records for pair in record.pairs}
    pairs = [pair for record in documents.records for pair in record.pairs]
    dropped: set[str] = set()
    for duplicate in near_duplicates(pairs, threshold):
        dropped.add(duplicate.pair.pair_id)
        documents.related.append((place[duplicate.pair.pair_id].record_id, place[duplicate.of.pair_id].record_id))
        same = "" if duplicate.pair.answer == duplicate.of.answer else ", with another answer"
        documents.rejected.append(
            Rejected.of(
                place[duplicate.pair.pair_id].file,
                duplicate.pair.pair_id,
                f"near-duplicate question of {duplicate.of.pair_id}{same}",
                duplicate.pair.question,
            )
        )
    documents.records = [
        replace(record, pairs=tuple(pair for pair in record.pairs if pair.pair_id not in dropped))
        for record in documents.records
    ]


def _row(record: Record, pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.pair_id,
        "context": record.text,
        "question": pair.question,
        "answer": pair.answer,
        "source": record.source,
        "file": record.file,
        "record_id": record.record_id,
        "fact_id": pair.fact_id,
        "language": record.language,
    }
