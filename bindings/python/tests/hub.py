"""A real hub process for tests, and the package that `bindings/python/generate` has made."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target"))
PACKAGES = str(TARGET / "python")
if PACKAGES not in sys.path:
    sys.path.insert(0, PACKAGES)

BINARY = os.environ.get("BRANCHLINE_BIN", str(TARGET / "debug" / "branchline"))


def command(folder, *arguments):
    """Runs `branchline` on a folder and gives its JSON document."""
    line = [BINARY, "--data", str(folder), "--json", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    # 3: done, and something waits for a person.
    if done.returncode not in (0, 3):
        raise AssertionError(f"{line} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Hub:
    """A real hub process over a folder; killed, not asked, when done."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.listen = "127.0.0.1:0"
        self.command("init", "--name", "Kestrel", "--owner", "owner@kestrel.example", "--currency", "EUR")

    def command(self, *arguments):
        return command(self.folder, *arguments)

    def invite(self, name, *options):
        return self.command("invite", "--as", "device", "--name", name, *options)["code"]

    def serve(self):
        line = [BINARY, "--data", str(self.folder), "serve", "--listen", self.listen]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        first = self.process.stdout.readline()
        if not re.match(r"listening on http", first):
            raise AssertionError(f"the hub does not listen: {first!r}")
        # Codes hold the address: the hub comes back where it was.
        self.listen = first.split("//")[1].split("/")[0].strip()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None
