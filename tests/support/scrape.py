"""What a Prometheus reads: its own parser over what /metrics answers."""

from __future__ import annotations

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, tuple[tuple[str, str], ...]]


def families(text: str) -> dict[str, Metric]:
    """Family name -> family."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(text: str) -> dict[Sample, float]:
    """Sample name and labels -> value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(text).values()
        for sample in family.samples
    }


def counters(text: str) -> dict[Sample, float]:
    """Whatever may only grow: counters, and the parts of histograms."""
    growing = {
        name for name, family in families(text).items() if family.type in {"counter", "histogram"}
    }
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for name in growing
        for sample in families(text)[name].samples
    }


def fallen(before: str, after: str) -> dict[Sample, tuple[float, float | None]]:
    """The counters that went down, or went away, from one scrape to a later one."""
    now = counters(after)
    return {
        sample: (value, now.get(sample))
        for sample, value in counters(before).items()
        if now.get(sample, -1.0) < value
    }
