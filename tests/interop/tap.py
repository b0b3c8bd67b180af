"""TAP and a shell for the scripts of this folder.  `prefix` stands before the words of each test; done() prints the plan."""
import os
import subprocess
import sys
import threading

prefix = ""
n_tests = 0
lock = threading.Lock()
ENV = dict(os.environ, PATH=os.environ.get("DP_BIN", ".") + ":" + os.environ["PATH"])


def ok(good, words, *details):
    global n_tests
    with lock:
        n_tests += 1
        print("%sok %d - %s%s" % ("" if good else "not ", n_tests, prefix, words))
        if not good:
            for d in details:
                for line in str(d).splitlines()[:12]:
                    print("# " + line[:400])
        sys.stdout.flush()
    return good


def sh(command, cwd, given=None):
    """The finished process, whatever its exit status."""
    return subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=cwd, env=ENV, input=given, stdin=subprocess.DEVNULL if given is None else None,
                          capture_output=True, text=True, errors="replace")


def must(command, cwd, given=None):
    """What it printed; it must succeed."""
    r = sh(command, cwd, given)
    if r.returncode:
        raise RuntimeError("%s: exit %d: %s" % (command, r.returncode, r.stderr))
    return r.stdout


def done():
    print("1..%d" % n_tests)
