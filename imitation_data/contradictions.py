"""What is wrong with a recipe as a whole, each part of which is right on its own."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tiktoken import list_encoding_names

from imitation_data.checks import Check, LanguageShare, SourceShare, TokenRange
from imitation_data.dataset_step import DatasetStep
from imitation_data.dedup.exact import ExactDedup
from imitation_data.dedup.near_step import NearDedup
from imitation_data.options import nearest
from imitation_data.recipe_parts import StepUse
from imitation_data.rows.language import Language
from imitation_data.rows.removal_requests import RemovalRequests
from imitation_data.rows.tokens import BYTES, Tokens
from imitation_data.sampling import Mix
from imitation_data.splits import Split


def contradictions(
    sources: Sequence[str],
    steps: Sequence[StepUse],
    checks: Sequence[tuple[str, Check]],
    encoding: str | None,
) -> list[str]:
    """List what steps, sources and checks say against one another, as sentences."""
    problems = _encoding(encoding)
    problems += [
        f"sources: the name {name!r} stands {count} times"
        for name, count in Counter(sources).items()
        if count > 1
    ]
    for use in steps:
        problems += _unknown_sources(use, sources)
    problems += _splits(steps) + _languages(steps) + _tokens(steps, encoding)
    for name, check in checks:
        problems += [
            f"check {name}: {problem}" for problem in _check(check, sources, steps, encoding)
        ]
    return problems


def _encoding(encoding: str | None) -> list[str]:
    known = sorted([*list_encoding_names(), BYTES])
    if encoding is None or encoding in known:
        return []
    return [f"tokens: unknown encoding {encoding!r}{nearest(encoding, ['none', *known])}"]


def _unknown_sources(use: StepUse, sources: Sequence[str]) -> list[str]:
    named = list(use.sources)
    if isinstance(use.step, ExactDedup | NearDedup):
        named += use.step.priority
    if isinstance(use.step, Mix):
        named += use.step.shares
    return [
        f"steps[{use.number}] {use.type}: no source is called {name!r}"
        f"{nearest(name, list(sources))}"
        for name in named
        if name not in sources
    ]


def _splits(steps: Sequence[StepUse]) -> list[str]:
    places = [use.number for use in steps if isinstance(use.step, Split)]
    if len(places) > 1:
        return [f"steps[{places[1]}] split: stands in steps[{places[0]}] already; keep one"]
    if places and places[0] != steps[-1].number:
        after = next(use for use in steps if use.number > places[0])
        why = f"{after.type} after it could let one split leak into another"
        return [f"steps[{places[0]}] split: must be the last step; {why}"]
    if places and steps[-1].sources:
        return [f"steps[{places[0]}] split: takes all sources; remove its key 'sources'"]
    return []


def _languages(steps: Sequence[StepUse]) -> list[str]:
    kept = [
        (use, set(use.step.keep))
        for use in steps
        if isinstance(use.step, Language) and use.step.keep and not use.sources
    ]
    return [
        f"steps[{second.number}] language: shares no language with steps[{first.number}]"
        for (first, one), (second, two) in pairwise(kept)
        if not one & two
    ]


def _tokens(steps: Sequence[StepUse], encoding: str | None) -> list[str]:
    """The column counts the final texts of all rows, under the recipe's encoding, or nothing."""
    places = [place for place, use in enumerate(steps) if isinstance(use.step, Tokens)]
    if not places:
        return []
    use = steps[places[0]]
    where = f"steps[{use.number}] tokens:"
    if not isinstance(use.step, Tokens) or use.step.encoding != encoding:
        return [f"{where} counts under another encoding than the recipe's key 'tokens'"]
    if use.sources:
        return [f"{where} counts all sources; remove its key 'sources'"]
    later = [
        after
        for after in steps[places[0] + 1 :]
        if not isinstance(after.step, DatasetStep | RemovalRequests)
    ]
    if later:
        return [f"{where} must come after {later[-1].type}, which may change texts"]
    return []


def _check(
    check: Check, sources: Sequence[str], steps: Sequence[StepUse], encoding: str | None
) -> list[str]:
    if isinstance(check, TokenRange) and encoding is None:
        return ["counts tokens, but the recipe says tokens: none"]
    if isinstance(check, SourceShare) and check.source not in sources:
        return [f"no source is called {check.source!r}{nearest(check.source, list(sources))}"]
    languages = any(isinstance(use.step, Language) for use in steps)
    if isinstance(check, LanguageShare) and not languages:
        return ["no language step labels the rows; add one"]
    return []
