"""One subject's way through its protocol, step by step.

Who comes in: Engine. Who goes out: SubjectFold and what it asks of a knowledge base.
"""

from rules.subject import consenting
from rules.subject.context import Knowledge, Log
from rules.subject.fold import SubjectFold

__all__ = ["Knowledge", "Log", "SubjectFold", "consenting"]
