"""Runs one `trainer score --stream arrow` process, which returns each batch with its scores.

The module does not depend on an engine. A process that fails raises an exception, and the next batch starts a new process, so that an
engine can simply retry.
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

# Number of rows of a batch that is sent to `trainer`. The results do not depend on it, because `trainer` makes its own batches for the
# device. One batch is always sent ahead. 64 images of 200 kB, sent and returned, are 26 MB.
ROWS = 64


class TrainerFailed(Exception):
    """`trainer` refused its flags, failed or was killed. The message has its exit code and its last lines."""


@dataclass(frozen=True)
class Settings:
    """The program, the columns and the flags of a run."""

    trainer: str
    image: str
    prompt: str | None
    keep: tuple[str, ...] | None  # columns of the input that the output keeps; None for all
    threads: int
    device: str
    flags: tuple[str, ...]

    def columns(self):
        """The names of the columns that `trainer` needs."""
        return [self.image] + ([self.prompt] if self.prompt else [])

    def needed(self, names):
        """The columns that have to be read from an input with the columns `names`."""
        if self.keep is None:
            return list(names)
        return list(dict.fromkeys([*self.keep, *self.columns()]))

    def command(self):
        """The command line of the process."""
        roles = zip(("image", "prompt"), self.columns(), strict=False)
        columns = ",".join(f"{role}={name}" for role, name in roles)
        own = ["--columns", columns, "--threads", str(self.threads), "--device", self.device]
        return [self.trainer, "score", "--stream", "arrow", *own, *self.flags]


class Filter:
    """One process of `trainer`, which is started with the first batch."""

    def __init__(self, settings, environment=None):
        self.settings = settings
        # Several processes share a machine, so the computation gets as many threads as the decoders.
        self.environment = os.environ | {"RAYON_NUM_THREADS": str(settings.threads)} | (environment or {})
        self.process = None

    def score_all(self, batches):
        """Yields a scored batch of as many rows for each record batch. One batch is sent ahead, so that `trainer` does not wait."""
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
            # The batches in the process have no receiver any more.
            self._stop()
            raise

    def close(self):
        """Ends the stream. Raises TrainerFailed if the process fails."""
        if self.process is None:
            return
        try:
            self.writer.close()
            self.process.stdin.close()
        except OSError:
            pass  # The process has ended. Its exit code has the reason.
        if self.answers.get() is not None or self.process.wait() != 0:
            self._fail()
        self._stop()

    def _send(self, batch):
        needed = batch.select(self.settings.columns())
        if self.process is not None and needed.schema != self.schema:
            self.close()  # Files of one data set may differ in the type of text, or have no prompts.
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
                raise TrainerFailed(f"the input has a column `{name}`, which is also a column of the scores; leave it out with --keep")
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
        # A thread reads the answers. A batch and its answer may each be larger than a pipe, so writing and reading in turn would block.
        self.answers = queue.SimpleQueue()
        reader = threading.Thread(target=read_answers, args=(self.process.stdout, self.answers), daemon=True)
        reader.start()
        # This ends the process if the filter is not closed, or when Python ends.
        self.stop_process = weakref.finalize(self, stop_process, self.process, reader, self.errors)

    def _fail(self):
        """Ends the process if it is running, and raises TrainerFailed with its exit code and last lines."""
        try:
            code = self.process.wait(10)
            how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        except subprocess.TimeoutExpired:
            how = "sent an unexpected answer and was stopped"
        self.errors.seek(0)
        last = self.errors.read().decode(errors="replace").strip().splitlines()[-5:]
        self._stop()
        raise TrainerFailed(f"trainer {how}: {' | '.join(last) or 'it printed nothing'}")

    def _stop(self):
        if self.process is not None:
            self.stop_process()
        self.process = None


def stop_process(process, reader, errors):
    """Kills a process, ends the thread that reads from it, and closes its pipes."""
    process.kill()
    process.wait()
    reader.join()
    for pipe in (process.stdin, process.stdout, errors):
        try:
            pipe.close()
        except OSError:
            pass  # The rest of the buffer has no reader any more.


def read_answers(pipe, answers):
    """Puts each batch into `answers`, then None at the end of the stream, or the error."""
    try:
        with pa.ipc.open_stream(pipe) as reader:
            for batch in reader:
                answers.put(batch)
        answers.put(None)
    except (OSError, ValueError, pa.ArrowException) as error:
        answers.put(error)


def check(settings, schema):
    """Checks flags, model and columns with one `trainer` on the CPU of this machine, before many are started.

    Returns the schema of the output. Raises TrainerFailed if `trainer` refuses them.
    """
    for name in [*settings.columns(), *(settings.keep or ())]:
        if name not in schema.names:
            raise TrainerFailed(f"expected a column `{name}`, found {', '.join(schema.names)}")
    checked = Filter(replace(settings, device="cpu"))
    [answer] = checked.score_all([pa.RecordBatch.from_pylist([], schema=schema)])
    checked.close()
    return answer.schema
