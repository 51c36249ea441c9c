"""The data directory and the port: taken for one service, described while it runs.

Who comes in: the supervisor at start and end. Who goes out: a lock, a listening socket, run.json.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.config import LONGEST_SOCKET_BYTES
from services.errors import ConfigError, ServiceError

BACKLOG = 512
KEYS, RUN, SIGN_IN = "keys.json", "run.json", "sign_in"
ACCOUNT = ("name", "password")
# Role -> name and password.
SignIn = Mapping[str, Mapping[str, str]]


class PortTaken(ServiceError):
    """Somebody else serves on the port."""


class DirectoryTaken(ServiceError):
    """Another service runs on the data directory."""


def take(data: Path) -> int:
    """Lock `data`; the lock ends with this process, however it ends. Raises DirectoryTaken."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DirectoryTaken(f"VIGIL_DATA: {data} cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
        os.close(lock)
        who = f"process {holder} runs" if holder else "another service runs"
        raise DirectoryTaken(f"{who} on {data}; stop it or choose another --data") from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that nobody can take the port later. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = (
                f"port {port} of {host} is taken; stop what serves there or choose another --port"
            )
        else:
            text = f"cannot serve on port {port} of {host}: {error.strerror}"
        raise PortTaken(text) from error


def url_of(server: socket.socket) -> str:
    """The address that a browser takes."""
    host, port = server.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - named, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def describe(data: Path, url: str, keys: Mapping[str, str], sign_in: SignIn) -> None:
    """Write run.json: there is one while the service runs."""
    content = {"url": url, "keys": dict(keys), "sign_in": dict(sign_in), "pid": os.getpid()}
    write_private(data / RUN, content)


def forget(data: Path) -> None:
    """The service no longer runs."""
    (data / RUN).unlink(missing_ok=True)


def write_private(path: Path, content: object) -> None:
    """Write JSON whole or not at all, for the owner's eyes only."""
    draft = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_keys(data: Path) -> dict[str, str]:
    """The keys of the first start, by role; none before it. Raises ServiceError."""
    found = _read(data)
    keys = {role: key for role, key in found.items() if role != SIGN_IN}
    if not all(isinstance(key, str) for key in keys.values()):
        raise ServiceError(f"{data / KEYS} does not hold keys by role; mend or remove it")
    return keys


def read_sign_in(data: Path) -> SignIn:
    """The accounts of the first start, by role: name and password. Raises ServiceError."""
    found = _read(data).get(SIGN_IN, {})
    whole = isinstance(found, dict) and all(
        isinstance(account, dict)
        and isinstance(account.get("name"), str)
        and isinstance(account.get("password"), str)
        for account in found.values()
    )
    if not whole:
        raise ServiceError(f"{data / KEYS} does not hold accounts by role; mend or remove it")
    return {role: {name: account[name] for name in ACCOUNT} for role, account in found.items()}


def write_keys(data: Path, keys: Mapping[str, str], sign_in: SignIn) -> None:
    """Keep what the first start made."""
    write_private(data / KEYS, {**keys, SIGN_IN: dict(sign_in)})


def _read(data: Path) -> dict[str, Any]:
    """The whole file; nothing before the first start."""
    try:
        found = json.loads((data / KEYS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ServiceError(f"{data / KEYS} cannot be read; mend or remove it") from error
    if not isinstance(found, dict):
        raise ServiceError(f"{data / KEYS} does not hold keys by role; mend or remove it")
    return found


def socket_in(data: Path, wanted: Path) -> Path:
    """`wanted`, or a place with a shorter path, the same for the same data directory.

    Raises ConfigError where no socket can stand.
    """
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_BYTES:
        return wanted
    return _short_folder(data) / wanted.name


def remove_socket(path: Path, home: Path) -> None:
    """Leave nothing of a socket, nor of the short folder if it did not stand in `home`."""
    path.unlink(missing_ok=True)
    if path.parent != home:
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _short_folder(data: Path) -> Path:
    """A folder of ours with a short path, the same for the same data directory."""
    mark = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"vigil-{os.getuid()}-{mark}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(f"VIGIL_DATA: expected a shorter path ({folder} is somebody else's)")
    return folder
