"""Publish a version: the gate, what goes out, where to, and what is told of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from imitation_data.atomic import write_whole
from imitation_data.errors import PublishError
from imitation_data.publish.card import Conflict
from imitation_data.publish.croissant import Place
from imitation_data.publish.folder import FOLDER, named_folder, planned, publish_to_folder, there_in
from imitation_data.publish.gate import refuse_terms
from imitation_data.publish.hub import Publisher
from imitation_data.publish.publication import CARD, CHANGELOG, Publication, Wanted, prepare
from imitation_data.publish.rendered import Pages, Rendered, There, differences
from imitation_data.publish.repo import Repo
from imitation_data.versions.store import Store, StoredVersion


@dataclass(frozen=True)
class Target:
    """Where a version goes.

    Attributes:
        to: `org/name` on the Hub, or `folder:PATH`.
        private: whether a repository that is made is private, and one that is there has to be.
        replace: whether files under `data/` and `ledger/` that are not ours may be taken away.
        overwrite: whether what was edited by hand in card and changelog gives way.
        card: folder with the dataset's own changelog; `cards/NAME` if that is there.
    """

    to: str
    private: bool = False
    replace: bool = False
    overwrite: bool = False
    card: Path | None = None

    def changelog(self, name: str) -> Path | None:
        """The curator's own changelog, which is read and kept up; None without a card's folder."""
        folder = self.card or Path("cards") / name
        if self.card is not None and not folder.is_dir():
            raise PublishError(f"--card {folder}: no such folder")
        return folder / CHANGELOG if folder.is_dir() else None


@dataclass(frozen=True)
class Outcome:
    """What a publish did, or with `--dry-run` would do.

    Attributes:
        version: `name@version`.
        bump: what the rows asked for.
        to: the page or folder.
        tag: on the Hub.
        commit: that the tag names; empty for a folder and a dry run.
        state: `published`, `stood there already`, or `would be published`.
        files: bytes of every file that goes out, by path.
        upload: of these, the ones that are not there yet.
        delete: files of the version before that go.
        kept: parts of the card that stay as somebody edited them.
        conflicts: of these, the ones whose measured text changed, too.
        replaced: keys that were edited and that only rows may set.
        card: the change of the card, as a unified diff.
        edited: versions whose part of the changelog somebody has written into: it stays.
    """

    version: str
    bump: str
    to: str
    tag: str
    state: str
    files: Mapping[str, int]
    upload: Mapping[str, int]
    delete: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    replaced: tuple[Conflict, ...] = ()
    card: str = ""
    commit: str = ""
    edited: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """As one JSON object."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        both = {
            name: [{"part": one.part, "theirs": one.theirs, "ours": one.ours} for one in told[name]]
            for name in ("conflicts", "replaced")
        }
        return {
            **told,
            "delete": list(self.delete),
            "kept": list(self.kept),
            "edited": list(self.edited),
            **both,
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [f"{self.version} ({self.bump}) {self.state}: {self.to}"]
        if self.commit:
            lines.append(f"tag {self.tag} on commit {self.commit}")
        sent, whole = sum(self.upload.values()), sum(self.files.values())
        if self.state != "stood there already":
            new = "not there yet" if self.state.startswith("would") else "not there before"
            lines.append(
                f"{len(self.files):,} files, {whole:,} bytes; {new}: "
                f"{len(self.upload):,} files, {sent:,} bytes"
            )
        if self.state.startswith("would"):
            lines += [f"  {size:>14,}  {name}" for name, size in sorted(self.upload.items())]
            lines += [f"  {'deleted':>14}  {name}" for name in self.delete]
            lines += [f"  {line}" for line in self.card.splitlines()] or ["  a new card"]
        lines += [f"kept as edited by hand: {part}" for part in self.kept]
        for one in self.conflicts:
            lines.append(f"conflict in {one.part}: edited by hand, and measured anew; theirs stays")
            lines += [f"  {line}" for line in differences(one.theirs, one.ours, "").splitlines()]
        lines += [
            f"{one.part}: was edited by hand; it follows from the rows and is as measured"
            for one in self.replaced
        ]
        lines += [
            f"{CHANGELOG}: what was written for {version} was edited by hand; it stays"
            for version in self.edited
        ]
        if self.conflicts:
            lines.append("take over what is right on the Hub, or publish with --overwrite-card")
        return lines


def publish_version(
    stored: StoredVersion,
    store: Store,
    target: Target,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Publish a version, or go on with a publish that was cut off.

    Args:
        stored: which.
        store: where it lies, with the versions before it.
        target: where it goes.
        wanted: in which forms, with how much of the ledger.
        dry_run: change nothing, only say what would be done.
        told: called with a sentence whenever something has to be tried again.

    Raises:
        TermsError: licences or teachers' terms stop it.
        PublishError: it cannot be published there; the message says what stands.
    """
    changelog = target.changelog(stored.name)
    rendered: Rendered | None
    with TemporaryDirectory(prefix="imitation-data-") as work:
        publication = prepare(stored, wanted, Path(work))
        refuse_terms(stored)
        if target.to.startswith(FOLDER):
            folder = named_folder(target.to)
            pages = _pages("", "", publication, store, target, changelog)
            outcome, rendered = _to_folder(publication, folder, pages, target, dry_run=dry_run)
        else:
            repo = Repo.named(target.to, "--to")
            pages = _pages(repo.name, repo.url, publication, store, target, changelog)
            publisher = Publisher(repo, publication, pages, target.private, target.replace, told)
            outcome, rendered = _to_hub(publisher, dry_run=dry_run)
    if changelog is not None and rendered is not None and not dry_run:
        write_whole(changelog, rendered.files[CHANGELOG], PublishError)
    return outcome


def _pages(
    repo: str,
    url: str,
    publication: Publication,
    store: Store,
    target: Target,
    changelog: Path | None,
) -> Pages:
    stored = publication.stored
    versions = [
        one
        for one in store.versions(stored.name)
        if one.version <= stored.version
        and (not one.version.channel or one.version == stored.version)
    ]
    today = datetime.now(UTC).date().isoformat()
    files_at = f"{url}/resolve/{publication.tag}" if url else ""
    place = Place(url, publication.tag if url else "", today, files_at)
    return Pages(repo, place, versions, changelog, target.overwrite)


def _to_folder(
    publication: Publication, folder: Path, pages: Pages, target: Target, *, dry_run: bool
) -> tuple[Outcome, Rendered]:
    there = there_in(folder)
    if dry_run:
        rendered, _ = planned(publication, folder, pages, there, replace=target.replace)
    else:
        rendered = publish_to_folder(publication, folder, pages, replace=target.replace)
    upload = _sizes(publication, rendered)
    state = "would be published" if dry_run else "published"
    return _outcome(publication, str(folder), state, (rendered, there), upload), rendered


def _to_hub(publisher: Publisher, *, dry_run: bool) -> tuple[Outcome, Rendered | None]:
    publication, url = publisher.publication, publisher.repo.url
    if dry_run:
        plan, commit, state = publisher.plan(), "", "would be published"
        if plan is None:
            state = "stood there already"
    else:
        done = publisher.publish()
        plan, commit = done.plan, done.commit
        state = "published" if done.new else "stood there already"
    if plan is None:  # nothing was left to do but, perhaps, the tag
        stored = publication.stored
        sizes = {name: file.bytes for name, file in publication.files.items()}
        bump = str(stored.manifest.get("bump"))
        tag = publication.tag
        return Outcome(str(stored), bump, url, tag, state, sizes, {}, commit=commit), None
    told = (plan.rendered, plan.there)
    outcome = _outcome(publication, url, state, told, plan.upload, plan.delete, commit)
    return outcome, plan.rendered


def _sizes(publication: Publication, rendered: Rendered) -> dict[str, int]:
    sizes = {name: file.bytes for name, file in publication.files.items()}
    return sizes | {name: len(content) for name, content in rendered.files.items()}


def _outcome(  # noqa: PLR0913, PLR0917 - one value of what was done
    publication: Publication,
    to: str,
    state: str,
    told: tuple[Rendered, There],
    upload: Mapping[str, int],
    delete: tuple[str, ...] = (),
    commit: str = "",
) -> Outcome:
    rendered, there = told
    stored = publication.stored
    after = rendered.files[CARD].decode("utf-8", "replace")
    return Outcome(
        str(stored),
        str(stored.manifest.get("bump")),
        to,
        publication.tag,
        state,
        _sizes(publication, rendered),
        upload,
        delete,
        rendered.card.kept,
        rendered.card.conflicts,
        rendered.card.replaced,
        "" if there.card is None else differences(there.card, after, CARD),
        commit,
        rendered.edited,
    )
