# The study that was published: its figures, its configuration, and where its tables are.

published = project / "docs/study"
published_figures = sorted(path.stem for path in published.glob("figures/*.svg"))
published_study = (
    load_configfile(published / "config.yaml")["study"] if published_figures else {}
)


def published_table(name):
    return project_file(f"docs/study/tables/{name}.parquet")


def on_paper(names):
    return expand("results/paper/{name}.svg", name=names)


published_overviews = {
    name: needed for _, name, needed in all_overviews if name in published_figures
}
published_accuracies = [
    name.removeprefix("accuracy-")
    for name in published_figures
    if name.startswith("accuracy-")
]
