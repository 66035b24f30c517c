"""What an operator was given, as far as Airflow remembers it."""

from __future__ import annotations

from typing import Any

from airflow.sdk.definitions.xcom_arg import PlainXComArg

_RETURNED = "return_value"


def given(task: Any) -> dict[str, Any]:
    """An operator's arguments with those that its DAG gives to all, whether it is mapped or not.

    A `cluster` is told as the `gpus` and `processes` that it means.
    """
    # Airflow keeps them to map and to copy an operator.
    found = dict(task.partial_kwargs if task.is_mapped else vars(task)["_BaseOperator__init_kwargs"])
    if cluster := found.pop("cluster", None):
        found |= {"gpus": cluster["gpus"], "processes": max(1, cluster["gpus"])}
    return found


def is_output(value: Any) -> bool:
    """Whether it is all that another task returns."""
    return isinstance(value, PlainXComArg) and value.key == _RETURNED
