"""Secrets by reference: an operator keeps where a secret is, never the secret."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import cast

from airflow.sdk import Connection, Variable
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

SecretReference = str | Sequence[str]
_KINDS = ("connection", "variable", "env")


def check_references(references: Mapping[str, SecretReference]) -> None:
    """ValueError where a reference is not of the form `connection:ID`, `variable:KEY` or `env:NAME`."""
    for name, reference in references.items():
        for single in _each(reference):
            kind, _, key = single.partition(":")
            if kind not in _KINDS or not key:
                # The text may be the secret itself, put here by mistake: it is not repeated.
                raise ValueError(f"secrets[{name!r}] is not 'connection:ID', 'variable:KEY' or 'env:NAME'")


def read_secrets(references: Mapping[str, SecretReference]) -> dict[str, str]:
    """The secrets' values, masked in logs from now on; one that is set nowhere is left out.

    Args:
        references: for each environment variable of the stage, one reference or several that are
            tried in turn. A connection gives its password.
    """
    found: dict[str, str] = {}
    for name, reference in references.items():
        value = next((value for single in _each(reference) if (value := _read(single))), None)
        if value:
            mask_secret(value)
            found[name] = value
    return found


def _each(reference: SecretReference) -> Sequence[str]:
    return (reference,) if isinstance(reference, str) else reference


def _read(reference: str) -> str | None:
    kind, _, key = reference.partition(":")
    if kind == "env":
        return os.environ.get(key)
    if kind == "variable":
        return cast("str | None", Variable.get(key, default=None))
    try:
        return cast("str | None", Connection.get(key).password)
    except AirflowNotFoundException:
        return None
