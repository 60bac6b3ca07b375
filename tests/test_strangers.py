"""Recordings, sortings and configurations of strangers: read, or refused, and nothing is run."""

import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import spikeinterface as si
import yaml
import zarr
from snakemake.common.configfile import load_configfile
from snakemake_interface_common.exceptions import WorkflowError
from spikeinterface.core import NumpySorting
from spikeinterface.extractors import recording_extractor_full_dict, sorting_extractor_full_dict
from spikeinterface.preprocessing import bandpass_filter, common_reference

from ephys_deepinterpolation.configuration import ConfigurationError, read_study
from ephys_deepinterpolation.ground_truth.donors import read_sorting
from ephys_deepinterpolation.ground_truth.paired import read_spike_times
from ephys_deepinterpolation.ground_truth.recorded import read_recording, read_traces
from ephys_deepinterpolation.recording import deepinterpolate
from ephys_deepinterpolation.strangers import (
    UnsafeFileError,
    check_configuration,
    load,
    refusal_of,
)
from fixtures import noise_recording

REPOSITORY = Path(__file__).parents[1]


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    """What a payload makes when it is run."""
    return tmp_path / "HACKED"


@pytest.fixture
def saved(tmp_path):
    return noise_recording(500, seed=1).save(folder=tmp_path / "saved", progress_bar=False)


def in_zarr(tmp_path):
    recording = noise_recording(500, seed=1)
    recording.save(folder=tmp_path / "saved.zarr", format="zarr", progress_bar=False)
    return tmp_path / "saved.zarr"


def sorting():
    return NumpySorting.from_unit_dict({"a": np.array([3, 9]), "b": np.array([5])}, 10_000.0)


def naming(name, **arguments):
    """A recording as SpikeInterface describes one, of a class by name."""
    described = {"class": name, "module": name.split(".")[0], "version": "1", "kwargs": arguments}
    return described | {"annotations": {}, "properties": {}, "relative_paths": False}


def written(path, description):
    path.write_text(json.dumps(description))
    return path


def folder_of(tmp_path, description):
    (tmp_path / "folder").mkdir()
    written(tmp_path / "folder/si_folder.json", description)
    return tmp_path / "folder"


# What may be loaded.


def test_a_saved_folder_is_loaded_as_it_was_saved(saved, tmp_path):
    loaded = load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.get_traces(), saved.get_traces())
    np.testing.assert_array_equal(loaded.get_channel_locations(), saved.get_channel_locations())


