"""Personal data: found, left alone, counted, never shown."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.ledger import Edit, Kept
from imitation_data.rows.personal import FINDERS, KEYS
from imitation_data.rows.pii import KINDS, PII, mask
from imitation_data.rows.screen import hits
from tests.contract.corpus import talk

PERSONAL = {
    "email": (
        *(
            "jane.doe+news@mail-server.org",
            "JOSÉ@correo.es",
            "a@b.co",
            "иван@почта.рф",
            "x_y@z.museum",
        ),
        *("-dash@mail.org", "first.last@sub.domain.co.uk"),
    ),
    "phone": (
        *("+44 20 7946 0958", "+14155552671", "+1 (415) 555-2671", "+49 (0)30 1234567"),
        *("(415) 555-2671", "415-555-2671", "415.555.2671", "1-415-555-2671", "123-456-7890"),
        *("13812345678", "138 1234 5678", "010-12345678", "020 7946 0958", "0171 1234567"),
        *("030/1234567", "01 23 45 67 89", "06.12.34.56.78", "098-765-4321"),
    ),
    "ip": (
        "93.184.216.34",
        "8.8.4.40",
        "2606:2800:220:1:248:1893:25c8:1946",
        "2606:4700:4700::1111",
    ),
    "card": (
        *("4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "378282246310005"),
        *("3782 822463 10005", "6011000000000004", "30569309025904", "6200000000000005"),
        *("2223003122003222", "3530111333300000"),
    ),
    "iban": ("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "NO9386011117947"),
    "api_key": (
        *("sk-proj-abc123def456ghi789jkl0", "sk-ant-api03-abcdefghij0123456789"),
        *("ghp_0123456789abcdefghij0123456789abcdef", "AKIAIOSFODNN7EXAMPLE"),
        *("hf_abcdefghij0123456789abcdefghij0123", "AIzaSyA0123456789abcdefghijklmnopqrstuv"),
        *("xoxb-123456789012-abcdefghijkl", "glpat-abcdefghij0123456789"),
        *("sk_live_0123456789abcdefghij", "npm_0123456789abcdefghij0123456789abcdef"),
        *("123456789:AAabcdefghij0123456789abcdefghij_01", "ya29.abcdefghij0123456789abc"),
        "SG.abcdefghij0123456789.abcdefghij0123456789abcdefghij0123456789abc",
        "pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdoaWowMTIzNDU2Nzg5YWJjZGVmZ2hpag",
        "github_pat_0123456789abcdefghijkl_0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nq83v==\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ),
}
EVERY = [(kind, value) for kind, values in PERSONAL.items() for value in values]
HARMLESS = (
    *("2024-05-17 12:30:45", "1914-1918", "in 1999 2000 2001 2002 2003", "12/31/1999 23:59"),
    *("ISBN 978-3-16-148410-0", "978 3 16 148410 0", "0-306-40615-2", "ISSN 0048-9697"),
    *("3.141592653589793", "0.5714285714285714", "+1.23456789", "-7.216040", "1e-10", "6.022e23"),
    *("9223372036854775807", "0xDEADBEEFDEADBEEF", "4294967295", "1618250391", "1700000000000"),
    *("1.2.3.4", "v10.20.30.40", "version 10.20.30.40", "Chrome/91.0.4472.124", "6.2.9200.16384"),
    *("192.168.1.1", "127.0.0.1", "10.0.0.0/8", "203.0.113.7", "2001:db8::1", "fe80::1", "::1"),
    *("255.255.255.0", "300.1.2.3", "12:30:45:00", "std::vector", "a::b::c", "2021:01:02"),
    *("4111 1111 1111 1112", "411 111 111 111 111 1", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"),
    *("0010 1100 0110 1111", "01101000 01100101", "05 10 15 20 25 30", "5, 10, 15, 20, 25"),
    *("1-800-273-8255", "(888) 555-0123", "$15000000000", "15000000000", "10000-20000", "007"),
    *("jane@example.com", "x@sub.example.org", "me@host.test", "icon@2x.png", "git@github.com:a/b"),
    *("@app.route('/x')", "user@localhost", "@handle", "a @ b", "x@y", "foo@bar.1"),
    *(
        "risk-assessment-of-the-year-2023x",
        "sk-your-secret-api-key-goes-here",
        "ask-123",
        "eyJhbGci",
    ),
    *(
        "DE89 3704 0044 0532 0130 01",
        "GB82 TEST",
        "AKIA",
        "-----BEGIN CERTIFICATE-----",
        "hf_short1",
    ),
    *(
        "the iPhone 13 2021",
        "about 0.621371 miles",
        "pages 457-480",
        "hotel 1234567",
        "#5551234567",
    ),
    *("https://x.org/photo/4539578763621486", "id=4539578763621486", "abc4111111111111111"),
)


def shown(kind: str) -> str:
    return f"[{kind.upper()}]"


@pytest.mark.parametrize(("kind", "value"), EVERY)
@pytest.mark.parametrize(
    "around", ["{}", "It is {}.", "“{}”, ok?", "我的是{}，谢谢", "a\n{}\nb", "({})"]
)
def test_it_is_masked_whole(kind, value, around):
    """At either end, in brackets, quotes and before a full stop; the rest stays as it is."""
    assert mask(around.format(value)) == (around.format(shown(kind)), {kind: 1})


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_stays(text):
    assert mask(text) == (text, {})
    assert mask(f"See {text}, then.") == (f"See {text}, then.", {})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Phone: 5551234567", "Phone: [PHONE]"),
        ("tel 555-1234", "tel [PHONE]"),
        ("My phone number is 787 123 4567.", "My phone number is [PHONE]."),
        ("电话号码：85551234", "电话号码：[PHONE]"),
        ('{"mobile": "5551234567"}', '{"mobile": "[PHONE]"}'),
    ],
)
def test_a_word_makes_a_row_of_digits_a_phone_number(text, masked):
    assert mask(text) == (masked, {"phone": 1})
    bare = re.sub(r"[^0-9 -]", "", text).strip()
    assert mask(bare) == (bare, {})


def test_several_are_all_masked():
    text = "Ring 415-555-2671, 415-555-2672 or 415-555-2673; mail a@b.co,c@d.co."
    assert mask(text) == (
        "Ring [PHONE], [PHONE] or [PHONE]; mail [EMAIL],[EMAIL].",
        {"email": 2, "phone": 3},
    )


def test_a_text_keeps_its_neighbours():
    assert mask("Pay DE89 3704 0044 0532 0130 00 AND GO")[0] == "Pay [IBAN] AND GO"
    assert mask("git clone https://user:pass@mail.host.org/x")[0].endswith("[EMAIL]/x")


def test_edits_count_by_kind_over_all_turns():
    row = talk("row", "sua", "Mail a@b.co", "or c@d.co from 93.184.216.34", "Noted, 415-555-2671.")
    outcome = PII()(row)
    assert outcome.edits == (Edit("pii_email", 2), Edit("pii_ip", 1), Edit("pii_phone", 1))
    assert list(outcome.rows[0].texts()) == [
        "Mail [EMAIL]",
        "or [EMAIL] from [IP]",
        "Noted, [PHONE].",
    ]


def test_nothing_of_it_is_left_in_an_outcome():
    for _, value in EVERY:
        outcome = PII()(talk("row", "ua", value, f"You said {value}."))
        assert value not in repr(outcome)


def test_rows_without_are_the_same_object():
    row = talk("row", "ua", "Hello", "Hi")
    assert PII()(row) == Kept((row,))
    assert PII()(row).rows[0] is row


def test_options():
    text = "a@b.co 93.184.216.34 jane@example.com boss@corp.org"
    assert PII(kinds=("ip",)).apply(text)[0] == text.replace("93.184.216.34", "[IP]")
    assert PII(mask="***", allow=("Corp.org", "93.184.216.34")).apply(text) == (
        "*** 93.184.216.34 *** boss@corp.org",
        {"email": 2},
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ()}, "kinds: found none"),
        ({"mask": "{name}"}, r"found '\{name\}'"),
        ({"mask": "hidden@mail.org"}, "looks like personal data itself"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        PII(**options)


def test_every_kind_and_key_has_a_sample():
    assert set(PERSONAL) == set(FINDERS) == set(KINDS)
    for name, pattern in KEYS.items():
        assert any(re.fullmatch(pattern, key) for key in PERSONAL["api_key"]), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_screen_lets_nothing_slip(kind):
    """Wherever the expression matches, RE2 finds the screen: on samples, and cut or joined ones."""
    rng = random.Random(kind)
    expression = re.compile(FINDERS[kind].expression, re.ASCII)
    values = PERSONAL[kind]
    texts = [
        f"{rng.choice('a1 (+我')}{value}{rng.choice('a1 )我')}"
        for value in values
        for _ in range(9)
    ]
    texts += [rng.choice(values)[rng.randint(0, 9) :] + rng.choice(values) for _ in range(200)]
    found = hits(texts, FINDERS[kind].screen)
    assert any(found)
    for text, hit in zip(texts, found, strict=True):
        assert hit or not expression.search(text), text


@given(
    st.lists(st.sampled_from([value for _, value in EVERY]) | st.text("01 .-+@:a我", max_size=9))
)
def test_masking_settles(parts):
    """A second look finds nothing more."""
    masked, _ = mask("".join(parts))
    assert mask(masked) == (masked, {})
