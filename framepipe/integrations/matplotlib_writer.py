"""``anim.save("x.mp4", writer="framepipe")``: a matplotlib writer with a resumable store of frames.

This is loaded with `matplotlib.animation` wherever framepipe is, also where nobody saves a movie with it:
what it draws and builds with is imported when it is used.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from matplotlib.animation import AbstractMovieWriter, writers

from framepipe.errors import UsageError
from framepipe.options import CODECS, PRESETS, EncodeOptions

if TYPE_CHECKING:
    from framepipe.movie.result import Movie
    from framepipe.rendering.recorder import FigureRecorder

#: ffmpeg's names of encoders -> codecs
_ENCODERS = {"libx265": "h265", "hevc": "h265", "libvpx-vp9": "vp9", "prores_ks": "prores"}
_PIXELS: dict[str, dict[str, Any]] = {
    "yuv420p": {},
    "yuv444p": {"chroma": "444"},
    "yuv420p10le": {"depth": 10},
    "yuv444p10le": {"chroma": "444", "depth": 10},
}
_FLAG = re.compile("-[a-zA-Z]")  # "-1" is a value
_USUAL_CODECS = {None, "h264", "libx264", "gif"}  # matplotlib's defaults: here the format's own codec


@writers.register("framepipe")
class FramepipeWriter(AbstractMovieWriter):
    """Stores each frame as it is drawn, then builds the movie and verifies it.

    After a kill, run the same again: frames whose figures have not changed are not drawn again.

    Parameters
    ----------
    fps : float
        Frames per second.
    metadata : dict, optional
        Metadata of the movie, as ``{"title": …, "artist": …}``; MP4 only.
    codec : str, optional
        See `assemble`. Default: the format's own.
    bitrate : int, optional
        Of no effect, with a warning: use ``crf``.
    extra_args : list of str, optional
        Arguments of ffmpeg. Those that `assemble` has too are used: ``-vcodec``, ``-crf``, ``-preset`` and
        ``-pix_fmt``. A warning lists the others.
    store : path-like, optional
        Folder of the frames, which are not deleted. Default: ``frames/<movie's name>``.
    workers : int
        See `Recorder`.
    **options
        See `assemble`.

    Attributes
    ----------
    movie : Movie or None
        Set by `finish`.
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
        ffmpeg_choices, ignored = ffmpeg_options(extra_args or [])
        options = {**ffmpeg_choices, **options}
        EncodeOptions(
            **{name: options[name] for name in options if name in EncodeOptions.__dataclass_fields__}
        )  # refuses wrong values
        if ignored:
            warnings.warn(
                f"extra_args {' '.join(ignored)}: of no effect; see framepipe.assemble for options, as in "
                "FramepipeWriter(crf=20)",
                stacklevel=2,
            )
        if bitrate not in (None, -1):
            warnings.warn("bitrate is of no effect: set the quality with crf", stacklevel=2)
        self._store, self._workers, self._options = store, workers, options
        self.movie: Movie | None = None
        self._recorder: FigureRecorder | None = None

    @classmethod
    def isAvailable(cls) -> bool:  # noqa: N802 (matplotlib's name)
        """Return True: an encoder is looked for when the movie is built."""
        return True

    def _supports_transparency(self) -> bool:
        from framepipe.formats import format_of

        return format_of(Path(self.outfile)).keeps_alpha

    def setup(self, fig: Any, outfile: Any, dpi: float | None = None) -> None:
        """See matplotlib's ``AbstractMovieWriter.setup``."""
        from framepipe.formats import format_of
        from framepipe.rendering.recorder import FigureRecorder
        from framepipe.scenes.rcparams import style_texts

        format_of(Path(outfile))  # before hours of drawing
        super().setup(fig, outfile, dpi=dpi)
        self._handled = sys.exc_info()[1]  # an error that the caller handles already is not one of drawing
        self._size_in = fig.get_size_inches().copy()
        store = self._store if self._store is not None else Path("frames") / Path(outfile).stem
        self._recorder = FigureRecorder(
            store,
            params={"program": _script_digests(), "style": style_texts()},
            dpi=self.dpi,
            workers=self._workers,
        )
        self._grabbed = 0

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        """See matplotlib's ``AbstractMovieWriter.grab_frame``."""
        from framepipe.scenes.figures import digest_figure

        _refuse(savefig_kwargs)
        assert self._recorder is not None
        self.fig.set_size_inches(self._size_in)
        state = f"{digest_figure(self.fig)} {sorted(savefig_kwargs.items())!r}"
        self._recorder.snap_state(self.fig, self._grabbed, state, **savefig_kwargs)
        self._grabbed += 1

    def finish(self) -> None:
        """Build the movie from the grabbed frames; if drawing failed, only keep them."""
        from framepipe.movie.api import assemble

        assert self._recorder is not None
        recorder, self._recorder = self._recorder, None
        failing = sys.exc_info()[1] is not self._handled
        try:
            recorder.close()
        except Exception:
            if not failing:  # else the caller's own error matters more
                raise
        if failing or not self._grabbed or not recorder.writes:
            return
        store = recorder.store
        record = store.read_job()[0]
        store.write_job(replace(record, numbers=tuple(range(self._grabbed)), extent="fixed"))
        self.movie = assemble(store, self.outfile, fps=self.fps, metadata=self.metadata, **self._options)


def ffmpeg_options(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Translate arguments of ffmpeg to options of `assemble`; return also the arguments that have none.

    >>> ffmpeg_options(["-vcodec", "libx264", "-crf", "20", "-threads", "2"])
    ({'crf': 20}, ['-threads', '2'])
    """
    options: dict[str, Any] = {}
    ignored: list[str] = []
    remaining = [str(argument) for argument in arguments]
    while remaining:
        name = remaining.pop(0)
        values = [remaining.pop(0)] if remaining and not _FLAG.match(remaining[0]) else []
        choice = _option(name.removesuffix(":v"), *values) if values else None
        if choice is None:
            ignored += [name, *values]
        else:
            options |= choice
    return options, ignored


def _option(name: str, value: str) -> dict[str, Any] | None:
    """Translate one argument of ffmpeg to keywords of `assemble`: none for its defaults, None if unknown."""
    codec = _ENCODERS.get(value, value)
    if name in ("-vcodec", "-c", "-codec") and (codec in CODECS or value in _USUAL_CODECS):
        return {} if value in _USUAL_CODECS else {"codec": codec}
    if name == "-crf" and value.isdigit():
        return {"crf": int(value)}
    if name == "-preset" and value in PRESETS:
        return {"preset": value}
    return dict(_PIXELS[value]) if name == "-pix_fmt" and value in _PIXELS else None


def _script_digests() -> dict[str, str]:
    """Return the digests of the running script's sources by file name."""
    from framepipe.job.record import source_digests

    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return {Path(path).name: digest for path, digest in source_digests([Path(main)] if main else []).items()}


def _refuse(savefig: dict[str, Any]) -> None:
    """Raise for settings with which frames could differ in size, as matplotlib does."""
    from matplotlib import rcParams

    if rcParams["savefig.bbox"] == "tight":
        raise ValueError("savefig.bbox is 'tight', so frames would differ in size")
    for name in ("dpi", "bbox_inches", "format"):
        if name in savefig:
            raise TypeError(f"grab_frame got an unexpected keyword argument {name!r}")
