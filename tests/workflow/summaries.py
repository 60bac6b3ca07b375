"""Print Snakemake's summary for each of some configurations; Snakemake is imported once.

python summaries.py CONFIGURATION ...     writes CONFIGURATION.summary
"""

import os
import sys

import spikeinterface  # noqa: F401
from snakemake.cli import main

for configuration in sys.argv[1:]:
    if os.fork() == 0:
        kept = os.open(f"{configuration}.summary", os.O_WRONLY | os.O_CREAT, 0o644)
        os.dup2(kept, sys.stdout.fileno())
        try:
            main(["--summary", "--configfile", configuration])
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.wait()
