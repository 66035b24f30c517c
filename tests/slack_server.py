"""A Slack-like HTTP server, so that tests drive the real slack_sdk and Airflow's Slack provider over a socket.

A mocked client would accept the blocks, tokens and rate limits that Slack refuses; this server refuses them. The texts
of its block errors and the shapes of its answers are Slack's own where those are publicly known.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
# A header, section, context, actions or table block is looked into; of the others only the type is checked.
UNCHECKED = ("context_actions", "divider", "file", "image", "input", "markdown", "rich_text", "video")
SCOPES = frozenset({"chat:write", "files:write"})


@dataclass(frozen=True)
class Call:
    """A request as it came in; header names are in Title-Case, since urllib and aiohttp spell them differently."""

    method: str
    form: Json
    headers: dict[str, str]
    path: str


def _string(value: object, at: str, limit: int) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"must provide a string [json-pointer:{at}]"
    elif not 0 < len(value) <= limit:
        yield f"must be {f'less than {limit + 1}' if value else 'more than 0'} characters [json-pointer:{at}]"


def _text(value: object, at: str, limit: int, types: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") not in types:
        yield f"must be an object of type {' or '.join(types)} [json-pointer:{at}]"
    else:
        yield from _string(value.get("text"), f"{at}/text", limit)


def _each(value: object, at: str, limit: int, check: Callable[[Json, str], Iterator[str]]) -> Iterator[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        yield f"must be a non-empty array of objects [json-pointer:{at}]"
    elif len(value) > limit:
        yield f"no more than {limit} items allowed [json-pointer:{at}]"
    else:
        for number, item in enumerate(value):
            yield from check(item, f"{at}/{number}")


def _button(element: Json, at: str) -> Iterator[str]:
    if element.get("type") == "button":  # selects, pickers and images pass unseen
        yield from _text(element.get("text"), f"{at}/text", 75, ("plain_text",))
        yield from _string(element.get("url", "none"), f"{at}/url", 3000)


def _context_element(element: Json, at: str) -> Iterator[str]:
    if element.get("type") != "image":
        yield from _text(element, at, 3000)


def _table(block: Json, at: str) -> Iterator[str]:
    rows = block.get("rows")
    if not isinstance(rows, list) or not 0 < len(rows) <= 100 or not all(isinstance(row, list) for row in rows):
        yield f"must be 1 to 100 rows [json-pointer:{at}/rows]"
        return
    if len({len(row) for row in rows}) > 1 or not 0 < len(rows[0]) <= 20:
        yield f"rows must have the same 1 to 20 cells [json-pointer:{at}/rows]"
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            yield from _text(cell, f"{at}/rows/{number}/{column}", 10_000, ("raw_text",))
    if sum(len(cell.get("text", "")) for row in rows for cell in row) > 10_000:
        yield f"no more than 10000 characters allowed [json-pointer:{at}/rows]"
    for number, column in enumerate(block.get("column_settings") or []):
        if not set(column or {}) <= {"align", "is_wrapped"} or (column or {}).get("align", "left") not in _ALIGN:
            yield f"unknown column setting [json-pointer:{at}/column_settings/{number}]"


_ALIGN = ("left", "center", "right")


def _block(block: Json, at: str) -> Iterator[str]:
    match block.get("type"):
        case "header":
            yield from _text(block.get("text"), f"{at}/text", 150, ("plain_text",))
        case "section":
            if "text" in block or "fields" not in block:
                yield from _text(block.get("text"), f"{at}/text", 3000)
            if "fields" in block:
                yield from _each(block["fields"], f"{at}/fields", 10, partial(_text, limit=2000))
            yield from _button(block.get("accessory") or {}, f"{at}/accessory")
        case "context":
            yield from _each(block.get("elements"), f"{at}/elements", 10, _context_element)
        case "actions":
            yield from _each(block.get("elements"), f"{at}/elements", 25, _button)
        case "table":
            yield from _table(block, at)
        case kind if kind not in UNCHECKED:
            yield f"unsupported type: {kind} [json-pointer:{at}/type]"


class SlackServer:
    """Answers on a free port of this machine while the context lasts, and remembers what it was sent.

    `calls` has every request, refused ones too; `messages` only the payloads that chat.postMessage took, so a retried
    message counts once; `uploads` has each file's content by its id, `shared` what came with each into a channel.
    """

    def __init__(
        self,
        token: str,
        *,
        rate_limited: int = 0,
        retry_after: int = 1,
        scopes: frozenset[str] = SCOPES,
        takes_tables: bool = True,
    ) -> None:
        self.token, self.rate_limited, self.retry_after = token, rate_limited, retry_after
        self.scopes, self.takes_tables = scopes, takes_tables
        # What conversations.list knows; a test may add to it.
        self.channels = {"general": "C00000001", "tradewind": "C00000002"}
        self.threads: set[str] = set()  # `ts` of what can be replied to
        self.shared: list[Json] = []
        self.calls: list[Call] = []
        self.messages: list[Json] = []
        self.uploads: dict[str, bytes] = {}
        self._lock = threading.Lock()  # each request has a thread of its own
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._url = f"http://127.0.0.1:{self._http.server_port}"
        self._methods: dict[str, Callable[[Json], Json]] = {
            "api.test": lambda form: {"args": form},
            "auth.test": lambda _: {"url": self._url, "team": "Test", "user": "bot", "user_id": "U00000001"},
            "chat.postMessage": self._post_message,
            "conversations.list": lambda _: {"channels": [{"name": k, "id": v} for k, v in self.channels.items()]},
            "files.getUploadURLExternal": self._start_upload,
            "files.completeUploadExternal": self._complete_upload,
        }

    @property
    def base_url(self) -> str:
        """What `base_url=` of a client, hook or notifier takes."""
        return f"{self._url}/api/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], Json | str]:
        """Record a request and answer it; one at a time, so that order and counts are the same in every run."""
        url = urlsplit(path)
        method = url.path.removeprefix("/api/")
        with self._lock:
            if url.path.startswith("/upload/v1/"):  # a signed address: the client sends no token there
                self.calls.append(Call("upload", {}, headers, path))
                self.uploads[url.path.rpartition("/")[2]] = body
                return 200, {}, f"OK - {len(body)}"
            form: Json = dict(parse_qsl(url.query))  # where the async client puts what the sync one sends as a form
            # Slack takes both encodings: slack_sdk and the notifier post a message as JSON and most else as a form.
            is_json = "json" in headers.get("Content-Type", "") and body
            form |= json.loads(body) if is_json else dict(parse_qsl(body.decode(), keep_blank_values=True))
            self.calls.append(Call(method, form, headers, path))
            if headers.get("Authorization") != f"Bearer {self.token}":
                return 200, {}, {"ok": False, "error": "invalid_auth"}
            if method == "chat.postMessage" and self.rate_limited > 0:
                self.rate_limited -= 1
                return 429, {"Retry-After": str(self.retry_after)}, {"ok": False, "error": "ratelimited"}
            answer = self._lacks(method) or (
                self._methods[method](form) if method in self._methods else {"error": "unknown_method"}
            )
            return 200, {"X-OAuth-Scopes": ",".join(sorted(self.scopes))}, {"ok": "error" not in answer, **answer}

    def _lacks(self, method: str) -> Json | None:
        needed = "files:write" if method.startswith("files.") else "chat:write" if method.startswith("chat.") else None
        if needed is None or needed in self.scopes:
            return None
        return {"error": "missing_scope", "needed": needed, "provided": ",".join(sorted(self.scopes))}

    def _post_message(self, form: Json) -> Json:
        message = dict(form)
        for key in ("blocks", "attachments"):  # JSON within a form, or within JSON, as the notifier sends it
            if isinstance(form.get(key), str):
                message[key] = json.loads(form[key])
        blocks = message.get("blocks") or []
        if errors := list(_each(blocks, "/blocks", 50, _block)) if blocks else []:
            notes = {"messages": [f"[ERROR] {error}" for error in errors]}
            return {"error": "invalid_blocks", "errors": errors, "response_metadata": notes}
        inner = [block for attached in message.get("attachments") or [] for block in attached.get("blocks") or []]
        errors = list(_each(inner, "/attachments/0/blocks", 50, _block)) if inner else []
        tables = sum(block.get("type") == "table" for block in [*blocks, *inner])
        if errors or tables > 1 or (tables and not self.takes_tables):
            return {"error": "invalid_attachments", "errors": errors or ["only_one_table_allowed"]}
        thread = message.get("thread_ts")
        if thread is not None and thread not in self.threads:
            return {"error": "thread_not_found"}
        if not (channel := message.get("channel")) or not (blocks or message.get("text") or message.get("attachments")):
            return {"error": "no_text" if channel else "channel_not_found"}
        self.messages.append(message)
        ts = f"{1_700_000_000 + len(self.messages)}.000100"
        self.threads |= set() if thread else {ts}
        return {"channel": self.channels.get(channel.removeprefix("#"), channel), "ts": ts, "message": message}

    def _start_upload(self, form: Json) -> Json:
        if not form.get("filename") or int(form.get("length", 0)) <= 0:
            return {"error": "invalid_arguments"}
        file_id = f"F{len(self.uploads) + 1:08d}"
        self.uploads[file_id] = b""
        return {"file_id": file_id, "upload_url": f"{self._url}/upload/v1/{file_id}"}

    def _complete_upload(self, form: Json) -> Json:
        files = json.loads(form["files"])
        if not all(self.uploads.get(file["id"]) for file in files):
            return {"error": "file_not_found"}
        channel, thread = form.get("channel_id"), form.get("thread_ts")
        if channel and channel not in self.channels.values():  # a name is not enough here
            return {"error": "channel_not_found"}
        if thread and thread not in self.threads:
            return {"error": "thread_not_found"}
        self.shared += [{**file, "channel": channel, "thread_ts": thread} for file in files]
        return {"files": files}


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, slack: SlackServer, *args: Any) -> None:
        self.slack = slack  # before super(), which handles the request
        super().__init__(*args)

    def do_POST(self) -> None:
        headers = {name.title(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("Content-Length", 0)))
        status, extra, answer = self.slack.receive(self.path, headers, body)
        kind, text = ("text/plain", answer) if isinstance(answer, str) else ("application/json", json.dumps(answer))
        self.send_response(status)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self) -> None:
        self.do_POST()  # the async client lists channels by GET

    def log_message(self, *_: object) -> None:
        """Keep the test output free of an access log."""
