"""Discord channels with chat bots, as DiscordChatExporter writes them to JSON.

A file is one channel or a part of one. With most fields left out:

    {"guild": {"id": "81384788765712384", "name": "A server"},
     "channel": {"id": "1079790565794779156", "type": "GuildTextChat", "name": "chat"},
     "messages": [
      {"id": "1079802186508271617", "type": "Default", "timestamp": "2023-02-27T15:03:21+00:00",
       "content": "@ChatBot what is a monad?",
       "author": {"id": "45", "name": "ana", "isBot": false},
       "mentions": [{"id": "99", "name": "ChatBot", "isBot": true}]},
      {"id": "1079802205890146395", "type": "Reply", "timestamp": "2023-02-27T15:03:26+00:00",
       "content": "A monad is …", "author": {"id": "99", "name": "ChatBot", "isBot": true},
       "reference": {"messageId": "1079802186508271617", "channelId": "1079790565794779156"}}],
     "messageCount": 2}

**Pairing.** Messages are put in the order of their snowflakes over all files of a channel. A bot's
message answers

- the message it replies to, if that is a person's, in this channel and in the export (`reply`);
- a command, if it repeats the prompt: exports hold no options of commands (`interaction`);
- else the nearest earlier message by a person that mentions the bot, replies to it, starts with one
  of `prefixes`, opens a thread, or stands in a `dedicated` channel or a chat with the bot alone, is
  unanswered and at most `window` seconds old, with no other person in between (`nearest`).

A bot's messages that follow within `continuation` seconds, with nothing in between or after one of
about 2,000 characters, belong to the same answer. A reply to an answer continues its conversation;
a branch is a part of its own. Where a prompt was sent again to get another answer, the last counts.

**Text** is `content`, for bots else description and fields of embeds. Mentions at the start,
mentions of bots at the end, and prefixes are taken off; `@name` of anyone who wrote or was
mentioned in the channel becomes `@user`. Previews of links in people's messages are no text.

**Accounting.** Every message is in a row or in a drop with a reason (`discord_log.Fate`); a
conversation's origin is `channel/message` of the message it starts with, a drop's that of its own.
A channel left out by `channels` is one drop. Rows hold no ids or names of people, and neither does
`meta`, which leaves out file and channel names for that reason: `pairing` is the least sure way of
pairing in the row.

**Memory.** One channel at a time, about 100 bytes a message; the text waits in a temporary file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Literal

import orjson

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.discord_log import EDITS, Fate, Log
from imitation_data.readers.discord_message import (
    Authors,
    Channel,
    MessageReader,
    Starter,
    channel_of,
)
from imitation_data.readers.discord_pairs import Group, How, Pairs, Rules, groups
from imitation_data.readers.discord_text import Names, join
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_nested import Member, read_under
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.record import BadRecord, Record
from imitation_data.readers.shape import Unfit, object_in

_EDITED = sum(EDITS.values())


@dataclass(frozen=True)
class Discord:
    """Read dialogues with bots out of DiscordChatExporter's JSON.

    Attributes:
        bots: names or ids of the bots whose answers are wanted; all accounts marked as bots when
            empty.
        prefixes: what a message to a bot starts with (`!ask`).
        dedicated: names or ids of channels, or of categories, where every message is for the bot.
        channels: names or ids of channels, or of categories, to read; all when empty.
        window: seconds between a prompt and an answer that does not refer to it.
        continuation: seconds between the pieces of one answer.
        confidence: the least sure way of pairing that counts.
        chain: follow replies back, so that a dialogue becomes one row of many turns.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()
    SUFFIXES: ClassVar[tuple[str, ...]] = (".json",)
    TOGETHER: ClassVar[bool] = True  # a channel may be split over files

    bots: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    dedicated: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    window: int = 600
    continuation: int = 10
    confidence: Literal["reply", "interaction", "nearest"] = "nearest"
    chain: bool = True

    def __post_init__(self) -> None:
        for name in ("window", "continuation"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} seconds; expected 0 or more")
        for name in ("bots", "prefixes", "dedicated", "channels"):
            if any(not word.strip() for word in getattr(self, name)):
                raise ValueError(f"{name}: a blank text; expected names without blanks around them")

    def read(self, files: Sequence[SourceFile]) -> Iterator[Record | BadRecord]:
        """Yield a record for each conversation and for each message in none, channel by channel."""
        parts: dict[int, list[SourceFile]] = {}
        heads: dict[int, Channel] = {}
        for file in files:
            head = _head(file)
            if isinstance(head, BadRecord):
                yield head
                continue
            heads.setdefault(head.id, head)
            parts.setdefault(head.id, []).append(file)
        starters: dict[int, Starter | None] = {
            head.id: None for head in heads.values() if head.thread
        }
        # Threads come last: the channels before them hold the messages they were started from.
        for head in sorted(heads.values(), key=lambda head: head.thread):
            if self.channels and not head.is_one_of(self.channels):
                yield Record(str(head.id), (), (Drop("channel_not_selected"),))
            else:
                yield from self._channel(head, parts[head.id], starters)

    def _channel(
        self, channel: Channel, files: Sequence[SourceFile], starters: dict[int, Starter | None]
    ) -> Iterator[Record | BadRecord]:
        reader = MessageReader(
            channel,
            Authors(frozenset(name.lower() for name in self.bots)),
            tuple(sorted(self.prefixes, key=lambda prefix: (-len(prefix), prefix))),
            dedicated=channel.direct or channel.is_one_of(self.dedicated),
            starters=starters,
        )
        log = Log()
        try:
            for file in files:
                yield from _load(file, reader, log)
            repeated = log.sort()
            least = How[self.confidence.upper()]
            rules = Rules(self.window * 1000, self.continuation * 1000, least, self.chain)
            yield from _Writer(log, Pairs(log, rules), reader).records()
            for snowflake in repeated:
                drop = Drop(Fate.REPEATED_MESSAGE.slug)
                yield Record(f"{channel.id}/{snowflake}", (), (drop,))
        finally:
            log.close()


