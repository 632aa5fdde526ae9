"""Large files of the loopback Hub: pointers in git, objects in the repository's folder `lfs`.

Speaks what `huggingface_hub` does of the git-lfs batch API, and plays the storage behind it: a host
of its own, whose URLs are signed and whose requests carry no token.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.servers.hub_http import RefusedError, Reply, Request

if TYPE_CHECKING:
    from tests.servers.hub import Hub

POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
LARGE = 10_000_000  # bytes; such files are LFS whatever their name
ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in ("*.arrow", "*.gz", "*.parquet", "*.png", "*.tar", "*.zip", "*.zst")
).encode()  # what a repository begins with


@dataclass(frozen=True, slots=True)
class Pointer:
    """What git has of a large file."""

    oid: str  # its SHA-256
    size: int

    def text(self) -> bytes:
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.oid}\nsize {self.size}\n".encode()


def parse_pointer(text: bytes) -> Pointer | None:
    found = POINTER.fullmatch(text)
    return Pointer(found[1].decode(), int(found[2])) if found else None


class LfsFiles:
    """Objects by their SHA-256, each stored whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, oid: str) -> Path:
        return self.folder / "objects" / oid[:2] / oid[2:4] / oid

    def size(self, oid: str) -> int | None:
        """Bytes of an object, None where there is none."""
        known = re.fullmatch("[0-9a-f]{64}", oid) and self.path(oid).is_file()
        return self.path(oid).stat().st_size if known else None

    def put(self, pieces: Iterable[bytes], oid: str = "") -> Pointer:
        """Store contents under their SHA-256.

        Raises:
            RefusedError: if they are not those of `oid`.
        """
        partial = self.folder / "incoming" / uuid4().hex
        partial.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        try:
            with partial.open("wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    size += file.write(piece)
            found = Pointer(digest.hexdigest(), size)
            if oid not in {"", found.oid}:
                raise RefusedError(400, f"the contents are those of {found.oid}, not of {oid}")
            self.path(found.oid).parent.mkdir(parents=True, exist_ok=True)
            partial.replace(self.path(found.oid))
        finally:
            partial.unlink(missing_ok=True)
        return found

    # Parts of one object, until they are joined

    def _part(self, oid: str, number: int) -> Path:
        return self.folder / "parts" / oid / str(number)

    def put_part(self, oid: str, number: int, content: bytes) -> str:
        """Keep one part and name it by its ETag."""
        self._part(oid, number).parent.mkdir(parents=True, exist_ok=True)
        self._part(oid, number).write_bytes(content)
        return f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    def join(self, oid: str, etags: Mapping[int, str]) -> None:
        """Make an object of its parts.

        Raises:
            RefusedError: if a part is missing or another one, or they are not those of `oid`.
        """

        def parts() -> Iterator[bytes]:
            for number in range(1, len(etags) + 1):
                path = self._part(oid, number)
                content = path.read_bytes() if path.is_file() else b""
                if etags.get(number) != f'"{hashlib.sha256(content).hexdigest()[:32]}"':
                    raise RefusedError(400, f"part {number} of {oid} is not what was uploaded")
                yield content

        self.put(parts(), oid)
        shutil.rmtree(self._part(oid, 1).parent)


def is_large(path: str, size: int, attributes: bytes) -> bool:
    """Whether a file goes to LFS: by its size, or by its name as .gitattributes says."""
    large = path.endswith(".parquet")
    for line in attributes.decode(errors="replace").splitlines():
        pattern, *words = line.split() or ["#"]
        if not pattern.startswith("#") and _matches(pattern, path):
            for word in words:
                if word in {"filter=lfs", "-filter", "!filter"}:
                    large = word == "filter=lfs"
    return size > 0 and (large or size >= LARGE)


def _matches(pattern: str, path: str) -> bool:
    """Match as .gitattributes does: a pattern without a slash means names in any folder."""
    if "/" not in pattern.rstrip("/"):
        path = path.rpartition("/")[2]
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.lstrip("/"))
    return bool(re.fullmatch("".join(signs.get(word, re.escape(word)) for word in words), path))


# The batch API, at the Hub


