"""The part of a Kubernetes API server that a pod operator asks, where none can be had: pods are podman's, and run.

What comes in is held against Kubernetes' published schemas; names are unique and deletion takes its time, as there.
It schedules nothing, has no volumes, secrets, quotas or rights of its own, and shows nothing of how a cluster fails.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
from airflow.utils import yaml

from podman import Podman

VERSION = "1.36"
CONTAINER = "base"
Json = dict[str, Any]


@dataclass
class Cluster:
    """Pods by name, and what was asked."""

    podman: Podman
    pods: dict[str, Json] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    refuse: Json | None = None
    """A `Status` that the next request for a new pod gets."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    node: threading.Lock = field(default_factory=threading.Lock)
    """Held while a pod is started or removed: none is removed before it is there."""

    def create(self, pod: Json) -> tuple[int, Json]:
        """Check a pod and start it."""
        kubernetes_validate.validate(pod, VERSION, strict=True)
        name = pod["metadata"]["name"]
        with self.lock:
            if self.refuse is not None:
                refused, self.refuse = self.refuse, None
                return int(refused["code"]), refused
            if name in self.pods:
                return 409, status(409, "AlreadyExists", f'pods "{name}" already exists')
            pod["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now()}
            pod["status"] = {"phase": "Pending"}
            self.pods[name] = pod
        with self.node:
            why = self.podman.play({key: pod[key] for key in ("apiVersion", "kind", "metadata", "spec")})
        if why:
            ended = {"exitCode": 128, "reason": "StartError", "message": why}
            pod["status"] = {"phase": "Failed", "containerStatuses": [_container(pod, {"terminated": ended})]}
        return 201, pod

    def seen(self, name: str) -> Json | None:
        """A pod as it is now."""
        pod = self.pods.get(name)
        if pod is not None and pod["status"]["phase"] not in ("Failed", "Succeeded"):
            pod["status"] = self._status(pod)
        return pod

    def delete(self, name: str, grace: int) -> tuple[int, Json]:
        """Mark a pod as one that goes, and let it go in its own time."""
        pod = self.seen(name)
        if pod is None:
            return 404, status(404, "NotFound", f'pods "{name}" not found')
        if "deletionTimestamp" not in pod["metadata"]:
            pod["metadata"]["deletionTimestamp"] = _now()
            threading.Thread(target=self._remove, args=(name, grace)).start()
        return 200, pod

    def _remove(self, name: str, grace: int) -> None:
        with self.node:
            self.podman.remove(name, grace)
        with self.lock:
            del self.pods[name]

    def _status(self, pod: Json) -> Json:
        try:
            state = self.podman.state(pod["metadata"]["name"], CONTAINER)
        except (AssertionError, KeyError):  # not made yet, or on its way out
            return dict(pod["status"])
        if state["Status"] == "running":
            running = _container(pod, {"running": {"startedAt": state["StartedAt"]}})
            return {"phase": "Running", "containerStatuses": [running]}
        if state["Status"] != "exited":
            return {"phase": "Pending"}
        reason = "OOMKilled" if state["OOMKilled"] else "Completed" if state["ExitCode"] == 0 else "Error"
        ended = {"exitCode": state["ExitCode"], "reason": reason, "finishedAt": state["FinishedAt"]}
        phase = "Succeeded" if state["ExitCode"] == 0 else "Failed"
        return {"phase": phase, "containerStatuses": [_container(pod, {"terminated": ended})]}


def status(code: int, reason: str, message: str) -> Json:
    """How the API refuses."""
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
            "code": code}  # fmt: skip


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, cluster: Cluster, *arguments: Any) -> None:
        self.cluster = cluster
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Read a pod, its log, all pods, or their events."""
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        kind, name, what = self._of(address.path)
        if kind == "events":
            return self._answer(200, {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []})
        if not name:
            every = [pod for name in list(self.cluster.pods) if (pod := self.cluster.seen(name)) is not None]
            items = [pod for pod in every if _matches(pod, query.get("labelSelector", ""))]
            return self._answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
        pod = self.cluster.seen(name)
        if pod is None:
            return self._answer(404, status(404, "NotFound", f'pods "{name}" not found'))
        return self._log(name, query) if what == "log" else self._answer(200, pod)

    def do_POST(self) -> None:
        """Create a pod."""
        self._of(self.path)
        try:
            self._answer(*self.cluster.create(self._body()))
        except kubernetes_validate.ValidationError as error:
            self._answer(422, status(422, "Invalid", str(error)))

    def do_PATCH(self) -> None:
        """Change a pod's labels."""
        pod = self.cluster.pods[self._of(self.path)[1]]
        pod["metadata"]["labels"] |= self._body()["metadata"]["labels"]
        self._answer(200, pod)

    def do_DELETE(self) -> None:
        """Delete a pod."""
        address = urlsplit(self.path)
        grace = parse_qs(address.query).get("gracePeriodSeconds", ["2"])[0]
        self._body()
        self._answer(*self.cluster.delete(self._of(address.path)[1], int(grace)))

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def _of(self, path: str) -> tuple[str, str, str]:
        """`/api/v1/namespaces/<namespace>/<kind>/<name>/<what>`."""
        self.cluster.requests.append((self.command, path))
        parts = [*urlsplit(path).path.split("/")[5:], "", ""]
        return parts[0], parts[1], parts[2]

    def _body(self) -> Json:
        length = int(self.headers.get("Content-Length") or 0)
        return dict(json.loads(self.rfile.read(length) or b"{}"))

    def _answer(self, code: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError):  # who asked was killed meanwhile
            self.wfile.write(content)

    def _log(self, name: str, query: dict[str, str]) -> None:
        flags = ["--follow"] * (query.get("follow") == "True") + ["--timestamps"] * (query.get("timestamps") == "True")
        flags += [f"--tail={query.get('tailLines')}"] * ("tailLines" in query)
        podman = self.cluster.podman
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with subprocess.Popen(
            podman.command("logs", *flags, f"{name}-{CONTAINER}"), env=podman.environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                try:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                except OSError:  # nobody listens any more
                    process.kill()
                    self.close_connection = True
                    return
        with suppress(OSError):
            self.wfile.write(b"0\r\n\r\n")


@contextmanager
def cluster(podman: Podman, folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster on loopback, and the kubeconfig to reach it by."""
    one = Cluster(podman)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Api, one))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    kubeconfig = folder / "kubeconfig"
    settings = {
        "apiVersion": "v1", "kind": "Config", "current-context": "tests", "users": [{"name": "tests", "user": {}}],
        "clusters": [{"name": "tests", "cluster": {"server": address}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
    }  # fmt: skip
    kubeconfig.write_text(yaml.dump(settings), encoding="utf-8")
    try:
        yield one, kubeconfig
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _container(pod: Json, state: Json) -> Json:
    image = pod["spec"]["containers"][0]["image"]
    return {"name": CONTAINER, "image": image, "imageID": image, "ready": "running" in state, "restartCount": 0,
            "state": state}  # fmt: skip


def _matches(pod: Json, selector: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        name, differs, value = term.partition("!=")
        if differs:
            fits = labels.get(name) != value
        elif term.startswith("!"):
            fits = term[1:] not in labels
        else:
            name, _, value = term.partition("=")
            fits = labels.get(name) == value
        if not fits:
            return False
    return True


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
