"""What the journal knows of batches: which requests went into one, and whether it was collected.

A batch is noted before it is uploaded (`making`), when its file is there, and when the provider has
taken it (`open`), so that after a kill at any moment it can be found again instead of being paid
for twice.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from imitation_data.errors import StoreError
from imitation_data.generate.budget import Cost, Price
from imitation_data.generate.journal import Journal, Try, note_answer, note_lost, note_unpaid
from imitation_data.generate.request import Answer, Request


@dataclass(frozen=True)
class Batch:
    """A batch that was not collected yet.

    Attributes:
        name: our own, which the provider keeps as metadata.
        file: what the provider calls its requests; empty before they are uploaded.
        id: what it calls the batch; empty before that is known.
        dataset: who pays.
        price: in batches; None where it is not known.
    """

    name: str
    file: str
    id: str
    dataset: str
    price: Price | None


@dataclass(frozen=True)
class InBatch:
    """One request of a batch.

    Attributes:
        request: what was asked; its limits are not known any more.
        sample: as in `Request.of`.
        number: of its try.
        most: what was set aside for it.
    """

    request: Request
    sample: int
    number: int
    most: Cost


def uncollected(journal: Journal, endpoint: str) -> list[Batch]:
    """The batches of an endpoint that are to be collected, oldest first."""
    with journal.change() as to:
        rows = to.execute(
            "SELECT name, file, id, dataset, input_price, output_price FROM batches "
            "WHERE endpoint = ? ORDER BY rowid",
            (endpoint,),
        ).fetchall()
    return [
        Batch(name, file, place, dataset, None if given is None else Price(given, made))
        for name, file, place, dataset, given, made in rows
    ]


def requests_of(journal: Journal, batch: Batch) -> dict[str, InBatch]:
    """What was asked in a batch, by key."""
    with journal.change() as to:
        rows = to.execute(
            "SELECT batched.key, body, sample, try, cost, tokens FROM batched "
            "JOIN tries ON tries.id = batched.try WHERE batched.batch = ?",
            (batch.name,),
        ).fetchall()
    return {
        key: InBatch(Request(body, key, tokens, 0), sample, number, Cost(max(cost, 0), tokens))
        for key, body, sample, number, cost, tokens in rows
    }


def keys_under_way(journal: Journal, endpoint: str) -> set[str]:
    """Keys of all requests that are in batches of an endpoint."""
    with journal.change() as to:
        rows = to.execute(
            "SELECT key FROM batched JOIN batches ON batches.name = batched.batch "
            "WHERE endpoint = ?",
            (endpoint,),
        ).fetchall()
    return {key for (key,) in rows}


def note_batch(journal: Journal, batch: Batch, tries: Sequence[Try]) -> None:
    """Note a batch, and what it may cost, before it is uploaded."""
    price = (batch.price.input, batch.price.output) if batch.price else (None, None)
    with journal.change() as to:
        to.execute(
            "INSERT INTO batches VALUES (?, ?, ?, '', '', 'making', ?, ?)",
            (batch.name, tries[0].endpoint, batch.dataset, *price),
        )
        for one in tries:
            made = to.execute(
                "INSERT INTO tries (key, dataset, state, cost, tokens) "
                "VALUES (?, ?, 'batched', ?, ?)",
                (one.request.key, one.dataset, one.cost, one.tokens),
            )
            row = (batch.name, one.request.key, one.request.body, one.sample, made.lastrowid)
            to.execute("INSERT INTO batched VALUES (?, ?, ?, ?, ?)", row)


def note_place(journal: Journal, batch: Batch) -> None:
    """Note what the provider calls a batch's file, or the batch itself."""
    with journal.change() as to:
        state = "open" if batch.id else "making"
        row = (batch.file, batch.id, state, batch.name)
        to.execute("UPDATE batches SET file = ?, id = ?, state = ? WHERE name = ?", row)


@dataclass(frozen=True)
class Collected:
    """What became of one request of a batch.

    Attributes:
        answer: None where there is none.
        paid: what it came to; None where it costs nothing.
    """

    asked: InBatch
    answer: Answer | None
    paid: Cost | None


def note_collected(
    journal: Journal, batch: Batch, endpoint: str, found: Sequence[Collected]
) -> None:
    """Note all that came of a batch, in one go; it is not under way any more."""
    with journal.change() as to:
        for one in found:
            _note(to, batch, endpoint, one)
        to.execute("DELETE FROM batched WHERE batch = ?", (batch.name,))
        to.execute("DELETE FROM batches WHERE name = ?", (batch.name,))


def give_up(journal: Journal, place: str) -> int:
    """Take the requests of a batch for lost; tell how many.

    Raises:
        StoreError: the journal knows no such batch.
    """
    with journal.change() as to:
        row = to.execute("SELECT name FROM batches WHERE id = ?", (place,)).fetchone()
        if row is not None:
            words = "id IN (SELECT try FROM batched WHERE batch = ?)"
            count = to.execute(f"UPDATE tries SET state = 'lost' WHERE {words}", row).rowcount  # noqa: S608 - our own words
            to.execute("DELETE FROM batched WHERE batch = ?", row)
            to.execute("DELETE FROM batches WHERE name = ?", row)
            return count
        known = [one for (one,) in to.execute("SELECT id FROM batches")]
    names = ", ".join(known) or "none"
    raise StoreError(f"{journal.path}: knows no batch {place!r} that is under way; known: {names}")


def _note(to: sqlite3.Connection, batch: Batch, endpoint: str, one: Collected) -> None:
    number = one.asked.number
    if one.answer is not None:
        paid = one.paid or Cost(0, 0)
        money = -1 if batch.price is None else paid.money
        asked = Try(one.asked.request, endpoint, batch.dataset, 0, one.asked.sample)
        note_answer(to, asked, number, one.answer, (money, paid.tokens))
    elif one.paid is None:
        note_unpaid(to, number)
    else:
        note_lost(to, number)