def test_a_chain_of_steps_in_json_is_loaded_with_paths_from_its_folder(saved, tmp_path):
    chain = common_reference(bandpass_filter(saved, freq_min=300.0, freq_max=3000.0))
    chain.dump_to_json(tmp_path / "chain.json", relative_to=tmp_path)
    (tmp_path / "moved").mkdir()
    for name in ("saved", "chain.json"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    expected = common_reference(
        bandpass_filter(si.load(tmp_path / "moved/saved"), freq_min=300.0, freq_max=3000.0)
    )
    loaded = load(tmp_path / "moved/chain.json")
    np.testing.assert_array_equal(loaded.get_traces(), expected.get_traces())


def test_a_recording_denoised_by_this_package_is_loaded_from_json(saved, trained, tmp_path):
    model = trained.save(tmp_path / "model.safetensors")
    denoised = deepinterpolate(saved, model)
    denoised.dump_to_json(tmp_path / "denoised.json")
    loaded = load(tmp_path / "denoised.json")
    np.testing.assert_array_equal(loaded.get_traces(0, 0, 50), denoised.get_traces(0, 0, 50))


def test_zarr_is_loaded_as_it_was_saved(tmp_path):
    path = in_zarr(tmp_path)
    np.testing.assert_array_equal(load(path).get_traces(), si.load(path).get_traces())


@pytest.mark.parametrize("form", ["numpy_folder", "npz_folder", "zarr"])
def test_sortings_are_loaded_as_they_were_saved(form, tmp_path):
    path = tmp_path / ("saved.zarr" if form == "zarr" else "saved")
    sorting().save(folder=path, format=form)
    loaded = read_sorting("load", path)
    for unit in "ab":
        np.testing.assert_array_equal(
            loaded.get_unit_spike_train(unit), sorting().get_unit_spike_train(unit)
        )


# Classes that a description names.


def test_spikeinterface_itself_runs_whatever_a_description_names(tmp_path, mark):
    evil = naming("subprocess.check_call", args=["mkdir", str(mark)])
    with pytest.raises(AttributeError):
        si.load(written(tmp_path / "evil.json", evil))
    assert mark.exists()


EVIL_CLASSES = {
    "a program": ("subprocess.Popen", {"args": ["mkdir", "HACKED"]}),
    "a function": ("os.mkdir", {"path": "HACKED"}),
    "a module of SpikeInterface": ("spikeinterface.core.base.importlib", {}),
    "a function of SpikeInterface": (
        "spikeinterface.core.core_tools.read_python",
        {"path": "evil.py"},
    ),
    "a network with code": (
        "spikeinterface.preprocessing.deepinterpolation.deepinterpolation.DeepInterpolatedRecording",
        {"model_path": "evil.h5"},
    ),
    "a reader that evaluates": (
        "spikeinterface.extractors.sinapsrecordingextractors."
        "SinapsResearchPlatformRecordingExtractor",
        {"file_path": "evil.bin"},
    ),
}


@pytest.mark.parametrize("name, arguments", EVIL_CLASSES.values(), ids=EVIL_CLASSES.keys())
@pytest.mark.parametrize("where", ["file", "folder", "kwargs", "list", "mapping"])
def test_no_class_but_recordings_and_sortings_is_made(
    name, arguments, where, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    evil = naming(name, **arguments)
    slice_of = "spikeinterface.core.frameslicerecording.FrameSliceRecording"
    nested = {
        "kwargs": {"parent_recording": evil},
        "list": {"parent_recording": [[evil]]},
        "mapping": {"parent_recording": {"a": {"b": evil}}},
    }
    described = naming(slice_of, **nested[where]) if where in nested else evil
    path = (
        folder_of(tmp_path, described)
        if where == "folder"
        else written(tmp_path / "evil.json", described)
    )
    with pytest.raises(UnsafeFileError, match=f"names the class '{re.escape(name)}'"):
        read_recording("load", path)
    assert not (tmp_path / "HACKED").exists()


def test_the_class_that_zarr_names_is_not_made(tmp_path, mark):
    path = in_zarr(tmp_path)
    zarr.open(str(path)).attrs["zarr_class_info"] = {"class": "os.mkdir"}
    (path / ".zmetadata").unlink(missing_ok=True)
    for reader in ("load", "read_zarr"):
        assert read_traces(reader, path).get_num_channels() == 16
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"class": 1, "kwargs": {}}', '{"class": "os.mkdir"}', "[" * 100_000],
    ids=["empty", "list", "cut", "number", "no arguments", "deep"],
)
def test_what_describes_no_recording_is_refused(text, tmp_path):
    path = tmp_path / "odd.json"
    path.write_text(text)
    with pytest.raises(UnsafeFileError, match=r"odd\.json"):
        load(path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(UnsafeFileError, match="no recording or sorting that SpikeInterface saved"):
        load(tmp_path)


# Pickles.


@pytest.mark.parametrize("name", ["evil.pkl", "evil.pickle"])
def test_a_pickle_is_not_read(name, tmp_path, mark):
    (tmp_path / name).write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(UnsafeFileError, match="is a pickle, which runs code when it is read"):
        load(tmp_path / name)
    assert not mark.exists()


def test_a_pickle_in_an_old_folder_is_not_read(tmp_path, mark):
    (tmp_path / "old").mkdir()
    (tmp_path / "old/cached.pkl").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(UnsafeFileError):
        load(tmp_path / "old")
    assert not mark.exists()


def test_provenance_is_not_followed(saved, tmp_path, mark):
    (tmp_path / "saved/provenance.json").unlink(missing_ok=True)
    (tmp_path / "saved/provenance.pkl").write_bytes(pickle.dumps(Payload(mark)))
    assert load(tmp_path / "saved").get_num_channels() == 16
    assert not mark.exists()


def objects(path, mark):
    np.save(path, np.array([Payload(mark)] * 16, dtype=object), allow_pickle=True)


def bare_pickle(path, mark):
    path.write_bytes(pickle.dumps(Payload(mark)))


def archive(path, mark):
    with path.open("wb") as file:
        np.savez(file, values=np.array([Payload(mark)], dtype=object))


@pytest.mark.parametrize("write", [objects, bare_pickle, archive])
@pytest.mark.parametrize("by", ["load", "json", "sorting"])
def test_a_property_that_is_a_pickle_is_not_read(write, by, saved, tmp_path, mark):
    path = folder = tmp_path / "saved"
    if by == "json":
        path = tmp_path / "slice.json"
        saved.frame_slice(0, 10).dump_to_json(path)
    if by == "sorting":
        path = folder = tmp_path / "sorting"
        sorting().save(folder=folder, format="numpy_folder")
    (folder / "properties").mkdir(exist_ok=True)
    write(folder / "properties/evil.npy", mark)
    with pytest.raises(UnsafeFileError, match=r"evil\.npy is not a plain array"):
        load(path)
    assert not mark.exists()


def test_spikes_that_are_a_pickle_are_not_read(tmp_path, mark):
    bare_pickle(tmp_path / "spikes.npy", mark)
    with pytest.raises(ValueError, match="does not hold one number per spike"):
        read_spike_times(tmp_path / "spikes.npy", "seconds", 1.0)
    assert not mark.exists()


def add_objects(folder, mark):
    group = zarr.open_group(str(folder), mode="a")
    values = group.require_group("properties").create_dataset(
        "evil", shape=16, dtype=object, object_codec=numcodecs.Pickle()
    )
    values[:] = np.array([Payload(mark)] * 16, dtype=object)


@pytest.mark.parametrize("linked", [False, True], ids=["in place", "behind a link"])
@pytest.mark.parametrize("reader", ["load", "read_zarr", "read_nwb_recording", "json"])
def test_zarr_of_pickles_is_not_read(reader, linked, tmp_path, mark):
    path = in_zarr(tmp_path)
    add_objects(path, mark)
    for file in path.glob(".zmetadata"):
        file.unlink()
    if linked:
        (path / "properties").rename(tmp_path / "elsewhere")
        (path / "properties").symlink_to(tmp_path / "elsewhere")
    if reader == "json":
        zarr_class = "spikeinterface.core.zarrextractors.ZarrRecordingExtractor"
        path = written(tmp_path / "evil.json", naming(zarr_class, folder_path=str(path)))
    with pytest.raises(UnsafeFileError, match="array of pickles, which run code"):
        read_traces("load" if reader == "json" else reader, path)
    assert not mark.exists()


def test_a_pickled_fill_value_is_not_read_either(tmp_path, mark):
    path = in_zarr(tmp_path)
    (path / ".zmetadata").unlink(missing_ok=True)
    add_objects(path, mark)
    for chunk in (path / "properties/evil").glob("[0-9]*"):
        chunk.unlink()
    with pytest.raises(UnsafeFileError, match="array of pickles"):
        load(path)
    assert not mark.exists()


def test_what_is_on_a_network_is_not_read(tmp_path):
    zarr_class = "spikeinterface.core.zarrextractors.ZarrRecordingExtractor"
    for path in ("s3://bucket/evil.zarr", "simplecache::https://example.org/evil.zarr"):
        evil = written(tmp_path / "evil.json", naming(zarr_class, folder_path=path))
        with pytest.raises(UnsafeFileError, match="is an address, not a file"):
            load(evil)
    with pytest.raises(UnsafeFileError, match="has to be on disk"):
        read_traces("read_zarr", in_zarr(tmp_path), {"storage_options": {"anon": True}})
    denoised = "ephys_deepinterpolation.recording.DeepInterpolatedRecording"
    evil = written(tmp_path / "evil.json", naming(denoised, model="hf://evil/model@v1"))
    with pytest.raises(UnsafeFileError, match="has to be on disk"):
        load(evil)


# Readers.


def phy(tmp_path, parameters):
    folder = tmp_path / "phy"
    folder.mkdir()
    np.save(folder / "spike_times.npy", np.array([3, 5, 9]))
    np.save(folder / "spike_clusters.npy", np.array([0, 1, 0]))
    (folder / "params.py").write_text(parameters)
    return folder


PARAMETERS = "dat_path = ['a.dat']\nn_channels_dat = 4\noffset = -1\nsample_rate = 30000.\n"


@pytest.mark.parametrize("reader", ["read_phy", "read_kilosort"])
def test_sortings_of_phy_are_read(reader, tmp_path):
    read = read_sorting(reader, phy(tmp_path, PARAMETERS))
    np.testing.assert_array_equal(read.get_unit_spike_train(0), [3, 9])
    assert read.get_sampling_frequency() == 30_000


@pytest.mark.parametrize(
    "line",
    [
        "__import__('os').mkdir('HACKED')",
        "import os; os.mkdir('HACKED')",
        "hp_filtered = __import__('os').mkdir('HACKED')",
        "hp_filtered = [0 for _ in [__import__('os').mkdir('HACKED')]]",
        "hp_filtered = f\"{__import__('os').mkdir('HACKED')}\"",
        "hp_filtered[__import__('os').mkdir('HACKED')] = 1",
        "hp_filtered: __import__('os').mkdir('HACKED') = 1",
        "hp_filtered = (",
    ],
)
def test_the_parameters_of_phy_are_not_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeFileError, match="Python beyond plain values"):
        read_sorting("read_phy", phy(tmp_path, PARAMETERS + line))
    assert not Path("HACKED").exists()


