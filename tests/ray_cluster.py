"""A Ray cluster of the tests' own, in a network of its own: its ports are open to nobody else on this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from documents import REPOSITORY

TOKEN = "a-token-of-the-tests-0123456789"
_LIMIT = 180.0
_DASHBOARD = 8265
HEAD = "10.77.0.1"
BRIDGE = "cluster"
"""What the cables of other hosts end in."""
_IN_ITS_NETWORK = f"""
ip link set lo up
ip link add {BRIDGE} type bridge && ip addr add {HEAD}/24 dev {BRIDGE} && ip link set {BRIDGE} up || exit 1
ray start --head --node-ip-address="$3" --dashboard-host=127.0.0.1 --num-cpus="$4" --num-gpus=0 \\
    --object-store-memory=80000000 --temp-dir="$2" --disable-usage-stats >"$2/start.log" 2>&1 || exit 1
exec {sys.executable} {__file__} "$1" {_DASHBOARD}
"""


def missing() -> str | None:
    """Why no cluster can be started here, in plain words."""
    if importlib.util.find_spec("ray") is None:
        return "not installed: ray"
    if shutil.which("ip") is None:
        return "not installed: ip"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "this user may not make a network of its own (unshare --net)" if tried.returncode else None


@dataclass(frozen=True)
class Ray:
    """A running cluster."""

    port: int
    """Of the dashboard, on this machine's loopback."""
    folder: Path
    unshared: int
    """The process whose child is the first in the cluster's own network."""

    def nodes(self) -> set[str]:
        """The addresses of those that are there."""
        answer = self._client().get("/api/v0/nodes").raise_for_status().json()
        return {node["node_ip"] for node in answer["data"]["result"]["result"] if node["state"] == "ALIVE"}

    def inside(self) -> list[str]:
        """What a command begins with that is to run in the cluster's network, among its processes."""
        (first,) = psutil.Process(self.unshared).children()
        return ["nsenter", f"--target={first.pid}", "--net", "--pid", "--mount", "--"]

    def jobs(self) -> list[dict[str, Any]]:
        """All that were submitted."""
        answer = self._client().get("/api/jobs/").raise_for_status()
        return [job for job in answer.json() if job["submission_id"]]

    def stop(self, submission_id: str) -> None:
        self._client().post(f"/api/jobs/{submission_id}/stop").raise_for_status()

    def workers(self) -> list[psutil.Process]:
        """The processes that train, the youngest last."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if "RayTrainWorker" in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return sorted(found, key=psutil.Process.create_time)

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30.0)


def environment() -> dict[str, str]:
    """Of each node."""
    return os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{REPOSITORY}/include",
    }


@contextmanager
def started(address: str = "127.0.0.1", cpus: int = 3, **variables: str) -> Iterator[Ray]:
    """Start one node with token authentication; nothing of the cluster is left afterwards.

    Args:
        address: the node's own; other hosts know it by `HEAD`.
        cpus: for so many workers.
        variables: more of the node's environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # a socket's path knows 107 characters
    with socket.create_server(("127.0.0.1", 0)) as server:
        # All that runs in a space of processes of its own ends with its first.
        command = ["unshare", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc=/proc"]
        with subprocess.Popen(
            [*command, "bash", "-c", _IN_ITS_NETWORK, "ray", str(server.fileno()), str(folder), address, str(cpus)],
            env=environment() | variables,
            pass_fds=[server.fileno()],
            stdin=subprocess.DEVNULL,
        ) as process:
            try:
                ray = Ray(server.getsockname()[1], folder, process.pid)
                _wait_until_it_answers(ray, process)
                yield ray
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
                shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_answers(ray: Ray, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            ray.jobs()
            return
        time.sleep(0.2)
    raise AssertionError(f"no Ray cluster: {(ray.folder / 'start.log').read_text()}")


@contextmanager
def door(ray: Ray, port: int = 0) -> Iterator[int]:
    """Another port that leads to the dashboard, until it is shut."""
    with socket.create_server(("127.0.0.1", port)) as server:
        command = [sys.executable, __file__, str(server.fileno()), str(ray.port)]
        process = subprocess.Popen(command, pass_fds=[server.fileno()])
        found = server.getsockname()[1]
    try:
        yield int(found)
    finally:
        process.kill()
        process.wait()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(descriptor: int, port: int) -> None:
    """A socket stays in the network that it was made in: what comes in there goes on to this one's port."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    server = await asyncio.start_server(relay, sock=socket.socket(fileno=descriptor))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
