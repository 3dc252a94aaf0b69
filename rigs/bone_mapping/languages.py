"""Words of other languages for bones and sides, as riggers write them, loaded from `presets/languages/*.json`.

To add a language, add one JSON file; there is nothing to register:

    {
      "name": "French",                        shown to the user as "French words"
      "left": ["gauche", "g"],                 words and letters for the sides, in all inflections
      "right": ["droite", "droit", "d"],
      "ignored": ["os", "de"],                 words that say nothing about the joint, such as "bone"
      "middle_finger": ["majeur"],             to which the number of the bone is added
      "root": ["racine"],                      words for the root, which is the pelvis if no other bone is
      "joints": {"pelvis": ["bassin", ...], "left_hip": ["cuisse", "haut jambe", ...], ...}
    }                                          names of each joint without side, the best first, words in either order

Case, accents and separators do not matter. English words may stand among them (`presets/common_words.json`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rigs.bone_mapping.bone_names import END_SITE, SIDE_WORDS, NameKey, fold_accents, join_words, split_name
from rigs.bone_mapping.naming_conventions import NamingConvention, common_words
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS, SIDES

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_MIN_SIDE_WORD = 4
"""Number of letters from which a word for a side is no accident in another language."""
_IGNORED = ("bone", "bn", "joint", "jnt")
"""What says nothing about the joint in any language."""


@dataclass(frozen=True)
class Language:
    """The words of a language for bones, folded to small letters without accents.

    convention: its names of the joints, and behind them the common English ones.
    side_words: the words for "left" and "right", the longest first, and English's.
    ignored: words that say nothing about the joint.  stems: all names of joints, and the single words in them.
    """

    convention: NamingConvention
    side_words: dict[str, str]
    ignored: frozenset[str]
    stems: frozenset[str]

    def keys(self, words: list[str]) -> Iterator[NameKey]:
        """The keys of a bone whose name has these words: the side, and the rest in order and, of two words, reversed.

        A number 1 at the end may be missing: "Bras_G.001" is "bras" as well.
        """
        side, rest = "", []
        for word in sorted(words, key=len, reverse=True):  # of several words for sides, the longest counts
            if not side and word in self.side_words:
                side = self.side_words[word]
        for word in words:
            if side and self.side_words.get(word) == side:
                continue
            own_side, stem = self.split_side(word) if not side else ("", word)
            side = side or own_side
            if stem := self._without_ignored(stem):
                rest.append(stem)
        for kept in (rest, rest[:-1]) if rest[1:] and rest[-1] == "1" else (rest,):
            yield side, join_words(kept)
            if len(kept) == 2 and not any(word.isdigit() for word in kept):
                yield side, join_words(kept[::-1])

    def split_side(self, word: str) -> tuple[str, str]:
        """Split a side off a word that is known without it: "左腕" is the left "腕", "lewanoga" the left "noga"."""
        for side_word, side in self.side_words.items():
            if len(side_word) > 1 or not side_word.isascii():
                for rest in (word.removeprefix(side_word), word.removesuffix(side_word)):
                    if rest != word and (rest in self.stems or self._without_ignored(rest) in self.stems):
                        return side, rest
        return "", word

    def _without_ignored(self, word: str) -> str:
        """The word, empty if it is one to ignore; of one written without spaces the end: "大腿骨" becomes "大腿"."""
        if word in self.ignored:
            return ""
        if word not in self.stems and not word.isascii():
            for end in self.ignored:
                if word.removesuffix(end) in self.stems:
                    return word.removesuffix(end)
        return word


@cache
def languages() -> tuple[Language, ...]:
    """Load every language in `presets/languages/`, in the order of file names."""
    folder = Path(__file__).with_name("presets") / "languages"
    # A missing folder, as while an extension is disabled, raises an error: no languages at all must not be cached.
    files = sorted(file for file in folder.iterdir() if file.suffix == ".json")
    return tuple(_from_json(file.read_text("utf-8")) for file in files)


def side_in_name(name: str) -> str:
    """The side, "left", "right" or "", that a name says in one of the languages beyond doubt: by no single letter."""
    for word in split_name(name):
        for language in languages():
            side = language.side_words.get(word, "")
            if side and (len(word) >= _MIN_SIDE_WORD or not word.isascii()):
                return side
            if not word.isascii() and (side := language.split_side(word)[0]):
                return side
    return ""


def _from_json(text: str) -> Language:
    """Build a language from its JSON; the right side mirrors the left, and umlauts may be written as "ae"."""
    data: dict[str, Any] = json.loads(text)
    names = dict(data["joints"])
    finger = data["middle_finger"]
    names["left_thumb"] = [*(f"{word} 1" for word in finger), *names.get("left_thumb", ()), *finger]
    names["left_middle"] = [f"{word} {n}" for n in (f"3{END_SITE}", "4", "3") for word in finger]
    ignored = frozenset(map(_fold_case, (*data["ignored"], *_IGNORED)))
    side_words = {_fold_case(word): side for side in SIDES for word in data[side]}
    joints: dict[str, tuple[NameKey, ...]] = {}
    for joint, spellings in names.items():
        spellings = [each for name in spellings for each in dict.fromkeys((name, name.translate(_UMLAUTS)))]
        stems = [join_words([word for word in split_name(name) if word not in ignored]) for name in spellings]
        joints[joint] = tuple((_side(joint), stem) for stem in stems)
        joints[JOINTS[MIRROR_JOINTS[INDEX[joint]]]] = tuple((_side(joint, mirrored=True), stem) for stem in stems)
    root = tuple(("", join_words(split_name(name))) for name in data["root"])
    words = {word for spellings in names.values() for name in spellings for word in split_name(name)}
    english = common_words().joints
    return Language(
        NamingConvention(
            f"{data['name']} words",
            {
                joint: joints.get(joint, ()) + english.get(joint, ()) + (root if joint == JOINTS[0] else ())
                for joint in JOINTS
            },
            generic=True,
        ),
        {word: side_words[word] for word in sorted(side_words, key=len, reverse=True)} | SIDE_WORDS,
        ignored,
        frozenset(words | {stem for keys in joints.values() for _, stem in keys}),
    )


def _fold_case(word: str) -> str:
    return fold_accents(word).lower()


def _side(joint: str, *, mirrored: bool = False) -> str:
    """The side of a joint, or of its counterpart."""
    side = joint.partition("_")[0]
    return "" if side not in SIDES else SIDES[(side == SIDES[0]) == mirrored]
