"""Digests (SHA-256) of what decides a frame's pixels: values, source code, data that code refers to.

A digest must be the same for equal things in another process, on another day, under another hash
seed; so values are hashed by their structure (arrays whole, never by an abbreviated ``repr``), and
source by its syntax tree, which has no comments and no white space.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import itertools
import marshal
import os
import random
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from framepipe.job.anatomy import attributes, has_known_position, parts_of
from framepipe.job.places import OWN, is_below, is_installed

#: Parts of a fingerprint, by name; the value is a digest or, for a version, the text itself.
Parts = Mapping[str, str]


def combine(parts: Parts) -> str:
    """Combine named parts into the fingerprint of a frame: SHA-256, in hex."""
    text = "\n".join(f"{name}={parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_value(value: Any) -> str:
    """Digest a Python value by its structure: SHA-256, in hex.

    Parameters
    ----------
    value : object
        Numbers, text, containers and arrays are hashed whole, dictionaries in their order;
        functions by their code and what it refers to; tables, colour maps, random generators, iterators
        and files by their parts as `framepipe.job.anatomy` lists them; other objects by their class and
        the state that pickle would save, or their attributes. matplotlib's figures and artists, and
        objects that raise when they are inspected, count by their class only.
    """
    return _Digester().whole(value)


#: Depth to which nested values are hashed recursively; deeper ones are hashed afterwards, so that the digest
#: does not depend on Python's recursion limit, of which the caller may have used any part.
_DEPTH = 40
#: Larger arrays are sampled where only changes matter.
_LARGE_BYTES = 64 << 20
_SAMPLES = 1_000_000
_MAX_TEXT = 80  # of a value for people


class _Digester:
    """Digests the parts of one value, each object once, however often it is referred to.

    Parameters
    ----------
    state : bool, default: False
        Detect changes only: code does not count, and large arrays count by evenly spread elements.
    """

    def __init__(self, *, state: bool = False) -> None:
        self._state = state
        self._digests: dict[int, tuple[Any, str]] = {}  # holds the objects, so that no id is reused
        self._in_progress: set[int] = set()
        self._depth = 0
        self._deeper: list[Any] = []
        self._places: dict[int, int] = {}  # positions in `_deeper`, by id
        self._codes: dict[int, tuple[Any, str]] = {}
        self.kinds: dict[type, None] = {}  #: classes of the objects, in order of first occurrence

    def whole(self, value: Any) -> str:
        """Digest ``value`` as a whole, however deep it is."""
        try:
            digests = [self.digest(value)]
            for deeper in self._deeper:  # it grows meanwhile
                digests.append(self.digest(deeper, follow=True))
        except RecursionError:
            digests = [hashlib.sha256(f"{type(value)} nested too deeply".encode()).hexdigest()]
        if self._deeper:  # the cached digests lack what is deeper
            self._digests, self._deeper, self._places = {}, [], {}
        return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def code(self, thing: Any) -> str:
        """Digest the code of a function or class, once."""
        if id(thing) not in self._codes:
            self._codes[id(thing)] = (thing, _code_of(thing))
        return self._codes[id(thing)][1]

    def digest(self, value: Any, follow: bool = False) -> str:
        """Digest ``value``; an object that contains itself counts there as a mark."""
        if id(value) in self._digests:
            return self._digests[id(value)][1]
        if id(value) in self._in_progress:
            return "<cycle>"
        if self._depth == _DEPTH and id(value) not in self._places:
            self._places[id(value)] = len(self._deeper)
            self._deeper.append(value)
        if id(value) in self._places and not follow:
            return f"<deeper {self._places[id(value)]}>"
        self._in_progress.add(id(value))
        self._depth += 1
        sha = hashlib.sha256()
        try:
            self._feed(value, sha)
        except RecursionError:
            raise
        except Exception:  # whatever a foreign class raises when it is inspected
            sha = hashlib.sha256(f"{type(value)} cannot be read".encode())
        finally:
            self._in_progress.discard(id(value))
            self._depth -= 1
        self._digests[id(value)] = (value, sha.hexdigest())
        return sha.hexdigest()

    def _feed(self, value: Any, sha: Any) -> None:
        kind = type(value)
        sha.update(f"{kind.__module__}.{kind.__qualname__}:".encode())
        if kind.__module__ != "builtins":
            self.kinds[kind] = None
        if value is None or isinstance(value, (bool, int, float, complex, str)):
            sha.update(repr(value).encode("utf-8", "surrogatepass") + b";")
        elif isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            sha.update(len(data).to_bytes(8, "big") + data)
        elif (parts := parts_of(value)) is not None:
            self._feed_each(parts, sha)
            if self._state and not has_known_position(value):
                sha.update(f"{next(_unique_marks)}".encode())
        elif isinstance(value, (list, tuple)):
            self._feed_each(value, sha)
        elif isinstance(value, Mapping):  # in its order: a bar chart draws it so
            self._feed_each([item for pair in value.items() for item in pair], sha)
        elif isinstance(value, (set, frozenset)):
            sha.update("".join(sorted(self.digest(item) for item in value)).encode())
        elif _is_array(value):
            self._feed_array(value, sha)
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            self._feed_each([None if self._state else self.code(value), _Reach(self).of(value)], sha)
        elif isinstance(value, (type, types.ModuleType)):
            sha.update(f"{getattr(value, '__module__', '')}.{value.__name__}".encode())
            if isinstance(value, type):
                self.kinds[value] = None
        else:
            self._feed_object(value, sha)

    def _feed_each(self, items: Sequence[Any], sha: Any) -> None:
        sha.update(len(items).to_bytes(8, "big"))
        if len(items) > 100 and set(map(type, items)) <= _NUMBERS:
            sha.update(b"numbers:" + marshal.dumps(list(items), 2))  # 2: by value, without references
            return
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
        if self._state and array.nbytes > _LARGE_BYTES and array.size > _SAMPLES:
            array = array.flat[:: _step(array.size)]
        if array.dtype.hasobject:
            self._feed_each([array.tolist()], sha)
        elif array.size:
            sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        if isinstance(value, np.ma.MaskedArray):
            self._feed_array(np.ma.getmaskarray(value), sha)
        elif (
            isinstance(value, np.ndarray) and not isinstance(value, np.memmap) and hasattr(value, "__dict__")
        ):
            self._feed_each([vars(value)], sha)  # units and the like of a subclass
        if isinstance(getattr(value, "dims", None), tuple):  # xarray.Variable, in every DataArray and Dataset
            # Not its pickled state, as for objects: printing one changes its encoding from None to {}.
            self._feed_each([value.dims, getattr(value, "attrs", None)], sha)

    def _feed_object(self, value: Any, sha: Any) -> None:
        """Digest an object as pickle takes it apart (`object.__reduce_ex__`)."""
        if (function := _function_within(value)) is not None:
            self._feed_each([function], sha)
            return
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # whatever a foreign class raises that cannot be pickled
            self._feed_each([attributes(value)], sha)
            return
        if isinstance(reduced, str):
            sha.update(reduced.encode())
            return
        constructor, arguments, *state = reduced
        sha.update(f"{getattr(constructor, '__qualname__', type(constructor))}".encode())
        items = [list(part) if isinstance(part, Iterator) else part for part in state[1:3]]
        self._feed_each([arguments, *state[:1], *items], sha)


_NUMBERS = {bool, int, float, complex, type(None)}
#: Marks for files whose position is unknown: each differs from all before.
_unique_marks = itertools.count()


def _step(size: int) -> int:
    """Return the distance between samples: a prime, so that they reach each column of a table."""
    step = size // _SAMPLES + 1
    while any(step % each == 0 for each in range(2, int(step**0.5) + 1)):
        step += 1
    return step


def _function_within(value: Any) -> types.FunctionType | None:
    """Return the Python function behind a compiled or decorated one (numba, jax)."""
    for name in ("__wrapped__", "py_func"):
        try:
            inner = getattr(value, name, None)
        except Exception:  # whatever a foreign class raises on attribute access
            return None
        if type(inner) is types.FunctionType:
            return inner
    return None


def _is_array(value: Any) -> bool:
    """True for arrays that are nothing but their elements; labelled ones (pandas, xarray) are objects."""
    is_labelled = hasattr(value, "index") or hasattr(value, "coords")
    return hasattr(value, "dtype") and hasattr(value, "__array__") and not is_labelled


def digest_source(text: str, docstrings: bool = True) -> str:
    """Digest Python source (SHA-256); comments and white space do not count.

    Parameters
    ----------
    text : str
    docstrings : bool
        Docstrings of functions and classes count.
    """
    try:
        tree = ast.parse(text)
        normal = ast.unparse(tree if docstrings else _without_docstrings(tree))
    except (SyntaxError, ValueError, RecursionError):
        normal = text
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def digest_code(function: Callable[..., Any]) -> str:
    """Digest a function's own source (SHA-256), or its bytecode if the source is unavailable or a lambda's.

    Docstrings in a file do not count here: if a program shows them, they count with that file.
    """
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    # Python 3.13 knows the text of ``python -c``, and gives that for all code that was made from strings
    is_typed = code is not None and code.co_filename == "<string>"
    try:
        if code is None or (
            code.co_name != "<lambda>" and not is_typed
        ):  # a lambda's source is its whole line
            source = textwrap.dedent(inspect.getsource(function))
            return digest_source(source, docstrings=code is None or not Path(code.co_filename).is_file())
    except Exception:  # noqa: S110  # no source, or one that has changed under us, which raises anything
        pass
    return digest_value(_parts_of_code(code) if isinstance(code, types.CodeType) else type(function))


def _parts_of_code(code: types.CodeType) -> list[Any]:
    inner = [_parts_of_code(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    plain = [each for each in code.co_consts if not isinstance(each, types.CodeType)]
    return [code.co_code, code.co_names, code.co_varnames, code.co_freevars, plain, inner]


def digest_file(path: Path) -> str:
    """Digest a file's bytes (SHA-256); a folder counts by all files below it with their names."""
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
    """List the script and the files of its folder that it imports, directly or indirectly.

    Read from the ``import`` statements, so the result does not depend on what else is loaded.
    """
    sources, queue = {script: None}, [script]
    while queue:
        for path in _imported(queue.pop(), script.parent):
            if path not in sources:
                sources[path] = None
                queue.append(path)
    return (script, *sorted(set(sources) - {script}))


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
        target = base.joinpath(*parts[:depth])
        for path in (target.with_suffix(".py"), target / "__init__.py"):
            if path.is_file():
                yield path


