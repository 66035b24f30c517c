"""A container's output as lines, from where it was left, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient

_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
_LONGEST = 64 * 1024
"""Bytes of one line that are kept; the engine itself cuts at 16 KiB and marks no end there."""


def lines(cli: APIClient, container_id: str, after: str, *, follow: bool = True) -> Iterator[tuple[str, str]]:
    """Each line with the engine's time of it, as it comes, until the container ends.

    An engine may end the stream a moment before the last line: ask once more, without `follow`, for the rest.

    Args:
        after: a time that this function gave before; only later lines are given. Empty: from the start.
        follow: wait for lines to come.

    Raises:
        requests.exceptions.ConnectionError, urllib3.exceptions.ProtocolError: the engine went away.
    """
    since = None if not after else int(datetime.fromisoformat(after[:19] + "+00:00").timestamp())
    stream = cli.logs(container_id, stream=True, follow=follow, timestamps=True, since=since)
    begun, moment = b"", after
    for frame in stream:
        # One frame is one write of the container's, up to its newline: "<time> <text>".
        time, _, text = frame.partition(b" ")
        if _TIME.fullmatch(time):
            moment = time.decode("ascii")
        else:  # the engine's own words, such as "Error grabbing logs": of no time
            text = frame
        begun = (begun + text)[:_LONGEST]
        if frame.endswith(b"\n"):
            if moment > after or text is frame:
                yield moment, _last_state(begun)
            begun = b""
    if begun and moment > after:
        yield moment, _last_state(begun)


def _last_state(line: bytes) -> str:
    """A progress bar draws itself again and again before a newline: its last state is the line."""
    text = line.decode("utf-8", errors="replace").rstrip()
    return text.rpartition("\r")[2]
