"""Stopping rules: planned (design), made exact (bounds), a trial's path on them (table)."""

from rules.stopping.bounds import (
    Accrual,
    Admissible,
    Boundary,
    Characteristics,
    admissible,
    boundary,
    characteristics,
    details,
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
    "MaxInfo",
    "Method",
    "Outcome",
    "Problem",
    "admissible",
    "boundary",
    "characteristics",
    "checked",
    "continuous",
    "details",
    "methods",
    "problems",
]
