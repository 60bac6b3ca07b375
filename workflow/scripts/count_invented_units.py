"""Count the units that each sorter found in noise alone."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

import pandas as pd

from ephys_deepinterpolation.artifacts import count_invented
from ephys_deepinterpolation.files import gather_tables, read_measure, write_table
from ephys_deepinterpolation.sortings import read_run, read_sorting

crossings = gather_tables(read_measure(folder, "noise_alone") for folder in snakemake.input.trials)
keys = ["dataset", "kind", "replicate", "condition", "model_saw_recording", "seconds"]
rows = []
for noise in crossings[keys].drop_duplicates().to_dict("records"):
    for sorter in map(Path, snakemake.input.sortings):
        folder = sorter / noise["condition"]
        counts = count_invented(read_sorting(folder), read_run(folder), noise["seconds"])
        rows.append(noise | counts | {"sorter": sorter.name, "repeat": 0})
write_table(pd.DataFrame(rows), snakemake.output[0])
