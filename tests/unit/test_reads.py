"""Which files a process reads, and which of them decide a frame. An audit hook cannot be taken away: each test
that listens does so in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from framepipe.job.places import OWN
from framepipe.job.read_sites import _DRAWING
from framepipe.job.reads import Reads
from tests.support.forked import run_python

#: Loads ``scene.py`` of the working folder, draws its frames, and prints what was read.
DRIVER = """
import json, os, random, sys
sys.dont_write_bytecode = True
from framepipe.job.read_hook import unrecorded
from framepipe.job.reads import ReadLog

def shown(reads):
    return {name: [os.path.relpath(path) for path in getattr(reads, name)] if name in ("files", "modules")
            else list(getattr(reads, name)) for name in ("files", "modules", "network", "programs")}

log = ReadLog(ignore=["store"])
log.start()
import scene
said = [shown(log.loaded())]
for k in range(getattr(scene, "FRAMES", 3)):
    scene.draw(k)
    said.append(shown(log.take(carried=getattr(scene, "CARRIED", False))))
getattr(scene, "after", lambda log: None)(log)
sys.stdout.write(json.dumps(said))
"""


def reads_of(folder, scene, *names, driver=DRIVER, **files):
    """What loading and each frame read, of a scene in a folder with these files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    (folder / "scene.py").write_text(textwrap.dedent(scene))
    (folder / "driver.txt").write_text(driver)
    done = run_python(["driver.txt"], folder, {}, 120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files_of(said):
    return [reads["files"] for reads in said]


FRAMES = ("f0.txt", "f1.txt", "f2.txt")


def test_data_read_while_loading_is_the_whole_jobs_and_data_of_a_frame_its_own(tmp_path):
    scene = """
        base = open("base.txt").read()
        def draw(k): open(f"f{k}.txt").read()
    """
    assert files_of(reads_of(tmp_path, scene, "base.txt", *FRAMES)) == [
        ["base.txt"],
        ["f0.txt"],
        ["f1.txt"],
        ["f2.txt"],
    ]


def test_a_file_that_is_opened_once_decides_all_later_frames(tmp_path):
    scene = """
        table = None
        def draw(k):
            global table
            if table is None:
                table = open("table.txt").read()
            open(f"f{k}.txt").read()
    """
    _, *frames = files_of(reads_of(tmp_path, scene, "table.txt", *FRAMES))
    assert frames == [[f"f{k}.txt", "table.txt"] for k in range(3)]


def test_a_file_of_every_other_frame_decides_those_between_and_no_later_ones(tmp_path):
    scene = """
        FRAMES = 4
        def draw(k):
            if k % 2 == 0: open(f"f{k}.txt").read()
    """
    _, *frames = files_of(reads_of(tmp_path, scene, *FRAMES))
    assert frames == [["f0.txt"], ["f0.txt"], ["f2.txt"], ["f2.txt"]]


def test_one_loader_for_a_table_and_for_frames_is_told_apart_by_who_calls_it(tmp_path):
    scene = """
        table = []
        def load(name): return open(name).read()
        def draw(k):
            if not table: table.append(load("table.txt"))
            load(f"f{k}.txt")
    """
    _, *frames = files_of(reads_of(tmp_path, scene, "table.txt", *FRAMES))
    assert frames == [[f"f{k}.txt", "table.txt"] for k in range(3)]


def test_two_calls_on_one_line_are_told_apart(tmp_path):
    scene = """
        known = {}
        def once(name):
            if name not in known: known[name] = load(name)
        def load(name): return open(name).read()
        def draw(k): once("table.txt"); load(f"f{k}.txt")
    """
    _, *frames = files_of(reads_of(tmp_path, scene, "table.txt", *FRAMES))
    assert frames == [[f"f{k}.txt", "table.txt"] for k in range(3)]


REMEMBERING = {
    "function": "@functools.lru_cache\ndef load(name): return open(name).read()",
    "method": "class Data:\n    @staticmethod\n    @functools.lru_cache\n    def load(name): return open(name).read()\nload = Data.load",
    "within a function": "def build():\n    @functools.cache\n    def load(name): return open(name).read()\n    def call(name): return load(name)\n    return call\nload = build()",
    "of one's own": "def cached(function):\n    def call(name): return function(name)\n    call.__wrapped__ = function\n    call.cache = {}\n    return call\n@cached\ndef load(name): return open(name).read()",
}


@pytest.mark.parametrize("loader", REMEMBERING.values(), ids=REMEMBERING)
def test_what_a_remembering_function_read_may_be_in_every_later_frame(tmp_path, loader):
    scene = (
        f"import functools\n{loader}\ndef draw(k):\n    for j in (max(k - 1, 0), k): load(f'f{{j}}.txt')\n"
    )
    _, *frames = files_of(reads_of(tmp_path, scene, *FRAMES))
    assert frames[1:] == [["f0.txt", "f1.txt"], ["f0.txt", "f1.txt", "f2.txt"]]


def test_where_state_is_carried_each_frame_counts_all_that_earlier_ones_read(tmp_path):
    scene = """
        CARRIED = True
        trail = []
        def draw(k): trail.append(open(f"f{k}.txt").read())
    """
    _, *frames = files_of(reads_of(tmp_path, scene, *FRAMES))
    assert frames == [["f0.txt"], ["f0.txt", "f1.txt"], ["f0.txt", "f1.txt", "f2.txt"]]


def test_reading_in_a_thread_may_be_for_every_later_frame(tmp_path):
    scene = """
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        FRAMES = 2
        pool = ThreadPoolExecutor(1)
        def draw(k):
            pool.submit(Path(f"f{k}.txt").read_text).result()
        def after(log): pool.shutdown()
    """
    _, *frames = files_of(reads_of(tmp_path, scene, *FRAMES))
    assert frames == [["f0.txt"], ["f0.txt", "f1.txt"]]


WAYS = {
    "text": "open(name).read()",
    "bytes path": "open(name.encode(), 'rb').read()",
    "pathlib": "pathlib.Path(name).read_bytes()",
    "os.open": "os.close(os.open(name, os.O_RDONLY))",
    "for reading and writing": "open(name, 'r+').read()",
    "mmap": "np.memmap(name, 'u1')[0]",
    "fromfile": "np.fromfile(name, 'u1')",
    "loadtxt": "np.loadtxt(name, dtype=str)",
    "str of numpy": "open(np.array([name])[0]).read()",
    "absolute": "open(os.path.abspath(name)).read()",
    "another way": "open(f'../{os.path.basename(os.getcwd())}/{name}').read()",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_of_reading_is_seen(tmp_path, way):
    scene = f"import os, pathlib\nimport numpy as np\nFRAMES = 1\ndef draw(k):\n    name = 'data.txt'\n    {way}\n"
    assert files_of(reads_of(tmp_path, scene, "data.txt")) == [[], ["data.txt"]]


NO_INPUT = {
    "writing": "open('out.txt', 'w').close()",
    "appending": "open('out.txt', 'a').close()",
    "what was written here": "open('out.txt', 'w').close(); open('out.txt').read()",
    "what was written and renamed": "open('t', 'w').close(); os.replace('t', 'out.txt'); open('out.txt').read()",
    "os.open for writing": "os.close(os.open('out.txt', os.O_WRONLY | os.O_CREAT)); open('out.txt').read()",
    "what is removed again": "shutil.copyfile('/etc/hostname', 'tmp.txt'); open('tmp.txt').read(); os.remove('tmp.txt')",
    "what another program wrote and is removed": "os.path.exists('x.txt'); open('data.txt').read(); os.remove('data.txt')",
    "a number": "os.close(os.dup(0)); open(os.open(os.devnull, os.O_RDONLY)).close()",
    "a folder": "os.close(os.open('.', os.O_RDONLY)); os.listdir('.')",
    "the system": "open('/proc/self/status').read(); open('/etc/hosts').read(); open('/dev/null').read()",
    "the store": "open('store/frame_0000.png').read()",
    "Python": "open(os.__file__).read(); import wave",
    "an installed package": "import websocket; open(websocket.__file__).read()",
    "time zones": "import zoneinfo; zoneinfo.ZoneInfo('UTC')",
    "matplotlib's list of fonts": "open('fontlist-v390.json').read()",
    "a folder of compiled code": "open('__pycache__/fast.nbi').read()",
    "framepipe": "import framepipe.job.places; open(framepipe.job.places.__file__).read()",
}


@pytest.mark.parametrize("way", NO_INPUT.values(), ids=NO_INPUT)
def test_what_is_no_input_does_not_count(tmp_path, way):
    names = ("store/frame_0000.png", "data.txt", "fontlist-v390.json", "__pycache__/fast.nbi")
    scene = f"import os, shutil\nFRAMES = 1\ndef draw(k):\n    {way}\n"
    said = reads_of(tmp_path, scene, *names)
    assert said[1] == {"files": [], "modules": [], "network": [], "programs": []}


def test_a_file_that_is_not_there_counts_since_it_may_come(tmp_path):
    scene = """
        FRAMES = 1
        def draw(k):
            try: open("options.txt")
            except FileNotFoundError: pass
    """
    assert files_of(reads_of(tmp_path, scene)) == [[], ["options.txt"]]


def test_sources_are_modules_also_where_only_compiled_code_is_opened(tmp_path):
    (tmp_path / "part.py").write_text("x = 1\n")
    subprocess.run([sys.executable, "-m", "compileall", "-q", "part.py"], cwd=tmp_path, check=True)
    scene = "FRAMES = 1\ndef draw(k): import part; open('scene.py').read()\n"
    said = reads_of(tmp_path, scene)
    assert [reads["modules"] for reads in said] == [["scene.py"], ["part.py"]]
    assert files_of(said) == [[], []]


def test_a_font_of_the_users_and_a_style_sheet_count(tmp_path):
    import matplotlib

    font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    (tmp_path / "my.ttf").write_bytes(font.read_bytes())
    scene = """
        import matplotlib; matplotlib.use("Agg")
        import matplotlib.pyplot as plt
        from matplotlib import font_manager
        plt.style.use("./my.mplstyle")
        font = font_manager.FontProperties(fname="my.ttf")
        def draw(k):
            fig = plt.figure(); fig.text(0, 0, str(k), fontproperties=font)
            fig.canvas.draw(); plt.close(fig)
    """
    (tmp_path / "my.mplstyle").write_text("lines.linewidth: 3\n")
    loaded, *frames = files_of(reads_of(tmp_path, scene))
    assert loaded == ["my.mplstyle"]
    assert frames == [["my.ttf"]] * 3


def test_a_database_counts_and_one_that_is_made_here_does_not(tmp_path):
    import sqlite3

    sqlite3.connect(tmp_path / "data.db").execute("create table t (x)").connection.close()
    scene = """
        import sqlite3
        FRAMES = 1
        def draw(k):
            for name in ("data.db", "new.db", ":memory:", "file:data.db?mode=ro"):
                sqlite3.connect(name, uri=True).close()
    """
    assert files_of(reads_of(tmp_path, scene)) == [[], ["data.db"]]


def write_hdf5(path):
    import h5py

    with h5py.File(path, "w") as file:
        file["u"] = [1.0, 2.0]


def test_hdf5_files_count_by_the_paths_they_are_given(tmp_path):
    for name in ("a.h5", "b.h5", "c.h5"):
        write_hdf5(tmp_path / name)
    scene = """
        import h5py
        from h5py import File
        h5py.File("a.h5", "r").close()
        names = ["b.h5", "c.h5"]
        FRAMES = 2
        def draw(k):
            with File(names[k]) as file: file["u"][:]
            h5py.File("out.h5", "w").close(); h5py.File("out.h5").close()
    """
    assert files_of(reads_of(tmp_path, scene)) == [["a.h5"], ["b.h5"], ["c.h5"]]


def test_a_reader_that_was_loaded_before_is_listened_to_as_well(tmp_path):
    write_hdf5(tmp_path / "a.h5")
    scene = "import h5py\nFRAMES = 1\ndef draw(k): h5py.File('a.h5').close()\n"
    said = reads_of(tmp_path, scene, driver="import h5py\n" + DRIVER)
    assert files_of(said) == [[], ["a.h5"]]


def test_labelled_arrays_count_by_their_paths_and_patterns(tmp_path):
    import xarray as xr

    for name in ("a.nc", "b1.nc", "b2.nc"):
        xr.Dataset({"u": ("x", [1.0])}).to_netcdf(tmp_path / name, engine="scipy")
    scene = """
        import xarray as xr
        FRAMES = 2
        def draw(k):
            if k == 0: xr.open_dataset("a.nc").close()
            else: list(map(xr.load_dataset, ["b1.nc", "b2.nc"]))
    """
    assert files_of(reads_of(tmp_path, scene)) == [[], ["a.nc"], ["a.nc", "b1.nc", "b2.nc"]]


def test_zarr_counts_by_the_parts_that_are_read(tmp_path):
    import numpy as np
    import zarr

    array = zarr.create_array(str(tmp_path / "d.zarr"), shape=(2, 3), chunks=(1, 3), dtype="f8")
    array[:] = np.arange(6).reshape(2, 3)
    scene = """
        import zarr
        FRAMES = 1
        array = zarr.open("d.zarr", mode="r")
        def draw(k): array[k]
    """
    loaded, frame = files_of(reads_of(tmp_path, scene))
    assert "d.zarr/zarr.json" in loaded
    assert frame == ["d.zarr/c/0/0"]


READER_IN_C = """
import os
class Dataset:
    def __init__(self, filename, mode="r"):
        self.number = os.posix_spawn  # nothing is opened by Python
def untouched(): return Dataset
"""


def test_a_class_of_a_library_in_c_stays_the_class_that_it_was(tmp_path):
    (tmp_path / "netCDF4.py").write_text(READER_IN_C)
    scene = """
        from netCDF4 import Dataset, untouched
        FRAMES = 2
        def draw(k):
            made = Dataset(filename=f"f{k}.txt") if k else Dataset("http://host:8080/data.nc")
            assert isinstance(made, untouched()) and type(made).__name__ == "Dataset" and made.number
            Dataset("out.nc", "w"); Dataset("out.nc")
    """
    _, first, second = reads_of(tmp_path, scene, *FRAMES)
    assert (first["files"], first["network"]) == ([], ["host:8080"])
    assert second["files"] == ["f1.txt"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux says what is open")
def test_a_file_that_a_library_holds_open_counts_while_it_does(tmp_path):
    scene = """
        import ctypes
        c = ctypes.CDLL(None)
        held = c.open(b"held.txt", 0)
        FRAMES = 2
        def draw(k):
            number = c.open(b"f0.txt", 0) if k == 0 else c.close(draw.number)
            draw.number = number
    """
    assert files_of(reads_of(tmp_path, scene, "held.txt", *FRAMES)) == [["held.txt"], ["f0.txt"], []]


def test_a_connection_and_a_program_are_told_and_a_socket_of_this_machine_is_not(tmp_path):
    scene = """
        import socket, subprocess, sys
        FRAMES = 2
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        def draw(k):
            if k == 0:
                socket.create_connection(("127.0.0.1", port)).close()
                subprocess.run([sys.executable, "-c", ""], check=True)
            else:
                one, two = socket.socketpair(); one.close(); two.close()
        def after(log):
            assert port and server.close() is None
    """
    loaded, first, _second = reads_of(tmp_path, scene)
    assert (loaded["network"], loaded["programs"]) == ([], [])
    assert [address.partition(":")[0] for address in first["network"]] == ["127.0.0.1"]
    assert first["programs"] == [sys.executable]


def test_taking_digests_of_what_was_read_is_no_reading(tmp_path):
    driver = DRIVER.replace(
        "log = ReadLog", "from framepipe.job.contents import FileDigests\nlog = ReadLog"
    ).replace("    said.append(shown(log.take(", "    said.append(shown(digested(log.take(")
    driver = driver.replace("False))))", "False)))))").replace("log.start()", DIGESTED + "log.start()")
    assert driver.count("digested(") == 2
    scene = "def draw(k): open(f'f{k}.txt').read()\n"
    assert files_of(reads_of(tmp_path, scene, *FRAMES, driver=driver)) == [
        [],
        ["f0.txt"],
        ["f1.txt"],
        ["f2.txt"],
    ]


DIGESTED = """
def digested(reads):
    assert all(len(digest) == 64 for digest in FileDigests().of_all(reads.files).values())
    return reads
"""


def test_fonts_that_framepipe_opens_in_drawing_count(tmp_path):
    import matplotlib

    font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    (tmp_path / "my.ttf").write_bytes(font.read_bytes())
    scene = """
        import matplotlib; matplotlib.use("Agg")
        from matplotlib.figure import Figure
        from framepipe.scenes.figures import digest_figure
        from framepipe.job.canvas import Canvas
        from framepipe.scenes.rasterize import rasterise
        FRAMES = 2
        figures = [Figure(), Figure()]
        figures[1].text(0, 0, "x", font=__import__("pathlib").Path("my.ttf").absolute())
        def draw(k): pass
        def shown(k): return rasterise(figures[k], Canvas(), None)
    """
    driver = DRIVER.replace("    scene.draw(k)\n", "    scene.shown(k)\n")
    assert files_of(reads_of(tmp_path, scene, driver=driver)) == [[], [], ["my.ttf"]]


def test_framepipes_own_reading_does_not_count(tmp_path):
    scene = """
        import numpy as np
        from framepipe.job.data import open_data
        from framepipe.job.read_hook import unrecorded
        np.save("d.npy.tmp.npy", np.zeros((3, 2))); import os; os.rename("d.npy.tmp.npy", "e.npy")
        FRAMES = 2
        data = None
        def draw(k):
            if k: open("f0.txt").read(); return
            with unrecorded(): open("f1.txt").read()
            open_data("given.npy")[0].load()
    """
    import numpy as np

    np.save(tmp_path / "given.npy", np.zeros((3, 2)))
    assert files_of(reads_of(tmp_path, scene, *FRAMES)) == [[], [], ["f0.txt"]]


FORKING = """
import json, os, sys
from framepipe.job.reads import ReadLog
log = ReadLog()
log.start()
import scene
said = []
for k, forked in ((0, False), (5, True), (6, True), (7, False)):
    inward, outward = os.pipe()
    child = os.fork() if forked else 0
    if child == 0:
        scene.draw(k)
        os.write(outward, json.dumps([k, log.take().files]).encode())
        if forked:
            os._exit(0)
    else:
        os.waitpid(child, 0)
    os.close(outward)
    said.append(json.loads(os.read(inward, 10**6)))
print(json.dumps(said))
"""


def test_a_forked_child_goes_on_with_its_own_copy(tmp_path):
    scene = """
        table = None
        def draw(k):
            global table
            if table is None: table = open("table.txt").read()
            open(f"f{k}.txt").read()
    """
    for name in ("table.txt", "f0.txt", "f5.txt", "f6.txt", "f7.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "scene.py").write_text(textwrap.dedent(scene))
    (tmp_path / "driver.py").write_text(FORKING)
    done = subprocess.run(
        [sys.executable, "driver.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    said = [
        (k, [os.path.basename(path) for path in files if path.endswith(".txt")])
        for k, files in json.loads(done.stdout)
    ]
    assert said == [(k, [f"f{k}.txt", "table.txt"]) for k in (0, 5, 6, 7)]


def test_a_log_that_is_stopped_hears_nothing_and_another_takes_over(tmp_path):
    code = """
import json
from framepipe.job.reads import ReadLog
one, two = ReadLog(), ReadLog()
one.start(); open("a.txt").close(); one.stop()
open("b.txt").close()
one.start(); two.start(); open("c.txt").close()
print(json.dumps([one.take().files, two.take().files]))
"""
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == [[str(tmp_path / "a.txt")], [str(tmp_path / "c.txt")]]


HOSTILE = """
import os, sys
from framepipe.job.reads import ReadLog
log = ReadLog(); log.start()
class Path:
    def __fspath__(self): return open("a.txt").name
class Wrong:
    def __fspath__(self): raise ValueError("mine")
class Text(str):
    def __str__(self): raise RuntimeError("str")
open(Path()).close(); open(Text("a.txt")).close()
for wrong in (Wrong(), "", "a\\0b", b"\\xff-none", 10**6, None, 1.5):
    try: open(wrong)
    except (OSError, ValueError, TypeError): continue
    raise SystemExit(f"{wrong!r} was opened")
def deep(n):
    try: return deep(n + 1)
    except RecursionError: return open("a.txt").close() if n < 900 else None
deep(0)
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
try: open("x")
except OSError: pass
os.chdir("/")
print(len(log.take().files) >= 1)
"""


def test_nothing_that_is_opened_makes_the_hook_raise(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def test_reads_are_joined_and_reduced():
    both = Reads(("/b",), ("/m.py",)) | Reads(("/a", "/b"), network=("h:1",))
    assert both == Reads(("/a", "/b"), ("/m.py",), ("h:1",))
    assert both.without({"/a", "/m.py"}) == Reads(("/b",), (), ("h:1",))


def test_the_rooms_that_draw_are_there():
    assert all((Path(OWN) / each / "__init__.py").is_file() for each in _DRAWING)


def test_the_first_process_that_lists_all_fonts_reads_what_later_ones_read(tmp_path):
    """matplotlib keeps the list in its cache folder: on a new machine the first process has to make it."""
    (tmp_path / "scene.py").write_text(
        "import matplotlib.font_manager\nfrom matplotlib.figure import Figure\n"
        "def draw(k):\n    figure = Figure((1, 1))\n    figure.text(0, 0, 'x')\n    figure.savefig('out.png')\n"
    )
    (tmp_path / "driver.txt").write_text(DRIVER)
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "driver.txt"],
            cwd=tmp_path,
            env={**os.environ, "MPLCONFIGDIR": str(tmp_path / "cache"), "MPLBACKEND": "agg"},
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
        )
        said.append(json.loads(done.stdout))
        assert [*(tmp_path / "cache").glob("fontlist*.json")]
    assert said[0] == said[1]
