"""Where the time of a render went, as a table."""

from __future__ import annotations

import pytest

from framepipe.rendering.costs import Costs


def test_what_workers_did_not_spend_on_frames_is_the_rest():
    costs = Costs(update_s=1, draw_s=4) + Costs(draw_s=1, png_s=0.5, store_s=0.5)
    table = costs.table(2, 5.0).splitlines()
    assert table[0] == "2 workers for 5.00 s"
    shown = {line[2:24].strip(): line[24:].split() for line in table[1:]}
    assert shown["draw"] == ["5.00", "s", "50", "%"]
    assert shown["start, compare, idle"] == ["3.00", "s", "30", "%"]
    assert costs.total_s == pytest.approx(7)


def test_a_render_of_nothing_has_a_table_too():
    assert "0 workers" in Costs().table(0, 0.0)
