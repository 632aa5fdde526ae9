"""Assistant turns back to the Markdown that the model wrote.

ShareGPT's browser extension stored an answer as the HTML of ChatGPT's page (the `outerHTML` of its
`.markdown` element) and a user's turn as plain text. So only assistant turns are touched, and of
those only what is certainly the page's doing: its HTML, and the labels of its copy buttons in
answers whose tags somebody else took off. `vector<int> v;` and `my_var * 2` stay as they are.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Edit, Kept, Outcome
from imitation_data.rows.html_to_markdown import convert, convert_page
from imitation_data.rows.page.code import COPY_LABELS

__all__ = ["Markdown", "convert", "is_fragment", "is_page", "without_copy_labels"]

_HAS_CLASS = r"(?=[^\"]*(?<![\w:-]){}(?![\w:-]))"
_OPENING = re.compile(r"\s*(?:\d{1,4} / \d{1,4}\s*)?<[a-z]")
_PAGE_MARK = re.compile(
    r"<[a-z]++[^<>\"]*(?:\"[^\"<>]*\"[^<>\"]*)*?\bclass=\""
    + _HAS_CLASS.format("markdown")
    + _HAS_CLASS.format("prose")
)
_BLOCK = "p|div|ul|ol|pre|h[1-6]|blockquote|table"
_FRAGMENT = re.compile(rf"\s*<(?:{_BLOCK})(?:\s[^<>]*)?>")
_FRAGMENT_END = re.compile(rf"</(?:{_BLOCK})>\s*\Z")

_LABEL = "|".join(map(re.escape, COPY_LABELS))
_ANY_LABEL = re.compile(f"{_LABEL}|Copy\\d+ chars")
_LANGUAGE = r"[\w+#.-]{0,20}"
_FENCE = re.compile(rf"[ \t]*`{{3,}}{_LANGUAGE}[ \t]*")
_LABELLED_FENCE = re.compile(rf"([ \t]*`{{3,}})({_LANGUAGE}?)[ \t]*(?:{_LABEL})+[ \t]*(.*)")
_LABELLED_CODE = re.compile(rf"[ \t]*({_LANGUAGE}?)[ \t]*(?:{_LABEL})+[ \t]*(.*)")
_BEFORE_LABEL = re.compile(rf"[ \t>]*{_LANGUAGE}[ \t]*|{_FENCE.pattern}")
_COPY_COUNTER = re.compile(r"Copy\d{1,9} chars / \d{1,9} words[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Markdown:
    """Convert the page's HTML in assistant turns to Markdown, and remove copy-button labels.

    A turn whose HTML shows no text becomes blank; the step `blank` decides on it. User and system
    turns are never touched.

    Attributes:
        html: which turns are HTML. `page`: those that open with a tag and hold the element that
            ChatGPT's page put around an answer (class `markdown prose …`). `fragment`: also those
            that begin and end with a block-level tag, for sources that are known to be HTML; an
            answer that is nothing but HTML source code would be converted, too.
        copy_labels: remove `Copy code` lines from answers whose tags are gone already.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    html: Literal["page", "fragment"] = "page"
    copy_labels: bool = True

    def __call__(self, row: Conversation, /) -> Outcome:
        edits: Counter[str] = Counter()
        messages = [
            Message(role, self._clean(text, edits) if role == "assistant" else text)
            for role, text in row.messages
        ]
        if not edits:
            return Kept((row,))
        found = tuple(Edit(kind, count) for kind, count in sorted(edits.items()))
        return Kept((row.with_messages(messages),), found)

    def _clean(self, text: str, edits: Counter[str]) -> str:
        if is_page(text) or (self.html == "fragment" and is_fragment(text)):
            markdown, left_out = convert_page(text)
            edits["html_to_markdown"] += 1
            for kind, count in left_out.items():
                edits[f"{kind}_removed"] += count
            if not markdown:
                edits["html_without_text"] += 1
            return markdown
        if self.copy_labels and _ANY_LABEL.search(text):
            return _without_labels(text, edits)
        return text


def is_page(text: str) -> bool:
    """Whether a turn is HTML that ChatGPT's page made: it opens with a tag and bears its mark."""
    if text.startswith('<div class="markdown prose '):
        return True
    return _OPENING.match(text) is not None and _PAGE_MARK.search(text) is not None


def is_fragment(text: str) -> bool:
    """Whether a turn begins and ends with a block-level tag."""
    tail = text[-200:]
    return _FRAGMENT.match(text) is not None and _FRAGMENT_END.search(tail) is not None


def without_copy_labels(text: str) -> str:
    r"""Remove the labels of copy buttons from an answer whose tags are gone.

    A label counts as one if it fills a line under a language's name, a fence or a blank line and
    above a line of text, or if it follows the opening of a fence:

    >>> without_copy_labels("So:\n\npython\nCopy code\nimport os\n")
    'So:\n\npython\nimport os\n'
    """
    return _without_labels(text, Counter()) if _ANY_LABEL.search(text) else text


def _without_labels(text: str, edits: Counter[str]) -> str:
    text, counters = _COPY_COUNTER.subn("", text)
    if counters:
        edits["copy_counter_removed"] += counters
    lines = text.split("\n")
    kept: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        before = kept[-1] if kept else ""
        if _ANY_LABEL.search(line) is None:
            kept.append(line)
        elif fence := _LABELLED_FENCE.fullmatch(line):
            kept.append(fence[1] + fence[2])
            kept += [fence[3]] if fence[3] else []
            edits["copy_code_removed"] += 1
        elif _FENCE.fullmatch(before) and (code := _LABELLED_CODE.fullmatch(line)):
            if before.endswith("`"):
                kept[-1] += code[1]
            kept += [code[2]] if code[2] else []
            edits["copy_code_removed"] += 1
        elif line.strip() in COPY_LABELS and following.strip() and _BEFORE_LABEL.fullmatch(before):
            edits["copy_code_removed"] += 1
        else:
            kept.append(line)
    return "\n".join(kept)
