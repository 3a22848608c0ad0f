"""Makes calls from lines of Python, and prints how many: a line for each, function, line, called, calls. With PYTHONMALLOC=malloc."""
import asyncio
import inspect
import os
import signal
import sys
import threading

kept = []
told = []


def tell(called, calls):
    """The line before the one that calls this has made so many calls."""
    frame = inspect.currentframe().f_back
    code = frame.f_code
    told.append((code.co_qualname, frame.f_lineno - 1, called, calls))


def leaf(size):
    kept.append(bytearray(size))  # malloc for the object, realloc for its bytes


def middle(size):
    leaf(size)
    leaf(2 * size)


class Reader:
    def read_all(self, fd, times):
        for _ in range(times):
            os.read(fd, 16)
        tell("read", times)


def numbers(fd):
    for number in range(50):
        os.write(fd, b"1")
        yield number


def deep(depth, fd):
    if depth == 0:
        return os.lseek(fd, 0, os.SEEK_SET)
    return deep(depth - 1, fd)


def handle(_number, _frame):
    os.lseek(null, 1, os.SEEK_SET)


class Seeker:
    def __init__(self, fd):
        os.lseek(fd, 5, os.SEEK_SET)


class Waiter:
    async def wait(self, fd):
        await asyncio.sleep(0)
        os.lseek(fd, 2, os.SEEK_SET)


async def wait_for_all(fd):
    await asyncio.gather(*[Waiter().wait(fd) for _ in range(40)])


zero = os.open("/dev/zero", os.O_RDONLY)
null = os.open("/dev/null", os.O_WRONLY)

for _ in range(100):
    middle(1000)
line = leaf.__code__.co_firstlineno + 1
told.append(("leaf", line, "malloc", 200))

Reader().read_all(zero, 30)

sum(numbers(null))
told.append(("numbers", numbers.__code__.co_firstlineno + 2, "write", 50))

deep(200, zero)
told.append(("deep", deep.__code__.co_firstlineno + 2, "lseek", 1))

signal.signal(signal.SIGUSR1, handle)
for _ in range(20):
    os.kill(os.getpid(), signal.SIGUSR1)
told.append(("handle", handle.__code__.co_firstlineno + 1, "lseek", 20))

asyncio.run(wait_for_all(zero))
told.append(("Waiter.wait", Waiter.wait.__code__.co_firstlineno + 2, "lseek", 40))

for _ in range(60):
    Seeker(null)
told.append(("Seeker.__init__", Seeker.__init__.__code__.co_firstlineno + 1, "lseek", 60))

text = "\n\n\ndef made():\n  for _ in range(44):\n    os.lseek(null, 3, os.SEEK_SET)\nmade()\n"
exec(compile(text, "/no/such/ünïcode.py", "exec"))
told.append(("made", 6, "lseek", 44))

# Code objects that go, and others that come in their place.
for number in range(200):
    exec(compile("os.lseek(null, 6, os.SEEK_SET)", f"/no/such/{number}.py", "exec"))

exec(compile("os.lseek(null, 7, os.SEEK_SET)", "/no/such/" + "x" * 500 + "/end.py", "exec"))

# Without the interpreter's lock, at the same time.
threads = [threading.Thread(target=Reader().read_all, args=(zero, 300 + each)) for each in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

child = os.fork()
if child == 0:
    for _ in range(33):
        os.lseek(null, 4, os.SEEK_SET)
    os._exit(0)
os.waitpid(child, 0)
told.append(("<module>", inspect.currentframe().f_lineno - 3, "lseek", 33))

for function, line, called, calls in told:
    print(function, line, called, calls)
sys.stdout.flush()
if len(sys.argv) > 1:
    os.kill(os.getpid(), signal.SIGKILL)
