"""A Hub on the loopback that keeps its commits in real git repositories.

It speaks what `huggingface_hub` and `datasets` do: repositories, commits, branches, tags, LFS,
files. It fails where a test asks it to. By hand:

    python -m tests.servers.hub --folder hub --port 8771 --faults 0.2 --seed 1 --quiet
"""

import re
import shutil
import signal
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, Thread
from time import sleep
from typing import Self
from uuid import uuid4

from tests.servers.hub_api import KINDS, answer
from tests.servers.hub_faults import BROKEN, HubFaults, Mishaps, refusal
from tests.servers.hub_files import commit_at
from tests.servers.hub_git import Change, MovedError, Repository
from tests.servers.hub_http import HubServer, RefusedError, Reply, Request
from tests.servers.hub_lfs import answer_storage, is_large

__all__ = ["Hub", "HubFaults", "MovedError", "Token"]

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
TOKEN = "hf_alice"


@dataclass(frozen=True)
class Token:
    """Whose token it is.

    Attributes:
        namespaces: where its holder sees private and gated repositories, and may write.
        write: whether the token lets write at all.
    """

    user: str
    namespaces: tuple[str, ...] = ()
    write: bool = True


class Hub:
    """Serve the repositories of a folder until the block ends.

    Datasets lie in `folder/datasets/org/name` as bare repositories, with large files in `lfs`.

    Attributes:
        tokens: who is let in, by token; others get 401.
        faults: what fails by chance; may be replaced at any time.
        on_request: called with method and path before a request is looked at.
        page: most entries of one answer.
        part_bytes: larger files are uploaded in parts of this size.
        calls: every request, as `GET /path`.
        problems: mistakes of the Hub itself; the end of the block raises them.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = Path(folder)
        self.port = port
        self.tokens: dict[str, Token] = {TOKEN: Token("alice", ("alice", "demo"))}
        self.faults: HubFaults | None = None
        self.on_request: Callable[[str, str], None] | None = None
        self.page = 1000
        self.part_bytes: int | None = None
        self.calls: list[str] = []
        self.problems: list[Exception] = []
        self.happened: Counter[str] = Counter()
        self.secret = uuid4().hex
        self.endpoint = self.storage = ""
        self._mishaps = Mishaps()
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._lock = RLock()

    def __enter__(self) -> Self:
        self._servers = [HubServer(self, self.port), HubServer(self, storage=True)]
        self.endpoint, self.storage = (server.url for server in self._servers)
        for server in self._servers:
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        for server in self._servers:
            server.end()
        for repository in self._repositories.values():
            repository.close()
        if self.problems and error is None:
            raise ExceptionGroup("the Hub made mistakes", self.problems)

    # For tests

    def environment(self, home: Path, token: str = TOKEN) -> dict[str, str]:
        """Variables for a process that is to use this Hub; a token of "" is nobody's."""
        off = ("XET", "TELEMETRY", "UPDATE_CHECK", "PROGRESS_BARS")
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN": token,
            "HF_HOME": str(home),
            **{f"HF_HUB_DISABLE_{name}": "1" for name in off},
        }

    def push(
        self,
        name: str,
        files: Mapping[str, bytes | None],
        branch: str = "main",
        *,
        message: str = "Update files",
        author: str = "bob",
    ) -> str:
        """Commit to a dataset as someone else does, make it if needed, and return the commit's id.

        Args:
            name: as "org/name".
            files: contents by path; None deletes. Large ones go to LFS.
            branch: made from main if it is not there.
            message: of the commit.
            author: who is named in it.
        """
        if not self.has(name):
            self.found("datasets", name)
        repository = self.repository("datasets", name)
        with repository.lock:
            head = repository.head(branch) or repository.head("main")
            if head and not repository.head(branch):
                repository.create_ref(f"refs/heads/{branch}", head)
            tree = repository.tree(head) if head else {}
            rules = files.get(".gitattributes")
            if rules is None and ".gitattributes" in tree:
                rules = repository.content(tree[".gitattributes"])
            operations = [
                (path, repository.lfs.put([content]).text())
                if content and is_large(path, len(content), rules or b"")
                else (path, content)
                for path, content in files.items()
            ]
            return repository.commit(branch, Change(author, message, operations), head)

    def has(self, name: str, kind: str = "datasets") -> bool:
        return bool(NAME.fullmatch(name)) and (self.folder / kind / name / "HEAD").is_file()

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """The contents of a dataset's files by path, those of LFS too."""
        repository = self.repository("datasets", name)
        tree = repository.tree(commit_at(repository, revision))
        return {
            path: repository.content(entry) for path, entry in tree.items() if entry.kind == "file"
        }

    def refs(self, name: str) -> dict[str, str]:
        """Commits of a dataset by ref, as "refs/tags/v1.0.0"."""
        return {each.ref: each.commit for each in self.repository("datasets", name).refs()}

    def tag(self, name: str, tag: str, revision: str = "main") -> None:
        """Tag a revision of a dataset as someone else does."""
        repository = self.repository("datasets", name)
        repository.create_ref(f"refs/tags/{tag}", commit_at(repository, revision))

    def git(self, name: str, *words: str) -> str:
        """What git says of a dataset, as `hub.git("demo/talks", "log", "--oneline")`."""
        return self.repository("datasets", name).git(*words).decode(errors="replace")

    def settings(self, name: str, *, private: bool = False, gated: bool = False) -> None:
        """Make a dataset private or gated, or neither."""
        self.repository("datasets", name).keep(private=private, gated=gated)

    def fail_next(self, method: str, part: str, *kinds: str) -> None:
        """Let the next requests with this method and `part` in their path fail, one for each kind.

        Kinds are those of `hub_faults`: "lost", "reset", "half", "429:1", "409", "412", "500" …
        """
        self._mishaps.tell(method, part, *kinds)

    def unhappened(self) -> list[str]:
        """Faults of `fail_next` that still wait for their request."""
        return self._mishaps.waiting()

    # For the parts of the server

    def fault(self, request: Request) -> str:
        """Note a request and say what is to go wrong with it."""
        self.calls.append(f"{request.method} {request.path}")
        if self.on_request:
            try:
                self.on_request(request.method, request.path)
            except Exception as error:  # noqa: BLE001 — the test must hear of it, not the client
                self.problems.append(error)
        kind = self._mishaps.next(request.method, request.path, self.faults)
        if kind:
            self.happened[kind] += 1
        return kind

    def answer(self, request: Request, fault: str, *, storage: bool) -> Reply:
        """Do what is asked; never raises but for clients that leave."""
        if fault and fault not in BROKEN:
            return refusal(fault)
        try:
            return (answer_storage if storage else answer)(self, request)
        except RefusedError as error:
            return Reply.refusal(error)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 — kept for the end of the block
            self.problems.append(error)
            return Reply.of({"error": repr(error)}, 500)

    def person(self, request: Request) -> Token | None:
        """Who asks; None is anyone."""
        header = request.headers.get("authorization")
        if header is None:
            return None
        person = self.tokens.get(header.removeprefix("Bearer "))
        if person is None:
            raise RefusedError(401, "Invalid credentials in Authorization header")
        return person

    def repository(self, kind: str, name: str) -> Repository:
        with self._lock:
            if kind not in KINDS or not self.has(name, kind):
                raise RefusedError(404, "Repository not found", "RepoNotFound")
            place = self.folder / kind / name
            return self._repositories.setdefault((kind, name), Repository(place))

    def readable(self, request: Request, kind: str, name: str) -> Repository:
        """The repository, if the request may read it; a private one is not there for others."""
        person = self.person(request)
        missing = RefusedError(404 if person else 401, "Repository not found", "RepoNotFound")
        if kind not in KINDS or not self.has(name, kind):
            raise missing
        repository = self.repository(kind, name)
        if person is None or name.partition("/")[0] not in person.namespaces:
            if repository.private:
                raise missing
            if repository.gated:
                raise RefusedError(403, "Access to this dataset is restricted", "GatedRepo")
        return repository

    def writable(self, request: Request, kind: str, name: str) -> Repository:
        repository = self.readable(request, kind, name)
        self.allow(request, name, f"write to {name}")
        return repository

    def allow(self, request: Request, name: str, act: str) -> None:
        """Refuse those who may not write where `name` is."""
        person = self.person(request)
        if person is None:
            raise RefusedError(401, "Invalid username or password.")
        if not person.write or name.partition("/")[0] not in person.namespaces:
            raise RefusedError(403, f"You don't have the rights to {act}")

    def found(
        self, kind: str, name: str, first: Change | None = None, *, private: bool = False
    ) -> bool:
        """Make a repository with its first commit, all at once; False if it is there."""
        if kind not in KINDS or not NAME.fullmatch(name) or ".." in name:
            raise RefusedError(400, f"no name for a repository: {name}")
        place, making = self.folder / kind / name, self.folder / ".making" / uuid4().hex
        with self._lock:
            if place.exists():
                return False
            repository = Repository.create(making)
            if first:
                repository.commit("main", first, None)
            repository.keep(private=private)
            place.parent.mkdir(parents=True, exist_ok=True)
            making.rename(place)
        return True

    def remove(self, kind: str, name: str) -> None:
        with self._lock:
            if repository := self._repositories.pop((kind, name), None):
                repository.close()
            gone = self.folder / ".making" / uuid4().hex
            gone.parent.mkdir(exist_ok=True)
            (self.folder / kind / name).rename(gone)
        shutil.rmtree(gone)


USE = "Give these variables to a process that uses huggingface_hub or datasets; Ctrl-C ends it."


def main() -> None:
    """Serve until interrupted, then say what was asked."""
    parser = ArgumentParser(prog="python -m tests.servers.hub", description=USE)
    parser.add_argument("--folder", type=Path, required=True, help="where repositories lie")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--faults", type=float, default=0, help="share of requests that fail")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--quiet", action="store_true", help="do not print requests")
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    args = parser.parse_args()
    with Hub(args.folder, args.port) as hub:
        hub.faults = HubFaults(args.seed, args.faults)
        for name, value in hub.environment(args.folder / ".home").items():
            print(f"{name}={value}")
        print(USE, flush=True)
        said = 0
        with suppress(KeyboardInterrupt):
            while True:
                sleep(0.5)
                if not args.quiet and said < len(hub.calls):
                    print(*hub.calls[said:], sep="\n", flush=True)
                said = len(hub.calls)
        sys.stdout.write(f"{len(hub.calls)} requests, faults: {dict(hub.happened)}\n")


if __name__ == "__main__":
    main()
