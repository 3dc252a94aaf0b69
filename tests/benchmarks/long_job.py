"""How much a job of 3,000 frames holds up Blender: `BLENDER_PYTHON tests/benchmarks/long_job.py`.

The built extension runs in the bpy module with its embedded backend. The operator's modal method is called at each
timer event, as a window does. Printed are the seconds to the first movement that is seen, the longest of these calls
while the job runs (wall and processor time), the call that applies the result, onto a new mannequin and onto the one
that is there, and how long a cancel takes.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FRAMES = 3000


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tests import installed

    sys.path.insert(0, str(ROOT / "tests" / "blender"))
    with tempfile.TemporaryDirectory(prefix="long-job-") as scratch:
        installed.install(installed.build(), Path(scratch))
        measure(Path(scratch))
        sys.stdout.flush()
    os._exit(0)  # Blender may crash when it ends as a module


def measure(scratch: Path) -> None:
    import bpy
    from bl_ext.user_default.pas_de_deux.operators.partner.generate_partner import PASDEDEUX_OT_generate_partner
    from modal_run import ModalRun

    from rigs import files
    from rigs.motion import concatenate
    from rigs.sample_dance.salsa import sample_dance

    print(f"Blender {bpy.app.version_string}, {FRAMES} frames", flush=True)
    dance = sample_dance()
    while len(dance) < FRAMES:
        dance = concatenate(dance, dance)
    files.write(scratch / "leader.bvh", dance[:FRAMES])
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.pasdedeux.import_mocap(filepath=str(scratch / "leader.bvh"))
    for what in ("a new mannequin, backend cold", "the mannequin that is there"):
        run = ModalRun(PASDEDEUX_OT_generate_partner, new_seed=True)
        run.start()
        processor: list[float] = []
        result = {"PASS_THROUGH"}
        while result == {"PASS_THROUGH"}:
            time.sleep(0.1)
            began = time.thread_time()
            result = run.tick()
            processor.append(time.thread_time() - began)
        assert result == {"FINISHED"}, (result, run.reports)
        assert run.first_preview is not None
        *ticks, applied = run.ticks
        print(
            f"{what}: first movement after {run.first_preview:.2f} s; "
            f"longest call {1e3 * max(ticks):.0f} ms ({1e3 * max(processor[:-1]):.0f} ms of processor); "
            f"applied in {1e3 * applied:.0f} ms ({1e3 * processor[-1]:.0f} ms of processor)",
            flush=True,
        )
    run = ModalRun(PASDEDEUX_OT_generate_partner, new_seed=True)
    run.run(until=lambda: run.first_preview is not None)
    began = time.perf_counter()
    run._job.cancel()
    while run.tick() == {"PASS_THROUGH"}:
        time.sleep(0.01)
    print(f"cancelled after {time.perf_counter() - began:.2f} s, looked at every 10 ms")
    if bpy.ops.pasdedeux.stop_backend.poll():  # else another Blender has started it
        bpy.ops.pasdedeux.stop_backend()


if __name__ == "__main__":
    main()
