"""Self-Instruct: instructions bootstrapped from seeds, then an answer for each.

Wang et al. 2023, "Self-Instruct: Aligning Language Models with Self-Generated Instructions": a few
seeds and a few instructions made so far ask for more; those that are new join the pool. Each is
told to be a classification task or not, and gets instances, labels first or inputs first.

The published code sends batches of five. Here each prompt sees the pool as it was `ahead` prompts
before, so that prompts do not depend on how fast answers come.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random
from typing import ClassVar

from imitation_data.conversation import Message
from imitation_data.generate.instances import Checked, Instance, check, input_first, output_first
from imitation_data.generate.instructions import KEYWORDS, Gate, Taste
from imitation_data.generate.parse import numbered_items
from imitation_data.generate.procedure import UNFIT, Ask, Candidate, MadeRow, Outbox, lineage
from imitation_data.generate.request import Answer, Sampling
from imitation_data.generate.seeds import Seed
from imitation_data.generate.teacher import Teacher
from imitation_data.ledger import Drop

HEADER = "Come up with a series of tasks:"
CLASSIFY = (
    "A classification task is one whose answer is a label out of a small fixed set. Say Yes or No "
    "for the last task."
)
INPUT_FIRST = (
    "Give one to three examples for the last task. Write an input where the task needs one, then "
    "the output; leave the input away where it does not."
)
OUTPUT_FIRST = (
    "Give an example for each class label of the last task: first the label, then an input that "
    "has it."
)
PRIOR = 4.0  # instructions a completion is taken to give, before any is seen
SHOTS = 4  # seeds of a kind in the prompts about one task
UP_TO = 16  # number of the last task in a list
BATCH = 5  # prompts of the published code that see the same pool


def digest(text: str) -> str:
    """16 hex digits of a text: the origin of what was made of it."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class SelfInstruct:
    """Makes instructions and instances from seeds.

    Attributes:
        count: instructions wanted.
        examples, machine_made: instructions in a prompt, and how many of them may be machine-made.
        classification: whether classification tasks get labels first.
        instances: rows of one instruction at most.
        least_words, most_words, keywords, programs, novelty: which instructions are taken; see
            `imitation_data.generate.instructions.Taste`.
        max_tokens, temperature, top_p, presence_penalty: of the lists of instructions.
        answer_tokens: of instances; they are drawn at temperature 0.
        ahead: prompts that are made before the first is answered.
        paper_exact: as the published code where results differ: batches of five prompts, stop
            texts that also cut "in 2016.", lists that were cut thrown away whole, and the `exact`
            filters of `Taste`.
    """

    count: int = 52000
    examples: int = 8
    machine_made: int = 2
    classification: bool = True
    instances: int = 5
    least_words: int = 4
    most_words: int = 150
    keywords: tuple[str, ...] = KEYWORDS
    programs: bool = False
    novelty: float = 0.7
    max_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 0.5
    presence_penalty: float = 2.0
    answer_tokens: int = 512
    ahead: int = 64
    paper_exact: bool = False

    REVISION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if min(self.count, self.examples, self.instances, self.ahead, self.least_words) < 1:
            raise ValueError(
                "count, examples, instances, ahead and least_words: expected at least 1"
            )
        if not 0 <= self.machine_made < self.examples:
            raise ValueError("machine_made: expected fewer than examples")
        if not 0 <= self.novelty <= 1:
            raise ValueError(f"novelty is {self.novelty}; expected 0 to 1")
        self.sampling()

    def limited(self, count: int) -> "SelfInstruct":
        """The same for fewer instructions."""
        return replace(self, count=min(self.count, count))

    def sampling(self) -> Sampling:
        """How lists of instructions are drawn."""
        faulty = ("\n\n", "\n16", "16.", "16 .")
        stop = faulty if self.paper_exact else (f"\n{UP_TO + 1}.",)
        return Sampling(
            self.max_tokens, self.temperature, self.top_p, self.presence_penalty, None, stop
        )

    def start(self, teacher: Teacher, seed: str, seeds: tuple[Seed, ...]) -> "SelfInstructRun":
        """Make the machine.

        Raises:
            ValueError: there are fewer seeds than stand in a prompt.
        """
        if len(seeds) < self.examples:
            raise ValueError(f"{len(seeds)} seeds, and a prompt shows {self.examples}")
        return SelfInstructRun(self, teacher, seed, seeds)


