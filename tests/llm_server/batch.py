"""One batch: its lines checked as the API checks them, answered in two halves, and what became of it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from llm_server.errors import Json

Answerer = Callable[[Json, str], tuple[int, Json]]
DONE = frozenset({"completed", "failed", "expired", "cancelled"})
_DAY = 24 * 3600


@dataclass(frozen=True)
class Batching:
    """How the server plays batches."""

    polls: int = 2
    """At which retrieval of a batch it is done."""
    outcome: Literal["completed", "expired", "failed"] = "completed"
    """How it ends: expired ones have answered half of their lines, failed ones none."""
    fail_share: float = 0.0
    """The share of lines that fail, drawn by custom_id."""
    fail_status: int = 500
    fail_in: Literal["error_file", "output_file"] = "error_file"
    """Which file tells of lines that failed."""
    unavailable_polls: int = 0
    """How many retrievals of a batch are first answered with 503."""
    lost_replies: int = 0
    """How many batches are made, and the request for them answered with 503."""
    offered: bool = True
    """Whether there are files and batches at all; many servers have chat completions alone."""


@dataclass
class Batch:
    """A batch as the API shows it; `results` are its lines' outcomes in the order of answering."""

    batch_id: str
    request: Json
    content: bytes
    status: str = "validating"
    polls: int = 0
    unavailable: int = 0
    errors: list[Json] = field(default_factory=list)
    lines: list[Json] = field(default_factory=list)
    results: list[Json] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=lambda: {"created_at": int(time.time())})
    files: dict[str, str] = field(default_factory=dict)

    def become(self, status: str) -> None:
        """Change the status and note when."""
        self.status = status
        self.times[f"{status}_at"] = int(time.time())

    def validate(self) -> None:
        """Parse the lines; what is wrong with them goes to `errors`."""
        seen: set[str] = set()
        rows = self.content.splitlines()  # of bytes: the text may hold signs that end a line elsewhere
        for number, row in enumerate(rows, start=1):
            if (line := _parsed(row)) is None:
                self._refuse("invalid_json_line", "This line is not parseable as valid JSON.", number)
            elif missing := [name for name in ("custom_id", "method", "url", "body") if name not in line]:
                self._refuse("missing_required_parameter", f"Missing required parameter: '{missing[0]}'.", number)
            else:
                self._check(line, seen, number)
                self.lines.append(line)
        if not rows:
            self._refuse("empty_file", "The input file is empty.", None)

    def _check(self, line: Json, seen: set[str], number: int) -> None:
        if line["custom_id"] in seen:
            text = "The custom_id was already used by another line of this file."
            self._refuse("duplicate_custom_id", text, number)
        seen.add(line["custom_id"])
        if (line["method"], line["url"]) != ("POST", self.request["endpoint"]):
            self._refuse("url_mismatch", "The line's method and url are not those of the batch.", number)
        first = self.lines[0]["body"] if self.lines else line["body"]
        if line["body"].get("model") != first.get("model"):
            self._refuse("model_mismatch", "All lines of a batch must ask the same model.", number)

    def _refuse(self, code: str, message: str, line: int | None) -> None:
        self.errors.append({"code": code, "message": message, "param": None, "line": line})

    def answer(self, until: int, answer: Answerer, options: Batching) -> None:
        """Answer the lines up to a number, from where the last call stopped."""
        for line in self.lines[len(self.results) : until]:
            if random.Random(line["custom_id"]).random() < options.fail_share:
                error = {"message": "This line failed.", "type": "server_error", "param": None, "code": None}
                status, body = options.fail_status, {"error": error}
            else:
                status, body = answer(line["body"], self.batch_id)
            number = len(self.results) + 1
            response = {"status_code": status, "request_id": f"req_{self.batch_id}_{number}", "body": body}
            self.results.append(_result(line, response, None))

    def expire_rest(self) -> None:
        """Tell of each line without an answer that its time is over."""
        text = "This request could not be executed before the completion window expired."
        for line in self.lines[len(self.results) :]:
            self.results.append(_result(line, None, {"code": "batch_expired", "message": text}))

    def to_json(self) -> Json:
        """The batch object."""
        stages = ("created", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        done = [result for result in self.results if succeeded(result)]
        return {
            "id": self.batch_id,
            "object": "batch",
            "endpoint": self.request["endpoint"],
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.request["input_file_id"],
            "completion_window": self.request["completion_window"],
            "status": self.status,
            "output_file_id": self.files.get("output_file"),
            "error_file_id": self.files.get("error_file"),
            "expires_at": self.times["created_at"] + _DAY,
            "request_counts": {
                "total": len(self.lines),
                "completed": len(done),
                "failed": len(self.results) - len(done),
            },
            "metadata": self.request.get("metadata"),
            **{f"{stage}_at": self.times.get(f"{stage}_at") for stage in stages},
        }


def succeeded(result: Json) -> bool:
    """Whether a line's result is an answer."""
    return result["response"] is not None and result["response"]["status_code"] == 200


def _parsed(row: bytes) -> Json | None:
    try:
        line = json.loads(row)
    except ValueError:  # no JSON, or no UTF-8
        return None
    return line if isinstance(line, dict) else None


def _result(line: Json, response: Json | None, error: Json | None) -> Json:
    return {
        "id": f"batch_req_{line['custom_id']}",
        "custom_id": line["custom_id"],
        "response": response,
        "error": error,
    }
