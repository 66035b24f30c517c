"""What answers in a Ray cluster's place is told from it, and from one that is away for a moment."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tradewind_airflow.ray_jobs.cluster import ClusterAwayError, RayCluster

Answer = Callable[[int, str], RayCluster]


@pytest.fixture
def answering() -> Iterator[Answer]:
    """A server that gives one answer to everything, as a cluster."""
    said: list[tuple[int, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = said[-1]
            self.send_response(status)
            self.send_header("Location", "https://elsewhere.invalid/")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def answer(status: int, text: str) -> RayCluster:
            said.append((status, text))
            return RayCluster(f"http://127.0.0.1:{server.server_port}", "the-token", "ray_default")

        yield answer
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "text"),
    [(200, "<html>"), (200, "[]"), (200, "{}"), (404, "nothing here"), (302, ""), (200, '"x"'), (405, "{}")],
)
def test_another_server(answering: Answer, status: int, text: str) -> None:
    with pytest.raises(AirflowFailException, match="not as a Ray cluster's dashboard does"):
        answering(status, text).check()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_cluster_that_is_away(answering: Answer, status: int) -> None:
    with pytest.raises(ClusterAwayError) as caught:
        answering(
            status, "Traceback (most recent call last):\n  File x\nTimeoutError: no head of the-token\n.\n"
        ).check()
    assert "the-token" not in str(caught.value)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("host", ["bad host", "[::1", "ftp://127.0.0.1", "127.0.0.1:99999999"])
def test_a_host_that_is_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps({"conn_type": "http", "host": host, "port": 1}))
    with pytest.raises(AirflowException, match="ray_default"):
        RayCluster.of_connection("ray_default").check()


@pytest.mark.parametrize(
    ("found", "address"),
    [
        ({"host": "ray"}, "http://ray:8265"),
        ({"host": "ray", "port": 80, "schema": "https"}, "https://ray:80"),
        ({"host": "https://ray/", "port": 443}, "https://ray:443"),
    ],
)
def test_a_connection_names_the_address(found: dict[str, Any], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps({"conn_type": "http"} | found))
    assert RayCluster.of_connection("ray_default").address == address


def test_a_connection_without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RAY_DEFAULT", json.dumps({"conn_type": "http", "password": "the-token"}))
    with pytest.raises(AirflowFailException, match="names no host"):
        RayCluster.of_connection("ray_default")
