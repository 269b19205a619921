"""Lists among the rcParams that a scene changes in place, which no assignment tells of."""

import matplotlib
import pytest
from matplotlib.figure import Figure

from framepipe.scenes.rcparams import OwnRcparams, keep_rcparams

LISTS = ("path.effects", "font.family", "font.serif")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_a_scene_changes_in_place_is_as_before_afterwards(name):
    live = matplotlib.rcParams[name]
    before = list(live)
    with keep_rcparams():
        live.append("more")
    assert matplotlib.rcParams[name] is live and live == before
    assert matplotlib.rcParamsDefault[name] == before, "matplotlib's defaults may be the same list"


def test_an_animation_meets_the_list_again_as_its_last_update_left_it():
    live = matplotlib.rcParams["path.effects"]
    own = OwnRcparams()
    with own():
        shares_it = Figure().text(0, 0, "made before")
        live.append("one")
    assert live == []
    with own():
        assert shares_it.get_path_effects() == ["one"]
        live.append("two")
    with own():
        assert live == ["one", "two"]
        live.clear()
    with own():
        assert live == []
    assert live == []
