#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast Creche is, each figure as a ratio to a yardstick that runs in turn with it.

usage: bench.py [--build DIR] [--rounds N] [--seconds S] [--smoke] [--json FILE] [NAME...]

  NAME      only figures whose names begin so
  --smoke   everything once, small and short: that it works, not how fast it is

Yardsticks: R1 is posix_spawn() and waitpid() of a static program that ends at once, in one thread; R2 is clone() with
CLONE_VM, CLONE_VFORK and CLONE_PIDFD of the same, in two threads; H is libmicrohttpd alone, with an answer of the same
size. Root is needed for nothing but more open files than a user may have.
"""
import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from measure import HEADLINE, Figure, line, run, stat_of
from past import fill
from peers import has_supervisord

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../crash"))
from client import Client  # noqa: E402
from server import Server, become_subreaper, kill, wait_for  # noqa: E402

FILES = 65536


class Bench:
    def __init__(self, options):
        self.options = options
        self.tools = os.path.join(options.build, "tests/bench")
        self.nothing, self.waits = (os.path.join(self.tools, name) for name in ("nothing", "waits"))

    # ------------------------------------------------------------------------------------- yardsticks

    def spawn(self, how, *args):
        return run(os.path.join(self.tools, "spawn"), how, self.options.seconds, *args)

    def r1(self):
        return self.spawn("posix", 1, self.nothing)["per_s"]

    def r2(self):
        return self.spawn("clone", 2, self.nothing)["per_s"]

    def sync_us(self, directory):
        return self.spawn("sync", os.path.join(directory, "synced"))["p50_us"]

    @contextlib.contextmanager
    def constant(self, size):
        """The socket of H."""
        with tempfile.TemporaryDirectory(prefix="bench.") as directory:
            path = os.path.join(directory, "h")
            with subprocess.Popen([os.path.join(self.tools, "constant"), path, str(size)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as h:
                h.stdout.readline()
                yield path
                h.stdin.close()

    # ------------------------------------------------------------------------------------------- ours

    @contextlib.contextmanager
    def serve(self, living=0, past=0, env=None):
        """A server with so many living children, and so many that have ended. Nothing of it is left."""
        directory = tempfile.mkdtemp(prefix="bench.", dir=self.options.directory)
        server = Server(self.options.build, directory)
        server.env = env or {}
        server.start()
        if past:
            server.stop()
            fill(server.database, past)
            server.start()
        try:
            if living:
                self.load(server, "start", min(64, living), living, self.waits)
            yield server
        finally:
            server.kill_all()
            server.remove_control_groups()
            shutil.rmtree(directory)

    @contextlib.contextmanager
    def shimmed(self, said, **env):
        """A server with shim.so, which has said that it has done what it was told to."""
        with self.serve(env={"LD_PRELOAD": os.path.join(self.tools, "shim.so"), **env}) as server:
            with open(os.path.join(server.directory, "stderr"), encoding="utf-8") as f:
                if f"bench: {said}" not in f.read():
                    sys.exit(f"bench: creched does not say: {said}")
            yield server

    def load(self, server, *args):
        return run(os.path.join(self.tools, "load"), server.socket, *args)

    def start_join(self, server, clients, output="null"):
        return self.load(server, "start-join", clients, self.options.seconds, self.nothing, output)

    def batch_join(self, server, clients, size):
        return self.load(server, "batch-join", clients, self.options.seconds, self.nothing, size)

    def against(self, figure, one, other, clients=64):
        """start_join of one server against that of another, in turn."""
        for _ in self.rounds():
            figure.round(lambda: self.start_join(one, clients)["per_s"], lambda: self.start_join(other, clients)["per_s"])
        return [figure]

    def get(self, path, target, clients=16):
        return run(os.path.join(self.tools, "load"), path, "get", clients, self.options.seconds, target)

    @contextlib.contextmanager
    def parked(self, server, joins):
        """So many joins of one living child."""
        child = ask(server, "POST", "/v1/processes", {"argv": [self.waits], "stdout": "null", "stderr": "null"})
        with subprocess.Popen([os.path.join(self.tools, "load"), server.socket, "park", str(joins), str(child["id"])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as loader:
            loader.stdout.readline()
            yield
            loader.stdin.close()

    def count(self, n, small):
        return small if self.options.smoke else n

    def rounds(self):
        return range(self.options.rounds)


def ask(server, method, target, body=None):
    client = Client(server.socket)
    status, answer = client.call(method, target, body=body)
    client.close()
    if status not in (200, 201):
        sys.exit(f"bench: {method} {target} was answered with {status}: {answer}")
    return answer


# --------------------------------------------------------------------------------------- start and join


def start_join(b):
    """Against bare loops of the kernel's own price."""
    figures = [(Figure("start_join_64", "64 clients start and join, against R1", "per s"), b.r1, "null"),
               (Figure("start_join_64_logs", "the same with log files, against R1", "per s"), b.r1, "log"),
               (Figure("start_join_64_r2", "64 clients start and join, against R2", "per s"), b.r2, "null")]
    with b.serve() as server:
        for _ in b.rounds():
            for figure, yardstick, output in figures:
                figure.round(lambda o=output: b.start_join(server, 64, o)["per_s"], yardstick)
    return [figure for figure, _, _ in figures]


