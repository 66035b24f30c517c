"""Sending the pairs to the hub: a stand-in on loopback takes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub_server import HubServer
from prepared_rows import prepared_rows, write_rows
from tradewind.dataset.files import write_dataset_files
from tradewind.recipes import resolve
from tradewind.reporting.dataset_card import write_dataset_card

_PUSH = """
import sys
from pathlib import Path
from tradewind.dataset.push import push_dataset
from tradewind.errors import UserError
try:
    push_dataset(Path(sys.argv[1]), "team/trade")
except UserError as error:
    sys.exit(str(error))
"""


def _push(folder: Path, hub: HubServer) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's client reads its address when it is imported."""
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_secret", "HOME": str(folder.parent), "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-c", _PUSH, str(folder)],
        env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare = write_rows(tmp_path / "prepare", prepared_rows())
    write_dataset_files(prepare, prepare)
    write_dataset_card(prepare, prepare, title="Trade", config=resolve("tiny", "embedded:en"), accounting={})
    return prepare


def test_the_pairs_and_the_card_go_to_a_private_repository_in_one_commit(folder: Path) -> None:
    with HubServer() as hub:
        pushed = _push(folder, hub)
    assert pushed.returncode == 0, pushed.stderr
    assert hub.created == [{"name": "trade", "organization": "team", "visibility": "private", "type": "dataset"}]
    assert hub.commits == ["/api/datasets/team/trade/commit/main"]
    assert hub.tokens == {"Bearer hf_secret"}
    assert hub.files.pop("README.md") == (folder / "dataset_card.md").read_text()
    assert sorted(hub.files) == [
        "dataset_card.html", "heldout.jsonl", "read.conversational.jsonl", "reworded.conversational.jsonl",
        "train.conversational.jsonl", "train.jsonl", "unseen.conversational.jsonl",
    ]  # fmt: skip
    for name, content in hub.files.items():
        assert content == (folder / name).read_text(encoding="utf-8")


def test_a_hub_that_refuses_is_told_in_one_line_without_the_token(folder: Path) -> None:
    with HubServer(refuse=True) as hub:
        pushed = _push(folder, hub)
    assert pushed.returncode == 1
    assert pushed.stderr.strip() == (
        "data.push_to_hub: 'team/trade' cannot be written (HfHubHTTPError); "
        "check HF_TOKEN and the name, or turn data.push_to_hub off"
    )


def test_a_hub_out_of_reach_is_told_in_one_line(folder: Path) -> None:
    with HubServer() as hub:
        pass  # its port is closed by now
    pushed = _push(folder, hub)
    assert pushed.returncode == 1
    assert pushed.stderr.strip().splitlines()[-1].startswith("data.push_to_hub: 'team/trade' cannot be written (")
    assert "Traceback" not in pushed.stderr
