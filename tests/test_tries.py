"""What the tests keep of a task's state between its tries is whole, whoever writes it beside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tries import FileStore


def test_two_at_once_lose_nothing_and_read_no_half(tmp_path: Path) -> None:
    path = tmp_path / "store"

    def keep(who: str) -> None:
        store = FileStore(path)
        for number in range(100):
            store.set(f"{who}{number}", number)
            assert store.get(f"{who}{number}") == number
            store.set("passing", who)
            store.delete("passing")

    with ThreadPoolExecutor(2) as both:
        list(both.map(keep, ("a", "b")))
    kept = FileStore(path)
    assert all(kept.get(f"{who}{number}") == number for who in "ab" for number in range(100))
    assert kept.get("passing") is None