@dataclass(frozen=True, slots=True)
class _Task:
    """An instruction that was taken.

    Attributes:
        number: in the order in which they were.
        parents: seeds and instructions that its prompt showed.
        request: that made it.
    """

    number: int
    text: str
    parents: tuple[str, ...]
    request: str
    labels: bool = False


@dataclass
class SelfInstructRun:
    """One run; see `imitation_data.generate.procedure.Procedure`."""

    options: SelfInstruct
    teacher: Teacher
    seed: str
    seeds: tuple[Seed, ...]
    made: deque[Candidate] = field(default_factory=deque)
    given: ClassVar[bool] = False
    pool: list[tuple[str, str]] = field(default_factory=list)  # name and text
    sizes: list[int] = field(default_factory=lambda: [0])
    pulled: int = 0
    following: deque[Ask] = field(default_factory=deque)
    answers: set[tuple[str, str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        options = self.options
        self.wanted = options.count
        taste = Taste(
            options.least_words,
            options.most_words,
            options.keywords,
            options.programs,
            options.novelty,
            options.paper_exact,
        )
        self.gate = Gate(taste)
        self.gate.seed([f"seed {one.id}" for one in self.seeds], [one.prompt for one in self.seeds])
        self.outbox = Outbox(self.made)
        self.sampling = options.sampling()
        self.plain = Sampling(options.answer_tokens, 0.0)
        self.short = Sampling(8, 0.0)
        self.shots = (
            [one for one in self.seeds if one.classification][:SHOTS],
            [one for one in self.seeds if not one.classification and one.answer][:SHOTS],
        )

    @property
    def taken(self) -> int:
        return len(self.sizes) - 1

    def expected(self) -> list[tuple[float, float, float, int]]:
        """Requests, tokens of prompts (0: as counted) and answers, and most; for estimates."""
        lists = (self.options.count / PRIOR, 0.0, 250.0, self.options.max_tokens)
        kinds = [(float(self.options.count), 400.0, 2.0, 8)] if self.options.classification else []
        return [
            lists,
            *kinds,
            (float(self.options.count), 500.0, 150.0, self.options.answer_tokens),
        ]

    def pull(self) -> Ask | None:
        """What follows from answers first; then as many lists as should be needed."""
        if self.following:
            return self.following.popleft()
        left = self.options.count - len(self.pool)
        each = max((len(self.pool) + PRIOR) / (self.taken + 1), 0.25)
        batch = self.options.paper_exact
        back = self.pulled % BATCH if batch else self.options.ahead
        needed = left if batch else -(-left // each)
        if left <= 0 or self.taken < self.pulled - back or self.pulled - self.taken >= needed:
            return None
        ask = self._list(self.sizes[max(0, self.pulled - back)])
        self.pulled += 1
        return ask

    def _list(self, size: int) -> Ask:
        """Ask for more, showing seeds and some of the first `size` of the pool."""
        luck = Random(f"{self.seed}/{self.pulled}")
        machine = luck.sample(self.pool[:size], min(self.options.machine_made, size))
        chosen = luck.sample(self.seeds, self.options.examples - len(machine))
        shown = [*machine, *((f"seed {one.id}", one.prompt) for one in chosen)]
        luck.shuffle(shown)
        lines = [f"{place}. {text}" for place, (_, text) in enumerate(shown, 1)]
        prompt = "\n".join([HEADER, "", *lines, f"{len(shown) + 1}."])
        turns = (Message("user", prompt),)
        sample = self.pulled
        request = self.teacher.request(turns, self.sampling, sample=sample)
        return Ask(request, sample, tuple(name for name, _ in shown))

    def take(self, ask: Ask, answer: Answer) -> None:
        """Take a list of instructions, a yes or no, or instances."""
        if not isinstance(ask.about, _Task):
            self._take_list(ask, answer)
        elif ask.request.output_limit == self.short.max_tokens:
            labels = answer.text.strip().lower().startswith("yes")
            self._ask_instances(replace(ask.about, labels=labels))
        else:
            self._take_instances(ask, answer, ask.about)

    def _take_list(self, ask: Ask, answer: Answer) -> None:
        cut, exact = answer.outcome == "truncated", self.options.paper_exact
        if answer.outcome in {"filtered", "refused"} or (cut and exact):
            self._reject(ask, answer.text, UNFIT[answer.outcome])
            items = []
        else:
            items = numbered_items(answer.text, self.options.examples + 1)
        for place, item in enumerate(items):
            if cut and place == len(items) - 1:
                self._reject(ask, item, UNFIT["truncated"])
            else:
                self._take_instruction(ask, self.gate.tidy(item))
        self.sizes.append(len(self.pool))

    def _take_instruction(self, ask: Ask, text: str) -> None:
        if len(self.pool) >= self.options.count:
            self._reject(ask, text, Drop("beyond_count", len(self.pool) + 1, self.options.count))
            return
        name = digest(text)
        if drop := self.gate.judge(name, text):
            self._reject(ask, text, drop)
            return
        parents = ask.about if isinstance(ask.about, tuple) else ()
        task = _Task(len(self.pool), text, parents, ask.request.key)
        self.pool.append((name, text))
        if self.options.classification and all(self.shots):
            self._ask_kind(task)
        else:
            self._ask_instances(task)

    def _ask_kind(self, task: _Task) -> None:
        pairs = zip(*self.shots, strict=False)
        shown = [
            f"Task: {one.prompt}\nIs it classification? {'Yes' if one.classification else 'No'}"
            for pair in pairs
            for one in pair
        ]
        prompt = "\n\n".join([CLASSIFY, *shown, f"Task: {task.text}\nIs it classification?"])
        request = self.teacher.request((Message("user", prompt),), self.short)
        self.following.append(Ask(request, 0, task))

    def _ask_instances(self, task: _Task) -> None:
        shots = self.shots[0 if task.labels else 1]
        shown = [f"Task: {one.prompt}\n{_shown(one, labels=task.labels)}" for one in shots]
        head = OUTPUT_FIRST if task.labels else INPUT_FIRST
        prompt = "\n\n".join([head, *shown, f"Task: {task.text}"])
        request = self.teacher.request((Message("user", prompt),), self.plain)
        self.following.append(Ask(request, 0, task))

    def _take_instances(self, ask: Ask, answer: Answer, task: _Task) -> None:
        if answer.outcome in {"filtered", "refused"}:
            checked = Checked((), (UNFIT[answer.outcome],))
        else:
            read = output_first if task.labels else input_first
            cut = answer.outcome == "truncated"
            checked = check(read(answer.text), cut=cut, most=self.options.instances)
        if not checked.kept and not checked.drops:
            checked = Checked((), (Drop("unparsable", "no instance", "Input: and Output:"),))
        rows = [self._row(ask, answer, task, one) for one in checked.kept]
        found = [row for row in rows if row is not None]
        kept = tuple(replace(row, part=part) for part, row in enumerate(found))
        again = (Drop("duplicate", "the same prompt and answer", "new"),) * rows.count(None)
        drops = (*checked.drops, *again)
        text = answer.text if drops else ""
        self.outbox.put(task.number, Candidate(digest(task.text), kept, drops, text))

    def _row(self, ask: Ask, answer: Answer, task: _Task, one: Instance) -> MadeRow | None:
        case = (task.text, *one)
        if case in self.answers:
            return None
        self.answers.add(case)
        prompt = f"{task.text}\n\n{one.input}" if one.input else task.text
        turns = (Message("user", prompt), Message("assistant", one.output))
        more = {
            "instruction_request": task.request,
            "parents": task.parents,
            "classification": task.labels,
            "sampling": self.sampling.sent(),
        }
        return MadeRow(turns, lineage(ask, answer, **more), answer.model)

    def _reject(self, ask: Ask, text: str, drop: Drop) -> None:
        self.made.append(Candidate(digest(f"{ask.request.key}\0{text}"), (), (drop,), text))

    def close(self) -> None:
        """Let out what is finished behind an instruction that is not."""
        self.outbox.flush()


def _shown(seed: Seed, *, labels: bool) -> str:
    """A seed's instance as the prompts show one."""
    if labels:
        return f"Class label: {seed.answer}\nInput: {seed.input}"
    given = f"Input: {seed.input}\n" if seed.input else ""
    return f"Example 1\n{given}Output: {seed.answer}"
