import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.ledger import Drop, Edit
from imitation_data.readers.discord import Discord
from imitation_data.readers.reader import read
from imitation_data.readers.record import BadRecord, Record

START = datetime(2023, 2, 27, 15, tzinfo=UTC)
CHANNEL = {"id": "500", "type": "GuildTextChat", "category": "bots", "name": "chat"}
ANA = {"id": "1", "name": "ana", "nickname": "Ana B", "isBot": False}
BEN = {"id": "2", "name": "ben", "nickname": "ben", "isBot": False}
BOT = {"id": "9", "name": "ChatBot", "nickname": "ChatBot", "isBot": True}
OTHER = {"id": "8", "name": "Sage", "nickname": "Sage", "isBot": True}


def said(number, author, content, **rest):
    """Write a message; its number is its id and its time in seconds, unless `at` says otherwise."""
    time = START + timedelta(seconds=rest.pop("at", number))
    reply = rest.pop("reply", None)
    if reply is not None:
        rest.setdefault("type", "Reply")
        rest["reference"] = {"messageId": str(reply), "channelId": "500", "guildId": "7"}
    return {
        "id": str(number),
        "type": "Default",
        "timestamp": time.isoformat(),
        "timestampEdited": None,
        "content": content,
        "author": author,
        "attachments": [],
        "embeds": [],
        "mentions": [],
    } | rest


def ask(number, content, author=ANA, bot=BOT, **rest):
    """Write a message that mentions a bot."""
    content = f"@{bot['name']} {content}"
    return said(number, author, content, **{"mentions": [bot]} | rest)


def export(messages, channel=CHANNEL, **rest):
    head = {"guild": {"id": "7", "name": "Guild"}, "channel": channel, "dateRange": {}}
    return json.dumps(head | {"messages": messages, "messageCount": len(messages)} | rest)


@pytest.fixture
def run(tmp_path):
    """Read messages of one channel; return rows as lists of (role, text), and drops by id."""

    def run(messages, options=None, channel=CHANNEL):
        (tmp_path / "chat.json").write_text(export(messages, channel), encoding="utf-8")
        records = list(read(tmp_path / "chat.json", options or Discord()))
        bad = [record for record in records if isinstance(record, BadRecord)]
        assert not bad
        return Result(records)

    return run


class Result:
    """Rows, drops by message id, and edits of what was read."""

    def __init__(self, records):
        self.records = records
        self.rows = [[tuple(turn) for turn in row.messages] for r in records for row in r.rows]
        self.meta = [json.loads(row.meta) for r in records for row in r.rows]
        self.drops = {
            int(r.origin.partition("/")[2] or 0): drop.reason for r in records for drop in r.drops
        }
        self.edits = Counter()
        for record in records:
            self.edits.update({edit.kind: edit.count for edit in record.edits})


QUESTION, ANSWER = "What is a monad?", "A monoid in the category of endofunctors."
PAIR = [("user", QUESTION), ("assistant", ANSWER)]


# Rule 2: replies.


def test_a_reply_is_paired_with_its_target(run):
    """The sure case: the bot replies to a person's message, however far back."""
    chatter = [said(number, BEN, f"chatter {number}") for number in range(2, 8)]
    result = run([said(1, ANA, QUESTION), *chatter, said(9, BOT, ANSWER, reply=1)])
    assert result.rows == [PAIR]
    assert result.meta[0]["pairing"] == "reply"
    assert set(result.drops) == set(range(2, 8))
    assert set(result.drops.values()) == {"not_addressed"}
    assert result.records[0].origin == "500/1"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ({"messageId": "99", "channelId": "500"}, "target_missing"),
        ({"messageId": None, "channelId": "500"}, "target_missing"),
        ({"messageId": "1", "channelId": "501"}, "target_in_other_channel"),
        ({"messageId": "2", "channelId": "500"}, "target_is_bot"),
        ({"messageId": "3", "channelId": "500"}, "target_without_text"),
        ({"messageId": "77", "channelId": "500"}, "target_missing"),
    ],
)
def test_a_reply_without_a_usable_target_is_dropped_with_the_reason(run, reference, reason):
    """A reply to what is gone is never paired with what happens to stand nearby."""
    picture = [{"id": "4", "fileName": "cat.png", "url": "x", "fileSizeBytes": 3}]
    messages = [
        ask(1, QUESTION),
        said(2, OTHER, "beep"),
        said(3, ANA, "", attachments=picture),
        ask(4, "And a comonad?"),
        said(5, BOT, ANSWER, type="Reply", reference=reference),
        said(6, BOT, "the rest of it"),
        said(77, BOT, "much later", at=2000),
    ]
    result = run(messages, Discord(bots=("chatbot",)))
    assert result.rows == []
    assert result.drops[5] == result.drops[6] == reason
    assert (result.drops[2], result.drops[3]) == ("other_bot", "attachment_only")


