"""How tests ask the loopback Hub: by hand over HTTP, and with the real clients."""

import base64
import io
import json
import os
import subprocess
import sys
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from tests.servers.hub import TOKEN, Hub

TALKS = "/api/datasets/demo/talks"
PRELUDE = """
import json, sys
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError
api, K = HfApi(), {"repo_id": "demo/talks", "repo_type": "dataset"}

def commit(message, files, parent=None, **more):
    operations = [
        CommitOperationDelete(path) if content is None else CommitOperationAdd(path, content)
        for path, content in files.items()
    ]
    more |= {"commit_message": message, "parent_commit": parent}
    return api.create_commit(operations=operations, **more, **K).oid

def status(call, *args, **more):
    try:
        call(*args, **more)
    except HfHubHTTPError as error:
        return error.response.status_code
"""


def run(hub: Hub, home: Path, code: str, *words: str, **variables: str) -> object:
    """Run code in a process of its own, since clients read their variables when imported.

    Returns:
        What the code printed last, as JSON.
    """
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, *words],
        capture_output=True,
        text=True,
        env=os.environ | hub.environment(home) | variables,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def parquet(rows: int) -> bytes:
    """A Parquet file with one column `x`, holding 0 to rows - 1."""
    out = io.BytesIO()
    pq.write_table(pa.table({"x": range(rows)}), out)
    return out.getvalue()


def ask(
    hub: Hub,
    method: str,
    url: str,
    body: object = None,
    *,
    token: str | None = TOKEN,
    **headers: str,
) -> tuple[int, Message, bytes]:
    """Ask by hand; a broken connection raises. A path without a host is one of the Hub.

    The body is an object, bytes, or an iterator of bytes, which is sent in chunks.
    """
    parts = urlsplit(url if "://" in url else hub.endpoint + url)
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def commit_body(
    files: dict[str, bytes], parent: str | None = None, lines: tuple[object, ...] = ()
) -> bytes:
    """A commit that adds files, with further lines behind them."""
    header = {"key": "header", "value": {"summary": "files", "parentCommit": parent}}
    adds = [
        {"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode()}}
        for path, content in files.items()
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in (header, *adds, *lines))


def upload(hub: Hub, content: bytes, oid: str, size: int | None = None) -> dict[str, object]:
    """Ask where an object is to be put."""
    asked = [{"oid": oid, "size": len(content) if size is None else size}]
    url = "/datasets/demo/talks.git/info/lfs/objects/batch"
    status, _, body = ask(hub, "POST", url, {"operation": "upload", "objects": asked})
    assert status == 200, body
    return json.loads(body)["objects"][0]
