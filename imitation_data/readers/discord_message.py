"""One message of a DiscordChatExporter file: who wrote it, to whom, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import xxhash

from imitation_data.readers.discord_log import (
    ANY_BOT,
    EDITS,
    NOBODY,
    UNKNOWN,
    Fate,
    Mark,
    Post,
)
from imitation_data.readers.discord_text import (
    NEARLY_FULL,
    Embed,
    Field,
    echo,
    notice,
    strip_mentions,
    strip_prefix,
)
from imitation_data.readers.quoting import kind, shown
from imitation_data.readers.shape import Row, Unfit, list_in, object_in, own_key

_EPOCH = 1_420_070_400_000  # milliseconds; Discord's snowflakes count from 2015
_LATEST = 4_102_444_800_000  # milliseconds; a later time than the year 2100 is a mistake
_MAX_DIGITS = 19
_MAX_MENTIONS = 100  # Discord's own limit is lower
# The exporter writes the names it knows and the API's numbers, as texts, for the others.
_SAID = {"", "default", "0", "reply", "19"}
_COMMANDS = {"20", "chatinputcommand", "applicationcommand", "23", "contextmenucommand"}
_STARTERS = {"21", "threadstartermessage", "threadstarter"}
_THREADS = {"10", "11", "12"}


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as the head of a file describes it.

    Attributes:
        id: the snowflake.
        thread: it is a thread or a forum post.
        direct: it is a chat between one person and the bot.
        names: its id and name, and its parent's, in lower case.
    """

    id: int
    thread: bool
    direct: bool
    names: frozenset[str]

    def is_one_of(self, wanted: Sequence[str]) -> bool:
        """Whether it, or the channel or category above it, is named."""
        return any(name.lower() in self.names for name in wanted)


class Starter(NamedTuple):
    """The message of another channel that a thread was started from."""

    author: str
    text: str
    people: tuple[str, ...]  # names it mentions


@dataclass(slots=True)
class Authors:
    """Who writes in a channel: numbers instead of ids, and the names to mask.

    Attributes:
        wanted: ids and names of the bots whose answers are wanted, in lower case; every account
            marked as a bot when empty.
    """

    wanted: frozenset[str]
    numbers: dict[str, int] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    bots: dict[int, str] = field(default_factory=dict)

    def add(self, user: Row) -> tuple[int, bool, bool]:
        """Return a user's number, whether it is a wanted bot, and whether it is another bot."""
        key = own_key(user, ("id", "name"))
        if not key:
            raise Unfit("an author without id and name", "an id in the author of each message")
        names = [name for name in (text(user, "name"), text(user, "nickname")) if name]
        machine = user.get("isBot")
        if machine is not None and not isinstance(machine, bool):
            raise Unfit(f"{kind(machine)} as isBot", "true or false")
        number = self.numbers.setdefault(key, len(self.numbers))
        wanted = bool(machine)
        if self.wanted:
            wanted = not self.wanted.isdisjoint(name.lower() for name in (key, *names))
        if wanted:
            self.bots[number] = names[0] if names else ""
        elif not machine:
            self.people.update(names)
        return number, wanted, bool(machine) and not wanted


