"""What the loopback teacher says: a text for every kind of prompt, the same for the same body.

`complete` turns a request body into an OpenAI chat completion. The last user message tells the
kind of prompt (question pairs, task lists, Alpaca items, …); a JSON schema, where one is given,
wins over all of them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

import orjson

from tests.servers.teacher_schemas import instance_of
from tests.servers.teacher_words import LABELS, MARKS, VERBS, WORDS, sentence, words

Body = Mapping[str, object]


@dataclass(frozen=True)
class Faults:
    """How often the teacher fails, each from 0 to 1; at most one of each group strikes at once.

    The first group is drawn anew at every try of a body, the second once per body: asking
    again gives the same.

    Attributes:
        reset: the answer is charged, then the connection is cut in the middle of the body.
        slow: the answer is charged and comes after `slow_seconds`.
        bad_body: a charged answer of status 200 whose body is no JSON.
        wrong_json: prose around the JSON of the schema, or half of the JSON.
        duplicate: one stock answer, whatever was asked.
        wrong_model: the answer names another model than the one asked.
        retry_after: seconds in the `retry-after` header.
    """

    rate_limited: float = 0
    rate_limited_silent: float = 0
    server_error: float = 0
    reset: float = 0
    slow: float = 0
    bad_body: float = 0

    wrong_json: float = 0
    truncated: float = 0
    duplicate: float = 0
    refused: float = 0
    filtered: float = 0
    wrong_model: float = 0

    retry_after: float = 0.05
    slow_seconds: float = 1.0

    def of_try(self, point: float) -> str:
        """Name the fault of a try whose draw is `point`, or give an empty string."""
        shares = (
            ("rate_limited", self.rate_limited),
            ("rate_limited_silent", self.rate_limited_silent),
            ("server_error", self.server_error),
            ("reset", self.reset),
            ("slow", self.slow),
            ("bad_body", self.bad_body),
        )
        return _strike(shares, point)

    def of_body(self, point: float) -> str:
        """Name the fault of a body whose draw is `point`, or give an empty string."""
        shares = (
            ("wrong_json", self.wrong_json),
            ("truncated", self.truncated),
            ("duplicate", self.duplicate),
            ("refused", self.refused),
            ("filtered", self.filtered),
            ("wrong_model", self.wrong_model),
        )
        return _strike(shares, point)


def _strike(shares: Sequence[tuple[str, float]], point: float) -> str:
    for name, share in shares:
        if point < share:
            return name
        point -= share
    return ""


def body_digest(body: Body) -> str:
    """Name a request body: equal for equal JSON, in whatever order its keys stand."""
    return blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def draw(seed: int, *parts: object) -> float:
    """Draw from [0, 1): the same parts, the same number."""
    name = "/".join(map(str, (seed, *parts))).encode()
    return int.from_bytes(blake2b(name, digest_size=6).digest()) / 2**48


def count_tokens(text: str) -> int:
    return max(1, len(text.encode()) // 4)


def prompt_tokens(body: Body) -> int:
    """Count the tokens of all messages, 4 more for each: at most a token a byte and 16 each."""
    return sum(count_tokens(text_of(message)) + 4 for message in body["messages"])


def text_of(message: Mapping[str, object]) -> str:
    """Join the text of a message, which is a string or a list of typed parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


@dataclass(frozen=True, slots=True)
class Answer:
    """A chat completion as bytes, and what it costs."""

    content: bytes
    input_tokens: int
    output_tokens: int


