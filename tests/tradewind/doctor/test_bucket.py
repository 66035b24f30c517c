"""A home in a bucket, as the doctor looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bucket_server import BUCKET, client, keys, proxied, s3_environment, s3_server
from doctoring import Doctor


@pytest.fixture
def endpoint() -> object:
    """A server with a bucket."""
    with s3_server() as address:
        client(address).create_bucket(Bucket=BUCKET)
        yield address
        client(address).delete_bucket(Bucket=BUCKET)


def test_a_bucket_that_works_is_ok_and_left_as_it_was(doctor: Doctor, endpoint: str, tmp_path: Path) -> None:
    there = s3_environment(endpoint) | {"TRADEWIND_HOME": f"s3://{BUCKET}/home", "TRADEWIND_CACHE": str(tmp_path / "c")}
    told = doctor("tiny", "bucket", "disk", **there)
    assert told.outcome("bucket") == "ok", told.text
    assert f"{tmp_path}/c: " in told.words("disk"), "runs are worked with in the cache"
    assert keys(endpoint) == []
    assert not (tmp_path / "c").exists()


def test_what_a_bucket_lacks_is_told(doctor: Doctor, endpoint: str) -> None:
    with proxied(endpoint) as proxy:
        there = s3_environment(proxy.address)
        proxy.spoil("PUT", "/doctor/", "careless", times=2)
        told = doctor("tiny", "bucket", TRADEWIND_HOME=f"s3://{BUCKET}/home", **there)
        assert told.words("bucket") == (
            f"s3://{BUCKET}/home: lets an object be created twice, so two workers may overwrite each other -> take a "
            "server that knows If-None-Match: docs/storage.md"
        )
        assert keys(endpoint) == []
        told = doctor("tiny", "bucket", TRADEWIND_HOME="s3://another-bucket/home", **there)
        assert "there is no bucket 'another-bucket' -> create it, or correct the address" in told.words("bucket")
        proxy.spoil("GET", "list-type", "refused", times=9)
        told = doctor("tiny", "bucket", TRADEWIND_HOME=f"s3://{BUCKET}/home", **there)
        assert "-> check the credentials" in told.words("bucket")
        told = doctor("tiny", "bucket", TRADEWIND_HOME=f"s3://AKIA:marker@{BUCKET}/home", **there)
        assert told.outcome("bucket") == "failure"
        assert "marker" not in told.text


def test_a_home_on_a_disk_needs_none(doctor: Doctor) -> None:
    assert doctor("tiny", "bucket").outcome("bucket") == "not needed here"
