"""Record the files that a process opens for reading, and find those that decide a frame.

`sys.addaudithook` reports every file that Python code opens. For libraries that open files in C, the
paths passed to them are recorded (h5py, netCDF4, xarray, OpenCV, PyTables, Polars) and, on Linux, the
files that the process holds open. Not detected: files that other programs and `multiprocessing.Pool`
read, HDF5's external links, files that a C library opens and closes by itself.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib.machinery
import os
import stat
import sys
import threading
import time
import types
import urllib.parse
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from framepipe.job.places import OWN, Kind, classify, is_below, is_installed, source_of

#: Where a file was opened: file, first line and instruction of each function on the stack, innermost first.
_Site = tuple[tuple[str, int, int], ...]


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
    """One access: ``kind`` is a field of `Reads`."""

    kind: str
    name: str
    site: _Site
    cached: bool  #: read by a function that caches its results, or by code not called from the user's


class ReadLog:
    """Log of the files that this process reads, from `start` on; a forked child continues its own copy.

    Loading comes first: what it reads belongs to the whole job (`loaded`). Then `take` is called after
    each frame and returns what decides this frame.

    Parameters
    ----------
    ignore : iterable of str or path-like, optional
        Folders whose files do not count, such as the store.
    """

    def __init__(self, ignore: Iterable[str | os.PathLike[str]] = ()) -> None:
        self._ignore = tuple(os.path.abspath(each) for each in ignore)
        self._events: list[_Event] = []
        self._written_paths: set[str] = set()
        self._removed_paths: set[str] = set()
        self._loading = Reads()
        self._last: dict[_Site, list[_Event]] = {}  # of each site, in the last frame that read there
        self._earlier: dict[_Event, None] = {}  # of all earlier frames
        self._open_before: set[tuple[str, str]] = set()
        self._stacks = _Stacks()
        self._states: dict[str, _State | None] = {}  # of each file when it was last opened
        self._noted_paths: set[str] = set()  # since the last call of `take`
        self._began_ns = self._ended_ns = time.time_ns()
        self._installed: dict[str, bool] = {}  # by folder: importing matplotlib opens 600 files
        self._kinds: dict[str, Kind] = {}

    def start(self) -> None:
        """Record from now on, in place of any other log of this process."""
        global _log
        classify(OWN)  # fills its caches now, not within the hook
        self._open_before = set(_open_files())
        _log = self
        _install_hook()
        _watch_readers()

    def stop(self) -> None:
        """Stop recording; the hook itself stays, for Python cannot remove one."""
        global _log
        if _log is self:
            _log = None

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
            by_site: dict[_Site, list[_Event]] = {}
            for event in events:
                by_site.setdefault(event.site, []).append(event)
            silent = [event for site, last in self._last.items() if site not in by_site for event in last]
            lasting = [event for event in self._earlier if carried or event.cached]
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
        site, cached, own = self._stacks.site()
        if not own:
            self._events.append(_Event(f"{kind}s", place, site, cached))
            if place not in self._noted_paths:
                self._noted_paths.add(place)
                self._states[place] = _state_of(place, time.time_ns())

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
        site, cached, own = self._stacks.site()
        if not own:
            self._events.append(_Event(kind, name, site, cached))

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


#: matplotlib's function that reads all fonts, where no earlier process has kept the list of them. It decides
#: nothing: a font that is used is read again.
_FONT_LIST = "_load_fontmanager"


class _Stacks:
    """Finds where in the program something happens, by the functions on the stack."""

    def __init__(self) -> None:
        self._rooms: dict[str, str] = {}
        self._cached: dict[int, tuple[types.CodeType, bool]] = {}  # holds the code, so that no id is reused

    def site(self) -> tuple[_Site, bool, bool]:
        """Return the site; whether its result may be cached; whether it decides nothing, like our own."""
        users: list[tuple[str, int, int]] = []
        every: list[tuple[str, int, int]] = []
        cached, first = False, ""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_name == _FONT_LIST and frame.f_code.co_filename.endswith("font_manager.py"):
                return (), False, True
            room = self._room(frame.f_code.co_filename)
            if room != "hook":
                place = (frame.f_code.co_filename, frame.f_code.co_firstlineno, frame.f_lasti)
                every.append(place)
                if room == "user":
                    users.append(place)
                if room != "library":
                    first = first or room
                cached = cached or self._is_cached(frame)
            frame = frame.f_back
        return tuple(users or every), cached or not users, first == "own"

    def _room(self, filename: str) -> str:
        room = self._rooms.get(filename)
        if room is None:
            room = self._rooms[filename] = _room_of(filename)
        return room

    def _is_cached(self, frame: types.FrameType) -> bool:
        """True if the frame is a call of a function that caches its results."""
        code = frame.f_code
        if id(code) not in self._cached:
            spaces = [frame.f_globals]
            if "<locals>" in getattr(code, "co_qualname", "<locals>") and frame.f_back is not None:
                spaces.append(frame.f_back.f_locals)  # an inner function is a local of its caller
            wrapped = (_cached_code(value) for space in spaces for value in _values_of(space))
            self._cached[id(code)] = (code, any(each is code for each in wrapped))
        return self._cached[id(code)][1]


#: framepipe's folders that draw with matplotlib, which then opens fonts; all others read for framepipe
#: itself: frames of data, which count by their values, and files for their digests.
_DRAWING = ("scenes", "integrations")


def _room_of(filename: str) -> str:
    if filename.startswith(("<frozen ", "<__array")):
        return "library"
    if filename.startswith("<"):  # typed in, or made by exec
        return "user"
    if filename == __file__:
        return "hook"
    place = os.path.realpath(filename)
    if is_below(place, OWN):
        return "drawing" if any(is_below(place, os.path.join(OWN, each)) for each in _DRAWING) else "own"
    return "library" if is_installed(os.path.abspath(filename)) else "user"


def _values_of(space: dict[str, Any]) -> Iterator[Any]:
    for value in list(space.values()):
        yield value
        if isinstance(value, type):
            yield from list(vars(value).values())


def _cached_code(value: Any) -> types.CodeType | None:
    """Return the code whose results ``value`` caches: a `functools.lru_cache`, cachetools, joblib."""
    kind = type(value)
    if isinstance(value, (staticmethod, classmethod)):
        value, kind = value.__func__, type(value.__func__)
    if kind is functools._lru_cache_wrapper:
        inner = value.__wrapped__
    elif kind is types.FunctionType and {"cache", "cache_clear", "cache_info"} & value.__dict__.keys():
        inner = value.__dict__.get("__wrapped__")
    elif kind.__name__ == "MemorizedFunc":
        inner = getattr(value, "func", None)
    else:
        return None
    code = getattr(inner, "__code__", None)
    return code if isinstance(code, types.CodeType) else None


# ---- the hook ----

_log: ReadLog | None = None
_hooked = False
_thread = threading.local()
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Do not record what this thread reads meanwhile: framepipe reads for itself."""
    before = getattr(_thread, "busy", False)
    _thread.busy = True
    try:
        yield
    finally:
        _thread.busy = before


