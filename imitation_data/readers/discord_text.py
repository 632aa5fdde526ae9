"""The text of Discord messages: what bots say besides answers, echoes, mentions, long answers.

Everything here is a rule about text alone; `discord` tells what becomes of it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

LIMIT = 2000  # characters; what Discord lets a bot send at once
NEARLY_FULL = 1800  # bots that cut at a line or a sentence stay some way below the limit

_EDGE = re.compile(r"^[\W_]+|[\W_]+$")
_WAITING = re.compile(
    r"(?:(?:i am|i'm|bot is|is)\s)?(?:currently\s)?"
    r"(?:thinking|typing|generating|processing|loading|working|please wait|one moment"
    r"|one sec(?:ond)?|just a (?:moment|sec(?:ond)?)|hold on)"
    r"(?:\W+(?:an?|the|your|my|it|this|that|i|for|about|on|while|of|to|few|be|please|wait|hold|think"
    r"|patient|moment|seconds?|sec|minute|response|answer|reply|request|image|message|model|prompt"
    r"|query|question|results?))*",
    re.IGNORECASE,
)
_WAITING_MARKS = set(".…⏳⌛🤔💭🔄 \n\ufe0f")
_END = r"\W*(?:$|please|try|wait|you\b)"
_ERROR = re.compile(
    r"(?:error\b(?: code)?\s*[:#\d]|an? (?:unknown |internal |unexpected )?error (?:has )?occur"
    r"|something went wrong|oops\W+(?:something|an error|there|i (?:ran|could|can))"
    r"|rate limit(?:ed)?\W+(?:exceeded|reached|hit|error)|you(?: are|'re) being rate limited"
    r"|you(?:'ve| have) (?:reached|hit|exceeded) (?:your|the)|you(?: are|'re) on cooldown"
    r"|(?:this command is )?on cooldown"
    rf"|(?:too many requests|slow down|internal server error|service unavailable){_END}"
    r"|(?:your |the )?(?:request|connection|openai) timed out"
    r"|failed to (?:generate|get|fetch|process) (?:an? |the |your )?"
    r"(?:response|reply|answer|request|image|completion)"
    r"|(?:that |the )?(?:server|model|api|openai) (?:is|are) "
    r"(?:currently )?(?:overloaded|down|unavailable|busy))",
    re.IGNORECASE,
)
_HELP = re.compile(
    r"(?:usage\s*:\s*[`*<\"']*[/!.$?][a-z]|(?:available|list of|bot|all|my) commands\b|help menu"
    r"|here (?:are|is) (?:the |a )?(?:list of )?(?:all )?(?:my |the |available )*commands"
    r"|(?:type|use) [`*]*[/!.$?]\w+[`*]* (?:for|to (?:see|get|show|list)))",
    re.IGNORECASE,
)
_NOTICE = 300  # characters; a longer text that starts like an error is an answer
_MAX_NAME = 64  # characters; Discord allows 32
_RAW_MENTION = re.compile(r"<(@[!&]?|#)\d{5,20}>")
_MASKS = {"@": "@user", "@!": "@user", "@&": "@role", "#": "#channel"}
_LABEL = r"(?:\*\*|__|\*|`)?"
_ASKED = re.compile(
    rf"{_LABEL}(?:prompt|question|query|input|request|you asked|asked|q)"
    rf"{_LABEL}\s*[:：]\s*{_LABEL}",
    re.IGNORECASE,
)
_ANSWERED = re.compile(
    rf"^{_LABEL}(?:answer|response|reply|output|completion|result|a){_LABEL}\s*[:：]{_LABEL}[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_ASKED_FIELDS = {"prompt", "question", "query", "input", "request", "your question", "your prompt"}
_ASKED_FIELDS |= {"you", "user", "you asked", "asked", "q", "message", "your message"}
_ANSWER_FIELDS = {"answer", "response", "reply", "output", "completion", "result", "a"}
_SIGNATURE = re.compile(r"\s+[-–—]\s+(?:@|<@).*$")
_OPENING_FENCE = re.compile(r"```[^\n`]*\n")


class Field(NamedTuple):
    """A field of an embed."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Embed:
    """The text of an embed."""

    title: str = ""
    description: str = ""
    fields: tuple[Field, ...] = ()

    def text(self) -> str:
        """Return description and fields, or the title when there is nothing else."""
        parts = [self.description.strip()]
        for name, value in self.fields:
            label = name.strip(" \u200b")
            parts.append(f"**{label}**\n{value.strip()}" if label else value.strip())
        return "\n\n".join(part for part in parts if part) or self.title.strip()


