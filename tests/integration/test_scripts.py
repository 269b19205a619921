"""Scripts on the command line, and scripts that call the library."""

from __future__ import annotations

import json
import textwrap

import pytest
from PIL import Image

from tests.support.forked import run_python

HEAD = """
    import numpy as np
    from matplotlib import pyplot as plt

    def flat(level):
        return plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(float(level) / 255))
"""


@pytest.fixture
def script(folder):
    def write(text, name="s.py"):
        (folder / name).write_text(textwrap.dedent(HEAD) + textwrap.dedent(text))

    return write


def levels(folder, store="out"):
    found = []
    for path in sorted((folder / store).glob("frame_*.png")):
        with Image.open(path) as picture:
            found.append(picture.convert("L").getpixel((5, 5)))
    return found


def rendered(cli_process, *arguments, **keywords):
    how = () if "--engine" in arguments else ("-j", 2)
    return cli_process("render", *arguments, "--store", "out", *how, "-q", ok=True, **keywords)


def test_unpicklable_globals_of_a_script_are_no_trouble(cli_process, folder, script):
    script("""
        import threading
        lock, steps = threading.Lock(), (k for k in range(9))
        def draw(k):
            with lock:
                next(steps)
                return flat(10 + k)
    """)
    rendered(cli_process, "s.py:draw", "--frames", 3)
    assert levels(folder) == [10, 11, 12]


def test_rc_parameters_that_the_script_changes_reach_the_workers(cli_process, folder, script):
    script("""
        plt.rcParams.update({"figure.facecolor": "0.2", "figure.figsize": (0.4, 0.4)})
        def draw(k): return plt.figure()
    """)
    rendered(cli_process, "s.py:draw", "--frames", 2)
    assert levels(folder) == [51, 51]


def test_a_named_sequence_of_the_script_gives_the_values(cli_process, folder, script):
    script("""
        history = [np.full((2, 2), k) for k in (30, 40, 50)]
        grid = np.array([[5, 6], [7, 8]])
        def draw(value): return flat(value.max())
    """)
    rendered(cli_process, "s.py:draw", "--frames", "history", "--engine", "serial")
    assert levels(folder) == [30, 40, 50]
    cli_process("render", "s.py:draw", "--frames", "grid", "--store", "g", "--engine", "serial", ok=True)
    assert levels(folder, "g") == [6, 8]
    resumed = cli_process("resume", "out", "--engine", "serial", "--json", "-q", ok=True)
    assert json.loads(resumed.stdout)["kept"] == 3


def test_parameters_are_json_where_they_parse_and_text_where_not(cli_process, folder, script):
    script("""
        def draw(k, **given):
            due = {"a": 1.5, "b": [1, {"c": None}], "d": "two words", "e": "x=y", "f": True, "g": ""}
            assert given == due, given
            return flat(k)
    """)
    params = ["a=1.5", 'b=[1, {"c": null}]', "d=two words", "e=x=y", "f=true", "g="]
    rendered(
        cli_process,
        "s.py:draw",
        "--frames",
        1,
        "--engine",
        "serial",
        *(part for each in params for part in ("--param", each)),
    )
    assert levels(folder) == [0]


def test_a_module_beside_the_script_can_be_imported_even_while_drawing(cli, cli_process, folder, script):
    (folder / "lib").mkdir()
    (folder / "lib" / "early.py").write_text("BASE = 100\n")
    (folder / "lib" / "late.py").write_text("MORE = 5\n")
    script(
        """
        import early
        def draw(k):
            import late
            return flat(early.BASE + late.MORE + k)
        """,
        "lib/s.py",
    )
    rendered(cli_process, "lib/s.py:draw", "--frames", 2)
    assert levels(folder) == [105, 106]
    (folder / "lib" / "early.py").write_text("BASE = 120\n")
    status = cli("status", "out")
    assert status.returncode == 3
    assert "stale: 0-1: early.py changed" in status.stdout


def test_a_scene_of_a_package_in_the_working_folder_is_found(cli_process, folder, script):
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").write_text("")
    script("def draw(k): return flat(k)", "pkg/mod.py")
    rendered(cli_process, "pkg.mod:draw", "--frames", 2, "--engine", "serial")
    assert levels(folder) == [0, 1]


def test_relative_paths_mean_the_same_in_workers(cli_process, folder, script):
    (folder / "data.txt").write_text("77")
    script("def draw(k): return flat(int(open('data.txt').read()))")
    rendered(cli_process, "s.py:draw", "--frames", 2, "--input", "data.txt")
    assert levels(folder) == [77, 77]


@pytest.mark.parametrize("verb", ["make", "render"])
def test_a_script_that_renders_while_it_is_loaded_is_refused_with_advice(cli_process, folder, script, verb):
    call = "fp.make(draw, 2, 'm.gif')" if verb == "make" else "fp.render(draw, 2)"
    script(f"""
        import framepipe as fp
        def draw(k): return flat(k)
        {call}
    """)
    done = cli_process("render", "s.py:draw", "--frames", 2)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"framepipe: s.py calls framepipe.{verb} while it is loaded: "
        'put that call under  if __name__ == "__main__":'
    )
    assert not (folder / "frames").exists()


def run_script(folder, name="s.py"):
    return run_python([name], folder, {}, 120)


def test_a_script_without_a_main_guard_draws_with_workers(folder, script):
    script("""
        import framepipe as fp
        print("loaded")
        BASE = 40
        def helper(k): return BASE + k
        def draw(k): return flat(helper(k))
        report = fp.render(draw, 3, store="out", workers=2)
        print(report.drawn, report.engine, report.workers)
    """)
    done = run_script(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "loaded\n(0, 1, 2) local 2\n", "workers do not run the script again"
    assert levels(folder) == [40, 41, 42]
    assert run_script(folder).stdout.splitlines()[-1].startswith("() local"), "drawn once"


def test_a_script_and_the_command_line_agree_about_what_is_done(cli_process, folder, script):
    script("""
        import framepipe as fp
        DATA = np.arange(5)
        def draw(k): return flat(DATA[k])
        if __name__ == "__main__":
            print(len(fp.render(draw, 3, store="out", workers=2).drawn))
    """)
    assert run_script(folder).stdout == "3\n"
    done = cli_process(
        "render", "s.py:draw", "--frames", 3, "--engine", "serial", "--store", "out", "--json", "-q", ok=True
    )
    assert json.loads(done.stdout)["kept"] == 3
    assert (
        json.loads(cli_process("resume", "out", "--engine", "serial", "--json", "-q", ok=True).stdout)["kept"]
        == 3
    )


def test_a_script_with_an_open_figure_at_its_top_leaves_it_out_of_the_frames(cli_process, folder, script):
    script("""
        overview = plt.figure(figsize=(1, 1), facecolor="red")
        def draw(k):
            plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str((60 + k) / 255))
    """)
    rendered(cli_process, "s.py:draw", "--frames", 2)
    assert levels(folder) == [60, 61]


def test_what_the_script_prints_is_not_in_the_way_of_json(cli_process, folder, script):
    script("""
        print("hello from the script")
        def draw(k):
            print("drawing", k)
            return flat(k)
    """)
    done = cli_process("render", "s.py:draw", "--frames", 2, "--store", "out", "-j", 2, "-q", ok=True)
    assert "drawing 0" in done.stderr
