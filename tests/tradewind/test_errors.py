"""What a user is told."""

from __future__ import annotations

import pytest

from tradewind.errors import without_secret


@pytest.mark.parametrize(
    ("text", "secret", "told"),
    [
        ("Invalid key: sk-1234.", "sk-1234", "Invalid key: [secret]."),
        ("sk-1234sk-1234", "sk-1234", "[secret][secret]"),
        ("Invalid key: a.b+c*", "a.b+c*", "Invalid key: [secret]"),
        ("Invalid key", "", "Invalid key"),
    ],
)
def test_a_secret_that_others_repeat_is_not_told(text: str, secret: str, told: str) -> None:
    assert without_secret(text, secret) == told
