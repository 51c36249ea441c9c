"""Who wants to be told of which alerts, and where.

Who comes in: the HTTP door with a wish of the contract's shape. Who goes out: the subscription as
JSON of the contract; the channels, for a test; the crew of delivery, by the doorbell.
"""

from services.subscriptions.acting import Since, replay, retry, rotate, test
from services.subscriptions.making import change, create, delete, every, get, wish_for, wish_of
from services.subscriptions.shapes import new_secret
from services.subscriptions.wishes import EVENTS, Owner

__all__ = [
    "EVENTS",
    "Owner",
    "Since",
    "change",
    "create",
    "delete",
    "every",
    "get",
    "new_secret",
    "replay",
    "retry",
    "rotate",
    "test",
    "wish_for",
    "wish_of",
]
