"""Calls as users write them: mypy must find what is wrong in them, and nothing else.

`test_public_types` runs it; this file is checked, never imported. A line that ends in ``# wrong: CODE`` must be an
error of that code.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from matplotlib.figure import Figure
from typing_extensions import assert_type

import framepipe as fp


def draw(value: float, amplitude: float = 1.0) -> Figure:
    """A frame."""
    return Figure(figsize=(1, amplitude * value))


# what is right
made = fp.make(draw, 300, "a.mp4", fps=24, hold_last_s=2, workers=4, params={"amplitude": 2.0})
assert_type(made, fp.MakeReport)
assert_type(made.movies[0], fp.Movie)
fp.make(
    draw, [1.5, 2.5], [Path("a.gif"), "b.webm"], fps=Fraction(30000, 1001), quality="best", progress=False
)
fp.make("script.py", output="a.gif", loop="forever", metadata={"title": "Waves"})

rendered = fp.render(draw, range(0, 300, 5), store=Path("frames/run"), shard=(1, 4), stop=fp.Stop())
assert_type(rendered, fp.RenderReport)
assert_type(rendered.store, Path)

for source in (rendered, rendered.store, fp.Store("frames/run"), "frames/run"):
    movie = fp.assemble(source, "run.gif", fps="12.5", palette="per-frame", colors=64, crf=None)
    assert_type(movie, fp.Movie)

fp.assemble("frames/run", "run.gif", encode=fp.EncodeOptions(colors=64), timing=fp.Timing(fps=5))

verified = fp.verify("run.gif", "frames/run", fps=12, bounce=True)
assert_type(verified, fp.VerifyReport)
assert_type(verified.passed, bool)

# keywords that there are not
fp.make(draw, 300, "a.mp4", frame_rate=24)  # wrong: call-arg
fp.make(draw, 300, "a.mp4", shard=(1, 4))  # wrong: call-arg
fp.render(draw, 300, fps=24)  # wrong: call-arg
fp.render(draw, 300, output="a.mp4")  # wrong: call-arg
fp.assemble("frames/run", "run.gif", dpi=100)  # wrong: call-arg
fp.assemble("frames/run", "run.gif", colours=64)  # wrong: call-arg
fp.verify("run.gif", "frames/run", keep_frames=True)  # wrong: call-arg
fp.assemble("frames/run")  # wrong: call-arg
fp.verify("run.gif")  # wrong: call-arg

# by place what is only by keyword
fp.assemble("frames/run", "run.gif", 24)  # wrong: call-arg
fp.verify("run.gif", "frames/run", True)  # wrong: call-arg

# wrong types
fp.make(draw, 300, 7)  # wrong: arg-type
fp.make(draw, 300, "a.mp4", workers="four")  # wrong: arg-type
fp.make(draw, 300, "a.mp4", keep_frames="yes")  # wrong: arg-type
fp.make(draw, 300, "a.mp4", params=["amplitude"])  # wrong: arg-type
fp.render(draw, 300, dpi="high")  # wrong: arg-type
fp.render(draw, 300, store=300)  # wrong: arg-type
fp.render(draw, 300, shard=(1, 2, 3))  # wrong: arg-type
fp.assemble(300, "run.gif")  # wrong: arg-type
fp.assemble("frames/run", "run.gif", colors="many")  # wrong: arg-type
fp.assemble("frames/run", "run.gif", metadata="Waves")  # wrong: arg-type
fp.assemble("frames/run", "run.gif", hold_last_s="2 s")  # wrong: arg-type
fp.assemble("frames/run", "run.gif", encode={"colors": 64})  # wrong: arg-type
fp.EncodeOptions(colors="many")  # wrong: arg-type
fp.verify("run.gif", None)  # wrong: arg-type
fp.verify("run.gif", "frames/run", crf="18")  # wrong: arg-type

# what comes out is not what went in
fp.assemble(made, "run.gif")  # wrong: arg-type
print(verified.frames)  # wrong: attr-defined
print(rendered.movies)  # wrong: attr-defined