def _install_hook() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _HANDLERS or _log is None or getattr(_thread, "busy", False):
        return
    _thread.busy = True
    try:
        _HANDLERS[event](_log, *arguments)
    except Exception:  # noqa: S110  # whatever happens here must not become the failure of the user's open()
        pass
    finally:
        _thread.busy = False


def _on_open(log: ReadLog, path: Any, mode: Any, flags: Any) -> None:
    if isinstance(path, int):
        return
    writes = isinstance(mode, str) and any(letter in mode for letter in "wax")
    if writes or (isinstance(flags, int) and flags & _WRITING):
        log.note_written(path)
    else:  # r+ too: numpy.memmap's default
        log.note_file(path)


def _on_sqlite(log: ReadLog, database: Any, *_: Any) -> None:
    text = os.fsdecode(database)
    if text.startswith("file:"):
        text = urllib.parse.unquote(urllib.parse.urlsplit(text).path)
    if text in ("", ":memory:"):
        return
    if not Path(text).exists():
        log.note_written(text)
        return
    log.note_file(text)
    if Path(f"{text}-wal").exists():  # rows that are not yet in the file itself
        log.note_file(f"{text}-wal")


def _on_connect(log: ReadLog, _socket: Any, address: Any, *_: Any) -> None:
    if isinstance(address, tuple) and len(address) >= 2:  # else the path of a socket on this machine
        log.note_use("network", f"{address[0]}:{address[1]}")


def _on_program(log: ReadLog, program: Any, arguments: Any = None, *_: Any) -> None:
    if program is None and isinstance(arguments, (list, tuple)) and arguments:
        program = arguments[0]
    log.note_use("programs", os.fsdecode(program))


def _on_library(log: ReadLog, name: Any) -> None:
    if isinstance(name, str) and os.sep in name:
        log.note_file(name)


def _on_remove(log: ReadLog, path: Any, folder: int = -1) -> None:
    if folder == -1:
        log.note_removed(path)


