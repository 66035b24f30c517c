"""A container's lines: whole, in order, once, and in memory that does not grow with them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

import engine as engines
from engine import Engine
from tradewind_airflow.containers import logs

pytestmark = pytest.mark.slow
Say = Callable[[str], str]


@pytest.fixture
def say(engine: Engine) -> Iterator[Say]:
    """Run Python code in a container of the bare image; gives its id."""
    made: list[str] = []

    def start(code: str) -> str:
        host_config = engine.cli.create_host_config(network_mode="none")
        container = engine.cli.create_container(engines.BASE_IMAGE, ["python3", "-uc", code], host_config=host_config)
        made.append(container["Id"])
        engine.cli.start(made[-1])
        return made[-1]

    yield start
    for container in made:
        engine.cli.remove_container(container, force=True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('one'); print('two')", ["one", "two"]),
        ("print('a' * 40_000)", ["a" * 40_000]),  # the engine cuts it into three
        ("print('a' * 100_000); print('next')", ["a" * 65_536, "next"]),
        ("print('1%\\r2%\\r3%')", ["3%"]),
        ("import sys; sys.stdout.write('no end')", ["no end"]),
        ("print('한국어'); import sys; sys.stdout.buffer.write(b'\\xff\\n')", ["한국어", "\N{REPLACEMENT CHARACTER}"]),
        ("print()", [""]),
        ("pass", []),
    ],
)
def test_each_line_as_it_was_said(engine: Engine, say: Say, code: str, said: list[str]) -> None:
    container = say(code)
    found = list(logs.lines(engine.cli, container, ""))
    engine.cli.wait(container)
    found += logs.lines(engine.cli, container, found[-1][0] if found else "", follow=False)
    assert [line for _, line in found] == said


def test_a_line_comes_while_the_container_goes_on(engine: Engine, say: Say) -> None:
    container = say("import time; print('now'); time.sleep(600)")
    _, line = next(logs.lines(engine.cli, container, ""))
    assert line == "now"
    assert engine.cli.inspect_container(container)["State"]["Running"]


@pytest.mark.parametrize("heard", [1, 17, 100])
def test_what_was_heard_is_not_said_again(engine: Engine, say: Say, heard: int) -> None:
    container = say("for n in range(100): print(n)")
    first = list(islice(logs.lines(engine.cli, container, ""), heard))
    rest = list(logs.lines(engine.cli, container, first[-1][0]))
    assert [line for _, line in first + rest] == [str(n) for n in range(100)]


def test_a_long_log_is_never_held(engine: Engine, say: Say) -> None:
    container = say("for n in range(200_000): print(n, 'x' * 100)")  # some 20 MB
    stream = logs.lines(engine.cli, container, "")
    for _ in islice(stream, 1000):
        pass
    tracemalloc.start()
    try:
        count = sum(1 for _ in stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 199_000
    assert peak < 2_000_000


def test_the_engines_own_words_have_no_time(engine: Engine, say: Say) -> None:
    """A line that a full disk or a power cut left half-written in the engine's file."""
    container = say("print('whole')")
    engine.cli.wait(container)
    file = Path(engine.cli.inspect_container(container)["LogPath"])
    with file.open("a", encoding="utf-8") as log:
        log.write('{"log":"cut')
    found = list(logs.lines(engine.cli, container, "", follow=False))
    assert found[0][1] == "whole"
    assert {moment for moment, _ in found} == {found[0][0]}  # so a position that is kept stays one
    assert [line for _, line in logs.lines(engine.cli, container, found[-1][0], follow=False)] != ["whole"]
