"""The stage: a clean process that loads the scene once, and the workers that are forked from it.

The process runs ``main``. It loads the scene, sends a description, and then serves requests: run updates
up to a frame, fork, draw a frame. A fork is a checkpoint: it has its parent's state, with everything that
the script has built (views, random generators, open files, objects that cannot be pickled), for a few
milliseconds. So every process of the tree serves alike: the stage stays where loading ended, one fork of
it runs through the updates, and from that one workers are forked at the frames that they draw.

All of them belong to the stage's session, each leads its own process group and has its own socket to
framepipe's main process: when that is closed, the group ends itself.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import gc
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from framepipe.job.frames import Frames
from framepipe.job.read_tracer import ReadTracer
from framepipe.rendering.engines.base import Drawn, Ended, Failed, PackedValue, Task, Work, draw
from framepipe.rendering.engines.link import Link, can_be_read
from framepipe.rendering.engines.preload import load_while
from framepipe.rendering.engines.storing import Storing
from framepipe.rendering.stage_start import LEFT_TO_PARENT
from framepipe.scenes.base import Player, RunOn, Scene
from framepipe.scenes.forking import flush, fork, why_unsafe
from framepipe.scenes.state import StateWatch
from framepipe.scenes.warned import collecting_warnings

_STATUS_S, _STATUS_TICK_S = 0.5, 0.01
_signals = threading.local()


def main(control: int) -> None:
    """Wait for a scene, load it, then serve until the end.

    Parameters
    ----------
    control : int
        The descriptor of our end of the connection. Its first message has ``sys.path``, and whether to print
        nothing while loading, since the user has seen it before; with it comes the file that `Payload` wrote.
    """
    from framepipe.rendering.engines.payload import read_payload

    link = Link(socket.socket(fileno=control))
    try:
        load_while(lambda: not can_be_read(link, 0))
        sys.path[:], silent = link.receive()
    except EOFError:  # it was started ahead, and is not needed
        os._exit(0)
    stage = Stage(link)
    _redirect_standard_streams()
    _ignore_signals()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=stage.before_fork, after_in_parent=_restore_signals, after_in_child=_reset_signals
        )
    faulthandler.enable()
    try:
        load = read_payload(link.descriptor())
        with _silence() if silent else contextlib.nullcontext():
            scene_and_plan = load(stage)
    except BaseException as error:
        stage.fail(error)
        raise
    stage.begin(*scene_and_plan)


class Stage:
    """One process of the tree: at first the stage itself, after a fork one of its copies.

    Parameters
    ----------
    link : Link
        The connection to framepipe's main process.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._scene: Scene | None = None
        self._frames: Frames | None = None
        self._values: Mapping[int, Any] | None = None
        self._work: Work | None = None
        self._store: Path | None = None
        self._player: Player | None = None
        self._watch: StateWatch | None = None
        self.tracer: ReadTracer | None = None
        self._storing = Storing()
        self._position = 0  # updates before this index have run here
        self._has_drawn = False
        self._pending_message: Any = None  # the message for which the script has to continue
        self._is_root, self._has_ended = True, False

    def begin(self, scene: Scene, frames: Frames | None = None, description: Any = None) -> None:
        """Send the description of the scene, then serve.

        Parameters
        ----------
        scene : Scene
        frames : Frames, optional
            The plan with its values, if only this process knows them.
        description : object, optional
            For the main process.
        """
        self._scene, self._frames = scene, frames
        self._values = frames.by_number() if frames else None
        flush()
        obstacle = why_unsafe([self._link.fileno()])
        if obstacle is None:
            from framepipe.scenes.rasterize import warm_up

            warm_up()
            gc.collect()
            gc.freeze()  # a collection in a forked process would copy the pages of all loaded objects
        self._link.send(("loaded", description, obstacle))
        self.serve()

    def set_work(self, work: Work) -> None:
        """Set the common work of all frames before the main process sends it."""
        self._work = work

    def fail(self, error: BaseException) -> None:
        """Report why the scene cannot be used, and end."""
        with contextlib.suppress(OSError):
            self._link.send(("unusable", _sendable(error), traceback.format_exc()))
        self._exit()

    def serve(self) -> None:
        """Serve the requests of the main process.

        Returns only if the script has to continue to reach the requested frame; the script then calls it
        again there, or `end_of_script`.
        """
        try:
            while True:
                kind, *rest = message = self._pending_message or self._link.receive()
                self._pending_message = None
                if kind == "end":
                    break
                try:
                    getattr(self, f"on_{kind}")(*rest)
                except RunOn:
                    self._pending_message = message
                    return
        except (EOFError, OSError):  # the main process is gone, or the user's code closed our socket
            pass
        self._exit()

    def end_of_script(self) -> None:
        """Serve after the end of the script: there are no further frames."""
        self._has_ended = True
        self.serve()

    def on_work(self, work: Work | None) -> None:
        """Receive what all frames have in common."""
        assert self._scene is not None
        if work is not None:
            self._work = replace(work, scene=self._scene)
        self._player, self._position = None, 0

    def on_store(self, store: Path) -> None:
        """Store frames in another folder than `Work` says."""
        self._store = store

    def on_task(self, task: Task) -> None:
        """Draw a frame."""
        if task.replay and task.index < self._position:  # never a picture of a state that does not exist
            reason = f"its process has run the updates up to {self._position} already"
            self._link.send(("outcome", Failed(task.number, "lost", reason)))
            return
        if self._values is not None:
            task = replace(task, value=self._values[task.number])
        elif isinstance(task.value, PackedValue):
            task = replace(task, value=task.value.unpacked())
        player = self._current_player()
        assert self._scene is not None
        if self._watch is None and (task.watch or self.tracer is not None):
            self._watch = StateWatch(self._scene.state)
        if self.tracer is not None:
            self.tracer.begin()
        assert self._work is not None
        work = self._work if self._store is None else replace(self._work, store=self._store)
        try:
            self._has_drawn = True
            outcome, data = draw(
                work, player, task, self._watch, self.tracer, collects_warnings=self.tracer is not None
            )
            self._position = task.index + 1
        except RunOn:
            if not self._has_ended:
                raise
            outcome, data = Ended(task.number, task.index), b""
        if isinstance(outcome, Drawn) and data:
            self._storing.put(self._link, work, outcome, data)
        else:
            self._link.send(("outcome", outcome))

    def on_fork(self, at: int) -> None:
        """Run all updates before frame ``at``, then fork; the child serves on a socket of its own."""
        if at < self._position:
            raise RuntimeError(f"asked to go back from update {self._position} to {at}")
        self._storing.wait()
        if self._has_drawn and self._is_bound_here():
            self._link.send(("unforkable",))
            return
        try:
            self._advance(at)
        except BaseException as error:  # the child meets and reports it again where it draws
            if isinstance(error, RunOn) and not self._has_ended:
                raise
        child_end, main_end = socket.socketpair()
        if pid := fork(self._current_player().stands_in_script):
            child_end.close()
            with contextlib.suppress(OSError):  # parent or child, whichever comes first
                os.setpgid(pid, pid)
            self._link.send(("forked", pid), main_end.fileno())
            main_end.close()
            return
        os.setpgid(0, 0)
        _ignore_signals()
        main_end.close()
        self._link.close()
        self._link, self._is_root = Link(child_end), False

    def before_fork(self) -> None:
        """Prepare for a fork, of the user's code too: without a second thread, and without signals."""
        self._storing.wait()
        _block_signals()

    def _is_bound_here(self) -> bool:
        """True if drawing has begun something in this process that a fork of it would not have."""
        return self._current_player().stands_in_script or why_unsafe([self._link.fileno()]) is not None

    def on_status(self, pid: int) -> None:
        """Send a child's wait status, None if it has not ended or is unknown."""
        until, status = time.monotonic() + _STATUS_S, None
        with contextlib.suppress(OSError):
            while not (result := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < until:
                time.sleep(_STATUS_TICK_S)
            status = result[1] if result[0] else None
        self._link.send(("status", pid, status))

    def _advance(self, at: int) -> None:
        player = self._current_player()
        with collecting_warnings():  # they are reported where the frames are drawn
            self._run_updates(player, at)

    def _run_updates(self, player: Player, at: int) -> None:
        if self.tracer is not None and not player.stands_in_script:
            for index in range(self._position + 1, at + 1):
                player.advance(index)
                self.tracer.skip_frame()
        player.advance(at)
        self._position = at

    def _current_player(self) -> Player:
        if self._player is None:
            assert self._work is not None
            earlier = self._frames.values if self._frames else self._work.earlier
            self._player = self._work.scene.player(earlier)
        return self._player

    def _exit(self) -> None:
        """End this process and its process group."""
        self._storing.wait()
        if self._is_root:  # the script's exit handlers, once
            with contextlib.suppress(BaseException):
                atexit._run_exitfuncs()
        flush()
        end_group()


def end_group() -> None:
    """End this process and its process group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _sendable(error: BaseException) -> BaseException | str:
    """Return the error itself if it survives pickling, else its text."""
    from framepipe.errors import FramepipeError

    if isinstance(error, FramepipeError):
        with contextlib.suppress(Exception):
            pickle.loads(pickle.dumps(error))
            return error
    return f"{type(error).__name__}: {error}"


def _ignore_signals() -> None:
    """Leave signals to the main process: a scheduler sends them to every process of a job."""
    for name in LEFT_TO_PARENT:  # a handler, not SIG_IGN, which programs that we start would inherit
        signal.signal(getattr(signal, name), _ignore)
    # the main process has blocked them while this one started
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [getattr(signal, name) for name in LEFT_TO_PARENT])


def _ignore(number: int, _: Any) -> None:
    """Do nothing: the main process handles signals."""


def _block_signals() -> None:
    """Block signals until the forked process has its default handlers.

    Python drops signals that arrive earlier (CPython's `PyOS_AfterFork_Child`), and the sender, as
    `multiprocessing.Pool.terminate`, would wait for ever.
    """
    _signals.mask = signal.pthread_sigmask(
        signal.SIG_BLOCK, [getattr(signal, name) for name in LEFT_TO_PARENT]
    )


def _restore_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _signals.mask)


def _reset_signals() -> None:
    """Restore default handlers in processes that the user's code forks, so that they can be terminated."""
    for name in LEFT_TO_PARENT:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    _restore_signals()


def _redirect_standard_streams() -> None:
    """Close the input, and send the output of user code to standard error."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Discard the output of the block: the script is loaded again, and the user has seen it."""
    saved = [os.dup(1), os.dup(2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        yield
    finally:
        flush()
        for number, descriptor in zip((1, 2), saved):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(nothing)
