"""Words for bones: which names say something about a bone, and which name helper bones."""

import re
from functools import cache

from rigs.bone_mapping.bone_names import END_SITE, SIDE_WORDS, split_name
from rigs.bone_mapping.languages import Language, languages
from rigs.bone_mapping.naming_conventions import naming_conventions

_MIN_WORD = 4
"""Number of Latin letters from which a word is recognised within another: "lhandthumb" has a thumb."""
_HELPER_WORDS = frozenset((
    "ik", "fk", "ctrl", "control", "ctl", "con", "pole", "target", "tgt", "twist", "roll", "rot", "pivot", "prop",
    "weapon", "attach", "socket", "helper", "offset", "driver", "mch", "org", "cloth", "skirt", "cape", "coat",
    "dress", "ribbon", "hair", "tail", "wing", "feather", "sleeve", "tassel", "strap", "belt", "bag", "hat",
    "jiggle", "physics", "phys", "corrective", "fix", "aim", "lookat", "effector", "goal", "handle", "holder",
    "gun", "sword", "shield", "end", "nub", "null", "dummy",
))  # fmt: skip
_OTHER_WORDS = frozenset((
    "eye", "brow", "lid", "cheek", "lip", "mouth", "jaw", "teeth", "tooth", "tongue", "nose", "ear", "face",
    "breast", "bust", "butt", "glute", "muscle", "index", "ring", "pinky", "pinkie", "little", "thumb",
    "metacarpal", "phalanx", "finger", "toe", "heel", "sole", "palm", "root", "reference", "armature", "skeleton",
    "scene",
))  # fmt: skip


_EMPTY_WORDS = frozenset(("bone", "bn", "joint", "jnt", "def", "bip", "rig"))
"""Words that say nothing about a bone."""


def is_helper(name: str) -> bool:
    """Whether a name says that the bone is no part of the body, or is the end of one."""
    return name.endswith(END_SITE) or not _HELPER_WORDS.isdisjoint(split_name(name))


def says_anything(name: str) -> bool:
    """Whether a name has a word for a bone: "Bone.017" and "qxzk" have none."""
    words = split_name(name)
    if name.endswith(END_SITE) or not _vocabulary().isdisjoint(words):
        return True
    return any(_word_pattern().search(word) is not None for word in words)


@cache
def _vocabulary() -> frozenset[str]:
    """The words for bones in all conventions and languages, and for helper bones."""
    stems = {stem for convention in naming_conventions() for keys in convention.joints.values() for _, stem in keys}
    words = {part for stem in stems for part in re.findall(r"[^\W\d_]+", stem)}
    words |= {stem for language in languages() for stem in _own_stems(language)}
    return (
        frozenset({word for word in words if len(word) > 1} | _HELPER_WORDS | _OTHER_WORDS)
        - SIDE_WORDS.keys()
        - _EMPTY_WORDS
    )


def _own_stems(language: Language) -> set[str]:
    return {part for stem in language.stems for part in re.findall(r"[^\W\d_]+", stem)}


@cache
def _word_pattern() -> re.Pattern[str]:
    """The longer words of the vocabulary, and those of other scripts, anywhere in a name."""
    words = (word for word in _vocabulary() if len(word) >= _MIN_WORD or not word.isascii())
    return re.compile("|".join(map(re.escape, sorted(words))))
