"""Secrets kept out of everything that is written or printed."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[hidden]"
_TOKENS = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|xai|or|key|org|proj|sess)[-_][A-Za-z0-9_*.-]{6,}"
    r"|\bAIza[\w-]{10,}"
    r"|\b(?:ey[\w-]{10,}\.){1,2}[\w-]+"
)
_HEADERS = re.compile(
    r"(?i)\b(authorization|proxy-authorization|x-api-key|api-key|cookie|set-cookie)(\W{1,6})"
    r"(?:(?:bearer|basic)\s+)?[^\s\"',;}]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=*-]{4,}")
_URLS = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>\\]+", re.IGNORECASE)


def plain_endpoint(url: str) -> str:
    """An endpoint without user-info, query and fragment: what may be stored and printed.

    The host is in lower case and a port that the scheme implies is left out, so that one endpoint
    has one name.

    Raises:
        ValueError: it is no http or https URL with a host.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("endpoint is no URL that can be read") from None
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise ValueError(
            "endpoint is no http or https URL; expected one like https://api.openai.com/v1 or "
            "http://127.0.0.1:8000/v1"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    implied = {"http": 80, "https": 443}[parts.scheme.lower()]
    where = host if port in {None, implied} else f"{host}:{port}"
    return urlunsplit((parts.scheme.lower(), where, parts.path.rstrip("/"), "", ""))


def redacted(text: str, secrets: Sequence[str] = (), limit: int = 400) -> str:
    """What a provider said, without what must not be repeated.

    Args:
        text: an error message or body.
        secrets: values that are hidden wherever they stand, whole or in part: keys, passwords.
        limit: characters that are kept.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
        if len(secret) > 8:  # noqa: PLR2004 - its ends are not all of it
            text = re.sub(
                rf"{re.escape(secret[:4])}[\w.*…-]*{re.escape(secret[-4:])}", HIDDEN, text
            )
    text = _HEADERS.sub(rf"\1\2{HIDDEN}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _URLS.sub(_short_url, text)
    text = _TOKENS.sub(HIDDEN, text)
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _short_url(match: re.Match[str]) -> str:
    try:
        return plain_endpoint(match[0])
    except ValueError:
        return HIDDEN
