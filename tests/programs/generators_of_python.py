"""Begins generators and coroutines at every depth of recursion.

Some of their frames begin a new piece of the interpreter's memory for frames. It gives that back by munmap while the frame is still
its current one.
"""

import sys

sys.setrecursionlimit(5000)


async def nothing():
    pass


def below(depth):
    if depth:
        return below(depth - 1)
    for _ in range(3):
        next(one for one in [1])
        nothing().close()
    return 1


print(sum(below(depth) for depth in range(400)))
