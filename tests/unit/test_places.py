"""Where a file belongs."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import framepipe
from framepipe.job import places
from framepipe.job.places import classify, is_installed, source_of

PURELIB = sysconfig.get_path("purelib")


@pytest.mark.parametrize(
    "path",
    [
        f"{PURELIB}/numpy/__init__.py",
        f"{PURELIB}/matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf",
        f"{os.path.dirname(os.__file__)}/json/decoder.py",
        "/home/u/other/.venv/lib/python3.11/site-packages/x/data.npy",
        "/usr/lib/python3/dist-packages/x.py",
        "/proc/self/maps",
        "/sys/class",
        "/dev/null",
        "/etc/fonts/fonts.conf",
        "/run/user/0/bus",
        "/usr/share/zoneinfo/UTC",
        "/home/u/.cache/matplotlib/fontlist-v3.11.0.json",
        "/home/u/.cache/matplotlib/fontlist-v3.11.0.json.matplotlib-lock",
        "/home/u/.cache/matplotlib/tex.cache/ab/cd.dvi",
        "/home/u/project/__pycache__/fast.nbi",
        str(Path(__file__).parents[2] / "framepipe" / "errors.py"),
    ],
)
def test_what_is_not_the_users_is_ignored(path):
    assert classify(path) == "ignored"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/u/scene.py", "module"),
        ("/home/u/window.pyw", "module"),
        ("/home/u/d.npy", "file"),
        ("/home/u/fast.so", "file"),
        ("/usr/share/fonts/truetype/x.ttf", "file"),
        ("/home/u/.config/matplotlib/stylelib/my.mplstyle", "file"),
        ("/home/u/.local/share/fonts/x.otf", "file"),
        ("/dev/shm/d.npy", "file"),
        ("/run/media/u/disk/d.npy", "file"),
        ("/device/d.npy", "file"),
        ("/home/u/site-packages.txt", "file"),
        (f"{sys.prefix}/work/scene.py", "module"),
        (f"{sys.prefix}/data.npy", "file"),
        (f"{sys.prefix}/share/data.npy", "file"),
    ],
)
def test_what_is_the_users_counts(path, kind):
    assert classify(path) == kind


def test_folders_of_framepipes_own_are_ignored(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert classify(str(tmp_path / "store/frame.png"), [str(tmp_path / "store")]) == "ignored"
    assert classify(str(tmp_path / "link/store/frame.png"), [str(tmp_path / "store")]) == "ignored"
    assert classify(str(tmp_path / "store2/frame.png"), [str(tmp_path / "store")]) == "file"


def test_a_package_whose_folder_is_linked_is_the_users_and_one_whose_files_are_is_installed(tmp_path):
    packages = tmp_path / "lib/site-packages"
    for name in ("work", "cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text("")
    (packages / "wheel").mkdir(parents=True)
    (packages / "wheel/m.py").symlink_to(tmp_path / "cache/m.py")
    (packages / "work").symlink_to(tmp_path / "work")
    assert is_installed(str(packages / "wheel/m.py"))
    assert not is_installed(str(packages / "work/m.py"))


def test_what_a_conda_environment_holds_beside_python_is_installed(tmp_path):
    code = (
        "import sys; sys.prefix = sys.argv[1]; from framepipe.job.places import classify\n"
        "print([classify(f'{sys.prefix}/{each}') for each in ('share/proj/proj.db', 'work/share.db')])"
    )
    seen = []
    for number in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        seen.append(done.stdout.strip())
        if not number:
            (tmp_path / "conda-meta").mkdir()
    assert seen == ["['file', 'file']", "['ignored', 'file']"]


def test_compiled_code_stands_for_its_source():
    assert source_of("/a/__pycache__/m.cpython-311.pyc") == "/a/m.py"
    assert source_of("/a/m.pyc") == "/a/m.pyc"
    assert source_of("/a/m.npy") == "/a/m.npy"


def test_framepipes_own_package_is_the_whole_of_it():
    package = Path(framepipe.__file__).parent
    assert str(package) == places.AS_IMPORTED
    assert str(package.resolve()) == places.OWN
