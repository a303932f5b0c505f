"""What the bench itself must get right: python -m unittest discover tests/bench -p "*_test.py"."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import bench
import machine
import ours
from compare import same, task
from report import LIMITED, Growth, Row, Size, rate, write
from rival import Program
from setting import BENCH, NotMeasured, Setting, Wrong, hiding, in_turns


class Compare(unittest.TestCase):
    def test_takes_what_is_within_the_bound_and_tells_the_largest_difference(self):
        found = same("rival", [{"score": 1.0, "p": [0.25, 0.75]}], [{"score": 1.0, "p": [0.25, 0.5]}], 0.25)
        self.assertEqual(found, {"what": "rival", "difference": 0.25, "bound": 0.25})

    def test_refuses_what_is_further_off_or_no_number_or_not_there(self):
        for found in ([1.0, 2.1], [1.0, float("nan")], [1.0, None], [1.0, "2"], [1.0], [1.0, 2.0, 3.0], None):
            with self.subTest(found=found), self.assertRaises(Wrong):
                same("rival", found, [1.0, 2.0], 0.05)
        with self.assertRaises(Wrong):
            same("rival", {"p": [1.0]}, {"p": [1.0], "score": 1.0}, 0.05)

    def test_refuses_an_image_that_was_not_scored(self):
        with self.assertRaisesRegex(Wrong, "a.jpg: not scored: no image"):
            task({"path": "a.jpg", "error": "no image"})


class Report(unittest.TestCase):
    row = Row("views", "small", "images/s", 1, at_least={"Pillow": 2.0}, compared=[{"what": "Pillow 1", "difference": 1e-6, "bound": 1e-3}])
    row.timed({"ours": [(0.1, 0.2), (0.5, 0.2), (0.2, 0.2)], "Pillow 1": [(0.4, 0.1), (0.8, 0.1), (0.6, 0.1)]})

    def test_a_ratio_above_one_means_that_ours_is_faster(self):
        self.assertAlmostEqual(self.row.ratios()["Pillow 1"], 0.6 / 0.2)
        self.assertAlmostEqual(self.row.busy_ratios()["Pillow 1"], 0.1 / 0.2)

    def test_a_browser_tells_the_clock_alone(self):
        row = Row("wasm", "small", "views/s").timed({"ours": [1.0, 3.0], "rival": [2.0, 6.0]})
        self.assertEqual((row.samples["rival"], row.ratios(), row.busy_ratios()), ([2.0, 6.0], {"rival": 2.0}, {}))

    def test_a_rate_is_the_median_with_slowest_and_fastest(self):
        self.assertEqual(rate([0.1, 0.5, 0.2], "images/s"), "5 images/s (2 to 10)")
        self.assertEqual(rate([3.0, 1.0, 2.0], "s"), "2 s (3 to 1)")

    def test_both_files_tell_the_same(self):
        left_out = Row("tower", "batch 1", "views/s", 2, "amx").left_out("this processor has no AMX")
        growth = Growth("growth", "small", "images", [{"x": 10, "seconds": 0.5, "bytes": 2_500_000}], 1)
        run = {"date": "today", "machine": "a machine", "versions": ["ours 1"], "form": "quick", "rounds": 3,
               "results": [self.row, left_out, growth, Size("size", "wasm", {"ours": 1_500_000, "rival": 3_000_000}, 2_000_000)],
               "failed": {"text": "results differ"}}
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), run)
            text, data = (Path(folder, "report.md").read_text(), json.loads(Path(folder, "report.json").read_text()))
        self.assertEqual([result["kind"] for result in data["results"]], ["row", "row", "growth", "size"])
        self.assertAlmostEqual(data["results"][0]["ratios"]["Pillow 1"], 3.0)
        for line in ("| views | small | all | 1 | 5 images/s (2 to 10) | Pillow 1: 1.67 images/s (1.25 to 2.5) | 3.00 | 0.50 | 2.0 | 1.0e-06 (at most 0.001) |",
                     "| tower | batch 1 | amx | 2 | not measured: this processor has no AMX |", LIMITED, "| 10 | 0.5 | 2.50 MB |", "| wasm | 1.50 MB | rival 3.00 MB | 2.00 MB |",
                     "**text failed**: results differ"):
            self.assertIn(line, text)

    def test_a_row_that_cannot_be_filled_says_why_and_a_wrong_one_does_not_pass(self):
        def raises(error):
            def fill(row):
                raise error
            return fill

        row = Row("quantised", "small", "views/s").filled(raises(NotMeasured("this processor has no AMX")))
        self.assertEqual(row.not_measured, "this processor has no AMX")
        with self.assertRaises(Wrong):
            Row("quantised", "small", "views/s").filled(raises(Wrong("off by 1")))


class Trainer(unittest.TestCase):
    """A script in its place that answers as it is told."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.trainer = self.folder / "trainer"

    def answers(self, code, complaint=""):
        lines = [
            "#!/bin/sh", 'if [ "$1" = --version ]; then echo trainer 1; exit; fi', f'echo "$@" > {self.folder}/asked',
            """echo '{"score": 1}'""", f"cat >&2 <<'end'\n{complaint}\nend", f"exit {code}\n",
        ]
        self.trainer.write_text("\n".join(lines))
        self.trainer.chmod(0o755)

    def score(self, isa=None):
        setting = Setting(self.trainer, self.folder, self.folder, [1], 1, True, isa)
        return ours.score(setting, 1, self.folder / "clip.safetensors", ["a.bmp"], "--precision", "int8").rows

    def test_what_the_processor_lacks_is_not_measured(self):
        self.answers(2, "warning: old weights\nerror: this processor has no AMX; leave --isa out")
        with self.assertRaises(NotMeasured) as caught:
            self.score("amx")
        self.assertEqual(str(caught.exception), "this processor has no AMX; leave --isa out")

    def test_any_other_failure_is_wrong(self):
        for code, complaint in ((1, "error: this processor broke"), (2, "error: unexpected argument --isa found"), (101, "panicked")):
            self.answers(code, complaint)
            with self.subTest(code=code), self.assertRaisesRegex(Wrong, f"ended with {code}: {complaint}"):
                self.score()

    def test_is_asked_for_the_instruction_set_if_there_is_one(self):
        self.answers(0)
        for isa, part in (("avx2", "--isa avx2 --precision int8"), (None, "jsonl --clip clip.safetensors --precision int8")):
            self.assertEqual(self.score(isa), [{"score": 1}])
            self.assertIn(part, (self.folder / "asked").read_text().replace(f"{self.folder}/", ""))

    def run_of(self, *flags):
        """The bench's exit code and report when `tower` is a path that scores one image and nothing else."""
        (self.folder / "paths").mkdir(exist_ok=True)
        (self.folder / "paths/__init__.py").touch()
        (self.folder / "paths/tower.py").write_text(
            "import ours\nfrom report import Row\n\ndef run(setting):\n    row = Row('tower', 'small', 'views/s', 1, setting.isa)\n"
            "    yield row.filled(lambda row: row.timed({'ours': [ours.score(setting, 1, setting.folder / 'w', []).seconds]}))\n")
        code = "import sys; sys.path[:0] = sys.argv.pop(1).split(','); import bench; bench.main()"
        command = [sys.executable, "-c", code, f"{self.folder},{BENCH}", self.trainer, self.folder / "out", "--only", "tower", *flags]
        run = subprocess.run(command, env=os.environ | {"CHROMIUM": "true"}, capture_output=True, text=True)
        return run.returncode, json.loads((self.folder / "out/report.json").read_text())

    def test_a_run_ends_well_without_what_the_machine_lacks(self):
        self.answers(2, "error: this processor has no AMX")
        code, report = self.run_of("--isa", "amx")
        self.assertEqual((code, report["failed"]), (0, {}))
        self.assertEqual([(row["isa"], row["not_measured"]) for row in report["results"]], [("amx", "this processor has no AMX")])

    def test_a_run_fails_with_what_is_wrong(self):
        self.answers(1, "error: off by 1")
        code, report = self.run_of("--isa", "avx2,portable")
        self.assertEqual((code, list(report["failed"])), (1, ["tower, avx2", "tower, portable"]))


