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
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
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
        Numbers, text, containers and arrays are hashed whole; functions by their code and what it
        refers to; other objects by their class and what pickle would keep of them. What cannot be
        pickled, or is nested too deeply, counts by its class only.
    """
    return _digest_inside(value, ())


def _digest_inside(value: Any, above: tuple[int, ...]) -> str:
    sha = hashlib.sha256()
    try:
        _feed(value, sha, above)
    except RecursionError:
        sha = hashlib.sha256(f"{type(value)} nested too deeply".encode())
    return sha.hexdigest()


def _feed(value: Any, sha: Any, above: tuple[int, ...]) -> None:
    if id(value) in above:
        sha.update(b"<cycle>")
        return
    kind = type(value)
    sha.update(f"{kind.__module__}.{kind.__qualname__}:".encode())
    inside = (*above, id(value))
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        sha.update(repr(value).encode("utf-8", "surrogatepass") + b";")
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        sha.update(len(data).to_bytes(8, "big") + data)
    elif isinstance(value, (list, tuple)):
        sha.update(len(value).to_bytes(8, "big"))
        for item in value:
            _feed(item, sha, inside)
    elif isinstance(value, Mapping):
        pairs = value.items()
        _feed_unordered((_digest_inside(k, inside) + _digest_inside(v, inside) for k, v in pairs), sha)
    elif isinstance(value, (set, frozenset)):
        _feed_unordered((_digest_inside(item, inside) for item in value), sha)
    elif _is_array(value):
        _feed_array(value, sha, inside)
    elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
        _feed([digest_code(value), digest_function(value, inside)], sha, inside)
    elif isinstance(value, (type, types.ModuleType)):
        sha.update(f"{getattr(value, '__module__', '')}.{value.__name__}".encode())
    else:
        _feed_object(value, sha, inside)


def _feed_unordered(digests: Iterable[str], sha: Any) -> None:
    for digest in sorted(digests):
        sha.update(digest.encode())


def _is_array(value: Any) -> bool:
    """Arrays that are nothing but their elements; labelled ones (pandas, xarray) are objects."""
    labelled = hasattr(value, "index") or hasattr(value, "coords")
    return hasattr(value, "dtype") and hasattr(value, "__array__") and not labelled


def _feed_array(value: Any, sha: Any, above: tuple[int, ...]) -> None:
    import numpy as np

    array = np.asarray(value)
    sha.update(f"{array.dtype.descr if array.dtype.names else array.dtype.str}{array.shape}".encode())
    if array.dtype.hasobject:
        _feed(array.tolist(), sha, above)
    else:
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else b"")
    if isinstance(value, np.ma.MaskedArray):
        _feed(np.ma.getmaskarray(value), sha, above)


def _feed_object(value: Any, sha: Any, above: tuple[int, ...]) -> None:
    """As pickle takes an object apart (`object.__reduce_ex__`), but its parts by their structure."""
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
    _feed([arguments, *parts], sha, above)


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
    """The script and those loaded modules that lie in its folder, not counting installed ones."""
    folder = script.parent
    installed = {Path(sysconfig.get_paths()[key]).resolve() for key in ("stdlib", "purelib", "platlib")}
    found = {script}
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not isinstance(name, str) or not name.endswith(".py"):
            continue
        path = Path(name).resolve()
        below = path.is_relative_to(folder) and not any(path.is_relative_to(lib) for lib in installed)
        if below and not _is_ours(path):
            found.add(path)
    return (script, *sorted(found - {script}))


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(Path(__file__).resolve().parent)


def digest_function(function: Callable[..., Any], above: tuple[int, ...] = ()) -> dict[str, str]:
    """Digests of all that a function refers to, besides its file.

    Parameters
    ----------
    function : callable
    above : tuple of int
        Ids of the objects that it was found in: they are not gone into again.

    Returns
    -------
    dict
        ``name -> digest`` of closure variables, defaults, bound object and the global variables
        that it or a function it calls from the same file uses. Modules and classes are left out.
    """
    found: dict[str, str] = {}
    _collect(function, found, set(), above)
    return found


def _collect(function: Any, found: dict[str, str], seen: set[int], above: tuple[int, ...]) -> None:
    if id(function) in seen:
        return
    seen.add(id(function))
    inside = (*above, id(function))
    if isinstance(function, functools.partial):
        found["partial arguments"] = _digest_inside([function.args, function.keywords], inside)
        _collect(function.func, found, seen, inside)
        return
    if isinstance(function, types.MethodType):
        found["self"] = _digest_inside(function.__self__, inside)
        _collect(function.__func__, found, seen, inside)
        return
    function = inspect.unwrap(function)
    if not isinstance(function, types.FunctionType):
        found.setdefault("object", _digest_inside(function, above))
        return
    if function.__defaults__ or function.__kwdefaults__:
        defaults = [function.__defaults__, function.__kwdefaults__]
        found[f"defaults of {function.__name__}"] = _digest_inside(defaults, inside)
    for name, value in _referred(function):
        if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
            _collect(value, found, seen, inside)
        elif not isinstance(value, (types.ModuleType, type, types.FunctionType)) and name not in found:
            found[name] = _digest_inside(value, inside)


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
