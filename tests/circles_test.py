"""Tests of the imports and circles that `circles.py` finds."""

import tempfile
import unittest
from pathlib import Path

import circles


class Circles(unittest.TestCase):
    def found(self, files):
        """The circles in a crate, or in a folder of JavaScript, as sets of file names."""
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder).resolve()
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
            is_rust = "lib.rs" in files
            imports = circles.rust_imports(folder / "lib.rs") if is_rust else circles.javascript_imports(folder)
            return [{str(file.relative_to(folder)) for file in circle} for circle in circles.circles(imports)]

    def test_modules_that_use_each_other_are_a_circle(self):
        lib = "mod a; mod b; mod c;"
        crate = {"lib.rs": lib, "a.rs": "use crate::{c, b::{B, D as E}};", "b.rs": "fn f() { super::a::g() }", "c.rs": ""}
        self.assertEqual(self.found(crate), [{"a.rs", "b.rs"}])
        self.assertEqual(self.found(crate | {"b.rs": "use crate::c::C;"}), [])
        three = {"lib.rs": lib, "a.rs": "use crate::b::B;", "b.rs": "use crate::c::C;", "c.rs": "use super::a::A;"}
        self.assertEqual(self.found(three), [{"a.rs", "b.rs", "c.rs"}])

    def test_a_module_does_not_import_what_it_is_made_of(self):
        crate = {"lib.rs": "pub mod a;", "a.rs": "mod b; pub use b::B; fn f() { b::g() }", "a/b.rs": "use super::A;"}
        self.assertEqual(self.found(crate), [])
        crate["a.rs"] = "mod b; mod c;"
        crate |= {"a/b.rs": "use super::c::C;", "a/c.rs": "use crate::a::b::B;"}
        self.assertEqual(self.found(crate), [{"a/b.rs", "a/c.rs"}])

    def test_paths_from_inner_modules_and_through_attributes_are_followed(self):
        crate = {
            "lib.rs": '#[path = "parts/first.rs"] mod a; mod b;',
            "parts/first.rs": "mod inner { use super::super::b::B; }",
            "b.rs": "impl Iterator for B + use<> { fn a() { crate::a::f::<T>() } }",
        }
        self.assertEqual(self.found(crate), [{"parts/first.rs", "b.rs"}])
        crate["parts/first.rs"] = "mod inner { use super::A; }"
        self.assertEqual(self.found(crate), [])

    def test_comments_texts_and_tests_import_nothing(self):
        a = """// crate::b::B
        /* use crate::b::B; */ const X: &str = "crate::b::B"; const Y: &str = r#"use "crate::b::B";"#;
        const C: char = '"'; const D: char = '\\''; fn f<'a>(x: &'a str) {}
        #[cfg(test)] mod tests { use crate::b::B; fn f() { {} } }
        #[cfg(test)] use crate::b::B;"""
        crate = {"lib.rs": "mod a; mod b;", "a.rs": a, "b.rs": "use crate::a::A;"}
        self.assertEqual(self.found(crate), [])
        self.assertEqual(self.found(crate | {"a.rs": a + " use crate::b::B;"}), [{"a.rs", "b.rs"}])

    def test_javascript_imports_are_followed(self):
        files = {
            "a.js": 'import { b } from "./b/b.js"; import "lit";',
            "b/b.js": 'export * from "../c.js";',
            "c.js": "const later = () => import('./a.js');",
        }
        self.assertEqual(self.found(files), [{"a.js", "b/b.js", "c.js"}])
        files["c.js"] = '// import "./a.js"\n/** @type {import("./a.js").A} */ const address = "https://a.b/c";'
        self.assertEqual(self.found(files), [])


if __name__ == "__main__":
    unittest.main()
