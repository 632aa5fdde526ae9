"""A dataset in three versions, and commands that speak to a Hub."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from imitation_data.runner import build
from imitation_data.versions.store import Store
from tests.conftest import sharegpt
from tests.servers.hub import Hub

ROOT = Path(__file__).resolve().parents[2]
REPO = "demo/trial"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Commands:
    """`imitation-data` in a process that has a Hub's variables."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, *arguments: object) -> Done:
        if self._process is None:
            self._process = self.start("-m", "tests.publish.worker", stdin=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(list(map(str, arguments))), file=self._process.stdin, flush=True)
        return Done(**json.loads(self._process.stdout.readline()))

    def start(self, *words: str, stdin: int | None = None) -> subprocess.Popen[str]:
        """A process of its own, which may be killed."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            text=True,
        )

    def python(self, program: str, *arguments: str) -> str:
        """What a program prints that uses the Hub's client."""
        process = self.start("-c", program, *arguments)
        out, _ = process.communicate()
        assert process.returncode == 0
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


def commands_for(hub: Hub, folder: Path, token: str = "hf_alice") -> Commands:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= hub.environment(folder / "home", token)
    environment["PYTHONPATH"] = str(ROOT)
    return Commands(environment, folder)


ROWS = {
    f"r{number}": [f"What is the word number {number}?", f"The word {number}. " * (number % 5 + 1)]
    for number in range(60)
}


def three_versions(folder: Path) -> Store:
    """1.0.0; 1.1.0 with rows added; 2.0.0 with rows changed and taken out."""
    store = Store(folder / "store")
    texts = [
        {key: ROWS[key] for key in list(ROWS)[:40]},
        {key: ROWS[key] for key in list(ROWS)[:50]},
        {
            key: [ROWS[key][0], f"{ROWS[key][1]} Indeed."] if number % 10 == 3 else ROWS[key]
            for number, key in enumerate(ROWS)
            if number % 10 != 4
        },
    ]
    recipe = folder / "recipe.yaml"
    table = {
        "name": "trial",
        "description": "Words and what they are.",
        "sources": [
            {"name": "web", "reader": "sharegpt", "path": "web.json", "license": "CC0-1.0"}
        ],
        "steps": [
            {"type": "keywords", "lists": [], "words": ["word 7."]},
            {"type": "split", "shares": {"train": 0.8, "test": 0.2}},
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    recipe.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    for text in texts:
        (folder / "web.json").write_text(sharegpt(text), encoding="utf-8")
        build(recipe, store=store.root, workers=1)
    assert [str(one.version) for one in store.versions("trial")] == ["1.0.0", "1.1.0", "2.0.0"]
    return store
