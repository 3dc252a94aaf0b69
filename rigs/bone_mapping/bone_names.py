"""Bone-name normalisation: the side of the body and the rest of a name, without case, accents, separators, prefixes."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

NameKey = tuple[str, str]
"""A normalised name: its side, "left", "right" or "", and the rest."""

END_SITE = " end site"
"""Suffix of the name of a leaf bone's tail (BVH end site)."""
_END_SITE_STEM = "endsite"
SIDE_WORDS = {
    **dict.fromkeys(("l", "left", "lft", "lt"), "left"),
    **dict.fromkeys(("r", "right", "rgt", "rt"), "right"),
    "左": "left",
    "右": "right",
}
_WORDS = re.compile(
    r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[А-Я]+(?![а-я])|[А-Я]?[а-я]+"  # noqa: RUF001
    r"|[左右](?=[\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff])(?![左右側侧边邊])"
    r"|[\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff]+|[\uac00-\ud7a3]+|\d+"
)
"""Words in Latin, Cyrillic, Japanese or Chinese and Korean letters, and numbers; a capital starts a word.

The character for a side that begins a Japanese or Chinese word is a word of its own.
"""
_UNDECOMPOSED = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "ı": "i"})  # noqa: RUF001
_VOICED_MARKS = "\u3099\u309a"
"""The marks of Japanese kana, which unlike accents make another letter."""
_SIDE_AFFIX = re.compile(r"(left|right)(.+)|(.+)(left|right)")
_LEADING_ZERO = re.compile(r"(?<!\d)0\d")
_SHARED_FRACTION = 0.6
"""Fraction of a rig's names that must begin or end with a word for it to be stripped as a common prefix or suffix."""
_MIN_NAMES = 8
"""Number of names below which no common prefix or suffix is stripped."""


def fold_accents(name: str) -> str:
    """A name without accents and in ordinary-width letters: "Épaule" becomes "Epaule", "足ＩＫ" becomes "足IK"."""
    if name.isascii():
        return name
    letters = unicodedata.normalize("NFKD", name.translate(_UNDECOMPOSED))
    kept = (c for c in letters if c in _VOICED_MARKS or unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", "".join(kept))


def split_name(name: str) -> list[str]:
    """Split a name into lower-case words and numbers, without namespace: "rig:Spine_01" becomes ["spine", "1"]."""
    return split_full_name(re.split(r"[:|\uff1a\uff5c]", name)[-1])


def split_full_name(name: str) -> list[str]:
    """Split a name into lower-case words and numbers: "rig:Spine_01" becomes ["rig", "spine", "1"]."""
    parts: list[str] = []
    for word in _WORDS.findall(fold_accents(name)):
        plain = str(int(word)) if word.isdigit() else word.lower()
        affix = None if plain in SIDE_WORDS else _SIDE_AFFIX.fullmatch(plain)
        parts += [part for part in affix.groups() if part] if affix else [plain]
    return parts


def name_key(words: Sequence[str]) -> NameKey:
    """The key of a name's words: the first word that names a side, and all others joined."""
    side = next((word for word in words if word in SIDE_WORDS), "")
    rest = list(words)
    if side:
        rest.remove(side)
    return SIDE_WORDS.get(side, ""), join_words(rest)


def join_words(words: Sequence[str]) -> str:
    """Join words and numbers to one; two numbers stay apart: ["toe", "1", "2"] becomes "toe1.2"."""
    stem = ""
    for before, word in zip(["", *words], words, strict=False):
        stem += f".{word}" if before.isdigit() and word.isdigit() else word
    return stem


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
    return index_keys(names, lambda words: _possible_keys(words, paired_stems))


def index_keys(names: Sequence[str], keys: Callable[[list[str]], Iterable[NameKey]]) -> dict[NameKey, list[int]]:
    """Index bones by the keys that a function gives for the words of their names; an end site's key says so.

    Of bones with the same key those with fewer leading zeros come first: "Finger02" may be the third bone of finger 0.
    """
    full_names = [split_name(name.removesuffix(END_SITE)) for name in names]
    short_names = _strip_shared_words(full_names)
    bones_by_key: dict[NameKey, list[int]] = {}
    for bone, (name, full, short) in enumerate(zip(names, full_names, short_names, strict=True)):
        end = _END_SITE_STEM if name.endswith(END_SITE) else ""
        for name_words in (full, short) if short != full else (full,):
            for side, stem in keys(name_words):
                bones = bones_by_key.setdefault((side, stem + end), [])
                if bone not in bones[-1:]:
                    bones.append(bone)
    for bones in bones_by_key.values():
        bones.sort(key=lambda bone: len(_LEADING_ZERO.findall(names[bone])))
    return bones_by_key


def _possible_keys(name_words: list[str], paired_stems: frozenset[str]) -> list[NameKey]:
    """The keys of a name: as written, and with its first or last letter read as the side."""
    side, stem = name_key(name_words)
    keys = [(side, stem)]
    for letter, rest in ((stem[:1], stem[1:]), (stem[-1:], stem[:-1])):
        if not side and letter in ("l", "r") and rest in paired_stems:
            keys.append((SIDE_WORDS[letter], rest))
    return keys


def _strip_shared_words(names: list[list[str]]) -> list[list[str]]:
    """Strip the words that most names begin or end with, such as "mixamorig", "bip 1" or "jnt"."""
    names = [list(words) for words in names]
    for end in (0, -1) if len(names) >= _MIN_NAMES else ():
        may_be_number = False  # a number is only shared behind another shared word
        while True:
            counts = Counter(words[end] for words in names if len(words) > 1)
            word, count = counts.most_common(1)[0] if counts else ("", 0)
            if count < _SHARED_FRACTION * len(names) or word in SIDE_WORDS or (word.isdigit() and not may_be_number):
                break
            for words in names:
                if len(words) > 1 and words[end] == word:
                    words.pop(end)
            may_be_number = end == 0
    return names
