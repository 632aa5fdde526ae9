"""Markdown as ChatGPT's page showed it in spring 2023, and as ShareGPT stored it.

`to_page_html` renders an answer to the `outerHTML` of the page's answer element: code blocks with
a header (label, copy button) and highlighted by spans, and no white space between blocks. HTML in
the Markdown was shown as text. Tests convert it back; the sample data of cards is made by it.
"""

import re
from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_ICON = (
    '<svg stroke="currentColor" fill="none" stroke-width="2" viewBox="0 0 24 24" '
    'stroke-linecap="round" stroke-linejoin="round" class="h-4 w-4" height="1em" width="1em" '
    'xmlns="http://www.w3.org/2000/svg"><path d="M16 4h2a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H6a2 2 0 0 '
    '1-2-2V6a2 2 0 0 1 2-2h2"></path><rect x="8" y="2" width="8" height="4" rx="1" ry="1"></rect>'
    "</svg>"
)
_CODE_TOKEN = re.compile(
    r"(?P<comment>(?:#|//)[^\n]*)"
    r"|(?P<string>\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?P<number>\b\d+(?:\.\d+)?\b)"
    r"|(?P<keyword>\b(?:and|as|class|const|def|else|for|from|function|if|import|in|int|let|new|not"
    r"|or|public|return|SELECT|static|String|using|var|void|while|with|FROM|WHERE)\b)"
    r"|(?P<title>\b[A-Za-z_]\w*(?=\())"
)


def to_page_html(markdown: str) -> str:
    """Render an answer to the HTML that ShareGPT stored for it."""
    body = _PARSER.render(markdown)
    return f'<div class="markdown prose w-full break-words dark:prose-invert light">{body}</div>'


def parser() -> MarkdownIt:
    """The Markdown of the page: CommonMark with tables and strikethrough, HTML shown as text."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


class _PageRenderer(RendererHTML):
    def renderToken(  # noqa: N802  # the library's name
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        if tokens[idx].type == "link_open":
            tokens[idx].attrSet("target", "_new")
        return super().renderToken(tokens, idx, options, env).removesuffix("\n").lstrip("\n")

    def fence(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        language = tokens[idx].info.split(maxsplit=1)[0] if tokens[idx].info.strip() else ""
        label = f'<span class="">{escape(language, quote=False)}</span>' if language else ""
        kind = f" language-{escape(language)}" if language else ""
        return (
            '<pre><div class="bg-black mb-4 rounded-md"><div class="flex items-center relative '
            f'text-gray-200 bg-gray-800 px-4 py-2 text-xs font-sans">{label}<button '
            f'class="flex ml-auto gap-2">{_ICON}Copy code</button></div>'
            f'<div class="p-4 overflow-y-auto"><code class="!whitespace-pre hljs{kind}">'
            f"{_highlight(tokens[idx].content)}</code></div></div></pre>"
        )

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return self.fence(tokens, idx, options, env)

    def text(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return _serialised(tokens[idx].content)

    def code_inline(
        self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType
    ) -> str:
        return f"<code>{_serialised(tokens[idx].content)}</code>"

    def hardbreak(self, *_: object) -> str:
        return "<br>\n"


def _serialised(text: str) -> str:
    return escape(text, quote=False).replace("\u00a0", "&nbsp;")


def _highlight(code: str) -> str:
    pieces, last = [], 0
    for match in _CODE_TOKEN.finditer(code):
        inner = _serialised(match[0])
        if match.lastgroup == "string" and "{" in match[0]:
            inner = inner.replace("{", '<span class="hljs-subst">{').replace("}", "}</span>")
            if inner.count("<span") != inner.count("</span>"):
                inner = _serialised(match[0])
        pieces += [_serialised(code[last : match.start()])]
        pieces += [f'<span class="hljs-{match.lastgroup}">{inner}</span>']
        last = match.end()
    return "".join(pieces) + _serialised(code[last:])


_PARSER = parser()
_PARSER.renderer = _PageRenderer(_PARSER)
