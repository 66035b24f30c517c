"""The address that clients connect to, while no engine stands behind it."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing, suppress

import pytest

from tradewind.serving.front import Front


@pytest.mark.parametrize("megabytes", [0, 30])
def test_who_comes_too_early_is_told_whatever_is_asked(megabytes: int) -> None:
    with closing(Front("127.0.0.1", 0)) as front:
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)
            connection.request("POST", "/v1/chat/completions", body=b"x" * (megabytes << 20))
            reply = connection.getresponse()
            assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
            assert b"the model is being checked" in reply.read()
            connection.close()


def test_clients_that_hang_do_not_keep_it_from_its_end() -> None:
    front = Front("127.0.0.1", 0)
    hanging = [socket.create_connection(("127.0.0.1", front.port)) for _ in range(5)]
    hanging[0].sendall(b"POST /v1 HTTP/1.1\r\n")
    hanging[1].sendall(b"POST /v1 HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    assert hanging[1].recv(12) == b"HTTP/1.1 503"
    front.close()
    for one in hanging:
        one.settimeout(5)
        with one, suppress(ConnectionResetError):
            while one.recv(4096):
                pass
