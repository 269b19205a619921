"""Draw numbered frames in parallel, resumably; build the movie; prove that it is right; clean up.

>>> import framepipe as fp
>>> fp.make(draw, frames=300, output="movie.mp4", fps=24)  # doctest: +SKIP

Each name is loaded when it is first used (PEP 562): a command that draws nothing loads no numpy.
"""

import importlib
import typing

from framepipe import errors as errors
from framepipe.integrations import registration

if typing.TYPE_CHECKING:
    from framepipe.cluster.estimate import PlanReport, plan
    from framepipe.cluster.finish import FinishReport, finish
    from framepipe.cluster.oversight import CancelReport, LogReport, cancel, logs
    from framepipe.cluster.submit import SubmitReport, submit
    from framepipe.cluster.sweep import SubmitSweepReport, submit_sweep
    from framepipe.core.control import Progress, Stop
    from framepipe.core.progress_bar import ProgressBar
    from framepipe.errors import (
        EncoderFailed,
        FramepipeError,
        FramesFailed,
        IncompleteStore,
        Interrupted,
        StoreError,
        SweepFailed,
        ToolMissing,
        UsageError,
        VerificationFailed,
    )
    from framepipe.grids import grid
    from framepipe.integrations.celluloid import Camera
    from framepipe.integrations.matplotlib_writer import FramepipeWriter
    from framepipe.integrations.training import keras_callback, lightning_callback
    from framepipe.movie.api import assemble, assemble_several, encode_share
    from framepipe.movie.check import clean, verify
    from framepipe.movie.cleanup import CleanupReport
    from framepipe.movie.result import Movie, ShareReport
    from framepipe.options import DrawOptions, EncodeOptions, SubmitOptions
    from framepipe.pipeline.make import make
    from framepipe.pipeline.report import MakeReport
    from framepipe.pipeline.resume import resume
    from framepipe.rendering.api import render
    from framepipe.rendering.engines.base import Engine
    from framepipe.rendering.recorder import Recorder
    from framepipe.rendering.report import RenderReport
    from framepipe.store.adopt import AdoptReport, adopt
    from framepipe.store.contact_sheet import Sheet, sheet
    from framepipe.store.status import StoreStatus
    from framepipe.store.store import Store, status
    from framepipe.sweeps.api import sweep
    from framepipe.sweeps.report import SweepReport
    from framepipe.timeline import Timeline, Timing
    from framepipe.verification import VerifyReport

__version__ = "0.1.0"

__all__ = [
    "AdoptReport",
    "Camera",
    "CancelReport",
    "CleanupReport",
    "DrawOptions",
    "EncodeOptions",
    "EncoderFailed",
    "Engine",
    "FinishReport",
    "FramepipeError",
    "FramepipeWriter",
    "FramesFailed",
    "IncompleteStore",
    "Interrupted",
    "LogReport",
    "MakeReport",
    "Movie",
    "PlanReport",
    "Progress",
    "ProgressBar",
    "Recorder",
    "RenderReport",
    "ShareReport",
    "Sheet",
    "Stop",
    "Store",
    "StoreError",
    "StoreStatus",
    "SubmitOptions",
    "SubmitReport",
    "SubmitSweepReport",
    "SweepFailed",
    "SweepReport",
    "Timeline",
    "Timing",
    "ToolMissing",
    "UsageError",
    "VerificationFailed",
    "VerifyReport",
    "__version__",
    "adopt",
    "assemble",
    "assemble_several",
    "cancel",
    "clean",
    "encode_share",
    "finish",
    "grid",
    "keras_callback",
    "lightning_callback",
    "logs",
    "make",
    "plan",
    "render",
    "resume",
    "sheet",
    "status",
    "submit",
    "submit_sweep",
    "sweep",
    "verify",
]

#: Where each name is. What stands above for type checkers says the same; a test holds them together.
_MODULES = {
    "cluster.estimate": ("PlanReport", "plan"),
    "cluster.finish": ("FinishReport", "finish"),
    "cluster.oversight": ("CancelReport", "LogReport", "cancel", "logs"),
    "cluster.submit": ("SubmitReport", "submit"),
    "cluster.sweep": ("SubmitSweepReport", "submit_sweep"),
    "core.control": ("Progress", "Stop"),
    "core.progress_bar": ("ProgressBar",),
    "errors": (
        "EncoderFailed",
        "FramepipeError",
        "FramesFailed",
        "IncompleteStore",
        "Interrupted",
        "StoreError",
        "SweepFailed",
        "ToolMissing",
        "UsageError",
        "VerificationFailed",
    ),
    "grids": ("grid",),
    "integrations.celluloid": ("Camera",),
    "integrations.matplotlib_writer": ("FramepipeWriter",),
    "integrations.training": ("keras_callback", "lightning_callback"),
    "movie.api": ("assemble", "assemble_several", "encode_share"),
    "movie.check": ("clean", "verify"),
    "movie.cleanup": ("CleanupReport",),
    "movie.result": ("Movie", "ShareReport"),
    "options": ("DrawOptions", "EncodeOptions", "SubmitOptions"),
    "pipeline.make": ("make",),
    "pipeline.report": ("MakeReport",),
    "pipeline.resume": ("resume",),
    "rendering.api": ("render",),
    "rendering.engines.base": ("Engine",),
    "rendering.recorder": ("Recorder",),
    "rendering.report": ("RenderReport",),
    "sweeps.api": ("sweep",),
    "sweeps.report": ("SweepReport",),
    "store.adopt": ("AdoptReport", "adopt"),
    "store.contact_sheet": ("Sheet", "sheet"),
    "store.status": ("StoreStatus",),
    "store.store": ("Store", "status"),
    "timeline": ("Timeline", "Timing"),
    "verification": ("VerifyReport",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

registration.register_writer()


def __getattr__(name: str) -> typing.Any:
    """Load a public name."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    thing = getattr(importlib.import_module(f"framepipe.{_MODULE_OF[name]}"), name)
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    """All public names, for completion."""
    return sorted({*globals(), *__all__})
