"""Where a broken JSON value ends, so that the records after it can still be read.

Two signs are looked for, each in one pass over the text: the bracket that closes the value, and
the border to the next record, which looks like the border before this one (`,⏎    {"id":`).
Brackets are believed as long as they match and nothing but JSON stands between the strings. Once a
quote is missing, strings and structure change places, and only a border can be believed.
"""

import re

_FIRST_KEY = re.compile(r'\{\s*"[^"\\\n]*"\s*:')
_STRING = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_BRACKET = re.compile(_STRING + r'|[]"[{}]')
_TOKEN = re.compile(_STRING + r'|[]"[{}]|[^\s,:0-9+\-.eEtrufalsNnIity]')
_AFTER_WORD = re.compile(r"[],\n]")
_LINE_END = re.compile("\n")
_OPENED_BY = {"]": "[", "}": "{"}
_MAX_KEY = 200  # characters


class Borders:
    """Knows what stands between two records of a file, and where the next such border is.

    Args:
        array: the records are elements of an array, not values one after the other.
    """

    def __init__(self, *, array: bool) -> None:
        self.array = array
        self._pattern: re.Pattern[str] | None = None
        self._next = -1  # where the next record starts; the text's length if there is none

    def learn(self, text: str, start: int) -> None:
        """Look at the record that starts at `start`, unless one has been looked at before."""
        if self._pattern is not None:
            return
        match = _FIRST_KEY.match(text, start, start + _MAX_KEY)
        opening = re.escape(match[0]) if match else r"\{"
        before = text[max(0, start - _MAX_KEY) : start]
        space = before[len(before.rstrip(" \t\r\n")) :]
        if not self.array:
            # A line that starts with an object, or the same first key right after an object.
            self._pattern = re.compile(rf"\n(?=\{{)|\}}[ \t]*(?={opening})")
        elif "\n" in space:
            # Indented: the white space alone tells elements from what is inside them.
            line = re.escape(space)
            self._pattern = re.compile(rf"(?:,[ \t]*{line}|{line},[ \t]*)(?={opening})")
        else:
            # Right after the bracket, which tells nothing of the lines that follow.
            self._pattern = re.compile(rf",[ \t\r\n]*(?={opening})")

    def after(self, text: str, start: int) -> int:
        """Return where the first record after `start` starts; the text's length if none does."""
        self.learn(text, start)
        if self._next <= start and self._pattern is not None:
            match = self._pattern.search(text, start + 1)
            self._next = match.end() if match else len(text)
        return self._next

    def forget(self) -> None:
        """Look anew: the text has changed."""
        self._next = -1


def broken_end(text: str, start: int, borders: Borders, *, final: bool) -> int | None:
    """Return where the broken value at `start` ends, always after `start`.

    Args:
        text: the part of the file that was read.
        start: where the value starts.
        borders: what is known of the file's borders.
        final: nothing follows the text.

    Returns:
        None when the end is not in the text and more may follow.
    """
    border = borders.after(text, start)
    if text[start] in '[{"':
        end, believed = _closing(text, start, border)
    else:
        word = (_AFTER_WORD if borders.array else _LINE_END).search(text, start + 1, border)
        end, believed = (word.start() if word else None), True
    if end is not None and (believed or border == len(text)):
        return max(end, start + 1)
    if border < len(text) or final:
        return border
    return None


def _closing(text: str, start: int, stop: int) -> tuple[int | None, bool]:
    """Find the end of the bracket or string that opens at `start`; tell whether to believe it."""
    opened: list[str] = []
    position, pattern = start, _TOKEN
    while match := pattern.search(text, position, stop):
        mark, position = match[0], match.end()
        if mark in "[{":
            opened.append(mark)
            continue
        if mark in "]}":
            if opened.pop() != _OPENED_BY[mark]:
                pattern = _BRACKET
        elif mark == '"':  # a string that ends with its line, or with the text
            pattern = _BRACKET
            position = text.find("\n", position, stop)
            if position < 0:
                break
        elif mark[0] != '"':
            pattern = _BRACKET
        if not opened:
            return position, pattern is _TOKEN
    return None, False
