"""Settings: everything that the surroundings may say, read once and checked.

Who comes in: the environment, by the doors and `vigil`. Who goes out: a frozen `Settings`.
`VARIABLES` is the table that docs/configuration.md shows; a test holds the two together.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from services.errors import ConfigError

T = TypeVar("T")

DATABASE_SCHEMES = ("sqlite", "postgresql+psycopg")
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps")
LOG_LEVELS = ("debug", "info", "warning", "error")
# The kernel takes 107 for the path of a unix socket; who binds one may add a suffix meanwhile.
LONGEST_SOCKET_BYTES = 90
# An e-mail address as every server takes it: ASCII, no quotes, no comments.
MAILBOX = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
SMTP_SCHEMES = ("smtp", "smtp+starttls", "smtps")


@dataclass(frozen=True)
class Variable:
    """One setting as a person reads it: its name, what happens without it, what it may be."""

    name: str
    default: str
    expected: str
    meaning: str


VARIABLES = (
    Variable(
        "VIGIL_DATA",
        "./.vigil",
        "a directory",
        "Where the embedded broker and database, `keys.json` and `run.json` live.",
    ),
    Variable(
        "VIGIL_DATABASE_URL",
        "SQLite file `vigil.db` in the data directory",
        "sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
        "The store, which is the truth.",
    ),
    Variable(
        "VIGIL_BROKER_URL",
        "embedded, under `vigil up`",
        "a URL of redis://, rediss://, redis+socket://, sentinel://, amqp:// or amqps://",
        "The doorbell. Without one the sweep alone moves events on.",
    ),
    Variable(
        "VIGIL_ADMIN_KEY",
        "none",
        "at least 16 characters without spaces",
        "An API key with every role, person `admin`, for bootstrapping.",
    ),
    Variable(
        "VIGIL_SMTP_URL",
        "none",
        "smtp://[USER:PASSWORD@]HOST[:PORT], smtp+starttls://... or smtps://...",
        "The mail server; without one there is no e-mail. `smtp` takes TLS where it is offered, "
        "and gives a password only over TLS or to this machine.",
    ),
    Variable(
        "VIGIL_MAIL_FROM",
        "vigil@localhost, which servers elsewhere refuse",
        "an address: NAME@DOMAIN",
        "The sender of e-mail.",
    ),
    Variable(
        "VIGIL_PUBLIC_URL",
        "none",
        "http://HOST[:PORT][/PATH] or https://...",
        "Where people reach the page; e-mail then holds a link to the alert.",
    ),
    Variable("VIGIL_LOG_LEVEL", "info", "debug, info, warning or error", "How much is logged."),
    Variable("VIGIL_METRICS_OPEN", "0", "1 or 0", "1: `/metrics` answers without a key."),
    Variable(
        "VIGIL_WEBHOOK_ALLOW_PRIVATE",
        "0",
        "1 or 0",
        "1: webhooks may go to private, loopback and link-local addresses.",
    ),
    Variable(
        "VIGIL_WEBHOOK_TRUSTED",
        "none",
        "HOST:PORT, several parted by commas",
        "Webhook receivers that may have such an address all the same.",
    ),
    Variable("VIGIL_WORKERS", "1", "a whole number from 1 to 64", "How many processes evaluate."),
    Variable(
        "VIGIL_HOST",
        "127.0.0.1",
        "an IP address or `localhost`",
        "The address that `vigil up` serves on.",
    ),
    Variable(
        "VIGIL_PORT",
        "8080",
        "a whole number from 0 to 65535",
        "Its port; 0 takes any that is free.",
    ),
    Variable(
        "VIGIL_PROXY_HOPS",
        "0",
        "a whole number from 0 to 8",
        "How many proxies of yours stand before the API: "
        "so many `X-Forwarded-For` and `-Proto` are believed.",
    ),
    Variable(
        "VIGIL_PROTOCOLS",
        "`rules/protocols` of this installation",
        "an existing directory",
        "Whose `*.yaml` become live trials at the first start.",
    ),
    Variable(
        "VIGIL_STREAM_SOCKET",
        "none; `vigil up` sets its own",
        "a path of at most 90 bytes, in a directory that nobody else may enter",
        "Where the process of the open streams listens; without it the API holds them itself.",
    ),
)

_BY_NAME = {variable.name: variable for variable in VARIABLES}
# The line between a mistyped name and somebody else's variable.
_LIKENESS = 0.86


@dataclass(frozen=True)
class Settings:
    """What the whole service runs on. Holds secrets: never log it."""

    data: Path
    database_url: str
    broker_url: str | None
    admin_key: str | None
    smtp_url: str | None
    mail_from: str
    public_url: str | None
    log_level: str
    metrics_open: bool
    webhook_allow_private: bool
    webhook_trusted: frozenset[str]
    workers: int
    host: str
    port: int
    proxy_hops: int
    protocols: Path
    stream_socket: Path | None

    @staticmethod
    def from_env(env: Mapping[str, str]) -> Settings:
        """Read `VIGIL_*` and `VIGIL_*_FILE`. Raises ConfigError naming the variable."""
        _refuse_mistyped(env)
        data = Path(_read(env, "VIGIL_DATA") or ".vigil").expanduser().absolute()
        return Settings(
            data=data,
            database_url=_checked(env, "VIGIL_DATABASE_URL", _database)
            or f"sqlite:///{data / 'vigil.db'}",
            broker_url=_checked(env, "VIGIL_BROKER_URL", _broker),
            admin_key=_checked(env, "VIGIL_ADMIN_KEY", _key),
            smtp_url=_checked(env, "VIGIL_SMTP_URL", _smtp),
            mail_from=_checked(env, "VIGIL_MAIL_FROM", _mailbox) or "vigil@localhost",
            public_url=_checked(env, "VIGIL_PUBLIC_URL", _public),
            log_level=_checked(env, "VIGIL_LOG_LEVEL", _level) or "info",
            metrics_open=_checked(env, "VIGIL_METRICS_OPEN", _boolean) or False,
            webhook_allow_private=_checked(env, "VIGIL_WEBHOOK_ALLOW_PRIVATE", _boolean) or False,
            webhook_trusted=_checked(env, "VIGIL_WEBHOOK_TRUSTED", _addresses) or frozenset(),
            workers=_checked(env, "VIGIL_WORKERS", lambda text: _whole(text, 1, 64)) or 1,
            host=_checked(env, "VIGIL_HOST", _host) or "127.0.0.1",
            port=_or(_checked(env, "VIGIL_PORT", lambda text: _whole(text, 0, 65535)), 8080),
            proxy_hops=_checked(env, "VIGIL_PROXY_HOPS", lambda text: _whole(text, 0, 8)) or 0,
            protocols=_checked(env, "VIGIL_PROTOCOLS", _directory) or _own_protocols(),
            stream_socket=_checked(env, "VIGIL_STREAM_SOCKET", _socket),
        )

    def as_env(self) -> dict[str, str]:
        """The variables that say all this again: what a parent hands to its children."""
        named = {variable.name: self._text(variable.name) for variable in VARIABLES}
        return {name: text for name, text in named.items() if text}

    def _text(self, name: str) -> str:
        value = getattr(self, name.removeprefix("VIGIL_").lower())
        if isinstance(value, frozenset):
            return ",".join(sorted(value))
        return "" if value is None else str(int(value) if isinstance(value, bool) else value)


def _own_protocols() -> Path:
    """The protocols that came with this installation."""
    return Path(__file__).resolve().parent.parent / "rules" / "protocols"


def _or(value: int | None, default: int) -> int:
    """`value or default`, but 0 is a value."""
    return default if value is None else value


def _refuse_mistyped(env: Mapping[str, str]) -> None:
    """A setting that is silently ignored is worse than a start that stops."""
    known = [*_BY_NAME, *(f"{name}_FILE" for name in _BY_NAME)]
    for name in sorted(env):
        if not name.startswith("VIGIL_") or name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS)
        if near:
            raise ConfigError(f"{name}: no such setting; expected {near[0]}")


def _read(env: Mapping[str, str], name: str) -> str | None:
    """The variable's text, or its file's without the line end; None if there is none."""
    direct, path = env.get(name), env.get(f"{name}_FILE")
    if direct and path:
        raise ConfigError(f"{name}: expected either {name} or {name}_FILE, not both")
    if not path:
        return direct or None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{name}_FILE: expected a file that can be read ({type(error).__name__})"
        ) from error


def _checked(env: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T | None:
    """What `parse` makes of the variable; a complaint never quotes it (it may be a secret)."""
    text = _read(env, name)
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{name}: expected {_BY_NAME[name].expected}") from error


def _url(text: str, schemes: tuple[str, ...]) -> str:
    scheme, mark, rest = text.partition("://")
    if not mark or not rest or scheme not in schemes or re.search(r"\s", text):
        raise ValueError(scheme)
    return text


def _database(text: str) -> str:
    """A relative SQLite path is made absolute: every process means the same file."""
    scheme, _, rest = _url(text, DATABASE_SCHEMES).partition("://")
    if scheme != "sqlite":
        return text
    if not rest.startswith("/") or rest[1:] in {"", ":memory:"}:
        raise ValueError(text)
    return f"sqlite:///{Path(rest[1:]).expanduser().absolute()}"


def _broker(text: str) -> str:
    return _url(text, BROKER_SCHEMES)


def _smtp(text: str) -> str:
    parts = urlsplit(_url(text, SMTP_SCHEMES))
    if not parts.hostname or parts.port == 0 or parts.path.strip("/") or parts.query:
        raise ValueError("smtp")
    return text


def _mailbox(text: str) -> str:
    if not re.fullmatch(MAILBOX, text):
        raise ValueError(text)
    return text


def _public(text: str) -> str:
    parts = urlsplit(_url(text, ("http", "https")))
    if not parts.hostname or parts.port == 0 or parts.query or parts.fragment:
        raise ValueError(text)
    return text.rstrip("/")


def _key(text: str) -> str:
    if not re.fullmatch(r"\S{16,}", text):
        raise ValueError("key")
    return text


def _level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(text)
    return text.lower()


def _boolean(text: str) -> bool:
    if text not in {"0", "1"}:
        raise ValueError(text)
    return text == "1"


def _whole(text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise ValueError(text)
    return int(text)


def _host(text: str) -> str:
    return text if text == "localhost" else str(ipaddress.ip_address(text))


def _addresses(text: str) -> frozenset[str]:
    addresses = frozenset(part.strip().lower() for part in text.split(","))
    if not all(re.fullmatch(r"\S+:\d{1,5}", address) for address in addresses):
        raise ValueError(text)
    return addresses


def _socket(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if len(os.fsencode(path)) > LONGEST_SOCKET_BYTES:
        raise ValueError(text)
    return path


def _directory(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise ValueError(text)
    return path
