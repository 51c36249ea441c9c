"""The corridor: an event walks it once, and every step has the name of its room.

    intake -> evaluation -> alerting -> delivery -> people, systems
       ^                       |
       +--- sweep (rings again; time)

Steps do not import one another: they meet in tables. They stand on validation, numbering,
protocols, audit, repositories, channels, broker, database and models; .importlinter says who may
import whom. Doors (api.py, worker.py, http, cli) come in through bootstrap.
"""
