"""Tests of the process that the engines own: large batches, order, failures and cleanup."""

import os
import signal
import tempfile
import time
import unittest
from pathlib import Path

import material
import pyarrow as pa

from tsp_mgs import filter as trainer
from tsp_mgs.engines import command


def settings(**changes):
    given = dict(trainer=str(material.TRAINER), image="jpg", prompt="text", keep=None, threads=1, device="cpu", flags=material.FLAGS)
    return trainer.Settings(**given | changes)


class Filter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table = material.rows().slice(0, 300)
        with tempfile.TemporaryDirectory() as folder:
            cls.expected = material.single(Path(folder), cls.table)

    def batches(self, rows):
        return self.table.combine_chunks().to_batches(max_chunksize=rows)

    def test_answers_follow_the_batches_whatever_their_size(self):
        for rows in (300, 64, 1):
            with self.subTest(rows=rows):
                owned = trainer.Filter(settings())
                sent = self.batches(rows)[:150]
                answers = list(owned.score_all(iter(sent)))
                process = owned.process
                owned.close()
                self.assertEqual(process.returncode, 0)
                self.assertEqual([answer.num_rows for answer in answers], [batch.num_rows for batch in sent])
                found = pa.Table.from_batches(answers)
                self.assertEqual(found.column_names[:4], self.table.column_names)
                for name in ("perception", "alignment"):
                    material.same(self, found[name].to_pylist(), self.expected[name].to_pylist()[:found.num_rows], material.BOUND)

    def test_batches_and_answers_larger_than_any_pipe_do_not_wait_for_each_other(self):
        # A batch has 40 MB, since the image has bytes after its end. A pipe holds 64 kB.
        image = self.table["jpg"][0].as_py() + bytes(5_000_000)
        batch = pa.RecordBatch.from_pylist([{"jpg": image, "text": "a cat"}] * 8)
        owned = trainer.Filter(settings())
        answers = list(owned.score_all(iter([batch] * 4)))
        owned.close()
        self.assertEqual([answer["perception"].null_count for answer in answers], [0] * 4)

    def test_a_process_serves_many_calls_and_one_that_was_killed_is_replaced(self):
        owned = trainer.Filter(settings())

        def scored():
            [answer] = owned.score_all(iter(self.batches(100)[:1]))
            return answer.column("alignment")

        first, process = scored(), owned.process.pid
        self.assertEqual(first, scored())
        self.assertEqual(owned.process.pid, process)
        os.kill(process, signal.SIGKILL)
        with self.assertRaisesRegex(trainer.TrainerFailed, "trainer was killed by SIGKILL: note: demo weights"):
            scored()
        self.assertEqual(first, scored())
        owned.close()

    def test_tables_may_differ_in_the_type_of_their_texts(self):
        owned = trainer.Filter(settings())
        for kind in (pa.string(), pa.large_string(), pa.null()):
            text = self.table["text"] if kind != pa.null() else pa.nulls(self.table.num_rows)
            table = self.table.set_column(2, "text", text.cast(kind)).slice(0, 20)
            [answer] = owned.score_all(iter(table.combine_chunks().to_batches()))
            self.assertEqual(answer.column("perception").null_count, 2, kind)
            self.assertEqual(answer.column("alignment").null_count, 20 if kind == pa.null() else 4, kind)
        owned.close()

    def test_what_is_not_waited_for_leaves_no_process(self):
        owned = trainer.Filter(settings())
        answers = owned.score_all(iter(self.batches(10)))
        next(answers)
        process = owned.process.pid
        answers.close()
        self.assertFalse(Path(f"/proc/{process}").exists())

    def test_chosen_columns_stay_and_texts_may_be_dictionaries(self):
        text = self.table["text"].combine_chunks().dictionary_encode()
        table = self.table.set_column(2, "text", text).rename_columns({"tags": "width"})
        owned = trainer.Filter(settings(keep=("key",)))
        found = pa.Table.from_batches(owned.score_all(iter(table.combine_chunks().to_batches(max_chunksize=100))))
        owned.close()
        self.assertEqual(found.column_names, ["key", *material.SCORES, "error"])
        material.same(self, found["alignment"].to_pylist(), self.expected["alignment"].to_pylist(), material.BOUND)
        with self.assertRaisesRegex(trainer.TrainerFailed, "the input has a column `width`, which is also a column of the scores"):
            trainer.check(settings(), table.schema)

    def test_what_cannot_be_scored_is_told_before_anything_is(self):
        schema = self.table.schema
        names = trainer.check(settings(device="cuda:7"), schema).names
        self.assertEqual(names, [*schema.names, *material.SCORES, "error"])
        for changes, expected in [
            ({"image": "png"}, "expected a column `png`, found key, jpg, text, tags"),
            ({"keep": ("url",)}, "expected a column `url`"),
            ({"image": "key"}, "exit code 1: .*column `key`: expected paths .text., images .bytes. or Hugging Face's images, found Int64"),
            ({"flags": ("--model", "nowhere")}, "exit code 1: .*nowhere"),
            ({"flags": ("--crops", "x")}, "exit code 2: .*--crops"),
            ({"trainer": "/nowhere"}, "starting /nowhere: .*No such file or directory.*--trainer"),
        ]:
            with self.subTest(changes=changes), self.assertRaisesRegex(trainer.TrainerFailed, expected):
                trainer.check(settings(**changes), schema)

    def test_a_stream_that_ends_badly_is_no_success(self):
        owned = trainer.Filter(settings(flags=(*material.FLAGS, "--max-errors", "0")))
        with self.assertRaisesRegex(trainer.TrainerFailed, "stopped: more images failed than --max-errors allows"):
            list(owned.score_all(iter(self.batches(300))))
            time.sleep(0.1)
            owned.close()

    def test_of_an_engines_error_the_trainers_words_are_told(self):
        for text, expected in [
            ("Task failed\nKeyError: a\nfilter.TrainerFailed: trainer ended\nmore", "trainer ended"),
            ("Task failed\n  File a\nKeyError: a\nmore", "KeyError: a"),
            ("no such file\nat x", "no such file"),
            ("", "ValueError"),
        ]:
            self.assertEqual(command.reason(ValueError(text)), expected)


if __name__ == "__main__":
    unittest.main()
