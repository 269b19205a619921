"""Sign files, to tell a ``job.json`` written by this account from one that came from elsewhere.

``framepipe resume`` loads the script that ``job.json`` names. A folder unpacked from a stranger's
archive must not be able to choose what runs, so the file carries an HMAC (RFC 2104) under a key
that only this account can read. Without a valid signature the user must name the scene.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framepipe.core import files

_KEY_BYTES = 32
_KEY_FILES = 10


def state_folder() -> Path:
    """Return the folder for what this account keeps between runs (XDG Base Directory Specification).

    Raises
    ------
    RuntimeError
        The account has no home.
    """
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "framepipe"


def _key_files() -> list[Path]:
    """List the key's file, and the spare ones to use where one before is damaged.

    None is ever deleted or overwritten: two processes that both find it damaged would else delete each
    other's new key, and what was signed in between would no longer be valid.
    """
    base = state_folder()
    return [base / "seal.key", *(base / f"seal-{count}.key" for count in range(1, _KEY_FILES))]


def _key(create: bool) -> bytes | None:
    with contextlib.suppress(OSError, RuntimeError):  # no home, or one that cannot be written
        for path in _key_files():
            if not os.path.lexists(path):
                if not create:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _create(path)
            if key := _read(path):
                return key
    return None


def _read(path: Path) -> bytes | None:
    """Read the key in a file; None if it is damaged (emptied by a power cut, truncated by a full disk)."""
    if not path.is_file() or path.stat().st_size != _KEY_BYTES:
        return None
    return files.read_file(path, _KEY_BYTES)


def _create(path: Path) -> None:
    """Create the key file; if two processes do it at once, the first one's stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _digest(data: Mapping[str, Any], key: bytes) -> str:
    text = json.dumps({k: v for k, v in data.items() if k != "seal"}, sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def sign(data: Mapping[str, Any]) -> str:
    """Sign JSON data: the signature, empty where this account has nowhere to keep a key."""
    key = _key(create=True)
    return _digest(data, key) if key else ""


def is_valid(data: Mapping[str, Any], signature: object) -> bool:
    """True if ``signature`` is the one that this account gives ``data``."""
    key = _key(create=False)
    return bool(key and isinstance(signature, str) and hmac.compare_digest(_digest(data, key), signature))
