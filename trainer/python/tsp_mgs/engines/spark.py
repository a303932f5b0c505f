"""Scores a folder of Parquet files with Spark: `mapInArrow`, each task owns one `trainer` as long as its partition lasts."""

import os
import sys
from functools import partial

from pyspark import TaskContext, cloudpickle
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from tsp_mgs import filter as trainer
from tsp_mgs.engines import command

NOTES = """
Run it by python -m tsp_mgs.engines.spark, or give this file to spark-submit with what your cluster needs. Each partition loads the
weights once: they are as large as spark.sql.files.maxPartitionBytes, 1 GB where it is not set. With GPUs, let each task have one, and
it is the only one that its process sees: --conf spark.task.resource.gpu.amount=1 --conf spark.executor.resource.gpu.amount=1, and
--device cuda --threads 8 behind the script. What was lost with a machine, a worker or a process is scored again, as often as
spark.task.maxFailures says (in local mode: local[2,4]), and stands in the output once. When the output is whole, it has a file _SUCCESS.
"""


def score(settings, batches):
    """A partition, batch by batch."""
    gpu = TaskContext.get().resources().get("gpu")
    owned = trainer.Filter(settings, {"CUDA_VISIBLE_DEVICES": ",".join(gpu.addresses)} if gpu else None)
    yield from owned.score_all(batches)
    owned.close()


def session(settings):
    """Spark, with what images in Parquet need, where it is not set otherwise."""
    # Workers run this Python, with pyarrow, and not whichever comes first.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.appName("trainer score").config("spark.task.cpus", settings.threads).getOrCreate()
    given = spark.sparkContext.getConf()
    defaults = {
        "spark.sql.files.maxPartitionBytes": "1g",
        "spark.sql.execution.arrow.maxRecordsPerBatch": trainer.ROWS,
        # Rows that the reader holds at once: 4,096, unless told, are a gigabyte of images.
        "spark.sql.parquet.columnarReaderBatchSize": trainer.ROWS,
    }
    for name, value in defaults.items():
        if not given.contains(name):
            spark.conf.set(name, value)
    # Workers find this module where this package is not installed.
    cloudpickle.register_pickle_by_value(trainer)
    return spark


def main():
    args = command.parser(__doc__, NOTES).parse_args()
    settings = command.settings_of(args)
    spark = session(settings)
    rows = spark.read.parquet(args.input)
    schema = trainer.check(settings, to_arrow_schema(rows.schema))
    rows = rows.select([f"`{name}`" for name in settings.needed(rows.columns)])
    # Without a mode, Spark refuses to write where something is.
    rows.mapInArrow(partial(score, settings), from_arrow_schema(schema)).write.parquet(args.output)
    spark.stop()


if __name__ == "__main__":
    try:
        main()
    except (trainer.TrainerFailed, PySparkException) as error:
        sys.exit(f"error: {command.reason(error)}")
