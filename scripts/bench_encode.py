"""Movies of the same frames by framepipe, by matplotlib's writers and by plain ffmpeg; ratios, one run.

    .venv/dev/bin/python scripts/bench_encode.py [frames] [rounds]
    .venv/dev/bin/python scripts/bench_encode.py memory [fewer] [more]

Four kinds of figures, 1000x700 px: moving lines, a viridis image, translucent dots, a curve that grows.
Every way starts from the same PNG files on disk: matplotlib's writers get their pixels where they would
draw. A way runs in a process of its own, in turn, so many rounds; the median of its times counts.

- size and PSNR (RGB, over all frames, as another ffmpeg decodes the movie) are of the movie.
- seconds are of the whole process but for imports; framepipe's time holds its verification, and
  "encode" is what it took until the movie was there.
- MB is the peak of the memory of a process and its children (what is theirs alone, of ``smaps``).

"memory" builds films of fewer and more frames (400 and 4,000), and compares the peaks.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from processes import tree

X = np.linspace(0, 10, 400)
RANDOM = np.random.default_rng(0)
PLACES, COLOURS, SPEEDS = RANDOM.normal(size=(300, 2)), RANDOM.random((300, 3)), RANDOM.normal(size=(300, 2))
FRAMES = 100
WHITE = (255, 255, 255)


def figure_and_axes() -> tuple[Figure, Any]:
    figure = Figure(figsize=(10, 7), dpi=100)
    return figure, figure.add_subplot()


def lines(index: int) -> Figure:
    figure, axes = figure_and_axes()
    for shift in range(6):
        axes.plot(X, np.sin(X + index / 10 + shift), label=f"curve {shift}")
    axes.legend(loc="upper right")
    return figure


def image(index: int) -> Figure:
    figure, axes = figure_and_axes()
    y, x = np.mgrid[0:200, 0:300] / 30
    axes.imshow(np.sin(x + index / 15) * np.cos(y - index / 20) + 0.3 * np.sin(3 * x * y / 4 + index / 10))
    return figure


def dots(index: int) -> Figure:
    figure, axes = figure_and_axes()
    axes.scatter(*(PLACES + index * 0.03 * SPEEDS).T, s=200, c=COLOURS, alpha=0.5)
    axes.set(xlim=(-4, 4), ylim=(-4, 4))
    return figure


def grows(index: int) -> Figure:
    figure, axes = figure_and_axes()
    shown = 4 * (index % FRAMES + 1)
    axes.plot(X[:shown], np.sin(X[:shown]))
    axes.set(xlim=(0, 10), ylim=(-1.2, 1.2))
    return figure


KINDS = {"lines": lines, "image": image, "dots": dots, "grows": grows}


# the ways: each makes ``output`` of the frames of ``store``


class _Canned(Figure):
    """A figure that is saved as the pixels of a PNG file: matplotlib's writers without the drawing."""

    source: Path

    def savefig(self, fname: Any, **_: Any) -> None:
        with Image.open(self.source) as picture:
            fname.write(picture.convert("RGBA").tobytes())


def by_matplotlib(writer: str, store: Path, output: Path, **options: Any) -> None:
    from matplotlib.animation import writers

    figure = _Canned(figsize=(10, 7), dpi=100)
    made = writers[writer](fps=25, **options)
    with made.saving(figure, str(output), 100):
        for path in sorted(store.glob("*.png")):
            figure.source = path
            made.grab_frame()


def by_ffmpeg(store: Path, output: Path, *options: str) -> None:
    source = ["-framerate", "25", "-i", str(store / "frame_%06d.png")]
    command = [
        os.environ["FRAMEPIPE_FFMPEG"],
        "-v",
        "error",
        "-y",
        "-nostdin",
        *source,
        *options,
        str(output),
    ]
    subprocess.run(command, check=True)


def by_framepipe(store: Path, output: Path, **options: Any) -> float:
    """Seconds until the movie was there, before it was verified."""
    import framepipe as fp

    encoded = [time.perf_counter()]

    def watch(progress: fp.Progress) -> None:
        if progress.stage == "verify" and not progress.done:
            encoded.append(time.perf_counter())

    begun = time.perf_counter()
    fp.assemble(store, output, fps=25, progress=watch, **options)
    return encoded[-1] - begun


PALETTE = "split[a][b];[a]palettegen[p];[b][p]paletteuse"
WAYS: dict[str, dict[str, Any]] = {
    "gif": {
        "framepipe": lambda store, output: by_framepipe(store, output),
        "pillow": lambda store, output: by_matplotlib("pillow", store, output),
        "ffmpeg writer": lambda store, output: by_matplotlib("ffmpeg", store, output),
        "imagemagick": lambda store, output: by_matplotlib("imagemagick", store, output),
        "plain ffmpeg": lambda store, output: by_ffmpeg(store, output),
        "with palettegen": lambda store, output: by_ffmpeg(store, output, "-filter_complex", PALETTE),
    },
    "mp4": {
        "framepipe": lambda store, output: by_framepipe(store, output),
        "framepipe 444": lambda store, output: by_framepipe(store, output, chroma="444"),
        "ffmpeg writer": lambda store, output: by_matplotlib("ffmpeg", store, output),
        "plain ffmpeg": lambda store, output: by_ffmpeg(store, output),
        "plain, 420": lambda store, output: by_ffmpeg(store, output, "-pix_fmt", "yuv420p"),
        "plain, 420 crf 18": lambda store, output: by_ffmpeg(
            store, output, "-pix_fmt", "yuv420p", "-crf", "18"
        ),
    },
}


