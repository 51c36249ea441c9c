"""Which processes make up the service, and how each is started.

Who comes in: the supervisor. Who goes out: plans. Children read the same settings as the supervisor
did, handed on as variables, and run in the data directory, where no file can shadow a module.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator

from services.config import Settings
from services.supervisor.children import Plan

_OWN = {
    # No file of the directory we stand in can pose as a module.
    "PYTHONSAFEPATH": "1",
    # Celery warns root at every start; who runs us as root has been told so by others.
    "PYTHONWARNINGS": "ignore::UserWarning:celery.platforms",
}


def environment(settings: Settings) -> dict[str, str]:
    """Ours without its VIGIL_*, then the settings as they were read."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("VIGIL_")}
    return {**inherited, **_OWN, **settings.as_env()}


def python(name: str, settings: Settings, *arguments: str) -> Plan:
    """A process of this very interpreter."""
    command = [sys.executable, *arguments]
    return Plan(name, command, environment(settings), settings.data)


def preparation(settings: Settings, descriptor: int, *, demo: bool) -> Plan:
    """Schema, keys, then a byte through `descriptor`, then the trials; once."""
    arguments = [str(descriptor), *(["--demo"] if demo else [])]
    plan = python("preparation", settings, "-m", "services.supervisor.preparation", *arguments)
    return dataclasses.replace(plan, descriptors=(descriptor,), keep=False, chatty=True)


def api(settings: Settings, descriptor: int) -> Plan:
    """The HTTP door, on the socket that listens already."""
    configuration = "python:services.supervisor.gunicorn_settings"
    arguments = ("-m", "gunicorn", "-c", configuration, "--bind", f"fd://{descriptor}")
    plan = python("api", settings, *arguments, "api:create_app()")
    return dataclasses.replace(plan, descriptors=(descriptor,))


def stream(settings: Settings) -> Plan:
    """Who holds the open streams, on a socket in the data directory."""
    return python("stream", settings, "-m", "services.live")


def workers(settings: Settings) -> Iterator[Plan]:
    """Those that evaluate, the one that delivers, and the scheduler, which needs a broker."""
    for number in range(1, settings.workers + 1):
        yield python(f"evaluate-{number}", settings, "-m", "worker", "evaluate")
    yield python("deliver", settings, "-m", "worker", "deliver")
    if settings.broker_url is not None:
        yield python("scheduler", settings, "-m", "worker", "scheduler")


def demo(settings: Settings, url: str, descriptor: int) -> Plan:
    """The story and its receiver; it is told once, so nobody starts it again."""
    arguments = ("-m", "services.demo", url, str(descriptor))
    plan = python("demo", settings, *arguments)
    return dataclasses.replace(plan, descriptors=(descriptor,), keep=False, chatty=True)
