"""Naming what was found in a record without repeating its text: it may be personal."""

from collections.abc import Iterable

_MAX_SHOWN = 24  # characters
_MAX_NAMES = 8
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),  # before int, which it is
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "an object"),
    (type(None), "null"),
)


def kind(value: object) -> str:
    """Name the JSON type of a value."""
    for known, words in _KINDS:
        if isinstance(value, known):
            return words
    return f"a value of type {type(value).__name__}"


def shown(word: object) -> str:
    """Quote a word that should have been one of a few, unless it could be more than a word.

    Anything but a short run of letters, `_` and `-` may be a name, an address or a text: its kind
    and length must do.
    """
    if not isinstance(word, str):
        return kind(word)
    letters = word.replace("_", "").replace("-", "")
    if len(word) <= _MAX_SHOWN and letters.isascii() and letters.isalpha():
        return repr(word)
    return f"a text of {len(word):,} characters"


def names_of(row: Iterable[object]) -> str:
    """List field names: the first eight, each quoted as `shown` does."""
    names = [shown(name) for name in row]
    more = ", …" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more if names else "no fields"
