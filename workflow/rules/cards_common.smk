# Which models have a card, and what the configuration says of them.

from ephys_deepinterpolation.configuration import licence_of

# Of a recipe that is trained several times, for its first use.
first_uses = {}
for each_use in all_model_uses:
    if "trained_on" in each_use:
        first_uses.setdefault(each_use["model"], each_use)


def seen_by(model, dataset):
    """The datasets a model of this recipe saw, kept with this one; those of its bases first."""
    recipe = study.models[model]
    if "pretrained" in recipe:
        return []
    given = recipe.get("train_on", dataset)
    own = [given] if isinstance(given, str) else list(given)
    return [*(seen_by(base, own[0]) if (base := recipe.get("fine_tune")) else []), *own]


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
            {
                "dataset": name,
                "kind": study.datasets[name].kind,
                "licence": licence_of(study.datasets[name], study.sources),
            }
            for name in seen_by(wildcards.model, home["trained_on"])
        ],
        "endpoints": study.endpoints,
        "seed": study.seed,
        "repeats": study.repeats,
    }


def carded_model(wildcards):
    """The file of the model that a card is of."""
    first = first_uses[wildcards.model]
    place = (first[name] for name in ("dataset", "replicate", "condition"))
    return model_file(wildcards.model, *place)
