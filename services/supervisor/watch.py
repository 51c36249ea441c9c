"""The life of `vigil up`: take the premises, start, watch, stop.

Who comes in: settings, and a listener that tells a person what happens. Who goes out: children.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Protocol

from services.config import Settings
from services.errors import ServiceError
from services.supervisor import premises, roles
from services.supervisor.children import Child, Plan, stop
from services.supervisor.embedded import EmbeddedBroker

TICK_S = 0.1
BROKER_S = 5.0
START_S = 60.0
STOP_S = 6.0
BROKER_STOP_S = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Listener(Protocol):
    """Who tells the person at the terminal."""

    def serving(
        self, url: str, keys: Mapping[str, str], sign_in: premises.SignIn, settings: Settings
    ) -> None:
        """Everything runs."""

    def died(self, name: str, status: int) -> None:
        """A child ended without being asked; it is started again."""

    def brokerless(self) -> None:
        """No broker could be started: the sweep does its work, slower."""

    def stopping(self) -> None:
        """Somebody asked for the end."""


class _Bell:
    """Whether somebody asked for the end, and how urgently."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self, _signal: int, _frame: FrameType | None) -> None:
        self.rung += 1


def up(settings: Settings, listener: Listener, *, demo: bool = False) -> int:
    """Run the service until a signal; the exit status. Raises ServiceError before it serves."""
    os.umask(0o077)  # subjects' data and keys are nobody else's to read
    with ExitStack() as stack:
        lock = premises.take(settings.data)
        stack.callback(os.close, lock)
        server = stack.enter_context(premises.listen(settings.host, settings.port))
        stack.callback(premises.forget, settings.data)
        premises.forget(settings.data)
        bell = stack.enter_context(_signals())
        return _Supervisor(settings, listener, bell, server, demo=demo).run()


@contextmanager
def _signals() -> Iterator[_Bell]:
    """Signals ring a bell while we run; children start with the defaults."""
    bell = _Bell()
    before = {name: signal.signal(name, bell.ring) for name in _SIGNALS}
    try:
        yield bell
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


