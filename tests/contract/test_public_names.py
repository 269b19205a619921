"""What the package promises by its names."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import framepipe

MODULES = sorted(
    each.name
    for each in pkgutil.walk_packages(framepipe.__path__, "framepipe.")
    if each.name not in ("framepipe.__main__", "framepipe.formats.gif.magick_child")
)


def test_every_public_name_is_there():
    for name in framepipe.__all__:
        assert getattr(framepipe, name) is not None
    assert len(set(framepipe.__all__)) == len(framepipe.__all__)
    assert list(framepipe.__all__) == sorted(framepipe.__all__)


def test_type_checkers_see_each_name_where_it_is_loaded_from():
    (guarded,) = (node for node in ast.parse(inspect.getsource(framepipe)).body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert seen == {name: f"framepipe.{module}" for name, module in framepipe._MODULE_OF.items()}
    assert set(seen) == set(framepipe.__all__) - {"__version__"}
    assert set(dir(framepipe)) >= set(framepipe.__all__)


def test_nothing_public_stands_outside_of_all():
    loose = {
        name
        for name, thing in vars(framepipe).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name not in framepipe.__all__
    }
    assert loose == set()


def test_no_module_is_hidden_by_a_function_of_its_name():
    for name in MODULES:
        module, (room, _, leaf) = importlib.import_module(name), name.rpartition(".")
        assert getattr(sys.modules[room], leaf) is module, name


def loaded_by(*code):
    """Names of top modules that a fresh Python has loaded after ``code``."""
    text = "\n".join([*code, "import sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"matplotlib", "numpy", "scipy", "pandas", "wand", "imageio_ffmpeg", "PIL", "tqdm"}


def test_import_framepipe_loads_no_library_that_is_slow_to_load():
    assert not loaded_by("import framepipe") & HEAVY


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["make", "--help"], ["render", "-h"]], ids=str
)
def test_help_loads_none_either(arguments):
    assert not loaded_by(f"from framepipe.cli import run; run({arguments!r})") & HEAVY


def test_status_loads_none_either(cli_process, folder):
    cli_process("render", "scene.py:draw", "--frames", 2, "--engine", "serial", "--store", "s", ok=True)
    names = loaded_by(f"from framepipe.cli import run; assert run(['status', {str(folder / 's')!r}]) == 0")
    assert not names & HEAVY


def documented(module):
    """Public functions, classes and methods that a module defines."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if getattr(thing, "__qualname__", name) != name:  # an option of click, made by a function
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            yield f"{module.__name__}.{name}", thing
        if inspect.isclass(thing):
            for own, method in vars(thing).items():
                method = getattr(method, "fget", None) or getattr(method, "__func__", method)
                if not own.startswith("_") and inspect.isfunction(method):
                    yield f"{module.__name__}.{name}.{own}", method


@pytest.mark.parametrize("name", MODULES)
def test_every_module_function_and_class_has_a_docstring(name):
    module = importlib.import_module(name)
    bare = [] if module.__doc__ else [name]
    bare += [label for label, thing in documented(module) if not (thing.__doc__ or "").strip()]
    private = [label for label in bare if any(part.startswith("_") for part in label.split(".")[1:])]
    assert [label for label in bare if label not in private] == []


@pytest.mark.parametrize(
    "name",
    [
        "assemble",
        "cancel",
        "clean",
        "finish",
        "logs",
        "make",
        "plan",
        "render",
        "resume",
        "status",
        "submit",
        "verify",
    ],
)
def test_the_docstring_of_a_verb_names_every_parameter(name):
    function = getattr(framepipe, name)
    text = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters:
        assert parameter in text, parameter


def test_the_package_says_that_it_is_typed():
    from pathlib import Path

    assert (Path(framepipe.__file__).parent / "py.typed").is_file()


def test_all_reports_of_the_library_are_frozen():
    import dataclasses

    for name in (
        "CancelReport",
        "CleanupReport",
        "FinishReport",
        "LogReport",
        "MakeReport",
        "Movie",
        "PlanReport",
        "Progress",
        "RenderReport",
        "StoreStatus",
        "SubmitReport",
        "Timeline",
    ):
        assert dataclasses.fields(getattr(framepipe, name))
        assert getattr(framepipe, name).__dataclass_params__.frozen, name


def test_the_reference_has_each_public_name():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\.\. auto(?:function|class):: (\w+)$", page, re.M))
    errors = {name for name in framepipe.__all__ if hasattr(getattr(framepipe, name), "exit_code")}
    assert described == set(framepipe.__all__) - errors - {"__version__"}
