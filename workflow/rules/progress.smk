# How far a run is: noted for `python -m ephys_deepinterpolation.progress`.

from snakemake.logging import logger

from ephys_deepinterpolation.progress import RUN_LOG, PlannedJob, RunLog, stage_of


def planned_jobs(jobs, to_do):
    """What `RunLog` asks of the jobs that make results."""
    for job in jobs:
        if job.output and (output := Path(job.output[0])).is_relative_to(results):
            stage = stage_of(output.relative_to(results).parts[0])
            dataset = job.wildcards_dict.get("dataset", "")
            yield PlannedJob(job.jobid, stage, dataset, job not in to_do)


def note_progress(dag):
    to_do = set(dag.needrun_jobs())
    logger.addHandler(RunLog(results.parent / RUN_LOG, planned_jobs(dag.jobs, to_do)))
