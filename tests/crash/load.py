# SPDX-License-Identifier: MIT
"""Clients that start, join, terminate, close and delete processes for as long as they are let, and write down
what they saw: one history.Run for each process."""
import random
import signal
import threading
import time

from client import NO_ANSWER, Broken, Client
from history import Run

METHODS = ("spawn", "fork", "forkserver")
SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV)


class Load:
    """@clients threads, beginning at start() and ending at stop(). @methods: start methods to choose from.
    @pause_s: the longest pause between two processes of a client. @longest_ms: how long a child lives at most."""

    def __init__(self, server, witness, witness_file, clients=8, seed=0, methods=METHODS, pause_s=0.0, longest_ms=300):
        self.server = server
        self.witness = witness
        self.witness_file = witness_file
        self.methods = methods
        self.pause_s = pause_s
        self.longest_ms = longest_ms
        self.stdout = "null"
        self.both_die = False  # creche-init after creched
        self.runs = []
        self.wrong = []
        self.starts = 0
        self.joins = 0
        self.broken = 0
        self._seed = seed
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(clients)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Each client ends what it has begun: nothing is left running."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=300)
            if thread.is_alive():
                self.wrong.append("a client is still waiting for an answer")

    def _work(self, number):
        Worker(self, number, random.Random(f"{self._seed}/{number}")).work(self._stopping)


