"""What a run is to do, how far it is, and what it came to."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from imitation_data.generate.budget import PICO, Ceiling
from imitation_data.generate.teacher import Teacher


@dataclass
class Tally:
    """What generating a source came to, from the answers that were taken.

    Attributes:
        requests: answers taken.
        outcomes: of them, by kind.
        models: of them, by the model that the endpoint reported.
        input_tokens, output_tokens: as reported, or at most.
        batched: answers that came in batches, at half the price.
        uncounted: answers for which the endpoint reported no tokens.
        cost: in parts of `PICO`; None where no price is known.
        rows: accepted.
        drops: rejected, by reason.
        keys: of the first and of the last request.
        complete: False when a ceiling, or the end of the run, came first.
    """

    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    batched: int = 0
    uncounted: int = 0
    cost: int | None = 0
    rows: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    keys: tuple[str, str] = ("", "")
    complete: bool = True


@dataclass
class Progress:
    """How far a run is; `seen` is called with it now and then."""

    source: str
    wanted: int
    tally: Tally
    seconds: float = 0.0
    sent: int = 0
    from_journal: int = 0
    under_way: int = 0
    lost: int = 0
    lost_before: int = 0
    retried: int = 0
    finished: bool = False
    usd: float | None = 0.0

    @property
    def expected_usd(self) -> float | None:
        """What the whole source will have cost, if it goes on like this."""
        if self.tally.cost is None or not self.wanted or not self.tally.rows:
            return None
        return self.tally.cost / PICO * max(1.0, self.wanted / self.tally.rows)


@dataclass(frozen=True)
class Job:
    """One source to be generated.

    Attributes:
        source: its name.
        dataset: who pays.
        teacher: whom to ask.
        ceiling: what the dataset may cost; an empty one sends only what costs nothing.
        wait: whether to wait for another process that uses the journal.
        batch: whether requests go through the Batch API.
        seen: told how far it is.
        say: told what a user should know, in words.
    """

    source: str
    dataset: str
    teacher: Teacher
    ceiling: Ceiling
    wait: bool = True
    batch: bool = False
    seen: Callable[[Progress], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None
