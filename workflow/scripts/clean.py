"""Remove what is large and can be made again, and say how much that was."""

import sys
from pathlib import Path

from ephys_deepinterpolation.cleaning import remove_large
from ephys_deepinterpolation.disk import amount

missing = [path for path in snakemake.params.finished if not Path(path).exists()]
if missing:
    text = (
        f"The study is not finished: {missing[0]} is missing. What would be removed would have to "
        "be made again: run the study to its end first, or `make clean` to remove everything."
    )
else:
    freed = remove_large(snakemake.params.results, snakemake.params.conditions)
    parts = [f"{amount(megabytes)} of {name}" for name, megabytes in freed.items() if megabytes]
    text = f"Freed {', '.join(parts)}." if parts else "There is nothing left to remove."
Path(snakemake.log[0]).write_text(text + "\n")
sys.exit(text) if missing else print(text)
