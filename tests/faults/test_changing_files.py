"""Files that change: while frames are drawn from them, between two runs, and not really at all."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.job.frames import file_name
from tests.faults.conftest import HOLD, Bench, one_line
from tests.support.forked import run_python
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

FRAMES = 8
VERBS = ("--order", "auto", "--frames", FRAMES, "--store", "store", "-q")
#: Shows the number in ``data.txt``, read anew for each frame or by a function that remembers its result.
READER = (
    """
    import functools
    import os
    import time
    from matplotlib.figure import Figure

    def read(name="data.txt"):
        with open(name) as file:
            return int(file.read())

    @functools.lru_cache
    def read_once():
        with open("data.txt") as file:
            return int(file.read())

    known = []

    def read_and_keep():
        if not known:
            known.append(read())
        return known[0]

    WAYS = {"read": read, "read_once": read_once, "read_and_keep": read_and_keep}

    def draw(number, how="read"):
        with open(os.environ["FB_LOG"], "a") as file:
            file.write(f"{number}\\n")
        shown = WAYS[how]()
        hold(number)
        time.sleep(float(os.environ.get("FB_SLEEP", "0")))
        figure = Figure(figsize=(0.4, 0.4), dpi=50)
        figure.set_facecolor((shown / 255, number / 255, 0))
        return figure
"""
    + HOLD
)
OLD, NEW = 10, 200


def shown_in(store: Path) -> dict[int, int]:
    """By frame, the number that it was drawn from."""
    where = fp.Store(store)
    return {number: int(read_png(where.frame_path(number))[0, 0, 0]) for number in where.numbers()}


def all_show(value: int, count: int = FRAMES) -> dict[int, int]:
    return dict.fromkeys(range(count), value)


def report_of(bench: Bench, verb: str, *args: object, **env: str) -> dict[str, object]:
    """What ``--json`` says of a run that must succeed; `make`'s of its drawing."""
    done = bench.run(verb, *args, "--json", ok=True, **env)
    report = json.loads(done.stdout)
    return report.get("render", report)  # type: ignore[no-any-return]


def write(path: Path, text: object) -> None:
    path.write_text(f"{text}\n")


# --- while frames are drawn ----------------------------------------------------------------------


def replaced(path: Path, text: object) -> None:
    """As editors and ``rsync`` do it: another file takes the name."""
    beside = path.with_suffix(".new")
    write(beside, text)
    beside.rename(path)


def replaced_by_an_older_one(path: Path, text: object) -> None:
    """Which keeps the time at which it was written, long ago."""
    beside = path.with_suffix(".new")
    write(beside, text)
    os.utime(beside, (1e9, 1e9))
    beside.rename(path)


CHANGES: dict[str, Callable[[Path, object], None]] = {
    "written": write,
    "replaced": replaced,
    "replaced by an older one": replaced_by_an_older_one,
}


def with_workers(names: Iterable[str], *usual: tuple[str, int]) -> list[Any]:
    """Each with one worker and with two, where there is time for it."""
    return all_if_long([(name, workers) for name in names for workers in (1, 2)], *usual)


@pytest.mark.parametrize(
    ("change", "workers"), with_workers(CHANGES, ("replaced", 1), ("replaced by an older one", 2))
)
def test_a_file_that_changes_while_frames_are_drawn_from_it_ends_in_one_version(
    bench: Bench, change: str, workers: int
) -> None:
    bench.scene(READER)
    write(bench.folder / "data.txt", OLD)
    render = bench.start("render", "tiny.py:draw", *VERBS, "-j", workers, FB_HOLD="3")
    wait_for(lambda: len(bench.frames()) >= 3)
    CHANGES[change](bench.folder / "data.txt", NEW)
    bench.go_on(range(FRAMES))
    out, err = render.communicate(timeout=PATIENCE_S)
    assert render.returncode == 0, err
    assert "data.txt changed while frames were drawn from it: these were drawn again" in out
    assert shown_in(bench.store) == all_show(NEW)
    assert fp.status(bench.store).complete


