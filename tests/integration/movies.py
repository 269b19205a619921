"""What the tests of movies share: small stores, movies built by hand, and reading movies back."""

from __future__ import annotations

import re
import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import framepipe as fp
from framepipe.core.shape import Shape
from framepipe.formats import format_of
from framepipe.formats.animated import container
from framepipe.formats.recipe import MovieSpec
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from tests.conftest import bundled_ffmpeg

SIZE = {"figsize": (2, 1.5), "dpi": 50}


def moving(k, seed=0):
    """A moving line under a title with a number: 100x75 px, an odd height."""
    fig, ax = plt.subplots(**SIZE)
    x = np.linspace(0, 6, 60)
    ax.plot(x, np.sin(x + k / 2 + seed))
    ax.set(ylim=(-1.2, 1.2), title=f"{seed} {k}")
    return fig


def see_through(k):
    """A dot on a figure that is transparent where nothing is drawn; over dark red if flattened."""
    fig, ax = plt.subplots(**SIZE, facecolor=(0.4, 0.0, 0.0, 0.0))
    ax.set_axis_off()
    ax.set(xlim=(0, 10), ylim=(-1, 1))
    ax.plot([1 + k], [0], "o", markersize=12, color="tab:blue")
    return fig


def half_see_through(k):
    """The same over a ground that is known: half transparent, dark red."""
    fig = see_through(k)
    fig.set_facecolor((0.4, 0.0, 0.0, 0.2))
    return fig


def titled(k):
    """The same picture at any time, but for one digit in its title."""
    fig, ax = plt.subplots(figsize=(3, 2), dpi=80)
    ax.plot([0, 1, 2], [0, 1, 0])
    ax.set_title(f"epoch {k}")
    return fig


def noise(k):
    """Every pixel another colour: the worst that can happen to an encoder."""
    fig = plt.figure(figsize=(0.96, 0.64), dpi=50)
    fig.figimage(np.random.default_rng(k).integers(0, 256, (32, 48, 3), np.uint8))
    return fig


def gradient(k):
    """Smooth colours, as of a field."""
    fig, ax = plt.subplots(**SIZE)
    x = np.linspace(0, 1, 64)
    ax.imshow(np.hypot(*np.meshgrid(x - k / 20, x)), cmap="viridis", vmin=0, vmax=1.4)
    return fig


def sized(k, width, height):
    """A picture of exactly so many pixels."""
    fig = plt.figure(figsize=(width / 50, height / 50), dpi=50, facecolor="0.8")
    fig.figimage(np.full((max(1, height // 2), max(1, width // 2), 3), 20 * k, np.uint8), 1, 1)
    return fig


def stored(folder, scene, frames=6, **keywords):
    """A store of ``frames`` small frames."""
    return fp.render(scene, frames, store=folder, engine="serial", **keywords).store


def built_by_hand(output, store, order, fps=25, loop=0, program="ffmpeg", **options):
    """A movie of the PNGs of ``store`` in any order, by ffmpeg without framepipe's checks.

    ``order`` has numbers of the store, or paths of other PNGs.
    """
    work = Path(f"{output}.work")
    (work / "frames").mkdir(parents=True)
    for position, item in enumerate(order):
        source = item if isinstance(item, Path) else Path(store) / file_name(item)
        (work / "frames" / file_name(position)).write_bytes(source.read_bytes())
    from PIL import Image

    with Image.open(work / "frames" / file_name(0)) as image:
        shape = Shape(*image.size, image.mode)
    timeline = Timeline.of(range(len(order)), fps=fps, loop=loop)
    made = format_of(Path(output)).recipe(MovieSpec(timeline, shape, EncodeOptions(**options)))
    for name, text in made.lists.items():
        (work / name).write_text(text)
    whole = [segment.step for segment in made.segments]
    for step in (*made.steps, *whole, *([made.join] if made.join else [])):
        subprocess.run(
            [program, *step.args], cwd=work, check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
    if made.format == "webp":
        container.finish_webp(work / made.output, **made.spec)
    (work / made.output).rename(output)
    return output


def failed_checks(report):
    """Names of the checks that are not as expected."""
    return {check.name for check in report.checks if not check.ok}


def gif_facts(path):
    """Delays in cs, and plays by the NETSCAPE block, straight from the bytes and from Pillow."""
    from PIL import Image

    data = Path(path).read_bytes()
    block = re.search(rb"NETSCAPE2\.0\x03\x01(..)\x00", data, re.DOTALL)
    plays = 1 if block is None else struct.unpack("<H", block[1])[0]
    with Image.open(path) as image:
        delays = []
        for index in range(image.n_frames):
            image.seek(index)
            delays.append(image.info["duration"] // 10)
    if block is not None and plays:
        plays += 1  # the block counts repeats
    return delays, plays


def mp4_times(program, path):
    """Seconds at which each frame is shown, as another ffmpeg decodes them."""
    command = [program, "-v", "error", "-i", str(path), "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    base = Fraction(re.search(r"#tb 0: (\S+)", text)[1])
    return [int(line.split(",")[2]) * base for line in text.splitlines() if not line.startswith("#")]


def mp4_planes(program, path, width, height):
    """All frames as raw Y, Cb, Cr planes."""
    command = [program, "-v", "error", "-i", str(path), "-fps_mode", "passthrough", "-pix_fmt", "yuv420p"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    size = width * height * 3 // 2
    assert len(raw) % size == 0
    frames = np.frombuffer(raw, np.uint8).reshape(-1, size)
    luma = frames[:, : width * height].reshape(-1, height, width)
    chroma = frames[:, width * height :].reshape(-1, 2, height // 2, width // 2)
    return luma, chroma[:, 0], chroma[:, 1]


def rgb_by_bt709(luma, blue, red):
    """RGB of one frame as a player shows it that believes in BT.709, limited range."""
    y = (luma.astype(float) - 16) / 219
    cb, cr = ((c.repeat(2, 0).repeat(2, 1).astype(float) - 128) / 224 for c in (blue, red))
    rgb = np.stack([y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb], -1)
    return np.clip(rgb * 255, 0, 255)


def fake_ffmpeg(folder, monkeypatch, body):
    """An ffmpeg that is honest but for ``body``, which may change its arguments ``$@`` or its lists."""
    path = folder / "ffmpeg-fake"
    path.write_text(f'#!/bin/bash\nreal={bundled_ffmpeg()}\nlast="${{@: -1}}"\n{body}\nexec "$real" "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(path))
