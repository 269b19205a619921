"""``framepipe assemble`` killed at random moments, before and after its first segment: run again, it makes the movie of an undisturbed run."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Bench, names_in
from tests.support.sizes import FAULTS, all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

FRAMES, SEGMENTS = (800, 4) if FAULTS > 1 else (540, 3)  # all but a tail of 250 frames, of mp4 as of gif
CHEAP = """
    import numpy as np

    def draw(value):
        pixels = np.full((64, 80, 3), (0.9, 0.9 - value % 100 / 200, 1.0))
        left, top = int(30 + 25 * np.cos(value / 20)), int(22 + 20 * np.sin(value / 20))
        pixels[top : top + 16, left : left + 20] = (0.8, value % 7 / 10, 0.1)
        return np.uint8(255 * pixels)
"""
#: One encoder at a time, and a slow one: most kills fall into the segments.
OPTIONS = {"movie.mp4": ("--preset", "slower"), "movie.gif": ("--dither", "sierra2")}


def assemble(name: str) -> tuple[object, ...]:
    return ("assemble", "store", "-o", name, "-j", 1, *OPTIONS[name])


class Undisturbed:
    """A store, and its movies with the seconds that they took."""

    def __init__(self, folder: Path) -> None:
        bench = Bench(folder)
        bench.scene(CHEAP)
        render = ["render", "tiny.py:draw", "--store", "store", "--engine", "serial", "-q", "--frames"]
        bench.run(*render, FRAMES, ok=True)
        shutil.copytree(bench.store, folder / "drawn")
        self.store, self.movies, self.seconds = folder / "drawn", {}, {}
        for name in OPTIONS:
            start = time.monotonic()
            bench.run(*assemble(name), "-q", ok=True)
            self.seconds[name] = time.monotonic() - start
            self.movies[name] = (folder / name).read_bytes()
        bench.close()


@pytest.fixture(scope="module")
def undisturbed_films(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp("films"))


def segments(bench: Bench) -> set[str]:
    folder = bench.store / "segments"
    return {path.name for path in folder.glob("[0-9a-f]*") if path.suffix != ".json"}


@pytest.mark.parametrize("name", all_if_long(OPTIONS, "movie.mp4"))
def test_a_killed_assembly_is_gone_on_with_to_the_same_bytes(
    bench: Bench, undisturbed_films: Undisturbed, name: str, dice: random.Random
) -> None:
    bench.scene(CHEAP)
    taken = met = 0
    for turn in range(2 if FAULTS == 1 else 4 * FAULTS):
        shutil.rmtree(bench.store, ignore_errors=True)
        shutil.copytree(undisturbed_films.store, bench.store)
        (bench.folder / name).unlink(missing_ok=True)
        frames = bench.frames()

        process = bench.start(*assemble(name), "-q")
        if turn % 2:
            wait_for(lambda: segments(bench) or process.poll() is not None)
            if turn > 1:  # at first at once, so that one is met for certain
                time.sleep(dice.uniform(0, 0.2) * undisturbed_films.seconds[name])
        else:
            time.sleep(dice.uniform(0.2, 0.8) * undisturbed_films.seconds[name])
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        assert bench.orphans() == {}, "an encoder outlives framepipe"
        if (bench.folder / name).exists():
            assert (bench.folder / name).read_bytes() == undisturbed_films.movies[name]
        else:
            met += 1
        before = segments(bench)

        again = bench.run(*assemble(name), ok=True)
        said = f"{len(before)} of {SEGMENTS} segments were in the store"
        assert (said in again.stdout + again.stderr) == bool(before), (
            f"turn {turn}: {again.stdout}{again.stderr}"
        )
        taken += len(before)
        assert (bench.folder / name).read_bytes() == undisturbed_films.movies[name]
        assert bench.frames() == frames
        assert bench.orphans() == {}
        assert names_in(bench.folder) == sorted([name, "store", "tiny.py"])
        assert [each for each in names_in(bench.store / "segments") if each.startswith(".")] == []
        assert len(segments(bench)) == SEGMENTS
    assert met, "no kill met the assembly"
    assert taken, "no kill came after a finished segment"
