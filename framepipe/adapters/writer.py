"""``anim.save("x.mp4", writer="framepipe")``: a matplotlib writer that leaves a resumable store behind."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from matplotlib.animation import AbstractMovieWriter, writers

from framepipe.assemble import assemble
from framepipe.errors import UsageError
from framepipe.job import source_digests
from framepipe.live import FigureRecorder
from framepipe.movie import Movie
from framepipe.recipes import CODECS, format_of
from framepipe.scenes.figures import digest_figure
from framepipe.scenes.style import style_texts

_KEEP_ALPHA = {"gif", "webp", "apng", "avif", "webm", "mkv", "mov", "html"}
_USUAL_CODECS = {None, "h264", "libx264", "gif"}  # what matplotlib gives by itself: the format's own


@writers.register("framepipe")
class FramepipeWriter(AbstractMovieWriter):
    """Stores each frame as it is drawn, then builds the movie and verifies it.

    Killed and run again, frames whose figure is the same as before are not drawn again.

    Parameters
    ----------
    fps : float
        Frames per second.
    metadata : dict, optional
        Of the movie, as ``{"title": …, "artist": …}``; MP4 only.
    codec : str, optional
        See `assemble`. Default: the format's own.
    bitrate : int, optional
        Not supported: ``crf`` says how good the picture is.
    extra_args : list of str, optional
        Not supported: what framepipe runs it also verifies. Use ``**options``.
    store : path-like, optional
        Folder of the frames, which stay. Default: ``frames/<movie's name>``.
    workers : int
        See `Recorder`.
    **options
        See `assemble`.

    Attributes
    ----------
    movie : Movie or None
        After `finish`.
    """

    supported_formats: ClassVar[list[str]] = ["rgba"]

    def __init__(
        self,
        fps: float = 5,
        metadata: dict[str, str] | None = None,
        codec: str | None = None,
        bitrate: int | None = None,
        extra_args: list[str] | None = None,
        *,
        store: str | os.PathLike[str] | None = None,
        workers: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(fps=fps, metadata=metadata, codec=codec, bitrate=bitrate)  # type: ignore[arg-type]
        if codec not in _USUAL_CODECS:
            if codec not in CODECS:
                raise UsageError(f"codec {codec!r} is not one of {', '.join(CODECS)}")
            options.setdefault("codec", codec)
        if extra_args:
            raise UsageError(
                "extra_args: give options of framepipe.assemble instead, as in FramepipeWriter(crf=20)"
            )
        if bitrate not in (None, -1):
            warnings.warn("bitrate is of no effect: crf says how good the picture is", stacklevel=2)
        self._store, self._workers, self._options = store, workers, options
        self.movie: Movie | None = None
        self._recorder: FigureRecorder | None = None

    @classmethod
    def isAvailable(cls) -> bool:  # noqa: N802 (matplotlib's name)
        """True: what encodes is looked for when the movie is built."""
        return True

    def _supports_transparency(self) -> bool:
        return format_of(Path(self.outfile)) in _KEEP_ALPHA

    def setup(self, fig: Any, outfile: Any, dpi: float | None = None) -> None:
        """See matplotlib's ``AbstractMovieWriter.setup``."""
        format_of(Path(outfile))  # before hours of drawing
        super().setup(fig, outfile, dpi=dpi)
        self._handled = sys.exc_info()[1]  # if the caller is handling an error: that is no failure of ours
        self._size_in = fig.get_size_inches().copy()
        store = self._store if self._store is not None else Path("frames") / Path(outfile).stem
        self._recorder = FigureRecorder(
            store, params={"program": _program(), "style": style_texts()}, dpi=self.dpi, workers=self._workers
        )
        self._grabbed = 0

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """See matplotlib's ``AbstractMovieWriter.grab_frame``."""
        _refuse(savefig_kwargs)
        assert self._recorder is not None
        self.fig.set_size_inches(self._size_in)
        state = f"{digest_figure(self.fig)} {sorted(savefig_kwargs.items())!r}"
        self._recorder.snap_state(self.fig, self._grabbed, state, **savefig_kwargs)
        self._grabbed += 1

    def finish(self) -> None:
        """Build the movie of the frames that were grabbed; if drawing failed, only keep them."""
        assert self._recorder is not None
        recorder, self._recorder = self._recorder, None
        failing = sys.exc_info()[1] is not self._handled
        try:
            recorder.close()
        except Exception:
            if not failing:  # else the caller's own error is the one to be told
                raise
        if failing or not self._grabbed or not recorder.writes:
            return
        store = recorder.store
        record = store.read_job()[0]
        store.write_job(replace(record, numbers=tuple(range(self._grabbed)), extent="fixed"))
        self.movie = assemble(store, self.outfile, fps=self.fps, metadata=self.metadata, **self._options)


def _program() -> dict[str, str]:
    """Digests of the running script."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return {Path(path).name: digest for path, digest in source_digests([Path(main)] if main else []).items()}


def _refuse(savefig: dict[str, Any]) -> None:
    """Matplotlib's own rules for a movie's frames."""
    from matplotlib import rcParams

    if rcParams["savefig.bbox"] == "tight":
        raise ValueError("savefig.bbox is 'tight', so frames would differ in size")
    for name in ("dpi", "bbox_inches", "format"):
        if name in savefig:
            raise TypeError(f"grab_frame got an unexpected keyword argument {name!r}")
