"""A small Hub on the loopback: enough of its protocol to read datasets at a revision.

Answers `GET /api/datasets/{repo}[/revision/{rev}]`, `GET …/tree/{rev}` and `HEAD`/`GET
/datasets/{repo}/resolve/{rev}/{path}`. A repository is a mapping of revisions to files.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]


def commit_of(files: Files) -> str:
    """Name a set of files as git would: 40 hex digits, equal for equal files."""
    digest = sha1(usedforsecurity=False)
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name])
    return digest.hexdigest()


class HubServer(ThreadingHTTPServer):
    """Holds datasets as `{"org/name": {"main": {"data/a.jsonl": b"…"}}}`.

    Attributes:
        gated: datasets that answer 403 as gated ones do.
        failing: answer everything with 503.
        calls: every request, as `GET /path`.
    """

    daemon_threads = True

    def __init__(self, datasets: Mapping[str, Mapping[str, Files]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.datasets = datasets
        self.gated: set[str] = set()
        self.failing = False
        self.calls: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files_at(self, repo: str, revision: str) -> Files | None:
        for name, files in self.datasets[repo].items():
            if revision in {name, commit_of(files)}:
                return files
        return None


@contextmanager
def running(datasets: Mapping[str, Mapping[str, Files]]) -> Iterator[HubServer]:
    """Serve the datasets until the block ends."""
    with HubServer(datasets) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass  # the tests read `calls`

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.calls.append(f"{self.command} {path}")
        if self.server.failing:
            self._refuse(503, "")
        elif path.startswith("/api/datasets/"):
            self._describe(path.removeprefix("/api/datasets/"))
        elif path.startswith("/datasets/") and "/resolve/" in path:
            repo, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            self._resolve(repo, revision, name)
        else:
            self._refuse(404, "")

    def _describe(self, path: str) -> None:
        parts = path.split("/")
        repo, verb, revision = "/".join(parts[:2]), *(parts[2:4] or ["revision", "main"])
        if repo not in self.server.datasets:
            self._refuse(401, "RepoNotFound")
            return
        if repo in self.server.gated:
            self._refuse(403, "GatedRepo")
            return
        files = self.server.files_at(repo, revision)
        if files is None:
            self._refuse(404, "RevisionNotFound")
        elif verb == "tree":
            self._send(200, [_entry(name, content) for name, content in files.items()])
        else:
            siblings = [{"rfilename": name} for name in files]
            self._send(200, {"id": repo, "sha": commit_of(files), "siblings": siblings})

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        files = self.server.files_at(repo, revision)
        if files is None or name not in files:
            self._refuse(404, "EntryNotFound")
            return
        entry = _entry(name, files[name])
        headers = {"X-Repo-Commit": commit_of(files), "ETag": f'"{entry["oid"]}"'}
        self._send(200, files[name], headers)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, {"error": code}, {"X-Error-Code": code} if code else {})

    def _send(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _entry(name: str, content: bytes) -> dict[str, object]:
    blob = sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": name, "oid": blob, "size": len(content)}
