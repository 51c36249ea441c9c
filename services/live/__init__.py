"""The live stream: whoever watches alerts sees each change a moment after it has its position.

Who comes in: services/http/stream.py with an open socket and a `Ticket`. Who goes out: bytes.

    sse       how a line of the stream is written
    log       the alert log, read by position, each change rendered once for all who see it
    ticket    who watches, from where on, and what
    client    one open line: what it was sent, what waits for it
    hub       all open lines of a process, in one thread
    handover  a socket goes from the API's process to the hub's
    pulse     the heartbeat row of a hub
    __main__  the process that holds a hub and nothing else

Streams hold no thread: hundreds of them would take every thread that the API has.
"""
