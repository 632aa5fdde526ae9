"""Withdraw a published version: its tag goes, what is in the history stays, and that is said."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from imitation_data.diff.changelog import withdrawn
from imitation_data.display import terminal
from imitation_data.errors import PublishError
from imitation_data.publish.hub import MAIN, WAITS
from imitation_data.publish.publication import CHANGELOG
from imitation_data.publish.record import read_record
from imitation_data.publish.repo import Repo, Unsure
from imitation_data.versions.manifest import PUBLISH
from imitation_data.versions.semver import Version


@dataclass(frozen=True, slots=True)
class Retracted:
    """What became of a version.

    Attributes:
        commit: that its tag named.
        head: whether the head of `main` still holds its rows.
    """

    commit: str
    head: bool


def retract(repo: Repo, version: Version, reason: str) -> Retracted:
    """Withdraw a version: note it in the changelog and the record, then take its tag away.

    Its number is not used again. The commit stays in the history, and copies stay where they are.

    Args:
        repo: where it was published.
        version: which.
        reason: for the changelog, one paragraph.

    Raises:
        PublishError: there is no such tag, or the Hub refuses or does not answer.
    """
    repo.user()
    trouble, commit = "", ""
    for wait in (*WAITS, 0.0):
        try:
            return _once(repo, version, reason, commit)
        except _Marked as marked:
            commit = marked.commit
        except Unsure as unsure:
            trouble = str(unsure)
            time.sleep(max(wait, unsure.wait) if trouble else 0)
    raise PublishError(f"{repo.name}: gave up ({trouble}); run the same command again to go on")


class _Marked(Exception):  # noqa: N818 - a step is done
    def __init__(self, commit: str) -> None:
        super().__init__()
        self.commit = commit


def _once(repo: Repo, version: Version, reason: str, known: str) -> Retracted:
    state = repo.look()
    if state.private is None:
        raise PublishError(f"{repo.name}: the Hub has no such dataset, or it is private")
    head = state.branches[MAIN]
    record = read_record(repo.read(PUBLISH, head), repo.name)
    tag, number = f"v{version}", str(version)
    commit = state.tags.get(tag)
    noted = number in record.get("retracted", [])
    if commit is None and not noted:
        there = ", ".join(sorted(state.tags)) or "none"
        raise PublishError(f"{repo.name}: has no tag {tag}; its tags: {there}")
    if not noted:
        _note(repo, head, record, (number, reason))
        raise Unsure
    if commit is not None:
        repo.delete_tag(tag)
        raise _Marked(commit)
    return Retracted(known, head=record.get("version") == number)


def _note(repo: Repo, head: str, record: Mapping[str, Any], what: tuple[str, str]) -> None:
    number, reason = what
    if not record:
        raise PublishError(
            f"{repo.name}: its head has no {PUBLISH}; it holds nothing that was published from here"
        )
    text = (repo.read(CHANGELOG, head) or b"").decode("utf-8", "replace")
    changed = {**record, "retracted": sorted({*record.get("retracted", []), number})}
    content = withdrawn(text, number, terminal(reason)).encode("utf-8", "replace")
    files = dict(changed["files"])
    files[CHANGELOG] = _plain(content)
    changed["files"] = files
    told = orjson.dumps(changed, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    repo.commit(
        {CHANGELOG: content, PUBLISH: told},
        (),
        (f"Withdraw v{number}", terminal(reason)),
        MAIN,
        head,
    )


def _plain(content: bytes) -> dict[str, object]:
    from hashlib import sha256  # noqa: PLC0415

    return {"bytes": len(content), "sha256": sha256(content).hexdigest()}
