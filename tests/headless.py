"""Debian's Chromium without a screen, as all tests of pages start it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, expect, sync_playwright

LIMIT = 60_000  # ms; two cores train, serve and draw at once
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def missing() -> str | None:
    """Why there is no browser; None where there is one."""
    return None if shutil.which("chromium") else "no chromium on PATH: install Debian's package chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that waits up to `LIMIT`; while it runs, no other test of this process may start an event loop."""
    expect.set_options(timeout=LIMIT)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_still(Path(folder)), headless=True, args=_FLAGS)
        yield browser
        browser.close()


def _still(folder: Path) -> Path:
    """A program that starts Chromium so that containers coming and going beside it drop none of its requests."""
    program = folder / "chromium"
    script = Path(__file__).with_name("still_network.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "{shutil.which("chromium")}" "$@"\n')
    program.chmod(0o755)
    return program