def test_a_group_of_clusters_is_a_name_and_not_evaluated(tmp_path, mark):
    folder = phy(tmp_path, PARAMETERS)
    evil = f"x' or @pd.io.common.os.mkdir('{mark}') == '"
    for groups in (evil, ["noise", evil]):
        with pytest.raises(UnsafeFileError, match="is not the name of a group of clusters"):
            read_sorting("read_phy", folder, {"exclude_cluster_groups": groups})
    assert not mark.exists()
    kept = read_sorting("read_phy", folder, {"exclude_cluster_groups": ["noise", "mua"]})
    assert kept.get_num_units() == 2


RUNS_CODE = re.compile(
    r"\beval\(|\bexec\(|pickle\.load|allow_pickle=True|read_python\(|read_prb\(|joblib\.load"
    r"|yaml\.(unsafe_|full_)?load\(|\.query\(f"
)


def readers():
    found = {**recording_extractor_full_dict, **sorting_extractor_full_dict}
    return sorted({function.__name__: function for function in found.values()}.items())


def sources_of(reader):
    """The source of a reader's class, and that of the classes of neo it names."""
    import neo.rawio

    module = sys.modules[reader.__module__]
    text = Path(module.__file__).read_text(encoding="utf-8")
    yield text
    for name in re.findall(r"NeoRawIOClass = \"(\w+)\"", text):
        yield Path(inspect.getfile(getattr(neo.rawio, name))).read_text(encoding="utf-8")


