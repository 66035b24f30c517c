"""A small stand-in for the Hugging Face hub on loopback: it takes commits, and keeps what they hold."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class HubServer:
    """Creates repositories, lists files, and takes and deletes them inside a commit; `refuse` answers 403 to all."""

    def __init__(self, *, refuse: bool = False) -> None:
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, str] = {}
        self.commits: list[str] = []
        self.tokens: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.tokens.add(self.headers["Authorization"])
                if refuse:
                    self._answer(403, {"error": "You have no right to write here."})
                else:
                    self._answer(200, outer._reply(self.path, body))

            def do_GET(self) -> None:
                listing = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in sorted(outer.files)]
                self._answer(403 if refuse else 200, listing if "/tree/main" in self.path else {})

            def _answer(self, status: int, content: Any) -> None:
                payload = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _reply(self, path: str, body: bytes) -> dict[str, Any]:
        if path == "/api/repos/create":
            self.created.append(json.loads(body))
            return {"url": f"{self.endpoint}/datasets/team/trade"}
        if path.endswith("/preupload/main"):
            names = [file["path"] for file in json.loads(body)["files"]]
            return {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
        if "/commit/" in path:
            self.commits.append(path)
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "deletedFile":
                    del self.files[entry["value"]["path"]]
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"]).decode()
            return {"commitUrl": f"{self.endpoint}/datasets/team/trade/commit/{'0' * 40}", "commitOid": "0" * 40}
        return {"errors": [], "warnings": []}  # /api/validate-yaml

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
