"""The front door of the knowledge: what services may use; nothing else is public.

Who comes in: services, notebooks, benchmarks. Who goes out: Protocol, Assessment, errors, terms.
"""

from rules.assessment import Assessment
from rules.errors import (
    Complaint,
    EngineFailure,
    EvaluationError,
    LogNeeded,
    ProtocolError,
    RuleError,
)
from rules.protocol import Protocol, load, loads
from rules.state import ENGINE_VERSION
from rules.terms import (
    Category,
    Change,
    CriterionKind,
    Decision,
    EventType,
    Scope,
    Severity,
    ValueType,
    Verdict,
)

__all__ = [
    "ENGINE_VERSION",
    "Assessment",
    "Category",
    "Change",
    "Complaint",
    "CriterionKind",
    "Decision",
    "EngineFailure",
    "EvaluationError",
    "EventType",
    "LogNeeded",
    "Protocol",
    "ProtocolError",
    "RuleError",
    "Scope",
    "Severity",
    "ValueType",
    "Verdict",
    "load",
    "loads",
]
