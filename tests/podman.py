"""Debian's podman with storage of its own: it runs a pod's YAML as a cluster's node would, without a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow.utils import yaml

from engine import unmount

EMPTY_IMAGE = "localhost/tradewind-empty:1"
"""An image without a file: its containers borrow the host's, and a test's own interpreter."""
# podman asks for more open files than a host may grant to root; a log that can be read again and again.
_SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def missing() -> str | None:
    """Why podman runs no pods here, in plain words."""
    if os.geteuid() != 0:
        return "only root can start podman's pods"
    absent = [name for name in ("podman", "catatonit") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


class Podman:
    """podman on one folder of storage."""

    def __init__(self, folder: Path, short: Path) -> None:
        """Make an empty image in `folder`; `short` has a path of which podman takes 50 characters at most."""
        self._folder = folder
        self._short = short
        (folder / "containers.conf").write_text(_SETTINGS, encoding="ascii")
        (folder / "nothing").mkdir()
        with subprocess.Popen(["tar", "-C", folder / "nothing", "-c", "."], stdout=subprocess.PIPE) as archive:
            subprocess.run([*self.command("import", "-", EMPTY_IMAGE)], stdin=archive.stdout, check=True,
                           env=self.environment, capture_output=True)  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """What its commands run with."""
        return os.environ | {"CONTAINERS_CONF": str(self._folder / "containers.conf")}

    def command(self, *arguments: str | Path) -> list[str]:
        """One of its commands."""
        folders = ["--root", str(self._folder / "root"), "--runroot", str(self._short / "run")]
        return ["podman", *folders, *map(str, arguments)]

    def run(self, *arguments: str | Path, check: bool = True) -> str:
        """Run one of its commands; returns what it printed."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if done.returncode == 0 else done.stderr

    def volume(self, claim: str, folder: Path) -> None:
        """A volume that a pod's claim of this name finds: a folder of the host."""
        self.run("volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", f"device={folder}", claim)

    def play(self, pod: dict[str, Any]) -> str:
        """Start a pod without a network; returns why it does not start, or nothing."""
        file = self._folder / f"{pod['metadata']['name']}.yaml"
        file.write_text(yaml.dump(pod), encoding="utf-8")
        done = subprocess.run(
            self.command("kube", "play", "--network", "none", file), env=self.environment, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip
        return "" if done.returncode == 0 else done.stderr

    def state(self, pod: str, container: str) -> dict[str, Any]:
        """`State` of a pod's container as podman inspects it."""
        found = json.loads(self.run("container", "inspect", f"{pod}-{container}"))
        return dict(found[0]["State"])

    def remove(self, pod: str, grace: int) -> None:
        """Stop it as a node does, SIGTERM first, and remove it."""
        self.run("pod", "rm", "--force", "--time", str(grace), pod)

    def pods(self) -> list[str]:
        """The names of all pods."""
        return [str(pod["Name"]) for pod in json.loads(self.run("pod", "ps", "--format", "json"))]


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """podman whose pods, image and volumes are gone after the block."""
    # Not below pytest's folders, whose names are longer in a process of several.
    short = Path(tempfile.mkdtemp(prefix="podman-"))
    one = Podman(folder, short)
    try:
        yield one
    finally:
        one.run("pod", "rm", "--all", "--force", "--time", "0", check=False)
        one.run("volume", "rm", "--all", "--force", check=False)
        one.run("image", "rm", "--all", "--force", check=False)
        unmount(short)
        unmount(folder)
        shutil.rmtree(short, ignore_errors=True)
