"""A seal that tells a ``job.json`` written by this account from one that came from elsewhere.

``framepipe resume`` loads the script that ``job.json`` names. A folder unpacked from a stranger's
archive must not be able to name what is run, so the file carries an HMAC (RFC 2104) under a key
that only this account can read. Without a valid seal the user names the scene.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LENGTH = 32


def _key_file() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "framepipe" / "seal.key"


def _key(create: bool) -> bytes | None:
    path = _key_file()
    try:
        if create and (not path.exists() or path.stat().st_size != _LENGTH):
            path.unlink(missing_ok=True)  # a power cut may have left it empty
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(path)
        key = path.read_bytes()
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        return None
    return key if len(key) == _LENGTH else None


def _create(path: Path) -> None:
    """Make the key; when two processes do it at once, the first one's stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_LENGTH))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _sign(data: Mapping[str, Any], key: bytes) -> str:
    text = json.dumps({k: v for k, v in data.items() if k != "seal"}, sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def seal(data: Mapping[str, Any]) -> str:
    """The seal of JSON data; empty where this account has nowhere to keep a key."""
    key = _key(create=True)
    return _sign(data, key) if key else ""


def is_ours(data: Mapping[str, Any], given: object) -> bool:
    """True if ``given`` is the seal that this account puts on ``data``."""
    key = _key(create=False)
    return bool(key and isinstance(given, str) and hmac.compare_digest(_sign(data, key), given))