@pytest.mark.parametrize(("how", "workers"), with_workers(["read_once", "read_and_keep"], ("read_once", 2)))
def test_a_file_that_is_read_once_and_changes_then_shows_in_no_frame_as_it_was(
    bench: Bench, how: str, workers: int
) -> None:
    """What is remembered in a process is of the old version, though the file is new when the frame is drawn."""
    bench.scene(READER)
    write(bench.folder / "data.txt", OLD)
    arguments = ("render", "tiny.py:draw", *VERBS, "--param", f"how={how}", "-j", workers)
    render = bench.start(*arguments, FB_HOLD="3")
    wait_for(lambda: len(bench.frames()) >= 3)
    write(bench.folder / "data.txt", NEW)
    bench.go_on(range(FRAMES))
    out, err = render.communicate(timeout=PATIENCE_S)
    assert render.returncode == 0, out + err
    assert shown_in(bench.store) == all_show(NEW)
    assert report_of(bench, *arguments)["drawn_count"] == 0


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_movie_made_while_its_data_change_is_of_one_version_and_its_frames_go(
    bench: Bench, workers: int
) -> None:
    bench.scene(READER)
    write(bench.folder / "data.txt", OLD)
    make = bench.start("make", "tiny.py:draw", *VERBS, "-j", workers, "-o", "movie.gif", FB_HOLD="3")
    wait_for(lambda: len(bench.frames()) >= 3)
    write(bench.folder / "data.txt", NEW)
    bench.go_on(range(FRAMES))
    out, err = make.communicate(timeout=PATIENCE_S)
    assert make.returncode == 0, out + err
    with Image.open(bench.folder / "movie.gif") as movie:
        reds = []
        for number in range(movie.n_frames):
            movie.seek(number)
            reds.append(movie.convert("RGB").getpixel((0, 0))[0])
    assert reds == [NEW] * FRAMES
    assert not bench.store.exists()


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_frames_of_a_film_that_never_comes_to_one_version_are_not_deleted(bench: Bench, workers: int) -> None:
    bench.scene(READER)
    write(bench.folder / "data.txt", OLD)
    arguments = ("make", "tiny.py:draw", *VERBS, "-j", workers, "-o", "movie.gif")
    make = bench.start(*arguments, FB_SLEEP="0.1")
    value = 0
    while make.poll() is None:
        replaced(bench.folder / "data.txt", value := (value + 1) % 250)
        time.sleep(0.05)
    _, err = make.communicate()
    assert make.returncode == 3, err
    assert "data.txt changed" in err
    assert not (bench.folder / "movie.gif").exists()
    assert set(bench.frames()) == {file_name(number) for number in range(FRAMES)}


# --- between two runs ----------------------------------------------------------------------------

SCENE = """
    '''What this script is about.'''
    import os
    from pathlib import Path

    from matplotlib import pyplot as plt

    import helper
    import settings

    LEVEL = 3  # of grey

    def draw(number):
        '''Draw a frame.'''
        with open(os.environ["FB_LOG"], "a") as file:
            file.write(f"{number}\\n")
        with plt.style.context("own.mplstyle"):
            fig = plt.figure(figsize=(0.8, 0.6), dpi=50)
            fig.text(0.1, 0.5, str(number), font=Path("own.ttf"))
            value = int(Path("data.txt").read_text()) + helper.shade(number) + settings.LEVEL + LEVEL
            fig.set_facecolor((value / 255, 0.5, float(os.environ.get("BLUE", "0"))))
        return fig

    def never_called(number):
        return number + 1
"""
HELPER = """
    def shade(number):
        return 2 * number

    def of_another_script(number):
        return 3 * number
"""
SETTINGS = "LEVEL = 20\n"
JOB = ("render", "tiny.py:draw", "--frames", 3, "--store", "store", "--env", "BLUE", "-q")
#: Where nothing is to be drawn, no process is started that could.
DRAWING, LOOKING = ("-j", 1), ("--engine", "serial")


def fonts() -> Path:
    return Path(matplotlib.get_data_path(), "fonts", "ttf")


