"""Draw numbered frames in parallel, resumably; build the movie; prove that it is right; clean up.

>>> import framepipe as fp
>>> fp.make(draw, frames=300, output="movie.mp4", fps=24)  # doctest: +SKIP
"""

import typing

from framepipe import registration
from framepipe.adapters.callbacks import keras_callback, lightning_callback
from framepipe.adapters.camera import Camera
from framepipe.adopt import AdoptReport, adopt
from framepipe.assemble import assemble, assemble_several, encode_share
from framepipe.clean import CleanupReport
from framepipe.control import Progress, Stop
from framepipe.errors import (
    EncoderFailed,
    FramepipeError,
    FramesFailed,
    IncompleteStore,
    Interrupted,
    StoreError,
    ToolMissing,
    UsageError,
    VerificationFailed,
)
from framepipe.live import Recorder
from framepipe.movie import Movie, ShareReport
from framepipe.pipeline import MakeReport, make, resume, status
from framepipe.progress import ProgressBar
from framepipe.proof import clean, verify
from framepipe.render import render
from framepipe.rendering import RenderReport
from framepipe.sheet import Sheet, sheet
from framepipe.store import Store, StoreStatus
from framepipe.timeline import Timeline
from framepipe.verify import VerifyReport

if typing.TYPE_CHECKING:
    from framepipe.adapters.writer import FramepipeWriter

__version__ = "0.1.0"

__all__ = [
    "AdoptReport",
    "Camera",
    "CleanupReport",
    "EncoderFailed",
    "FramepipeError",
    "FramepipeWriter",
    "FramesFailed",
    "IncompleteStore",
    "Interrupted",
    "MakeReport",
    "Movie",
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
    "Timeline",
    "ToolMissing",
    "UsageError",
    "VerificationFailed",
    "VerifyReport",
    "__version__",
    "adopt",
    "assemble",
    "assemble_several",
    "clean",
    "encode_share",
    "keras_callback",
    "lightning_callback",
    "make",
    "render",
    "resume",
    "sheet",
    "status",
    "verify",
]

registration.register_writer()


def __getattr__(name: str) -> typing.Any:
    """`FramepipeWriter`, whose base class is matplotlib's: loaded when it is asked for."""
    if name == "FramepipeWriter":
        from framepipe.adapters.writer import FramepipeWriter

        return FramepipeWriter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
