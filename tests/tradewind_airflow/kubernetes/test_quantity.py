"""Memory in Docker's words and in Kubernetes'."""

from __future__ import annotations

import pytest

from tradewind_airflow.kubernetes.quantity import memory_quantity


@pytest.mark.parametrize(
    ("stated", "quantity"),
    [("24g", "24Gi"), ("512m", "512Mi"), ("512MB", "512Mi"), ("64k", "64Ki"), ("1024", "1024"), ("24Gi", "24Gi"),
     ("1.5Gi", "1.5Gi"), ("2Ti", "2Ti")],
)  # fmt: skip
def test_an_amount_is_the_same_in_both(stated: str, quantity: str) -> None:
    assert memory_quantity(stated) == quantity


@pytest.mark.parametrize("stated", ["", "g", "-1g", "1.5g", "24 Gi", "24x", "24g; rm"])
def test_what_is_no_amount_is_refused(stated: str) -> None:
    with pytest.raises(ValueError, match="is no amount of memory; write one such as 24g or 24Gi"):
        memory_quantity(stated)
