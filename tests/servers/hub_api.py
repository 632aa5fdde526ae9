"""What the loopback Hub is asked to do: which request means what, and all that writes."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servers import hub_files, hub_lfs
from tests.servers.hub_card import NO_MATTER, front_matter, wrongs
from tests.servers.hub_git import BadNameError, Change, MovedError, Repository, TakenError
from tests.servers.hub_http import RefusedError, Reply, Request
from tests.servers.hub_lfs import ATTRIBUTES, Pointer, is_large

if TYPE_CHECKING:
    from tests.servers.hub import Hub

KINDS = ("datasets", "models", "spaces")


def answer(hub: "Hub", request: Request) -> Reply:  # noqa: PLR0911 — a table
    """Find what a request means, and do it.

    Raises:
        RefusedError: with the status and code that the client is to see.
    """
    method = "GET" if request.method == "HEAD" else request.method
    match method, request.parts:
        case "GET", ("api", "whoami-v2"):
            return _whoami(hub, request)
        case "POST", ("api", "validate-yaml"):
            return _validate(request)
        case "POST", ("api", "repos", "create"):
            return _create(hub, request)
        case "DELETE", ("api", "repos", "delete"):
            return _delete(hub, request)
        case _, ("api", kind, owner, name, *rest) if kind in KINDS:
            return _repository(hub, request, (kind, f"{owner}/{name}"), rest)
        case _, (kind, owner, name, *rest) if kind in KINDS:
            return _files(hub, request, (kind, f"{owner}/{name}"), rest)
        case _, (owner, name, *rest):
            return _files(hub, request, ("models", f"{owner}/{name}"), rest)
    raise RefusedError(404, f"nothing at {request.path}")


def _files(hub: "Hub", request: Request, repo: tuple[str, str], rest: Sequence[str]) -> Reply:
    kind, name = repo
    match request.method, rest:
        case "GET" | "HEAD", ("resolve", revision, *path):
            repository = hub.readable(request, kind, name)
            place = f"{kind}/{name}"
            return hub_files.resolve(hub, repository, place, revision, "/".join(path))
        case "POST", ("info", "lfs", "objects", "batch"):
            return hub_lfs.batch(hub, request, kind, name.removesuffix(".git"))
        case "POST", ("info", "lfs", "verify"):
            return hub_lfs.verify(hub, request, kind, name.removesuffix(".git"))
    raise RefusedError(404, f"nothing at {request.path}")


def _repository(hub: "Hub", request: Request, repo: tuple[str, str], rest: Sequence[str]) -> Reply:
    if request.method in {"GET", "HEAD"} or rest[:1] == ["paths-info"]:
        return _told(hub, request, repo, rest)
    return _written(hub, request, hub.writable(request, *repo), rest)


def _written(  # noqa: PLR0911 — a table
    hub: "Hub", request: Request, repository: Repository, rest: Sequence[str]
) -> Reply:
    user = hub.person(request).user
    match request.method, rest:
        case "POST", ("preupload", revision):
            return _preupload(request, repository, revision)
        case "POST", ("commit", branch):
            return _commit(hub, request, repository, branch)
        case "POST", ("tag", revision):
            body = request.json()
            commit = hub_files.commit_at(repository, revision)
            message = str(body.get("message") or "")
            return _point(repository, f"refs/tags/{body.get('tag')}", commit, message, user)
        case "POST", ("branch", branch):
            start = str(request.json().get("startingPoint") or "main")
            commit = hub_files.commit_at(repository, start)
            return _point(repository, f"refs/heads/{branch}", commit)
        case "DELETE", ("tag", tag):
            return _unpoint(repository, f"refs/tags/{tag}")
        case "DELETE", ("branch", branch):
            return _unpoint(repository, f"refs/heads/{branch}")
        case "PUT", ("settings",):
            body = request.json()
            private = body.get("private", body.get("visibility", "") == "private")
            repository.keep(private=bool(private), gated=bool(body.get("gated")))
            return Reply.of({})
    raise RefusedError(404, f"nothing at {request.path}")


def _told(hub: "Hub", request: Request, repo: tuple[str, str], rest: Sequence[str]) -> Reply:
    repository = hub.readable(request, *repo)
    match rest:
        case ():
            return hub_files.info(request, repository, repo[1], "main")
        case ("revision", revision):
            return hub_files.info(request, repository, repo[1], revision)
        case ("tree", revision, *path):
            folder = "/".join(path).strip("/")
            return hub_files.tree(hub, request, repository, revision, folder)
        case ("paths-info", revision):
            return hub_files.paths_info(request, repository, revision)
        case ("refs",):
            return hub_files.refs(repository)
        case ("commits", revision):
            return hub_files.commits(hub, request, repository, revision)
    raise RefusedError(404, f"nothing at {request.path}")


def _whoami(hub: "Hub", request: Request) -> Reply:
    person = hub.person(request)
    if person is None:
        raise RefusedError(401, "Invalid username or password.")
    role = "write" if person.write else "read"
    organisations = [name for name in person.namespaces if name != person.user]
    token = {"type": "access_token", "accessToken": {"displayName": "tests", "role": role}}
    return Reply.of(
        {
            "type": "user",
            "id": person.user,
            "name": person.user,
            "fullname": person.user,
            "orgs": [{"type": "org", "name": name, "fullname": name} for name in organisations],
            "auth": token,
        }
    )


def _validate(request: Request) -> Reply:
    content = str(request.json().get("content", ""))
    found = [{"message": each} for each in wrongs(content)]
    missing = [] if front_matter(content) else [{"message": NO_MATTER}]
    return Reply.of({"errors": found, "warnings": missing}, 400 if found else 200)


def _named(hub: "Hub", request: Request) -> tuple[dict[str, object], str, str]:
    body = request.json()
    person = hub.person(request)
    if person is None:
        raise RefusedError(401, "Invalid username or password.")
    owner = str(body.get("organization") or person.user)
    return body, f"{body.get('type') or 'model'}s", f"{owner}/{body.get('name')}"


def _create(hub: "Hub", request: Request) -> Reply:
    body, kind, name = _named(hub, request)
    hub.allow(request, name, f"create a repository under the namespace {name.partition('/')[0]!r}")
    private = body.get("visibility") == "private" or body.get("private") is True
    place = name if kind == "models" else f"{kind}/{name}"
    answer = {"url": f"{hub.endpoint}/{place}", "name": name, "id": name, "private": private}
    user = hub.person(request).user
    first = Change(user, "initial commit", [(".gitattributes", ATTRIBUTES)])
    if not hub.found(kind, name, first, private=private):
        return Reply.of({"error": f"You already created this {kind[:-1]} repo", **answer}, 409)
    return Reply.of(answer)


def _delete(hub: "Hub", request: Request) -> Reply:
    _, kind, name = _named(hub, request)
    hub.writable(request, kind, name)
    hub.remove(kind, name)
    return Reply.of({})


def _point(
    repository: Repository, ref: str, commit: str, message: str = "", user: str = ""
) -> Reply:
    try:
        repository.create_ref(ref, commit, message, user)
    except BadNameError as error:
        raise RefusedError(400, f"Invalid reference name: {ref}") from error
    except TakenError as error:
        raise RefusedError(409, f"Reference already exists: {ref}") from error
    return Reply.of({"ref": ref, "targetCommit": commit})


def _unpoint(repository: Repository, ref: str) -> Reply:
    if ref == "refs/heads/main":
        raise RefusedError(403, "main cannot be deleted")
    if repository.resolve(ref) is None:
        raise RefusedError(404, f"Invalid rev id: {ref}", "RevisionNotFound")
    repository.delete_ref(ref)
    return Reply.of({})


# Commits


def _preupload(request: Request, repository: Repository, revision: str) -> Reply:
    tree = repository.tree(hub_files.commit_at(repository, revision))
    attributes = tree.get(".gitattributes")
    rules = repository.content(attributes) if attributes else b""
    answers = []
    for each in request.json().get("files", []):
        path, known = str(each["path"]), tree.get(str(each["path"]))
        mode = "lfs" if is_large(path, int(each["size"]), rules) else "regular"
        answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
        if known and known.kind == "file":
            answer["oid"] = known.pointer.oid if known.pointer else known.oid
        answers.append(answer)
    return Reply.of({"files": answers})


@dataclass
class _Plan:
    """A commit as its lines say."""

    header: dict[str, str] = field(default_factory=dict)
    operations: list[tuple[str, bytes | None]] = field(default_factory=list)


def _commit(hub: "Hub", request: Request, repository: Repository, branch: str) -> Reply:
    if request.flag("create_pr"):
        raise RefusedError(400, "this Hub has no pull requests")
    with repository.lock:
        head = repository.head(branch)
        if head is None:
            raise RefusedError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        plan = _read_plan(repository, head, request.body())
        parent = plan.header.get("parentCommit") or head
        if not head.startswith(parent):
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        message = f"{plan.header['summary']}\n\n{plan.header.get('description') or ''}"
        change = Change(hub.person(request).user, message, plan.operations)
        try:
            oid = repository.commit(branch, change, head)
        except MovedError as error:
            raise RefusedError(412, f"{branch} has moved meanwhile") from error
    url = f"{hub.endpoint}/{repository.place}/commit/{oid}"
    return Reply.of({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})


def _read_plan(repository: Repository, head: str, body: bytes) -> _Plan:
    plan, known = _Plan(), {path: entry.kind for path, entry in repository.tree(head).items()}
    for number, line in enumerate(body.splitlines(), start=1):
        try:
            row = json.loads(line)
            key, value = row["key"], row["value"]
            if key == "header":
                plan.header = {name: text for name, text in value.items() if text}
                continue
            path = _checked_path(str(value["path"]))
            content = _content(repository, key, value)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise RefusedError(400, f"line {number} of the commit: {error!r}") from error
        if content is None:
            _forget(known, path, "directory" if key == "deletedFolder" else "file")
        else:
            known[path] = "file"
        if path == "README.md" and content and (found := wrongs(content.decode(errors="replace"))):
            raise RefusedError(400, f"Invalid metadata in README.md: {'; '.join(found)}")
        plan.operations.append((path, content))
    if "summary" not in plan.header:
        raise RefusedError(400, "a commit needs a header with a summary")
    return plan


def _forget(known: dict[str, str], path: str, kind: str) -> None:
    if known.get(path) != kind:
        raise RefusedError(404, f"A {kind} with this name doesn't exist: {path}", "EntryNotFound")
    for below in [each for each in known if each == path or each.startswith(f"{path}/")]:
        del known[below]


def _checked_path(path: str) -> str:
    path = path.rstrip("/")
    parts = path.split("/")
    if not path or "\0" in path or any(part in {"", ".", "..", ".git"} for part in parts):
        raise ValueError(f"no path for a file: {path!r}")
    path.encode()
    return path


def _content(repository: Repository, key: str, value: dict[str, object]) -> bytes | None:
    if key in {"deletedFile", "deletedFolder"}:
        return None
    if key == "file":
        text = str(value["content"])
        if value.get("encoding", "base64") == "base64":
            return base64.b64decode(text, validate=True)
        return text.encode()
    if key != "lfsFile":
        raise ValueError(f"unknown key {key!r}")
    oid = str(value["oid"])
    size = repository.lfs.size(oid)
    if size is None or size != value.get("size", size):
        raise ValueError(f"LFS pointer pointed to a file that does not exist: {oid}")
    return Pointer(oid, size).text()
