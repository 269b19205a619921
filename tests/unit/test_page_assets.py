"""A page and its folder of pictures: they get their names together, and nothing of a user's is deleted."""

from __future__ import annotations

import hashlib
import os

import pytest

from framepipe.formats.html import assets

PAGE = '<!DOCTYPE html>\n<html lang="en" data-files="{}">\n<meta name="generator" content="framepipe">\n'
OTHER = "0" * 8


def page_of(page, pictures):
    """A page as framepipe writes it, with its folder, beside each other in a folder that is made."""
    page.parent.mkdir(exist_ok=True)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in pictures.items()}
    folder = page.with_name(assets.folder_name("movie", digests))
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    page.write_text(PAGE.format(assets.address(folder.name)))
    return page


@pytest.fixture
def old(tmp_path):
    return page_of(tmp_path / "movie.html", {"still.webp": b"old", "000/000000.webp": b"0"})


@pytest.fixture
def new(tmp_path):
    return page_of(tmp_path / ".movie.html.x.tmp" / "movie.html", {"still.webp": b"new"})


def folders(tmp_path):
    return {path.name for path in tmp_path.glob("*_files-*")}


@pytest.mark.parametrize(
    "stem", ["movie", "a b%20#?&\"'<>", "é", os.fsdecode(b"\xff"), "..", "x" * 250, "a\nb:c"]
)
def test_a_folders_name_comes_back_out_of_its_page(stem):
    name = assets.folder_name(stem, {"still.webp": "0"})
    assert len(os.fsencode(name)) <= 255
    assert assets.folder_named_in(PAGE.format(assets.address(name))) == name


@pytest.mark.parametrize(
    "named",
    [
        f"../a_files-{OTHER}",
        f"..%2Fa_files-{OTHER}",
        f"/a_files-{OTHER}",
        f"a%00_files-{OTHER}",
        f"%61_files-{OTHER}",
        f"http://a_files-{OTHER}",
        f"_files-{OTHER}",
        "a_files-0000000g",
        "Documents",
        "..",
        "",
    ],
)
def test_a_page_cannot_name_what_is_no_folder_of_pictures_beside_it(tmp_path, named):
    with pytest.raises(ValueError, match="no folder of pictures"):
        assets.folder_named_in(PAGE.format(named))
    (tmp_path / "a.html").write_text(PAGE.format(named))
    assert assets.folder_of(tmp_path / "a.html") is None


def test_a_new_page_takes_the_place_of_the_old_one_and_of_its_folder(old, new, tmp_path):
    due = assets.folder_of(new).name
    assets.publish(new, old)
    assert folders(tmp_path) == {due}
    assert assets.is_whole(old)
    assert (assets.folder_of(old) / "still.webp").read_bytes() == b"new"


def test_a_page_that_carries_its_pictures_takes_the_old_folder_away_too(old, new, tmp_path):
    new.write_text("<!DOCTYPE html>\n<html lang='en'>")
    assets.publish(new, old)
    assert folders(tmp_path) == set()


def test_a_file_that_somebody_put_into_the_old_folder_stays(old, new, tmp_path):
    folder = assets.folder_of(old)
    (folder / "000" / "notes.txt").write_text("mine")
    (folder / "000" / "000001.webp").symlink_to(old)
    assets.publish(new, old)
    assert {path.name for path in folder.rglob("*")} == {"000", "notes.txt", "000001.webp"}


@pytest.mark.parametrize("copy", ["talk.html", "TALK.HTML", ".movie.html.other.tmp/movie.html"])
def test_the_folder_of_a_page_that_was_copied_stays(old, new, tmp_path, copy):
    (tmp_path / copy).parent.mkdir(exist_ok=True)
    (tmp_path / copy).write_bytes(old.read_bytes())
    folder = assets.folder_of(old)
    assets.publish(new, old)
    assert assets.is_intact(folder)
    assert len(folders(tmp_path)) == 2


def test_a_page_of_somebody_elses_gives_no_leave_to_delete(old, new, tmp_path):
    old.write_text(old.read_text().replace("framepipe", "other"))
    assets.publish(new, old)
    assert len(folders(tmp_path)) == 2


def test_a_damaged_folder_of_the_same_pictures_is_mended(old, new, tmp_path):
    again = page_of(new.parent / "movie.html", {"still.webp": b"old", "000/000000.webp": b"0"})
    folder = assets.folder_of(old)
    (folder / "000" / "000000.webp").write_bytes(b"damaged")
    (folder / "notes.txt").write_text("mine")
    assets.publish(again, old)
    assert assets.is_whole(old)
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("what", ["folder", "group"])
def test_nothing_is_written_through_a_link_that_stands_in_the_way(old, new, tmp_path, what):
    again = page_of(new.parent / "movie.html", {"still.webp": b"old", "000/000000.webp": b"0"})
    folder = assets.folder_of(old)
    place = folder if what == "folder" else folder / "000"
    (tmp_path / "elsewhere").mkdir()
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "elsewhere")
    before = old.read_bytes()
    with pytest.raises(OSError):
        assets.publish(again, old)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert old.read_bytes() == before


def test_a_folder_whose_page_cannot_get_its_name_goes_again(new, tmp_path):
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(OSError):
        assets.publish(new, tmp_path / "taken.html")
    assert folders(tmp_path) == set()


def test_a_folder_that_was_there_before_stays_when_its_page_cannot_get_its_name(new, tmp_path):
    (tmp_path / "taken.html").mkdir()
    there = page_of(tmp_path / "was.html", {"still.webp": b"new"})
    folder = assets.folder_of(there)
    there.unlink()
    with pytest.raises(OSError):
        assets.publish(new, tmp_path / "taken.html")
    assert assets.is_intact(folder)


def test_nothing_is_deleted_through_a_link(old, new, tmp_path):
    folder = assets.folder_of(old)
    (folder / "001").mkdir()
    folder.symlink_to(folder.rename(tmp_path / "moved"))
    assets.publish(new, old)
    assert len(list((tmp_path / "moved").rglob("*"))) == 4


def test_what_a_dead_build_left_goes_and_what_the_page_reads_stays(old, new, tmp_path):
    """Killed after its folder had its name, before the page had its own."""
    folder = assets.folder_of(new)
    folder.rename(tmp_path / folder.name)
    assets.forget(new.parent)
    assert folders(tmp_path) == {assets.folder_of(old).name}
    assert assets.is_whole(old)


def test_a_rejected_page_is_kept_with_its_folder_until_the_next(old, tmp_path):
    rejected = tmp_path / "movie.rejected.html"
    for text in (b"one", b"two"):
        made = page_of(tmp_path / ".movie.html.x.tmp" / "movie.html", {"still.webp": text})
        assets.set_aside(made, rejected)
        assert assets.is_whole(rejected)
        assert folders(tmp_path) == {assets.folder_of(old).name, assets.folder_of(rejected).name}


def test_a_rejected_page_does_not_touch_the_folder_of_a_good_one(old, tmp_path):
    pictures = {"still.webp": b"old", "000/000000.webp": b"0"}
    made = page_of(tmp_path / ".movie.html.x.tmp" / "movie.html", pictures)
    (assets.folder_of(made) / "still.webp").write_bytes(b"damaged")
    assets.set_aside(made, tmp_path / "movie.rejected.html")
    assert assets.is_whole(old)


def test_the_size_of_a_page_is_with_its_pictures(old):
    assert assets.size_bytes(old) == old.stat().st_size + len(b"old0")
