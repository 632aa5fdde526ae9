"""Where a store may be, and what is said when it cannot be reached, read or written."""

import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from imitation_data import build, load
from imitation_data.errors import StoreError
from imitation_data.generation import Orders
from imitation_data.versions.store import Store, open_store
from tests.conftest import sharegpt
from tests.versions.making import make


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        del words


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A local store behind a plain web server that lists folders."""
    monkeypatch.setenv("IMITATION_CACHE", str(tmp_path / "cache"))
    make(Store(tmp_path / "store"), "a", "1.0.0")
    make(Store(tmp_path / "store"), "a", "1.1.0-rc.1")
    handler = partial(Quiet, directory=str(tmp_path / "store"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_any_url_can_be_read(served):
    """A store that a web server shows is listed, fetched and loaded."""
    assert open_store(served).names() == ["a"]
    assert [str(one) for one in open_store(served).versions("a")] == ["a@1.0.0", "a@1.1.0-rc.1"]
    assert load("a@rc", served)["train"].num_rows == 3


@pytest.mark.parametrize("url", ["memory://store/x", "served"])
def test_other_urls_are_not_built_to(url, request, write_recipe):
    """A build is refused before its sources are looked at."""
    url = request.getfixturevalue("served") if url == "served" else url
    recipe = write_recipe({"one": "this is no JSON"})
    with pytest.raises(StoreError, match=r"can only be read; .* s3://bucket/prefix"):
        build(recipe, store=url, workers=1)


def test_file_urls_are_folders(tmp_path):
    assert open_store(f"file://{tmp_path}/a%20b").root == tmp_path / "a b"
    with pytest.raises(StoreError, match="names another host"):
        open_store("file://host/folder")


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAKEY:topsecret@bucket/prefix",
        "s3://bucket/prefix?secret=topsecret",
        "https://user:topsecret@host/store",
        "https://host/store?X-Amz-Signature=topsecret",
        "https://host/store#topsecret",
    ],
)
def test_keys_in_urls_are_refused_and_not_repeated(url):
    """No message holds what may be a key."""
    with pytest.raises(StoreError, match="holds a user, a key or a query") as caught:
        open_store(url)
    assert "topsecret" not in str(caught.value)
    assert "AKIAKEY" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://", "s3:///", "://x", "1x://y", "a::s3://b", "s3://[x"])
def test_what_is_no_store(url):
    with pytest.raises(StoreError, match="expected"):
        open_store(url)


def test_a_scheme_that_nobody_reads():
    with pytest.raises(StoreError, match="nothing is known that reads nope://"):
        open_store("nope://host/x").names()


def test_s3_without_its_package():
    """The message names what to install."""
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "sys.argv = ['imitation-data', 'show', 'x', '--store', 's3://bucket/x']\n"
        "from imitation_data.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'pip install "imitation-data[s3]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_about_s3_are_told(s3, monkeypatch):
    """No bucket, no right, no keys, no server: a sentence for each, and what to look at."""
    with pytest.raises(StoreError, match=r"s3://no-such-bucket/x: there is no such bucket"):
        open_store("s3://no-such-bucket/x").names()
    s3.denies = True
    with pytest.raises(StoreError, match=r"access is denied \(AccessDenied\)"):
        open_store(s3.store).versions("a")
    s3.denies = False
    with pytest.raises(StoreError, match=r"no dataset 'a' in the store s3://.*, which is empty"):
        open_store(s3.store).find("a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(StoreError, match="no credentials are found; set AWS_ACCESS_KEY_ID"):
        open_store(s3.store).versions("a")


@pytest.mark.full  # its library tries for some ten seconds
def test_a_server_that_is_not_there(s3, monkeypatch):
    """The message says so, and holds no keys of an endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"cannot be reached .* at AWS_ENDPOINT_URL"):
        open_store(s3.store).versions("a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://someone:topsecret@127.0.0.1:9")
    with pytest.raises(StoreError) as caught:
        open_store(s3.store).versions("a")
    assert "topsecret" not in str(caught.value)


def test_answers_that_were_paid_for_are_not_kept_in_a_cache(s3):
    """A remote store has no journal; one must be named."""
    with pytest.raises(StoreError, match="--journal"):
        open_store(s3.store).journal()
    assert Orders().journal is None


def test_the_environment_names_a_store(s3, monkeypatch, write_recipe):
    """`$IMITATION_STORE` may be a URL, for commands and functions alike."""
    monkeypatch.setenv("IMITATION_STORE", s3.store)
    talk = sharegpt({"t": ["What is it?", "It is this."]})
    build(write_recipe({"one": talk}, tokens="none"), workers=1)
    assert load("trial")["train"].num_rows == 1
    command = [sys.executable, "-m", "imitation_data", "show", "trial"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "trial@1.0.0" in done.stdout, done.stderr
