"""docker-compose.yml without an engine: its services as processes, closed in as containers are.

Each runs its command, word for word, out of what the Dockerfile builds, in namespaces of its own for mounts
and hostname: root filesystem read-only, /tmp empty, secrets in /run/secrets, the image's user, no
capabilities. What a network would do is done by rewriting: hosts and ports, nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.support.processes import ROOT, Child

COMPOSE, DOCKERFILE = ROOT / "docker-compose.yml", ROOT / "Dockerfile"
UID = "10001"
# Where Debian has nginx and PostgreSQL's and Valkey's programs may be linked.
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_CLOSED = (
    "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs",
    "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all",
)  # fmt: skip


def why_not() -> str | None:
    """Why containers cannot be imitated here; None: they can."""
    if os.geteuid() != 0:
        return "only root can close a process in as a container is"
    if shutil.which("setpriv") is None or shutil.which("nsenter") is None:
        return "setpriv and nsenter (util-linux) are not installed"
    tried = ["unshare", "--mount", "--uts", "sh", "-c", "mount -t tmpfs tmpfs /tmp"]
    if subprocess.run(tried, capture_output=True, check=False).returncode != 0:
        return "this machine allows no namespaces"
    return None


def loaded() -> dict:
    """The file as YAML, anchors and merges resolved, no variable set."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text())
    return yaml.safe_load(text)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction of a Dockerfile with its arguments, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, arguments = line.strip().partition(" ")
        if name:
            yield name, arguments.strip()


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's stages, the builder first; what stands before the first FROM is left out."""
    found: list[list[tuple[str, str]]] = []
    for name, arguments in instructions(DOCKERFILE.read_text()):
        if name == "FROM":
            found.append([])
        elif found:
            found[-1].append((name, arguments))
    return found


def image_environment() -> dict[str, str]:
    """ENV of the image itself."""
    given = " ".join(arguments for name, arguments in stages()[-1] if name == "ENV")
    env = dict(part.split("=", 1) for part in shlex.split(given))
    return env | {"PATH": env["PATH"].replace("$PATH", SYSTEM_PATH)}


def context(folder: Path) -> None:
    """Copy what .dockerignore lets into the build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (line[1:] for line in lines if line.startswith("!")):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)


def build(folder: Path) -> Path:
    """The builder's steps, as they stand in the Dockerfile; what would be /opt/vigil.

    Left out: Debian's packages, which the machine has.
    """
    made, work, beside = folder / "opt" / "vigil", folder / "build", folder / "beside"
    for new in (made, work, beside / "vigil"):
        new.mkdir(parents=True)
    # At its own place, for scripts name their interpreter; what else lies in /opt stays.
    place = (
        f"mount -t overlay overlay -o lowerdir={beside}:/opt /opt; mount --bind {made} /opt/vigil"
    )
    # An editable checkout on the path would hide what the image lacks.
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    for name, arguments in stages()[0]:
        if name == "COPY":
            context(work)
        elif name == "RUN" and "apt-get" not in arguments:
            script = f"{place}\n{arguments}"
            done = subprocess.run(
                ["unshare", "--mount", "sh", "-ec", script],
                cwd=work, env=env, text=True, capture_output=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-3000:]
    return made


@dataclass
class Container:
    """One service as a process; `rewrite` maps hosts and ports of its command to those here."""

    service: str
    image: Path
    folder: Path
    secrets: Path
    rewrite: Mapping[str, str]
    extra: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None  # for /etc/vigil
    programs: Path | None = None  # more programs, before the system's
    more: Sequence[str] = ()  # arguments that only this machine needs
    more_secrets: Sequence[str] = ()  # of a second compose file
    child: Child | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.service}.log"

    @property
    def definition(self) -> dict:
        return loaded()["services"][self.service]

    def command(self) -> list[str]:
        """Entrypoint and command of the file."""
        words = [*self.definition.get("entrypoint", []), *self.definition["command"]]
        return [*(self._here(str(word)) for word in words), *self.more]

    def _here(self, word: str) -> str:
        for there, here in self.rewrite.items():
            word = word.replace(there, here)
        return word

    def environment(self) -> dict[str, str]:
        """The image's, the file's, and nothing of ours."""
        env = {name: str(text) for name, text in self.definition.get("environment", {}).items()}
        known = {**image_environment(), **env, **self.extra}
        return known | {"PATH": f"/opt/programs:{known['PATH']}"}

    def start(self) -> Container:
        """Run it; what it says stands in `log`."""
        self.log.touch()
        self.log.chmod(0o666)  # as an engine gives a container its standard output
        inside = ["env", "-i", *pairs(self.environment()), *_CLOSED, *self.command()]
        script = "\n".join([*self._walls(), f"cd /opt/vigil && exec {shlex.join(inside)}"])
        self.child = Child(["unshare", "--mount", "--uts", "sh", "-ec", script], {}, self.log)
        self.child.start()
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self.child is not None
        assert self.child.process is not None
        return self.child.process

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What `docker compose exec` would."""
        entered = ["nsenter", f"--target={self.process.pid}", "--mount", "--uts"]
        inside = ["env", "-i", *pairs(self.environment()), *_CLOSED, *command]
        words = [*entered, "sh", "-c", f"cd /opt/vigil && exec {shlex.join(inside)}"]
        return subprocess.run(words, text=True, capture_output=True, check=False)

    def says(self, text: str) -> bool:
        """Whether it has said so; it must still run."""
        said = self.log.read_text()
        assert self.process.poll() is None, f"{self.service} ended:\n{said[-3000:]}"
        return text in said

    def healthy(self) -> bool:
        """Its own health check, word for word."""
        self.says("")
        kind, *words = (self._here(word) for word in self.definition["healthcheck"]["test"])
        command = ["sh", "-c", words[0].replace("$$", "$")] if kind == "CMD-SHELL" else words
        return self.run(*command).returncode == 0

    def _walls(self) -> Iterator[str]:
        """The shell that makes them, run as root in namespaces of its own."""
        base = Path(sys.base_prefix)
        yield f"hostname {self.service}"
        yield "mount -t tmpfs tmpfs /opt; mkdir /opt/vigil /opt/python /opt/programs"
        yield f"mount --bind {self.image} /opt/vigil; mount --bind {base} /opt/python"
        if self.programs is not None:
            yield f"mount --bind {self.programs} /opt/programs"
        if base.is_relative_to("/root"):  # its own user's alone
            yield f"mount -t tmpfs -o mode=755 tmpfs /root; mkdir -p {base}"
            yield f"mount --bind /opt/python {base}"
        if self.config is not None:
            yield f"mount -t overlay overlay -o lowerdir={self.config}:/etc /etc"
        yield "mount -t tmpfs -o mode=755 tmpfs /run; mkdir /run/secrets"
        for name in [*self.definition.get("secrets", []), *self.more_secrets]:  # no other
            yield f"touch /run/secrets/{name}; mount --bind {self.secrets}/{name} /run/secrets/{name}"
        yield "mount -t tmpfs -o mode=1777 tmpfs /srv"  # stands for the broker's volume
        yield "mount -t tmpfs -o mode=1777 tmpfs /tmp"
        yield "mount -o remount,ro,bind /"

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()


def pairs(env: Mapping[str, str]) -> list[str]:
    return [f"{name}={text}" for name, text in env.items()]
