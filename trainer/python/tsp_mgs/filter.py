"""Owns one `trainer score --stream arrow` process: batches in, the same batches with scores out.

It knows nothing of engines. A process that fails is an exception, and the next batch starts another one, so that an engine only has
to try again.
"""

import os
import queue
import signal
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from dataclasses import dataclass, replace

import pyarrow as pa

# Rows that go to `trainer` at once. It cuts its own batches for the device, so any number gives the same; one batch is always sent ahead,
# and 64 images of 200 kB, sent and answered, are 26 MB on the way.
ROWS = 64


class TrainerFailed(Exception):
    """`trainer` refused, failed or was killed; the text says which, with its last words."""


@dataclass(frozen=True)
class Settings:
    """What to score, and how."""

    trainer: str
    image: str
    prompt: str | None
    keep: tuple[str, ...] | None  # columns of the input that stay in the output; None for all
    threads: int
    device: str
    flags: tuple[str, ...]

    def columns(self):
        """Those that `trainer` needs."""
        return [self.image] + ([self.prompt] if self.prompt else [])

    def needed(self, names):
        """Of the columns `names`, those that have to be read: all, unless some are chosen."""
        if self.keep is None:
            return list(names)
        return list(dict.fromkeys([*self.keep, *self.columns()]))

    def command(self):
        roles = zip(("image", "prompt"), self.columns(), strict=False)
        columns = ",".join(f"{role}={name}" for role, name in roles)
        own = ["--columns", columns, "--threads", str(self.threads), "--device", self.device]
        return [self.trainer, "score", "--stream", "arrow", *own, *self.flags]


class Filter:
    """One process, started with the first batch."""

    def __init__(self, settings, environment=None):
        self.settings = settings
        # Matrices on a CPU take as many threads as the decoders: several processes share a machine.
        self.environment = os.environ | {"RAYON_NUM_THREADS": str(settings.threads)} | (environment or {})
        self.process = None

    def score_all(self, batches):
        """Answers each record batch with one of as many rows. One batch is sent ahead, so that `trainer` does not wait."""
        sent = deque()
        try:
            for batch in batches:
                self._send(batch)
                sent.append(batch)
                if len(sent) > 1:
                    yield self._answer(sent.popleft())
            while sent:
                yield self._answer(sent.popleft())
        except BaseException:
            # Whatever is under way belongs to nobody any more.
            self._stop()
            raise

    def close(self):
        """Ends the stream; an error when it does not end as it should."""
        if self.process is None:
            return
        try:
            self.writer.close()
            self.process.stdin.close()
        except OSError:
            pass  # It has ended already: its exit code says more.
        if self.answers.get() is not None or self.process.wait() != 0:
            self._fail()
        self._stop()

    def _send(self, batch):
        needed = batch.select(self.settings.columns())
        if self.process is not None and needed.schema != self.schema:
            self.close()  # Another file of the same data set may have another type of text, or no prompt at all.
        if self.process is None:
            self._start(needed.schema)
        try:
            self.writer.write_batch(needed)
            self.process.stdin.flush()
        except OSError:
            self._fail()

    def _answer(self, batch):
        answer = self.answers.get()
        if not isinstance(answer, pa.RecordBatch) or answer.num_rows != batch.num_rows:
            self._fail()
        kept = batch if self.settings.keep is None else batch.select(list(self.settings.keep))
        scores = range(len(self.settings.columns()), answer.num_columns)
        names = [answer.schema.names[i] for i in scores]
        for name in names:
            if name in kept.schema.names:
                raise TrainerFailed(f"the input has a column `{name}`, and so have the scores; keep others: --keep")
        columns = [*kept.columns, *(answer.column(i) for i in scores)]
        return pa.RecordBatch.from_arrays(columns, names=[*kept.schema.names, *names])

    def _start(self, schema):
        self.errors = tempfile.TemporaryFile()
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        try:
            self.process = subprocess.Popen(self.settings.command(), env=self.environment, **pipes)
        except OSError as error:
            self.errors.close()
            raise TrainerFailed(f"starting {self.settings.trainer}: {error}; name the program by --trainer") from None
        self.writer, self.schema = pa.ipc.new_stream(self.process.stdin, schema), schema
        # Answers are read by a thread of its own: a batch and its answer may each be larger than a pipe, and neither waits for the other.
        self.answers = queue.SimpleQueue()
        reader = threading.Thread(target=read_answers, args=(self.process.stdout, self.answers), daemon=True)
        reader.start()
        # Nothing is left behind when nobody closes it, or Python ends.
        self.end = weakref.finalize(self, end, self.process, reader, self.errors)

    def _fail(self):
        """Says what became of the process; it is ended if it still runs."""
        try:
            code = self.process.wait(10)
            how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        except subprocess.TimeoutExpired:
            how = "answered what was not asked for, and was ended"
        self.errors.seek(0)
        last = self.errors.read().decode(errors="replace").strip().splitlines()[-5:]
        self._stop()
        raise TrainerFailed(f"trainer {how}: {' | '.join(last) or 'it said nothing'}")

    def _stop(self):
        if self.process is not None:
            self.end()
        self.process = None


def end(process, reader, errors):
    """Ends a process, and what reads from it."""
    process.kill()
    process.wait()
    reader.join()
    for pipe in (process.stdin, process.stdout, errors):
        try:
            pipe.close()
        except OSError:
            pass  # What was left in the buffer has no reader any more.


def read_answers(pipe, answers):
    """Batches, then None after a whole stream, or the error."""
    try:
        with pa.ipc.open_stream(pipe) as reader:
            for batch in reader:
                answers.put(batch)
        answers.put(None)
    except (OSError, ValueError, pa.ArrowException) as error:
        answers.put(error)


def check(settings, schema):
    """Asks `trainer` on this machine's CPU what it says of flags, model and columns, before they are sent to many.

    Gives the schema of the output.
    """
    for name in [*settings.columns(), *(settings.keep or ())]:
        if name not in schema.names:
            raise TrainerFailed(f"expected a column `{name}`, found {', '.join(schema.names)}")
    asked = Filter(replace(settings, device="cpu"))
    [answer] = asked.score_all([pa.RecordBatch.from_pylist([], schema=schema)])
    asked.close()
    return answer.schema
