"""Starting and finding the local server, as far as no Airflow needs to run for it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tradewind.errors import UserError
from tradewind_airflow.local.__main__ import main
from tradewind_airflow.local.home import LocalHome
from tradewind_airflow.local.server import free_port, running, started


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_told_in_one_line_and_nothing_starts(tmp_path: Path, host: str) -> None:
    with socket.create_server((host, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError) as caught, started(LocalHome(tmp_path), port):
            pytest.fail("it started")
    assert str(caught.value) == f"port {port}: taken by another program; choose one with PORT=..."
    assert list(tmp_path.iterdir()) == []


def test_make_up_on_a_taken_port_ends_with_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--project", str(tmp_path), "up", "--port", str(port)]) == 2
    assert capsys.readouterr().err == f"tradewind: port {port}: taken by another program; choose one with PORT=...\n"


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


@pytest.mark.parametrize("content", [None, "", "{}", '{"port": "x"}', "a server that has gone"])
def test_no_server_is_found_where_none_answers(tmp_path: Path, content: str | None) -> None:
    home = LocalHome(tmp_path)
    home.path.mkdir()
    if content is not None:
        gone = json.dumps({"port": free_port(), "pid": 1})
        home.server_file.write_text(gone if content.startswith("a server") else content, encoding="utf-8")
    assert running(home) is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--data", "/nowhere/at/all"], "/nowhere/at/all"), (["--recipe", "tinny"], "did you mean 'tiny'")],
)
def test_make_run_tells_a_fault_of_input_before_airflow_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    assert main(["--project", str(tmp_path), "run", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tradewind: ")
    assert named in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
