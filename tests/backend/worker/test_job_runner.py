"""What a job says of its checkpoints while it is paused and resumed."""

import threading
import time

from backend.worker.job_runner import Job


def test_a_job_that_waits_at_a_checkpoint_never_seems_to_stand_still() -> None:
    job = Job(1)
    longest = 0.0
    for _ in range(300):
        job.pause()
        thread = threading.Thread(target=job.checkpoint)
        thread.start()
        while job.unchecked:
            time.sleep(0.0)
        job.resume()
        while thread.is_alive():
            longest = max(longest, job.unchecked)
    assert longest < time.monotonic() / 2.0


def test_pauses_do_not_count_as_running() -> None:
    job = Job(1)
    job.pause()
    thread = threading.Thread(target=job.checkpoint)
    thread.start()
    time.sleep(0.5)
    job.resume()
    thread.join()
    assert job.seconds < 0.25


def test_a_paused_job_that_is_cancelled_hears_of_it() -> None:
    job = Job(1)
    job.pause()
    heard: list[bool] = []
    thread = threading.Thread(target=lambda: heard.append(job.checkpoint()))
    thread.start()
    job.cancel()
    thread.join(20.0)
    assert heard == [True]