@dataclass(frozen=True, slots=True)
class Read:
    """A message, the prompt it echoes and its text."""

    post: Post
    prompt: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class MessageReader:
    """Reads the messages of one channel.

    Attributes:
        channel: where they stand.
        authors: filled while reading.
        prefixes: what a command to a bot starts with, longest first.
        dedicated: every message of a person is meant for the bot.
        starters: messages that threads were started from, by the thread's id; filled for those that
            are in it with None.
    """

    channel: Channel
    authors: Authors
    prefixes: tuple[str, ...]
    dedicated: bool
    starters: dict[int, Starter | None]

    def read(self, row: Row, *, mended: bool) -> Read:
        """Read a message.

        Raises:
            Unfit: it is not as the exporter writes it.
        """
        author = object_in(row.get("author"), "author")
        number, wanted, other = self.authors.add(author)
        snowflake, form = _snowflake(row.get("id"), "id"), _form(row.get("type"))
        marks = EDITS["lone_surrogate_replaced"] if mended else 0
        post = Post(
            snowflake,
            _moment(row.get("timestamp")) or (snowflake >> 22) + _EPOCH,
            _moment(row.get("timestampEdited")),
            *(0, 0, 0, 0, 0),
            author=number,
            to=NOBODY,
            marks=marks | (Mark.BOT if wanted else 0),
            fate=0,
        )
        reference = _optional(row, "reference")
        if form == "system":
            return Read(post._replace(fate=Fate.SYSTEM_MESSAGE))
        if row.get("forwardedMessage") is not None or reference.get("type") == "Forward":
            return Read(post._replace(fate=Fate.FORWARD))
        if other:
            return Read(post._replace(fate=Fate.OTHER_BOT))
        if form == "starter":
            return self._starter(post, reference)
        post = self._refer(post, reference)
        if wanted:
            return self._answer(post, row, command=form == "command")
        return self._question(post, row, own_key(author, ("id", "name")))

    def _refer(self, post: Post, reference: Row) -> Post:
        if not reference:
            return post
        marks, target = post.marks | Mark.REPLY, 0
        if reference.get("messageId") is not None:
            target = _snowflake(reference["messageId"], "messageId")
        channel = reference.get("channelId")
        if channel is not None and _snowflake(channel, "channelId") != self.channel.id:
            marks |= Mark.ELSEWHERE
        return post._replace(marks=marks, target=target)

    def _starter(self, post: Post, reference: Row) -> Read:
        """Stand in for the message that the thread was started from."""
        starter = self.starters.get(self.channel.id)
        if starter is None and reference.get("messageId") is not None:
            starter = self.starters.get(_snowflake(reference["messageId"], "messageId"))
        if starter is None:
            return Read(post._replace(fate=Fate.STARTER_MISSING))
        number = self.authors.numbers.setdefault(starter.author, len(self.authors.numbers))
        self.authors.people.update(starter.people)
        marks = post.marks & ~Mark.BOT
        post = post._replace(author=number, to=ANY_BOT, marks=marks, digest=_digest(starter.text))
        return Read(post, text=starter.text)

    def _answer(self, post: Post, row: Row, *, command: bool) -> Read:
        names, _, _ = self._mentions(row)
        interaction = _optional(row, "interaction")
        content = text(row, "content").strip()
        embeds = [_embed(embed) for embed in rows(row, "embeds")]
        beside = "\n\n".join(said for embed in embeds if (said := embed.text()))
        marks, to, asked, said = post.marks, post.to, "", content or beside
        if command or interaction:
            marks, to = marks | Mark.COMMAND, UNKNOWN
            if interaction.get("user") is not None:
                user = object_in(interaction["user"], "user")
                to = self.authors.add(user)[0]
                names = _longest_first([*names, *_names(user)])
            asked, answer = echo(content, embeds)
            said = answer or said
        if asked:
            marks |= EDITS["prompt_from_echo"]
        elif beside:
            marks |= EDITS["embed_left_out"] if content else EDITS["embed_as_text"]
        said, mentions = strip_mentions(said, names, ())
        marks |= EDITS["mention_stripped"] if mentions else 0
        marks |= Mark.LONG if len(said) >= NEARLY_FULL else 0
        fate = Fate[slug.upper()] if (slug := notice(said)) else Fate.NONE
        post = post._replace(marks=marks, to=to, digest=_digest(asked), fate=fate)
        return self._finish(post, row, asked, said)

    def _question(self, post: Post, row: Row, author: str) -> Read:
        names, bots, to = self._mentions(row)
        said, mentions = strip_mentions(text(row, "content"), names, bots)
        marks = post.marks | (EDITS["mention_stripped"] if mentions else 0)
        bare = strip_prefix(said, self.prefixes)
        if bare is not None:
            said, marks = bare, marks | EDITS["prefix_stripped"]
        opens = self.channel.thread and post.id == self.channel.id
        if to == NOBODY and (bare is not None or self.dedicated or opens):
            to = ANY_BOT
        if post.id in self.starters and post.id != self.channel.id and said:
            self.starters[post.id] = Starter(author, said, tuple({*names} - {*bots}))
        post = post._replace(marks=marks, to=to, digest=_digest(said))
        return self._finish(post, row, "", said)

    def _finish(self, post: Post, row: Row, asked: str, said: str) -> Read:
        extras = len(rows(row, "attachments")) + len(rows(row, "stickers"))
        if not said or said.isspace():
            return Read(post._replace(fate=Fate.ATTACHMENT_ONLY if extras else Fate.BLANK_CONTENT))
        marks = post.marks | (EDITS["attachment_left_out"] if extras else 0)
        return Read(post._replace(marks=marks), asked, said)

    def _mentions(self, row: Row) -> tuple[list[str], list[str], int]:
        """Return names and bots' names, longest first, and the first wanted bot mentioned."""
        names: list[str] = []
        bots: list[str] = []
        first = NOBODY
        for user in rows(row, "mentions")[:_MAX_MENTIONS]:
            number, wanted, _ = self.authors.add(user)
            names += _names(user)
            if wanted:
                bots += _names(user)
                first = number if first == NOBODY else first
        return _longest_first(names), _longest_first(bots), first


