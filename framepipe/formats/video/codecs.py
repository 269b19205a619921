"""Video codecs, and the arguments of ffmpeg's encoders for them.

Software encoders were tried in ffmpeg 5.1 and 9. **Encoders in hardware were not tried on real hardware**:
their arguments are those of the ffmpeg manual ("VAAPI encoders", "QSV Encoders", "AMF encoders") and of
``ffmpeg -h encoder=NAME`` in both versions. Therefore each is probed with a tiny movie before frames are
drawn, and its output is verified like any movie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Codec:
    """ffmpeg's encoder for one codec, and its arguments.

    Attributes
    ----------
    library : str
        ffmpeg's encoder.
    crf : dict of str to int
        By quality, on the encoder's own scale; empty if it has none.
    max_crf : int
    args : dict
        Arguments in all cases.
    lossy : dict
        Arguments if not lossless.
    medium : dict
        More of them with the preset "medium", which is the default.
    samples : tuple of str
        Supported chroma and depth, as "420/8".
    lossless : dict or None
        Arguments if lossless, None if not supported.
    lossless_pix_fmt : str
        ffmpeg's pixel format if lossless, without alpha.
    alpha_pix_fmt : str
        ffmpeg's pixel format with alpha, empty if the codec has none.
    alpha_args : dict
    min_px : int
        The smallest supported side.
    family : str
        The codec, if the name is an encoder's; see `codec_family`.
    hardware : str
        The required hardware, for a message; empty for software.
    quality_flags : tuple of str
        The options of ffmpeg that receive the number in ``crf``.
    min_crf : int
    higher_is_better : bool
        Greater numbers are better, opposite to a rate factor.
    pix_fmt_map : dict of str to str
        The pixel format to pass instead of each unsupported one.
    device : tuple of str
        Global arguments of a device, to which frames are uploaded.
    """

    library: str
    crf: Mapping[str, int] = field(default_factory=dict)
    max_crf: int = 51
    args: Mapping[str, Any] = field(default_factory=dict)
    lossy: Mapping[str, Any] = field(default_factory=dict)
    medium: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[str, ...] = ("420/8",)
    lossless: Mapping[str, Any] | None = None
    lossless_pix_fmt: str = ""
    alpha_pix_fmt: str = ""
    alpha_args: Mapping[str, Any] = field(default_factory=dict)
    min_px: int = 1
    family: str = ""
    hardware: str = ""
    quality_flags: tuple[str, ...] = ("crf",)
    min_crf: int = 0
    higher_is_better: bool = False
    pix_fmt_map: Mapping[str, str] = field(default_factory=dict)
    device: tuple[str, ...] = ()

    def x264_crf(self, crf: int) -> int:
        """Return about the x264 crf of the same quality."""
        return round((self.max_crf - crf if self.higher_is_better else crf) * 51 / self.max_crf)


_ALL = ("420/8", "444/8", "420/10", "444/10")
#: Plots are like cartoons: flat colours and sharp edges. On 100 frames of 1000x700 x264 at crf 19 with this
#: tuning and the usual 3 references (the tuning's 6 take a fifth more time), against 18 without: lines +1.4 %
#: in size and +0.11 dB, a field -26 % and +0.18, translucent dots +0.9 % and +0.09, a growing curve -3 % and
#: 0; in the same time.
_CARTOON = {"tune": "animation"}
#: What x264 tries for films of a camera and plots hardly gain by: B-frames in blocks of 8x8, motion beyond
#: the next pixels, fades. Decision 36 has the measurements.
_PLOT = {"x264-params": "me=dia:weightp=0:partitions=i4x4,i8x8,p8x8"}
_SOFTWARE = {
    "h264": Codec(
        "libx264",
        {"draft": 27, "good": 19, "best": 13},
        lossy={**_CARTOON, "refs": 3},
        medium=_PLOT,
        samples=_ALL,
        lossless={"vcodec": "libx264rgb", "crf": 0},
        lossless_pix_fmt="rgb24",
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
        min_px=64,
    ),
    "vp9": Codec(
        "libvpx-vp9",
        {"draft": 38, "good": 20, "best": 10},
        63,
        args={"video_bitrate": 0, "row-mt": 1, "deadline": "good", "cpu-used": 3, "auto-alt-ref": 0},
        samples=_ALL,
        lossless={"lossless": 1},
        lossless_pix_fmt="gbrp",
        alpha_pix_fmt="yuva420p",
    ),
    "ffv1": Codec(
        "ffv1",
        args={"level": 3, "g": 1, "slicecrc": 1},
        samples=(),
        lossless={},
        lossless_pix_fmt="gbrp",
        alpha_pix_fmt="bgra",
    ),
    "prores": Codec(
        "prores_ks",
        args={"profile:v": 4, "vendor": "apl0"},
        samples=("444/10",),
        alpha_pix_fmt="yuva444p10le",
        alpha_args={"alpha_bits": 16},
    ),
}
#: Surfaces of all vendors: 4:2:0 with both chroma planes in one.
_SURFACES = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
_TEN = ("420/8", "420/10")
_QP = {"draft": 28, "good": 20, "best": 14}
_QP_AV1 = {"draft": 40, "good": 24, "best": 14}
_NVIDIA, _INTEL = "an NVIDIA card with NVENC and its driver", "an Intel processor or card with Quick Sync"
_VAAPI, _DEVICE = "a card with a VA-API driver", ("-vaapi_device", "/dev/dri/renderD128")
_AMD, _APPLE = "an AMD card with the AMF runtime", "a Mac with Apple silicon"


def _hardware(family: str, library: str, needs: str, crf: Mapping[str, int], **more: Any) -> Codec:
    tag = {"vtag": "hvc1"} if family == "h265" else {}  # required by QuickTime
    args = {**tag, **more.pop("args", {})}
    return Codec(library, crf, args=args, family=family, hardware=needs, pix_fmt_map=_SURFACES, **more)


def _nvenc(family: str, library: str, crf: Mapping[str, int], **more: Any) -> Codec:
    """NVENC at constant quality: VBR with a target and no bit rate; 0 would be automatic."""
    args = {"rc": "vbr", "video_bitrate": 0}
    return _hardware(family, library, _NVIDIA, crf, quality_flags=("cq",), min_crf=1, args=args, **more)


def _qsv(family: str, library: str, **more: Any) -> Codec:
    """Quick Sync at intelligent constant quality (ICQ), 1 to 51, chosen by -global_quality."""
    return _hardware(family, library, _INTEL, _QP, quality_flags=("global_quality",), min_crf=1, **more)


def _vaapi(family: str, library: str, crf: Mapping[str, int], **more: Any) -> Codec:
    """VA-API with a constant quantiser (CQP), which every driver supports."""
    return _hardware(family, library, _VAAPI, crf, args={"rc_mode": "CQP"}, device=_DEVICE, **more)


def _amf(family: str, library: str, frames: str) -> Codec:
    """AMF with a constant quantiser for each type of frame."""
    quality_flags = tuple(f"qp_{each}" for each in frames)
    return _hardware(family, library, _AMD, _QP, quality_flags=quality_flags, args={"rc": "cqp"})


def _videotoolbox(family: str, library: str, **more: Any) -> Codec:
    """VideoToolbox at constant quality, 1 to 100, on Apple silicon only."""
    crf = {"draft": 50, "good": 65, "best": 80}
    return _hardware(
        family, library, _APPLE, crf, max_crf=100, quality_flags=("q:v",), higher_is_better=True, **more
    )


_HARDWARE = {
    "h264_nvenc": _nvenc("h264", "h264_nvenc", _QP),
    "hevc_nvenc": _nvenc("h265", "hevc_nvenc", _QP, samples=_TEN),
    "av1_nvenc": _nvenc("av1", "av1_nvenc", _QP_AV1, max_crf=63, samples=_TEN),
    "h264_qsv": _qsv("h264", "h264_qsv"),
    "hevc_qsv": _qsv("h265", "hevc_qsv", samples=_TEN),
    "av1_qsv": _qsv("av1", "av1_qsv", samples=_TEN),
    "h264_vaapi": _vaapi("h264", "h264_vaapi", _QP, quality_flags=("qp",)),
    "hevc_vaapi": _vaapi("h265", "hevc_vaapi", _QP, quality_flags=("qp",), samples=_TEN),
    "h264_amf": _amf("h264", "h264_amf", "ipb"),
    "hevc_amf": _amf("h265", "hevc_amf", "ip"),
    "h264_videotoolbox": _videotoolbox("h264", "h264_videotoolbox"),
    "hevc_videotoolbox": _videotoolbox("h265", "hevc_videotoolbox", samples=_TEN),
}
#: By the name that a user passes.
CODECS: dict[str, Codec] = {**_SOFTWARE, **_HARDWARE}


def codec_family(name: str) -> str:
    """Return the codec that a player must support: h265 for ``hevc_nvenc``."""
    return CODECS[name].family or name
