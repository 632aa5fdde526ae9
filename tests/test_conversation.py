"""The row: identity over content, and a lossless trip through Arrow."""

import json
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from imitation_data.conversation import SCHEMA, Conversation, Message, from_batch, to_batch
from tests.conftest import row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT),
    min_size=1,
    max_size=5,
).map(tuple)
ROWS = st.lists(
    st.builds(
        Conversation,
        MESSAGES,
        TEXT,
        TEXT,
        st.integers(0, 2**31 - 1),
        st.none() | TEXT,
        st.none() | TEXT,
        TEXT,
        st.none() | st.integers(0, 2**31 - 1),
    ),
    max_size=6,
)


@given(ROWS)
def test_rows_survive_arrow(rows):
    assert from_batch(to_batch(rows)) == rows


@given(ROWS)
def test_slices_survive_arrow(rows):
    """A sliced batch shares its children with the whole; offsets must be honoured."""
    assert from_batch(to_batch(rows).slice(1, 2)) == rows[1:3]


@given(MESSAGES)
def test_id_is_blake2b_of_canonical_json(messages):
    """The standard library's JSON gives the same canonical form (RFC 8785) for strings."""
    plain = [{"content": text, "role": role} for role, text in messages]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert Conversation(messages).id == blake2b(text.encode(), digest_size=16).hexdigest()


def test_id_sees_content_only():
    assert row("a", "b", origin="x").id == row("a", "b", origin="y", source="other").id
    assert row("a", "b").id != row("a", "b ").id
    assert row("a", "b").id != row("ab", "").id


def test_batch_follows_the_schema():
    assert to_batch([row("a", "b")]).schema == SCHEMA
