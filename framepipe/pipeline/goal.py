"""The movies that `make` builds, as ``job.json`` keeps them for `resume`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from framepipe.core.labels import VALUE, label_of
from framepipe.errors import StoreError, UsageError
from framepipe.job.job import Job
from framepipe.options import EncodeOptions
from framepipe.timeline import Timing

#: Options under the names that they had when some stores were begun.
_RENAMED = {"stall_s": "idle_timeout_s"}


@dataclass(frozen=True)
class MakeGoal:
    """The movies that `make` builds from the frames; the store's ``job.json`` keeps it for `resume`.

    Attributes
    ----------
    outputs : tuple of Path
        Absolute; ``{name}`` stands for the scene's name.
    timing : Timing
    encode : EncodeOptions
    keep_frames : bool
    """

    outputs: tuple[Path, ...]
    timing: Timing
    encode: EncodeOptions
    keep_frames: bool

    def for_json(self) -> dict[str, Any]:
        """Convert for ``job.json``."""
        return {
            "outputs": [str(path) for path in self.outputs],
            "timing": self.timing.for_json(),
            "options": asdict(self.encode),
            "keep_frames": self.keep_frames,
        }

    @classmethod
    def from_json(cls, goal: Mapping[str, Any], where: Path) -> MakeGoal:
        """Read a goal from ``job.json``, which another version of framepipe may have written.

        Raises
        ------
        StoreError
        """
        try:
            return cls(
                tuple(Path(path) for path in goal["outputs"]),
                Timing(**goal["timing"]),
                EncodeOptions(**{_RENAMED.get(name, name): value for name, value in goal["options"].items()}),
                goal.get("keep_frames", True) is not False,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                f"{where}: job.json has a goal that this framepipe does not support "
                f"({type(error).__name__}: {error}). Run the make command again: the frames are kept"
            ) from None

    @property
    def label(self) -> Callable[[Any], str] | None:
        """The function that makes a frame's label of its value, if requested."""
        return label_of if self.encode.labels == VALUE else None

    def completed_for(self, job: Job) -> MakeGoal:
        """Return a copy completed with the name and the labels of a job."""
        name = re.sub(r"[^\w-]+", "-", job.scene.name).strip("-")
        outputs = tuple(Path(str(path).replace("{name}", name)) for path in self.outputs)
        return replace(self, outputs=outputs, encode=_with_values(self.encode, job))


def _with_values(options: EncodeOptions, job: Job) -> EncodeOptions:
    """Return the options with labels from the frames' values while they are known: a store keeps none."""
    if options.labels != VALUE or job.frames.are_numbers:
        return options
    if job.labels is None:
        raise UsageError("labels 'value': this scene makes its frames as it goes; give labels as a list")
    return replace(options, labels=job.labels)
