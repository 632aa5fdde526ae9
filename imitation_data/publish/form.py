"""What a form is: which rows it can hold, how a row is written in it and read back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from imitation_data.conversation import ROLES, Conversation, Message

Messages = tuple[Message, ...]
Record = dict[str, object]

MISFITS: Mapping[str, str] = MappingProxyType(
    {
        "no_round": "without a user turn or an answer",
        "late_system": "with a system turn after the first turn",
        "starts_with_assistant": "that start with an assistant turn",
        "repeated_role": "in which one role speaks twice in a row",
        "ends_with_user": "that end with a user turn",
        "unknown_role": f"with a role that is none of {', '.join(ROLES)}",
        "empty_system": "with a system turn without text",
    }
)
"""Reasons why a form cannot hold a row, and what such rows are like."""

MENDED_BY_ROLES = frozenset(MISFITS) - {"unknown_role", "empty_system"}
"""Those of which the recipe step `roles` makes rows that fit."""


@dataclass(frozen=True)
class Lines:
    """How a form lays rows out as JSON Lines.

    Attributes:
        record: the object of a row's line.
        messages: what `record` was made from; may raise KeyError, TypeError or ValueError for an
            object of another form.
        leads: of rows that have something in every field, where others have empty lists. Loaders
            take the type of a column from the first rows, and an empty list has none: the first
            such row of a split is written first.
    """

    record: Callable[[Conversation], Record]
    messages: Callable[[Mapping[str, object]], Messages]
    leads: Callable[[Messages], bool] | None = None


@dataclass(frozen=True)
class Form:
    """A form that trainers load as it is.

    Attributes:
        name: as the command line has it.
        holds: the rows it can hold, in words.
        misfit: why it cannot hold a row, one of `MISFITS`; None if it can.
        load: what a user writes to load an export, by trainer; see `forms.how_to_load`.
        lines: how rows become lines; None for Parquet files as they are stored.
    """

    name: str
    holds: str
    misfit: Callable[[Messages], str | None]
    load: Callable[["SplitFiles"], dict[str, str]]
    lines: Lines | None = None

    @property
    def suffix(self) -> str:
        """Of its files."""
        return ".jsonl" if self.lines else ".parquet"


@dataclass(frozen=True)
class SplitFiles:
    """Where the files of one exported split lie.

    Attributes:
        folder: the export's folder, as a trainer is told of it.
        split: the split.
        count: how many files it has.
        suffix: `.jsonl` or `.parquet`.
    """

    folder: str
    split: str
    count: int
    suffix: str

    @property
    def pattern(self) -> str:
        """A pattern that fits all files of the split."""
        return f"{self.folder}/data/{self.split}-*{self.suffix}"

    def names(self) -> list[str]:
        """The files, in order."""
        return [
            f"{self.folder}/data/{file_name(self.split, number, self.count, self.suffix)}"
            for number in range(self.count)
        ]


def file_name(split: str, number: int, of: int, suffix: str) -> str:
    """Name a data file as the Hub and the store do: `train-00000-of-00002.jsonl`."""
    return f"{split}-{number:05d}-of-{of:05d}{suffix}"


def no_misfit(messages: Sequence[Message]) -> str | None:
    """Of a form that holds any row."""
    del messages
    return None


def misfit_of_rounds(messages: Sequence[Message]) -> str | None:
    """Of a form that holds rounds: a system turn or none, then user, assistant, user, assistant."""
    roles = [role for role, _ in messages]
    if not set(roles) <= set(ROLES):
        return "unknown_role"
    if roles[:1] == ["system"]:
        del roles[0]
    if "system" in roles:
        return "late_system"
    if not {"user", "assistant"} <= set(roles):
        return "no_round"
    if roles[0] == "assistant":
        return "starts_with_assistant"
    if any(one == two for one, two in pairwise(roles)):
        return "repeated_role"
    return "ends_with_user" if roles[-1] == "user" else None
