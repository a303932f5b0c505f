"""Scores a folder of Parquet files with Spark. Each task of `mapInArrow` runs one `trainer` for its partition."""

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
Run python -m tsp_mgs.engines.spark, or pass this file to spark-submit with the settings of your cluster. Each partition loads the
weights once. The size of partitions is spark.sql.files.maxPartitionBytes, whose default here is 1 GB. With GPUs, assign one to each
task, whose process sees only that GPU: --conf spark.task.resource.gpu.amount=1 --conf spark.executor.resource.gpu.amount=1, and
--device cuda --threads 8 after the script. Rows that were lost with a machine, a worker or a process are scored again, up to
spark.task.maxFailures times (in local mode: local[2,4]). The output has each row once. A complete output has a file _SUCCESS.
"""


def score(settings, batches):
    """Scores a partition batch by batch."""
    gpu = TaskContext.get().resources().get("gpu")
    process = trainer.Filter(settings, {"CUDA_VISIBLE_DEVICES": ",".join(gpu.addresses)} if gpu else None)
    yield from process.score_all(batches)
    process.close()


def session(settings):
    """The Spark session. Settings that images in Parquet need are set if the user did not set them."""
    # Workers run this Python, which has pyarrow, instead of the first one on PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.appName("trainer score").config("spark.task.cpus", settings.threads).getOrCreate()
    given = spark.sparkContext.getConf()
    defaults = {
        "spark.sql.files.maxPartitionBytes": "1g",
        "spark.sql.execution.arrow.maxRecordsPerBatch": trainer.ROWS,
        # Number of rows that the reader holds in memory. Spark's default of 4,096 is a gigabyte of images.
        "spark.sql.parquet.columnarReaderBatchSize": trainer.ROWS,
    }
    for name, value in defaults.items():
        if not given.contains(name):
            spark.conf.set(name, value)
    # This sends the module to workers, which may not have this package.
    cloudpickle.register_pickle_by_value(trainer)
    return spark


def main():
    args = command.parser(__doc__, NOTES).parse_args()
    settings = command.settings_of(args)
    spark = session(settings)
    rows = spark.read.parquet(args.input)
    schema = trainer.check(settings, to_arrow_schema(rows.schema))
    rows = rows.select([f"`{name}`" for name in settings.needed(rows.columns)])
    # Without a mode, Spark refuses to write to a path that exists.
    rows.mapInArrow(partial(score, settings), from_arrow_schema(schema)).write.parquet(args.output)
    spark.stop()


if __name__ == "__main__":
    try:
        main()
    except (trainer.TrainerFailed, PySparkException) as error:
        sys.exit(f"error: {command.reason(error)}")
