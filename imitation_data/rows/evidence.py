"""The span of text a drop rests on, short enough for a ledger."""

MARGIN = 40  # characters shown on either side


def around(text: str, start: int, end: int) -> str:
    """Cut `text[start:end]` out with up to `MARGIN` characters on either side.

    The ledger's writer masks personal data in it; nothing longer than 200 characters leaves here.
    """
    end = min(end, start + 120)
    left = max(0, start - MARGIN)
    head = "…" if left else ""
    tail = "…" if end + MARGIN < len(text) else ""
    return f"{head}{text[left : end + MARGIN]}{tail}"
