"""The job: a scene, its frames and its canvas: everything that decides the pixels of all frames.

It is kept as named *parts* of each frame's fingerprint (`framepipe.job.record`), which are in the frame's
stamp too, so that a stale frame can say what has changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from framepipe.job.canvas import Canvas, plain_json
from framepipe.job.contents import FileDigests, digest_env
from framepipe.job.fingerprint import digest_value
from framepipe.job.frames import UNKNOWN, Digested, Frames, KnownDigest
from framepipe.job.record import SCHEME, JobRecord, all_sources, input_digests, parts_of
from framepipe.job.sources import used_source_digests


class SceneIdentity(Protocol):
    """The properties of a scene by which a job recognises it."""

    @property
    def name(self) -> str:
        """A short name for people."""

    @property
    def ref(self) -> str | None:
        """``/path/script.py:NAME``, ``package.module:NAME``, or None if the scene has no address."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Keyword arguments for all frames."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Files of source code."""

    def code_digest(self) -> str:
        """Return a digest of the scene's own code, apart from its file."""

    def data(self) -> Mapping[str, str]:
        """Return digests of the data that the code refers to, by name."""

    def style(self) -> Mapping[str, str]:
        """Return the changed rcParams, by name, as text."""

    def versions(self, sources: Sequence[Path]) -> Mapping[str, str]:
        """Return versions of the packages that decide the pixels, and of those that these sources import."""


@dataclass(frozen=True)
class Evidence:
    """The files that loading a scene has read.

    Attributes
    ----------
    files : dict
        Digests of data files, fonts and style sheets, by their absolute paths.
    modules : tuple of str
        Local sources that were imported.
    """

    files: Mapping[str, str]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """Everything that decides the pixels of all frames.

    Attributes
    ----------
    scene : SceneIdentity
    frames : Frames
    canvas : Canvas
    inputs : tuple of Path
        Files that the scene reads, hashed whole.
    fps : Fraction or None
        The scene's own rate, in frames per second.
    extra_args : dict
        Further keywords of `framepipe.render`, for resuming the job.
    env : tuple of str
        Names of environment variables that count.
    seed : int or None
        Seed of the random generators that the script itself does not seed.
    loaded : JobRecord or None
        The record, if another process has loaded the scene and computed it.
    labels : tuple of str or None
        Each frame's value as text, where it is known and was requested.
    metadata : dict
        The scene's own metadata for its movie.
    notes : tuple of str
        Notes for the user on how the script was run.
    digests : FileDigests
        Of the inputs, and of files that loading the scene has read: those that are known already, and those
        that were computed for this job.
    films : int
        The number of films that the script makes, of which this is one.
    evidence : Evidence or None
        The files that loading the scene has read, if that was observed; without it, only the sources count.
    """

    scene: SceneIdentity
    frames: Frames
    canvas: Canvas = field(default_factory=Canvas)
    inputs: tuple[Path, ...] = ()
    fps: Fraction | None = None
    extra_args: Mapping[str, Any] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    seed: int | None = None
    loaded: JobRecord | None = None
    labels: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    digests: FileDigests = field(default_factory=FileDigests)
    films: int = 1
    evidence: Evidence | None = None

    def close(self) -> None:
        """End the process that has loaded the scene, if there is one."""
        stage = getattr(self.scene, "stage", None)
        if stage is not None:
            stage.close()

    def record(self, goal: Mapping[str, Any] | None = None) -> JobRecord:
        """Compute the record of this job for ``job.json``.

        Parameters
        ----------
        goal : mapping, optional
            What `make` is to build.
        """
        if self.loaded is not None:
            return replace(self.loaded, goal=goal)
        roots = tuple(getattr(self.scene, "roots", (self.scene.name,)))
        evidence = self.evidence
        sources = all_sources(self.scene.sources, evidence.modules if evidence else ())
        versions = dict(self.scene.versions(sources))
        matplotlib = versions.pop("matplotlib", None)  # a part of its own in every frame
        details: dict[str, Mapping[str, str]] = {
            "scene": {self.scene.name: self.scene.code_digest()},
            "source": used_source_digests(sources, roots),
            "inputs": input_digests(self.inputs, self.digests),
            "data": dict(self.scene.data()),
            "style": dict(self.scene.style()),
            "packages": versions,
            "env": digest_env(self.env),
            "reads": dict(evidence.files) if evidence else {},
        }
        parts = parts_of(details, sources)
        parts["params"] = digest_value(dict(sorted(self.scene.params.items())))
        parts["canvas"] = digest_value(self.canvas.to_dict())
        if matplotlib is not None:
            parts["matplotlib"] = matplotlib
        if self.seed is not None:
            parts["seed"] = str(self.seed)
        return JobRecord(
            name=self.scene.name,
            ref=self.scene.ref,
            params=plain_json(self.scene.params),
            numbers=tuple(self.frames.numbers) if self.frames.extent == "fixed" else (),
            spec=self.frames.spec,
            values_are_numbers=self.frames.are_numbers,
            canvas=self.canvas,
            inputs=tuple(map(str, self.inputs)),
            cwd=os.getcwd(),
            parts=parts,
            details=details,
            goal=goal,
            extent=self.frames.extent,
            fps=str(self.fps) if self.fps else None,
            extra_args=self.extra_args,
            seed=self.seed,
            roots=roots,
            scheme=SCHEME,
        )


class ValueDigests(Mapping[int, Any]):
    """The frames' values by number, each as a `KnownDigest`, computed once, before the value may change."""

    def __init__(self, frames: Frames) -> None:
        self._values, self._are_numbers = frames.by_number(), frames.are_numbers
        self._digests: dict[int, Any] = {}

    def __getitem__(self, number: int) -> Any:
        if self._are_numbers:  # they do not change, and a million digests take 300 MB
            return KnownDigest(digest_value(self._values[number]))
        if number not in self._digests:
            value = self._values[number]
            if value is UNKNOWN:
                return UNKNOWN
            digest = value.digest() if isinstance(value, Digested) else digest_value(value)
            self._digests[number] = KnownDigest(digest)
        return self._digests[number]

    def digest(self, number: int) -> str | None:
        """Return the digest of one frame's value; None where only the scene knows the value."""
        value = self[number]
        return None if value is UNKNOWN else value.digest()

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
