"""`verify` and `clean`: check a movie against its frames; delete frames that a verified movie contains."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core import files
from framepipe.core.control import ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.core.labels import NUMBER, Labels
from framepipe.core.progress_bar import controlled
from framepipe.errors import IncompleteStore, UsageError, VerificationFailed
from framepipe.formats import format_of, measure
from framepipe.job.fingerprint import digest_file
from framepipe.job.frames import format_range
from framepipe.movie.cleanup import CleanupReport, delete_frames
from framepipe.movie.plan import common_shape, open_store, plan_assembly
from framepipe.movie.probe import decoder
from framepipe.options import EncodeKeywords, EncodeOptions, UseOptions, options_of, split, takes
from framepipe.store.store import Store
from framepipe.timeline import Timeline, Timing, TimingKeywords
from framepipe.verification import Expected, VerifyReport

if TYPE_CHECKING:
    from typing_extensions import Unpack


class VerifyKeywords(TimingKeywords, EncodeKeywords, total=False):
    """The options of `verify`."""


@takes(Timing, EncodeOptions, as_assembled=True)
def verify(
    movie: PathLike,
    store: PathLike,
    *,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[VerifyKeywords],
) -> VerifyReport:
    """Verify a movie against a store's frames.

    The movie is expected to be as it was assembled, according to the store's record; options override that
    one by one. For a movie that the store has no record of, the defaults of `assemble` are used.

    Parameters
    ----------
    movie, store : path-like
    progress : bool or callable, optional
        See `assemble`.
    stop : Stop, optional

    Returns
    -------
    VerifyReport
    """
    path = Path(os.path.abspath(movie))
    split(options, Timing, EncodeOptions, verb="verify")  # refuses unknown options
    overrides = {name: value for name, value in options.items() if value is not None}
    expected = _expected(path, open_store(store), overrides)
    with controlled(progress, stop) as control:
        control.tell("verify", 0, 1, label=path.name)
        report = measure(path, expected, decoder(expected.format, expected.options.codec), control)
        control.tell("verify", 1, 1, label=path.name)
    return report


def _expected(path: Path, store: Store, options: Mapping[str, Any]) -> Expected:
    """Return the expected properties of a movie: as recorded in the store, unless options override them."""
    if not path.is_file():
        noun = files.kind_of(path)
        raise UsageError(f"movie {path} {f'is {noun}, not a file' if noun else 'does not exist'}")
    record = store.read_movies().get(str(path))
    if record and (expected := _recorded(path, store, record, options)):
        return expected
    timing, encode = split(options, Timing, EncodeOptions, verb="verify")
    return plan_assembly(store, path, timing, encode, UseOptions(stale="keep")).expected


def _split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split options into those of the timing, and those of the encoding."""
    timing = {name: options[name] for name in options_of(Timing) if name in options}
    return timing, {name: options[name] for name in options_of(EncodeOptions) if name in options}


def _recorded(
    path: Path,
    store: Store,
    record: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Expected | None:
    """Return the expected properties of a recorded movie, with options overridden.

    None if the record is damaged, or if the frames have changed.
    """
    try:
        timeline_then = Timeline(
            [int(number) for number in record["numbers"]],
            tuple(Fraction(text) for text in record["durations_s"]),
            Fraction(record["fps"]),
            int(record["loop"]),
        )
        timing, encoding = _split_options(options)
        timeline = _recorded_timeline(store, record, timing) if timing else timeline_then
        numbers = timeline.numbers
        encode = EncodeOptions(**{**record["options"], **encoding})
        if not isinstance(encode.labels, str):
            encode = replace(encode, labels=_labels(encode.labels, timeline_then.numbers, numbers))
        fingerprints = {
            str(number): state.fingerprint for number, state in store.look(timeline_then.numbers).items()
        }
        if fingerprints != record["fingerprints"]:
            return None
        shape, background = common_shape(store, numbers)
        sources = [store.frame_path(number) for number in numbers]
        exact = record.get("exact") is True
        if encoding or set(numbers) != set(timeline_then.numbers):
            palette = format_of(path).palette(encode, sources, shape)
            exact = palette is not None and palette.exact
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, UsageError, IncompleteStore):
        return None
    return format_of(path).expected(timeline, sources, shape, background, encode, exact)


def _recorded_timeline(store: Store, record: Mapping[str, Any], overrides: Mapping[str, Any]) -> Timeline:
    """Return the timeline of a recorded movie, with options overridden."""
    recorded = record.get("timing", {})
    if isinstance(recorded.get("durations_s"), str):  # a file, which a store from elsewhere may choose
        raise ValueError("durations_s")
    job, _ = store.read_job()
    return Timing(**{**recorded, **overrides}).timeline(store.plan(job), job.fps)


def _labels(texts: Sequence[str], labelled: Sequence[int], numbers: Sequence[int]) -> Labels:
    """Return the labels of these frames, if those of the frames ``labelled`` are ``texts``."""
    by_number = dict(zip(labelled, texts))
    return tuple(by_number[number] for number in numbers) if set(numbers) <= set(labelled) else NUMBER


def clean(store: PathLike, *, movie: PathLike | None = None, force: bool = False) -> CleanupReport:
    """Delete the frames that a verified movie was built from.

    Parameters
    ----------
    store : path-like
    movie : path-like, optional
        A movie of these frames, to be verified now. Default: one that `assemble` verified and
        that is unchanged, byte for byte.
    force : bool
        Delete all of framepipe's frames in the store without a verified movie.

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
        fingerprints = verified_fingerprints(where)
        _refuse_part(where, planned - set(fingerprints))
        return delete_frames(where, fingerprints)
    expected = _expected(Path(os.path.abspath(movie)), where, {})
    _refuse_part(where, planned - set(expected.timeline.numbers))
    states = where.look(expected.timeline.numbers)
    report = measure(Path(os.path.abspath(movie)), expected, decoder(expected.format, expected.options.codec))
    if not report.passed:
        raise VerificationFailed(
            f"{movie} failed verification, nothing was deleted:\n{report.table()}", report=report
        )
    return delete_frames(where, {number: each.fingerprint for number, each in states.items()})


def _refuse_part(store: Store, unverified: set[int]) -> None:
    if unverified:
        raise VerificationFailed(
            f"frames {format_range(unverified)} of {store.path} are in no verified movie: the job is not "
            "finished, so none was deleted. Finish it; or --force"
        )


def verified_fingerprints(store: Store) -> dict[int, str]:
    """Return the fingerprints of the frames of all recorded movies that still exist unchanged.

    Raises
    ------
    VerificationFailed
        There is no such movie.
    """
    fingerprints: dict[int, str] = {}
    for name, record in store.read_movies().items():
        try:
            movie = Path(name)
            is_unchanged = (
                record["passed"] is True and movie.is_file() and digest_file(movie) == record["sha256"]
            )
            if is_unchanged and format_of(movie).is_whole(movie):
                fingerprints |= {int(number): str(text) for number, text in record["fingerprints"].items()}
        except (OSError, KeyError, TypeError, ValueError, AttributeError, UsageError):
            continue
    if not fingerprints:
        raise VerificationFailed(
            f"no verified movie of the frames in {store.path} exists, so none was deleted. "
            "Assemble one; or name it: --movie FILE; or --force"
        )
    return fingerprints
