"""The Jinja environments that pages and cards are rendered in: sandboxed, strict, safe by default.

A plain string that a template prints is always made harmless for the place it goes to, even if
the template's author forgets to: only values marked as safe (`Markup`) pass as they are.
"""

import re
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from imitation_data import display

FOLDER = Path(__file__).parent


@cache
def html_environment() -> ImmutableSandboxedEnvironment:
    """Return the environment of pages that extend `base.html.jinja`.

    A string is escaped and its unseen characters made visible; `| show(limit)` also keeps its
    direction in, and `| attribute` is for quoted attributes.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= _NUMBERS | {"show": display.html, "attribute": display.html_attribute}
    return environment


@cache
def markdown_environment() -> ImmutableSandboxedEnvironment:
    """Return the environment of cards.

    A string renders as the same words; `| oneline` keeps them in one paragraph, `| code(limit)`
    makes a code span, `| cell(limit)` one that fits into a table, `| block(language)` a fenced
    block, and `| slug` leaves only letters, digits, `.`, `_` and `-`, for code.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,  # what `finalize` leaves alone is Markup or a number
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_prose,
    )
    environment.filters |= _NUMBERS | {
        "code": display.markdown,
        "cell": _cell,
        "block": display.markdown_block,
        "oneline": _oneline,
        "slug": _slug,
    }
    return environment


def _visible(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return display.terminal(value)
    return value


def _prose(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        # A template's own `", "` keeps its space.
        before, after = (" " if edge.isspace() else "" for edge in (value[:1], value[-1:]))
        return Markup(before) + display.markdown_prose(value) + Markup(after)  # noqa: S704 - spaces
    return value


def _oneline(text: str) -> Markup:
    return display.markdown_prose(" ".join(text.split()))


def _slug(text: str) -> Markup:
    return Markup(re.sub(r"[^A-Za-z0-9._-]+", "-", text))  # noqa: S704 - nothing is left to escape


def _cell(text: str, limit: int | None = None) -> Markup:
    return display.markdown(text, limit, cell=True)


def number(value: float) -> Markup:
    """Write 12345 as 12,345, and small fractions with one digit."""
    digits = 1 if isinstance(value, float) and value < 100 else 0  # noqa: PLR2004 - enough to tell
    return Markup(f"{value:,.{digits}f}")  # noqa: S704 - digits


def percent(part: int, whole: int) -> Markup:
    """Write a share so that few is told from none, and almost all from all."""
    share = 100 * part / (whole or 1)
    if 0 < share < 0.1:  # noqa: PLR2004 - would look like none
        return Markup("&lt; 0.1 %")
    if 99.9 < share < 100:  # noqa: PLR2004 - would look like all
        return Markup("&gt; 99.9 %")
    return Markup(f"{share:.1f} %")  # noqa: S704 - digits


def size(count: int) -> Markup:
    """Write bytes in the largest unit of which there is one."""
    value, units = float(count), iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while value >= 999.5 and unit != "TB":  # noqa: PLR2004 - would round to 1,000
        value, unit = value / 1000, next(units)
    digits = f"{value:.3g}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004 - three digits
    return Markup(f"{digits} {unit}")  # noqa: S704 - digits


_NUMBERS = {"number": number, "percent": percent, "size": size}
