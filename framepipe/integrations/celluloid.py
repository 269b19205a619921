"""celluloid's `Camera`: each picture is stored when it is taken, and drawn then or at the end."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pickle
import shutil
import tempfile
import uuid
import warnings
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.images import read_png
from framepipe.errors import UsageError
from framepipe.formats.notebook import framed
from framepipe.movie.api import assemble
from framepipe.movie.result import Movie
from framepipe.rendering.recorder import FigureRecorder, Recorder
from framepipe.scenes.rcparams import all_rcparams
from framepipe.scenes.snapshot import Limits, Snapshot, SnapshotScene, view_limits
from framepipe.store.store import Store

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_KINDS = ("collections", "patches", "lines", "texts", "artists", "images", "tables")
_ENCODERS = {"imagemagick": "imagemagick", "ffmpeg": "ffmpeg"}
_VIDEO = """<video width="{}" height="{}" controls autoplay{}>
  <source type="video/mp4" src="data:video/mp4;base64,{}">
  Your browser does not support the video tag.
</video>"""
_LIMITS = ("own", "last")
_MAX_LEGENDS = 100  # kept for `Camera._photos`: one has 40 kB
#: matplotlib's modes of its player, as options of `assemble`.
_MODES: dict[str, dict[str, Any]] = {
    "loop": {"loop": 0},
    "once": {"loop": 1},
    "reflect": {"bounce": True, "loop": 0},
}


class Camera:
    """Takes pictures of a figure that is plotted anew for each; a drop-in for ``celluloid.Camera``.

    A picture is the figure as it is when `snap` is called, with its titles, legend and axis limits.
    Then the artists plotted since the last snap are removed, so memory does not grow.

    celluloid draws all pictures at the end, with the final axis limits: ``limits="last"`` does that.

    >>> import numpy as np
    >>> from matplotlib import pyplot as plt
    >>> x = np.linspace(0, 6)
    >>> camera = Camera(plt.figure())
    >>> for phase in range(3):
    ...     lines = plt.plot(x, np.sin(x + phase), color="blue")
    ...     artists = camera.snap()
    >>> animation = camera.animate()
    >>> animation.save("sine.mp4", fps=20)  # doctest: +SKIP

    Parameters
    ----------
    figure : Figure
    store : path-like, optional
        Folder of the frames. Default: a temporary one, deleted with the camera.
    dpi, transparent
        As in ``savefig``. They hold for the movie, since a picture is drawn when it is taken.
    workers : int
        See `Recorder`.
    limits : {"own", "last"}
        "own": each picture is drawn when it is taken, with the axis limits of that moment. "last": pictures
        wait on disk until `animate` draws them all with the axis limits of that moment.
    """

    def __init__(
        self,
        figure: Figure,
        *,
        store: str | os.PathLike[str] | None = None,
        dpi: float | None = None,
        transparent: bool | None = None,
        workers: int = 1,
        limits: str = "own",
    ) -> None:
        from matplotlib import rcParams

        if limits not in _LIMITS:
            raise UsageError(f"limits is {limits!r}; give one of {', '.join(_LIMITS)}")
        self._figure = figure
        #: celluloid's list of the artists of each picture: `animate` shows the pictures in this list
        self._photos: list[_Photo] = []
        self._count = 0
        self._legends: deque[Artist] = deque(maxlen=_MAX_LEGENDS)
        self._pending = _PendingPictures() if limits == "last" else None
        default_dpi = figure.dpi if rcParams["savefig.dpi"] == "figure" else rcParams["savefig.dpi"]
        self.dpi = float(dpi if dpi is not None else default_dpi)
        options: dict[str, Any] = {"transparent": transparent, "workers": workers, "existing": "replace"}
        # FigureRecorder draws pictures again whose limits have changed
        kind = FigureRecorder if limits == "last" else Recorder
        if store is not None:
            self._recorder = kind(store, dpi=self.dpi, **options)
            return
        folder = tempfile.mkdtemp(prefix="framepipe-camera-")
        try:
            self._recorder = kind(folder, dpi=self.dpi, rank=0, **options)  # each process has its own
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(self, _delete_folder, self._recorder, folder, os.getpid())

    def snap(self) -> list[Artist]:
        """Take a picture of the figure as it is now.

        Returns
        -------
        list of Artist
            The artists plotted since the last picture, and the legends. The plotted artists are removed
            from the figure; legends stay.

        Raises
        ------
        FramesFailed
            Earlier pictures could not be drawn.
        """
        if self._pending is None:
            self._recorder.snap(self._figure)
        else:
            view_limits(self._figure)  # autoscales now, while all artists are there
            self._pending.add(self._figure)
        artists = self._clear()
        self._legends.extend(artist for artist in artists if type(artist).__name__ == "Legend")
        self._photos.append(_Photo(self._count, artists))
        self._count += 1
        return artists

    def _clear(self) -> list[Artist]:
        """Remove the artists plotted since the last picture; return them and the legends, which stay."""
        artists: list[Artist] = []
        for axes in self._figure.axes:
            if getattr(axes, "_colorbar", None) is not None:  # its contents are no plots
                continue
            legend = axes.get_legend()
            plotted = [artist for kind in _KINDS for artist in getattr(axes, kind) if artist is not legend]
            artists += plotted + ([legend] if legend else [])
            for artist in plotted:
                with contextlib.suppress(
                    NotImplementedError, ValueError
                ):  # removed together with another one
                    artist.remove()
            axes.containers.clear()  # bars and error bars refer to their artists
        return artists

    def animate(
        self, interval: float = 200, repeat_delay: float = 0, repeat: bool = True, blit: bool = False
    ) -> CameraAnimation:
        """Return the pictures so far as an animation; parameters as in matplotlib's ``ArtistAnimation``.

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
        if not self._photos:
            raise UsageError("the camera has taken no picture: call snap() for each frame")
        if self._pending is not None and isinstance(self._recorder, FigureRecorder):
            self._pending.draw(self._recorder, view_limits(self._figure))
        self._recorder.flush()
        return CameraAnimation(self, self._store_of_photos(), interval, repeat_delay, repeat)

    def _store_of_photos(self) -> Store:
        """Return a store of the pictures in `_photos`: all, unless the program has rearranged the list."""
        store, numbers = self._recorder.store, [photo.number for photo in self._photos]
        if numbers == list(range(self._count)):
            return store
        with Recorder(
            _temporary_folder(self), dpi=self.dpi, rank=0, workers=0, existing="replace"
        ) as recorder:
            for number in numbers:
                recorder.snap(read_png(store.frame_path(number)))
        return recorder.store


