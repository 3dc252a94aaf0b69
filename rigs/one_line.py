"""Sentences in one printable line, whatever bytes and names of files, bones and tracks they quote."""

import unicodedata

MAX_LETTERS = 1000
_END_LETTERS = 200
_OMISSION = " ... "
_CONTROL_CATEGORIES = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
"""Unicode's categories of letters that break a line, or that a terminal or Blender cannot show."""


def one_line(text: str) -> str:
    """Escape control characters and line breaks, and replace the middle of a text longer than MAX_LETTERS by "..."."""
    if len(text) > MAX_LETTERS:
        text = f"{text[: MAX_LETTERS - _END_LETTERS]}{_OMISSION}{text[-_END_LETTERS:]}"
    return "".join(letter if is_showable(letter) else _escape(letter) for letter in text)


def is_showable(letter: str) -> bool:
    """Whether a letter can stand in a line of text."""
    return letter.isprintable() or unicodedata.category(letter) not in _CONTROL_CATEGORIES


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
