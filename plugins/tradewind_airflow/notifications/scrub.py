"""What may leave the house: no secret, no place on the host's disk, no control characters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from airflow.sdk._shared.secrets_masker import redact

SECRET = "[secret]"  # noqa: S105 - what stands in its place
_SHORTEST = 8
_NAMES = ("TOKEN", "KEY", "PASSWORD", "PASSWD", "PASSPHRASE", "_PASS", "SECRET", "CREDENTIALS")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_NAMED = r"(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|account[_-]?key)"
_VALUE = r"[^\s'\",;&)\]}<>]"
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", SECRET),
        (r"https://hooks\.slack\.com/[^\s<>|]+", SECRET),
        (r"(?<![a-z0-9])(xox[a-z]|xapp)-[\w-]{6,}", SECRET),
        (r"(?<![a-z0-9])(hf_\w{6,}|sk-[\w-]{6,}|[sr]k_(live|test)_\w{8,}|gh[pousr]_\w{16,}|github_pat_\w{8,}"  # noqa: ISC004
         r"|glpat-[\w-]{8,}|gsk_\w{16,}|nvapi-[\w-]{16,}|npm_\w{20,}|pypi-[\w-]{16,}|ya29\.[\w-]{8,}"
         r"|(?-i:A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}))", SECRET),
        (r"(?<![a-z0-9])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", SECRET),
        # A bill may be made out to a bearer: only what looks like a token follows the word.
        (r"\b(bearer\s+)(?=\S*\d|\S{24})[\w.~+/=-]{8,}", rf"\g<1>{SECRET}"),
        (r"\b(authorization['\"]?\s*[:=]\s*['\"]?(?:basic\s+|token\s+)?)(?!bearer|\[secret)[^\s'\"]{6,}",
         rf"\g<1>{SECRET}"),
        (r"\b((?:set-)?cookie['\"]?\s*:\s*)(?!\[secret)[^\s=]+=[^\r\n]*", rf"\g<1>{SECRET}"),
        # `--token value`, also as the list that a command is.
        (rf"(--{_NAMED}['\"]?,?\s+['\"]?)(?!\[secret)[^\s'\"]{{3,}}", rf"\g<1>{SECRET}"),
        (rf"({_NAMED}['\"]?\s*[=:]\s*)(['\"])(?!\[secret)(?:(?!\2).){{3,400}}\2", rf"\g<1>\g<2>{SECRET}\g<2>"),
        (rf"({_NAMED}['\"]?\s*=\s*['\"]?)(?!\[secret){_VALUE}{{3,}}", rf"\g<1>{SECRET}"),
        (rf"({_NAMED}['\"]?\s*:\s*['\"]?)(?!\[secret){_VALUE}{{6,}}", rf"\g<1>{SECRET}"),
        (rf"((?<![a-z])(?:pass|pwd|sig|signature)=)(?!\[secret){_VALUE}{{3,}}", rf"\g<1>{SECRET}"),
        # What stands before the last `@`, if it is `name:password`: a password may hold `/` and `@`, a port neither.
        (r"\b([a-z][\w+.-]{0,20}://)[^\s/@:<>|'\"]{0,200}:(?!\d{1,5}(?:[/?#]|$))[^\s<>|'\"]{0,200}@", r"\g<1>"),
        (r"\b([a-z][\w+.-]{0,20}://)[^\s/@<>|]*@", r"\g<1>"),
    )
)  # fmt: skip
# An address without a host, `unix:///run/x.sock`, is a place on this disk.
_PATH = re.compile(
    r"""(?P<url>(?!file:)[A-Za-z][\w+.-]{0,20}://(?!/)[^\s<>|"']+)
    |(?P<quoted>(?<!\w)(?P<mark>['"`])(?:file://)?(?:~?/|[A-Za-z]:[\\/]|\\\\)(?:(?!(?P=mark)).)*(?P=mark))
    |(?P<bare>(?:(?<![\w.~/\\-])|(?<=\s-[A-Za-z]))
        (?:file:/*(?=/)|[A-Za-z][\w+.-]{0,20}:/{2,}(?=/))?
        (?:~?/|~[A-Za-z_][\w.-]*/|(?:\\\\[?.]\\)?[A-Za-z]:[\\/](?!/)|\\\\)
        (?:(?!&[lg]t;)[^\s'"`,;:()<>|\[\]{}*])+)""",
    re.VERBOSE,
)
_SOCKET = re.compile(r"//[^/]*%2f", re.IGNORECASE)
_PARTS = re.compile(r"[\\/]+")


def mask(text: str) -> str:
    """The text without secrets: those that Airflow knows, those of this environment, and what looks like one."""
    text = _UNSEEN.sub("", text)
    for secret in _own_secrets():
        text = text.replace(secret, SECRET)
    text = str(redact(text))
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def scrub(text: str, folders: Iterable[str] = ()) -> str:
    """`mask`, and every absolute path cut to its last part; an address on the web stays, without its login.

    To be called before a text is cut: half a secret would not be found any more. A second call changes nothing.

    Args:
        folders: places that are known; one with a blank in its name is not found otherwise.
    """
    text = mask(text)
    for folder in sorted({folder.rstrip("/") for folder in folders if len(folder) > 1}, key=len, reverse=True):
        text = re.sub(re.escape(folder) + r"(/+(?=[^\s/])|(?![\w-]))", lambda found: _shown(found, folder), text)  # noqa: B023
    return _PATH.sub(_last_part, text)


def _shown(found: re.Match[str], folder: str) -> str:
    return "" if found.group(1) else folder.rpartition("/")[2]


def _last_part(found: re.Match[str]) -> str:
    if found["url"]:
        return _SOCKET.sub("//", found["url"])  # http+unix://%2Frun%2Fx.sock/ holds a path where a host would be
    mark, path = found["mark"] or "", found[0]
    parts = [part for part in _PARTS.split(path.strip(mark) if mark else path) if part]
    return f"{mark}{parts[-1] if parts else '/'}{mark}"


def _own_secrets() -> list[str]:
    """Values of the environment that are named like secrets, the longest first: one may hold another."""
    found = {value for name, value in os.environ.items() if name.upper().endswith(_NAMES) and len(value) >= _SHORTEST}
    return sorted(found, key=len, reverse=True)