def put_up(bench: Bench) -> None:
    """All files as they are in the beginning."""
    bench.scene(SCENE)
    bench.scene(HELPER, "helper.py")
    bench.scene(SETTINGS, "settings.py")
    write(bench.folder / "data.txt", OLD)
    write(bench.folder / "own.mplstyle", "lines.linewidth: 3")
    shutil.copyfile(fonts() / "DejaVuSans.ttf", bench.folder / "own.ttf")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A finished render, in which nobody draws again."""
    folder = tmp_path_factory.mktemp("changing") / "bench"
    folder.mkdir()
    bench = Bench(folder)
    put_up(bench)
    bench.run(*JOB, *DRAWING, "--order", "auto", ok=True)
    yield bench
    bench.close()


@pytest.fixture
def finished(once: Bench) -> Iterator[Bench]:
    once.log.unlink(missing_ok=True)
    yield once
    put_up(once)


def change(bench: Bench, name: str, old: str, new: str) -> None:
    text = (bench.folder / name).read_text()
    assert old in text
    (bench.folder / name).write_text(text.replace(old, new))


def touch(bench: Bench) -> None:
    later = time.time() + 100
    for path in bench.folder.glob("*.*"):
        os.utime(path, (later, later))


NOTHING: dict[str, Callable[[Bench], None]] = {
    "all files touched": touch,
    "all files written anew": put_up,
    "a comment": lambda bench: change(bench, "tiny.py", "# of grey", "# between black and white"),
    "a docstring": lambda bench: change(bench, "tiny.py", "'''Draw a frame.'''", "'''Draw one frame.'''"),
    "the script's docstring": lambda bench: change(bench, "tiny.py", "is about", "does"),
    "an unused function": lambda bench: change(bench, "tiny.py", "number + 1", "number + 2"),
    "an unused function of a helper": lambda bench: change(bench, "helper.py", "3 * number", "4 * number"),
    "a file that nobody reads": lambda bench: write(bench.folder / "other.txt", "new"),
}
CHANGED: dict[str, tuple[str, Callable[[Bench], None]]] = {
    "the function": ("tiny.py", lambda bench: change(bench, "tiny.py", "0.5, str", "0.4, str")),
    "a constant": ("tiny.py", lambda bench: change(bench, "tiny.py", "LEVEL = 3", "LEVEL = 4")),
    "a helper's function": (
        "helper.py",
        lambda bench: change(bench, "helper.py", "2 * number", "5 * number"),
    ),
    "a module's constant": ("settings.py", lambda bench: change(bench, "settings.py", "20", "21")),
    "a style sheet": ("own.mplstyle", lambda bench: write(bench.folder / "own.mplstyle", "font.size: 7")),
    "a font": (
        "own.ttf",
        lambda bench: shutil.copyfile(fonts() / "DejaVuSerif.ttf", bench.folder / "own.ttf") and None,
    ),
    "data": ("data.txt", lambda bench: write(bench.folder / "data.txt", OLD + 1)),
    "data that are gone": ("data.txt", lambda bench: (bench.folder / "data.txt").unlink()),
}


@pytest.mark.parametrize("edit", NOTHING)
def test_what_changes_no_picture_costs_nothing(finished: Bench, edit: str) -> None:
    NOTHING[edit](finished)
    assert fp.status(finished.store).complete
    done = finished.run(*JOB, *LOOKING, "--stale", "error", ok=True)
    assert "0 frames drawn, 3 were done" in done.stdout
    assert finished.draws() == []


@pytest.mark.parametrize("edit", CHANGED)
def test_what_changes_a_picture_is_seen_and_named(finished: Bench, edit: str) -> None:
    name, change_it = CHANGED[edit]
    change_it(finished)
    if edit != "data that are gone":  # the store may have been copied without them
        status = finished.run("status", "store")
        assert status.returncode == 3
        assert f"stale: 0-2: {name} changed" in status.stdout
    done = finished.run(*JOB, *LOOKING, "--stale", "error")
    assert done.returncode == 3
    assert name in done.stderr
    assert finished.draws() == []


def test_a_variable_that_was_named_counts(finished: Bench) -> None:
    finished.run(*JOB, *LOOKING, "--stale", "error", ok=True)
    done = finished.run(*JOB, *LOOKING, "--stale", "error", BLUE="0.5")
    assert done.returncode == 3
    assert "BLUE" in done.stderr
    assert finished.draws() == []


def test_what_is_undone_is_as_good_as_before(finished: Bench) -> None:
    for _, change_it in CHANGED.values():
        change_it(finished)
        put_up(finished)
    assert fp.status(finished.store).complete


@pytest.mark.parametrize("edit", ["a helper's function", "a style sheet", "a font", "data"])
def test_after_an_edit_frames_are_those_of_a_new_render(bench: Bench, edit: str) -> None:
    put_up(bench)
    job = (*JOB, *DRAWING, "--order", "auto")
    bench.run(*job, ok=True)
    before = bench.frames()
    CHANGED[edit][1](bench)
    report = report_of(bench, *job)
    assert report["drawn_count"] == 3
    assert list(report["redrawn"].values()) == [3]  # type: ignore[attr-defined]
    shutil.copytree(bench.store, bench.folder / "first")
    shutil.rmtree(bench.store)
    bench.run(*JOB, *LOOKING, "--order", "auto", ok=True)
    for number in range(3):
        name = file_name(number)
        again = read_png(bench.folder / "first" / name)
        assert (again == read_png(bench.store / name)).all()
    assert fp.status(bench.folder / "first").complete
    assert edit == "a style sheet" or before != bench.frames()


def test_what_one_process_has_drawn_becomes_stale_as_well(bench: Bench) -> None:
    put_up(bench)
    change(bench, "settings.py", "20", "int(open('level.txt').read())")  # read when the script is loaded
    write(bench.folder / "level.txt", 20)
    bench.run(*JOB, "--engine", "serial", ok=True)
    write(bench.folder / "level.txt", 21)
    assert dict(fp.status(bench.store).stale) == dict.fromkeys(range(3), "level.txt changed")
    shutil.rmtree(bench.store)
    put_up(bench)
    bench.run(*JOB, "--engine", "serial", ok=True)
    for edit in ("a style sheet", "a font", "data", "a helper's function"):
        name, change_it = CHANGED[edit]
        change_it(bench)
        assert dict(fp.status(bench.store).stale) == dict.fromkeys(range(3), f"{name} changed")
        put_up(bench)
        assert fp.status(bench.store).complete


def test_a_program_that_draws_by_itself_reads_for_itself_too(bench: Bench) -> None:
    bench.scene(
        """
        import framepipe as fp
        from pathlib import Path
        from matplotlib.figure import Figure

        def draw(number):
            figure = Figure(figsize=(0.4, 0.4), dpi=50)
            figure.set_facecolor((int(Path("data.txt").read_text()) / 255, 0, 0))
            return figure

        log = []

        def tell(progress):
            log.append(open("own.txt"))

        fp.render(draw, 3, store="store", engine="serial", progress=tell)
        """,
        "program.py",
    )
    for name in ("data.txt", "own.txt"):
        write(bench.folder / name, OLD)
    done = run_python(["program.py"], bench.folder, {})
    assert done.returncode == 0, done.stderr
    write(bench.folder / "own.txt", NEW)
    assert fp.status(bench.store).complete
    write(bench.folder / "data.txt", NEW)
    assert dict(fp.status(bench.store).stale) == dict.fromkeys(range(3), "data.txt changed")


@pytest.mark.parametrize("how", [("-j", 2), ("--engine", "serial")])
def test_a_file_of_one_frame_makes_only_that_frame_stale(bench: Bench, how: tuple[object, ...]) -> None:
    bench.scene(READER.replace("WAYS[how]()", 'read(f"d{number}.txt")'))
    for number in range(FRAMES):
        write(bench.folder / f"d{number}.txt", OLD + number)
    arguments = ("render", "tiny.py:draw", *VERBS, *how)
    bench.run(*arguments, ok=True)
    write(bench.folder / "d5.txt", NEW)
    assert dict(fp.status(bench.store).stale) == {5: "d5.txt changed"}
    report = report_of(bench, *arguments)
    assert report["drawn"] == "5"
    assert report["redrawn"] == {"stale: d5.txt changed": 1}
    assert shown_in(bench.store) == {number: OLD + number for number in range(FRAMES)} | {5: NEW}


# --- stores: what does not belong together does not meet -----------------------------------------

PLAIN = ("tiny.py:draw", "--frames", 30, "--engine", "serial", "-q")


def test_a_preview_leaves_a_finished_render_as_it_is(bench: Bench) -> None:
    bench.run("render", *PLAIN, ok=True)
    store = bench.folder / "frames" / "tiny-draw"
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    assert len(fp.status(store).done) == 30
    bench.run("make", *PLAIN, "--dpi", 40, "--every", 5, "-o", "preview.mp4", ok=True)
    assert (bench.folder / "preview.mp4").exists()
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


def test_drawing_at_another_dpi_over_a_store_that_was_named_is_refused_with_both_ways_out(
    bench: Bench,
) -> None:
    arguments = ("tiny.py:draw", "--frames", 4, "--store", "store", "--engine", "serial", "-q")
    bench.run("render", *arguments, ok=True)
    before = bench.frames()
    for verb in (("render",), ("make", "-o", "small.gif")):
        done = bench.run(*verb, *arguments, "--dpi", 40)
        assert done.returncode == 3
        assert "4 finished frames" in (message := one_line(done.stderr))
        assert "another --store" in message and "--stale draw" in message
        assert bench.frames() == before
    bench.run("render", *arguments, "--dpi", 40, "--store", "small", ok=True)
    assert bench.frames() == before
    bench.run("render", *arguments, "--dpi", 40, "--stale", "draw", ok=True)
    assert [*bench.frames()] == [*before] and bench.frames() != before


def test_other_parameters_over_a_store_that_was_named_are_refused(bench: Bench) -> None:
    arguments = ("render", "tiny.py:draw", "--frames", 4, "--store", "store", "--engine", "serial", "-q")
    bench.run(*arguments, ok=True)
    before = bench.frames()
    done = bench.run(*arguments, "--param", "amp=5")
    assert done.returncode == 3
    assert "other parameters" in done.stderr and "--stale draw" in done.stderr
    assert bench.frames() == before


def test_make_deletes_of_a_store_that_render_began_only_what_it_drew(bench: Bench) -> None:
    arguments = ("tiny.py:draw", "--store", "store", "--engine", "serial", "-q")
    bench.run("render", *arguments, "--frames", 4, ok=True)
    before = bench.frames()
    bench.run("make", *arguments, "--frames", 7, "-o", "movie.gif", ok=True)
    assert bench.frames() == before
    bench.run("make", *arguments, "--frames", 4, "-o", "movie.gif", ok=True)
    assert bench.frames() == before
    another = ("tiny.py:draw", "--store", "new", "--engine", "serial", "-q")
    bench.run("make", *another, "--frames", 4, "-o", "movie.gif", ok=True)
    assert not (bench.folder / "new").exists()


def test_two_scripts_of_one_name_do_not_meet(bench: Bench) -> None:
    for folder, level in (("a", OLD), ("b", NEW)):
        (bench.folder / folder).mkdir()
        text = READER.replace("WAYS[how]()", str(level))
        (bench.folder / folder / "film.py").write_text(bench.scene(text).read_text())
    for folder in "ab":
        bench.run("render", f"{folder}/film.py:draw", "--frames", 2, "--engine", "serial", "-q", ok=True)
    stores = sorted((bench.folder / "frames").iterdir())
    assert sorted(shown_in(store)[0] for store in stores) == [OLD, NEW]
    assert [fp.status(store).done for store in stores] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("suffix", ["gif", "mp4", "html"])
def test_a_pipe_as_output_is_refused_before_anything_is_drawn(bench: Bench, suffix: str) -> None:
    path = bench.folder / f"movie.{suffix}"
    os.mkfifo(path)
    done = bench.run("make", "tiny.py:draw", "--frames", 3, "--store", "store", "-q", "-o", path.name)
    assert done.returncode == 2
    assert f"movie.{suffix}" in one_line(done.stderr)
    assert bench.draws() == [] and not bench.store.exists()
    assert path.is_fifo()
