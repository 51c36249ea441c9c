"""What a state says to a person: one module a view.

Who comes in: the engine. Who goes out: plain dicts with the contract's keys, times as text.
"""

from rules.views import adverse, edish, laboratory, response
from rules.views.checklist import checklist, eligibility, facts, judged_now
from rules.views.gate import gate

__all__ = [
    "adverse",
    "checklist",
    "edish",
    "eligibility",
    "facts",
    "gate",
    "judged_now",
    "laboratory",
    "response",
]
