"""Data that is larger than memory, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import pytest

FRAMES, SIDE = 10_000, 500  # of float32: 10 GB, of which the disk holds nothing

READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from framepipe.job.data import open_data
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
part = open_data(sys.argv[1])[7777].load()
grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(part.shape, part[0, 0], part.sum(), grown_kib)
"""


def write_sparse_npy(file):
    """A .npy at the file's position whose frame 7777 begins with 42, all else a hole."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (FRAMES, SIDE, SIDE)}
    np.lib.format.write_array_header_1_0(file, header)
    start = file.tell()
    file.seek(start + 7777 * SIDE * SIDE * 4)
    file.write(np.float32(42).tobytes())
    file.truncate(start + FRAMES * SIDE * SIDE * 4)
    file.seek(0, 2)


def sparse_npy(path):
    with path.open("wb") as file:
        write_sparse_npy(file)


def sparse_npz(path):
    """As numpy.savez writes it; the checksum is not that of the member, for which all had to be read."""
    info = zipfile.ZipInfo("w.npy")
    with path.open("wb") as file:
        info.file_size = info.compress_size = FRAMES * SIDE * SIDE * 4 + 128
        info.CRC = 0
        file.write(info.FileHeader(zip64=True))
        start = file.tell()
        write_sparse_npy(file)
        assert file.tell() == start + info.file_size
    archive = zipfile.ZipFile(path, "a")  # an archive of no members, whose directory comes after them
    info.header_offset = 0
    archive.filelist.append(info)
    archive._didModify = True
    archive.close()


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory as Linux does")
@pytest.mark.parametrize(("name", "write"), [("w.npy", sparse_npy), ("w.npz", sparse_npz)])
def test_only_the_slice_of_the_frame_is_read(tmp_path, name, write):
    write(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / name], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    *content, grown_kib = done.stdout.rsplit(maxsplit=1)
    assert content == ["(500, 500) 42.0 42.0"]
    assert int(grown_kib) < 30_000  # of a slice of 1 MB


def test_importing_it_imports_no_library_that_reads_data():
    code = (
        "import sys; sys.modules['framepipe'] = type(sys)('framepipe');"
        "sys.modules['framepipe'].__path__ = [sys.argv[1]];"  # the module alone, not the whole package
        "import framepipe.job.data; print({'h5py', 'zarr', 'xarray', 'matplotlib'} & set(sys.modules))"
    )
    import framepipe

    run = [sys.executable, "-c", code, framepipe.__path__[0]]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "set()\n"