def start_join_1(b):
    """One client: a spawn, two syncs and two round trips are what it must cost."""
    figure = Figure("start_join_1", "one client, p50, against a spawn, 2 syncs and 2 round trips", "us")

    def price(directory, h):
        spawn = b.spawn("posix", 1, b.nothing)["p50_us"]
        return spawn + 2 * b.sync_us(directory) + 2 * b.get(h, "/", 1)["p50_us"]

    with b.serve() as server, b.constant(700) as h:
        for _ in b.rounds():
            figure.round(lambda: b.start_join(server, 1)["p50_us"], lambda: price(server.state, h))
    return [figure]


def start_join_256(b):
    figure = Figure("start_join_256", "256 clients, p99, against 256 / R1", "us")
    with b.serve() as server:
        for _ in b.rounds():
            figure.round(lambda: b.start_join(server, 256)["p99_us"], lambda: 256 / b.r1() * 1e6)
    return [figure]


def live_10k(b):
    n = b.count(10000, 100)
    figure = Figure("live_10k", f"64 clients start and join beside {n:,} living children, against none", "per s")
    with b.serve() as empty, b.serve(living=n) as full:
        return b.against(figure, full, empty)


def parked_10k(b):
    n = b.count(10000, 100)
    figure = Figure("parked_10k", f"64 clients start and join beside {n:,} parked joins, against none", "per s")
    with b.serve() as empty, b.serve() as full, b.parked(full, n):
        return b.against(figure, full, empty)


def history_10m(b):
    n = b.count(10000000, 10000)
    figure = Figure("history_10m", f"64 clients start and join with {n:,} processes in the database, against none", "per s")
    with b.serve() as empty, b.serve(past=n) as full:
        return b.against(figure, full, empty)


def rss_1g(b):
    n = b.count(1 << 30, 1 << 24)
    figure = Figure("rss_1g", f"64 clients start and join with {n >> 20} MiB touched in creched, against none", "per s")
    with b.serve() as small, b.shimmed("touched", BENCH_TOUCH=str(n)) as large:
        return b.against(figure, large, small)


def full_vs_normal(b):
    """What the promise costs that nothing is lost when the power fails."""
    figure = Figure("full_vs_normal", "64 clients start and join with synchronous=FULL, against NORMAL", "per s")
    with b.serve() as full, b.shimmed("synchronous NORMAL", BENCH_NORMAL="1") as normal:
        return b.against(figure, full, normal)


def start_batch(b):
    size = b.count(64, 8)
    figure = Figure("start_batch", f"4 clients start {size} with a request and join them with one, against R2", "per s")
    with b.serve() as server:
        for _ in b.rounds():
            figure.round(lambda: b.batch_join(server, 4, size)["per_s"], b.r2)
    return [figure]


