"""Small stores that several tests read, and no process that stays."""

from __future__ import annotations

import pytest

from tests.integration import movies
from tests.support.processes import none_left


@pytest.fixture(autouse=True)
def no_process_left():
    with none_left():
        yield


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """A maker of stores that are drawn once."""
    made = {}

    def get(scene, frames=6, **keywords):
        key = (scene.__name__, frames, *sorted(keywords.items()))
        if key not in made:
            made[key] = movies.stored(tmp_path_factory.mktemp("stores") / "s", scene, frames, **keywords)
        return made[key]

    return get
