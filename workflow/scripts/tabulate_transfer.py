"""Say how each condition came by its model, and what it is worth for how much data."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from ephys_deepinterpolation.files import read_table, write_table
from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.statistics.transfer import transfer_table

tables = {name: read_table(path) for name, path in snakemake.input.items()}
seed = derive_seed(snakemake.params.seed, "transfer")
write_table(transfer_table(**tables, seed=seed), *snakemake.output)
