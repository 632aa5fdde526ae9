"""Sixty conversations that meet what row steps do: languages, code, personal data, HTML, damage.

The golden digests in `tests/golden/steps.json` are taken over these rows: change one, and every
digest changes.
"""

from imitation_data.conversation import Conversation, Message

LETTER = {"s": "system", "u": "user", "a": "assistant"}


def talk(origin: str, roles: str, *texts: str, language: str | None = None) -> Conversation:
    """A conversation by the first letters of its roles: talk("greeting", "ua", "hello", "hi")."""
    messages = tuple(Message(LETTER[role], text) for role, text in zip(roles, texts, strict=True))
    return Conversation(
        messages, "corpus", origin, language=language, license="CC0-1.0", meta='{"file":"corpus"}'
    )


FENCE = "```"
LOOP = "I love the sea and the sea loves me. " * 30
PAGE = (
    '<div class="markdown prose w-full break-words dark:prose-invert light"><p>Use a loop:</p>'
    '<pre><div class="bg-black rounded-md mb-4"><div class="flex items-center"><span>python</span>'
    '<button class="flex ml-auto gap-2">Copy code</button></div><div class="p-4 overflow-y-auto">'
    '<code class="!whitespace-pre hljs language-python">for i in range(3):\n    print(i)\n</code>'
    "</div></div></pre><ul><li>one</li><li>two</li></ul></div>"
)

