"""Digests of the code that counts: the used parts of local sources, versions of installed packages."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framepipe.job.contents import source_text
from framepipe.job.fingerprint import digest_file
from framepipe.job.places import OWN, classify, is_below, is_installed

_Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Decorators that do not register what they decorate: an unused function of theirs has no effect.
_PURE_DECORATORS = _set(
    "abstractmethod asynccontextmanager cache cached_property cfunc classmethod contextmanager dataclass "
    "deprecated final getter guvectorize jit lru_cache njit no_type_check overload override profile "
    "property runtime_checkable setter singledispatch singledispatchmethod staticmethod stencil "
    "total_ordering typechecked unique vectorize vmap wraps"
)
#: Calls in defaults and class bodies without side effects.
_PURE_CALLS = _set(
    "Fraction Path TypeVar array asarray auto bool bytes complex dict enumerate field float frozenset int "
    "len linspace list max min namedtuple object ones property range round set sorted str sum tuple zeros zip"
)
#: With these a program can reach any name of its file, and of the modules that it imports.
_REACHES_ANY = _set("__import__ eval exec globals import_module importlib locals runpy vars")
#: With these a class can be reached through its base.
_SUBCLASS_NAMES = frozenset(("__init_subclass__", "__prepare__", "__subclasses__", "metaclass"))
_DOCSTRING_NAMES = frozenset(("__doc__", "getdoc"))


def used_source_digests(paths: Iterable[str | Path], roots: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each local source, without its unused parts.

    All statements at the top level count. A function or class counts if its name occurs in code that
    counts, in any of the files: as a name, an attribute, a keyword, in an import, or as a string; or if a
    decorator, a default or its class body may have side effects when it is defined. Methods count with
    their class. Comments, white space, docstrings (unless ``__doc__`` occurs) and the position of a
    function in its file do not count. If code can reach names that do not occur in it (``eval``,
    ``globals()``, ``getattr`` with a computed name), its whole file counts, and the local files that it
    imports.

    Parameters
    ----------
    paths : iterable of path-like
        The sources, as from `local_modules`. A file that is not Python counts by its bytes, and so does one
        with syntax errors.
    roots : iterable of str
        Names of the scene's functions; qualified ones too (``Scene.draw``).

    Returns
    -------
    dict of str to str
        ``path -> digest``; "absent" for a missing file, or "unreadable".
    """
    files = [_SourceFile.read(str(path)) for path in dict.fromkeys(map(str, paths))]
    _mark_used([each for each in files if each.digest is None], set(_words(".".join(roots))))
    return {each.path: each.digest or each.digest_of_used() for each in files}


def _words(text: str) -> Iterator[str]:
    """Yield the identifiers of a dotted name."""
    return (word for word in text.split(".") if word.isidentifier())


@dataclass
class _Part:
    """One statement at the top level of a file."""

    node: ast.stmt
    used: bool
    name: str = ""  #: of a definition that can be omitted

    @functools.cached_property
    def identifiers(self) -> frozenset[str]:
        return frozenset(_identifiers(self.node))


@dataclass
class _SourceFile:
    path: str
    parts: list[_Part] = field(default_factory=list)
    digest: str | None = None  #: if it is not computed from the parts
    docstrings: bool = False

    @classmethod
    def read(cls, path: str) -> _SourceFile:
        place = Path(path)
        try:
            if not place.is_file():
                return cls(path, digest="absent")
            if place.suffix not in (".py", ".pyw", ""):
                return cls(path, digest=digest_file(place))
            data = place.read_bytes()
        except OSError:
            return cls(path, digest="unreadable")
        try:
            tree = ast.parse(source_text(data))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cls(path, digest=hashlib.sha256(data).hexdigest())
        return cls(path, [_Part(node, True) for node in tree.body])

    @property
    def identifiers(self) -> frozenset[str]:
        """The identifiers of the used parts."""
        return frozenset().union(*(part.identifiers for part in self.parts if part.used))

    def definitions(self) -> Iterator[_Part]:
        return (part for part in self.parts if isinstance(part.node, _Definition))

    def is_named_in(self, names: Container[str]) -> bool:
        """True if one of these module names may be this file's."""
        place = Path(self.path)
        return place.stem in names or (place.stem == "__init__" and place.parent.name in names)

    def digest_of_used(self) -> str:
        """Digest the used parts: statements in their order, then definitions by name."""
        used = [part for part in self.parts if part.used]
        moved = sorted((part for part in used if part.name), key=lambda part: part.name)
        nodes = [part.node for part in used if not part.name] + [part.node for part in moved]
        try:
            module = ast.Module(nodes, [])
            text = ast.unparse(module if self.docstrings else _StripDocstrings().visit(module))
        except RecursionError:
            return digest_file(Path(self.path))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _StripDocstrings(ast.NodeTransformer):
    """Removes docstrings, and other strings that are statements."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Replace a string statement by ``pass``."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.copy_location(ast.Pass(), node) if is_text else node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Remove ``pass`` next to other statements."""
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            rest = [each for each in body if not isinstance(each, ast.Pass)]
            node.body = rest or (body[:1] if not isinstance(node, ast.Module) else [])  # type: ignore[attr-defined]
        return node


