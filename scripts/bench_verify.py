"""What verification costs: `assemble` beside plain ffmpeg with the same settings, and memory of long movies.

    .venv/dev/bin/python scripts/bench_verify.py [frames] [rounds]
    .venv/dev/bin/python scripts/bench_verify.py memory [fewer] [more]

Two kinds of figures, 1000x700 px: one moving line (what is encoded fastest), and six. Every way starts from
the same PNG files, in a process of its own, in turn, so many rounds; medians count. Plain ffmpeg reads the
files by `-i frame_%06d.png`, and verifies nothing.

- processor: user and system time of the process and its children, without imports and starting Python, which
  stand apart (they weigh on short films only); ratios are to plain ffmpeg.
- verify: the part of framepipe's processor time after the movie is encoded.
- "memory" compares the peaks of memory of framepipe and its children (what is theirs alone, of ``smaps``);
  looking takes time, so it is not done together with the rest.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"

import numpy as np
from bench_encode import KINDS, Peak, X, figure_and_axes
from matplotlib.figure import Figure

FRAMES, ROUNDS = 400, 5
GIF = "split[a][b];[a]palettegen[p];[b][p]paletteuse"


def line(index: int) -> Figure:
    figure, axes = figure_and_axes()
    axes.plot(X, np.sin(X + index / 10))
    axes.set_title("a moving line")
    return figure


FIGURES = {"one line": line, "six lines": KINDS["lines"]}


def plain_mp4() -> list[str]:
    """The arguments between input and output that framepipe gives ffmpeg for an MP4."""
    from framepipe.core.shape import Shape
    from framepipe.formats import FORMATS
    from framepipe.formats.recipe import MovieSpec
    from framepipe.timeline import Timeline

    recipe = FORMATS["mp4"].recipe(MovieSpec(Timeline.of(range(2)), Shape(1000, 700, "RGB")))
    args = list(recipe.steps[0].args)
    return args[args.index("-i") + 2 : -1]


WAYS: dict[str, dict[str, Any]] = {
    "mp4": {"plain ffmpeg": plain_mp4, "framepipe": None},
    "gif": {
        "plain, no dither": lambda: ["-filter_complex", f"{GIF}=dither=none"],
        "plain ffmpeg": lambda: ["-filter_complex", GIF],
        "framepipe": None,
    },
}


def processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def one(way: str, store: str, output: str, watches_memory: str) -> None:
    """In a process of its own: make one movie and print what it took."""
    import framepipe as fp

    arguments = WAYS[Path(output).suffix[1:]][way]
    command = ["-framerate", "25", "-i", f"{store}/frame_%06d.png", *(arguments() if arguments else [])]
    peak = Peak() if watches_memory else None
    start_s, encoded_s, begun = processor_s(), [0.0], time.perf_counter()

    def watch(progress: fp.Progress) -> None:
        if progress.stage == "verify" and not progress.done:
            encoded_s[0] = processor_s()

    if arguments:
        subprocess.run(
            [os.environ["FRAMEPIPE_FFMPEG"], "-v", "error", "-nostdin", "-y", *command, output], check=True
        )
    else:
        fp.assemble(store, output, fps=25, progress=watch)
    end_s, clock_s = processor_s(), time.perf_counter() - begun
    verify_s = end_s - encoded_s[0] if encoded_s[0] else 0.0
    results = {"processor": end_s - start_s, "clock": clock_s, "verify": verify_s, "start": start_s}
    print(json.dumps({**results, "mb": peak.end() / 1e6 if peak else 0.0}))


def measured(way: str, format_: str, store: Path, folder: Path, watches: str = "") -> dict[str, float]:
    output = folder / f"movie.{format_}"
    subprocess.run(["rm", "-rf", str(store / "segments")], check=True)
    command = [sys.executable, __file__, "one", way, str(store), str(output), watches]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    output.unlink()
    results: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return results


def draw(kind: str, frames: int, folder: Path) -> Path:
    import framepipe as fp

    return fp.render(
        FIGURES[kind], frames, store=folder / f"{kind}-{frames}".replace(" ", "-"), order="free"
    ).store


def compare(frames: int, rounds: int, folder: Path) -> None:
    print(f"| {frames} frames | processor | clock | of it verification | start, s |\n|---|---|---|---|---|")
    for kind in FIGURES:
        store = draw(kind, frames, folder)
        for format_, ways in WAYS.items():
            results: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way in ways:
                    results[way].append(measured(way, format_, store, folder))
            base = next(iter(results.values()))
            for way, each in results.items():
                print(f"| {format_}, {kind}, {way} | {_row(each, base)} |", flush=True)


def _row(results: list[dict[str, float]], base: list[dict[str, float]]) -> str:
    """Ratios within a round to plain ffmpeg, their medians; the machine may be busier in another round."""

    def ratio(name: str, to: str) -> float:
        return statistics.median(each[name] / plain[to] for each, plain in zip(results, base))

    cells = [ratio("processor", "processor"), ratio("clock", "clock"), ratio("verify", "processor")]
    return " | ".join(
        f"{cell:.2f}" for cell in [*cells, statistics.median(each["start"] for each in results)]
    )


def memory(fewer: int, more: int, folder: Path) -> None:
    stores = [draw("one line", frames, folder) for frames in (fewer, more)]
    for format_ in WAYS:
        peaks = [measured("framepipe", format_, store, folder, "memory")["mb"] for store in stores]
        ratio = peaks[1] / peaks[0]
        print(
            f"{format_}: {fewer} frames {peaks[0]:.0f} MB, {more} frames {peaks[1]:.0f} MB, {ratio:.2f}",
            flush=True,
        )


def main() -> None:
    if sys.argv[1:2] == ["one"]:
        one(*sys.argv[2:])
        return
    from framepipe.movie.probe import decoder

    tool = decoder("mp4")
    assert tool is not None
    os.environ["FRAMEPIPE_FFMPEG"] = tool.path
    numbers = [int(each) for each in sys.argv[1:] if each.isdigit()]
    with tempfile.TemporaryDirectory() as name:
        if sys.argv[1:2] == ["memory"]:
            memory(*(numbers or (400, 4000)), Path(name))
        else:
            compare(*(numbers + [FRAMES, ROUNDS][len(numbers) :])[:2], Path(name))


if __name__ == "__main__":
    main()
