"""`vigil up --demo`: a synthetic story that plays in minutes, then a quiet everyday life.

    scenes      what a story is made of: facts with their moments, persons' deeds, scenes
    cast        the subjects, and what a site records of them
    clinic      what is measured of them: liver tests, scores of the organs
    story       the scenes of an evening, in their order
    everyday    what goes on when the story is told
    teller      publishes all that through the front door, as anybody would
    __main__    the process that the supervisor starts

Who comes in: the supervisor, with the service's address and the receiver's socket. Who goes out:
HTTP with keys of `run.json`, into the demo trial and no other. Nobody in it is or was a person.
"""
