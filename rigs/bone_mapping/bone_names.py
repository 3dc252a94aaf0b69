"""Bone-name normalisation: the side of the body and the rest of a name, without case, separators and prefixes."""

import re
from collections import Counter
from collections.abc import Sequence

NameKey = tuple[str, str]
"""A normalised name: its side, "left", "right" or "", and the rest."""

END_SITE = " end site"
"""Suffix of the name of a leaf bone's tail (BVH end site)."""
_SIDES = {
    **dict.fromkeys(("l", "left", "lft", "lt"), "left"),
    **dict.fromkeys(("r", "right", "rgt", "rt"), "right"),
}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDE_AFFIX = re.compile(r"(left|right)(.+)|(.+)(left|right)")
_SHARED_FRACTION = 0.6
"""Fraction of a rig's names that must begin or end with a word for it to be stripped as a common prefix or suffix."""
_MIN_NAMES = 8
"""Number of names below which no common prefix or suffix is stripped."""


def split_name(name: str) -> list[str]:
    """Split a name into lower-case words and numbers, without namespace: "rig:Spine_01" becomes ["spine", "1"]."""
    return split_full_name(re.split(r"[:|]", name)[-1])


def split_full_name(name: str) -> list[str]:
    """Split a name into lower-case words and numbers: "rig:Spine_01" becomes ["rig", "spine", "1"]."""
    parts: list[str] = []
    for word in _WORDS.findall(name):
        plain = str(int(word)) if word.isdigit() else word.lower()
        affix = None if plain in _SIDES else _SIDE_AFFIX.fullmatch(plain)
        parts += [part for part in affix.groups() if part] if affix else [plain]
    return parts


def name_key(words: Sequence[str]) -> NameKey:
    """The key of a name's words: the first word that names a side, and all others joined."""
    side = next((word for word in words if word in _SIDES), "")
    rest = list(words)
    if side:
        rest.remove(side)
    stem = ""
    for before, word in zip(["", *rest], rest, strict=False):
        stem += f".{word}" if before.isdigit() and word.isdigit() else word
    return _SIDES.get(side, ""), stem


def normalize_name(name: str) -> NameKey:
    """Normalise a name: "mixamorig:LeftUpLeg" and "UpLeg.L" become ("left", "upleg")."""
    return name_key(split_name(name))


def normalize_left_name(name: str) -> NameKey:
    """Normalise the name of a bone known to be on the left, which settles the side of "lfemur"."""
    side, stem = normalize_name(name)
    if side or not (stem.startswith("l") or stem.endswith("l")):
        return side, stem
    return "left", stem[1:] if stem.startswith("l") else stem[:-1]


def index_names(names: Sequence[str], paired_stems: frozenset[str]) -> dict[NameKey, list[int]]:
    """Index bones by every key that their names match, with and without the common prefixes and suffixes of the rig.

    paired_stems: names of paired bones in known rigs, which tell "lfemur" from "lowerback".
    """
    full_names = [split_name(name.removesuffix(END_SITE)) for name in names]
    ends = [["end", "site"] if name.endswith(END_SITE) else [] for name in names]
    short_names = _strip_shared_words(full_names)
    bones_by_key: dict[NameKey, list[int]] = {}
    for bone, (full, short, end) in enumerate(zip(full_names, short_names, ends, strict=True)):
        for name_words in (full, short) if short != full else (full,):
            for key in _possible_keys(name_words, end, paired_stems):
                bones = bones_by_key.setdefault(key, [])
                if bone not in bones[-1:]:
                    bones.append(bone)
    return bones_by_key


def _possible_keys(name_words: list[str], end: list[str], paired_stems: frozenset[str]) -> list[NameKey]:
    """The keys of a name: as written, and with its first or last letter read as the side."""
    side, stem = name_key([*name_words, *end])
    keys = [(side, stem)]
    plain = stem.removesuffix("endsite") if end else stem
    for letter, rest in ((plain[:1], plain[1:]), (plain[-1:], plain[:-1])):
        if not side and letter in ("l", "r") and rest in paired_stems:
            keys.append((_SIDES[letter], rest + "".join(end)))
    return keys


def _strip_shared_words(names: list[list[str]]) -> list[list[str]]:
    """Strip the words that most names begin or end with, such as "mixamorig", "bip 1" or "jnt"."""
    names = [list(words) for words in names]
    for end in (0, -1) if len(names) >= _MIN_NAMES else ():
        may_be_number = False  # a number is only shared behind another shared word
        while True:
            counts = Counter(words[end] for words in names if len(words) > 1)
            word, count = counts.most_common(1)[0] if counts else ("", 0)
            if count < _SHARED_FRACTION * len(names) or word in _SIDES or (word.isdigit() and not may_be_number):
                break
            for words in names:
                if len(words) > 1 and words[end] == word:
                    words.pop(end)
            may_be_number = end == 0
    return names
