"""Text files as people have them: decode any usual encoding, and read numbers of other locales, with warnings."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte-order marks, the encoding, and its name where it is worth a warning."""
_SAMPLE = 4096  # bytes that tell UTF-16 without a mark
_KANA = re.compile("[\u3041-\u30fa]")
_DECIMAL_COMMA = re.compile(r"(?<!\S)([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)(?!\S)")
_NUMBERS = re.compile(r"\s*(?:OFFSET\b)?[\d\s.,;eE+-]*", re.IGNORECASE)
"""A line of nothing but numbers and their separators."""


@dataclass(frozen=True)
class Text:
    """The text of a file, and sentences about how it was decoded."""

    text: str
    warnings: tuple[str, ...] = ()


def read_text(path: Path) -> Text:
    """Decode a text file: UTF-8, UTF-16 or UTF-32 with or without a mark, else Shift-JIS or Windows' Western one."""
    content = path.read_bytes()
    encoding, name = _detect_encoding(content)
    text = content.decode(encoding, errors="replace").rstrip("\0\x1a")
    return Text(text, (f"{path.name}: text in {name} found and read; UTF-8 is usual",) if name else ())


def read_numbers_text(path: Path) -> Text:
    """Decode a text file of numbers, those with decimal commas written with points, those in lists with spaces."""
    text = read_text(path)
    if "," not in text.text and ";" not in text.text:
        return text
    points, count = _DECIMAL_COMMA.subn(r"\1.\2", text.text)
    lines = points.split("\n")
    spaced = [re.sub("[,;]", " ", line) if _NUMBERS.fullmatch(line) else line for line in lines]
    found = [*["decimal commas"] * (count > 0), *["commas between numbers"] * (spaced != lines)]
    warning = (f"{path.name}: {' and '.join(found)} found and read",) if found else ()
    return Text("\n".join(spaced), (*text.warnings, *warning))


def _detect_encoding(content: bytes) -> tuple[str, str]:
    """The encoding of a file, and its name where it is not UTF-8."""
    for mark, encoding, name in _MARKS:
        if content.startswith(mark):
            return encoding, name
    sample = content[:_SAMPLE]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = sample[start::2]
        if len(half) > 1 and half.count(0) > 0.9 * len(half):
            return encoding, "UTF-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _detect_legacy_encoding(content)
    return "utf-8", ""


def _detect_legacy_encoding(content: bytes) -> tuple[str, str]:
    """Shift-JIS if it gives Japanese syllables, else Windows' Western encoding."""
    try:
        if _KANA.search(content.decode("cp932")):
            return "cp932", "Shift-JIS"
    except UnicodeDecodeError:
        pass
    return "cp1252", "Windows-1252"