def test_older_references_without_channel_or_type_are_read(run):
    """Exports of 2020 write fewer fields; what is missing is not needed."""
    answer = {"id": "2", "content": ANSWER, "author": {"id": "9", "isBot": True}}
    question = {"id": "1", "content": QUESTION, "author": {"id": "1", "name": "ana"}}
    assert run([question, answer | {"reference": {"messageId": "1"}}]).rows == [PAIR]


def test_two_bots_that_answer_one_message_make_two_rows_of_one_record(run):
    """Both answers stay, and both rows share their origin, so that no split tears them apart."""
    result = run(
        [said(1, ANA, QUESTION), said(2, OTHER, "42.", reply=1), said(3, BOT, ANSWER, reply=1)]
    )
    assert result.rows == [[("user", QUESTION), ("assistant", "42.")], PAIR]
    (record,) = result.records
    assert [row.part for row in record.rows] == [0, 1]
    assert [meta["bot"] for meta in result.meta] == ["Sage", "ChatBot"]


# Rule 3: commands.


ASKED_BY_ANA = {"id": "70", "name": "ask", "user": ANA}


@pytest.mark.parametrize(
    ("content", "embeds"),
    [
        (f"> {QUESTION}\n\n{ANSWER}", []),
        (f"> **{QUESTION}** - @Ana B\n{ANSWER}", []),
        (f"> **Prompt:** {QUESTION}\n{ANSWER}", []),
        (ANSWER, [{"title": QUESTION}]),
        ("", [{"title": QUESTION, "description": ANSWER}]),
        ("", [{"title": f"Prompt: {QUESTION}", "description": ANSWER}]),
        ("", [{"title": "ChatBot", "description": f"> {QUESTION}\n{ANSWER}"}]),
        ("", [{"fields": [{"name": "❓ Prompt", "value": QUESTION}], "description": ANSWER}]),
        (
            "",
            [
                {
                    "title": "ChatBot",
                    "fields": [
                        {"name": "Question", "value": QUESTION},
                        {"name": "Answer:", "value": ANSWER},
                    ],
                }
            ],
        ),
        (f"**Question:** {QUESTION}\n**Answer:** {ANSWER}", []),
        (f"Prompt: {QUESTION}\n{ANSWER}", []),
    ],
)
@pytest.mark.parametrize("form", ["20", "ChatInputCommand", 20])
def test_a_command_is_paired_with_the_prompt_it_echoes(run, content, embeds, form):
    """Both turns come out of the bot's one message."""
    message = said(5, BOT, content, embeds=embeds, type=form, interaction=ASKED_BY_ANA)
    result = run([ask(1, "something else"), message])
    assert result.rows == [PAIR]
    assert result.meta[0] | {"timestamp": ""} == {
        "pairing": "interaction",
        "bot": "ChatBot",
        "messages": 1,
        "timestamp": "",
    }
    assert result.drops == {1: "unanswered"}
    assert result.edits["prompt_from_echo"] == 1


@pytest.mark.parametrize(
    "message",
    [
        said(5, BOT, ANSWER, type="20", interaction=ASKED_BY_ANA),
        said(5, BOT, ANSWER, type="20"),
        said(5, BOT, ANSWER, type="23"),
        said(5, BOT, "", type="20", embeds=[{"title": "ask", "description": ANSWER}]),
        said(5, BOT, f"> {QUESTION}", type="20", interaction=ASKED_BY_ANA),
    ],
)
def test_a_command_without_its_prompt_is_dropped(run, message):
    """The name of the command is no prompt, and neither is the nearest message."""
    result = run([ask(1, QUESTION), message])
    assert result.rows == []
    assert result.drops == {1: "unanswered", 5: "prompt_not_recoverable"}


# Rule 4: nearest.


