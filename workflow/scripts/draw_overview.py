"""Draw one of the figures that show all datasets at once."""

from ephys_deepinterpolation.jobs import start_job

start_job(snakemake.log[0])

import pandas as pd

from ephys_deepinterpolation.figures.amplitude import plot_accuracy_amplitude
from ephys_deepinterpolation.figures.effects import plot_effects
from ephys_deepinterpolation.figures.noise import plot_noise
from ephys_deepinterpolation.figures.noise_parts import plot_noise_parts
from ephys_deepinterpolation.figures.sortings import plot_sortings
from ephys_deepinterpolation.figures.style import save
from ephys_deepinterpolation.figures.training import plot_training

draw = {
    "amplitude": plot_accuracy_amplitude,
    "effects": plot_effects,
    "noise": plot_noise,
    "noise_parts": plot_noise_parts,
    "sortings": plot_sortings,
    "training": plot_training,
}[snakemake.params.figure]
figure = draw(
    *(pd.read_parquet(table) for table in snakemake.input),
    reference=snakemake.params.reference,
    conditions=snakemake.params.conditions,
)
for path in snakemake.output:
    save(figure, path)
