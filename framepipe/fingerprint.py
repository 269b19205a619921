"""SHA-256 over what decides a frame's pixels: values, source code, the data that code refers to.

A digest must be the same for equal things in another process, on another day, under another hash
seed; so values are hashed by their structure (arrays whole, never by an abbreviated ``repr``), and
source by its syntax tree, in which comments and white space do not occur.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Parts of a fingerprint, by name; the value is a digest or, for a version, the text itself.
Parts = Mapping[str, str]


def combine(parts: Parts) -> str:
    """The fingerprint of a frame: SHA-256, in hex, over its named parts."""
    text = "\n".join(f"{name}={parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_value(value: Any) -> str:
    """SHA-256, in hex, of a Python value by its structure.

    Parameters
    ----------
    value : object
        Numbers, text, containers and arrays are hashed whole, dictionaries in their order;
        functions by their code and what it refers to; other objects by their class and what pickle
        would keep of them. What cannot be pickled, what is nested too deeply, and matplotlib's
        figures and artists count by their class only.
    """
    try:
        return _Digester().digest(value)
    except RecursionError:
        return hashlib.sha256(f"{type(value)} nested too deeply".encode()).hexdigest()


class _Digester:
    """Digests of one value's parts, each object once, however often it is referred to."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}  # holds the objects: an id is not used again
        self._open: set[int] = set()

    def digest(self, value: Any) -> str:
        """The digest of ``value``; an object that is inside itself counts there as a mark."""
        if id(value) in self._known:
            return self._known[id(value)][1]
        if id(value) in self._open:
            return "<cycle>"
        self._open.add(id(value))
        sha = hashlib.sha256()
        try:
            self._feed(value, sha)
        finally:
            self._open.discard(id(value))
        self._known[id(value)] = (value, sha.hexdigest())
        return sha.hexdigest()

    def _feed(self, value: Any, sha: Any) -> None:
        kind = type(value)
        sha.update(f"{kind.__module__}.{kind.__qualname__}:".encode())
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            sha.update(repr(value).encode("utf-8", "surrogatepass") + b";")
        elif isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            sha.update(len(data).to_bytes(8, "big") + data)
        elif isinstance(value, (list, tuple)):
            self._feed_each(value, sha)
        elif isinstance(value, Mapping):  # in its order, in which a bar chart draws it
            self._feed_each([item for pair in value.items() for item in pair], sha)
        elif isinstance(value, (set, frozenset)):
            sha.update("".join(sorted(self.digest(item) for item in value)).encode())
        elif _is_array(value):
            self._feed_array(value, sha)
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            self._feed_each([digest_code(value), _Reach(self).of(value)], sha)
        elif isinstance(value, (type, types.ModuleType)):
            sha.update(f"{getattr(value, '__module__', '')}.{value.__name__}".encode())
        elif not kind.__module__.startswith("matplotlib."):
            self._feed_object(value, sha)

    def _feed_each(self, items: Sequence[Any], sha: Any) -> None:
        sha.update(len(items).to_bytes(8, "big"))
        for item in items:
            if item is None or isinstance(item, (bool, int, float, complex, str)):
                self._feed(item, sha)
            else:
                sha.update(self.digest(item).encode())

    def _feed_array(self, value: Any, sha: Any) -> None:
        import numpy as np

        array = np.asarray(value)
        kind = array.dtype.descr if array.dtype.names else array.dtype.str
        sha.update(f"{kind}{array.shape}".encode())
        if array.dtype.hasobject:
            self._feed_each([array.tolist()], sha)
        elif array.size:
            sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        if isinstance(value, np.ma.MaskedArray):
            self._feed_array(np.ma.getmaskarray(value), sha)
        if isinstance(getattr(value, "dims", None), tuple):  # xarray.Variable, in every DataArray and Dataset
            # Not what pickle keeps, as of objects: merely showing one changes its encoding from None to {}.
            self._feed_each([value.dims, getattr(value, "attrs", None)], sha)

    def _feed_object(self, value: Any, sha: Any) -> None:
        """As pickle takes an object apart (`object.__reduce_ex__`), its parts by their structure."""
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # whatever a foreign class raises when it is not made for pickling
            return
        if isinstance(reduced, str):
            sha.update(reduced.encode())
            return
        constructor, arguments, *state = reduced
        sha.update(f"{getattr(constructor, '__qualname__', type(constructor))}".encode())
        parts = [list(part) if isinstance(part, Iterator) else part for part in state[:3]]
        self._feed_each([arguments, *parts], sha)


def _is_array(value: Any) -> bool:
    """Arrays that are nothing but their elements; labelled ones (pandas, xarray) are objects."""
    labelled = hasattr(value, "index") or hasattr(value, "coords")
    return hasattr(value, "dtype") and hasattr(value, "__array__") and not labelled