def _on_rename(log: ReadLog, source: Any, target: Any, *folders: int) -> None:
    if all(folder == -1 for folder in folders):
        log.note_renamed(source, target)


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": _on_open,
    "sqlite3.connect": _on_sqlite,
    "socket.connect": _on_connect,
    "subprocess.Popen": _on_program,
    "os.system": _on_program,
    "os.posix_spawn": _on_program,
    "ctypes.dlopen": _on_library,
    "os.remove": _on_remove,
    "os.rename": _on_rename,
}


# ---- libraries that open files in C ----


def _note_path(path: Any, mode: Any = "r") -> None:
    """Record the argument of a reader in C: a path, a pattern, a list of them, an address."""
    log = _log
    if log is None or getattr(_thread, "busy", False):
        return
    with unrecorded(), contextlib.suppress(Exception):  # as in the hook
        for each in path if isinstance(path, (list, tuple)) else [path]:
            _note_one(log, each, mode if isinstance(mode, str) else "r")


def _note_one(log: ReadLog, path: Any, mode: str) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)):  # a file that Python opened, an array
        return
    text = os.fsdecode(path)
    scheme, separator, rest = text.partition("://")
    if separator and scheme != "file":
        log.note_use("network", rest.partition("/")[0])
    elif mode[:1] in ("w", "x") or (mode[:1] == "a" and not Path(text).exists()):
        log.note_written(text)
    else:
        text = rest if separator else text
        is_pattern = glob.has_magic(text) and not Path(text).exists()
        for each in glob.glob(text) if is_pattern else [text]:  # noqa: PTH207
            log.note_file(each)


def _function(reader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(reader)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _note_path(*_path_of(args, kwargs))
        return reader(*args, **kwargs)

    return wrapper


def _subclass(reader: Any) -> type:
    """Wrap a class written in C, whose ``__init__`` cannot be replaced."""

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        _note_path(*_path_of(args, kwargs))
        reader.__init__(self, *args, **kwargs)

    names = {"__init__": initialise, "__doc__": reader.__doc__, "__module__": reader.__module__}
    return type(reader.__name__, (reader,), names)


def _initialiser(reader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(reader)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        _note_path(*_path_of(args, kwargs))
        return reader(self, *args, **kwargs)

    return wrapper


_PATH_NAMES = ("name", "filename", "filename_or_obj", "paths", "files", "source", "where")


def _path_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Return path and mode: the first argument of all these readers, and the second of some."""
    path = args[0] if args else next((kwargs[name] for name in _PATH_NAMES if name in kwargs), None)
    second = args[1] if len(args) > 1 else None
    return path, kwargs.get("mode", second if isinstance(second, str) and len(second) <= 3 else "r")


_TABLES = ("csv", "parquet", "ipc", "ndjson", "json")
#: module -> (attribute, how it is wrapped)
_READERS: dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]] = {
    "h5py": (("File.__init__", _initialiser),),
    "netCDF4": (("Dataset", _subclass), ("MFDataset", _subclass)),
    "xarray": tuple(
        (name, _function)
        for name in ("open_dataset", "open_dataarray", "open_mfdataset", "load_dataset", "load_dataarray")
    ),
    "cv2": (("imread", _function),),
    "tables": (("open_file", _function),),
    "polars": tuple((f"{verb}_{kind}", _function) for verb in ("read", "scan") for kind in _TABLES),
}


def _wrap_readers(name: str) -> None:
    """Replace the readers of a loaded module, once."""
    module = sys.modules[name]
    for address, wrap in _READERS[name]:
        *way, last = address.split(".")
        owner: Any = module
        for part in way:
            owner = getattr(owner, part, None)
        reader = getattr(owner, last, None)
        if reader is None or getattr(reader, "_framepipe_notes", False):
            continue
        with contextlib.suppress(Exception):  # a version of that library that cannot be wrapped
            wrapper = wrap(reader)
            wrapper._framepipe_notes = True
            setattr(owner, last, wrapper)


def _watch_readers() -> None:
    """Wrap the readers that are loaded now, and the others when they are loaded."""
    for name in _READERS:
        if name in sys.modules:
            _wrap_readers(name)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds modules by Python's own finders, and wraps a reader's module after its execution."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in _READERS:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if find is None or isinstance(finder, _Finder):
                continue
            spec: importlib.machinery.ModuleSpec | None = find(name, path, target)
            if spec is not None:
                _wrap_after_loading(spec, name)
                return spec
        return None


def _wrap_after_loading(spec: importlib.machinery.ModuleSpec, name: str) -> None:
    loader: Any = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: types.ModuleType) -> None:
        del loader.exec_module  # the instance's; the class's own is visible again
        execute(module)
        _wrap_readers(name)

    with contextlib.suppress(AttributeError, TypeError):  # a loader that takes no attributes
        loader.exec_module = exec_module
