"""S3 on loopback: a real server of the protocol, and a proxy before it that spoils what it is told to."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

BUCKET = "models-of-trade"
_REFUSED = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not exist in our records.
</Message></Error>"""
_BUSY = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>Please reduce your request rate.</Message></Error>"""


@dataclass
class Fault:
    """What the proxy does to the next requests of a kind."""

    method: str
    part: str
    """Of the path."""
    how: str
    """`busy`, `unavailable`, `refused`: an answer; `cut`: the connection ends within the answer; `short`: the answer
    is whole, but some of the bytes are missing; `changed`: a byte is another; `reset`: the server never hears of it;
    `silent`: no more, and the connection stays open as long as the proxy; `lost`: it does what was asked, and the
    answer never comes; `careless`: the server is not told on which condition."""
    times: int


@dataclass
class FaultyProxy:
    """Passes requests on to `endpoint`, but for those that a fault is due to."""

    endpoint: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of each request that came through."""
    address: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def spoil(self, method: str, part: str, how: str, times: int = 1) -> None:
        """Do so with the next `times` requests."""
        self.faults.append(Fault(method, part, how, times))

    def count(self, method: str, part: str) -> int:
        """How many such requests the server has answered."""
        return sum(1 for seen, path, status in self.seen if seen == method and part in path and status < 300)

    def due(self, method: str, path: str) -> str | None:
        """The fault of this request."""
        for fault in self.faults:
            if fault.times and fault.method == method and fault.part in path:
                fault.times -= 1
                return fault.how
        return None


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        how = self.proxy.due(self.command, self.path)
        if how in ("busy", "unavailable", "refused"):
            self._answer(*_error(how))
            return
        if how == "silent":
            self.proxy.ended.wait()
        if how not in ("reset", "silent"):
            status, headers, data = self._forward(body, how)
            self.proxy.seen.append((self.command, self.path, status))
        if how in ("reset", "silent", "lost"):
            _hang_up(self)
            return
        self._answer(status, headers, _spoilt(data, how), cut=how == "cut")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - as the base class names them

    def _forward(self, body: bytes, how: str | None) -> tuple[int, dict[str, str], bytes]:
        server = urlsplit(self.proxy.endpoint)
        connection = http.client.HTTPConnection(str(server.hostname), server.port, timeout=30)
        connection.request(self.command, self.path, body=body, headers=_asked(self.headers, how))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, _told(answer, how), data

    def _answer(self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def _told(answer: http.client.HTTPResponse, how: str | None) -> dict[str, str]:
    return {key: value for key, value in answer.getheaders() if not _is_own(key, how)}


def _asked(headers: Message, how: str | None) -> dict[str, str]:
    return {key: value for key, value in headers.items() if (how, key) != ("careless", "If-None-Match")}


def _spoilt(data: bytes, how: str | None) -> bytes:
    if how == "short":
        return data[: len(data) // 2]
    return data[:-1] + bytes([data[-1] ^ 1]) if how == "changed" and data else data


def _error(how: str) -> tuple[int, dict[str, str], bytes]:
    """An answer in the server's place: status, headers, body."""
    code = "SlowDown" if how == "busy" else "ServiceUnavailable"
    text = _REFUSED if how == "refused" else _BUSY.format(code=code)
    return 403 if how == "refused" else 503, {"Content-Type": "application/xml"}, text.encode()


def _is_own(header: str, how: str | None) -> bool:
    """Whether the proxy says that itself; of what it spoils it tells no checksum, as older servers do not."""
    own = header.lower() in ("connection", "transfer-encoding", "server", "date")
    told = header.lower().startswith("x-amz-checksum") or (header.lower() == "content-length" and how == "short")
    return own or (told and how in ("short", "changed"))


@contextmanager
def proxied(endpoint: str) -> Iterator[FaultyProxy]:
    """A proxy on a free port."""
    proxy = FaultyProxy(endpoint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def s3_server() -> Iterator[str]:
    """A server with an empty bucket; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def s3_environment(endpoint: str) -> dict[str, str]:
    """What the library reads; nothing of the developer's own."""
    return {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2",
        "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }  # fmt: skip


def client(endpoint: str) -> Any:
    """To look into the bucket, and to spoil what is in it."""
    import boto3

    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="testing", aws_secret_access_key="testing-secret",
        region_name="us-east-1",
    )  # fmt: skip


def keys(endpoint: str, prefix: str = "") -> list[str]:
    """All keys of the bucket below a prefix."""
    pages = client(endpoint).get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def set_environment(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Have this process use the server."""
    for name, value in s3_environment(endpoint).items():
        patch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY", "AWS_REGION"):
        patch.delenv(name, raising=False)
