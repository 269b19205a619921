"""celluloid's camera, with each picture drawn and stored when it is taken."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.assemble import assemble
from framepipe.errors import IncompleteStore, UsageError
from framepipe.live import Recorder
from framepipe.movie import Movie
from framepipe.store import Store

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_KINDS = ("collections", "patches", "lines", "texts", "artists", "images", "tables")
_ENCODERS = {"imagemagick": "imagemagick", "ffmpeg": "ffmpeg"}
_VIDEO = """<video width="{}" height="{}" controls autoplay{}>
  <source type="video/mp4" src="data:video/mp4;base64,{}">
  Your browser does not support the video tag.
</video>"""
_LARGEST_PAGE_MB = 1e6  # matplotlib's writer leaves frames out beyond its limit


class Camera:
    """Takes pictures of a figure that is drawn anew for each; a drop-in for ``celluloid.Camera``.

    A picture is the figure as it is when `snap` is called, with its titles, legend and axis limits.
    Then what was plotted since the last snap is removed, so memory does not grow.

    >>> camera = Camera(plt.figure())  # doctest: +SKIP
    >>> for phase in phases:
    ...     plt.plot(x, np.sin(x + phase), color="blue")
    ...     camera.snap()
    >>> camera.animate().save("sine.mp4", fps=20)

    Parameters
    ----------
    figure : Figure
    store : path-like, optional
        Folder of the frames. Default: a temporary one, which goes with the camera.
    dpi, transparent
        As in ``savefig``; a picture is drawn when it is taken, so this is the movie's.
    workers : int
        See `Recorder`.
    """

    def __init__(
        self,
        figure: Figure,
        *,
        store: str | os.PathLike[str] | None = None,
        dpi: float | None = None,
        transparent: bool | None = None,
        workers: int = 1,
    ) -> None:
        from matplotlib import rcParams

        self._figure = figure
        usual = figure.dpi if rcParams["savefig.dpi"] == "figure" else rcParams["savefig.dpi"]
        self.dpi = float(dpi if dpi is not None else usual)
        options: dict[str, Any] = {"transparent": transparent, "workers": workers, "existing": "replace"}
        if store is not None:
            self._recorder = Recorder(store, dpi=self.dpi, **options)
            return
        folder = tempfile.mkdtemp(prefix="framepipe-camera-")
        try:
            self._recorder = Recorder(folder, dpi=self.dpi, rank=0, **options)  # each process has its own
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(self, _throw_away, self._recorder, folder, os.getpid())

    def snap(self) -> list[Artist]:
        """Take a picture of the figure as it is now.

        Returns
        -------
        list of Artist
            What was plotted since the last one, and the legends. The plotted artists are removed
            from the figure.

        Raises
        ------
        FramesFailed
            Earlier pictures could not be drawn.
        """
        self._recorder.snap(self._figure)
        taken: list[Artist] = []
        for axes in self._figure.axes:
            if getattr(axes, "_colorbar", None) is not None:  # its contents are no plots
                continue
            legend = axes.get_legend()
            plotted = [artist for kind in _KINDS for artist in getattr(axes, kind) if artist is not legend]
            taken += plotted + ([legend] if legend else [])
            for artist in plotted:
                with contextlib.suppress(NotImplementedError, ValueError):  # it went with another one
                    artist.remove()
            axes.containers.clear()  # bars and error bars, which hold on to what they consist of
        return taken

    def animate(
        self, interval: float = 200, repeat_delay: float = 0, repeat: bool = True, blit: bool = False
    ) -> CameraAnimation:
        """The pictures taken so far as an animation; parameters as in matplotlib's ``ArtistAnimation``.

        Parameters
        ----------
        interval : float
            Milliseconds between frames.
        repeat_delay : float
            Milliseconds that the last frame is held.
        repeat : bool
            Loop.
        blit : bool
            Of no effect: the pictures exist already.

        Raises
        ------
        UsageError
            No picture was taken.
        FramesFailed
            Pictures could not be drawn.
        """
        self._recorder.flush()
        count = self._recorder.next_number
        if not count:
            raise UsageError("the camera has taken no picture: call snap() for each frame")
        return CameraAnimation(self, self._recorder.store, interval, repeat_delay, repeat)


def _throw_away(recorder: Recorder, folder: str, pid: int) -> None:
    """End a camera whose folder is temporary; a forked child leaves its parent's alone."""
    if os.getpid() == pid:
        with contextlib.suppress(Exception):
            recorder.close()
        shutil.rmtree(folder, ignore_errors=True)


