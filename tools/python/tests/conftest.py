"""Reports of real programs, which `weir` in PATH makes.

    PATH=target/checked:$PATH PYTHONPATH=tools/python /usr/bin/python3 -m pytest tools/python/tests
"""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[3]

# Threads, children, failed calls, files, a socket, an image after the other, times over time.
TREE = """
import os, socket, subprocess, sys, threading, time
kept = []
def work(number):
    for step in range(20):
        kept.append(bytearray(50_000 + number))
        time.sleep(0.002)
threads = [threading.Thread(target=work, args=[number]) for number in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for missing in range(7):
    try: open(f"/nonexistent/{missing}")
    except OSError: pass
one, other = socket.socketpair()
one.sendall(b"x" * 1000); other.recv(1000)
with open("a file", "w") as out: out.write("x" * 100_000)
subprocess.run(["sh", "-c", "exec cat 'a file' > copy; true"], check=True)
if os.fork() == 0: os._exit(3)
os.wait()
os.execv("/bin/sh", ["sh", "-c", "ls 'it''s \\"no\\" file' ünïcode 2> /dev/null; exec ls"])
"""


def weir(*arguments, folder):
    """What the command prints."""
    done = subprocess.run(["weir", *arguments], cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """The report of a tree of processes."""
    folder = tmp_path_factory.mktemp("tree")
    (folder / "tree.py").write_text(TREE)
    weir("run", "-q", "--stacks", "all", "-o", "report.json", "--", "/usr/bin/python3", "tree.py", "ünïcode", folder=folder)
    return folder / "report.json"


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """The report of the program of docs/find-it-in-five-minutes.md, with names."""
    folder = tmp_path_factory.mktemp("shop")
    subprocess.run(["cc", "-g", "-O1", "-o", "shop", ROOT / "examples/shop/shop.c"], cwd=folder, check=True)
    weir("run", "-q", "--stacks", "all", "-o", "shop.json", "--", "./shop", folder=folder)
    weir("symbolize", "shop.json", folder=folder)
    return folder / "shop.json"


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """A report with calls that were measured in two parts."""
    folder = tmp_path_factory.mktemp("parts")
    weir("run", "-q", "--coop", "-o", "parts.json", "--", "sh", "-c", "(sleep 0.05; echo x) | cat", folder=folder)
    return folder / "parts.json"


@pytest.fixture(scope="session")
def sampled(tmp_path_factory):
    """A report with stacks from samples of the heap, as `weir run` makes by default."""
    folder = tmp_path_factory.mktemp("sampled")
    weir("run", "-q", "-o", "sampled.json", "--", "/usr/bin/python3", "-c", "[bytearray(9) for _ in range(10**6)]", folder=folder)
    return folder / "sampled.json"


@pytest.fixture(scope="session")
def merged(tmp_path_factory, tree, sampled):
    """The sum of two runs, which tells the images of a program together."""
    folder = tmp_path_factory.mktemp("merged")
    weir("merge", "-o", "merged.json", str(tree), str(sampled), folder=folder)
    return folder / "merged.json"


@pytest.fixture(scope="session")
def real_reports(tree, shop, parts, sampled, merged):
    """All of them."""
    return [tree, shop, parts, sampled, merged]


@pytest.fixture(scope="session")
def all_reports(real_reports):
    """All of them, and the samples of the documentation."""
    return [*real_reports, ROOT / "docs/sample.json", ROOT / "docs/sample-later.json"]
