"""Ceilings: what a request may cost at most is set aside before it is sent, or it is not sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from math import isfinite
from typing import Any, NamedTuple

import orjson

from imitation_data.errors import BudgetError
from imitation_data.generate.journal import Journal, Spent
from imitation_data.generate.request import Answer, Request

PICO = 10**12  # parts of a US dollar in which costs are counted
OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input, output: of prompts and of answers; 0 for a teacher that costs nothing.
        as_of: the day on which they were looked up.
    """

    input: float
    output: float
    as_of: str = ""

    def __post_init__(self) -> None:
        for name in ("input", "output"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; expected US dollars for a million tokens")

    @property
    def free(self) -> bool:
        return self.input == self.output == 0

    def at_most(self, tokens: int) -> int:
        """What tokens cost at most, whatever they are; in parts of `PICO`."""
        return max(self.cost(tokens, 0), self.cost(0, tokens))

    def in_batches(self) -> "Price":
        """What the same costs in batches: half, with OpenAI and those who do as it does."""
        return Price(self.input / 2, self.output / 2, self.as_of)

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """In parts of `PICO`."""
        per_million = PICO // 10**6
        dear = input_tokens * round(self.input * per_million)
        dear += output_tokens * round(self.output * per_million)
        return dear


def known_price(endpoint: str, model: str) -> Price | None:
    """The price of a model at its provider, from the dated table of the package.

    Other endpoints than OpenAI's own have prices of their own: None.
    """
    if endpoint != OPENAI:
        return None
    table = _table()
    for name, (dear, out) in table["models"].items():
        # A dated snapshot costs what the model does; another model that begins alike does not.
        rest = model.removeprefix(name)
        if model == name or (rest != model and rest[:2] == "-2" and rest[1:5].isdigit()):
            return Price(dear, out, str(table["as_of"]))
    return None


def price_unpriced(
    journal: Journal, dataset: str, teacher: Mapping[str, object], price: Price
) -> None:
    """Give tries of a teacher that were noted before its price was known what they cost.

    Args:
        journal: held by this process.
        dataset: who paid.
        teacher: `endpoint` and `model`.
        price: of now.
    """
    with journal.change() as to:
        rows = to.execute(
            "SELECT id, request, input_tokens, output_tokens, tokens, answers.batch FROM tries "
            "JOIN answers USING (key) WHERE dataset = ? AND cost < 0 AND endpoint = ?",
            (dataset, teacher["endpoint"]),
        ).fetchall()
        for number, request, given, made, tokens, batch in rows:
            if orjson.loads(request).get("model") == teacher["model"]:
                paid = price.in_batches() if batch else price
                counted = min(given, made) >= 0
                cost = paid.cost(given, made) if counted else paid.at_most(tokens)
                to.execute("UPDATE tries SET cost = ? WHERE id = ?", (cost, number))
        left = "dataset = ? AND cost < 0"
        others = f"SELECT count(*) FROM tries WHERE {left} AND state = 'answered'"  # noqa: S608 - our own words
        if to.execute(others, (dataset,)).fetchone() == (0,):  # the lost ones were this teacher's
            cost = price.at_most(1)
            to.execute(f"UPDATE tries SET cost = tokens * ? WHERE {left}", (cost, dataset))  # noqa: S608


def _table() -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only when a price is asked for

    text = resources.files("imitation_data.generate").joinpath("prices.yaml").read_text("utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


@dataclass(frozen=True)
class Ceiling:
    """What a dataset may cost, over all runs that share a journal; None for no limit.

    Attributes:
        usd: US dollars.
        requests: requests that are answered, or may be.
        tokens: of prompts and answers together.
    """

    usd: float | None = None
    requests: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("usd", "requests", "tokens"):
            value = getattr(self, name)
            if value is not None and not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; expected 0 or more")

    def __bool__(self) -> bool:
        return any(one is not None for one in (self.usd, self.requests, self.tokens))

    def words(self) -> str:
        """As people say it."""
        parts = [] if self.usd is None else [f"${self.usd:,.2f}"]
        parts += [] if self.requests is None else [f"{self.requests:,} requests"]
        parts += [] if self.tokens is None else [f"{self.tokens:,} tokens"]
        return ", ".join(parts) or "none"


class Cost(NamedTuple):
    """Of one request: parts of `PICO` (0 where no price is known), and tokens."""

    money: int
    tokens: int


@dataclass
class Budget:
    """What is spent and set aside, held against a ceiling.

    Attributes:
        ceiling: what may be spent.
        price: of the teacher; None where it is not known.
        money, requests, tokens: spent and set aside.
    """

    ceiling: Ceiling
    price: Price | None
    money: int = 0
    requests: int = 0
    tokens: int = 0

    @classmethod
    def after(cls, spent: Spent, ceiling: Ceiling, price: Price | None) -> "Budget":
        """A budget of which some is spent.

        Raises:
            BudgetError: a ceiling in money cannot be kept, since a price is not known.
        """
        if ceiling.usd is not None and (price is None or spent.cost < 0):
            what = "of the teacher" if price is None else "of requests of another teacher"
            more = "Name another journal with --journal, or "
            if price is None:
                more = (
                    "Add `price: {input: …, output: …}` (US dollars for a million tokens; 0 for a "
                    "free teacher) to the source's teacher, or "
                )
            raise BudgetError(
                f"a ceiling in money cannot be kept: the price {what} is not known. {more}give a "
                "ceiling in requests or tokens (--max-requests, --max-tokens)"
            )
        return cls(ceiling, price, max(spent.cost, 0), spent.requests, spent.tokens)

    def most(self, request: Request) -> Cost:
        """What a request may come to at most."""
        return self._cost(request.input_limit, request.output_limit)

    def real(self, request: Request, answer: Answer) -> Cost:
        """What an answer came to; its limit where the endpoint did not count."""
        given = answer.input_tokens if answer.input_tokens >= 0 else request.input_limit
        made = answer.output_tokens if answer.output_tokens >= 0 else request.output_limit
        return self._cost(given, made)

    def lost(self, request: Request, answer: Answer) -> Cost:
        """What a lost answer came to at most, when another try of its request was answered."""
        given = answer.input_tokens if answer.input_tokens >= 0 else request.input_limit
        return self._cost(min(given, request.input_limit), request.output_limit)

    def _cost(self, given: int, made: int) -> Cost:
        money = self.price.cost(given, made) if self.price else 0
        return Cost(money, given + made)

    def fits(self, cost: Cost) -> bool:
        """Whether a request may still be sent."""
        usd, requests, tokens = self.ceiling.usd, self.ceiling.requests, self.ceiling.tokens
        return (
            (usd is None or self.money + cost.money <= usd * PICO)
            and (requests is None or self.requests + 1 <= requests)
            and (tokens is None or self.tokens + cost.tokens <= tokens)
        )

    def take(self, cost: Cost) -> None:
        """Set the cost of one request aside."""
        self.money += cost.money
        self.tokens += cost.tokens
        self.requests += 1

    def settle(self, before: Cost, after: Cost | None) -> None:
        """Replace what was set aside by what it came to; None for a request that cost nothing."""
        real = after or Cost(0, 0)
        self.money += real.money - before.money
        self.tokens += real.tokens - before.tokens
        self.requests -= after is None
