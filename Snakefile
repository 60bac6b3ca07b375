# The workflow itself; an include sets no default target, hence the second line.
include: "workflow/Snakefile"


workflow.default_target = "all"
