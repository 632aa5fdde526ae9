"""Text made comparable: one normalisation for dedup keys, splits and, later, leakage."""

import unicodedata
from typing import Literal

Normalization = Literal["none", "nfc", "nfkc_casefold"]


def normalized(text: str, form: Normalization = "nfkc_casefold") -> str:
    """Bring text to the form under which two texts count as equal.

    Args:
        text: any text.
        form: `none` leaves it; `nfc` composes characters; `nfkc_casefold` also folds compatibility
            forms and case (Unicode 3.13, D145 and D146) and makes any run of white space one space.
    """
    if form == "none":
        return text
    if form == "nfc":
        return unicodedata.normalize("NFC", text)
    if text.isascii():
        return " ".join(text.lower().split())
    folded = _nfkc(_nfkc(text).casefold())
    return " ".join(folded.split())


def _nfkc(text: str) -> str:
    # The check costs a tenth of the work it usually saves.
    if unicodedata.is_normalized("NFKC", text):
        return text
    return unicodedata.normalize("NFKC", text)
