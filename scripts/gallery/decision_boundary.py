"""A Keras classifier learns to tell two rings apart: its boundary, and its accuracy and loss, epoch by epoch.

python scripts/gallery/decision_boundary.py     # killed and started again, it goes on
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from matplotlib import pyplot as plt

import framepipe as fp

MODEL = "decision_boundary/{epoch:03d}.keras"  # one file an epoch: frames and weights never disagree
HISTORY = "decision_boundary.csv"


def rings(points: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Noisy points on two rings, and which ring each belongs to."""
    rng = np.random.default_rng(11)
    ring = rng.integers(2, size=points)
    angle, radius = rng.uniform(0, 2 * np.pi, size=points), 1 + ring + rng.normal(scale=0.22, size=points)
    return (radius * [np.cos(angle), np.sin(angle)]).T, ring


def network() -> keras.Model:
    """Two hidden layers."""
    keras.utils.set_random_seed(5)
    hidden = [keras.layers.Dense(12, activation="tanh") for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])
    return model


def draw_boundary(model: keras.Model, x: np.ndarray, ring: np.ndarray, epoch: int) -> plt.Figure:
    """What the model believes of each place, over a grid of 100 by 100."""
    side = np.linspace(-3, 3, 100)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    belief = model.predict(grid.reshape(-1, 2), batch_size=10_000, verbose=0).reshape(100, 100)
    fig, ax = plt.subplots(num="boundary", clear=True, figsize=(5.6, 4.8), layout="tight")
    levels = np.linspace(0, 1, 11)
    filled = ax.contourf(side, side, belief, levels, cmap="RdBu_r", alpha=0.7)
    ax.contour(side, side, belief, [0.5], colors="black", linewidths=1.5)
    colors = np.where(ring, "#d6322e", "#2166ac")
    ax.scatter(*x.T, c=colors, s=22, edgecolors="white", linewidths=0.7)
    fig.colorbar(filled, label="P(outer ring)", ticks=levels[::2])
    ax.set(title=f"epoch {epoch + 1}", aspect="equal", xticks=[], yticks=[])
    return fig


def draw_curves(epoch: int, logs: dict[str, float], epochs: int) -> plt.Figure:
    """Accuracy and loss so far, also those before a restart."""
    past = np.genfromtxt(HISTORY, delimiter=",", names=True, ndmin=1)
    past = past[np.unique(past["epoch"], return_index=True)[1][: epoch + 1]]
    fig, ax = plt.subplots(num="curves", clear=True, figsize=(5.6, 4), layout="tight")
    for name, color in (("accuracy", "tab:blue"), ("loss", "crimson")):
        ax.plot(past["epoch"] + 1, past[name], ".-", color=color, label=f"{name} {logs[name]:.3f}")
    ax.set(xlim=(0, epochs + 1), ylim=(0, 1.05), xlabel="epoch", title=f"epoch {epoch + 1}")
    ax.legend(loc="center right")
    return fig


def main(epochs: int = 50, points: int = 1000) -> None:
    x, ring = rings(points)
    with fp.Recorder("frames/boundary") as boundary, fp.Recorder("frames/curves") as curves:
        done = min(boundary.next_number, curves.next_number)  # epochs of which both frames are stored
        model = keras.saving.load_model(MODEL.format(epoch=done)) if done else network()
        callbacks = [
            keras.callbacks.ModelCheckpoint(MODEL),
            keras.callbacks.CSVLogger(HISTORY, append=done > 0),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, _: boundary.snap(
                    draw_boundary(model, x, ring, epoch), number=epoch
                )
            ),
            fp.keras_callback(lambda epoch, logs, _: draw_curves(epoch, logs, epochs), curves),
        ]
        model.fit(x, ring, epochs=epochs, initial_epoch=done, batch_size=50, callbacks=callbacks, verbose=0)
    print(f"trained from epoch {done + 1} to {epochs}" if done < epochs else "trained before")
    for name in ("boundary", "curves"):
        for suffix, encoder in ((".gif", "imagemagick"), (".mp4", "ffmpeg")):
            output = f"decision_{name}{suffix}"
            movie = fp.assemble(f"frames/{name}", output, fps=10, hold_last_s=2, encoder=encoder)
            print(f"{output}: {movie.duration_s:g} s, by {movie.encoder.name}")
    fp.sheet("frames/boundary", "decision_boundary.png", every=max(1, epochs // 12))


if __name__ == "__main__":
    main()
