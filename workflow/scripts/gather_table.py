"""Put the parts of a table, one per job, into one."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.files import gather_tables, write_table

write_table(gather_tables(snakemake.input), *snakemake.output)
