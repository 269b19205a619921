"""A script as it is: run in the process that draws its film, which begins where the script shows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.errors import UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.frames import Frames
from framepipe.job.job import Job
from framepipe.rendering.request.evidence import description_of
from framepipe.rendering.request.request import Request

if TYPE_CHECKING:
    from framepipe.scenes.scripts.exploring import FilmInfo

_OF_THE_CANVAS = ("dpi", "bbox_inches", "transparent")


class FilmOfScript:
    """A script that runs as it is, in the process that will draw its film."""

    def __init__(self, request: Request, path: str, stage: Any) -> None:
        self._request, self._path, self._stage = request, path, stage
        self._scene: Any = None

    def run(self) -> None:
        """Run the script; never returns, since the process serves where the film begins."""
        from framepipe.scenes.scripts.exploring import Exploration

        request = self._request
        Exploration(
            self._path,
            request.script_args,
            request.animation,
            self._begin,
            self._go_on,
            self._end,
            _frame_limit(request.frames),
        ).run()

    def _begin(self, film: FilmInfo) -> None:
        self._stage.begin(*description_of(self._job_of(film), self._stage.tracer))

    def _go_on(self, moment: Any) -> None:
        self._scene.moment = moment
        self._stage.serve()

    def _end(self) -> None:
        self._stage.end_of_script()

    def _job_of(self, film: FilmInfo) -> Job:
        request, notes = self._request, film.notes
        if film.series is not None:
            from framepipe.scenes.captured import CapturedScene

            if request.params:
                names = ", ".join(request.params)
                raise UsageError(f"a script takes no parameters ({names}); put its arguments after --")
            assert film.moment is not None
            self._scene = CapturedScene(self._path, film.series, film.moment, film.count)
            canvas = _canvas(request.canvas, film.series.dpi, film.series.savefig)
            metadata = {name: str(value) for name, value in film.series.metadata.items()}
            return request.job_of(
                self._scene, None, {}, canvas, metadata=metadata, notes=notes, films=film.films
            )
        from framepipe.scenes.animation import AnimationScene
        from framepipe.scenes.loading import LoadedObject

        script, save = Path(os.path.abspath(self._path)), film.save
        loaded = LoadedObject(
            film.animation, film.name or script.stem, sys.modules["__main__"], str(script), script
        )
        scene = AnimationScene(
            film.animation,
            request.params,
            loaded,
            extra=save.extra_anim if save else (),
            first_call_twice=request.first_call == "twice",
        )
        details: dict[str, Any] = {"notes": notes, "films": film.films}
        canvas = request.canvas
        if save is not None:
            canvas = _canvas(canvas, save.dpi, save.savefig_kwargs)
            details["metadata"] = {name: str(value) for name, value in save.metadata.items()}
            if save.fps:
                details["fps"] = Fraction(str(save.fps)).limit_denominator(1001)
        return request.job_of(scene, None, {}, canvas, **details)


def _frame_limit(frames: Any) -> int | None:
    """Return how many frames of a film contain the selected ones; None for all."""
    if frames is None:
        return None
    selection = Frames.of(frames)
    return max(selection.numbers) + 1 if selection.are_numbers else None


def _canvas(canvas: Canvas, dpi: float | None, savefig: Mapping[str, Any]) -> Canvas:
    """Return the canvas, completed by the script's own settings where the user gave none."""
    options = {name: value for name, value in savefig.items() if name not in _OF_THE_CANVAS}
    return replace(
        canvas,
        dpi=canvas.dpi if canvas.dpi is not None else _dpi(savefig.get("dpi", dpi)),
        tight=canvas.tight or savefig.get("bbox_inches") == "tight",
        transparent=canvas.transparent if canvas.transparent is not None else savefig.get("transparent"),
        savefig=options,
    )


def _dpi(dpi: Any) -> float | None:
    return None if dpi is None or dpi == "figure" else float(dpi)
