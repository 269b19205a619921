"""Fingerprints of code and of the data that it refers to."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from framepipe.job.fingerprint import digest_function, digest_value
from framepipe.job.reach import digest_code
from framepipe.job.source_code import digest_source, local_sources

PLAIN = """
def draw(k):
    '''Draw it.'''
    x = k + 1
    return [x, "a  b"]
"""


def module(folder, text, name="scene"):
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture(autouse=True)
def forget_modules():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith(("framepipe", "matplotlib", "numpy", "PIL")):
            del sys.modules[name]


@pytest.mark.parametrize(
    "edited",
    [
        PLAIN + "\n\n# the end\n",
        PLAIN.replace("k + 1", "k+1  # one more"),
        PLAIN.replace("    ", "  "),
        PLAIN.replace("x = k + 1", "x = (k +\n         1)"),
        PLAIN.replace("'''Draw it.'''", '"Draw it."'),
        PLAIN.replace("\n", "\r\n"),
    ],
)
def test_comments_and_white_space_do_not_count(edited):
    assert digest_source(edited) == digest_source(PLAIN)


@pytest.mark.parametrize(
    "edited",
    [
        PLAIN.replace("k + 1", "k + 2"),
        PLAIN.replace("k + 1", "k - 1"),
        PLAIN.replace("a  b", "a b"),
        PLAIN.replace("x = k + 1", "x = k + 1; x += 0"),
        PLAIN.replace("draw(k)", "draw(k, amp=1)"),
        "import os\n" + PLAIN,
    ],
)
def test_edited_code_counts(edited):
    assert digest_source(edited) != digest_source(PLAIN)


@pytest.mark.parametrize("text", ["def f(:", "x = 1\0", "print 'two'", ""])
def test_text_that_is_no_python_counts_as_it_stands(text):
    assert digest_source(text) == digest_source(text)
    assert digest_source(text) != digest_source(text + " ") or text == ""


def typed(text, **names):
    """A function from code that has no source file, as in a notebook without a kernel's help."""
    names = {"__name__": "typed", **names}
    exec(textwrap.dedent(text), names)
    return names["draw"]


@pytest.mark.parametrize(
    "other",
    [
        "return k + 2",
        "return k * 1",
        "return abs(k)",
        "return k + 1.0",
        "return [k + 1 for _ in 'x']",
        "return max(k, 1)",
    ],
)
def test_functions_without_source_differ_by_what_they_do(other):
    one, two = typed("def draw(k): return k + 1"), typed(f"def draw(k): {other}")
    assert digest_code(one) == digest_code(typed("def draw(k): return k + 1"))
    assert digest_code(one) != digest_code(two)


def test_functions_without_source_differ_by_names_and_inner_functions():
    assert digest_code(typed("def draw(k): return min(k, 1)")) != digest_code(
        typed("def draw(k): return max(k, 1)")
    )
    inner = "def draw(k):\n    def f(): return {}\n    return f()"
    assert digest_code(typed(inner.format("1000"))) != digest_code(typed(inner.format("2000")))


def test_a_partial_counts_by_the_code_of_its_function_and_its_arguments():
    def draw(k, amp):
        return k * amp

    one, two = functools.partial(draw, amp=1), functools.partial(draw, amp=2)
    assert digest_code(one) == digest_code(draw)
    assert digest_function(one) != digest_function(two)
    assert digest_value(one) != digest_value(two)
    assert digest_function(one) == digest_function(functools.partial(draw, amp=1))


def closure(data):
    def draw(k):
        return data[k]

    return draw


def test_a_closure_counts_by_what_it_closes_over():
    one, two = np.zeros(2000), np.zeros(2000)
    two[999] = 1e-9
    assert digest_function(closure(one)) == digest_function(closure(one.copy()))
    assert digest_function(closure(one)) != digest_function(closure(two))
    assert set(digest_function(closure(one))) == {"data"}


def test_defaults_and_keyword_defaults_count():
    def variant(a, b):
        def draw(k, amp=a, *, style=b):
            return k

        return draw

    assert digest_function(variant(1, 2)) == digest_function(variant(1, 2))
    assert digest_function(variant(1, 2)) != digest_function(variant(3, 2))
    assert digest_function(variant(1, 2)) != digest_function(variant(1, 3))


