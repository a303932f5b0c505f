"""What the bench itself must get right: python -m unittest discover tests/bench -p "*_test.py"."""

import json
import tempfile
import unittest
from pathlib import Path

from compare import same, task
from report import Growth, Row, Size, rate, write
from setting import Wrong, in_turns


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
        left_out = Row("tower", "batch 1", "views/s", 2).left_out("needs a newer trainer")
        growth = Growth("growth", "small", "images", [{"x": 10, "seconds": 0.5, "bytes": 2_500_000}], 1)
        run = {"date": "today", "machine": "a machine", "versions": ["ours 1"], "form": "quick", "rounds": 3,
               "results": [self.row, left_out, growth, Size("size", "wasm", {"ours": 1_500_000, "rival": 3_000_000}, 2_000_000)],
               "failed": {"text": "results differ"}}
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), run)
            text, data = (Path(folder, "report.md").read_text(), json.loads(Path(folder, "report.json").read_text()))
        self.assertEqual([result["kind"] for result in data["results"]], ["row", "row", "growth", "size"])
        self.assertAlmostEqual(data["results"][0]["ratios"]["Pillow 1"], 3.0)
        for line in ("| views | small | 1 | 5 images/s (2 to 10) | Pillow 1: 1.67 images/s (1.25 to 2.5) | 3.00 | 0.50 | 2.0 | 1.0e-06 (at most 0.001) |",
                     "not measured: needs a newer trainer", "| 10 | 0.5 | 2.50 MB |", "| wasm | 1.50 MB | rival 3.00 MB | 2.00 MB |",
                     "**text failed**: results differ"):
            self.assertIn(line, text)


class Turns(unittest.TestCase):
    def test_every_round_asks_every_side_in_order(self):
        asked = []
        samples = in_turns(2, {"ours": lambda: asked.append("ours") or 1, "rival": lambda: asked.append("rival") or 2})
        self.assertEqual(asked, ["ours", "rival", "ours", "rival"])
        self.assertEqual(samples, {"ours": [1, 1], "rival": [2, 2]})


if __name__ == "__main__":
    unittest.main()
