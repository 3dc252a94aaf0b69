"""One trial of a reader: its result, CPU time and peak of allocated memory, against the limits that every reader keeps.

A reader gives a value that passes its check, or refuses with one of its exceptions, whose text is one line; anything
else is a fault. CPU time is that of the process, in a run of its own; memory is the peak of what `tracemalloc` sees of
Python and numpy in a second run, above what was allocated before it.
"""

import re
import time
import traceback
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.mutations import Family

SECONDS_PER_MEGABYTE = 2.0
SECONDS_ALLOWED = 1.0
"""s of CPU time for a file of any size."""
MEMORY_RATIO = 20.0
MEMORY_ALLOWED = 16 * 2**20
"""Bytes for a file of any size."""
_MEGABYTE = 1e6
_LONGEST = 10_000
"""Letters of a sentence: 1,000, of which each may be escaped by ten."""


@dataclass(frozen=True)
class Target:
    """A reader under test.

    suffix: of its files.  family: the kind of mutations.  read: from a path to a value.
    refusals: the exceptions that it may raise.  check: raises for a value that no one can use.
    names_file: whether a refusal must name the file.  memory_allowed, seconds_allowed: bytes
    and s of CPU time for a file of any size.
    """

    name: str
    suffix: str
    family: Family
    read: Callable[[Path], Any]
    refusals: tuple[type[Exception], ...]
    check: Callable[[Any], None] = lambda value: None
    names_file: bool = True
    memory_allowed: int = MEMORY_ALLOWED
    seconds_allowed: float = SECONDS_ALLOWED


@dataclass(frozen=True)
class Trial:
    """What a reader did with a file. seconds: of CPU time.  peak: bytes.  fault: empty if it did what it should."""

    size: int
    seconds: float
    peak: int
    refused: bool
    fault: str = ""


def try_file(target: Target, path: Path, size: int, *, measure_memory: bool = True) -> Trial:
    """Read a file, and again for its memory. size: bytes by which the limits go, the file's and of those beside it."""
    start = time.process_time()
    value, refused, fault = _outcome(target, path, target.read, path)
    seconds = time.process_time() - start
    if not refused and not fault:
        _, _, fault = _outcome(target, path, target.check, value)
    del value
    peak = 0
    if measure_memory:
        tracemalloc.start()
        try:
            _, again, _ = _outcome(target, path, target.read, path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if not fault and again != refused:
            fault = f"read differently the second time: {again}"
    limit = target.seconds_allowed + SECONDS_PER_MEGABYTE * size / _MEGABYTE
    if not fault and seconds > limit:
        fault = f"{seconds:.2f} s of CPU time for {size} bytes, at most {limit:.2f} expected"
    if not fault and peak > target.memory_allowed + MEMORY_RATIO * size:
        fault = f"{peak / 2**20:.0f} MiB of memory for {size} bytes"
    return Trial(size, seconds, peak, bool(refused), fault)


def _outcome(target: Target, path: Path, function: Callable[[Any], Any], argument: Any) -> tuple[Any, str, str]:
    """The value of a function, the sentence with which it refuses, and its fault; empty if there is none."""
    try:
        return function(argument), "", ""
    except target.refusals as error:
        sentence = str(error)
        return None, sentence or "refused", _sentence_fault(sentence, path.name if target.names_file else "")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), frames[-1])
        return None, "", f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}"[:500]


def _sentence_fault(sentence: str, name: str) -> str:
    """What is wrong with the text of a refusal."""
    if not sentence.strip():
        return "refused without a word"
    if not is_one_line(sentence):
        return f"the refusal is not one printable line: {sentence!r}"[:500]
    return f"the refusal does not name the file: {sentence!r}"[:500] if name and name not in sentence else ""


def is_one_line(sentence: str) -> bool:
    """Whether a text is one line that can be shown and read."""
    is_short = len(sentence.splitlines()) == 1 and len(sentence) <= _LONGEST
    return is_short and not re.search("[\0-\x1f\x7f-\x9f]", sentence)
