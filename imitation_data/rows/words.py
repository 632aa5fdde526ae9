"""What counts as a word, in any script.

A word is what stands between white space. In scripts that are written without spaces between
words (Han, kana, bopomofo, Thai, Lao, Khmer, Burmese) each letter counts as one word, with its
vowel signs and tone marks, and the punctuation of Chinese and Japanese counts as white space.
English "don't stop" has two words, Chinese "你好，世界" four, Thai "ดี" one.
"""

import re

_LETTERS = (
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa"
    r"\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9d\U00020000-\U0003ffff"
    r"\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46"  # Thai
    r"\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd\u0ec0-\u0ec6\u0edc-\u0edf"  # Lao
    r"\u1780-\u17b3\u1000-\u102a\u103f\u1050-\u1055"  # Khmer, Burmese
)
_MARKS = (
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    r"\u17b4-\u17d3\u102b-\u103e\u1056-\u1059"
)
_PUNCTUATION = (
    r"\u3001-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30fb"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)

_RUN = re.compile(f"[{_LETTERS}]+")
_NO_WORD = re.compile(f"[{_MARKS}{_PUNCTUATION}]")


def count_words(text: str) -> int:
    """Count the words of a text."""
    if text.isascii():
        return len(text.split())
    between = _RUN.split(text)
    letters = len(text) - sum(map(len, between))
    return letters + len(_NO_WORD.sub(" ", " ".join(between)).split())
