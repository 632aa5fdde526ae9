"""Row steps, and the table of the names a recipe may use for them."""

from collections.abc import Mapping

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
from imitation_data.rows.step import RowStep, apply
from imitation_data.rows.tokens import Tokens

ROW_STEPS: Mapping[str, type[RowStep]] = {
    "markdown": Markdown,
    "roles": Roles,
    "blank": Blank,
    "language": Language,
    "keywords": Keywords,
    "labelled": Labelled,
    "refusals": Refusals,
    "code": Code,
    "length": Length,
    "repetition": Repetition,
    "pii": PII,
    "divide": Divide,
    "removal_requests": RemovalRequests,
    "tokens": Tokens,
}

__all__ = ["ROW_STEPS", "RowStep", "apply"]