class Worker:
    def __init__(self, load, number, rng):
        self.load = load
        self.number = number
        self.random = rng
        self.client = Client(load.server.socket)
        self.twin = Client(load.server.socket)
        self.count = 0
        self.stories = ((50, self.start_and_join), (10, self.terminate), (8, self.create_then_start),
                        (5, self.no_such_program), (6, self.ask_twice), (6, self.feed_stdin),
                        (20, self.without_key), (5, self.leave_orphan), (5, self.look_around),
                        (8, self.batch_of_all), (8, self.batch_of_each))

    def work(self, stopping):
        stories = [story for weight, story in self.stories for _ in range(weight)]
        while not stopping.is_set():
            run = self.new_run()
            try:
                self.random.choice(stories)(run)
            except Exception as e:  # a client that dies sees nothing any more
                self.load.wrong.append(f"{run.mark}: {type(e).__name__} {e}")
            if self.load.pause_s:
                time.sleep(self.random.uniform(0, self.load.pause_s))
        self.load.broken += self.client.broken + self.twin.broken
        self.client.close()
        self.twin.close()

    def new_run(self):
        self.count += 1
        code = self.random.randrange(256) if self.random.random() < 0.8 else -self.random.choice(SIGNALS)
        run = Run(f"{self.load._seed}-{self.number}-{self.count}", int(code), began=time.monotonic())
        self.load.runs.append(run)
        return run

    # ------------------------------------------------------------------------------- single requests

    def request(self, run, ms=0, kind=None, **more):
        argv = [self.load.witness, self.load.witness_file, run.mark, str(run.code), str(ms)]
        return {"argv": argv + ([kind] if kind else []), "name": run.mark, "stdout": self.load.stdout,
                "stderr": "null", "start_method": self.random.choice(self.load.methods), **more}

    def some_ms(self):
        """Most children end at once; some live on through the death of the daemon."""
        return min(self.random.choice((0, 0, 0, 0, 0, 5, 20, 100, 300)), self.load.longest_ms)

    def note(self, run, status, body):
        """An answer to a start."""
        if status in (200, 201):
            run.acknowledged = True
            run.ids.add(body["id"])
        elif status == 422:
            run.refused = True
            run.ids.add(body["process"]["id"])
        else:
            raise AssertionError(f"a start was answered with {status}: {body}")

    def start(self, run, body):
        self.load.starts += 1
        self.note(run, *self.client.insist("POST", "/v1/processes", body=body, key=run.mark))

    def join(self, run):
        for id in run.ids:
            status, body = self.client.insist("POST", f"/v1/processes/{id}/join")
            if status != 200:
                raise AssertionError(f"a join was answered with {status}: {body}")
            run.codes.append((body["state"], body["exitcode"]))
            self.load.joins += 1
        run.over = time.monotonic()

    # -------------------------------------------------------------------------------------- stories

    def start_and_join(self, run):
        run.daemon = self.random.random() < 0.1
        self.start(run, self.request(run, self.some_ms(), daemon=run.daemon))
        self.join(run)
        self.end_of_life(run)

    def terminate(self, run):
        run.asked_to_end = True
        self.start(run, self.request(run, 30000))
        for id in run.ids:
            time.sleep(self.random.choice((0, 0.01)))
            self.client.insist("POST", f"/v1/processes/{id}/terminate")
        self.join(run)

    def create_then_start(self, run):
        self.start(run, self.request(run, self.some_ms(), start=False))
        for id in run.ids:
            while True:
                status, body = self.client.insist("POST", f"/v1/processes/{id}/start")
                if status in (200, 201):
                    break
                # It had been started when the connection broke.
                if status == 409 and body["code"] == "already_started":
                    break
                if status == 409 and body["code"] == "needs_repeat":
                    self.start(run, self.request(run, 0))
                    break
                if status == 422:
                    run.refused = True
                    break
                raise AssertionError(f"a start was answered with {status}: {body}")
        self.join(run)

    def no_such_program(self, run):
        run.runs = False
        body = self.request(run)
        body["argv"] = ["/nonexistent/program", run.mark]
        self.start(run, body)
        self.join(run)

    def ask_twice(self, run):
        """The same request on two connections at once: one process."""
        body = self.request(run, self.some_ms())
        try:
            self.twin.send("POST", "/v1/processes", body=body, key=run.mark)
        except Broken:
            self.start(run, body)
        else:
            self.start(run, body)
            try:
                status, answer = self.twin.receive()
                if status not in NO_ANSWER:
                    self.note(run, status, answer)
            except Broken:
                pass
        self.join(run)

    def feed_stdin(self, run):
        refused = None
        self.start(run, self.request(run, 0, "stdin", stdin="pipe"))
        time.sleep(min(self.random.choice((0, 0.02, 0.2)), self.load.longest_ms / 1000))
        for id in () if run.refused else run.ids:
            broken = self.client.broken
            status, body = self.client.insist("PUT", f"/v1/processes/{id}/stdin?eof=1", text=b"something")
            # It may have been done already when the connection broke.
            if status == 409 and self.load.both_die:
                # The stdin of a child whose creched and creche-init have both died is nobody's promise.
                run.asked_to_end = True
                self.client.insist("POST", f"/v1/processes/{id}/terminate")
            elif status != 204 and self.client.broken == broken:
                refused = body
            elif status not in (204, 409):
                raise AssertionError(f"stdin was answered with {status}: {body}")
        self.join(run)
        # Only one that came to an unnatural end does not wait for its input.
        if refused and run.codes[-1][0] not in ("lost", "failed"):
            raise AssertionError(f"stdin was refused to a process that is {run.codes[-1]}: {refused}")

    def without_key(self, run):
        """Nobody knows what became of it when the connection breaks, and nobody asks again."""
        run.key = False
        self.load.starts += 1
        try:
            status, body = self.client.call("POST", "/v1/processes", body=self.request(run, self.some_ms()))
        except Broken:
            return
        if status not in NO_ANSWER:
            self.note(run, status, body)
            self.join(run)

    def leave_orphan(self, run):
        self.start(run, self.request(run, self.some_ms(), "orphan"))
        self.join(run)

    def batch(self, first, mode):
        """Several at once, under one key: its answer is that of each."""
        runs = [first] + [self.new_run() for _ in range(self.random.randrange(1, 8))]
        body = {"mode": mode, "processes": [self.request(run, self.some_ms()) for run in runs]}
        for n, run in enumerate(runs):
            run.row_key = f"{first.mark} {n}"
            run.stays = mode == "all"
        self.load.starts += len(runs)
        # One that has not been cloned for want of something is asked for again, with the others.
        left = runs
        while left:
            status, answer = self.client.insist("POST", "/v1/processes:batch", body=body, key=first.mark)
            if status != 200 or len(answer["results"]) != len(runs):
                raise AssertionError(f"a batch was answered with {status}: {answer}")
            left = []
            for run, result in zip(runs, answer["results"]):
                if "process" in result:
                    self.note(run, 422 if result["process"]["state"] == "failed" else 200,
                              {"process": result["process"], "id": result["process"]["id"]})
                elif result["problem"]["status"] in NO_ANSWER:
                    left.append(run)
                else:
                    raise AssertionError(f"a start of a batch was answered with {result}")
            if left:
                time.sleep(0.01)
        for run in runs:
            self.join(run)

    def batch_of_all(self, run):
        self.batch(run, "all")

    def batch_of_each(self, run):
        self.batch(run, "each")

    def look_around(self, run):
        self.load.runs.remove(run)
        for target in ("/v1/processes?limit=5", "/v1/active_children", "/v1/info"):
            status, body = self.client.insist("GET", target)
            if status != 200:
                raise AssertionError(f"GET {target} was answered with {status}: {body}")

    def end_of_life(self, run):
        chance = self.random.random()
        for id in run.ids:
            if chance < 0.1:
                status, _ = self.client.insist("POST", f"/v1/processes/{id}/close")
                run.closed = status == 204
                if status != 204:
                    raise AssertionError(f"close was answered with {status}")
            elif chance < 0.15:
                run.deleted = "asked"
                status, _ = self.client.insist("DELETE", f"/v1/processes/{id}")
                if status not in (200, 204, 404):
                    raise AssertionError(f"delete was answered with {status}")
                run.deleted = "yes"
