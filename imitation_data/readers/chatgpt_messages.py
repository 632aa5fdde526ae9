"""What was said in one message of a ChatGPT export, or why nothing of it becomes a turn.

A message as it stands under a node of `mapping`, shortened:

    {"id": "aaa2f…", "author": {"role": "assistant", "name": null}, "create_time": 1700000002.1,
     "content": {"content_type": "text", "parts": ["Paris."]}, "weight": 1.0, "recipient": "all",
     "metadata": {"model_slug": "gpt-4", "finish_details": {"type": "stop"}}}

What is left out is counted under one of these names, the first that fits:

- `hidden_message_dropped`: weight 0, or marked as hidden from the conversation or as the user's
  custom instructions;
- `tool_message_dropped`: written by a tool, or by the assistant to a tool; code execution output;
- `reasoning_dropped`: thoughts, their recap, and the channel `analysis`;
- `browsing_dropped`, `system_error_dropped`, `custom_instructions_dropped`: content of those types;
- `unknown_content_dropped`: content of a type that is not known here;
- `blank_message_dropped`: no text, and nothing else either.

Of what stays, `image_dropped`, `audio_dropped` and `content_part_dropped` count parts that are no
text, and `attachment_left_out` counts uploaded files. A message of nothing but such parts stays as
an empty turn: the step that looks for blank turns decides, since the answer may lean on it. Speech
stays as its transcript. Code is fenced (`code_fenced`).

Citation markers (U+E200, a word such as `cite`, parts set apart by U+E202, and U+E201, all of the
private-use area) are taken out of answers with the space before them, and a `url` marker becomes
its label (`citation_stripped`). Markers with other words may hold text and are left alone.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from imitation_data.readers.quoting import kind, shown
from imitation_data.readers.roles import WORDS
from imitation_data.readers.shape import Row, Unfit, list_in, object_in

_OMITTED: Mapping[str, str] = {
    "thoughts": "reasoning_dropped",
    "reasoning_recap": "reasoning_dropped",
    "execution_output": "tool_message_dropped",
    "tether_quote": "browsing_dropped",
    "tether_browsing_display": "browsing_dropped",
    "tether_browsing_code": "browsing_dropped",
    "sonic_webpage": "browsing_dropped",
    "system_error": "system_error_dropped",
    "user_editable_context": "custom_instructions_dropped",
    "model_editable_context": "custom_instructions_dropped",
}
_PARTS: Mapping[str, str] = {
    "image_asset_pointer": "image_dropped",
    "audio_asset_pointer": "audio_dropped",
    "video_container_asset_pointer": "audio_dropped",
    "real_time_user_audio_video_asset_pointer": "audio_dropped",
}
_HIDDEN = ("is_visually_hidden_from_conversation", "is_user_system_message")
_CITATION = re.compile(
    r" ?\ue200(?:cite|filecite|memcite|navlist)(?:\ue202[^\ue200\ue201]*)?\ue201"
)
_LINK = re.compile(r"\ue200url\ue202([^\ue200-\ue202]*)(?:\ue202[^\ue200\ue201]*)?\ue201")
_FENCE = re.compile(r"^`{3,}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """One turn.

    Attributes:
        role: system, user or assistant.
        text: what was said; perhaps empty, if it was no text.
        model: the model's name, if the message gives one.
        edits: what was changed and how often.
    """

    role: str
    text: str
    model: str = ""
    edits: Counter[str] = field(default_factory=Counter)


def said(message: Row) -> Said | str:
    """Return what was said, or the name of the edit that leaves the message out.

    Raises:
        Unfit: the message is not as an export writes it.
    """
    role = _role(message)
    content = message.get("content")
    content = object_in(content, "the content of a message") if content is not None else {}
    metadata = message.get("metadata")
    metadata = object_in(metadata, "the metadata of a message") if metadata is not None else {}
    form = content.get("content_type") or "text"
    if not isinstance(form, str):
        raise Unfit(f"{kind(form)} as content_type", "a text such as 'multimodal_text'")
    if omitted := _omitted(role, form, message, metadata):
        return omitted
    edits: Counter[str] = Counter()
    if form == "code":
        text = _fenced(content, edits)
    elif form in ("text", "multimodal_text"):
        text = _joined(content, edits)
    else:
        return "unknown_content_dropped"
    _count_attachments(metadata, edits)
    if not edits and (not text or text.isspace()):
        return "blank_message_dropped"
    if role == "assistant" and "\ue200" in text:
        text, citations = _CITATION.subn("", text)
        text, links = _LINK.subn(r"\1", text)
        edits["citation_stripped"] = citations + links
    model = metadata.get("model_slug")
    return Said(role, text, model if isinstance(model, str) else "", +edits)


def _role(message: Row) -> str:
    author = object_in(message.get("author"), "the author of a message")
    word = author.get("role")
    role = WORDS.get(word.strip().lower()) if isinstance(word, str) else None
    if role is None:
        raise Unfit(f"the role {shown(word)}", "system, user, assistant or tool")
    return role


def _omitted(role: str, form: str, message: Row, metadata: Row) -> str:
    weight = message.get("weight")
    hidden = isinstance(weight, int | float) and weight == 0
    if hidden or any(metadata.get(name) is True for name in _HIDDEN):
        return "hidden_message_dropped"
    to_tool = role == "assistant" and message.get("recipient") not in (None, "", "all")
    if role == "tool" or to_tool:
        return "tool_message_dropped"
    if message.get("channel") == "analysis":
        return "reasoning_dropped"
    return _OMITTED.get(form, "")


def _joined(content: Row, edits: Counter[str]) -> str:
    """Join the parts that are text by line feeds and count the others."""
    if content.get("parts") is None:
        text = content.get("text")
        if text is not None and not isinstance(text, str):
            raise Unfit(f"{kind(text)} as the text of a message", "a text")
        return text or ""
    texts = []
    for part in list_in(content["parts"], "the parts of a message"):
        if isinstance(part, str):
            texts.append(part)
            continue
        name = part.get("content_type") if isinstance(part, dict) else None
        edit = _PARTS.get(name) if isinstance(name, str) else None
        spoken = part.get("text") if isinstance(part, dict) and edit is None else None
        if isinstance(spoken, str):
            texts.append(spoken)
        elif part is not None:
            edits[edit or "content_part_dropped"] += 1
    return "\n".join(text for text in texts if text)


def _fenced(content: Row, edits: Counter[str]) -> str:
    text, language = content.get("text"), content.get("language")
    if text is not None and not isinstance(text, str):
        raise Unfit(f"{kind(text)} as the text of a message", "a text")
    if not text or text.isspace():
        return ""
    edits["code_fenced"] += 1
    fence = "`" * max(3, *(len(mark) + 1 for mark in _FENCE.findall(text)), 3)
    plain = isinstance(language, str) and language.isalnum() and language != "unknown"
    return f"{fence}{language if plain else ''}\n{text}\n{fence}"


def _count_attachments(metadata: Row, edits: Counter[str]) -> None:
    """Count uploaded files; images among them are parts of the message as well."""
    attachments = metadata.get("attachments")
    for attachment in attachments if isinstance(attachments, list) else ():
        form = attachment.get("mime_type") if isinstance(attachment, dict) else None
        if not (isinstance(form, str) and form.startswith("image/")):
            edits["attachment_left_out"] += 1
