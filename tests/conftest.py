"""What all groups share: only the table of times. Fixtures stand in each group's own conftest.py."""

pytest_plugins = ["tests.plugins.groups"]
