"""A session ends with the process that began it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from tradewind.asking.session import Session, is_alive

spawn = multiprocessing.get_context("spawn")


def _fork(folder: Path, told: Connection, end: Connection) -> None:
    session = Session(folder)
    if os.fork() == 0:
        told.send("forked")
        end.recv()
        os._exit(0)
    told.send(session.name)
    signal.pause()


def test_a_forked_child_does_not_keep_its_parents_session(tmp_path: Path) -> None:
    (told, tell), (end, stop) = spawn.Pipe(duplex=False), spawn.Pipe(duplex=False)
    process = spawn.Process(target=_fork, args=(tmp_path, tell, end))
    process.start()
    (name,) = {told.recv(), told.recv()} - {"forked"}
    assert is_alive(tmp_path, name)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()  # with a time limit it would wait for the child's end of a pipe
    assert not is_alive(tmp_path, name)
    stop.send("end")


def test_a_session_that_was_closed_is_over(tmp_path: Path) -> None:
    session = Session(tmp_path)
    assert is_alive(tmp_path, session.name)
    session.close()
    assert not is_alive(tmp_path, session.name)
    assert not list(tmp_path.iterdir())
