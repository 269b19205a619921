"""Update functions that begin each frame anew: they clear their Axes, and change nothing else.

Many scripts call ``ax.clear()`` and plot all of a frame again. What such a frame shows follows from its value
alone, so nobody has to run the updates before it. That is read off the source, in which only this may stand:
plain values, Axes, functions that change nothing (of numpy, of math, and the script's own, which are read
too), and assignments to local names. With anything else, a function is taken for one that keeps state. Frames
that were jumped to are compared besides, where two workers meet.

`Axes.clear` makes new what most methods of an Axes leave behind, but not all: see `LASTING`.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import inspect
import linecache
import types
from collections.abc import Iterator
from typing import Any

from framepipe.scenes import matplotlib_private
from framepipe.scenes.harmless import (
    ANY,
    ATTRIBUTES,
    CLEAR,
    GROW,
    LABELS,
    LASTING,
    PICTURES,
    TRANSFORMS,
    WIPED,
    WRITTEN,
    WRITTEN_BY_AXES,
    is_plain,
    most_arguments,
    most_arguments_of_method,
)

_MAX_DEPTH, _MAX_CALLS = 5, 50  # of functions that call others


def begins_anew(animation: Any, values: Any) -> bool:
    """True if each update of a `FuncAnimation` first clears its Axes, and changes nothing else.

    Parameters
    ----------
    animation : Animation
    values : range, list, tuple, ndarray or None
        Each frame's value; None if they are not known.
    """
    from matplotlib.animation import FuncAnimation

    figure, update = matplotlib_private.figure_of(animation), matplotlib_private.update_of(animation)
    arguments = matplotlib_private.arguments_of(animation)
    if type(animation) is not FuncAnimation or matplotlib_private.is_blitted(animation) or values is None:
        return False
    if figure.get_layout_engine() is not None or matplotlib_private.calls_while_drawing(figure):
        return False
    if not matplotlib_private.has_usual_init(animation):  # it may change what the update refers to
        return False
    reading = _Reading(figure)
    try:
        if not (is_plain(tuple(arguments)) and is_plain(values)):
            return False
        reading.function(update, len(arguments) + 1)
    except Exception:  # besides `_Unknown` whatever a script's own objects raise when they are looked at
        return False
    return bool(reading.cleared)


class _Unknown(Exception):
    """Something of which it is not known that it changes nothing."""


class _Reading:
    """What was read of an update function, statement by statement.

    Parameters
    ----------
    figure : Figure
        The animation's.

    Attributes
    ----------
    cleared : set of int
        The ids of Axes that are cleared by then.
    """

    def __init__(self, figure: Any) -> None:
        self.cleared: set[int] = set()
        self._figure = figure
        self._depth = self._count = 0
        self._globals: dict[str, Any] | None = None

    def function(self, function: Any, given: int, is_sometimes: bool = False) -> None:
        """Read a function of the script that is called with so many arguments.

        Raises
        ------
        _Unknown
        """
        self._count += 1
        if type(function) is not types.FunctionType or self._count > _MAX_CALLS or self._depth > _MAX_DEPTH:
            raise _Unknown
        if self._globals is not None and self._globals is not function.__globals__:  # of a library
            raise _Unknown
        self._globals = function.__globals__
        definition = _definition(function)
        if not is_plain([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]):
            raise _Unknown
        if given > function.__code__.co_argcount or function.__code__.co_flags & inspect.CO_GENERATOR:
            raise _Unknown
        self._depth += 1
        _Body(self, function, definition, is_sometimes).read(definition.body, is_used=self._depth > 1)
        self._depth -= 1

    def call_of_axes(self, axes: Any, name: str, call: ast.Call, is_sometimes: bool) -> None:
        """Read the call of a method of an Axes, without its arguments."""
        if name in vars(axes) or not _is_matplotlibs(getattr(type(axes), name, None)):
            raise _Unknown
        if name in CLEAR and not is_sometimes:
            self._clear(axes)
            return
        names = [f"set_{keyword.arg}" for keyword in call.keywords] if name == "set" else [name]
        if id(axes) not in self.cleared or not all(each in WIPED or each in LASTING for each in names):
            raise _Unknown

    def _clear(self, axes: Any) -> None:
        if axes.figure is not self._figure or not matplotlib_private.stands_alone(axes):
            raise _Unknown
        if matplotlib_private.has_listeners(axes):
            raise _Unknown
        self.cleared.add(id(axes))


class _Body:
    """Reads the body of one function.

    Parameters
    ----------
    reading : _Reading
    function : function
    definition : FunctionDef
        Its source.
    is_sometimes : bool
        It is not called in each frame.
    """

    def __init__(
        self,
        reading: _Reading,
        function: types.FunctionType,
        definition: ast.FunctionDef,
        is_sometimes: bool,
    ) -> None:
        self._reading, self._is_sometimes = reading, is_sometimes
        self._bindings = _bindings(definition)
        code = function.__code__
        self._locals = {*code.co_varnames, *code.co_cellvars}
        self._inner: set[str] = set()  # names of comprehensions
        self._names: dict[str, Any] = {**vars(builtins), **function.__globals__}
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            try:
                self._names[name] = cell.cell_contents
            except ValueError:  # not assigned yet
                raise _Unknown from None

    def read(self, body: list[ast.stmt], *, is_used: bool) -> None:
        """Read all statements; only the last may return, whatever it is if nobody uses it."""
        for at, statement in enumerate(body):
            if isinstance(statement, ast.Return):
                if at + 1 < len(body):
                    raise _Unknown
                if is_used or not _is_name(statement.value):
                    self._expressions(statement.value)
            else:
                self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Expr):
            self._expressions(statement.value)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            self._expressions(statement.value)
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                self._target(target)
        elif isinstance(statement, ast.If):
            self._expressions(statement.test)
            self._branch([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.For):
            self._expressions(statement.iter)
            self._target(statement.target)
            self._branch([*statement.body, *statement.orelse])
        elif not isinstance(statement, (ast.Pass, ast.Break, ast.Continue)):
            raise _Unknown

    def _branch(self, body: list[ast.stmt]) -> None:
        with self._sometimes():
            for statement in body:
                self._statement(statement)

    @contextlib.contextmanager
    def _sometimes(self) -> Iterator[None]:
        """What is read in this context may not be reached in each frame."""
        before, self._is_sometimes = self._is_sometimes, True
        yield
        self._is_sometimes = before

    def _target(self, target: ast.expr) -> None:
        """Read what is assigned to: local names alone."""
        if isinstance(target, (ast.Tuple, ast.List)):
            for each in target.elts:
                self._target(each)
        elif isinstance(target, ast.Starred):
            self._target(target.value)
        elif not (isinstance(target, ast.Name) and self._is_local(target.id)):
            raise _Unknown

    def _expressions(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            if node is not None:
                self._expression(node)

    def _expression(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            self._name(node)
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            self._comprehension(node)
        elif isinstance(node, (ast.BoolOp, ast.IfExp, ast.Compare)):  # ends where the outcome is known
            with self._sometimes():
                self._expressions(*ast.iter_child_nodes(node))
        elif isinstance(node, _HARMLESS):
            self._expressions(*ast.iter_child_nodes(node))
        else:
            raise _Unknown

    def _is_local(self, name: str) -> bool:
        return name in self._locals or name in self._inner

    def _name(self, node: ast.Name) -> None:
        if not self._is_local(node.id) and not is_plain(self._static(node)):
            raise _Unknown

    def _attribute(self, node: ast.Attribute) -> None:
        if node.attr in TRANSFORMS and _is_axes(self._static(node.value)):
            return
        if isinstance(self._static(node.value), types.ModuleType):
            if not is_plain(self._static(node)):
                raise _Unknown
        elif node.attr in ATTRIBUTES:
            self._expressions(node.value)
        else:
            raise _Unknown

    def _comprehension(self, node: Any) -> None:
        inner = set(self._inner)
        with self._sometimes():
            for each in node.generators:
                self._expressions(each.iter)
                self._inner |= {name.id for name in ast.walk(each.target) if isinstance(name, ast.Name)}
                self._target(each.target)
                self._expressions(*each.ifs)
            self._expressions(*([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]))
        self._inner = inner

    def _call(self, node: ast.Call) -> None:
        self._expressions(*node.args, *(keyword.value for keyword in node.keywords))
        axes = self._axes_of(node.func)
        if axes is not None and isinstance(node.func, ast.Attribute):
            if any(keyword.arg in WRITTEN_BY_AXES for keyword in node.keywords):
                raise _Unknown
            self._reading.call_of_axes(axes, node.func.attr, node, self._is_sometimes)
            self._check_lasting(node.func.attr, node)
            return
        called = self._static(node.func)
        if called is not _NOTHING:
            self._known(called, node)
        elif isinstance(node.func, ast.Attribute):
            self._method(node.func, node)
        else:
            raise _Unknown

    def _check_lasting(self, name: str, call: ast.Call) -> None:
        """Raise if something that `Axes.clear` does not reset may be another in the next frame."""
        words = [(f"set_{each.arg}" if name == "set" else name, each) for each in call.keywords]
        lasting = [(method, each) for method, each in words if method in LASTING]
        if name not in LASTING and not lasting:
            return
        fixed = [each.value for method, each in lasting if name != "set" or method not in LABELS]
        fixed += call.args[1:] if name in LABELS | PICTURES else call.args
        has_stars = any(each.arg is None for each in call.keywords) or any(map(_is_starred, call.args))
        if self._is_sometimes or has_stars or not all(map(self._is_fixed, fixed)):
            raise _Unknown

    def _is_fixed(self, node: ast.expr) -> bool:
        """True for an expression without local names."""
        return not any(isinstance(each, ast.Name) and self._is_local(each.id) for each in ast.walk(node))

    def _known(self, called: Any, node: ast.Call) -> None:
        """Read the call of something that has a name outside of the function."""
        most = most_arguments(called)
        if most is None:
            if node.keywords or any(map(_is_starred, node.args)):
                raise _Unknown
            self._reading.function(called, len(node.args), self._is_sometimes)
        else:
            _check_arguments(node, most)

    def _method(self, node: ast.Attribute, call: ast.Call) -> None:
        """Read the name of a method of a value, and the value."""
        owner, most = node.value, most_arguments_of_method(node.attr)
        bound = self._bindings.get(owner.id, []) if isinstance(owner, ast.Name) else []
        if bound and all(is_all and isinstance(value, (ast.List, ast.ListComp)) for value, is_all in bound):
            most = ANY if node.attr in GROW else most
        elif any(self._is_artist(value) for value, _ in bound):
            is_set = node.attr.startswith("set_") and all(self._is_artist(value) for value, _ in bound)
            most = ANY if is_set else None
        if most is None:
            raise _Unknown
        _check_arguments(call, most)
        self._expressions(owner)

    def _is_artist(self, value: ast.expr | None) -> bool:
        """True for what a method of an Axes returns, of which `Axes.clear` leaves nothing."""
        if not isinstance(value, ast.Call) or self._axes_of(value.func) is None:
            return False
        return isinstance(value.func, ast.Attribute) and value.func.attr not in LABELS

    def _axes_of(self, function: ast.expr) -> Any:
        """Return the Axes whose method this is; None if it is something else."""
        if not isinstance(function, ast.Attribute):
            return None
        owner = self._static(function.value)
        return owner if _is_axes(owner) else None

    def _static(self, node: ast.expr) -> Any:
        """Return what an expression stands for outside of the function, or `_NOTHING`."""
        if isinstance(node, ast.Name) and not self._is_local(node.id):
            if node.id not in self._names:
                raise _Unknown
            return self._names[node.id]
        if isinstance(node, ast.Attribute):
            owner = self._static(node.value)
            return vars(owner).get(node.attr, _NOTHING) if isinstance(owner, types.ModuleType) else _NOTHING
        if isinstance(node, ast.Subscript):
            return self._item(node)
        return _NOTHING

    def _item(self, node: ast.Subscript) -> Any:
        """Return one of several Axes that have a name together."""
        import numpy as np

        owner = self._static(node.value)
        if not (type(owner) in (list, tuple) or (type(owner) is np.ndarray and owner.dtype == object)):
            return _NOTHING
        try:
            return owner[ast.literal_eval(node.slice)]
        except Exception:  # not a constant, or out of range, which will be reported where it is drawn
            return _NOTHING


_NOTHING = object()
_HARMLESS = (
    *(ast.Constant, ast.BinOp, ast.UnaryOp, ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List, ast.Set),
    *(ast.Dict, ast.Subscript, ast.Slice, ast.Starred, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
    ast.expr_context,
)


def _definition(function: types.FunctionType) -> ast.FunctionDef:
    """Return the source of a function, if the file is what runs: it may have changed since it was loaded.

    `inspect.getsource` would return that of a function which this one only wraps.
    """
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename))
    if not any(f"{name}()" in text for name in CLEAR):
        raise _Unknown
    try:
        definitions, codes = _functions_in(text, code.co_filename)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _Unknown from None
    definition = definitions.get((code.co_name, code.co_firstlineno))
    if code not in codes or definition is None:
        raise _Unknown
    return definition


@functools.lru_cache(1)
def _functions_in(
    text: str, name: str
) -> tuple[dict[tuple[str, int], ast.FunctionDef], frozenset[types.CodeType]]:
    """Return the functions in a file by name and line (not those with decorators), and all code in it."""
    nodes = ast.walk(ast.parse(text))
    definitions = {
        (node.name, node.lineno): node
        for node in nodes
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
    }
    return definitions, frozenset(_codes_in(compile(text, name, "exec", dont_inherit=True)))


def _codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield each
            yield from _codes_in(each)


def _bindings(definition: ast.FunctionDef) -> dict[str, list[tuple[ast.expr | None, bool]]]:
    """Return what each local name is bound to, if it is assigned, and whether that is it or a part of it."""
    bound = {each.arg: [_ANYTHING] for each in ast.walk(definition.args) if isinstance(each, ast.arg)}
    for node in ast.walk(definition):
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        for target in filter(None, targets):
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    bound.setdefault(name.id, []).append((value, name is target))
    return bound


_ANYTHING: tuple[ast.expr | None, bool] = None, False


def _is_matplotlibs(method: Any) -> bool:
    """True for a method of matplotlib's own: a script's wrapper may bear its name and module."""
    return str(getattr(method, "__globals__", {}).get("__name__", "")).startswith("matplotlib")


def _is_axes(thing: Any) -> bool:
    from matplotlib.axes import Axes

    return type(thing) is Axes


def _is_name(node: ast.expr | None) -> bool:
    """True for a name, and for several."""
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]
    return all(isinstance(part, ast.Name) for part in parts)


def _is_starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _check_arguments(call: ast.Call, most: int) -> None:
    """Raise if a call may be given something to write to."""
    if (
        any(keyword.arg is None or keyword.arg in WRITTEN for keyword in call.keywords)
        or len(call.args) > most
    ):
        raise _Unknown
    if most < ANY and any(map(_is_starred, call.args)):
        raise _Unknown
