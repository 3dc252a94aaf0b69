"""The `pasdedeux` command: what each command takes, checks and leaves; torch is loaded only when there is work for it.

Exit status: 0 done; 2 bad input, said in one line; 1 a fault; 130 interrupted.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from backend.cli import device_options, direction_options, music_commands
from backend.cli.common_options import Address, File, Name, Number, Out, Rate
from backend.cli.dispatch import HERE, asked, bad_input_from_value_errors, expect_address, made
from backend.cli.signals import Terminated, heed_termination, leave
from backend.cli.terminal import BadInput, Fault, ProgressBar, numbered_paths, print_note, staging_folder
from backend.model_registry import MODELS, weights_path
from backend.protocol import DEFAULT_URL, MotionResult, PartnerRequest, encode
from backend.wire.direction import expect_direction_support
from rigs import files
from rigs.motion import Motion, resample

app = tyro.extras.SubcommandApp()


@app.command
def demo(
    out: Annotated[Path, arg(metavar="DIR")] = Path("demo"),
    leader: File = None,
    seed: Number = 0,
    model: Name = MODELS[0],
    fps: Rate = None,
) -> None:
    """Make a duet once through everything: duet.mp4, duet.blend, partner.bvh and report.json.

    Args:
        out: the folder to leave them in.
        leader: the leader's mocap; without it a sample dance.
        seed: another number gives another partner.
        model: what dreams up the partner.
        fps: the leader's frames a second, where the file states them wrongly or not at all.
    """
    from backend.cli.demo import demo as make

    with ProgressBar("starting") as progress:
        make(out, leader, model=model, seed=seed, fps=fps, progress=progress)
    for name in ("duet.mp4", "duet.blend", "partner.bvh", "report.json"):
        print(out / name)


@app.command
def partner(
    leader: Annotated[Positional[Path], arg(metavar="LEADER")],
    out: Out,
    model: Name = MODELS[0],
    seed: Number = 0,
    takes: Annotated[int, arg(metavar="K")] = 1,
    history: File = None,
    role: Literal["follow", "lead"] = "follow",
    server: Address = None,
    fps: Rate = None,
    device: Annotated[device_options.DeviceOptions, tyro.conf.OmitArgPrefixes] = device_options.USUAL,
    direction: Annotated[direction_options.DirectionOptions, tyro.conf.OmitArgPrefixes] = direction_options.NONE,
) -> None:
    """Let a second dancer dance with the one of a file.

    The model is a learned one, partner-flow or duet-vae, or a choreographic device, which follows a rule and needs no
    learning and no backend: unison, mirror, canon, retrograde, opposition or question-and-answer.

    Args:
        leader: the mocap of the dancer that is there: .bvh, .npz, .npy, .json or .amc.
        out: the file for the partner, .bvh or .npz, in the leader's units, up axis, rate and length.
        model: what dreams up the partner: a model or a device.
        seed: another number gives another partner, the same number the same; a device has none.
        takes: how many different partners; more than one go to OUT with -1, -2... before the suffix.
        history: the partner's own first frames, to continue from.
        role: what the partner of a model does.
        server: the backend to ask; without it the work is done here.
        fps: the leader's frames a second, where the file states them wrongly or not at all.
    """
    clip = files.read(leader, fps=fps)
    first = clip.motions[0]
    draft = direction.draft
    given = {path: files.read(path).motions for path in (history, draft) if path is not None}
    with bad_input_from_value_errors():
        request = PartnerRequest(
            leader=first,
            history=resample(given[history][-1], first.fps) if history else None,
            model=model,
            role=role,
            seed=seed,
            takes=takes,
            draft=direction_options.fit_draft(given[draft][-1], first, draft.name) if draft else None,
            direction=direction_options.read_direction(direction, len(first)),
        )
        rule = device_options.chosen(model, device, takes=takes, history=history)
        if server is None:
            device_options.expect_known(model)
        else:
            expect_address(server)
        expect_direction_support(model, request.direction, request.draft)
        if rule is None:
            encode(HERE, request)
            if server is None:
                weights_path(model, MODELS)
    results = numbered_paths(out, takes)
    for result in results:
        files.expect_writable(result)
        if result.resolve() in [path.resolve() for path in (leader, *given)]:
            raise BadInput(f"{result}: the partner would be written over it, another OUT expected")
    with staging_folder(out) as folder:
        for warning in clip.warnings:
            print_note(warning)
        if len(clip.motions) > 1:
            print_note(f"{leader.name}: two dancers, the first is taken as the leader")
        for path in (path for path, motions in given.items() if len(motions) > 1):
            print_note(f"{path.name}: two dancers, the second is taken as the partner")
        with ProgressBar("starting") as progress, bad_input_from_value_errors():
            motions = device_options.danced(first, rule) if rule is not None else _takes(request, server, progress)
        for result, motion in zip(results, motions, strict=True):
            files.write(folder / result.name, motion, like=clip.source)
        for result in results:
            os.replace(folder / result.name, result)
            print(result)


app.command(music_commands.dance)
app.command(music_commands.compose)


@app.command
def render(
    motions: Annotated[Positional[tuple[Path, ...]], arg(metavar="MOTION [MOTION]", help_behavior_hint="(required)")],
    out: Out,
    music: File = None,
    fps: Rate = None,
) -> None:
    """Draw one dancer, or a pair, into a video.

    Args:
        motions: one file or two.
        out: the .mp4 file to write.
        music: what is heard from the first frame on: a .wav, another sound file, or a .mid, which is played.
        fps: the files' frames a second, where they state them wrongly or not at all.
    """
    from backend.cli import blender_process

    if out.suffix.lower() != ".mp4":
        raise BadInput(f"{out.name}: .mp4 expected as the ending of its name")
    if out.is_dir():
        raise BadInput(f"{out.name}: a folder, a file expected")
    if len(motions) not in (1, 2):
        raise BadInput(f"One or two files of movement expected, {len(motions)} given")
    clips = [files.read(motion, fps=fps) for motion in motions]
    dancers = sum(len(clip.motions) for clip in clips)
    if dancers > 2:
        raise BadInput(f"{motions[0].name} and {motions[1].name}: one or two dancers expected, {dancers} found")
    if music is not None and not music.is_file():
        raise BadInput(f"{music.name}: no such file")
    blender_process.blender_command()
    for warning in (warning for clip in clips for warning in clip.warnings):
        print_note(warning)
    with staging_folder(out) as folder, ProgressBar("packing the extension") as progress:
        video = folder / "video.mp4"
        task = {
            "task": "render",
            "extension": str(blender_process.build_extension()),
            "motions": [str(motion.absolute()) for motion in motions],
            "out": str(video),
            "fps": fps or 0.0,
            "music": str(_heard(music, folder).absolute()) if music is not None else "",
        }
        blender_process.run_task(task, folder, progress)
        os.replace(video, out)
    print(out)


@app.command
def serve(bind: Annotated[str, arg(metavar="URL")] = DEFAULT_URL) -> int:
    """Answer Blender and scripts until interrupted.

    Args:
        bind: where to listen; a * for the port takes a free one.
    """
    from backend.server import serve as answer

    with bad_input_from_value_errors():
        return answer(bind)


@app.command
def evaluate(
    data: Annotated[Path, arg(metavar="DIR")],
    model: Name,
    json: File = None,
    plot: Annotated[Path | None, arg(metavar="FILE.png", help_behavior_hint="")] = None,
    part: Literal["validation", "test", "both"] = "both",
) -> None:
    """Measure a model on duets, or on dances and their music, that it has not seen.

    Args:
        data: the folder of leaders' and followers' files, or of dances and MIDI files.
        model: the model to measure.
        json: a file for the figures.
        plot: a file for a picture of them.
        part: the recordings to measure on; choose no setting by the test's.
    """
    with bad_input_from_value_errors():
        weights_path(model)
    for result in (json, plot):
        if result is not None and not result.parent.is_dir():
            raise BadInput(f"{result}: an existing folder expected for it, there is no {result.parent}")
    parts = ("validation", "test") if part == "both" else (part,)
    _command("evaluate")(data, model, json=json, plot=plot, parts=parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (by default this process's own) and return its exit status."""
    heed_termination()
    try:
        status = app.cli(
            prog="pasdedeux",
            description="A second dancer for the first.",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
        return status if isinstance(status, int) else 0
    except (BadInput, files.BadFile) as error:
        print_note(str(error))
        return 2
    except Fault as fault:
        print_note(f"{fault.log.rstrip()}\n{fault}" if fault.log else str(fault))
        return 1
    except KeyboardInterrupt:
        print_note("Interrupted")
        return leave(130)
    except Terminated as end:
        return leave(end.status)


def _takes(request: PartnerRequest, server: str | None, progress: ProgressBar) -> list[Motion]:
    """The takes, made here or by a backend."""
    if server is None:
        result = made(request, progress)
        assert isinstance(result, MotionResult)
        return list(result.takes)
    return asked(
        lambda client: client.partner(
            request.leader,
            history=request.history,
            model=request.model,
            role=request.role,
            seed=request.seed,
            takes=request.takes,
            draft=request.draft,
            direction=request.direction,
            progress=progress,
        ),
        server,
    )


def _heard(music: Path, folder: Path) -> Path:
    """A sound file of some music: the file itself, or for MIDI one that is made in `folder`. Raises BadFile."""
    if music.suffix.lower() not in (".mid", ".midi"):
        return music
    try:
        from backend.music.audio.wav import write_wav
        from backend.music.midi import read
    except ModuleNotFoundError as error:
        raise Fault(f"MIDI cannot be played here without {error.name}: install pas-de-deux[server]") from None
    played = folder / "music.wav"
    with bad_input_from_value_errors():
        write_wav(played, read(music))
    return played


def _command(name: str) -> Callable[..., None]:
    """A command that another room adds. Raises Fault where that room is not installed."""
    try:
        (found,) = entry_points(group="pasdedeux.commands", name=name)
        command: Callable[..., None] = found.load()
    except (ImportError, ValueError) as error:
        raise Fault(
            f"{name} needs the training room ({error}): run it in a checkout with pas-de-deux[training] installed"
        ) from None
    return command


if __name__ == "__main__":
    sys.exit(main())
