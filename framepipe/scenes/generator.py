"""A scene that is a generator: a simulation that evolves and yields Figures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from framepipe.errors import RenderError, UsageError
from framepipe.fingerprint import digest_code, digest_function
from framepipe.frames import MOST, Frames, Unknowns
from framepipe.scenes.base import Player, SceneEnded, why_failed
from framepipe.scenes.function import closing_figures
from framepipe.scenes.load import Loaded, check_call, origin_of
from framepipe.scenes.snapshot import Snapshot, SnapshotScene
from framepipe.scenes.style import style_texts


class GeneratorScene:
    """A generator function that yields a Figure a frame.

    It runs in this process, in order and once; its figures are drawn by the engine meanwhile. What
    is drawn already is run through and not drawn.

    Parameters
    ----------
    function : generator function
    params : mapping, optional
        Its keyword arguments.
    loaded : Loaded, optional
        Where it was loaded from, if it has an address.
    """

    keeps_state = False  # of no concern: it is always run in order

    def __init__(
        self,
        function: Callable[..., Iterator[Any]],
        params: Mapping[str, Any] | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        self.function, self.params = function, dict(params or {})
        origin = origin_of(function, loaded)
        self.name, self.sources, self.stem, self.ref = origin.name, origin.sources, origin.stem, origin.ref
        check_call(function, self.name, (), self.params)

    def frames(self, asked: Any = None) -> Frames:
        """The plan: all that it yields, or those asked for by their place, from 0."""
        if asked is None:
            return Frames(range(MOST), Unknowns(MOST), "", extent="growing")
        plan = Frames.of(asked)
        in_order = list(plan.numbers) == sorted(plan.numbers)
        if not plan.are_numbers or min(plan.numbers) < 0 or not in_order:
            raise UsageError(
                f"frames of generator {self.name} are chosen by place, rising from 0: a count or a range"
            )
        return Frames(plan.numbers, Unknowns(len(plan)), plan.spec, indices=plan.numbers)

    def code_digest(self) -> str:
        """Digest of the function's own source."""
        return digest_code(self.function)

    def data(self) -> Mapping[str, str]:
        """Digests of closure variables, defaults and global variables that the function uses."""
        return digest_function(self.function)

    def style(self) -> Mapping[str, str]:
        """RcParams that differ from matplotlib's defaults, as text."""
        return style_texts()

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """How its figures are drawn."""
        return SnapshotScene(self.name).player()

    def run(self) -> tuple[SnapshotScene, Mapping[int, Snapshot]]:
        """Start it: what draws its figures, and the figures by number, to be asked for in rising order."""
        scene = SnapshotScene(self.name, self.stem)
        return scene, _Figures(self, scene)

    def __getstate__(self) -> dict[str, Any]:
        """For other processes, which draw its figures and need no more."""
        return {**self.__dict__, "function": None}


class _Figures(Mapping[int, Snapshot]):
    """Figures of a running generator; raises `SceneEnded` beyond its end."""

    def __init__(self, scene: GeneratorScene, snapshots: SnapshotScene) -> None:
        self._running = scene.function(**scene.params)
        self._snapshots = snapshots
        self._next = 0
        self._last: tuple[int, Snapshot] | None = None

    def __getitem__(self, number: int) -> Snapshot:
        if self._last is None or self._last[0] != number:
            self._last = number, self._advance(number)
        return self._last[1]

    def _advance(self, number: int) -> Snapshot:
        with contextlib.ExitStack() as stack:
            while self._next <= number:
                stack.enter_context(closing_figures())
                try:
                    yielded = next(self._running)
                except StopIteration:
                    raise SceneEnded from None
                except Exception as error:
                    message, where = why_failed(self._snapshots.name, error)
                    raise RenderError(message, traceback=where) from error
                self._next += 1
            return self._snapshots.take(yielded)

    def __iter__(self) -> Iterator[int]:
        return iter(range(MOST))

    def __len__(self) -> int:
        return MOST