class _Photo(Sequence["Artist"]):
    """The artists of one picture, held by weak references."""

    def __init__(self, number: int, artists: Sequence[Artist]) -> None:
        self.number = number
        self._artists = [weakref.ref(artist) for artist in artists]

    def __len__(self) -> int:
        return len(self._artists)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        artist = self._artists[index]()
        if artist is None:
            raise ReferenceError(
                f"artist {index} of picture {self.number} was deleted after the picture was taken; "
                "keep what snap() returns"
            )
        return artist

    def __repr__(self) -> str:
        return f"<picture {self.number} of {len(self)} artists>"


class _PendingPictures:
    """Pictures on disk that are drawn when the axis limits are final."""

    def __init__(self) -> None:
        self._folder = _temporary_folder(self)
        self._run = uuid.uuid4().hex
        self._scene = SnapshotScene("Camera.snap")
        self._count = 0

    def add(self, figure: Figure) -> None:
        """Write a snapshot of a figure as it is now."""
        snapshot = replace(self._scene.take(figure), rcparams=all_rcparams())
        self._path(self._count).write_bytes(pickle.dumps(snapshot, protocol=5))
        self._count += 1

    def draw(self, recorder: FigureRecorder, limits: Sequence[Limits]) -> None:
        """Draw the pictures that have not been drawn with these limits."""
        state = hashlib.sha256(f"{self._run} {limits!r}".encode()).hexdigest()
        for number in range(self._count):
            snapshot: Snapshot = pickle.loads(self._path(number).read_bytes())  # written by this process
            recorder.snap_state(replace(snapshot, limits=limits), number, state)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.pickle"


def _temporary_folder(owner: object) -> Path:
    """Make a folder that is deleted with its owner, but never by a forked child."""
    folder = tempfile.mkdtemp(prefix="framepipe-camera-")
    weakref.finalize(owner, _delete_folder, None, folder, os.getpid())
    return Path(folder)


