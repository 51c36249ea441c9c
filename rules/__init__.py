"""The front door of the knowledge: what services may use; nothing else is public.

Who comes in: services, notebooks, benchmarks. Who goes out: protocols, the engine, what goes in
and comes out of it, errors, terms.
"""

from rules.assessment import Assessment
from rules.checking.boundaries import Planned
from rules.checking.scenarios import check_scenarios
from rules.checking.whole import Report, check
from rules.clinical.ctcae import Dictionary, Given, Grade, Term, dictionary
from rules.errors import (
    Complaint,
    EngineFailure,
    EvaluationError,
    LogNeeded,
    ProtocolError,
    RuleError,
    SimulationError,
)
from rules.events import (
    Contribution,
    Event,
    Evidence,
    FindingChange,
    Outcome,
    StepResult,
    TrialHold,
)
from rules.facts.grading import grade
from rules.house import Functions
from rules.language.editors import json_schema
from rules.ownrules import deviations
from rules.protocol import Protocol, load, loads
from rules.show import as_sections, show
from rules.simulation.courses import Setting
from rules.simulation.running import Happened
from rules.simulation.summing import summed
from rules.simulation.virtual import VirtualTrials
from rules.state import ENGINE_VERSION
from rules.step import Engine
from rules.stopping.bounds import (
    Accrual,
    Admissible,
    Boundary,
    Characteristics,
    admissible,
    boundary,
    boundary_at,
    characteristics,
    details,
)
from rules.stopping.design import (
    Design,
    DesignError,
    MaxInfo,
    Method,
    Problem,
    continuous,
    gamma_rate,
)
from rules.stopping.design import Outcome as DesignOutcome
from rules.stopping.prediction import crossing_probability
from rules.stopping.problems import methods, problems
from rules.terms import (
    OWN_TYPES,
    Absence,
    AeChange,
    Category,
    Change,
    CriterionKind,
    Decision,
    Deviation,
    EventType,
    HoldKind,
    Scope,
    Severity,
    ValueType,
    Verdict,
)
from rules.trial import EVERY_HOLD, hold_view, holds_of
from rules.versions.differences import clashes, concerning, diff
from rules.versions.merging import door
from rules.versions.wording import diff_text
from rules.views.edish import unseen as edish_unseen

__all__ = [
    "ENGINE_VERSION",
    "EVERY_HOLD",
    "OWN_TYPES",
    "Absence",
    "Accrual",
    "Admissible",
    "AeChange",
    "Assessment",
    "Boundary",
    "Category",
    "Change",
    "Characteristics",
    "Complaint",
    "Contribution",
    "CriterionKind",
    "Decision",
    "Design",
    "DesignError",
    "DesignOutcome",
    "Deviation",
    "Dictionary",
    "Engine",
    "EngineFailure",
    "EvaluationError",
    "Event",
    "EventType",
    "Evidence",
    "FindingChange",
    "Functions",
    "Given",
    "Grade",
    "Happened",
    "HoldKind",
    "LogNeeded",
    "MaxInfo",
    "Method",
    "Outcome",
    "Planned",
    "Problem",
    "Protocol",
    "ProtocolError",
    "Report",
    "RuleError",
    "Scope",
    "Setting",
    "Severity",
    "SimulationError",
    "StepResult",
    "Term",
    "TrialHold",
    "ValueType",
    "Verdict",
    "VirtualTrials",
    "admissible",
    "as_sections",
    "boundary",
    "boundary_at",
    "characteristics",
    "check",
    "check_scenarios",
    "clashes",
    "concerning",
    "continuous",
    "crossing_probability",
    "details",
    "deviations",
    "dictionary",
    "diff",
    "diff_text",
    "door",
    "edish_unseen",
    "gamma_rate",
    "grade",
    "hold_view",
    "holds_of",
    "json_schema",
    "load",
    "loads",
    "methods",
    "problems",
    "show",
    "summed",
]
