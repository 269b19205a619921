"""Record the files that a process opens for reading, and find those that decide a frame.

`sys.addaudithook` reports every file that Python code opens. For libraries that open files in C, the
paths passed to them are recorded (h5py, netCDF4, xarray, OpenCV, PyTables, Polars) and, on Linux, the
files that the process holds open. Not detected: files that other programs and `multiprocessing.Pool`
read, HDF5's external links, files that a C library opens and closes by itself.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from framepipe.job import c_readers, read_hook
from framepipe.job.places import OWN, Kind, classify, is_installed, source_of
from framepipe.job.read_hook import unrecorded
from framepipe.job.read_sites import Site, Stacks


@dataclass(frozen=True)
class Reads:
    """What was read; each tuple is sorted and without duplicates.

    Attributes
    ----------
    files : tuple of str
        Absolute paths of data, fonts, style sheets; also of missing files that the program tried to open.
    modules : tuple of str
        Absolute paths of Python sources that are not installed.
    network : tuple of str
        ``host:port`` of every connection.
    programs : tuple of str
        Programs that were started.
    """

    files: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def __or__(self, other: Reads) -> Reads:
        """Merge both."""
        return Reads(
            _sorted(self.files + other.files),
            _sorted(self.modules + other.modules),
            _sorted(self.network + other.network),
            _sorted(self.programs + other.programs),
        )

    def without(self, paths: Container[str]) -> Reads:
        """Return a copy without these files and modules."""
        return replace(
            self,
            files=tuple(path for path in self.files if path not in paths),
            modules=tuple(path for path in self.modules if path not in paths),
        )


def _sorted(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(items)))


class _Event(NamedTuple):
    """One access, see `Access`; ``kind`` is a field of `Reads`."""

    kind: str
    name: str
    site: Site
    is_cached: bool


class ReadLog:
    """Log of the files that this process reads, from `start` on; a forked child continues its own copy.

    Loading comes first: what it reads belongs to the whole job (`loaded`). Then `take` is called after
    each frame and returns what decides this frame.

    Parameters
    ----------
    ignore : iterable of str or path-like, optional
        Folders whose files do not count, such as the store.
    loading : Reads, optional
        What loading has read, if that is over.
    """

    def __init__(self, ignore: Iterable[str | os.PathLike[str]] = (), loading: Reads | None = None) -> None:
        self._ignore = tuple(os.path.abspath(each) for each in ignore)
        self._events: list[_Event] = []
        self._written_paths: set[str] = set()
        self._removed_paths: set[str] = set()
        self._loading = loading or Reads()
        self._last: dict[Site, list[_Event]] = {}  # of each site, in the last frame that read there
        self._earlier: dict[_Event, None] = {}  # of all earlier frames
        self._open_before: set[tuple[str, str]] = set()
        self._open_at_pause: set[tuple[str, str]] = set()
        self._shares_process = False
        self._own_paths: set[str] = set()  # opened by framepipe itself in the process of a program
        self._stacks = Stacks()
        self._states: dict[str, _State | None] = {}  # of each file when it was last opened
        self._noted_paths: set[str] = set()  # since the last call of `take`
        self._began_ns = self._ended_ns = time.time_ns()
        self._installed: dict[str, bool] = {}  # by folder: importing matplotlib opens 600 files
        self._kinds: dict[str, Kind] = {}

    def start(self) -> None:
        """Record from now on, in place of any other log of this process."""
        classify(OWN)  # fills its caches now, not within the hook
        self._open_before = set(_open_files())
        read_hook.attach(self)
        c_readers.watch()

    def stop(self) -> None:
        """Stop recording."""
        self.pause()
        c_readers.unwatch()

    def pause(self) -> None:
        """Record nothing until `resume`: what else this process does decides no frame."""
        read_hook.detach(self)
        self._open_at_pause = set(_open_files())

    def resume(self) -> None:
        """Record again; files that were opened meanwhile, or are opened by framepipe itself, do not count."""
        self._shares_process = True
        self._open_before |= set(_open_files()) - self._open_at_pause
        read_hook.attach(self)

    def loaded(self) -> Reads:
        """Return what loading read, which belongs to the whole job: all since `start`, without `take`'s."""
        with unrecorded():
            self._loading |= self._reads(self._drain())
        return self._without_removed(self._loading)

    def take(self, *, carried: bool = False) -> Reads:
        """Return the files that decide the frame drawn since the last call.

        These are the files read meanwhile; and for each place in the program that read in an earlier frame
        but not in this one, the files it read last: a font or a table that is opened once, a file that is
        opened every tenth frame. For functions that cache their results (`functools.lru_cache`), and for
        reading in threads and inside libraries, all files read since loading: it is unknown which of them
        this frame uses.

        Parameters
        ----------
        carried : bool, default: False
            The scene's state changed while frames were drawn (a list that grows, a cache of the scene's
            own), so each frame may show all that earlier ones read.

        Returns
        -------
        Reads
            Without the files that loading read.
        """
        with unrecorded():
            events = self._drain()
            by_site: dict[Site, list[_Event]] = {}
            for event in events:
                by_site.setdefault(event.site, []).append(event)
            silent = [event for site, last in self._last.items() if site not in by_site for event in last]
            lasting = [event for event in self._earlier if carried or event.is_cached]
            self._last |= by_site
            self._earlier |= dict.fromkeys(events)
            reads = self._without_removed(self._reads([*events, *silent, *lasting]))
            return reads.without({*self._loading.files, *self._loading.modules})

    def note_file(self, path: Any) -> None:
        """Record a file as read here, as if it had been opened."""
        if isinstance(path, int) or self._is_installed(path) or (place := _absolute(path)) is None:
            return
        if place in self._written_paths or (kind := self._kind(place)) == "ignored":
            return
        access = self._stacks.access()
        if not access.is_own:
            self._events.append(_Event(f"{kind}s", place, access.site, access.is_cached))
            if place not in self._noted_paths:
                self._noted_paths.add(place)
                self._states[place] = _state_of(place, time.time_ns())
        elif self._shares_process:
            self._own_paths.add(place)

    def begin(self) -> None:
        """Mark the start of a frame: it is later than the end of the last one."""
        self._ended_ns = time.time_ns()

    def is_as_read(self, path: str) -> bool:
        """True if a file has not changed since it was last opened, for this frame or an earlier one.

        Parameters
        ----------
        path : str
            As in `Reads`.
        """
        if path not in self._states:  # held open by a C library: perhaps since this frame began
            self._states[path] = _state_of(path, self._began_ns)
        state = self._states[path]
        return state is not None and state == _state_of(path)

    def _kind(self, path: str) -> Kind:
        kind = self._kinds.get(path)
        if kind is None:
            kind = self._kinds[path] = classify(path, self._ignore)
        return kind

    def _is_installed(self, path: Any) -> bool:
        """True for a file that is certainly an installed package's, by its folder."""
        if type(path) is not str or not path.startswith(os.sep) or ".." in path:
            return False
        folder = path[: path.rfind(os.sep)]
        installed = self._installed.get(folder)
        if installed is None:
            installed = self._installed[folder] = is_installed(path)
        return installed

    def note_written(self, path: Any) -> None:
        """Ignore a file from now on, since this process writes it."""
        if not isinstance(path, int) and (place := _absolute(path)) is not None:
            self._written_paths.add(place)

    def note_removed(self, path: Any) -> None:
        """Ignore a file that this process removes: it was for its own use."""
        if (place := _absolute(path)) is not None:
            self._removed_paths.add(place)

    def note_renamed(self, source: Any, target: Any) -> None:
        """Ignore the new name of a file that this process wrote."""
        before, after = _absolute(source), _absolute(target)
        if before is not None and after is not None and before in self._written_paths:
            self._written_paths.add(after)

    def note_use(self, kind: str, name: str) -> None:
        """Record the use of the network or a program: ``kind`` is ``"network"`` or ``"programs"``."""
        access = self._stacks.access()
        if not access.is_own:
            self._events.append(_Event(kind, name, access.site, access.is_cached))

    def _drain(self) -> list[_Event]:
        """Return and forget the events since the last call; other threads may add some meanwhile."""
        self._noted_paths = set()
        self._began_ns, self._ended_ns = self._ended_ns, time.time_ns()
        events = self._events[:]
        del self._events[: len(events)]
        return events

    def _reads(self, events: Sequence[_Event]) -> Reads:
        names: dict[str, set[str]] = {"files": set(), "modules": set(), "network": set(), "programs": set()}
        for event in events:
            names[event.kind].add(event.name)
        names["files"] |= {
            path
            for number, path in _open_files()
            if (number, path) not in self._open_before
            and path not in self._written_paths
            and path not in self._own_paths
            and self._kind(path) == "file"
        }
        for kind in ("files", "modules"):
            names[kind] = {path for path in names[kind] if not os.path.isdir(path)}
        return Reads(**{kind: _sorted(each) for kind, each in names.items()})

    def _without_removed(self, reads: Reads) -> Reads:
        return reads.without({path for path in self._removed_paths if not os.path.exists(path)})