def peers(b):
    """From the start to the exit seen: one at a time, by one client on both sides; and 64 at a time, by 64 clients of ours."""
    def peer(*args):
        return run(os.path.join(HERE, "peers.py"), args[0], b.options.seconds, *args[1:])["per_s"]

    loop = "start() and join() of CPython's multiprocessing"
    rows = [(f"peer_{method}_1", f"one client, start to exit seen, against {loop} ({method}) in a loop", 1, (method, 1))
            for method in ("fork", "forkserver")]
    rows += [("peer_supervisord_1", "one client, start to exit seen, against supervisord's XML-RPC, startProcess() and the "
              "state until it is EXITED", 1, ("supervisord", b.nothing))]
    rows += [(f"peer_{method}", f"64 clients, start to exit seen, against 64 times {loop} ({method}) at once", 64, (method, 64))
             for method in ("fork", "forkserver")]
    figures = [(Figure(name, what, "per s"), clients, args) for name, what, clients, args in rows]
    with b.serve() as server:
        for _ in b.rounds():
            for figure, clients, args in figures:
                if args[0] == "supervisord" and not has_supervisord():
                    figure.absent = "supervisord is not installed (Debian has it in the package supervisor)"
                    continue
                figure.round(lambda n=clients: b.start_join(server, n)["per_s"], lambda a=args: peer(*a))
    return [figure for figure, _, _ in figures]


# ------------------------------------------------------------------------------------------------ reads


def reads(b):
    """The same clients and bytes, of Creche and of libmicrohttpd alone."""
    one = Figure("get_one", "GET of one process, against H", "per s")
    hundred = Figure("list_100", "GET of 100 processes, against H", "per s")
    with b.serve() as server:
        b.load(server, "start", 4, 100, b.nothing)
        for figure, target in ((one, "/v1/processes/1"), (hundred, "/v1/processes?limit=100")):
            size = b.get(server.socket, target, 1)["bytes"]
            with b.constant(size) as h:
                for _ in b.rounds():
                    figure.round(lambda t=target: b.get(server.socket, t)["per_s"], lambda p=h: b.get(p, "/")["per_s"])
    return [one, hundred]


def active_10k(b):
    n = b.count(10000, 100)
    figure = Figure("active_10k", f"GET of {n:,} active children, p50, against H", "us")
    with b.serve(living=n) as server:
        target = "/v1/active_children"
        with b.constant(b.get(server.socket, target, 1)["bytes"]) as h:
            for _ in b.rounds():
                figure.round(lambda: b.get(server.socket, target, 1)["p50_us"], lambda: b.get(h, "/", 1)["p50_us"])
    return [figure]


def last_ms(b, server, joins):
    """Of a child of its own: a round that was disturbed is repeated."""
    child = ask(server, "POST", "/v1/processes", {"argv": [b.waits], "stdout": "null", "stderr": "null"})
    return b.load(server, "fanout", joins, child["id"], child["pid"])["last_ms"]


def fanout(b):
    """From the exit of a child to the answer of the last of those who join it."""
    figures = []
    for name, n in (("fanout_1k", b.count(1000, 50)), ("fanout_10k", b.count(10000, 100))):
        figure = Figure(name, f"exit of a child to the last of {n:,} joiners' answers", "ms")
        with b.serve() as server:
            for _ in b.rounds():
                figure.round(lambda m=n, s=server: last_ms(b, s, m))
        figures.append(figure)
    return figures


# ------------------------------------------------------------------------------------- memory and rest


def private_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(text.split()[1]) * 1024 for text in f if text.startswith("Private_"))


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def kernel_bytes():
    """What the kernel has for itself, as soon as it has given back what it was still to."""
    def now():
        names = ("Slab:", "KernelStack:", "PageTables:", "Percpu:")
        with open("/proc/meminfo", encoding="ascii") as f:
            return sum(int(text.split()[1]) * 1024 for text in f if text.startswith(names))

    last = None
    for _ in range(20):
        n = now()
        if last is not None and abs(n - last) < 2**19:
            break
        last = n
        time.sleep(0.5)
    return n


