"""Bare git repositories that hold what was committed to the loopback Hub.

A commit is one run of `git fast-import`, which moves the branch only where nobody else did.
Objects are read by a `git cat-file --batch` that stays open. Commits are dated by their place in
history, so that the same pushes give the same ids.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from tests.servers.hub_lfs import LfsFiles, Pointer, parse_pointer

START = 1767225600  # 2026-01-01, when every repository begins
NEVER = "0" * 40  # to git: this ref must not be there
FORBIDDEN = set("~^:?*[\\")  # in revisions these are operators
MOST_TREES = 64


class MovedError(Exception):
    """The branch is not where the commit starts; what was written is not reachable."""


class TakenError(Exception):
    """A ref of this name is there already."""


class BadNameError(Exception):
    """Git takes no ref of this name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a commit; `size` is that of the contents, also behind a pointer."""

    path: str
    kind: str  # "file" or "directory"
    oid: str  # of the blob or tree in git
    size: int = 0
    pointer: Pointer | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does, in this order; contents of None delete a file or folder."""

    author: str
    message: str
    operations: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Commit:
    oid: str
    author: str
    seconds: int  # since 1970
    message: str

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]

    @property
    def date(self) -> str:
        return dated(self.seconds)


@dataclass(frozen=True, slots=True)
class Ref:
    ref: str  # "refs/tags/v1.0.0"
    commit: str


