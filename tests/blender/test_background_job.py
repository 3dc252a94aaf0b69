"""The worker thread and message queue of modal job operators."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import addon_utils
import bpy
import pytest
from bl_ext.user_default.pas_de_deux import background_job, job_operator

from tests.installed import PACKAGE


def ended(job: background_job.Job, seconds: float = 5.0) -> list[object]:
    """All messages of a job up to its last."""
    messages: list[object] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        messages += job.drain()
        if messages and isinstance(messages[-1], background_job.JobResult | background_job.JobFailure):
            return messages
        time.sleep(0.01)
    raise AssertionError(f"the job did not end within {seconds} s: {messages}")


def test_work_runs_beside_the_main_thread_and_reports_in_order() -> None:
    def work(reporter: background_job.Reporter) -> str:
        reporter.progress(0.5, "half")
        reporter.progress(0.9, "nearly")
        return threading.current_thread().name

    job = background_job.Job(work)
    job.start()
    *progress, done = ended(job)
    assert progress == [background_job.JobProgress(0.5, "half"), background_job.JobProgress(0.9, "nearly")]
    assert isinstance(done, background_job.JobResult)
    assert done.value != threading.main_thread().name
    assert job.latest == background_job.JobProgress(0.9, "nearly")


def test_previews_come_in_order_between_progress_and_result() -> None:
    def work(reporter: background_job.Reporter) -> str:
        reporter.preview("first")
        reporter.progress(0.5, "half")
        reporter.preview("second")
        return "all"

    job = background_job.Job(work)
    job.start()
    assert ended(job)[-4:] == [
        background_job.JobPreview("first"),
        background_job.JobProgress(0.5, "half"),
        background_job.JobPreview("second"),
        background_job.JobResult("all"),
    ]


def test_the_status_bar_says_once_what_is_being_done() -> None:
    label = "Generating the partner"
    assert job_operator.status_text(label, background_job.JobProgress(0.421, "generating")) == f"{label}: 42%"
    progress = background_job.JobProgress(0.96, "post-processing")
    assert job_operator.status_text(label, progress) == f"{label}: 96%, post-processing"


def test_a_refusal_is_passed_on_as_its_sentence() -> None:
    def work(_: background_job.Reporter) -> None:
        raise background_job.OperatorError("There is no music")

    job = background_job.Job(work)
    job.start()
    assert ended(job) == [background_job.JobFailure("There is no music")]


def test_a_fault_names_its_kind() -> None:
    job = background_job.Job(lambda _: 1 // 0)
    job.start()
    assert ended(job) == [background_job.JobFailure("ZeroDivisionError: integer division or modulo by zero")]


def test_cancelled_work_ends_without_a_result() -> None:
    def work(reporter: background_job.Reporter) -> str:
        while not reporter.cancelled():
            time.sleep(0.01)
        return "too late"

    job = background_job.Job(work)
    job.start()
    job.cancel()
    assert ended(job) == [background_job.JobFailure("")]


def test_work_is_prepared_with_everything_in_its_place() -> None:
    # An undo, as before a run with other settings, leaves places to be worked out that bpy.ops would see to first.
    obj = bpy.data.objects.new("obj", None)
    bpy.context.scene.collection.objects.link(obj)
    obj.location = (1.0, 2.0, 3.0)
    operator = SimpleNamespace(changes_scene=True, prepare=lambda _: tuple(obj.matrix_world.translation))
    assert job_operator.JobOperator._prepare_job(operator, bpy.context) == (1.0, 2.0, 3.0)


def test_a_confirmed_operator_blocks_when_its_last_run_is_adjusted() -> None:
    # Blender then calls `execute` again, of the same operator, and leaves no modal one to run.
    applied = []
    operator = SimpleNamespace(
        _confirmed=True,
        _job=background_job.Job(lambda _: None),  # of the first run
        _prepare_job=lambda _: lambda _: "again",
        apply=lambda _, result: applied.append(result),
    )
    assert job_operator.JobOperator.execute(operator, bpy.context) == {"FINISHED"}
    assert applied == ["again"]


@pytest.fixture
def running_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[background_job.Job]:
    """A job that runs until it is cancelled, as a modal operator would have started it."""

    def work(reporter: background_job.Reporter) -> None:
        while not reporter.cancelled():
            time.sleep(0.01)

    job = background_job.Job(work)
    monkeypatch.setattr(background_job.main_slot, "job", job)
    job.start()
    yield job
    job.cancel()


def test_another_file_ends_the_job_and_frees_the_buttons(running_job: background_job.Job) -> None:
    assert not bpy.ops.pasdedeux.generate_partner.poll()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert ended(running_job) == [background_job.JobFailure("")]
    assert bpy.ops.pasdedeux.generate_partner.poll()


def test_disabling_the_extension_ends_the_job_and_enabling_it_again_works(running_job: background_job.Job) -> None:
    addon_utils.disable(PACKAGE)
    addon_utils.enable(PACKAGE)
    assert ended(running_job) == [background_job.JobFailure("")]
    assert bpy.ops.pasdedeux.generate_partner.poll()


def test_a_result_goes_to_the_scene_that_it_was_started_in(dancing_leader: bpy.types.Object) -> None:
    here = bpy.context.scene
    here.pas_de_deux.model = "mirror"
    operator = SimpleNamespace(changes_scene=True, prepare=lambda _: None)
    job_operator.JobOperator._prepare_job(operator, bpy.context)
    elsewhere = bpy.data.scenes.new("elsewhere")
    # Not by the window's scene, whose change crashed Blender 4.2 as a module after some hundred tests.
    with bpy.context.temp_override(scene=elsewhere, view_layer=elsewhere.view_layers[0]):
        with job_operator._scene_shown(bpy.context, operator._scene):
            assert bpy.context.scene == here
            bpy.ops.pasdedeux.generate_partner()
        assert bpy.context.scene == elsewhere
    assert here.pas_de_deux.partner.name in here.objects
    assert not elsewhere.objects


def test_a_result_for_a_removed_scene_is_one_sentence() -> None:
    gone = pytest.raises(background_job.OperatorError, match="The scene was removed meanwhile")
    with gone, job_operator._scene_shown(bpy.context, -1):
        pass


def test_a_preview_and_another_job_run_beside_each_other(
    running_job: background_job.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bpy.ops.pasdedeux.render_preview.poll()
    assert not bpy.ops.pasdedeux.cancel_preview.poll()
    preview = background_job.Job(lambda _: None)
    monkeypatch.setattr(background_job.preview_slot, "job", preview)
    assert not bpy.ops.pasdedeux.render_preview.poll()
    bpy.ops.pasdedeux.cancel_preview()
    assert preview.cancelled()
    assert not running_job.cancelled()
