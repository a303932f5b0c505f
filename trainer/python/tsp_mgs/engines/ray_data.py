"""Scores a folder of Parquet files on a Ray cluster. Ray Data reads and writes, and each actor runs one `trainer`."""

import glob
import os
import sys

# A cluster that is started here sends no usage reports.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import pyarrow as pa  # noqa: E402
import ray  # noqa: E402
from pyarrow.fs import FileSystem, FileType  # noqa: E402
from ray.data import ActorPoolStrategy, DataContext  # noqa: E402

from tsp_mgs import filter as trainer  # noqa: E402
from tsp_mgs.engines import command  # noqa: E402

NOTES = """
The cluster is that of RAY_ADDRESS. Without it, one is started on this machine. --workers x --threads must be less than the number of
processors, because reading and writing need one. With GPUs, use --gpus 1 --device cuda --threads 8: each process sees the GPU that Ray
assigned to it. Rows that were lost with a machine or an actor are scored again. Rows at which a process failed are tried again three times.
The output has each row once. A complete output has a file _SUCCESS. If it is missing, remove the folder and start again.
"""

# Number of times that a task is tried again after its process failed. Spark has this setting itself.
RETRIES = 3
# Smallest size of an output file in bytes, except for the last. Tasks are small, and a file for each of them would be too many.
FILE = 128 << 20


class Score:
    """An actor. It lives as long as the run, so that its process loads the weights once."""

    def __init__(self, settings):
        self.filter = trainer.Filter(settings)

    def __call__(self, table):
        yield from map(to_table, self.filter.score_all(table.combine_chunks().to_batches(max_chunksize=trainer.ROWS)))


def to_table(batch):
    return pa.Table.from_batches([batch])


def main():
    flags = command.parser(__doc__, NOTES)
    flags.add_argument("--workers", type=int, default=1, metavar="N", help="number of processes on all machines; default: 1")
    flags.add_argument("--gpus", type=float, default=0, metavar="G",
                       help="GPUs of each process: 1, or 0.5 for two processes on one GPU; default: 0")
    flags.add_argument("--rows", type=int, default=256, metavar="N",
                       help="rows of a task, which are scored again if it is lost; 4096 is better with a GPU; default: 256")
    args = flags.parse_args()
    settings = command.settings_of(args)
    files, output = file_system(args.output)
    if files.get_file_info(output).type != FileType.NotFound:
        raise trainer.TrainerFailed(f"{args.output} exists; pass another folder, or remove it")

    ray.init(include_dashboard=False)
    if args.workers * args.threads >= ray.cluster_resources().get("CPU", 0):
        raise trainer.TrainerFailed(f"the cluster has {ray.cluster_resources().get('CPU', 0):g} processors, which are too few for "
                                    f"{args.workers} x {args.threads} and one for reading and writing; lower --workers or --threads")
    # This sends the module to the actors, whose machines may not have it.
    ray.cloudpickle.register_pickle_by_value(trainer)
    # Ray always replaces a lost actor and repeats its tasks. These settings also repeat tasks whose process failed.
    context = DataContext.get_current()
    context.retried_map_errors, context.max_map_retries = True, RETRIES
    paths = sorted(glob.glob(args.input)) or args.input
    rows = ray.data.read_parquet(paths)
    schema = pa.schema(list(zip(rows.schema().names, rows.schema().types, strict=True)))
    trainer.check(settings, schema)
    rows = rows.select_columns(settings.needed(schema.names)).repartition(target_num_rows_per_block=args.rows)
    scored = rows.map_batches(
        Score, fn_constructor_args=[settings], batch_format="pyarrow", batch_size=None, compute=ActorPoolStrategy(size=args.workers),
        num_cpus=args.threads, num_gpus=args.gpus,
    )
    scored.write_parquet(args.output, min_bytes_per_file=FILE)
    files.open_output_stream(f"{output}/_SUCCESS").close()


def file_system(name):
    """The file system of a folder or URI, and the path in it."""
    return FileSystem.from_uri(name if "://" in name else os.path.abspath(name))


if __name__ == "__main__":
    try:
        main()
    except (trainer.TrainerFailed, ray.exceptions.RayError) as error:
        sys.exit(f"error: {command.reason(error)}")
