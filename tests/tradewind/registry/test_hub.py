"""Sending a champion to the hub: a stand-in on loopback takes it."""

from __future__ import annotations

import os
import subprocess
import sys

from finished_run import Night
from hub_server import HubServer
from tradewind.registry.version import Version

_PUSH = """
import sys
from pathlib import Path
from tradewind.errors import UserError
from tradewind.registry.hub import push_version
from tradewind.registry.version import Version
try:
    push_version(Version.read(Path(sys.argv[1])), "team/trade", "hf_secret")
except UserError as error:
    sys.exit(str(error))
"""


def _push(version: Version, endpoint: str, *flags: str) -> subprocess.CompletedProcess[str]:
    settings = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HOME": str(version.path.parent)}
    return subprocess.run(
        [sys.executable, *flags, "-c", _PUSH, str(version.path)],
        env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_model_and_its_card_go_to_a_private_repository_in_one_commit(night: Night) -> None:
    version = night(overrides={"registry.push_to_hub": True, "registry.hub_model_id": "team/trade"}).version
    with HubServer() as hub:
        pushed = _push(version, hub.endpoint)
    assert pushed.returncode == 0, pushed.stderr
    assert hub.created == [{"name": "trade", "organization": "team", "visibility": "private"}]
    assert hub.commits == ["/api/models/team/trade/commit/main"]
    assert hub.tokens == {"Bearer hf_secret"}
    assert sorted(hub.files) == ["README.md", "config.json", "extra/notes.txt", "model.safetensors"]
    assert hub.files["model.safetensors"] == "weights of night 1"
    assert hub.files["README.md"] == (version.path / "README.md").read_text()
    assert 'model="team/trade"' in hub.files["README.md"]


def test_what_the_model_before_had_and_this_one_has_not_goes_in_the_same_commit(night: Night) -> None:
    version = night().version
    left = ("model-00001-of-00002.safetensors", "model.safetensors.index.json", "old/adapter_model.safetensors")
    kept = (".gitattributes", "LICENSE", "pictures/logo.png", "notes.md")  # a human's, and the hub's own
    with HubServer() as hub:
        hub.files |= dict.fromkeys((*left, *kept, "model.safetensors", "README.md"), "of before")
        pushed = _push(version, hub.endpoint)
    assert pushed.returncode == 0, pushed.stderr
    assert len(hub.commits) == 1
    made = ("README.md", "config.json", "extra/notes.txt", "model.safetensors")
    assert sorted(hub.files) == sorted((*kept, *made))
    assert hub.files["model.safetensors"] == "weights of night 1"


def test_a_hub_that_cannot_be_reached_is_told_in_one_line(night: Night) -> None:
    with HubServer() as hub:
        pass
    pushed = _push(night().version, hub.endpoint)
    assert pushed.returncode == 1
    assert pushed.stderr.strip() == (
        "registry.push_to_hub: 'team/trade' cannot be written (ConnectError); "
        "check HF_TOKEN and the name, or turn registry.push_to_hub off"
    )


def test_a_hub_that_refuses_is_told_in_one_line_without_the_token(night: Night) -> None:
    with HubServer(refuse=True) as hub:
        pushed = _push(night().version, hub.endpoint)
    assert pushed.returncode == 1
    assert pushed.stderr.strip() == (
        "registry.push_to_hub: 'team/trade' cannot be written (HfHubHTTPError); "
        "check HF_TOKEN and the name, or turn registry.push_to_hub off"
    )
