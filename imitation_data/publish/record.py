"""What a published version says of itself: `publish.json`, which anybody may have written.

It comes from a repository or a folder that others write to, so it is checked whole before anything
rests on it: a name in it is joined to folders, and files of that name are read and taken away.
"""

from typing import Any, cast

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from imitation_data.errors import PublishError, StoreError
from imitation_data.versions.manifest import PUBLISH, listed_files

FORMAT = 1


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _File(_Strict):
    bytes: int
    sha256: str


class _Prints(_Strict):
    front_matter: dict[str, str] = {}
    sections: dict[str, str] = {}


class _Record(_Strict):
    name: str
    version: str
    publication: str = ""
    files: dict[str, _File]
    prints: _Prints | None = None
    retracted: list[str] = []


def read_record(content: bytes | None, where: str) -> dict[str, Any]:
    """Read a `publish.json`; empty if there is none.

    Raises:
        PublishError: it is not one that this version of imitation-data writes.
    """
    if content is None:
        return {}
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise PublishError(f"{where}/{PUBLISH}: is not JSON ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise PublishError(
            f"{where}/{PUBLISH}: has the format {found!r}; this imitation-data reads format "
            f"{FORMAT}: a newer one may have written it"
        )
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        raise PublishError(
            f"{where}/{PUBLISH}: {_first(error)}; somebody has edited it: put back the file that "
            "the last publish wrote"
        ) from error
    try:
        listed_files(record, f"{where}/{PUBLISH}")
    except StoreError as error:
        raise PublishError(str(error)) from error
    return cast("dict[str, Any]", record)


def _first(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, told["loc"]))
    return f"{place}: {told['msg']}" if place else str(told["msg"])
