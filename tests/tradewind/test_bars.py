"""A bar's states become lines; lines stay what they are."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from tradewind.bars import BarsAsLines


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["a line\n"], ["a line"]),
        (["half ", "a line\n", "two\nthree\n"], ["half a line", "two", "three"]),
        (["\r10%", "\r20%", "\r30%\n"], ["10%", "20%", "30%"]),
        (["10%\r", "20%\r", "done\n"], ["10%", "20%", "done"]),
        (["\n"], [""]),
    ],
)
def test_what_is_shown(written: list[str], shown: list[str]) -> None:
    below = io.StringIO()
    stream = BarsAsLines(below, every=0)
    for text in written:
        stream.write(text)
    assert below.getvalue().splitlines() == shown


def test_a_fast_bar_shows_its_first_and_its_last_state_only() -> None:
    below = io.StringIO()
    stream = BarsAsLines(below, every=3600)
    for share in range(100):
        stream.write(f"\r{share}%")
    stream.write("\n")
    assert below.getvalue().splitlines() == ["0%", "99%"]


def test_a_real_bar_is_seen_before_its_end() -> None:
    code = (
        "import sys; from tradewind.bars import BarsAsLines; sys.stderr = BarsAsLines(sys.stderr, every=0)\n"
        "from tqdm import tqdm\n"
        "for _ in tqdm(range(3), desc='model.safetensors', mininterval=0): sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stderr.readline().startswith("model.safetensors:   0%")
        process.stdin.write("\n")
        assert process.stderr.readline().startswith("model.safetensors:  33%")
        process.stdin.write("\n\n")
        process.stdin.close()
        assert "100%" in process.stderr.read()
