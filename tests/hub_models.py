"""A Hugging Face hub on loopback that lends models to readers, gated ones to some, and misbehaves on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

GEMMA_2_2B: dict[str, Any] = {
    "model_type": "gemma2", "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 256_000,
}  # fmt: skip
"""The published numbers of google/gemma-2-2b-it."""


class HubModels:
    """Serves the `config.json` of `models` by name while the block lasts.

    Args:
        gated: who may read these: names of models, each with the one token that accepted the licence.
        token: the one that the hub knows; another one is refused with every request, as the hub does.
        page: answer everything with a page in HTML, as a proxy's login does.
        slow: seconds before each answer.
        ahead: by how much the header Date runs ahead.
    """

    def __init__(
        self,
        models: Mapping[str, Mapping[str, Any]],
        *,
        gated: Mapping[str, str] | None = None,
        token: str | None = None,
        page: bool = False,
        slow: float = 0.0,
        ahead: float = 0.0,
    ) -> None:
        outer = self
        self.seen: list[str] = []
        self._models, self._gated, self._token, self._page = models, gated or {}, token, page

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(f"{self.command} {self.path}")
                outer._ended.wait(slow)
                given = (self.headers["Authorization"] or "").removeprefix("Bearer ") or None
                status, headers, content = outer._answer(urlsplit(self.path).path, given)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return format_datetime(datetime.fromtimestamp((timestamp or time.time()) + ahead, UTC), usegmt=True)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _answer(self, path: str, given: str | None) -> tuple[int, dict[str, str], bytes]:
        if self._page:
            return 200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"
        if given is not None and given != self._token:
            return 401, {"X-Error-Message": "Invalid user token."}, b'{"error": "Invalid user token."}'
        if path == "/api/whoami-v2":
            told = {"name": "team", "type": "user", "auth": {"type": "access_token"}}
            return (200, {"Content-Type": "application/json"}, json.dumps(told).encode()) if given else (401, {}, b"")
        name, _, rest = path.removeprefix("/").partition("/resolve/")
        if refused := self._refused(name, rest, given):
            status, code = refused
            return status, {"X-Error-Code": code, "X-Error-Message": f"{code}: {name}"}, b""
        content = json.dumps(self._models[name]).encode()
        return 200, {"ETag": '"0123456789"', "X-Repo-Commit": "0" * 40, "Content-Type": "application/json"}, content

    def _refused(self, name: str, rest: str, given: str | None) -> tuple[int, str] | None:
        if name not in self._models:
            return 404, "RepoNotFound"
        if name in self._gated and given != self._gated[name]:
            return 403, "GatedRepo"
        return None if rest.startswith("main/") else (404, "RevisionNotFound")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
