"""A short run of the fuzzer, the same each time: damaged files of every reader are read, or refused in a sentence."""

import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigs import files
from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.skeleton import JOINTS
from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.mutations import mutate
from tests.fuzz.targets import built_files, targets
from tests.fuzz.trial import Target, is_one_line, try_file

TARGETS = {target.name: target for target in targets()}
FILES = 40
IN_ANY_FOLDER = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused_in_a_sentence(target: Target, tmp_path: Path) -> None:
    fuzzer, random = Fuzzer(target, tmp_path, None), Random(target.name)
    whole = [trial for _, trial in fuzzer.try_seeds()]
    trials = [fuzzer.try_mutation(random)[1] for _ in range(FILES)]
    assert not [trial.fault for trial in (*whole, *trials) if trial.fault]
    assert not any(trial.refused for trial in whole)
    assert any(trial.refused for trial in trials)
    assert any(not trial.refused for trial in trials)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@IN_ANY_FOLDER
@given(content=st.binary(max_size=200))
def test_noise_is_refused_in_a_sentence(target: Target, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"noise{target.suffix}"
    for prefix in (b"", *(built.read_bytes()[:40] for built in built_once(target, tmp_path)[:1])):
        path.write_bytes(prefix + content)
        assert not try_file(target, path, len(prefix + content), measure_memory=False).fault


def built_once(target: Target, folder: Path) -> list[Path]:
    """The built files of a target, built once in a folder."""
    there = sorted(folder.joinpath("built").glob(f"[0-9]*{target.suffix}"))
    return there or built_files(target, folder / "built")


def test_every_format_is_fuzzed_with_files_that_are_read(tmp_path: Path) -> None:
    assert {target.suffix for target in TARGETS.values() if target.name.startswith("motion ")} == set(files.FORMATS)


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("another exception", lambda path: [][1]),
        ("two lines", lambda path: refuse("fuzzed.x: a\nb")),
        ("no file name", lambda path: refuse("something is wrong")),
        ("no word", lambda path: refuse("")),
        ("a hang", lambda path: spin(1.1)),
        ("memory", lambda path: np.ones(3 * 10**6)),
    ],
)
def test_a_reader_at_fault_is_found_out(kind: str, read: object, tmp_path: Path) -> None:
    target = Target("faulty", ".x", "binary", read, (OSError,))  # type: ignore[arg-type]
    (tmp_path / "fuzzed.x").write_bytes(b"abc")
    assert try_file(target, tmp_path / "fuzzed.x", 3).fault, kind


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def refuse(sentence: str) -> None:
    raise OSError(sentence)


@pytest.mark.parametrize("family", ["text", "binary", "json", "archive"])
def test_mutations_differ_and_are_drawn_again_from_the_same_seed(family: str) -> None:
    content = b'[{"a": 1.5, "b": [2, 3]}, "c d e"]\nand 12 more\n' * 20
    drawn = [mutate(content, family, Random(seed)) for seed in range(50)]  # type: ignore[arg-type]
    assert drawn == [mutate(content, family, Random(seed)) for seed in range(50)]  # type: ignore[arg-type]
    assert len(set(drawn)) > 30


WORDS = (
    *JOINTS,
    *("Hips", "LeftUpLeg", "Spine", "Bip01", "L Thigh", "左足", "骨盤", "DEF-thigh.L", "R", "x", "_", "\n", "7", "é"),
)
PLACES = (0.0, 1.0, -1.0, 1e-12, 1e30, float("nan"), float("inf"))


def random_rig(random: Random) -> tuple[list[str], list[int], np.ndarray | None]:
    """Names, parents and heads of a forest of bones in any order."""
    count = random.choice((0, 1, 5, 29, 60, 200))
    names = list({"".join(random.choices(WORDS, k=random.choice((1, 2, 4)))): 0 for _ in range(count)})
    order = random.sample(range(len(names)), len(names))
    parents = [-1] * len(names)
    depth = random.choice((1, 3, len(names)))  # a chain, few branches, or many
    for place in range(1, len(names)):
        parents[order[place]] = order[random.randrange(max(place - depth, 0), place)] if random.random() < 0.95 else -1
    heads = np.array([[random.uniform(-1.0, 1.0) for _ in range(3)] for _ in names]).reshape(-1, 3)
    if random.random() < 0.3 and len(heads):
        heads[random.randrange(len(heads))] = random.choice(PLACES)
    return names, parents, random.choice((heads, heads, None))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(60))
def test_any_bones_are_mapped_or_refused_in_a_sentence(seed: int) -> None:
    names, parents, heads = random_rig(Random(seed))
    try:
        mapping = map_bones(names, parents, heads)
    except UnmappableRig as error:
        assert is_one_line(str(error))  # noqa: PT017
    else:
        assert all(-1 <= bone < len(names) for bone in mapping.bones)
