"""Video codecs, and how ffmpeg's encoders make them.

Software encoders were tried in ffmpeg 5.1 and 9. **Encoders in hardware were not tried on real hardware**:
their arguments are those of the ffmpeg manual ("VAAPI encoders", "QSV Encoders", "AMF encoders") and of
``ffmpeg -h encoder=NAME`` in both versions. Nothing is taken on trust for that: each is tried on a tiny
movie before frames are drawn, and what it makes is verified like any movie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Codec:
    """How ffmpeg makes one codec.

    Attributes
    ----------
    library : str
        ffmpeg's encoder.
    crf : dict of str to int
        By quality; empty where there is no such thing. On the encoder's own scale.
    most_crf : int
    args : dict
        Always given.
    lossy : dict
        Given where it is not lossless.
    samples : tuple of str
        Chroma and depth that it has, as "420/8".
    lossless : dict or None
        Encoder arguments of a lossless film, None where there is none.
    lossless_as : str
        ffmpeg's pixel format of it, without alpha.
    alpha_as : str
        ffmpeg's pixel format with alpha, empty if the codec has none.
    alpha_args : dict
    least_px : int
        The smallest side that it takes.
    makes : str
        The codec, where the name is an encoder's; see `kind_of`.
    hardware : str
        What it needs, for a message; empty for software.
    told_by : tuple of str
        The options of ffmpeg that get the number in ``crf``.
    least_crf : int
    rises : bool
        Greater numbers are better: the opposite of a rate factor.
    takes : dict of str to str
        The pixel format that it gets, for those that it does not take.
    device : tuple of str
        Global arguments; frames are to be uploaded to it.
    """

    library: str
    crf: Mapping[str, int] = field(default_factory=dict)
    most_crf: int = 51
    args: Mapping[str, Any] = field(default_factory=dict)
    lossy: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[str, ...] = ("420/8",)
    lossless: Mapping[str, Any] | None = None
    lossless_as: str = ""
    alpha_as: str = ""
    alpha_args: Mapping[str, Any] = field(default_factory=dict)
    least_px: int = 1
    makes: str = ""
    hardware: str = ""
    told_by: tuple[str, ...] = ("crf",)
    least_crf: int = 0
    rises: bool = False
    takes: Mapping[str, str] = field(default_factory=dict)
    device: tuple[str, ...] = ()

    def harm(self, crf: int) -> int:
        """About the x264 crf that does as much harm to a picture."""
        return round((self.most_crf - crf if self.rises else crf) * 51 / self.most_crf)


_ALL = ("420/8", "444/8", "420/10", "444/10")
#: Flat colours and sharp edges are a cartoon's. On 100 frames of 1000x700 x264 at crf 19 so tuned, with the
#: usual 3 references (the tuning's 6 take a fifth more time), against 18 without: lines +1.4 % in size and
#: +0.11 dB, a field -26 % and +0.18, translucent dots +0.9 % and +0.09, a growing curve -3 % and 0; in the
#: same time.
_CARTOON = {"tune": "animation"}
_SOFTWARE = {
    "h264": Codec(
        "libx264",
        {"draft": 27, "good": 19, "best": 13},
        lossy={**_CARTOON, "refs": 3},
        samples=_ALL,
        lossless={"vcodec": "libx264rgb", "crf": 0},
        lossless_as="rgb24",
    ),
    "h265": Codec(
        "libx265",
        {"draft": 28, "good": 20, "best": 13},
        args={"x265-params": "log-level=error", "vtag": "hvc1"},
        lossy=_CARTOON,
        samples=_ALL,
    ),
    "av1": Codec(
        "libsvtav1",
        {"draft": 40, "good": 24, "best": 14},
        63,
        args={"preset": 7},
        samples=("420/8", "420/10"),
        least_px=64,
    ),
    "vp9": Codec(
        "libvpx-vp9",
        {"draft": 38, "good": 20, "best": 10},
        63,
        args={"video_bitrate": 0, "row-mt": 1, "deadline": "good", "cpu-used": 3, "auto-alt-ref": 0},
        samples=_ALL,
        lossless={"lossless": 1},
        lossless_as="gbrp",
        alpha_as="yuva420p",
    ),
    "ffv1": Codec(
        "ffv1",
        args={"level": 3, "g": 1, "slicecrc": 1},
        samples=(),
        lossless={},
        lossless_as="gbrp",
        alpha_as="bgra",
    ),
    "prores": Codec(
        "prores_ks",
        args={"profile:v": 4, "vendor": "apl0"},
        samples=("444/10",),
        alpha_as="yuva444p10le",
        alpha_args={"alpha_bits": 16},
    ),
}
#: Surfaces of every maker: 4:2:0 with the two colours in one plane.
_SURFACES = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
_TEN = ("420/8", "420/10")
_QP = {"draft": 28, "good": 20, "best": 14}
_QP_AV1 = {"draft": 40, "good": 24, "best": 14}
_NVIDIA, _INTEL = "an NVIDIA card with NVENC and its driver", "an Intel processor or card with Quick Sync"
_VAAPI, _DEVICE = "a card with a VA-API driver", ("-vaapi_device", "/dev/dri/renderD128")
_AMD, _APPLE = "an AMD card with the AMF runtime", "a Mac with Apple silicon"


def _hardware(makes: str, library: str, needs: str, crf: Mapping[str, int], **more: Any) -> Codec:
    tag = {"vtag": "hvc1"} if makes == "h265" else {}  # as QuickTime wants it
    args = {**tag, **more.pop("args", {})}
    return Codec(library, crf, args=args, makes=makes, hardware=needs, takes=_SURFACES, **more)


def _nvenc(makes: str, library: str, crf: Mapping[str, int], **more: Any) -> Codec:
    """Constant quality: a target in VBR without a bit rate; 0 would be automatic."""
    args = {"rc": "vbr", "video_bitrate": 0}
    return _hardware(makes, library, _NVIDIA, crf, told_by=("cq",), least_crf=1, args=args, **more)


def _qsv(makes: str, library: str, **more: Any) -> Codec:
    """Intelligent constant quality (ICQ), 1 to 51: what -global_quality chooses."""
    return _hardware(makes, library, _INTEL, _QP, told_by=("global_quality",), least_crf=1, **more)


def _vaapi(makes: str, library: str, crf: Mapping[str, int], **more: Any) -> Codec:
    """Constant quantiser (CQP), which every driver has."""
    return _hardware(makes, library, _VAAPI, crf, args={"rc_mode": "CQP"}, device=_DEVICE, **more)


def _amf(makes: str, library: str, frames: str) -> Codec:
    """Constant quantiser, for each type of frame that it makes."""
    told_by = tuple(f"qp_{each}" for each in frames)
    return _hardware(makes, library, _AMD, _QP, told_by=told_by, args={"rc": "cqp"})


def _videotoolbox(makes: str, library: str, **more: Any) -> Codec:
    """Constant quality, 1 to 100, of Apple silicon only."""
    crf = {"draft": 50, "good": 65, "best": 80}
    return _hardware(makes, library, _APPLE, crf, most_crf=100, told_by=("q:v",), rises=True, **more)


_HARDWARE = {
    "h264_nvenc": _nvenc("h264", "h264_nvenc", _QP),
    "hevc_nvenc": _nvenc("h265", "hevc_nvenc", _QP, samples=_TEN),
    "av1_nvenc": _nvenc("av1", "av1_nvenc", _QP_AV1, most_crf=63, samples=_TEN),
    "h264_qsv": _qsv("h264", "h264_qsv"),
    "hevc_qsv": _qsv("h265", "hevc_qsv", samples=_TEN),
    "av1_qsv": _qsv("av1", "av1_qsv", samples=_TEN),
    "h264_vaapi": _vaapi("h264", "h264_vaapi", _QP, told_by=("qp",)),
    "hevc_vaapi": _vaapi("h265", "hevc_vaapi", _QP, told_by=("qp",), samples=_TEN),
    "h264_amf": _amf("h264", "h264_amf", "ipb"),
    "hevc_amf": _amf("h265", "hevc_amf", "ip"),
    "h264_videotoolbox": _videotoolbox("h264", "h264_videotoolbox"),
    "hevc_videotoolbox": _videotoolbox("h265", "hevc_videotoolbox", samples=_TEN),
}
#: By the name that a user gives.
CODECS: dict[str, Codec] = {**_SOFTWARE, **_HARDWARE}


def kind_of(name: str) -> str:
    """The codec that a player must know: of ``hevc_nvenc`` it is h265."""
    return CODECS[name].makes or name
