"""Cards of a model on made-up tables: one dataset that it was trained on, two that it was not."""

import hashlib
import io
import re
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard

from ephys_deepinterpolation.cards import CardFacts, card_figures, gather_evidence, model_card
from ephys_deepinterpolation.cards.contents import known_failures
from ephys_deepinterpolation.figures.attenuation import BINS
from ephys_deepinterpolation.seeds import derive_seed
from ephys_deepinterpolation.statistics import estimate_effects, read_endpoints
from example_tables import example_tables
from fixtures import noise_recording, train

TRAINED, OTHERS = "trained-on", ["held-out", "held-out-too"]
ENDPOINTS = {
    "accuracy": {"measure": "accuracy", "margin": 0.02},
    "well-detected": {"measure": "well_detected", "primary": False},
    "kept": {"measure": "kept_peak"},
    "phantoms": {"measure": "phantom_rate", "threshold": 5.0},
}
FACTS = CardFacts(
    name="compact",
    home={"trained_on": TRAINED, "trained_replicate": 0, "trained_for": "di"},
    reference="raw",
    conditions=["raw", "di"],
    steps=[{"name": "highpass_filter", "params": {"freq_min": 300.0}}],
    training_data=[[{"dataset": TRAINED, "kind": "synthetic", "licence": "CC0-1.0"}]],
    endpoints=ENDPOINTS,
    seed=3,
    repeats=1,
    citation={
        "title": "ephys-deepinterpolation",
        "version": "9.8.7",
        "license": "BSD-3-Clause",
        "authors": [{"name": "somebody"}],
    },
    config_sha256="c0ffee",
    versions={"numpy": "1.2.3"},
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    trained = train(noise_recording(20_000, seed=1))
    return trained.save(tmp_path_factory.mktemp("model") / "model.safetensors")


def tables_with(datasets=(TRAINED, *OTHERS), **options):
    """The tables of a study of one model, which denoises every dataset and was trained on one."""
    tables = example_tables(
        known=[(name, "synthetic") for name in datasets],
        with_recorded=False,
        **{"conditions": ["raw", "di"], "replicates": 1, **options},
    )
    flagged = [table for table in tables.values() if "model_saw_recording" in table]
    for table in flagged:
        table["model_saw_recording"] = (table["dataset"] == TRAINED) & (table["condition"] == "di")
    noise_alone = tables["noise_alone"]
    noise_alone["gaussian_per_channel_s"] = 0.5 * noise_alone["threshold"]
    tables["models"] = tables["models"][tables["models"]["dataset"] == TRAINED]
    tables["model_uses"] = tables["model_uses"].assign(**FACTS.home)
    return tables


@pytest.fixture(scope="module")
def tables():
    return tables_with()


@pytest.fixture(scope="module")
def card(model, tables):
    return model_card(model, tables, FACTS, ["noise"])


def section(card, heading):
    """What stands under a heading of a card, up to the next one."""
    return re.split(rf"^#+ {heading}.*$", card.text, flags=re.M)[1].split("\n#")[0]


def tables_under(card, heading):
    """The tables under a heading, numbers as numbers."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", section(card, heading), flags=re.M):
        head, _, *lines = block.replace("−", "-").splitlines()
        csv = "\n".join(line.strip("| ").replace(" | ", "\t") for line in [head, *lines])
        found.append(pd.read_csv(io.StringIO(csv), sep="\t", na_values="–"))
    return found


def held_out(table):
    return table[table["dataset"] != TRAINED]


def test_the_metadata_is_yaml_that_hugging_face_reads_back_as_it_was(card):
    head = str(card).split("---\n")[1]
    metadata = yaml.safe_load(head)
    assert metadata["license"] == "bsd-3-clause"
    assert metadata["library_name"] == "ephys-deepinterpolation"
    assert metadata["model-index"][0]["name"] == "compact"
    again = ModelCard(str(card))
    assert again.data.to_dict() == card.data.to_dict()
    assert again.data.eval_results == card.data.eval_results
    assert again.text == card.text


def test_the_results_in_the_metadata_are_the_losses_and_the_effects_on_held_out_data(
    card, model, tables
):
    values = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert values["validation loss"] == model.summary["validation_loss"]
    assert values["linear loss"] == model.summary["linear_loss"]
    units = held_out(tables["units"])
    accuracy = units[~units["background"]].groupby(["condition", "dataset"])["accuracy"].mean()
    change = (accuracy["di"] - accuracy["raw"]).mean()
    assert values["change in accuracy"] == pytest.approx(change)
    result = next(each for each in card.data.eval_results if each.metric_type == "accuracy")
    assert result.metric_args["recordings"] == 2
    assert result.metric_args["low"] <= result.metric_value <= result.metric_args["high"]
    assert result.dataset_name == "held-out recordings: held-out, held-out-too"


def test_effects_on_held_out_data_alone_are_those_of_the_study(model):
    tables = tables_with(OTHERS)
    card = model_card(model, tables, FACTS)
    seed = derive_seed(FACTS.seed, "statistics")
    found = estimate_effects(tables, read_endpoints(ENDPOINTS), "raw", seed)
    (shown,) = tables_under(card, "Spike sorting")
    pooled = found[found["dataset"] == "all"].reset_index(drop=True)
    assert shown["change"].tolist() == pytest.approx(pooled["effect"].tolist(), rel=1e-3)
    intervals = shown["95 % interval"].str.split(" to ", expand=True).astype(float)
    assert intervals[0].tolist() == pytest.approx(pooled["low"].tolist(), rel=1e-3)
    assert intervals[1].tolist() == pytest.approx(pooled["high"].tolist(), rel=1e-3)
    assert shown["recordings"].eq(2).all()


def test_noise_and_phantoms_are_those_of_the_tables(card, tables):
    (noise,) = tables_under(card, "Noise")
    medians = held_out(tables["noise"]).groupby(["dataset", "condition"])["noise_uv"].median()
    for row in noise.to_dict(orient="records"):
        assert row["raw"] == pytest.approx(medians[row["dataset"], "raw"], rel=1e-3)
        assert row["di"] == pytest.approx(medians[row["dataset"], "di"], rel=1e-3)
    assert noise["dataset"].tolist() == OTHERS
    phantoms, units = tables_under(card, "Phantoms")
    alone = held_out(tables["noise_alone"])
    means = alone.groupby(["threshold", "condition"])["crossings_per_channel_s"].mean()
    expected = alone[alone["condition"] == "di"].groupby("threshold")["gaussian_per_channel_s"]
    for row in phantoms.to_dict(orient="records"):
        assert row["raw"] == pytest.approx(means[row["threshold"], "raw"], rel=1e-3)
        assert row["di"] == pytest.approx(means[row["threshold"], "di"], rel=1e-3)
        gaussian = expected.mean()[row["threshold"]]
        assert row["Gaussian noise"] == pytest.approx(gaussian, rel=1e-3)
    sorted_ = held_out(tables["noise_alone_sortings"])
    found = sorted_.groupby(["sorter", "condition"])["sorted_units"].mean()
    for row in units.to_dict(orient="records"):
        assert row["di"] == pytest.approx(found[row["sorter"], "di"], rel=1e-3)


@pytest.mark.parametrize(
    ("heading", "name", "value", "column"),
    [
        ("Attenuation", "attenuation", "kept_peak", "peak_uv"),
        ("Attenuation", "attenuation", "kept_peak", "width_ms"),
        ("Detectability", "detectability", "d_prime", "peak_uv"),
    ],
)
def test_what_becomes_of_spikes_is_told_by_their_size_and_width(
    card, tables, heading, name, value, column
):
    title, edges = BINS[column]
    shown = next(table for table in tables_under(card, heading) if title in table)
    units = held_out(tables[name])
    units = units[~units["background"]]
    bins = pd.cut(units[column], edges, right=False)
    for condition in ("raw", "di"):
        rows = units[units["condition"] == condition]
        medians = rows.groupby(bins, observed=True)[value].median()
        assert shown[condition].tolist() == pytest.approx(medians.tolist(), rel=1e-3)
    assert shown["units"].sum() == len(units[units["condition"] == "di"])


@pytest.mark.parametrize("dataset", [TRAINED, OTHERS[0]])
def test_what_was_measured_on_training_data_changes_nothing(card, model, tables, dataset):
    changed = {name: table.copy() for name, table in tables.items()}
    columns = {"noise": "noise_uv", "attenuation": "kept_peak", "detectability": "d_prime"}
    columns |= {"noise_alone": "crossings_per_channel_s", "units": "accuracy"}
    for name, column in columns.items():
        rows = changed[name]["dataset"] == dataset
        changed[name].loc[rows, column] /= 2
    same = model_card(model, changed, FACTS, ["noise"]).content == card.content
    assert same == (dataset == TRAINED)


def test_a_model_without_held_out_data_says_so(model):
    card = model_card(model, tables_with([TRAINED]), FACTS)
    assert "**No held-out data:**" in card.text
    assert "1 recording (trained-on)" in card.text
    assert "nothing was measured on any" in section(card, "When not to use it")
    assert "**One recording:**" in section(card, "Spike sorting")
    assert {result.metric_type for result in card.data.eval_results} == {"mse"}


def test_a_model_that_was_never_used_has_a_card_of_its_file_alone(model):
    card = model_card(model, {}, FACTS)
    assert "The study denoised no recording with this model." in card.text
    assert card.text.count("not measured in this study") == 5
    assert "Not known: nothing was measured." in section(card, "Known failures")
    (losses,) = [table for table in tables_under(card, "Training") if "of" in table]
    assert losses["mean squared error"].iloc[0] == pytest.approx(
        model.summary["validation_loss"], rel=1e-3
    )
    assert list(card_figures(model, {}, FACTS)) == ["training"]


@pytest.mark.parametrize(
    ("missing", "heading"),
    [
        ("noise", "Noise"),
        ("attenuation", "Attenuation"),
        ("detectability", "Detectability"),
        ("noise_alone", "Phantoms"),
    ],
)
def test_a_missing_table_is_named_as_not_measured(model, tables, missing, heading):
    rest = {name: table for name, table in tables.items() if name != missing}
    rest["noise_alone_sortings"] = rest["noise_alone_sortings"].iloc[:0]
    text = section(model_card(model, rest, FACTS), heading)
    assert "not measured in this study" in text
    assert not re.search(r"\d\.\d", text)


def test_failures_are_those_that_the_tables_tell_of(model):
    tables = tables_with(failed=("di", "mountainsort5"), replicates=4)
    tables["models"] = tables["models"].assign(validation_loss=0.7, linear_loss=0.6)
    worse = tables["units"]["condition"] == "di"
    tables["units"].loc[worse, "accuracy"] = tables["units"].loc[worse, "accuracy"] * 0.2
    tables["attenuation"]["kept_peak"] = 0.9
    failures = section(model_card(model, tables, FACTS), "Known failures")
    failed = "mountainsort5 failed on di of held-out, in 4 of 4 replicates: ValueError: too few"
    assert failed in failures
    assert "did not beat linear interpolation (validation loss 0.7, linear 0.6)." in failures
    assert "di is worse than raw: accuracy" in failures
    assert "Spikes shrink" not in failures
    tables["attenuation"]["kept_peak"] = 0.5
    shrunken = section(model_card(model, tables, FACTS), "Known failures")
    assert "of units with a peak of 15–30 µV, di keeps a median of 0.5 of the peak." in shrunken


def test_what_gets_worse_with_one_sorter_alone_is_a_failure(model):
    tables = tables_with(replicates=4)
    units = tables["units"]
    for sorter, change in {"spykingcircus2": -0.2, "mountainsort5": 0.2}.items():
        rows = (units["condition"] == "di") & (units["sorter"] == sorter)
        raw = (units["condition"] == "raw") & (units["sorter"] == sorter)
        units.loc[rows, "accuracy"] = units.loc[raw, "accuracy"].to_numpy() + change
    failures = section(model_card(model, tables, FACTS), "Known failures")
    (told,) = re.findall(r"di is worse than raw: accuracy (.*)", failures)
    assert told.startswith("−0.200") and "sorted by spykingcircus2" in told


def test_a_failure_of_another_model_is_none_of_this_one(tables):
    uses = tables["model_uses"]
    evidence = gather_evidence(tables, uses, "raw")
    failed = tables["sortings"].assign(status="failed", error="ValueError: no")
    failed = failed[failed["condition"] == "raw"]
    assert known_failures({"sortings": failed}, pd.DataFrame(), evidence, {}) == [
        sentence
        for sentence in known_failures({}, pd.DataFrame(), evidence, {})
        if "Spikes shrink" in sentence
    ]


def test_a_recipe_that_was_trained_again_elsewhere_is_another_model(model, tables):
    uses = tables["model_uses"].copy()
    uses.loc[uses["dataset"] == OTHERS[1], "trained_on"] = OTHERS[1]
    again = tables["models"].assign(dataset=OTHERS[1], validation_loss=0.123)
    models = pd.concat([tables["models"], again])
    card = model_card(model, {**tables, "model_uses": uses, "models": models}, FACTS)
    (noise,) = tables_under(card, "Noise")
    assert noise["dataset"].tolist() == [OTHERS[0]]
    assert "| held-out-too | 0 | di | 0.123 | 0.648 |" in section(card, "Training")


def test_training_data_are_told_with_ranges_and_licence(card, model):
    (shown,) = [table for table in tables_under(card, "Training") if "licence" in table]
    (row,) = shown.to_dict(orient="records")
    (recording,) = model.provenance["recordings"]
    frames = sum(piece["end"] - piece["start"] for piece in recording["ranges"])
    assert (row["dataset"], row["licence"], row["frames"]) == (TRAINED, "CC0-1.0", frames)
    first = recording["ranges"][0]
    assert row["ranges of frames"].startswith(f"{first['start']}–{first['end']}")


def test_data_of_a_base_from_a_file_are_not_taken_for_those_of_the_study(model, tables):
    (recording,) = model.provenance["recordings"]
    tuned = model.replace(provenance=model.provenance | {"recordings": [recording, recording]})
    text = section(model_card(tuned, tables, FACTS), "Training")
    base, own = [line for line in text.splitlines() if line.startswith("| ") and "–" in line]
    assert base.startswith("| of the model it was tuned from |")
    assert own.startswith(f"| {TRAINED} |")


def test_a_model_that_was_tuned_from_one_on_a_hub_names_it(model, tables):
    card = model_card(model, tables, replace(FACTS, tuned_from="hf://lab/np2@v1"))
    assert card.data.base_model == "lab/np2"
    assert "| tuned from | `hf://lab/np2@v1` |" in section(card, "Provenance")
    assert model_card(model, tables, FACTS).data.base_model is None


def test_each_of_several_datasets_is_told_with_its_own_ranges(model, tables):
    (recording,) = model.provenance["recordings"]
    other = {"ranges": [{"recording": 1, "segment": 0, "start": 5, "end": 105}]}
    several = model.replace(provenance=model.provenance | {"recordings": [recording, other]})
    names = [
        {"dataset": each, "kind": "synthetic", "licence": "-"} for each in ("a", "b", "unread")
    ]
    facts = replace(FACTS, training_data=[names])
    (shown, *_) = tables_under(model_card(several, tables, facts), "Training")
    assert shown["dataset"].tolist() == ["a", "b"]
    assert shown["frames"].iloc[1] == 100


def test_the_file_is_known_by_its_hash(card, model):
    provenance = section(card, "Provenance")
    assert hashlib.sha256(model.path.read_bytes()).hexdigest() in provenance
    for fact in (model.provenance["weights"], "c0ffee", "numpy 1.2.3", "keras"):
        assert fact in provenance
    assert "9.8.7" in section(card, "Citation")
    assert "10.1038/s41592-021-01285-2" in section(card, "Citation")


def test_the_code_of_a_card_runs_as_it_stands(card, model, tmp_path, monkeypatch):
    model.save(tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    noise_recording(12_000, seed=4).save(folder="recording")
    namespace: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", card.text, flags=re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, namespace)
    assert namespace["denoised"].get_traces(end_frame=10).shape == (10, 16)
    assert namespace["prepared"].get_parent() is not None, "filtered as the model wants it"


def test_figures_show_the_model_and_the_reference_on_held_out_data(model, tables):
    figures = card_figures(model, tables, FACTS)
    assert list(figures) == ["training", "noise", "attenuation", "effects"]
    titles = [axis.get_title(loc="left") for axis in figures["noise"].axes]
    assert titles == OTHERS
    card = model_card(model, tables, FACTS, list(figures))
    assert re.findall(r"!\[.*?\]\((.*?)\)", card.text) == [f"{name}.png" for name in figures]
