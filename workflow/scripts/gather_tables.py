"""Put each of several tables, whose parts lie in the same folders, into one."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

from ephys_deepinterpolation.files import gather_tables, read_measure, write_table

for path in map(Path, snakemake.output):
    write_table(gather_tables(read_measure(part, path.stem) for part in snakemake.input), path)
