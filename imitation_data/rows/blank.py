"""Blank turns, placeholders and the error notices of chat pages."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit, Kept, Outcome

# White space, controls, joiners, bidi marks, fillers and tags: nothing a reader would see.
_INVISIBLE = (
    r"\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_NOTHING = re.compile(f"[{_INVISIBLE}]*")

PLACEHOLDERS = frozenset(
    {
        "noinput",
        "<noinput>",
        "no input",
        "<no input>",
        "nooutput",
        "<nooutput>",
        "no output",
        "<no output>",
        "n/a",
        "<n/a>",
        "nan",
        "...",
        "…",
        "[deleted]",
        "[removed]",
        "[no response]",
        "<empty>",
        "[empty]",
    }
)

# What ChatGPT's page showed instead of an answer; ShareGPT stored it as a turn of either side.
NOTICES = (
    "too many requests in 1 hour. try again later.",
    "!too many requests in 1 hour. try again later.",
    "an error occurred. if this issue persists please contact us",
    "an error occurred. either the engine you requested does not exist",
    "something went wrong. if this issue persists please contact us",
    "something went wrong, please try reloading the conversation",
    "there was an error generating a response",
    "only one message at a time. please allow any other responses",
    "the server had an error while processing your request",
    "the server is currently overloaded with other requests",
    "hmm...something seems to have gone wrong",
    "our systems are a bit busy at the moment",
    "this content may violate our content policy",
)
NOTICE_LENGTH = 300  # characters; a longer turn that opens with a notice says more than it


@dataclass(frozen=True)
class Blank:
    """Find turns that say nothing: blank, invisible, a placeholder, or a page's error notice.

    Attributes:
        policy: `cut` keeps the answered rounds before the first such turn and drops the row when
            there are none; `drop` drops the row. A blank system turn is left out in either case.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    policy: Literal["cut", "drop"] = "cut"

    def __call__(self, row: Conversation, /) -> Outcome:
        kept: list[Message] = []
        blank_system = 0
        for index, message in enumerate(row.messages):
            kind = why_blank(message.content)
            if kind is None:
                kept.append(message)
            elif message.role == "system":
                blank_system += 1
            else:
                return self._stop(row, kept, f"{kind} in {message.role} turn {index + 1}")
        if not kept:
            return Drop("blank_turn", "no turns", "a turn with text")
        if not blank_system:
            return Kept((row,))
        return Kept((row.with_messages(kept),), (Edit("blank_system_cut", blank_system),))

    def _stop(self, row: Conversation, before: list[Message], found: str) -> Outcome:
        while before and before[-1].role != "assistant":
            before.pop()
        if self.policy == "drop" or not any(message.role == "user" for message in before):
            return Drop("blank_turn", found, "turns with text")
        cut = len(row.messages) - len(before)
        return Kept((row.with_messages(before),), (Edit("blank_turns_cut", cut),))


def why_blank(text: str) -> str | None:
    """Say why a text says nothing (`blank`, `placeholder`, `notice`); None if it does."""
    if _NOTHING.fullmatch(text):
        return "blank"
    if len(text) > NOTICE_LENGTH:
        return None
    plain = text.strip().casefold()
    if plain in PLACEHOLDERS:
        return "placeholder"
    if plain.startswith(NOTICES):
        return "notice"
    return None
