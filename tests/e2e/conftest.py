"""No process of a test stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.processes import none_left


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    with none_left():
        yield