class Drawer:
    def __init__(self, amp):
        self.amp = amp

    def draw(self, k):
        return k * self.amp

    def __call__(self, k):
        return k * self.amp


@pytest.mark.parametrize("kind", ["draw", "__call__"])
def test_a_method_or_callable_object_counts_by_its_object(kind):
    def pick(amp):
        return Drawer(amp).draw if kind == "draw" else Drawer(amp)

    assert digest_function(pick(1)) == digest_function(pick(1))
    assert digest_function(pick(1)) != digest_function(pick(2))


def test_a_decorated_function_counts_by_what_it_wraps():
    def decorated(data):
        @functools.wraps(closure(data))
        def wrapper(*args):
            return None

        wrapper.__wrapped__ = closure(data)
        return wrapper

    assert digest_function(decorated([1])) != digest_function(decorated([2]))


def test_globals_that_the_function_and_its_helpers_use_are_named(tmp_path):
    scene = module(
        tmp_path,
        """
        import os
        data, offset, unused, LIMIT = [1, 2], 5, 7, 9
        def helper(x): return x + offset
        def inner(x): return [LIMIT for _ in x]
        class Thing: pass
        def draw(k): return helper(data[k]), inner(data), os.sep, Thing()
        """,
    )
    before = digest_function(scene.draw)
    codes = {"code of helper", "code of inner", "code of Thing"}
    assert set(before) == {"data", "offset", "LIMIT"} | codes
    scene.unused = 8
    assert digest_function(scene.draw) == before
    scene.offset = 6
    after = digest_function(scene.draw)
    assert {name for name in before if before[name] != after[name]} == {"offset"}


def test_functions_that_call_each_other_have_a_digest(tmp_path):
    scene = module(tmp_path, "a = 1\ndef ping(k): return pong(k) + a\ndef pong(k): return ping(k)\n")
    assert set(digest_function(scene.ping)) == {"a", "code of pong"}


def test_a_function_in_a_list_that_it_uses_itself_has_a_digest(tmp_path):
    scene = module(tmp_path, "SCENES = []\ndef draw(k): return SCENES[k]\nSCENES.append(draw)\n")
    assert len(digest_value(scene.draw)) == 64
    assert "SCENES" in digest_function(scene.draw)


def test_a_method_of_an_object_that_keeps_that_method_has_a_digest():
    drawer = Drawer(1)
    drawer.callback = drawer.draw
    other = Drawer(2)
    other.callback = other.draw
    assert digest_function(drawer.draw) != digest_function(other.draw)


def test_an_empty_closure_cell_is_passed_over():
    def outer():
        def draw(k):
            return later

        if len(sys.argv) > 10**6:
            later = 1
        return draw

    assert digest_function(outer()) == {}


def test_code_has_one_digest_in_every_process(tmp_path):
    (tmp_path / "scene.py").write_text(
        "import functools\nNAMES = {'a', 'b', 'c', 'd'}\n"
        "def outer(names):\n    def draw(k, tags=frozenset('xyz')): return k, names, NAMES\n    return draw\n"
        "draw = functools.partial(outer({'p', 'q', 'r'}), tags={'s', 't', 'u'})\n"
    )
    code = (
        "import scene; from framepipe.job.fingerprint import *; from framepipe.job.reach import digest_code\n"
    )
    code += "print(digest_value(scene.draw), digest_code(scene.draw))\n"
    code += "print(sorted(digest_function(scene.draw).items()))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(seen) == 1


def test_sources_are_the_script_and_what_it_imports_from_its_folder(tmp_path):
    (tmp_path / "pkg").mkdir()
    files = {
        "scene.py": "import sibling, os\ndef draw(k):\n    from pkg import below\n",
        "sibling.py": "import deeper, scene, missing\n",
        "deeper.py": "x = 1\n",
        "pkg/__init__.py": "",
        "pkg/below.py": "from . import beside\n",
        "pkg/beside.py": "",
        "not_imported.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = local_sources(tmp_path / "scene.py")
    assert found[0] == tmp_path / "scene.py"
    assert {str(path.relative_to(tmp_path)) for path in found} == set(files) - {"not_imported.py"}


def test_sources_never_hold_framepipe_or_installed_packages():
    from pathlib import Path

    found = local_sources(Path("/scene.py"))
    assert not [path for path in found if "site-packages" in path.parts or path.parent.name == "framepipe"]
