"""Draw numbered frames in parallel, resumably; build the movie; prove that it is right; clean up.

>>> import framepipe as fp
>>> fp.make(draw, frames=300, output="movie.mp4", fps=24)  # doctest: +SKIP
"""

from framepipe.assemble import Movie, assemble
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
from framepipe.pipeline import MakeReport, make, resume, status
from framepipe.progress import ProgressBar
from framepipe.proof import clean, verify
from framepipe.render import RenderReport, render
from framepipe.store import Store, StoreStatus
from framepipe.timeline import Timeline
from framepipe.verify import VerifyReport

__version__ = "0.1.0"

__all__ = [
    "CleanupReport",
    "EncoderFailed",
    "FramepipeError",
    "FramesFailed",
    "IncompleteStore",
    "Interrupted",
    "MakeReport",
    "Movie",
    "Progress",
    "ProgressBar",
    "RenderReport",
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
    "assemble",
    "clean",
    "make",
    "render",
    "resume",
    "status",
    "verify",
]
