"""What can be held true of the Swift sources without a Swift compiler."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")) / "debug"
RESERVED = set(
    """associatedtype class deinit enum extension fileprivate func import init inout internal let open operator private
    precedencegroup protocol public rethrows static struct subscript typealias var break case catch continue default defer
    do else fallthrough for guard if in repeat return throw switch where while Any as await false is nil self Self super
    throws true try""".split()
)


def generated():
    with tempfile.TemporaryDirectory() as out:
        line = [BUILT / "uniffi-bindgen", "generate", "--language", "swift", "--no-format", "--out-dir", out]
        library = next(BUILT / f"libbranchline_bindings.{end}" for end in ("so", "dylib") if
                       (BUILT / f"libbranchline_bindings.{end}").exists())
        subprocess.run([*line, library], check=True, capture_output=True)
        return {file.name: file.read_text(encoding="utf-8") for file in sorted(Path(out).iterdir())}


def typed_collections():
    with tempfile.TemporaryDirectory() as out:
        file = Path(out) / "Collections.swift"
        subprocess.run([BUILT / "typed-collections", file], check=True, capture_output=True)
        return file.read_text(encoding="utf-8")


def written(name):
    """A source that is written by hand."""
    return (CHECKOUT / "bindings" / "swift" / "Sources" / "Branchline" / name).read_text(encoding="utf-8")


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


class Swift(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.files = generated()
        cls.swift = cls.files["BranchlineCore.swift"]
        cls.collections = typed_collections()

    def test_generation_gives_the_same_twice(self):
        self.assertEqual(self.files, generated())
        self.assertEqual(set(self.files), {"BranchlineCore.swift", "BranchlineFFI.h", "BranchlineFFI.modulemap"})

    def test_everything_of_the_facade_is_there(self):
        functions, types = set(), set()
        for source in (CHECKOUT / "bindings" / "src").glob("*.rs"):
            text = source.read_text(encoding="utf-8")
            for exported in re.split(r"#\[uniffi::export(?:\(with_foreign\))?\]\n", text)[1:]:
                block = exported.split("\n}\n")[0]
                functions.update(re.findall(r"\n    (?:pub )?fn (\w+)", "\n" + block))
                functions.update(re.findall(r"^pub fn (\w+)", block))
            types.update(re.findall(r"uniffi::(?:Record|Enum|Object|Error)\)\]\n(?:#\[.*\]\n)*pub (?:struct|enum) (\w+)", text))
        self.assertGreater(len(functions), 45)
        self.assertGreater(len(types), 45)
        for name in functions:
            self.assertTrue(re.search(rf"func `?{camel(name)}`?\(", self.swift), name)
        for name in types:
            self.assertTrue(re.search(rf"(class|struct|enum|protocol) {name}\b", self.swift), name)

    def test_no_name_is_a_reserved_word(self):
        # `case let` is a pattern and declares nothing; a name in backticks is no word.
        names = re.findall(r"\b(?:func|case(?! let\b)|var|let) (\w+)", self.swift)
        self.assertEqual({name for name in names if name in RESERVED}, set())

    def test_what_is_written_by_hand_calls_what_is_there(self):
        hand = written("Replica.swift")
        for name in re.findall(r"(?:\$0|blocking|BlockingReplica|watch|link)\.(\w+)\(", hand):
            self.assertTrue(re.search(rf"func `?{name}`?\(", self.swift), name)

    def test_no_type_is_declared_twice(self):
        whole = "\n".join([self.swift, self.collections, written("Replica.swift"), written("Typed.swift")])
        names = re.findall(r"^(?:public |open |final |private |fileprivate |indirect )*(?:class|struct|enum|protocol) (\w+)",
                           whole, re.MULTILINE)
        self.assertGreater(len(names), 60)
        self.assertEqual({name for name in names if names.count(name) > 1}, set())

    def test_each_case_that_is_written_by_hand_is_one_of_a_value(self):
        value = self.swift.split("public indirect enum Value")[1].split("\npublic ")[0]
        cases = set(re.findall(r"^    case (\w+)", value, re.MULTILINE))
        self.assertIn("location", cases)
        hand = written("Typed.swift")
        used = set(re.findall(r"case let \.(\w+)\(", hand)) | set(re.findall(r"write: \{ \.(\w+)\(", hand))
        self.assertEqual(len(used), 12)
        self.assertEqual(used - cases, set())

    def test_the_built_in_collections_have_typed_fields(self):
        self.assertEqual(self.collections, typed_collections())
        kinds = set(re.findall(r"static let (\w+) = Kind<", written("Typed.swift")))
        self.assertEqual(set(re.findall(r"Kinds\.(\w+)\.", self.collections)), kinds)
        classes = re.findall(r"^extension Crm \{\n.*\n    public final class (\w+): Typed \{\n.*\{ \"(\w+)\" \}\n", self.collections,
                             re.MULTILINE)
        self.assertGreater(len(classes), 20)
        for name, collection in classes:
            self.assertEqual(name, camel(f"_{collection}"))
        fields = re.findall(r"public var `(\w+)`: [^?]+\? \{\n +get \{ read\(\"(\w+)\"", self.collections)
        self.assertGreater(len(fields), 200)
        for name, field in fields:
            self.assertEqual(name, camel(field))
            # What the base class has itself, a field would hide.
            self.assertNotIn(name, {"record", "changes", "collectionName", "read", "write"})


if __name__ == "__main__":
    unittest.main()
