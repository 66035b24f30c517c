"""All checks at once, each for as long as it may take; none keeps another from its end."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tradewind.doctor.check import Check, Finding, Outcome, failure, not_needed
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError, without_secret

_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD|CONN_", re.IGNORECASE)
_LOGIN = re.compile(r"://[^/@\s]+@")  # of an address
_SHORTEST = 6  # a shorter value is no secret, and would be cut out of common words
_LONGEST = 400


def examine(subject: Subject, checks: Sequence[Check]) -> dict[str, Finding]:
    """What each check found, in the order of `checks`; no secret of the environment stands in it."""
    found: dict[str, Finding] = {}
    threads = []
    for check in checks:
        # A daemon: what hangs must not keep the command from its end.
        thread = threading.Thread(target=_look, args=(check, subject, found), name=check.name, daemon=True)
        thread.start()
        threads.append(thread)
    began = time.monotonic()
    for check, thread in zip(checks, threads, strict=True):
        thread.join(max(0.0, began + check.limit - time.monotonic()))
    secrets = secret_values(os.environ)
    return {check.name: _told(found.get(check.name) or _given_up(check), secrets) for check in checks}


def secret_values(environment: Mapping[str, str]) -> list[str]:
    """What of an environment must not be shown, by the variables' names, longest first."""
    values = {value for name, value in environment.items() if _SECRET.search(name) and len(value) >= _SHORTEST}
    return sorted(values, key=len, reverse=True)


def _look(check: Check, subject: Subject, found: dict[str, Finding]) -> None:
    try:
        finding = check.look(subject)
    except UserError as error:
        what, _, to_do = str(error).rpartition("; ")
        finding = failure(what or to_do, to_do if what else "")
    except ModuleNotFoundError as error:
        finding = _absent(error, subject)
    except Exception as error:  # noqa: BLE001 - a check that breaks must not break the others
        finding = failure(f"{type(error).__name__}: {error}", "see what the error says; the check itself broke")
    found[check.name] = finding


def _absent(error: ModuleNotFoundError, subject: Subject) -> Finding:
    """Where stages run in containers, what they import is in the image, not here."""
    if subject.image:
        return not_needed(f"{error.name} is not installed here: docker run --rm {subject.image} tradewind doctor")
    return failure(f"{error.name} is not installed", "pip install 'tradewind[train]', or make run")


def _given_up(check: Check) -> Finding:
    return failure(
        f"no answer within {check.limit:.0f} s", "look for a disk, a network or a program that hangs, then try again"
    )


def _told(finding: Finding, secrets: Sequence[str]) -> Finding:
    return replace(finding, found=_clean(finding.found, secrets), to_do=_clean(finding.to_do, secrets))


def _clean(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = without_secret(text, secret)
    text = _LOGIN.sub("://[secret]@", text)
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def fails(found: Mapping[str, Finding]) -> bool:
    """Whether anything that the recipe needs fails."""
    return any(finding.outcome is Outcome.FAILURE for finding in found.values())