def dated(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def environment() -> dict[str, str]:
    """Variables under which git knows neither this machine's settings nor another repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def run_git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    """Run git on a bare repository.

    Raises:
        subprocess.CalledProcessError: with what git said in `stderr`.
    """
    command = ["git", f"--git-dir={folder}", *words]
    done = subprocess.run(command, input=given, capture_output=True, check=True, env=environment())
    return done.stdout


class Repository:
    """One bare repository and the LFS objects in its folder `lfs`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lfs = LfsFiles(folder / "lfs")
        self.lock = RLock()
        self._reader: subprocess.Popen[bytes] | None = None
        self._trees: dict[str, dict[str, Entry]] = {}
        facts = folder / "hub.json"
        kept = json.loads(facts.read_bytes()) if facts.exists() else {}
        self.private, self.gated = kept.get("private", False), kept.get("gated", False)

    @property
    def place(self) -> str:
        """What stands behind the endpoint in a URL: "datasets/org/name"."""
        return "/".join(self.folder.parts[-3:]).removeprefix("models/")

    def keep(self, *, private: bool = False, gated: bool = False) -> None:
        """Note who may see the repository."""
        self.private, self.gated = private, gated
        facts = {"private": private, "gated": gated}
        (self.folder / "hub.json").write_text(json.dumps(facts))

    @staticmethod
    def create(folder: Path) -> "Repository":
        folder.mkdir(parents=True)
        run_git(folder, "init", "--quiet", "--bare", "--template=", "-b", "main")
        with (folder / "config").open("a") as config:
            config.write("[core]\n\tfsync = none\n[gc]\n\tauto = 0\n")
        return Repository(folder)

    def close(self) -> None:
        with self.lock:
            if self._reader:
                self._reader.communicate()
                self._reader = None

    def git(self, *words: str, given: bytes = b"") -> bytes:
        return run_git(self.folder, *words, given=given)

    # Reading

    def read(self, name: str) -> tuple[str, bytes] | None:
        """Look an object up by any name git knows: its id and contents, or None."""
        with self.lock:
            if self._reader is None:
                self._reader = subprocess.Popen(
                    ["git", f"--git-dir={self.folder}", "cat-file", "--batch"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment(),
                )
            self._reader.stdin.write(name.encode() + b"\n")
            self._reader.stdin.flush()
            fields = self._reader.stdout.readline().split()
            if len(fields) != 3 or not fields[2].isdigit():
                return None
            content = self._reader.stdout.read(int(fields[2]))
            self._reader.stdout.read(1)
            return fields[0].decode(), content

    def resolve(self, revision: str) -> str | None:
        """Find the commit of a branch, a tag, a full ref or an id of at least seven digits."""
        odd = FORBIDDEN & set(revision) or ".." in revision or "@{" in revision
        if odd or revision.startswith("-") or not revision.isprintable() or " " in revision:
            return None
        names = [f"refs/heads/{revision}", f"refs/tags/{revision}"]
        if revision.startswith("refs/"):
            names.append(revision)
        if len(revision) >= 7 and set(revision) <= set("0123456789abcdef"):
            names.append(revision)
        found = (self.read(f"{name}^{{commit}}") for name in names)
        return next((each[0] for each in found if each), None)

    def head(self, branch: str) -> str | None:
        found = self.read(f"refs/heads/{branch}") if self.resolve(branch) else None
        return found[0] if found else None

    def tree(self, commit: str) -> Mapping[str, Entry]:
        """All files and folders of a commit by path, in git's order."""
        with self.lock:
            if commit not in self._trees:
                while len(self._trees) >= MOST_TREES:
                    del self._trees[next(iter(self._trees))]
                listing = self.git("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit)
                entries = map(self._entry, listing.decode().split("\0")[:-1])
                self._trees[commit] = {entry.path: entry for entry in entries}
            return self._trees[commit]

    def _entry(self, line: str) -> Entry:
        facts, _, path = line.partition("\t")
        _, kind, oid, size = facts.split()
        if kind == "tree":
            return Entry(path, "directory", oid)
        if 100 < int(size) < 200 and (found := parse_pointer(self.read(oid)[1])):
            return Entry(path, "file", oid, found.size, found)
        return Entry(path, "file", oid, int(size))

    def content(self, entry: Entry) -> bytes:
        """The contents of a file, fetched from behind its pointer."""
        if entry.pointer:
            return self.lfs.path(entry.pointer.oid).read_bytes()
        return self.read(entry.oid)[1]

    def refs(self) -> Iterator[Ref]:
        listing = self.git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)")
        for line in listing.decode().splitlines():
            ref, *oids = line.split()
            yield Ref(ref, oids[-1])

    def log(self, commit: str, skip: int = 0, count: int = -1) -> list[Commit]:
        """Commits from `commit` back, newest first."""
        pages = (f"--skip={skip}", f"--max-count={count}")
        found = self.git("log", "--format=%H%x00%an%x00%at%x00%B%x00", *pages, commit, "--")
        fields = found.decode(errors="replace").split("\0")[:-1]
        groups = zip(*[iter(fields)] * 4, strict=True)
        return [
            Commit(oid.strip(), author, int(seconds), message.rstrip("\n"))
            for oid, author, seconds, message in groups
        ]

    def last_changes(self, commit: str) -> Mapping[str, Commit]:
        """The commit that touched each file and folder last."""
        by_oid = {each.oid: each for each in self.log(commit)}
        found: dict[str, Commit] = {}
        listing = self.git("log", "--format=%x01%H", "--name-only", "-z", "--root", commit, "--")
        current = None
        for word in listing.decode().split("\0"):
            name = word.lstrip("\n")
            if name.startswith("\x01"):
                oid, _, name = name[1:].partition("\n")
                current = by_oid[oid[:40]]
            for end in (place for place, sign in enumerate(f"{name}/") if sign == "/"):
                found.setdefault(name[:end], current)
        return found

    # Writing

    def commit(self, branch: str, change: Change, parent: str | None) -> str:
        """Commit on top of `parent`, None for the first of all, and move the branch there.

        Raises:
            MovedError: if the branch is not at `parent`.
        """
        seconds = START
        if parent:
            head = self.read(parent)[1].partition(b"\n\n")[0]
            seconds = int(head.rpartition(b"committer ")[2].split(b"\n")[0].split()[-2]) + 1
        try:
            done = self.git(
                "fast-import", "--quiet", "--done", given=_script(branch, change, parent, seconds)
            )
        except subprocess.CalledProcessError as error:
            raise MovedError(error.stderr.decode()) from error
        return done.decode().strip()

    def create_ref(self, ref: str, commit: str, message: str = "", author: str = "") -> None:
        """Create a branch or tag, annotated where there is a message; never move one.

        Raises:
            TakenError: if it is there, wherever it points.
            BadNameError: if git does not take the name.
        """
        try:
            self.git("check-ref-format", ref)
            target = commit
            if message:
                name = ref.removeprefix("refs/tags/")
                lines = (f"object {commit}", "type commit", f"tag {name}")
                tagger = f"tagger {_person(author)} {START} +0000"
                text = "\n".join([*lines, tagger, "", message.replace("\0", "").strip(), ""])
                target = self.git("mktag", given=text.encode()).decode().strip()
        except subprocess.CalledProcessError as error:
            raise BadNameError(ref) from error
        try:
            self.git("update-ref", ref, target, NEVER)
        except subprocess.CalledProcessError as error:
            raise TakenError(ref) from error

    def delete_ref(self, ref: str) -> None:
        self.git("update-ref", "-d", ref)


def _person(name: str) -> str:
    name = "".join(sign for sign in name if sign.isalnum() or sign in "-_.") or "nobody"
    return f"{name} <{name}@users.hub.example>"


def _script(branch: str, change: Change, parent: str | None, seconds: int) -> bytes:
    """Say in the words of `git fast-import` what a commit does; it answers with the commit's id."""
    when = f"{_person(change.author)} {seconds} +0000"
    message = change.message.replace("\0", "").strip().encode() or b"(no message)"
    parts = [f"commit refs/heads/{branch}\nmark :1\nauthor {when}\ncommitter {when}\n".encode()]
    parts.append(b"data %d\n%s\n\n" % (len(message) + 1, message))
    if parent:
        parts.append(f"from {parent}\n".encode())
    for path, content in change.operations:
        name = _quoted(path)
        if content is None:
            parts.append(b"D %s\n" % name)
        else:
            parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(content), content))
    return b"".join([*parts, b"\nget-mark :1\ndone\n"])


def _quoted(path: str) -> bytes:
    plain = (
        b"\\%03o" % byte if byte < 32 or byte in b'"\\' else b"%c" % byte for byte in path.encode()
    )
    return b'"' + b"".join(plain) + b'"'
