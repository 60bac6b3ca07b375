"""The configurations that come with the project, laid one over the other."""

from pathlib import Path

import yaml
from snakemake.utils import update_config

CONFIG = Path(__file__).parents[1] / "config"


def laid_over_the_default(*names: str) -> dict:
    """Files of `config/`, over `config.yaml` and over each other, as Snakemake does it."""
    whole: dict = {}
    for name in ("config.yaml", *names):
        update_config(whole, yaml.safe_load((CONFIG / name).read_text()))
    return whole
