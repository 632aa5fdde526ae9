"""The rules of the house live in tools: linter, types, sizes, and who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "imitation_data"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
assert MODULES, "no modules found: the tests below would pass on nothing"

MODULE_LINES = 400
FUNCTION_LINES = 50
LONG_MODULES: dict[str, str] = {}  # path to the reason why it may be longer
LONG_TESTS = {
    "readers/test_chatgpt_export.py": "the export's own nested records stand in it",
    "readers/test_discord.py": "one channel for each rule of pairing stands in it",
    "rows/test_markdown.py": "pages and the Markdown they become stand in it",
}
LONG_FUNCTIONS = {  # path:function to the reason why it may be longer
    "text/tokens.py:tokenize": "one compiled loop; a call a byte would cost more than it does",
    "bleu/words.py:cut": "as tokenize",
    "dedup/clusters.py:connect": "one compiled loop over chains that lie in a dozen arrays",
    "dedup/pairs.py:settle": "one compiled loop",
}
FORBIDDEN_NAMES = {"utils", "common", "helpers", "helper", "manager", "misc"}
FORBIDDEN_IMPORTS = {"torch", "transformers"}

# A module may import its own layer and those to the right of it.
LAYERS = [
    ("cli",),
    ("growing_index",),
    ("check_leakage", "deduplicate", "evalset", "measure_diversity"),
    ("kept_files",),
    ("file_rows",),
    ("rebuild",),
    ("runner",),
    ("generation",),
    ("given_rows",),
    ("publish",),
    ("diff",),
    ("explanation", "stored", "inputs", "removals"),
    ("sources",),
    ("stages",),
    ("engines", "versions", "recipe", "recipe_generated", "recipe_parts", "contradictions"),
    ("checks",),
    ("generate",),
    ("bleu", "diversity", "leakage", "report", "readers", "rows", "dedup", "sampling", "splits"),
    ("dataset_step", "identity", "normalize", "options", "yaml_file", "display", "text"),
    ("ledger", "atomic", "checksum"),
    ("conversation",),
    ("errors",),
]


def run(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_ruff_finds_nothing():
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")


def test_mypy_finds_nothing():
    run("mypy")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sizes_and_names(path):
    """A module over 400 lines or a function over 50 (docstring not counted) needs a reason."""
    name = path.relative_to(PACKAGE).as_posix()
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES or LONG_MODULES.get(name)
    assert not FORBIDDEN_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= FUNCTION_LINES or LONG_FUNCTIONS.get(f"{name}:{node.name}"), node.name


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_sizes_of_tests(path):
    """Tests are read, too: over 400 lines needs a reason, and the reason goes when it is over."""
    name = path.relative_to(ROOT / "tests").as_posix()
    assert (len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES) == (
        name in LONG_TESTS
    )


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "imitation_data":
                names = [f"imitation_data.{alias.name}" for alias in node.names]
            found.update(names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def layer(name: str) -> int | None:
    return next((place for place, names in enumerate(LAYERS) if name in names), None)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    """Imports go down the layers, never up; and nothing here imports torch or transformers."""
    name = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if name in {"__init__", "__main__"}:
        return
    mine = layer(name)
    assert mine is not None, f"{name} stands in no layer"
    for module in imported(path):
        top = module.split(".")
        assert top[0] not in FORBIDDEN_IMPORTS
        if top[0] == "imitation_data" and len(top) > 1 and top[1] != name:
            theirs = layer(top[1])
            assert theirs is not None, f"{top[1]} stands in no layer"
            assert theirs >= mine, f"{name} imports {top[1]}, which lies above it"


def test_building_without_a_teacher_loads_no_client():
    """What talks to teachers is loaded when one is asked."""
    code = "import imitation_data.runner, sys; assert not {'openai', 'aiohttp'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_importing_the_package_is_light():
    """`import imitation_data` loads neither arrow nor polars, and opens no socket."""
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('a socket at import')\n"
        "socket.socket.connect = refuse\n"
        "import imitation_data\n"
        "heavy = {'pyarrow', 'polars', 'datasets', 'pandera', 'tiktoken'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import imitation_data.cli.app\n"
        "heavy = {'pyarrow', 'polars', 'datasets', 'pandera', 'tiktoken'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import imitation_data.runner, imitation_data.stored, imitation_data.explanation\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_public_names_exist():
    import imitation_data  # noqa: PLC0415

    assert sorted(imitation_data.__all__) == imitation_data.__all__
    assert all(getattr(imitation_data, name) is not None for name in imitation_data.__all__)
