"""Text made comparable: one normalisation for dedup keys, splits and, later, leakage."""

import unicodedata
from typing import Literal

Normalization = Literal["none", "nfc", "nfkc_casefold"]

# The compatibility characters that Chinese and Japanese texts mostly hold.
_COMMON = {wide: unicodedata.normalize("NFKC", wide) for wide in "，！？：；（）～…\u3000"}


def normalized(text: str, form: Normalization = "nfkc_casefold") -> str:
    """Bring text to the form under which two texts count as equal.

    Args:
        text: any text.
        form: `none` leaves it; `nfc` composes characters; `nfkc_casefold` also folds compatibility
            forms and case (NFKC of the case-folded NFKC form, after Unicode 3.13 D146) and makes
            any run of white space one space.
    """
    if form == "none":
        return text
    if form == "nfc":
        return unicodedata.normalize("NFC", text)
    if text.isascii():
        return _single_spaced(text.lower())
    text = _nfkc(text)
    folded = text.casefold()
    return " ".join((text if folded == text else _nfkc(folded)).split())


def _single_spaced(text: str) -> str:
    """`" ".join(text.split())` of ASCII text; most text can be spared the list of its words."""
    plain = text.replace("\n\n", " ").replace("\n", " ")
    if "  " in plain or not plain.isprintable():  # a tab or another control character
        return " ".join(text.split())
    return plain.strip(" ")


def _nfkc(text: str) -> str:
    # Checks and replacements cost a tenth of the work they usually save; replacing a character by
    # its own NFKC form changes no result.
    if unicodedata.is_normalized("NFKC", text):
        return text
    for wide, narrow in _COMMON.items():
        if wide in text:
            text = text.replace(wide, narrow)
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