def _mark_used(files: Sequence[_SourceFile], roots: set[str]) -> None:
    """Mark the used parts of all files together, beginning at the top level."""
    _name_omittable_parts(files)
    names: set[str] = set()
    while True:
        names = roots.union(*(each.identifiers for each in files))
        unused = [part for each in files for part in each.parts if not part.used]
        for part in unused:
            part.used = part.name in names
        for each in files:
            _mark_reached(each, files)
        if not any(part.used for part in unused):
            break
    for each in files:
        each.docstrings = bool(names & _DOCSTRING_NAMES)


def _name_omittable_parts(files: Sequence[_SourceFile]) -> None:
    defined = {part.node.name for each in files for part in each.definitions()}  # type: ignore[attr-defined]
    mentions = frozenset().union(*(part.identifiers for each in files for part in each.parts))
    subclasses_count = bool(mentions & _SUBCLASS_NAMES)
    for each in files:
        for part in each.parts:
            node = part.node
            if isinstance(node, _Definition) and _has_no_effect(node, defined, subclasses_count):
                part.name = node.name
                part.used = node.name.startswith("__") and node.name.endswith("__")  # Python itself calls it
            elif isinstance(node, ast.Assign) and [_last_name(target) for target in node.targets] == [
                "__all__"
            ]:
                part.name, part.used = "__all__", False  # for `import *`, for which the whole file counts


def _mark_reached(file: _SourceFile, files: Sequence[_SourceFile]) -> None:
    """Mark whole files if the used parts of ``file`` can reach any of their names."""
    used = [part.node for part in file.parts if part.used]
    stars = {name for node in used for name in _star_imports(node)}
    reached = [each for each in files if each is not file and each.is_named_in(stars)]
    if any(_reaches_any(node) for node in used):
        modules = {name for node in used for name in _imported_words(node)}
        reached += [file, *(each for each in files if each.is_named_in(modules))]
    for each in reached:
        for part in each.parts:
            part.used = True


def _has_no_effect(node: ast.stmt, defined: set[str], subclasses_count: bool) -> bool:
    """True for a function or class whose definition has no side effects, so that it can be omitted."""
    assert isinstance(node, _Definition)
    if not all(_is_pure(decorator, defined) for decorator in node.decorator_list):
        return False
    if not isinstance(node, ast.ClassDef):
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        return not any(_calls(default, defined) for default in defaults)
    if node.keywords or (node.bases and subclasses_count):
        return False
    if any(_calls(base, defined) for base in node.bases):
        return False
    return all(
        _has_no_effect(each, defined, subclasses_count)
        if isinstance(each, _Definition)
        else isinstance(each, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass)) and not _calls(each, defined)
        for each in node.body
    )


def _is_pure(decorator: ast.expr, defined: set[str]) -> bool:
    if isinstance(decorator, ast.Call):
        if _last_name(decorator.func) == "partial" and decorator.args:  # @partial(jit, …)
            return _is_pure(decorator.args[0], defined)
        return _is_pure(decorator.func, defined) and not any(
            _calls(each, defined) for each in [*decorator.args, *(word.value for word in decorator.keywords)]
        )
    name = _last_name(decorator)
    return name in _PURE_DECORATORS and name not in defined


