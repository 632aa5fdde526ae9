"""Stores behind a URL: what lies there, and what goes wrong on the way, in words.

s3://bucket/prefix/NAME/v1.2.0/   the files of a version as in a folder; it exists once its
                                  `manifest.json` is there, which is written last

Only S3 is written to; whatever else fsspec opens can be read. Keys come from where the filesystem
looks for them (for S3 the environment and `~/.aws`), never from the URL.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import md5, sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from imitation_data.atomic import write_whole
from imitation_data.errors import StoreError
from imitation_data.versions.manifest import MANIFEST
from imitation_data.versions.semver import Version

CLAIM = ".claim"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ETAG = re.compile(r"[0-9a-f]{32}")
_USER = re.compile(r"(?<=//)[^/@\s]+@")
_EXTRAS = {
    "s3": "imitation-data[s3]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def is_url(location: str) -> bool:
    """Whether a store's location is a URL and no path."""
    return "://" in location


@dataclass(frozen=True, slots=True)
class Mark:
    """What a listing tells of an object: its size in bytes and its ETag, "" where it has none."""

    size: int | None
    etag: str

    def fits(self, content: bytes) -> bool:
        """Whether an object with this mark surely has this content."""
        known = _ETAG.fullmatch(self.etag) is not None and self.size == len(content)
        return known and md5(content, usedforsecurity=False).hexdigest() == self.etag


@dataclass(frozen=True)
class Remote:
    """A store behind a URL.

    Attributes:
        url: without a slash at its end; it holds no keys.
        cache: local folder for what is fetched from it and what builds leave.
    """

    url: str
    cache: Path

    def __str__(self) -> str:
        return self.url

    @property
    def scheme(self) -> str:
        """What stands before `://`."""
        return self.url.partition("://")[0]

    @property
    def writable(self) -> bool:
        """Whether versions can be written."""
        return self.scheme == "s3"

    @cached_property
    def files(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The filesystem; it keeps no listings, since others write too.

        Raises:
            StoreError: what reads such URLs is not installed, or there is no such thing.
        """
        settings = sorted(one for one in os.environ.items() if one[0].startswith("AWS_"))
        try:
            return _filesystem(self.scheme, tuple(settings), os.getpid())
        except ImportError as error:
            package = _EXTRAS.get(self.scheme)
            words = f'pip install "{package}"' if package else str(error)
            raise StoreError(f"{self.url}: a package that reads it is missing: {words}") from error
        except ValueError as error:
            raise StoreError(
                f"{self.url}: nothing is known that reads {self.scheme}://; expected a folder, or "
                "s3://bucket/prefix"
            ) from error

    def path(self, *parts: str) -> str:
        """The filesystem's name of something in the store."""
        base = str(self.files._strip_protocol(self.url)).rstrip("/")  # noqa: SLF001
        return "/".join((base, *parts))

    def names(self) -> list[str]:
        """Folders that may be datasets, sorted."""
        return sorted(name for name in self._folders() if not name.startswith("."))

    def versions(self, name: str) -> dict[Version, Mark]:
        """The versions of a dataset that are whole, with the marks of their manifests.

        Raises:
            StoreError: the store cannot be read.
        """
        found = {}
        if self.scheme == "s3":  # one request for a thousand objects
            for key, info in self.objects(name).items():
                folder, _, file = key.partition("/")
                version = _version(folder)
                if version and file == MANIFEST:
                    found[version] = _mark(info)
            return found
        for folder in self._folders(name):
            version = _version(folder)
            there = self._info(name, folder, MANIFEST) if version else None
            if version and there:
                found[version] = _mark(there)
        return found

    def objects(self, *parts: str) -> dict[str, dict[str, Any]]:
        """What lies below a folder, by relative path; an empty dict where nothing does."""
        top = self.path(*parts)
        with in_words(self.url):
            try:
                found: dict[str, dict[str, Any]] = self.files.find(top, detail=True)
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return {}
        return {key[len(top) + 1 :]: info for key, info in sorted(found.items()) if key != top}

    def read(self, *parts: str) -> bytes | None:
        """Read a small object; None where there is none.

        Raises:
            StoreError: it cannot be read.
        """
        with in_words(self.url):
            try:
                content: bytes = self.files.cat_file(self.path(*parts))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None
        return content

    def manifest_file(self, name: str, version: Version, mark: Mark) -> Path:
        """A local copy of a version's manifest, read again when it may have changed."""
        path = self.cache / ".manifests" / name / f"v{version}.json"
        if path.is_file() and mark.fits(path.read_bytes()):
            return path
        content = self.read(name, f"v{version}", MANIFEST)
        if content is None:
            raise StoreError(f"{self.url}: {name}@{version} was there and is gone; run again")
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content, StoreError)
        return path

    def _folders(self, *parts: str) -> list[str]:
        """Names of the folders in a folder."""
        with in_words(self.url):
            try:
                found = self.files.ls(self.path(*parts), detail=True)
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return []
        folders = (one["name"] for one in found if one["type"] == "directory")
        return [str(name).rstrip("/").rsplit("/", 1)[-1] for name in folders]

    def _info(self, *parts: str) -> dict[str, Any] | None:
        with in_words(self.url):
            try:
                info: dict[str, Any] = self.files.info(self.path(*parts))
            except FileNotFoundError:
                return None
        return info


