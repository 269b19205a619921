"""Stores of pictures that something else drew."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framepipe.core import png
from framepipe.errors import FrameSizeError, StoreError, UsageError
from framepipe.movie.cleanup import delete_frames
from framepipe.store.adopt import adopt
from framepipe.store.store import Store
from tests.unit.test_job import record


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A folder for pictures; the working folder is the one above it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    return tmp_path / "old"


def pixels(k, channels=3):
    return np.random.default_rng(k).integers(0, 255, (4, 6, channels), np.uint8)


def put(path, k, channels=3, mode=None, **keywords):
    """A picture of another program's (Pillow's)."""
    image = Image.fromarray(pixels(k, channels))
    (image.convert(mode) if mode else image).save(path, **keywords)
    return path


def shown(store, number):
    with Image.open(store.frame_path(number)) as image:
        return np.asarray(image)


def scanned(store, deep=True):
    before = store.read_job()[0]
    return store.scan(before.refreshed(), deep=deep, before=before)


def everything(folder):
    """All files with what tells whether they were written to."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("deep", [True, False])
def test_plain_pngs_are_linked_in_natural_order_and_done(old, deep):
    for k in (1, 2, 10):
        put(old / f"img_{k}.png", k)
    report = adopt("old/img_*.png", "s")
    store = Store("s")
    assert (report.numbers, report.linked, report.copied, report.decoded) == ((0, 1, 2), 3, 0, 0)
    for number, k in enumerate((1, 2, 10)):
        assert store.frame_path(number).samefile(old / f"img_{k}.png")
    status = scanned(store, deep)
    assert (status.done, status.complete, str(status.shape)) == ((0, 1, 2), True, "6x4 RGB")
    assert report.to_dict()["frames"] == "0-2"
    json.dumps(report.to_dict())


def test_frames_may_be_numbered_by_the_last_digits_of_their_names(old):
    for name in ("run2_b0100.png", "run1_c20.png"):
        put(old / name, 1)
    adopt([old / "run2_b0100.png", "old/run1_c20.png"], "s", numbers="names")
    store = Store("s")
    assert store.numbers() == [20, 100]
    assert scanned(store).done == (20, 100)
    assert store.frame_path(100).samefile(old / "run2_b0100.png")


@pytest.mark.parametrize(
    ("names", "keywords", "says"),
    [
        (["a.png"], {"numbers": "names"}, "a.png has no number"),
        (["a1.png", "b01.png"], {"numbers": "names"}, "a1.png and .*b01.png both have the number 1"),
        ([f"a{'1' * 30}.png"], {"numbers": "names"}, "has no number of 1 to 18 digits"),
        (["a.png"], {"numbers": "size"}, "numbers is 'size'; give one of order, names"),
        ([], {}, "no file matches 'old/\\*.png'"),
    ],
)
def test_what_cannot_be_numbered_is_a_usage_error(old, names, keywords, says):
    for name in names:
        put(old / name, 1)
    with pytest.raises(UsageError, match=says):
        adopt("old/*.png", "s", **keywords)
    assert not Path("s").exists()


def test_what_is_no_file_is_named(old):
    for pictures, says in (
        ("old", "is a folder"),
        ([old / "gone.png"], "is no file"),
        ([], "no file matches"),
    ):
        with pytest.raises(UsageError, match=says):
            adopt(pictures, "s")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(old):
    put(old / "a[1].png", 1)
    assert adopt("old/a[1].png", "s").linked == 1
    assert adopt(old / "a[1].png", "s").kept == 1


