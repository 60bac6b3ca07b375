import subprocess
import sys
from importlib import import_module

import pytest

import ephys_deepinterpolation
from ephys_deepinterpolation import assessment, figures, model, recording, training
from ephys_deepinterpolation.figures import training as plot_training

NAMES = {
    "Assessment": assessment.Assessment,
    "Model": model.Model,
    "ModelError": model.ModelError,
    "assess": assessment.assess,
    "deepinterpolate": recording.deepinterpolate,
    "fine_tune": training.fine_tune,
    "load_model": model.load_model,
    "plot_loss": plot_training.plot_loss,
    "train_deepinterpolation": training.train_deepinterpolation,
}


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("name", NAMES)
def test_the_package_gives_its_api_by_name(name):
    assert getattr(ephys_deepinterpolation, name) is NAMES[name]


def test_everything_listed_is_there():
    assert sorted(ephys_deepinterpolation.__all__) == sorted(NAMES)
    scope = {}
    exec("from ephys_deepinterpolation import *", scope)
    assert NAMES.keys() <= scope.keys()


@pytest.mark.parametrize("name", figures.__all__)
def test_figures_are_given_by_name(name):
    home = import_module(f"{figures.__name__}.{figures._HOMES[name]}")
    assert getattr(figures, name) is getattr(home, name)


def test_an_unknown_figure_is_missing_as_in_any_module():
    assert sorted(figures.__all__) == sorted(figures._HOMES)
    assert not hasattr(figures, "plot_everything")


def test_an_unknown_name_is_missing_as_in_any_module():
    assert not hasattr(ephys_deepinterpolation, "denoise_everything")
    with pytest.raises(ImportError, match="denoise_everything"):
        from ephys_deepinterpolation import denoise_everything  # noqa: F401


def test_importing_the_package_imports_neither_keras_nor_numpy():
    code = "import sys, ephys_deepinterpolation; print({'keras', 'numpy'} & set(sys.modules))"
    assert run(code) == "set()"


def test_reading_a_model_does_not_import_keras(model):
    code = f"""
import sys
from ephys_deepinterpolation import deepinterpolate, load_model
print(load_model({str(model.path)!r}).columns, "keras" in sys.modules)
"""
    assert run(code) == "2 False"


def test_names_of_the_api_can_be_imported_by_name():
    code = """
from ephys_deepinterpolation import (
    train_deepinterpolation, fine_tune, deepinterpolate, load_model, Model
)
print(train_deepinterpolation.__name__, Model.__name__)
"""
    assert run(code) == "train_deepinterpolation Model"
