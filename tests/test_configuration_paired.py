"""What the parameters of a paired dataset may be, and what is said of those that are wrong."""

from pathlib import Path

import pytest
import yaml

from ephys_deepinterpolation.configuration import ConfigurationError, read_study

REPOSITORY = Path(__file__).parents[1]
PRESETS = [REPOSITORY / "config/presets" / name for name in ("spe-1.yaml", "hc-1.yaml")]
CHANNEL = {"reader": "read_binary", "path": "patch.bin", "arguments": {"sampling_frequency": 5e4}}
CHANNEL["arguments"] |= {"dtype": "float64", "num_channels": 1}
SPIKES = {"path": "spikes.npy", "unit": "seconds"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("raw.bin", "patch.bin", "spikes.npy"):
        Path(name).touch()


def read(sets, kind="paired"):
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    config["study"]["datasets"] = {name: {"kind": kind} for name in sets}
    config["ground_truth"] |= sets
    return read_study(config, REPOSITORY / "workflow/schemas", "mine.yaml").datasets


def example(**changes):
    recording = CHANNEL | {"path": "raw.bin"}
    parameters = {"recording": recording, "probe": "NP1000", "trace": CHANNEL} | changes
    return {"cell": {key: value for key, value in parameters.items() if value is not None}}


def test_what_is_left_out_gets_its_default():
    parameters = read(example())["cell"].parameters
    assert parameters["alignment"] == "same_clock"
    assert parameters["channels"] is None
    assert parameters["trace"]["channel"] == 0
    assert parameters["recording"]["start_s"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"trace": None, "spikes": SPIKES},
        {"alignment": "length_ratio"},
        {"alignment": "sync_pulses", "recording_pulses": CHANNEL, "cell_pulses": CHANNEL},
        {"channels": [3, 1, 2, 7], "probe": "tetrode"},
    ],
)
def test_all_ways_are_valid(changes):
    assert read(example(**changes))["cell"].kind == "paired"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_valid_where_its_files_are(preset):
    sets = yaml.safe_load(preset.read_text())["ground_truth"]
    with pytest.raises(ConfigurationError, match="which does not exist"):
        read(sets)
    for parameters in sets.values():
        for part in ("recording", "trace"):
            path = Path(parameters[part]["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert set(read(sets)) == set(sets)


WRONG = {
    "no truth": ({"trace": None}, ["found neither trace nor spikes"]),
    "two truths": ({"spikes": SPIKES}, ["found trace and spikes", "either of the two"]),
    "seconds at a rate": (
        {"trace": None, "spikes": SPIKES | {"sampling_frequency_hz": 3e4}},
        ["spikes.sampling_frequency_hz", "none for spikes in seconds"],
    ),
    "a length of nothing": (
        {"trace": None, "spikes": SPIKES, "alignment": "length_ratio"},
        [".alignment", "without a trace"],
    ),
    "no pulses": (
        {"alignment": "sync_pulses", "cell_pulses": CHANNEL},
        [".recording_pulses: found nothing"],
    ),
    "idle pulses": ({"cell_pulses": CHANNEL}, [".cell_pulses", "alignment: sync_pulses"]),
    "idle bound": ({"largest_offset_s": 0.4}, [".largest_offset_s", "found 0.4"]),
    "unknown alignment": ({"alignment": "sync"}, [".alignment", "length_ratio"]),
    "unknown probe": ({"probe": "NP1"}, [".probe", "the part number of a probe"]),
    "more channels than contacts": (
        {"probe": "tetrode", "channels": [0, 1, 2, 3, 4]},
        [".channels", "at most 4 on tetrode"],
    ),
    "no such file": (
        {"trace": CHANNEL | {"path": "nowhere.bin"}},
        [".trace.path", "nowhere.bin", "does not exist"],
    ),
    "no such reader": (
        {"trace": CHANNEL | {"reader": "read_binari"}},
        [".trace.reader", "read_binary"],
    ),
    "unknown unit": (
        {"trace": None, "spikes": SPIKES | {"unit": "ms"}},
        [".spikes.unit", "frames"],
    ),
}


@pytest.mark.parametrize(("changes", "fragments"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_one_sentence(changes, fragments):
    with pytest.raises(ConfigurationError) as caught:
        read(example(**changes))
    assert len(caught.value.problems) == 1
    for fragment in fragments:
        assert fragment in caught.value.problems[0]
