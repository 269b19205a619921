"""Frames from data on disk, by one dimension."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

from framepipe.errors import ToolMissing, UsageError
from framepipe.job.data import is_data_address, is_data_object, open_data

ARRAY = np.arange(5 * 4 * 3, dtype=np.float32).reshape(5, 4, 3)
LABELLED = xr.DataArray(
    ARRAY, dims=("time", "y", "x"), coords={"time": np.arange(5) * 0.5, "y": list("abcd")}, name="u"
)


def save_npy(folder):
    np.save(folder / "u.npy", ARRAY)
    return "u.npy"


def save_fortran(folder):
    np.save(folder / "f.npy", np.asfortranarray(ARRAY))
    return "f.npy"


def save_npz(folder):
    np.savez(folder / "u.npz", u=ARRAY, other=ARRAY[:2])
    return "u.npz:u"


def save_compressed(folder):
    np.savez_compressed(folder / "c.npz", u=ARRAY, other=ARRAY[:2])
    return "c.npz:u"


def save_hdf5(folder):
    with h5py.File(folder / "u.h5", "w") as file:
        file["fields/u"] = ARRAY
        file["fields/u"].dims[2].label = "x"
        file["other"] = ARRAY[:2]
    return "u.h5:/fields/u"


def save_zarr(folder):
    zarr.open(
        str(folder / "u.zarr"), mode="w", path="fields/u", shape=ARRAY.shape, dtype="f4", chunks=(1, 4, 3)
    )[:] = ARRAY
    return "u.zarr:fields/u"


def save_labelled_zarr():
    LABELLED.drop_vars("y").to_dataset().to_zarr("x.zarr", consolidated=False)  # zarr 3 has no text yet


def save_netcdf(folder):
    pytest.importorskip("scipy", reason="xarray writes NetCDF with scipy, h5netcdf or netCDF4")
    LABELLED.to_dataset().assign(other=LABELLED[0]).to_netcdf(folder / "u.nc", engine="scipy")
    return "u.nc:u"


def save_pickle(folder):
    (folder / "u.pkl").write_bytes(pickle.dumps(ARRAY))
    return "u.pkl"


KINDS = [save_npy, save_fortran, save_npz, save_compressed, save_hdf5, save_zarr, save_netcdf, save_pickle]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=KINDS)
def address(request, here):
    return request.param(here)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_each_slice_is_what_numpy_gives_by_that_dimension(address, axis):
    frames = open_data(address, dim=axis, allow_pickle=True)
    expected = np.moveaxis(ARRAY, axis, 0)
    assert len(frames) == len(expected)
    for part, wanted in zip(frames, expected):
        found = part.load()
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)


def test_the_first_dimension_is_the_default_and_the_file_is_known(address, here):
    frames = open_data(address, allow_pickle=True)
    assert len(frames) == 5
    assert frames.path == here / address.partition(":")[0]


def test_frames_are_a_sequence(here):
    frames = open_data(save_npy(here))
    assert np.array_equal(frames[-1].load(), ARRAY[4])
    assert [part.index for part in frames[1:4:2]] == [1, 3]
    assert [part.index for part in frames[1:][::-1]] == [4, 3, 2, 1]
    with pytest.raises(IndexError):
        frames[5]


def test_a_slice_survives_the_way_to_a_fresh_process_in_another_folder(here, tmp_path_factory):
    addresses = [save(here) for save in KINDS]
    parts = [open_data(address, allow_pickle=True)[3] for address in addresses]
    parts += [open_data(thing)[3] for thing in objects(here)]
    travelling = pickle.dumps(parts)
    code = (
        "import pickle, sys; parts = pickle.load(sys.stdin.buffer);"
        "sys.stdout.buffer.write(pickle.dumps([(part.load(), part.digest()) for part in parts]))"
    )
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(
        [sys.executable, "-c", code], input=travelling, cwd=elsewhere, stdout=-1, check=True
    )
    for part, (content, digest) in zip(parts, pickle.loads(done.stdout)):
        assert np.array_equal(content, ARRAY[3])
        assert digest == part.digest()


def objects(folder):
    """The objects that stand for ARRAY on disk; their files stay open."""
    np.save(folder / "o.npy", np.concatenate([ARRAY[:1], ARRAY]))
    save_hdf5(folder), save_zarr(folder)
    save_labelled_zarr()
    return [
        np.load(folder / "o.npy", mmap_mode="r")[1:],
        h5py.File(folder / "u.h5", "r")["fields/u"],
        zarr.open(str(folder / "u.zarr"), mode="r")["fields/u"],
        xr.open_zarr("x.zarr", chunks=None, consolidated=False)["u"],
        LABELLED,
    ]


def test_objects_of_files_give_the_same_slices_as_the_files(here):
    for thing in objects(here):
        assert is_data_object(thing)
        for axis in (0, 2):
            frames = open_data(thing, dim=axis)
            assert [
                np.array_equal(part.load(), wanted)
                for part, wanted in zip(frames, np.moveaxis(ARRAY, axis, 0))
            ]


def test_slices_of_large_objects_in_files_are_small(here):
    np.save("big.npy", np.zeros((3, 500, 500)))
    with h5py.File("big.h5", "w") as file:
        file["u"] = np.zeros((3, 500, 500))
    xr.Dataset({"u": (("t", "y", "x"), np.zeros((3, 500, 500)))}).to_zarr("big.zarr", consolidated=False)
    opened = xr.open_zarr("big.zarr", chunks=None, consolidated=False)["u"]
    for thing in ("big.npy", np.load("big.npy", mmap_mode="r"), "big.h5", "big.zarr:u", opened):
        assert len(pickle.dumps(open_data(thing)[1])) < 10_000


@pytest.mark.parametrize("view", [np.s_[1:4], np.s_[::-1], np.s_[:, 1:3, ::2], np.s_[2]], ids=str)
def test_a_view_of_a_memmap_is_read_where_it_lies(here, view):
    save_npy(here)
    thing = np.load("u.npy", mmap_mode="r")[view]
    for axis in range(thing.ndim):
        for part, wanted in zip(open_data(thing, dim=axis), np.moveaxis(thing, axis, 0)):
            assert np.array_equal(part.load(), wanted)


def test_private_changes_of_a_copy_on_write_memmap_are_kept(here):
    save_npy(here)
    thing = np.load("u.npy", mmap_mode="c")
    thing[2] = -1
    assert (pickle.loads(pickle.dumps(open_data(thing)[2])).load() == -1).all()


def test_a_changed_xarray_object_is_not_mistaken_for_its_file(here):
    save_labelled_zarr()
    opened = xr.open_zarr("x.zarr", chunks=None, consolidated=False)["u"]
    chosen = opened.isel(time=slice(2, None), x=[2, 0])
    assert np.array_equal(pickle.loads(pickle.dumps(open_data(chosen)[0])).load(), ARRAY[2][:, [2, 0]])
    opened.values[1] = 7
    assert (open_data(opened)[1].load() == 7).all()


def test_an_xarray_object_whose_file_has_no_name_travels_by_its_values(here):
    pytest.importorskip("scipy", reason="xarray writes NetCDF with scipy, h5netcdf or netCDF4")
    data = np.arange(300_000.0).reshape(3, -1)
    xr.Dataset({"u": (("t", "x"), data)}).to_netcdf("m.nc", engine="scipy")
    opened = xr.open_dataset(io.BytesIO(Path("m.nc").read_bytes()), engine="scipy")["u"]
    travelling = pickle.dumps(open_data(opened)[2])
    assert len(travelling) < 1_000_000  # of 2.4 MB
    assert np.array_equal(pickle.loads(travelling).load(), data[2])


def test_an_xarray_slice_has_its_coordinates(here):
    part = open_data(LABELLED, dim="time")[3].load()
    assert float(part.time) == 1.5
    assert list(part.y.values) == list("abcd")
    assert list(open_data(LABELLED.to_dataset(), dim="x")[1].load().u.sizes) == ["time", "y"]


def test_the_digest_of_an_xarray_slice_is_of_all_it_has_but_not_of_where_it_was_read(here):
    save_labelled_zarr()
    opened = xr.open_zarr("x.zarr", chunks=None, consolidated=False)["u"]
    assert open_data(opened)[2].digest() == open_data(LABELLED.drop_vars("y"))[2].digest()
    assert open_data(LABELLED.assign_attrs(units="K"))[2].digest() != open_data(LABELLED)[2].digest()
    assert open_data(LABELLED.rename(x="z"))[2].digest() != open_data(LABELLED)[2].digest()


def test_a_netcdf_slice_has_its_coordinates(here):
    part = open_data(save_netcdf(here), dim="time")[3].load()
    assert float(part.time) == 1.5
    assert list(part.y.values) == list("abcd")


def test_a_dimension_is_found_by_its_name(here):
    assert len(open_data(save_hdf5(here), dim="x")) == 3
    assert len(open_data(LABELLED, dim="y")) == 4
    assert len(open_data(save_npy(here), dim="1")) == 4  # as it comes from a command line
    save_labelled_zarr()
    assert len(open_data("x.zarr:u", dim="y")) == 4


def test_one_dimension_gives_scalars(here):
    np.save("t.npy", np.arange(3.0))
    with h5py.File("t.h5", "w") as file:
        file["t"] = np.arange(3.0)
    zarr.open("t.zarr", mode="w", shape=(3,), dtype="f8", chunks=(2,))[:] = np.arange(3.0)
    for address in ("t.npy", "t.h5", "t.zarr"):
        assert [repr(part.load()) for part in open_data(address)] == [repr(np.float64(k)) for k in range(3)]


def test_text_in_hdf5_is_text(here):
    with h5py.File("t.h5", "w") as file:
        file["names"], file["fixed"] = ["ä", "b"], np.array([[b"ab", b"c"]])
    assert [part.load() for part in open_data("t.h5:names")] == ["ä", "b"]
    assert list(open_data("t.h5:fixed")[0].load()) == ["ab", "c"]
    assert {type(part.load()) for part in open_data("t.h5:names")} == {str}
    assert len(open_data("t.h5:fixed")[0].digest()) == 64


def test_field_names_beyond_latin1_are_kept(here):
    with pytest.warns(UserWarning, match="format 3.0"):
        np.save("n.npy", np.zeros(2, [("时间", "f4")]))
    assert open_data("n.npy")[0].load().dtype.names == ("时间",)


def test_dimension_scales_are_not_taken_for_the_data(here):
    with h5py.File("s.h5", "w") as file:
        file["u"], file["time"] = ARRAY, np.arange(5)
        file["time"].make_scale("time")
        file["u"].dims[0].attach_scale(file["time"])
    assert open_data("s.h5", dim="time")[1].load().shape == (4, 3)


def test_hdf5_that_is_still_being_written_can_be_read(here):
    code = (
        "import h5py, sys; file = h5py.File('w.h5', 'w'); file['u'] = range(4); file.flush();"
        "print(flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1)
    try:
        writer.stdout.readline()
        assert open_data("w.h5")[3].load() == 3
    finally:
        writer.communicate()


def test_what_this_process_has_written_to_hdf5_is_read(here):
    with h5py.File("w.h5", "w") as file:
        file.create_dataset("u", data=ARRAY, chunks=(1, 4, 3))
        file["u"][2] = -1
        part = open_data(file["u"])[2]
        assert (part.load() == -1).all()
        code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).load().max())"
        done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(part), stdout=-1, check=True)
    assert done.stdout.split() == [b"-1.0"]


def test_only_the_changed_frame_has_another_digest(address, here):
    before = [part.digest() for part in open_data(address, allow_pickle=True)]
    assert len(set(before)) == 5
    ARRAY[2, 0, 0] += 1
    try:
        for save in KINDS:
            save(here)
    finally:
        ARRAY[2, 0, 0] -= 1
    after = [part.digest() for part in open_data(address, allow_pickle=True)]
    assert [old != new for old, new in zip(before, after)] == [False, False, True, False, False]


@pytest.mark.parametrize(
    "text",
    [
        *("weights.npy", "run.npz:w", "sim.h5:/fields/u", "sim.zarr:u", "runs/x.nc:temp", "history.pkl"),
        *(
            "A.NPY",
            "a:b/c.npz:w",
            "C:\\data\\u.npy",
            "sim.h5:/a:b",
            "sim.zarr/",
            "x.pickle",
            "x.hdf5",
            "x.he5",
        ),
    ],
)
def test_a_data_address_is_known_by_its_suffix(text):
    assert is_data_address(text)


@pytest.mark.parametrize(
    "text",
    ["0-299x5", "history", "300", "1-10,20-30", "1-100:10", "scene.py:draw", "npy", ".npy", "u.txt:v", ""],
)
def test_ranges_and_names_are_no_data_addresses(text):
    assert not is_data_address(text)


def test_colons_in_a_path_are_kept(here):
    (here / "a:b.npz:c").mkdir()
    np.savez("a:b.npz:c/run:1.npz", w=ARRAY)
    assert np.array_equal(open_data("a:b.npz:c/run:1.npz:w")[1].load(), ARRAY[1])
    assert np.array_equal(open_data(Path("a:b.npz:c/run:1.npz"))[1].load(), ARRAY[1])


def test_other_objects_are_no_data_objects(here):
    for thing in (ARRAY, [1], "u.npy", np.memmap, np.lib.format, range(3)):
        assert not is_data_object(thing)
    save_npy(here)
    assert not is_data_object(np.load("u.npy", mmap_mode="r") + 1)


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


def test_nothing_is_unpickled_unless_asked_for(here):
    (here / "t.pkl").write_bytes(pickle.dumps([Trap()]))
    np.save("t.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez("t.npz", w=np.array([Trap()], dtype=object))
    (here / "t.zarr").mkdir()
    (here / "t.zarr/.zarray").write_text(
        '{"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": null, "order": "C",'
        ' "fill_value": null, "filters": [{"id": "pickle", "protocol": 5}]}'
    )
    (here / "t.zarr/0").write_bytes(pickle.dumps([Trap()]))
    for address in ("t.pkl", "t.npy", "t.npz", "t.zarr"):
        with pytest.raises(UsageError, match=r"can run any code .*--allow-pickle.* allow_pickle=True"):
            open_data(address)[0].load()
    assert not Path("sprung").exists()


def test_a_pickle_that_is_allowed_gives_its_elements(here):
    (here / "h.pkl").write_bytes(pickle.dumps([{"loss": 3}, {"loss": 2}]))
    np.save("o.npy", np.array([[1, 2], "three"], dtype=object), allow_pickle=True)
    (here / "d.pickle").write_bytes(pickle.dumps({"w": ARRAY, "v": [1]}))
    (here / "x.pkl").write_bytes(pickle.dumps(LABELLED))
    parts = open_data("h.pkl", allow_pickle=True)
    (here / "h.pkl").unlink()  # it was loaded once, here
    assert [part.load() for part in pickle.loads(pickle.dumps(list(parts)))] == [{"loss": 3}, {"loss": 2}]
    assert [part.load() for part in open_data("o.npy", allow_pickle=True)] == [[1, 2], "three"]
    assert np.array_equal(open_data("d.pickle:w", dim=1, allow_pickle=True)[1].load(), ARRAY[:, 1])
    assert float(open_data("x.pkl", dim="time", allow_pickle=True)[1].load().time) == 0.5


def save_what_fails(folder):
    np.savez(folder / "two.npz", a=ARRAY, b=ARRAY)
    np.save(folder / "scalar.npy", 3)
    np.save(folder / "empty.npy", ARRAY[:0])
    np.save(folder / "cut.npy", ARRAY)
    (folder / "cut.npy").write_bytes((folder / "cut.npy").read_bytes()[:-1])
    for name in ("text.npy", "text.npz", "text.h5", "text.nc", "text.pkl", "text.zarr"):
        (folder / name).write_text("no array")
    with h5py.File(folder / "scalar.h5", "w") as file:
        file["s"] = 1.0
    with h5py.File(folder / "none.h5", "w") as file:
        file.create_group("g")
    (folder / "dict.pkl").write_bytes(pickle.dumps({"a": [1], "b": 2}))
    (folder / "number.pkl").write_bytes(pickle.dumps(3))


@pytest.mark.parametrize(
    ("address", "dim", "message"),
    [
        ("gone.npy", None, r"gone\.npy does not exist; check its name"),
        ("gone.h5:u", None, r"gone\.h5 does not exist"),
        ("two.npz", None, r"two\.npz holds 2 arrays; name one: two\.npz:a, two\.npz:b$"),
        ("two.npz:c", None, r"two\.npz has no array 'c': two\.npz:a, two\.npz:b$"),
        ("u.h5", None, r"u\.h5 holds 2 arrays; name one: u\.h5:fields/u, u\.h5:other$"),
        ("u.h5:fields", None, r"u\.h5 has no array 'fields'"),
        ("u.zarr:fields", None, r"u\.zarr has no array 'fields': u\.zarr:fields/u$"),
        ("u.nc", None, r"u\.nc holds 2 arrays; name one: u\.nc:u, u\.nc:other$"),
        ("u.npy:3", None, r"u\.npy holds one array, without a name: leave out :3"),
        ("none.h5", None, r"none\.h5 holds no array"),
        ("u.npy", 3, r"u\.npy has no dimension 3; it has 0 \(5\), 1 \(4\), 2 \(3\)$"),
        ("u.npy", True, r"u\.npy has no dimension True"),
        (
            "u.h5:fields/u",
            "time",
            r"u\.h5:fields/u has no dimension 'time'; it has 0 \(5\), 1 \(4\), x \(3\)$",
        ),
        ("u.nc:u", "z", r"u\.nc:u has no dimension 'z'; it has time \(5\), y \(4\), x \(3\)$"),
        ("scalar.npy", None, r"scalar\.npy is a single value"),
        ("scalar.h5:s", None, r"scalar\.h5:s is a single value"),
        ("empty.npy", None, r"empty\.npy has no frames: .* is 0; it has 0 \(0\), 1 \(4\)"),
        ("cut.npy", None, r"cut\.npy is shorter than its header says \(367 of 368 bytes\): it is damaged"),
        ("text.npy", None, r"cannot read .*text\.npy as \.npy \(ValueError: .*\)\. Is it complete"),
        ("text.npz", None, r"cannot read .*text\.npz as \.npz \(BadZipFile"),
        ("text.h5", None, r"cannot read .*text\.h5 as \.h5 \(OSError"),
        ("text.nc", None, r"cannot read .*text\.nc as \.nc \(ValueError"),
        ("text.zarr", None, r"cannot read .*text\.zarr as \.zarr \(NotADirectoryError"),
        ("text.pkl", None, r"cannot read .*text\.pkl as \.pkl \("),
        ("dict.pkl", None, r"dict\.pkl holds 2 arrays; name one: dict\.pkl:a, dict\.pkl:b"),
        ("dict.pkl:b", None, r"dict\.pkl:b holds a int, not a sequence of frames"),
        ("number.pkl", None, r"number\.pkl holds a int, not a sequence"),
        ("u.txt", None, r"'u\.txt' is no data file by its suffix\. Known: \.npy \.npz"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_line(here, address, dim, message):
    for save in (save_what_fails, save_npy, save_hdf5, save_zarr):
        save(here)
    if address.startswith("u.nc"):
        save_netcdf(here)
    with pytest.raises(UsageError, match=message) as caught:
        open_data(address, dim=dim, allow_pickle=True)
    assert "\n" not in str(caught.value)


def test_objects_that_workers_cannot_open_are_refused():
    with pytest.raises(UsageError, match="MemoryStore, which workers cannot open"):
        open_data(zarr.array(ARRAY, store=zarr.storage.MemoryStore()))
    with pytest.raises(UsageError, match="a list is not data that can be read by slices"):
        open_data([1, 2])
    with h5py.File("c.h5", "w") as file:
        closed = file.create_dataset("u", data=ARRAY)
    with pytest.raises(UsageError, match=r"the h5py\.Dataset is closed; give the address"):
        open_data(closed)


def test_a_file_that_vanished_or_shrank_is_an_error_of_its_frame(here):
    parts = open_data(save_npy(here)), open_data(save_npz(here))
    np.save("u.npy", ARRAY[:2])
    Path("u.npz").unlink()
    assert np.array_equal(parts[0][1].load(), ARRAY[1])
    with pytest.raises(UsageError, match=r"no longer has part 4"):
        parts[0][4].load()
    with pytest.raises(UsageError, match=r"u\.npz does not exist"):
        parts[1][4].load()


@pytest.mark.parametrize(("library", "address"), [("h5py", "u.h5"), ("zarr", "u.zarr"), ("xarray", "u.nc")])
def test_a_missing_library_is_named_with_its_command(here, monkeypatch, library, address):
    (here / address).touch()
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        ToolMissing, match=rf"needs {library}, which is not installed: pip install {library}$"
    ):
        open_data(address)


def test_a_compressed_member_is_read_again_when_the_file_changed(here):
    part = open_data(save_compressed(here))[1]
    assert np.array_equal(part.load(), ARRAY[1])
    part.load()[:] = 0  # of the drawing function's own
    assert np.array_equal(part.load(), ARRAY[1])
    np.savez_compressed("c.npz", u=np.full((7, 4, 3), 9.0))
    assert (part.load() == 9).all()


def test_a_member_of_a_zip_with_other_things_is_found(here):
    np.save("w.npy", ARRAY)
    with zipfile.ZipFile("z.npz", "w") as archive:
        archive.writestr("notes/read me", "hello " * 99)
        archive.write("w.npy", "w.npy")
    assert np.array_equal(open_data("z.npz:w")[2].load(), ARRAY[2])
