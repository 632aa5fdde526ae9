"""Who speaks: role words in the wild, and what becomes of tool messages, nulls and parts.

Every chat reader gathers its turns through `Turns`, so that one policy holds for all:

- A word for a role is looked up in the reader's own `roles` option and in `WORDS`, without regard
  to case. An unknown word makes the record bad: a guess would train a model on the wrong side.
- Tool, function and plugin messages, and assistant turns that only call a tool, are no part of a
  row. `tools: drop_messages` (the default) leaves them out and counts `tool_message_dropped`; of a
  turn that calls a tool and says something the text stays, and `tool_call_removed` is counted.
  `tools: drop_record` drops every record that has either, reason `tool_message`.
- An empty text stays a turn with an empty text, and so does null (edit `null_text_as_empty`): the
  step that looks for blank turns decides. A turn without any field that could hold text is bad.
- A whole number as text is written in digits (edit `number_as_text`). A list of parts is joined by
  line feeds; parts that are no text, such as images, are left out (edit `content_part_dropped`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.quoting import kind, shown
from imitation_data.readers.record import Record
from imitation_data.readers.shape import Unfit

ToolPolicy = Literal["drop_messages", "drop_record"]
Speaker = Literal["system", "user", "assistant", "tool"]

WORDS: Mapping[str, Speaker] = MappingProxyType(
    {
        "system": "system",
        "developer": "system",
        "user": "user",
        "human": "user",
        "prompter": "user",
        "assistant": "assistant",
        "gpt": "assistant",
        "chatgpt": "assistant",
        "bing": "assistant",
        "bard": "assistant",
        "bot": "assistant",
        "model": "assistant",
        "ai": "assistant",
        "tool": "tool",
        "tool_call": "tool",
        "tool_response": "tool",
        "function": "tool",
        "function_call": "tool",
        "function_response": "tool",
        "observation": "tool",
        "plugin": "tool",
    }
)


def role_words(own: Mapping[str, str]) -> dict[str, Speaker]:
    """Join a reader's `roles` option with `WORDS`; the option wins.

    Raises:
        ValueError: a value is not system, user, assistant or tool.
    """
    speakers: dict[str, Speaker] = {speaker: speaker for speaker in get_args(Speaker)}
    words = dict(WORDS)
    for word, role in own.items():
        if role not in speakers:
            raise ValueError(
                f"roles: {word!r} stands for {role!r}; expected system, user, assistant or tool"
            )
        words[word] = words[word.strip().lower()] = speakers[role]
    return words


class Turns:
    """Gathers the turns of one conversation; see the module's text for the policy.

    Args:
        words: role words, as `role_words` gives them.
        tools: what tool messages do to the record.
    """

    __slots__ = ("_edits", "_tools", "_words", "messages")

    def __init__(self, words: Mapping[str, Speaker], tools: ToolPolicy = "drop_messages") -> None:
        self._words, self._tools = words, tools
        self._edits: dict[str, int] = {}
        self.messages: list[Message] = []

    def add(self, word: object, content: object) -> None:
        """Add the next turn.

        Args:
            word: who speaks, in the source's own word.
            content: what was said: text, null, a whole number or a list of parts.

        Raises:
            Unfit: the word is no known role, or the content cannot be text.
        """
        role = self._words.get(word) if isinstance(word, str) else None
        if role is None:
            role = self._role(word)
        if role == "tool":
            self.count("tool_message_dropped")
            return
        text = content if isinstance(content, str) else self.text(content)
        self.messages.append(Message(role, text))

    def count(self, kind_of_edit: str, count: int = 1) -> None:
        """Count an edit; `tool_message_dropped` for a message that only calls a tool."""
        self._edits[kind_of_edit] = self._edits.get(kind_of_edit, 0) + count

    def text(self, content: object) -> str:
        """Return content as text, counting what had to be changed.

        Raises:
            Unfit: it is an object, a fraction, or true or false.
        """
        match content:
            case str():
                return content
            case None:
                self.count("null_text_as_empty")
                return ""
            case int() if not isinstance(content, bool):
                self.count("number_as_text")
                return str(content)
            case list():
                return self._joined(content)
            case _:
                raise Unfit(
                    f"{kind(content)} as the text of turn {self.number}",
                    "a text or a list of parts",
                )

    def record(
        self, raw: RawRecord, origin: str, *, teacher: str | None = None, meta: str = "{}"
    ) -> Record:
        """Make the record of what was gathered: one row, or the reason there is none."""
        edits = raw.edits + tuple(Edit(name, count) for name, count in self._edits.items())
        tools = self._edits.get("tool_message_dropped", 0)
        used = tools + self._edits.get("tool_call_removed", 0)
        if used and self._tools == "drop_record":
            drop = Drop("tool_message", found=used, limit=0)
        elif not self.messages:
            drop = Drop("only_tool_messages", found=tools) if tools else Drop("no_turns")
        else:
            row = Conversation(tuple(self.messages), origin=origin, teacher=teacher, meta=meta)
            return Record(origin, (row,), (), edits)
        return Record(origin, (), (drop,), edits)

    @property
    def number(self) -> int:
        """1-based number of the turn being added, tool messages counted."""
        return len(self.messages) + self._edits.get("tool_message_dropped", 0) + 1

    def _role(self, word: object) -> Speaker:
        role = self._words.get(word.strip().lower()) if isinstance(word, str) else None
        if role is None:
            raise Unfit(
                f"the role {shown(word)} at turn {self.number}",
                f"one of {', '.join(self._words)}; the reader's option roles can name others",
            )
        return role

    def _joined(self, parts: list[object]) -> str:
        texts = [text for part in parts if (text := part_text(part)) is not None]
        if len(texts) < len(parts):
            self.count("content_part_dropped", len(parts) - len(texts))
        return "\n".join(texts)


def part_text(part: object) -> str | None:
    """Return the text of a part of a message (a text, or `{"type": "text", "text": "…"}`)."""
    text = part.get("text") if isinstance(part, dict) else part
    return text if isinstance(text, str) else None