def test_an_answer_without_reference_goes_to_the_nearest_message_to_the_bot(run):
    """Lower confidence, and the row says so."""
    result = run([ask(1, "first"), ask(2, QUESTION), said(4, BOT, ANSWER)])
    assert result.rows == [PAIR]
    assert result.meta[0]["pairing"] == "nearest"
    assert result.drops == {1: "unanswered"}


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([ask(1, QUESTION), said(2, BEN, "hi all"), said(3, BOT, ANSWER)], Discord()),
        ([ask(1, QUESTION), said(3, BOT, ANSWER, at=700)], Discord()),
        ([said(1, ANA, QUESTION), said(3, BOT, ANSWER)], Discord()),
        ([ask(1, QUESTION, bot=OTHER), said(3, BOT, ANSWER)], Discord()),
        ([ask(1, QUESTION), said(3, BOT, ANSWER)], Discord(confidence="interaction")),
        (
            [ask(1, QUESTION), said(2, BEN, "", stickers=[{"id": "3"}]), said(3, BOT, ANSWER)],
            Discord(),
        ),
    ],
    ids=["person between", "too late", "not to a bot", "another bot", "confidence", "sticker"],
)
def test_what_is_not_clearly_a_prompt_is_not_paired(run, messages, options):
    """Another person in between, too much time, or nobody addressed: no row."""
    result = run(messages, options)
    assert result.rows == []
    low = options.confidence != "nearest"
    assert result.drops[3] == ("low_confidence" if low else "bot_chatter")


@pytest.mark.parametrize(
    ("content", "options", "channel"),
    [
        (f"!ask {QUESTION}", Discord(prefixes=("!", "!ask")), CHANNEL),
        (f"!ASK  {QUESTION}", Discord(prefixes=("!ask",)), CHANNEL),
        (QUESTION, Discord(dedicated=("Chat",)), CHANNEL),
        (QUESTION, Discord(dedicated=("500",)), CHANNEL),
        (QUESTION, Discord(dedicated=("bots",)), CHANNEL),
        (QUESTION, Discord(), CHANNEL | {"type": "DirectTextChat"}),
        (QUESTION, Discord(), CHANNEL | {"id": "1", "type": "GuildPublicThread"}),
        (QUESTION, Discord(), CHANNEL | {"id": "1", "type": "11"}),
    ],
)
def test_prefixes_dedicated_channels_and_thread_starters_address_the_bot(
    run, content, options, channel
):
    """Each of them makes a message a prompt, and prefixes are taken off it."""
    result = run([said(1, ANA, content), said(2, BOT, ANSWER)], options, channel)
    assert result.rows == [PAIR]
    assert result.edits["prefix_stripped"] == bool(options.prefixes)


def test_a_prompt_waits_for_one_answer(run):
    """What the bot says later, to nobody, is not a second one."""
    result = run([ask(1, QUESTION), said(2, BOT, ANSWER, reply=1), said(90, BOT, "By the way …")])
    assert result.rows == [PAIR]
    assert result.drops == {90: "bot_chatter"}


def test_a_mention_of_one_bot_is_no_prompt_for_another(run):
    """Not even with a prefix that both know."""
    messages = [ask(1, f"!ask {QUESTION}", bot=OTHER), said(2, BOT, "x"), said(3, OTHER, ANSWER)]
    result = run(messages, Discord(prefixes=("!ask",)))
    assert result.rows == [PAIR]
    assert result.drops == {2: "bot_chatter"}


def test_a_prefix_is_a_whole_word(run):
    """`!ask` does not start `!asking`."""
    result = run([said(1, ANA, "!asking"), said(2, BOT, ANSWER)], Discord(prefixes=("!ask",)))
    assert result.drops == {1: "not_addressed", 2: "bot_chatter"}


def test_a_thread_started_from_another_channel_gets_its_first_message_from_there(tmp_path):
    """The thread's own first message is blank in the export; the text stands in the parent."""
    thread = {"id": "41", "type": "GuildPublicThread", "categoryId": "500", "name": "monads"}
    carl = ANA | {"id": "3", "name": "carl"}
    empty = said(42, carl, "", type="21", reference={"messageId": "41", "channelId": "500"})
    talk = [empty, said(43, BOT, ANSWER), ask(44, "ok", carl), said(45, BOT, "Good.")]
    (tmp_path / "a thread.json").write_text(export(talk, thread))
    asked = f"@ben, {QUESTION} Or @ben?"
    parent = [said(40, BEN, "hi"), said(41, ANA, asked, mentions=[BEN])]
    (tmp_path / "parent.json").write_text(export(parent))
    result = Result(list(read(tmp_path, Discord())))
    starter = [("user", f"{QUESTION} Or @user?"), ("assistant", ANSWER)]
    assert result.rows == [starter, [("user", "ok"), ("assistant", "Good.")]]
    assert result.drops == {40: "not_addressed", 41: "starts_thread"}
    alone = Result(list(read(tmp_path / "a thread.json", Discord())))
    assert alone.drops == {42: "starter_missing", 43: "bot_chatter"}


