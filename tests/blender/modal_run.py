"""Run a job operator as Blender's window does: its modal method is called at each timer event while the job works.

bpy without a window calls no timers, and only Blender can create an operator. So a stand-in has the operator's own
methods and its properties' defaults, and the test calls `modal`.
"""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import bpy
from bl_ext.user_default.pas_de_deux import background_job

INTERVAL = 0.1
"""s between two timer events, as in the add-on."""


class ModalRun:
    """A run of an operator's class with these properties.

    ticks: s that each call of `modal` took; the last one applied the result.  reports: what was reported.
    first_preview: s from the start until something of the result was shown; None before.
    """

    def __init__(self, operator: type, **properties: Any) -> None:
        # The add-on asks an operator's class for its identifier.
        self.__class__ = type(operator.__name__, (ModalRun,), {"bl_idname": operator.bl_idname})
        self._operator = operator
        self.reports: list[tuple[set[str], str]] = []
        self.ticks: list[float] = []
        self.first_preview: float | None = None
        defaults = {"new_seed": False, "draft": "", "keep": "", "first": 0, "last": 0}
        vars(self).update(defaults | properties)
        self._began = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        for cls in self._operator.__mro__:
            if name in vars(cls):
                attribute = vars(cls)[name]
                return attribute.__get__(self, cls) if hasattr(attribute, "__get__") else attribute
        raise AttributeError(name)

    def report(self, kinds: set[str], text: str) -> None:
        self.reports.append((kinds, text))

    def start(self) -> None:
        """Prepare and start the job, as `invoke` does in a window."""
        self._began = time.monotonic()
        self._job = background_job.Job(self._prepare_job(bpy.context))
        self.slot.job = self._job
        self._job.start()

    def tick(self) -> set[str]:
        """Call `modal` with a timer event; it returns what the operator does."""
        began = time.perf_counter()
        result: set[str] = self.modal(bpy.context, SimpleNamespace(type="TIMER"))
        self.ticks.append(time.perf_counter() - began)
        if self.first_preview is None and any("pas_de_deux_preview" in obj for obj in bpy.data.objects):
            self.first_preview = time.monotonic() - self._began
        return result

    def run(self, until: Callable[[], bool] = lambda: False, seconds: float = 120.0) -> set[str]:
        """Start if need be, and tick until the operator has ended or `until`; what it did last."""
        if "_job" not in vars(self):
            self.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(INTERVAL)
            result = self.tick()
            if result != {"PASS_THROUGH"} or until():
                return result
        raise AssertionError(f"the job did not end within {seconds} s")