def bare_kernel_bytes(b, n):
    """What the kernel takes for each of @n processes that nobody keeps anything of."""
    before = kernel_bytes()
    with subprocess.Popen([os.path.join(b.tools, "spawn"), "keep", str(n), b.waits], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as keeper:
        keeper.stdout.readline()
        each = (kernel_bytes() - before) / n
        keeper.stdin.close()
    return each


def memory(b):
    n = b.count(10000, 200)
    ours = Figure("memory", f"private bytes of creched for each of {n:,} living children", "B")
    kernel = Figure("memory_kernel", "memory of the kernel for each of them; of as many that are only spawned", "B", only_shown=True)
    for _ in range(1 if b.options.smoke else 3):
        with b.serve() as server:
            # What the first ones cost is not their own.
            b.load(server, "start", 64, b.count(500, 50), b.waits)
            pid = wait_for(server.daemon, "creched runs")
            before, kernel_before = private_bytes(pid), kernel_bytes()
            b.load(server, "start", 64, n, b.waits)
            ours.add((private_bytes(pid) - before) / n)
            each = (kernel_bytes() - kernel_before) / n
        kernel.add(each, bare_kernel_bytes(b, n))
    return [ours, kernel]


def restart_10k(b):
    n, past = b.count(10000, 100), b.count(1000000, 10000)
    figure = Figure("restart_10k", f"SIGKILL of creched to the first answer, {n:,} living children of {past:,} processes", "ms")
    with b.serve(living=n, past=past) as server:
        for _ in b.rounds():
            kill(wait_for(server.serving_pid, "creched serves"))
            began = time.monotonic()
            wait_for(server.serving_pid, "creched serves again")
            figure.add((time.monotonic() - began) * 1000)
            # As when it has served for ten seconds: for one that dies again before, creche-init waits.
            time.sleep(0.5)
            kill(server.main.pid, signal.SIGALRM)
    return [figure]


def idle(b):
    n, seconds = b.count(10000, 100), b.count(60, 2)
    ticks = Figure("idle", f"processor ticks of creched in {seconds} s, {n:,} children asleep", "ticks")
    wakes = Figure("idle_wakes", "times that one of its threads was scheduled meanwhile", "times")

    def switches(pid):
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
                total += sum(int(text.split()[1]) for text in f if "ctxt_switches" in text)
        return total

    with b.serve(living=n) as server:
        pid = wait_for(server.daemon, "creched runs")
        time.sleep(b.count(5, 1))
        before, switched = stat_of(pid), switches(pid)
        time.sleep(seconds)
        after = stat_of(pid)
        ticks.add((sum(after) - sum(before)) * os.sysconf("SC_CLK_TCK"))
        wakes.add(switches(pid) - switched)
    return [ticks, wakes]


def logs(b):
    """A child that writes as fast as it can, into its log and into a plain file."""
    size = b.count(1000, 10)
    write = f"exec dd if=/dev/zero bs=64k count={size * 16} status=none"
    ratio = Figure("logs", f"a child writes {size} MiB to its output, against a plain file", "MiB per s")
    cost = Figure("logs_cpu", "processor time of creched meanwhile", "ms")
    with b.serve() as server:
        pid = wait_for(server.daemon, "creched runs")
        plain = os.path.join(server.directory, "plain")

        def ours():
            before = sum(stat_of(pid)[:2])
            began = time.monotonic()
            child = ask(server, "POST", "/v1/processes", {"argv": ["sh", "-c", write]})
            ask(server, "POST", f"/v1/processes/{child['id']}/join")
            took = time.monotonic() - began
            cost.add((sum(stat_of(pid)[:2]) - before) * 1000)
            return size / took

        def yardstick():
            began = time.monotonic()
            with open(plain, "wb") as f:
                subprocess.run(["sh", "-c", write], stdout=f, check=True)
            took = time.monotonic() - began
            os.unlink(plain)
            return size / took

        for _ in b.rounds():
            ratio.round(ours, yardstick)
    return [ratio, cost]


def stripped_bytes(b, name):
    with tempfile.TemporaryDirectory(prefix="bench.") as directory:
        path = os.path.join(directory, name)
        subprocess.run(["strip", "-o", path, os.path.join(b.options.build, name)], check=True)
        return os.path.getsize(path)


def page_bytes(b):
    """What creched has in itself for a browser: swagger-ui and ours, not the contract."""
    symbols = subprocess.run(["nm", "-S", os.path.join(b.options.build, "creched")], check=True, text=True, stdout=subprocess.PIPE)
    sizes = [int(words[1], 16) for words in map(str.split, symbols.stdout.splitlines())
             if words[-1].startswith(("asset_docs", "asset_swagger", "asset_licenses"))]
    if not sizes:
        sys.exit("bench: creched has no page /docs, or not under the names that src/ui/embed gives")
    return sum(sizes)


def footprint(b):
    rss = Figure("footprint_rss", "resident memory of creched and creche-init, idle", "MiB")
    size = Figure("footprint_size", "creched and creche-init, stripped, without the files of the page /docs", "KiB")
    with b.serve() as server:
        time.sleep(0.5)
        rss.add(sum(resident_bytes(p) for p in (server.main.pid, server.daemon())) / 2**20)
    size.add((sum(stripped_bytes(b, name) for name in ("creched", "creche-init")) - page_bytes(b)) / 1024)
    return [rss, size]


def scaling(b):
    """What a start and a join cost by how much there is of everything else: [(name, what, [(n, per s)])]."""

    def per_s(clients=64, **there):
        with b.serve(**there) as server:
            return statistics.median(b.start_join(server, clients)["per_s"] for _ in b.rounds())

    def beside(joins):
        with b.serve() as server, b.parked(server, joins):
            return statistics.median(b.start_join(server, 64)["per_s"] for _ in b.rounds())

    def counts(*all_of_them):
        return all_of_them if not b.options.smoke else [n for n in all_of_them if n <= 10] + [20]

    return [("scale_living", "living children", [(n, per_s(living=n)) for n in counts(0, 1000, 10000)]),
            ("scale_parked", "parked joins", [(n, beside(n)) for n in counts(1, 1000, 10000)]),
            ("scale_history", "processes in the database", [(n, per_s(past=n)) for n in counts(0, 1000000, 10000000)]),
            ("scale_clients", "clients", [(n, per_s(clients=n)) for n in counts(1, 4, 16, 64, 256, 1024)])]


WORKLOADS = {"start_join_64": start_join, "start_join_1": start_join_1, "start_join_256": start_join_256,
             "start_batch": start_batch, "full_vs_normal": full_vs_normal, "rss_1g": rss_1g, "history_10m": history_10m,
             "live_10k": live_10k, "parked_10k": parked_10k, "peer": peers, "get_one": reads, "active_10k": active_10k,
             "fanout": fanout, "memory": memory, "restart_10k": restart_10k, "idle": idle, "logs": logs,
             "footprint": footprint}


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--build", default=os.environ.get("BUILD", os.path.join(HERE, "../../build")))
    p.add_argument("--directory", default=tempfile.gettempdir(), help="where the databases are")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--smoke", action="store_true")
    p.add_argument("--json")
    options = p.parse_args()
    options.build = os.path.abspath(options.build)
    if options.smoke:
        options.rounds, options.seconds = 1, 0.1
    unknown = [name for name in options.names if not any(w.startswith(name) for w in (*WORKLOADS, "scale"))]
    if unknown:
        p.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}, scale")
    return options


