"""The JSON Schemas of a configuration, and what they find in words."""

import copy
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from ephys_deepinterpolation.configuration.problems import Place, problem, shown, unknown_key

CONFIG_SCHEMA = "config.schema.yaml"
ROW_SCHEMA = "datasets.schema.yaml"

_TYPES_IN_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}
_NUMBERS = ("integer", "number")


@cache
def read_schemas(folder: Path) -> Registry:
    """Read the schemas once, so that each can refer to the others by its path from `folder`."""
    resources = []
    for path in sorted(folder.rglob("*.schema.yaml")):
        schema = yaml.safe_load(path.read_text(encoding="utf-8"))
        # Its draft would call the plain validator of that draft in place of the one below.
        del schema["$schema"]
        name = path.relative_to(folder).as_posix()
        resources.append((name, DRAFT202012.create_resource(schema)))
    return Registry().with_resources(resources)


def schema_of_kind(kind: str) -> str:
    """Name the schema for the parameters of a kind of dataset."""
    return f"kinds/{kind}.schema.yaml"


def kinds_of_datasets(registry: Registry) -> list[str]:
    """List the kinds of datasets that have a schema."""
    names = (Path(name) for name in registry)
    return sorted(
        name.name.removesuffix(".schema.yaml") for name in names if name.parent.name == "kinds"
    )


def _fill_defaults(validator, properties, instance, schema):
    """Validate the properties of a mapping after those left out got their defaults."""
    if isinstance(instance, dict):
        for name, subschema in properties.items():
            if "default" in subschema:
                instance.setdefault(name, copy.deepcopy(subschema["default"]))
    yield from Draft202012Validator.VALIDATORS["properties"](
        validator, properties, instance, schema
    )


def _check_ascending(validator, ascending, instance, _schema):
    if not ascending or not isinstance(instance, list):
        return
    numbers = [item for item in instance if validator.is_type(item, "number")]
    if numbers != sorted(numbers):
        yield ValidationError("not ascending")


def _is_whole_number(_checker, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite_number(_checker, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_Validator = extend(
    Draft202012Validator,
    validators={"properties": _fill_defaults, "ascending": _check_ascending},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_whole_number, "number": _is_finite_number}
    ),
)


def schema_problems(instance: Any, schema: str, registry: Registry, place: Place) -> Iterator[str]:
    """Check a value against a schema, by reference, and fill in its defaults."""
    for error in _Validator({"$ref": schema}, registry=registry).iter_errors(instance):
        here = place.at(*error.absolute_path)
        properties = error.schema.get("properties", {})
        if error.validator == "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield problem(here.at(key), "nothing", _allowed(properties[key]))
        elif error.validator == "additionalProperties":
            for key in error.instance:
                if key not in properties:
                    yield unknown_key(here, key, properties)
        elif error.validator == "uniqueItems":
            yield from _repetitions(here, error.instance)
        elif "propertyNames" in error.absolute_schema_path:
            yield problem(here, f"the name {shown(error.instance)}", _allowed(error.schema))
        else:
            hint = _text_for_number(error.instance, error.schema)
            yield problem(here, shown(error.instance), _allowed(error.schema) + hint)


def _allowed(schema: dict[str, Any]) -> str:
    """Say in words what a schema allows."""
    types = schema.get("type", [])
    words = " or ".join(
        _TYPES_IN_WORDS[name] + (_bounds(schema) if name in _NUMBERS else "")
        for name in ([types] if isinstance(types, str) else types)
    )
    if 1 in (schema.get(key) for key in ("minItems", "minLength", "minProperties")):
        words += ", not empty"
    description = schema["description"]
    return f"{words} ({description})" if words else description


def _bounds(schema: dict[str, Any]) -> str:
    at_least = f" of at least {schema['minimum']}" if "minimum" in schema else ""
    above = f" greater than {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else ""
    return at_least + above


def _text_for_number(value: Any, schema: dict[str, Any]) -> str:
    """Explain a number that YAML took for text, such as 2e-3 or one in quotes."""
    if not isinstance(value, str) or not any(name in schema.get("type", []) for name in _NUMBERS):
        return ""
    try:
        float(value)
    except ValueError:
        return ""
    return "; YAML reads this as text: write it without quotes, and 2.0e-3 rather than 2e-3"


def _repetitions(place: Place, items: list[Any]) -> Iterator[str]:
    for index, item in enumerate(items):
        first = items.index(item)
        if first < index:
            yield problem(
                place.at(index), f"{shown(item)} again, as at {place.at(first).key}", "each once"
            )
