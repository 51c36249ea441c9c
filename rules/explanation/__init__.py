"""Why a decision is what it is, what would change it, and what is still to be found out.

Who comes in: views and findings, with known facts. Who goes out: clause trees, counterfactuals,
worklists. Pure functions of a protocol and a mapping of facts; unknown facts are absent from it.
"""