def _head(file: SourceFile) -> Channel | BadRecord:
    """Read what channel a file is of, usually from its first kilobyte."""
    broken: BadRecord | None = None
    for item in read_under(file, "messages"):
        if isinstance(item, Member) and item.name == "channel":
            try:
                return channel_of(item.value)
            except Unfit as unfit:
                where = f"{file.name}, key 'channel'"
                return BadRecord(where, unfit.found, unfit.expected, file.name)
        if isinstance(item, BadRecord):
            broken = broken or item
    expected = "a file that DiscordChatExporter wrote as JSON"
    return broken or BadRecord(file.name, "no channel in the root object", expected, file.name)


def _load(file: SourceFile, reader: MessageReader, log: Log) -> Iterator[BadRecord]:
    """Add the messages of a file to the log; yield those that cannot be read."""
    found = False
    for item in read_under(file, "messages"):
        if isinstance(item, BadRecord):
            yield item
        elif isinstance(item, RawRecord):
            try:
                read = reader.read(object_in(item.value, "a message"), mended=bool(item.edits))
            except Unfit as unfit:
                yield item.bad(unfit.found, unfit.expected)
            else:
                log.add(read.post, read.prompt, read.text)
        else:
            found = found or (item.name == "messages" and isinstance(item.value, list))
    if not found:
        yield BadRecord(file.name, "no list of messages", "a list in the key messages", file.name)


@dataclass(slots=True)
class _Writer:
    """Makes records of a channel's messages."""

    log: Log
    pairs: Pairs
    reader: MessageReader

    def records(self) -> Iterator[Record]:
        bots = self.reader.authors.bots
        names = Names(self.reader.authors.people.difference(bots.values()))
        ordered = groups(self.pairs)
        group = next(ordered, None)
        for at in range(len(self.log)):
            if group is not None and group.start == at:
                yield self._conversations(group, names)
                group = next(ordered, None)
            elif self.pairs.fate[at]:
                yield self._dropped(at)

    def _origin(self, at: int) -> str:
        return f"{self.reader.channel.id}/{self.log[at].id}"

    def _dropped(self, at: int) -> Record:
        fate, other = Fate(self.pairs.fate[at]), ""
        if fate == Fate.REGENERATED:
            exchange = self.pairs.exchange[at]
            while self.pairs.by[exchange] >= 0:
                exchange = self.pairs.by[exchange]
            other = self._origin(self.pairs.start[exchange])
        unpaired = fate in (Fate.NOT_ADDRESSED, Fate.UNANSWERED)
        if unpaired and self.reader.starters.get(self.log[at].id) is not None:
            fate = Fate.STARTS_THREAD
        return Record(self._origin(at), (), (Drop(fate.slug, other=other),))

    def _conversations(self, group: Group, names: Names) -> Record:
        counts: Counter[str] = Counter()
        said = {
            exchange: self._said(exchange, names, counts)
            for exchange in dict.fromkeys(now for branch in group.branches for now in branch)
        }
        self._count_marks(said, counts)
        origin = self._origin(group.start)
        rows = tuple(
            Conversation(
                tuple(message for exchange in branch for message in said[exchange]),
                origin=origin,
                part=part,
                meta=self._meta(branch),
            )
            for part, branch in enumerate(group.branches)
        )
        edits = tuple(Edit(name, count) for name, count in sorted((+counts).items()))
        return Record(origin, rows, (), edits)

    def _said(self, exchange: int, names: Names, counts: Counter[str]) -> tuple[Message, Message]:
        asked, pieces = "", []
        for at in self.pairs.messages(exchange):
            echoed, text = self.log.texts(self.log[at])
            if at == self.pairs.prompt[exchange]:
                asked = text
            else:
                asked = asked or echoed
                pieces.append(text)
        counts["continuation_joined"] += len(pieces) - 1
        counts["earlier_turns_missing"] += self.pairs.lost[exchange]
        asked, in_prompt = names.mask(asked)
        answer, in_answer = names.mask(join(pieces))
        counts["name_masked"] += in_prompt + in_answer
        return Message("user", asked), Message("assistant", answer)

    def _count_marks(self, exchanges: Iterable[int], counts: Counter[str]) -> None:
        for at in {at for exchange in exchanges for at in self.pairs.messages(exchange)}:
            marks = self.log[at].marks
            if marks & _EDITED:
                counts.update(name for name, mark in EDITS.items() if marks & mark)

    def _meta(self, branch: Sequence[int]) -> str:
        first = self.log[self.pairs.start[branch[0]]]
        bot = self.log[self.pairs.first[branch[0]]].author
        return orjson.dumps(
            {
                "pairing": How(max(self.pairs.how[now] for now in branch)).name.lower(),
                "bot": self.reader.authors.bots.get(bot, ""),
                "timestamp": datetime.fromtimestamp(first.time / 1000, UTC).isoformat(),
                "messages": len({at for now in branch for at in self.pairs.messages(now)}),
            }
        ).decode()
