"""A version to a folder: the same files as on the Hub, for another host, or a look before.

The folder is whole when its `publish.json` is there: it goes first and comes last, and every other
file is replaced whole. Until it comes, `.publish.json.before` says what lay there and what was to
come, so that a publish that is cut off can be gone on with. What else lies in the folder (a `.git`,
notes) stays.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from imitation_data.atomic import whole_file, write_whole
from imitation_data.errors import PublishError
from imitation_data.publish.publication import CARD, CHANGELOG, Publication
from imitation_data.publish.record import read_record
from imitation_data.publish.rendered import Pages, Rendered, There
from imitation_data.versions.manifest import PUBLISH

FOLDER = "folder:"
BEFORE = ".publish.json.before"


def named_folder(reference: str) -> Path:
    """The folder that `folder:PATH` names.

    Raises:
        PublishError: it names none.
    """
    path = reference.removeprefix(FOLDER)
    try:
        if path.strip():
            return Path(path).expanduser()
    except RuntimeError as error:  # there is no such user
        raise PublishError(f"{reference}: {error}; name the folder in full") from error
    raise PublishError(f"{reference}: names no folder; expected folder:PATH")


def there_in(folder: Path) -> There:
    """What lies in a folder.

    Raises:
        PublishError: it cannot be read, or its record is not one of ours.
    """

    def text(name: str) -> str | None:
        path = folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None

    try:
        path = folder / PUBLISH
        path = path if path.is_file() else folder / BEFORE
        content = path.read_bytes() if path.is_file() else None
        return There(read_record(content, str(folder)), text(CARD), text(CHANGELOG))
    except OSError as error:
        raise PublishError(f"{folder}: cannot be read ({error.strerror})") from error


def publish_to_folder(
    publication: Publication, folder: Path, pages: Pages, *, replace: bool = False
) -> Rendered:
    """Write a publication into a folder.

    Args:
        publication: what.
        folder: where to; made if it is not there.
        pages: how the pages beside it are written.
        replace: whether files under `data/` and `ledger/` that are not ours may be taken away.

    Raises:
        PublishError: the folder holds another dataset or foreign rows, or cannot be written.
    """
    there = there_in(folder)
    rendered, old = planned(publication, folder, pages, there, replace=replace)
    _begin(folder, there.record, publication, rendered)
    for name, file in publication.files.items():
        with whole_file(folder / name, PublishError) as out, file.path.open("rb") as stream:
            shutil.copyfileobj(stream, out, 1 << 20)
    for path in old:
        path.unlink()
    for name, content in rendered.files.items():
        if name != PUBLISH:
            write_whole(folder / name, content, PublishError)
    write_whole(folder / PUBLISH, rendered.files[PUBLISH], PublishError)
    (folder / BEFORE).unlink()
    return rendered


def planned(
    publication: Publication, folder: Path, pages: Pages, there: There, *, replace: bool = False
) -> tuple[Rendered, list[Path]]:
    """Render the pages, and tell which files have to go; nothing is written.

    Raises:
        PublishError: as `publish_to_folder`.
    """
    there.refuse_other(publication.stored, str(folder))
    there.refuse_older(publication.stored, str(folder))
    taken = [name for name in publication.files if (folder / name).exists()]
    if taken and not there.record and not replace:
        raise PublishError(
            f"{folder}: holds {', '.join(taken[:5])} and was not published into from here; name a "
            "folder of its own, or write over them with --replace"
        )
    rendered = pages.render(publication, there)
    coming = {*publication.files, *rendered.files}
    return rendered, _old(folder, coming, there.files, replace=replace)


def _begin(
    folder: Path, record: Mapping[str, Any], publication: Publication, rendered: Rendered
) -> None:
    """Say that the folder is not whole, whose its files are, and how its card was rendered last."""
    coming = read_record(rendered.files[PUBLISH], str(folder))
    files = {name: file.plain() for name, file in publication.files.items()}
    files |= coming["files"] | record.get("files", {})
    content = orjson.dumps({**(record or {**coming, "retracted": []}), "files": files})
    write_whole(folder / BEFORE, content, PublishError)
    (folder / PUBLISH).unlink(missing_ok=True)


def _old(
    folder: Path, coming: set[str], ours: Mapping[str, object], *, replace: bool
) -> list[Path]:
    """Files that would be taken for rows of this version and are none."""
    present = {
        path.relative_to(folder).as_posix(): path
        for name in ("data", "ledger")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }
    present |= {name: folder / name for name in ours if (folder / name).is_file()}
    old = {name: path for name, path in present.items() if name not in coming}
    foreign = [name for name in old if name not in ours]
    if foreign and not replace:
        raise PublishError(
            f"{folder}: holds {len(foreign):,} files that no version published here has brought, "
            f"and that would be loaded as rows: {', '.join(foreign[:5])}; name another folder, or "
            "take them away with --replace"
        )
    return list(old.values())
