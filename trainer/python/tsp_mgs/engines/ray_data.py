"""Scores a folder of Parquet files on a Ray cluster: Ray Data reads and writes, each actor owns one `trainer`."""

import glob
import os
import sys

# A cluster that is started here tells nobody.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import pyarrow as pa  # noqa: E402
import ray  # noqa: E402
from pyarrow.fs import FileSystem, FileType  # noqa: E402
from ray.data import ActorPoolStrategy, DataContext  # noqa: E402

from tsp_mgs import filter as trainer  # noqa: E402
from tsp_mgs.engines import command  # noqa: E402

NOTES = """
The cluster is that of RAY_ADDRESS, else one is started here. Leave a processor of it to reading and writing: --workers x --threads
is less than all. With GPUs: --gpus 1 --device cuda --threads 8, so that each process sees the one that Ray gave it.
What was lost with a machine or an actor is scored again, and so is what a process failed at, three times at most; it stands in the output
once. When the output is whole, it has a file _SUCCESS; without it, remove the folder and start again.
"""

# How often a task is tried again when its process failed, as Spark does by itself.
RETRIES = 3
# Bytes of a file, at least, unless it is the last: tasks are small, and a hundred million rows are not to be as many files as tasks.
FILE = 128 << 20


class Score:
    """An actor: it lives as long as the run, and so do the weights that its process has loaded."""

    def __init__(self, settings):
        self.filter = trainer.Filter(settings)

    def __call__(self, table):
        yield from map(to_table, self.filter.score_all(table.combine_chunks().to_batches(max_chunksize=trainer.ROWS)))


def to_table(batch):
    return pa.Table.from_batches([batch])


def main():
    flags = command.parser(__doc__, NOTES)
    flags.add_argument("--workers", type=int, default=1, metavar="N", help="processes, on all machines together; default: 1")
    flags.add_argument("--gpus", type=float, default=0, metavar="G", help="GPUs of each process: 1, or 0.5 for two on one; default: 0")
    flags.add_argument("--rows", type=int, default=256, metavar="N",
                       help="rows of a task: as many are scored again when it is lost; with a GPU rather 4096; default: 256")
    args = flags.parse_args()
    settings = command.settings_of(args)
    files, output = of_uri(args.output)
    if files.get_file_info(output).type != FileType.NotFound:
        raise trainer.TrainerFailed(f"{args.output} exists; name another folder, or remove it")

    ray.init(include_dashboard=False)
    if args.workers * args.threads >= ray.cluster_resources().get("CPU", 0):
        raise trainer.TrainerFailed(f"the cluster has {ray.cluster_resources().get('CPU', 0):g} processors: too few for {args.workers} x "
                                    f"{args.threads}, and one to read and write; lower --workers or --threads")
    # Actors find this module where no file of it is.
    ray.cloudpickle.register_pickle_by_value(trainer)
    # An actor that was lost is replaced in any case, and its tasks are done again.
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


def of_uri(name):
    """The file system of a folder or URI, and its name there."""
    return FileSystem.from_uri(name if "://" in name else os.path.abspath(name))


if __name__ == "__main__":
    try:
        main()
    except (trainer.TrainerFailed, ray.exceptions.RayError) as error:
        sys.exit(f"error: {command.reason(error)}")
