"""What a bone's name says, however it is written: a side of the body, and what is left without case and prefixes."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

Key = tuple[str, str]
"""A side, "left", "right" or "", and the rest of the name."""

END = " end site"
"""What follows a leaf bone's name in the name of its tail."""
_SIDES = {
    **dict.fromkeys(("l", "left", "lft", "lt"), "left"),
    **dict.fromkeys(("r", "right", "rgt", "rt"), "right"),
}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WRITTEN_TOGETHER = re.compile(r"(left|right)(.+)|(.+)(left|right)")
_SHARED = 0.6
"""The share of a rig's names from which a word that they begin or end with says nothing about a bone."""
_FEW = 8


def words(name: str) -> list[str]:
    """A name's words and numbers in lower case, without namespace: "rig:Spine_01" becomes ["spine", "1"]."""
    return all_words(re.split(r"[:|]", name)[-1])


def all_words(name: str) -> list[str]:
    """A name's words and numbers in lower case: "rig:Spine_01" becomes ["rig", "spine", "1"]."""
    found: list[str] = []
    for word in _WORDS.findall(name):
        plain = str(int(word)) if word.isdigit() else word.lower()
        together = None if plain in _SIDES else _WRITTEN_TOGETHER.fullmatch(plain)
        found += [part for part in together.groups() if part] if together else [plain]
    return found


def key(words: Sequence[str]) -> Key:
    """The first word that names a side, and all others as one."""
    side = next((word for word in words if word in _SIDES), "")
    rest = list(words)
    if side:
        rest.remove(side)
    stem = ""
    for before, word in zip(["", *rest], rest, strict=False):
        stem += f".{word}" if before.isdigit() and word.isdigit() else word
    return _SIDES.get(side, ""), stem


def normalize(name: str) -> Key:
    """One name's key: "mixamorig:LeftUpLeg" and "UpLeg.L" become ("left", "upleg")."""
    return key(words(name))


def of_left(name: str) -> Key:
    """The key of a name that is known to be a left bone's, so that in "lfemur" the side is known too."""
    side, stem = normalize(name)
    if side or not (stem.startswith("l") or stem.endswith("l")):
        return side, stem
    return "left", stem[1:] if stem.startswith("l") else stem[:-1]


def index(names: Sequence[str], sided: frozenset[str]) -> dict[Key, list[int]]:
    """The bones under every key that they answer to, with and without the words that most names share.

    sided: what sided bones are called in known rigs, which tells "lfemur" from "lowerback".
    """
    whole = [words(name.removesuffix(END)) for name in names]
    ends = [["end", "site"] if name.endswith(END) else [] for name in names]
    bare = _without_shared(whole)
    found: dict[Key, list[int]] = {}
    for bone, (full, short, end) in enumerate(zip(whole, bare, ends, strict=True)):
        for spelt in (full, short) if short is not full else (full,):
            for answer in _answers(spelt, end, sided):
                bones = found.setdefault(answer, [])
                if bone not in bones[-1:]:
                    bones.append(bone)
    return found


def _answers(spelt: list[str], end: list[str], sided: frozenset[str]) -> list[Key]:
    side, stem = key([*spelt, *end])
    answers = [(side, stem)]
    plain = stem.removesuffix("endsite") if end else stem
    for letter, rest in ((plain[:1], plain[1:]), (plain[-1:], plain[:-1])):
        if not side and letter in ("l", "r") and rest in sided:
            answers.append((_SIDES[letter], rest + "".join(end)))
    return answers


def _without_shared(names: list[list[str]]) -> list[list[str]]:
    """The names without the words that most of them begin or end with, such as "mixamorig", "bip 1" or "jnt"."""
    names = list(names)
    if len(names) < _FEW:
        return names
    _strip(names, first=lambda words: words[0], rest=lambda words: words[1:], numbers=True)
    _strip(names, first=lambda words: words[-1], rest=lambda words: words[:-1], numbers=False)
    return names


def _strip(
    names: list[list[str]],
    first: Callable[[list[str]], str],
    rest: Callable[[list[str]], list[str]],
    *,
    numbers: bool,
) -> None:
    stripped = False
    while True:
        counts = Counter(first(words) for words in names if len(words) > 1)
        word, count = counts.most_common(1)[0] if counts else ("", 0)
        if count < _SHARED * len(names) or word in _SIDES or (word.isdigit() and not (numbers and stripped)):
            return
        for n, words in enumerate(names):
            if len(words) > 1 and first(words) == word:
                names[n] = rest(words)
        stripped = True
