"""Mask personal data: e-mail addresses, phone numbers, network addresses, cards, accounts, keys.

What has a checksum is checked (cards: Luhn, ISO/IEC 7812; accounts: mod 97, ISO 13616), network
addresses must be public ones, phone numbers must be written as such: with a country code, in the
North American, Chinese, French or another national grouping, or after a word such as "phone". A
bare row of digits is left alone. Names and postal addresses are not looked for.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import ClassVar, Literal, NamedTuple

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Edit, Kept, Outcome
from imitation_data.rows.screen import hits

Kind = Literal["api_key", "email", "iban", "card", "ip", "phone"]


class Finder(NamedTuple):
    """How one kind is found.

    Attributes:
        screen: an RE2 pattern that matches in every text the expression matches in.
        expression: what it looks like; linear on any text, since every repeat is bounded or begins
            at the start of a run.
        accept: whether a match is what it looks like.
    """

    screen: str
    expression: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool]


# Name: pattern. Prefixes as the services themselves document them for secret scanning.
KEYS: Mapping[str, str] = {
    "OpenAI, Anthropic, OpenRouter": r"sk-[A-Za-z0-9_-]{20,200}",
    "GitHub": r"gh[opsur]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}",
    "GitLab": r"glpat-[A-Za-z0-9_-]{20,200}",
    "AWS": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "Google": r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,500}",
    "Hugging Face": r"hf_[A-Za-z0-9]{30,100}",
    "Slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",
    "Stripe": r"[prs]k_(?:live|test)_[A-Za-z0-9]{16,250}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "PyPI": r"pypi-[A-Za-z0-9_-]{50,500}",
    "SendGrid": r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}",
    "Telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    "JSON web token": r"eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}",
    "private key": (
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:.{1,8000}?-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
    ),
}
_KEY_SCREEN = (
    r"sk-[A-Za-z0-9_-]{20}|gh[opsur]_[A-Za-z0-9]{36}|github_pat_|glpat-|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.|hf_[A-Za-z0-9]{30}|xox[abeoprs]-|[prs]k_(?:live|test)_"
    r"|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50}|SG\.[A-Za-z0-9_-]{16}|[0-9]{8}:AA"
    r"|eyJ[A-Za-z0-9_-]{10}|-----BEGIN "
)

# Before and after a number: nothing that makes it part of a word, a decimal, a path or an id.
_ALONE = r"(?<![A-Za-z0-9_./=#$€£¥-])"
_ENDS = r"(?![A-Za-z0-9_]|[.,/-][0-9])"

_PHONES = (
    r"\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}",  # with a country code
    r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[ .-][0-9]{4}",
    r"\(?123\)?[ .-]456[ .-]7890",  # the one everybody makes up
    r"1[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})",  # Chinese mobile
    r"0[0-9]{2,4}[ /-][0-9]{6,8}",  # area code and number
    r"0[0-9]{1,4}(?P<gap>[ .-])[0-9]{2,4}(?:(?P=gap)[0-9]{2,4}){1,3}",  # groups, as in France
    r"(?<=[0-9 :：])(?:[0-9]{3}[ .-][0-9]{4}|\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4})",
)