def digest_function(function: Callable[..., Any]) -> dict[str, str]:
    """Digest all that a function refers to, besides its file.

    Returns
    -------
    dict
        ``name -> digest`` of closure variables, defaults, bound object, and of the global variables,
        class attributes and attributes of modules that it, or what it calls, uses, as far as these are
        the user's own; and the code of these functions and classes. Names from other files than the
        function's begin with their module.
    """
    return _Reach(_Digester()).with_kinds(function)


def shown_values(function: Callable[..., Any]) -> dict[str, str]:
    """Return what `digest_function` digests as text where it is short: numbers, names, paths.

    Returns
    -------
    dict
        By the same names.
    """
    return {name: text for name, text in _Reach(_Texts()).of(function).items() if text}


class _Texts:
    """Stands in for a `_Digester`: a plain value's text instead of its digest, nothing for others."""

    _state = False

    def __init__(self) -> None:
        self.kinds: dict[type, None] = {}

    def digest(self, value: Any) -> str:
        """Return the text of a value."""
        if type(value) not in _NUMBERS and not isinstance(value, (str, Path)):
            return ""
        text = repr(str(value)) if isinstance(value, (str, Path)) else repr(value)
        return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"

    whole = digest

    def code(self, thing: Any) -> str:
        """Return nothing: code is no value."""
        return ""