class Isa(unittest.TestCase):
    def measured(self, *flags):
        return bench.measurements(bench.arguments(["trainer", "folder", *flags]))

    def test_paths_are_measured_once_with_all_that_the_processor_has(self):
        self.assertEqual(self.measured(), [(path, None) for path in bench.PATHS])

    def test_named_sets_are_for_the_command_lines_kernels(self):
        self.assertEqual(self.measured("--isa", "avx2,portable", "--isa", "amx", "--only", "whole", "--only", "wasm"),
                         [("whole", "avx2"), ("whole", "portable"), ("whole", "amx"), ("wasm", None)])

    def test_the_quick_form_has_two_sets_for_the_tower_and_fewer_bits(self):
        found = self.measured("--quick")
        self.assertEqual([path for path, isa in found if isa == "portable"], ["tower", "quantised"])
        self.assertEqual([path for path, isa in found if isa is None], bench.PATHS)

    def test_pytorch_has_the_same_instructions(self):
        def limits(isa):
            names = "ATEN_CPU_CAPABILITY ONEDNN_MAX_CPU_ISA MKL_CBWR".split()
            child = f"import json, os; print(json.dumps([os.environ.get(name) for name in {names}]))"
            program = Program("a child", [sys.executable, "-c", child], 1, isa)
            program.__exit__()
            program.process.stdout.close()
            return program.version

        with mock.patch.dict(os.environ):
            for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR"):
                os.environ.pop(name, None)
            self.assertEqual(limits("avx2"), ["avx2", "AVX2", "AVX2"])
            self.assertEqual(limits("portable"), ["default", "SSE41", "COMPATIBLE"])
            self.assertEqual(limits("amx"), [None] * 3)
            self.assertEqual(limits(None), [None] * 3)

    def test_rivals_see_no_instructions_beyond_the_set(self):
        if not hiding():
            self.skipTest("CPUID does not fault on this processor, or there is no C compiler")

        def seen(isa):
            child = "from numpy._core._multiarray_umath import __cpu_features__ as has; print([int(has['AVX2']), int(has['AVX512F'])])"
            with Program("a child", [sys.executable, "-c", child], 1, isa) as program:
                program.process.stdout.close()
                return program.version

        self.assertEqual(seen("avx2"), [1, 0])
        self.assertEqual(seen(None), seen("amx"))


class Machine(unittest.TestCase):
    def test_names_whole_flags_alone(self):
        info = "model name\t: A processor\nflags\t\t: avx2 avx512_vnni avx512_bf16 amx_int8 amx_tile avx_vnni_int8\n"
        with mock.patch.object(Path, "read_text", return_value=info), mock.patch.object(Path, "exists", return_value=True):
            self.assertTrue(machine.machine().startswith("A processor, avx2, avx512_vnni, avx512_bf16, amx_tile, amx_int8, "), machine.machine())


class Turns(unittest.TestCase):
    def test_every_round_asks_every_side_in_order(self):
        asked = []
        samples = in_turns(2, {"ours": lambda: asked.append("ours") or 1, "rival": lambda: asked.append("rival") or 2})
        self.assertEqual(asked, ["ours", "rival", "ours", "rival"])
        self.assertEqual(samples, {"ours": [1, 1], "rival": [2, 2]})


if __name__ == "__main__":
    unittest.main()
