"""More hosts for the tests' Ray cluster: each has processes, a network and a disk of its own, and a cable to the head.

They share what a test's folder is: the storage that all nodes of a cluster mount.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

import ray_cluster
from ray_cluster import BRIDGE, HEAD, Ray

CABLE = "eth0"
"""A host's own end of its cable."""
_LIMIT = 180.0
# What loses its cable does not hang up: this is how soon the head gives it up (by default after a minute).
_HEALTH = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "2000"}
_HOST = f"""
network="$1/$2.net"; disk="$1/$2"
mkdir "$disk" && touch "$network" && unshare --net="$network" true || exit 1
ip link add "$2" type veth peer name {CABLE} netns "$network" && ip link set "$2" master {BRIDGE} up || exit 1
exec nsenter --net="$network" unshare --mount --pid --fork --kill-child=SIGKILL --mount-proc bash -c '
  ip link set lo up; ip addr add "$3/24" dev {CABLE}; ip link set {CABLE} up
  mount --bind "$2" "$1"
  exec ray start --address={HEAD}:6379 --node-ip-address="$3" --num-cpus=1 --num-gpus=0 \\
    --object-store-memory=80000000 --disable-usage-stats --block >"$1/start.log" 2>&1
' host "$1" "$disk" "$3"
"""


class Host:
    """A node of the cluster, for one worker."""

    def __init__(self, ray: Ray, number: int) -> None:
        """Start it; it is there once the cluster says so."""
        self._ray = ray
        self._name = f"host{number}"
        self.address = f"10.77.0.{number + 1}"
        command = [*ray.inside(), "bash", "-c", _HOST, "host", str(ray.folder), self._name, self.address]
        self._process = subprocess.Popen(command, env=ray_cluster.environment(), stdin=subprocess.DEVNULL)

    @property
    def is_up(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """The processes on it that train or answer."""
        found = set(psutil.Process(self._process.pid).children(recursive=True))
        return [process for process in self._ray.workers() if process in found]

    def lose(self) -> None:
        """It loses its power: all its processes are gone, none says goodbye, and nobody answers in their place."""
        subprocess.run([*self._ray.inside(), "ip", "link", "set", self._name, "down"], check=True)
        self.end()

    def end(self) -> None:
        """Kill the first of its processes, and so all."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                process.kill()
        self._process.wait()

    def told(self) -> str:
        """What its start has said, or why there was none."""
        log = self._ray.folder / self._name / "start.log"
        return log.read_text(encoding="utf-8") if log.exists() else f"{self._name}: ended with {self._process.poll()}"


class Hosts:
    """A cluster whose head takes no worker, and hosts that do."""

    def __init__(self, ray: Ray) -> None:
        self.ray = ray
        self.there: list[Host] = []
        self._number = 0

    def add(self, count: int) -> None:
        """Start so many at once, and wait until the cluster has them."""
        added = range(len(self.there), len(self.there) + count)
        self.there += [self._new() for _ in added]
        deadline = time.monotonic() + _LIMIT
        while not all(self._is_there(at) for at in added):
            assert time.monotonic() < deadline, [self.there[at].told() for at in added]
            time.sleep(0.1)

    def _is_there(self, at: int) -> bool:
        host = self.there[at]
        if not host.is_up:  # `ray start` gives up after half a minute, which is little on a busy machine
            assert "timed out during startup" in host.told(), host.told()
            self.there[at] = self._new()
            return False
        return host.address in self.ray.nodes()

    def _new(self) -> Host:
        self._number += 1
        return Host(self.ray, self._number)


@contextmanager
def started(count: int) -> Iterator[Hosts]:
    """Start a cluster with so many hosts; nothing of it is left afterwards."""
    with ray_cluster.started(HEAD, cpus=0, **_HEALTH) as ray:
        hosts = Hosts(ray)
        try:
            hosts.add(count)
            yield hosts
        finally:
            for host in hosts.there:
                host.end()
