"""A frame an epoch, out of Keras 3 (on JAX, in processes of its own) and PyTorch Lightning.

Lightning needs torch, which is too large for continuous integration: its callback is tested with a
small package ``lightning.pytorch`` that is written here and calls what Lightning's trainer calls.
"""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest
from matplotlib import pyplot as plt

import framepipe as fp
from tests.integration.programs import BEGIN, levels, run, run_anew

KERAS = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
MODEL = (
    BEGIN
    + """
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of keras and jax themselves
        import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((8, 2)), np.ones((8, 1))
    seen = []

    def draw(epoch, logs, model):
        assert set(logs) >= {"loss"} and all(type(value) is float for value in logs.values()), logs
        assert isinstance(model, keras.Model)
        seen.append(epoch)
        return level(10 + epoch)

    def fit(*callbacks, epochs=3, **options):
        warnings.simplefilter("ignore")
        model.fit(*data, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)
        print(*seen, flush=True)
        seen.clear()
"""
)


def keras(folder, text, **options):
    out, _ = run(folder, text, begin=MODEL, **KERAS, **options)
    return [[int(word) for word in line.split()] for line in out.splitlines()]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Two processes, for Keras takes seconds to load: one that dies; one that goes on, and trains more."""
    folder = tmp_path_factory.mktemp("keras")
    dies = """
        class Dies(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 3:
                    callback_recorder.flush()
                    os._exit(9)
        callback_recorder = fp.Recorder("frames")
        fit(fp.keras_callback(draw, callback_recorder), Dies(), epochs=10)
    """
    keras(folder, dies, code=9)
    before = levels(folder / "frames")
    again = """
        fit(fp.keras_callback(draw, "frames"))                     # counts from 0 again
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(fp.keras_callback(draw, "frames"), epochs=9, initial_epoch=6)  # keeps its own count
        assert plt.get_fignums() == []
    """
    more = """
        fit(fp.keras_callback(draw, "s", every=2), epochs=5)
        with fp.Recorder("t") as recorder:
            callback = fp.keras_callback(draw, recorder)
            fit(callback)
            fit(callback, epochs=2)
            recorder.snap(level(99))
        class Stops(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 1: raise KeyboardInterrupt
        callback = fp.keras_callback(draw, "u")
        try: fit(callback, Stops())
        except KeyboardInterrupt: seen.clear()
        fit(callback, epochs=2)                                    # as in a notebook
    """
    lines = keras(folder, again + more)
    return folder, before, lines[:2], lines[2:]


def test_keras_epochs_become_frames_and_a_killed_training_goes_on_counting(trainings):
    folder, before, again, _ = trainings
    assert before == {0: 10, 1: 11, 2: 12, 3: 13}
    assert again == [[4, 5, 6], [6, 7, 8]]
    assert levels(folder / "frames") == {number: 10 + number for number in range(9)}


def test_keras_draws_every_so_many_epochs_into_one_recorder_or_a_folder(trainings):
    folder, _, _, more = trainings
    assert more == [[0, 2, 4], [0, 1, 2], [3, 4], [2, 3]]
    assert levels(folder / "s") == {0: 10, 2: 12, 4: 14}
    assert levels(folder / "t") == {0: 10, 1: 11, 2: 12, 3: 13, 4: 14, 5: 99}
    assert levels(folder / "u") == {0: 10, 1: 11, 2: 12, 3: 13}


# --- Lightning --------------------------------------------------------------------------------------

PACKAGE = """
    class Callback:
        def on_train_start(self, trainer, pl_module): pass
        def on_train_epoch_end(self, trainer, pl_module): pass
        def on_train_end(self, trainer, pl_module): pass
        def on_exception(self, trainer, pl_module, exception): pass

    class Tensor:
        def __init__(self, value): self.value = value
        def __float__(self): return self.value

    class Trainer:
        is_global_zero = True
        def __init__(self, callbacks, max_epochs, dies_at=None):
            self.callbacks, self.max_epochs, self.dies_at = callbacks, max_epochs, dies_at
            assert all(isinstance(each, Callback) for each in callbacks)
            self.callback_metrics = {}
        def fit(self, module, begin=0):
            try:
                for each in self.callbacks: each.on_train_start(self, module)
                for self.current_epoch in range(begin, self.max_epochs):
                    if self.current_epoch == self.dies_at: raise RuntimeError("died")
                    self.callback_metrics = {"loss": Tensor(1 / (1 + self.current_epoch))}
                    for each in self.callbacks: each.on_train_epoch_end(self, module)
                for each in self.callbacks: each.on_train_end(self, module)
            except Exception as error:
                for each in self.callbacks: each.on_exception(self, module, error)
                raise
"""


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def lightning(request, tmp_path, monkeypatch):
    """A package of this name, loaded."""
    folder = tmp_path / "packages"
    place = folder.joinpath(*request.param.split("."))
    place.mkdir(parents=True)
    (folder / request.param.split(".")[0] / "__init__.py").write_text("")
    (place / "__init__.py").write_text(textwrap.dedent(PACKAGE))
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module(request.param)
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        sys.modules.pop(name, None)
    plt.close("all")


def draw(epoch, metrics, module):
    assert module == "module"
    assert all(type(value) is float for value in metrics.values())
    fig = plt.figure("level", figsize=(0.4, 0.4), dpi=50, clear=True)
    fig.set_facecolor(str((10 + epoch) / 255))
    return fig


def test_lightnings_epochs_become_frames_and_a_training_that_died_goes_on(tmp_path, lightning):
    with pytest.raises(RuntimeError, match="died"):
        lightning.Trainer([fp.lightning_callback(draw, tmp_path / "s")], 9, dies_at=3).fit("module")
    assert levels(tmp_path / "s") == {0: 10, 1: 11, 2: 12}
    with pytest.warns(UserWarning, match="frames 0-2 of an earlier run; .* appended, from 3 on"):
        lightning.Trainer([fp.lightning_callback(draw, tmp_path / "s")], 2).fit("module")
    assert sorted(levels(tmp_path / "s")) == [0, 1, 2, 3, 4]
    lightning.Trainer([fp.lightning_callback(draw, tmp_path / "s")], 7).fit("module", begin=5)
    assert levels(tmp_path / "s") == {number: 10 + number for number in range(7)}


def test_figures_that_a_callback_draws_are_closed_and_others_are_not(tmp_path, lightning):
    mine = plt.figure(figsize=(1, 1))
    opened = []

    def opens(epoch, metrics, module):
        opened.extend(plt.figure(figsize=(0.4, 0.4), dpi=50).number for _ in range(2))
        mine.set_facecolor(str((10 + epoch) / 255))
        return plt.figure(opened[-1]) if epoch != 3 else 1 / 0

    with pytest.raises(ZeroDivisionError):
        lightning.Trainer([fp.lightning_callback(opens, tmp_path / "s")], 4).fit("module")
    assert len(opened) == 8
    assert plt.get_fignums() == [mine.number]
    assert sorted(levels(tmp_path / "s")) == [0, 1, 2]


def test_only_lightnings_global_zero_draws(tmp_path, lightning):
    class Other(lightning.Trainer):
        is_global_zero = False

    Other([fp.lightning_callback(draw, tmp_path / "s")], 2).fit("module")
    assert not (tmp_path / "s").exists()


# --- arguments --------------------------------------------------------------------------------------


def test_a_framework_that_is_not_installed_is_named_with_the_way_to_get_it(tmp_path):
    hidden = """
        import sys
        for name in ("keras", "lightning", "pytorch_lightning"):
            sys.modules[name] = None
        import framepipe as fp
        for make in (fp.keras_callback, fp.lightning_callback):
            try: make(print, "s")
            except fp.ToolMissing as error: print(error)
    """
    out, _ = run_anew(tmp_path, hidden, begin="")
    assert "pip install keras" in out
    assert "pip install lightning" in out


def test_wrong_arguments_are_refused_at_once(tmp_path, lightning):
    with pytest.raises(fp.UsageError, match="every is 0"):
        fp.lightning_callback(draw, tmp_path / "s", every=0)
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        with pytest.raises(fp.UsageError, match="dpi: give these to the Recorder"):
            fp.lightning_callback(draw, recorder, dpi=3)
