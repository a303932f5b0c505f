"""Runs the jobs of `trainer reproduce` as Ray tasks, each on a GPU of its own, on machines that share a folder; then prints the tables."""

import argparse
import os
import subprocess
import sys

# A cluster that is started here tells nobody.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # noqa: E402

from tsp_mgs import program  # noqa: E402

NOTES = """
What follows -- is for trainer reproduce: -- table3 --data DIR --clip FILE --out DIR --device cuda. These have to be at the same place on
every machine, DIR and FILE shared between them. The cluster is that of RAY_ADDRESS, else one is started here.
A job that was lost is tried again, three times at most, and goes on from its last checkpoint. The same command goes on with all that is not
finished; a job that still runs somewhere is waited for, as far as the shared folder knows locks.
"""
# How often a job is tried again, whatever ended it.
RETRIES = 3


class JobFailed(Exception):
    """A job's last words."""


def run(command, cpus):
    """One job, where this task is. Told how many fit beside each other there, it takes its share of the processors to prepare images."""
    side_by_side = max(1, os.cpu_count() // cpus)
    done = subprocess.run([*command, "--jobs", str(side_by_side)], capture_output=True, text=True)
    if done.returncode != 0:
        raise JobFailed(" | ".join(done.stderr.strip().splitlines()[-2:]) or f"it ended with {done.returncode}")


def run_all(command, names, args):
    """Every job as a task; what failed, with the reasons."""
    task = ray.remote(num_cpus=args.cpus, num_gpus=args.gpus, max_retries=RETRIES, retry_exceptions=True)(run)
    waiting = {task.remote([*command, "--only", name], args.cpus): name for name in names}
    failed = {}
    while waiting:
        [ended], _ = ray.wait(list(waiting))
        name = waiting.pop(ended)
        try:
            ray.get(ended)
            print(f"{len(names) - len(waiting)}/{len(names)} {name}", file=sys.stderr)
        except ray.exceptions.RayError as error:
            failed[name] = str(getattr(error, "cause", None) or error)
    return failed


def main():
    layout = argparse.RawDescriptionHelpFormatter
    flags = argparse.ArgumentParser(description=__doc__, epilog=NOTES, formatter_class=layout)
    flags.add_argument("flags", nargs="+", metavar="-- FLAG", help="of trainer reproduce")
    flags.add_argument("--trainer", metavar="PATH",
                       help="the program, at the same place on every machine; default: that of this package, else by PATH")
    flags.add_argument("--gpus", type=float, default=1, metavar="G", help="GPUs of each job; 0 for none; default: 1")
    flags.add_argument("--cpus", type=int, default=4, metavar="N", help="processors of each job; default: 4")
    args = flags.parse_args()
    try:
        command = [args.trainer or program.find(), "reproduce", *args.flags]
        listed = subprocess.run([*command, "--list"], stdout=subprocess.PIPE, text=True)
    except OSError as error:
        return f"error: starting {args.trainer or 'trainer'}: {error}; name the program by --trainer"
    if listed.returncode != 0:
        return listed.returncode
    names = listed.stdout.split()
    ray.init(include_dashboard=False)
    failed = run_all(command, names, args)
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    if failed:
        return f"error: {len(failed)} of {len(names)} jobs failed; the same command tries them again"
    # All are finished: it reads what they left.
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
