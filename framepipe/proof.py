"""Movies as proof: verify one on request, and let frames go that a verified one was built from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from framepipe import assets
from framepipe.clean import CleanupReport, delete_frames
from framepipe.control import Stop
from framepipe.errors import IncompleteStore, UsageError, VerificationFailed
from framepipe.fingerprint import digest_file
from framepipe.frames import format_range
from framepipe.plan import look_at, open_store, plan_assembly
from framepipe.recipes import Options, format_of
from framepipe.store import Store
from framepipe.timeline import Timeline, Timing
from framepipe.trial import decoder
from framepipe.verify import Expected, VerifyReport, measure

PathLike = str | os.PathLike[str]


def verify(
    movie: PathLike,
    store: PathLike,
    *,
    fps: object | None = None,
    hold_first_s: float | None = None,
    hold_last_s: float | None = None,
    pause_s: float | None = None,
    durations_s: Any = None,
    speed: float | None = None,
    every: int | None = None,
    part: str | None = None,
    reverse: bool | None = None,
    bounce: bool | None = None,
    loop: object | None = None,
    colors: int | None = None,
    crf: int | None = None,
    codec: str | None = None,
    quality: str | None = None,
    chroma: str | None = None,
    depth: int | None = None,
    stop: Stop | None = None,
) -> VerifyReport:
    """Measure a movie against a store's frames.

    Parameters
    ----------
    movie, store : path-like
    fps, hold_first_s, hold_last_s, pause_s, durations_s, speed, every, part, reverse, bounce, loop, \
colors, crf, codec, quality, chroma, depth : optional
        As for `assemble`: what to hold it against. If none is given, it is what the movie was
        assembled with, as the store remembers it; else the defaults of `assemble` fill the rest.
    stop : Stop, optional

    Returns
    -------
    VerifyReport
    """
    timing = _given(
        fps=fps,
        hold_first_s=hold_first_s,
        hold_last_s=hold_last_s,
        pause_s=pause_s,
        durations_s=durations_s,
        speed=speed,
        every=every,
        part=part,
        reverse=reverse,
        bounce=bounce,
        loop=loop,
    )
    expected = _expected(
        movie,
        open_store(store),
        timing,
        _given(colors=colors, crf=crf, codec=codec, quality=quality, chroma=chroma, depth=depth),
    )
    return measure(Path(os.path.abspath(movie)), expected, decoder(expected.format), stop)


def _expected(
    movie: PathLike, store: Store, timing: Mapping[str, Any], encoding: Mapping[str, Any]
) -> Expected:
    path = Path(os.path.abspath(movie))
    if not path.is_file():
        raise UsageError(f"movie {path} does not exist")
    noted = store.read_movies().get(str(path))
    expected = _noted(path, store, noted) if noted and not timing and not encoding else None
    if expected is None:
        options = Options(**encoding)
        expected = plan_assembly(store, path, Timing(**timing), options=options, stale="keep").expected
    return expected


def _given(**keywords: Any) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if value is not None}


def _noted(path: Path, store: Store, noted: Mapping[str, Any]) -> Expected | None:
    """What the store remembers of a movie, None if that is damaged or the frames are others now."""
    try:
        numbers = [int(number) for number in noted["numbers"]]
        durations = tuple(Fraction(text) for text in noted["durations_s"])
        timeline = Timeline(numbers, durations, Fraction(noted["fps"]), int(noted["loop"]))
        options = Options(**noted["options"])
        seen = {str(number): seen.fingerprint for number, seen in store.look(numbers).items()}
        if seen != noted["fingerprints"]:
            return None
        shape, background = look_at(store, numbers)
    except (KeyError, TypeError, ValueError, UsageError, IncompleteStore):
        return None
    sources = [store.frame_path(number) for number in numbers]
    return Expected(
        format_of(path), timeline, sources, shape, background, options, noted.get("exact") is True
    )


def clean(store: PathLike, *, movie: PathLike | None = None, force: bool = False) -> CleanupReport:
    """Delete the frames that a verified movie was built from.

    Parameters
    ----------
    store : path-like
    movie : path-like, optional
        A movie of these frames, to be verified now. Default: one that `assemble` verified, and
        that is still there, byte for byte.
    force : bool
        Delete all of framepipe's frames in the store without such a proof.

    Raises
    ------
    VerificationFailed
        There is no such movie, or it fails. Nothing was deleted.
    """
    where = open_store(store)
    planned = set(where.plan(where.read_job()[0]))
    if force:
        return delete_frames(where, None)
    if not where.numbers():  # an earlier clean was stopped after the last frame
        return delete_frames(where, {})
    if movie is None:
        proven = _proven(where)
        _refuse_part(where, planned - set(proven))
        return delete_frames(where, proven)
    expected = _expected(movie, where, {}, {})
    _refuse_part(where, planned - set(expected.timeline.numbers))
    seen = where.look(expected.timeline.numbers)
    report = measure(Path(os.path.abspath(movie)), expected, decoder(expected.format))
    if not report.passed:
        raise VerificationFailed(
            f"{movie} failed verification, nothing was deleted:\n{report.table()}", report=report
        )
    return delete_frames(where, {number: each.fingerprint for number, each in seen.items()})


def _refuse_part(store: Store, unseen: set[int]) -> None:
    if unseen:
        raise VerificationFailed(
            f"frames {format_range(unseen)} of {store.path} are in no verified movie: the job is not "
            "finished, so none was deleted. Finish it; or --force"
        )


def _proven(store: Store) -> dict[int, str]:
    """Fingerprints of the frames of all noted movies that are still there."""
    proven: dict[int, str] = {}
    for name, noted in store.read_movies().items():
        try:
            there = noted["passed"] is True and Path(name).is_file()
            if there and digest_file(Path(name)) == noted["sha256"] and assets.is_whole(Path(name)):
                proven |= {int(number): str(text) for number, text in noted["fingerprints"].items()}
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            continue
    if not proven:
        raise VerificationFailed(
            f"no verified movie of the frames in {store.path} is there, so none was deleted. "
            "Assemble one; or name it: --movie FILE; or --force"
        )
    return proven
