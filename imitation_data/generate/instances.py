"""Instances of an instruction: inputs and outputs, read from an answer and checked.

After `generate_instances` and `prepare_for_finetuning` of Self-Instruct (Wang et al. 2023).
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from imitation_data.ledger import Drop

_EXAMPLE = re.compile(
    r"^[ \t]*(?:#+[ \t]*|\*\*)?Example[ \t]+\d+[.:)]?(?:\*\*)?[ \t]*", re.MULTILINE
)
_INPUT = re.compile(r"^[ \t]*(?:\*\*)?Input:(?:\*\*)?[ \t]*", re.MULTILINE)
_OUTPUT = re.compile(r"^[ \t]*(?:\*\*)?Output:(?:\*\*)?[ \t]*", re.MULTILINE)
_LABEL = re.compile(r"^[ \t]*(?:\*\*)?Class label:(?:\*\*)?[ \t]*", re.MULTILINE)


class Instance(NamedTuple):
    """One case of an instruction; the input may be empty."""

    input: str
    output: str


@dataclass(frozen=True)
class Checked:
    """Instances that stay, and why the others go."""

    kept: tuple[Instance, ...]
    drops: tuple[Drop, ...]


def input_first(text: str) -> list[Instance]:
    """Read `Example N`, `Input:`, `Output:` blocks; a text without `Output:` is all output."""
    found = []
    for block in _blocks(_EXAMPLE, text):
        if not block.strip():
            continue
        before, *outputs = _OUTPUT.split(block, maxsplit=1)
        given = _INPUT.sub("", before, count=1).strip()
        if outputs:
            found.append(Instance(given, outputs[0].strip()))
        elif _INPUT.search(block):
            found.append(Instance(given, ""))
        else:
            found.append(Instance("", block.strip()))
    return found


def output_first(text: str) -> list[Instance]:
    """Read `Class label:`, `Input:` blocks; what stands before the first is no instance."""
    found = []
    for block in _LABEL.split(text)[1:]:
        label, *inputs = _INPUT.split(block, maxsplit=1)
        found.append(Instance(inputs[0].strip() if inputs else "", label.strip()))
    return found


def _blocks(mark: re.Pattern[str], text: str) -> list[str]:
    blocks = mark.split(text)
    return blocks[1:] if len(blocks) > 1 and not blocks[0].strip() else blocks


def check(instances: list[Instance], *, cut: bool, most: int) -> Checked:
    """Keep what can be trained on.

    Args:
        instances: as read, in order.
        cut: whether the answer was cut, so that the last one is not whole.
        most: instances that stay.
    """
    kept: list[Instance] = []
    drops: list[Drop] = []
    outputs: dict[str, set[str]] = defaultdict(set)
    for place, one in enumerate(instances):
        drop = _unfit(one, kept)
        if cut and place == len(instances) - 1:
            drop = Drop("truncated", "finish_reason length", "a whole answer")
        if drop is None:
            kept.append(one)
            outputs[one.input].add(one.output)
        else:
            drops.append(drop)
    if any(len(told) > 1 for given, told in outputs.items() if given):
        contradicting = Drop("contradicting_outputs", "one input, two outputs", "one output")
        return Checked((), (*drops, *[contradicting] * len(kept)))
    beyond = len(kept) - most
    drops += [Drop("beyond_instances", len(kept), most)] * max(0, beyond)
    return Checked(tuple(kept[:most]), tuple(drops))


def _unfit(one: Instance, kept: list[Instance]) -> Drop | None:
    if not one.output:
        return Drop("empty_output", 0, 1)
    if one.input == one.output:
        return Drop("input_is_output", "equal", "another output", one.input[:80])
    if one.input.endswith(":") or one.output.endswith(":"):
        return Drop("ends_with_colon", ":", "a whole text")
    if one in kept:
        return Drop("duplicate_instance", "equal", "new")
    return None
