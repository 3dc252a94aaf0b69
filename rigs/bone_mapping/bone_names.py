"""Bone-name normalisation: the side of the body and the rest of a name, without case, accents, separators, prefixes."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

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
_NAMESPACE = re.compile(r"[:|\uff1a\uff5c]")
_UNDECOMPOSED = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "ı": "i"})  # noqa: RUF001
_VOICED_MARKS = "\u3099\u309a"
"""The marks of Japanese kana, which unlike accents make another letter."""
_SIDE_AFFIX = re.compile(r"(left|right)(.+)|(.+)(left|right)")
_LEADING_ZERO = re.compile(r"(?<!\d)0\d")
_SHARED_FRACTION = 0.6
"""Fraction of a rig's names that must begin or end with a word for it to be stripped as a common prefix or suffix."""
_UNIVERSAL_FRACTION = 0.95
"""The same for a number or a word for a side, which mean something where not all names have them."""
_CACHED_NAMES, _CACHED_RIGS = 4096, 4
"""Number of names whose words are kept, and of rigs whose sides are."""
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
    return list(_split(_NAMESPACE.split(name)[-1]))


def split_full_name(name: str) -> list[str]:
    """Split a name into lower-case words and numbers: "rig:Spine_01" becomes ["rig", "spine", "1"]."""
    return list(_split(name))


@lru_cache(_CACHED_NAMES)
def _split(name: str) -> tuple[str, ...]:
    """The lower-case words and numbers of a name; cached, as one mapping asks for them several times."""
    parts: list[str] = []
    for word in _WORDS.findall(fold_accents(name)):
        plain = str(int(word)) if word.isdigit() else word.lower()
        affix = None if plain in SIDE_WORDS else _SIDE_AFFIX.fullmatch(plain)
        parts += [part for part in affix.groups() if part] if affix else [plain]
    return tuple(parts)


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
    name_forms = _name_forms([split_name(name.removesuffix(END_SITE)) for name in names])
    bones_by_key: dict[NameKey, list[int]] = {}
    for bone, (name, forms) in enumerate(zip(names, name_forms, strict=True)):
        end = _END_SITE_STEM if name.endswith(END_SITE) else ""
        for side, stem in dict.fromkeys(key for words in forms for key in keys(words)):
            bones_by_key.setdefault((side, stem + end), []).append(bone)
    for bones in bones_by_key.values():
        bones.sort(key=lambda bone: len(_LEADING_ZERO.findall(names[bone])))
    return bones_by_key


def sides_in_names(names: Sequence[str]) -> list[str]:
    """The side, "left", "right" or "", that each name of a rig says, whose common prefix may have a side as well."""
    return list(_sides_in_names(tuple(names)))


@lru_cache(_CACHED_RIGS)
def _sides_in_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same; cached, as one mapping asks for it several times."""
    words = [split_name(name.removesuffix(END_SITE)) for name in names]
    return tuple(name_key(min(forms, key=len))[0] for forms in _name_forms(words))


def _possible_keys(name_words: list[str], paired_stems: frozenset[str]) -> list[NameKey]:
    """The keys of a name: as written, and with its first or last letter read as the side."""
    side, stem = name_key(name_words)
    keys = [(side, stem)]
    for letter, rest in ((stem[:1], stem[1:]), (stem[-1:], stem[:-1])):
        if not side and letter in ("l", "r") and rest in paired_stems:
            keys.append((SIDE_WORDS[letter], rest))
    return keys


def _name_forms(names: list[list[str]]) -> list[list[list[str]]]:
    """Each name with more and more of the words stripped that most names begin or end with, first the whole name.

    Such words are "mixamorig", "bip 1" or "jnt". A name may begin with two tools' words, as "Anna_mPelvis" does.
    """
    prefixes = _shared_lengths(names)
    rest = [words[length:] for words, length in zip(names, prefixes[-1], strict=True)]
    suffixes = _shared_lengths([words[::-1] for words in rest], numbers=False)
    forms: list[list[list[str]]] = [[] for _ in names]
    for before in prefixes:
        for behind in suffixes:
            for words, first, last, kept in zip(names, before, behind, forms, strict=True):
                form = words[first : len(words) - last]
                if form not in kept:
                    kept.append(form)
    return forms


def _shared_lengths(names: list[list[str]], *, numbers: bool = True) -> list[list[int]]:
    """How many words most names begin with that others begin with too: (stages, N), at first none, then more and more.

    A number or side that all names begin with always counts: it would be taken for the bone's own.
    numbers: whether a number behind such a word is one.
    """
    stages = [[0] * len(names)]
    shared = False
    while len(names) >= _MIN_NAMES:
        lengths = stages[-1]
        longer = [words[n] if n + 1 < len(words) else "" for words, n in zip(names, lengths, strict=True)]
        word, count = Counter(filter(None, longer)).most_common(1)[0] if any(longer) else ("", 0)
        meaningful = word in SIDE_WORDS or (word.isdigit() and not (shared and numbers))
        if not word or count < (_UNIVERSAL_FRACTION if meaningful else _SHARED_FRACTION) * len(names):
            break
        stages = [] if meaningful else stages
        stages.append([n + (first == word) for n, first in zip(lengths, longer, strict=True)])
        shared = True
    return stages
