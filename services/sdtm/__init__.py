"""SDTM tables of a study as CloudEvents: subjects, doses, adverse events, vital signs, laboratory.

Who comes in: `vigil import --format sdtm`. Who goes out: events in the order in which they were
recorded, and what was left out, counted by name. Reads files, asks no service.
`tables` reads CSV files, `dates` partial dates, `words` code lists, `mapping` makes the events.
"""

from services.sdtm.mapping import Converted, Study, convert
from services.sdtm.tables import folder_tables

__all__ = ["Converted", "Study", "convert", "folder_tables"]
