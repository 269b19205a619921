"""Reports as text for people."""

from __future__ import annotations

from framepipe.clean import CleanupReport
from framepipe.cli.options import shown
from framepipe.frames import format_range
from framepipe.movie import Movie, ShareReport
from framepipe.rendering import RenderReport


def render_text(report: RenderReport) -> str:
    """What a render did, in a few lines."""
    lines = [
        f"{len(report.drawn)} frames drawn, {report.kept} were done, in {shown(report.store)} "
        f"({report.engine}, {report.workers} at once{_order_text(report)}, {report.seconds:.1f} s)"
    ]
    lines += [f"  note: {note}" for note in report.notes]
    if report.redrawn:
        lines += [f"  drawn again: {count} {reason}" for reason, count in report.redrawn.items()]
    return "\n".join(lines)


def _order_text(report: RenderReport) -> str:
    return "" if report.order == "free" else f", order {report.order}"


def movie_text(movie: Movie) -> str:
    """What a movie is and what was verified."""
    head = (
        f"{shown(movie.path)}: {movie.frames} frames, {movie.duration_s:.2f} s, "
        f"{movie.width}x{movie.height}, {size_text(movie.size_bytes)}, by {movie.encoder.name} "
        f"{movie.encoder.version}"
    )
    notes = [f"  note: {note}" for note in movie.notes]
    table = ["  " + line for line in movie.report.table().splitlines()]
    return "\n".join([head, *notes, *table])


def share_text(report: ShareReport) -> str:
    """What a share of a movie's segments came to."""
    name = shown(report.output)
    if not report.segments:
        return f"{name}: one segment, nothing to share: leave --shard out"
    encoded = len(report.mine) - report.taken
    return (
        f"{name}: {encoded} segments encoded, {report.taken} were in the store; of {report.segments} in all. "
        "Join them: the same without --shard"
    )


def cleanup_text(report: CleanupReport) -> str:
    """What was deleted and what was left."""
    text = f"{report.deleted} frames deleted, {size_text(report.freed_bytes)} freed"
    if report.left:
        text += f"; left in {shown(report.store)}, being in no verified movie: {format_range(report.left)}"
    return text


def size_text(size_bytes: int) -> str:
    """Bytes for people, in powers of 1000."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
