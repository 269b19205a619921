"""Check HTML pages: their facts, what they could load, and every picture in them or in their folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import Control
from framepipe.core.images import PERFECT_DB
from framepipe.formats.html import assets
from framepipe.formats.html.reading import Page
from framepipe.verification.blocks import BlockComparison
from framepipe.verification.check import Check, failure, plays, requirement, same, same_size
from framepipe.verification.expected import Expected
from framepipe.verification.judge import picture_checks
from framepipe.verification.likeness import AtPictures, find_foreign_frame, frame_scores

if TYPE_CHECKING:
    from PIL.Image import Image


def checks(movie: Path, expected: Expected, control: Control) -> Iterator[Check]:
    """Yield the checks of a page; see `framepipe.formats.measure`."""
    try:
        page = Page(movie.read_text(encoding="ascii"), movie.parent)
    # html.parser asserts that "<![" is followed by one of a few words
    except (OSError, ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        yield failure("structure", "a whole page", error)
        return
    facts, count = page.facts, len(expected.timeline.numbers)
    yield Check("structure", True, "a whole page", f"{movie.stat().st_size:,} bytes")
    network = "only its own pictures are loaded" if page.folder else "nothing is loaded"
    yield requirement("network", network, "; ".join(page.loads)[:200])
    yield requirement(
        "page", "as framepipe writes it", "" if page.is_ours else "damaged, or of another version"
    )
    yield same("frames", count, len(facts["pictures"]))
    yield same_size(expected.size, page.size)
    yield _times(expected, facts["ends_s"])
    yield same("plays", plays(expected.timeline.loop), plays(facts["plays"]))
    yield _labels(expected, facts)
    yield _files(page) if page.folder or expected.options.html_assets else _file_size(movie, expected)
    if len(facts["pictures"]) != count or page.size != expected.size:
        return
    try:
        picture_results = _compare(page, expected, control)
    except (OSError, ValueError, LookupError, TypeError, SyntaxError) as error:
        yield failure("decodes", "every frame", error)
        return
    yield requirement("decodes", "every frame")
    yield from picture_results


def _file_size(movie: Path, expected: Expected) -> Check:
    limit_mb, has_mb = expected.options.player_limit_mb, movie.stat().st_size / 1e6
    return Check("file size", has_mb <= limit_mb, f"at most {limit_mb:g} MB", f"{has_mb:.3g} MB")


def _files(page: Page) -> Check:
    """Check that the folder holds exactly the pictures of the page, with the digest in its name."""
    if not page.folder:
        return Check("files", False, "pictures beside the page", "in the page")
    required, names = page.file_names(), set(page.files)
    problems = [
        _counted("missing", required - names),
        _counted("more", names - required),
        _counted("inside", page.embedded),
    ]
    if not any(problems) and not assets.is_intact(page.folder):
        problems.append("other bytes than when they were written")
    return requirement(
        "files", f"{len(required)} pictures as they were written", "; ".join(filter(None, problems))
    )


def _counted(what: str, names: Iterable[str]) -> str:
    ordered = sorted(names)
    return f"{len(ordered)} {what}, first {ordered[0]}" if ordered else ""


def _times(expected: Expected, actual: list[float]) -> Check:
    required = expected.timeline.ends_s
    position = next((at for at, (a, b) in enumerate(zip(required, actual)) if a != b), None)
    if position is None and len(required) == len(actual):
        return Check("times", True, f"{required[-1]:.3f} s, each exact", f"{required[-1]:.3f} s, each exact")
    where = "" if position is None else f"; frame {position} ends at {actual[position]!s:.20} s"
    return Check(
        "times", False, f"{len(required)} exact ends, {required[-1]:.3f} s", f"{len(actual)} ends{where}"
    )


def _labels(expected: Expected, facts: Mapping[str, Any]) -> Check:
    numbers, labels = list(expected.timeline.numbers), facts["labels"]
    expected_labels = expected.options.labels
    if facts["numbers"] != numbers:
        return Check("labels", False, "each frame's number", "other numbers")
    if isinstance(expected_labels, str):  # labels are unknown when a page is verified separately
        ok = labels is None or len(labels) == len(numbers)
        return Check(
            "labels", ok, "a label a frame", "each frame's number" if labels is None else f"{len(labels)}"
        )
    position = next((at for at, (a, b) in enumerate(zip(expected_labels, labels or ())) if a != b), None)
    ok = position is None and labels is not None and len(labels) == len(expected_labels)
    result = "as given" if ok else f"frame {position or 0} has another"
    return Check("labels", ok, "as given", result)


def _compare(page: Page, expected: Expected, control: Control) -> list[Check]:
    """Compare every frame with its PNG: exactly, or by similarity in a draft."""

    def pictures(positions: Sequence[int]) -> Iterator[Image]:
        from PIL import Image as Images

        for position in positions:
            control.check("verifying the page")
            yield Images.fromarray(page.frame(position))

    frames = pictures(range(len(expected.sources)))
    comparison = None if expected.lossless else BlockComparison(expected.tolerance.grain)
    scores = list(
        frame_scores(
            frames,
            expected.sources,
            expected.to_planes,
            tolerance=expected.tolerance,
            comparison=comparison,
        )
    )
    if comparison:
        foreign = find_foreign_frame(comparison, AtPictures(expected.sources, expected.to_planes, pictures))
        return picture_checks(scores, expected, foreign, comparison.alike_mse)
    other = [position for position, frame in enumerate(scores) if frame.own_db < PERFECT_DB]
    problem = f"other pixels in {len(other)} frames, first {other[0]}" if other else ""
    return [requirement("pixels", "every pixel of every frame", problem)]