CORPUS: tuple[Conversation, ...] = (
    talk("greeting", "ua", "Hello, how are you today?", "I am fine, thank you. And you?"),
    talk("system", "sua", "Answer in one line.", "What is a noun?", "A word that names a thing."),
    talk("four-turns", "uaua", "Name a river.", "The Rhine.", "Another one?", "The Danube."),
    talk("french", "ua", "Quelle est la capitale de la France ?", "La capitale est Paris."),
    talk("german", "ua", "Wie spät ist es in Berlin gerade?", "Das weiß ich leider nicht genau."),
    talk("spanish", "ua", "¿Cuál es la capital de España?", "La capital de España es Madrid."),
    talk("russian", "ua", "Какой город является столицей России?", "Столица России — Москва."),
    talk("greek", "ua", "Ποια είναι η πρωτεύουσα της Ελλάδας;", "Η Αθήνα."),
    talk("arabic", "ua", "ما هي عاصمة مصر وأين تقع؟", "عاصمة مصر هي القاهرة."),
    talk("hebrew", "ua", "מהי בירת ישראל ומה אוכלוסייתה?", "ירושלים."),
    talk("hindi", "ua", "भारत की राजधानी क्या है?", "भारत की राजधानी नई दिल्ली है।"),
    talk("thai", "ua", "เมืองหลวงของประเทศไทยคืออะไร", "กรุงเทพมหานคร"),
    talk("chinese", "ua", "高三后的迷茫，能给我一些建议么？", "可以先定一个小目标，再安排时间。"),
    talk("japanese", "ua", "日本の首都はどこですか。", "日本の首都は東京です。"),
    talk("korean", "ua", "한국의 수도는 어디입니까?", "한국의 수도는 서울입니다."),
    talk("turkish", "ua", "TÜRKİYE'NİN BAŞKENTİ NERESİDİR?", "Türkiye'nin başkenti Ankara'dır."),
    talk("capitals", "ua", "WHAT IS THE CAPITAL OF THE UNITED KINGDOM?", "It is London."),
    talk("translate", "ua", "Translate into English: Der Hund schläft.", "The dog sleeps."),
    talk("numbers", "ua", "2 + 2 * 10 = ?", "22"),
    talk("labelled", "ua", "What is a verb?", "A word that names an action.", language="de"),
    talk("fence", "ua", f"What does this print?\n{FENCE}python\nprint(1)\n{FENCE}", "It prints 1."),
    talk("only-code", "ua", f"{FENCE}\nfor (;;) {{}}\n{FENCE}", "An endless loop."),
    talk("include", "ua", "#include <stdio.h>\nint main(void) { return 0; }", "A C program."),
    talk("ask-code", "ua", "Write a Python function that adds two numbers.", "def add(a, b): ..."),
    talk("sql", "ua", "SELECT name FROM users WHERE id = 1;", "It reads one name."),
    talk("java-island", "ua", "Which island is Java next to?", "Java lies next to Bali."),
    talk("program", "ua", "What is on the theatre program tonight?", "A comedy by Molière."),
    talk("koala-word", "ua", "Who made ChatGPT?", "A company in San Francisco."),
    talk("koala-name", "ua", "Who made you?", "I was trained by OpenAI."),
    talk("as-an-ai", "ua", "Do you dream?", "As an AI language model, I do not dream."),
    talk("curly", "ua", "Open the door.", "I\u2019m sorry, but I can\u2019t do that."),
    talk("refusal-zh", "ua", "请帮我预测股票价格。", "很抱歉，我无法预测股票价格。"),
    talk("sorry-note", "ua", "Write a note.", "I am sorry for being late to your party."),
    talk("leading", "aua", "Hi! Ask me anything.", "What is salt?", "Sodium chloride."),
    talk("trailing", "uau", "What is tin?", "A metal.", "And what is lead?"),
    talk("twice", "uuaa", "First question.", "Second question.", "First answer.", "Second answer."),
    talk("late-system", "usa", "What is zinc?", "Be brief.", "A metal."),
    talk("nobody-answers", "uu", "Is anybody there?", "Hello?"),
    talk("only-system", "s", "You are helpful."),
    talk("blank-answer", "ua", "Say nothing.", " \n\t "),
    talk("invisible", "uaua", "What is gold?", "A metal.", "And silver?", "\u200b\u200d\ufeff"),
    talk("noinput", "ua", "noinput", "Please give me some input."),
    talk(
        "rate-limit",
        "uaua",
        "Hi",
        "Hello!",
        "Go on",
        "Too many requests in 1 hour. Try again later.",
    ),
    talk("dots", "ua", "Tell me more.", "..."),
    talk("email", "ua", "Mail me at jane.doe+news@mail-server.org, please.", "Sent."),
    talk("example-email", "ua", "Is john@example.com a valid address?", "Yes, for examples."),
    talk("phones", "ua", "Ring +44 20 7946 0958 or (415) 555-2671.", "手机13812345678。"),
    talk("network", "ua", "My server is 93.184.216.34, at home 192.168.1.1, v1.2.3.4", "Noted."),
    talk("card", "ua", "My card is 4111 1111 1111 1111, not 4111 1111 1111 1112.", "Hide it."),
    talk("account", "ua", "Pay to DE89 3704 0044 0532 0130 00 by noon.", "Paid."),
    talk("keys", "ua", "key = 'sk-proj-abc123def456ghi789jkl0'", "AKIAIOSFODNN7EXAMPLE leaks."),
    talk("page", "ua", "How do I loop?", PAGE),
    talk("html-question", "ua", "Why is <b>this</b> bold & that not?", "<b> makes text bold."),
    talk("copy-code", "ua", "Print one.", "python\nCopy code\nprint(1)\n"),
    talk("loop", "ua", "Tell me about the sea.", LOOP),
    talk("run", "ua", "Laugh.", "ha" + "a" * 300),
    talk("lines", "ua", "Sing.", "la la la\n" * 12),
    talk("song", "ua", "A song.", "Row, row, row your boat\nGently down the stream\n" * 2),
    talk("chinese-loop", "ua", "说点什么。", "今天的天气真的非常好我们去公园。" * 20),
    talk("controls", "ua", "a\x00b\x07c\x1b[31mred", "\u202eright to left\u202c and back"),
    talk("emoji", "ua", "👩‍👩‍👧‍👦 who is this? 🇫🇷", "A family, and the flag of France. ❤️"),
    talk("long", "sua", "Be thorough.", "Explain tides. " * 40, "The moon pulls the sea. " * 80),
    talk("many-rounds", "ua" * 12, *(f"Turn number {n} about the weather." for n in range(24))),
)
