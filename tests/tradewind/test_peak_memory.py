"""What a stage's process needed at most: its own, not its starter's."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from tradewind.peak_memory import gpu_peak, host_peak
from tradewind.results import PeakMemory

_MIB = 2**20
_STARTS_ANOTHER = """
import subprocess, sys
held = bytearray(b"1") * (200 << 20)
ask = "from tradewind.peak_memory import host_peak; print(host_peak())"
print(subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout, len(held))
"""


def test_what_was_held_and_let_go_counts() -> None:
    before = host_peak()
    held = bytearray(b"1") * (before + 64 * _MIB)
    del held
    assert host_peak() >= before + 64 * _MIB


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the starter's counts")
def test_a_large_process_makes_what_it_starts_no_larger() -> None:
    found = subprocess.run([sys.executable, "-c", _STARTS_ANOTHER], check=True, capture_output=True, text=True)
    assert 0 < int(found.stdout.split()[0]) < 150 * _MIB


@pytest.mark.parametrize(("started", "expected"), [(True, 12), (False, None)])
def test_the_gpus_count_together_where_they_were_used(
    monkeypatch: pytest.MonkeyPatch, started: bool, expected: int | None
) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: started, device_count=lambda: 2, max_memory_allocated=lambda device: 5 + 2 * device
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert gpu_peak() == expected


def test_no_gpu_is_asked_after_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu_peak() is None
    assert "torch" not in sys.modules


def test_it_is_told_in_mebibytes() -> None:
    assert str(PeakMemory(host=812 * _MIB)) == "812 MiB"
    assert str(PeakMemory(host=2048 * _MIB, gpu=14336 * _MIB)) == "2,048 MiB, GPU 14,336 MiB"