def state_digests(*functions: Callable[..., Any]) -> dict[str, str]:
    """Digest the state that calls of functions can change and later calls can see.

    The difference between two results, before and after a call, is what the call changed.

    Returns
    -------
    dict
        As `digest_function`, without code; large arrays are sampled. And ``"random"``, and
        ``"numpy.random"`` if numpy is loaded: the states of the global generators. matplotlib's figures
        and artists count by their class, the contents of a `functools.lru_cache` do not count. A text
        file in the middle of a loop over its lines counts as changed each time: its position is unknown.
    """
    digester = _Digester(state=True)
    reach, states = _Reach(digester), {}
    for function in functions:
        states = reach.with_kinds(function)
    states["random"] = digester.whole(random.getstate())
    if "numpy" in sys.modules:
        states["numpy.random"] = digester.whole(sys.modules["numpy"].random.get_state(legacy=False))
    return states


#: With these a function can reach names that do not occur in its code.
_DYNAMIC = frozenset(("getattr", "vars", "globals", "locals", "eval", "exec", "__dict__"))


class _Reach:
    """Digests of what can be reached from a function within the user's own files."""

    def __init__(self, digester: _Digester | _Texts) -> None:
        self._digester = digester
        self._digest: Callable[[Any], str] = digester.digest
        self._state = digester._state
        self._digests: dict[str, str] = {}
        self._visited: dict[int, Any] = {}  # holds the objects, so that no id is reused
        self._visited_attributes: set[tuple[str, str]] = set()
        self._queue: list[Any] = []
        self._home: str | None = None

    def of(self, function: Any) -> dict[str, str]:
        """Return digests of what ``function`` refers to, and of all that was reached before."""
        self._queue.append(function)
        while self._queue:
            self._go_into(self._queue.pop(0))
        return self._digests

    def with_kinds(self, function: Any) -> dict[str, str]:
        """Return the same, and what the classes of all objects refer to."""
        self._digest = self._digester.whole
        self.of(function)
        while unvisited := [kind for kind in self._digester.kinds if id(kind) not in self._visited]:
            for kind in unvisited:
                if self._is_users(kind):
                    self._note_code(kind)
                    self.of(kind)
                self._visited[id(kind)] = kind
        return self._digests

    def _note(self, name: str, digest: str) -> None:
        """Keep a digest; different things with the same name are numbered."""
        label, count = name, 1
        while self._digests.get(label, digest) != digest:
            count += 1
            label = f"{name} ({count})"
        self._digests[label] = digest

    def _note_code(self, thing: Any) -> None:
        if not self._state:
            self._note(f"code of {self._label(thing, thing.__qualname__)}", self._digester.code(thing))

    def _label(self, thing: Any, name: str) -> str:
        module = getattr(thing, "__module__", None)
        return name if module in (None, self._home) else f"{module}.{name}"

    def _is_users(self, thing: Any) -> bool:
        name = getattr(thing, "__module__", None)
        return isinstance(name, str) and (name == self._home or _is_local(sys.modules.get(name)))

    def _go_into(self, function: Any) -> None:
        if id(function) in self._visited:
            return
        self._visited[id(function)] = function
        if self._home is None:
            self._home = getattr(function, "__module__", None)
        if isinstance(function, functools.partial):
            self._note("partial arguments", self._digest([function.args, function.keywords]))
            self._home = getattr(function.func, "__module__", self._home)
            self._queue.append(function.func)
        elif isinstance(function, types.MethodType):
            self._note("self", self._digest(function.__self__))
            self._queue.append(function.__func__)
            kind = function.__self__ if isinstance(function.__self__, type) else type(function.__self__)
            if self._is_users(kind):
                self._queue.append(kind)
        elif isinstance(function, types.FunctionType):
            self._go_into_function(function)
        elif isinstance(function, type):
            self._go_into_class(function)
        elif (inner := _inner_of(function)) is not None:
            self._queue.append(inner)
        else:
            self._note("object", self._digest(function))

    def _go_into_function(self, function: types.FunctionType) -> None:
        name = self._label(function, function.__qualname__)
        if function.__defaults__ or function.__kwdefaults__:
            defaults = [function.__defaults__, function.__kwdefaults__]
            self._note(f"defaults of {name}", self._digest(defaults))
        if (inner := getattr(function, "__wrapped__", None)) is not None:
            self._queue.append(inner)
        if own_attributes := {key: value for key, value in vars(function).items() if _is_own(key, value)}:
            self._note(f"attributes of {name}", self._digest(own_attributes))
        if isinstance(registry := function.__dict__.get("registry"), types.MappingProxyType):
            for kind, each in registry.items():  # functools.singledispatch
                if isinstance(each, types.FunctionType):
                    self._follow(f"{name} of {kind.__qualname__}", each)
        names = _names(function.__code__)
        for name, value in _referred(function):
            if issubclass(type(value), types.ModuleType):
                self._go_into_module(value, names)
            else:
                self._follow(self._label(function, name), value)

    def _follow(self, name: str, value: Any) -> None:
        """Enter code of the user; keep the digest of anything else."""
        kind = type(value)  # an object cannot fake it, unlike its __class__
        if issubclass(kind, (types.FunctionType, type)):
            if self._is_users(value) and id(value) not in self._visited:
                self._note_code(value)
                self._queue.append(value)
        elif isinstance(inner := _inner_of(value), types.FunctionType):
            self._follow(name, inner)
        elif not issubclass(kind, types.ModuleType):
            self._note(name, self._digest(value))

    def _go_into_module(self, module: types.ModuleType, names: frozenset[str]) -> None:
        """Follow what a function with these names uses of a module of the user: ``cfg.SPEED``."""
        if not _is_local(module):
            return
        space = vars(module)
        used = {name for name in names if name in space and not name.startswith("__")}
        if names & _DYNAMIC:
            used |= {name for name, value in space.items() if _is_data(name, value)}
        for name in sorted(used):
            if (module.__name__, name) in self._visited_attributes:
                continue
            self._visited_attributes.add((module.__name__, name))
            value = space[name]
            if isinstance(value, types.ModuleType):
                self._go_into_module(value, names)
            else:
                self._follow(f"{module.__name__}.{name}", value)

    def _go_into_class(self, kind: type) -> None:
        for name, member in list(vars(kind).items()):
            functions = _functions_of(member)
            for function in functions:
                self._queue.append(function)
            if issubclass(type(member), type) and self._is_users(member):
                self._follow(name, member)
            elif not functions and _is_data(name, member):
                self._note(f"{self._label(kind, kind.__qualname__)}.{name}", self._digest(member))
        for base in kind.__bases__:
            self._follow(base.__qualname__, base)


