# Which models have a card, and what the configuration says of them.

from ephys_deepinterpolation.addresses import is_hub_address
from ephys_deepinterpolation.configuration import licence_of, training_datasets

# Of a recipe that is trained several times, for its first use.
first_uses = {}
for each_use in all_model_uses:
    if "trained_on" in each_use:
        first_uses.setdefault(each_use["model"], each_use)


def trainings(model, dataset):
    """The datasets of each training that led to a model kept with this one, its own last."""
    recipe = study.models[model]
    if "pretrained" in recipe:
        return []
    own = training_datasets(recipe) or [dataset]
    base = recipe.get("fine_tune")
    return [*(trainings(base, own[0]) if base else []), own]


def origin_on_a_hub(model):
    """The address of the model that a recipe starts from in the end, None where it has none."""
    first = [model, *study.bases_of(model)][-1]
    address = study.models[first].get("pretrained", "")
    return address if is_hub_address(address) else None


def described(dataset):
    """What the card of a model says of a dataset that it was trained on."""
    kind = study.datasets[dataset].kind
    licence = licence_of(study.datasets[dataset], study.sources)
    return {"dataset": dataset, "kind": kind, "licence": licence}


def card_facts(wildcards):
    """What the configuration says of the model that a card is of."""
    home = {
        name: first_uses[wildcards.model][name]
        for name in ("trained_on", "trained_replicate", "trained_for")
    }
    return {
        "name": wildcards.model,
        "home": home,
        "reference": study.reference,
        "conditions": study.conditions,
        "steps": steps_before_denoising(study.pipelines[home["trained_for"]]),
        "training_data": [
            [described(dataset) for dataset in datasets]
            for datasets in trainings(wildcards.model, home["trained_on"])
        ],
        "tuned_from": origin_on_a_hub(wildcards.model),
        "endpoints": study.endpoints,
        "seed": study.seed,
        "repeats": study.repeats,
    }


def carded_model(wildcards):
    """The file of the model that a card is of."""
    first = first_uses[wildcards.model]
    place = (first[name] for name in ("dataset", "replicate", "condition"))
    return model_file(wildcards.model, *place)
