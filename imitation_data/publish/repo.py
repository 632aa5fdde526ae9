"""A dataset repository on the Hub, asked patiently and never twice for what it may have done.

Reading is tried again. What changes the repository (`create`, `commit`, `tag`, …) is sent once:
when its answer is lost nobody knows whether it took effect, so `Unsure` is raised and the caller
looks before it goes on.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from imitation_data.errors import PublishError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Found = TypeVar("Found")

TRIES = 5
FIRST_WAIT = 0.25  # seconds; doubles with every try
LONGEST_WAIT = 60.0  # seconds; what a server asks for beyond it is not waited for
_BUSY = {408, 409, 412, 423, 425, 429, 500, 502, 503, 504}
_MOVED = {409, 412}
_NAME = re.compile(r"[A-Za-z0-9_](?:[\w.-]{0,94}\w)?/[A-Za-z0-9_](?:[\w.-]{0,94}\w)?", re.ASCII)


class Unsure(Exception):  # noqa: N818 - not an error: the caller looks and goes on
    """A change may or may not have taken effect, or was made (no words): look, then go on.

    Attributes:
        wait: seconds to wait before that.
    """

    def __init__(self, words: str = "", wait: float = 0) -> None:
        super().__init__(words)
        self.wait = wait


@dataclass(frozen=True)
class State:
    """A repository at a moment.

    Attributes:
        private: whether only its members see it; None if there is no such repository.
        branches, tags: commit by name.
    """

    private: bool | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A file the Hub holds: its size in bytes, its git blob or, under LFS, its SHA-256."""

    size: int
    blob: str
    sha256: str | None

    def holds(self, path: Path | bytes, sha256: str) -> bool:
        """Whether it is this content."""
        if self.sha256 is not None:
            return self.sha256 == sha256
        content = path if isinstance(path, bytes) else path.read_bytes()
        head = b"blob %d\0" % len(content)
        return self.blob == sha1(head + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Repo:
    """`org/name` on the Hub, as `huggingface_hub` speaks to it.

    The client's own variables say where and as whom: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`.
    """

    name: str

    @classmethod
    def named(cls, name: str, where: str) -> "Repo":
        """A repository by its name.

        Raises:
            PublishError: the Hub has no such names.
        """
        if not _NAME.fullmatch(name) or ".." in name or "--" in name or name.endswith(".git"):
            raise PublishError(
                f"{where} {name!r}: expected org/name on the Hub (letters, digits, '-', '_', '.', "
                "none of the last two at an end, and neither '--' nor '..' nor '.git')"
                + (", or folder:PATH" if where == "--to" else "")
            )
        return cls(name)

    @cached_property
    def api(self) -> "HfApi":
        from huggingface_hub import HfApi  # noqa: PLC0415 - takes a second
        from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

        disable_progress_bars()
        return HfApi()

    @property
    def url(self) -> str:
        """The page people see."""
        endpoint = re.sub(r"//[^/@]*@", "//", str(self.api.endpoint))  # a password stays here
        return f"{endpoint}/datasets/{self.name}"

    def user(self) -> str:
        """Who the token belongs to.

        Raises:
            PublishError: there is no token, or the Hub does not know it.
        """
        from huggingface_hub import errors  # noqa: PLC0415

        try:
            return str(self._read("whoami", self.api.whoami)["name"])
        except errors.LocalTokenNotFoundError as error:
            raise PublishError(
                "no token for the Hub; log in with `hf auth login`, or set HF_TOKEN to a token "
                "with the right to write"
            ) from error
        except UnicodeEncodeError as error:
            raise PublishError(
                "the token holds a character that no token has; set HF_TOKEN to the token alone"
            ) from error

    def look(self) -> State:
        """Read what there is: visibility, branches, tags."""
        from huggingface_hub import errors  # noqa: PLC0415

        try:
            info = self._read("repo_info", lambda: self.api.dataset_info(self.name))
            refs = self._read(
                "refs", lambda: self.api.list_repo_refs(self.name, repo_type="dataset")
            )
        except errors.RepositoryNotFoundError:
            return State()
        return State(
            bool(info.private),
            {ref.name: ref.target_commit for ref in refs.branches},
            {ref.name: ref.target_commit for ref in refs.tags},
        )

    def files(self, commit: str) -> dict[str, Held]:
        """The files of a commit, by path."""
        from huggingface_hub.hf_api import RepoFile  # noqa: PLC0415

        def listed() -> list[object]:
            tree = self.api.list_repo_tree(
                self.name, recursive=True, revision=commit, repo_type="dataset"
            )
            return list(tree)

        return {
            entry.path: Held(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in self._read("tree", listed)
            if isinstance(entry, RepoFile)
        }

    def read(self, path: str, commit: str) -> bytes | None:
        """The content of a file at a commit; None if it is not there."""
        from huggingface_hub import errors  # noqa: PLC0415

        def fetched() -> bytes:
            found = self.api.hf_hub_download(self.name, path, repo_type="dataset", revision=commit)
            return Path(found).read_bytes()

        try:
            return self._read(path, fetched)
        except errors.RemoteEntryNotFoundError:
            return None

    def commit_of(self, mark: str, branch: str) -> str | None:
        """The oldest commit of a branch whose message holds `mark`; None if there is none."""
        commits = self._read(
            "commits",
            lambda: self.api.list_repo_commits(self.name, repo_type="dataset", revision=branch),
        )
        ours = [one.commit_id for one in commits if mark in f"{one.title}\n{one.message}"]
        return ours[-1] if ours else None

    def create(self, *, private: bool) -> None:
        """Make the repository."""
        with self._changing(f"{self.name} cannot be made"):
            self.api.create_repo(self.name, repo_type="dataset", private=private, exist_ok=True)

    def create_branch(self, branch: str, commit: str) -> None:
        """Begin a branch at a commit."""
        with self._changing(f"the branch {branch} cannot be made"):
            self.api.create_branch(
                self.name, branch=branch, revision=commit, repo_type="dataset", exist_ok=True
            )

    def commit(
        self,
        add: Mapping[str, Path | bytes],
        delete: Sequence[str],
        message: tuple[str, str],
        branch: str,
        parent: str,
    ) -> str:
        """Make one commit on top of `parent`; returns its oid.

        Raises:
            Unsure: the answer was lost, or the branch is no longer at `parent`.
            PublishError: the Hub refuses.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415

        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(name, content) for name, content in sorted(add.items())
        ]
        operations += [CommitOperationDelete(name) for name in sorted(delete)]
        with self._changing(f"no commit can be made in {self.name}"):
            done = self.api.create_commit(
                self.name,
                operations,
                commit_message=message[0],
                commit_description=message[1],
                repo_type="dataset",
                revision=branch,
                parent_commit=parent,
            )
            return str(done.oid)
        raise AssertionError

    def tag(self, tag: str, commit: str, message: str) -> None:
        """Name a commit."""
        with self._changing(f"the tag {tag} cannot be made in {self.name}"):
            self.api.create_tag(
                self.name, tag=tag, tag_message=message, revision=commit, repo_type="dataset"
            )

    def delete_tag(self, tag: str) -> None:
        """Take a tag away; the commit it named stays."""
        with self._changing(f"the tag {tag} cannot be taken away in {self.name}"):
            self.api.delete_tag(self.name, tag=tag, repo_type="dataset")

    def _read(self, what: str, call: Callable[[], Found]) -> Found:
        """Ask until there is an answer, a few times at most."""
        wait = FIRST_WAIT
        for tries in range(1, TRIES + 1):
            try:
                return call()
            except _network() as error:
                status, asked = _told(error)
                if _for_the_caller(error):
                    raise
                if status is not None and status not in _BUSY:
                    raise _refused(error, f"{what} of {self.name} cannot be read") from error
                if tries == TRIES or asked > LONGEST_WAIT:
                    raise PublishError(
                        f"{self.name}: the Hub gives no answer ({what}: {_words(error)}); check "
                        "the network, and HF_ENDPOINT; then run the same command again"
                    ) from error
                time.sleep(max(wait, asked))
                wait *= 2
        raise AssertionError

    @contextmanager
    def _changing(self, refused: str) -> Iterator[None]:
        """Send once; say what the Hub refuses for good, and raise `Unsure` for all else."""
        try:
            yield
        except _network() as error:
            status, asked = _told(error)
            if status is not None and status not in _BUSY:
                raise _refused(error, refused) from error
            if asked > LONGEST_WAIT:
                raise PublishError(
                    f"{refused} now: the Hub asks to wait {asked:,.0f} s; run the same command "
                    "again then"
                ) from error
            moved = "the branch has moved" if status in _MOVED else ""
            raise Unsure(moved or _words(error), asked) from error


def _network() -> tuple[type[Exception], ...]:
    """Errors of the client, and those of the HTTP library beneath it, which have its bases."""
    from huggingface_hub import errors  # noqa: PLC0415

    bases = cast("tuple[type[Exception], ...]", errors.HfHubHTTPError.__bases__)
    return (*bases, errors.LocalEntryNotFoundError, errors.LocalTokenNotFoundError)


def _told(error: Exception) -> tuple[int | None, float]:
    """The status of an answer (None if there was none), and the seconds it asks to wait."""
    response = getattr(error, "response", None)
    if response is None:
        return None, 0
    after = str(response.headers.get("Retry-After", ""))
    return response.status_code, float(after) if after.isdecimal() else 0


def _for_the_caller(error: Exception) -> bool:
    """Whether it says that something is not there, rather than that it cannot be asked for."""
    from huggingface_hub import errors  # noqa: PLC0415

    missing = (
        errors.RepositoryNotFoundError,
        errors.RemoteEntryNotFoundError,
        errors.RevisionNotFoundError,
        errors.LocalTokenNotFoundError,
    )
    return isinstance(error, missing)


def _refused(error: Exception, what: str) -> PublishError:
    """Words for what trying again does not mend."""
    status, _ = _told(error)
    advice = {
        401: "the Hub does not know this token; log in with `hf auth login`, or set HF_TOKEN",
        403: "the token has no right to do this; it needs the right to write there",
    }
    words = advice.get(status or 0)
    return PublishError(
        f"{what}: {words} ({_words(error)})" if words else f"{what}: {_words(error)}"
    )


def _words(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    message = getattr(error, "server_message", None)
    return str(message or (lines[-1] if lines else type(error).__name__))[:300]
