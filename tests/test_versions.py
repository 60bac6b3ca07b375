from importlib.metadata import version

from ephys_deepinterpolation.versions import versions_of


def test_versions_are_those_installed_and_the_projects_own():
    found = versions_of(["numpy", "ephys-deepinterpolation", "no-such-package"])
    assert found == {
        "numpy": version("numpy"),
        "ephys-deepinterpolation": version("ephys-deepinterpolation"),
    }
