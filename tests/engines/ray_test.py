"""Tests of Ray Data on two nodes with a worker each. A trainer, a worker and a node are killed during runs."""

import shutil
import tempfile
import unittest
from pathlib import Path

import material
from cluster import Cluster

# Tasks have 50 rows, so that most of the time some are done and some are left.
TWO = ("--workers", "2", "--rows", "50")


class RayData(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="ray"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.rows = material.Rows(cls.folder)
        cls.few = material.Rows(cls.folder / "few", 300, flags=())
        cls.cluster = Cluster(cls.folder, nodes=2, processors=2)
        cls.addClassCleanup(cls.cluster.stop)

    def start(self, name, *flags, **options):
        trainer, self.starts = material.watched(self.folder)
        options = {"environment": self.cluster.environment} | options
        return material.driver("ray_data", trainer, self.folder / "rows", self.folder / name, *flags, **options)

    def whole(self, run, name, starts, **options):
        said = run.communicate(timeout=240)[0]
        self.assertEqual(run.returncode, 0, said[-3000:])
        material.check(self, self.folder / name, self.rows, **options)
        self.assertGreaterEqual(len(self.starts()), starts, said[-3000:])

    def test_a_trainer_that_is_killed_loses_nothing_and_doubles_nothing(self):
        run = self.start("killed-trainer", *TWO)
        material.kill_when_busy(self.starts, run, lambda trainer: trainer)
        # One process that checks the input, two workers, and one that replaces the killed one.
        self.whole(run, "killed-trainer", 4)

    def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(self):
        run = self.start("killed-worker", *TWO)
        material.kill_when_busy(self.starts, run, material.parent)
        self.whole(run, "killed-worker", 4)

    def test_a_node_that_is_killed_loses_nothing_and_doubles_nothing(self):
        run = self.start("killed-node", *TWO, "--keep", "key")
        material.kill_when_busy(self.starts, run, lambda trainer: material.parent(material.parent(trainer)))
        self.cluster.add()
        self.whole(run, "killed-node", 4, keep=["key"])

    def test_with_sixteen_views_scores_are_those_of_one_process_to_the_last_bit(self):
        trainer, _ = material.watched(self.folder)
        run = material.driver("ray_data", trainer, self.folder / "few/rows/*.parquet", self.folder / "exact", *TWO,
                              environment=self.cluster.environment, trainer_flags=())
        said = run.communicate(timeout=240)[0]
        self.assertEqual(run.returncode, 0, said[-3000:])
        material.check(self, self.folder / "exact", self.few, bound=0)

    def test_what_is_wrong_is_told_in_a_sentence_and_nothing_is_written(self):
        (self.folder / "there").mkdir()
        for name, flags, expected in [
            ("wrong", ("--image", "png"), "error: expected a column `png`, found key, jpg, text, tags"),
            ("there", (), "there exists; pass another folder, or remove it"),
            ("wrong", ("--workers", "4"), "error: the cluster has 4 processors, which are too few for 4 x 1 and one for reading and writing"),
        ]:
            with self.subTest(expected=expected):
                run = self.start(name, *flags)
                said = run.communicate(timeout=120)[0]
                self.assertEqual(run.returncode, 1, said)
                self.assertIn(expected, material.error(said))
                self.assertFalse((self.folder / "wrong").exists())

    def test_a_trainer_that_fails_again_and_again_is_an_error_in_its_own_words(self):
        run = self.start("failed", "--workers", "1", trainer_flags=(*material.FLAGS, "--max-errors", "1"))
        said = run.communicate(timeout=240)[0]
        self.assertEqual(run.returncode, 1, said[-3000:])
        self.assertRegex(material.error(said), "^error: trainer ended with exit code 1: .*stopped: more images failed than --max-errors allows")
        self.assertFalse((self.folder / "failed/_SUCCESS").exists())


if __name__ == "__main__":
    unittest.main()
