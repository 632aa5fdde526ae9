"""A version to the Hub: one commit, then one tag on it, read back.

Every try begins with a look at what is there, and does what is left to do: so a try after a lost
answer, or after a kill, finds its own commit and tags it, and never makes a second one.

1. the tag is there           the same publication: done; another: refused, a tag never moves
2. the head holds ours        go to 4, with the commit that brought it
3. commit on top of the head  everything at once; if the head moved meanwhile, look again
4. tag that commit            after its files were compared with ours; then read the refs back
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imitation_data.errors import PublishError
from imitation_data.publish.publication import CARD, CHANGELOG, File, Publication
from imitation_data.publish.record import read_record
from imitation_data.publish.rendered import Pages, Rendered, There
from imitation_data.publish.repo import Held, Repo, State, Unsure
from imitation_data.versions.manifest import PUBLISH

MAIN = "main"
WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds between tries
OURS = ("data/", "ledger/")
"""Folders in which every file is ours: the card's patterns would load others as rows."""


@dataclass(frozen=True)
class Plan:
    """What a publish comes to.

    Attributes:
        branch: that it goes to: `main`, or a preview's channel.
        head: the commit it goes on top of; None where the repository is yet to be made.
        rendered: the pages beside the rows.
        there: what is there now.
        upload: bytes by file that the Hub does not hold yet at the head.
        delete: files of the version before that go.
    """

    branch: str
    head: str | None
    rendered: Rendered
    there: There
    upload: Mapping[str, int]
    delete: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """A version that stands on the Hub.

    Attributes:
        commit: that its tag names.
        new: whether this run brought it there; False if it stood already.
        plan: what was done; None if nothing was left to do.
    """

    commit: str
    new: bool
    plan: Plan | None


