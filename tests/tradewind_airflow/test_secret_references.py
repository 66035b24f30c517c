"""Secrets by reference: read when the task runs, masked from then on, never repeated where put by mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk._shared.secrets_masker import redact

from tradewind_airflow.secret_references import SecretReference, check_references, read_secrets


@pytest.fixture(autouse=True)
def stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """One secret of each kind, and one of each kind that is there but empty."""
    connections = {"HUB": {"conn_type": "generic", "password": "of-connection-1"}, "EMPTY": {"conn_type": "generic"}}
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_VAR_HUB", "of-variable-2")
    monkeypatch.setenv("AIRFLOW_VAR_EMPTY", "")
    monkeypatch.setenv("HUB", "of-environment-3")
    monkeypatch.setenv("EMPTY", "")


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("connection:hub", "of-connection-1"),
        ("variable:hub", "of-variable-2"),
        ("env:HUB", "of-environment-3"),
        (("env:HUB", "variable:hub"), "of-environment-3"),
        (["connection:absent", "connection:empty", "variable:absent", "variable:empty", "env:ABSENT", "env:EMPTY",
          "variable:hub", "env:HUB"], "of-variable-2"),
    ],
)  # fmt: skip
def test_the_first_reference_that_is_set_wins_and_its_value_is_masked(reference: SecretReference, value: str) -> None:
    assert read_secrets({"TOKEN": reference}) == {"TOKEN": value}
    assert redact(f"a log line with {value} in it") == "a log line with *** in it"


@pytest.mark.parametrize(
    "reference",
    ["connection:absent", "connection:empty", "variable:absent", "variable:empty", "env:ABSENT", "env:EMPTY", (),
     ("connection:absent", "env:ABSENT")],
)  # fmt: skip
def test_what_is_set_nowhere_is_left_out(reference: SecretReference) -> None:
    assert read_secrets({"TOKEN": reference, "OTHER": "env:HUB"}) == {"OTHER": "of-environment-3"}


def test_a_key_may_hold_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_TEAM:HUB", "of-variable-4")
    check_references({"TOKEN": "variable:team:hub"})
    assert read_secrets({"TOKEN": "variable:team:hub"}) == {"TOKEN": "of-variable-4"}


@pytest.mark.parametrize(
    "secret", ["hf_marker4711", "env", "env:", ":hf_marker4711", "Env:HF_TOKEN", " env:A", "vault:hf_marker4711", ""]
)
@pytest.mark.parametrize("several", [False, True])
def test_what_is_no_reference_is_refused_and_not_repeated(secret: str, several: bool) -> None:
    reference: Any = ["env:HF_TOKEN", secret] if several else secret
    with pytest.raises(ValueError, match=r"^secrets\['TOKEN'\] is not") as raised:
        check_references({"OTHER": "env:OTHER", "TOKEN": reference})
    assert str(raised.value) == "secrets['TOKEN'] is not 'connection:ID', 'variable:KEY' or 'env:NAME'"
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_references_of_each_kind_are_accepted() -> None:
    check_references({"A": "connection:a", "B": "variable:b", "C": "env:C", "D": ("env:D", "connection:d"), "E": []})
