"""What a render did, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from framepipe.core.control import Stop
from framepipe.core.summary import Summary, short_path
from framepipe.errors import EngineError, FramesFailed, Interrupted
from framepipe.job.frames import format_range, format_range_briefly
from framepipe.job.record import JobRecord
from framepipe.rendering.costs import Costs
from framepipe.rendering.engines import Failed
from framepipe.rendering.news import key_of
from framepipe.store.failures import lone_frame_command

_MAX_KINDS = 10
_MAX_REASONS = 5


@dataclass(frozen=True, repr=False)
class RenderReport(Summary):
    """Report of a render.

    Attributes
    ----------
    store : Path
    total : int
        Number of frames of this run (of its shard).
    drawn : tuple of int
        Numbers of frames drawn now.
    kept : int
        Number of frames that were done before.
    redrawn : dict of str to int
        Why existing frames were drawn again: reason -> number of frames.
    failed : tuple of Failed
    engine : str
    workers : int
    seconds : float
    resumable : bool
        True if ``framepipe resume`` can continue it; else the program that started it must.
    order : {"free", "replay", "serial"}
        The order in which it was drawn, see `render`.
    trials : int
        Number of frames that were drawn again, only to compare.
    compared : int
        Number of frames that were also drawn in full, where only what has changed in a frame is drawn.
    notes : tuple of str
        Notes for the user, as the reason for that order.
    warnings : tuple of str
        Each warning of the scene once, with its number of frames.
    ended : int or None
        Number of the scene's frames, if it has ended.
    record : JobRecord or None
        The contents of ``job.json`` now.
    helped : tuple of int
        Numbers of frames of other tasks that were drawn too.
    costs : Costs
        Where the time of the workers went.
    """

    store: Path
    total: int
    drawn: tuple[int, ...] = ()
    kept: int = 0
    redrawn: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()
    engine: str = ""
    workers: int = 0
    seconds: float = 0.0
    resumable: bool = True
    order: str = "free"
    trials: int = 0
    compared: int = 0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ended: int | None = None
    record: JobRecord | None = None
    helped: tuple[int, ...] = ()
    costs: Costs = field(default_factory=Costs)

    def timings(self) -> str:
        """Where the time went, as a table."""
        return f"{short_path(self.store)}: {self.costs.table(self.workers, self.seconds)}"

    def summary(self) -> str:
        """See `Summary`."""
        order = "" if self.order == "free" else f", order {self.order}"
        trials = f", {self.trials} more only to compare" if self.trials else ""
        compared = f", {self.compared} compared with full drawing" if self.compared else ""
        lines = [
            f"{len(self.drawn)} frames drawn, {self.kept} were done, in {short_path(self.store)} "
            f"({self.engine}, {self.workers} at once{order}{trials}{compared}, {self.seconds:.1f} s)"
        ]
        if self.helped:
            lines.append(f"  of other tasks drawn too: {format_range_briefly(self.helped)}")
        if self.failed:
            lines.append(f"  failed: {format_range_briefly(each.number for each in self.failed)}")
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  warning {warning}" for warning in self.warnings]
        lines += self._reasons()
        return "\n".join(lines)

    def _reasons(self) -> list[str]:
        """Return why frames were drawn again, the most frequent first: each frame may have its own reason."""
        often = sorted(self.redrawn.items(), key=lambda item: -item[1])
        lines = [f"  drawn again: {count} {reason}" for reason, count in often[:_MAX_REASONS]]
        if rest := often[_MAX_REASONS:]:
            lines.append(f"  drawn again: {sum(count for _, count in rest)} for {len(rest)} other reasons")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "store": str(self.store),
            "total": self.total,
            "drawn": format_range(self.drawn),
            "drawn_count": len(self.drawn),
            "kept": self.kept,
            "helped": format_range(self.helped),
            "redrawn": dict(self.redrawn),
            "failed": {str(each.number): each.message for each in self.failed},
            "engine": self.engine,
            "workers": self.workers,
            "seconds": round(self.seconds, 3),
            "costs_s": {name: round(each, 3) for name, each in asdict(self.costs).items()},
            "order": self.order,
            "trials": self.trials,
            "compared": self.compared,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def check_report(report: RenderReport, stop: Stop) -> RenderReport:
    """Return the report if all frames are done; raise otherwise."""
    is_growing = report.record is not None and report.record.extent == "growing"
    missing_count = 0 if is_growing else report.total - report.kept - len(report.drawn) - len(report.failed)
    if stop.requested and (missing_count or is_growing):
        raise Interrupted(
            f"stopped{stop.by}: "
            f"{report.kept + len(report.drawn)}{'' if is_growing else f' of {report.total}'} frames are safe "
            f"in {report.store}. {_failed_until_now(report)}Run the same again to go on",
            signal_name=stop.signal_name,
            report=report,
        )
    if report.failed:
        raise FramesFailed(failure_message(report, missing_count), report=report)
    if missing_count and report.ended is not None:
        raise FramesFailed(
            f"the scene ended after {report.ended} frames; {missing_count} requested frames do not exist. "
            f"The others are safe in {report.store}: run it again with --frames {report.ended}",
            report=report,
        )
    if missing_count:
        raise EngineError(f"engine {report.engine} gave no outcome for {missing_count} frames")
    return report


def _failed_until_now(report: RenderReport) -> str:
    if not report.failed:
        return ""
    numbers = format_range_briefly(each.number for each in report.failed)
    kinds = {key_of(each): each.message for each in report.failed}
    others = f" (and {len(kinds) - 1} other errors)" if len(kinds) > 1 else ""
    return f"{len(report.failed)} failed: {numbers}: {next(iter(kinds.values()))}{others}. "


def failure_message(report: RenderReport, missing_count: int = 0) -> str:
    """Return a message of all failures, grouped by equal ones, with tracebacks and the next step."""
    groups: dict[str, list[Failed]] = {}
    for each in report.failed:
        groups.setdefault(key_of(each), []).append(each)
    lines = [f"{len(report.failed)} of {report.total} frames failed"]
    for group in list(groups.values())[:_MAX_KINDS]:
        numbers = format_range_briefly(each.number for each in group)
        lines.append(f"frame{'s' if len(group) > 1 else ''} {numbers}: {group[0].message}")
        if group[0].traceback:
            lines.append(group[0].traceback)
    if len(groups) > _MAX_KINDS:
        lines.append(f"and {len(groups) - _MAX_KINDS} other errors: {report.store / 'logs'}")
    if missing_count:
        lines.append(f"Stopped there (--max-failures); {missing_count} frames were not tried.")
    if report.kept + len(report.drawn):
        lines.append(f"The other frames are safe in {report.store}.")
    command = lone_frame_command(report.store, report.failed[0].number, report.resumable)
    lines.append(f"Draw one in this process, to look into it:\n  {command}")
    lines.append("Then run the same again; or build without them: framepipe assemble … --missing hold")
    return "\n".join(lines)
