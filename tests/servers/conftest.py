"""What tests of the servers share."""

import pytest

from tests.servers.hub import Hub
from tests.servers.hub_asked import ask


@pytest.fixture
def hub(tmp_path):
    with Hub(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def talks(hub):
    """A Hub with the dataset demo/talks, made as a client makes it."""
    body = {"name": "talks", "organization": "demo", "type": "dataset"}
    assert ask(hub, "POST", "/api/repos/create", body)[0] == 200
    return hub
