"""Profiles: options of a cluster under a name, in the user's configuration or in the project's."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framepipe.core import files
from framepipe.errors import UsageError
from framepipe.options import SubmitOptions, options_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MAX_BYTES = 1_000_000
#: The profile that is used if none is named.
DEFAULT = "default"
_NOT_IN_PROFILES = ("profile", "load")


def with_profile(options: Mapping[str, Any], cwd: Path) -> dict[str, Any]:
    """Return options, completed with those of a profile.

    Parameters
    ----------
    options : mapping
        Keywords of `SubmitOptions` among others; None and empty ones count as not given.
    cwd : Path
        Where ``pyproject.toml`` is looked for, and in the folders above.

    Raises
    ------
    UsageError
        There is no such profile, or it is damaged, or has an unknown option.
    """
    name = options.get("profile")
    profiles = _profiles(cwd)
    if name is not None and name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"profile {name!r} is not in {user_file()}, nor in a pyproject.toml here; there: {known}"
        )
    source, profile = profiles.get(name or DEFAULT, (None, {}))
    allowed = [each for each in options_of(SubmitOptions) if each not in _NOT_IN_PROFILES]
    flags = {entry.metadata["flag"]: each for each, entry in options_of(SubmitOptions).items()}
    keywords = {flags.get(f"--{key}", key): value for key, value in profile.items()}
    for key in keywords:
        if key not in allowed:
            raise UsageError(
                f"{source}: profile {name or DEFAULT} has {key!r}; it may have {', '.join(allowed)}"
            )
    given = {key: value for key, value in options.items() if value not in (None, (), [], {})}
    try:
        SubmitOptions(**keywords)
    except (UsageError, TypeError) as error:
        raise UsageError(f"{source}: profile {name or DEFAULT}: {error}") from None
    return {**keywords, **given}


def user_file() -> Path:
    """Return the file of the user's profiles; it need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "framepipe" / "profiles.toml"


def _profiles(cwd: Path) -> dict[str, tuple[Path, Mapping[str, Any]]]:
    """Return all profiles and where each stands; the project's come before the user's."""
    found: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    project = next(
        (each / "pyproject.toml" for each in (cwd, *cwd.parents) if (each / "pyproject.toml").is_file()), None
    )
    tables: list[tuple[Path, tuple[str, ...]]] = [(user_file(), ())]
    tables += [(project, ("tool", "framepipe", "profiles"))] if project else []
    for path, keys in tables:
        table = _table(path, keys)
        for name, profile in table.items():
            if not isinstance(profile, dict):
                raise UsageError(f"{path}: {name} is not a profile: write [{'.'.join([*keys, 'NAME'])}]")
            found[name] = (path, profile)
    return found


def _table(path: Path, keys: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        table: Any = tomllib.loads(files.read_file(path, _MAX_BYTES).decode())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for key in keys:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return table if isinstance(table, dict) else {}
