"""A dask cluster of processes on this machine, on loopback, for tests."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def running_dask(workers: int) -> Iterator[Any]:
    """Start a scheduler in this process, and workers in processes of their own; provide the cluster."""
    from distributed import LocalCluster

    before = dict(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dask's own making
        with LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs="CRITICAL",
        ) as cluster:
            for name in {*os.environ} - {*before}:  # with what dask leaves there, no program would be forked
                del os.environ[name]
            yield cluster
