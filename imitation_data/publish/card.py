"""A card that people edit on the Hub, and that is written anew with every version.

A card is its front matter, key by key, and its sections: the lines from one `## ` heading to the
next. Prints (digests) of each part as it was rendered go out beside the card, so that the next
publish knows what was edited by hand since. A part that nobody edited is replaced; one that was
edited stays; where it was edited and would change, too, both stand against each other and the
conflict is told.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import yaml

from imitation_data.errors import PublishError

MEASURED = ("configs", "size_categories", "language")
"""Keys of the front matter that follow from the rows: the Hub would load the wrong files."""

HEAD = ""  # the section before the first heading
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
Prints = Mapping[str, Mapping[str, str]]
"""`{"front_matter": {key: print}, "sections": {heading: print}}`."""


@dataclass(frozen=True)
class Card:
    """A card in parts: the keys of its front matter, and its sections by heading, in order."""

    front_matter: dict[str, object]
    sections: dict[str, str]

    def text(self) -> str:
        """The card as it is written."""
        head = yaml.safe_dump(self.front_matter, sort_keys=False, width=1000, allow_unicode=True)
        body = "\n\n".join(text.strip("\n") for text in self.sections.values() if text.strip())
        return f"---\n{head}---\n\n{body}\n" if self.front_matter else f"{body}\n"

    def prints(self) -> dict[str, dict[str, str]]:
        """Digests of its parts: 16 hex digits of SHA-256 each."""
        return {
            "front_matter": {key: _print(value) for key, value in self.front_matter.items()},
            "sections": {heading: _print(text) for heading, text in self.sections.items()},
        }


@dataclass(frozen=True, slots=True)
class Conflict:
    """A part that was edited by hand, and that the new version would change as well."""

    part: str
    theirs: str
    ours: str


@dataclass(frozen=True)
class Merged:
    """A card to be published.

    Attributes:
        card: with what was edited by hand.
        kept: parts that stay as somebody edited them.
        conflicts: of these, parts whose measured text has changed as well: theirs stands.
        replaced: keys that were edited and that only rows may set: ours stand.
    """

    card: Card
    kept: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    replaced: tuple[Conflict, ...] = ()


def parse_card(text: str, where: str = "README.md") -> Card:
    """Cut a card into its parts.

    Raises:
        PublishError: its front matter is not YAML made of keys.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    match = _FRONT.match(text)
    try:
        front = yaml.safe_load(match[1]) if match else {}
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        words = str(error).splitlines()[0]
        raise PublishError(
            f"{where}: its front matter is not YAML ({words}); mend it on the Hub, or write the "
            "card anew with --overwrite-card"
        ) from error
    if front is not None and not isinstance(front, dict):
        raise PublishError(
            f"{where}: its front matter is not made of `key: value` lines; mend it on the Hub, or "
            "write the card anew with --overwrite-card"
        )
    return Card(
        {str(key): value for key, value in (front or {}).items()},
        _sections(text[match.end() :] if match else text),
    )


def _sections(body: str) -> dict[str, str]:
    """The lines of each section, its heading with them; a heading that repeats is numbered."""
    found: dict[str, list[str]] = {HEAD: []}
    repeats: dict[str, int] = {}
    here, fence = HEAD, ""
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        elif line.startswith("## "):
            title = here = line[3:].strip()
            while here in found:
                repeats[title] = repeats.get(title, 1) + 1
                here = f"{title} ({repeats[title]})"
            found[here] = []
        found[here].append(line)
    return {heading: "\n".join(lines) for heading, lines in found.items()}


def merge(ours: Card, theirs: Card | None, prints: Prints | None) -> Merged:
    """Bring what was edited by hand into a card that was rendered anew.

    Args:
        ours: as rendered now.
        theirs: as it is on the Hub; None if there is none.
        prints: of the card as it was rendered last; None if nothing was published yet, so that
            all of theirs was written by hand.
    """
    if theirs is None:
        return Merged(ours)
    told = prints or {}
    matter = _Merge(told.get("front_matter", {}))
    front = matter.merged(
        {key: value for key, value in ours.front_matter.items() if key not in MEASURED},
        {key: value for key, value in theirs.front_matter.items() if key not in MEASURED},
    )
    measured = {key: ours.front_matter[key] for key in MEASURED if key in ours.front_matter}
    replaced = [
        Conflict(f"front matter: {key}", _plain(theirs.front_matter[key]), _plain(value))
        for key, value in measured.items()
        if key in theirs.front_matter
        and _print(theirs.front_matter[key]) not in {_print(value), matter.last.get(key)}
    ]
    parts = _Merge(told.get("sections", {}))
    sections = parts.merged(dict(ours.sections), dict(theirs.sections))
    return Merged(
        Card(front | measured, {heading: str(text) for heading, text in sections.items()}),
        (*(f"front matter: {key}" for key in matter.kept), *map(_named, parts.kept)),
        (
            *(Conflict(f"front matter: {key}", *both) for key, both in matter.conflicts.items()),
            *(Conflict(_named(key), *both) for key, both in parts.conflicts.items()),
        ),
        tuple(replaced),
    )


def _named(heading: str) -> str:
    return f"section {heading!r}" if heading else "the lines above the first section"


@dataclass
class _Merge:
    """Three states of named parts: as rendered last (prints only), theirs, ours."""

    last: Mapping[str, str]
    kept: list[str] = field(default_factory=list)
    conflicts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def merged(self, ours: dict[str, object], theirs: dict[str, object]) -> dict[str, object]:
        """All parts that stay, ours in our order, theirs after what they stood behind."""
        found = dict[str, object]()
        for name, value in ours.items():
            if name not in theirs:
                if name not in self.last:
                    found[name] = value
                    continue
                self.kept.append(name)  # somebody took it out
                if self.last[name] != _print(value):
                    self.conflicts[name] = ("", _plain(value))
                continue
            found[name] = self._chosen(name, theirs[name], value)
        return _with_own(found, self._own(theirs, ours), list(theirs))

    def _chosen(self, name: str, theirs: object, ours: object) -> object:
        if _print(theirs) in {_print(ours), self.last.get(name)}:
            return ours
        self.kept.append(name)
        if self.last.get(name) != _print(ours):
            self.conflicts[name] = (_plain(theirs), _plain(ours))
        return theirs

    def _own(self, theirs: dict[str, object], ours: dict[str, object]) -> dict[str, object]:
        """Parts that only they have, unless we had written them and they left them alone."""
        own = {
            name: value
            for name, value in theirs.items()
            if name not in ours and self.last.get(name) != _print(value) and _plain(value).strip()
        }
        self.kept += own
        return own


def _with_own(
    found: dict[str, object], own: dict[str, object], order: list[str]
) -> dict[str, object]:
    """Put their own parts behind what they stood behind."""
    behind: dict[str, list[str]] = {}
    last = ""
    leading = list[str]()
    stood = False
    for name in order:
        if name in own:
            (behind.setdefault(last, []) if stood else leading).append(name)
        elif name in found:
            last, stood = name, True
    both = found | own
    names = [each for name in found for each in (name, *behind.get(name, ()))]
    return {name: both[name] for name in (*names, *leading)}


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True).removesuffix("...\n").strip()


def _print(value: object) -> str:
    text = "\n".join(line.rstrip() for line in _plain(value).strip().split("\n"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