def _calls(node: ast.AST, defined: set[str]) -> bool:
    """True if a call in it may have side effects."""
    inner = list(ast.walk(node))
    if any(isinstance(each, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)) for each in inner):
        return True
    calls = (_last_name(each.func) for each in inner if isinstance(each, ast.Call))
    return any(name not in _PURE_CALLS or name in defined for name in calls)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _identifiers(node: ast.AST) -> Iterator[str]:
    """Yield all identifiers that occur below a node, but not the name that it defines itself."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr
        elif isinstance(each, ast.keyword) and each.arg:
            yield each.arg
        elif isinstance(each, ast.alias):
            yield from _words(each.name)
            yield each.asname or ""
        elif isinstance(each, ast.ImportFrom):
            yield from _words(each.module or "")
        elif isinstance(each, ast.Constant) and isinstance(each.value, str) and len(each.value) < 200:
            yield from _words(each.value)
        elif isinstance(each, (ast.Global, ast.Nonlocal)):
            yield from each.names
        elif isinstance(each, _Definition) and each is not node:
            yield each.name


def _reaches_any(node: ast.AST) -> bool:
    for each in ast.walk(node):
        if isinstance(each, (ast.Name, ast.Attribute)) and _last_name(each) in _REACHES_ANY:
            if not _is_method_of_data(each):
                return True
        elif isinstance(each, ast.Attribute) and each.attr == "__dict__":
            return True
        if isinstance(each, ast.alias) and set(each.name.split(".")) & _REACHES_ANY:
            return True
        if isinstance(each, ast.Call) and _last_name(each.func) == "getattr" and len(each.args) > 1:
            name = each.args[1]
            if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                return True
    return False


def _is_method_of_data(node: ast.expr) -> bool:
    """True for a method such as pandas' ``frame.eval("a + b")``, which is not ``eval``."""
    if not isinstance(node, ast.Attribute) or node.attr not in ("eval", "exec", "vars", "locals", "globals"):
        return False
    return not (isinstance(node.value, ast.Name) and node.value.id in ("builtins", "__builtins__"))


def _star_imports(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.ImportFrom) and any(alias.name == "*" for alias in each.names):
            yield (each.module or "__init__").rpartition(".")[2]


def _imported_words(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, (ast.Import, ast.ImportFrom)):
            yield from _words(getattr(each, "module", None) or "")
            for alias in each.names:
                yield from _words(alias.name)


def local_modules() -> tuple[Path, ...]:
    """List the files of all loaded modules that are neither installed nor Python's or framepipe's own.

    They are sorted, and include the script itself while it is ``__main__``, and compiled modules.
    """
    paths = {path for module in list(sys.modules.values()) if (path := _file_of(module))}
    return tuple(Path(path) for path in sorted(paths) if _is_local(path) and Path(path).is_file())


def _file_of(module: Any) -> str | None:
    try:
        path = vars(module).get("__file__")
    except TypeError:  # something else in place of a module
        return None
    return os.path.abspath(path) if isinstance(path, str) else None


def _is_local(path: str) -> bool:
    return classify(path) != "ignored"


def package_versions(sources: Iterable[str | Path]) -> dict[str, str]:
    """Return versions of the installed packages that local sources import, nested imports too.

    Parameters
    ----------
    sources : iterable of path-like
        Python files, as from `local_modules`.

    Returns
    -------
    dict of str to str
        ``package -> version``. matplotlib and numpy are included whenever they are loaded; the standard
        library, framepipe and packages installed as editable, whose files count by content, never are.
    """
    names: set[str] = {name for name in ("matplotlib", "numpy") if name in sys.modules}
    for source in sources:
        names |= _imported_packages(Path(source))
    versions = {name: _version_of(name) for name in sorted(names) if name not in _NOT_PACKAGES}
    return {name: version for name, version in versions.items() if version is not None}


_NOT_PACKAGES = frozenset((*sys.stdlib_module_names, "__main__", "framepipe"))


def _imported_packages(source: Path) -> set[str]:
    try:
        tree = ast.parse(source_text(source.read_bytes())) if source.suffix in (".py", ".pyw", "") else None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names - {""}


def _version_of(name: str) -> str | None:
    """Return the version of a package if it is installed, and not as editable."""
    module = sys.modules.get(name)
    paths = _paths_of(name) if module is None else [_file_of(module) or "", *_folders_of(module)]
    if not any(path and is_installed(path) and not is_below(path, OWN) for path in paths):
        return None
    version = vars(module).get("__version__") if module is not None else None
    return version if isinstance(version, str) else _version_by_metadata(name)


def _folders_of(module: Any) -> list[str]:
    try:
        return [str(folder) for folder in getattr(module, "__path__", ())]
    except Exception:  # whatever a lazy module raises
        return []


def _paths_of(name: str) -> list[str]:
    """Find the paths of a package that is not loaded; empty if it is missing."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return []
    if spec is None:
        return []
    return [path for path in (spec.origin, *(spec.submodule_search_locations or ())) if path]


def _version_by_metadata(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        pass
    owners = sorted(set(_owners().get(name, ())))  # yaml is PyYAML's, mpl_toolkits matplotlib's
    versions = [f"{owner} {importlib.metadata.version(owner)}" for owner in owners]
    return ", ".join(versions) or None


@functools.cache
def _owners() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())
