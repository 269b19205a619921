"""A script of the user's runs as ``python SCRIPT.py`` would run it, and the film in it is found."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from tests.support.forked import run_python
from tests.support.sizes import all_if_long

RUNNING = Path(__file__).with_name("running.py")
HEAD = """
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation
fig = plt.figure(figsize=(1, 0.5), dpi=40)
def shade(k): fig.set_facecolor((k / 255, k / 255, k / 255))
"""


class Result(dict):
    @property
    def names(self):
        return [each["name"] for each in self["animations"]]

    @property
    def film(self):
        return self["series"][0]


@pytest.fixture
def run(tmp_path):
    """Runs the lines of a script, or the file that it is given, in ``tmp_path``."""
    beside = tmp_path.parent / f"{tmp_path.name}-told"
    beside.mkdir()

    def run_it(text=None, *arguments, name="x.py", how="run", options=(), head=HEAD, **env):
        if text is not None:
            tmp_path.joinpath(name).write_text(head + textwrap.dedent(text))
        report = beside / "report.json"
        done = run_python([RUNNING, report, how, *options, name, *arguments], tmp_path, env)
        assert done.returncode == 0, done.stderr
        result = Result(json.loads(report.read_text()))
        result["stdout"], result["stderr"] = done.stdout, done.stderr
        return result

    return run_it


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".py")


# As python SCRIPT.py


def as_python(tmp_path, *arguments, name="x.py"):
    done = subprocess.run(
        [sys.executable, "-B", name, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_script_sees_what_it_sees_under_python(tmp_path, run):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "beside.py").write_text("WORD = 'from beside'\n")
    text = """
        import os, pickle, sys
        from dataclasses import dataclass
        import __main__
        import beside
        @dataclass
        class Point:
            x: int = 3
        def again(): return pickle.loads(pickle.dumps(Point(4)))
        print(__name__, __file__, sys.argv, sys.path[0], os.getcwd(), __package__, __spec__, beside.WORD)
        print(again(), __main__.Point is Point, sys.modules["__main__"].__dict__ is again.__globals__)
        print(sorted(globals()))
    """
    (tmp_path / "lib" / "x.py").write_text(textwrap.dedent(text))
    result = run(None, "--size", "7", name="lib/x.py")
    assert result["stdout"] == as_python(tmp_path, "--size", "7", name="lib/x.py")
    assert "__main__ " in result["stdout"]
    assert not (tmp_path / "lib" / "__pycache__").exists()


def test_the_scripts_module_stays_main_and_guarded_code_runs(run):
    result = run("""
        import atexit, sys
        later = 5
        def tell(): print("later", later, sys.modules["__main__"].later)
        if __name__ == "__main__":
            later = 6
            atexit.register(tell)
    """)
    assert result["stdout"] == "later 6 6\n"


@pytest.mark.parametrize(
    "data",
    [
        b"# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n",
        b"\xef\xbb\xbfprint(ascii('\xc3\xa9'))\n",
        b"print(ascii('\xc3\xa9'))\r\n",
    ],
    ids=["latin-1", "BOM", "CRLF"],
)
def test_a_script_is_in_the_encoding_that_it_names(tmp_path, run, data):
    (tmp_path / "x.py").write_bytes(data)
    assert run()["stdout"] == "'\\xe9'\n"


def test_guarded_code_of_an_imported_script_does_not_run(run):
    result = run(
        """
        anim = FuncAnimation(fig, shade, 3)
        if __name__ == "__main__": raise RuntimeError
        anim.save("a.mp4", fps=7)
        """,
        how="import",
    )
    assert result.names == ["anim"]
    assert result["animations"][0]["saves"][0]["fps"] == 7


# How scripts end


@pytest.mark.parametrize(
    "end",
    all_if_long(
        ["raise SystemExit", "sys.exit()", "sys.exit(0)", "exit(False)"], "raise SystemExit", "exit(False)"
    ),
)
def test_an_exit_with_code_0_is_no_failure(run, end):
    result = run(f"import sys\nanim = FuncAnimation(fig, shade, 3)\n{end}\nraise RuntimeError")
    assert result.names == ["anim"]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("sys.exit(3)", "x.py ended with exit code 3 in line 7"),
        ("sys.exit('no data')", "x.py ended in line 7: no data"),
    ],
)
def test_another_exit_is_told_with_its_line(run, end, message):
    assert run(f"import sys\n{end}")["error"] == message


def test_arguments_that_the_script_refuses_are_told_in_its_own_words(run):
    text = """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--steps", type=int, required=True)
        steps = parser.parse_args().steps
        anim = FuncAnimation(fig, shade, steps)
    """
    error = run(text)["error"]
    assert error == (
        "x.py refuses its arguments:\nusage: x.py [-h] --steps STEPS\n\n".replace("\n\n", "\n")
        + "x.py: error: the following arguments are required: --steps\n"
        "Put the script's own arguments after --:  framepipe make x.py -o film.mp4 -- …"
    )
    assert run(text, "--steps", "4")["animations"][0]["frames"] == 4


def test_an_error_shows_the_users_lines_and_no_others(run):
    error = run("""
        import numpy as np
        def load(): return np.reshape(np.arange(3), (2, 2))
        load()
    """)["error"]
    assert error.startswith("x.py cannot be loaded: ValueError: cannot reshape array of size 3")
    assert "in load" in error
    assert "def load(): return np.reshape" in error
    assert "framepipe" not in error
    assert "site-packages" not in error


def test_a_syntax_error_shows_its_line(run):
    error = run("def f(:\n    pass")["error"]
    assert "x.py cannot be loaded: SyntaxError" in error
    assert "def f(:" in error


def test_ctrl_c_passes(run):
    assert run("raise KeyboardInterrupt")["error"] == "KeyboardInterrupt"


def test_a_script_that_is_not_there_is_no_such_script(tmp_path, run):
    assert run(name="y.py")["error"] == "no such script: y.py"
    (tmp_path / "d").mkdir()
    assert run(name="d")["error"] == "d is a folder: name the script in it"


def test_a_relative_path_that_misses_tells_the_working_folder(tmp_path, run):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "x.py").write_text("open('data.txt')\n")
    error = run(name="lib/x.py")["error"]
    assert error.endswith(f"'data.txt' was looked for in the working folder, {tmp_path}")
    (tmp_path / "lib" / "data.txt").write_text("")
    error = run(name="lib/x.py")["error"]
    assert error.endswith(f"It exists beside the script: run framepipe from {tmp_path / 'lib'}")


def test_a_script_that_makes_its_movie_by_framepipe_is_to_be_run_with_python(run):
    error = run("import framepipe as fp\nfp.make(shade, 3, 'm.gif')")["error"]
    assert error == (
        "x.py calls framepipe.make while it is loaded: it makes its movie itself, run it as:  python x.py"
    )


# What is held back


def test_saves_write_nothing_and_are_known_with_all_that_was_said(tmp_path, run):
    result = run("""
        from matplotlib import animation
        a = FuncAnimation(fig, shade, 3)
        b = FuncAnimation(fig, shade, 3)
        a.save("a.mp4", fps=30, dpi=80, codec="libx264", bitrate=900, extra_args=["-crf", 18],
               metadata={"title": "A"}, savefig_kwargs={"facecolor": "red"}, extra_anim=[b])
        a.save("a.gif", animation.PillowWriter(fps=20, metadata={"artist": "me"}))
        a.save("b.mp4", writer=animation.FFMpegWriter(fps=15, bitrate=1800, extra_args=["-an"]))
        plt.rcParams["savefig.dpi"] = 70
        a.save("c.gif", "imagemagick")
    """)
    assert result.names == ["a"], "b is played in a"
    first, pillow, ffmpeg, named = result["animations"][0]["saves"]
    assert first == {
        "method": "save",
        "filename": "a.mp4",
        "writer": "",
        "fps": 30,
        "dpi": 80,
        "codec": "libx264",
        "bitrate": 900,
        "extra_args": ["-crf", "18"],
        "metadata": {"title": "A"},
        "savefig_kwargs": {"facecolor": "red"},
        "extra_anim": 1,
    }
    assert (pillow["writer"], pillow["fps"], pillow["metadata"]) == ("pillow", 20, {"artist": "me"})
    assert (pillow["dpi"], pillow["codec"], pillow["bitrate"]) == (None, None, None)
    assert (ffmpeg["writer"], ffmpeg["bitrate"], ffmpeg["extra_args"]) == ("ffmpeg", 1800, ["-an"])
    assert (named["writer"], named["fps"], named["dpi"]) == ("imagemagick", None, 70)
    assert result["saved"] == [f"save({name!r})" for name in ("a.mp4", "a.gif", "b.mp4", "c.gif")]
    assert files(tmp_path) == []
    assert result["notes"][0].endswith("and 1 more were not run: framepipe builds the movie")


def test_html_of_an_animation_is_a_text_without_a_movie(tmp_path, run):
    result = run("""
        anim = FuncAnimation(fig, shade, 3)
        for html in (anim.to_jshtml(fps=9), anim.to_html5_video()):
            assert isinstance(html, str) and len(html) < 100
        plt.rcParams["animation.html"] = "jshtml"
        anim._repr_html_()
    """)
    assert [save["method"] for save in result["animations"][0]["saves"]] == [
        "to_jshtml",
        "to_html5_video",
        "to_jshtml",
    ]
    assert result["animations"][0]["saves"][0]["fps"] == 9


def test_animations_that_nobody_keeps_stay_alive_without_a_warning(run):
    result = run("""
        import gc
        def main(): FuncAnimation(fig, shade, 3)
        main()
        gc.collect()
    """)
    assert [(each["name"], each["frames"]) for each in result["animations"]] == [("", 3)]
    assert "deleted without rendering" not in result["stderr"]


def test_a_script_that_reads_its_own_movie_ends_there(run):
    result = run("""
        anim = FuncAnimation(fig, shade, 3)
        anim.save("a.gif")
        data = open("a.gif", "rb").read()
    """)
    assert result.names == ["anim"]
    assert "it stopped in line 9: FileNotFoundError" in result["notes"][-1]


# There is no screen


@pytest.mark.parametrize(
    "backend", all_if_long(["TkAgg", "Qt5Agg", "module://none.of.ours"], "Qt5Agg", "module://none.of.ours")
)
def test_toolkits_are_not_needed(run, backend):
    result = run(
        f"""
        import matplotlib
        matplotlib.use({backend!r})
        import matplotlib.pyplot as plt
        plt.switch_backend({backend!r})
        from pylab import *
        fig = figure()
        assert type(fig.canvas).__name__ == "FigureCanvasAgg"
        anim = matplotlib.animation.FuncAnimation(fig, print, 3)
        """,
        head="import matplotlib.animation\n",
    )
    assert result.names == ["anim"]


def test_a_backend_of_the_environment_is_not_needed(tmp_path):
    (tmp_path / "x.py").write_text(HEAD + "for k in range(2): plt.pause(0.1)\n")
    subprocess.run(
        [sys.executable, str(RUNNING), "report", "run", "x.py"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "module://none.of.ours"},
        check=True,
    )
    assert json.loads((tmp_path / "report").read_text())["choice"] == "plt.pause, 2 frames"


def test_windows_and_events_do_nothing_and_do_not_wait(run):
    result = run("""
        anim = FuncAnimation(fig, shade, 3)
        manager = plt.get_current_fig_manager()
        manager.window.showMaximized()
        manager.window.wm_geometry("+10+10")
        manager.resize(*manager.window.maxsize())
        manager.frame.Maximize(True)
        manager.full_screen_toggle()
        manager.set_window_title("a")
        fig.canvas.manager.set_window_title("b")
        fig.canvas.mpl_connect("key_press_event", print)
        fig.show()
        plt.ion(); plt.show(); plt.show(block=True); plt.draw(); plt.pause(1000)
        fig.canvas.start_event_loop(1000)
        assert plt.ginput(1, timeout=-1) == []
        assert plt.waitforbuttonpress() is True
    """)
    assert result.names == ["anim"]
    assert result["stderr"] == ""


# Frames of a loop


def test_a_loop_of_pauses_is_a_film(run):
    result = run("""
        for k in range(4):
            shade(10 + k)
            plt.pause(0.05)
        plt.show()
    """)
    assert result["levels"] == {"plt.pause": [10, 11, 12, 13]}
    assert (result.film["kind"], result.film["frames"], result.film["interval_s"]) == ("screen", 4, 0.05)
    assert result["choice"] == "plt.pause, 4 frames"


@pytest.mark.parametrize(
    "show",
    [
        "fig.canvas.draw(); fig.canvas.flush_events()",
        "fig.canvas.draw_idle(); fig.canvas.flush_events(); plt.pause(0.1)",
        "plt.draw(); plt.pause(0.1); fig.canvas.flush_events()",
        "fig.canvas.draw(); fig.canvas.start_event_loop(0.1)",
        "plt.pause(0.1); plt.savefig('a.pdf')",
        "plt.waitforbuttonpress(0.1)",
    ],
)
def test_whatever_shows_the_figure_makes_one_frame(run, show):
    result = run(f"""
        plt.ion()
        for k in range(3):
            shade(10 + k)
            {show}
    """)
    assert result["levels"] == {"plt.pause": [10, 11, 12]}


def test_a_pause_without_a_change_holds_the_picture(run):
    result = run("""
        for k in (10, 11, 11):
            shade(11) if k == 11 else shade(k)
            plt.pause(0.1)
        plt.pause(0.1)
    """)
    assert result["levels"] == {"plt.pause": [10, 11, 11, 11]}


def test_a_loop_that_never_ends_ends_with_the_last_frame_that_is_wanted(run):
    result = run(
        """
        k = 0
        while plt.fignum_exists(fig.number):
            shade(k)
            k += 1
            try:
                plt.pause(0.01)
            except Exception:
                pass
        """,
        options=("--limit", "5"),
    )
    assert result["levels"] == {"plt.pause": [0, 1, 2, 3, 4]}
    assert result.film["frames"] == 5


def test_what_drawing_would_leave_behind_is_there_though_nothing_was_drawn(run):
    """Limits that follow the data are those of the frame at which they were shown."""
    text = """
        ax = fig.add_subplot()
        line, = ax.plot([0, 1], [0, 1])
        limits = []
        for k in range(4):
            line.set_data([0, k + 1], [0, k + 1])
            ax.relim(); ax.autoscale_view()
            {}
            if k == 2: ax.set_autoscale_on(False)
            limits.append(ax.get_xlim()[1])
        print(limits)
    """
    shown = run(text.format("plt.pause(0.1)"))
    drawn = run(text.format("fig.canvas.draw()"))
    assert shown["stdout"] == drawn["stdout"]
    assert len(shown["levels"]["plt.pause"]) == 4


@pytest.mark.parametrize(
    "writer",
    all_if_long(["ffmpeg", "imagemagick", "pillow", "html", "ffmpeg_file"], "imagemagick", "pillow", "html"),
)
def test_what_a_writer_grabs_is_a_frame_whatever_is_installed(tmp_path, run, writer):
    suffix = {"html": "html", "pillow": "gif"}.get(writer, "mp4")
    result = run(
        f"""
        from matplotlib import animation
        writer = animation.writers[{writer!r}](fps=15, metadata={{"title": "T"}})
        with writer.saving(fig, "m.{suffix}", 80):
            for k in range(3):
                shade(10 + k)
                writer.grab_frame(transparent=False)
        """,
        PATH="/nowhere",
    )
    name = f"m.{suffix}"
    assert result["levels"] == {name: [10, 11, 12]}
    assert result["sizes"] == {name: [80, 40]}
    assert (result.film["fps"], result.film["dpi"], result.film["metadata"]) == (15, 80, {"title": "T"})
    assert files(tmp_path) == []
    assert result["notes"] == [f"{name} was not written: framepipe builds the movie"]


def test_a_writer_set_up_by_hand_or_of_the_users_own_class_grabs_too(tmp_path, run):
    result = run("""
        from matplotlib.animation import FFMpegWriter
        class Fast(FFMpegWriter):
            def grab_frame(self, **options): self._proc.stdin.write(self.fig.canvas.tostring_argb())
        writer = Fast(fps=5)
        writer.setup(fig, "m.mp4")
        for k in range(3):
            shade(10 + k)
            writer.grab_frame()
        writer.finish()
    """)
    assert result["levels"] == {"m.mp4": [10, 11, 12]}
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "save",
    [
        "plt.savefig(f'frame{k:03d}.png')",
        "fig.savefig('frame%d.jpg' % k, dpi=60)",
        "fig.savefig(Path('out') / f'{k}.png', bbox_inches='tight')",
        "plt.savefig('frame' + str(k))",
        "plt.savefig(f'frame{k}', format='png')",
        "plt.savefig(f'step{k}_t{k / 10:.2f}.png'); plt.pause(0.1)",
        "plt.savefig(f'frame{k}.png'); plt.savefig(f'frame{k}.pdf')",
    ],
)
def test_numbered_pictures_are_frames_and_are_not_written(tmp_path, run, save):
    (tmp_path / "out").mkdir()
    result = run(f"""
        from pathlib import Path
        for k in range(4):
            shade(10 + k)
            {save}
    """)
    assert list(result["levels"].values()) == [[10, 11, 12, 13]]
    assert result.film["kind"] == "files"
    assert [name for name in files(tmp_path) if not name.endswith(".pdf")] == ["out"]
    assert files(tmp_path / "out") == []
    assert "4 pictures were not written: they are frames" in result["notes"][0]


def test_new_figures_of_a_loop_are_frames_as_they_were_when_saved(run):
    result = run("""
        for k in range(3):
            figure, ax = plt.subplots(figsize=(1, 1), facecolor=str((10 + k) / 255))
            plt.savefig(f"f{k}.png")
            plt.close(figure)
    """)
    assert result["levels"] == {"f#.png": [10, 11, 12]}


def test_pictures_that_are_no_frames_are_written(tmp_path, run):
    result = run("""
        shade(10)
        plt.savefig("first.png")
        plt.savefig("figure1.png")
        plt.savefig("figure2.pdf"); plt.savefig("figure3.pdf")
        shade(11)
        anim = FuncAnimation(fig, shade, 3)
        plt.savefig("a1.png"); plt.savefig("a2.png")
    """)
    assert result.names == ["anim"]
    assert files(tmp_path) == ["a1.png", "a2.png", "figure1.png", "figure2.pdf", "figure3.pdf", "first.png"]
    assert result["levels"] == {}
    assert result["notes"] == []


def test_a_single_numbered_picture_can_be_read_at_once(run):
    result = run("""
        shade(10)
        plt.savefig("figure1.png")
        image = plt.imread("figure1.png")
        anim = FuncAnimation(fig, shade, 3)
    """)
    assert result.names == ["anim"]


@pytest.mark.parametrize(
    "take",
    [
        "buffer = io.BytesIO(); fig.savefig(buffer, format='png'); pictures.append(buffer.getvalue())",
        "fig.canvas.draw(); pictures.append(bytes(np.asarray(fig.canvas.buffer_rgba())))",
        "fig.canvas.draw(); fig.canvas.buffer_rgba(); pictures.append(fig.canvas.tostring_argb())",
        "pictures.append(fig.canvas.print_to_buffer()[0])",
        "pictures.append(taken(fig))",
    ],
)
def test_pictures_in_memory_are_frames_and_the_script_has_them_too(run, take):
    result = run(f"""
        import io
        import numpy as np
        pictures = []
        def taken(figure):
            figure.canvas.draw()
            return bytes(figure.canvas.buffer_rgba())
        for k in range(3):
            shade(10 + k)
            {take}
        print(len(set(pictures)))
    """)
    assert list(result["levels"].values()) == [[10, 11, 12]]
    assert result.film["kind"] == "memory"
    assert result["stdout"] == "3\n"


def test_a_single_picture_in_memory_is_no_frame(run):
    result = run("""
        import io
        fig.savefig(io.BytesIO())
        def draw(i, size=1): pass
    """)
    assert result["levels"] == {}
    assert "made one figure and no animation" in result["error"]


def test_a_script_that_puts_its_pictures_together_afterwards_ends_there(tmp_path, run):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "convert").write_text("#!/bin/sh\necho convert ran >&2\n")
    (tmp_path / "bin" / "convert").chmod(0o755)
    result = run(
        """
        import os, subprocess
        from PIL import Image
        names = []
        def draw_all():
            for k in range(3):
                shade(10 + k)
                names.append(f"f{k}.png")
                plt.savefig(names[-1])
            os.system("convert -delay 5 f*.png a.gif")
            subprocess.run(["convert", "f*.png", "b.gif"], check=True)
            subprocess.run("convert c.gif", shell=True)
            return [Image.open(name) for name in names]
        draw_all()
        """,
        PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    )
    assert result["levels"] == {"f#.png": [10, 11, 12]}
    assert result["stderr"] == "convert ran\n" * 3
    notes = "\n".join(result["notes"])
    assert "'convert -delay 5 f*.png a.gif' was run as the script asked" in notes
    assert "'convert c.gif' was run as the script asked" in notes
    assert "it stopped in line 18: FileNotFoundError" in notes


@pytest.mark.parametrize(
    "text",
    [
        """
        for k in range(9):
            shade(k)
            plt.savefig(f"f{k}.png")
            if k == 4: open("missing.txt")
        """,
        """
        def film():
            for k in range(3): plt.savefig(f"f{k}.png")
            raise ValueError("halfway")
        for part in range(2): film()
        """,
        """
        plt.savefig("figure1.png")
        raise ValueError("no frames yet")
        """,
    ],
    ids=["in the loop", "in an outer loop", "one picture"],
)
def test_a_loop_that_breaks_off_is_a_failure_not_a_short_film(run, text):
    error = run(text)["error"]
    assert "x.py cannot be loaded" in error
    assert "framepipe did not write f" in error


def test_processes_that_the_script_forks_write_their_own_pictures(tmp_path, run):
    result = run("""
        from multiprocessing import get_context
        def draw(k):
            shade(k)
            plt.savefig(f"f{k}.png")
        if __name__ == "__main__":
            with get_context("fork").Pool(1) as pool: pool.map(draw, range(3))
    """)
    assert files(tmp_path) == ["f0.png", "f1.png", "f2.png"]
    assert "If draw draws one frame:  framepipe make x.py:draw --frames 100" in result["error"]


def test_frames_beside_an_animation_are_left_out_and_told(run):
    result = run("""
        for k in range(3):
            shade(k)
            plt.pause(0.1)
        anim = FuncAnimation(fig, shade, 3)
        plt.pause(0.1)
    """)
    assert result.names == ["anim"]
    assert result["series"] == []
    assert result["notes"] == ["the 3 frames of plt.pause are left out: the animation is the film"]


def test_frames_come_as_they_were_saved_and_it_is_told(run):
    result = run("""
        for k in (0, 2, 1):
            shade(k)
            plt.savefig(f"f{k}.png")
    """)
    assert result["levels"] == {"f#.png": [0, 2, 1]}
    assert result["notes"][1] == (
        "f#.png: the numbers do not rise (f2.png, then f1.png); frames come as they were saved"
    )


def test_several_films_of_one_script_are_listed(run):
    text = """
        other = plt.figure(figsize=(1, 1))
        for k in range(3):
            fig.savefig(f"a{k}.png"); other.savefig(f"b{k}.png")
    """
    error = run(text)["error"]
    assert error.startswith(
        "x.py makes frames in several ways:\n  1  a#.png, 3 frames\n  2  b#.png, 3 frames"
    )
    assert run(text, options=("--choose", "b#.png"))["choice"] == "b#.png, 3 frames"
    assert run(text, options=("--choose", "1"))["choice"] == "a#.png, 3 frames"


def test_a_few_pictures_beside_a_long_loop_are_asked_about(run):
    error = run("""
        for k in range(9):
            shade(k)
            plt.pause(0.01)
            if k % 3 == 0: plt.savefig(f"snapshot{k}.png")
    """)["error"]
    assert "snapshot#.png, 3 frames" in error
    assert "plt.pause, 9 frames" in error


@pytest.mark.parametrize("sink", [(), ("--sink", "fork")], ids=["drawn at once", "drawn in forks"])
@pytest.mark.parametrize("show", all_if_long(["plt.savefig", "fig.savefig"], "plt.savefig"))
def test_frames_are_the_pictures_that_the_script_itself_would_have_written(tmp_path, run, sink, show):
    text = """
        import numpy as np
        fig = plt.figure(figsize=(2, 2), layout="constrained")
        flat = fig.add_subplot()
        line, = flat.plot([0, 1], [0, 1])
        for k in range(4):
            line.set_data(np.arange(k + 2), np.arange(k + 2) ** 3)
            flat.relim(); flat.autoscale_view()
            flat.set_ylabel("long\\n" * k)
            if k == 2: flat.set_autoscale_on(False)
            SHOW(f"f{k}.png", dpi=50, transparent=k == 3)
    """.replace("SHOW", show)
    frames = run(text, options=sink)["digests"]["f#.png"]
    assert files(tmp_path) == []
    as_python(tmp_path)
    written = [Image.open(tmp_path / name).convert("RGBA") for name in files(tmp_path)]
    assert frames == [hashlib.sha256(picture.tobytes()).hexdigest() for picture in written]


def test_a_sink_may_fork_and_write_the_picture_that_is_no_frame(tmp_path, run):
    text = """
        shade(10)
        plt.savefig("figure1.png")
        shade(11)
        plt.close(fig)
    """
    run(text, options=("--sink", "fork"))
    with Image.open(tmp_path / "figure1.png") as picture:
        assert picture.convert("L").getpixel((0, 0)) == 10


# Animations and their names


def test_animations_are_found_wherever_they_are(run):
    result = run("""
        class Runner:
            def __init__(self):
                self.anim = FuncAnimation(fig, shade, 2)
        class View:
            pass
        def both(): return FuncAnimation(fig, shade, 5), fig
        def main():
            local = FuncAnimation(fig, shade, 7)
            plt.show()
        runner = Runner()
        many = [FuncAnimation(fig, shade, 3), FuncAnimation(fig, shade, 4)]
        pair = both()
        table = {"a": FuncAnimation(fig, shade, 6)}
        main()
        FuncAnimation(fig, shade, 8)
        view = View()
        view.parts = [FuncAnimation(fig, shade, 9)]
        same = again = FuncAnimation(fig, shade, 10)
    """)
    assert [(each["name"], each["frames"]) for each in result["animations"]] == [
        ("runner.anim", 2),
        ("many[0]", 3),
        ("many[1]", 4),
        ("pair[0]", 5),
        ("table['a']", 6),
        ("local", 7),
        ("", 8),
        ("view.parts[0]", 9),
        ("same", 10),
    ]


def test_of_one_name_the_last_animation_has_it(run):
    text = """
        for count in (2, 3, 4):
            anim = FuncAnimation(fig, shade, count)
            anim.save(f"a{count}.mp4")
    """
    result = run(text)
    assert result.names == ["anim#1", "anim#2", "anim"]
    assert result["error"] == (
        "x.py has 3 animations:\n"
        "  1  anim#1, line 8, 2 frames, 1x0.5 in, save('a2.mp4')\n"
        "  2  anim#2, line 8, 3 frames, 1x0.5 in, save('a3.mp4')\n"
        "  3  anim, line 8, 4 frames, 1x0.5 in, save('a4.mp4')\n"
        "Choose one: --animation 1 (or its number); or make each of them: --all -o 'film-{name}.mp4'"
    )
    for which, frames in (("anim#2", 3), ("anim", 4), ("1", 2)):
        assert f"{frames} frames" in run(text, options=("--choose", which))["choice"]
    assert run(text, options=("--choose", "4"))["error"].startswith("x.py has no '4'. It has:\n  1  anim#1")


def test_an_animation_of_artists_knows_its_frames(run):
    result = run("""
        from matplotlib.animation import ArtistAnimation
        ax = fig.add_subplot()
        anim = ArtistAnimation(fig, [ax.plot([0, k]) for k in range(5)])
    """)
    assert result["choice"] == "anim, line 9, 5 frames, 1x0.5 in"


# What is not found


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("def draw(i): pass", "If draw draws one frame:  framepipe make x.py:draw --frames 100 -o film.mp4"),
        ("def film():\n    yield fig", "If film yields figures:  framepipe make x.py:film -o film.mp4"),
        (
            "for k in range(5): plt.savefig('out.png')",
            "out.png was saved 5 times, each time over the last: number the names, as in "
            "f'out{i:04d}.png', and they are frames",
        ),
        (
            "for k in range(5): plt.draw()",
            "plt.draw() was called 5 times: put plt.pause(0.04) after it, and each is a frame",
        ),
        (
            "for k in range(5): plt.show()",
            "plt.show() was called 5 times: put plt.pause(0.04) before it, and each is a frame",
        ),
    ],
    ids=["function", "generator", "one file", "draw", "show"],
)
def test_a_script_without_a_film_is_told_what_was_seen_and_what_would_make_one(run, text, hint):
    error = run(text)["error"]
    assert error.startswith(
        "x.py made one figure and no animation, and no frame loop was seen\n"
        "(with plt.pause, savefig under numbered names, or writer.grab_frame)\n"
        "It defines shade(k)"
    )
    if "def " in text:
        assert hint.partition(":  ")[2] in error or "x.py:shade" in error
    else:
        assert error.endswith(hint)