def _inner_of(value: Any) -> Any:
    """Return the function behind a cached, compiled or decorated one."""
    if type(value) is functools._lru_cache_wrapper:
        return value.__wrapped__
    return None if issubclass(type(value), (type, types.ModuleType)) else _function_within(value)


def _functions_of(member: Any) -> list[types.FunctionType]:
    """List the functions of a class member: a method, a property, a cached property."""
    kind = type(member)
    if issubclass(kind, property):
        parts = [member.fget, member.fset, member.fdel]
    elif issubclass(kind, (staticmethod, classmethod)):
        parts = [member.__func__]
    elif issubclass(kind, (functools.cached_property, functools.partialmethod)):
        parts = [member.func]
    elif issubclass(kind, functools.singledispatchmethod):
        parts = [member.func, *member.dispatcher.registry.values()]
    else:
        parts = [member]
    inner = [part if type(part) is types.FunctionType else _inner_of(part) for part in parts]
    return [each for each in inner if type(each) is types.FunctionType]


_NO_DATA = (
    types.FunctionType,
    types.ModuleType,
    type,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
)


def _is_own(name: str, value: Any) -> bool:
    """True for a function's attribute set by the user, not by a decorator of functools or cachetools."""
    return name not in ("registry", "cache", "cache_lock") and not callable(value) and _is_data(name, value)