# Rule 5: long answers.


def test_pieces_of_a_long_answer_are_joined(run):
    """A code block that was closed and opened again at the border is one block."""
    code = "\n".join(f"line_{number} = {number}" for number in range(140))
    first = f"Here it is:\n```python\n{code}\n```"
    second = f"```python\n{code}\n```\nThat is all."
    result = run([said(1, ANA, QUESTION), said(2, BOT, first, reply=1), said(4, BOT, second)])
    ((_, (_, answer)),) = result.rows
    assert answer == f"Here it is:\n```python\n{code}\n{code}\n```\nThat is all."
    assert result.edits == {"continuation_joined": 1}
    assert not result.drops


def test_a_code_block_that_was_left_open_goes_on(run):
    """The line that opens it again is taken out, and its end stays."""
    pieces = [
        said(2, BOT, "Look:\n```js\nlet x", reply=1),
        said(3, BOT, "```js\nlet y\n```\nDone."),
    ]
    (row,) = run([said(1, ANA, QUESTION), *pieces]).rows
    assert row[1][1] == "Look:\n```js\nlet x\nlet y\n```\nDone."


def test_two_code_blocks_stay_two(run):
    """Short pieces were not cut, and another language is another block."""
    full = "```js\n" + "x\n" * 950 + "```"
    for first, second in (("```js\nx\n```", "```js\ny\n```"), (full, "```py\ny\n```")):
        pieces = [said(2, BOT, first, reply=1), said(3, BOT, second)]
        (row,) = run([said(1, ANA, QUESTION), *pieces]).rows
        assert row[1][1] == f"{first}\n{second}"


def test_streamed_answers_go_on_after_their_last_edit(run):
    """A bot that edits as it writes starts the next message long after the first was sent."""
    edited = (START + timedelta(seconds=58)).isoformat()
    first = said(2, BOT, "a" * 2000, reply=1, timestampEdited=edited)
    result = run([said(1, ANA, QUESTION), first, said(60, BOT, "b" * 10)])
    assert result.rows[0][1] == ("assistant", "a" * 2000 + "b" * 10)


@pytest.mark.parametrize(
    ("messages", "joined"),
    [
        ([said(2, BOT, "one", reply=1), said(3, BOT, "two"), said(4, BOT, "three")], True),
        ([said(2, BOT, "one", reply=1), said(3, BOT, "two", reply=1)], True),
        ([said(2, BOT, "one", reply=1), said(3, BOT, "two", reply=2)], True),
        ([said(2, BOT, "one", reply=1), said(13, BOT, "two")], False),
        ([said(2, BOT, "one", reply=1), said(3, BEN, "hm"), said(4, BOT, "two")], False),
        ([said(2, BOT, "x" * 1900, reply=1), said(3, BEN, "hm"), said(4, BOT, "two")], True),
        ([said(2, BOT, "one", reply=1), said(3, OTHER, "two")], False),
    ],
)
def test_only_what_follows_at_once_is_the_same_answer(run, messages, joined):
    """By the same bot, within seconds, with nothing between unless the piece was full."""
    result = run([said(1, ANA, QUESTION), *messages])
    assert len(result.rows) == 1
    assert (result.edits["continuation_joined"] > 0) == joined


# Rule 6: text.


