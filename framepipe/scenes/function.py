"""A scene that is a function: one frame's value in, one Figure out."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.errors import RenderError, UsageError
from framepipe.fingerprint import digest_code, digest_function, local_sources
from framepipe.scenes.load import Loaded
from framepipe.scenes.style import changed_rcparams

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FunctionScene:
    """A function of one frame.

    Parameters
    ----------
    function : callable
        Called with the frame's value and ``params``. Returns a Figure, an Axes or another Artist
        (or a sequence that begins with one, as ``plt.subplots`` and ``plt.plot`` give), or nothing
        after drawing on pyplot's current figure.
    params : mapping, optional
        Keyword arguments for every frame.
    loaded : Loaded, optional
        Where the function was loaded from, if it has an address.

    Raises
    ------
    UsageError
        It is no function, or does not take the frame's value and these parameters.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        params: Mapping[str, Any] | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        self.function = function
        self.params: Mapping[str, Any] = dict(params or {})
        self.name = loaded.name if loaded else _name_of(function)
        self._check()
        script = (loaded.script if loaded else None) or _file_of(function)
        self.sources = local_sources(script) if script else ()
        self.stem = script.stem if script else _module_stem(loaded)
        self.ref = loaded.ref if loaded else _ref_of(function, script)

    def _check(self) -> None:
        if not callable(self.function):
            kind = type(self.function).__name__
            raise UsageError(f"{self.name} is a {kind}, not a function of one frame")
        if inspect.isgeneratorfunction(self.function):
            raise UsageError(f"{self.name} is a generator; framepipe draws a function of one frame")
        try:
            signature = inspect.signature(self.function)
        except (ValueError, TypeError):
            return
        try:
            signature.bind(object(), **self.params)
        except TypeError as error:
            raise UsageError(
                f"{self.name}{signature} cannot be called with a frame's value"
                f"{_and_params(self.params)}: {error}. Its parameters: {_parameters(signature)}"
            ) from None

    def code_digest(self) -> str:
        """Digest of the function's own source."""
        return digest_code(self.function)

    def data(self) -> Mapping[str, str]:
        """Digests of closure variables, defaults and global variables that the function uses."""
        return digest_function(self.function)

    def style(self) -> Mapping[str, str]:
        """RcParams that differ from matplotlib's defaults, as text."""
        return {name: repr(value) for name, value in changed_rcparams().items()}

    @contextmanager
    def figure(self, value: Any) -> Iterator[Figure]:
        """Draw one frame; its Figure, and everything else that drawing opened, is closed after."""
        from matplotlib import pyplot as plt

        before = set(plt.get_fignums())
        try:
            yield _figure_in(self.function(value, **self.params), self.name)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)


def _figure_in(returned: Any, name: str) -> Figure:
    from matplotlib import pyplot as plt
    from matplotlib.figure import FigureBase

    thing = returned[0] if isinstance(returned, (tuple, list)) and returned else returned
    if thing is None:
        if not plt.get_fignums():
            raise RenderError(
                f"{name}() returned nothing and pyplot has no figure: return the Figure that it draws"
            )
        return plt.gcf()
    for _ in range(100):  # an Axes' figure may be a SubFigure of a SubFigure …
        parent = getattr(thing, "figure", None)
        if parent is None or parent is thing:
            break
        thing = parent
    if not isinstance(thing, FigureBase):
        raise RenderError(
            f"{name}() returned a {type(returned).__name__}: return a Figure or an Axes, "
            "or draw on pyplot's current figure and return nothing"
        )
    return thing  # type: ignore[return-value]


def _module_stem(loaded: Loaded | None) -> str:
    return loaded.module.__name__.rpartition(".")[2] if loaded else "notebook"


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.unwrap(getattr(function, "__func__", function))


def _name_of(function: Any) -> str:
    return str(getattr(_bare(function), "__name__", type(function).__name__))


def _file_of(function: Any) -> Path | None:
    """The file that a function was written in; None for a notebook or a typed one."""
    bare = _bare(function)
    bare = bare if hasattr(bare, "__code__") else type(bare)
    try:
        path = Path(inspect.getsourcefile(bare) or "")
    except TypeError:
        return None
    in_notebook = getattr(sys.modules.get(getattr(bare, "__module__", "")), "__file__", None) is None
    return None if in_notebook or not path.is_file() else path.resolve()


def _ref_of(function: Any, script: Path | None) -> str | None:
    """The address of a function that stands at the top of its file, None for any other."""
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", "")
    if not name.isidentifier() or getattr(sys.modules.get(module), name, None) is not function:
        return None
    if module == "__main__" and script is None:  # a notebook
        return None
    return f"{script}:{name}" if script and module in ("__main__", script.stem) else f"{module}:{name}"


def _and_params(params: Mapping[str, Any]) -> str:
    return f" and {', '.join(params)}" if params else ""


def _parameters(signature: inspect.Signature) -> str:
    return ", ".join(signature.parameters) or "none"
