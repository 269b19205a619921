"""Which engine draws, and options of drawing that make no sense: refused, whatever the engine."""

from __future__ import annotations

import pytest

from framepipe.errors import UsageError
from framepipe.options import DrawOptions
from framepipe.rendering.engines import LocalEngine, SerialEngine, choose

ENGINES = ["local", "serial", LocalEngine(1), SerialEngine()]
IDS = ["local", "serial", "a LocalEngine", "a SerialEngine"]


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({"workers": 0}, "workers is 0; give 1 or more"),
        ({"max_frames_per_worker": 0}, "max_frames_per_worker is 0; give 1 or more"),
        ({"frame_timeout_s": -5}, r"frame_timeout_s \(--frame-timeout\) is -5; give seconds above 0"),
        (
            {"frame_timeout_s": float("nan")},
            r"frame_timeout_s \(--frame-timeout\) is nan; give seconds above 0",
        ),
    ],
    ids=str,
)
def test_nonsense_is_refused_whatever_the_engine(engine, options, step):
    with pytest.raises(UsageError, match=step):
        choose(DrawOptions(engine=engine, **options))


def test_the_serial_engine_has_one_process():
    with pytest.raises(UsageError, match="leave workers out, or use local"):
        choose(DrawOptions(engine="serial", workers=4))
    assert isinstance(choose(DrawOptions(engine="serial", workers=1)), SerialEngine)


@pytest.mark.parametrize("engine", ENGINES[2:], ids=IDS[2:])
def test_an_engine_is_used_as_it_is(engine):
    assert choose(DrawOptions(engine=engine, workers=4)) is engine
