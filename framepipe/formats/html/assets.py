"""The folder of pictures of an HTML page: its name, its files, and how both are published together.

The page names its folder in its first tag: ``<html lang="en" data-files="waves_files-1f0c22ab">``. The
eight digits are a digest of all pictures, so a new page never reads the pictures of an old one, a build
that is killed at any moment leaves an old page with its own folder, and a folder can be checked against
its name. A folder is deleted only after the page that named it, if no other page next to it names it, and
only the files that framepipe wrote: files of others stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from framepipe.core import files
from framepipe.job.fingerprint import digest_file

STILL = "still.webp"
_IN_ONE_FOLDER = 1000  # file managers and network file systems are slow with many more
_HEAD = 4096  # bytes of a page that hold its generator and the name of its folder
_NAMED = re.compile(r'<!DOCTYPE html>\n<html [^>]*?\bdata-files="([^"]*)"')
_GENERATOR = '<meta name="generator" content="framepipe">'
_FOLDER = re.compile(r".+_files-[0-9a-f]{8}", re.DOTALL)
_GROUP = re.compile(r"\d{3,}")
_PICTURE = re.compile(r"(\d{3,})/\d{6,}\.webp")
_BEFORE = "before.html"  # in the work folder: the head of the page that will be replaced


def picture_name(picture: int) -> str:
    """Return the name of a picture in the folder; the page's script composes the same name."""
    return f"{picture // _IN_ONE_FOLDER:03d}/{picture:06d}.webp"


def folder_name(stem: str, digests: Mapping[str, str]) -> str:
    """Return the name of a page's folder, from the page's stem and the SHA-256 of each picture."""
    ending = f"_files-{_digest(digests)}"
    room = files.MAX_NAME - len(ending)
    return os.fsdecode(os.fsencode(stem)[:room]) + ending


