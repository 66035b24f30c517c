"""A server of the plugin's static pages with canned data, for tests and for work on the pages without Airflow.

`python tests/pages_server.py --runs 1000` serves them by hand. They are mounted below a path of their own, as an Airflow
behind a proxy is, and come with the policy that the pages have to do with.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
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
        self.patch: Answer = lambda _: (200, {"task_instances": [], "total_entries": 0})
        """Of Airflow's own API."""
        self.calls: list[Call] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
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

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

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
                    self._send(200, "text/html", b"<!doctype html><title>Elsewhere</title>")

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                path = self.path.removeprefix(MOUNT)
                server.calls.append(Call("PATCH", unquote(path), {}, body))
                self._json(*server.patch({}))

            def _data(self, name: str, path: str, query: Query) -> None:
                server.calls.append(Call("GET", path, query, None))
                if name == "report":
                    policy = {"Content-Security-Policy": data.REPORT_POLICY}
                    self._send(200, TYPES[".html"], data.REPORT.encode(), policy)
                elif name == "files/download":
                    self._send(200, "text/plain", b"one file", {"Content-Disposition": "attachment"})
                else:
                    self._json(*server.answers[name](query))

            def _file(self, path: Path) -> None:
                self._send(200, TYPES[path.suffix], path.read_bytes(), {"Content-Security-Policy": POLICY})

            def _json(self, status: int, body: Any) -> None:
                if status == NO_ANSWER:
                    self.close_connection = True
                    return
                self._send(status, "application/json", json.dumps(body).encode())

            def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                every = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Content-Type-Options": "nosniff"}
                for key, value in (every | (headers or {})).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--port", type=int, default=8765)
    arguments = parser.parse_args()
    with PagesServer(arguments.runs, arguments.port) as pages:
        for page in ("models", "report", "files", "progress"):
            print(pages.page(page, task_id="finetune"))
        threading.Event().wait()
