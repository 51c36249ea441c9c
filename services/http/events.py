"""The door for events: bytes in, receipt out; nothing between but the guard.

Who comes in: publishers, and clinicians with overrides and corrections. Who goes out:
services/intake. No marshmallow here: this is the hot path.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from services import intake
from services.clock import now_us
from services.errors import NotFound, TooLarge
from services.http import auth
from services.http.context import caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas import CloudEvent, EventStatus, Receipt
from services.keys import Caller
from services.reading import events

blueprint = Blueprint("events", __name__, description="Publishing events, and how far they came")
BASE = "/v1/events"
