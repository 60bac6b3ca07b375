"""A figure that can do without a table is drawn without it."""

from projects import project_in, said, snakemake


def test_phantoms_are_drawn_where_no_sorter_looks_at_noise_alone(tmp_path):
    project = project_in(tmp_path / "study", artifacts__sort_noise_alone=False)
    planned = snakemake(project, "--dry-run", "figures")
    assert planned.returncode == 0, said(planned)
    assert "results/figures/phantoms.svg" in planned.stdout
    assert "sort_noise_alone" not in planned.stdout
