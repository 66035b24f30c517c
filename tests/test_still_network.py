"""A program started so hears nothing of the network's changes, and talks over it as before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("still_network.py")
NETLINK = "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)"
LOOPBACK = (
    "import socket; server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname())"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )


def test_netlink_is_refused() -> None:
    subprocess.run([sys.executable, "-c", NETLINK], check=True, timeout=60)
    refused = run(NETLINK)
    assert refused.returncode == 1
    assert "PermissionError" in refused.stderr


def test_loopback_is_not() -> None:
    assert run(LOOPBACK).returncode == 0