def test_text_comes_from_embeds_when_there_is_no_content(run):
    """Description and fields; with content besides, the embed is left out and counted."""
    embed = {"title": "T", "description": "D", "fields": [{"name": "N", "value": "V"}]}
    bare = said(2, BOT, "", reply=1, embeds=[embed, {"title": "only a title", "url": "x"}])
    result = run([said(1, ANA, QUESTION), bare])
    assert result.rows[0][1][1] == "D\n\n**N**\nV\n\nonly a title"
    assert result.edits == {"embed_as_text": 1}
    result = run([said(1, ANA, QUESTION), said(2, BOT, ANSWER, reply=1, embeds=[embed])])
    assert result.rows == [PAIR]
    assert result.edits == {"embed_left_out": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Thinking...", "placeholder"),
        ("🤔 *Generating a response, please wait…*", "placeholder"),
        ("⏳", "placeholder"),
        ("❌ Error: 429", "rate_limit_or_error"),
        ("An error occurred while processing your request.", "rate_limit_or_error"),
        ("You are being rate limited. Try again in 5 s.", "rate_limit_or_error"),
        ("Too many requests, please slow down", "rate_limit_or_error"),
        ("**Available commands:**\n!ask, !reset", "help_text"),
        ("Usage: `!ask <prompt>`", "help_text"),
        ("", "blank_content"),
        (" \n ", "blank_content"),
    ],
)
def test_what_bots_say_besides_answers_is_dropped_with_its_kind(run, text, reason):
    """And the prompt stays open for the answer itself."""
    result = run([said(1, ANA, QUESTION), said(2, BOT, text, reply=1), said(3, BOT, "x", reply=1)])
    assert result.drops == {2: reason}
    assert result.rows == [[("user", QUESTION), ("assistant", "x")]]


@pytest.mark.parametrize(
    "answer",
    [
        "Thinking about life is hard.",
        "Processing power doubles every two years.",
        "Error handling in Python uses try and except.",
        "Too many requests means HTTP status 429.",
        "Slow down the video by half.",
        "Usage: grep pattern file",
        "42",
        "👍",
        "?",
        "Failed to fetch is what a browser says when the network is down.",
    ],
)
def test_answers_that_only_begin_like_a_notice_are_kept(run, answer):
    """A short answer is an answer."""
    result = run([said(1, ANA, QUESTION), said(2, BOT, answer, reply=1)])
    assert result.rows == [[("user", QUESTION), ("assistant", answer)]]


def test_the_answer_after_a_placeholder_is_paired(run):
    """`Thinking…` replies, the answer does not: it belongs to the same prompt."""
    result = run([said(1, ANA, QUESTION), said(2, BOT, "Thinking…", reply=1), said(8, BOT, ANSWER)])
    assert result.rows == [PAIR]
    assert result.drops == {2: "placeholder"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (said(1, BEN, "joined", type="GuildMemberJoin"), "system_message"),
        (said(1, BEN, "pinned a message", type="ChannelPinnedMessage"), "system_message"),
        (said(1, BEN, "started a thread", type="18"), "system_message"),
        (said(1, BEN, "look", reference={"type": "Forward", "messageId": "3"}), "forward"),
        (said(1, BEN, "", forwardedMessage={"content": "look"}), "forward"),
        (said(1, BEN, "", attachments=[{"id": "2"}]), "attachment_only"),
        (said(1, BEN, ""), "blank_content"),
        (said(1, BEN, "@ChatBot", mentions=[BOT]), "blank_content"),
        (said(1, OTHER, "beep"), "other_bot"),
        (said(1, BOT, "Hello everyone!"), "bot_chatter"),
    ],
)
def test_messages_that_are_no_turn_are_dropped_with_their_reason(run, message, reason):
    """And the conversation next to them is read."""
    talk = [said(21, ANA, QUESTION), said(22, BOT, ANSWER, reply=21)]
    result = run([message, *talk], Discord(bots=("9",)))
    assert result.drops == {1: reason}
    assert result.rows == [PAIR]


# Rule 7: chains, names, regenerated answers.


CHAIN = [
    ask(1, "one"),
    said(2, BOT, "ONE", reply=1),
    said(3, BEN, "aside"),
    said(30, ANA, "two", reply=2),
    said(31, BOT, "TWO", reply=30),
    said(50, ANA, "three", reply=31),
    said(51, BOT, "THREE"),
]


def test_replies_to_answers_make_one_dialogue(run):
    """The row follows the replies back to the start, whoever else speaks in between."""
    result = run(CHAIN)
    words = ["one", "ONE", "two", "TWO", "three", "THREE"]
    assert [text for _, text in result.rows[0]] == words
    assert len(result.rows) == 1
    assert result.meta[0]["pairing"] == "nearest"
    assert result.meta[0]["messages"] == 6
    assert result.drops == {3: "not_addressed"}
    apart = run(CHAIN, Discord(chain=False))
    assert [len(row) for row in apart.rows] == [2, 2, 2]
    assert apart.drops == {3: "not_addressed"}


