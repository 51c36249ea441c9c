"""The front door of the knowledge: what services may use; nothing else is public.

Who comes in: services, notebooks, benchmarks. Who goes out: protocols, the engine, what goes in
and comes out of it, errors, terms.
"""

from rules.assessment import Assessment
from rules.checking.scenarios import check_scenarios
from rules.checking.whole import Report, check
from rules.errors import (
    Complaint,
    EngineFailure,
    EvaluationError,
    LogNeeded,
    ProtocolError,
    RuleError,
    SimulationError,
)
from rules.events import Contribution, Event, Evidence, FindingChange, Outcome, StepResult
from rules.language.editors import json_schema
from rules.protocol import Protocol, load, loads
from rules.show import as_sections, show
from rules.simulation.courses import Setting
from rules.simulation.running import Happened
from rules.simulation.summing import summed
from rules.simulation.virtual import VirtualTrials
from rules.state import ENGINE_VERSION
from rules.step import Engine
from rules.terms import (
    Absence,
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
from rules.versions.differences import clashes, concerning, diff, diff_text
from rules.versions.merging import door

__all__ = [
    "ENGINE_VERSION",
    "Absence",
    "Assessment",
    "Category",
    "Change",
    "Complaint",
    "Contribution",
    "CriterionKind",
    "Decision",
    "Engine",
    "EngineFailure",
    "EvaluationError",
    "Event",
    "EventType",
    "Evidence",
    "FindingChange",
    "Happened",
    "LogNeeded",
    "Outcome",
    "Protocol",
    "ProtocolError",
    "Report",
    "RuleError",
    "Scope",
    "Setting",
    "Severity",
    "SimulationError",
    "StepResult",
    "ValueType",
    "Verdict",
    "VirtualTrials",
    "as_sections",
    "check",
    "check_scenarios",
    "clashes",
    "concerning",
    "diff",
    "diff_text",
    "door",
    "json_schema",
    "load",
    "loads",
    "show",
    "summed",
]
