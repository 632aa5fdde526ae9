"""What the runs of this folder read and print; no imports but the standard library's."""

import json
from pathlib import Path

CONCURRENCY = 256
TOKENS = 512  # of an answer at most
TEMPERATURE = 1.0


def read(path: str) -> list[str]:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["prompt"] for line in lines]


def tell(tool: str, version: str, seconds: float, answers: int) -> None:
    """Print the line, the last on stdout.

    Args:
        tool: its name.
        version: its version.
        seconds: from the first request to the last answer.
        answers: how many prompts were answered.
    """
    found = {"tool": tool, "version": version, "seconds": seconds, "answers": answers}
    print(json.dumps(found))
