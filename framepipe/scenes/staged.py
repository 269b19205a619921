"""A scene that another process has loaded, and its description in this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.job.frames import Extent, Frames, KnownDigest, Unknowns
from framepipe.scenes.base import BaseScene, Scene

if TYPE_CHECKING:
    from framepipe.job.canvas import Canvas
    from framepipe.job.record import JobRecord


@dataclass(frozen=True)
class Description:
    """Description of a scene, from the process that has loaded it.

    Attributes
    ----------
    name, ref, stem : str
    params : dict
    sources : tuple of Path
    keeps_state, runs_updates, begins_anew, streams : bool
        See `framepipe.scenes.base.Scene`.
    numbers, indices : sequence of int
        The plan's.
    spec : str or None
    extent : {"fixed", "growing"}
    digests : sequence of str or None
        The digest of each frame's value; None if the values are the numbers themselves.
    unknown : bool
        True if only the scene itself knows the values.
    labels : tuple of str or None
        Each frame's value as text, if requested.
    canvas : Canvas
    record : JobRecord
    fps : Fraction or None
    metadata : dict
        The script's own metadata for its movie.
    notes : tuple of str
        Notes for the user on how the script ran.
    remembered : dict
        The file digests of that process, see `FileDigests`.
    films : int
        See `Job`.
    shown : dict
        See `Scene`.
    """

    name: str
    ref: str | None
    stem: str
    params: Mapping[str, Any]
    sources: tuple[Path, ...]
    keeps_state: bool
    runs_updates: bool
    begins_anew: bool
    streams: bool
    numbers: Sequence[int]
    indices: Sequence[int]
    spec: str | None
    extent: Extent
    digests: Sequence[str] | None
    unknown: bool
    labels: tuple[str, ...] | None
    canvas: Canvas
    record: JobRecord
    fps: Fraction | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    remembered: Mapping[str, Any] = field(default_factory=dict)
    films: int = 1
    shown: Mapping[str, str] = field(default_factory=dict)

    def frames(self) -> Frames:
        """Return the plan; its values are known here only by their digests."""
        if self.unknown:
            values: Sequence[Any] = Unknowns(len(self.numbers))
        elif self.digests is None:
            values = self.numbers
        else:
            values = [KnownDigest(digest) for digest in self.digests]
        return Frames(self.numbers, values, self.spec, self.indices, self.extent)


class StagedScene(BaseScene):
    """A scene in a process of its own, from which workers are forked.

    Parameters
    ----------
    description : Description
    stage : StageProcess
        The process.
    """

    handed_over = False

    def __init__(self, description: Description, stage: Any) -> None:
        self.stage = stage
        self.name, self.ref, self.stem = description.name, description.ref, description.stem
        self.params, self.sources = description.params, description.sources
        self.keeps_state, self.runs_updates = description.keeps_state, description.runs_updates
        self.begins_anew, self.streams = description.begins_anew, description.streams
        self._shown = description.shown

    def shown(self) -> Mapping[str, str]:
        """See `Scene`."""
        return self._shown

    def _elsewhere(self, *_: Any) -> Any:
        """Refuse: see `Scene`, which is in another process."""
        raise TypeError(f"{self.name} is in another process: use its Description")

    code_digest: Any = _elsewhere
    data: Any = _elsewhere
    style: Any = _elsewhere
    versions: Any = _elsewhere
    state: Any = _elsewhere
    player: Any = _elsewhere


def describe(
    scene: Scene,
    frames: Frames,
    record: JobRecord,
    labels: tuple[str, ...] | None = None,
    **details: Any,
) -> Description:
    """Describe a scene of this process for the main process."""
    unknown = isinstance(frames.values, Unknowns)
    digests = None
    if not unknown and not frames.are_numbers:
        digests = [record.frame_parts(value)["value"] for value in frames.values]
    return Description(
        scene.name,
        scene.ref,
        scene.stem,
        scene.params,
        scene.sources,
        scene.keeps_state,
        scene.runs_updates,
        scene.begins_anew,
        scene.streams,
        frames.numbers,
        frames.indices,
        frames.spec,
        frames.extent,
        digests,
        unknown,
        labels,
        record.canvas,
        record,
        shown=scene.shown(),
        **details,
    )