def complete(seed: int, body: Body, digest: str, faults: Faults, *, usage: bool = True) -> Answer:
    """Answer a body: a pure function of its arguments, `digest` being that of the body."""
    fault = faults.of_body(draw(seed, digest, "body"))
    text, finish = _fit(_text(seed, body, digest, fault), body)
    if fault in {"truncated", "filtered"}:
        text = text[: len(text) // 2]
        finish = "length" if fault == "truncated" else "content_filter"
    said_as = ("refusal", "content") if fault == "refused" else ("content", "refusal")
    message = {"role": "assistant", said_as[0]: text, said_as[1]: None}
    asked, said = prompt_tokens(body), count_tokens(text)
    completion = {
        "id": f"chatcmpl-{digest}",
        "object": "chat.completion",
        "created": 1_700_000_000 + int(digest[:6], 16),
        "model": "another-model-1" if fault == "wrong_model" else body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "system_fingerprint": f"fp_{seed}",
    }
    if usage:
        completion["usage"] = {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
        }
    return Answer(orjson.dumps(completion), asked, said)


STOCK = "I am glad to help with that. Please tell me a little more about what you need."
REFUSAL = "I'm sorry, but I can't help with that."


def _text(seed: int, body: Body, digest: str, fault: str) -> str:
    rng = Random(f"{seed}/{digest}")
    form = body.get("response_format") or {}
    if fault == "refused":
        return REFUSAL
    if form.get("type") not in {"json_schema", "json_object"}:
        return STOCK if fault == "duplicate" else _compose(rng, body["messages"])
    schema = form.get("json_schema", {}).get("schema", {"properties": {"answer": {}}})
    rng = Random(seed) if fault == "duplicate" else rng
    text = orjson.dumps(instance_of(schema, rng)).decode()
    if fault == "wrong_json":
        wrapped = f"Here is the JSON you asked for:\n\n```json\n{text}\n```\n\nI hope this helps!"
        return wrapped if rng.random() < 0.5 else text[: max(1, len(text) * 2 // 3)]
    return text


def _fit(text: str, body: Body) -> tuple[str, str]:
    """End the text where a stop sequence or the limit of tokens says, and tell which of them."""
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is None or count_tokens(text) <= limit:
        return text, "stop"
    return text.encode()[: 4 * limit].decode(errors="ignore"), "length"


# Prompts, in the order in which they are tried.


def _compose(rng: Random, messages: Sequence[Mapping[str, object]]) -> str:
    asked = [text_of(message) for message in messages if message.get("role") == "user"]
    prompt = asked[-1] if asked else ""
    for told, compose in KINDS:
        if told(prompt):
            return compose(rng, prompt)
    return _prose(rng)


PAIR = re.compile(r"^(?:\d+\. )?Q: *(.+)\n+A: *(.+)$", re.MULTILINE)


def _pairs(rng: Random, prompt: str) -> str:
    pairs = [(words(rng, 5, 12).lower() + "?", words(rng, 1, 3)) for _ in range(rng.randint(3, 8))]
    examples = PAIR.findall(prompt)
    if examples and rng.random() < 0.05:
        pairs[-1] = rng.choice(examples)
    numbered = rng.random() < 0.1
    items = [
        f"{f'{number}. ' if numbered else ''}Q: {question}\nA: {answer}"
        for number, (question, answer) in enumerate(pairs, start=1)
    ]
    return ("\n\n" if rng.random() < 0.3 else "\n").join(items)


TASK_KINDS = ("near", "short", "thing", "program", "mark", "year", "plain")
TASK_SHARES = (0.04, 0.05, 0.05, 0.03, 0.03, 1 / 30, 0.8 - 1 / 30)


def _task(rng: Random, earlier: Sequence[str]) -> str:
    verb, kind = rng.choice(VERBS), rng.choices(TASK_KINDS, TASK_SHARES)[0]
    if kind == "near" and earlier:
        near = rng.choice(earlier).split(" ")
        near[rng.randrange(len(near))] = rng.choice(WORDS)
        return " ".join(near)
    text = words(rng, 4, 20)
    forms = {
        "short": f"{verb} {rng.choice(WORDS)}.",
        "thing": f"{verb} the {rng.choice(('image', 'graph', 'file'))} {text}.",
        "program": f"Write a program that {text}.",
        "mark": f"{rng.choice(MARKS)}{verb} {text}.",
        "year": f"{verb} {text} in {rng.randint(1950, 2025)}.",
    }
    return forms.get(kind, f"{verb} {words(rng, 1, 4)} {text}{rng.choice('...?')}")


def _tasks(rng: Random, prompt: str) -> str:
    """Go on with a numbered list whose next number ends the prompt, up to 16."""
    ends = re.search(r"(\d+)\.\s*$", prompt)
    first = int(ends[1]) if ends else 1
    last = max(first, 16 if rng.random() < 0.8 else rng.randint(first, max(first, 16)))
    tasks: list[str] = []
    for _ in range(first, last + 1):
        tasks.append(_task(rng, tasks))
    rest = [f"{number}. {task}" for number, task in enumerate(tasks[1:], start=first + 1)]
    return "\n".join([tasks[0], *rest])


def _alpaca(rng: Random, prompt: str) -> str:
    """Go on with items of instruction, input and output, up to number 20."""
    open_item = re.search(r"(\d+)\.\s*Instruction:\s*$", prompt)
    numbers = [int(found) for found in re.findall(r"^(\d+)\. *Instruction:", prompt, re.MULTILINE)]
    first = int(open_item[1]) if open_item else max(numbers, default=0) + 1
    items = []
    tasks: list[str] = []
    for place in range(first, max(first, 20) + 1):
        tasks.append(_task(rng, tasks))
        number = place + 1 if rng.random() < 0.04 else place
        given = "<noinput>" if rng.random() < 0.6 else sentence(rng)
        lines = [f"{number}. Instruction: {tasks[-1]}", f"{number}. Input: {given}"]
        if rng.random() >= 1 / 30:
            mark = " ### " if rng.random() < 0.03 else " "
            lines.append(f"{number}. Output: {sentence(rng)}{mark}{sentence(rng)}")
        items.append("\n".join(lines))
    if open_item:
        items[0] = items[0].partition("Instruction:")[2]
    return "\n###\n".join(items)


def _is_classification(rng: Random, _: str) -> str:
    return rng.choice(("Yes", "Yes", "Yes.", "yes") + ("No",) * 10 + ("no", "No."))


def _output_first(rng: Random, _: str) -> str:
    labels = rng.sample(LABELS, rng.randint(1, 4))
    return "\n".join(f"Class label: {label}\nInput: {sentence(rng)}" for label in labels)


def _input_first(rng: Random, _: str) -> str:
    if rng.random() < 0.3:
        return f"Output: {sentence(rng)}"
    blocks, given = [], ""
    for number in range(1, rng.randint(1, 3) + 1):
        given = given if given and rng.random() < 0.1 else sentence(rng)
        kind = rng.random()
        output = "" if kind < 0.05 else given if kind < 0.1 else sentence(rng)
        blocks.append(f"Example {number}\nInput: {given}\nOutput: {output}")
    return "\n\n".join(blocks)


def _prose(rng: Random) -> str:
    text = " ".join(sentence(rng) for _ in range(rng.randint(1, 4)))
    if rng.random() < 0.2:
        points = (f"- **{rng.choice(WORDS)}**: {words(rng, 3, 8)}" for _ in range(3))
        text += "\n\n" + "\n".join(points)
    return text


def _category(rng: Random, prompt: str) -> str:
    """Name one of the categories that the prompt lists, in one way or another."""
    name = rng.choice(re.findall(r"^- ([^:\n]+)", prompt, re.MULTILINE))
    forms = (
        "{}",
        "{}.",
        "**{}**",
        "Category: {}",
        "The category is {}.",
        "{}\n",
        '{{"label": "{}"}}',
    )
    if rng.random() < 0.05:
        return "It could be any of them."
    return rng.choice(forms).format(name)


KINDS: Sequence[tuple[Callable[[str], bool], Callable[[Random, str], str]]] = (
    (lambda prompt: "generate a series of questions and answers" in prompt, _pairs),
    (lambda prompt: "of these categories" in prompt, _category),
    (lambda prompt: "Come up with a series of tasks" in prompt, _tasks),
    (lambda prompt: "20 diverse task instructions" in prompt, _alpaca),
    (lambda prompt: prompt.rstrip().endswith("Is it classification?"), _is_classification),
    (lambda prompt: "Class label:" in prompt, _output_first),
    (lambda prompt: "Example 1" in prompt and "Output:" in prompt, _input_first),
)
