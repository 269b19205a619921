"""A scene that is an external program: one run writes one frame's picture."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core import files, image_files
from framepipe.core.frame_program import ProcessResult, last_lines, run
from framepipe.core.shape import Shape
from framepipe.errors import FrameSizeError, RenderError, UsageError
from framepipe.job.fingerprint import digest_value
from framepipe.job.frames import file_name
from framepipe.scenes.base import BaseScene
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.template import fill, names, split

if TYPE_CHECKING:
    from framepipe.job.canvas import Canvas
    from framepipe.scenes.base import FrameRequest


class CommandScene(BaseScene):
    """A program that writes one picture for each frame.

    Parameters
    ----------
    command : str
        Split into words once, as a POSIX shell would (`shlex.split`), and run without a shell. In
        each word ``{number}``, ``{index}``, ``{value}`` and ``{output}`` are then filled in, so
        whatever they hold stays one argument; ``{number:04d}`` and the like work; ``{{`` and
        ``}}`` are braces.
    retries : int
        Further attempts at a frame whose program fails or writes no picture. Default 0: most
        programs fail the same way again; licence servers do not.

    Attributes
    ----------
    words : tuple of str
        The command, with its placeholders.

    Raises
    ------
    UsageError
        The command does not parse, has no ``{output}``, or its program is missing.
    """

    ref: None = None

    def __init__(self, command: str, *, retries: int = 0) -> None:
        self.words = split(command)
        if retries < 0:
            raise UsageError(f"retries is {retries}; give 0 or more")
        if shutil.which(self.words[0]) is None:
            raise UsageError(
                f"{self.words[0]!r} is not a program on PATH: install it, load its module, or give its path"
            )
        self.retries = retries
        self.name = Path(self.words[0]).name
        self.stem = _stem(self.words)
        self.params: Mapping[str, Any] = {}
        self.sources: tuple[Path, ...] = ()

    def code_digest(self) -> str:
        """Return the digest of the command's words; files that it reads are inputs of the job."""
        return digest_value(list(self.words))

    def data(self) -> Mapping[str, str]:
        """Return nothing: a command refers to no Python data."""
        return {}

    def style(self) -> Mapping[str, str]:
        """Return nothing: rcParams do not matter."""
        return {}

    def versions(self, sources: Sequence[Path]) -> Mapping[str, str]:
        """Return nothing: no package of this Python draws."""
        return {}

    def player(self, values: Mapping[int, Any] | Sequence[Any] | None = None) -> CommandPlayer:
        """Return a player for this process; delete the temporary folders of killed processes."""
        temporary = _temporary()
        for leftover in files.leftover_temporaries(temporary.parent, of=temporary):
            shutil.rmtree(leftover, ignore_errors=True)
        return CommandPlayer(self.name, self.words, self.retries)


def _stem(words: Sequence[str]) -> str:
    """Return the stem of the script among the words, as ``state`` for ``pvbatch state.py``."""
    files_ = (Path(word) for word in words[1:] if Path(word).suffix and Path(word).is_file())
    return next((path.stem for path in files_), "command")


