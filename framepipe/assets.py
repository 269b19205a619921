"""A page whose pictures stand beside it: the folder's name, its files, how both get their names together.

The page says in its first tag which folder it reads: ``<html lang="en" data-files="waves_files-1f0c22ab">``.
The eight digits are a digest of all pictures, so a new page never reads the pictures of an old one, a
build that is killed at any moment leaves an old page with its own folder, and a folder can be held
against its name. A folder goes only when the page that named it went, no other page in sight names
it, and then only the files that framepipe wrote: whoever put something in finds it there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from framepipe import files
from framepipe.fingerprint import digest_file

STILL = "still.webp"
_IN_ONE_FOLDER = 1000  # file managers and network file systems are slow with many more
_HEAD = 4096  # bytes of a page in which it says who wrote it and which folder it reads
_NAMED = re.compile(r'<!DOCTYPE html>\n<html [^>]*?\bdata-files="([^"]*)"')
_GENERATOR = '<meta name="generator" content="framepipe">'
_FOLDER = re.compile(r".+_files-[0-9a-f]{8}", re.DOTALL)
_GROUP = re.compile(r"\d{3,}")
_PICTURE = re.compile(r"(\d{3,})/\d{6,}\.webp")
_BEFORE = "before.html"  # the page that is about to be replaced, in the work folder


def picture_name(picture: int) -> str:
    """Where a picture stands in the folder; the page's script puts the same name together."""
    return f"{picture // _IN_ONE_FOLDER:03d}/{picture:06d}.webp"


def folder_name(stem: str, digests: Mapping[str, str]) -> str:
    """A page's folder, from the page's name without suffix and the SHA-256 of each picture."""
    ending = f"_files-{_digest(digests)}"
    room = files.LONGEST_NAME - len(ending)
    return os.fsdecode(os.fsencode(stem)[:room]) + ending


