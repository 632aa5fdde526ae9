"""What the loopback Hub tells of a repository: facts, trees, refs, commits and files."""

import json
from collections.abc import Iterable
from hashlib import md5
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from tests.servers.hub_card import front_matter
from tests.servers.hub_git import Commit, Entry, Repository, dated
from tests.servers.hub_http import RefusedError, Reply, Request
from tests.servers.hub_lfs import download_url

if TYPE_CHECKING:
    from tests.servers.hub import Hub

GROUPS = {"refs/heads/": "branches", "refs/tags/": "tags", "refs/convert/": "converts"}


def commit_at(repository: Repository, revision: str) -> str:
    """Find the commit of a revision.

    Raises:
        RefusedError: as a missing revision.
    """
    if found := repository.resolve(revision):
        return found
    raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def info(request: Request, repository: Repository, name: str, revision: str) -> Reply:
    """Tell the facts of a repository at a revision, with its files."""
    commit = commit_at(repository, revision)
    tree = repository.tree(commit)
    (last,) = repository.log(commit, count=1)
    readme = tree.get("README.md")
    matter = front_matter(repository.content(readme).decode(errors="replace")) if readme else {}
    return Reply.of(
        {
            "_id": md5(name.encode(), usedforsecurity=False).hexdigest()[:24],
            "id": name,
            "author": name.partition("/")[0],
            "sha": commit,
            "createdAt": dated(last.seconds),
            "lastModified": last.date,
            "private": repository.private,
            "gated": "auto" if repository.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "cardData": matter if isinstance(matter, dict) else {},
            "siblings": [
                _sibling(entry, facts=request.flag("blobs"))
                for entry in tree.values()
                if entry.kind == "file"
            ],
        }
    )


def _sibling(entry: Entry, *, facts: bool) -> dict[str, object]:
    found: dict[str, object] = {"rfilename": entry.path}
    if facts:
        found |= {"size": entry.size, "blobId": entry.oid}
        if entry.pointer:
            found["lfs"] = {
                "sha256": entry.pointer.oid,
                "size": entry.pointer.size,
                "pointerSize": len(entry.pointer.text()),
            }
    return found


def _described(entry: Entry, last: Commit | None) -> dict[str, object]:
    found: dict[str, object] = {
        "type": entry.kind,
        "oid": entry.oid,
        "size": entry.size,
        "path": entry.path,
    }
    if entry.pointer:
        size = len(entry.pointer.text())
        found["lfs"] = {"oid": entry.pointer.oid, "size": entry.size, "pointerSize": size}
    if last:
        found["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return found


def _describe(
    repository: Repository, commit: str, entries: Iterable[Entry], *, expand: bool
) -> list[dict[str, object]]:
    last = repository.last_changes(commit) if expand else {}
    return [_described(entry, last.get(entry.path)) for entry in entries]


def tree(hub: "Hub", request: Request, repository: Repository, revision: str, folder: str) -> Reply:
    """List a folder, or all below it, a page at a time."""
    commit = commit_at(repository, revision)
    entries = repository.tree(commit)
    if folder and getattr(entries.get(folder), "kind", "") != "directory":
        raise _no_entry(folder, commit)
    inside = [
        entry for path, entry in entries.items() if path.startswith(f"{folder}/" * bool(folder))
    ]
    if not request.flag("recursive"):
        depth = folder.count("/") + bool(folder)
        inside = [entry for entry in inside if entry.path.count("/") == depth]
    start = request.number("cursor", 0)
    end = start + min(hub.page, request.number("limit", hub.page))
    page = _describe(repository, commit, inside[start:end], expand=request.flag("expand"))
    reply = Reply.of(page)
    reply.headers["X-Repo-Commit"] = commit
    if end < len(inside):
        reply.headers["Link"] = _next(hub, request, "cursor", end)
    return reply


def _next(hub: "Hub", request: Request, name: str, value: int) -> str:
    query = urlencode({**request.query, name: [str(value)]}, doseq=True)
    return f'<{hub.endpoint}{request.url.partition("?")[0]}?{query}>; rel="next"'


def paths_info(request: Request, repository: Repository, revision: str) -> Reply:
    """Describe the paths that are named in a form and are there."""
    commit = commit_at(repository, revision)
    body = request.body().decode()
    if request.headers.get_content_type() == "application/json":
        asked = json.loads(body)
        names, expand = asked.get("paths", []), bool(asked.get("expand"))
    else:
        form = parse_qs(body)
        names, expand = form.get("paths", []), form.get("expand") in (["true"], ["True"])
    entries = repository.tree(commit)
    named = (name.strip("/") for name in names)
    found = [entries[name] for name in named if name in entries]
    return Reply.of(_describe(repository, commit, found, expand=expand))


def refs(repository: Repository) -> Reply:
    """List branches and tags, each with the commit it stands for."""
    found: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": []}
    for each in repository.refs():
        for prefix, group in GROUPS.items():
            if each.ref.startswith(prefix):
                name = each.ref.removeprefix(prefix)
                found[group].append({"name": name, "ref": each.ref, "targetCommit": each.commit})
    return Reply.of({**found, "pullRequests": []})


def commits(hub: "Hub", request: Request, repository: Repository, revision: str) -> Reply:
    """List commits, newest first, a page at a time."""
    commit = commit_at(repository, revision)
    page, count = request.number("p", 0), min(hub.page, request.number("limit", 50))
    found = repository.log(commit, page * count, count + 1)
    reply = Reply.of(
        [
            {
                "id": each.oid,
                "title": each.title,
                "message": each.message.partition("\n")[2].strip(),
                "authors": [{"user": each.author}],
                "date": each.date,
            }
            for each in found[:count]
        ]
    )
    if len(found) > count:
        reply.headers["Link"] = _next(hub, request, "p", page + 1)
    return reply


def _no_entry(path: str, commit: str) -> RefusedError:
    error = RefusedError(404, f"{path} does not exist at {commit}", "EntryNotFound")
    error.headers["X-Repo-Commit"] = commit
    return error


def resolve(hub: "Hub", repository: Repository, place: str, revision: str, path: str) -> Reply:
    """Send a file, or say where the storage has it."""
    commit = commit_at(repository, revision)
    entry = repository.tree(commit).get(path)
    if entry is None or entry.kind != "file":
        raise _no_entry(path, commit)
    headers = {"X-Repo-Commit": commit, "ETag": f'"{entry.oid}"'}
    if entry.pointer is None:
        headers |= {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        return Reply(200, repository.content(entry), headers)
    headers |= {
        "ETag": f'"{entry.pointer.oid}"',
        "X-Linked-Etag": f'"{entry.pointer.oid}"',
        "X-Linked-Size": str(entry.size),
        "Location": download_url(hub, place, entry.pointer.oid),
    }
    return Reply(302, b"", headers)
