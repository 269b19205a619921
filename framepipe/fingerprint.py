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
import io
import pickle
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterable, Mapping
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
        Numbers, text, containers and arrays are hashed whole; other objects by their class and
        attributes, or as pickle would store them. What cannot be pickled counts by its class only.
    """
    sha = hashlib.sha256()
    _feed(value, sha, ())
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
        sha.update(len(value).to_bytes(8, "big"))
        sha.update(value)
    elif isinstance(value, (list, tuple)):
        sha.update(len(value).to_bytes(8, "big"))
        for item in value:
            _feed(item, sha, inside)
    elif isinstance(value, Mapping):
        _feed_unordered((digest_value(k) + _digest_inside(v, inside) for k, v in value.items()), sha)
    elif isinstance(value, (set, frozenset)):
        _feed_unordered((_digest_inside(item, inside) for item in value), sha)
    elif hasattr(value, "dtype") and hasattr(value, "__array__"):
        _feed_array(value, sha, inside)
    elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
        _feed([digest_code(value), digest_function(value)], sha, inside)
    elif isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType)):
        sha.update(getattr(value, "__name__", "").encode())
    else:
        _feed_object(value, sha, inside)


def _digest_inside(value: Any, above: tuple[int, ...]) -> str:
    sha = hashlib.sha256()
    _feed(value, sha, above)
    return sha.hexdigest()


def _feed_unordered(digests: Iterable[str], sha: Any) -> None:
    for digest in sorted(digests):
        sha.update(digest.encode())


def _feed_array(value: Any, sha: Any, above: tuple[int, ...]) -> None:
    import numpy as np

    array = np.asarray(value)
    sha.update(f"{array.dtype.str}{array.shape}".encode())
    if array.dtype.hasobject:
        _feed(array.tolist(), sha, above)
    else:
        sha.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    if isinstance(value, np.ma.MaskedArray):
        _feed(np.ma.getmaskarray(value), sha, above)


def _feed_object(value: Any, sha: Any, above: tuple[int, ...]) -> None:
    if hasattr(value, "__dict__") and _is_plain(type(value)):
        _feed(vars(value), sha, above)
        return
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=4)
    pickler.fast = True  # no memo: bytes do not depend on which equal objects are the same object
    try:
        pickler.dump(value)
    except Exception:  # whatever a foreign class raises when it is not made for pickling
        return
    sha.update(buffer.getbuffer())


def _is_plain(kind: type) -> bool:
    """True for classes whose whole state is their ``__dict__``."""
    own = {"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs_ex__", "__slots__"}
    return not any(own & set(vars(base)) for base in kind.__mro__[:-1])


def digest_source(text: str) -> str:
    """SHA-256 of Python source, the same when only comments or white space differ."""
    try:
        normal = ast.unparse(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        normal = text
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def digest_code(function: Callable[..., Any]) -> str:
    """SHA-256 of a function's own source, of its bytecode where there is none."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return digest_source(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return hashlib.sha256(code.co_code if code else repr(type(function)).encode()).hexdigest()


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


def digest_function(function: Callable[..., Any]) -> dict[str, str]:
    """Digests of all that a function refers to, besides its file.

    Returns
    -------
    dict
        ``name -> digest`` of closure variables, defaults, bound object and the global variables
        that it or a function it calls from the same file uses. Modules and classes are left out.
    """
    found: dict[str, str] = {}
    _collect(function, found, set())
    return found


def _collect(function: Any, found: dict[str, str], seen: set[int]) -> None:
    if id(function) in seen:
        return
    seen.add(id(function))
    if isinstance(function, functools.partial):
        found["partial arguments"] = digest_value([function.args, function.keywords])
        _collect(function.func, found, seen)
        return
    if isinstance(function, types.MethodType):
        found["self"] = digest_value(function.__self__)
        _collect(function.__func__, found, seen)
        return
    function = inspect.unwrap(function)
    if not isinstance(function, types.FunctionType):
        found.setdefault("object", digest_value(function))
        return
    if function.__defaults__ or function.__kwdefaults__:
        defaults = [function.__defaults__, function.__kwdefaults__]
        found[f"defaults of {function.__name__}"] = digest_value(defaults)
    for name, value in _referred(function):
        if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
            _collect(value, found, seen)
        elif not isinstance(value, (types.ModuleType, type, types.FunctionType)) and name not in found:
            found[name] = digest_value(value)


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
