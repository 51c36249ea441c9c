"""Shapes over HTTP, in and out: shape only, never a query, never the current user.

Who comes in: the resources (bodies and queries) and the OpenAPI document (answers). Answers are
built by services/reading in these shapes and not dumped again; a test holds the two together.
"""
