"""Run a script as ``python SCRIPT.py`` does, and keep the frames that matplotlib itself draws.

    python as_matplotlib.py FOLDER SCRIPT [ARGUMENT …]

The script runs unchanged, as ``__main__``. Only what would write or show its pictures is replaced:

- ``Animation.save`` gets a writer that keeps raw pixels; dpi and ``savefig_kwargs`` are the script's own. An
  animation that the script does not save itself is saved where it would be shown, or at the script's end.
- ``grab_frame`` of matplotlib's writers, ``plt.pause`` and ``flush_events`` keep the figure of that moment.
- ``savefig`` under a numbered name writes its file, which is kept too.

One thing is left out on purpose: without an ``init_func`` an update is not called twice for the first frame.

Each scene's frames become ``FOLDER/<scene>/000000.npy`` and so on, uint8 of shape (height, width, 4), where
a scene is called ``animation-1`` (in the order in which they were made), ``writer-1``, ``savefig-1``,
``pause-1`` or ``flush-1``.

Environment: ``FILM_ANIMATION=2`` plays only the second animation (1 without it: those made later are not played,
since what one leaves behind would show in the next); ``FILM_MOST=24`` stops after so many frames.
"""

from __future__ import annotations

import os
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"

import matplotlib
import matplotlib.animation as mpl_animation
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import AbstractMovieWriter, Animation, FuncAnimation
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

NUMBERED = re.compile(r"\d+(?=\.(png|jpg|jpeg|tif|tiff|webp)$)", re.IGNORECASE)
original_save = Animation.save
original_savefig = Figure.savefig
original_init = Animation.__init__


class Enough(BaseException):
    """As many frames as were asked for; no script catches it."""


class Film:
    """The frames of one scene, written as they come."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most, self.count = folder, most, 0
        folder.mkdir(parents=True)

    def add(self, rgba: Any) -> None:
        np.save(self.folder / f"{self.count:06d}.npy", rgba)
        self.count += 1
        if self.count == self.most:
            raise Enough


class Films:
    """All scenes of one run, and which animation is played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.most = int(os.environ.get("FILM_MOST", "0"))
        self.played = int(os.environ.get("FILM_ANIMATION", "1"))
        self.animations: list[Animation] = []  # kept alive, as a window would
        self._films: dict[object, Film] = {}
        self._counts: dict[str, int] = {}

    def of(self, kind: str, key: object = None) -> Film:
        """The film of a scene: its first, or one for each key."""
        if (kind, key) not in self._films:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._films[kind, key] = Film(self.folder / f"{kind}-{self._counts[kind]}", self.most)
        return self._films[kind, key]

    def play(self, animation: Animation, **how: Any) -> None:
        """Save an animation once, if it is the one to be played."""
        number = next(k for k, each in enumerate(self.animations, 1) if each is animation)
        scene = f"animation-{number}"
        if number != self.played or scene in self._films:
            return
        film = self._films[scene] = Film(self.folder / scene, self.most)
        usual_init_draw = FuncAnimation._init_draw  # type: ignore[attr-defined]

        def init_draw(self: Any) -> None:
            """Not the second call of the first update."""
            if self._init_func is not None:
                usual_init_draw(self)

        FuncAnimation._init_draw = init_draw  # type: ignore[attr-defined]
        try:
            original_save(animation, "film", writer=RawWriter(film), **how)
        finally:
            FuncAnimation._init_draw = usual_init_draw  # type: ignore[attr-defined]

    def play_the_rest(self) -> None:
        for animation in self.animations:
            self.play(animation)


class RawWriter(AbstractMovieWriter):
    """Keeps what ``savefig`` draws, as it is."""

    def __init__(self, film: Film) -> None:
        super().__init__()
        self.film = film

    def setup(self, fig: Any, outfile: Any, dpi: Any = None) -> None:
        super().setup(fig, outfile, dpi)  # type: ignore[safe-super]
        self.size_in = fig.get_size_inches().copy()

    def grab_frame(self, **savefig: Any) -> None:
        self.fig.set_size_inches(self.size_in)  # as matplotlib's writers do: a movie has one size
        self.film.add(pixels(self.fig, dpi=self.dpi, **savefig))

    def finish(self) -> None:
        pass


class Target:
    """What ``savefig(format="rgba")`` writes to."""

    def write(self, buffer: Any) -> None:
        self.rgba = np.array(buffer, np.uint8)

    def seek(self, *_: int) -> None:
        """Looked for by matplotlib, never called."""


