"""The span of text a drop rests on, short enough for a ledger, personal data masked."""

from imitation_data.rows.pii import mask

MARGIN = 40  # characters shown on either side
LONGEST = 120  # characters of the span itself
CONTEXT = 600  # characters masked on either side, so that nothing is cut before it is masked


def around(text: str, start: int, end: int) -> str:
    """Show `text[start:end]` with up to `MARGIN` characters on either side.

    The text is masked before it is cut: half an address would be no address to the patterns.
    Where the span itself is personal data, what stands in its place is shown.
    """
    end = min(end, start + LONGEST)
    low, high = max(0, start - CONTEXT), end + CONTEXT
    window, place = text[low:high], start - low
    masked = mask(window)[0]
    span = window[place : place + end - start]
    if masked != window:
        before = masked.rfind(span, 0, place + len(span))
        place = before if before >= 0 else min(place, len(masked))
    left, right = max(0, place - MARGIN), place + len(span) + MARGIN
    head = "…" if low + left else ""
    tail = "…" if right < len(masked) or high < len(text) else ""
    return f"{head}{masked[left:right]}{tail}"
