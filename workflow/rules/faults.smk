# What is said of a run that cannot begin, or whose jobs failed.

import sys

from ephys_deepinterpolation.files import check_writable
from ephys_deepinterpolation.jobs import says_why_it_failed, what_went_wrong


def refuse_unwritable(folder):
    try:
        check_writable(folder)
    except PermissionError as error:
        raise WorkflowError(str(error)) from None


def failed_jobs():
    """The jobs that failed; of a group those that say so, or all where none does."""
    for job in workflow.scheduler.failed:
        jobs = list(job.jobs) if job.is_group() else [job]
        saying = [each for each in jobs if each.log and says_why_it_failed(each.log[0])]
        yield from saying or jobs


def tell_failures():
    """Say of each job that failed which it was, why, and where its log is; and what to do."""
    for job in failed_jobs():
        log = job.log[0] if job.log else None
        why = what_went_wrong(log, script=job.is_script)
        what = job.message or job.rule.name
        print(f"Failed: {what}: {why}. Its log: {log}", file=sys.stderr)
    print(
        "What is finished is kept; give the same command again to go on.",
        file=sys.stderr,
    )


# Where Snakemake keeps its own files, of which it says less clearly that it cannot.
refuse_unwritable(Path(".snakemake"))
