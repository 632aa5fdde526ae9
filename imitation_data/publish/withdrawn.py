"""The line of a changelog that says a version was withdrawn."""

from collections.abc import Iterable

MARK = "**Withdrawn.**"


def withdrawn(changelog: str, number: str, reason: str) -> str:
    """Write under a version's heading that it was withdrawn; a heading is made if there is none."""
    return _with_line(changelog, number, f"{MARK} {' '.join(reason.split())}".strip())


def carried(changelog: str, other: str, numbers: Iterable[str]) -> str:
    """Take over from another changelog what it says of withdrawn versions."""
    for number in numbers:
        if not _line(changelog, number):
            changelog = _with_line(changelog, number, _line(other, number) or MARK)
    return changelog


def _with_line(changelog: str, number: str, line: str) -> str:
    lines = changelog.splitlines()
    place = _place(lines, number)
    if place is None:
        return f"{changelog.rstrip()}\n\n## {number}\n\n{line}\n"
    return "\n".join([*lines[: place + 1], "", line, *lines[place + 1 :]]) + "\n"


def _line(changelog: str, number: str) -> str:
    lines = changelog.splitlines()
    place = _place(lines, number)
    for line in lines[place + 1 :] if place is not None else ():
        if line.startswith("## "):
            break
        if line.startswith(MARK):
            return line
    return ""


def _place(lines: list[str], number: str) -> int | None:
    words = (line.split() for line in lines)
    return next((at for at, one in enumerate(words) if one[:2] == ["##", number]), None)
