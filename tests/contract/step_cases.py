"""Every row step of the table, with the options that the contract is held against."""

from collections.abc import Mapping

from imitation_data.rows import ROW_STEPS, RowStep
from imitation_data.rows.blank import Blank
from imitation_data.rows.code import Code
from imitation_data.rows.divide import Divide
from imitation_data.rows.keywords import Keywords
from imitation_data.rows.labelled import Labelled
from imitation_data.rows.language import Language
from imitation_data.rows.length import Length
from imitation_data.rows.markdown import Markdown
from imitation_data.rows.pii import PII
from imitation_data.rows.refusals import Refusals
from imitation_data.rows.removal_requests import RemovalRequests
from imitation_data.rows.repetition import Repetition
from imitation_data.rows.roles import Roles
from imitation_data.rows.tokens import Tokens

CASES: Mapping[str, RowStep] = {
    "markdown": Markdown(),
    "roles": Roles(),
    "roles strict": Roles(
        late_system="drop", drop_leading=False, drop_trailing=False, repeated="drop"
    ),
    "blank": Blank(),
    "blank strict": Blank(policy="drop"),
    "language": Language(),
    "language english": Language(keep=("en",), min_confidence=0.5, scope="all", unknown="drop"),
    "keywords": Keywords(),
    "labelled": Labelled(keep=("Coding",), unlabelled="keep"),
    "labelled drop": Labelled(drop=("Coding",)),
    "keywords words": Keywords(lists=(), words=("sea", "moon", "天气"), match="word"),
    "refusals": Refusals(),
    "code": Code(),
    "code only": Code(keep="only", roles=("user",)),
    "length": Length(min_chars=20, max_words=200, max_turns=20, max_tokens=1000, encoding="bytes"),
    "length turns": Length(min_words=2, max_chars=600, per="turn", roles=("assistant",)),
    "removal_requests": RemovalRequests(requests=("1", "web/2")),
    "repetition": Repetition(),
    "repetition strict": Repetition(max_run=10, max_line_share=0.2, max_ngram_share=0.1, ngram=3),
    "pii": PII(),
    "pii some": PII(kinds=("email", "ip"), mask="<{kind}>", allow=()),
    "divide": Divide(max_tokens=300, encoding="bytes"),
    "divide first": Divide(
        max_tokens=200, encoding="bytes", per_turn=0, system="first", oversize="drop"
    ),
    "tokens": Tokens(encoding="bytes"),
}
assert {name.split()[0] for name in CASES} == set(ROW_STEPS), (
    "a step without a case, or the reverse"
)
