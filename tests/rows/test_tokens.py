"""Token counts."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.errors import StepError
from imitation_data.rows.tokens import PIECE, Tokens, count, load, pieces
from tests.contract.corpus import CORPUS, talk

RANKS = Path(__file__).resolve().parents[3] / "shared" / "tiktoken"
needs_ranks = pytest.mark.skipif(not RANKS.exists(), reason=f"{RANKS} is not there")
with_ranks = pytest.mark.usefixtures("ranks")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """A copy of the ranks: tiktoken deletes files that do not match."""
    folder = tmp_path_factory.mktemp("tiktoken")
    for path in RANKS.iterdir():
        shutil.copy(path, folder / path.name)
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    yield folder
    os.environ.pop("TIKTOKEN_CACHE_DIR")
    if before is not None:
        os.environ["TIKTOKEN_CACHE_DIR"] = before


def test_bytes_need_no_file():
    assert count("a€", "bytes") == 4
    (row,) = Tokens("bytes")(talk("row", "sua", "a", "b€", "c")).rows
    assert row.tokens == 6


@needs_ranks
@with_ranks
@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_counts_are_those_of_tiktoken(name):
    encoding = tiktoken.get_encoding(name)
    for row in CORPUS:
        (counted,) = Tokens(name)(row).rows
        assert counted.tokens == sum(len(encoding.encode_ordinary(text)) for text in row.texts())


@needs_ranks
@with_ranks
def test_special_tokens_are_plain_text():
    assert count("<|endoftext|>", "cl100k_base") > 1


@needs_ranks
@with_ranks
@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_long_texts_count_as_in_one_piece(name):
    """Cutting at spaces changes nothing; newlines and runs of spaces are not cut at."""
    encoding = tiktoken.get_encoding(name)
    text = "So it goes.\n\n  A list:  \n* one   two 3.5 €5\n\tend!! 你好 \r\n" * (3 * PIECE // 50)
    assert len(text) > 3 * PIECE
    assert count(text, name) == len(encoding.encode_ordinary(text))


@needs_ranks
@with_ranks
@pytest.mark.parametrize("char", [" ", "\t", "a", "我", "\n "])
def test_a_megabyte_of_one_character_is_counted(char):
    """tiktoken itself panics on a million spaces under o200k_base."""
    assert count(char * (1_000_000 // len(char)), "o200k_base") > 1000


@given(st.text("ab \n.\u3000", max_size=300), st.integers(1, 20))
def test_pieces_are_the_text_in_bounded_lengths(text, size):
    cut = list(pieces(text, size))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= size for piece in cut) or not text
    for before, after in pairwise(cut):
        assert (after[0] == " " and not before[-1].isspace()) or len(before) == size


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(StepError, match=r"no encoding 'cl100k'; did you mean 'cl100k_base'\?"):
        count("text", "cl100k")


def test_ranks_that_never_come_stop_the_step(tmp_path):
    """A server that accepts and says nothing is given up after the time limit, with advice."""
    code = """
import socket, sys, time
from imitation_data.errors import StepError
from imitation_data.rows import tokens
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
import tiktoken_ext.openai_public, tiktoken.load
real = tiktoken.load.read_file
tiktoken.load.read_file = lambda path: real(f"http://127.0.0.1:{port}/ranks")
tokens.DOWNLOAD_SECONDS = 0.5
start = time.monotonic()
try:
    tokens.count("text", "cl100k_base")
except StepError as error:
    print(error)
assert time.monotonic() - start < 5
"""
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=60,
    )
    assert "nothing came for 0.5 s" in done.stdout
    assert "TIKTOKEN_CACHE_DIR" in done.stdout
    assert "tokens: none" in done.stdout


def test_a_refused_connection_says_why(tmp_path, monkeypatch):
    """No network is no traceback: the reason stands in the message."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    load.cache_clear()
    with pytest.raises(StepError, match=r"'p50k_base' cannot be loaded \(ProxyError"):
        count("text", "p50k_base")
