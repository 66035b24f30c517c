"""A Redis of the tests' own, on loopback, with a password."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from tradewind_airflow.local.server import free_port

_LIMIT = 20.0


def missing() -> str | None:
    """Why no Redis can be started here, in plain words."""
    return None if shutil.which("redis-server") else "redis-server is not installed"


@contextmanager
def redis(folder: Path) -> Iterator[tuple[str, Redis]]:
    """A server that keeps nothing after the block; gives its address with the password, and a client of it."""
    password, port = secrets.token_hex(16), free_port()
    # By standard input, as the compose file does: an argument would be for everybody to read.
    settings = f'port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ""\ndir {folder}\n'
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(["redis-server", "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, text=True)
    try:
        assert process.stdin is not None
        process.stdin.write(settings)
        process.stdin.close()
        with Redis(port=port, password=password, decode_responses=True) as client:
            _wait_for(client, process, folder / "redis.log")
            yield f"redis://:{password}@127.0.0.1:{port}/0", client
    finally:
        process.terminate()
        process.wait(_LIMIT)


def _wait_for(client: Redis, process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + _LIMIT
    while True:
        try:
            client.ping()
        except NotThere:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        else:
            return