def _digest(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()[:8]


def address(folder: str) -> str:
    """Return the folder's name, percent-encoded for use in HTML."""
    return quote(os.fsencode(folder), safe="")


def folder_named_in(text: str) -> str | None:
    """Return the folder named in a page's text, None if there is none.

    Raises
    ------
    ValueError
        The name is not that of a folder next to the page.
    """
    match = _NAMED.match(text)
    if not match:
        return None
    name = os.fsdecode(unquote_to_bytes(match[1]))
    if address(name) != match[1] or not _FOLDER.fullmatch(name) or "/" in name or "\0" in name:
        raise ValueError(f"data-files {match[1]!r:.100} is no folder of pictures beside the page")
    return name


def folder_of(page: Path) -> Path | None:
    """Return the folder of a page written by framepipe; None for any other file, and if there is none."""
    try:
        with files.open_file(page) as file:
            text = file.read(_HEAD).decode("ascii", "replace")
        name = folder_named_in(text) if _GENERATOR in text else None
    except (OSError, ValueError):
        return None
    return page.with_name(name) if name else None


def pictures(folder: Path) -> dict[str, Path]:
    """List all pictures in a folder by name. Links are ignored: they may lead anywhere."""
    return {name: path for name, path in _entries(folder) if name == STILL or _PICTURE.fullmatch(name)}


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the regular files in a folder and in its subfolders."""
    if folder.is_symlink():
        return
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False):
            yield entry.name, folder / entry.name
        elif entry.is_dir(follow_symlinks=False):
            for below in os.scandir(entry.path):
                if below.is_file(follow_symlinks=False):
                    yield f"{entry.name}/{below.name}", Path(below.path)


def is_intact(folder: Path) -> bool:
    """True if a folder has exactly its pictures, byte for byte, by the digest in its name."""
    try:
        digests = {name: digest_file(path) for name, path in pictures(folder).items()}
    except OSError:
        return False
    return folder.name.endswith(f"_files-{_digest(digests)}")


def is_whole(page: Path) -> bool:
    """True if all pictures of a page are present (always, if they are embedded)."""
    folder = folder_of(page)
    return folder is None or is_intact(folder)


def size_bytes(movie: Path) -> int:
    """Return the size of a movie and of the pictures in its folder."""
    folder = folder_of(movie)
    paths = pictures(folder).values() if folder else ()
    return movie.stat().st_size + sum(path.stat().st_size for path in paths)


def publish(movie: Path, output: Path) -> None:
    """Publish a page: its folder of pictures first; the previous page's folder is removed last.

    Parameters
    ----------
    movie : Path
        In a work folder of its own.
    output : Path

    Raises
    ------
    OSError
        The file system's error; an earlier page is unchanged.
    """
    old_folder = folder_of(output)
    if old_folder:  # if we are killed, the clean-up of the work folder finds here which folder to delete
        with output.open("rb") as file:
            (movie.parent / _BEFORE).write_bytes(file.read(_HEAD))
    folder = folder_of(movie)
    target = output.with_name(folder.name) if folder else None
    is_new = target is not None and not os.path.lexists(target)
    try:
        if folder and target:
            _move(folder, target)
        files.publish(movie, output)
    except BaseException:
        if target and is_new:
            _delete_unless_named(target, own_work=movie.parent)
        raise
    if old_folder and old_folder != folder_of(output):
        _delete_unless_named(old_folder, own_work=movie.parent)


def set_aside(movie: Path, rejected: Path) -> None:
    """Rename a rejected page, and move its folder along unless that name is taken."""
    old_folder, folder = folder_of(rejected), folder_of(movie)
    if folder and not os.path.lexists(rejected.with_name(folder.name)):
        folder.rename(rejected.with_name(folder.name))
    os.replace(movie, rejected)
    if old_folder and old_folder != folder_of(rejected):
        _delete_unless_named(old_folder, own_work=movie.parent)


def forget(work: Path) -> None:
    """Delete the folders of pictures of a killed build; call it before its work folder is deleted."""
    for page in _pages(work):
        if folder := folder_of(page):
            _delete_unless_named(work.with_name(folder.name), own_work=work)


def _move(folder: Path, target: Path) -> None:
    """Sync a folder to disk and rename it; if the target exists, replace its pictures one by one.

    The target has the same name, so the same pictures, whole or damaged: readers meanwhile see damaged
    ones replaced by whole ones only.
    """
    for path in [*pictures(folder).values(), *folder.iterdir(), folder]:
        _sync(path)
    try:
        folder.rename(target)
    except OSError:
        if not all(
            map(_is_plain, [target, *(target / path.name for path in folder.iterdir() if path.is_dir())])
        ):
            raise
        for name, path in pictures(folder).items():
            (target / name).parent.mkdir(exist_ok=True)
            os.replace(path, target / name)
        for path in [*target.iterdir(), target]:
            _sync(path)
    files.sync_folder(target.parent)


def _is_plain(folder: Path) -> bool:
    """True if a file written into a folder cannot end up elsewhere through a link."""
    return not folder.is_symlink() and (folder.is_dir() or not folder.exists())


def _sync(path: Path) -> None:
    if path.is_dir():
        files.sync_folder(path)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _delete_unless_named(folder: Path, own_work: Path) -> None:
    """Delete framepipe's pictures in a folder, and then the folder if it is empty.

    Nothing is deleted if a page next to it names it: a copied or renamed one, or one that another process is
    about to publish. Errors are ignored: the movie itself is published.
    """
    if folder.is_symlink():
        return
    with contextlib.suppress(OSError):
        works = [path for path in folder.parent.glob(".*.tmp") if path.is_dir() and path != own_work]
        pages = [page for place in [folder.parent, *works] for page in _pages(place)]
        if any(page_folder and page_folder.name == folder.name for page_folder in map(folder_of, pages)):
            return
        for path in pictures(folder).values():
            path.unlink()
        for group in [path for path in folder.iterdir() if _GROUP.fullmatch(path.name)]:
            with contextlib.suppress(OSError):  # somebody's file is in it
                group.rmdir()
        folder.rmdir()


def _pages(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.*") if path.suffix.lower() == ".html"]