class CommandPlayer:
    """Runs the program once for each frame.

    Parameters
    ----------
    name : str
        The program's name, for messages.
    words : sequence of str
    retries : int
    """

    stands_in_script = False

    def __init__(self, name: str, words: Sequence[str], retries: int) -> None:
        self._name, self._words, self._retries = name, tuple(words), retries
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """Do nothing: the program is started with the frame's number."""

    def picture(self, task: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """Draw one frame.

        The program runs in our working folder, with nothing on its standard input and in our
        process group, so that it ends with us. The format of its output is detected by content; an
        8-bit RGB or RGBA PNG that is not interlaced is kept byte for byte.

        Parameters
        ----------
        task : FrameRequest
        canvas : Canvas
            Not used.
        geometry : FrameGeometry or None
            The geometry of the first frame.

        Raises
        ------
        RenderError
            The program failed or wrote no picture. ``log`` (bytes) holds the first and the last 32 kB of
            its output.
        FrameSizeError
            The picture has another size than the first frame; has ``log`` too.
        UsageError
            The frame's value cannot be written as an argument.
        """
        values = {"number": task.number, "index": task.index}
        if any("value" in names(word) for word in self._words[1:]):
            values["value"] = _as_argument(task.value, task.number)
        for attempts_left in range(self._retries, -1, -1):
            try:
                return self._attempt(values, geometry)
            except _AttemptFailed as failure:
                if not attempts_left:
                    attempts = f" (tried {self._retries + 1} times)" if self._retries else ""
                    raise RenderError(failure.message(attempts), log=failure.log) from None
        raise AssertionError("unreachable")

    def _attempt(self, values: Mapping[str, Any], geometry: FrameGeometry | None) -> Picture:
        file = file_name(values["number"])
        command_line = shlex.join(self._argv({**values, "output": file}))
        with _private_folder() as folder:
            output = folder / file
            process_result = run(self._argv({**values, "output": str(output)}))
            try:
                if verdict := process_result.verdict() or _why_no_output(output):
                    raise image_files.InvalidImage(verdict)
                picture = _read(output.read_bytes(), geometry)
            except image_files.InvalidImage as error:
                raise _AttemptFailed(f"{self._name} {error}", command_line, process_result, file) from None
        if geometry and picture.geometry.shape != geometry.shape:
            verdict = f"{self._name} {_size_mismatch(picture.geometry.shape, geometry.shape)}"
            failure = _AttemptFailed(verdict, command_line, process_result, file)
            raise FrameSizeError(failure.message(), log=failure.log)
        return picture

    def _argv(self, values: Mapping[str, Any]) -> list[str]:
        try:
            argv = [self._words[0], *(fill(word, values) for word in self._words[1:])]
        except (ValueError, TypeError) as error:
            raise UsageError(f"frame {values['number']}: {error} in {shlex.join(self._words)}") from None
        if any("\0" in word for word in argv):
            raise UsageError(
                f"frame {values['number']}: its value has a NUL byte, which no argument can hold"
            )
        return argv


class _AttemptFailed(Exception):
    """A failed attempt, with its message and log."""

    def __init__(self, verdict: str, command_line: str, process_result: ProcessResult, file: str) -> None:
        super().__init__(verdict)
        self._verdict, self._command_line, self._printed = verdict, command_line, process_result.printed
        self._log_path = Path("logs", file).with_suffix(".log")

    @property
    def log(self) -> bytes:
        head = f"# {self._verdict}\n# {self._command_line}\n"
        return head.encode(errors="surrogateescape") + self._printed

    def message(self, attempts: str = "") -> str:
        """Return the message: verdict, next step, path of the log and its last lines."""
        lines = [f"{self._verdict}{attempts}", f"  run it by hand: {self._command_line}"]
        last = last_lines(self._printed)
        if not last:
            return "\n".join([*lines, "  it printed nothing"])
        return "\n".join([*lines, f"  it printed last (all of it: {self._log_path} in the store):", *last])


#: `numpy.bool_` is no `Number`; its names in numpy 1 and 2.
_NUMPY_BOOLS = (("numpy", "bool_"), ("numpy", "bool"))


def _as_argument(value: Any, number: int) -> Any:
    """Convert a frame's value to an argument: text and numbers stay, lists and dictionaries become JSON."""
    if isinstance(value, (str, Number)) or (type(value).__module__, type(value).__name__) in _NUMPY_BOOLS:
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, (list, tuple, dict)):
        try:
            return json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f" ({error})"
    else:
        reason = ""
    raise UsageError(
        f"frame {number}: its value is a {type(value).__name__}{reason}; {{value}} takes text, "
        "numbers, and lists and dictionaries of these"
    )


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / "framepipe-command"


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a temporary folder that only this account can read; later runs recognise it by its name."""
    folder = files.temporary_beside(_temporary())
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise RenderError(f"{folder.parent} cannot be written: {error.strerror}. Set TMPDIR") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _why_no_output(output: Path) -> str:
    """Return why there is no output file, "" if there is one; list the files that were written instead."""
    if output.is_file():
        return ""
    other_files = sorted(path.name for path in output.parent.iterdir())
    instead = f"; it wrote {', '.join(other_files[:3])} instead" if other_files else ""
    return f"exited with code 0 but wrote nothing to {{output}} ({output.name}){instead}"


def _read(data: bytes, geometry: FrameGeometry | None) -> Picture:
    """Decode a picture; add or drop an opaque alpha channel to match the movie."""
    try:
        image = image_files.decode(data)
    except image_files.InvalidImage as error:
        raise image_files.InvalidImage(f"exited with code 0 but wrote {error}") from None
    pixels, png_bytes = image.pixels, data if image_files.plain_png(data) else None
    with_alpha = pixels.shape[2] == 4
    if geometry and geometry.shape.mode == "RGB" and with_alpha and bool((pixels[..., 3] == 255).all()):
        pixels, png_bytes = pixels[..., :3], None
    elif geometry and geometry.shape.mode == "RGBA" and not with_alpha:
        import numpy as np

        pixels, png_bytes = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]), None
    height, width, channels = pixels.shape
    shape = Shape(width, height, "RGBA" if channels == 4 else "RGB")
    return Picture(pixels, FrameGeometry(shape), image.dpi, None, png_bytes)


def _size_mismatch(shape: Shape, first: Shape) -> str:
    if (shape.width, shape.height) == (first.width, first.height):
        return "wrote a picture with transparent pixels; the first frame has none: let it write all alike"
    return (
        f"wrote {shape.width}x{shape.height} px; the first frame has {first.width}x{first.height}: "
        "let it write one size"
    )
