"""Documentation is executed: every block of README.md and docs/ runs, in order, as a reader would.

In a page, `sh` and `python` blocks run in a folder that holds the project's cards; a block after
`<!-- file: NAME -->` is written to that file; `<!-- not run: REASON -->` says why the next one does
not run. After an `sh` block a `text` block shows its output; `…` in it stands for anything.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.hub import Hub

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>file|not run): (?P<value>.+?) -->\n+)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
RUN = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    mark: str
    value: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match["language"],
            match["text"],
            match["mark"] or "",
            match["value"] or "",
            text[: match.start()].count("\n") + 1,
        )
        for match in BLOCK.finditer(text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs(page, tmp_path):
    """Each command prints what the page says it prints; its Hub is one on the loopback."""
    home = tmp_path / "page"
    home.mkdir()
    shutil.copytree(ROOT / "cards", home / "cards")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "100"}
    environment.pop("IMITATION_STORE", None)
    with Hub(tmp_path / "hub") as hub:
        environment |= hub.environment(tmp_path / "home")
        _run(page, home, environment)


def _run(page, home, environment):
    output = ""
    for block in blocks(page):
        place = f"{page.name}, line {block.line}"
        if block.mark == "not run":
            output = ""
        elif block.mark == "file":
            (home / block.value).parent.mkdir(parents=True, exist_ok=True)
            (home / block.value).write_text(block.text, encoding="utf-8")
        elif block.language in RUN:
            command = [*RUN[block.language], block.text]
            done = subprocess.run(
                command, cwd=home, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{place}:\n{block.text}\n{done.stdout}{done.stderr}"
            output = done.stdout + done.stderr
        elif block.language == "text" and output:
            assert shows(block.text, output), f"{place}: prints\n{output}"


def shows(expected: str, output: str) -> bool:
    parts = [re.escape(part.strip()) for part in expected.split("…")]
    return re.search(r"[\s\S]*?".join(parts), output) is not None


def test_every_command_is_documented():
    """Each verb of the command line stands in a page with its options."""
    from imitation_data.cli.app import app  # noqa: PLC0415

    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    verbs = [command.name for command in app.registered_commands]
    assert verbs
    assert [verb for verb in verbs if f"imitation-data {verb}" not in text] == []


def test_every_reader_step_and_check_is_documented():
    """The recipe page names everything a recipe may name."""
    from imitation_data.checks import CHECKS  # noqa: PLC0415
    from imitation_data.readers import READERS  # noqa: PLC0415
    from imitation_data.recipe import DATASET_STEPS  # noqa: PLC0415
    from imitation_data.rows import ROW_STEPS  # noqa: PLC0415

    text = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    names = [*READERS, *ROW_STEPS, *DATASET_STEPS, *CHECKS]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_marked_blocks_have_reasons():
    """A block that is not run says why in a sentence."""
    found = [block for page in PAGES for block in blocks(page) if block.mark == "not run"]
    assert all(len(block.value) > 15 for block in found)


def test_links_lead_somewhere():
    """Relative links of README and docs point at files that exist."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_follows_the_code():
    """`python -m tests.write_reference` rewrites it."""
    from tests.write_reference import PAGE, page  # noqa: PLC0415

    assert PAGE.read_text(encoding="utf-8") == page()