def test_branches_are_parts_and_new_ones_come_last(run):
    """A dialogue that grows keeps its origin and the parts it had."""
    more = [
        said(60, BEN, "other two", reply=2),
        said(61, BOT, "OTHER TWO", reply=60),
        said(70, ANA, "four", reply=51),
        said(71, BOT, "FOUR", reply=70),
    ]
    (record,) = [record for record in run(CHAIN + more).records if record.rows]
    assert record.origin == "500/1"
    ends = [(row.part, row.messages[-1].content) for row in record.rows]
    assert ends == [(0, "FOUR"), (1, "OTHER TWO")]


def test_a_reply_to_one_bot_that_another_answers_starts_anew(run):
    """What the other bot was shown is not known, and the edit says so."""
    messages = [*CHAIN[:2], said(30, ANA, "two", reply=2), said(31, OTHER, "II", reply=30)]
    result = run(messages)
    assert [len(row) for row in result.rows] == [2, 2]
    assert result.edits["earlier_turns_missing"] == 1


def test_a_prompt_in_the_middle_answered_again_counts_once(run):
    """The dialogue goes on with the last answer."""
    messages = [*CHAIN[:2], *CHAIN[3:5], said(60, BOT, "TWO AGAIN", reply=30)]
    result = run(messages)
    assert [[text for _, text in row] for row in result.rows] == [
        ["one", "ONE", "two", "TWO AGAIN"]
    ]
    assert result.drops == {31: "regenerated"}


def test_a_prompt_about_an_answer_that_is_gone_says_so(run):
    """The turns before it cannot be known; the row stays and the edit tells."""
    result = run([said(5, ANA, "and then?", reply=2), said(6, BOT, "Then …", reply=5)])
    assert result.edits == {"earlier_turns_missing": 1}


def test_a_prompt_sent_again_counts_once(run):
    """The last answer stays; the others say which conversation they lost to."""
    messages = [
        ask(1, QUESTION),
        said(2, BOT, "bad", reply=1),
        said(20, BOT, "still bad", reply=1),
        ask(30, QUESTION.upper()),
        said(31, BOT, ANSWER, reply=30),
    ]
    result = run(messages)
    assert result.rows == [[("user", QUESTION.upper()), ("assistant", ANSWER)]]
    assert result.drops == dict.fromkeys((1, 2, 20), "regenerated")
    assert {drop.other for record in result.records for drop in record.drops} == {"500/30"}


def test_a_regenerated_answer_that_was_talked_about_stays(run):
    """Its dialogue goes on, so it is no mere duplicate."""
    more = [said(30, BEN, "two", reply=2), said(31, BOT, "TWO", reply=30)]
    again = [ask(60, "one"), said(61, BOT, "ONE AGAIN", reply=60)]
    assert [len(row) for row in run(CHAIN[:2] + more + again).rows] == [4, 2]
    assert [len(row) for row in run(CHAIN[:2] + again).rows] == [2]


def test_names_of_people_do_not_reach_the_rows(run):
    """Mentions at the start go, others become @user, ids and names are not in the meta."""
    messages = [
        said(1, BEN, "hello"),
        said(
            2,
            ANA,
            "@ChatBot @ben: ask @Ana B or @ben. Mail ben@ben.com, @everyone @benny <@123456> "
            "@ChatBot",
            mentions=[BEN, BOT],
        ),
        said(3, BOT, "<@!1234567> @Ana B I asked @ben!", reply=2, mentions=[ANA]),
    ]
    result = run(messages)
    ((_, asked), (_, answer)) = result.rows[0]
    assert asked == "ask @user or @user. Mail ben@ben.com, @everyone @benny @user"
    assert answer == "I asked @user!"
    assert result.edits == {"mention_stripped": 2, "name_masked": 4}
    assert "ana" not in json.dumps(result.meta).lower()
    assert "ben" not in json.dumps(result.meta).lower()


def test_names_without_spaces_around_them_are_masked_where_scripts_have_none(run):
    """Chinese and Japanese write no blank after a name."""
    person = {"id": "3", "name": "小明", "isBot": False}
    messages = [said(1, person, "你好"), said(2, ANA, "请问@小明在吗"), said(3, BOT, "在", reply=2)]
    assert run(messages).rows[0][0] == ("user", "请问@user在吗")


# Rule 1: files, and what is in them.


