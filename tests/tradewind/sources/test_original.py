"""Documents as the original Korean trade project had them become its rows, field by field."""

from __future__ import annotations

import json

from documents import REPOSITORY, Cli, WriteDocuments, rows

CASE = json.loads((REPOSITORY / "tests" / "cases" / "original.json").read_text(encoding="utf-8"))


def test_each_document_becomes_exactly_its_rows(write_documents: WriteDocuments, cli: Cli) -> None:
    folder = write_documents(CASE["files"])
    done = cli("prepare", "--data", folder, "--run-dir", "run", "--set", "split={reworded: 0, read: 0, unseen: 0}")
    assert done.returncode == 0, done.stderr
    made = rows(folder.parent / "run" / "prepare" / "train.jsonl")
    assert [{name: row[name] for name in ("question", "answer", "source")} for row in made] == CASE["rows"]
    contexts = [row["context"] for row in made]
    assert contexts[2] == "철회 (Rescind): 이미 성립한 계약이나 의사표시의 효력을 없애는 것"
    assert contexts[-1] == contexts[-2] == CASE["files"]["transcript_data/success/lecture.jsonl"]["context"]
    assert not rows(folder.parent / "run" / "prepare" / "rejected.jsonl")
