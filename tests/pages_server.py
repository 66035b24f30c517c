"""A server of the plugin's static pages with canned data, for tests and for work on the pages without Airflow.

`python tests/pages_server.py --runs 1000` serves them by hand. They are mounted below a path of their own, as an
Airflow behind a proxy is, and come with the policy that the pages have to do with.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pages_data as data

STATIC = Path(__file__).resolve().parents[1] / "plugins" / "tradewind_airflow" / "ui" / "static"
MOUNT = "/at/airflow"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript"}
NO_ANSWER = 0
"""A status: the connection is closed without a word."""

Query = dict[str, str]
Answer = Callable[[Query], tuple[int, Any]]


@dataclass(frozen=True)
class Call:
    """A request for data, or for a change."""

    method: str
    path: str
    """Below the mount, decoded."""
    query: Query
    body: Any


def canned(runs: int) -> dict[str, Answer]:
    """By the name of the route below `api`."""
    return {
        "pipelines": lambda _: (200, data.pipelines(runs)),
        "models": lambda query: (200, data.models(runs if query["dag_id"] == data.DAG else 0, query["dag_id"])),
        "compare": lambda query: (200, data.comparison(query["first"], query["second"])),
        "run": lambda _: (200, data.run_ended()),
        "files": lambda query: (200, data.files(query.get("path", ""))),
        "progress": lambda _: (200, data.training()),
    }


class PagesServer:
    """Serves on loopback until the block ends; what a route answers can be changed meanwhile."""

    def __init__(self, runs: int = 30, port: int = 0) -> None:
        self.answers = canned(runs)
        self.report = data.REPORT
        self.patch: Answer = lambda _: (200, {"task_instances": [], "total_entries": 0})
        """Of Airflow's own API."""
        self.calls: list[Call] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self._http.server_port}{MOUNT}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def page(self, name: str, **query: str) -> str:
        """The address of a page; ids as Airflow encodes them."""
        parts = {"dag_id": data.DAG, "run_id": data.RUN_ID} | query
        return f"{self.url}/tradewind/pages/{name}?" + "&".join(f"{key}={quote(parts[key], safe='')}" for key in parts)

    def answer(self, route: str, status: int, body: Any) -> None:
        """From now on."""
        self.answers[route] = lambda _: (status, body)

    def asked(self, route: str) -> list[Call]:
        """The requests to a route below `api` so far."""
        return [call for call in self.calls if call.path == f"/tradewind/api/{route}"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, server: PagesServer, *connection: Any) -> None:
        self._pages = server
        super().__init__(*connection)

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path = address.path.removeprefix(MOUNT)
        _, _, area, name = [*path.split("/", 3), "", "", ""][:4]
        if area == "api":
            self._data(name, path, dict(parse_qsl(address.query)))
        elif area == "pages":
            self._file(STATIC / f"{name}.html")
        elif area == "static":
            self._file(STATIC / name)
        else:
            self._send(200, TYPES[".html"], b"<!doctype html><title>Airflow</title>", {"Content-Security-Policy": ""})

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._pages.calls.append(Call("PATCH", unquote(self.path.removeprefix(MOUNT)), {}, body))
        self._json(*self._pages.patch({}))

    def _data(self, name: str, path: str, query: Query) -> None:
        self._pages.calls.append(Call("GET", path, query, None))
        if name == "report":
            self._send(
                200, TYPES[".html"], self._pages.report.encode(), {"Content-Security-Policy": data.REPORT_POLICY}
            )
        elif name == "files/download":
            self._send(200, "text/plain", b"one file", {"Content-Disposition": "attachment"})
        else:
            self._json(*self._pages.answers[name](query))

    def _file(self, path: Path) -> None:
        self._send(200, TYPES[path.suffix], path.read_bytes(), {"Content-Security-Policy": POLICY})

    def _json(self, status: int, body: Any) -> None:
        if status == NO_ANSWER:
            self.close_connection = True
            return
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (ALWAYS | {"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--port", type=int, default=8765)
    arguments = parser.parse_args()
    with PagesServer(arguments.runs, arguments.port) as pages:
        for page in ("models", "report", "files", "progress"):
            print(pages.page(page, task_id="finetune"))
        threading.Event().wait()
