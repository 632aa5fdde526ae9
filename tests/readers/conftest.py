"""What every reader's tests do: write a file, read it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imitation_data.readers import BadRecord, Reader, Record, read

ReadText = Callable[..., list[Record | BadRecord]]


@pytest.fixture
def read_text(tmp_path: Path) -> ReadText:
    """Read a text, or values as JSON Lines, with a reader."""

    def run(
        reader: Reader, content: str | list[object], name: str = "a.jsonl"
    ) -> list[Record | BadRecord]:
        if not isinstance(content, str):
            content = "\n".join(json.dumps(row, ensure_ascii=False) for row in content)
        (tmp_path / name).write_text(content, encoding="utf-8")
        return list(read(tmp_path / name, reader))

    return run
