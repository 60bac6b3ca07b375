# What a person sees of a run: the disk it fills, before it starts, and from another terminal how far
# it is.

import logging
from pathlib import PurePath

from snakemake.logging import logger
from snakemake.settings.types import ExecMode

from ephys_deepinterpolation.disk import Output, describe_disk
from ephys_deepinterpolation.progress import (
    RUN_LOG,
    PlannedJob,
    RunLog,
    event_of,
    stage_of,
)

inside = f"{results}/"


def outputs_of(job):
    """What a job makes, as paths from the folder of the results on."""
    return [
        PurePath(path.removeprefix(inside))
        for path in map(str, job.output)
        if path.startswith(inside)
    ]


def planned_jobs(dag):
    """What `RunLog` asks of the jobs that make results."""
    to_do = set(dag.needrun_jobs())
    for job in dag.jobs:
        if paths := outputs_of(job):
            stage, dataset = stage_of(paths[0].parts[0]), job.wildcards.get(
                "dataset", ""
            )
            yield PlannedJob(job.jobid, stage, dataset, job not in to_do)


def planned_outputs(dag):
    """What `describe_disk` asks of the jobs that are to run: once for each folder they write to."""
    for job in dag.needrun_jobs():
        dataset = job.wildcards.get("dataset")
        size = size_of(dataset) if dataset else None
        outputs = [Output(path, job.wildcards, size) for path in outputs_of(job)]
        yield from {each.folder: each for each in outputs}.values()


class DiskNotice(logging.Handler):
    """Tells what disk a run fills as soon as its jobs are counted, which they are in a dry run too."""

    def emit(self, record):
        if event_of(record) == "run_info":
            logger.removeHandler(self)
            if text := describe_disk(planned_outputs(workflow.dag), study, results):
                logger.info(text)


if workflow.modifier.is_main_snakefile() and workflow.exec_mode == ExecMode.DEFAULT:
    logger.addHandler(DiskNotice())


def note_progress(dag):
    logger.addHandler(RunLog(results.parent / RUN_LOG, planned_jobs(dag)))
