"""What an operator was given, as far as Airflow remembers it."""

from __future__ import annotations

from typing import Any

from airflow.sdk.definitions.xcom_arg import PlainXComArg

_RETURNED = "return_value"


def given(task: Any) -> dict[str, Any]:
    """An operator's arguments with those that its DAG gives to all, whether it is mapped or not."""
    if task.is_mapped:
        return dict(task.partial_kwargs)
    kept = vars(task)["_BaseOperator__init_kwargs"]  # which Airflow keeps to map and to copy an operator
    return dict(kept)


def is_output(value: Any) -> bool:
    """Whether it is all that another task returns."""
    return isinstance(value, PlainXComArg) and value.key == _RETURNED
