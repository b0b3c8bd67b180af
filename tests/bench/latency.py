"""How long from an event to the result that it brings about: events carry the wall clock, dp-window counts them in windows of 100 ms, and of each row that comes out it is
noted how far the clock is beyond its window's end.  (A window can't fire before an event from behind its end has come; that one is a millisecond old at most.)

usage: latency.py BIN [EVENTS_PER_SECOND [SECONDS [KEYS]]]      prints milliseconds: median, p99, largest
"""
import os
import subprocess
import sys
import time


def generate(fd, rate, seconds, keys):
    """Each millisecond its share, with the clock in it; how far it fell behind is said at the end."""
    parts = ['{"k":%d,"t":' % (i % keys) for i in range(rate)]
    begin, sent, worst = time.time(), 0, 0.0
    while sent < rate * seconds:
        now = time.time()
        due = min(int((now - begin) * rate), rate * seconds)
        if due == sent:
            time.sleep(0.0005)
            continue
        worst = max(worst, (due - sent) / rate)
        stamp = '%d,"v":1}\n' % (now * 1000)
        data = (stamp.join(parts[(sent + i) % rate] for i in range(due - sent)) + stamp).encode()
        while data:
            data = data[os.write(fd, data):]
        sent = due
    return worst


def measure(binary, rate, seconds, keys):
    child = subprocess.Popen([binary + "/dp-window", "--time", "t", "--key", "k", "--tumble", "100ms", "--delay", "0ms", "--epoch", "ms", "--agg", "n=count(),v=sum(v)", "--no-flush"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid = os.fork()
    if pid == 0:
        child.stdout.close()
        worst = generate(child.stdin.fileno(), rate, seconds, keys)
        print("generator at worst %.1f ms behind" % (worst * 1000), file=sys.stderr)
        os._exit(0)
    child.stdin.close()
    late, events, tail = [], 0, b""
    fd = child.stdout.fileno()
    while True:
        data = os.read(fd, 1 << 20)
        now = time.time() * 1000
        if not data:
            break
        lines = (tail + data).split(b"\n")
        tail = lines.pop()
        for line in lines:
            at = line.index(b'"window_end":') + 13
            late.append(now - int(line[at:line.index(b",", at)]))
            at = line.index(b'"n":') + 4
            events += int(line[at:line.index(b",", at)])
    os.waitpid(pid, 0)
    if child.wait() != 0:
        sys.exit("latency: dp-window failed")
    late.sort()
    return dict(rate=rate, rows=len(late), events=events, p50=round(late[len(late) // 2], 1), p99=round(late[len(late) * 99 // 100], 1), most=round(late[-1], 1))


if __name__ == "__main__":
    words = [int(x) for x in sys.argv[2:]] + [100_000, 10, 100][len(sys.argv) - 2:]
    print(measure(sys.argv[1], *words))