def test_a_channel_split_over_files_is_read_as_one(tmp_path):
    """Order of files does not matter, and neither does a message that stands in two of them."""
    late = said(30, ANA, "late edit", reply=2, timestampEdited=(START).isoformat())
    (tmp_path / "chat [part 10].json").write_text(export([late, *CHAIN[4:]]))
    (tmp_path / "chat [part 2].json").write_text(export(CHAIN[:4]))
    (tmp_path / "other.json").write_text(
        export([ask(1, "lone"), said(2, BOT, "x")], CHANNEL | {"id": "7"})
    )
    result = Result(list(read(tmp_path, Discord())))
    assert [len(row) for row in result.rows] == [6, 2]
    assert result.rows[0][2] == ("user", "late edit")
    assert result.drops == {3: "not_addressed", 30: "repeated_message"}


def test_channels_can_be_chosen(tmp_path):
    """The others are one drop each."""
    (tmp_path / "a.json").write_text(export(CHAIN))
    (tmp_path / "b.json").write_text(export(CHAIN, CHANNEL | {"id": "7", "name": "off"}))
    records = list(read(tmp_path, Discord(channels=("CHAT",))))
    assert records[-1] == Record("7", (), (Drop("channel_not_selected"),))
    assert len(records) == 3


def test_header_after_the_messages_is_found(tmp_path):
    """Keys in another order change nothing."""
    text = json.dumps({"messages": CHAIN[:2], "guild": {}, "channel": CHANNEL})
    (tmp_path / "a.json").write_text(text)
    assert len(Result(list(read(tmp_path / "a.json", Discord()))).rows) == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"id": "x1"}, "'id'|as id"),
        ({"id": None}, "null as id"),
        ({"id": str(2**63)}, "as id"),
        ({"author": None}, "null as author"),
        ({"author": {"isBot": True}}, "an author without id"),
        ({"author": BOT | {"isBot": "yes"}}, "a text as isBot"),
        ({"content": ["x"]}, "a list as content"),
        ({"type": {"x": 1}}, "an object as type"),
        ({"embeds": "x"}, "a text as embeds"),
        ({"embeds": [3]}, "a number as an element of embeds"),
        ({"reference": "2"}, "a text as reference"),
        ({"reference": {"messageId": "two"}}, "as messageId"),
        ({"mentions": {}}, "an object as mentions"),
    ],
)
def test_a_broken_message_is_one_bad_record(tmp_path, change, found):
    """It says where it stands; the messages around it are read."""
    broken = said(3, BOT, "x") | change
    (tmp_path / "a.json").write_text(export([*CHAIN[:2], broken]))
    bad, good = list(read(tmp_path / "a.json", Discord()))
    assert len(good.rows) == 1
    assert isinstance(bad, BadRecord)
    assert bad.where == "a.json, record 3"
    assert any(word in bad.found for word in found.split("|"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "no object"),
        ('"x"', "no object"),
        ("{}", "no channel"),
        ('{"channel": 3, "messages": []}', "a number as channel"),
        ('{"channel": {"id": "a b"}, "messages": []}', "as id of the channel"),
        ('{"channel": {"id": "5"}}', "no list of messages"),
        ('{"channel": {"id": "5"}, "messages": {}}', "no list of messages"),
        ('{"channel": {"id": "5"}, "messages": [', "the end of the file"),
        ('{"channel": {"id": "5"}, "messages": []', "the end of the file"),
        ('{"channel": {"id": "5"}, "messages": [] "x"', "without a value"),
        ('{"channel": {"id": "5"}, "messages": []} 3', "more text"),
        ('{"channel": {"id": "5"}, "messages": [], "channel": {}}', "twice"),
        ('{"channel" {"id": "5"}}', "without a value"),
        ('{"channel": {"id": 5', "broken JSON"),
    ],
)
def test_a_file_of_another_form_says_what_is_wrong(tmp_path, text, found):
    """No traceback, and a located sentence."""
    (tmp_path / "a.json").write_text(text)
    (bad,) = list(read(tmp_path / "a.json", Discord()))
    assert isinstance(bad, BadRecord)
    assert "a.json" in bad.where
    assert found in bad.found


def test_a_truncated_export_keeps_what_was_written(tmp_path):
    """The last message is cut; those before it are conversations."""
    text = export(CHAIN)
    (tmp_path / "a.json").write_text(text[: text.index('"id": "51"') + 40])
    records = list(read(tmp_path / "a.json", Discord()))
    assert [type(record) for record in records[:1]] == [BadRecord]
    assert "record 7" in records[0].where
    assert [len(record.rows) for record in records[1:]] == [1, 0, 0]


