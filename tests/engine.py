"""A Docker engine of the tests' own, apart from any other on this machine, that believes it has NVIDIA GPUs."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import DockerException
from docker.types import Mount

from documents import REPOSITORY

PACKAGES = sysconfig.get_paths()["purelib"]
BASE_IMAGE = "tradewind-base:bookworm"
_START_LIMIT = 60.0
_DATA = Path("/var/lib/tradewind-tests")  # kept from session to session: images and layers are costly
# dockerd offers the driver "nvidia" where it finds this on its PATH, and calls it as each container with GPUs starts.
_HOOK = "nvidia-container-runtime-hook"
_counter = itertools.count()


def missing() -> str | None:
    """Why no engine can be started here, in plain words."""
    if os.geteuid() != 0:
        return "only root can start a Docker engine"
    absent = [name for name in ("dockerd", "docker", "debootstrap", "ip") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


@dataclass
class Engine:
    """A running engine."""

    host: str
    cli: APIClient
    _folder: Path
    _command: list[str]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def hook(self) -> Path:
        """What the runtime calls as a container with GPUs starts."""
        return self._folder / "bin" / _HOOK

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        log = self._folder / "dockerd.log"
        environment = os.environ | {"PATH": f"{self.hook.parent}:{os.environ['PATH']}"}
        with log.open("ab") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        _wait_for(self.cli, self._process, log)

    def stop(self) -> None:
        """End the daemon."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def restart(self) -> None:
        """As after an upgrade of the engine."""
        self.stop()
        self.start()

    def containers(self, **filters: Any) -> list[dict[str, Any]]:
        """All of Tradewind's containers, ended ones too."""
        return list(self.cli.containers(all=True, filters={"label": "tradewind.task", **filters}))


@contextmanager
def started(folder: Path, *flags: str, data: Path = _DATA) -> Iterator[Engine]:
    """Start an engine whose socket and state are in `folder`; it ends with the block, its containers too."""
    hook = folder / "bin" / _HOOK
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nexit 0\n", encoding="ascii")
    hook.chmod(0o755)
    host = f"unix://{folder}/docker.sock"
    with _images_in_use(data), _bridge() as bridge:
        command = [
            "dockerd", "--host", host, "--data-root", str(data), "--exec-root", str(folder / "exec"),
            "--pidfile", str(folder / "docker.pid"), "--bridge", bridge, "--iptables=false", "--ip-masq=false", *flags,
        ]  # fmt: skip
        engine = Engine(host, APIClient(base_url=host, version="1.41"), folder, command)
        try:
            engine.start()
            yield engine
            for container in engine.cli.containers(all=True):
                engine.cli.remove_container(container["Id"], force=True)
        finally:
            engine.stop()
            unmount(folder)


@contextmanager
def _images_in_use(data: Path) -> Iterator[None]:
    """Another session of tests may have the images open: wait for its end."""
    with data.with_name(f"{data.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _bridge() -> Iterator[str]:
    """A network of its own: without any, dockerd would remove the one of an engine that runs here already."""
    number = next(_counter)
    name, address = f"tw{os.getpid()}-{number}", f"10.213.{(os.getpid() + number) % 250}.1/24"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        subprocess.run(["ip", "address", "add", address, "dev", name], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)


def unmount(folder: Path) -> None:
    """Undo mounts: an engine that was to leave its containers, or its storage, leaves these, too."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for point in sorted((point for point in points if Path(point).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False)


def _wait_for(cli: APIClient, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    while True:
        try:
            cli.ping()
        except (DockerException, OSError):
            assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-2000:]
            time.sleep(0.1)
        else:
            return


def have_base_image(engine: Engine) -> str:
    """Make the small Debian image with a Python, once."""
    script = REPOSITORY / "tests" / "containers" / "base_image"
    subprocess.run([script, BASE_IMAGE], check=True, env=os.environ | {"DOCKER_HOST": engine.host})
    return BASE_IMAGE


def own_interpreter() -> dict[str, Any]:
    """Settings of an operator that lend a bare image this test's interpreter, packages and checkout, read-only."""
    folders = {sys.base_prefix, sys.prefix, str(REPOSITORY), PACKAGES}
    outer = [one for one in folders if not any(other != one and Path(one).is_relative_to(other) for other in folders)]
    return {
        "mounts": [Mount(folder, folder, "bind", read_only=True) for folder in sorted(outer)],
        "env": {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin"},
    }


def mount_roots(*more: Path) -> str:
    """`TRADEWIND_MOUNT_ROOTS` that lets `own_interpreter` through."""
    return os.pathsep.join([sys.base_prefix, sys.prefix, str(REPOSITORY), *map(str, more)])
