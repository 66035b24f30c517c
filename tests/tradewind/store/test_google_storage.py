"""What Google Cloud Storage refuses, by its own library: against servers on loopback that answer as Google does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

from tradewind.errors import TemporaryError, UserError
from tradewind.store.bucket import Bucket, TakenError

Answer = tuple[int, bytes]
Answering = Callable[..., Bucket]
THERE = "At least one of the pre-conditions you specified did not hold."


def _fault(status: int, message: str) -> Answer:
    return status, json.dumps({"error": {"code": status, "message": message}}).encode()


def _handler(answers: dict[str, Answer], seen: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append(f"{self.command} {self.path}")
            status, body = answers[self.command]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - as the base class names them

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


@pytest.fixture
def seen() -> list[str]:
    """The requests that came."""
    return []


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, seen: list[str]) -> Iterator[Answering]:
    """A bucket whose server gives each request of a method its answer."""
    if find_spec("gcsfs") is None:
        pytest.skip("gcsfs is not installed")
    import fsspec

    with ExitStack() as opened:

        def serve(**answers: Answer) -> Bucket:
            server = opened.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), _handler(answers, seen)))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            opened.callback(server.shutdown)
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
            for name in ("gs", "gcs"):  # else Google's metadata server is looked for
                monkeypatch.setitem(fsspec.config.conf, name, {"token": "anon"})
            return Bucket("gs://models-of-trade/home")

        yield serve


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "does not have storage.objects.get access"), (401, "Anonymous caller does not have access")],
)
def test_a_refusal_says_to_check_the_credentials(answering: Answering, status: int, message: str) -> None:
    bucket = answering(GET=_fault(status, message))
    with pytest.raises(UserError, match=r"refused: .*check the credentials, see docs/storage.md") as caught:
        bucket.read("manifests/x")
    assert not isinstance(caught.value, TemporaryError)
    assert "\n" not in str(caught.value)


def test_what_another_has_created_is_left_as_it_is(answering: Answering, seen: list[str]) -> None:
    with pytest.raises(TakenError):
        answering(POST=_fault(412, THERE), GET=(200, b"another")).create("moves/1.json", b"{}")
    assert any(request.startswith("POST") and "ifGenerationMatch=0" in request for request in seen)
    # Our own first request came through, and its answer did not.
    answering(POST=_fault(412, THERE), GET=(200, b"{}")).create("moves/1.json", b"{}")


def test_no_bucket_is_told(answering: Answering) -> None:
    absent = _fault(404, "The specified bucket does not exist.")
    bucket = answering(POST=absent, GET=absent)
    with pytest.raises(UserError, match="there is no bucket 'models-of-trade'"):
        bucket.put("blobs/x", b"x")
    with pytest.raises(UserError, match="there is no bucket 'models-of-trade'"):
        bucket.check()
    assert bucket.find("manifests") == []
    assert bucket.head("manifests/x") is None