#: Size, times of modification and of change (renaming a file keeps the first, not the second, see stat(2)),
#: inode; empty if there is no file.
_State = tuple[int, ...]
#: A file modified less than this before it was opened may have been modified again since with the same
#: time: the clocks of file systems tick some milliseconds apart.
_TICK_NS = 20_000_000


def _state_of(path: str, before_ns: int | None = None) -> _State | None:
    """Return a file's state without reading it; None if it may have been modified after ``before_ns``.

    A time in the future does not count: it comes from another clock, or from an archive.
    """
    try:
        state = Path(path).stat()
    except OSError:
        return ()
    latest_ns = max((ns for ns in (state.st_mtime_ns, state.st_ctime_ns) if ns <= time.time_ns()), default=0)
    if before_ns is not None and latest_ns > before_ns - _TICK_NS:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def _absolute(path: Any) -> str | None:
    try:
        text = str(os.fsdecode(path))
    except (TypeError, ValueError):
        return None
    return source_of(os.path.abspath(text)) if text and "\0" not in text else None


def _open_files() -> list[tuple[str, str]]:
    """List number and path of the regular files open for reading in this process; empty if unknown."""
    open_files = []
    with contextlib.suppress(OSError, ImportError):
        import fcntl

        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                state = os.fstat(int(number))
                if stat.S_ISREG(state.st_mode):
                    path = os.readlink(f"/proc/self/fd/{number}")
                    flags = fcntl.fcntl(int(number), fcntl.F_GETFL)
                    if flags & os.O_ACCMODE != os.O_WRONLY and os.path.exists(path):
                        open_files.append((number, path))
    return open_files
