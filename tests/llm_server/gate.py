"""A gate that lets so many requests through and holds the others, for tests that kill the client in between."""

from __future__ import annotations

import asyncio
import threading


class Gate:
    """Open until `pause_after`; every change of it is notified to `changed`."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._reached = threading.Event()
        self._pauses = 0
        self._limit: int | None = None
        self._answered = 0
        self._inside = 0
        self._held: list[asyncio.Future[None]] = []

    @property
    def held(self) -> int:
        """How many requests wait at the gate now."""
        with self._changed:
            return len(self._held)

    def pause_after(self, answers: int) -> threading.Event:
        """Hold every request after so many more answers; the event is set once these were written out.

        What was let through before counts for nothing: its client may have read the answer already.
        """
        with self._changed:
            self._pauses += 1
            self._limit, self._answered, self._inside, self._reached = answers, 0, 0, threading.Event()
            self._note()
            self._wake()
            return self._reached

    def resume(self) -> None:
        """Let all through, until the next pause."""
        with self._changed:
            self._limit = None
            self._wake()

    async def enter(self) -> int:
        """Wait until the request may be answered; return its pass, which one `leave` gives back."""
        while True:
            with self._changed:
                if self._limit is None or self._answered + self._inside < self._limit:
                    self._inside += 1
                    return self._pauses
                place = asyncio.get_running_loop().create_future()
                self._held.append(place)
                self._changed.notify_all()
            try:
                await place
            finally:
                with self._changed:
                    self._held.remove(place)
                    self._changed.notify_all()
                    self._wake()  # one that gave up may have been called in: its room is another's

    def leave(self, entry: int, *, answered: bool) -> None:
        """Make room for another request, unless this one was answered."""
        with self._changed:
            if entry == self._pauses:
                self._inside -= 1
                self._answered += answered
                self._note()
                self._wake()

    def _note(self) -> None:
        if self._limit is not None and self._answered >= self._limit:
            self._reached.set()
        self._changed.notify_all()

    def _wake(self) -> None:
        waiting = [place for place in self._held if not place.done()]
        room = len(waiting) if self._limit is None else max(0, self._limit - self._answered - self._inside)
        for place in waiting[:room]:
            place.get_loop().call_soon_threadsafe(_let_through, place)


def _let_through(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)
