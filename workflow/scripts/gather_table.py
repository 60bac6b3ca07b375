"""Put the parts of a table, one per job, into one."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.files import gather_tables, read_table, write_table

write_table(gather_tables(map(read_table, snakemake.input)), *snakemake.output)