def digest_source(text: str) -> str:
    """SHA-256 of Python source, the same when only comments or white space differ."""
    try:
        normal = ast.unparse(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        normal = text
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def digest_code(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's own source; of its bytecode where that is not to be had alone."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    try:
        if code is None or code.co_name != "<lambda>":  # a lambda's source is its whole line
            return digest_source(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        pass
    return digest_value(_parts_of_code(code) if code else type(function))


def _parts_of_code(code: types.CodeType) -> list[Any]:
    inner = [_parts_of_code(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    plain = [each for each in code.co_consts if not isinstance(each, types.CodeType)]
    return [code.co_code, code.co_names, code.co_varnames, code.co_freevars, plain, inner]


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, over all files below it with their names."""
    sha = hashlib.sha256()
    if path.is_dir():
        for below in sorted(item for item in path.rglob("*") if item.is_file()):
            sha.update(f"{below.relative_to(path).as_posix()}\0{digest_file(below)}\n".encode())
        return sha.hexdigest()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def local_sources(script: Path) -> tuple[Path, ...]:
    """The script and the files of its folder that it imports, directly or through each other.

    Found by reading the ``import`` statements, so they are the same whatever else has been loaded.
    """
    found, waiting = {script: None}, [script]
    while waiting:
        for path in _imported(waiting.pop(), script.parent):
            if path not in found:
                found[path] = None
                waiting.append(path)
    return (script, *sorted(set(found) - {script}))


def _imported(source: Path, folder: Path) -> Iterable[Path]:
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            base = folder
        elif isinstance(node, ast.ImportFrom):
            inside = node.module or ""
            names = [inside, *(f"{inside}.{alias.name}".lstrip(".") for alias in node.names)]
            base = source.parents[node.level - 1] if node.level else folder
        else:
            continue
        for name in filter(None, names):
            yield from _files_of(base, name.split("."))


def _files_of(base: Path, parts: list[str]) -> Iterable[Path]:
    for depth in range(1, len(parts) + 1):
        place = base.joinpath(*parts[:depth])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                yield path


def digest_function(function: Callable[..., Any]) -> dict[str, str]:
    """Digests of all that a function refers to, besides its file.

    Returns
    -------
    dict
        ``name -> digest`` of closure variables, defaults, bound object and the global variables
        that it or what it calls of the same file uses, and the code of these functions and
        classes. Modules are left out.
    """
    return _Reach(_Digester()).of(function)


class _Reach:
    """What can be reached from a function within its file."""

    def __init__(self, digester: _Digester) -> None:
        self._digest = digester.digest
        self._found: dict[str, str] = {}
        self._seen: set[int] = set()

    def of(self, function: Any) -> dict[str, str]:
        self._go_into(function)
        return self._found

    def _go_into(self, function: Any) -> None:
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        if isinstance(function, functools.partial):
            self._found["partial arguments"] = self._digest([function.args, function.keywords])
            self._go_into(function.func)
        elif isinstance(function, types.MethodType):
            self._found["self"] = self._digest(function.__self__)
            self._go_into(function.__func__)
        elif isinstance(function, types.FunctionType):
            self._go_into_function(function)
        elif isinstance(function, type):
            self._go_into_class(function)
        else:
            self._found.setdefault("object", self._digest(function))

    def _go_into_function(self, function: types.FunctionType) -> None:
        name = function.__qualname__
        if function.__defaults__ or function.__kwdefaults__:
            defaults = [function.__defaults__, function.__kwdefaults__]
            self._found[f"defaults of {name}"] = self._digest(defaults)
        if (inner := getattr(function, "__wrapped__", None)) is not None:
            self._go_into(inner)
        for name, value in _referred(function):
            here = getattr(value, "__module__", None) == function.__module__
            if isinstance(value, (types.FunctionType, type)):
                if here and id(value) not in self._seen:
                    self._found[f"code of {value.__qualname__}"] = _code_of(value)
                    self._go_into(value)
            elif not isinstance(value, types.ModuleType) and name not in self._found:
                self._found[name] = self._digest(value)

    def _go_into_class(self, kind: type) -> None:
        for member in vars(kind).values():
            if isinstance(member, types.FunctionType):
                self._go_into_function(member)


def _code_of(thing: types.FunctionType | type) -> str:
    if isinstance(thing, types.FunctionType):
        return digest_code(thing)
    members = sorted(vars(thing).items())
    codes = [digest_code(each) for _, each in members if isinstance(each, types.FunctionType)]
    return hashlib.sha256(" ".join([*(name for name, _ in members), *codes]).encode()).hexdigest()


def _referred(function: types.FunctionType) -> Iterable[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: types.CodeType) -> set[str]:
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*(_names(each) for each in inner))
