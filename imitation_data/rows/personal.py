"""What personal data looks like: one finder for each kind, in the order they are applied.

Every expression is linear on any text: each repeat is bounded, or begins where a run begins.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, NamedTuple

Kind = Literal["api_key", "email", "iban", "card", "ip", "phone"]


class Finder(NamedTuple):
    """How one kind is found.

    Attributes:
        screen: a fast one that matches in every text in which `expression` does; valid for RE2.
        expression: what it looks like; a group `before` is no part of it.
        accept: says whether a match is what it looks like.
    """

    screen: str
    expression: str
    accept: Callable[[re.Match[str]], bool]


# Prefixes as the services document them for secret scanning.
KEYS: Mapping[str, str] = {
    "OpenAI, Anthropic, OpenRouter": r"sk-[A-Za-z0-9_-]{20,200}",
    "GitHub": r"gh[opsur]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}",
    "GitLab": r"glpat-[A-Za-z0-9_-]{20,200}",
    "AWS": r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    "Google": r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,500}",
    "Hugging Face": r"hf_[A-Za-z0-9]{30,100}",
    "Slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",
    "Stripe": r"[prs]k_(?:live|test)_[A-Za-z0-9]{16,250}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "PyPI": r"pypi-[A-Za-z0-9_-]{50,500}",
    "SendGrid": r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}",
    "Telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    "JSON web token": (
        r"eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}"
    ),
}
_PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]{1,8000}-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
)
_KEY = rf"(?<![A-Za-z0-9_-])(?:{'|'.join(KEYS.values())})|{_PRIVATE_KEY}"
_KEY_SCREEN = (
    r"sk-[A-Za-z0-9_-]{8}|gh[opsur]_[A-Za-z0-9]{8}|github_pat_|glpat-|AKIA[A-Z0-9]|ASIA[A-Z0-9]"
    r"|AIza|ya29\.|hf_[A-Za-z0-9]{8}|xox[abeoprs]-|[prs]k_live_|[prs]k_test_|npm_[A-Za-z0-9]{8}"
    r"|pypi-[A-Za-z0-9_-]{8}|SG\.[A-Za-z0-9_-]{8}|[0-9]:AA|eyJ[A-Za-z0-9_-]{8}|-----BEGIN "
)


def _is_key(match: re.Match[str]) -> bool:
    """Keys are random, so they hold digits; `sk-your-secret-api-key-here` does not."""
    return "PRIVATE KEY" in match[0] or any(char.isdigit() for char in match[0])


_LETTERS = r"A-Za-z0-9\u00c0-\u024f\u0370-\u052f"
_LABEL = rf"[{_LETTERS}][{_LETTERS}-]{{0,62}}"
_EMAIL = (
    rf"(?<![{_LETTERS}._%+-])[{_LETTERS}._%+-]{{1,128}}@(?:{_LABEL}\.){{1,8}}"
    r"[A-Za-z\u00c0-\u024f\u0370-\u052f]{2,24}(?![A-Za-z0-9])"
)
_FILE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".css", ".js", ".json", ".py")


def _is_email(match: re.Match[str]) -> bool:
    """Not `icon@2x.png`, and not a decorator after dots (`...@app.route`)."""
    name = match[0].partition("@")[0]
    return any(map(str.isalnum, name)) and not match[0].lower().endswith(_FILE_ENDINGS)


# Length: countries. ISO 13616 registry.
_ACCOUNTS: Mapping[int, str] = {
    15: "NO",
    16: "BE",
    18: "DK|FI|FO|GL|NL",
    19: "MK|SI",
    20: "AT|BA|EE|KZ|LT|LU|XK",
    21: "CH|CR|HR|LI|LV",
    22: "BG|BH|DE|GB|GE|IE|ME|RS|VA",
    23: "AE|GI|IL|IQ|TL",
    24: "AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG",
    25: "PT|ST",
    26: "IS|TR",
    27: "FR|GR|IT|MC|MR|SM",
    28: "AL|AZ|CY|DO|GT|HU|LB|PL",
    29: "BR|PS|QA|UA",
    30: "JO|KW|MU",
    31: "MT|SC",
    32: "LC",
}
_IBAN = "|".join(
    rf"(?:{countries})[0-9]{{2}}(?: ?[0-9A-Z]){{{length - 4}}}"
    for length, countries in _ACCOUNTS.items()
)


def _is_iban(match: re.Match[str]) -> bool:
    """The number with its head moved to the end, letters as 10 to 35, leaves 1 modulo 97."""
    plain = match[0].replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


# First digits and lengths of the large card networks; ISO/IEC 7812.
_NETWORKS = (
    r"4(?:[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9]|62[0-9]{2}|35(?:2[89]|[3-8][0-9]))[0-9]{12}(?:[0-9]{3})?"
    r"|(?:50|5[6-8]|6[0-9])[0-9]{14}"  # Maestro
)
_GROUPS = frozenset(
    {(16,), (15,), (14,), (19,), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (6, 13)}
)


def _is_card(match: re.Match[str]) -> bool:
    """A network's number, grouped as on a card, with the check digit of Luhn."""
    groups = re.split("[ -]", match[0])
    plain = "".join(groups)
    if tuple(map(len, groups)) not in _GROUPS or not re.fullmatch(_NETWORKS, plain):
        return False
    if " " in match[0] and "-" in match[0]:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in plain[-2::-2])
    return (sum(map(int, plain[-1::-2])) + sum(doubled)) % 10 == 0


