"""The dataset card: YAML front matter for the Hub, then Markdown filled with measured facts."""

import re
from traceback import extract_tb

import yaml
from jinja2 import TemplateSyntaxError

from imitation_data.display import terminal
from imitation_data.errors import RecipeError
from imitation_data.report import example
from imitation_data.report.breakdown import flow, holdings
from imitation_data.report.hub import front_matter
from imitation_data.report.summary import BuildSummary
from imitation_data.report.templates import markdown_environment

TEMPLATE = "card.md.jinja"

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def card_md(template: str | None, summary: BuildSummary, where: str = TEMPLATE) -> str:
    """Render the card of a version.

    Args:
        template: text of the dataset's own template; None for the one that comes with us. It sees
            what ours sees, in a sandbox. Plain YAML front matter at its head is laid over the
            measured one, key by key.
        summary: the finished version.
        where: the template's name in messages.

    Raises:
        RecipeError: the dataset's own template is broken; the message names its line.
    """
    own, body = ({}, None) if template is None else _split(template, where)
    head = yaml.safe_dump({**front_matter(summary), **own}, sort_keys=False, width=1000)
    return f"---\n{head}---\n\n{_render(summary, body, where).strip()}\n"


def card_problems(template: str, where: str = TEMPLATE) -> tuple[str, ...]:
    """Try a template on an example, before any data is read; empty if it renders."""
    try:
        card_md(template, example.SUMMARY, where)
    except RecipeError as error:
        return error.problems
    return ()


def _split(template: str, where: str) -> tuple[dict[str, object], str]:
    """Part a template's YAML front matter from its body, whose lines keep their numbers."""
    text = template.removeprefix("\ufeff").replace("\r\n", "\n")
    match = _FRONT_MATTER.match(text)
    if not match:
        return {}, text
    try:
        own = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        message = f"the front matter is not plain YAML ({problem})"
        raise _broken(where, mark.line + 2 if mark else 1, message) from error
    if not isinstance(own, dict):
        raise _broken(where, 2, "the front matter is not made of `key: value` lines")
    above = "{# #}\n" * match[0].count("\n")  # comments that leave nothing behind
    return {str(key): value for key, value in own.items()}, above + text[match.end() :]


def _render(summary: BuildSummary, body: str | None, where: str) -> str:
    environment = markdown_environment()
    values = {
        "summary": summary,
        "facts": summary.facts,
        "counted": summary.encoding is not None,
        "flow": flow(summary.steps),
        "holdings": holdings(summary.facts),
        "generated": any(source.generated for source in summary.sources),
        "citation": _citation(summary),
    }
    if body is None:
        return environment.get_template(TEMPLATE).render(values)
    try:
        return environment.from_string(body).render(values)
    except TemplateSyntaxError as error:
        raise _broken(where, error.lineno, error.message or "a mistake in the syntax") from error
    except Exception as error:  # whatever the template's own expressions raise
        raise _broken(where, _line(error), str(error) or type(error).__name__) from error


def _citation(summary: BuildSummary) -> str:
    """A BibTeX entry that pins the version."""
    name = re.sub(r"[^a-z0-9]+", "_", summary.name.lower()).strip("_")
    where = f"https://huggingface.co/datasets/{summary.repo}" if summary.repo else ""
    fields = {
        "title": f"{{{summary.name}}}",
        "version": summary.version,
        **({"howpublished": f"\\url{{{where}}}"} if where else {}),
        "note": f"Fingerprint {summary.fingerprint}",
    }
    lines = "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items())
    return f"@misc{{{name}_{summary.version.replace('.', '_')},\n{lines}}}"


def _line(error: Exception) -> int:
    """Line of the template that an error comes from: Jinja puts it into the traceback."""
    frames = extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>"]
    return (lines and lines[-1]) or 1


def _broken(where: str, line: int, problem: str) -> RecipeError:
    return RecipeError([f"line {line}: {terminal(problem, 300, line=True)}"], where)