class _Supervisor:
    """All children of one `vigil up`."""

    def __init__(
        self,
        settings: Settings,
        listener: Listener,
        bell: _Bell,
        server: socket.socket,
        *,
        demo: bool,
    ) -> None:
        self.settings = settings
        self.listener = listener
        self.bell = bell
        self.server = server
        self.demo = demo
        self.probe: socket.socket | None = None
        self.broker: Child | None = None
        self.preparation: Child | None = None
        self.children: list[Child] = []

    def run(self) -> int:
        """Start, serve, stop: in that order, whatever happens in between."""
        embedded: EmbeddedBroker | None = None
        try:
            if self.settings.broker_url is None:
                embedded = EmbeddedBroker(self.settings.data)
                self._start_broker(embedded)
            self._place_streams()
            with ExitStack() as stack:
                receiver = self._receiver(stack)
                if self._prepare() and self._start_all():
                    self._serve(receiver)
            return 0
        finally:
            self._stop()
            if self.settings.stream_socket is not None:
                premises.remove_socket(self.settings.stream_socket, self.settings.data)
            if embedded is not None:
                embedded.clean_up()

    def _start_broker(self, embedded: EmbeddedBroker) -> None:
        """Run our own broker, or go on without one and say so."""
        plan = embedded.plan()
        if plan is not None:
            self.broker = Child(plan)
            self.broker.start()
            until = time.monotonic() + BROKER_S
            while self.broker.running and time.monotonic() < until:
                if embedded.answers():
                    self.settings = dataclasses.replace(self.settings, broker_url=embedded.url)
                    return
                time.sleep(0.01)
            self.broker.kill()
            self.broker = None
        self.listener.brokerless()

    def _place_streams(self) -> None:
        """Where the process of the open streams will listen."""
        data = self.settings.data
        place = premises.socket_in(data, data / "stream.sock")
        place.unlink(missing_ok=True)
        self.settings = dataclasses.replace(self.settings, stream_socket=place)

    def _receiver(self, stack: ExitStack) -> socket.socket | None:
        """Where the demo's receiver will listen: the one private place that webhooks may reach."""
        if not self.demo:
            return None
        receiver = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        place = f"127.0.0.1:{receiver.getsockname()[1]}"
        trusted = self.settings.webhook_trusted | {place}
        self.settings = dataclasses.replace(self.settings, webhook_trusted=trusted)
        return receiver

    def _start_all(self) -> bool:
        """Start everybody; True once the API answers, streams can open and the trials stand."""
        self._start(roles.api(self.settings, self.server.fileno()))
        self._start(roles.stream(self.settings))
        for plan in roles.workers(self.settings):
            self._start(plan)
        return (
            self._until(self._answers, "the API did not answer")
            and self._until(self._streams, "nobody held the streams")
            and self._until(self._prepared, "the trials were not prepared")
        )

    def _streams(self) -> bool:
        """Whether streams can open: their socket appears when somebody listens behind it."""
        return self.settings.stream_socket is not None and self.settings.stream_socket.exists()

    def _start(self, plan: Plan) -> Child:
        child = Child(self._logged(plan))
        self.children.append(child)
        child.start()
        return child

    def _logged(self, plan: Plan) -> Plan:
        """During a show the machines' log goes to a file, so that a person can follow the show."""
        if not self.demo or plan.chatty:
            return plan
        return dataclasses.replace(plan, log=self.settings.data / "vigil.log")

    def _prepare(self) -> bool:
        """Schema and keys, in a process of their own that goes on with the trials while we start.

        False if we are to stop. Raises ServiceError where it fails.
        """
        reader, writer = os.pipe()
        try:
            self.preparation = self._start(roles.preparation(self.settings, writer, demo=self.demo))
            os.close(writer)
            os.set_blocking(reader, False)
            return self._until(lambda: _said_something(reader), "the store was not prepared")
        finally:
            os.close(reader)

    def _prepared(self) -> bool:
        """Whether the preparation has come to a good end. Raises ServiceError for a bad one."""
        status = None if self.preparation is None else self.preparation.status
        if status:
            raise ServiceError("the service could not be prepared; the reason stands above")
        return status == 0

    def _until(self, ready: Callable[[], bool], complaint: str) -> bool:
        """Watch until `ready`; False if we are to stop. Raises ServiceError when time is up."""
        until = time.monotonic() + START_S
        while not self.bell.rung:
            if ready():
                return True
            if time.monotonic() > until:
                raise ServiceError(f"{complaint} within {START_S:g} seconds")
            self._look_after()
            self._prepared()
            time.sleep(0.01)
        return False

    def _answers(self) -> bool:
        """Ask once and listen often: the question waits in the socket until the API takes it."""
        try:
            if self.probe is None:
                self.probe = socket.create_connection(self.server.getsockname()[:2], timeout=1)
                self.probe.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                self.probe.settimeout(TICK_S / 2)
            head = self.probe.recv(32)
        except TimeoutError:
            return False
        except OSError:
            head = b""
        if self.probe is not None:
            self.probe.close()
            self.probe = None
        return b" 200 " in head

    def _serve(self, receiver: socket.socket | None) -> None:
        """Say where we are, then watch until somebody asks for the end."""
        keys = premises.read_keys(self.settings.data)
        url = premises.url_of(self.server)
        sign_in = premises.read_sign_in(self.settings.data)
        premises.describe(self.settings.data, url, keys, sign_in)
        self.listener.serving(url, keys, sign_in, self.settings)
        if receiver is not None:
            self._start(roles.demo(self.settings, url, receiver.fileno()))
        while not self.bell.rung:
            self._look_after()
            time.sleep(TICK_S)

    def _look_after(self) -> None:
        everybody = self.children if self.broker is None else [self.broker, *self.children]
        for child in everybody:
            status = child.look_after()
            if status is not None and child.plan.keep:
                self.listener.died(child.plan.name, status)

    def _stop(self) -> None:
        """The broker last, so that nobody misses it; a second signal makes it short."""
        if self.bell.rung:
            self.listener.stopping()
        premises.forget(self.settings.data)
        self.server.close()
        stop(self.children, STOP_S, hurry=lambda: self.bell.rung > 1)
        if self.broker is not None:
            stop([self.broker], BROKER_STOP_S, hurry=lambda: self.bell.rung > 1)


def _said_something(reader: int) -> bool:
    """Whether a byte has come through the pipe."""
    try:
        return os.read(reader, 1) != b""
    except BlockingIOError:
        return False