def pixels(figure: Any, **savefig: Any) -> Any:
    target = Target()
    original_savefig(figure, target, **{**savefig, "format": "rgba"})  # type: ignore[arg-type]
    return target.rgba


def note_animations(films: Films, saves_itself: bool) -> None:
    """Animations are known from their making on, and played when the script saves or shows them."""

    def init(self: Animation, *args: Any, **keywords: Any) -> None:
        films.animations.append(self)
        original_init(self, *args, **keywords)

    def save(self: Animation, filename: Any, writer: Any = None, fps: Any = None, dpi: Any = None, *args: Any,
             extra_anim: Any = None, savefig_kwargs: Any = None, **keywords: Any) -> None:  # fmt: skip
        callback = keywords.get("progress_callback")
        how = {"dpi": dpi, "extra_anim": extra_anim, "savefig_kwargs": savefig_kwargs}
        films.play(self, **how, progress_callback=callback)

    def page(self: Animation, *_: Any, **__: Any) -> str:
        films.play(self)
        return ""

    def show(*_: Any, **__: Any) -> None:
        if not saves_itself:
            films.play_the_rest()

    Animation.__init__ = init  # type: ignore[method-assign]
    Animation.save = save  # type: ignore[assignment, method-assign]
    Animation.to_jshtml = Animation.to_html5_video = page  # type: ignore[method-assign, assignment]
    plt.show = show  # type: ignore[assignment]


def note_loops(films: Films) -> None:
    """Pictures that a script's own loop takes."""

    def pause(_interval: float) -> None:
        if plt.get_fignums():
            films.of("pause").add(pixels(plt.gcf()))

    def flush_events(self: FigureCanvasBase) -> None:
        films.of("flush", self).add(pixels(self.figure))

    def savefig(self: Figure, fname: Any, **keywords: Any) -> None:
        if not isinstance(fname, (str, os.PathLike)) or not NUMBERED.search(os.fspath(fname)):
            return original_savefig(self, fname, **keywords)
        os.makedirs(os.path.dirname(os.path.abspath(fname)), exist_ok=True)
        original_savefig(self, fname, **keywords)
        film = films.of("savefig", NUMBERED.sub("", os.fspath(fname)))
        film.add(read_picture(Path(fname)))
        return None

    plt.pause = pause
    FigureCanvasBase.flush_events = flush_events  # type: ignore[method-assign]
    Figure.savefig = savefig  # type: ignore[method-assign, assignment]


def note_writers(films: Films) -> None:
    """Every writer of matplotlib's keeps raw pixels, and needs no program."""

    def setup(self: Any, fig: Any, outfile: Any, dpi: Any = None, **_: Any) -> None:
        AbstractMovieWriter.setup(self, fig, outfile, dpi)
        self.raw = RawWriter(films.of("writer", self))
        self.raw.setup(fig, outfile, dpi)

    def grab_frame(self: Any, **savefig: Any) -> None:
        self.raw.grab_frame(**savefig)

    def finish(self: Any) -> None:
        pass

    replacements: dict[str, Callable[..., Any]] = {"setup": setup, "grab_frame": grab_frame, "finish": finish}
    for kind in vars(mpl_animation).values():
        if not isinstance(kind, type) or not issubclass(kind, AbstractMovieWriter):
            continue
        if kind is AbstractMovieWriter:
            continue
        for name in replacements.keys() & vars(kind).keys():
            setattr(kind, name, replacements[name])
        kind.isAvailable = classmethod(lambda cls: True)  # type: ignore[attr-defined]


def read_picture(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def run(script: Path, arguments: list[str], films: Films) -> None:
    """As ``python SCRIPT ARGUMENTS`` would."""
    text = script.read_text(encoding="utf-8")
    plt.switch_backend("agg")  # before a script can ask for a window
    matplotlib.use = lambda *_, **__: None  # type: ignore[assignment]  # no window here
    plt.switch_backend = lambda *_: None  # type: ignore[assignment]
    note_animations(films, bool(re.search(r"\.save\(|to_jshtml|to_html5_video", text)))
    note_loops(films)
    note_writers(films)
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(script.parent)
    main = types.ModuleType("__main__")
    main.__file__ = str(script)
    sys.modules["as_matplotlib"], sys.modules["__main__"] = sys.modules["__main__"], main
    try:
        exec(compile(text, str(script), "exec"), vars(main))
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    films.play_the_rest()


if __name__ == "__main__":
    folder, script, *arguments = sys.argv[1:]
    try:
        run(Path(script).absolute(), arguments, Films(Path(folder).absolute()))
    except Enough:
        sys.stdout.flush()
        os._exit(0)  # a thread or pool of the script must not keep it
