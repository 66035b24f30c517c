"""The documents' hash tells every file that is read, and the code's every file of the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tradewind
from documents import write_files
from tradewind.errors import UserError
from tradewind.recipes import resolve
from tradewind.reuse.code import package_digest
from tradewind.reuse.documents import documents_of, texts_of
from tradewind.reuse.hashes import FileHashes

_HASHES = FileHashes()


def _digest(data: Path | str, **overrides: object) -> str:
    return documents_of(resolve("tiny", data, overrides=overrides), _HASHES).sha256


def test_the_samples_have_a_hash_too() -> None:
    assert _digest("embedded:en") == _digest("embedded:en") != _digest("embedded:ko")


def test_a_dataset_of_the_recipe_counts_where_it_is_a_folder(documents: Path, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "set", {"rows.jsonl": '{"question": "q", "answer": "a"}\n'})
    settings = {"data.datasets": [{"path": str(folder)}]}
    before = _digest(documents, **settings)
    assert before != _digest(documents)
    (folder / "rows.jsonl").write_text('{"question": "q", "answer": "b"}\n')
    assert _digest(documents, **settings) != before
    on_hub = {"data.datasets": [{"path": "owner/name"}]}
    assert _digest(documents, **on_hub) == _digest(documents)  # its name is a setting


def test_a_name_that_is_not_utf_8_has_a_hash(documents: Path) -> None:
    (documents / "transcript_data" / b"lecture-\xff.txt".decode("utf-8", "surrogateescape")).write_text("Text.")
    assert _digest(documents)
    assert texts_of(resolve("tiny", documents), _HASHES).sha256


def test_extraction_sees_texts_alone(documents: Path) -> None:
    config = resolve("tiny", documents)
    before = texts_of(config, _HASHES)
    assert before.bytes == (documents / "transcript_data/l.txt").stat().st_size
    (documents / "exam_data/e.json").unlink()
    assert texts_of(config, _HASHES) == before
    (documents / "transcript_data/l.txt").write_text("Other text.")
    assert texts_of(config, _HASHES) != before


def test_no_folder_is_no_documents(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        _digest(tmp_path / "absent")


def test_looking_for_results_loads_nothing_heavy() -> None:
    """It is done by Airflow's worker, which has no torch."""
    heavy = {"torch", "transformers", "datasets", "sentence_transformers", "matplotlib", "openai"}
    code = "import sys, tradewind.reuse.cached, tradewind.reuse.skipped, tradewind.reuse.code; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


def _digest_of_a_copy(package: Path) -> str:
    command = [sys.executable, "-c", "from tradewind.reuse.code import package_digest; print(package_digest())"]
    environment = {"PYTHONPATH": str(package.parent), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_the_code_is_every_file_of_the_package(tmp_path: Path) -> None:
    copy = tmp_path / "tradewind"
    shutil.copytree(Path(tradewind.__file__).parent, copy)
    assert _digest_of_a_copy(copy) == package_digest()
    shutil.rmtree(copy / "__pycache__", ignore_errors=True)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_text("compiled")
    assert _digest_of_a_copy(copy) == package_digest()
    (copy / "extraction/prompts/extract.en.txt").write_text("Ask otherwise.")
    assert _digest_of_a_copy(copy) != package_digest()
