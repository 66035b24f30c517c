"""A look in a process of its own: a broken library may crash or hang what imports it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tradewind.errors import UserError

_SHOWN = 200


class ChildFailedError(UserError):
    """The process did not come to its end."""


def told_by(
    program: str, limit: float, *, module: bool = False, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object that a program of Python's prints as its last line.

    Args:
        program: its text, or with `module` a module's name.
        limit: seconds, after which it is killed.
        environment: its variables; None: this process's own.

    Raises:
        ChildFailedError: it crashed, hung, or raised; its last words are in the text.
    """
    command = [sys.executable, "-m" if module else "-c", program]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        raise ChildFailedError(f"no answer within {limit:.0f} s; look for what hangs") from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ChildFailedError(f"crashed by {name}; a library of it is broken: install it again") from None
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        found = None
    if done.returncode or not isinstance(found, dict):
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = said[-1][:_SHOWN] if said else f"exit code {done.returncode} without a word"
        raise ChildFailedError(f"{last}; install what is missing or broken")
    return found
