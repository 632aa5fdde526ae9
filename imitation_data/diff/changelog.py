"""The changelog of a dataset: a section for each version, written from its diff.

What is written here stands between two comments, so that it can be written anew:

    ## 1.1.0

    Anything written by hand stays.

    <!-- diff 1a2b3c4d -->
    Minor: …
    <!-- /diff -->

The digits are a digest of what stands between. Where they do not fit it any more, somebody has
written into it, and it is left as it is.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from imitation_data import display
from imitation_data.diff.causes import Cause
from imitation_data.diff.compare import Diff, compare
from imitation_data.diff.match import KINDS
from imitation_data.diff.order import NUMBER, order_of, previous_of
from imitation_data.diff.sides import side_of
from imitation_data.versions.store import StoredVersion

_HEADING = re.compile(rf"##[ \t]+v?({NUMBER})(?:[ \t].*)?")
_OPENING = re.compile(r"<!-- diff ([0-9a-f]{8}) -->")
_CLOSING = "<!-- /diff -->"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CAUSES = 30  # told in a section
WITHDRAWN = "**Withdrawn.**"  # begins the line that says so


def changelog_of(versions: Sequence[StoredVersion], known: Collection[str] = ()) -> list[str]:
    """Write the sections of all versions of a dataset, newest first.

    Each is compared with the newest release before it, which takes its time.

    Args:
        versions: all there are.
        known: numbers of versions that have a section already, and need none.

    Raises:
        StoreError: a version cannot be read.
        SourceError: its data cannot be.
    """
    sections = []
    for version in sorted(versions, key=lambda one: order_of(str(one.version)), reverse=True):
        if str(version.version) in known:
            continue
        previous = previous_of(version, versions)
        diff = compare(side_of(previous), side_of(version)) if previous else None
        sections.append(section(diff, version, previous))
    return sections


def section(diff: Diff | None, version: StoredVersion, previous: StoredVersion | None) -> str:
    """Write the section of one version: Markdown that begins with its heading.

    Args:
        diff: from the previous version to this one; None for a first version.
        version: the version.
        previous: what it was compared with.

    Raises:
        StoreError: its manifest cannot be read.
    """
    if diff is None or previous is None:
        blocks = _first(version)
    else:
        blocks = [_bump(diff, str(previous.version)), _table(diff)]
        blocks += _list("Why:", _told(diff.causes))
        for topic, sentences in diff.changes.words.items() if diff.changes else ():
            blocks += _list(f"{topic.capitalize()}:", sentences)
    return "\n\n".join([f"## {version.version}", *filter(None, blocks)]) + "\n"


def _first(version: StoredVersion) -> list[str]:
    """What a version holds that has none before it."""
    manifest = version.manifest
    splits = _counts(manifest.get("splits"))
    facts = manifest.get("facts")
    sources = _counts(facts.get("sources")) if isinstance(facts, dict) else {}
    total = sum(splits.values())
    return [
        f"First version: {total:,} rows.",
        *_list("Splits:", [f"{name}: {count:,} rows" for name, count in sorted(splits.items())]),
        *_list("Sources:", [f"{name}: {count:,} rows" for name, count in sorted(sources.items())]),
    ]


def _counts(table: object) -> dict[str, int]:
    """Rows by name, out of a table of numbers or of tallies."""
    found = {}
    for name, one in table.items() if isinstance(table, dict) else ():
        count = one.get("rows") if isinstance(one, dict) else one
        if isinstance(count, int):
            found[str(name)] = count
    return found


def _bump(diff: Diff, previous: str) -> str:
    bump = "patch" if diff.bump == "none" else diff.bump  # or there were no such version
    return f"{bump.capitalize()}: {diff.verdict(previous)}."


def _table(diff: Diff) -> str:
    """Rows by source and kind; kinds and sources without rows are left out."""
    kinds = [kind for kind in KINDS if diff.counts[kind]]
    if not kinds:
        return ""
    lines = ["| source | " + " | ".join(kinds) + " |", "|---|" + "--:|" * len(kinds)]
    for source, counts in diff.by_source.items():
        numbers = " | ".join(f"{counts[kind]:,}" for kind in kinds)
        lines.append(f"| {display.markdown(source, cell=True) or '(none)'} | {numbers} |")
    if len(diff.by_source) > 1:
        numbers = " | ".join(f"{diff.counts[kind]:,}" for kind in kinds)
        lines.append(f"| all | {numbers} |")
    return "\n".join(lines)


def _told(causes: Sequence[Cause]) -> list[str]:
    more = causes[_CAUSES:]
    rest = [f"{sum(one.rows for one in more):,} more rows, for {len(more):,} more reasons"]
    return [*map(str, causes[:_CAUSES]), *(rest if more else [])]


def _list(title: str, sentences: Iterable[str]) -> list[str]:
    lines = [f"- {display.markdown_prose(' '.join(sentence.split()))}" for sentence in sentences]
    return [title, "\n".join(lines)] if lines else []


@dataclass
class _Part:
    """A part of a changelog: the text before the first section, or a section.

    Attributes:
        version: of the section; "" for the text before.
        lines: all of it, with line ends.
        begin: index of the line that opens what was written here; -1 where there is none.
        end: index of the line that closes it; -1 where there is none.
    """

    version: str
    lines: list[str]
    begin: int = -1
    end: int = -1

    @property
    def written(self) -> str:
        """What stands between the comments; line ends do not count."""
        return "".join(self.lines[self.begin + 1 : self.end]).replace("\r\n", "\n")

    @property
    def edited(self) -> bool:
        """Whether somebody has written between the comments, or taken one of them away."""
        if self.begin < 0:
            return False
        match = cast("re.Match[str]", _OPENING.fullmatch(self.lines[self.begin].rstrip("\r\n")))
        return self.end < 0 or match[1] != _digest(self.written)


def merge(existing: str | None, name: str, sections: Iterable[str]) -> str:
    """Put sections into a changelog, newest first; what was written by hand stays as it is.

    A section whose generated part was edited is left alone; `edited` tells which.

    Args:
        existing: the file as it is; None where there is none.
        name: of the dataset.
        sections: as `section` writes them, in any order.

    Returns:
        The whole file.
    """
    parts = _parts(existing or f"# Changelog of {display.markdown_prose(name)}\n")
    for text in sections:
        heading, _, body = text.partition("\n")
        version = heading.removeprefix("## ")
        mine = next((part for part in parts if part.version == version), None)
        if mine is None:
            _insert(parts, _Part(version, [f"{heading}\n"]))
            mine = next(part for part in parts if part.version == version)
        if not mine.edited:
            _write(mine, body.strip("\n") + "\n", last=mine is parts[-1])
    return "".join(line for part in parts for line in part.lines)


def edited(existing: str) -> tuple[str, ...]:
    """Name the versions whose generated part was edited by hand, in the order they stand in."""
    return tuple(part.version for part in _parts(existing) if part.version and part.edited)


def by_hand(existing: str) -> dict[str, list[str]]:
    """What people wrote: the lines outside generated parts, by version ("" above the first)."""
    found: dict[str, list[str]] = {}
    for part in _parts(existing):
        begin = part.begin if part.begin >= 0 else len(part.lines)
        end = part.end + 1 if part.end >= 0 else len(part.lines)
        first = 1 if part.version else 0  # below the heading
        lines = [*part.lines[first:begin], *part.lines[end:]]
        told = [line.strip() for line in lines if line.strip()]
        found[part.version] = [*found.get(part.version, ()), *told]
    return found


def withdrawn(existing: str, version: str, reason: str) -> str:
    """Write under a version's heading that it was withdrawn, once.

    Args:
        existing: the changelog; a heading is made where it has none.
        version: which.
        reason: one paragraph, or none.
    """
    if any(line.startswith(WITHDRAWN) for line in by_hand(existing).get(version, ())):
        return existing
    parts = _parts(existing)
    if not any(part.version == version for part in parts):
        _insert(parts, _Part(version, [f"## {version}\n"]))
    mine = next(part for part in parts if part.version == version)
    words = " ".join((WITHDRAWN, *reason.split()))
    mine.lines[:1] = [f"{mine.lines[0].rstrip()}\n", "\n", f"{words}\n"]
    return "".join(line for part in parts for line in part.lines)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _parts(text: str) -> list[_Part]:
    """Cut a changelog at the headings that name a version, code and generated parts apart."""
    parts = [_Part("", [])]
    lines = list(_lines(text))
    fenced = _fenced(lines)
    for place, line in enumerate(lines):
        part, plain = parts[-1], line.rstrip("\r\n")
        inside = part.begin >= 0 and part.end < 0
        heading = _HEADING.fullmatch(plain)
        if inside and plain == _CLOSING:
            part.end = len(part.lines)
        elif heading and place not in fenced:
            parts.append(_Part(heading[1], []))
        elif part.version and part.begin < 0 and place not in fenced and _OPENING.fullmatch(plain):
            part.begin = len(part.lines)
        parts[-1].lines.append(line)
    return parts


def _fenced(lines: Sequence[str]) -> set[int]:
    """Lines of code blocks; a fence that nothing closes opens none."""
    found: set[int] = set()
    fence, begin = "", 0
    for place, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence, begin = mark[1], place
        elif mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
            found.update(range(begin, place + 1))
            fence = ""
    return found


def _lines(text: str) -> Iterator[str]:
    """Lines with their ends; only line feeds end one."""
    return (match[0] for match in re.finditer(r"[^\n]*\n|[^\n]+", text))


def _insert(parts: list[_Part], part: _Part) -> None:
    """Put a new section before the first that is older."""
    mine = order_of(part.version)
    older = (
        place for place, one in enumerate(parts) if one.version and order_of(one.version) < mine
    )
    place = next(older, len(parts))
    _end_with_blank(parts[place - 1])
    parts.insert(place, part)


def _write(part: _Part, body: str, *, last: bool) -> None:
    """Put the generated part in its place, or at the end of the section where it has none."""
    block = [f"<!-- diff {_digest(body)} -->\n", *_lines(body), f"{_CLOSING}\n"]
    after = len(block) - 1
    if part.begin < 0:
        _end_with_blank(part)
        part.begin, part.end = len(part.lines), len(part.lines) - 1
        block += [] if last else ["\n"]
    elif part.written == body:
        return
    part.lines[part.begin : part.end + 1] = block
    part.end = part.begin + after


def _end_with_blank(part: _Part) -> None:
    """End a part with a blank line, so that what follows is a paragraph of its own."""
    if part.lines and not part.lines[-1].endswith("\n"):
        part.lines[-1] += "\n"
    if part.lines and part.lines[-1].strip("\r\n"):
        part.lines.append("\n")
