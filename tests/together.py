"""Which files' tests one process runs, where several do: what is costly to start is started once."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

COSTLY = {"engine": ("container", "stress/"), "site": ("tests/browser/",)}
"""A fixture of the session, and what the paths of all files have in them whose tests use it."""


def together(path: str) -> str:
    """The name of the share that a file's tests are in: the costly fixture, or the file itself."""
    for fixture, parts in COSTLY.items():
        if any(part in path for part in parts):
            return fixture
    return path


class TogetherScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives out tests by `together`; xdist's own groups need a test's id to change, which pytest 9 no longer lets."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid.partition("::")[0])