def test_folders_that_a_pattern_matches_are_passed_over_and_links_are_followed(old):
    put(old / "img_1.png", 1)
    (old / "img_thumbs").mkdir()
    (old / "img_2.png").symlink_to("img_1.png")
    assert adopt("old/img_*", "s").linked == 2
    assert not Store("s").frame_path(1).is_symlink()
    assert scanned(Store("s")).complete


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("a.png", {"mode": "P"}),
        ("a.png", {"mode": "L"}),
        ("a.jpg", {"quality": 95}),
        ("a.tif", {}),
        ("a.bmp", {}),
        ("jpeg.png", {"format": "JPEG"}),
    ],
)
def test_any_other_picture_is_decoded_and_becomes_a_frame_of_ours(old, name, keywords):
    source = put(old / name, 5, **keywords)
    report = adopt([source], "s")
    assert (report.linked, report.decoded) == (0, 1)
    assert scanned(Store("s")).done == (0,)
    with Image.open(source) as image:
        assert np.array_equal(shown(Store("s"), 0), np.asarray(image.convert("RGB")))
    assert adopt([source], "s").kept == 1


def test_where_some_are_transparent_all_become_so(old):
    put(old / "1.png", 1)
    put(old / "2.png", 2, channels=4)
    report = adopt("old/*.png", "s")
    assert (report.linked, report.decoded, str(report.shape)) == (1, 1, "6x4 RGBA")
    assert scanned(Store("s")).complete
    assert np.array_equal(shown(Store("s"), 0), np.dstack([pixels(1), np.full((4, 6), 255)]))


def test_where_no_link_can_be_made_there_is_a_copy(old, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    put(old / "1.png", 1)
    assert adopt("old/*.png", "s").copied == 1
    frame = Store("s").frame_path(0)
    assert not frame.samefile(old / "1.png")
    assert frame.read_bytes() == (old / "1.png").read_bytes()
    assert scanned(Store("s")).complete


def test_frames_of_another_store_become_frames_of_this_one(old):
    (old / "1.png").write_bytes(png.encode(pixels(1), "a stamp"))
    assert adopt("old/*.png", "s").copied == 1
    assert scanned(Store("s")).complete
    assert np.array_equal(shown(Store("s"), 0), pixels(1))


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (
            lambda path: Image.fromarray(pixels(1)[:3]).save(path),
            FrameSizeError,
            "1.png is 6x4 px, .*3.png 6x3",
        ),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), UsageError, "3.png is a damaged PNG"),
        (lambda path: path.write_text("hello"), UsageError, "3.png is something that is no picture"),
        (lambda path: path.write_bytes(b""), UsageError, "3.png is an empty file"),
    ],
)
def test_one_that_does_not_fit_is_named_before_anything_is_written(old, spoil, error, says):
    for k in (1, 2, 3):
        put(old / f"{k}.png", k)
    spoil(old / "3.png")
    with pytest.raises(error, match=says):
        adopt("old/*.png", "s")
    assert not Path("s").exists()


def test_originals_are_never_changed(old):
    put(old / "1.png", 1)
    put(old / "2.jpg", 2)
    before = everything(old)
    for _ in range(2):
        adopt("old/*", "s")
    delete_frames(Store("s"), None)
    assert everything(old) == before


def test_adopting_again_changes_nothing_and_more_pictures_can_be_added(old):
    put(old / "1.png", 1)
    put(old / "2.jpg", 2)
    adopt("old/*", "s")
    before = everything(Path("s"))
    assert adopt("old/*", "s").kept == 2
    assert everything(Path("s")) == before
    put(old / "3.png", 3)
    report = adopt("old/*", "s")
    assert (report.kept, report.linked, report.numbers) == (2, 1, (0, 1, 2))
    assert scanned(Store("s")).complete


def test_adopting_that_was_stopped_half_way_says_what_is_missing_and_goes_on(old, monkeypatch):
    for k in range(4):
        put(old / f"{k}.png", k)
    link = os.link

    def stopped(source, target):
        if target.name == "frame_000002.png":
            raise KeyboardInterrupt
        link(source, target)

    monkeypatch.setattr(os, "link", stopped)
    with pytest.raises(KeyboardInterrupt):
        adopt("old/*", "s")
    assert scanned(Store("s")).missing == (2, 3)
    monkeypatch.undo()
    report = adopt(str(old / "*"), old.parent / "s")
    assert (report.kept, report.linked) == (2, 2)


