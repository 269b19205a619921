"""Which code counts: what is used of local sources, and versions of installed packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from framepipe.job.sources import package_versions, used_source_digests

SCENE = """
import helpers
from helpers import scale

SPEED = 2

class Ball:
    '''A ball.'''
    SIZE = 3

    def step(self):
        return self.SIZE * helpers.gravity()

    @property
    def area(self):
        return 1

class Unused:
    def step(self):
        return unused_too()

def unused_too():
    '''Nobody calls it.'''
    return 1

def start():
    return Ball()

def draw(k):
    '''Draw it.'''
    # a comment
    return start().step() * SPEED
"""
HELPERS = """
def gravity():
    return strength() * 9.81

def strength():
    return 1

def scale(x):
    return x

def unused_helper(x):
    return x
"""


def digests(folder, roots=("draw",), **sources):
    """The digest of each file, by its stem."""
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    paths = [folder / f"{name}.py" for name in sources]
    return {os.path.basename(path)[:-3]: value for path, value in used_source_digests(paths, roots).items()}


def changed(folder, before, after, roots=("draw",)):
    """The files of which the digest changes with the edit; ``before`` and ``after`` are sources by name."""
    one, two = digests(folder, roots, **before), digests(folder, roots, **after)
    return {name for name in one if one[name] != two[name]}


def edited(name, old, new):
    files = {"scene": SCENE, "helpers": HELPERS}
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("scene", "SPEED = 2", "SPEED = 3"),
        ("scene", "* SPEED", "+ SPEED"),
        ("scene", "return Ball()", "return Ball"),
        ("scene", "SIZE = 3", "SIZE = 4"),
        ("scene", "self.SIZE * ", "2 * self.SIZE * "),
        ("scene", "def area(self):\n        return 1", "def area(self):\n        return 2"),
        ("scene", "import helpers\n", "import helpers, math\n"),
        ("helpers", "9.81", "9.8"),
        ("helpers", "return 1", "return 2"),
        ("helpers", "def scale(x):\n    return x", "def scale(x):\n    return 2 * x"),
        ("helpers", "def gravity", "print('loaded')\ndef gravity"),
    ],
)
def test_an_edit_of_what_is_used_counts(tmp_path, name, old, new):
    assert changed(tmp_path, {"scene": SCENE, "helpers": HELPERS}, edited(name, old, new)) == {name}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("scene", "def unused_too():", "def unused_too(x=1):"),
        ("scene", "return unused_too()", "return 5"),
        ("scene", "class Unused:", "class Unused:\n    more = 2"),
        ("scene", "# a comment", "# another"),
        ("scene", "'''Draw it.'''", "'''Draw it well.'''"),
        ("scene", "    '''Draw it.'''\n", ""),
        ("scene", "'''A ball.'''", "'''The ball.'''"),
        ("scene", "Ball()", "Ball( )"),
        ("scene", "\nimport helpers", "'''About.'''\nimport helpers"),
        ("helpers", "def unused_helper(x):\n    return x", "def unused_helper(x):\n    return 2"),
        ("helpers", "def unused_helper(x):\n    return x", ""),
        ("helpers", "def strength():", "def new_and_unused(): pass\n\ndef strength():"),
    ],
)
def test_an_edit_of_what_is_not_used_costs_nothing(tmp_path, name, old, new):
    assert changed(tmp_path, {"scene": SCENE, "helpers": HELPERS}, edited(name, old, new)) == set()


def test_the_place_of_a_function_in_its_file_does_not_count(tmp_path):
    function = "def gravity():\n    return strength() * 9.81\n"
    moved = {"scene": SCENE, "helpers": HELPERS.replace(function, "") + "\n" + function}
    assert changed(tmp_path, {"scene": SCENE, "helpers": HELPERS}, moved) == set()


def test_the_order_of_statements_and_of_definitions_of_one_name_counts(tmp_path):
    one = "a = 1\nb = 2\ndef f(): return 1\ndef f(): return 2\ndef draw(k): return f()\n"
    two = "b = 2\na = 1\ndef f(): return 1\ndef f(): return 2\ndef draw(k): return f()\n"
    three = "a = 1\nb = 2\ndef f(): return 2\ndef f(): return 1\ndef draw(k): return f()\n"
    assert len({digests(tmp_path, scene=text)["scene"] for text in (one, two, three)}) == 3


def test_a_function_that_becomes_used_counts(tmp_path):
    before = {"scene": SCENE, "helpers": HELPERS}
    after = edited("scene", "return start()", "return helpers.unused_helper(start())")
    assert changed(tmp_path, before, after) == {"scene", "helpers"}


@pytest.mark.parametrize("root", ["Scene.draw", "outer.<locals>.draw", "make", "Other"])
def test_roots_are_names_of_functions_of_any_kind(tmp_path, root):
    text = "class Scene:\n    def draw(self): return {0}\ndef outer():\n    def draw(k): return {0}\n    return draw\n"
    text += "def make(): return {0}\nclass Other:\n    def __call__(self): return {0}\n"
    ones = digests(tmp_path, [root], scene=text.format(1))
    assert ones != digests(tmp_path, [root], scene=text.format(2))
    assert digests(tmp_path, [], scene=text.format(1)) == digests(tmp_path, [], scene=text.format(2))


@pytest.mark.parametrize(
    "use",
    [
        "def draw(k): return thing()",
        "def draw(k): return k.thing",
        "def draw(k): return getattr(k, 'thing')",
        "def draw(k): return dict(thing=1)",
        "def draw(k): return operator.methodcaller('scene.thing')",
        "thing",
        "if __name__ == '__main__':\n    thing()",
        "from helpers import thing",
        "class Kept:\n    def method(self): return thing\nKept()",
        "def draw(k):\n    def inner(): return thing()\n    return inner",
        "def draw(k): return globals()[k]",
        "def draw(k): return eval(k)",
        "def draw(k): exec(k)",
        "def draw(k): return getattr(module, k)",
        "def draw(k): return getattr(module, 'th' + 'ing')",
        "def draw(k): return vars(module)[k]",
        "def draw(k): return module.__dict__[k]",
        "import importlib\ndef draw(k): return importlib.import_module(k)",
        "draw = lambda k: thing()",
        "SCENES = {'a': thing}",
    ],
)
def test_every_way_of_using_a_name_counts(tmp_path, use):
    text = "import operator\ndef thing(): return {}\n"
    one, two = (text.format(number) + use + "\n" for number in (1, 2))
    assert digests(tmp_path, scene=one) != digests(tmp_path, scene=two)


@pytest.mark.parametrize(
    "use",
    [
        "def draw(k): return k",
        "def draw(k): return k.eval('x')",
        "def draw(k): return getattr(k, 'other')",
        "def draw(k): return 'the thing'",
        "def draw(k): return model.eval()",
        "# thing\ndef draw(k): '''thing'''\n__all__ = ['thing', 'draw']",
    ],
)
def test_what_is_no_use_of_a_name_costs_nothing(tmp_path, use):
    text = "def thing(): return {}\n" + use + "\n"
    if "'''thing'''" in use:  # one word alone may be a name; two are not
        text = text.replace("'''thing'''", "'''a thing'''")
    assert digests(tmp_path, scene=text.format(1)) == digests(tmp_path, scene=text.format(2))


@pytest.mark.parametrize(
    "definition",
    [
        "@register\ndef thing(): return {}",
        "@app.route('/x')\ndef thing(): return {}",
        "@lru_cache(maxsize=size())\ndef thing(): return {}",
        "def thing(x=setup()): return {}",
        "def thing(*, x=setup()): return {}",
        "class Thing:\n    np.random.seed(1)\n    def draw(self): return {}",
        "class Thing(Base, key=1):\n    def draw(self): return {}",
        "class Thing(make_base()):\n    def draw(self): return {}",
        "class Thing:\n    for k in range(3): print({})",
        "class Thing(Base):\n    def draw(self): return {}\nclass Base:\n    def __init_subclass__(cls): pass",
        "class Thing(Base):\n    def draw(self): return {}\ndef kinds(): return Base.__subclasses__()",
        "def __getattr__(name): return {}",
        "def cache(f): KNOWN.append(f); return f\n@cache\ndef thing(): return {}",
        "if True:\n    def thing(): return {}",
        "try:\n    pass\nexcept ImportError:\n    def thing(): return {}",
    ],
)
def test_a_definition_that_does_something_counts_though_nobody_names_it(tmp_path, definition):
    assert digests(tmp_path, scene=definition.format(1)) != digests(tmp_path, scene=definition.format(2))


@pytest.mark.parametrize(
    "definition",
    [
        "@lru_cache(maxsize=None)\ndef thing(): return {}",
        "@functools.cache\ndef thing(): return {}",
        "@numba.njit(cache=True)\ndef thing(): return {}",
        "@partial(jax.jit, static_argnums=0)\ndef thing(): return {}",
        "@dataclass(frozen=True)\nclass Thing:\n    x: int = field(default_factory=list)\n    y: int = {}",
        "class Thing(Base):\n    size = (1, 2)\n    def draw(self, x=range(3)): return {}",
        "class Thing(Enum):\n    A = auto()\n    B = {}",
        "async def thing(): return {}",
    ],
)
def test_a_definition_that_does_nothing_costs_nothing(tmp_path, definition):
    assert digests(tmp_path, scene=definition.format(1)) == digests(tmp_path, scene=definition.format(2))


@pytest.mark.parametrize(
    "statement", ["from helpers import *", "from .helpers import *", "from pkg.helpers import *"]
)
def test_a_star_import_keeps_all_of_the_file_that_it_imports(tmp_path, statement):
    before = {"scene": f"{statement}\n", "helpers": HELPERS}
    after = {**before, "helpers": HELPERS.replace("return x", "return x + 1")}
    assert changed(tmp_path, before, after) == {"helpers"}
    alone = {"scene": "import helpers\n", "helpers": HELPERS}
    assert changed(tmp_path, alone, {**alone, "helpers": after["helpers"]}) == set()


def test_a_computed_name_reaches_the_files_that_are_imported_and_no_others(tmp_path):
    dynamic = "import helpers\ndef draw(k): return getattr(helpers, f'kind_{k}')()\n"
    before = {"scene": dynamic, "helpers": "def kind_1(): return 1\n", "other": "def kind_1(): return 1\n"}
    after = {name: text.replace("return 1", "return 2") for name, text in before.items()}
    assert changed(tmp_path, before, after) == {"helpers"}


def test_docstrings_count_where_they_are_values(tmp_path):
    text = "'''About: {}.'''\nimport argparse\nargparse.ArgumentParser(description=__doc__)\n"
    assert digests(tmp_path, scene=text.format(1)) != digests(tmp_path, scene=text.format(2))
    text = text.replace("__doc__", "None")
    assert digests(tmp_path, scene=text.format(1)) == digests(tmp_path, scene=text.format(2))


def test_a_file_that_is_no_python_counts_by_its_text(tmp_path):
    assert digests(tmp_path, scene="def f(:") != digests(tmp_path, scene="def f(: ")
    for data in (b"\0\1", b"\0\2"):
        (tmp_path / f"{data[1]}.so").write_bytes(data)
    compiled = used_source_digests([tmp_path / "1.so", tmp_path / "2.so", tmp_path / "none.py"], [])
    assert len(set(compiled.values())) == 3
    assert compiled[str(tmp_path / "none.py")] == "absent"


def test_deeply_nested_source_has_a_digest(tmp_path):
    one, two = (f"x = {'-' * 3000}{n}\n" for n in (1, 2))
    assert digests(tmp_path, scene=one) != digests(tmp_path, scene=two)


def in_a_process(folder, code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_local_modules_are_the_users_own(tmp_path):
    (tmp_path / "pkg").mkdir()
    for name in ("scene.py", "pkg/__init__.py", "pkg/part.py", "unused.py"):
        (tmp_path / name).write_text("import json, numpy\n")
    code = """
        import sys; sys.path.insert(0, "")
        import json, types, scene, pkg.part
        from framepipe.job.sources import local_modules
        sys.modules["odd"] = 5
        sys.modules["odder"] = types.ModuleType("odder")
        sys.modules["gone"] = types.ModuleType("gone"); sys.modules["gone"].__file__ = "/nowhere/x.py"
        print(json.dumps([str(path) for path in local_modules()]))
    """
    names = ("pkg/__init__.py", "pkg/part.py", "scene.py")
    assert in_a_process(tmp_path, code) == [str(tmp_path / name) for name in names]


def test_versions_are_those_of_imported_packages_that_are_installed(tmp_path):
    (tmp_path / "mine.py").write_text("__version__ = '1'\n")
    (tmp_path / "scene.py").write_text(
        "import os, mine, framepipe.job.data, missing_package\nimport PIL.Image as I\n"
        "def draw(k):\n    from click import echo\n    from . import near\n    import mpl_toolkits.mplot3d\n"
    )
    code = """
        import sys; sys.path.insert(0, "")
        import json, mine, PIL
        from framepipe.job.sources import package_versions
        before = package_versions(["scene.py", "absent.py"])
        import numpy, click
        print(json.dumps([before, package_versions(["scene.py"])]))
    """
    import importlib.metadata

    before, after = in_a_process(tmp_path, code)
    assert (
        {"PIL", "click", "mpl_toolkits"}
        <= set(before)
        <= {"PIL", "click", "mpl_toolkits", "numpy", "matplotlib"}
    )
    assert set(after) == {*before, "numpy"}
    assert after["PIL"] == importlib.metadata.version("pillow")
    assert after["numpy"] == importlib.metadata.version("numpy")
    assert importlib.metadata.version("matplotlib") in after["mpl_toolkits"]


def test_a_package_that_is_being_worked_on_has_no_version(tmp_path):
    (tmp_path / "src/tool").mkdir(parents=True)
    (tmp_path / "src/tool/__init__.py").write_text("__version__ = '1.dev5'\n")
    (tmp_path / "scene.py").write_text("import tool\n")
    code = """
        import json, sys; sys.path.append("src")
        from framepipe.job.sources import package_versions
        before = package_versions(["scene.py"])
        import tool
        print(json.dumps([before, package_versions(["scene.py"])]))
    """
    for versions in in_a_process(tmp_path, code):
        assert "tool" not in versions


def test_matplotlib_and_numpy_count_whenever_they_are_loaded():
    import matplotlib
    import numpy

    versions = package_versions([])
    assert versions == {"matplotlib": matplotlib.__version__, "numpy": numpy.__version__}
