"""Which held-out questions a model was shown before they were held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tradewind.errors import UserError
from tradewind.exposure import EXPOSURE, Exposure
from tradewind.files import write_jsonl


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "train.jsonl", [{"question": "What does FOB mean?", "context": "FOB: free on board"}])
    write_jsonl(tmp_path / "corpus.jsonl", [{"text": "FOB: free on board"}, {"text": "CIF: cost, insurance, freight"}])
    return tmp_path


def _item(kind: str, question: str, context: str) -> dict[str, Any]:
    return {"kind": kind, "question": question, "context": context}


@pytest.mark.parametrize(
    ("kind", "question", "context", "knows"),
    [
        ("reworded", "What does FOB mean?", "FOB: free on board", True),
        ("reworded", "what does 'FOB' mean", "another text", True),  # case and punctuation aside
        ("reworded", "Which term stands for free on board?", "FOB: free on board", False),  # its fact may be known
        ("read", "What does CIF mean?", "CIF: cost, insurance, freight", False),  # its text may be read
        ("read", "Which term is it?", "FOB: free on board", True),
        ("unseen", "Which term is it?", "FOB: free on board", True),
        ("unseen", "What does CIF mean?", "CIF: cost, insurance, freight", True),
        ("unseen", "What does DDP mean?", "DDP: delivered duty paid", False),
    ],
)
def test_each_kind_forbids_what_it_promises_was_not_shown(
    prepared: Path, kind: str, question: str, context: str, knows: bool
) -> None:
    assert Exposure.of(prepared, adapted=True).knows(_item(kind, question, context)) is knows


def test_without_adaptation_no_text_was_read(prepared: Path) -> None:
    item = _item("unseen", "What does CIF mean?", "CIF: cost, insurance, freight")
    assert not Exposure.of(prepared, adapted=False).knows(item)


def test_it_is_kept_and_read_again_the_same_bytes_each_time(prepared: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    Exposure.of(prepared, adapted=True).write(first)
    Exposure.of(prepared, adapted=True).write(second)
    assert first.read_bytes() == second.read_bytes()
    assert Exposure.read(first).knows(_item("reworded", "What does FOB mean?", ""))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"no archive"])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / EXPOSURE).write_bytes(content)
    with pytest.raises(UserError, match=r"exposure\.npz: cannot be read \(\w+\); promote another version"):
        Exposure.read(tmp_path / EXPOSURE)


def test_a_version_without_one_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="FileNotFoundError"):
        Exposure.read(tmp_path / EXPOSURE)
