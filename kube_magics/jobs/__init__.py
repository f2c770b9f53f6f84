"""A job while it lives: submitted, followed, finished; its output, its values, its errors.

Here: the background loop, the follower, what becomes of output and results. Not here: IPython (that is `magics`), the
form of requests. May import `backends` and everything below; never `widgets`.
"""
