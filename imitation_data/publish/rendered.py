"""Card, changelog and Croissant description of a publication, on top of what lies there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path
from typing import Any

from imitation_data.diff.changelog import WITHDRAWN, by_hand, changelog_of, edited, withdrawn
from imitation_data.diff.changelog import merge as merge_changelog
from imitation_data.display import terminal
from imitation_data.errors import PublishError
from imitation_data.publish.card import Merged, merge, parse_card
from imitation_data.publish.croissant import Place, PublishedFile, croissant_json
from imitation_data.publish.publication import (
    CARD,
    CHANGELOG,
    CROISSANT,
    Publication,
)
from imitation_data.report.card import TEMPLATE, card_md
from imitation_data.versions.manifest import PUBLISH
from imitation_data.versions.semver import Version
from imitation_data.versions.store import StoredVersion


@dataclass(frozen=True)
class There:
    """What lies where a version is to go.

    Attributes:
        record: of the version published last, as `publish.json` holds it; empty if there is none.
        card: the card as it is now; None if there is none.
        changelog: the same.
    """

    record: Mapping[str, Any]
    card: str | None = None
    changelog: str | None = None

    @property
    def files(self) -> dict[str, Mapping[str, Any]]:
        """Files of the version published last, with size and checksum."""
        return dict(self.record.get("files", {}))

    @property
    def retracted(self) -> list[str]:
        """Versions that were withdrawn."""
        return list(self.record.get("retracted", []))

    def newer_than(self, stored: StoredVersion) -> Version | None:
        """The version published last, if it is newer."""
        last = Version.parse(str(self.record.get("version")))
        return last if last is not None and last > stored.version else None

    def refuse_other(self, stored: StoredVersion, where: str) -> None:
        """Stop where another dataset lies, or where this version was withdrawn.

        Raises:
            PublishError: it does.
        """
        if self.record and self.record.get("name") != stored.name:
            raise PublishError(
                f"{where}: holds the dataset {self.record.get('name')!r}, not {stored.name!r}; "
                "publish somewhere else"
            )
        if str(stored.version) in self.retracted:
            raise PublishError(
                f"{where}: v{stored.version} was withdrawn there; its number is not used again: "
                "build the next version"
            )

    def refuse_older(self, stored: StoredVersion, where: str) -> None:
        """Stop where a newer version would be taken back.

        Raises:
            PublishError: there is one.
        """
        if last := self.newer_than(stored):
            raise PublishError(
                f"{where}: already has v{last}; v{stored.version} would take it back. Publish "
                "versions oldest first"
            )


@dataclass(frozen=True)
class Rendered:
    """What is written for people.

    Attributes:
        files: by name.
        card: and what of it was edited by hand.
        edited: versions whose generated part of the changelog somebody has written into: it stays.
    """

    files: Mapping[str, bytes]
    card: Merged
    edited: tuple[str, ...]


@dataclass(frozen=True)
class Pages:
    """How the pages beside a version are to be written.

    Attributes:
        repo: `org/name`, or "" for a folder.
        place: where and when it is published, for Croissant.
        versions: all versions of the dataset up to this one, oldest first.
        changelog: the curator's own changelog; None where there is none.
        overwrite: whether what was edited by hand gives way.
    """

    repo: str
    place: Place
    versions: Sequence[StoredVersion]
    changelog: Path | None = None
    overwrite: bool = False

    def render(self, publication: Publication, there: There) -> Rendered:
        """Write them, and the record of everything."""
        card = self._card(publication, there)
        changelog = self._changelog(publication, there)
        summary = replace(publication.summary, repo=self.repo)
        files = {
            name: PublishedFile(file.bytes, file.sha256)
            for name, file in publication.files.items()
            if name.endswith((".parquet", ".jsonl")) and not name.startswith("ledger/")
        }
        rendered = {
            CARD: card.card.text().encode("utf-8", "replace"),
            CHANGELOG: changelog.encode("utf-8", "replace"),
            CROISSANT: croissant_json(summary, self.place, files),
        }
        prints = parse_card(self._fresh(publication)).prints()
        rendered[PUBLISH] = publication.record(rendered, prints, there.retracted)
        return Rendered(rendered, card, edited(changelog))

    def _fresh(self, publication: Publication) -> str:
        path = publication.stored.path / TEMPLATE
        own = path.read_text(encoding="utf-8") if path.is_file() else None
        return card_md(own, replace(publication.summary, repo=self.repo))

    def _card(self, publication: Publication, there: There) -> Merged:
        ours = parse_card(self._fresh(publication))
        if self.overwrite or there.card is None:
            return Merged(ours)
        return merge(ours, parse_card(there.card), there.record.get("prints"))

    def _changelog(self, publication: Publication, there: There) -> str:
        own = self._own_changelog()
        if own is not None and not self.overwrite:
            self._refuse_lost_words(own, there)
        text = own if own is not None else there.changelog
        self._refuse_gap(publication.stored, there, text or "")
        # What was told once stays: a version that has left the store would be told otherwise.
        stands = by_hand(text or "").keys() - {str(publication.stored.version)}
        sections = changelog_of(self.versions, stands)
        merged = merge_changelog(text, publication.stored.name, sections)
        noted = by_hand(there.changelog or "")
        for version in there.retracted:
            for line in noted.get(version, ()):
                if line.startswith(WITHDRAWN):
                    merged = withdrawn(merged, version, line.removeprefix(WITHDRAWN))
        return merged

    def _refuse_gap(self, stored: StoredVersion, there: There, text: str) -> None:
        """Stop where the changelog would tell of a first version, and there is one before it."""
        last = there.record.get("version")
        known = {str(one.version) for one in self.versions}
        if last and last not in known and str(stored.version) not in by_hand(text):
            raise PublishError(
                f"v{last} of {stored.name} is published and not in the store, so nobody can tell "
                f"what v{stored.version} changes; `imitation-data pull` it first"
            )

    def _own_changelog(self) -> str | None:
        if self.changelog is None or not self.changelog.is_file():
            return None
        try:
            return self.changelog.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise PublishError(
                f"{self.changelog}: cannot be read as UTF-8 text ({error}); mend it, or name "
                "another folder with --card"
            ) from error

    def _refuse_lost_words(self, own: str, there: There) -> None:
        """Stop where somebody wrote into the published changelog what the curator's has not."""
        told = there.files.get(CHANGELOG)
        if told is None or there.changelog is None:
            return
        if sha256(there.changelog.encode()).hexdigest() == told["sha256"]:
            return
        mine = {line for lines in by_hand(own).values() for line in lines}
        lost = [
            line
            for lines in by_hand(there.changelog).values()
            for line in lines
            if line not in mine and not line.startswith(WITHDRAWN)
        ]
        if lost:
            shown = "\n".join(f"  {terminal(line, 200, line=True)}" for line in lost[:10])
            raise PublishError(
                f"{CHANGELOG}: somebody wrote into it where it was published, and {self.changelog} "
                f"has not these lines:\n{shown}\ntake over what is right, or give them up with "
                "--overwrite-card"
            )


def differences(before: str, after: str, name: str) -> str:
    """A unified diff of two texts, for people; empty if they are equal."""
    lines = unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (there)", f"{name} (coming)", lineterm=""
    )
    return "\n".join(lines)
