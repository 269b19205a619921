"""The runs whose frames a store of recorded frames has: a program continues one, or begins a new one."""

from __future__ import annotations

import uuid
from dataclasses import replace

from framepipe.errors import StoreError
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.store.store import Store


def record_of_run(store: Store, job: Job, *, is_continued: bool) -> JobRecord:
    """Return the record of a run; it has the mark of the earlier one if that is continued, else a new one.

    Raises
    ------
    StoreError
        The store has frames of another job, or of a run that this one cannot continue.
    """
    earlier = _earlier_record(store, job)
    if earlier is None or not is_continued:
        return _with_parts(job, run=uuid.uuid4().hex)
    # matplotlib's version too: frames of another version stay
    kept = {name: earlier.parts[name] for name in ("run", "matplotlib") if name in earlier.parts}
    record = _with_parts(job, **{"run": uuid.uuid4().hex, **kept})
    differences = [name for name, part in record.parts.items() if earlier.parts.get(name) != part]
    differences = [name for name in differences if name != "matplotlib"]
    if differences and store.numbers():
        raise StoreError(
            f"{store.path} holds frames of another run ({', '.join(differences)} differ): choose "
            "another store, or begin anew with existing='replace'"
        )
    return record


def record_of_states(store: Store, job: Job) -> JobRecord:
    """Return the record of frames that are identified by the state of their figure, whichever run drew them.

    Raises
    ------
    StoreError
        The store has frames of another job.
    """
    _earlier_record(store, job)
    return _with_parts(job, run="")


def _earlier_record(store: Store, job: Job) -> JobRecord | None:
    """Return the record in the store if it is of this job, else None; refuse frames of another job."""
    earlier = store.known_job()
    is_of_this_job = earlier is not None and earlier.name == job.scene.name
    if store.numbers() and not is_of_this_job:
        contents = f"frames of {earlier.name}" if earlier else "frames of another job"
        raise StoreError(f"{store.path} holds {contents}: choose another store")
    return earlier if is_of_this_job else None


def _with_parts(job: Job, **parts: str) -> JobRecord:
    record = job.record()
    return replace(record, parts={**record.parts, **parts})
