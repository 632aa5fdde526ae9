"""Mask personal data: e-mail addresses, phone numbers, network addresses, cards, accounts, keys.

What has a checksum is checked (cards by Luhn, accounts modulo 97), network addresses must be
public ones, and phone numbers must be written as such: with a country code, in a national
grouping, or after a word such as "phone". Names and postal addresses are not looked for.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar, get_args

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Edit, Kept, Outcome
from imitation_data.rows.personal import FINDERS, Kind, compiled
from imitation_data.rows.screen import hits

KINDS: tuple[Kind, ...] = get_args(Kind)

_PASSES = 4  # a masked number may lay its neighbour bare; more than two passes were never seen

# Left alone: domains for examples (RFC 2606), and addresses that belong to nobody.
ALLOWED = (
    *("example.com", "example.org", "example.net", "example", "test", "invalid", "localhost"),
    *("git@github.com", "git@gitlab.com", "git@bitbucket.org"),
)


@dataclass(frozen=True)
class PII:
    """Replace personal data in every turn by the name of its kind; count it, never repeat it.

    The edits are `pii_email`, `pii_phone` and so on, with the number masked in the row.

    Attributes:
        kinds: what is masked.
        mask: what is written instead; `{kind}` becomes EMAIL, PHONE, IP, CARD, IBAN or API_KEY.
        allow: values that are left alone, whatever their case; a domain stands for its addresses.
            Public are only addresses outside of private, reserved and documentation ranges.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    kinds: tuple[Kind, ...] = KINDS
    mask: str = "[{kind}]"
    allow: tuple[str, ...] = ALLOWED

    def __post_init__(self) -> None:
        if not self.kinds:
            raise ValueError(f"kinds: found none; expected some of {', '.join(KINDS)}")
        if re.search(r"[{}]", self.mask.replace("{kind}", "")):
            raise ValueError(f"mask: found {self.mask!r}; expected a text that may hold {{kind}}")
        for kind in self.kinds:
            if self.apply(self._shown(kind))[1]:
                raise ValueError(f"mask: {self._shown(kind)!r} looks like personal data itself")

    def __call__(self, row: Conversation, /) -> Outcome:
        counts: Counter[str] = Counter()
        messages = []
        for role, text in row.messages:
            masked, found = self.apply(text)
            messages.append(Message(role, masked))
            counts.update(found)
        if not counts:
            return Kept((row,))
        edits = (Edit(f"pii_{kind}", counts[kind]) for kind in KINDS if kind in counts)
        return Kept((row.with_messages(messages),), tuple(edits))

    def many(self, rows: Sequence[Conversation]) -> list[Outcome]:
        """Decide on many rows at once, looking exactly only where something may stand."""
        worth = hits(["\x00".join(row.texts()) for row in rows], self._screen)
        return [self(row) if look else Kept((row,)) for row, look in zip(rows, worth, strict=True)]

    def apply(self, text: str) -> tuple[str, dict[str, int]]:
        """Mask a text; return it with how often each kind was found."""
        counts: Counter[str] = Counter()
        for _ in range(_PASSES):
            text, found = self._pass(text)
            if not found:
                break
            counts.update(found)
        return text, dict(counts)

    def _pass(self, text: str) -> tuple[str, dict[str, int]]:
        counts: dict[str, int] = {}
        for kind in self.kinds:
            screen, expression = compiled(kind)
            if not screen.search(text):
                continue
            spans = [
                (match.end("before") if before else match.start(), match.end())
                for match in expression.finditer(text)
                for before in [match.groupdict().get("before")]
                if FINDERS[kind].accept(match) and not self._allowed(match[0])
            ]
            if spans:
                counts[kind] = len(spans)
                text = "".join(_cut(text, spans, self._shown(kind)))
        return text, counts

    def _allowed(self, value: str) -> bool:
        value = value.lower()
        return value in self._left or value.endswith(self._endings)

    def _shown(self, kind: Kind) -> str:
        return self.mask.replace("{kind}", kind.upper())

    @cached_property
    def _left(self) -> frozenset[str]:
        return frozenset(value.lower() for value in self.allow)

    @cached_property
    def _endings(self) -> tuple[str, ...]:
        return tuple(f"{mark}{value.lower()}" for value in self.allow for mark in "@.")

    @cached_property
    def _screen(self) -> str:
        return "|".join(FINDERS[kind].screen for kind in self.kinds)


def mask(text: str) -> tuple[str, dict[str, int]]:
    """Mask personal data of every kind in a text; return it with how often each was found."""
    return _everything().apply(text)


@cache
def _everything() -> PII:
    return PII()


def _cut(text: str, spans: Sequence[tuple[int, int]], shown: str) -> Iterator[str]:
    end = 0
    for start, stop in spans:
        yield text[end:start]
        yield shown
        end = stop
    yield text[end:]
