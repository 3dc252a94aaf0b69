"""The commands between music and dance: `dance` and `compose`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from backend.cli import options
from backend.cli.dispatch import answer, bad_input_from_value_errors, expect_answerable
from backend.cli.motion_files import WRITE_SUFFIXES, expect_writable, read_clip, write_motions
from backend.cli.options import Address, Bars, Keys, Number, Out, Track
from backend.cli.terminal import (
    BadInput,
    ProgressBar,
    expect_own_sound,
    expect_result_files,
    move_results,
    print_notes,
    staging_folder,
)
from backend.model_registry import REGISTRY
from backend.music.score import PARTS, cut_bars
from backend.wire import validation
from backend.wire.messages import ComposeRequest, ComposeResult, DanceRequest, MotionResult

AUTO_TEMPO = "auto"
"""The tempo that is detected in the dance."""


def dance(
    music: Annotated[Positional[Path], arg(metavar="MUSIC")],
    out: Out,
    bars: Bars = None,
    track: Track = None,
    duet: bool = False,
    seed: Number = 0,
    energy: Annotated[float, arg(metavar="X")] = 1.0,
    model: options.DanceModel = REGISTRY.default("dance"),
    fps: Annotated[float, arg(metavar="RATE")] = 30.0,
    server: Address = None,
    keys: Keys = None,
) -> None:
    """Generate a dance to music; the music that is danced to is written as OUT.wav and begins with the dance.

    Args:
        music: MIDI file: .mid, .midi, .kar or .rmi.
        out: the dancer's file, .bvh, .npz, .csv, .fbx or .glb; in a duet OUT-leader and OUT-partner.
        bars: first and last bar to dance to, such as 9-24; the first bar, or the pickup, is 1.
        track: number of the track to dance to, from 1; by default all, unless each is a piece of its own (format 2).
        duet: generate a partner too.
        seed: another number gives another dance, the same number the same.
        energy: how much movement, from 0.5 for a calm dancer to 2 for a lively one.
        model: name of the model.
        fps: the dance's frames a second.
        server: address of the backend to use; by default the model runs in this process.
        keys: folder of this client's keys, for a server with keys.
    """
    from backend.music import midi
    from backend.music.audio.wav import write_wav

    expect_writable(out)
    dancers = [out.with_name(f"{out.stem}-{role}{out.suffix}") for role in ("leader", "partner")] if duet else [out]
    sound = out.with_suffix(".wav")
    expect_result_files([*dancers, sound], [music])
    expect_own_sound(sound, dancers, WRITE_SUFFIXES)
    song = midi.read(music, track=track)
    score = song.score
    with bad_input_from_value_errors():
        if bars is not None:
            score = cut_bars(score, *options.read_bars(bars, len(score.bars)))
        validation.fps("fps", fps)
        validation.check_danceable(music.name, score, fps)
        request = DanceRequest(score, model, duet, energy, seed, fps)
        expect_answerable(request, server, keys)
    with staging_folder(out) as folder:
        print_notes(song.warnings)
        with ProgressBar("starting") as progress, bad_input_from_value_errors():
            result = answer(request, server, progress, keys)
            assert isinstance(result, MotionResult)
            progress(1.0, "synthesizing the music")
            write_wav(folder / sound.name, score)
            write_motions(folder, dict(zip(dancers, result.takes, strict=True)), progress)
        move_results(folder, [*dancers, sound])


def compose(
    motion: Annotated[Positional[Path], arg(metavar="MOTION")],
    out: Out,
    tempo: Annotated[str, arg(metavar="auto|BPM")] = AUTO_TEMPO,
    parts: Annotated[str, arg(metavar="PART[,PART...]")] = ",".join(PARTS),
    seed: Number = 0,
    model: options.ComposeModel = REGISTRY.default("compose"),
    file_options: options.MotionFile = options.AS_STATED,
    server: Address = None,
    keys: Keys = None,
) -> None:
    """Compose music to a dance, which begins with its first frame; OUT.wav is its sound.

    Args:
        motion: mocap of one dancer, or of two: .bvh, .npz, .npy, .json, .amc, .c3d, .csv, .fbx, .glb or .gltf.
        out: the music's file, .mid or .midi.
        tempo: beats a minute, from 30 to 300; auto detects them in the dance.
        parts: the parts that play: some of drums, bass and melody.
        seed: another number gives other music, the same number the same.
        model: name of the model.
        file_options: what the motion file states wrongly.
        server: address of the backend to use; by default the model runs in this process.
        keys: folder of this client's keys, for a server with keys.
    """
    from backend.music import midi
    from backend.music.audio.wav import write_wav

    if out.suffix.lower() not in midi.WRITE_SUFFIXES:
        raise BadInput(f"{out.name}: {' or '.join(midi.WRITE_SUFFIXES)} file extension expected")
    sound = out.with_suffix(".wav")
    expect_result_files([out, sound], [motion])
    expect_own_sound(sound, [out], midi.WRITE_SUFFIXES)
    clip = read_clip(motion, file_options.read_options)
    if clip.motions[0].seconds < validation.MIN_SECONDS:
        raise BadInput(f"{motion.name}: a second of dance or more expected, {clip.motions[0].seconds:.2f} found")
    with bad_input_from_value_errors():
        part_names = tuple(part.strip() for part in parts.split(","))
        request = ComposeRequest(clip.motions, model, _read_tempo(tempo), part_names, seed)
        expect_answerable(request, server, keys)
    with staging_folder(out) as folder:
        print_notes(clip.warnings)
        with ProgressBar("starting") as progress, bad_input_from_value_errors():
            result = answer(request, server, progress, keys)
            assert isinstance(result, ComposeResult)
            progress(1.0, "synthesizing the music")
            write_wav(folder / sound.name, result.score)
        midi.write(folder / out.name, result.score)
        move_results(folder, [out, sound])


def _read_tempo(text: str) -> float | None:
    """Beats a minute, or None to detect them. Raises ValueError."""
    if text == AUTO_TEMPO:
        return None
    try:
        tempo = float(text)
        validation.tempo("tempo", tempo)
    except ValueError:
        raise ValueError(f"--tempo: {AUTO_TEMPO}, or 30 to 300 beats a minute, expected, {text} found") from None
    return tempo
