"""Rows by label."""

import pytest

from imitation_data.conversation import Conversation, Message
from imitation_data.ledger import Drop, Kept
from imitation_data.rows.labelled import Labelled

CODING = '{"labels":{"category":{"label":"Coding","request":"0"},"other":{"label":"x"}}}'
OPEN = '{"labels":{"category":{"label":null,"reason":"no_label"}}}'


def row(meta):
    return Conversation((Message("user", "q"), Message("assistant", "a")), meta=meta)


@pytest.mark.parametrize(
    ("options", "meta", "outcome"),
    [
        ({"keep": ("Coding",)}, CODING, "kept"),
        ({"keep": ("Chat",)}, CODING, Drop("label", "Coding", "Chat")),
        ({"drop": ("Coding",)}, CODING, Drop("label", "Coding", "another label")),
        ({"drop": ("Chat",)}, CODING, "kept"),
        ({"keep": ("x",), "name": "other"}, CODING, "kept"),
        ({"keep": ("Coding",)}, OPEN, Drop("unlabelled", "no label", "category")),
        ({"keep": ("Coding",), "unlabelled": "keep"}, OPEN, "kept"),
        ({"drop": ("Coding",)}, "{}", Drop("unlabelled", "no label", "category")),
        (
            {"drop": ("Coding",)},
            '{"labels":["Coding"]}',
            Drop("unlabelled", "no label", "category"),
        ),
        ({"drop": ("a",)}, '{"labels":{"category":7}}', Drop("unlabelled", "no label", "category")),
    ],
)
def test_rows_stay_or_go_by_their_label(options, meta, outcome):
    """What is not told is not guessed."""
    one = row(meta)
    assert Labelled(**options)(one) == (Kept((one,)) if outcome == "kept" else outcome)


@pytest.mark.parametrize(
    ("options", "says"),
    [({}, "both empty"), ({"keep": ("a", "b"), "drop": ("b",)}, "both name 'b'")],
)
def test_contradictions_are_found_before_reading(options, says):
    with pytest.raises(ValueError, match=says):
        Labelled(**options)