_IPV4 = r"(?<![A-Za-z0-9_.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![A-Za-z0-9_]|\.[0-9])"
_IPV6 = (
    r"(?<![A-Za-z0-9_:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}"
    r"(?![A-Za-z0-9_:])"
)
_VERSION = re.compile(
    r"(?:\bv|ver|version|release|build|firmware|section|[A-Za-z]/) ?$", re.IGNORECASE
)


def _is_public_address(match: re.Match[str]) -> bool:
    """A host on the internet: not private, reserved or for documentation (RFC 6890)."""
    text = match[0]
    if ":" in text:
        try:
            return IPv6Address(text).is_global
        except AddressValueError:
            return False
    # 1.2.3.4 is a heading or a version, 8.8.8.8 a service: neither leads to a person.
    if len(text) == len("1.2.3.4") or _VERSION.search(match.string[: match.start()][-12:]):
        return False
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return address.is_global and not address.is_multicast


# Nothing around a number that makes it part of a word, a decimal, a path or an identifier.
_BEFORE, _AFTER = r"(?<![A-Za-z0-9_./=#$€£¥+-])", r"(?![A-Za-z0-9_]|[./-][0-9])"
_PHONE_FORMS = (
    r"\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}",  # with a country code
    r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[0-9]{3}[ .-][0-9]{4}",
    r"(?:\(123\)|123)[ .-]{1,2}456[ .-]7890",  # the one everybody makes up
    r"1[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})",  # Chinese mobile
    (
        r"(?P<before>(?i:(?:tele)?phone|tel|mobile|cell|fax|whatsapp|电话|電話|手机|手機)"
        r"(?i:号码|號碼|[ _-]?numbers?|[ _-]?no)?(?i: is|是)?[ \"'=:：.]{0,4})"
        r"(?:[0-9]{7,12}|[0-9]{3}[ .-][0-9]{4}"
        r"|(?:\([0-9]{3}\)|[0-9]{3})[ .-]?[0-9]{3}[ .-]?[0-9]{4})"
    ),
    # With an area code; not within a row of numbers.
    (
        r"(?<![0-9][ .-])(?:(?:\(0[0-9]{2,4}\)|0[0-9]{2,4})"
        r"(?:[ /-][0-9]{6,8}|(?P<gap>[ .-])[0-9]{3,4}(?P=gap)[0-9]{3,4})"
        r"|0[1-9](?P<pair>[ .-])[0-9]{2}(?:(?P=pair)[0-9]{2}){3}"  # France
        r")(?![ .,/-]{1,2}[0-9])"
    ),
)
_PHONE = f"{_BEFORE}(?:{'|'.join(_PHONE_FORMS)}){_AFTER}"
_PHONE_SCREEN = (
    r"[0-9](?:[ ()./-]{0,2}[0-9]){8}"
    r"|(?i:phone|tel|mobile|cell|fax|whatsapp|电话|電話|手机|手機)[^0-9]{0,20}[0-9]{3}"
)


def _is_phone(match: re.Match[str]) -> bool:
    """Not a decimal (`+1.23456789`), a round sum, binary digits, or a service's toll-free line."""
    number = match[0].removeprefix(match["before"] or "")
    if _TOLL_FREE.match(number):
        return False
    digits = [char for char in number if char.isdigit()]
    if number.startswith("+") and not any(char in number for char in " ()-"):
        return number.count(".") != 1
    return set(digits[-5:]) != {"0"} and not set(digits) <= {"0", "1"}


_TOLL_FREE = re.compile(r"\+?(?:1[ .-]?)?\(?8(?:00|33|44|55|66|77|88)\b")

FINDERS: Mapping[Kind, Finder] = {
    "api_key": Finder(_KEY_SCREEN, _KEY, _is_key),
    "email": Finder("@", _EMAIL, _is_email),
    "iban": Finder(
        r"[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11}",
        rf"(?<![A-Za-z0-9])(?:{_IBAN})(?![A-Za-z0-9])",
        _is_iban,
    ),
    "card": Finder(
        r"[0-9](?:[ -]?[0-9]){13}",
        r"(?<![A-Za-z0-9_./=#-])[2-6](?:[ -]?[0-9]){13,18}(?![A-Za-z0-9_]|[.,-][0-9])",
        _is_card,
    ),
    "ip": Finder(
        r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:",
        f"{_IPV4}|{_IPV6}",
        _is_public_address,
    ),
    "phone": Finder(_PHONE_SCREEN, _PHONE, _is_phone),
}


@cache
def compiled(kind: Kind) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Compile the screen and the expression of a kind, when it is first looked for."""
    screen, expression, _ = FINDERS[kind]
    return re.compile(screen), re.compile(expression, re.ASCII)
