"""Tests of `tsp_mgs.Scorer` of the installed wheel: every kind of input, wrong input, and a killed process."""

import io
import json
import os
import signal
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa
from material import PROGRAM, QUICK, SAMPLES, run
from PIL import Image

from tsp_mgs import ImageError, Scorer, TrainerFailed

# In batches of other sizes, products are rounded in another way: 5e-7 was seen.
BOUND = 1e-5


def expected(name, prompt):
    """Both scores from the command line."""
    flags = ("--device", "cpu", "--crops", "1", "--format", "jsonl", "--prompt", prompt)
    row = json.loads(run(PROGRAM, "score", *flags, SAMPLES / name).stdout)
    return row["perception"]["score"], row["alignment"]["score"]


class Scores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scorer = Scorer(**QUICK)
        cls.addClassCleanup(cls.scorer.close)
        cls.rocket = expected("rocket.png", "a rocket")

    def same(self, score, expected):
        self.assertIsNone(score.error)
        self.assertAlmostEqual(score.perception, expected[0], delta=BOUND)
        self.assertAlmostEqual(score.alignment, expected[1], delta=BOUND)

    def test_paths_bytes_and_pil_images_score_as_the_command_does(self):
        path = SAMPLES / "rocket.png"
        images = [path, str(path), path.read_bytes(), memoryview(path.read_bytes()), Image.open(path)]
        for score in self.scorer.score(images, "a rocket"):
            self.same(score, self.rocket)
            self.assertEqual((score.width, score.height, score.crops, score.device), (512, 512, 1, "cpu"))
            self.assertEqual((score.prompt_source, score.prompt_truncated), ("table", False))
            self.assertIn("demo weights, trained on synthetic images", score.notes)

    def test_arrow_arrays_score_as_lists_do(self):
        path = SAMPLES / "rocket.png"
        image = {"bytes": path.read_bytes(), "path": None}
        for column in (
            pa.array([str(path)] * 2),
            pa.array([path.read_bytes()] * 2),
            pa.chunked_array([[path.read_bytes()], [path.read_bytes()]], pa.large_binary()),
            pa.array([image] * 2),
            pa.array([str(path)] * 2).dictionary_encode(),
        ):
            with self.subTest(type=column.type):
                scores = self.scorer.score(column, pa.array(["a rocket", None]))
                self.same(scores[0], self.rocket)
                self.assertEqual(len(scores), 2)

    def test_a_table_keeps_its_columns_and_gets_the_scores(self):
        path = SAMPLES / "rocket.png"
        table = pa.table({"id": [7, 8, 9], "file": [str(path), None, "nowhere.png"], "text": ["a rocket", "b", "c"]})
        scored = self.scorer.score_table(table, image="file", prompt="text")
        self.assertEqual(scored.select(table.column_names), table)
        rows = scored.to_pylist()
        self.assertAlmostEqual(rows[0]["alignment"], self.rocket[1], delta=BOUND)
        self.assertEqual([row["perception"] is None for row in rows], [False, True, True])
        self.assertIn("has no image", rows[1]["error"])
        self.assertIn("No such file", rows[2]["error"])
        empty = self.scorer.score_table(table.slice(0, 0), image="file", prompt="text")
        self.assertEqual((empty.num_rows, empty.schema), (0, scored.schema))

    def test_more_images_than_a_batch_come_back_in_their_order(self):
        path = SAMPLES / "rocket.png"
        photo = Image.open(path).convert("RGB")
        sizes = [(40 + i, 70) for i in range(150)]
        found = self.scorer.score([photo.crop((0, 0, *size)) for size in sizes])
        self.assertEqual([(score.width, score.height) for score in found], sizes)
        self.assertTrue(all(score.alignment is None for score in found))

    def test_prompts_are_found_beside_the_file_and_in_it_unless_given(self):
        beside, within = self.scorer.score([SAMPLES / "cat.jpg", (SAMPLES / "rocket.png").read_bytes()])
        self.assertEqual((beside.prompt_source, within.prompt_source), ("sidecar", "parameters"))
        self.assertIsNotNone(beside.alignment)

    def test_pil_images_of_every_mode_and_orientation_score_as_their_files(self):
        photo = Image.open(SAMPLES / "rocket.png").convert("RGB").resize((96, 64))
        for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "F"):
            with self.subTest(mode=mode):
                image = photo.convert("L").convert("F").convert("I;16") if mode == "I;16" else photo.convert(mode)
                [score] = self.scorer.score([image])
                self.assertEqual((score.width, score.height), (96, 64))
        turned = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6  # lies on its side
        photo.save(turned, "PNG", exif=exif)
        as_file, as_image = self.scorer.score([turned.getvalue(), Image.open(turned)])
        self.assertEqual((as_file.width, as_file.height), (64, 96))
        self.assertEqual((as_image.width, as_image.height), (64, 96))
        self.assertAlmostEqual(as_file.perception, as_image.perception, delta=BOUND)

    def test_flat_and_tiny_images_have_a_note(self):
        [score] = self.scorer.score([Image.new("RGB", (20, 20))])
        self.assertIn("one colour", score.notes)
        self.assertIn("smaller than 64 pixels", score.notes)

    def test_an_image_that_cannot_be_scored_is_an_error_that_keeps_the_others(self):
        with self.assertRaisesRegex(ImageError, r"1 of 2 images could not be scored; images\[0\] \(nowhere.png\): .*No such file") as caught:
            self.scorer.score(["nowhere.png", SAMPLES / "rocket.png"], ["x", "a rocket"])
        self.same(caught.exception.scores[1], self.rocket)
        self.assertIsNone(caught.exception.scores[0].perception)
        with self.assertRaisesRegex(ImageError, r"images\[0\]: .*not an image"):
            self.scorer.score([b"a text"])
        with self.assertRaisesRegex(ImageError, "images are not downloaded"):
            self.scorer.score(["https://example.org/cat.png"])

    def test_wrong_input_is_told_before_anything_is_scored(self):
        path = SAMPLES / "rocket.png"
        closed = Image.open(path)
        closed.close()
        for call, error, expected in [
            (lambda: self.scorer.score([path, path], ["a"]), ValueError, "a prompt for each image: 2 images, found 1 prompts"),
            (lambda: self.scorer.score(pa.array([str(path)]), ["a", "b"]), ValueError, "1 images, found 2 prompts"),
            (lambda: self.scorer.score([path], [3]), TypeError, r"prompts\[0\]: expected a str or None, found int"),
            (lambda: self.scorer.score("cat.png"), TypeError, "expected a list of images, found str; put one image into a list"),
            (lambda: self.scorer.score([path, 3]), TypeError, r"images\[1\]: expected a path, .* or a PIL image, found int"),
            (lambda: self.scorer.score([closed]), ValueError, r"images\[0\]: the PIL image cannot be read"),
            (lambda: self.scorer.score(pa.array([1])), TypeError, "expected paths .text., images .bytes. .*, found int64"),
            (lambda: self.scorer.score_table(pa.table({"a": ["b"]})), ValueError, "expected a column `image`, found a"),
            (lambda: self.scorer.score_table(pa.table({"image": ["b"], "width": [1]})), ValueError, "has a column `width` already"),
        ]:
            with self.subTest(expected=expected), self.assertRaisesRegex(error, expected):
                call()
        self.assertEqual(self.scorer.score([]), [])
        self.same(self.scorer.score([path], "a rocket")[0], self.rocket)

    def test_a_process_that_is_killed_is_an_error_of_one_call(self):
        with Scorer(**QUICK) as scorer:
            os.kill(scorer._filter.process.pid, signal.SIGKILL)
            with self.assertRaisesRegex(TrainerFailed, "trainer was killed by SIGKILL"):
                scorer.score([SAMPLES / "rocket.png"], "a rocket")
            self.same(scorer.score([SAMPLES / "rocket.png"], "a rocket")[0], self.rocket)
            process = scorer._filter.process.pid
        self.assertFalse(Path(f"/proc/{process}").exists())

    def test_a_model_is_opened_at_the_start_and_what_is_wrong_with_it_is_told(self):
        for options, expected in [
            ({"model": "nowhere"}, "exit code 1: .*nowhere"),
            ({"clip": "a", "model": "b"}, "exit code 2: .*cannot be used with"),
            ({"crops": 0}, "exit code 2: .*--crops"),
            ({"trainer": "/nowhere"}, "starting /nowhere: "),
        ]:
            with self.subTest(options=options), self.assertRaisesRegex(TrainerFailed, expected):
                Scorer(**QUICK | options)

    def test_a_model_that_was_exported_scores(self):
        with tempfile.TemporaryDirectory() as folder:
            made = run(PROGRAM, "export", "--dtype", "f32", "--out", f"{folder}/model")
            self.assertEqual(made.returncode, 0, made.stderr)
            with Scorer(f"{folder}/model", **QUICK) as scorer:
                [score] = scorer.score([SAMPLES / "rocket.png"], ["a rocket"])
            self.assertAlmostEqual(score.perception, self.rocket[0], delta=0.01)


if __name__ == "__main__":
    unittest.main()
