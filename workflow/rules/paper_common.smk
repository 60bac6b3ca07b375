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


def published_of(kind):
    """What follows the kind in the names of published figures that are drawn for many things."""
    names = (name.partition("-") for name in published_figures)
    return [thing for first, _, thing in names if first == kind and thing]


published_overviews = {
    name: needed for _, name, needed in all_overviews if name in published_figures
}
