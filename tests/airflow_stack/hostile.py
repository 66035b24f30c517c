"""Somebody else's web site on this machine, under another name and another port; it keeps who asked for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class HostileSite:
    """What it was asked for, and where it is."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []

    @property
    def same_site(self) -> str:
        """Of the same host's name as Airflow, on another port: another origin, to which `SameSite` is no bar."""
        return f"http://localhost:{self.port}"

    @property
    def cross_site(self) -> str:
        """Of another host's name."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def started() -> Iterator[HostileSite]:
    """The site while the block runs; an empty page at every address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>hostile</title><body>")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = HostileSite(server.server_address[1])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
