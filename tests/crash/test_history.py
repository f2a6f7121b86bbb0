# SPDX-License-Identifier: MIT
"""A history that is right, and each kind of harm planted into it."""
import os
import sqlite3
import tempfile
import unittest

from history import Checker, Run

HERE = os.path.dirname(os.path.abspath(__file__))


class HistoryTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.database = os.path.join(self.directory.name, "registry.db")
        self.db = sqlite3.connect(self.database, isolation_level=None)
        self.addCleanup(self.db.close)
        with open(os.path.join(HERE, "../../sql/schema.sql"), encoding="utf-8") as f:
            self.db.executescript(f.read())
        self.witness = ["m 1 begin 4711", "m 1 end 7"]
        self.run_of_m = Run("m", 7, ids={1}, acknowledged=True, codes=[("stopped", 7)])
        self.insert(1, "m", "stopped", 7, "exited")
        for kind in ("starting", "started", "stopped"):
            self.event(1, kind)

    def insert(self, id, name, state, exitcode, reason):
        self.db.execute(
            "INSERT INTO process (id, name, identity, lineage, state, start_method, daemon, argv, env, labels, stdout,"
            " stderr, grace_us, created_at, exitcode, exit_reason)"
            " VALUES (?, ?, '1', '', ?, 'spawn', 0, '[]', '[]', '{}', 'null', 'null', 0, 0, ?, ?)",
            (id, name, state, exitcode, reason))

    def event(self, id, kind):
        self.db.execute("INSERT INTO event (at, process, type) VALUES (0, ?, ?)", (id, kind))

    def judge(self, **options):
        path = os.path.join(self.directory.name, "witness")
        with open(path, "w", encoding="ascii") as f:
            f.writelines(line + "\n" for line in self.witness)
        return Checker([self.run_of_m], path, self.database, **options).check()

    def harmed(self, sentence, **options):
        wrong = self.judge(**options)
        self.assertTrue(any(sentence in w for w in wrong), f"{sentence!r} is not in {wrong}")

    def test_what_is_right_is_right(self):
        self.assertEqual(self.judge(), [])

    def test_an_acknowledged_start_without_a_row(self):
        self.db.execute("DELETE FROM process")
        self.witness = []
        self.harmed("acknowledged, and has no row")

    def test_a_run_without_a_row(self):
        self.db.execute("DELETE FROM process")
        self.run_of_m.acknowledged = False
        self.harmed("it ran, and has no row")

    def test_two_rows(self):
        self.insert(2, "m", "stopped", 7, "exited")
        self.harmed("it has 2 rows")

    def test_two_runs(self):
        self.witness.append("m 1 begin 4712")
        self.harmed("it ran 2 times")

    def test_a_key_that_names_two_processes(self):
        self.run_of_m.ids.add(2)
        self.harmed("named several processes")

    def test_an_id_that_is_not_that_of_the_row(self):
        self.witness = ["m 3 begin 4711", "m 3 end 7"]
        self.harmed("it was process 3 for somebody")

    def test_a_code_that_the_child_did_not_end_with(self):
        self.witness[1] = "m 1 end 8"
        self.harmed("it ended with 8, its row says 7")

    def test_a_code_of_a_process_that_nobody_saw_end(self):
        del self.witness[1]
        self.harmed("nobody saw it end")

    def test_a_signal_that_nobody_sent(self):
        del self.witness[1]
        self.db.execute("UPDATE process SET exitcode = -15, exit_reason = 'signaled'")
        self.harmed("nobody saw it end")

    def test_a_join_that_saw_another_code(self):
        self.run_of_m.codes.append(("stopped", 0))
        self.harmed("a join saw stopped 0, its row says stopped 7")

    def test_a_join_that_saw_another_state(self):
        self.run_of_m.codes.append(("lost", None))
        self.harmed("a join saw lost None")

    def test_a_process_that_is_lost(self):
        self.db.execute("UPDATE process SET state = 'lost', exitcode = NULL, exit_reason = 'lost'")
        self.harmed("it is lost")

    def test_a_failure_of_what_ran(self):
        self.db.execute("UPDATE process SET state = 'failed', exitcode = NULL, exit_reason = 'start_failed'")
        self.harmed("says that it failed to start")

    def test_a_failure_of_what_was_acknowledged(self):
        self.witness = []
        self.db.execute("UPDATE process SET state = 'failed', exitcode = NULL, exit_reason = 'start_failed'")
        self.harmed("its start was acknowledged, its row says failed")

    def test_a_refusal_of_what_could_have_run(self):
        self.witness = []
        self.run_of_m = Run("m", 7, ids={1}, refused=True)
        self.db.execute("UPDATE process SET state = 'failed', exitcode = NULL, exit_reason = 'start_failed'")
        self.harmed("there is such a program, and it was refused")

    def test_a_row_that_is_left_open(self):
        self.db.execute("UPDATE process SET state = 'started', exitcode = NULL, exit_reason = NULL")
        self.harmed("all is over, and its row says started")

    def test_a_program_that_is_not_there_and_ran(self):
        self.run_of_m.runs = False
        self.harmed("there is no such program")

    def test_two_ends(self):
        self.event(1, "lost")
        self.harmed("ended more than once")

    def test_an_end_without_its_event(self):
        self.db.execute("DELETE FROM event WHERE type = 'stopped'")
        self.harmed("its events")

    def test_a_close_that_was_forgotten(self):
        self.run_of_m.closed = True
        self.harmed("it was closed")

    def test_a_deletion_that_was_forgotten(self):
        self.run_of_m.deleted = "yes"
        self.harmed("it was deleted, and has a row")

    def test_a_deleted_process_whose_join_saw_another_code(self):
        self.db.execute("DELETE FROM process")
        self.event(1, "deleted")
        self.run_of_m.deleted = "yes"
        self.run_of_m.codes = [("stopped", 255)]
        self.harmed("a join saw stopped 255, it ended with 7")

    def test_a_row_that_nobody_asked_for(self):
        self.insert(2, "x", "stopped", 0, "exited")
        self.harmed("nobody asked for it, and it has a row")

    def test_a_run_that_nobody_asked_for(self):
        self.witness.append("x 2 begin 4712")
        self.harmed("nobody asked for it, and it ran")

    def test_a_lost_process_may_be_lost_where_both_died(self):
        self.db.execute("UPDATE process SET state = 'lost', exitcode = NULL, exit_reason = 'lost'")
        self.db.execute("UPDATE event SET type = 'lost' WHERE type = 'stopped'")
        self.run_of_m.codes = []
        self.assertEqual(self.judge(may_be_lost=lambda run: True), [])


if __name__ == "__main__":
    unittest.main()
