"""The HTML report: one self-contained file, the same bytes for the same version."""

from imitation_data.report.breakdown import flow, holdings
from imitation_data.report.plots import distribution
from imitation_data.report.summary import BuildSummary
from imitation_data.report.templates import html_environment


def report_html(summary: BuildSummary) -> str:
    """Render the report of a version: no script, no request, no clock, host or path."""
    facts = summary.facts
    template = html_environment().get_template("report.html.jinja")
    return template.render(
        summary=summary,
        facts=facts,
        counted=summary.encoding is not None,
        flow=flow(summary.steps),
        lengths=[
            ("Turns", "turns", facts.turns, distribution(facts.turns)),
            ("Characters", "characters", facts.characters, distribution(facts.characters)),
            ("Tokens", "tokens", facts.tokens, distribution(facts.tokens)),
        ],
        holdings=holdings(facts),
    )
