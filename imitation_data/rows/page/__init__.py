"""The parts of `html_to_markdown`.

tags     the tags and character references of serialised HTML
code     code blocks: their language, and the page's furniture around them
inline   the text of one paragraph
escape   backslashes where text would read as markup
blocks   fences, lists, quotes, tables
stack    what is open and what is finished while an answer is read
"""
