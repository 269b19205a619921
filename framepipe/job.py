"""The job: a scene, its frames and its canvas; and the record of it that lies in the store.

Everything that decides the pixels is here, as named *parts* of each frame's fingerprint. The
parts travel in the frame's passport too, so that a stale frame can say what has changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from framepipe import trust
from framepipe.errors import StoreError, UsageError
from framepipe.fingerprint import Parts, combine, digest_file, digest_source, digest_value
from framepipe.frames import UNKNOWN, Digested, Extent, Frames, format_range, parse_range

SCHEMA = 1
#: How frames depend on those before them: not at all; on their updates; on their updates in one process.
Order = Literal["free", "replay", "serial"]
ORDERS = get_args(Order)
EXTENTS = get_args(Extent)
LATER = ("extent", "order", "fps", "told")  # fields that a job.json of framepipe 0.1 may lack
_CHANGED = {
    "scene": "the function changed",
    "source": "the source code changed",
    "inputs": "an input file changed",
    "params": "the parameters changed",
    "value": "the frame's value changed",
    "canvas": "dpi, tight or transparent changed",
    "style": "rcParams or style changed",
    "data": "data that the function uses changed",
    "matplotlib": "matplotlib's version changed",
    "order": "drawn by jumping to it, but the scene keeps state between frames",
}


@dataclass(frozen=True)
class Canvas:
    """How a figure becomes pixels.

    Attributes
    ----------
    dpi : float or None
        Dots per inch; None is what ``savefig`` would use (``savefig.dpi``, then the figure's).
    tight : bool
        Cut all frames to the tight box of the first.
    transparent : bool or None
        As in ``savefig``; None leaves it to rcParams.
    """

    dpi: float | None = None
    tight: bool = False
    transparent: bool | None = None

    def __post_init__(self) -> None:
        if self.dpi is not None and not 1 <= self.dpi <= 10_000:
            raise UsageError(f"dpi {self.dpi:g} is not within 1 to 10000")
        if self.dpi is not None:
            object.__setattr__(self, "dpi", float(self.dpi))  # numpy's numbers are not JSON's


class Scene(Protocol):
    """What can draw a frame. Scenes know matplotlib; the job does not."""

    @property
    def name(self) -> str:
        """As a person would call it."""

    @property
    def ref(self) -> str | None:
        """``/path/script.py:NAME``, ``package.module:NAME``, or None for what has no address."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Keyword arguments for all frames."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Files of source code."""

    def code_digest(self) -> str:
        """Digest of the scene's own code, apart from its file."""

    def data(self) -> Mapping[str, str]:
        """Digests of the data that the code refers to, by name."""

    def style(self) -> Mapping[str, str]:
        """Changed rcParams, by name, as text."""


@dataclass(frozen=True)
class Job:
    """Everything that decides the pixels of all frames.

    Attributes
    ----------
    scene : Scene
    frames : Frames
    canvas : Canvas
    inputs : tuple of Path
        Files that the scene reads, hashed whole.
    fps : Fraction or None
        The rate that the scene has of itself, in frames per second.
    told : dict
        What else the job was told, as keywords of `framepipe.render`, for resuming it.
    """

    scene: Scene
    frames: Frames
    canvas: Canvas = field(default_factory=Canvas)
    inputs: tuple[Path, ...] = ()
    fps: Fraction | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    def record(self, goal: Mapping[str, Any] | None = None) -> JobRecord:
        """What ``job.json`` says of this job, computed now; ``goal`` is what `make` is to build."""
        details: dict[str, Mapping[str, str]] = {
            "scene": {self.scene.name: self.scene.code_digest()},
            "source": source_digests(self.scene.sources),
            "inputs": input_digests(self.inputs),
            "data": dict(self.scene.data()),
            "style": dict(self.scene.style()),
        }
        parts = _parts_of(details)
        parts["params"] = digest_value(dict(sorted(self.scene.params.items())))
        parts["canvas"] = digest_value(asdict(self.canvas))
        parts["matplotlib"] = metadata.version("matplotlib")
        return JobRecord(
            name=self.scene.name,
            ref=self.scene.ref,
            params=_plain(self.scene.params),
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
            told=self.told,
        )


def _parts_of(details: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Digests of the details; of paths only what follows their first one's folder counts."""
    return {
        name: digest_value(_relative(detail) if name in ("source", "inputs") else detail)
        for name, detail in details.items()
    }


def _relative(detail: Mapping[str, str]) -> dict[str, str]:
    base = os.path.dirname(next(iter(detail), ""))
    return {os.path.relpath(path, base or os.curdir): digest for path, digest in detail.items()}


def _plain(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters as JSON keeps them, None if it does not."""
    try:
        return dict(params) if json.loads(json.dumps(dict(params))) == dict(params) else None
    except (TypeError, ValueError):
        return None


def source_digests(paths: Sequence[Path]) -> dict[str, str]:
    """Digest of each source file, by its path; "absent" where there is none now."""
    return {
        str(path): digest_source(path.read_text(encoding="utf-8", errors="replace"))
        if path.is_file()
        else "absent"
        for path in paths
    }


def _can_be_read(path: Path) -> bool:
    return path.is_file() or path.is_dir()  # a fifo that a foreign job.json names would block


def input_digests(paths: Sequence[Path]) -> dict[str, str]:
    """Digest of each input file or folder, by its path; "absent" where there is none now."""
    return {str(path): digest_file(path) if _can_be_read(path) else "absent" for path in paths}


@dataclass(frozen=True)
class JobRecord:
    """A job as ``job.json`` keeps it: enough to judge the frames and to resume.

    Attributes
    ----------
    name : str
        The scene's name.
    ref : str or None
        ``/path/script.py:NAME`` or ``package.module:NAME``; None for what has no such address.
    params : dict or None
        The scene's parameters, None if JSON cannot keep them.
    numbers : tuple of int
        Frame numbers in the order of the movie; empty while only the folder knows them.
    spec : str or None
        The frames as text for the command line; empty for all that the scene has.
    values_are_numbers : bool
        Each frame's value is its number.
    canvas : Canvas
    inputs : tuple of str
    cwd : str
        The folder in which the job was started.
    parts : dict
        Parts of every frame's fingerprint but its value.
    details : dict
        What the parts were made of, for saying why a frame is stale.
    goal : dict or None
        What `make` builds from the frames, so that ``resume`` goes on with it too.
    extent : {"fixed", "growing", "recorded"}
        See `Frames`.
    order : {"free", "replay", "serial"}
        What was found about how frames depend on those before them.
    fps : str or None
        The rate that the scene has of itself.
    told : dict
        See `Job`.
    """

    name: str
    ref: str | None
    params: Mapping[str, Any] | None
    numbers: tuple[int, ...]
    spec: str | None
    values_are_numbers: bool
    canvas: Canvas
    inputs: tuple[str, ...]
    cwd: str
    parts: Parts
    details: Mapping[str, Mapping[str, str]]
    goal: Mapping[str, Any] | None = None
    extent: Extent = "fixed"
    order: Order = "free"
    fps: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resumable(self) -> bool:
        """True if the record says enough to load the scene and its frames again."""
        return (self.ref is not None or "command" in self.told) and None not in (self.params, self.spec)

    def frame_parts(self, value: Any) -> dict[str, str]:
        """All parts of the fingerprint of the frame with this value, so far as it is known."""
        if value is UNKNOWN:
            return dict(self.parts)
        return {**self.parts, "value": value.digest() if isinstance(value, Digested) else digest_value(value)}

    def in_order(self, order: Order) -> JobRecord:
        """The record of the same job, drawn in another order: frames that were jumped to are stale then."""
        parts = {name: part for name, part in self.parts.items() if name != "order"}
        return replace(self, order=order, parts=parts if order == "free" else {**parts, "order": order})

    def ended_at(self, count: int) -> JobRecord:
        """The record of a growing job that has come to its end after ``count`` frames."""
        return replace(self, numbers=tuple(range(count)), extent="fixed")

    def refreshed(self) -> JobRecord:
        """The record with the parts that can be seen without loading the scene computed anew.

        Files that are not there (the store was moved) are left as recorded, and so is matplotlib's
        version: another one here draws nothing here.
        """
        details = dict(self.details)
        for name, digests in (("source", source_digests), ("inputs", input_digests)):
            there = [Path(path) for path in details[name] if _can_be_read(Path(path))]
            details[name] = {**details[name], **digests(there)}
        parts = {**self.parts, **_parts_of(details)}
        return replace(self, parts=parts, details=details)

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def to_json(self) -> bytes:
        """The bytes of ``job.json``, sealed with this account's key if it has one."""
        data: dict[str, Any] = {"framepipe_job": SCHEMA, **self._fields()}
        data["canvas"] = asdict(self.canvas)
        data["numbers"] = _pack(self.numbers) if self.numbers else []
        data["seal"] = trust.seal(data)
        return json.dumps(data, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> tuple[JobRecord, bool]:
        """A record from the bytes of ``job.json``, and whether this account sealed it.

        Raises
        ------
        StoreError
            Damaged, or written by a newer framepipe.
        """
        try:
            data = json.loads(text)
            if data["framepipe_job"] > SCHEMA:
                raise StoreError("job.json was written by a newer framepipe: update this one")
            sealed = trust.is_ours(data, data.pop("seal"))
            fields = {
                name: data[name] for name in cls.__dataclass_fields__ if name not in LATER or name in data
            }
            fields["canvas"] = Canvas(**fields["canvas"])
            fields["numbers"] = _unpack(fields["numbers"]) if fields["numbers"] else ()
            fields["inputs"] = tuple(fields["inputs"])
            record = cls(**fields)
            record._check_types()
        except StoreError:
            raise
        except Exception as error:  # any damage: a file from outside may hold anything
            raise StoreError(
                f"job.json is damaged ({type(error).__name__}: {error}). The frames are not: "
                "run the render command again, it writes job.json anew and keeps them"
            ) from None
        return record, sealed

    def _check_types(self) -> None:
        texts = (self.name, self.ref or "", self.spec or "", self.cwd, *self.inputs)
        flat = [item for detail in self.details.values() for pair in detail.items() for item in pair]
        fields = all(isinstance(text, str) for text in [*texts, *self.parts, *self.parts.values(), *flat])
        required = {"scene", "source", "inputs", "data", "style"} <= set(self.details)
        canvas = self.canvas
        flags = (self.values_are_numbers, canvas.tight, canvas.transparent or False)
        required &= all(isinstance(flag, bool) for flag in flags)
        optional = all(isinstance(each, (dict, type(None))) for each in (self.params, self.goal))
        optional &= isinstance(self.fps, (str, type(None))) and isinstance(self.told, dict)
        optional &= self.order in ORDERS
        known = self.extent in EXTENTS and bool(self.numbers) == (self.extent == "fixed")
        if not (fields and required and optional and known):
            raise TypeError("a field has the wrong type")


def _pack(numbers: Sequence[int]) -> str | list[int]:
    text = format_range(numbers)
    return text if tuple(parse_range(text)) == tuple(numbers) else list(numbers)


def _unpack(packed: str | list[int]) -> tuple[int, ...]:
    numbers = parse_range(packed) if isinstance(packed, str) else packed
    whole = all(type(number) is int for number in numbers)
    if not numbers or not whole or len(set(numbers)) < len(numbers):
        raise ValueError("numbers")
    return tuple(numbers)


def passport(number: int, parts: Parts) -> str:
    """The line of text that a frame carries: its number, its fingerprint and the parts of it."""
    return json.dumps({"number": number, "fingerprint": combine(parts), "parts": dict(parts)})


#: Number, fingerprint and its parts.
Passport = tuple[int, str, Parts]


def read_passport(text: str) -> Passport | None:
    """Number, fingerprint and parts from a passport, None if it is none or does not fit itself."""
    try:
        data = json.loads(text)
        number, fingerprint, parts = data["number"], data["fingerprint"], data["parts"]
        if type(number) is int and combine(parts) == fingerprint:
            return number, fingerprint, parts
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def why_stale(drawn: Parts, expected: Parts, before: JobRecord | None, now: JobRecord) -> str:
    """Why a frame with the parts ``drawn`` is not what ``expected`` asks for; empty if it is.

    Parameters
    ----------
    drawn, expected : Parts
        ``expected`` may lack the frame's value, where only the scene knows it.
    before : JobRecord or None
        What ``job.json`` said before this run: lets the reason name the file or the variable.
    now : JobRecord
    """
    changed = [name for name in expected if drawn.get(name) != expected[name]]
    return ", ".join(_reason(name, drawn, expected, before, now) for name in changed)


def _reason(name: str, drawn: Parts, expected: Parts, before: JobRecord | None, now: JobRecord) -> str:
    if name == "matplotlib":
        return f"matplotlib was {drawn.get(name, 'unknown')}, is {expected[name]}"
    plain = _CHANGED.get(name, f"{name} changed")
    old, new = (before.details.get(name) if before else None), now.details.get(name)
    if before is None or old is None or new is None or before.parts.get(name) != drawn.get(name):
        return plain
    items = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    if not items or name == "scene":
        return plain
    if name in ("source", "inputs"):
        gone = [Path(item).name for item in items if new.get(item) == "absent"]
        if gone:
            return f"{', '.join(gone)} is gone"
        items = [Path(item).name for item in items]
        return f"{', '.join(items)} changed"
    return f"{plain} ({', '.join(items[:5])}{' …' if len(items) > 5 else ''})"
