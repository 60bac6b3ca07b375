"""Write down which model each condition denoises with."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.files import write_table

write_table(pd.DataFrame(snakemake.params.uses), snakemake.output[0])
