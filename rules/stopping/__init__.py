"""Stopping rules: planned (design), made exact (bounds), a trial's path on them (table)."""

from rules.stopping.bounds import (
    Accrual,
    Admissible,
    Boundary,
    Characteristics,
    Joint,
    admissible,
    boundary,
    boundary_at,
    characteristics,
    details,
    joint,
)
from rules.stopping.design import (
    Design,
    DesignError,
    MaxInfo,
    Method,
    Outcome,
    Problem,
    continuous,
)
from rules.stopping.problems import checked, methods, problems

__all__ = [
    "Accrual",
    "Admissible",
    "Boundary",
    "Characteristics",
    "Design",
    "DesignError",
    "Joint",
    "MaxInfo",
    "Method",
    "Outcome",
    "Problem",
    "admissible",
    "boundary",
    "boundary_at",
    "characteristics",
    "checked",
    "continuous",
    "details",
    "joint",
    "methods",
    "problems",
]
