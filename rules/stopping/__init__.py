"""Stopping rules: planned (design), made exact (bounds), a trial's path on them (table)."""

from rules.stopping.bounds import (
    Accrual,
    Boundary,
    Characteristics,
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
    "Boundary",
    "Characteristics",
    "Design",
    "DesignError",
    "MaxInfo",
    "Method",
    "Outcome",
    "Problem",
    "boundary",
    "characteristics",
    "checked",
    "continuous",
    "details",
    "methods",
    "problems",
]
