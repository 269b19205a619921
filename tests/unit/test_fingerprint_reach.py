"""Fingerprints of what functions refer to: class attributes, modules, methods, decorated functions."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import textwrap

import pytest

from framepipe.job.fingerprint import digest_function, state_digests
from framepipe.job.reach import digest_code


@pytest.fixture
def load(tmp_path):
    """Executes a source file as a module of its own, which is forgotten afterwards."""
    before = set(sys.modules)

    def load(text, name="scene"):
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    for thing in [
        each for name in ("scene", "cfg") if name in sys.modules for each in vars(sys.modules[name]).values()
    ]:
        if isinstance(thing, io.IOBase):
            thing.close()
    for name in set(sys.modules) - before:
        if name in ("scene", "cfg", "other", "pkg"):
            del sys.modules[name]


def names_that_change(function, change):
    """The names of what counts differently after ``change()``."""
    before = digest_function(function)
    assert digest_function(function) == before
    change()
    after = digest_function(function)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


CLASSES = """
    import functools
    A, B, C, D, E, F, G = range(7)

    class Base:
        GRAVITY = 9.81

    class Ball(Base):
        RADIUS = 3
        LIST = [1, 2]

        class Inner:
            DEPTH = 1

        def step(self): return A
        @property
        def size(self): return B
        @size.setter
        def size(self, value): self.x = value * C
        @staticmethod
        def build(): return D
        @classmethod
        def default(cls): return E
        @functools.cached_property
        def late(self): return F
        @functools.lru_cache
        def remembered(self): return G

    class Other:
        WIDTH = 1

    def draw(k):
        return Ball().step()
"""


@pytest.mark.parametrize("name", list("ABCDEFG"))
def test_globals_of_methods_and_properties_count(load, name):
    scene = load(CLASSES)
    assert names_that_change(scene.draw, lambda: setattr(scene, name, "x")) == {name}


@pytest.mark.parametrize(
    ("owner", "name"), [("Ball", "RADIUS"), ("Base", "GRAVITY"), ("Inner", "DEPTH"), ("Ball", "LIST")]
)
def test_attributes_of_classes_and_their_bases_count(load, owner, name):
    scene = load(CLASSES)
    kind = scene.Ball.Inner if owner == "Inner" else getattr(scene, owner)
    (changed,) = names_that_change(scene.draw, lambda: setattr(kind, name, [3]))
    assert changed.endswith(f"{owner}.{name}")


def test_a_class_that_is_not_used_costs_nothing(load):
    scene = load(CLASSES)
    assert names_that_change(scene.draw, lambda: setattr(scene.Other, "WIDTH", 2)) == set()


def test_the_class_of_an_object_counts_wherever_the_object_is_kept(load):
    scene = load("""
        SPEED = 1
        class Ball:
            SIZE = 2
            def step(self): return SPEED
        BALLS = {"all": [Ball()]}
        def draw(k):
            for ball in BALLS["all"]: ball.step()
    """)
    assert names_that_change(scene.draw, lambda: setattr(scene, "SPEED", 3)) == {"SPEED"}
    assert names_that_change(scene.draw, lambda: setattr(scene.Ball, "SIZE", 3)) == {"Ball.SIZE"}


def test_the_class_of_a_methods_object_counts(load):
    scene = load("""
        SPEED = 1
        class Scene:
            LIMIT = 5
            def helper(self): return SPEED
            def draw(self, k): return self.helper()
        scene = Scene()
    """)
    assert names_that_change(scene.scene.draw, lambda: setattr(scene, "SPEED", 3)) == {"SPEED"}
    assert names_that_change(scene.scene.draw, lambda: setattr(scene.Scene, "LIMIT", 3)) == {"Scene.LIMIT"}


CFG = """
    SPEED, COLOUR, UNUSED, TABLE = 1, "red", 2, [1, 2]
    def helper(): return TABLE
    class Options: WIDTH = 1
