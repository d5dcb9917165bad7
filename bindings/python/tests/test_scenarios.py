"""Runs the catalogue of scenarios that every binding runs: `bindings/scenarios.json`."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from hub import CHECKOUT, Hub

import branchline
from branchline import LogLevel, Query, RecordState, Replica, ReplicaError, Sort, SyncPhase, Value, text, typed

SCENARIOS = json.loads((CHECKOUT / "bindings" / "scenarios.json").read_text(encoding="utf-8"))
DATABASE = "branchline.db"
FILLER = "filler"
STATES = {
    "clean": RecordState.CLEAN,
    "pending": RecordState.PENDING,
    "refused": RecordState.REFUSED,
    "conflict": RecordState.CONFLICT,
}


def photo(size):
    return bytes(n % 251 for n in range(size))


def key(n):
    """Gives the key of this number; none where there is no number."""
    return None if n is None else lambda: bytes([n] * 32)


def eventually(what, holds):
    until = time.monotonic() + 30
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(what)
        time.sleep(0.005)


class Pages(branchline.PageListener):
    def __init__(self, heard):
        self.heard = heard

    def changed(self, page):
        self.heard(page)

    def failed(self, problem):
        raise AssertionError(problem.what)


class Log(branchline.LogListener):
    def __init__(self):
        self.lines = []

    def line(self, level, part, text):
        self.lines.append(text)
        raise RuntimeError("the log listener throws, too")


class Stage:
    """A hub and its phones for one scenario."""

    def __init__(self, test, home):
        self.test, self.home = test, home
        self.hub = Hub(home / "hub")
        self.phones, self.saved, self.mounts = {}, {}, []
        self.hub.serve()

    def close(self):
        for phone in self.phones.values():
            phone.close()
        self.hub.kill()
        for mount in self.mounts:
            subprocess.run(["umount", "--lazy", str(mount)], check=True)

    def step(self, step):
        fails = step.get("fails")
        try:
            getattr(self, "do_" + step["do"])(step, step.get("expect"))
        except ReplicaError as error:
            if fails is None:
                raise AssertionError(f"{step}: {error.what} ({error.code})") from error
            self.test.assertIsInstance(error, getattr(ReplicaError, fails["kind"]), f"{step}: {error.code}")
            self.test.assertEqual(error.code, fails.get("code", error.code), step)
            self.test.assertEqual(error.retryable, fails.get("retryable", error.retryable), step)
            self.test.assertTrue(error.what and error.to_do, f"{step}: an error says what and what to do")
            return
        self.test.assertIsNone(fails, f"{step} did not fail")

    def phone(self, step):
        return self.phones[step["replica"]]

    def folder(self, step):
        return self.home / step["replica"]

    def filled(self, text):
        return self.saved[text[1:]] if text.startswith("$") else text

    def values(self, step):
        return typed(**{field: self.filled(text) for field, text in step["values"].items()})

    def record(self, step):
        return step["collection"], self.filled(step["record"])

    # Head office.

    def do_hub(self, step, _):
        answer = self.hub.command(*map(self.filled, step["run"]))
        if "save" in step:
            self.saved[step["save"]] = answer["id"]

    def do_hub_kill(self, *_):
        self.hub.kill()

    def do_hub_serve(self, *_):
        self.hub.serve()

    def do_hub_has(self, step, expect):
        rows = self.hub.command("list", step["collection"], "--where", step["where"])
        self.test.assertEqual(sorted(row[step["field"]] for row in rows), sorted(expect), step)

    def do_hub_review(self, step, expect):
        self.test.assertEqual(len(self.hub.command("review", "list")), expect, step)

    def do_import(self, step, _):
        rows = "".join(f"A{n},Company {n},City {n % 97}\n" for n in range(1, step["rows"] + 1))
        file = self.home / "rows.csv"
        file.write_text("external_id,name,city\n" + rows, encoding="utf-8")
        self.hub.command("import", str(file), "--collection", step["collection"])

    # The folder.

    def do_join(self, step, _):
        folder = self.folder(step)
        if "disk_bytes" in step:
            if os.geteuid() != 0:
                self.test.skipTest("a small disk can be mounted by root only")
            folder.mkdir()
            size = f"size={step['disk_bytes']}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(folder)], check=True)
            self.mounts.append(folder)
        code = step.get("code") or self.hub.invite(step.get("as", step["replica"]), *step.get("options", []))
        self.phones[step["replica"]] = Replica.join(str(folder), code, key=key(step.get("key")))

    def do_open(self, step, _):
        self.phones[step["replica"]] = Replica.open(str(self.folder(step)), key=key(step.get("key")))

    def do_open_with_one_of(self, step, _):
        for n in step["keys"]:
            try:
                self.phones[step["replica"]] = Replica.open(str(self.folder(step)), key=key(n))
                return
            except ReplicaError.Locked as error:
                self.test.assertEqual(error.code, "key_wrong", step)
        raise AssertionError(f"{step}: neither opens it")

    def do_rekey(self, step, _):
        self.phone(step).rekey(key(step["key"]))

    def do_encrypt(self, step, _):
        Replica.encrypt(str(self.folder(step)), key(step["key"]))

    def do_decrypt(self, step, _):
        Replica.decrypt(str(self.folder(step)), key(step["key"]))

    def do_unreadable(self, step, _):
        files = [file for file in self.folder(step).rglob("*") if file.is_file()]
        self.test.assertTrue(files, step)
        for file in files:
            self.test.assertNotIn(step["text"].encode(), file.read_bytes(), f"{step}: {file.name}")
            self.test.assertNotIn(photo(1000), file.read_bytes(), f"{step}: {file.name}")

    def do_kill_in_rekey(self, step, _):
        line = [sys.executable, str(Path(__file__).with_name("rekeying.py")), str(self.folder(step))]
        with subprocess.Popen([*line, *map(str, step["keys"])], stdout=subprocess.PIPE, text=True) as process:
            self.test.assertEqual(process.stdout.readline().strip(), "rekeying", step)
            process.kill()

    def do_close(self, step, _):
        self.phone(step).close()

    def do_damage(self, step, _):
        file = self.folder(step) / DATABASE
        damaged = b"\x55" * 4096 + file.read_bytes()[4096:]
        file.write_bytes(damaged)
        self.saved["damage"] = damaged

    def do_is_damaged_still(self, step, _):
        self.test.assertEqual((self.folder(step) / DATABASE).read_bytes(), self.saved["damage"])

    def do_verify(self, step, expect):
        self.test.assertEqual(self.phone(step).verify().sound, expect["sound"], step)

    def do_fill_disk(self, step, _):
        try:
            with open(self.folder(step) / FILLER, "wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 65536)
        except OSError:
            pass

    def do_free_disk(self, step, _):
        (self.folder(step) / FILLER).unlink()

    def do_kill_in_sync(self, step, _):
        line = [sys.executable, str(Path(__file__).with_name("syncing.py")), str(self.folder(step))]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            self.test.assertEqual(process.stdout.readline().strip(), "syncing", step)
            process.kill()

    # Records.

    def do_create(self, step, _):
        made = self.phone(step).create(step["collection"], self.values(step))
        if "save" in step:
            self.saved[step["save"]] = made

    def do_create_until_full(self, step, _):
        for n in range(10_000):
            self.phone(step).create(step["collection"], typed(name=f"Filler {n}"))

    def do_edit(self, step, _):
        self.phone(step).set(*self.record(step), self.values(step))

    def do_archive(self, step, _):
        self.phone(step).archive(*self.record(step))

    def do_restore(self, step, _):
        self.phone(step).restore(*self.record(step))

    def do_undo(self, step, _):
        self.phone(step).undo(*self.record(step), self.filled(step["change"]))

    def do_get(self, step, expect):
        found = self.phone(step).get(*self.record(step))
        if "state" in expect:
            self.test.assertIsInstance(found.state, STATES[expect["state"]], step)
        for field, shown in expect.get("texts", {}).items():
            self.test.assertEqual(text(found, field), shown, step)

    def do_history(self, step, expect):
        changes = self.phone(step).history(*self.record(step))
        self.test.assertEqual(len(changes), expect["changes"], step)
        if "save_last" in step:
            self.saved[step["save_last"]] = changes[-1].id

    def do_count(self, step, expect):
        self.test.assertEqual(self.phone(step).count(Query(collection=step["collection"])), expect, step)

    def do_search(self, step, expect):
        self.test.assertEqual([hit.title for hit in self.phone(step).search(step["text"])], expect, step)

    def do_pages(self, step, expect):
        by = step.get("sort", "")
        sort = [Sort(field=by.lstrip("-"), descending=by.startswith("-"))] if by else []
        pages, after = [], None
        while after is not None or not pages:
            query = Query(
                collection=step["collection"], filter=step.get("filter"), sort=sort, limit=step["limit"], after=after
            )
            page = self.phone(step).list(query)
            pages.append([record.title for record in page.records])
            after = page.next
            if after is None:
                break
        self.test.assertEqual(pages, expect, step)

    def do_conflicts(self, step, expect):
        conflicts = self.phone(step).conflicts()
        shown = [
            {"field": c.field, "asks": c.asks, "values": sorted(v.value.text for v in c.values)} for c in conflicts
        ]
        self.test.assertEqual(shown, expect, step)
        for conflict in conflicts:
            self.test.assertEqual(sum(value.shown for value in conflict.values), 1)

    def do_resolve(self, step, _):
        phone = self.phone(step)
        conflict = next(c for c in phone.conflicts() if c.field == step["field"])
        phone.resolve(conflict.collection, conflict.record, conflict.field, Value.TEXT(text=step["keep"]))

    def do_quarantine(self, step, expect):
        waiting = self.phone(step).quarantine()
        self.test.assertEqual(len(waiting), expect["count"], step)
        for change in waiting:
            self.test.assertEqual(change.code, expect.get("code", change.code), step)
            self.test.assertTrue(change.reason)

    def do_export(self, step, expect):
        file = self.home / "refused.json"
        self.test.assertEqual(self.phone(step).export_quarantine(str(file)), expect, step)
        self.test.assertEqual(len(json.loads(file.read_text(encoding="utf-8"))["changes"]), expect)

    def do_retry(self, step, expect):
        tried = self.phone(step).retry()
        self.test.assertEqual(len(tried), expect["tried"], step)
        self.test.assertEqual(sum(one.problem is not None for one in tried), expect["problems"], step)

    # Exchanges.

    def do_run(self, step, expect):
        told = []
        done = self.phone(step).run_once(step.get("deadline_ms", 60_000) / 1000, told.append)
        for name in {"finished", "outbox", "refused", "attachments"} & set(expect):
            self.test.assertEqual(getattr(done, name), expect[name], f"{step}: {done}")
        self.test.assertGreaterEqual(done.pulled, expect.get("pulled_at_least", 0), step)
        if expect.get("progress"):
            steps = [status.done for status in told if status.phase == SyncPhase.FIRST_SYNC]
            self.test.assertTrue(steps and steps == sorted(steps), f"{step}: {steps}")
            self.test.assertTrue(all(status.done <= status.total for status in told), step)

    def do_run_until_finished(self, step, _):
        tries = (self.phone(step).run_once(step["deadline_ms"] / 1000).finished for _ in range(100))
        self.test.assertTrue(any(tries), f"{step} never finishes")

    def do_same_digest(self, step, _):
        self.test.assertEqual(self.phone(step).counts().digest, self.hub.command("status")["digest"], step)

    def do_hints(self, step, _):
        self.phone(step).set_hints(metered=step["metered"])

    def do_attach(self, step, _):
        file = self.home / "photo.jpg"
        file.write_bytes(photo(step["bytes"]))
        told = []
        attached = self.phone(step).attach_to(
            *self.record(step), step["field"], str(file), "image/jpeg", lambda done, _: told.append(done)
        )
        self.test.assertEqual(told[-1], step["bytes"], step)
        self.saved[step["save"]] = attached.hash

    def do_fetch(self, step, _):
        hash, out = self.filled(step["hash"]), self.home / "fetched.jpg"
        self.phone(step).fetch(hash, 30)
        self.test.assertTrue(self.phone(step).attachment(hash).here, step)
        self.test.assertEqual(self.phone(step).read_attachment(hash), photo(step["bytes"]), step)
        self.phone(step).save_attachment(hash, str(out))
        self.test.assertEqual(out.read_bytes(), photo(step["bytes"]), step)

    # Callbacks and threads.

    def do_watch_storm(self, step, _):
        phone, writes, sizes = self.phone(step).blocking, step["writes"], []
        query = Query(collection=step["collection"], limit=writes + 1)
        watch = phone.watch(query, Pages(lambda page: sizes.append(len(page.records))))
        for n in range(writes):
            phone.create(step["collection"], typed(name=f"Company {n}"))
        eventually(f"{step}: the last result arrives", lambda: sizes and sizes[-1] == writes)
        self.test.assertEqual(sizes, sorted(sizes), f"{step}: no result comes after a newer one")
        self.test.assertLessEqual(len(sizes), writes + 1)
        watch.stop()
        told = len(sizes)
        phone.create(step["collection"], typed(name="Unheard"))
        time.sleep(0.4)
        self.test.assertEqual(len(sizes), told, f"{step}: a stopped watch is silent")

    def do_throwing_watch(self, step, _):
        phone, thrown, heard, log = self.phone(step).blocking, [], [], Log()
        query = Query(collection=step["collection"])
        branchline.set_log(LogLevel.WARNING, log)

        def throw(page):
            thrown.append(page)
            raise RuntimeError("thrown on purpose")

        watches = [phone.watch(query, Pages(throw)), phone.watch(query, Pages(lambda page: heard.append(page)))]
        for n in range(step["writes"]):
            phone.create(step["collection"], typed(name=f"Company {n}"))
            eventually(
                f"{step}: both go on", lambda: heard and len(heard[-1].records) == n + 1 and len(thrown) > n  # noqa: B023
            )
        self.test.assertTrue(any("thrown on purpose" in line for line in log.lines), log.lines)
        branchline.set_log(LogLevel.ERROR, None)
        for watch in watches:
            watch.stop()

    def do_threads(self, step, _):
        phone, failures = self.phone(step), []

        def work(worker):
            try:
                for n in range(step["writes"]):
                    made = phone.create(step["collection"], typed(name=f"Company {worker}-{n}"))
                    phone.get(step["collection"], made)
                    phone.search("company", 5)
            except BaseException as failure:  # noqa: BLE001  (told by the test)
                failures.append(failure)

        workers = [threading.Thread(target=work, args=(n,)) for n in range(step["threads"])]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.test.assertEqual(failures, [], step)


class Scenarios(unittest.TestCase):
    """One test for each scenario of the catalogue."""


def scenario_test(scenario):
    def run(self):
        home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, home, True)
        stage = Stage(self, home)
        self.addCleanup(stage.close)
        for step in scenario["steps"]:
            stage.step(step)

    run.__doc__ = scenario["name"]
    return run


for at, one in enumerate(SCENARIOS):
    setattr(Scenarios, f"test_{at:02}", scenario_test(one))

if __name__ == "__main__":
    unittest.main()
