"""Wrong movies, crafted: frames that hardly differ, swapped, repeated, shifted or stale; and wrong facts.

Each is built by ffmpeg without framepipe's checks, from a store of 24 small figures that stand still but for
one small mark.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import framepipe as fp
from framepipe.job.frames import file_name
from tests.conftest import debian_ffmpeg
from tests.integration.movies import built_by_hand

FRAMES, FPS = 24, 25
X = np.linspace(0, 6, 60)


def _figure() -> tuple[Figure, Any]:
    figure = Figure(figsize=(2.4, 1.8), dpi=100)
    axes = figure.add_axes((0.15, 0.15, 0.7, 0.65))
    axes.plot(X, np.sin(X), linewidth=1)
    axes.tick_params(labelsize=6)
    axes.set(ylim=(-1.3, 1.3))
    return figure, axes


def title(k: int) -> Figure:
    """A number of 9 pt in the title."""
    figure, axes = _figure()
    axes.set_title(f"step {k}", fontsize=9)
    return figure


def pale(k: int) -> Figure:
    """A number of 6 pt in a light grey."""
    figure, axes = _figure()
    axes.text(4, 1, f"{k}", fontsize=6, color="0.8")
    return figure


def dot(k: int) -> Figure:
    """A dot of 2 px that creeps along; from 30 on, between the places where it was before."""
    figure, axes = _figure()
    place = X[(2 * k + k // 30) % 60]
    axes.plot([place], [np.cos(place)], "o", markersize=1.4, color="tab:red", markeredgewidth=0)
    return figure


def line(k: int) -> Figure:
    """A thin line that turns slowly."""
    figure, axes = _figure()
    axes.plot([0, 6], [-1 + k / 60, 1 - k / 60], linewidth=0.5, color="tab:green")
    return figure


def tick(k: int) -> Figure:
    """One tick label of a colour bar."""
    figure, _ = _figure()
    bar = figure.add_axes((0.88, 0.15, 0.03, 0.65))
    bar.imshow(np.linspace(0, 1, 64)[:, None], aspect="auto", extent=(0, 1, 0, 1), cmap="viridis")
    bar.set(xticks=[], yticks=[0, 1], yticklabels=["0", f"{k}"])
    bar.tick_params(labelsize=6, left=False, labelleft=False, right=True, labelright=True)
    return figure


def curve(k: int) -> Figure:
    """A curve that moves, and nothing else."""
    figure, axes = _figure()
    axes.plot(X, np.sin(X + k / 4), color="tab:orange")
    return figure


def field_(k: int) -> Figure:
    """A field of smooth colours that fills the picture."""
    figure = Figure(figsize=(2.4, 1.8), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.hypot(*np.meshgrid(X - k / 20, X)), cmap="plasma", vmin=0, vmax=8, aspect="auto")
    return figure


SCENES: dict[str, Callable[[int], Figure]] = {
    scene.__name__: scene for scene in (title, pale, dot, line, tick, curve)
}
ALL_SCENES = {**SCENES, "field": field_}
#: How to build; held against the same.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "gif": ("gif", {}),
    "gif-32": ("gif", {"colors": 32}),
    "gif-dithered": ("gif", {"colors": 64, "dither": "sierra2_4a"}),
    "mp4": ("mp4", {}),
    "mp4-draft": ("mp4", {"quality": "draft"}),
    "mp4-best": ("mp4", {"quality": "best"}),
    "mp4-h265": ("mp4", {"codec": "h265"}),
    "webm": ("webm", {}),
    "webm-draft": ("webm", {"quality": "draft"}),
    "webm-av1": ("webm", {"codec": "av1"}),
    "mov": ("mov", {}),
    "webp-draft": ("webp", {"quality": "draft"}),
    "avif": ("avif", {}),
    "avif-draft": ("avif", {"quality": "draft"}),
    "apng": ("apng", {}),
    "mkv": ("mkv", {}),
}
RIGHT = list(range(FRAMES))
STALE = "stale"
ORDERS: dict[str, list[int]] = {
    "swap 11,12": [*range(11), 12, 11, *range(13, FRAMES)],
    "swap 3,15": [*range(3), 15, *range(4, 15), 3, *range(16, FRAMES)],
    "swap 0,23": [23, *range(1, 23), 0],
    "repeat 9": [*range(10), 9, *range(11, FRAMES)],
    "drop 5, double 17": [*range(5), *range(6, 18), *range(17, FRAMES)],
    STALE: RIGHT,
}


@dataclass
class Stores:
    """Stores that are drawn once, in a folder."""

    folder: Path
    drawn: dict[str, Path] = field(default_factory=dict)

    def of(self, scene: str, first: int = 0, only: str | None = None) -> Path:
        name = f"{scene}-{first}"
        if name not in self.drawn:
            numbers = list(range(first, first + FRAMES))
            about = {"engine": "serial", "order": "free", "only": only}
            self.drawn[name] = fp.render(ALL_SCENES[scene], numbers, store=self.folder / name, **about).store
        return self.drawn[name]


def wrong_order(stores: Stores, scene: str, kind: str) -> list[int | Path]:
    """What stands where; a stale frame is one of a run that began 30 frames later."""
    order: list[int | Path] = [*ORDERS[kind]]
    if kind == STALE:
        order[9] = stores.of(scene, 30, only="9") / file_name(9)
    return order


def built(stores: Stores, folder: Path, scene: str, variant: str, order: list[int | Path]) -> Path:
    """A movie of these frames."""
    format_, options = FORMATS[variant]
    taken = sum(1 for _ in folder.iterdir())
    path, program = folder / f"{taken}.{format_}", os.environ.get("FRAMEPIPE_FFMPEG", "ffmpeg")
    return built_by_hand(path, stores.of(scene), order, fps=FPS, program=program, **options)


def verified(movie: Path, stores: Stores, scene: str, variant: str, **timing: Any) -> fp.VerifyReport:
    """Held against what it should be."""
    return fp.verify(movie, stores.of(scene), **{"fps": FPS, **timing, **_told(variant)})


def off_delays(stores: Stores, folder: Path, variant: str, scene: str = "curve") -> Path:
    """Two frames of 10 ms more and less: it lasts as long as it should."""
    format_, options = FORMATS[variant]
    longer = {8: 0.05, 9: 0.03}
    path = folder / f"delays.{format_}"
    return _unknown(fp.assemble(stores.of(scene), path, fps=FPS, durations_s=longer, **options).path)


def off_plays(stores: Stores, folder: Path, variant: str, plays: int) -> Path:
    """Played another number of times."""
    format_, options = FORMATS[variant]
    path = folder / f"plays-{plays}.{format_}"
    return _unknown(fp.assemble(stores.of("curve"), path, fps=FPS, loop=plays, **options).path)


def _unknown(movie: Path) -> Path:
    """Under a name that its store does not remember."""
    return movie.rename(movie.with_stem("unknown"))


#: Wrong colours: how ffmpeg is to convert, and what it is told to say of it in the bit stream.
WRONG_COLOURS: dict[str, tuple[str, str]] = {
    "full range, tagged limited": ("out_color_matrix=bt709:out_range=pc", ""),
    "BT.601, tagged BT.709": ("out_color_matrix=bt601:out_range=tv", ""),
    "BT.601 and full range": ("out_color_matrix=bt601:out_range=pc", ""),
    "bit stream says full range": (
        "out_color_matrix=bt709:out_range=tv",
        "h264_metadata=video_full_range_flag=1",
    ),
    "bit stream says BT.601": ("out_color_matrix=bt709:out_range=tv", "h264_metadata=matrix_coefficients=5"),
}
_CODECS = {
    "mp4": ["-c:v", "libx264", "-crf", "19"],
    "mp4-draft": ["-c:v", "libx264", "-crf", "27"],
    "webm": ["-c:v", "libvpx-vp9", "-crf", "20", "-b:v", "0", "-cpu-used", "4"],
}


def off_colours(stores: Stores, folder: Path, variant: str, kind: str, scene: str) -> Path:
    """Converted in another way than the tags say; or only the tags in the bit stream are wrong."""
    convert, stream = WRONG_COLOURS[kind]
    path = folder / f"colours.{FORMATS[variant][0]}"
    first = folder / f"first.{FORMATS[variant][0]}"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    command = [debian_ffmpeg(), "-v", "error", "-y", "-framerate", str(FPS)]
    command += ["-i", str(stores.of(scene) / "frame_%06d.png")]
    command += ["-vf", f"scale={convert}:flags=accurate_rnd+full_chroma_int,format=yuv420p,{tags}"]
    subprocess.run([*command, *_CODECS[variant], str(first)], check=True)
    again = ["-bsf:v", stream] if stream else []
    copy = [debian_ffmpeg(), "-v", "error", "-y", "-i", str(first), "-c", "copy", *again]
    subprocess.run([*copy, str(path)], check=True)
    return path


def table_bytes(movie: Path) -> list[int]:
    """Where the colours of all tables of a GIF stand: the global one and those of its frames."""
    data, found = movie.read_bytes(), []
    with Image.open(movie) as image:
        for index in range(image.n_frames):
            image.seek(index)
            table = image.global_palette if index == 0 else image.palette
            colours = bytes(table.palette) if table else b""
            at = data.find(colours) if len(colours) > 3 else -1
            found += range(at, at + len(colours)) if at >= 0 else []
    return sorted(set(found))


def shown_otherwise(movie: Path, other: Path) -> int:
    """How many pixels of the frame that differs most are another colour by 24 or more."""
    most = 0
    with Image.open(movie) as one, Image.open(other) as two:
        for index in range(one.n_frames):
            one.seek(index)
            two.seek(index)
            pixels = (np.asarray(image.convert("RGB")).astype(int) for image in (one, two))
            most = max(most, int(np.sum(np.abs(np.subtract(*pixels)).max(2) >= 24)))
    return most


def off_entry(movie: Path, at: int, by: int = 90) -> Path:
    """One channel of an entry of its palette is another."""
    data = bytearray(movie.read_bytes())
    data[at] = (data[at] + by) % 256
    path = movie.with_name(f"entry-{at}.gif")
    path.write_bytes(data)
    return path


def _told(variant: str) -> dict[str, Any]:
    return {name: value for name, value in FORMATS[variant][1].items() if name != "dither"}
