"""The replica from Python: a folder of one's own, and an exchange with a real hub process."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target"))
sys.path.insert(0, str(TARGET / "python"))

import branchline  # noqa: E402  (made by bindings/python/generate)
from branchline import Replica, ReplicaError  # noqa: E402

BINARY = os.environ.get("BRANCHLINE_BIN", str(TARGET / "debug" / "branchline"))


def command(folder, *arguments):
    """Runs `branchline` on a folder and gives its JSON document."""
    line = [BINARY, "--data", str(folder), "--json", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{line} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Hub:
    """A real hub process over a folder; killed, not asked, when done."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        command(folder, "init", "--name", "Kestrel", "--owner", "owner@kestrel.example", "--currency", "EUR")

    def serve(self):
        line = [BINARY, "--data", str(self.folder), "serve", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        first = self.process.stdout.readline()
        if not re.match(r"listening on http", first):
            raise AssertionError(f"the hub does not listen: {first!r}")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


def texts(record):
    return {field.name: field.text for field in record.fields}


class OwnFolder(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        self.path = str(Path(self.home.name) / "hub")
        self.replica = Replica.init(self.path, "Kestrel", "owner@kestrel.example", "EUR", "en")
        self.addCleanup(self.replica.close)

    def test_creates_and_reads_back(self):
        account = self.replica.create("account", {"name": "Ада і Ко", "employees": "12", "annual_revenue": "1054.50"})
        self.replica.create("opportunity", {"name": "First order", "account": "name=Ада і Ко", "amount": "99.90 USD"})
        record = self.replica.get("account", account)
        self.assertEqual(texts(record)["name"], "Ада і Ко")
        self.assertEqual(texts(record)["annual_revenue"], "1054.50 EUR")
        deal = self.replica.list("opportunity", 'account = "Ада і Ко" and amount > "50 USD"', "-amount", 10, None)
        self.assertEqual([texts(row)["account"] for row in deal], ["Ада і Ко"])
        self.assertEqual(self.replica.status().records["account"], 1)

    def test_pages_and_sorts(self):
        for name in ["Beta", "Alpha", "Gamma"]:
            self.replica.create("account", {"name": name})
        first = self.replica.list("account", "", "name", 2, None)
        rest = self.replica.list("account", "", "name", 2, first[-1].id)
        self.assertEqual([texts(row)["name"] for row in first + rest], ["Alpha", "Beta", "Gamma"])

    def test_what_was_written_is_there_after_opening_again(self):
        self.replica.create("account", {"name": "Alpha"})
        digest = self.replica.status().digest
        self.replica.close()
        with_new_handle = Replica.open(self.path)
        self.addCleanup(with_new_handle.close)
        self.assertEqual(with_new_handle.status().digest, digest)
        self.assertEqual(len(with_new_handle.list("account", "", "", 10, None)), 1)

    def test_errors_say_what_where_and_what_to_do(self):
        with self.assertRaises(ReplicaError.NotFound) as caught:
            self.replica.create("account", {"colour": "red"})
        self.assertEqual(caught.exception.code, "unknown_field")
        self.assertIn("colour", caught.exception.what)
        self.assertTrue(caught.exception.to_do)
        self.assertFalse(caught.exception.retryable)
        with self.assertRaises(ReplicaError.Invalid):
            self.replica.create("opportunity", {"amount": "much"})
        with self.assertRaises(ReplicaError.Invalid):
            self.replica.list("account", "name = ", "", 10, None)

    def test_a_folder_that_is_no_replica_is_an_error(self):
        with self.assertRaises(ReplicaError):
            Replica.open(str(Path(self.home.name) / "nothing"))
        with self.assertRaises(ReplicaError):
            Replica.init(self.path, "Again", None, "EUR", "en")

    def test_use_after_close_is_an_error(self):
        self.replica.close()
        self.replica.close()
        with self.assertRaises(ReplicaError.Usage) as caught:
            self.replica.me()
        self.assertEqual(caught.exception.code, "replica_closed")

    def test_eight_threads_write_at_once(self):
        failures = []

        def write(number):
            try:
                for turn in range(10):
                    self.replica.create("account", {"name": f"Account {number}-{turn}"})
            except ReplicaError as failure:
                failures.append(failure)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.replica.status().records["account"], 80)

    def test_the_package_knows_its_version(self):
        self.assertRegex(branchline.version(), r"^\d+\.\d+\.\d+")


class WithAHub(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)
        self.hub = Hub(Path(self.home.name) / "hub")
        self.addCleanup(self.hub.kill)
        self.hub.serve()

    def joined(self):
        command(self.hub.folder, "create", "branch", "code=north", "name=North")
        command(self.hub.folder, "create", "account", "name=Alpha")
        command(self.hub.folder, "users", "add", "Ada", "--email", "ada@kestrel.example", "--role", "seller", "--branch", "north")
        invitation = command(
            self.hub.folder, "invite", "--as", "device", "--name", "ada-phone", "--user", "ada@kestrel.example"
        )
        replica = Replica.join(str(Path(self.home.name) / "phone"), invitation["code"])
        self.addCleanup(replica.close)
        return replica

    def test_enrols_works_offline_and_delivers(self):
        phone = self.joined()
        synced = phone.sync(60)
        self.assertGreater(synced.pulled, 0)
        self.assertEqual(phone.status().node, branchline.Node.DEVICE)
        self.assertEqual((phone.me().name, phone.me().role), ("Ada", "seller"))

        self.hub.kill()
        phone.create("opportunity", {"name": "Typed on the road", "account": "name=Alpha", "amount": "120"})
        with self.assertRaises(ReplicaError.Unreachable) as caught:
            phone.sync(5)
        self.assertTrue(caught.exception.retryable)
        self.assertGreater(phone.status().outbox, 0)

    def test_what_was_typed_reaches_the_hub(self):
        phone = self.joined()
        phone.sync(60)
        phone.create("opportunity", {"name": "Typed on the road", "account": "name=Alpha", "amount": "120"})
        synced = phone.sync(60)
        self.assertEqual((synced.refused, synced.outbox), (0, 0))
        self.assertGreater(synced.pushed, 0)
        rows = command(self.hub.folder, "list", "opportunity", "--where", 'amount = "120 EUR"')
        self.assertEqual([row["name"] for row in rows], ["Typed on the road"])

    def test_a_wrong_code_is_refused_and_leaves_no_replica(self):
        folder = str(Path(self.home.name) / "stranger")
        with self.assertRaises(ReplicaError):
            Replica.join(folder, "this is no code")
        with self.assertRaises(ReplicaError):
            Replica.open(folder)


if __name__ == "__main__":
    unittest.main()
