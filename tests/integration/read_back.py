"""Movies as others than framepipe read them: Pillow, an ffmpeg, and a few lines for what neither tells.

The frames of `numbered` say which they are: their number stands in them in black and white.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from framepipe.job.frames import file_name
from tests.conftest import bundled_ffmpeg, debian_ffmpeg

VIDEOS = ("mp4", "webm", "mkv", "mov")
FORMATS = ("gif", *VIDEOS, "webp", "apng", "avif", "html")
BITS = 10


def numbered(value, width=80, height=64, alpha=1.0, told=True):
    """A square that goes round on a ground that changes, over the frame's number: cheap, each another.

    Where ``alpha`` is below 1, a strip in the ground is not as transparent as the rest. The number is left
    out unless ``told``.
    """
    pixels = np.empty((height, width, 4))
    down, across = np.ogrid[:height, :width]
    pixels[..., 0] = 0.9 - across / width / 2
    pixels[..., 1] = 0.9 - value % 100 / 200
    pixels[..., 2] = 1 - down / height / 2
    pixels[..., 3] = alpha
    pixels[:8, :, 3] = max(alpha, 0.7) if alpha < 1 else 1
    left, top = int(30 + 25 * np.cos(value / 20)), int(22 + 15 * np.sin(value / 20))
    pixels[top : top + 16, left : left + 20] = (0.8, value % 7 / 10, 0.1, 1.0)
    for bit in range(BITS if told else 0):
        pixels[-8:, 8 * bit : 8 * bit + 8] = (*[float(value >> bit & 1)] * 3, 1)
    figure = Figure(figsize=(width / 50, height / 50), dpi=50, facecolor=(1, 1, 1, 0))
    figure.figimage(pixels, origin="upper")
    return figure


def clear(value, width=80, height=64):
    """The same on a ground that is not there."""
    return numbered(value, width, height, alpha=0.0)


def number_in(rgba):
    """Which frame a picture of `numbered` says that it is."""
    block = rgba[-8:, : 8 * BITS, :3].reshape(8, BITS, 8, 3)[2:6, :, 2:6]
    return sum(1 << bit for bit, grey in enumerate(block.mean((0, 2, 3))) if grey > 128)


@dataclass
class Film:
    """What was read.

    Attributes
    ----------
    pictures : list of ndarray
        RGBA, uint8.
    times_ms : list of float
        How long each is shown; empty for a still picture.
    plays : int or None
        0 is for ever; None where the format does not say.
    """

    pictures: list[np.ndarray]
    times_ms: list[float]
    plays: int | None

    def runs(self):
        """Numbers that are shown, and for how many milliseconds; equal ones in a row together."""
        times = self.times_ms or [None]
        each = zip(map(number_in, self.pictures), times)
        return [
            (number, sum(time for _, time in run) if self.times_ms else None)
            for number, run in groupby(each, key=lambda shown: shown[0])
        ]


def other_ffmpeg(program):
    """The one that did not build the movie."""
    return bundled_ffmpeg() if str(program) == debian_ffmpeg() else debian_ffmpeg()


def read(path, program=None, size=None, alpha=False, planes=False):
    """A movie; ``program`` reads videos, which have ``size`` (width, height), and ``alpha`` or not.

    With ``planes``, the pictures of a video are Y', Cb, Cr and alpha.
    """
    format_ = path.suffix[1:]
    if format_ == "html":
        return _page(path.read_text())
    if format_ in VIDEOS:
        return _video(path, program or debian_ffmpeg(), size, alpha, planes)
    pictures, times = [], []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            pictures.append(np.asarray(image.convert("RGBA")))
            times += [image.info["duration"]] if image.info.get("duration") else []
        plays = image.info.get("loop")
    if format_ == "gif":
        plays = 1 if plays is None else plays + 1 if plays else 0  # it counts repeats
    if format_ == "avif":
        data = path.read_bytes()
        times, plays = (times, _avif_plays(data)) if b"moov" in data else ([], None)
    return Film(pictures, times, plays)


def _avif_plays(data):
    """How often the track is longer than its edit (ISO/IEC 14496-12, 8.6.6): Pillow does not tell."""
    header, edit = data.index(b"tkhd") + 4, data.find(b"elst") + 4
    if edit < 4:
        return 0
    whole = struct.unpack_from(">Q" if data[header] else ">I", data, header + (28 if data[header] else 20))[0]
    once = struct.unpack_from(">Q" if data[edit] else ">I", data, edit + 8)[0]
    return 1 if not data[edit + 3] & 1 else 0 if whole >= 2**32 - 1 else round(whole / once)


def _video(path, program, size, alpha, planes):
    # ffmpeg's own decoder of VP9 drops alpha
    decoder = ["-c:v", "libvpx-vp9"] if path.suffix == ".webm" and alpha else []
    flags = "accurate_rnd+full_chroma_int+full_chroma_inp"
    pictures = ["-vf", f"scale=in_color_matrix=bt709:in_range=tv:flags={flags},format=rgba"]
    if planes:
        pictures = ["-vf", "format=yuva444p"]
    times = path.with_name(f"{path.name}.times")
    command = [program, "-v", "error", "-y", *decoder, "-i", str(path)]
    command += ["-map", "0:v", "-fps_mode", "passthrough", "-f", "framecrc", str(times)]
    command += ["-map", "0:v", *pictures, "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    text = times.read_text()
    times.unlink()
    base = Fraction(re.search(r"#tb 0: (\S+)", text)[1])
    rows = [list(map(int, line.split(",")[2:4])) for line in text.splitlines() if line[0] != "#"]
    starts = [float(start * base * 1000) for start, _ in rows]
    ends = [*starts[1:], float((rows[-1][0] + rows[-1][1]) * base * 1000)]
    assert starts[0] == 0
    shape = (-1, 4, size[1], size[0]) if planes else (-1, size[1], size[0], 4)
    shown = np.frombuffer(raw, np.uint8).reshape(shape)
    shown = np.moveaxis(shown, 1, -1) if planes else shown
    assert len(shown) == len(rows)
    return Film([*shown], [end - start for start, end in zip(starts, ends)], None)


def _page(text):
    movie = json.loads(re.search(r'<script type="application/json" id="movie">(.*?)</script>', text)[1])
    still = _webp(text, "still")
    pictures = []
    for picture in movie["pictures"]:
        left, top, width, height = movie["boxes"][picture]
        whole = still.copy()
        if width:
            whole[top : top + height, left : left + width] = _webp(text, f"picture-{picture}")
        pictures.append(whole)
    ends_ms = [end * 1000 for end in movie["ends_s"]]
    times = [end - start for start, end in zip([0, *ends_ms], ends_ms)]
    return Film(pictures, times, movie["plays"])


def _webp(text, name):
    data = re.search(f'<script type="image/webp;base64" id="{name}">(.*?)</script>', text)[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGBA"))


def source(store, number):
    """A frame as it was drawn: RGBA."""
    with Image.open(store / file_name(number)) as image:
        return np.asarray(image.convert("RGBA"))


def as_shown(rgba, format_):
    """What the format can show of a frame; the figures are white under what is transparent."""
    alpha = rgba[..., 3:]
    if format_ == "gif":
        rgba = np.where(alpha < 128, np.uint8(0), np.concatenate([rgba[..., :3], alpha | 255], -1))
    if format_ == "mp4":
        flat = np.rint(rgba[..., :3] * (alpha / 255) + 255 * (1 - alpha / 255)).astype(np.uint8)
        rgba = np.concatenate([flat, alpha | 255], -1)
    return rgba


def in_planes(rgba):
    """Y', Cb, Cr and alpha of a picture (ITU-R BT.709, limited range)."""
    to = [[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]]
    colours = rgba[..., :3] / 255 @ np.array(to).T * (219, 224, 224) + (16, 128, 128)
    return np.concatenate([colours, rgba[..., 3:]], -1)


def patches_off(one, other, side=8):
    """Greatest difference of the means of whole patches, of each colour over grey and of alpha, 0 to 255."""
    off = _over_grey(one) - _over_grey(other)
    sums = np.pad(off.cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    rows, columns = ([*range(0, whole - side, side), whole - side] for whole in off.shape[:2])
    r, c = np.ix_(rows, columns)
    patches = sums[r + side, c + side] - sums[r, c + side] - sums[r + side, c] + sums[r, c]
    return np.abs(patches).max((0, 1)) / side**2


def _over_grey(rgba):
    alpha = rgba[..., 3:].astype(float)
    return np.concatenate([rgba[..., :3] * (alpha / 255) + 128 * (1 - alpha / 255), alpha], -1)
