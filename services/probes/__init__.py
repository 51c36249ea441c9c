"""Health checks of containers: each a short process that must cost next to nothing.

Who comes in: `python -m services.probes.http URL` and `python -m services.probes.heartbeat KIND`,
from docker-compose.yml. Who goes out: one question; status 0 for well, 1 and a sentence if not.
Neither imports the application: that takes seconds of a core, again and again, in every container.
"""
