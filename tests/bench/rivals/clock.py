"""Time of this process: of the clock, and of processors with that of a loader's processes, which are counted when they have ended."""

import os
import time


class Clock:
    def __init__(self):
        self.start, self.busy = time.perf_counter(), busy()

    def each(self, units):
        """Seconds a unit of work since the start, of the clock and of processors."""
        return (time.perf_counter() - self.start) / units, (busy() - self.busy) / units


def busy():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
