"""What can be reached from a function within the user's own files: data, and the code of other functions."""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from framepipe.job.places import OWN, is_below, is_installed
from framepipe.job.source_code import digest_source
from framepipe.job.values import ValueDigester, function_within

#: With these a function can reach names that do not occur in its code.
_DYNAMIC = frozenset(("getattr", "vars", "globals", "locals", "eval", "exec", "__dict__"))
_NO_DATA = (
    types.FunctionType,
    types.ModuleType,
    type,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
)


class Digests(Protocol):
    """What `Reach` asks of each value and each code, as `Digester` answers it."""

    is_state: bool
    kinds: dict[type, None]

    def digest(self, value: Any) -> str:
        """Digest a value that may refer to others."""

    def whole(self, value: Any) -> str:
        """Digest a value however deep it is."""

    def code(self, thing: Any) -> str:
        """Digest the code of a function or class."""


class Reach:
    """Digests of what can be reached from a function within the user's own files."""

    def __init__(self, digester: Digests) -> None:
        self._digester = digester
        self._digest: Callable[[Any], str] = digester.digest
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
        if not self._digester.is_state:
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


class Digester(ValueDigester):
    """Digests values; functions by their code and what it refers to."""

    def __init__(self, *, state: bool = False) -> None:
        super().__init__(state=state)
        self._codes: dict[int, tuple[Any, str]] = {}

    def code(self, thing: Any) -> str:
        """Digest the code of a function or class, once."""
        if id(thing) not in self._codes:
            self._codes[id(thing)] = (thing, _code_of(thing))
        return self._codes[id(thing)][1]

    def parts_of_function(self, function: Any) -> list[Any]:
        """See `ValueDigester`."""
        return [None if self.is_state else self.code(function), Reach(self).of(function)]


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
    return Digester().whole(_parts_of_code(code) if isinstance(code, types.CodeType) else type(function))


def _parts_of_code(code: types.CodeType) -> list[Any]:
    inner = [_parts_of_code(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    plain = [each for each in code.co_consts if not isinstance(each, types.CodeType)]
    return [code.co_code, code.co_names, code.co_varnames, code.co_freevars, plain, inner]


def _inner_of(value: Any) -> Any:
    """Return the function behind a cached, compiled or decorated one."""
    if type(value) is functools._lru_cache_wrapper:
        return value.__wrapped__
    return None if issubclass(type(value), (type, types.ModuleType)) else function_within(value)


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
