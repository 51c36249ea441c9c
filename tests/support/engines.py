"""Compiled protocols of tests that draw many: the newest are kept, and the others give back their memory."""

from __future__ import annotations

from collections import OrderedDict

import rules

_KEPT = 64
_engines: OrderedDict[str, rules.Engine] = OrderedDict()


def engine_of(text: str, file: str) -> rules.Engine:
    """The engine of this text; one that was dropped builds its knowledge base anew."""
    found = _engines.get(text)
    if found is None:
        found = _engines[text] = rules.Engine(rules.loads(text, file))
        while len(_engines) > _KEPT:
            _engines.popitem(last=False)[1].close()
    _engines.move_to_end(text)
    return found
