"""What is held of a file does not grow with the file: measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

MIB = 1 << 20
# The peak of resident memory of this process alone; `getrusage` would count the parent's before `exec`.
READ = """
import collections, json, re, sys
from pathlib import Path
from tradewind.config import DataConfig
from tradewind.sources import iter_documents
from tradewind.sources.record import Rejected, SourceFile
counts, entries, rejected = collections.Counter(), 0, []
for item in iter_documents(Path(sys.argv[1]), DataConfig()):
    counts[type(item).__name__] += 1
    entries += item.entries if isinstance(item, SourceFile) else 0
    if isinstance(item, Rejected):
        rejected.append([item.place, item.reason])
status = Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024
print(json.dumps({"counts": counts, "entries": entries, "rejected": rejected, "peak": peak}))
"""
TERM = b'{"term": "Term %d", "description": "The description of a term, as long as they mostly are."}'
Write = Callable[[IO[bytes]], None]


def _long_line(before: bytes, start: bytes, end: bytes) -> Write:
    def write(file: IO[bytes]) -> None:
        file.write(before + start)
        for _ in range(200):
            file.write(b"x" * MIB)
        file.write(end)

    return write


LONG_LINES = {
    "term_data/a.jsonl": (_long_line(TERM % 1 + b"\n", b'{"term": "', b'"}\n' + TERM % 3), "line 2"),
    "term_data/a.json": (_long_line(b"[" + TERM % 1 + b",", b'{"term": "', b'"},' + TERM % 3 + b"]"), "entry 1"),
    "term_data/a.csv": (_long_line(b"term,description\nA,one\n", b'B,"', b"\nC,three\n"), "line 3"),
    "transcript_data/a.txt": (_long_line(b"First.\n\n", b"", b"\n\nThird."), "line 3"),
}


def _read(folder: Path) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _peak(found: dict[str, object]) -> int:
    assert isinstance(found["peak"], int)
    return found["peak"]


@pytest.mark.parametrize("name", LONG_LINES)
def test_a_line_of_200_megabytes_is_rejected_at_its_place_without_being_held(tmp_path: Path, name: str) -> None:
    write, place = LONG_LINES[name]
    path = tmp_path / "documents" / name
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write(file)
    found = _read(tmp_path / "documents")
    path.unlink()
    what = {"a.json": "entry", "a.txt": "passage"}.get(path.name, "line")
    assert found["rejected"] == [[place, f"{what} of more than {16 * MIB} bytes (data.max_line_bytes)"]]
    kept = "Passage" if name.endswith("txt") else "Record"
    assert found["counts"] == {kept: 2, "Rejected": 1, "SourceFile": 1}
    assert found["entries"] == (1 if name.endswith("txt") else 3)
    assert _peak(found) < 150


@pytest.mark.parametrize("name", ["term_data/a.json", "term_data/a.jsonl"])
def test_a_glossary_of_a_hundred_times_the_size_takes_no_more_memory(tmp_path: Path, name: str) -> None:
    peaks = []
    for count in (1000, 100_000):
        path = tmp_path / str(count) / name
        path.parent.mkdir(parents=True)
        entries = (TERM % number for number in range(count))
        content = b"[" + b",\n".join(entries) + b"]" if name.endswith("json") else b"\n".join(entries)
        path.write_bytes(content)
        found = _read(tmp_path / str(count))
        assert found["counts"] == {"Record": count, "SourceFile": 1}
        peaks.append(_peak(found))
    assert peaks[1] < peaks[0] + 15  # the larger file is of 9 MiB, and its records of more