class CameraAnimation:
    """What a camera has taken, with the methods of a matplotlib animation.

    Parameters
    ----------
    camera : Camera
        Held on to: its temporary folder goes with it.
    store : Store
    interval, repeat_delay, repeat
        See `Camera.animate`.
    """

    def __init__(
        self, camera: Camera, store: Store, interval: float, repeat_delay: float, repeat: bool
    ) -> None:
        self._camera, self.store = camera, store
        self._interval, self._repeat_delay, self._repeat = interval, repeat_delay, repeat

    def save(
        self,
        filename: str | os.PathLike[str],
        writer: Any = None,
        fps: float | None = None,
        dpi: float | None = None,
        codec: str | None = None,
        bitrate: int | None = None,
        extra_args: Sequence[str] | None = None,
        metadata: dict[str, str] | None = None,
        extra_anim: Sequence[Any] | None = None,
        savefig_kwargs: dict[str, Any] | None = None,
        progress_callback: Any = None,
        **options: Any,
    ) -> Movie:
        """Build a movie; parameters as in matplotlib's ``Animation.save``.

        Parameters
        ----------
        filename : path-like
            Its suffix is the format.
        writer : str or MovieWriter, optional
            ``"imagemagick"`` and ``"ffmpeg"`` choose the encoder; of a writer object, ``fps`` counts.
        fps : float, optional
            Default: the writer's, else ``1000 / interval``.
        metadata : dict of str to str, optional
            See `assemble`; MP4 only.
        dpi, codec, bitrate, extra_args, extra_anim, savefig_kwargs, progress_callback : optional
            Of no effect, which a warning says: pictures are drawn when they are taken, and `assemble`
            has options of its own.
        **options
            See `assemble`.

        Returns
        -------
        Movie
        """
        ignored: dict[str, Any] = {
            "codec": codec,
            "bitrate": bitrate,
            "extra_args": extra_args,
            "extra_anim": extra_anim,
        }
        ignored |= {"savefig_kwargs": savefig_kwargs, "progress_callback": progress_callback}
        if dpi is not None and abs(dpi - self._camera.dpi) > 0.01:
            warnings.warn(
                f"the pictures were drawn at {self._camera.dpi:g} dpi when they were taken, so "
                f"{os.fspath(filename)} has that; for another: Camera(figure, dpi={dpi:g})",
                stacklevel=2,
            )
        if given := [name for name, value in ignored.items() if value is not None]:
            warnings.warn(
                f"{', '.join(given)}: of no effect; see framepipe.assemble for options", stacklevel=2
            )
        if fps is None:
            fps = getattr(writer, "fps", None)
        if isinstance(writer, str) and writer in _ENCODERS:
            options.setdefault("encoder", _ENCODERS[writer])
        options.setdefault("fps", self._rate() if fps is None else fps)
        options.setdefault("loop", 0 if self._repeat else 1)
        if self._repeat_delay:
            options.setdefault("hold_last_s", self._repeat_delay / 1000)
        return assemble(self.store, filename, metadata=metadata, **options)

    def _rate(self) -> Fraction:
        return Fraction(1000) / Fraction(str(self._interval))

    def to_html5_video(self, embed_limit: float | None = None) -> str:
        """An HTML5 ``<video>`` with the movie in it.

        Parameters
        ----------
        embed_limit : float, optional
            Largest size in MB. Default: ``animation.embed_limit``.

        Raises
        ------
        UsageError
            It would be larger.
        """
        from matplotlib import rcParams

        limit = rcParams["animation.embed_limit"] if embed_limit is None else embed_limit
        with tempfile.TemporaryDirectory(prefix="framepipe-") as folder:
            movie = self.save(Path(folder) / "movie.mp4")
            text = base64.b64encode(movie.path.read_bytes()).decode()
        if len(text) > limit * 1024 * 1024:
            raise UsageError(
                f"the video has {len(text) / 1024**2:.1f} MB, embed_limit is {limit:g}: raise it, or save it"
            )
        return _VIDEO.format(movie.width, movie.height, " loop" if self._repeat else "", text)

    def to_jshtml(
        self, fps: float | None = None, embed_frames: bool = True, default_mode: str | None = None
    ) -> str:
        """matplotlib's JavaScript player with all frames in it; parameters as there."""  # noqa: D403
        from matplotlib.animation import HTMLWriter

        if not embed_frames:
            raise UsageError("the player holds its frames: embed_frames=False is not supported")
        mode = default_mode or ("loop" if self._repeat else "once")
        writer: Any = HTMLWriter(
            fps=float(self._rate() if fps is None else fps),  # type: ignore[arg-type]
            embed_frames=True,
            default_mode=mode,
            embed_limit=_LARGEST_PAGE_MB,
        )
        stored: Any = _StoredFigure(self.store)
        with tempfile.TemporaryDirectory(prefix="framepipe-") as folder:
            page = Path(folder) / "player.html"
            with writer.saving(stored, str(page), 100):
                for number in stored.numbers:
                    stored.number = number
                    writer.grab_frame()
            return page.read_text(encoding="utf-8")

    def _repr_html_(self) -> str | None:
        """As matplotlib's animations: by ``animation.html``; the video where that is "none"."""
        from matplotlib import rcParams

        return self.to_jshtml() if rcParams["animation.html"] == "jshtml" else self.to_html5_video()


class _StoredFigure:
    """Stands for a figure before a matplotlib writer: "saving" it gives a stored frame."""

    dpi = 100.0

    def __init__(self, store: Store) -> None:
        status = store.scan(store.read_job()[0])
        if not status.done or status.shape is None:
            raise IncompleteStore(f"{store.path} has no frame that can be used", status=status)
        self._store, self._size_px = store, (status.shape.width, status.shape.height)
        self.numbers = status.done
        self.number = self.numbers[0]

    def get_size_inches(self) -> tuple[float, float]:
        """(width, height)."""
        return self._size_px[0] / self.dpi, self._size_px[1] / self.dpi

    def set_size_inches(self, *_: Any, **__: Any) -> None:
        """Of no effect."""

    def savefig(self, file: Any, **_: Any) -> None:
        """Write the stored frame."""
        file.write(self._store.frame_path(self.number).read_bytes())