def test_no_reader_that_is_offered_evaluates_what_it_reads():
    """A new release of SpikeInterface or neo with another such reader fails here."""
    offered = [cls for _, cls in readers() if refusal_of(cls.__name__) is None]
    assert len(offered) > 40
    found = {cls.__name__ for cls in offered for text in sources_of(cls) if RUNS_CODE.search(text)}
    assert found <= {
        # Their parameters are looked at first, see above.
        "PhySortingExtractor",
        "KiloSortSortingExtractor",
        # Beside a refused class in one file.
        "SinapsResearchPlatformH5RecordingExtractor",
        "SHYBRIDSortingExtractor",
    }


@pytest.mark.parametrize(
    "reader", ["read_sinaps_research_platform", "read_shybrid_recording", "read_klusta"]
)
def test_readers_that_run_what_they_read_are_refused(reader, tmp_path):
    (tmp_path / "evil.yml").write_text("")
    with pytest.raises(UnsafeFileError, match="is not used"):
        read_traces(reader, tmp_path / "evil.yml")


def test_a_configuration_with_such_a_reader_is_refused_before_work_starts(tmp_path):
    (tmp_path / "a.bin").write_text("")
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    parameters = {"reader": "read_sinaps_research_platform", "path": str(tmp_path / "a.bin")}
    config["study"]["datasets"] = {"mine": {"kind": "recorded", "parameters": parameters}}
    with pytest.raises(ConfigurationError, match="evaluates the text of its metadata"):
        read_study(config, REPOSITORY / "workflow/schemas")


def test_nothing_but_readers_is_called_by_name(tmp_path):
    for name in ("write_python", "read_nothing", "get_neo_num_blocks", "__import__"):
        with pytest.raises(UnsafeFileError, match="no reader called"):
            read_sorting(name, tmp_path)


# Configurations.

TEMPLATE = "__use_yte__: true\n__definitions__:\n- import os; os.mkdir({!r})\nstudy: {{}}\n"


def test_snakemake_itself_runs_the_python_in_a_template(tmp_path, mark):
    (tmp_path / "study.yaml").write_text(TEMPLATE.format(str(mark)))
    load_configfile(tmp_path / "study.yaml")
    assert mark.exists()


DISGUISED = TEMPLATE.replace("__use_yte__", '"\\x5f_use_yte__"')


def test_snakemake_makes_nothing_of_the_tags_of_a_configuration(tmp_path, mark):
    (tmp_path / "study.yaml").write_text(f"study: !!python/object/apply:os.mkdir ['{mark}']\n")
    with pytest.raises(WorkflowError, match="not valid JSON or YAML"):
        load_configfile(tmp_path / "study.yaml")
    assert not mark.exists()


@pytest.mark.parametrize("text", [TEMPLATE, DISGUISED], ids=["open", "disguised"])
def test_a_template_can_be_recognised_without_running_it(text, tmp_path, mark):
    path = tmp_path / "study.yaml"
    path.write_text(text.format(str(mark)))
    with pytest.raises(UnsafeFileError, match="is a template"):
        check_configuration(path)
    command = [sys.executable, "-m", "ephys_deepinterpolation.strangers", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert "is a template" in checked.stderr
    assert "Traceback" not in checked.stderr
    assert not mark.exists()


@pytest.mark.parametrize("name", ["config.yaml", "paper.yaml", "study.yaml", "presets/hc-1.yaml"])
def test_the_configurations_of_the_project_are_data_alone(name):
    check_configuration(REPOSITORY / "config" / name)
