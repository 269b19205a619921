"""Replaces what writes movies in matplotlib: ``Animation.save`` and the writers report, and write nothing."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from framepipe.scenes import matplotlib_private
from framepipe.scenes.scripts.capture import SaveCall, listening, running
from framepipe.scenes.scripts.instead import instead, nothing

_NOT_RENDERED = "<!-- not rendered: framepipe builds the movie -->"


def install(animation: Any) -> None:
    """Patch the module ``matplotlib.animation``."""
    _animations(animation.Animation)
    _writers(animation)


def _animations(animation_class: Any) -> None:
    @instead(animation_class, "__init__")
    def init(original: Any, animation: Any, *arguments: Any, **keywords: Any) -> None:
        original(animation, *arguments, **keywords)
        matplotlib_private.mark_as_drawn(animation)
        if (capture := running()) is not None:
            capture.on_animation(animation)

    for name in ("save", "to_jshtml", "to_html5_video"):
        instead(animation_class, name)(_suppress_save)


def _suppress_save(original: Any, animation: Any, *arguments: Any, **keywords: Any) -> Any:
    if (capture := running()) is None:
        return original(animation, *arguments, **keywords)
    bound = inspect.signature(original).bind(animation, *arguments, **keywords)
    capture.on_save(animation, _save_call(original.__name__, bound.arguments, animation))
    return None if original.__name__ == "save" else _NOT_RENDERED


def _save_call(method: str, arguments: Mapping[str, Any], animation: Any) -> SaveCall:
    import matplotlib

    writer = arguments.get("writer")
    writer_object = None if writer is None or isinstance(writer, (str, type)) else writer

    def argument_of(name: str) -> Any:
        value = arguments.get(name)
        return getattr(writer_object, name, None) if value is None else value

    codec, bitrate = argument_of("codec"), argument_of("bitrate")
    if writer_object is not None:  # a writer's defaults are not the script's choice
        codec = None if codec == matplotlib.rcParams["animation.codec"] else codec
        bitrate = None if bitrate == matplotlib.rcParams["animation.bitrate"] else bitrate
    dpi = matplotlib.rcParams["savefig.dpi"] if arguments.get("dpi") is None else arguments["dpi"]
    figure = matplotlib_private.figure_of(animation)
    return SaveCall(
        method=method,
        filename=os.fspath(arguments.get("filename", "")),
        writer=_name_of_writer(writer),
        fps=argument_of("fps"),
        dpi=None if dpi == "figure" else dpi,
        codec=codec,
        bitrate=bitrate,
        extra_args=tuple(map(str, argument_of("extra_args") or ())),
        metadata=dict(argument_of("metadata") or {}),
        savefig_kwargs=dict(arguments.get("savefig_kwargs") or {}),
        extra_anim=tuple(
            each for each in arguments.get("extra_anim") or () if matplotlib_private.figure_of(each) is figure
        ),
    )


def _name_of_writer(writer: Any) -> str:
    from matplotlib.animation import writers

    if writer is None or isinstance(writer, str):
        return writer or ""
    kind = writer if isinstance(writer, type) else type(writer)
    registered = matplotlib_private.registered_writers(writers)
    return next((name for name, each in registered.items() if each is kind), kind.__name__)


def _writers(animation: Any) -> None:
    """Make all registered movie writers available and write nothing, whatever is installed."""
    registered = matplotlib_private.registered_writers(animation.writers)

    @instead(animation.MovieWriterRegistry, "is_available")
    def is_available(_: Any, registry: Any, name: str) -> bool:
        return name in matplotlib_private.registered_writers(registry)

    bases = {base for kind in registered.values() for base in kind.__mro__}
    for kind in bases:
        if "isAvailable" in vars(kind):
            kind.isAvailable = classmethod(lambda _: True)
        if "setup" in vars(kind):
            instead(kind, "setup")(_set_up)


def _set_up(
    original: Any, writer: Any, fig: Any, outfile: Any, dpi: Any = None, *arguments: Any, **keywords: Any
) -> None:
    """Start no program; frames that the writer would grab go to the capture."""
    capture = listening()
    if capture is None:
        original(writer, fig, outfile, dpi, *arguments, **keywords)
        return
    writer.fig, writer.outfile = fig, outfile
    writer.dpi = fig.dpi if dpi is None else dpi
    filename = os.fspath(outfile)
    series = capture.moments.get_series(
        filename,
        "writer",
        filename=filename,
        fps=writer.fps,
        dpi=float(writer.dpi),
        metadata=dict(writer.metadata or {}),
    )

    def grab_frame(**savefig_kwargs: Any) -> None:
        capture.on_grab_frame(series, fig, {**savefig_kwargs, "dpi": writer.dpi})

    writer.grab_frame = grab_frame  # on the object, since a user's class may define its own
    writer.finish = nothing
