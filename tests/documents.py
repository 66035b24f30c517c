"""Documents that tests write, and the command line that reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
_SAMPLES = REPOSITORY / "include" / "tradewind" / "samples"
SAMPLES = {"en": _SAMPLES / "en", "ko": _SAMPLES / "ko"}

Cli = Callable[..., subprocess.CompletedProcess[str]]
WriteDocuments = Callable[[Mapping[str, Any]], Path]

# Of the CNCF glossary's shape: a flat list of terms, and one with Korean and English names.
OTHERS_SHAPE: dict[str, Any] = {
    "term_data/terms_en.json": [
        {"term": "Abstraction", "description": "A representation that hides specifics from its consumers."},
        {"term": "Canary deployment", "description": "A rollout that starts with a small share of the users."},
    ],
    "term_data/terms_ko.json": [
        {"kor_term": "추상화", "eng_term": "Abstraction", "description": "세부 사항을 숨기는 표현이다."},
    ],
}


def write_files(folder: Path, files: Mapping[str, Any]) -> Path:
    """Write text and bytes as they are and any other value as JSON; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(
                content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8"
            )
    return folder


class Reader:
    """What reads the documents that a test writes; a test's own says in `__call__` which and how."""

    def __init__(self, write: WriteDocuments) -> None:
        self._write = write


def passage(context: str, pairs: list[Any]) -> str:
    """One line of `transcript_data/success/*.jsonl`, its pairs as the JSON text inside JSON that extractors write."""
    inner = json.dumps({"qa_pairs": pairs}, ensure_ascii=False)
    return json.dumps({"context": context, "json_output": inner}, ensure_ascii=False) + "\n"


def glossary(count: int) -> list[dict[str, str]]:
    """So many different terms that no two descriptions are near-duplicates."""
    return [
        {"term": f"Term {_word(n)}", "description": f"Thing {_word(n)} that does {_word(n + 1)}."} for n in range(count)
    ]


def _word(number: int) -> str:
    syllables = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu")
    return "".join(syllables[int(digit)] for digit in f"{(number + 1) * 7919 % 100_000:05d}")


def run_cli(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tradewind` with these arguments in `folder` and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "tradewind", *map(str, arguments)],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def complaint(process: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command refused its input; anything else on stderr but log lines fails the test."""
    lines = [line for line in process.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("tradewind: "), process.stderr
    return lines[0].removeprefix("tradewind: ")


def rows(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file that holds one a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
