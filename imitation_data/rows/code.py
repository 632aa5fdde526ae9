"""Tell rows about code from others, for evaluation sets that leave coding prompts out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Role
from imitation_data.ledger import Drop, Kept, Outcome

_LANGUAGES = (
    r"python|java|javascript|typescript|node\.?js|react(?:js)?|c\+\+|c#|\.net|php|perl|haskell|kotlin"
    r"|scala|golang|rust|ruby(?: on rails)?|swift|matlab|fortran|cobol|lisp|prolog|bash|shell"
    r"|powershell|sql|mysql|postgres(?:ql)?|html5?|css|django|flask|numpy|pandas|pytorch|tensorflow"
    r"|verilog|assembly"
)
_THINGS = (
    r"code|codebase|coding|program|programming|script|function|method|class|api|query|regex"
    r"|algorithm|library|package|module|framework|compiler|interpreter|loop|array|string|dataframe"
    r"|implementation|snippet|app|application|web ?(?:page|site)|database|developer"
)
_VERBS = (
    r"write|create|implement|build|develop|debug|fix|refactor|optimi[sz]e|complete|explain|generate"
    r"|give me|show me|provide"
)

# Name: points, expressions. Code itself has two points, a hint of it one; each counts once.
SIGNALS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "fenced_block": (2, (r"^ {0,3}(?:```|~~~)",)),
    "include": (2, (r"^[ \t]{0,20}#[ \t]?include[ \t]{0,20}[<\"]",)),
    "python_def": (
        2,
        (
            r"^[ \t]{0,40}(?:async )?def \w{1,80}\(",
            r"^[ \t]{0,40}class \w{1,80}(?:\(.{0,80})?:",
        ),
    ),
    "python_import": (
        2,
        (
            r"^[ \t]{0,40}from [\w.]{1,80} import \w",
            r"^[ \t]{0,40}import \w[\w.]{0,80}(?: as \w{1,40})?$",
        ),
    ),
    "function_body": (
        2,
        (r"\bfunction ?\w{0,80} ?\([^)\n]{0,200}\) ?\{", r"\)[ \t]?=>[ \t]?[{(]"),
    ),
    "declaration": (
        2,
        (
            (
                r"\b(?:public|private|protected|static) (?:static |final |abstract ){0,3}"
                r"(?:class|void|int|bool|string|double|interface)\b"
            ),
            r"^[ \t]{0,40}(?:const|let|var) \w{1,80} ?=",
            r"\bint main\(",
        ),
    ),
    "sql": (
        2,
        (
            r"\bSELECT\b[^;]{1,120}?\bFROM\b",
            r"\b(?:(?:CREATE|ALTER|DROP) TABLE|INSERT INTO)\b",
            r"\bUPDATE \w{1,80} SET\b",
        ),
    ),
    "markup": (
        2,
        (r"<(?:!DOCTYPE|html|head|body|script|div|table|input|form|button|style)\b[^>]{0,200}>",),
    ),
    "shell": (
        2,
        (
            r"^[ \t]{0,8}\$ \w",
            r"^#!/",
            r"\b(?:sudo|apt-get|pip3? install|npm (?:install|run)|docker run|kubectl)\b",
            r"\bgit (?:clone|commit|push)\b",
        ),
    ),
    "statements": (2, (r"(?:^[ \t]{0,40}\S[^\n]{0,200}[;{][ \t]{0,20}\n){2}",)),
    "calls": (1, (r"\b\w{1,40}\.\w{1,40}\([^)\n]{0,80}\)", r"\b[a-z]{1,40}_[a-z_]{1,40}\(")),
    "language_named": (
        1,
        (rf"(?<![\w.-])(?i:{_LANGUAGES})(?![\w-])", r"\bC (?:program|code|function)\b"),
    ),
    "thing_named": (1, (rf"\b(?i:{_THINGS})s?\b",)),
    "computer_science": (
        1,
        (
            (
                r"\b(?i:data structures?|(?:time|space) complexity|dynamic programming"
                r"|linked lists?|binary (?:search )?trees?|binary search|hash ?(?:maps?|tables?)"
                r"|sorted arrays?|object[- ]oriented|recursive function)\b"
            ),
            r"\bO\((?:1|n|log)",
        ),
    ),
    "request": (
        2,
        (
            (
                r"\b(?i:(?:write|implement) (?:me )?(?:a|an|the) (?:[\w-]{1,20} ){0,2}"
                r"(?:function|algorithm|program) (?:that|to|which|in))\b"
            ),
            (
                rf"\b(?i:{_VERBS})\b[^.?!\n]{{0,60}}\b(?i:source code|code(?: snippet)?|regex"
                r"|regular expression|sql query|shell script|unit tests?)\b"
            ),
        ),
    ),
}


@dataclass(frozen=True)
class Code:
    """Drop rows about code (`keep: none`), or all others (`keep: only`).

    Attributes:
        keep: `none` drops rows with at least `threshold` points of `SIGNALS`; `only` drops those
            with fewer.
        threshold: points; 2 asks for a piece of code, or for a programming language together with
            something one programs.
        roles: the turns that are looked at; empty for all.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    keep: Literal["none", "only"] = "none"
    threshold: int = 2
    roles: tuple[Role, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise ValueError(f"threshold: found {self.threshold}; expected 1 point or more")

    def __call__(self, row: Conversation, /) -> Outcome:
        found = signals("\n".join(row.texts(*self.roles)))
        points = sum(SIGNALS[name][0] for name in found)
        about_code = points >= self.threshold
        if about_code == (self.keep == "only"):
            return Kept((row,))
        named = ", ".join(found) or "no sign of code"
        return Drop(
            "code" if about_code else "not_code", f"{points} points: {named}", self.threshold
        )


def signals(text: str) -> list[str]:
    """Name the signals of code that stand in a text."""
    return [name for name, expression in _expressions().items() if expression.search(text)]


@cache
def _expressions() -> Mapping[str, re.Pattern[str]]:
    return {
        name: re.compile("|".join(expressions), re.MULTILINE)
        for name, (_, expressions) in SIGNALS.items()
    }
