"""Versions of one protocol beside one another: merged for a subject, and what changed.

Who comes in: the house of a trial's versions, and the front door. Who goes out: definitions.
"""
