"""A version on its way to S3, so that readers see all of it or nothing, whoever writes or dies.

1. `.claim` with the manifest's SHA-256, created only if absent (If-None-Match): one writer a
   number.
2. The files, each proven by its checksum. What lies there already is not sent again.
3. `manifest.json`, created only if absent: from now on the version exists.

Equal bytes may be written by many: a build that was killed is finished by the next one, here or on
another machine.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

from imitation_data.checksum import checksum
from imitation_data.errors import StoreError
from imitation_data.versions.fetch import at_once
from imitation_data.versions.manifest import MANIFEST, Listed
from imitation_data.versions.remote import CLAIM, Remote, in_words
from imitation_data.versions.semver import Version

WHOLE = 64 << 20  # bytes that go in one request, with their checksum; more go in parts


def upload(remote: Remote, folder: Path, name: str, version: Version) -> None:
    """Write a version that lies whole in a folder.

    Args:
        remote: an S3 store.
        folder: with a manifest.
        name: of the dataset.
        version: its number.

    Raises:
        StoreError: another build writes or wrote this number, or S3 refuses; run again later.
    """
    _Upload(remote, folder, name, version, (folder / MANIFEST).read_bytes()).run()


@dataclass(frozen=True)
class _Upload:
    """One version to write."""

    remote: Remote
    folder: Path
    name: str
    version: Version
    manifest: bytes

    def run(self) -> None:
        digest = sha256(self.manifest).hexdigest().encode()
        created = self._create(CLAIM, digest)
        if self._read(MANIFEST) not in {None, self.manifest}:
            raise StoreError(self._taken())
        self._hold(digest, created=created)
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        files = sorted(path.relative_to(self.folder).as_posix() for path in paths)
        self._clear({*files, CLAIM})
        at_once(self._send, [file for file in files if file != MANIFEST])
        if self._read(CLAIM) != digest:  # gc took it for that of a dead build
            raise StoreError(
                f"{self._key(CLAIM)}: the claim of this build is gone; was `imitation-data gc` run "
                "meanwhile? Run the build again"
            )
        if not self._create(MANIFEST, self.manifest) and self._read(MANIFEST) != self.manifest:
            raise StoreError(self._taken())
        if self._read(MANIFEST) != self.manifest:
            raise StoreError(f"{self._key(MANIFEST)}: was not written; run the build again")

    def _key(self, file: str) -> str:
        return self.remote.path(self.name, f"v{self.version}", file)

    def _read(self, file: str) -> bytes | None:
        return self.remote.read(self.name, f"v{self.version}", file)

    def _taken(self) -> str:
        return (
            f"{self.name}@{self.version} was written to {self.remote} by another build meanwhile; "
            "run the build again: its number is computed anew, on top of that version"
        )

    def _hold(self, digest: bytes, *, created: bool) -> None:
        """See that the number is claimed for these bytes, and that a claim keeps others off."""
        if self._read(CLAIM) != digest:
            raise StoreError(
                f"{self.name}@{self.version} is being written to {self.remote} by another build, "
                "or one was killed: wait for it and run again, or clear claims older than a day: "
                f"imitation-data gc {self.name} --store {self.remote} (--older-than HOURS)"
            )
        if not created:  # it counts from now on as made by us
            with in_words(self.remote.url):
                self.remote.files.pipe_file(self._key(CLAIM), digest)
        if self._create(CLAIM, digest):
            raise StoreError(
                f"{self.remote}: its server ignores If-None-Match, so two builds could write one "
                "version; versions can be written to Amazon S3 and to servers that keep to it"
            )

    def _clear(self, own: set[str]) -> None:
        """Remove what a dead build of other bytes left under this number, which is ours now."""
        there = self.remote.objects(self.name, f"v{self.version}")
        with in_words(self.remote.url):
            for file in there.keys() - own:
                self.remote.files.rm_file(self._key(file))

    def _create(self, file: str, content: bytes) -> bool:
        """Create an object; say whether it was not there."""
        with in_words(self.remote.url):
            try:
                self.remote.files.pipe_file(self._key(file), content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if "ConditionalRequestConflict" in str(error):  # somebody else, at this moment
                    return False
                raise
        return True

    def _send(self, file: str) -> None:
        path, key = self.folder / file, self._key(file)
        listed = Listed(path.stat().st_size, checksum(path))
        with in_words(self.remote.url):
            if self._lies_there(key, path, listed):
                return
            if listed.bytes <= WHOLE:
                sums = {"ChecksumSHA256": b64encode(bytes.fromhex(listed.sha256)).decode()}
                self.remote.files.pipe_file(key, path.read_bytes(), **sums)
            else:
                self.remote.files.put_file(str(path), key)
            if not self._lies_there(key, path, listed):
                raise StoreError(
                    f"{key}: was sent and is not what was sent; expected {listed.bytes:,} bytes "
                    f"with SHA-256 {listed.sha256}; run the build again"
                )

    def _lies_there(self, key: str, path: Path, listed: Listed) -> bool:
        """Whether an object is proven to be the file: by its checksum, its MD5, or its bytes."""
        head = self._head(key)
        if head is None or head.get("ContentLength") != listed.bytes:
            return False
        known = str(head.get("ChecksumSHA256") or "")
        if known and "-" not in known:  # with a dash it is one of parts
            return known == b64encode(bytes.fromhex(listed.sha256)).decode()
        with path.open("rb") as file:
            own = _md5(file.read()) if listed.bytes <= WHOLE else ""
        if own and str(head.get("ETag", "")).strip('"') == own:
            return True
        return self._digest(key) == listed.sha256

    def _head(self, key: str) -> dict[str, Any] | None:
        bucket, name, _ = self.remote.files.split_path(key)
        where = {"Bucket": bucket, "Key": name, "ChecksumMode": "ENABLED"}
        try:
            head: dict[str, Any] = self.remote.files.call_s3("head_object", **where)
        except FileNotFoundError:
            return None
        return head

    def _digest(self, key: str) -> str:
        found = sha256()
        with self.remote.files.open(key, "rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
        return found.hexdigest()


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()
