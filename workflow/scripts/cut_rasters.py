"""Take the spikes of a second, true and of every sorting of a dataset's first replicate."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

from pathlib import Path

import pandas as pd

from ephys_deepinterpolation.files import gather_tables, read_measure, write_table
from ephys_deepinterpolation.ground_truth import load_ground_truth
from ephys_deepinterpolation.rasters import cut_raster
from ephys_deepinterpolation.sortings import read_sorting

truth = load_ground_truth(snakemake.input.truth)
frames = truth.recording.get_num_frames(0)
tables = []
if truth.sorting is not None:
    asked = truth.units[~truth.units["background"]].set_index("unit")["depth_um"]
    true = truth.sorting.select_units(list(asked.index))
    spikes = cut_raster(true, frames).assign(true_unit=lambda table: table["unit"])
    tables.append(spikes.assign(depth_um=spikes["unit"].map(asked.rename(index=str))))
units = gather_tables(read_measure(folder, "units") for folder in snakemake.input.comparisons)
for folder in map(Path, snakemake.input.sortings):
    condition, sorter = folder.parts[-3:-1]
    matched = None
    if not units.empty:
        here = (units["condition"] == condition) & (units["sorter"] == sorter)
        known = units[here & (units["repeat"] == 0)].dropna(subset=["sorted_unit"])
        matched = pd.Series(known["unit"].astype(str).to_numpy(), known["sorted_unit"].astype(str))
    spikes = cut_raster(read_sorting(folder), frames, matched)
    tables.append(spikes.assign(condition=condition, sorter=sorter))
columns = ["condition", "sorter", "unit", "true_unit", "depth_um", "time_ms"]
table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
keys = {
    "dataset": snakemake.wildcards.dataset,
    "kind": snakemake.params.kind,
    "replicate": 0,
}
write_table(table.assign(**keys), snakemake.output[0])
