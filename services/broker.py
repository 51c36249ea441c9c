"""The doorbell: Celery's settings, and rings that may fail without harm.

Who comes in: intake, evaluation and sweep with ids; worker.py for the Celery app. Who goes out: the
broker. The row is the queue (ADR 1): a message carries ids only and may be lost, doubled or late.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from celery import Celery
from kombu import Connection, Exchange, Producer, Queue
from kombu.exceptions import OperationalError
from kombu.pools import ProducerPool
from redis.exceptions import RedisError

from services.errors import ConfigError

EVALUATE = "evaluate"
DELIVER = "deliver"
MAINTENANCE = "maintenance"
QUEUES = (EVALUATE, DELIVER, MAINTENANCE)

# More streams than these are several messages, so that several workers share them.
_IDS_PER_MESSAGE = 25
# After a failed ring no other is tried for so long: a broker that is away must not slow intake.
_QUIET_S = 1.0
_NO_EVICTION = "noeviction"

# Consumers wait in BRPOP, so their sockets are patient; bells are not.
_CONSUMING = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
_RINGING = {
    "socket_timeout": 0.5,
    "socket_connect_timeout": 0.3,
    "socket_keepalive": True,
    "max_retries": 0,
}
# RabbitMQ: a ring's connection would else wait minutes for a broker that is stopped or blocks.
_RINGING_AMQP = {"read_timeout": 0.5, "write_timeout": 0.5}
# Its consumers wait without end, so both sides say now and then that they live.
_HEARTBEAT_S = 30


def celery_app(url: str) -> Celery:
    """The app with the settings that were measured; ADR 1 says what they prevent."""
    app = Celery("vigil", broker=url, backend=None, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        # Early: a message is only a bell, and a poisonous one must not come back for ever.
        task_acks_late=False,
        # Each with an exchange and a key of its own; by default they would share one. On RabbitMQ
        # classic and durable: a quorum would keep a copy of what may be lost (docs/scaling.md).
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_default_queue=EVALUATE,
        task_create_missing_queues=False,
        task_routes={f"vigil.{name}": {"queue": name} for name in QUEUES}
        | {"vigil.seal": {"queue": MAINTENANCE}},
        task_publish_retry=False,
        worker_prefetch_multiplier=2,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        # The engine is C: give the memory back now and then.
        worker_max_tasks_per_child=20_000,
        worker_max_memory_per_child=600_000,
        worker_soft_shutdown_timeout=25,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_heartbeat=_HEARTBEAT_S,
        broker_transport_options=_CONSUMING if _is_redis(url) else {},
        enable_utc=True,
    )
    return app


@dataclass(frozen=True, slots=True)
class Look:
    """What a broker shows of itself; `policy` and `aof` None: it is no Redis, or does not tell."""

    up: bool
    depths: Mapping[str, int] = field(default_factory=dict)
    policy: str | None = None  # what it does when its memory is full
    aof: bool | None = None  # whether it writes messages to its disk


class Broker:
    """A bell for each queue; without a URL (brokerless) it is silent and the sweep does all."""

    def __init__(self, url: str | None) -> None:
        """Nothing connects yet. Connections made before a fork are not used after it."""
        self.url = url
        self.rings = 0
        self.missed_rings = 0
        self._app: Celery | None = None
        self._pool: ProducerPool | None = None
        self._owner = 0
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    @property
    def celery(self) -> Celery:
        """The Celery app, for worker.py. Raises ConfigError where there is no broker."""
        if self.url is None:
            raise ConfigError("VIGIL_BROKER_URL: expected a broker; without one there is no Celery")
        if self._app is None:
            self._app = celery_app(self.url)
        return self._app

    def ring_evaluate(self, stream_ids: Sequence[int]) -> None:
        """Say that these streams have something to do; best effort, counted, never an error."""
        self._ring(EVALUATE, stream_ids)

    def ring_deliver(self, delivery_ids: Sequence[str]) -> None:
        """Say that these deliveries are due; best effort, counted, never an error."""
        self._ring(DELIVER, delivery_ids)

    def ring_maintenance(self, backtest_ids: Sequence[str]) -> None:
        """Say that parts of these backtests wait; best effort, counted, never an error."""
        self._ring(MAINTENANCE, backtest_ids)

    def _ring(self, queue: str, ids: Sequence[int] | Sequence[str]) -> None:
        if self.url is None or not ids:
            return
        chunks = [list(ids[i : i + _IDS_PER_MESSAGE]) for i in range(0, len(ids), _IDS_PER_MESSAGE)]
        sent = 0
        if time.monotonic() >= self._quiet_until:
            sent = self._send(queue, chunks)
        with self._lock:
            self.rings += sent
            self.missed_rings += len(chunks) - sent

    def _send(self, queue: str, chunks: list[list[Any]]) -> int:
        """How many of the messages the broker took; after the first failure there is silence."""
        sent = 0
        try:
            with self._producer() as producer:
                for chunk in chunks:
                    self.celery.send_task(
                        f"vigil.{queue}", (chunk,), queue=queue, producer=producer, retry=False
                    )
                    sent += 1
        except self._failures():
            self._quiet_until = time.monotonic() + _QUIET_S
            self._forget()
        return sent

    @contextmanager
    def _producer(self) -> Iterator[Producer]:
        """A producer with an impatient connection of this process."""
        with self._lock:
            if self._pool is None or self._owner != os.getpid():
                self._pool = ProducerPool(self.connection().Pool(limit=32), limit=32)
                self._owner = os.getpid()
            pool: Any = self._pool
        with pool.acquire(block=True, timeout=1) as producer:
            yield producer

    def _forget(self) -> None:
        """Drop connections that may be broken; the next ring makes new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.connections.force_close_all()

    def connection(self) -> Connection:
        """A new impatient connection. Raises ConfigError where there is no broker."""
        if self.url is None:
            raise ConfigError("VIGIL_BROKER_URL: expected a broker to connect to")
        options = _RINGING if _is_redis(self.url) else _RINGING_AMQP
        return Connection(self.url, transport_options=options, connect_timeout=1)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """A channel of its own; asked for once, where kombu itself would wait 2 s and ask again."""
        with self.connection() as connection:
            connection.ensure_connection(max_retries=0)
            with connection.channel() as channel:
                yield channel

    def _failures(self) -> tuple[type[BaseException], ...]:
        """What a broker that is away, full or confused raises."""
        probe = self.connection()
        return (*probe.connection_errors, *probe.channel_errors, *_UNREACHABLE)

    def depths(self) -> dict[str, int] | None:
        """Messages waiting per queue; None where the broker cannot be asked."""
        if self.url is None:
            return None
        try:
            with self._channel() as channel:
                return {name: _depth(channel, name) for name in QUEUES}
        except self._failures():
            return None

    def look(self) -> Look:
        """Depths and how the broker keeps messages, over one connection."""
        if self.url is None:
            return Look(up=False)
        try:
            with self._channel() as channel:
                depths = {name: _depth(channel, name) for name in QUEUES}
                if not _is_redis(self.url):
                    return Look(True, depths)
                info = _client(channel).info
                memory, persistence = info("memory"), info("persistence")
        except self._failures():
            return Look(up=False)
        return Look(
            True, depths, memory.get("maxmemory_policy"), bool(persistence.get("aof_enabled"))
        )

    def refuse_eviction(self) -> None:
        """Raises ConfigError where the broker would throw messages away when full.

        A Redis with `allkeys-lru` lost 65 % of accepted messages without an error. A broker that
        is away is not refused: the service works without it.
        """
        if self.url is None or not _is_redis(self.url):
            return
        policy = self._policy()
        if policy not in {None, _NO_EVICTION}:
            raise ConfigError(
                f"VIGIL_BROKER_URL: expected a broker with maxmemory-policy {_NO_EVICTION}, "
                f"not {policy}: it would lose messages silently"
            )

    def _policy(self) -> str | None:
        """The eviction policy, or None while the broker is away."""
        try:
            with self._channel() as channel:
                # INFO and not CONFIG: hosted servers forbid the latter.
                policy = _client(channel).info("memory").get("maxmemory_policy")
        except self._failures():
            return None
        return None if policy is None else str(policy)


_UNREACHABLE = (OperationalError, RedisError, OSError, TimeoutError)


def _is_redis(url: str) -> bool:
    return url.split(":", 1)[0].split("+", 1)[0] in {"redis", "rediss", "sentinel"}


def _depth(channel: Any, queue: str) -> int:
    """`channel` is kombu's, of any transport."""
    return int(channel.queue_declare(queue, durable=True, auto_delete=False).message_count)


def _client(channel: Any) -> Any:
    """The redis-py client within kombu's channel."""
    return channel.client
