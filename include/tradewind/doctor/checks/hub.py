"""Access to models on the hub: the very request with which a stage begins, and the token it is sent with."""

from __future__ import annotations

import os

from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.hub_files import LIMIT, cached_folder, endpoint, has_weights, is_offline
from tradewind.doctor.subject import Subject

_ACCEPT = "log in at the hub, accept the model's licence, and set HF_TOKEN to a token of that account"
_REACH = "check the network, the proxy and HF_ENDPOINT, or name a local folder"

_NO_CONFIG = ("holds no config.json", "name a model that transformers can load")
_KINDS = {
    "GatedRepoError": ("is gated, and this account may not read it", _ACCEPT),
    "RepositoryNotFoundError": ("is not on the hub, or is private", "check the name, and HF_TOKEN's account"),
    "RevisionNotFoundError": ("has not the revision that the recipe names", "correct model_revision"),
    "EntryNotFoundError": _NO_CONFIG,
    "RemoteEntryNotFoundError": _NO_CONFIG,
}
"""What the hub's client raises, in words, and what to do."""


def look_at_model(subject: Subject) -> Finding:
    """Whether the base model may be downloaded by who asks."""
    return _look(subject, "model")


def look_at_encoder(subject: Subject) -> Finding:
    """The same for the encoder of SemScore."""
    return _look(subject, "evaluate.encoder")


def look_at_token(subject: Subject) -> Finding:
    """Whether the hub knows the token that is found here, if there is one: a wrong one is refused everywhere."""
    if not list(subject.hub_models()):
        return not_needed("no model of the recipe comes from the hub")
    from huggingface_hub import get_token

    token = get_token()
    if token is None:
        return ok("none; only models with a licence to accept want one")
    if not (token.isascii() and token.isprintable() and " " not in token):
        return failure("HF_TOKEN holds white space or other signs than ASCII's", "set it to the token alone")
    return not_needed("HF_HUB_OFFLINE is set: the hub is not asked") if is_offline() else _known(token)


def _known(token: str) -> Finding:
    from huggingface_hub import HfApi

    try:
        HfApi(endpoint=endpoint()).whoami(token=token)
    except Exception as error:  # noqa: BLE001 - its HTTP client's errors differ from release to release
        if _status(error) in (401, 403):
            return failure("the hub refuses the token", "make another with the right read, and set HF_TOKEN to it")
        return warning(f"whether the token is valid cannot be told ({_kind(error)})", _REACH)
    return ok(f"set {'by HF_TOKEN' if os.environ.get('HF_TOKEN') else 'by a login'}, and the hub knows it")


def _look(subject: Subject, setting: str) -> Finding:
    found = next((one for one in subject.hub_models() if one[0] == setting), None)
    if found is None:
        return not_needed("it is on this disk")
    _, name, revision = found
    have = has_weights(cached_folder(name, revision))
    if is_offline():
        return _offline(name, have)
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        url = hf_hub_url(name, "config.json", revision=revision, endpoint=endpoint())
        told = get_hf_file_metadata(url, timeout=LIMIT, endpoint=endpoint())
    except Exception as error:  # noqa: BLE001 - its HTTP client's errors differ from release to release
        return _refused(name, error, have)
    if told.commit_hash is None:
        return failure(
            f"{endpoint()} answers, but not as a hub does", "a proxy or a login page is in between; " + _REACH
        )
    return ok(f"{name} may be read" + (", and is on this disk" if have else ""))


def _offline(name: str, have: bool) -> Finding:
    if have:
        return ok(f"{name} is on this disk; HF_HUB_OFFLINE is set: the hub is not asked")
    return failure(f"{name} is not on this disk, and HF_HUB_OFFLINE is set", "unset it, or download the model first")


def _refused(name: str, error: Exception, have: bool) -> Finding:
    kind = _kind(error)
    if kind in _KINDS:
        what, to_do = _KINDS[kind]
        return failure(f"{name} {what}", to_do)
    if _status(error) in (401, 403):
        return failure(f"the hub refuses to show {name} (HTTP {_status(error)})", _ACCEPT)
    if have:
        return warning(f"{name} is on this disk; the hub does not answer ({kind})", _REACH)
    return failure(f"{name}: the hub does not answer ({kind})", _REACH)


def _status(error: Exception) -> int | None:
    found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _kind(error: Exception) -> str:
    status = _status(error)
    return type(error).__name__ if status is None or type(error).__name__ != "HfHubHTTPError" else f"HTTP {status}"
