"""What is asked of a teacher and what it answers, and the key an answer is kept under."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, get_args

import orjson

from imitation_data.conversation import Message

Outcome = Literal["complete", "truncated", "filtered", "refused", "too_long"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# Tokens a message or a request may come to beyond the bytes of its texts: roles, separators, and
# what chat templates put first. A byte-level tokenizer makes at most one token a byte.
MESSAGE_TOKENS = 16
REQUEST_TOKENS = 64


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn; what is None is not sent, so that the endpoint's default holds.

    Attributes:
        max_tokens: tokens of an answer at most; always sent, or a request could cost anything.
        temperature, top_p, presence_penalty, frequency_penalty: as the chat completions API.
        stop: texts that end an answer.
    """

    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens <= 1 << 31:
            raise ValueError(f"max_tokens is {self.max_tokens}; expected 1 to {1 << 31}")
        limits = {"temperature": (0, 2), "top_p": (0, 1)}
        penalties = {"presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
        for name, (least, most) in {**limits, **penalties}.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} is {value}; expected {least} to {most}")

    def sent(self) -> dict[str, object]:
        """The parameters but for the limit on tokens, whose name depends on the endpoint."""
        names = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
        values = {name: getattr(self, name) for name in names}
        found = {name: value for name, value in values.items() if value is not None}
        return found | ({"stop": list(self.stop)} if self.stop else {})


class Request(NamedTuple):
    """One request.

    Attributes:
        body: of the HTTP request, as canonical JSON.
        key: 32 hex digits: BLAKE2b-128 over endpoint, body and the number of the sample. Equal
            requests have equal keys, and nothing else does.
        input_limit: tokens of the prompt at most.
        output_limit: tokens of the answer at most.
    """

    body: bytes
    key: str
    input_limit: int
    output_limit: int

    @classmethod
    def of(
        cls, endpoint: str, body: Mapping[str, Any], sample: int, output_limit: int
    ) -> "Request":
        """Make a request.

        Args:
            endpoint: without user-info and query.
            body: JSON values.
            sample: tells requests apart that ask the same and want an answer each.
            output_limit: tokens that the body allows.
        """
        packed = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        digest = blake2b(endpoint.encode(), digest_size=16)
        digest.update(b"\0%d\0" % sample)
        digest.update(packed)
        # The body's own bytes stand for its texts; JSON only makes them longer.
        limit = len(packed) + MESSAGE_TOKENS * len(body["messages"]) + REQUEST_TOKENS
        return cls(packed, digest.hexdigest(), limit, output_limit)


class Answer(NamedTuple):
    """What came back.

    Attributes:
        text: of the answer, or of the refusal.
        outcome: whether it is whole; `truncated` by a limit, `filtered` by the provider, `refused`;
            `too_long`: the prompt does not fit the model, and nothing was made.
        model: as the endpoint reported it.
        input_tokens, output_tokens: as the endpoint reported them; -1 where it did not.
        batch: whether it came in a batch, at half the price.
    """

    text: str
    outcome: Outcome
    model: str
    input_tokens: int
    output_tokens: int
    batch: bool = False


def messages_of(turns: Sequence[Message]) -> list[dict[str, str]]:
    """Turns as the API wants them."""
    return [{"role": role, "content": text} for role, text in turns]
