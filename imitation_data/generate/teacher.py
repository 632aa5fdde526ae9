"""A teacher: a model behind an OpenAI-compatible endpoint, as a recipe names it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from imitation_data.conversation import Message
from imitation_data.errors import TeacherError
from imitation_data.generate.budget import OPENAI, Price, known_price
from imitation_data.generate.redact import plain_endpoint
from imitation_data.generate.request import Request, Sampling, messages_of

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LOOKS_LIKE_A_KEY = re.compile(
    r"(?:sk|pk|rk|hf|gsk|xai|key)[-_]\w|^ey[\w-]{20}|\w{33}", re.IGNORECASE
)


@dataclass(frozen=True)
class Teacher:
    """Whom to ask, and how.

    Attributes:
        model: as the endpoint calls it.
        endpoint: base URL of an OpenAI-compatible API. User-info and query are sent, never stored.
        key: name of the environment variable that holds the key; empty for an endpoint without.
        price: US dollars for a million tokens; OpenAI's own models have one in the package.
        structured: whether the endpoint takes JSON schemas (`response_format`).
        seed: whether a seed goes with requests for which answers are drawn.
        limit_as: what the endpoint calls the limit on an answer's tokens.
        encoding: what an estimate counts tokens with.
        concurrency: requests at once at most; how many it is, is found out.
        requests_per_minute, tokens_per_minute: 0 for no limit.
        timeout: seconds that one try may take.
    """

    model: str
    endpoint: str = OPENAI
    key: str = "OPENAI_API_KEY"
    price: Price | None = None
    structured: bool = False
    seed: bool = True
    limit_as: Literal["", "max_tokens", "max_completion_tokens"] = ""
    encoding: str = "o200k_base"
    concurrency: int = 256
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    timeout: float = 300.0

    def __post_init__(self) -> None:
        plain_endpoint(self.endpoint)
        if not self.model:
            raise ValueError("model is empty; expected what the endpoint calls it")
        if self.key and (not _VARIABLE.fullmatch(self.key) or _LOOKS_LIKE_A_KEY.search(self.key)):
            raise ValueError(
                "key is not the name of an environment variable (what stands there is not shown, "
                "in case it is a key); expected a name like OPENAI_API_KEY, or '' for no key"
            )
        if self.concurrency < 1 or not self.timeout > 0:
            raise ValueError("concurrency and timeout: expected more than 0")
        if min(self.requests_per_minute, self.tokens_per_minute) < 0:
            raise ValueError("requests_per_minute and tokens_per_minute: expected 0 or more")

    @cached_property
    def where(self) -> str:
        """The endpoint as it may be stored and printed."""
        return plain_endpoint(self.endpoint)

    @cached_property
    def paid_at(self) -> Price | None:
        """The recipe's price, else the known one."""
        return self.price or known_price(self.where, self.model)

    def told(self) -> dict[str, object]:
        """What answers and their cost follow from; how fast and with what key does not matter."""
        price = self.paid_at
        return {
            "model": self.model,
            "endpoint": self.where,
            "structured": self.structured,
            "seed": self.seed,
            "limit_as": self.limit_as,
            **({"price": {"input": price.input, "output": price.output}} if price else {}),
        }

    def plain(self) -> dict[str, object]:
        """What a recipe says of it, with the name of its key and what tokens are counted in."""
        return {**self.told(), "key": self.key, "encoding": self.encoding}

    def request(
        self,
        turns: Sequence[Message],
        sampling: Sampling,
        *,
        sample: int = 0,
        schema: Mapping[str, object] | None = None,
    ) -> Request:
        """Make a request.

        Args:
            turns: the conversation so far.
            sampling: how the answer is drawn.
            sample: tells requests apart that ask the same and want an answer each.
            schema: JSON schema of the answer; not sent to endpoints that take none.
        """
        name = self.limit_as or ("max_completion_tokens" if self.where == OPENAI else "max_tokens")
        body: dict[str, object] = {
            "model": self.model,
            "messages": messages_of(turns),
            name: sampling.max_tokens,
            **sampling.sent(),
        }
        if self.seed and sampling.temperature != 0:
            body["seed"] = sample
        if schema is not None and self.structured:
            form = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return Request.of(self.where, body, sample, sampling.max_tokens)

    def secrets(self) -> tuple[str, ...]:
        """Values that must appear nowhere."""
        parts = urlsplit(self.endpoint)
        query = [value for _, value in parse_qsl(parts.query)]
        key = os.environ.get(self.key, "").strip() if self.key else ""
        return tuple(filter(None, (key, parts.username, parts.password, *query)))

    def key_value(self) -> str:
        """The key itself.

        Raises:
            TeacherError: the environment variable is not set, or holds what no key can be.
        """
        if not self.key:
            return "none"  # the client wants one; servers without keys do not look at it
        value = os.environ.get(self.key, "").strip()
        if not value:
            raise TeacherError(
                f"the environment variable {self.key} is not set; it should hold the key for "
                f"{self.where}. For an endpoint without keys say `key: ''` in the source's teacher"
            )
        if not (value.isascii() and value.isprintable()):
            raise TeacherError(
                f"the environment variable {self.key} holds no key: there is a line break or a "
                "character in it that is not ASCII"
            )
        return value

    def address(self) -> tuple[str, dict[str, str]]:
        """The base URL as it is asked, and its query."""
        parts = urlsplit(self.endpoint)
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        return url, dict(parse_qsl(parts.query))