@dataclass
class Publisher:
    """Brings one publication into one repository.

    Attributes:
        repo: where to.
        publication: what.
        pages: how the pages beside it are written.
        private: whether a repository that is made is private, and one that is there has to be.
        replace: whether files under `data/` and `ledger/` that are not ours may be taken away.
        told: called with a sentence whenever something has to be tried again.
    """

    repo: Repo
    publication: Publication
    pages: Pages
    private: bool = False
    replace: bool = False
    told: Callable[[str], None] = lambda _: None
    committed: str = field(default="", init=False)

    def publish(self) -> Published:
        """Do what is left to do, until it is done.

        Raises:
            PublishError: the Hub refuses, or does not answer; the message says what stands.
        """
        self.repo.user()
        trouble = ""
        for wait in (*WAITS, 0.0):
            try:
                return self._once()
            except Unsure as unsure:
                if str(unsure):
                    trouble = str(unsure)
                    self.told(f"{trouble}; looking again")
                time.sleep(max(wait, unsure.wait) if str(unsure) else 0)
        state = (
            f"the commit {self.committed} is there and has no tag yet"
            if self.committed
            else "no tag was made"
        )
        raise PublishError(
            f"{self.repo.name}: gave up ({trouble}); {state}. Run the same command again to go on"
        )

    def plan(self) -> Plan | None:
        """What `publish` would do, changing nothing; None if the version stands there already."""
        state = self.repo.look()
        if self._standing(state):
            return None
        self._check_visibility(state)
        head = state.branches.get(self._branch) or state.branches.get(MAIN)
        return self._plan(head, self._there(head) if head else There({}))

    def _once(self) -> Published:
        state = self.repo.look()
        if commit := self._standing(state):
            return Published(commit, new=False, plan=None)
        self._check_visibility(state)
        if state.private is None:
            self.repo.create(private=self.private)
            raise Unsure
        branch = self._branch
        if branch not in state.branches:
            if MAIN not in state.branches:
                raise PublishError(f"{self.repo.name}: has no branch {MAIN}; make one on the Hub")
            self.repo.create_branch(branch, state.branches[MAIN])
            raise Unsure
        plan = None
        there = self._there(state.branches[branch])
        commit = self._committed(there)
        if commit is None:
            plan = self._plan(state.branches[branch], there)
            commit = self._commit(plan)
        self.committed = commit
        self._compare(commit)
        self.repo.tag(self.publication.tag, commit, str(self.publication.stored))
        found = self.repo.look().tags.get(self.publication.tag)
        if found != commit:
            raise Unsure(f"the tag reads back as {found}")
        return Published(commit, new=True, plan=plan)

    @property
    def _branch(self) -> str:
        return self.publication.stored.version.channel or MAIN

    @property
    def _mark(self) -> str:
        return f"Publication: {self.publication.digest}"

    def _standing(self, state: State) -> str | None:
        """The commit under our tag, if it holds this publication."""
        commit = state.tags.get(self.publication.tag)
        if commit is None:
            return None
        record = read_record(self.repo.read(PUBLISH, commit), self.repo.name)
        if record.get("publication") == self.publication.digest:
            return commit
        advice = (
            f"holds something else{self._asked_otherwise(record)}; a tag never moves: build and "
            "publish the next version"
            if record
            else "was not made by imitation-data; a tag never moves: take it away on the Hub"
        )
        raise PublishError(
            f"{self.repo.name}: the tag {self.publication.tag} is there (on {commit[:12]}) and "
            f"{advice}"
        )

    def _asked_otherwise(self, record: Mapping[str, Any]) -> str:
        """How to ask for what the tag holds, when its rows are ours."""
        if record.get("fingerprint") != self.publication.summary.fingerprint:
            return ""
        forms, wanted = tuple(record.get("forms") or ()), self.publication.wanted
        if (forms, bool(record.get("evidence"))) == (wanted.forms, wanted.evidence):
            return ""
        options = [f"--format {form}" for form in forms]
        options += ["--with-evidence"] if record.get("evidence") else []
        return (
            f" (the same rows, published with {' '.join(options) or 'no --format'}: ask for the "
            "same and nothing is left to do)"
        )

    def _check_visibility(self, state: State) -> None:
        if self.private and state.private is False:
            raise PublishError(
                f"{self.repo.name}: is public, and --private was asked for; make it private in its "
                "settings first, or leave --private out"
            )

    def _there(self, commit: str) -> There:
        record = read_record(self.repo.read(PUBLISH, commit), self.repo.name)
        card, changelog = (self.repo.read(name, commit) for name in (CARD, CHANGELOG))
        return There(
            record,
            None if card is None else card.decode("utf-8", "replace"),
            None if changelog is None else changelog.decode("utf-8", "replace"),
        )

    def _committed(self, there: There) -> str | None:
        """Our own commit, when an earlier try got so far; newer ones may stand on it."""
        there.refuse_other(self.publication.stored, self.repo.name)
        ours = there.record.get("publication") == self.publication.digest
        if not ours and not there.newer_than(self.publication.stored):
            return None
        return self.repo.commit_of(self._mark, self._branch)

    def _plan(self, head: str | None, there: There) -> Plan:
        branch = self._branch
        there.refuse_other(self.publication.stored, self.repo.name)
        there.refuse_older(self.publication.stored, self.repo.name)
        rendered = self.pages.render(self.publication, there)
        held = self.repo.files(head) if head else {}
        coming = {*self.publication.files, *rendered.files}
        gone = sorted(name for name in there.files if name in held and name not in coming)
        foreign = sorted(
            name
            for name in held
            if name.startswith(OURS) and name not in coming and name not in there.files
        )
        if foreign and not self.replace:
            names = ", ".join(foreign[:5]) + (" …" if foreign[5:] else "")
            raise PublishError(
                f"{self.repo.name}: holds {len(foreign):,} files that no version published from "
                f"here has brought, and that would be loaded as rows: {names}; publish to another "
                "repository, or take them away with --replace"
            )
        upload = {
            name: file.bytes
            for name, file in self.publication.files.items()
            if name not in held or not held[name].holds(file.path, file.sha256)
        }
        upload |= {name: len(content) for name, content in rendered.files.items()}
        return Plan(branch, head, rendered, there, upload, (*gone, *foreign))

    def _commit(self, plan: Plan) -> str:
        stored, summary = self.publication.stored, self.publication.summary
        add = {name: file.path for name, file in self.publication.files.items()}
        description = f"Fingerprint: {summary.fingerprint}\n{self._mark}"
        if plan.head is None:
            raise Unsure("the repository has no commit yet")
        return self.repo.commit(
            {**add, **plan.rendered.files},
            plan.delete,
            (f"v{stored.version}: {summary.facts.total.rows:,} rows", description),
            plan.branch,
            plan.head,
        )

    def _compare(self, commit: str) -> None:
        """Hold the files of a commit against ours before it gets its tag."""
        held = self.repo.files(commit)
        told = read_record(self.repo.read(PUBLISH, commit), self.repo.name).get("files", {})
        wrong = [
            name
            for name, file in self.publication.files.items()
            if not _same(held.get(name), file, told.get(name, {}))
        ]
        stray = [name for name in held if name.startswith(OURS) and name not in told]
        if wrong or stray:
            raise PublishError(
                f"{self.repo.name}: the commit {commit[:12]} does not hold what was sent "
                f"({', '.join([*wrong, *stray][:5])}); it gets no tag. Run the same command again; "
                "if it stays so, report this"
            )


def _same(held: Held | None, file: File, told: Mapping[str, Any]) -> bool:
    """Whether a file of a commit is ours, or, of a ledger that is written anew, what it told of."""
    if held is None:
        return False
    if held.holds(file.path, file.sha256):
        return True
    anew = file.path.parent.name == "ledger" and held.size == told.get("bytes")
    return anew and held.sha256 in {None, told.get("sha256")}