def _delete_folder(recorder: Recorder | None, folder: str, pid: int) -> None:
    """Close a recorder and delete its temporary folder, unless this is a forked child."""
    if os.getpid() == pid:
        with contextlib.suppress(Exception):
            if recorder is not None:
                recorder.close()
        shutil.rmtree(folder, ignore_errors=True)


class CameraAnimation:
    """A camera's pictures, with the methods of a matplotlib animation.

    Parameters
    ----------
    camera : Camera
        Referred to, since its temporary folder is deleted with it.
    store : Store
    interval, repeat_delay, repeat
        See `Camera.animate`.
    """

    def __init__(
        self, camera: Camera, store: Store, interval: float, repeat_delay: float, repeat: bool
    ) -> None:
        self._camera, self.store = camera, store
        #: As in matplotlib: one iterator over the artists of each picture
        self.frame_seq = self.new_frame_seq()
        self._interval, self._repeat_delay, self._repeat = interval, repeat_delay, repeat

    def new_frame_seq(self) -> Iterator[Sequence[Artist]]:
        """Return an iterator over the artists of each picture, see matplotlib's ``new_frame_seq``."""
        return iter(list(self._camera._photos))

    new_saved_frame_seq = new_frame_seq

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
            ``"imagemagick"`` and ``"ffmpeg"`` choose the encoder; of a writer object, only ``fps`` is used.
        fps : float, optional
            Default: the writer's, else ``1000 / interval``.
        metadata : dict of str to str, optional
            See `assemble`; MP4 only.
        dpi, codec, bitrate, extra_args, extra_anim, savefig_kwargs, progress_callback : optional
            Of no effect, with a warning: pictures are drawn when they are taken, and `assemble` has its own
            options.
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
                f"the pictures were drawn at {self._camera.dpi:g} dpi when they were taken, and "
                f"{os.fspath(filename)} has the same; to draw at {dpi:g} dpi: Camera(figure, dpi={dpi:g})",
                stacklevel=2,
            )
        if arguments := [name for name, value in ignored.items() if value is not None]:
            warnings.warn(
                f"{', '.join(arguments)}: of no effect; see framepipe.assemble for options", stacklevel=2
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
        """Return an HTML5 ``<video>`` element with the movie embedded.

        Parameters
        ----------
        embed_limit : float, optional
            Largest size in MB. Default: ``animation.embed_limit``.

        Raises
        ------
        UsageError
            The element would be larger.
        """
        from matplotlib import rcParams

        limit = rcParams["animation.embed_limit"] if embed_limit is None else embed_limit
        with tempfile.TemporaryDirectory(prefix="framepipe-") as folder:
            movie = self.save(Path(folder) / "movie.mp4")
            text = base64.b64encode(movie.path.read_bytes()).decode()
        if len(text) > limit * 1024 * 1024:
            raise UsageError(
                f"the video has {len(text) / 1024**2:.1f} MB, embed_limit is {limit:g}: raise it or save()"
            )
        return _VIDEO.format(movie.width, movie.height, " loop" if self._repeat else "", text)

    def to_jshtml(
        self, fps: float | None = None, embed_frames: bool = True, default_mode: str | None = None
    ) -> str:
        """Return framepipe's player with all frames embedded, as an element for a page or a notebook.

        The player shows the frames unchanged; `save` with a name that ends in ``.html`` writes it as a page.

        Parameters
        ----------
        fps : float, optional
            Default: ``1000 / interval``.
        embed_frames : bool
            Must be True: the player always embeds its frames.
        default_mode : {"loop", "once", "reflect"}, optional
            Default: by ``repeat`` of `Camera.animate`.

        Raises
        ------
        UsageError
            The page would be larger than `assemble` allows.
        """
        if not embed_frames:
            raise UsageError("embed_frames=False is not supported: the player always embeds its frames")
        if default_mode not in (None, *_MODES):
            raise UsageError(f"default_mode is {default_mode!r}; give one of {', '.join(_MODES)}")
        with tempfile.TemporaryDirectory(prefix="framepipe-") as folder:
            movie = self.save(Path(folder) / "player.html", fps=fps, **_MODES.get(default_mode or "", {}))
            return framed(movie.path.read_bytes(), "animation", movie.width, movie.height)

    def _repr_html_(self) -> str | None:
        """Return the element that ``animation.html`` selects; the video if that is "none"."""
        from matplotlib import rcParams

        return self.to_jshtml() if rcParams["animation.html"] == "jshtml" else self.to_html5_video()
