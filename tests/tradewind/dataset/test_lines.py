"""Work files of lines: what was written is read back, in order, at any place, and as a choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.dataset import lines
from tradewind.dataset.lines import Lines

CONTENT = [b"%d %s\n" % (number, b"x" * (number % 50)) for number in range(1000)]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    monkeypatch.setattr(lines, "_BLOCK", 300)
    made = Lines(tmp_path / "work")
    for at in range(0, 1000, 7):
        made.append(b"".join(CONTENT[at : at + 7]))
    return made


def test_every_line_is_read_back(written: Lines) -> None:
    assert len(written) == 1000
    assert list(written) == CONTENT
    assert [written[at] for at in (999, 0, 500)] == [CONTENT[999], CONTENT[0], CONTENT[500]]
    assert sum(len(block) for block in written.blocks()) == 1000


def test_a_line_longer_than_a_block_is_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_BLOCK", 10)
    made = Lines(tmp_path / "work")
    made.append(b"a\n" + b"b" * 100 + b"\nc\n")
    assert [bytes(block.content) for block in made.blocks()] == [b"a\n", b"b" * 100 + b"\n", b"c\n"]


@pytest.mark.parametrize("modulus", [1, 2, 3, 1001])
def test_the_chosen_lines_become_the_file(written: Lines, tmp_path: Path, modulus: int) -> None:
    chosen = np.arange(1000) % modulus == modulus - 1
    written.move(tmp_path / "out", chosen)
    assert (tmp_path / "out").read_bytes() == b"".join(line for line, keep in zip(CONTENT, chosen, strict=True) if keep)
    assert not (tmp_path / "work").exists()
