"""All that is wrong in other people's files, in one folder: rows in are rows out and rejected."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from collected import read_documents
from documents import SAMPLES, WriteDocuments, passage
from tradewind.config import DataConfig
from tradewind.errors import UserError

LONG = 4096
GOOD = passage("An answer.", [{"question": "Good?", "answer": "Yes."}])
FILES = {
    "transcript_data/success/mixed.jsonl": (
        b"\xef\xbb\xbf"
        + GOOD.encode()
        + passage("한국어.", [{"question": "맞나요?", "answer": "네."}]).encode()
        + passage("옛날 글.", [{"question": "왜?", "answer": "오래됐다."}]).encode("cp949")
        + GOOD.strip().encode("utf-16") + b"\n"
        + GOOD.encode()[: len(GOOD) // 2] + b"\n"
        + b'{"context": "' + b"x" * LONG + b'"}\n'
        + passage("Text.", [{"question": 1, "answer": 2}, {"question": "Q?", "answer": [None, "A"]}]).encode()
    ),
    "term_data/nested.json": [
        [[{"id": 1, "term": "A", "description": "One."}]],
        {"id": 1, "term": "B", "description": "Two."},
        {"id": 2, "term": 5, "description": 6},
        {"id": 3, "term": {"ko": "C"}, "description": "Three."},
        7,
    ],
    "qa_data/pairs.csv": (
        'id,question,answer\n1,مرحبا 😀?,نعم\n1,Again?,No\n2,"Open?,Yes\n3,Cells?,Yes,No\n4,Fine?,Yes\n'
    ),
    "qa_data/sheet.xlsx": b"PK",
    "exam_data/cp949.json": '{"fixed_text": "질문: 무엇? 정답: 이것 질문: 언제?"}'.encode("cp949"),
    "transcript_data/broken.pdf": b"%PDF-1.7 cut",
}  # fmt: skip
RECORDS = {
    "transcript_data/success/mixed.jsonl": 3,
    "term_data/nested.json": 2,
    "qa_data/pairs.csv": 2,
    "exam_data/cp949.json": 1,
}
REJECTED = {
    "transcript_data/success/mixed.jsonl": [
        "byte 13: not UTF-8", "byte 0: not UTF-8", "broken JSON at column",
        "line of more than 4096 bytes", "member 1 of the answer is null",
    ],
    "term_data/nested.json": ["duplicate id '1' of entry 0.0.0", "no term", "not an object"],
    "qa_data/pairs.csv": ["duplicate id '1' of line 2", "broken CSV", "4 cells under 3 columns"],
    "qa_data/sheet.xlsx": ["format '.xlsx' not known"],
    "exam_data/cp949.json": ["no answer"],
    "transcript_data/broken.pdf": ["broken PDF"],
}  # fmt: skip


def test_every_entry_of_every_bad_file_is_a_record_or_rejected_with_its_reason(write_documents: WriteDocuments) -> None:
    found = read_documents(write_documents(FILES), DataConfig(max_line_bytes=LONG))
    assert Counter(record.file for record in found.records) == RECORDS
    reasons = {name: [item.reason for item in found.rejected if item.file == name] for name in REJECTED}
    for name, expected in REJECTED.items():
        assert len(reasons[name]) == len(expected), reasons[name]
        assert all(reason.startswith(start) for reason, start in zip(reasons[name], expected, strict=True)), reasons
    assert len(found.rejected) == sum(map(len, REJECTED.values()))
    assert sum(file.entries for file in found.files) == sum(RECORDS.values()) + len(found.rejected)
    assert {file.name for file in found.files} == set(FILES)


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_nesting_of_any_depth_is_rejected_or_told(write_documents: WriteDocuments, suffix: str) -> None:
    limit = sys.getrecursionlimit()
    for depth in range(limit - 60, limit + 5):
        entry = '{"term": "A", "description": ' + "[" * depth + "]" * depth + "}"
        folder = write_documents({f"term_data/a.{suffix}": f"[{entry}]" if suffix == "json" else entry})
        with pytest.raises(UserError, match=r"no description|nested too deeply"):
            read_documents(folder, DataConfig())


@pytest.mark.parametrize(("package", "settings"), [
    ("pyarrow", {}),
    ("datasets", {"datasets": [{"path": "owner/name"}]}),
])  # fmt: skip
def test_a_package_that_is_not_installed_is_told_with_what_installs_it(
    write_documents: WriteDocuments, monkeypatch: pytest.MonkeyPatch, package: str, settings: dict[str, object]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    folder = write_documents({"term_data/a.parquet": b"PAR1"} if package == "pyarrow" else {})
    with pytest.raises(UserError, match=rf"needs .*{package}; pip install 'tradewind\[train\]'$"):
        read_documents(folder, DataConfig.model_validate(settings))


def test_documents_without_heavy_formats_are_read_without_heavy_packages() -> None:
    heavy = ["torch", "datasets", "pyarrow", "pypdfium2", "docx", "lxml", "markdown_it", "numpy"]
    script = f"""
import sys
from pathlib import Path
from tradewind.config import DataConfig
from tradewind.sources import iter_documents
assert list(iter_documents(Path(sys.argv[1]), DataConfig()))
print([name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script, SAMPLES["en"]], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pdf_and_word_files_are_read_without_torch(tmp_path: Path) -> None:
    from docx import Document

    folder = tmp_path / "transcript_data"
    folder.mkdir()
    Document().save(str(folder / "a.docx"))
    (folder / "a.pdf").write_bytes(b"%PDF")
    (folder / "a.md").write_text("# A")
    script = """
import sys
from pathlib import Path
from tradewind.config import DataConfig
from tradewind.sources import iter_documents
list(iter_documents(Path(sys.argv[1]), DataConfig()))
print([name for name in ("torch", "datasets", "pyarrow", "transformers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
