"""The commands between music and dance: what `dance` and `compose` take, check and leave."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from backend.cli.common_options import Address, Name, Number, Out, Rate
from backend.cli.dispatch import HERE, asked, bad_input_from_value_errors, expect_address, made
from backend.cli.terminal import BadInput, ProgressBar, print_note, staging_folder
from backend.model_registry import COMPOSERS, DANCERS, weights_path
from backend.music.score import PARTS, Score, cut_bars
from backend.protocol import ComposeRequest, ComposeResult, DanceRequest, MotionResult, encode
from backend.wire import validation
from rigs import files
from rigs.motion import Motion

FOUND = "auto"
"""The tempo that is looked for in the dance."""


def dance(
    music: Annotated[Positional[Path], arg(metavar="MUSIC")],
    out: Out,
    bars: Annotated[str | None, arg(metavar="A-B", help_behavior_hint="")] = None,
    duet: bool = False,
    seed: Number = 0,
    energy: Annotated[float, arg(metavar="X")] = 1.0,
    model: Name = DANCERS[0],
    fps: Annotated[float, arg(metavar="RATE")] = 30.0,
    server: Address = None,
) -> None:
    """Dance to music; the bars that are danced to are left as OUT.wav too, which begins with the dance.

    Args:
        music: the MIDI file: .mid or .midi.
        out: the file for the dancer, .bvh or .npz; in a duet OUT-leader and OUT-partner.
        bars: the first and the last bar to dance to, such as 9-24; the first bar, or the pickup, is 1.
        duet: let a partner dance along.
        seed: another number gives another dance, the same number the same.
        energy: how much movement, from 0.5 for a calm dancer to 2 for a lively one.
        model: what dreams up the dance: dance-flow or choreo-bridge.
        fps: the dance's frames a second.
        server: the backend to ask; without it the work is done here.
    """
    from backend.music import midi
    from backend.music.audio.wav import write_wav

    danced = [out.with_name(f"{out.stem}-{role}{out.suffix}") for role in ("leader", "partner")] if duet else [out]
    sound = out.with_suffix(".wav")
    for result in danced:
        files.expect_writable(result)
    _expect_results([*danced, sound], music)
    score = midi.read(music)
    with bad_input_from_value_errors():
        if bars is not None:
            score = cut_bars(score, *_span(bars, len(score.bars)))
        validation.fps("fps", fps)
        validation.check_danceable(music.name, score, fps)
        request = DanceRequest(score, model, duet, energy, seed, fps)
        encode(HERE, request)
        _expect_served(model, DANCERS, server)
    with staging_folder(out) as folder:
        with ProgressBar("starting") as progress, bad_input_from_value_errors():
            motions = _dancers(request, server, progress)
            progress(1.0, "playing the music")
            write_wav(folder / sound.name, score)
        for result, motion in zip(danced, motions, strict=True):
            files.write(folder / result.name, motion)
        _leave(folder, [*danced, sound])


def compose(
    motion: Annotated[Positional[Path], arg(metavar="MOTION")],
    out: Out,
    tempo: Annotated[str, arg(metavar="auto|BPM")] = FOUND,
    parts: Annotated[str, arg(metavar="PART[,PART...]")] = ",".join(PARTS),
    seed: Number = 0,
    model: Name = COMPOSERS[0],
    fps: Rate = None,
    server: Address = None,
) -> None:
    """Make music for a dance, which begins with its first frame; OUT.wav is how it sounds.

    Args:
        motion: the mocap of one dancer, or of two: .bvh, .npz, .npy, .json or .amc.
        out: the file for the music, .mid or .midi.
        tempo: beats a minute, from 30 to 300; auto finds it in the dance.
        parts: who plays: some of drums, bass and melody.
        seed: another number gives other music, the same number the same.
        model: what dreams up the music: score-flow or choreo-bridge.
        fps: the file's frames a second, where it states them wrongly or not at all.
        server: the backend to ask; without it the work is done here.
    """
    from backend.music import midi
    from backend.music.audio.wav import write_wav

    sound = out.with_suffix(".wav")
    if out.suffix.lower() not in midi.SUFFIXES:
        raise BadInput(f"{out.name}: {' or '.join(midi.SUFFIXES)} expected as the ending of its name")
    _expect_results([out, sound], motion)
    clip = files.read(motion, fps=fps)
    if clip.motions[0].seconds < validation.MIN_SECONDS:
        raise BadInput(f"{motion.name}: a second of dance or more expected, {clip.motions[0].seconds:.2f} found")
    with bad_input_from_value_errors():
        playing = tuple(part.strip() for part in parts.split(","))
        request = ComposeRequest(clip.motions, model, _tempo(tempo), playing, seed)
        encode(HERE, request)
        _expect_served(model, COMPOSERS, server)
    with staging_folder(out) as folder:
        for warning in clip.warnings:
            print_note(warning)
        with ProgressBar("starting") as progress, bad_input_from_value_errors():
            score = _music(request, server, progress)
            progress(1.0, "playing the music")
            write_wav(folder / sound.name, score)
        midi.write(folder / out.name, score)
        _leave(folder, [out, sound])


def _span(said: str, count: int) -> tuple[int, int]:
    """The first and the last bar, from 0, of what such as "9-24" names. Raises ValueError."""
    numbers = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", said)
    if not numbers:
        raise ValueError(f"--bars {said}: a first and a last bar expected, such as 9-24")
    first, last = int(numbers[1]), int(numbers[2])
    if not 1 <= first <= last <= count:
        raise ValueError(f"--bars: bars of 1 to {count}, the first not after the last, expected, {said.strip()} found")
    return first - 1, last - 1


def _tempo(said: str) -> float | None:
    """Beats a minute, or None to find them. Raises ValueError."""
    if said == FOUND:
        return None
    try:
        tempo = float(said)
        validation.tempo("tempo", tempo)
    except ValueError:
        raise ValueError(f"--tempo: {FOUND}, or 30 to 300 beats a minute, expected, {said} found") from None
    return tempo


def _expect_results(results: Sequence[Path], source: Path) -> None:
    """Raise BadInput now for results that could not be left, or would be left over what they are made from."""
    for result in results:
        if result.is_dir():
            raise BadInput(f"{result}: a folder, a file expected")
        if result.resolve() == source.resolve():
            raise BadInput(f"{result}: a result would be written over it, another OUT expected")


def _expect_served(model: str, fitting: Sequence[str], server: str | None) -> None:
    """Raise ValueError for an address that is none and, where the work is done here, for a model that cannot do it."""
    if server is not None:
        expect_address(server)
    else:
        weights_path(model, fitting)


def _dancers(request: DanceRequest, server: str | None, progress: ProgressBar) -> list[Motion]:
    if server is None:
        result = made(request, progress)
        assert isinstance(result, MotionResult)
        return list(result.takes)
    return asked(
        lambda client: client.dance(
            request.score,
            model=request.model,
            duet=request.duet,
            energy=request.energy,
            seed=request.seed,
            fps=request.fps,
            progress=progress,
        ),
        server,
    )


def _music(request: ComposeRequest, server: str | None, progress: ProgressBar) -> Score:
    if server is None:
        result = made(request, progress)
        assert isinstance(result, ComposeResult)
        return result.score
    return asked(
        lambda client: client.compose(
            request.dancers,
            model=request.model,
            tempo=request.tempo,
            parts=request.parts,
            seed=request.seed,
            progress=progress,
        ),
        server,
    )


def _leave(folder: Path, results: Sequence[Path]) -> None:
    """Move what has been made to where it is wanted."""
    for result in results:
        os.replace(folder / result.name, result)
        print(result)
