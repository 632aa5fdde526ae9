"""An S3 server, and a bucket of its own for each test."""

import uuid

import pytest

from imitation_data.versions.store import open_store
from tests.servers.s3 import KEYS, S3Server


@pytest.fixture(scope="session")
def server():
    with S3Server() as running:
        yield running


@pytest.fixture
def s3(server, monkeypatch, tmp_path):
    """The server, with `store` the URL of a store in a new bucket; the cache is empty."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IMITATION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    server.watch()
    server.ignores_conditions = server.denies = False
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    server.store = f"s3://{bucket}/some/prefix"
    server.files = open_store(server.store).remote.files
    server.files.mkdir(bucket)
    server.watch()
    yield server
    server.watch()
    server.ignores_conditions = server.denies = False


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Go to another machine: one with an empty cache."""

    def go(name="elsewhere"):
        monkeypatch.setenv("IMITATION_CACHE", str(tmp_path / name))

    return go
