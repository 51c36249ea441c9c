"""`vigil up`: one small process that starts all the others, watches them and ends them.

Who comes in: the command line. Who goes out: processes. It has one thread and knows neither rules
nor tables; whatever kills it, `kill -9` included, everything it started is gone with it.
"""