def _digest(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()[:8]


def address(folder: str) -> str:
    """A folder's name as the page keeps it: nothing in it has a meaning in HTML or in an address."""
    return quote(os.fsencode(folder), safe="")


def named_in(text: str) -> str | None:
    """The folder that a page's text names, None if it names none.

    Raises
    ------
    ValueError
        It names something that is no folder beside it.
    """
    found = _NAMED.match(text)
    if not found:
        return None
    name = os.fsdecode(unquote_to_bytes(found[1]))
    if address(name) != found[1] or not _FOLDER.fullmatch(name) or "/" in name or "\0" in name:
        raise ValueError(f"data-files {found[1]!r:.100} is no folder of pictures beside the page")
    return name


def folder_of(page: Path) -> Path | None:
    """The folder that a page of framepipe's reads; None for any other file, and for no file."""
    try:
        with page.open("rb") as file:
            text = file.read(_HEAD).decode("ascii", "replace")
        name = named_in(text) if _GENERATOR in text else None
    except (OSError, ValueError):
        return None
    return page.with_name(name) if name else None


def pictures(folder: Path) -> dict[str, Path]:
    """All pictures in a folder by name. Links count as nothing: they may lead anywhere."""
    return {name: path for name, path in _entries(folder) if name == STILL or _PICTURE.fullmatch(name)}


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Plain files in a folder and in its own folders."""
    if folder.is_symlink():
        return
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False):
            yield entry.name, folder / entry.name
        elif entry.is_dir(follow_symlinks=False):
            for below in os.scandir(entry.path):
                if below.is_file(follow_symlinks=False):
                    yield f"{entry.name}/{below.name}", Path(below.path)


def as_written(folder: Path) -> bool:
    """Whether all pictures in a folder are there, byte for byte, and no others: by its name's digest."""
    try:
        digests = {name: digest_file(path) for name, path in pictures(folder).items()}
    except OSError:
        return False
    return folder.name.endswith(f"_files-{_digest(digests)}")


def is_whole(page: Path) -> bool:
    """Whether a page has all its pictures; one that carries them has."""
    folder = folder_of(page)
    return folder is None or as_written(folder)


def size_bytes(movie: Path) -> int:
    """Of a movie, with the pictures beside it."""
    folder = folder_of(movie)
    beside = pictures(folder).values() if folder else ()
    return movie.stat().st_size + sum(path.stat().st_size for path in beside)


def publish(made: Path, output: Path) -> None:
    """Give a movie its name; to a page's folder before it. Then the folder of the page that was there goes.

    Parameters
    ----------
    made : Path
        In a work folder of its own.
    output : Path

    Raises
    ------
    OSError
        What the file system said; what stood there works as before.
    """
    before = folder_of(output)
    if before:  # should we be killed, whoever clears the work folder away finds here what to look for
        with output.open("rb") as file:
            (made.parent / _BEFORE).write_bytes(file.read(_HEAD))
    folder = folder_of(made)
    to = output.with_name(folder.name) if folder else None
    is_new = to is not None and not os.path.lexists(to)
    try:
        if folder and to:
            _move(folder, to)
        files.publish(made, output)
    except BaseException:
        if to and is_new:
            _delete_unless_named(to, but=made.parent)
        raise
    if before and before != folder_of(output):
        _delete_unless_named(before, but=made.parent)


def set_aside(made: Path, rejected: Path) -> None:
    """Give a page that failed verification another name, and its folder its own unless one is there."""
    before, folder = folder_of(rejected), folder_of(made)
    if folder and not os.path.lexists(rejected.with_name(folder.name)):
        folder.rename(rejected.with_name(folder.name))
    os.replace(made, rejected)
    if before and before != folder_of(rejected):
        _delete_unless_named(before, but=made.parent)


def forget(work: Path) -> None:
    """Delete the folders of pictures that a dead build left behind; call it before its work folder goes."""
    for page in _pages(work):
        if folder := folder_of(page):
            _delete_unless_named(work.with_name(folder.name), but=work)


def _move(folder: Path, to: Path) -> None:
    """Move a folder to its name, all of it on the disk; into one that is there, picture by picture.

    That one has the same name, so the same pictures, whole or damaged: who reads them meanwhile sees
    them get better only.
    """
    for path in [*pictures(folder).values(), *folder.iterdir(), folder]:
        _sync(path)
    try:
        folder.rename(to)
    except OSError:
        if not all(map(_is_plain, [to, *(to / path.name for path in folder.iterdir() if path.is_dir())])):
            raise
        for name, path in pictures(folder).items():
            (to / name).parent.mkdir(exist_ok=True)
            os.replace(path, to / name)
        for path in [*to.iterdir(), to]:
            _sync(path)
    files.sync_folder(to.parent)


def _is_plain(folder: Path) -> bool:
    """Whether nothing that is written into a folder can go elsewhere."""
    return not folder.is_symlink() and (folder.is_dir() or not folder.exists())


def _sync(path: Path) -> None:
    if path.is_dir():
        files.sync_folder(path)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _delete_unless_named(folder: Path, but: Path) -> None:
    """Delete framepipe's pictures in a folder, and the folder if it is empty then.

    Not if a page beside it names it, one that was copied or renamed, or one that another process is about to
    publish. What cannot be deleted stays: the movie is there, and that is what was asked for.
    """
    if folder.is_symlink():
        return
    with contextlib.suppress(OSError):
        works = [path for path in folder.parent.glob(".*.tmp") if path.is_dir() and path != but]
        pages = [page for place in [folder.parent, *works] for page in _pages(place)]
        if any(named and named.name == folder.name for named in map(folder_of, pages)):
            return
        for path in pictures(folder).values():
            path.unlink()
        for group in [path for path in folder.iterdir() if _GROUP.fullmatch(path.name)]:
            with contextlib.suppress(OSError):  # somebody's file is in it
                group.rmdir()
        folder.rmdir()


def _pages(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.*") if path.suffix.lower() == ".html"]
