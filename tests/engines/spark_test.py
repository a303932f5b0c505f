"""Tests of Spark in local mode with two tasks at a time. A trainer and a Python worker are killed during runs."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import material

# Two of 10 partitions at a time, with four attempts each. In local mode, Spark makes one attempt by default.
SUBMIT = ("--master local[2,4] --driver-memory 1g --conf spark.ui.enabled=false --conf spark.sql.files.maxPartitionBytes=900k "
          "pyspark-shell")


class Spark(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="spark"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.rows = material.Rows(cls.folder)
        cls.few = material.Rows(cls.folder / "few", 300, flags=())
        cls.environment = {"PYSPARK_SUBMIT_ARGS": SUBMIT, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(cls.folder / "local")}

    def start(self, name, *flags, source="rows", **options):
        trainer, self.starts = material.watched(self.folder)
        options = {"environment": self.environment} | options
        return material.driver("spark", trainer, self.folder / source, self.folder / name, *flags, **options)

    def whole(self, run, name, starts, **options):
        said = run.communicate(timeout=240)[0]
        self.assertEqual(run.returncode, 0, said[-3000:])
        material.check(self, self.folder / name, **({"rows": self.rows} | options))
        self.assertGreaterEqual(len(self.starts()), starts, said[-3000:])

    def partitions(self, name):
        return len(list((self.folder / name).glob("part-*.parquet")))

    def test_a_trainer_that_is_killed_loses_nothing_and_doubles_nothing(self):
        run = self.start("killed-trainer")
        material.kill_when_busy(self.starts, run, lambda trainer: trainer)
        # One process that checks the input, one for each partition, and one that replaces the killed one.
        self.whole(run, "killed-trainer", 2 + self.partitions("killed-trainer"))
        self.assertGreaterEqual(self.partitions("killed-trainer"), 8)

    def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(self):
        run = self.start("killed-worker", "--keep", "key")
        material.kill_when_busy(self.starts, run, material.parent)
        self.whole(run, "killed-worker", 2 + self.partitions("killed-worker"), keep=["key"])

    def test_with_sixteen_views_scores_are_those_of_one_process_to_the_last_bit(self):
        self.whole(self.start("exact", source="few/rows/*.parquet", trainer_flags=()), "exact", 2, rows=self.few, bound=0)

    def test_what_is_wrong_is_told_in_a_sentence_and_nothing_is_written(self):
        (self.folder / "there").mkdir()
        (self.folder / "there/mine").write_text("mine")
        for name, flags, trainer_flags, expected in [
            ("wrong", ("--image", "png"), material.FLAGS, "error: expected a column `png`, found key, jpg, text, tags"),
            ("there", (), material.FLAGS, "PATH_ALREADY_EXISTS"),
            ("wrong", (), (*material.FLAGS, "--max-errors", "1"), "error: trainer ended with exit code 1: "),
        ]:
            with self.subTest(expected=expected):
                run = self.start(name, *flags, source="few/rows", trainer_flags=trainer_flags)
                said = run.communicate(timeout=240)[0]
                self.assertEqual(run.returncode, 1, said[-3000:])
                self.assertIn(expected, material.error(said))
                self.assertFalse((self.folder / "wrong/_SUCCESS").exists())
        self.assertEqual(os.listdir(self.folder / "there"), ["mine"])


if __name__ == "__main__":
    unittest.main()
