"""Summaries whose every text is hostile."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import pytest

from imitation_data.report.example import SUMMARY

HOSTILE = (
    " </title></style><script>alert(1)</script><img src=x onerror=alert(2)>"
    " \u202egnp.exe\u202c \x1b[31m {{ 7*7 }}{% raw %} ](javascript:alert(3))"
    " `` ` | \\| --- \ud800 \U000e0041 \" ' & &amp; https://example.com 🏳️\u200d🌈 \\"
)


def poison(value, text):
    """Copy a value with `text` at the end of every non-empty string in it, mapping keys too."""
    if isinstance(value, str):
        return value + text if value else value
    if isinstance(value, Mapping):
        return {poison(key, text): poison(item, text) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(poison(item, text) for item in value)
    if is_dataclass(value):
        changed = {part.name: poison(getattr(value, part.name), text) for part in fields(value)}
        return replace(value, **changed)
    return value


@pytest.fixture(scope="session")
def hostile():
    """The example with an attack in every field."""
    return poison(SUMMARY, HOSTILE)


@pytest.fixture(scope="session")
def poisoned():
    """A function: the example with `text` in every field."""
    return lambda text: poison(SUMMARY, text)
