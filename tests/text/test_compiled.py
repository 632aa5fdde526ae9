"""Compiled kernels are made anew when any file with kernels changes, not only their own."""

import shutil
import subprocess
import sys
from pathlib import Path

from imitation_data.text import compiled

PACKAGE = Path(compiled.__file__).resolve().parents[1]
CODE = """
import pyarrow as pa
from imitation_data.dedup import Shingling
print(Shingling(ngram=1).signatures(pa.array(["some words to be signed"])).values.tolist())
"""


def signed(folder):
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_change_in_another_file_is_seen(tmp_path):
    """Signatures follow the hash of tokens, though their kernel stands in another file."""
    shutil.copytree(PACKAGE, tmp_path / "imitation_data")
    before = signed(tmp_path)
    assert signed(tmp_path) == before
    tokens = tmp_path / "imitation_data" / "text" / "tokens.py"
    text = tokens.read_text()
    assert "0x9E3779B97F4A7C15" in text
    tokens.write_text(text.replace("0x9E3779B97F4A7C15", "0x9E3779B97F4A7C17"))
    assert signed(tmp_path) != before


def test_all_files_with_kernels_are_known():
    """A file that compiles something is among those that the stamp is made of."""
    found = {
        path.relative_to(PACKAGE).with_suffix("").as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(word in path.read_text() for word in ("@kernel", "@inlined", "@intrinsic"))
    }
    assert found == set(compiled.FILES)