def _is_data(name: str, value: Any) -> bool:
    return not (name.startswith("__") or name == "_abc_impl" or issubclass(type(value), _NO_DATA))


def _is_local(module: Any) -> bool:
    """True for a module whose file is neither installed nor framepipe's own."""
    path = getattr(module, "__file__", None)
    return isinstance(path, str) and _is_local_file(path)


@functools.lru_cache(maxsize=4096)
def _is_local_file(path: str) -> bool:
    path = os.path.abspath(path)
    return not is_installed(path) and not is_below(os.path.realpath(path), OWN)


def _code_of(thing: Any) -> str:
    if not isinstance(thing, type):
        return digest_code(thing)
    members = sorted(vars(thing).items())
    codes = [digest_code(each) for _, member in members for each in _functions_of(member)]
    return hashlib.sha256(" ".join([*(name for name, _ in members), *codes]).encode()).hexdigest()


def _referred(function: types.FunctionType) -> Iterable[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue
    space = function.__globals__
    names = _names(function.__code__)
    if names & _DYNAMIC:  # globals()["A"]
        names |= {name for name in _texts(function.__code__) if name in space}
    for name in sorted(names):
        if name in space:
            yield name, space[name]
        elif isinstance(module := _imported_module(name, space.get("__package__")), types.ModuleType):
            yield name, module


def _imported_module(name: str, package: Any) -> Any:
    """Return a loaded module that a function imports itself."""
    return sys.modules.get(name) or sys.modules.get(f"{package}.{name}")


def _names(code: types.CodeType) -> frozenset[str]:
    return frozenset(code.co_names).union(*(_names(each) for each in _inner_codes(code)))


def _texts(code: types.CodeType) -> set[str]:
    """Return the identifiers in the strings of a function."""
    texts = [const for const in code.co_consts if isinstance(const, str) and len(const) < 10_000]
    words = {word for text in texts for word in re.findall(r"[^\W\d]\w*", text)}
    return words.union(*(_texts(each) for each in _inner_codes(code)))


def _inner_codes(code: types.CodeType) -> list[types.CodeType]:
    return [const for const in code.co_consts if isinstance(const, types.CodeType)]