def notice(text: str) -> str:
    """Name what a bot says instead of an answer, as a reason for a drop; empty for an answer."""
    start = _EDGE.sub("", text[:_NOTICE])
    if len(text) <= _NOTICE:
        if _WAITING.fullmatch(start) or not set(text) - _WAITING_MARKS:
            return "placeholder"
        if _ERROR.match(start):
            return "rate_limit_or_error"
    return "help_text" if _HELP.match(start) else ""


def echo(content: str, embeds: Sequence[Embed]) -> tuple[str, str]:
    """Find the prompt that a bot repeats in its answer to a command.

    Looked at, in this order: quoted lines (`> …`) at the start, a field of an embed whose name
    says prompt, a title that does or that ends in a question mark, and a line that does. A title
    alone is never the prompt, and neither is the name of the command.

    Returns:
        Prompt and answer; both are empty when there is no prompt, or nothing besides it.
    """
    others = "\n\n".join(text for embed in embeds if (text := embed.text()))
    for asked, answer in _echoes(content.strip(), others.strip(), embeds):
        if asked and answer:
            return asked, answer
    return "", ""


def _echoes(content: str, others: str, embeds: Sequence[Embed]) -> Iterable[tuple[str, str]]:
    for text, rest in ((content, others), (others, "")):
        asked, answer = _quoted(text)
        yield asked, answer or rest
    for embed in embeds:
        fields = {_plain(field.name): field.value.strip() for field in reversed(embed.fields)}
        asked = next((fields[name] for name in fields if name in _ASKED_FIELDS), "")
        answer = next((fields[name] for name in fields if name in _ANSWER_FIELDS), "")
        yield asked, answer or embed.description.strip() or content
        title, below = embed.title.strip(), Embed("", embed.description, embed.fields).text()
        if label := _ASKED.match(title):
            yield title[label.end() :].strip(), below or content
        elif title.endswith(("?", "？", "؟")):
            yield title, below or content
    for text, rest in ((content, others), (others, "")):
        if label := _ASKED.match(text):
            yield _labelled(text[label.end() :], rest)


def _plain(name: str) -> str:
    return _EDGE.sub("", name[:_MAX_NAME]).lower()


def _quoted(text: str) -> tuple[str, str]:
    """Split quoted lines off the start of a text."""
    lines = text.split("\n")
    count = next((at for at, line in enumerate(lines) if not line.startswith("> ")), len(lines))
    asked = "\n".join(line[2:] for line in lines[:count]).strip()
    asked = asked[:-_MAX_NAME] + _SIGNATURE.sub("", asked[-_MAX_NAME:])
    if asked.startswith("**") and asked.endswith("**"):
        asked = asked[2:-2]
    if label := _ASKED.match(asked):
        asked = asked[label.end() :]
    return asked.strip(), "\n".join(lines[count:]).strip()


def _labelled(text: str, rest: str) -> tuple[str, str]:
    """Split what follows `Prompt:` at `Answer:`, else at the end of its line."""
    if (label := _ANSWERED.search(text)) is not None:
        return text[: label.start()].strip(" \n*"), text[label.end() :].strip()
    asked, _, answer = text.partition("\n")
    return asked.strip(" *"), answer.strip() or rest


def strip_mentions(text: str, names: Sequence[str], bots: Sequence[str]) -> tuple[str, int]:
    """Take mentions off the start of a text, and mentions of bots off its end.

    Args:
        text: the message.
        names: names as they follow the `@`, longest first.
        bots: those of them that are bots'.

    Returns:
        The text without them, and how many there were.
    """
    count = start = 0
    end = len(text.rstrip())
    while True:
        while start < end and text[start].isspace():
            start += 1
        raw = _RAW_MENTION.match(text, start, end)
        size = raw.end() - start if raw else _mention_at(text, start, names)
        if not size:
            break
        start, count = start + size, count + 1
        while start < end and text[start] in ",:;":
            start += 1
    while size := next(
        (len(name) + 1 for name in bots if text.endswith(f"@{name}", start, end)), 0
    ):
        end, count = end - size, count + 1
        while start < end and text[end - 1].isspace():
            end -= 1
    return text[start:end], count


