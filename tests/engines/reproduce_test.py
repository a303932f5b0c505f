"""Tests of the paper's jobs as Ray tasks on two nodes, each with one pretended GPU. A worker is killed during a run."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import material
from cluster import Cluster

TINY = ["--device", "cpu", "--repeats", "2", "--epochs", "4", "--batch", "8", "--train-crops", "1", "--crops", "2"]


class Reproduce(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="ray"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        data = ["synth", "--out", cls.folder / "data/AGIQA-3K", "--images", "24", "--seed", "1"]
        for command in (data, ["export", "--out", cls.folder / "clip"]):
            subprocess.run([material.TRAINER, *command], check=True, capture_output=True)
        cls.cluster = Cluster(cls.folder, nodes=2, processors=1, gpus=1)
        cls.addClassCleanup(cls.cluster.stop)

    def flags(self, out):
        clip = self.folder / "clip/weights-01.safetensors"
        return ["table4", "--data", self.folder / "data", "--clip", clip, "--out", self.folder / out, *TINY]

    def start(self, out):
        trainer, self.starts = material.watched(self.folder)
        command = [*material.module("reproduce_ray"), "--trainer", trainer, "--cpus", "1", "--", *self.flags(out)]
        environment = os.environ | material.FINDS_PACKAGE | self.cluster.environment
        return subprocess.Popen(list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def table(self, out):
        return json.loads((self.folder / out / "table4.json").read_text())

    def test_jobs_end_as_without_ray_though_a_worker_is_killed(self):
        run = self.start("ray")
        # The first process lists the jobs.
        material.kill(self.starts, run, lambda trainer: trainer in self.starts()[1:], material.parent)
        said = run.communicate(timeout=240)[0]
        self.assertEqual(run.returncode, 0, said)
        self.assertIn("4/4 ", said)
        self.assertIn("4 jobs, 4 of them finished before", said)
        alone = subprocess.run([material.TRAINER, "reproduce", *self.flags("alone")], capture_output=True, text=True)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        self.assertEqual(self.table("ray"), self.table("alone"))

    def test_a_job_that_fails_is_named_and_the_rest_is_done(self):
        broken = "agiqa-3k_alignment_adv_both_alpha-1_split-1"
        (self.folder / "broken/jobs" / broken).mkdir(parents=True)
        (self.folder / "broken/jobs" / broken / "notes.md").write_text("not a run")
        run = self.start("broken")
        said = run.communicate(timeout=240)[0]
        self.assertEqual(run.returncode, 1, said)
        self.assertRegex(said, f"failed: {broken}: .*is not empty and holds no run")
        self.assertEqual(material.error(said), "error: 1 of 4 jobs failed; the same command tries them again")
        done = [file for name in ("report", "evaluation") for file in (self.folder / "broken/jobs").glob(f"*/{name}.json")]
        self.assertEqual(len(done), 3, done)

    def test_what_trainer_refuses_is_told_at_once(self):
        flags = ["--trainer", material.TRAINER, "--", "table4", "--data", "nowhere", "--clip", "x", "--out", "y"]
        run = subprocess.run([*material.module("reproduce_ray"), *flags], env=os.environ | material.FINDS_PACKAGE, capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("nowhere is not a folder", run.stderr)


if __name__ == "__main__":
    unittest.main()