def test_fewer_pictures_than_the_store_has_are_refused(old):
    for k in range(3):
        put(old / f"{k}.png", k)
    adopt("old/*", "s")
    with pytest.raises(StoreError, match="has frames 2 of pictures that are not among these"):
        adopt(["old/0.png", "old/1.png"], "s")
    assert scanned(Store("s")).done == (0, 1, 2)


def test_other_frames_are_never_written_over(old):
    put(old / "1.png", 1)
    store = Store("s")
    store.path.mkdir()
    store.frame_path(0).write_bytes(png.encode(pixels(9)))
    before = everything(store.path)
    with pytest.raises(StoreError, match=r"frame_000000.png exists already and is not .*1.png"):
        adopt("old/*", "s")
    assert everything(store.path) == before


def test_the_store_of_another_job_is_refused_whole(old):
    put(old / "1.png", 1)
    store = Store("s")
    store.create()
    store.write_job(record(5))
    before = everything(store.path)
    with pytest.raises(StoreError, match="s is the store of draw: choose another --store"):
        adopt("old/*", "s")
    assert everything(store.path) == before


def test_pictures_can_be_adopted_where_they_lie_if_they_are_named_like_frames(old):
    put(old / "frame_000000.png", 1)
    put(old / "frame_000001.png", 2)
    for _ in range(2):
        assert adopt("old/frame_*.png", "old").kept == 2
    assert scanned(Store("old")).complete
    put(old / "img.png", 3)
    with pytest.raises(UsageError, match=r"is the folder of img\.png"):
        adopt("old/*.png", "old")


def test_a_frame_that_changed_since_is_stale_and_says_so(old):
    for k in range(3):
        put(old / f"{k}.png", k)
    adopt("old/*", "s")
    store = Store("s")
    seen = store.look([0, 1, 2])
    assert seen == scanned(store).frame_states
    put(old / "1.png", 7)  # in place: the frame is the same file
    store.frame_path(2).unlink()
    store.frame_path(2).write_bytes(b"")
    status = scanned(store)
    assert status.done == (0,)
    assert status.stale == {1: "changed since it was adopted"}
    assert status.broken == {2: "is empty (0 bytes)"}
    assert store.look([0, 1, 2]) == status.frame_states
    assert status.frame_states[1] != seen[1]


def test_a_decoded_frame_of_another_picture_is_stale(old):
    for k in range(2):
        put(old / f"{k}.bmp", k)
    adopt("old/*", "s")
    store = Store("s")
    put(old / "1.bmp", 5)
    adopt("old/*.bmp", "other")
    os.replace(Store("other").frame_path(1), store.frame_path(1))
    assert scanned(store).stale == {1: "the frame's value changed"}


def test_frames_that_no_record_vouches_for_are_not_done(old):
    put(old / "1.png", 1)
    adopt("old/*", "s")
    store = Store("s")
    put(store.frame_path(1), 2)
    assert scanned(store).extra == (1,)
    assert list(store.look([0, 1])) == [0]


def test_a_job_that_draws_does_not_take_adopted_frames_for_its_own(old):
    put(old / "1.png", 1)
    adopt("old/*", "s")
    store = Store("s")
    status = store.scan(record(1), before=store.known_job())
    assert status.stale == {0: "was adopted, not drawn by this job"}


@pytest.mark.parametrize("fingerprints", ["all", "seen"])
def test_no_cleaning_deletes_a_picture_without_a_passport(old, fingerprints):
    put(old / "1.png", 1)
    put(old / "2.jpg", 2)
    adopt("old/*", "s")
    store = Store("s")
    seen = {number: each.fingerprint for number, each in store.look([0, 1]).items()}
    report = delete_frames(store, None if fingerprints == "all" else seen)
    assert (report.deleted, report.left) == (1, (0,))
    assert store.frame_path(0).is_file()
    assert store.job_file.is_file()
