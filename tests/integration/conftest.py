"""Small stores that several tests read."""

from __future__ import annotations

import pytest

from tests.integration import movies


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
