"""People who sign in: their accounts, their passwords, their sessions.

Who comes in: the guard and the sign-in page, `vigil accounts`, the first start. Who goes out: the
store, audit. A session's caller is a `keys.Caller`, so that nothing behind the guard need know
how somebody came in.
"""
