"""Settings: what is read, what is refused and how, and that the documentation says the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from services.config import VARIABLES, Settings
from services.errors import ConfigError

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def test_without_any_variable_everything_has_a_default() -> None:
    settings = Settings.from_env({})
    assert settings.data == Path(".vigil").absolute()
    assert settings.database_url == f"sqlite:///{settings.data}/vigil.db"
    assert settings.broker_url is None
    assert settings.admin_key is None
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 1)
    assert not settings.webhook_allow_private


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("VIGIL_DATABASE_URL", "mysql://host/db"),
        ("VIGIL_DATABASE_URL", "postgresql://host/db"),
        ("VIGIL_DATABASE_URL", "sqlite:///:memory:"),
        ("VIGIL_BROKER_URL", "localhost:6379"),
        ("VIGIL_ADMIN_KEY", "short"),
        ("VIGIL_SMTP_URL", "mail.example.org"),
        ("VIGIL_SMTP_URL", "smtp://:25"),
        ("VIGIL_SMTP_URL", "smtp://mail.example.org:99999"),
        ("VIGIL_MAIL_FROM", "vigil"),
        ("VIGIL_MAIL_FROM", "a@b, c@d"),
        ("VIGIL_PUBLIC_URL", "vigil.example.org"),
        ("VIGIL_PUBLIC_URL", "https://vigil.example.org/?x=1"),
        ("VIGIL_LOG_LEVEL", "loud"),
        ("VIGIL_METRICS_OPEN", "maybe"),
        ("VIGIL_WEBHOOK_ALLOW_PRIVATE", "true"),
        ("VIGIL_WEBHOOK_TRUSTED", "receiver"),
        ("VIGIL_WORKERS", "0"),
        ("VIGIL_WORKERS", "two"),
        ("VIGIL_HOST", "host.example"),
        ("VIGIL_PORT", "65536"),
        ("VIGIL_PORT", "-1"),
        ("VIGIL_PROTOCOLS", "/no/such/directory"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_was_expected(name: str, wrong: str) -> None:
    expected = next(variable.expected for variable in VARIABLES if variable.name == name)
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({name: wrong})
    assert str(refused.value) == f"{name}: expected {expected}"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef\n")
    settings = Settings.from_env({"VIGIL_ADMIN_KEY_FILE": str(tmp_path / "key")})
    assert settings.admin_key == "0123456789abcdef"


def test_children_read_what_the_parent_hands_them(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "VIGIL_DATA": str(tmp_path),
            "VIGIL_ADMIN_KEY": "0123456789abcdef",
            "VIGIL_PORT": "0",
            "VIGIL_METRICS_OPEN": "1",
            "VIGIL_WEBHOOK_TRUSTED": "127.0.0.1:9,receiver:80",
        }
    )
    assert Settings.from_env(settings.as_env()) == settings


def test_a_relative_database_is_the_same_file_for_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"VIGIL_DATABASE_URL": "sqlite:///here.db"})
    assert settings.database_url == f"sqlite:///{tmp_path}/here.db"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="VIGIL_ADMIN_KEY_FILE: expected a file"):
        Settings.from_env({"VIGIL_ADMIN_KEY_FILE": str(tmp_path / "none")})


def test_a_value_and_a_file_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("1")
    with pytest.raises(ConfigError, match="not both"):
        Settings.from_env({"VIGIL_PORT": "1", "VIGIL_PORT_FILE": str(tmp_path / "port")})


def test_a_mistyped_name_is_refused_and_somebody_elses_is_not() -> None:
    with pytest.raises(ConfigError, match=r"VIGIL_DATABSE_URL: .*VIGIL_DATABASE_URL"):
        Settings.from_env({"VIGIL_DATABSE_URL": "sqlite:///x"})
    Settings.from_env({"VIGIL_BUILD_NUMBER": "7", "PATH": "/bin"})


def test_a_complaint_never_quotes_a_secret() -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({"VIGIL_DATABASE_URL": "mysql://user:hunter2@host/db"})
    assert "hunter2" not in str(refused.value)


def test_every_variable_is_a_field_and_every_field_a_variable() -> None:
    fields = {f"VIGIL_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    assert fields == {variable.name for variable in VARIABLES}


def test_the_documentation_has_the_same_table() -> None:
    rows = re.findall(
        r"^\| `(VIGIL_\w+)` \| (.*) \| (.*) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    assert rows == [dataclasses.astuple(variable) for variable in VARIABLES]
