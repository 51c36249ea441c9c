"""What publishers send, read strictly: bytes to JSON (wire), JSON to envelopes (envelope).

Who comes in: intake. Who goes out: Envelope, or Malformed, TooLarge, UnsupportedContent, and
problems that say where, what and how to mend, never the value.
"""

from services.validation.envelope import Envelope, Found, canonical_json, read_envelope
from services.validation.wire import MAX_BYTES, MAX_EVENTS, read_events

__all__ = [
    "MAX_BYTES",
    "MAX_EVENTS",
    "Envelope",
    "Found",
    "canonical_json",
    "read_envelope",
    "read_events",
]