@lru_cache(maxsize=8)
def _filesystem(scheme: str, settings: tuple[tuple[str, str], ...], process: int) -> Any:  # noqa: ANN401
    """Open a filesystem, once for equal settings: S3's client takes a quarter of a second."""
    import fsspec  # noqa: PLC0415 - a tenth of a second

    del settings, process
    made = fsspec.get_filesystem_class(scheme)
    return made(use_listings_cache=False, skip_instance_cache=True)


def remote_at(url: str) -> Remote:
    """Open a URL as a store; nothing is asked of it yet.

    Raises:
        StoreError: it is no such URL, or it holds a key.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise StoreError("the store is no URL that can be read; expected s3://bucket") from error
    shown = f"{parts.scheme}://…{parts.path}"
    if not _SCHEME.fullmatch(url.partition("://")[0]) or not parts.netloc + parts.path.strip("/"):
        raise StoreError(f"{shown}: is no store; expected a folder, or s3://bucket/prefix")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise StoreError(
            f"{shown}: holds a user, a key or a query, which would get into messages; give keys as "
            "the filesystem expects them (for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE) and name the store without"
        )
    plain = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return Remote(plain, cache_folder(plain))


def cache_folder(url: str) -> Path:
    """Where a store's files lie on this machine; another endpoint is another store."""
    base = os.environ.get("IMITATION_CACHE")
    folder = Path(base).expanduser() if base else Path.home() / ".cache" / "imitation-data"
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    named = f"{url}\n{endpoint if url.startswith('s3:') else ''}"
    return folder / "stores" / sha256(named.encode()).hexdigest()[:16]


def _version(folder: str) -> Version | None:
    return Version.parse(folder) if folder.startswith("v") else None


def _mark(info: dict[str, Any]) -> Mark:
    size = info.get("size")
    return Mark(size if isinstance(size, int) else None, str(info.get("ETag") or "").strip('"'))


def _code(error: BaseException) -> str:
    """What S3 calls an error, as `NoSuchBucket`; "" for any other."""
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _refuse_missing_bucket(error: FileNotFoundError) -> None:
    """A missing object is an answer; a missing bucket is a mistake.

    Raises:
        FileNotFoundError: the same again, for the bucket.
    """
    if _code(error) == "NoSuchBucket":
        raise error


def _failures() -> tuple[type[BaseException], ...]:
    """What filesystems raise; S3's library adds kinds of its own when it is there."""
    import aiohttp  # noqa: PLC0415 - where something has gone wrong

    kinds: tuple[type[BaseException], ...] = (OSError, aiohttp.ClientError, TimeoutError)
    try:
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
        )
    except ImportError:
        return kinds
    return (*kinds, BotoCoreError, ClientError)


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """Turn what a filesystem raises into a sentence.

    Raises:
        StoreError: something was raised.
    """
    try:
        yield
    except _failures() as error:
        raise StoreError(f"{url}: {_words(error)}") from error


def _words(error: BaseException) -> str:
    code, kind = _code(error), type(error).__name__
    told = _USER.sub("", str(error).strip() or kind)
    if code == "NoSuchBucket":
        return "there is no such bucket; make it, or look at the name and at AWS_ENDPOINT_URL"
    if kind in {"NoCredentialsError", "PartialCredentialsError"}:
        return (
            "no credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE with ~/.aws/credentials"
        )
    if isinstance(error, PermissionError):
        return (
            f"access is denied ({code or told}); look at the credentials (AWS_ACCESS_KEY_ID, "
            "AWS_PROFILE) and at what they may do there"
        )
    unreached = {"EndpointConnectionError", "ConnectTimeoutError", "ClientConnectorError"}
    if kind in unreached or isinstance(error, ConnectionError | TimeoutError):
        return f"cannot be reached ({told}); look at the network and at AWS_ENDPOINT_URL"
    return f"failed with {code or kind} ({told})"
