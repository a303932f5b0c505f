"""Tests of the wheel in a clean environment: its files and its command."""

import json
import re
import sys
import unittest
from importlib.metadata import files, metadata
from pathlib import Path

from material import PROGRAM, ROOT, SAMPLES, run

import tsp_mgs


class Wheel(unittest.TestCase):
    def test_the_package_is_the_installed_one_and_is_typed(self):
        package = Path(tsp_mgs.__file__).parent
        self.assertTrue(package.is_relative_to(sys.prefix), package)
        self.assertTrue((package / "py.typed").is_file())
        names = {str(file) for file in files("tsp-mgs")}
        for name in ("ray_data", "spark", "reproduce_ray", "command"):
            self.assertIn(f"tsp_mgs/engines/{name}.py", names)
        self.assertEqual([name for name in names if "LICENSE" in name and "licenses" not in name], [])
        self.assertEqual(len([name for name in names if "LICENSE-" in name]), 2, names)

    def test_versions_and_licences_agree(self):
        [version] = re.findall(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)
        self.assertEqual(tsp_mgs.__version__, version)
        self.assertEqual(run(PROGRAM, "--version").stdout, f"trainer {version}\n")
        self.assertEqual(json.loads((ROOT / "www/package.json").read_text())["version"], version)
        self.assertIn(f"\nversion: {version}\n", (ROOT / "CITATION.cff").read_text())
        self.assertEqual(metadata("tsp-mgs")["License-Expression"], "MIT OR Apache-2.0")

    def test_the_wheels_tag_names_the_systems_that_the_program_runs_on(self):
        [tag] = re.findall(r"^Tag: (.+)$", next(f for f in files("tsp-mgs") if f.name == "WHEEL").read_text(), re.M)
        [major, minor] = map(int, re.fullmatch(r"py3-none-manylinux_(\d+)_(\d+)_\w+", tag).groups())
        needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", PROGRAM.read_bytes())
        self.assertLessEqual(max((int(a), int(b)) for a, b in needed), (major, minor), tag)


class Command(unittest.TestCase):
    def test_the_command_scores(self):
        scored = run(PROGRAM, "score", "--device", "cpu", "--crops", "1", "--format", "jsonl", SAMPLES / "cat.jpg")
        self.assertEqual(scored.returncode, 0, scored.stderr)
        row = json.loads(scored.stdout)
        self.assertEqual((row["width"], row["height"], row["prompt_source"]), (512, 512, "sidecar"))
        self.assertGreater(row["perception"]["score"], 0)

    def test_the_module_is_the_same_command_with_the_same_exit_codes(self):
        for arguments in (["--version"], ["score", "nowhere.png", "--device", "cpu"], ["score", "--wrong"]):
            with self.subTest(arguments=arguments):
                ours, program = run(sys.executable, "-m", "tsp_mgs", *arguments), run(PROGRAM, *arguments)
                self.assertEqual((ours.returncode, ours.stdout, ours.stderr), (program.returncode, program.stdout, program.stderr))

    def test_without_a_program_the_module_says_where_it_looked(self):
        code = "import tsp_mgs.program as p; p.NAME = 'no-such-program'; p.find()"
        found = run(sys.executable, "-c", code)
        self.assertEqual(found.returncode, 1)
        self.assertIn(f"expected the program no-such-program in {sys.prefix}/bin", found.stderr)

    def test_a_driver_says_what_it_needs(self):
        # Ray is an optional dependency of the package, `tsp-mgs[ray]`.
        driver = run(sys.executable, "-m", "tsp_mgs.engines.ray_data", "--help")
        self.assertIn("No module named 'ray'", driver.stderr)


if __name__ == "__main__":
    unittest.main()
