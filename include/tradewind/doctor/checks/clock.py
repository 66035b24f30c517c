"""This machine's clock, against what the servers of the recipe say in the header Date."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.hub_files import endpoint, is_offline
from tradewind.doctor.subject import Subject

_LIMIT = 6.0
_ODD, _WRONG = 30.0, 300.0
_TO_DO = "let a time service set the clock: timedatectl set-ntp true"


def look_at_clock(subject: Subject) -> Finding:
    """The middle of what the servers tell; each is asked once, and any answer will do."""
    addresses = sorted(set(_addresses(subject)))
    if not addresses:
        return not_needed("the recipe asks no server, so nothing tells the time")
    told = sorted(skew for skew in map(skew_to, addresses) if skew is not None)
    if not told:
        return warning("no server told its time", "see the checks of model, judge and extract")
    skew = told[len(told) // 2]
    side = f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} {len(told)} server{'s' if len(told) > 1 else ''}"
    if abs(skew) >= _WRONG:
        return failure(f"{side}: certificates and signed requests are refused so", _TO_DO)
    return warning(side, _TO_DO) if abs(skew) >= _ODD else ok(f"within {max(abs(skew), 1):.0f} s of {len(told)}")


def skew_to(address: str) -> float | None:
    """Seconds by which a server's clock is ahead of this one; None where it does not tell."""
    if not address.startswith(("http://", "https://")):
        return None
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - as above
    before = datetime.now(UTC)
    try:
        with urllib.request.urlopen(request, timeout=_LIMIT) as answer:  # noqa: S310
            date = answer.headers["Date"]
    except urllib.error.HTTPError as error:  # an answer all the same
        date = error.headers["Date"]
    except (OSError, ValueError):
        return None
    middle = before + (datetime.now(UTC) - before) / 2
    try:
        there = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    skew = (there.replace(tzinfo=there.tzinfo or UTC) - middle).total_seconds()
    return skew + 0.5  # the header has whole seconds, cut


def _addresses(subject: Subject) -> Iterator[str]:
    if list(subject.hub_models()) and not is_offline():
        yield endpoint()
    for _, server in subject.servers():
        yield server.base_url or "https://api.openai.com/v1"
