"""Tell rows about code from others, for evaluation sets that leave coding prompts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Role
from imitation_data.ledger import Drop, Kept, Outcome
from imitation_data.rows.screen import hits

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

# Name: points, RE2 expressions. Code itself has two points, a hint of it one; each counts once.
SIGNALS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "fenced_block": (2, (r"^ {0,3}(?:```|~~~)",)),
    "include": (2, (r"^[ \t]*#[ \t]*include[ \t]*[<\"]",)),
    "python_def": (2, (r"^[ \t]*(?:async )?def \w+\(", r"^[ \t]*class \w+(?:\([^\n]*)?:")),
    "python_import": (
        2,
        (r"^[ \t]*from [\w.]+ import \w", r"^[ \t]*import \w[\w.]*(?: as \w+)?$"),
    ),
    "function_body": (2, (r"\bfunction ?\w* ?\([^)\n]*\) ?\{", r"\)[ \t]?=>[ \t]?[{(]")),
    "declaration": (
        2,
        (
            (
                r"\b(?:public|private|protected|static) (?:static |final |abstract )*"
                r"(?:class|void|int|bool|string|double|interface)\b"
            ),
            r"^[ \t]*(?:const|let|var) \w+ ?=",
            r"\bint main\(",
        ),
    ),
    "sql": (
        2,
        (
            r"\bSELECT\b[^;.]+\bFROM\b",
            r"\b(?:(?:CREATE|ALTER|DROP) TABLE|INSERT INTO)\b",
            r"\bUPDATE \w+ SET\b",
        ),
    ),
    "markup": (
        2,
        (r"<(?:!DOCTYPE|html|head|body|script|div|table|input|form|button|style)\b[^<>]*>",),
    ),
    "shell": (
        2,
        (
            r"^[ \t]*\$ \w",
            r"^#!/",
            r"\b(?:sudo|apt-get|pip3? install|npm (?:install|run)|docker run|kubectl)\b",
            r"\bgit (?:clone|commit|push)\b",
        ),
    ),
    "statements": (2, (r"(?:^[ \t]*\S[^\n]*[;{][ \t]*\n){2}",)),
    "calls": (1, (r"\b\w+\.\w+\([^)\n]*\)", r"\b[a-z]+_[a-z_]+\(")),
    "language_named": (
        1,
        (rf"(?:^|[^\w.-])(?i:{_LANGUAGES})(?:$|[^\w-])", r"\bC (?:program|code|function)\b"),
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
                r"\b(?i:(?:write|implement) (?:me )?(?:a|an|the) (?:[\w-]+ ){0,2}"
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
        return self.many([row])[0]

    def many(self, rows: Sequence[Conversation]) -> list[Outcome]:
        """Decide on many rows at once: one pass of RE2 for each signal."""
        found = signals(["\n".join(row.texts(*self.roles)) for row in rows])
        return [self._judge(row, names) for row, names in zip(rows, found, strict=True)]

    def _judge(self, row: Conversation, found: Sequence[str]) -> Outcome:
        points = sum(SIGNALS[name][0] for name in found)
        about_code = points >= self.threshold
        if about_code == (self.keep == "only"):
            return Kept((row,))
        named = ", ".join(found) or "no sign of code"
        reason = "code" if about_code else "not_code"
        return Drop(reason, f"{points} points: {named}", self.threshold)


def signals(texts: Sequence[str]) -> list[list[str]]:
    """Name the signals of code that stand in each text."""
    found: list[list[str]] = [[] for _ in texts]
    for name, (_, expressions) in SIGNALS.items():
        for names, hit in zip(found, hits(texts, f"(?m){'|'.join(expressions)}"), strict=True):
            if hit:
                names.append(name)
    return found
