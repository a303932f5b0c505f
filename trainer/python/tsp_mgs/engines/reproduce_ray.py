"""Runs the jobs of `trainer reproduce` as Ray tasks on machines that share a folder, then prints the tables. Each task has its own GPU."""

import argparse
import os
import subprocess
import sys

# A cluster that is started here sends no usage reports.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # noqa: E402

from tsp_mgs import program  # noqa: E402

NOTES = """
Arguments after -- are those of trainer reproduce: -- table3 --data DIR --clip FILE --out DIR --device cuda. All machines share the
folders and files, under the same paths. The cluster is that of RAY_ADDRESS. Without it, one is started on this machine. A failed job is
tried again three times, and continues from its last checkpoint. The same command continues an interrupted reproduction. It waits for a
job that is still running on another machine if the shared folder supports file locks.
"""
# Number of times that a failed job is tried again.
RETRIES = 3


class JobFailed(Exception):
    """A job failed. The message has its last lines."""


def run(command, cpus):
    """Runs a job on the machine of this task. --jobs is the number of jobs that fit on it, so that each takes its share of processors."""
    side_by_side = max(1, os.cpu_count() // cpus)
    done = subprocess.run([*command, "--jobs", str(side_by_side)], capture_output=True, text=True)
    if done.returncode != 0:
        raise JobFailed(" | ".join(done.stderr.strip().splitlines()[-2:]) or f"exit code {done.returncode}")


def run_all(command, names, args):
    """Runs every job as a task. Returns the names of the failed jobs, with the reasons."""
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
    flags.add_argument("flags", nargs="+", metavar="-- FLAG", help="arguments of trainer reproduce")
    flags.add_argument("--trainer", metavar="PATH",
                       help="path of the program, equal on all machines; default: that of this package, or the one on PATH")
    flags.add_argument("--gpus", type=float, default=1, metavar="G", help="GPUs of each job; 0 for none; default: 1")
    flags.add_argument("--cpus", type=int, default=4, metavar="N", help="processors of each job; default: 4")
    args = flags.parse_args()
    try:
        command = [args.trainer or program.find(), "reproduce", *args.flags]
        listed = subprocess.run([*command, "--list"], stdout=subprocess.PIPE, text=True)
    except OSError as error:
        return f"error: starting {args.trainer or 'trainer'}: {error}; pass the path of the program as --trainer"
    if listed.returncode != 0:
        return listed.returncode
    names = listed.stdout.split()
    ray.init(include_dashboard=False)
    failed = run_all(command, names, args)
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    if failed:
        return f"error: {len(failed)} of {len(names)} jobs failed; the same command tries them again"
    # All jobs are finished, so this reads their results and prints the tables.
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
