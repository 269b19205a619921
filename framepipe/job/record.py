"""The record of a job in its store (``job.json``): all that decides the pixels, as named parts."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from framepipe.core import signing
from framepipe.errors import StoreError
from framepipe.job.canvas import Canvas
from framepipe.job.contents import FileDigests
from framepipe.job.fingerprint import Parts, digest_value
from framepipe.job.frames import UNKNOWN, Digested, Extent, format_range, parse_range
from framepipe.job.source_code import digest_source
from framepipe.job.sources import used_source_digests
from framepipe.options import ORDERS

SCHEMA = 1
#: How digests are computed: 1 is framepipe 0.1's, whose stores keep its rules.
SCHEME = 2
#: Details that are not part of a fingerprint, and details that are one only if not empty.
_NO_PARTS = ("also_read", "adopted")
_OMITTED_IF_EMPTY = ("env", "packages")
#: Names in ``job.json`` that differ from the attributes', for the stores that are there.
_KEYS = {"extra_args": "told"}
#: How frames depend on those before them: not at all; on their updates; on their updates in one process.
Order = Literal["free", "replay", "serial"]
EXTENTS = get_args(Extent)


@dataclass(frozen=True)
class JobRecord:
    """A job as ``job.json`` holds it: enough to judge the frames and to resume.

    Attributes
    ----------
    name : str
        The scene's name.
    ref : str or None
        ``/path/script.py:NAME`` or ``package.module:NAME``; None if the scene has no such address.
    params : dict or None
        The scene's parameters, None if JSON cannot hold them.
    numbers : tuple of int
        Frame numbers in the order of the movie; empty while only the folder tells them.
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
        The contents of the parts, to say why a frame is stale.
    goal : dict or None
        What `make` builds from the frames, so that ``resume`` can finish it too.
    extent : {"fixed", "growing", "recorded"}
        See `Frames`.
    order : {"free", "replay", "serial"}
        How frames depend on those before them, as observed.
    fps : str or None
        The scene's own rate.
    extra_args : dict
        See `Job`; ``told`` in the file.
    order_checked : bool
        The order was observed by a run that was completed.
    seed : int or None
        See `Job`.
    owner : {"make", "render", ""}
        The verb that started the store: `make` deletes the frames of its own stores only; empty if unknown.
    roots : tuple of str
        Names of the functions that draw: parts of the sources that these do not use do not count.
    scheme : int
        How digests were computed, see `SCHEME`.
    redraw : {"auto", "full"}
        "full": drawing only what has changed was found to differ; see `redrawn_in_full`.
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
    goal: Mapping[str, Any] | None
    # fields that an earlier framepipe did not write have a default
    extent: Extent = "fixed"
    order: Order = "free"
    fps: str | None = None
    extra_args: Mapping[str, Any] = field(default_factory=dict)
    order_checked: bool = False
    seed: int | None = None
    owner: str = ""
    roots: tuple[str, ...] = ()
    scheme: int = 1
    redraw: str = "auto"

    @property
    def resumable(self) -> bool:
        """True if the record is enough to load the scene and its frames again."""
        return (self.ref is not None or "command" in self.extra_args) and None not in (self.params, self.spec)

    def frame_parts(self, value: Any) -> dict[str, str]:
        """Return all parts of the fingerprint of a frame with this value, as far as they are known."""
        if value is UNKNOWN:
            return dict(self.parts)
        if isinstance(value, Digested):
            return {**self.parts, "value": value.digest(), **value.notes()}
        return {**self.parts, "value": digest_value(value)}

    def parts_with(self, value_digest: str | None, in_order: bool = False) -> dict[str, str]:
        """Return all parts of the fingerprint of a frame whose value has this digest.

        Parameters
        ----------
        value_digest : str or None
            None where only the scene knows the value.
        in_order : bool
            The frame is drawn after all updates before it, whatever the order of the others: so it is
            valid in order "replay" too.
        """
        parts = dict(self.parts) if value_digest is None else {**self.parts, "value": value_digest}
        return {**parts, "order": "replay"} if in_order and self.order == "free" else parts

    def in_order(self, order: Order) -> JobRecord:
        """Return the record of the same job in another order, which makes frames drawn directly stale."""
        parts = {name: part for name, part in self.parts.items() if name != "order"}
        return replace(self, order=order, parts=parts if order == "free" else {**parts, "order": order})

    def redrawn_in_full(self) -> JobRecord:
        """The record of the same job after a frame came out different when only its changes were drawn.

        All frames are stale then, since nobody knows which of them are right.
        """
        return replace(self, redraw="full", parts={**self.parts, "redraw": "full"})

    def undecided(self) -> JobRecord:
        """The record without what runs have found out about how frames are to be drawn."""
        parts = {name: part for name, part in self.parts.items() if name not in ("order", "redraw")}
        return replace(self, order="free", redraw="auto", parts=parts)

    def ended_at(self, count: int) -> JobRecord:
        """Return the record of a growing job that ended after ``count`` frames."""
        return replace(self, numbers=tuple(range(count)), extent="fixed")

    def refreshed(self, digests: FileDigests | None = None) -> JobRecord:
        """Return the record with those parts computed anew that do not need the scene to be loaded.

        Missing sources and inputs (the store was moved) keep their recorded digests, and so does
        matplotlib's version: nothing is drawn here.

        Parameters
        ----------
        digests : FileDigests, optional
            Remembered digests; without them files are read.
        """
        digests = digests or FileDigests()
        details = dict(self.details)
        sources_here = [Path(path) for path in details["source"] if _can_be_read(Path(path))]
        if self.scheme == 1:
            source = source_digests(sources_here)
        else:
            source = used_source_digests(list(map(Path, details["source"])), self.roots)
            source = {path: digest for path, digest in source.items() if Path(path) in sources_here}
        inputs = input_digests(
            [Path(path) for path in details["inputs"] if _can_be_read(Path(path))], digests
        )
        details |= {"source": {**details["source"], **source}, "inputs": {**details["inputs"], **inputs}}
        if "reads" in details:
            details["reads"] = {path: _now(path, digests, was) for path, was in details["reads"].items()}
        sources = [Path(path) for path in details["source"]]
        return replace(self, parts={**self.parts, **parts_of(details, sources)}, details=details)

    def continued(self, before: JobRecord | None, digests: FileDigests) -> JobRecord:
        """Return this job's record as the continuation of the record that an earlier run left in the store.

        Files read by the earlier run that are unchanged do not make frames stale, even if this run did not
        read them, or has read more. A store that an older framepipe started keeps its digests as long as
        these show no change.

        Parameters
        ----------
        before : JobRecord or None
        digests : FileDigests
        """
        if before is None or before.name != self.name:
            return self
        if before.scheme < self.scheme:
            return self._by_old_rules(before, digests)
        old, new = before.details.get("reads"), self.details.get("reads")
        if old is None or new is None:
            return self
        also_read = before.details.get("also_read", {})
        earlier = {**old, **also_read}
        now = {path: new.get(path) or _now(path, digests, digest) for path, digest in earlier.items()}
        if now != earlier:
            reads: Mapping[str, str] = {**{p: d for p, d in now.items() if d != "absent"}, **new}
            details = {**self.details, "reads": reads}
        else:
            additions = {path: digest for path, digest in new.items() if path not in old}
            details = {**self.details, "reads": dict(old), "also_read": {**also_read, **additions}}
        sources = [Path(path) for path in details["source"]]
        return replace(self, details=details, parts={**self.parts, **parts_of(details, sources)})

    def _by_old_rules(self, before: JobRecord, digests: FileDigests) -> JobRecord:
        """Return the record by framepipe 0.1's rules, if these show neither sources nor inputs changed."""
        if before.refreshed(digests).parts != before.parts:
            return self
        same = ("scene", "source", "inputs", "data", "style", "matplotlib")
        parts = {name: before.parts[name] for name in same if name in before.parts}
        parts |= {name: self.parts[name] for name in ("params", "canvas")}
        details = {**before.details}
        return replace(self, parts=parts, details=details, scheme=before.scheme, seed=None)

    def to_json(self) -> bytes:
        """Encode as ``job.json``, signed with this account's key if it has one."""
        data: dict[str, Any] = {"framepipe_job": SCHEMA}
        data |= {_KEYS.get(name, name): getattr(self, name) for name in self.__dataclass_fields__}
        data["canvas"] = self.canvas.to_dict()
        data["numbers"] = _pack(self.numbers) if self.numbers else []
        data["seal"] = signing.sign(data)
        return json.dumps(data, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> tuple[JobRecord, bool]:
        """Decode ``job.json``: the record, and whether this account signed it.

        Raises
        ------
        StoreError
            Damaged, or written by a newer framepipe.
        """
        try:
            data = json.loads(text)
            if data["framepipe_job"] > SCHEMA:
                raise StoreError("job.json was written by a newer framepipe: update this one")
            is_signed = signing.is_valid(data, data.pop("seal"))
            keys = {name: _KEYS.get(name, name) for name in cls.__dataclass_fields__}
            fields = {name: data[key] for name, key in keys.items() if key in data}
            fields["canvas"] = Canvas(**fields["canvas"])
            fields["numbers"] = _unpack(fields["numbers"]) if fields["numbers"] else ()
            fields["inputs"] = tuple(fields["inputs"])
            fields["roots"] = tuple(fields.get("roots", ()))
            record = cls(**fields)
            record._check_types()
        except StoreError:
            raise
        except Exception as error:  # any damage: a file from outside may hold anything
            raise StoreError(
                f"job.json is damaged ({type(error).__name__}: {error}). The frames are not: "
                "run the render command again, it writes job.json anew and keeps them"
            ) from None
        return record, is_signed

    def _check_types(self) -> None:
        texts = (self.name, self.ref or "", self.spec or "", self.cwd, *self.inputs)
        flat = [item for detail in self.details.values() for pair in detail.items() for item in pair]
        are_texts = all(isinstance(text, str) for text in [*texts, *self.parts, *self.parts.values(), *flat])
        required = {"scene", "source", "inputs", "data", "style"} <= set(self.details)
        canvas = self.canvas
        flags = (self.values_are_numbers, canvas.tight, canvas.transparent or False)
        required &= all(isinstance(flag, bool) for flag in flags)
        optional = all(isinstance(each, (dict, type(None))) for each in (self.params, self.goal))
        optional &= isinstance(self.fps, (str, type(None))) and isinstance(self.extra_args, dict)
        optional &= self.order in ORDERS and isinstance(self.order_checked, bool)
        optional &= self.seed is None or type(self.seed) is int
        optional &= self.redraw in ("auto", "full")
        optional &= isinstance(self.owner, str) and type(self.scheme) is int
        optional &= all(isinstance(name, str) for name in self.roots)
        has_numbers = self.extent in EXTENTS and bool(self.numbers) == (self.extent == "fixed")
        if not (are_texts and required and optional and has_numbers):
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


def source_digests(paths: Sequence[Path]) -> dict[str, str]:
    """Return the digest of each source file, by its path; "absent" if it does not exist now."""
    return {
        str(path): digest_source(path.read_text(encoding="utf-8", errors="replace"))
        if path.is_file()
        else "absent"
        for path in paths
    }


def _is_temporary(path: str) -> bool:
    """True for a name that ``tempfile`` makes: it differs in each run."""
    has_prefix = Path(path).name.startswith(tempfile.gettempprefix())
    return has_prefix and path.startswith(tempfile.gettempdir())


def _now(path: str, digests: FileDigests, before: str) -> str:
    """Digest a file that an earlier run has read; a temporary file of that run counts as unchanged."""
    now = digests.of(path)
    return before if now == "absent" and _is_temporary(path) else now


def _can_be_read(path: Path) -> bool:
    return path.is_file() or path.is_dir()  # a fifo that a foreign job.json names would block


def input_digests(paths: Sequence[Path], digests: FileDigests | None = None) -> dict[str, str]:
    """Return the digest of each input file or folder, by its path; "absent" if it does not exist now.

    Parameters
    ----------
    paths : sequence of Path
    digests : FileDigests, optional
        Remembered digests; without them files are read.
    """
    digests = digests or FileDigests()
    return {str(path): _input_digest(path, digests) if _can_be_read(path) else "absent" for path in paths}


def _input_digest(path: Path, digests: FileDigests) -> str:
    """Return what `digest_file` does, but for unchanged files without reading them."""
    if not path.is_dir():
        return digests.of(path, source=False)
    sha = hashlib.sha256()
    for below in sorted(item for item in path.rglob("*") if item.is_file()):
        sha.update(f"{below.relative_to(path).as_posix()}\0{digests.of(below, source=False)}\n".encode())
    return sha.hexdigest()


def all_sources(sources: Sequence[Path], modules: Sequence[str | Path]) -> list[Path]:
    """List the scene's own sources, the script first, then the other local modules."""
    return list(dict.fromkeys([*sources, *sorted(map(Path, modules))]))


def parts_of(details: Mapping[str, Mapping[str, str]], sources: Sequence[Path] = ()) -> dict[str, str]:
    """Return digests of the details; paths count relative to the script's folder."""
    base = os.path.dirname(sources[0]) if sources else ""
    parts = {}
    for name, detail in details.items():
        if name in _NO_PARTS or (name in _OMITTED_IF_EMPTY and not detail):
            continue
        if name in ("source", "inputs", "reads"):
            parts[name] = digest_value(_relative(detail, base if name == "reads" else ""))
        else:
            parts[name] = digest_value(detail)
    return parts


def _relative(detail: Mapping[str, str], base: str = "") -> dict[str, str]:
    base = base or os.path.dirname(next(iter(detail), ""))
    return {os.path.relpath(path, base or os.curdir): digest for path, digest in detail.items()}
