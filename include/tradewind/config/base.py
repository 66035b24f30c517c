"""What every block of settings shares."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Language = Literal["en", "ko"]
SecretName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
ColumnNames = Annotated[tuple[str, ...], BeforeValidator(lambda names: (names,) if isinstance(names, str) else names)]
"""Columns that may hold a value: the first with something in it counts. One may be stated without a list."""
Auto = Literal["auto"]
"""Chosen by what is there and by what a short measurement says; the log tells what and why."""


class Frozen(BaseModel):
    """A settings block: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True,
        allow_inf_nan=False,  # which JSON does not know: `run.json` could not be read again
    )  # fmt: skip

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, field: ValidationInfo) -> Any:
        """Python takes True for 1, and YAML `yes` and `on` for True."""
        annotation = cls.model_fields[str(field.field_name)].annotation
        if isinstance(value, bool) and annotation is not bool and bool not in typing.get_args(annotation):
            raise ValueError("true and false (in YAML also yes, no, on, off) are no value here")
        return value
