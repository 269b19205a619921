"""Scripts as strangers write them, unchanged: framepipe's frames are matplotlib's, however they are drawn.

Every other script of ``tests/scripts`` is drawn by two workers. Its movie, one worker, three shards, and a render that is
killed and resumed are tried on some of the scripts each; on all of them with ``FRAMEPIPE_LONG=1``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.corpus import SCRIPTS, Outcome, Stage, difference, frames_of, main_scene
from tests.support.sizes import LONG, all_if_long

#: Random on purpose: their frames are compared with each other, never with matplotlib's.
UNSEEDED = {"unseeded_default_rng", "unseeded_np_random"}
SEED = ("--seed", 20240229)
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))


@dataclass
class Case:
    """One script, its stage, and the frames that are due."""

    name: str
    stage: Stage
    due: list[Path]

    @property
    def options(self) -> tuple[object, ...]:
        which = ("--animation", 1) if self.name == "two_animations" else ()
        return (f"{self.name}.py", *which, *(SEED if self.name in UNSEEDED else ()))

    def make(self, store: str, workers: int) -> Outcome:
        """``framepipe make`` with default options, into a lossless movie."""
        movie, kept = f"{store}.mkv", ("--keep-frames", "--store", store)
        return self.stage.framepipe("make", *self.options, "-o", movie, *kept, "-j", workers)

    def render(self, store: str, workers: int) -> Outcome:
        """``framepipe render`` with default options: the same frames without a movie, in half the time."""
        return self.stage.framepipe("render", *self.options, "--store", store, "-j", workers)

    def check(self, store: str, end: Outcome) -> None:
        """The frames in the store are those that are due."""
        assert end.code == 0, end.text
        assert not (wrong := difference(self.due, frames_of(self.stage.folder / store))), wrong + end.text


Cases = Callable[[str], Case]


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """A script's case, made when a test first asks for it."""
    known: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            stage = Stage(folder / "stage", SCRIPTS / f"{name}.py")
            known[name] = Case(name, stage, [])
            known[name].due = due_frames(known[name])
        return known[name]

    yield case
    for each in known.values():
        each.stage.kill_all()


def due_frames(case: Case) -> list[Path]:
    """Matplotlib's frames; of a script that is random on purpose, framepipe's with one worker."""
    if case.name not in UNSEEDED:
        return main_scene(case.stage.reference())
    end = case.render("one", 1)
    assert end.code == 0, end.text
    return frames_of(case.stage.folder / "one")


def some(turn: int) -> list[str]:
    """Every eighteenth script, others for each turn, or all of them."""
    return NAMES if LONG else NAMES[2 * turn :: 18]


@pytest.mark.parametrize("name", all_if_long(NAMES, *NAMES[::2]))
def test_script_drawn_by_two_workers_is_what_matplotlib_draws(name: str, cases: Cases) -> None:
    case = cases(name)
    assert len(case.due) >= 8
    case.check("two", case.render("two", 2))


@pytest.mark.parametrize("name", some(3))
def test_script_made_into_a_movie_is_what_matplotlib_draws(name: str, cases: Cases) -> None:
    case = cases(name)
    case.check("movie", case.make("movie", 2))
    assert (case.stage.folder / "movie.mkv").exists()


@pytest.mark.parametrize("name", some(0))
def test_script_drawn_by_one_worker_is_what_matplotlib_draws(name: str, cases: Cases) -> None:
    case = cases(name)
    case.check("alone", case.render("alone", 1))


@pytest.mark.parametrize("name", some(1))
def test_script_drawn_in_three_shards_at_once_is_what_matplotlib_draws(name: str, cases: Cases) -> None:
    case = cases(name)
    ends = shards_of(case)
    if "number of frames" in ends[0].text:  # of a script that does not know that
        assert {end.code for end in ends} == {2}
        ends = shards_of(case, "--frames", len(case.due))
    for end in ends:
        assert end.code == 0, end.text
    case.check("shards", ends[-1])


def shards_of(case: Case, *more: object) -> list[Outcome]:
    render = ("-m", "framepipe", "render", *case.options, *more, "--store", "shards", "-j", 1)
    shards = [case.stage.start(*render, "--shard", f"{k}/3") for k in (1, 2, 3)]
    return [case.stage.finish(shard) for shard in shards]


@pytest.mark.parametrize("name", some(2))
def test_script_killed_and_drawn_on_is_what_matplotlib_draws(name: str, cases: Cases) -> None:
    case = cases(name)
    store, movie = case.stage.folder / "killed", ("-o", "killed.mkv", "--keep-frames", "--store", "killed")
    make = case.stage.start("-m", "framepipe", "make", *case.options, *movie, "-j", 2)
    enough = 1 + NAMES.index(name) % 5
    while make.poll() is None and len(frames_of(store)) < enough:
        time.sleep(0.005)
    case.stage.kill_group(make)
    for frame in frames_of(store):  # whole under its name, or not there
        with Image.open(frame) as image:
            image.load()
    case.check("killed", case.make("killed", 2))


