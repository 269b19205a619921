"""A scene that is a generator: a simulation that yields Figures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framepipe.errors import RenderError, UsageError
from framepipe.job.fingerprint import digest_function, shown_values
from framepipe.job.frames import MAX_FRAMES, Frames, Unknowns
from framepipe.job.reach import digest_code
from framepipe.scenes.base import BaseScene, FrameRequest, Player, SceneEnded, describe_failure
from framepipe.scenes.function import figure_in, picture_in
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.loading import LoadedObject, check_call, origin_of
from framepipe.scenes.open_figures import closing_figures
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.raising_again import RaisingAgain
from framepipe.scenes.rasterize import is_picture
from framepipe.scenes.snapshot import Snapshot, SnapshotScene

if TYPE_CHECKING:
    from framepipe.job.canvas import Canvas


class GeneratorScene(BaseScene):
    """A generator function that yields one Figure per frame.

    It runs once and in order, in this process, while the engine draws its figures. It runs through frames
    that are done without drawing them.

    Parameters
    ----------
    function : generator function
    params : mapping, optional
        Its keyword arguments.
    loaded : LoadedObject, optional
        The address that it was loaded from, if it has one.
    """

    keeps_state = False  # irrelevant: it always runs in order
    runs_updates = streams = True

    def __init__(
        self,
        function: Callable[..., Iterator[Any]],
        params: Mapping[str, Any] | None = None,
        loaded: LoadedObject | None = None,
    ) -> None:
        self.function, self.params = function, dict(params or {})
        origin = origin_of(function, loaded)
        self.name, self.sources, self.stem, self.ref = origin.name, origin.sources, origin.stem, origin.ref
        check_call(function, self.name, (), self.params)

    def frames(self, selection: Any = None) -> Frames:
        """Return the plan: all frames, or a selection by index, from 0."""
        if selection is None:
            return Frames(range(MAX_FRAMES), Unknowns(MAX_FRAMES), "", extent="growing")
        plan = Frames.of(selection)
        in_order = list(plan.numbers) == sorted(plan.numbers)
        if not plan.are_numbers or min(plan.numbers) < 0 or not in_order:
            raise UsageError(
                f"frames of generator {self.name} are selected by index, rising from 0: "
                "give a count or a range"
            )
        return Frames(plan.numbers, Unknowns(len(plan)), plan.spec, indices=plan.numbers)

    def code_digest(self) -> str:
        """Return the digest of the function's own source."""
        return digest_code(self.function)

    def data(self) -> Mapping[str, str]:
        """Return digests of the closure variables, defaults and global variables that the function uses."""
        return digest_function(self.function)

    def shown(self) -> Mapping[str, str]:
        """Return short values of these variables as text."""
        return shown_values(self.function)

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        return _GeneratorPlayer(self)

    def for_workers(self, values: Mapping[int, Any]) -> tuple[SnapshotScene, Mapping[int, Snapshot]]:
        """Start the generator; return a scene that draws its figures, and the figures by number.

        The figures must be requested in rising order.
        """
        scene = SnapshotScene(self.name, self.stem)
        return scene, _Figures(self, scene)

    def __getstate__(self) -> dict[str, Any]:
        """Omit the function: other processes only draw the figures."""
        return {**self.__dict__, "function": None}


class _GeneratorPlayer:
    """Runs the generator in this process and draws the figure that it yielded last."""

    stands_in_script = False

    def __init__(self, scene: GeneratorScene) -> None:
        self._scene = scene
        self._running = RaisingAgain(scene.function(**scene.params))
        self._next = 0
        self._yielded: Any = None
        self._open = contextlib.ExitStack()
        self._incremental = Incremental()
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """See `Player`; the figure of this frame exists afterwards."""
        self._running.check(is_before=self._next < index)
        began = time.perf_counter()
        while self._next <= index:
            self._open.close()
            self._open.enter_context(closing_figures())
            try:
                self._yielded = next(self._running)
            except StopIteration:
                raise SceneEnded from None
            self._next += 1
        self.update_s = time.perf_counter() - began

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """See `Player`."""
        self.advance(request.index)
        yielded = self._yielded
        thing = yielded if is_picture(yielded) else figure_in(yielded, self._scene.name)
        return picture_in(thing, canvas, geometry, self._incremental, request.redraw)


class _Figures(Mapping[int, Snapshot]):
    """Figures of a running generator; raises `SceneEnded` beyond its end."""

    def __init__(self, scene: GeneratorScene, snapshots: SnapshotScene) -> None:
        self._running = RaisingAgain(scene.function(**scene.params))
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
                    message, user_traceback = describe_failure(self._snapshots.name, error)
                    raise RenderError(message, traceback=user_traceback) from error
                self._next += 1
            return self._snapshots.take(yielded)

    def __iter__(self) -> Iterator[int]:
        return iter(range(MAX_FRAMES))

    def __len__(self) -> int:
        return MAX_FRAMES
