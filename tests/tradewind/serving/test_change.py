"""A champion that changes while a service follows it: whatever goes wrong with the next, the one before goes on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from documents import Cli, complaint
from served import GATE, QUESTIONS, log_of, processes_of, registered, serving, wait_for_line, with_vllm
from tradewind.registry.promotion import promote
from tradewind.registry.serving import served_now
from tradewind.registry.store import Registry
from tries import wait_for

ANSWERS = [f"answer {at}" for at in range(len(QUESTIONS))]
VLLM = ("--engine", "vllm", "--stop-timeout", "1")
SAYS = json.dumps(dict(zip(QUESTIONS, ANSWERS, strict=True)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two versions, of which only the answers matter; the first is champion."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    for number in (1, 2):
        (model / "weights.bin").write_text(str(number))
        registered(tmp_path, f"night-{number}", model, ANSWERS)
    if Registry(tmp_path / "models/trade_qa").champion_name() != "v1":
        promote(Registry(tmp_path / "models/trade_qa"), "v1", who="test", why="test", force=True)
    return tmp_path


def _is_served(registry: Registry) -> str:
    now = served_now(registry.serving())
    assert now is not None
    with urllib.request.urlopen(now.url.replace("/v1", "/health"), timeout=5) as reply:
        assert reply.status == 200
    return now.version


def test_who_is_taken_back_during_the_check_is_not_handed_over_to(home: Path) -> None:
    registry, gate = Registry(home / "models/trade_qa"), home / GATE
    with serving(home, registry.path, "--follow", *VLLM, "--port", "0", **with_vllm(home, SAYS)) as process:
        wait_for_line(home, "serving trade_qa v1", process)
        gate.touch()
        promote(registry, "v2", who="test", why="test", force=True)
        wait_for_line(home, "v2 is champion now", process)
        promote(registry, "v1", who="test", why="it was a mistake", force=True)
        gate.unlink()
        wait_for_line(home, "v2 is champion no more, and is not handed over to", process)
        assert [(move.action, move.version) for move in registry.serving()] == [("serve", "v1")]
        assert _is_served(registry) == "v1"
        wait_for(lambda: len(processes_of(home, "serving.keeper")) == 1, "the end of the engine that was refused")
        promote(registry, "v2", who="test", why="after all", force=True)
        wait_for_line(home, "serving trade_qa v2", process)


@pytest.fixture
def small_registry(tmp_path: Path) -> Iterator[Path]:
    """Models on a file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    folder = tmp_path / "models"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_one_before(small_registry: Path, home: Path) -> None:
    registry, gate = Registry(home / "models/trade_qa"), home / GATE
    with serving(home, registry.path, "--follow", *VLLM, "--port", "0", **with_vllm(home, SAYS)) as process:
        wait_for_line(home, "serving trade_qa v1", process)
        gate.touch()
        promote(registry, "v2", who="test", why="test", force=True)
        wait_for_line(home, "v2 is champion now", process)
        with suppress(OSError), (small_registry / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"\0" * 4096)
        gate.unlink()
        wait_for_line(home, "the disk is full; free space", process)
        assert "Traceback" not in log_of(home)
        assert _is_served(registry) == "v1"
        wait_for(lambda: len(processes_of(home, "serving.keeper")) == 1, "the end of the engine that was refused")


def test_an_address_of_ipv6_is_written_as_clients_write_it(home: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        if probe.connect_ex(("::1", 9)) == 99:  # EADDRNOTAVAIL
            pytest.skip("no IPv6 here")
    registry = Registry(home / "models/trade_qa")
    with serving(home, registry.path, *VLLM, "--host", "::1", "--port", "0", **with_vllm(home, SAYS)) as process:
        wait_for_line(home, "serving trade_qa v1 at http://[::1]:", process)
        assert _is_served(registry) == "v1"


def test_a_key_that_no_header_takes_is_told_at_once(home: Path, cli: Cli) -> None:
    for key in ("sk-marker\n", "sk-märker"):
        refused = cli("serve", home / "models/trade_qa", "--check", "http://127.0.0.1:9/v1", VLLM_API_KEY=key)
        told = "VLLM_API_KEY: holds white space or other signs than ASCII's; set it to the key alone"
        assert complaint(refused) == told