def channel_of(value: object) -> Channel:
    """Read the description of a channel.

    Raises:
        Unfit: it is not as the exporter writes it.
    """
    row = object_in(value, "channel")
    form = own_key(row, ("type",)).lower()
    names = [own_key(row, (name,)) for name in ("id", "name", "categoryId", "category")]
    return Channel(
        _snowflake(row.get("id"), "id of the channel"),
        thread="thread" in form or form in _THREADS,
        direct=form in ("directtextchat", "1"),
        names=frozenset(name.lower() for name in names if name),
    )


def text(row: Row, name: str) -> str:
    """Return a field's text; an empty one when it is missing or null."""
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise Unfit(f"{kind(value)} as {name}", f"a text in the field {name}")


def rows(row: Row, name: str) -> list[Row]:
    """Return a field's list of objects; an empty one when it is missing or null."""
    values = row.get(name)
    if values is None:
        return []
    return [object_in(value, f"an element of {name}") for value in list_in(values, name)]


def _optional(row: Row, name: str) -> Row:
    value = row.get(name)
    return {} if value is None else object_in(value, name)


def _names(user: Row) -> list[str]:
    return [name for name in (text(user, "name"), text(user, "nickname")) if name]


def _longest_first(names: Sequence[str]) -> list[str]:
    return sorted(set(names), key=lambda name: (-len(name), name))


def _embed(row: Row) -> Embed:
    fields = (Field(text(item, "name"), text(item, "value")) for item in rows(row, "fields"))
    return Embed(text(row, "title"), text(row, "description"), tuple(fields))


def _snowflake(value: object, name: str) -> int:
    digits = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
        number = int(digits)
        if 0 < number < 1 << 63:
            return number
    raise Unfit(f"{shown(value)} as {name}", "a number of at most 19 digits (a snowflake)")


def _form(value: object) -> str:
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise Unfit(f"{kind(value)} as type", "a text such as 'Default'")
    word = "" if value is None else str(value).lower()
    if word in _SAID:
        return "said"
    if word in _COMMANDS:
        return "command"
    return "starter" if word in _STARTERS else "system"


def _moment(value: object) -> int:
    """Return milliseconds since 1970; 0 for what is no ISO 8601 time."""
    if not isinstance(value, str):
        return 0
    try:
        time = datetime.fromisoformat(value)
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        moment = int(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return moment if 0 < moment < _LATEST else 0


def _digest(prompt: str) -> int:
    """Hash a prompt, without regard to case and white space, to 63 bits."""
    return xxhash.xxh3_64_intdigest(" ".join(prompt.split()).casefold().encode()) >> 1
