"""The worker thread and message queue of modal job operators."""

import threading
import time
from types import SimpleNamespace

import bpy
from bl_ext.user_default.pas_de_deux import background_job


def ended(job: background_job.Job, seconds: float = 5.0) -> list[object]:
    """All messages of a job up to its last."""
    messages: list[object] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        messages += job.drain()
        if messages and not isinstance(messages[-1], background_job.JobProgress):
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
    operator = SimpleNamespace(prepare=lambda _: tuple(obj.matrix_world.translation))
    assert background_job.JobOperator._prepare_job(operator, bpy.context) == (1.0, 2.0, 3.0)
