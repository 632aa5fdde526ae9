"""Question-answer pairs from a few examples: NQ-synthetic.

The procedure of "The False Promise of Imitating Proprietary LLMs" (Gudibande et al. 2023, section
3.1 and appendix A): five random pairs of a seed set fill a template, the answer is drawn at
temperature 1.0, duplicate pairs are discarded, again and again. Pairs that were made are not fed
back.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import ClassVar, Literal

import orjson

from imitation_data.conversation import Message
from imitation_data.generate.parse import json_in, pairs_in
from imitation_data.generate.procedure import UNFIT, Ask, Candidate, MadeRow, lineage
from imitation_data.generate.request import Answer, Sampling
from imitation_data.generate.seeds import Seed
from imitation_data.generate.teacher import Teacher
from imitation_data.ledger import Drop

TEMPLATE = (
    "I want you to generate a series of questions and answers. I want the answers to be concise, "
    "just a few words. The questions should be lowercased and centered around Wikipedia-like "
    "entities. For example,\n{examples}"
)
SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
                "required": ["question", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}
WINDOW = 200  # candidates over which the share of new ones is taken
PRIOR = 5.0  # pairs a completion is taken to give, before any is seen
_SPACE = re.compile(r"\s+")


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class FewShotQA:
    """Makes question-answer pairs like a few examples.

    Attributes:
        count: pairs wanted.
        examples: seeds in a prompt.
        template: of the prompt; `{examples}` stands for them.
        max_tokens: of an answer.
        temperature: of the draw.
        duplicates: what makes two pairs the same: the whole `pair`, or the `question` alone;
            without regard to case, white space and a final question mark.
        least_novelty: stop when fewer of the last 200 candidates are new than this share.
        ahead: requests that are made before the first is answered.
    """

    count: int = 6000
    examples: int = 5
    template: str = TEMPLATE
    max_tokens: int = 1024
    temperature: float = 1.0
    duplicates: Literal["pair", "question"] = "question"
    least_novelty: float = 0.05
    ahead: int = 256

    REVISION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.examples < 1 or self.ahead < 1:
            raise ValueError("count, examples and ahead: expected at least 1")
        if not 0 <= self.least_novelty <= 1:
            raise ValueError(f"least_novelty is {self.least_novelty}; expected a share, 0 to 1")
        if self.template.count("{examples}") != 1:
            raise ValueError("template: expected {examples} once")
        Sampling(self.max_tokens, self.temperature)

    def limited(self, count: int) -> "FewShotQA":
        """The same for fewer rows."""
        return FewShotQA(**{**self.__dict__, "count": min(self.count, count)})

    def start(self, teacher: Teacher, seed: str, seeds: tuple[Seed, ...]) -> "FewShotRun":
        """Make the machine.

        Raises:
            ValueError: there are fewer seeds than stand in a prompt.
        """
        if len(seeds) < self.examples:
            raise ValueError(f"{len(seeds)} seeds, and a prompt shows {self.examples}")
        return FewShotRun(self, teacher, seed, seeds)


@dataclass
class FewShotRun:
    """One run; see `imitation_data.generate.procedure.Procedure`."""

    options: FewShotQA
    teacher: Teacher
    seed: str
    seeds: tuple[Seed, ...]
    made: deque[Candidate] = field(default_factory=deque)
    given: ClassVar[bool] = False
    known: dict[str, str] = field(default_factory=dict)
    pulled: int = 0
    taken: int = 0
    accepted: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    repeats: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wanted = self.options.count
        self.sampling = Sampling(self.options.max_tokens, self.options.temperature)
        for one in self.seeds:
            self.known[self._same(one.prompt, one.answer)] = f"seed {one.id}"

    def expected(self) -> list[tuple[float, float, float, int]]:
        """Requests, tokens of prompts (0: as counted) and answers, and most; for estimates."""
        return [(self.options.count / PRIOR, 0, PRIOR * 24, self.options.max_tokens)]

    def pull(self) -> Ask | None:
        """As many requests as the rows that are missing should take, from what came so far."""
        under_way = self.pulled - self.taken
        if self._enough() or under_way >= min(self.options.ahead, self._needed()):
            return None
        drawn = Random(f"{self.seed}/{self.pulled}").sample(self.seeds, self.options.examples)
        self.pulled += 1
        shown = "\n".join(f"Q: {one.prompt}\nA: {one.answer}" for one in drawn)
        prompt = self.options.template.replace("{examples}", shown)
        sample = self.repeats.get(prompt.encode(), 0)
        self.repeats[prompt.encode()] = sample + 1
        turns = (Message("user", prompt),)
        request = self.teacher.request(turns, self.sampling, sample=sample, schema=SCHEMA)
        return Ask(request, sample, tuple(one.id for one in drawn))

    def _enough(self) -> bool:
        stale = (
            len(self.recent) == WINDOW and sum(self.recent) < self.options.least_novelty * WINDOW
        )
        return self.accepted >= self.options.count or stale

    def _needed(self) -> int:
        each = (self.accepted + PRIOR) / (self.taken + 1)
        return max(1, int((self.options.count - self.accepted) / max(each, 0.25)))

    def take(self, ask: Ask, answer: Answer) -> None:
        """Take the pairs of a completion; of one that was cut, the last is not whole."""
        self.taken += 1
        if answer.outcome in {"filtered", "refused"}:
            self._drop(ask, answer.text, UNFIT[answer.outcome])
            return
        pairs = self._pairs(answer.text)
        cut = answer.outcome == "truncated"
        if not pairs:
            self._drop(
                ask, answer.text, UNFIT["truncated"] if cut else Drop("unparsable", "no pair")
            )
        for place, (question, told) in enumerate(pairs):
            last = cut and place == len(pairs) - 1
            self._judge(ask, answer, question, told, last=last)

    def _pairs(self, text: str) -> list[tuple[str, str]]:
        if self.teacher.structured:
            try:
                rows = json_in(text)
                rows = rows.get("pairs", rows) if isinstance(rows, dict) else rows
                return [(str(row["question"]).strip(), str(row["answer"]).strip()) for row in rows]
            except (ValueError, TypeError, KeyError):
                pass  # some servers take a schema and do not keep to it
        return pairs_in(text)

    def _judge(self, ask: Ask, answer: Answer, question: str, told: str, *, last: bool) -> None:
        text = orjson.dumps([question, told]).decode()
        if last:
            self._drop(ask, text, UNFIT["truncated"])
        elif not question or not told:
            self._drop(ask, text, Drop("incomplete_pair", question or told, "question and answer"))
        elif self.accepted >= self.options.count:
            self._drop(ask, text, Drop("beyond_count", self.accepted + 1, self.options.count))
        else:
            self._settle(ask, answer, question, told)

    def _settle(self, ask: Ask, answer: Answer, question: str, told: str) -> None:
        same = self._same(question, told)
        self.recent.append(same not in self.known)
        if same in self.known:
            text = orjson.dumps([question, told]).decode()
            drop = Drop(
                "duplicate", self.options.duplicates, "new", question[:120], self.known[same]
            )
            self._drop(ask, text, drop)
            return
        origin = _digest(question, told)
        self.known[same] = origin
        self.accepted += 1
        turns = (Message("user", question), Message("assistant", told))
        meta = lineage(ask, answer, seeds=ask.about, sampling=self.sampling.sent())
        self.made.append(Candidate(origin, (MadeRow(turns, meta, answer.model),)))

    def _drop(self, ask: Ask, text: str, drop: Drop) -> None:
        self.made.append(Candidate(_digest(ask.request.key, text), (), (drop,), text))

    def _same(self, question: str, told: str) -> str:
        plain = _SPACE.sub(" ", unicodedata.normalize("NFKC", question)).strip().casefold()
        plain = plain.rstrip("?？ ")
        if self.options.duplicates == "pair":
            plain += "\0" + _SPACE.sub(" ", unicodedata.normalize("NFKC", told)).strip().casefold()
        return plain

    def close(self) -> None:
        """Nothing is unfinished."""
