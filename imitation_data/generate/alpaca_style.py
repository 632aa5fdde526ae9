"""Alpaca's short cut: instruction, input and output in one answer, twenty tasks at a time.

Taori et al. 2023, "Stanford Alpaca": three seeds are shown, the model continues to twenty. No
classification branch, one instance an instruction, nothing that was made is fed back.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import ClassVar

from imitation_data.conversation import Message
from imitation_data.generate.instructions import ALPACA_KEYWORDS, Gate, Taste
from imitation_data.generate.parse import json_in
from imitation_data.generate.procedure import UNFIT, Ask, Candidate, MadeRow, lineage
from imitation_data.generate.request import Answer, Sampling
from imitation_data.generate.seeds import Seed
from imitation_data.generate.self_instruct import digest
from imitation_data.generate.teacher import Teacher
from imitation_data.ledger import Drop

PROMPT = """\
Write a list of 20 diverse task instructions for a text assistant, each with an input where one is \
needed, and the output a good assistant gives.
- Begin each instruction with another verb; mix questions, orders and requests.
- Cover many kinds: open questions, classification, editing, summaries, ideas, reasoning, and more.
- Ask only what can be answered with text alone, in English, in one or two sentences.
- Give a realistic input of at most 100 words; write <noinput> where the instruction says it all.
- Answer fittingly, in at most 100 words.
Keep to the form of the first ones.
"""
AS_JSON = (
    "Go on with tasks {first} to {last}, as JSON: "
    '{{"tasks": [{{"instruction": "…", "input": "…", "output": "…"}}]}}, with an empty input where '
    "the instruction says it all."
)
_FIELDS = ("instruction", "input", "output")
_TASK: Mapping[str, object] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in _FIELDS},
    "required": list(_FIELDS),
    "additionalProperties": False,
}
SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"tasks": {"type": "array", "items": _TASK}},
    "required": ["tasks"],
    "additionalProperties": False,
}
PRIOR = 12.0  # tasks a completion is taken to give, before any is seen
_ITEM = re.compile(
    r"^[ \t]*(?:\**)(\d{1,3})[ \t]*[.)][ \t]*(?:\**)Instruction:?(?:\**)[ \t:]*", re.MULTILINE
)
_PART = re.compile(
    r"^[ \t]*(?:\**)(?:\d{1,3}[ \t]*[.)][ \t]*)?(?:\**)(Input|Output):(?:\**)[ \t]*", re.MULTILINE
)
_RULE = re.compile(r"(?:^[ \t]*#{2,}[ \t]*\n?)+\s*\Z", re.MULTILINE)
_NO_INPUT = re.compile(r"\A\W*no\s?input\W*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class AlpacaStyle:
    """Makes instruction, input and output together.

    Attributes:
        count: rows wanted.
        examples: seeds in a prompt.
        tasks: number of the last task of a list.
        least_words, most_words, keywords, programs, novelty: which instructions are taken; see
            `imitation_data.generate.instructions.Taste`.
        max_tokens, temperature, top_p: of a list.
        ahead: prompts that are made before the first is answered.
    """

    count: int = 52000
    examples: int = 3
    tasks: int = 20
    least_words: int = 4
    most_words: int = 150
    keywords: tuple[str, ...] = ALPACA_KEYWORDS
    programs: bool = False
    novelty: float = 0.7
    max_tokens: int = 3072
    temperature: float = 1.0
    top_p: float = 1.0
    ahead: int = 256

    REVISION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if min(self.count, self.examples, self.ahead) < 1 or self.tasks <= self.examples:
            raise ValueError("count, examples and ahead: at least 1; tasks: more than examples")
        if not 0 <= self.novelty <= 1:
            raise ValueError(f"novelty is {self.novelty}; expected 0 to 1")
        Sampling(self.max_tokens, self.temperature, self.top_p)

    def limited(self, count: int) -> "AlpacaStyle":
        """The same for fewer rows."""
        return replace(self, count=min(self.count, count))

    def start(self, teacher: Teacher, seed: str, seeds: tuple[Seed, ...]) -> "AlpacaRun":
        """Make the machine.

        Raises:
            ValueError: there are fewer seeds than stand in a prompt.
        """
        if len(seeds) < self.examples:
            raise ValueError(f"{len(seeds)} seeds, and a prompt shows {self.examples}")
        return AlpacaRun(self, teacher, seed, seeds)


@dataclass
class AlpacaRun:
    """One run; see `imitation_data.generate.procedure.Procedure`."""

    options: AlpacaStyle
    teacher: Teacher
    seed: str
    seeds: tuple[Seed, ...]
    made: deque[Candidate] = field(default_factory=deque)
    given: ClassVar[bool] = False
    pulled: int = 0
    taken: int = 0
    accepted: int = 0

    def __post_init__(self) -> None:
        options = self.options
        self.wanted = options.count
        self.gate = Gate(
            Taste(
                options.least_words,
                options.most_words,
                options.keywords,
                options.programs,
                options.novelty,
            )
        )
        self.gate.seed([f"seed {one.id}" for one in self.seeds], [one.prompt for one in self.seeds])
        stop = () if self.teacher.structured else (f"\n{options.tasks + 1}.",)
        self.sampling = Sampling(
            options.max_tokens, options.temperature, options.top_p, None, None, stop
        )

    def expected(self) -> list[tuple[float, float, float, int]]:
        """Requests, tokens of prompts (0: as counted) and answers, and most; for estimates."""
        return [(self.options.count / PRIOR, 0.0, PRIOR * 110, self.options.max_tokens)]

    def pull(self) -> Ask | None:
        """As many lists as should be needed."""
        left = self.options.count - self.accepted
        each = max((self.accepted + PRIOR) / (self.taken + 1), 0.25)
        needed = min(self.options.ahead, -(-left // each))
        if left <= 0 or self.pulled - self.taken >= needed:
            return None
        drawn = Random(f"{self.seed}/{self.pulled}").sample(self.seeds, self.options.examples)
        blocks = [
            f"###\n{place}. Instruction: {one.prompt}\n{place}. Input: {one.input or '<noinput>'}\n"
            f"{place}. Output: {one.answer}"
            for place, one in enumerate(drawn, 1)
        ]
        last = f"###\n{len(drawn) + 1}. Instruction:"
        if self.teacher.structured:
            last = AS_JSON.format(first=len(drawn) + 1, last=self.options.tasks)
        turns = (Message("user", "\n".join([PROMPT, *blocks, last])),)
        request = self.teacher.request(turns, self.sampling, sample=self.pulled, schema=SCHEMA)
        ask = Ask(request, self.pulled, tuple(f"seed {one.id}" for one in drawn))
        self.pulled += 1
        return ask

    def take(self, ask: Ask, answer: Answer) -> None:
        """Take a list of tasks; of one that was cut, the last is not whole."""
        self.taken += 1
        if answer.outcome in {"filtered", "refused"}:
            self._reject(ask, answer.text, UNFIT[answer.outcome])
            return
        items = json_tasks_in(answer.text) if self.teacher.structured else None
        if items is None:  # no schema, or a server that takes one and does not keep to it
            items = tasks_in(answer.text, self.options.examples + 1)
        for place, item in enumerate(items):
            if answer.outcome == "truncated" and place == len(items) - 1:
                self._reject(ask, item[0], UNFIT["truncated"])
            else:
                self._judge(ask, answer, *item)

    def _judge(self, ask: Ask, answer: Answer, text: str, given: str, told: str) -> None:
        instruction = self.gate.tidy(text)
        if self.accepted >= self.options.count:
            drop: Drop | None = Drop("beyond_count", self.accepted + 1, self.options.count)
        elif not told:
            drop = Drop("empty_output", 0, 1)
        else:
            drop = self.gate.judge(digest(instruction), instruction)
        if drop is not None:
            self._reject(ask, instruction, drop)
            return
        self.accepted += 1
        prompt = f"{instruction}\n\n{given}" if given else instruction
        turns = (Message("user", prompt), Message("assistant", told))
        meta = lineage(ask, answer, seeds=ask.about, sampling=self.sampling.sent())
        self.made.append(Candidate(digest(instruction), (MadeRow(turns, meta, answer.model),)))

    def _reject(self, ask: Ask, text: str, drop: Drop) -> None:
        self.made.append(Candidate(digest(f"{ask.request.key}\0{text}"), (), (drop,), text))

    def close(self) -> None:
        """Nothing is unfinished."""


def json_tasks_in(text: str) -> list[tuple[str, str, str]] | None:
    """Tasks of an answer in JSON; None where there is none."""
    try:
        value = json_in(text)
        rows = value["tasks"] if isinstance(value, dict) else value
        found = [tuple(str(row.get(name) or "").strip() for name in _FIELDS) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return [(asked, "" if _NO_INPUT.match(given) else given, told) for asked, given, told in found]


def tasks_in(text: str, first: int) -> list[tuple[str, str, str]]:
    """Instruction, input and output of each task of a list.

    A wrong number changes nothing, and `###` inside an output stays there.

    Args:
        text: of the answer; the head of the first task stood in the prompt, or is repeated.
        first: number of the first task.
    """
    if not _ITEM.match(text.lstrip("# \t\n")):
        text = f"{first}. Instruction: {text.lstrip()}"
    starts = list(_ITEM.finditer(text))
    ends = [one.start() for one in starts[1:]] + [len(text)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        block = _RULE.sub("", text[start.end() : end])
        instruction, *parts = _PART.split(block)
        named = dict(zip(parts[::2], parts[1::2], strict=True))
        given = named.get("Input", "").strip()
        given = "" if _NO_INPUT.match(given) else given
        found.append((instruction.strip(), given, named.get("Output", "").strip()))
    return found
