"""The diff as one self-contained HTML page, the same bytes for the same diff."""

from collections.abc import Sequence

from imitation_data.diff.compare import Diff
from imitation_data.diff.match import KINDS
from imitation_data.diff.shown import ShownRow
from imitation_data.report.templates import html_environment

MEANS = {
    "added": "key only in the new version",
    "removed": "key only in the old version",
    "changed": "same key, other content",
    "moved": "same key and content, other split",
    "annotated": "same key, content and split; other columns differ",
    "rekeyed": "same content and split under another key",
}


def diff_html(diff: Diff, shown: Sequence[ShownRow]) -> str:
    """Render the page: no script, no request, no clock, host or path of this machine."""
    template = html_environment().get_template("diff.html.jinja")
    groups = [(kind, MEANS[kind], [row for row in shown if row.kind == kind]) for kind in KINDS]
    return template.render(
        diff=diff,
        kinds=KINDS,
        counts=diff.counts,
        by_source=list(diff.by_source.items()),
        words=diff.changes.words if diff.changes else {},
        groups=groups,
    )