def _mention_at(text: str, start: int, names: Sequence[str]) -> int:
    """Return the length of the mention at `start`, or 0."""
    if not text.startswith("@", start):
        return 0
    for name in names:
        end = start + 1 + len(name)
        if text.startswith(name, start + 1) and not _goes_on(text[end : end + 1]):
            return end - start
    return 0


def _goes_on(character: str) -> bool:
    """Whether a name may go on with this character; scripts without case write no spaces."""
    return character.isdigit() or character.lower() != character.upper()


def strip_prefix(text: str, prefixes: Sequence[str]) -> str | None:
    """Take a command prefix off a text; None when it has none."""
    for prefix in prefixes:
        if text[: len(prefix)].casefold() == prefix.casefold():
            rest = text[len(prefix) :]
            if not (prefix[-1].isalnum() and rest[:1].isalnum()):
                return rest.strip()
    return None


class Names:
    """Replaces the names of people behind an `@` by `@user`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name for name in names if 0 < len(name) <= _MAX_NAME}
        self._first = {name[0] for name in self._names}
        self._sizes = sorted({len(name) for name in self._names}, reverse=True)

    def mask(self, text: str) -> tuple[str, int]:
        """Return the text without names, and how many there were."""
        if "@" not in text and "<#" not in text:
            return text, 0
        text, count = _RAW_MENTION.subn(lambda raw: _MASKS[raw[1]], text)
        pieces, done, at = [], 0, text.find("@")
        while at >= 0:
            size = self._size_at(text, at)
            if size:
                pieces += [text[done:at], "@user"]
                done, count = at + 1 + size, count + 1
            at = text.find("@", max(done, at + 1))
        return "".join([*pieces, text[done:]]), count

    def _size_at(self, text: str, at: int) -> int:
        before, first = text[max(0, at - 1) : at], text[at + 1 : at + 2]
        if first not in self._first or before == "@" or _goes_on(before):
            return 0
        for size in self._sizes:
            end = at + 1 + size
            if text[at + 1 : end] in self._names and not _goes_on(text[end : end + 1]):
                return size
        return 0


def join(pieces: Sequence[str]) -> str:
    """Put an answer together that was sent in pieces.

    A code block that was closed at the end of a full piece and opened again at the start of the
    next is one block again. Pieces are joined by a line feed, except that a piece cut at the very
    limit goes on where it stopped.
    """
    parts = [pieces[0]]
    open_fence, last_fence = _fences(pieces[0], "", "")
    for before, piece in pairwise(pieces):
        opening = _OPENING_FENCE.match(piece)
        fence = opening[0].strip() if opening else ""
        closed = not open_fence and len(before) >= NEARLY_FULL and before.endswith("```")
        glue = "" if len(before) == LIMIT else "\n"
        rest = piece
        if opening and closed and fence == last_fence:
            parts[-1] = parts[-1][:-3].removesuffix("\n")
            open_fence, glue, rest = fence, "\n", piece[opening.end() :]
        elif opening and open_fence and fence != "```":
            glue, rest = "\n", piece[opening.end() :]
        parts.append(glue + rest)
        open_fence, last_fence = _fences(rest, open_fence, last_fence)
    return "".join(parts)


def _fences(text: str, open_fence: str, last_fence: str) -> tuple[str, str]:
    """Follow the code blocks of a text.

    Args:
        text: what comes next.
        open_fence: the line that opened the block which is open before it, or empty.
        last_fence: the line that opened the latest block.

    Returns:
        Both, after the text.
    """
    at = end = 0
    while (at := text.find("```", at)) >= 0:
        if open_fence:
            open_fence, at = "", at + 3
            continue
        if end <= at:
            end = text.find("\n", at)
            end = end if end >= 0 else len(text)
        closing = text.find("```", at + 3, end)
        if closing >= 0:  # a block within its line
            at = closing + 3
            continue
        open_fence = last_fence = text[at:end].strip()
        at = end
    return open_fence, last_fence