"""
USES = {
    "import": ("import cfg", "cfg.SPEED"),
    "alias": ("import cfg as c", "c.SPEED"),
    "from": ("from cfg import SPEED", "SPEED"),
    "within": ("", "__import__('cfg') and 0\n    import cfg\n    x = cfg.SPEED"),
    "from within": ("", "0\n    from cfg import SPEED\n    x = SPEED"),
    "nested function": ("import cfg", "(lambda: cfg.SPEED)()"),
    "getattr": ("import cfg", "getattr(cfg, k)"),
    "vars": ("import cfg", "vars(cfg)[k]"),
}


@pytest.mark.parametrize(("statement", "use"), USES.values(), ids=USES)
def test_attributes_of_a_helper_module_count(load, statement, use):
    cfg = load(CFG, "cfg")
    scene = load(
        f"{statement}\ndef draw(k):\n    return {use}\n"
        if statement
        else f"def draw(k):\n    x = {use}\n    return x\n"
    )

    def change():
        cfg.SPEED = 3
        if "SPEED" in vars(scene):
            scene.SPEED = 3

    (changed,) = names_that_change(scene.draw, change)
    assert changed in ("SPEED", "cfg.SPEED")


def test_attributes_of_a_helper_module_that_are_not_used_cost_nothing(load):
    cfg = load(CFG, "cfg")
    scene = load("import cfg\ndef draw(k): return cfg.SPEED, cfg.helper()\n")
    for name in ("UNUSED", "COLOUR"):
        assert names_that_change(scene.draw, lambda name=name: setattr(cfg, name, 9)) == set()
    assert names_that_change(scene.draw, lambda: cfg.TABLE.append(1)) == {"cfg.TABLE"}


def test_functions_and_classes_of_a_helper_module_count_with_what_they_use(load):
    cfg = load(CFG, "cfg")
    scene = load("from cfg import helper\nimport cfg\ndef draw(k): return helper(), cfg.Options.WIDTH\n")
    assert {"code of cfg.helper", "code of cfg.Options"} <= set(digest_function(scene.draw))
    assert names_that_change(scene.draw, lambda: cfg.TABLE.append(1)) == {"cfg.TABLE"}
    assert names_that_change(scene.draw, lambda: setattr(cfg.Options, "WIDTH", 2)) == {"cfg.Options.WIDTH"}


def test_attributes_of_installed_modules_are_left_to_their_version(load):
    scene = load("import numpy as np, json\ndef draw(k): return np.pi, json.decoder, np.random.rand()\n")
    assert digest_function(scene.draw) == {}


def test_a_package_is_followed_into_its_modules(load, tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").write_text("")
    (tmp_path / "pkg/deep.py").write_text("SPEED = 1\n")
    code = """