@pytest.mark.parametrize(
    "options",
    [{"window": -1}, {"continuation": -5}, {"prefixes": ("",)}, {"bots": (" ",)}],
)
def test_options_without_sense_are_refused(options):
    """The message names the option and what was expected."""
    with pytest.raises(ValueError, match=f"{next(iter(options))}: .* expected"):
        Discord(**options)


# Laws.


def bodies():
    """Draw what a message may be: author, mention, reference, form, notice."""
    return st.tuples(
        st.sampled_from([ANA, BEN, BOT, OTHER]),
        st.sampled_from([[], [BOT], [OTHER], [BEN]]),
        st.one_of(st.none(), st.integers(1, 30)),
        st.sampled_from(["Default", "Default", "Reply", "20", "GuildMemberJoin", "21"]),
        st.sampled_from(["", "", "", "Thinking...", "> quoted\n", "BLANK"]),
        st.integers(0, 40),
        st.sampled_from(["500", "500", "500", "501"]),
    )


def build(drawn):
    messages = []
    for number, (author, mentions, reply, form, start, gap, channel) in enumerate(drawn, 1):
        content = "" if start == "BLANK" else f"{start}w{number}w"
        if start == "Thinking..." and author["isBot"]:
            content = start
        message = said(number, author, content, mentions=mentions, type=form, at=number * 5 + gap)
        if reply is not None:
            message["reference"] = {"messageId": str(reply), "channelId": channel}
        messages.append(message)
    return messages


@settings(max_examples=300, deadline=None)
@given(
    drawn=st.lists(bodies(), max_size=25),
    split=st.integers(0, 25),
    options=st.builds(
        Discord,
        bots=st.sampled_from([(), ("ChatBot",)]),
        dedicated=st.sampled_from([(), ("chat",)]),
        window=st.sampled_from([0, 20, 600]),
        continuation=st.sampled_from([0, 10, 60]),
        confidence=st.sampled_from(["reply", "interaction", "nearest"]),
        chain=st.booleans(),
    ),
)
def test_every_message_is_in_a_row_or_in_a_drop(tmp_path_factory, drawn, split, options):
    """Never both, never neither, and the order of files and messages changes nothing."""
    messages = build(drawn)
    folder = tmp_path_factory.mktemp("channel", numbered=True)
    (folder / "a.json").write_text(export(messages[split:][::-1]))
    (folder / "b.json").write_text(export(messages[:split]))
    records = list(read(folder, options))
    assert all(isinstance(record, Record) for record in records)
    dropped = [int(r.origin.partition("/")[2]) for r in records if r.drops]
    texts = [text for r in records for row in r.rows for _, text in row.messages]
    words = {word for text in texts for word in text.replace("\n", "w").split("w")}
    used = {number for number in range(1, len(messages) + 1) if str(number) in words}
    assert sorted([*dropped, *used]) == list(range(1, len(messages) + 1))
    for record in records:
        assert [row.part for row in record.rows] == list(range(len(record.rows)))
        for row in record.rows:
            roles = [role for role, _ in row.messages]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert all(text and not text.isspace() for _, text in row.messages)
    again = folder.parent / f"{folder.name}-whole.json"
    again.write_text(export(messages))
    assert list(read(again, options)) == records


def test_hostile_text_takes_linear_time(run):
    """Half a megabyte of mentions, blanks, fences, quotes or labels is read in moments."""
    size = 100_000
    hostile = ["@ana" * size, " @" * size, "@ana " * size, "```" * size, "> " * size, "**" * size]
    hostile += ["> \n" * size, " - @" * size, "Prompt:" + " " * size + "x", "\n" * size + "x"]
    messages = [
        message
        for number, text in enumerate(hostile)
        for message in (
            ask(10 * number + 1, text, BEN),
            said(10 * number + 2, BOT, text + "y", reply=10 * number + 1, mentions=[ANA]),
            said(10 * number + 3, BOT, text, type="20", interaction=ASKED_BY_ANA),
        )
    ]
    begun = datetime.now(UTC)
    run(messages)
    assert (datetime.now(UTC) - begun).total_seconds() < 15


def test_edits_are_reported_once_a_message(run):
    """Turns that several branches share are counted once."""
    start = [ask(1, "one"), said(2, BOT, "ONE", reply=1)]
    branches = [
        message
        for number in (10, 20, 30)
        for message in (
            said(number, BEN, f"b{number}", reply=2),
            said(number + 1, BOT, "B", reply=number),
        )
    ]
    (record,) = run(start + branches).records
    assert len(record.rows) == 3
    assert record.edits == (Edit("mention_stripped", 1),)
