"""Ids as hashes of what they name, so that doing a thing twice names it the same."""

from __future__ import annotations

import base64
import hashlib


def derived(prefix: str, *parts: str | int) -> str:
    """`prefix` and 26 letters of a hash over `parts`; equal parts give equal ids for ever."""
    text = "\x00".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return prefix + base64.b32encode(digest).decode().rstrip("=").lower()


def event_id(trial: str, source: str, own_id: str) -> str:
    """The server's id of an event."""
    return derived("ev_", trial, source, own_id)


def content_hash(kind: str, subject: str, time_us: int, data: str) -> str:
    """What makes two events of one source and id the same or a conflict; `data` is canonical."""
    text = f"{kind}\0{subject}\0{time_us}\0{data}"
    return hashlib.sha256(text.encode()).hexdigest()


def alert_id(trial: str, subject: str, rule: str, key: str) -> str:
    """The id of an alert: the same episode is the same alert in every replay."""
    return derived("al_", trial, subject, rule, key)


def delivery_id(alert: str, change: int, subscription: str) -> str:
    """The id of a delivery, which is also its webhook-id on every attempt."""
    return derived("dl_", alert, change, subscription)