import sys; sys.path.insert(0, "")
import json, scene, pkg.deep
from framepipe.job.fingerprint import digest_function
before = digest_function(scene.draw)
pkg.deep.SPEED = 2
after = digest_function(scene.draw)
print(json.dumps([name for name in before if before[name] != after[name]]))
"""
    (tmp_path / "scene.py").write_text("import pkg.deep\ndef draw(k): return pkg.deep.SPEED\n")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == ["pkg.deep.SPEED"]


@pytest.mark.parametrize(
    "decorated",
    [
        "@functools.lru_cache\ndef helper(x): return A",
        "@functools.lru_cache(maxsize=None)\ndef helper(x): return inner()\ndef inner(): return A",
        "@functools.singledispatch\ndef helper(x): return 0\n@helper.register(int)\ndef _(x): return A",
        "@functools.singledispatch\ndef helper(x): return A",
        "def wrap(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n    return g\n@wrap\ndef helper(x): return A",
        "helper = functools.partial(lambda x, y: A, y=1)",
        "helper = np.vectorize(lambda x: A)",
        "class Call:\n    def __call__(self, x): return A\nhelper = Call()",
    ],
)
def test_what_decorated_functions_use_counts(load, decorated):
    scene = load(f"import functools\nimport numpy as np\nA = 1\n{decorated}\ndef draw(k): return helper(k)\n")
    assert len(names_that_change(scene.draw, lambda: setattr(scene, "A", 2))) == 1
    before = digest_function(scene.draw)
    scene.draw(1), scene.draw(2)
    assert digest_function(scene.draw) == before  # what they remember is not what they are


def test_a_scene_that_remembers_its_results_counts_by_what_it_wraps(load):
    scene = load("import functools\nA = 1\n@functools.lru_cache\ndef draw(k): return A\n")
    assert names_that_change(scene.draw, lambda: setattr(scene, "A", 2)) == {"A"}
    other = load("import functools\nA = 1\n@functools.lru_cache\ndef draw(k): return A + 1\n", "other")
    assert digest_code(other.draw) != digest_code(scene.draw)


@pytest.mark.parametrize("use", ["globals()['A']", "globals().get('A')", "eval('A + 1')", "eval(f'A + {k}')"])
def test_globals_that_are_named_in_a_string_count(load, use):
    scene = load(f"A, B = 1, 2\ndef draw(k): return {use}\n")
    assert names_that_change(scene.draw, lambda: setattr(scene, "A", 2)) == {"A"}
    assert names_that_change(scene.draw, lambda: setattr(scene, "B", 3)) == set()


def test_two_things_of_one_name_both_count(load):
    scene = load("""
        data = [1]
        def build(data):
            def inner(): return data
            return inner
        inner = build([2])
        def draw(k): return data, inner()
    """)
    cell = scene.inner.__closure__[0].cell_contents
    assert len(names_that_change(scene.draw, lambda: cell.append(1))) == 1
    assert len(names_that_change(scene.draw, lambda: scene.data.append(1))) == 1


def test_a_long_chain_of_functions_has_a_digest(load):
    text = "A = 1\ndef f0(): return A\n" + "".join(f"def f{n}(): return f{n - 1}()\n" for n in range(1, 1500))
    scene = load(text + "def draw(k): return f1499()\n")
    assert "A" in digest_function(scene.draw)


def test_all_of_it_is_the_same_in_another_process(tmp_path):
    (tmp_path / "cfg.py").write_text(textwrap.dedent(CFG))
    scene = (
        textwrap.dedent(CLASSES)
        + "import cfg, numpy as np\nTHINGS = {'a', 'b', 'c', 'd'}, {Ball: 1}, [draw]\n"
    )
    scene += "BALLS = [Ball()]\ndef show(k): return getattr(cfg, k), THINGS, BALLS, draw(k)\n"
    (tmp_path / "scene.py").write_text(scene)
    code = "import sys; sys.path.insert(0, '')\nimport scene, json\nfrom framepipe.job.fingerprint import *\n"
    code += "print(json.dumps([digest_function(scene.show), digest_value(scene.show)]))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert len(json.loads(texts.pop())[0]) > 20


# ---- state ----


def changed_state(function, *args):
    before = state_digests(function)
    function(*args)
    after = state_digests(function)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


STATEFUL = {
    "a global": ("A = [0]", "A.append(k)", "A"),
    "a rebound global": ("A = 0", "global A; A += 1", "A"),
    "an array's element": ("A = np.zeros(9)", "A[3] = 1", "A"),
    "a view": ("M = np.zeros((4, 4)); A = M[1:-1, 1:-1]", "A[0, 0] += 1", "A"),
    "an object": ("class T: pass\nA = T(); A.x = 1", "A.x += 1", "A"),
    "a class": ("class A: x = 1", "A.x += 1", "A.x"),
    "an element of a list of objects": ("class T: pass\nA = [T()]; A[0].x = 1", "A[0].x += 1", "A"),
    "a dictionary as a cache": ("A = {}", "A[k] = k", "A"),
    "a generator": ("A = (n for n in range(9))", "next(A)", "A"),
    "a counter": ("import itertools; A = itertools.count()", "next(A)", "A"),
    "a circle": ("import itertools; A = itertools.cycle('ab')", "next(A)", "A"),
    "an iterator": ("A = iter([1, 2, 3])", "next(A)", "A"),
    "an iterator of pairs": ("A = enumerate(zip('abc', 'def'))", "next(A)", "A"),
    "a file": ("A = open(__file__)", "A.read(3)", "A"),
    "a file of lines": ("A = open(__file__)", "next(A)", "A"),
    "a generator of numpy": ("A = np.random.default_rng(1)", "A.random()", "A"),
    "an old generator of numpy": ("A = np.random.RandomState(1)", "A.rand()", "A"),
    "a generator of Python": ("import random; A = random.Random(1)", "A.random()", "A"),
    "random": ("import random", "random.random()", "random"),
    "numpy.random": ("", "np.random.rand()", "numpy.random"),
    "an attribute of the function": (
        "A = lambda: 0",
        "draw.count = getattr(draw, 'count', 0) + 1",
        "attributes of draw",
    ),
    "a default": ("A = 1", "draw.__defaults__[0].append(k)", "defaults of draw"),
}


@pytest.mark.parametrize(("setup", "statement", "name"), STATEFUL.values(), ids=STATEFUL)
def test_state_that_a_call_changes_is_seen(load, setup, statement, name):
    scene = load(f"import numpy as np\n{setup}\ndef draw(k, kept=[]):\n    {statement}\n    return k\n")
    assert changed_state(scene.draw, 3) == {name}


STATELESS = {
    "nothing": ("A = [0]", "return A"),
    "a remembered result": ("import functools\n@functools.lru_cache\ndef f(x): return [x]", "return f(k)"),
    "a figure": (
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(); (line,) = ax.plot([1, 2])",
        "line.set_data([0, 1], [k, k]); fig.canvas.draw()",
    ),
    "a formatter": (
        "import matplotlib.pyplot as plt, matplotlib.ticker as t\nfig, ax = plt.subplots(); f = t.ScalarFormatter(); ax.xaxis.set_major_formatter(f)",
        "ax.set_xlim(0, 10 + k); fig.canvas.draw(); return f",
    ),
    "a colour map": ("import matplotlib\nc = matplotlib.colormaps['viridis'].copy()", "return c(0.5)"),
    "a path": ("from matplotlib.path import Path\np = Path([[0, 0], [1, 1]])", "return p.get_extents()"),
    "an open file": ("f = open(__file__)", "return f.tell()"),
    "a table": ("import pandas as pd\nd = pd.DataFrame({'a': [1, 2]})", "return d.a.mean(), d.T, repr(d)"),
    "a log": ("import sys\nf = open(__file__ + '.log', 'w')", "f.write('x'); f.flush()"),
    "dispatch": ("import functools\n@functools.singledispatch\ndef f(x): return x", "return f(k)"),
    "an array": ("A = np.zeros(9)", "B = A + 1; return B"),
}


@pytest.mark.parametrize(("setup", "statement"), STATELESS.values(), ids=STATELESS)
def test_a_call_that_changes_nothing_leaves_the_state(load, setup, statement):
    scene = load(
        f"import matplotlib; matplotlib.use('Agg')\nimport numpy as np\n{setup}\ndef draw(k):\n    {statement}\n"
    )
    try:
        assert changed_state(scene.draw, 3) == set()
    finally:
        if "plt" in vars(scene):
            scene.plt.close("all")


def test_state_has_no_code_and_many_functions_may_be_asked_for(load):
    scene = load("A, B = 1, 2\ndef f(): return A\ndef g(): return B\ndef h(): return f(), g()\n")
    assert set(state_digests(scene.f, scene.g)) - {"numpy.random"} == {"A", "B", "random"}
    assert set(state_digests(scene.h)) - {"numpy.random"} == {"A", "B", "random"}


def test_a_large_array_is_sampled_in_every_column(load):
    import numpy as np

    scene = load("import numpy as np\nA = np.zeros((3000, 4000))\ndef draw(k): A[:, k] += 1\n")
    for column in (0, 1234, 3999):
        assert changed_state(scene.draw, column) == {"A"}
    assert np.count_nonzero(scene.A) == 9000