def raise_files():
    """As far as we may: ten thousand joins need as many files, in creched and in the loader."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, FILES), max(hard, FILES)))
    except ValueError:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    options = parse()
    become_subreaper()
    raise_files()
    results, series = [], []
    print(HEADLINE, flush=True)
    for name, workload in WORKLOADS.items():
        if options.names and not any(name.startswith(n) for n in options.names):
            continue
        for figure in workload(Bench(options)):
            results.append(figure.result())
            print(line(results[-1]), flush=True)
    if not options.names or any("scale".startswith(n) for n in options.names):
        for name, what, points in scaling(Bench(options)):
            series.append({"name": name, "what": what, "unit": "per s", "points": points})
            print(f"{name:20} {what}: " + ", ".join(f"{n}: {per_s:,.0f} per s" for n, per_s in points), flush=True)
    with tempfile.TemporaryDirectory(prefix="bench.", dir=options.directory) as directory:
        sync_us = statistics.median(Bench(options).sync_us(directory) for _ in range(3))
    missed = [r["name"] for r in results if not r["met"] and not r["absent"]]
    absent = [r["name"] for r in results if r["absent"]]
    print(f"\nfdatasync of 4 KiB: {sync_us:.0f} us (p50); {len(results)} figures, {len(missed)} missed"
          f"{': ' + ' '.join(missed) if missed else ''}" + (f"; NOT MEASURED: {' '.join(absent)}" if absent else ""))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"fdatasync_us": sync_us, "processors": os.cpu_count(), "figures": results, "scaling": series}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
