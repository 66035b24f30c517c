"""What `prepare` leaves behind, small and right, for tests to read or to spoil."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tradewind.files import write_jsonl

Rows = dict[str, list[dict[str, Any]]]
NAMES = ("train.jsonl", "heldout.jsonl", "corpus.jsonl", "rejected.jsonl")


def row(record: str, pair: int, question: str, answer: str, **others: Any) -> dict[str, Any]:
    """A row of `train.jsonl`, or with a `kind` of `heldout.jsonl`; each record has a text and a fact of its own."""
    kind = {"kind": others.pop("kind")} if "kind" in others else {}
    file = others.get("file", "term_data/terms.json")
    return kind | {
        "id": f"{file}#{record}/{pair}",
        "context": f"{record}: what is said of {record} and of nothing else in these documents.",
        "question": question,
        "answer": answer,
        "source": "term",
        "file": file,
        "record_id": f"{file}#{record}",
        "fact_id": f"{file}#{record}/term",
        "language": "en",
    } | others  # fmt: skip


def prepared_rows() -> Rows:
    """Two records to train on, of which one is reworded too, one that is read, one unseen."""
    train = [row("FOB", 1, "What is FOB?", "Free on board."), row("CIF", 1, "What is CIF?", "Cost and more.")]
    heldout = [
        row("FOB", 2, "Which term means free on board?", "FOB", kind="reworded"),
        row("DDP", 1, "What is DDP?", "Delivered, duty paid.", kind="read"),
        row("EXW", 1, "What is EXW?", "Ex works.", kind="unseen"),
        row("EXW", 2, "Which term means ex works?", "EXW", kind="unseen"),
    ]
    known = [*train, *heldout[:2]]
    rejected = [{"file": "term_data/terms.json", "place": "entry 7", "reason": "no term", "excerpt": "{}"}]
    texts = dict.fromkeys(known_row["context"] for known_row in known)
    return dict(zip(NAMES, (train, heldout, [{"text": text} for text in texts], rejected), strict=True))


def write_rows(folder: Path, rows: Rows) -> Path:
    """Write the files of `prepare` into a new folder; returns it."""
    folder.mkdir(parents=True)
    for name in NAMES:
        write_jsonl(folder / name, rows[name])
    return folder