def test_each_of_two_animations_of_a_script_becomes_its_own_movie(cases: Cases) -> None:
    case = cases("two_animations")
    end = case.stage.framepipe("make", "two_animations.py", "--all", "-o", "{name}.mkv", "-j", 2)
    assert end.code == 0, end.text
    assert {"ani_wave.mkv", "ani_energy.mkv"} <= {path.name for path in case.stage.folder.glob("*.mkv")}


def test_script_of_several_animations_is_refused_by_their_names_until_one_is_chosen(cases: Cases) -> None:
    end = cases("two_animations").stage.framepipe("make", "two_animations.py", "-o", "any.mkv")
    assert end.code == 2, end.text
    assert "ani_wave" in end.err
    assert "ani_energy" in end.err
    assert "--all" in end.err


def test_second_animation_of_a_script_by_its_name(cases: Cases) -> None:
    case = cases("two_animations")
    due = main_scene(case.stage.reference(animation=2), animation=2)
    chosen = ("--animation", "ani_energy", "--store", "energy", "--engine", "serial")
    end = case.stage.framepipe("render", "two_animations.py", *chosen)
    assert end.code == 0, end.text
    assert not (wrong := difference(due, frames_of(case.stage.folder / "energy"))), wrong


def test_script_takes_what_stands_after_two_dashes(cases: Cases) -> None:
    case, arguments = cases("argparse_defaults"), ("-a", "5", "--frames", "10", "-c", "navy")
    due = main_scene(case.stage.reference(*arguments))
    assert len(due) == 10
    assert difference(due, case.due)
    end = case.stage.framepipe("render", "argparse_defaults.py", "--store", "five", "-j", 1, "--", *arguments)
    assert end.code == 0, end.text
    assert not (wrong := difference(due, frames_of(case.stage.folder / "five"))), wrong


@pytest.mark.parametrize(
    "name",
    all_if_long(
        ["notebook_jshtml", "numbered_savefig", "own_save", "writer_grab_frame"],
        "numbered_savefig",
        "own_save",
    ),
)
def test_what_a_script_would_write_itself_is_not_written(name: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", SCRIPTS / f"{name}.py")
    end = stage.framepipe("render", f"{name}.py", "--store", "frames", "--engine", "serial")
    assert end.code == 0, end.text
    kinds = {".gif", ".mp4", ".png", ".html"}
    pictures = [path for path in stage.folder.rglob("*") if path.suffix in kinds]
    assert [path for path in pictures if path.parent.name != "frames"] == []


def test_rate_of_a_script_s_own_save_is_the_movie_s(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", SCRIPTS / "own_save.py")
    end = stage.framepipe("make", "own_save.py", "-o", "movie.mkv", "--engine", "serial", "--json")
    assert end.code == 0, end.text
    (movie,) = json.loads(end.out)["movies"]
    assert (movie["frames"], movie["duration_s"]) == (12, pytest.approx(12 / 20))  # PillowWriter(fps=20)


def test_another_seed_is_another_film(cases: Cases) -> None:
    case = cases("unseeded_default_rng")
    end = case.stage.framepipe(
        "render", f"{case.name}.py", "--seed", 4, "--store", "other", "--engine", "serial"
    )
    assert end.code == 0, end.text
    assert difference(case.due, frames_of(case.stage.folder / "other"))


def test_reference_is_what_plain_python_saves(tmp_path: Path) -> None:
    """Pillow's APNG keeps every pixel: what the script writes itself is what the reference says."""
    script = tmp_path / "given" / "saves.py"
    script.parent.mkdir()
    text = (SCRIPTS / "sine_blit_init.py").read_text()
    script.write_text(text.replace("plt.show()", "anim.save('saved.apng', writer='pillow', dpi=50)"))
    stage = Stage(tmp_path / "stage", script)
    due = main_scene(stage.reference())
    assert stage.run("saves.py").code == 0
    with Image.open(stage.folder / "saved.apng") as movie:
        assert movie.n_frames == len(due) == 12  # type: ignore[attr-defined]
        for index, path in enumerate(due):
            movie.seek(index)
            assert np.array_equal(np.asarray(movie.convert("RGBA")), np.load(path))


def test_reference_of_numbered_pictures_is_what_plain_python_writes(cases: Cases, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", SCRIPTS / "numbered_savefig.py")
    assert stage.run("numbered_savefig.py").code == 0
    written = sorted((stage.folder / "frames_out").glob("*.png"))
    assert len(written) == 10
    assert not difference(cases("numbered_savefig").due, written)


def test_negative_control_a_wrong_pixel_and_a_missing_frame_are_noticed(cases: Cases, tmp_path: Path) -> None:
    due = cases("row_view").due
    copies = []
    for path in due:
        Image.fromarray(np.load(path)).save(tmp_path / f"{path.stem}.png")
        copies.append(tmp_path / f"{path.stem}.png")
    assert not difference(due, copies)
    assert "13 frames where 14 are due" in difference(due, copies[:-1])
    pixels = np.load(due[5])
    pixels[7, 9, 1] ^= 1
    Image.fromarray(pixels).save(copies[5])
    assert "frame 5 of 14 (000005.png) differs: 1 pixels in rows 7-7" in difference(due, copies)
