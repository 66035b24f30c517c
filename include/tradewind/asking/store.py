"""Answers that were paid for, and what was spent on them, on disk and shared by all shards of all runs.

One SQLite file: an answer and its bill are one transaction, so a process killed at any moment loses
no answer that it had, and pays for none twice. A local disk: its locks are the kernel's.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import Enum
from pathlib import Path

from tradewind.asking.session import Session, is_alive
from tradewind.asking.usage import Spent, Usage
from tradewind.config import BudgetConfig

ANSWERS_VARIABLE = "TRADEWIND_ANSWERS"
_TABLES = """
CREATE TABLE IF NOT EXISTS answer (
  key TEXT PRIMARY KEY, text BLOB NOT NULL, model TEXT NOT NULL, made_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failure (
  key TEXT PRIMARY KEY, why TEXT NOT NULL, raw TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request (
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, session TEXT NOT NULL,
  requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL,
  batch TEXT
);
CREATE INDEX IF NOT EXISTS request_run ON request (run, state);
CREATE INDEX IF NOT EXISTS request_open ON request (key) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS request_alone ON request (session) WHERE state = 'open' AND batch IS NULL;
CREATE INDEX IF NOT EXISTS request_batch ON request (batch) WHERE batch IS NOT NULL;
CREATE TABLE IF NOT EXISTS batch (
  name TEXT PRIMARY KEY, run TEXT NOT NULL, session TEXT NOT NULL, id TEXT
) WITHOUT ROWID;
"""
_ADD_UP = (
    "SELECT total(requests), total(prompt_tokens), total(completion_tokens), total(cost), count(*) "
    "FROM request WHERE run = ? AND state "
)
_BATCH_OF = "SELECT batch FROM request WHERE key = ? AND state = 'open' AND batch IS NOT NULL"
_UNKNOWN = "UPDATE request SET state = 'unknown' WHERE batch = ? AND state = 'open'"
_FREE = (
    "UPDATE request SET state = 'billed', requests = 0, prompt_tokens = 0, completion_tokens = 0, cost = 0 "
    "WHERE batch = ? AND state = 'open'"
)


def answers_file() -> Path:
    """Where answers are kept for all runs: in the folder `TRADEWIND_ANSWERS`, else in the user's cache."""
    stated = os.environ.get(ANSWERS_VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tradewind" / "answers"
    return (Path(stated) if stated else cache) / "answers.sqlite3"


class Wait(Enum):
    """Why a request may not be sent at this moment."""

    SAME = "another process is asking the same"
    BUDGET = "requests under way may use the rest of the budget"


@dataclass(frozen=True)
class OpenBatch:
    """A batch that some process sent, or was about to send, and whose end nobody has entered."""

    name: str
    number: str | None
    """The server's own id; None if it was never heard."""
    is_orphan: bool
    """The process that looked after it is gone."""


class BudgetReachedError(Exception):
    """The request could pass the budget; its text names the bound."""


class AnswerStore:
    """The answers of every run, and each run's ledger."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            sqlite3.Error: it cannot be made or written, or is none of ours; `faults.told_to_user` tells it.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._db.executescript(_TABLES)
        self._session = Session(path.parent)

    def close(self) -> None:
        """Let go of the file; what is still under way gets no answer any more."""
        self._db.execute(
            "UPDATE request SET state = 'unknown' WHERE state = 'open' AND session = ?", (self._session.name,)
        )
        self._db.close()
        self._session.close()

    def answer(self, key: str) -> str | None:
        """The text of an answer that was paid for."""
        row = self._db.execute("SELECT text FROM answer WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0]).decode("utf-8", "surrogatepass")

    def failure(self, key: str) -> tuple[str, list[str]] | None:
        """Why a question has no usable answer, and what came instead, if that is known for good."""
        row = self._db.execute("SELECT why, raw FROM failure WHERE key = ?", (key,)).fetchone()
        return None if row is None else (str(row[0]), json.loads(row[1]))

    def fail(self, key: str, why: str, raw: list[str]) -> None:
        """Keep it, so that no later run pays for the same."""
        self._db.execute("INSERT OR REPLACE INTO failure VALUES (?, ?, ?)", (key, why, json.dumps(raw)))

    def forget(self, key: str) -> None:
        """Drop an answer that turned out not to be one."""
        self._db.execute("DELETE FROM answer WHERE key = ?", (key,))

    def open_request(self, run: str, key: str, most: Spent, budget: BudgetConfig) -> int | Wait:
        """Enter a request before it is sent; returns its number, or why it must wait.

        Args:
            most: the most that it can cost.

        Raises:
            BudgetReachedError: the budget has no room for it, and nothing under way can make room.
        """
        self._give_up_for_the_dead()
        with self._transaction():
            return self._enter(run, key, most, budget, batch=None)

    def open_batch(
        self, name: str, run: str, requests: Mapping[str, Spent], budget: BudgetConfig
    ) -> tuple[dict[str, int], str | None]:
        """Enter as many of a batch's requests as the budget has room for, before it is sent.

        Unlike a request's own entry it outlives this process, since the batch does; until then this
        process looks after it.

        Args:
            name: of our own making, by which the batch is found again.
            requests: the most that each can cost, by key.

        Returns:
            The ledger's numbers by key, without those that another process is asking; and the bound reached.
        """
        entered: dict[str, int] = {}
        self._give_up_for_the_dead()
        with self._transaction():
            self._db.execute("INSERT INTO batch (name, run, session) VALUES (?, ?, ?)", (name, run, self._session.name))
            for key, most in requests.items():
                try:
                    number = self._enter(run, key, most, budget, batch=name)
                except BudgetReachedError as error:
                    return entered, str(error)
                if number is Wait.BUDGET:
                    return entered, most.passes(budget) or "budget"
                if not isinstance(number, Wait):
                    entered[key] = number
        return entered, None

    def name_batch(self, name: str, number: str) -> None:
        """Keep the server's own id of a batch."""
        self._db.execute("UPDATE batch SET id = ? WHERE name = ?", (number, name))

    def batches(self, keys: Iterable[str], run: str | None = None) -> list[OpenBatch]:
        """The batches not closed, of whichever run, that hold one of these requests; and all of `run`."""
        names = {name for (name,) in self._db.execute("SELECT name FROM batch WHERE run = ?", (run,))}
        for key in keys:
            names |= {name for (name,) in self._db.execute(_BATCH_OF, (key,))}
        found = []
        for name in sorted(names):
            row = self._db.execute("SELECT id, session FROM batch WHERE name = ?", (name,)).fetchone()
            if row is not None:  # else its end was entered in this moment
                found.append(OpenBatch(name, row[0], not is_alive(self.path.parent, row[1])))
        return found

    def claim_batch(self, name: str) -> bool:
        """Look after a batch from now on; False if a living process does already, or it has been closed."""
        with self._transaction():
            row = self._db.execute("SELECT session FROM batch WHERE name = ?", (name,)).fetchone()
            if row is None or is_alive(self.path.parent, row[0]):
                return False
            self._db.execute("UPDATE batch SET session = ? WHERE name = ?", (self._session.name, name))
            return True

    def batch_requests(self, name: str) -> dict[str, int]:
        """The ledger's numbers, by key, of a batch's requests that are not closed."""
        rows = self._db.execute("SELECT key, id FROM request WHERE batch = ? AND state = 'open'", (name,))
        return dict(rows.fetchall())

    def close_batch(self, name: str, *, charged: bool) -> None:
        """Nothing more is heard of the batch.

        Args:
            charged: whether requests that are still open may have been charged for: these stay entered
                with the most that they can have cost. Otherwise they are entered as free.
        """
        with self._transaction():
            self._db.execute(_UNKNOWN if charged else _FREE, (name,))
            self._db.execute("DELETE FROM batch WHERE name = ?", (name,))

    def _enter(self, run: str, key: str, most: Spent, budget: BudgetConfig, *, batch: str | None) -> int | Wait:
        if self._db.execute("SELECT 1 FROM request WHERE key = ? AND state = 'open'", (key,)).fetchone():
            return Wait.SAME
        certain = self._sum(run, "!= 'open'")[0] + most
        if (bound := certain.passes(budget)) is not None:
            raise BudgetReachedError(bound)
        under_way, _ = self._sum(run, "= 'open'")
        if (certain + under_way).passes(budget) is not None:
            return Wait.BUDGET
        inserted = self._db.execute(
            "INSERT INTO request (run, key, state, session, batch, requests, prompt_tokens, completion_tokens, cost) "
            "VALUES (?, ?, 'open', ?, ?, ?, ?, ?, ?)",
            (run, key, "" if batch else self._session.name, batch, *astuple(most.usage), most.cost),
        )
        return int(inserted.lastrowid or 0)

    def close_request(self, number: int, spent: Spent | None, answer: tuple[str, str] | None = None) -> None:
        """Enter what a request cost, with the answer if it is a usable one.

        Args:
            spent: None where the server did not say; it then stays entered with the most it can have cost.
            answer: its text, and the model that gave it.
        """
        with self._transaction() as now:
            if spent is None:
                self._db.execute("UPDATE request SET state = 'unknown' WHERE id = ?", (number,))
            else:
                self._db.execute(
                    "UPDATE request SET state = 'billed', requests = ?, prompt_tokens = ?, completion_tokens = ?, "
                    "cost = ? WHERE id = ?",
                    (*astuple(spent.usage), spent.cost, number),
                )
            if answer is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO answer SELECT key, ?, ?, ? FROM request WHERE id = ?",
                    # As bytes: SQLite takes no text with half of a character, which a model may write.
                    (answer[0].encode("utf-8", "surrogatepass"), answer[1], now, number),
                )
                self._db.execute("DELETE FROM failure WHERE key = (SELECT key FROM request WHERE id = ?)", (number,))

    def bill(self, run: str) -> Spent:
        """What the server said that this run's requests cost."""
        return self._sum(run, "= 'billed'")[0]

    def unknown(self, run: str) -> tuple[Spent, int]:
        """The most that requests of unknown cost can have cost, and how many these are."""
        return self._sum(run, "!= 'billed'")

    def _give_up_for_the_dead(self) -> None:
        """What a killed process had under way has an unknown cost."""
        sessions = self._db.execute(
            "SELECT DISTINCT session FROM request WHERE state = 'open' AND batch IS NULL"
        ).fetchall()
        for (session,) in sessions:
            if session != self._session.name and not is_alive(self.path.parent, session):
                self._db.execute(
                    "UPDATE request SET state = 'unknown' WHERE state = 'open' AND session = ?", (session,)
                )

    def _sum(self, run: str, state: str) -> tuple[Spent, int]:
        requests, prompt, completion, cost, count = self._db.execute(_ADD_UP + state, (run,)).fetchone()
        return Spent(Usage(int(requests), int(prompt), int(completion)), float(cost)), int(count)

    @contextmanager
    def _transaction(self) -> Iterator[float]:
        """One that no other process writes in between; gives the time."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield time.time()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
