"""`resume`: continue a job where it stopped, and its movies."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core.control import ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.core.progress_bar import controlled
from framepipe.errors import StoreError
from framepipe.job.record import JobRecord
from framepipe.movie.plan import open_store
from framepipe.options import (
    DrawKeywords,
    DrawOptions,
    EncodeOptions,
    ShardKeywords,
    ShardOptions,
    split,
    takes,
)
from framepipe.pipeline.checks import tools_being_checked
from framepipe.pipeline.frames_for_movies import draw_job
from framepipe.pipeline.goal import MakeGoal
from framepipe.pipeline.report import MakeReport
from framepipe.rendering.api import render_job
from framepipe.rendering.engines import choose
from framepipe.rendering.engines.mpi import among_ranks, refuse_ranks
from framepipe.rendering.report import RenderReport
from framepipe.rendering.request import Request, opened_job
from framepipe.scenes.loading import refuse_while_loading
from framepipe.scenes.rcparams import leave_rcparams
from framepipe.store.store import Store

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ResumeKeywords(DrawKeywords, ShardKeywords, total=False):
    """The options of `resume`."""


@takes(DrawOptions, ShardOptions)
@among_ranks
@leave_rcparams()  # a script may set a style when it is loaded
def resume(
    store: PathLike,
    *,
    scene: str | None = None,
    command: str | None = None,
    idle_timeout_s: float | None = None,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[ResumeKeywords],
) -> RenderReport | MakeReport:
    """Continue the job of a store, in the working folder in which it was started.

    Parameters
    ----------
    store : path-like
        A folder with ``job.json``.
    scene : str, optional
        The scene's address, required if ``job.json`` was not written by this account: a file from
        elsewhere must not choose what runs.
    command : str, optional
        The command, required in the same case if a command draws.
    idle_timeout_s : float, optional
        Kill an encoder that makes no progress for this many seconds. Default: as in the call of `make`.
    progress, stop
        As for `render`.

    Returns
    -------
    MakeReport or RenderReport
        A `MakeReport` if `make` started the job and this call is not for a shard.

    Raises
    ------
    StoreError
        ``job.json`` is missing, damaged, or insufficient.
    FramepipeError
        See `render` and `make`.
    """
    refuse_while_loading("resume")
    draw, part = split(options, DrawOptions, ShardOptions, verb="resume")
    if part.shard is None:
        refuse_ranks()
    where = open_store(store)
    record, is_signed = where.read_job()
    goal = MakeGoal.from_json(record.goal, where.path) if is_signed and record.goal else None
    if idle_timeout_s is not None:
        checked = EncodeOptions(idle_timeout_s=idle_timeout_s).idle_timeout_s
        goal = goal and replace(goal, encode=replace(goal.encode, idle_timeout_s=checked))
    request = _request_again(record, is_signed, where, scene, command, goal)
    engine = choose(draw)
    with (
        controlled(progress, stop) as control,
        opened_job(request, store, engine, None, control) as (job, _),
    ):
        if goal and part.is_all:
            with tools_being_checked(goal) as tools:
                return draw_job(job, where, engine, goal, draw, control, tools).make_movies(control)
        job_record = job.record(goal.for_json() if goal else None)
        return render_job(job, where, engine, draw, part, control=control, record=job_record)


def _request_again(
    record: JobRecord,
    is_signed: bool,
    where: Store,
    scene: str | None,
    command: str | None,
    goal: MakeGoal | None,
) -> Request:
    """Make the request of a recorded job; what it names runs only if this account wrote the record."""
    if scene is None and command is None and not is_signed:
        raise StoreError(
            f"{where.path}: job.json was not written by this account, so what it names is not run by "
            f"itself. Name it: framepipe resume {shlex.quote(str(where.path))} --scene SCRIPT.py:NAME "
            "(or --command)"
        )
    extra = _known_keywords(record.extra_args, where.path) if is_signed else {}
    extra |= {"command": command} if command is not None else {}
    ref = None if extra.get("command") else scene or record.ref
    if (ref is None and not extra.get("command")) or record.params is None or record.spec is None:
        raise StoreError(
            f"{where.path} was started from Python with {record.name!r}, which has no address: "
            "run that program again, it goes on where it stopped"
        )
    return Request(
        ref,
        record.spec or None,
        params=record.params,
        inputs=record.inputs,
        canvas=record.canvas,
        label=goal.label if goal else None,
        **extra,
    )


#: The keys of `JobRecord.extra_args`, and the types of their values.
_EXTRA_ARGS: Mapping[str, tuple[type, ...]] = {
    "command": (str,),
    "retries": (int,),
    "dim": (str, int, type(None)),
    "allow_pickle": (bool,),
    "script_args": (list,),
    "animation": (str,),
    "first_call": (str,),
    "env": (list,),
}


def _known_keywords(extra_args: Mapping[str, Any], where: Path) -> dict[str, Any]:
    for name, value in extra_args.items():
        if not isinstance(value, _EXTRA_ARGS.get(name, ())) or not _all_text(value):
            raise StoreError(
                f"{where}: job.json has a setting {name!r} that this framepipe does not support. "
                "Run the command again that started it: the frames are kept"
            )
    return dict(extra_args)


def _all_text(value: Any) -> bool:
    return not isinstance(value, list) or all(isinstance(each, str) for each in value)
