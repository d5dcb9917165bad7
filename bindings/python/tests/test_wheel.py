"""The wheel in a clean environment: what it holds, that its types hold, and that the examples run there as written."""

import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

from hub import CHECKOUT, TARGET, Hub

EXAMPLES = sorted((CHECKOUT / "bindings" / "python" / "examples").glob("*.py"))
# What a type checker has to refuse, a line for each.
WRONG = """\
from branchline import Query, Replica, Value, crm
def wrong(replica: Replica, account: crm.Account) -> None:
    replica.list("account")
    account.employees = "twelve"
    account.colour = "red"
    Value.INTEGER(number="7")
    name: str = account.name
    replica.get("account", Query(collection="account"))
"""


def clean_environment():
    """The variables of a shell in which nobody has told Python anything."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        wheels = sorted((TARGET / "wheels").glob("branchline-*.whl"))
        if len(wheels) != 1:
            raise AssertionError(f"one wheel is expected in {TARGET / 'wheels'}: run bindings/python/wheel")
        cls.wheel = wheels[0]
        cls.home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.home.cleanup)
        environment = Path(cls.home.name) / "environment"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True, capture_output=True)
        cls.python = environment / "bin" / "python"
        cls.run_there("-m", "pip", "install", "--quiet", "--no-index", str(cls.wheel))

    @classmethod
    def run_there(cls, *arguments):
        line = [cls.python, *arguments]
        done = subprocess.run(
            line, cwd=cls.home.name, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"{line} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def mypy(self, *arguments):
        line = [TARGET / "wheel" / "tools" / "bin" / "mypy", "--strict", "--python-executable", self.python, *arguments]
        return subprocess.run(line, cwd=self.home.name, env=clean_environment(), capture_output=True, text=True, check=False)

    def test_it_holds_the_package_its_types_and_the_library(self):
        names = set(zipfile.ZipFile(self.wheel).namelist())
        engine = "branchline/_engine/"
        for name in ("branchline/__init__.py", "branchline/crm.py", "branchline/py.typed", engine + "branchline.py",
                     engine + "branchline.pyi"):
            self.assertIn(name, names)
        self.assertTrue(any(name.startswith(engine + "libbranchline_bindings.") for name in names), names)
        self.assertTrue(all(name.startswith(("branchline/", "branchline-")) for name in names), names)

    def test_it_works_where_nothing_else_is_installed(self):
        told = self.run_there("-c", "import branchline; print(branchline.__file__, branchline.version())")
        self.assertIn(self.home.name, told)
        self.assertEqual(self.wheel.name.split("-")[1], told.split()[1])

    def test_its_types_hold_under_mypy_strict(self):
        for what in (["-p", "branchline"], *([str(example)] for example in EXAMPLES)):
            checked = self.mypy(*what)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_its_types_refuse_what_is_wrong(self):
        program = Path(self.home.name) / "wrong.py"
        program.write_text(WRONG, encoding="utf-8")
        told = self.mypy(str(program)).stdout
        found = {int(line.split(":")[1]) for line in told.splitlines() if ": error:" in line}
        self.assertEqual(found, set(range(3, 9)), told)

    def test_each_example_runs_as_written(self):
        self.assertTrue(EXAMPLES)
        for example in EXAMPLES:
            with self.subTest(example.name), tempfile.TemporaryDirectory() as home:
                hub = Hub(Path(home) / "hub")
                self.addCleanup(hub.kill)
                hub.command("create", "account", "name=Alpha")
                hub.serve()
                told = self.run_there(str(example), str(Path(home) / "phone"), hub.invite("phone"))
                self.assertIn("Alpha", told)
                self.assertIn("delivered", told)
                hub.kill()


if __name__ == "__main__":
    unittest.main()
