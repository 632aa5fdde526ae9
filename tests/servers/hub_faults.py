"""What goes wrong at the loopback Hub, drawn by a seed or told by a test.

| kind | what the client sees | what has happened |
|---|---|---|
| `429`, `429:1` | status 429; with a number, Retry-After of so many seconds | nothing |
| `500`, `503`, `409`, `412` … | this status | nothing |
| `reset` | the connection is reset | nothing |
| `half` | the connection is reset in the middle of an upload; elsewhere as `reset` | nothing |
| `lost` | the connection is reset | what was asked |
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from threading import Lock

from tests.servers.hub_http import Reply

KINDS = ("429:0", "500", "503", "reset", "half", "lost")
BROKEN = {"reset", "half", "lost"}
WORDS = {
    "409": "Another commit is in progress. Please try again later.",
    "412": "A commit has happened since. Please refresh and try again.",
    "429": "Too many requests.",
}


@dataclass(frozen=True)
class HubFaults:
    """Faults that are drawn for each request, by the seed, what is asked and how often it was.

    Attributes:
        share: of the requests that fail, 0 to 1.
        kinds: what may happen to them; `half` happens to uploads only.
    """

    seed: int = 0
    share: float = 0.2
    kinds: tuple[str, ...] = KINDS

    def draw(self, method: str, path: str, number: int) -> str:
        """The kind that happens to the `number`th request of this sort, "" for none."""
        text = f"{self.seed} {method} {path} {number}"
        digest = hashlib.blake2b(text.encode(errors="replace")).digest()
        kinds = [kind for kind in self.kinds if kind != "half" or method == "PUT"]
        if not kinds or int.from_bytes(digest[:8]) >= self.share * 2**64:
            return ""
        return kinds[int.from_bytes(digest[8:16]) % len(kinds)]


@dataclass
class _Told:
    method: str
    part: str
    kind: str


class Mishaps:
    """Decide about each request: what was told goes before what is drawn."""

    def __init__(self) -> None:
        self._told: list[_Told] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def tell(self, method: str, part: str, *kinds: str) -> None:
        with self._lock:
            self._told += [_Told(method, part, kind) for kind in kinds]

    def waiting(self) -> list[str]:
        """What was told and has not happened."""
        return [f"{each.method} {each.part} {each.kind}" for each in self._told]

    def next(self, method: str, path: str, faults: HubFaults | None) -> str:
        with self._lock:
            for place, each in enumerate(self._told):
                if each.method == method and each.part in path:
                    return self._told.pop(place).kind
            self._seen[method, path] += 1
            number = self._seen[method, path]
        return faults.draw(method, path, number) if faults else ""


def refusal(kind: str) -> Reply:
    """The answer of a kind that has a status."""
    status, _, wait = kind.partition(":")
    reply = Reply.of({"error": WORDS.get(status, "The Hub had an error.")}, int(status))
    if wait:
        reply.headers["Retry-After"] = wait
    return reply