def one(way: str, format_: str, store: str, output: str) -> None:
    """In a process of its own: make one movie and print what it took."""
    import matplotlib.animation  # noqa: F401  imports are not what is measured

    import framepipe  # noqa: F401

    peak = Peak()
    begun = time.perf_counter()
    encoded_s = WAYS[format_][way](Path(store), Path(output))
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "encode": encoded_s or seconds, "mb": peak.end() / 1e6}))


class Peak:
    """The most memory that this process and its children had together, looked at 20 times a second."""

    def __init__(self) -> None:
        self._most, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self._most = max(self._most, sum(_private_bytes(pid) for pid in tree(os.getpid())))

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._most


def _private_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    fields = {line.split(":")[0]: line.split()[1] for line in text.splitlines()[1:]}
    return 1024 * sum(int(fields.get(name, 0)) for name in ("Private_Dirty", "Swap"))


def psnr_db(movie: Path, store: Path) -> float:
    """RGB, over all frames."""
    numbers = ["[0:v]settb=1,setpts=N,format=gbrp[a]", "[1:v]settb=1,setpts=N,format=gbrp[b]", "[a][b]psnr"]
    source = ["-i", str(movie), "-framerate", "25", "-i", str(store / "frame_%06d.png")]
    command = [os.environ["FRAMEPIPE_FFMPEG"], *source, "-lavfi", ";".join(numbers), "-f", "null", "-"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return min(99.0, float(told.rpartition("average:")[2].split()[0]))


def measured(way: str, format_: str, store: Path, folder: Path) -> dict[str, float]:
    output = folder / f"movie.{format_}"
    command = [sys.executable, __file__, "one", way, format_, str(store), str(output)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    found |= {"size_mb": output.stat().st_size / 1e6, "psnr_db": psnr_db(output, store)}
    output.unlink()
    return found


def draw(kind: str, frames: int, folder: Path) -> Path:
    import framepipe as fp

    return fp.render(KINDS[kind], frames, store=folder / f"{kind}-{frames}", order="free").store


def compare(frames: int, rounds: int, folder: Path) -> None:
    for format_, ways in WAYS.items():
        for kind in KINDS:
            store = draw(kind, frames, folder)
            found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way in ways:
                    found[way].append(measured(way, format_, store, folder))
            _table(f"{format_}, {kind}, {frames} frames", found)


def _table(title: str, found: dict[str, list[dict[str, float]]]) -> None:
    print(f"\n{title}\n{'':18} {'size':>8} {'PSNR':>8} {'time':>6} {'encode':>7} {'MB':>6}", flush=True)
    base = statistics.median(each["seconds"] for each in next(iter(found.values())))
    for way, rounds in found.items():
        middle = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        print(
            f"{way:18} {middle['size_mb']:8.3f} {middle['psnr_db']:8.1f} {middle['seconds'] / base:6.2f} "
            f"{middle['encode'] / base:7.2f} {middle['mb']:6.0f}"
        )


def memory(fewer: int, more: int, folder: Path) -> None:
    for format_ in ("gif", "mp4", "webm"):
        WAYS.setdefault(format_, {"framepipe": lambda store, output: by_framepipe(store, output)})
        peaks = []
        for frames in (fewer, more):
            store = draw("lines", frames, folder)
            peaks.append(measured("framepipe", format_, store, folder)["mb"])
        print(
            f"{format_}: {fewer} frames {peaks[0]:.0f} MB, {more} frames {peaks[1]:.0f} MB, "
            f"ratio {peaks[1] / peaks[0]:.2f}",
            flush=True,
        )


def main() -> None:
    if sys.argv[1:2] == ["one"]:
        WAYS.setdefault("webm", {"framepipe": lambda store, output: by_framepipe(store, output)})
        one(*sys.argv[2:])
        return
    from framepipe.movie.probe import decoder

    tool = decoder("mp4")
    assert tool is not None
    os.environ["FRAMEPIPE_FFMPEG"] = tool.path
    os.environ["PATH"] = os.pathsep.join([str(Path(tool.path).parent), os.environ["PATH"]])
    numbers = [int(each) for each in sys.argv[1:] if each.isdigit()]
    with tempfile.TemporaryDirectory() as name:
        if sys.argv[1:2] == ["memory"]:
            memory(*(numbers or (400, 4000)), Path(name))
        else:
            compare(*(numbers + [FRAMES, 3][len(numbers) :])[:2], Path(name))


if __name__ == "__main__":
    main()
