"""Raw documents to training pairs, held-out questions and a pretraining corpus."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradewind.config import RunConfig
from tradewind.dataset.catalogue import Catalogue, catalogue, encode_line
from tradewind.dataset.corpus import write_corpus
from tradewind.dataset.split import DROPPED, TRAIN, Split, split_pairs
from tradewind.errors import UserError
from tradewind.extraction.documents import have_pairs
from tradewind.kinds import KINDS
from tradewind.preflight import check_recipe
from tradewind.reuse.documents import DOCUMENTS, documents_of
from tradewind.reuse.hashes import FileHashes
from tradewind.reuse.index import results_folder
from tradewind.sources import drawn, iter_documents, with_pairs
from tradewind.sources.folder import PAIRS
from tradewind.sources.limit import limited
from tradewind.sources.location import locate_documents
from tradewind.sources.record import Rejected
from tradewind.stages.data_set import publish_data_set
from tradewind.stages.stage_run import StageRun


@dataclass(frozen=True)
class Prepared:
    """What was read, and what becomes of each pair."""

    catalogue: Catalogue
    split: Split

    def counts(self) -> dict[str, Any]:
        """What the stage's result says of its documents."""
        counts, twins = self.catalogue.counts, self.catalogue.twin_of
        duplicates = int(np.count_nonzero(twins >= 0))
        heldout, train = self.split.heldout(), self.split.train
        if train + sum(heldout.values()) + duplicates + counts.unfit != counts.pairs:
            raise AssertionError(
                f"{counts.pairs} pairs, {train} to train on, {heldout} held out, "
                f"{duplicates} near-duplicates, {counts.unfit} unfit"
            )
        return {
            "files": len(counts.files),
            "entries": {"read": counts.entries, "converted": counts.converted, "rejected": counts.rejected},
            "left_out": counts.left_out,
            "passages_left_out": counts.passages_left_out,
            "records": self.catalogue.by("source"),
            "pairs_made": counts.pairs,
            "pairs": train + sum(heldout.values()),
            "train": train,
            "heldout": heldout,
            "languages": self.catalogue.by("language"),
            "rejected": counts.rejected + counts.unfit + duplicates,
            "unfit": counts.unfit,
            "near_duplicates": duplicates,
            "rejected_reasons": dict(counts.reasons) | ({"near-duplicate question": duplicates} if duplicates else {}),
        }


def prepare(config: RunConfig, folder: Path, extracted: Sequence[Path] = ()) -> Prepared:
    """Read, find near-duplicates, split: all that `validate` checks too; imports nothing heavy.

    Args:
        folder: an empty one for work files, which `Prepared` reads as long as it lives.
        extracted: the stage `extract`'s files of pairs and of rejections.

    Raises:
        UserError: as `iter_documents`, `with_pairs` and `split_pairs` do.
    """
    data_dir = locate_documents(config.data_dir)
    documents = chain(iter_documents(data_dir, config.data), limited(drawn.read(extracted), config.data.max_records))
    found = catalogue(with_pairs(documents, data_dir), folder, config.data)
    try:
        split = split_pairs(found, config.split, config.seed)
    except UserError as error:
        raise UserError(f"{config.data_dir}: {error}") from error
    return Prepared(found, split)


def run(stage: StageRun) -> None:
    """Write `train.jsonl`, `heldout.jsonl`, `corpus.jsonl` and `rejected.jsonl`, and the data set that they make up."""
    check_recipe(stage.config)
    folder = stage.work / "reading"
    shutil.rmtree(folder, ignore_errors=True)  # of a try that was killed
    folder.mkdir()
    with FileHashes(results_folder(stage.run_dir)) as hashes:
        documents = documents_of(stage.config, hashes)
        prepared = prepare(stage.config, folder, [stage.input(name) for name in stage.inputs])
        if documents_of(stage.config, hashes) == documents:
            stage.inputs[DOCUMENTS] = documents
        else:
            stage.warn(
                f"{stage.config.data_dir}: the documents changed while they were read; the next run reads them anew"
            )
    texts = write(prepared, stage.work)
    prepared.catalogue.close()
    shutil.rmtree(folder)
    stage.outputs += ["train.jsonl", "heldout.jsonl", "corpus.jsonl", "rejected.jsonl"]
    stage.metrics = prepared.counts() | {"corpus_texts": texts}
    _warn_of_texts_without_pairs(stage, prepared.catalogue.counts.texts)
    if told := left_out(stage.metrics["left_out"], stage.metrics["passages_left_out"]):
        stage.warn(f"{told}: what is trained and scored is a trial")
    if rejected := stage.metrics["rejected"]:
        stage.warn(f"{rejected} could not be used; prepare/rejected.jsonl says which and why")
    publish_data_set(stage)


def left_out(entries: int, passages: int) -> str:
    """What a trial did not take, in words; empty where it took all."""
    named = ((entries, "entry", "entries"), (passages, "passage", "passages"))
    told = " and ".join(f"{count} {one if count == 1 else many}" for count, one, many in named if count)
    return f"{told} left out by data.max_records" if told else ""


def _warn_of_texts_without_pairs(stage: StageRun, texts: set[str]) -> None:
    if stage.config.extract is not None or not texts:
        return
    without = len(texts - have_pairs(locate_documents(stage.config.data_dir)))
    if without:
        are, have = ("text is", "it has") if without == 1 else ("texts are", "they have")
        told = f"{without} {are} only read in adaptation: {have} no pairs in {PAIRS}/"
        stage.warn(f"{told} and the recipe has no block extract")


def write(prepared: Prepared, folder: Path) -> int:
    """Write the four files, each in the order of reading; returns the number of the corpus's texts.

    Two of the catalogue's work files become outputs; it cannot be written again.
    """
    found, split = prepared.catalogue, prepared.split
    with (folder / "heldout.jsonl").open("wb") as file:
        openings = [b'{"kind":"%s",' % kind.encode() for kind in KINDS]
        is_held = (split.use_of != TRAIN) & (split.use_of != DROPPED)
        for block in found.rows.blocks():
            for at in np.flatnonzero(is_held[block.first : block.first + len(block)]).tolist():
                file.write(openings[split.use_of[block.first + at]])
                file.write(block[at][1:])
    with (folder / "rejected.jsonl").open("wb") as file:
        file.writelines(block.content for block in found.rejected.blocks())
        file.writelines(near_duplicates(found))
    found.rows.move(folder / "train.jsonl", split.use_of == TRAIN)
    return write_corpus(found, split, folder / "corpus.jsonl")


def near_duplicates(found: Catalogue) -> Iterator[bytes]:
    """A line of `rejected.jsonl` for each pair whose question an earlier one has."""
    asked = msgspec.json.Decoder(_Asked).decode
    for pair in np.flatnonzero(found.twin_of >= 0).tolist():
        row, twin = asked(found.rows[pair]), asked(found.rows[found.twin_of[pair]])
        same = "" if row.answer == twin.answer else ", with another answer"
        reason = f"near-duplicate question of {twin.id}{same}"
        yield encode_line(Rejected.of(row.file, row.id, reason, row.question))


class _Asked(msgspec.Struct):
    """Of a `Row`, what a rejection tells."""

    id: str
    question: str
    answer: str
    file: str
