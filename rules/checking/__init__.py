"""A protocol file tried before it is trusted: its scenarios, made cases, coverage, slips.

Who comes in: the front door. Who goes out: complaints, notes and what a person should look at.
"""
