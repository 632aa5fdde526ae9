"""What tests of generation share: a recipe asked of the loopback teacher."""

from collections.abc import Callable
from pathlib import Path

import pytest

from imitation_data.recipe import Recipe, load_recipe
from tests.servers.teacher import Faults

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-canary-7f3a9b2c4d5e6f708192a3b4c5d6"

FIFTH = Faults(
    rate_limited=0.04,
    rate_limited_silent=0.04,
    server_error=0.04,
    reset=0.04,
    bad_body=0.04,
    truncated=0.02,
    filtered=0.01,
    refused=0.01,
    wrong_model=0.01,
)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def card() -> Callable[[str, str], Recipe]:
    """A shipped recipe with another endpoint."""

    def load(name: str, url: str) -> Recipe:
        return load_recipe(ROOT / "cards" / name, endpoint=url)

    return load
