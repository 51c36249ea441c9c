"""The second step of the corridor: events and passing time become decisions, behind a fence.

Who comes in: worker.py's tasks and the sweep (`evaluate`), services.deadletters (`poison`). Who
goes out: rules, alerting, the store. Nothing is locked while rules think.
"""

from services.evaluation.contributing import release
from services.evaluation.loop import Progress, evaluate
from services.evaluation.poison import remind
from services.evaluation.thinking import ENGINES, limit

prepare = ENGINES.prepare

__all__ = ["Progress", "evaluate", "limit", "prepare", "release", "remind"]