def batch(hub: "Hub", request: Request, kind: str, name: str) -> Reply:
    """Say for each object where it is to be put, or that it is there."""
    body = request.json()
    upload = body.get("operation") != "download"
    repository = hub.writable(request, kind, name) if upload else hub.readable(request, kind, name)
    asked = [Pointer(str(each["oid"]), int(each["size"])) for each in body["objects"]]
    if not all(re.fullmatch("[0-9a-f]{64}", each.oid) for each in asked):
        raise RefusedError(422, "an oid is not a SHA-256 in hexadecimal")
    answers = []
    for each in asked:
        answer: dict[str, object] = {"oid": each.oid, "size": each.size, "authenticated": True}
        known = repository.lfs.size(each.oid)
        place = f"{kind}/{name}"
        if upload and known is None:
            answer["actions"] = _upload(hub, place, each)
        elif upload and known != each.size:
            answer["error"] = {"code": 422, "message": f"this object has {known} bytes"}
        elif not upload and known is None:
            answer["error"] = {"code": 404, "message": "no such object"}
        elif not upload:
            answer["actions"] = {"download": {"href": download_url(hub, place, each.oid)}}
        answers.append(answer)
    return Reply.of({"transfer": "basic", "objects": answers}, kind="application/vnd.git-lfs+json")


def _upload(hub: "Hub", place: str, asked: Pointer) -> dict[str, object]:
    verify = {"href": f"{hub.endpoint}/{place}.git/info/lfs/verify", "header": {}}
    url = signed(hub, "PUT", f"/upload/{place}/{asked.oid}")
    if hub.part_bytes is None or asked.size <= hub.part_bytes:
        return {"upload": {"href": url, "header": {}}, "verify": verify}
    header: dict[str, str] = {"chunk_size": str(hub.part_bytes)}
    for number in range(1, ceil(asked.size / hub.part_bytes) + 1):
        header[str(number)] = signed(hub, "PUT", f"/parts/{place}/{asked.oid}/{number}")
    done = signed(hub, "POST", f"/join/{place}/{asked.oid}")
    return {"upload": {"href": done, "header": header}, "verify": verify}


def verify(hub: "Hub", request: Request, kind: str, name: str) -> Reply:
    """Say whether an object arrived whole."""
    body = request.json()
    known = hub.writable(request, kind, name).lfs.size(str(body["oid"]))
    if known != body["size"]:
        raise RefusedError(404, f"no object {body['oid']} of {body['size']} bytes")
    return Reply.of({})


def download_url(hub: "Hub", place: str, oid: str) -> str:
    return signed(hub, "GET", f"/objects/{place}/{oid}")


# The storage, a host of its own


def signed(hub: "Hub", method: str, path: str) -> str:
    return f"{hub.storage}{path}?signature={_signature(hub, method, path)}"


def _signature(hub: "Hub", method: str, path: str) -> str:
    return hashlib.sha256(f"{hub.secret} {method} {path}".encode()).hexdigest()[:32]


def answer_storage(hub: "Hub", request: Request) -> Reply:
    """Answer as a bucket does: to signed URLs only, and to no token."""
    method = "GET" if request.method == "HEAD" else request.method
    if "authorization" in request.headers:
        raise RefusedError(400, "a signed URL and a token: only one is allowed")
    if request.query.get("signature") != [_signature(hub, method, request.path)]:
        raise RefusedError(403, "the signature is not that of this URL")
    verb, kind, owner, name, oid, *rest = request.parts
    lfs = hub.repository(kind, f"{owner}/{name}").lfs
    if (method, verb) == ("PUT", "upload"):
        lfs.put(request.pieces(), oid)
        return Reply(200, headers={"ETag": f'"{oid}"'})
    if (method, verb) == ("PUT", "parts"):
        return Reply(200, headers={"ETag": lfs.put_part(oid, int(rest[0]), request.body())})
    if (method, verb) == ("POST", "join"):
        parts = request.json()["parts"]
        lfs.join(oid, {int(part["partNumber"]): str(part["etag"]) for part in parts})
        return Reply.of({})
    if lfs.size(oid) is None:
        raise RefusedError(404, "no such object")
    return Reply(200, lfs.path(oid), {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})
