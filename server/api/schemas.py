"""JSON Schemas of the models that routes name, as components of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import CoreSchema

REF = "#/components/schemas/{model}"

Schema = dict[str, Any]


class _Plain(GenerateJsonSchema):
    """As the models are written: fields in their order, and no title for each, which only says its name again."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


class Components:
    """The schemas of some models, each once, by name.

    What clients send may have no unknown fields. What they get may have more in a later version, so nothing is said of
    it there.
    """

    def __init__(self, sent: Iterable[type[BaseModel]], got: Iterable[type[BaseModel]]) -> None:
        models = dict.fromkeys((*sent, *got))
        pairs: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in models]
        found, definitions = models_json_schema(pairs, ref_template=REF, schema_generator=_Plain)
        self.schemas: dict[str, Schema] = definitions.get("$defs", {})
        self._refs = {model: schema for (model, _), schema in found.items()}
        closed = set(_reached(self.schemas, [self._refs[model] for model in sent]))
        for name, schema in self.schemas.items():
            if name not in closed:
                _open(schema)

    def ref(self, model: type[BaseModel]) -> Schema:
        """A reference to the model's schema."""
        return self._refs[model]

    def examples(self, model: type[BaseModel]) -> list[Any]:
        """The model's examples, in wire form."""
        name = self._refs[model]["$ref"].rpartition("/")[2]
        examples: list[Any] = self.schemas[name].get("examples", [])
        return examples


def parameters_of(query: type[BaseModel]) -> list[Schema]:
    """Each field of a query's model as a parameter."""
    schema = query.model_json_schema(schema_generator=_Plain)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            **({"description": given["description"]} if "description" in given else {}),
            "schema": _without_null({key: value for key, value in given.items() if key != "description"}),
        }
        for name, given in schema.get("properties", {}).items()
    ]


def _open(schema: Schema) -> None:
    if schema.get("additionalProperties") is False:
        del schema["additionalProperties"]


def _without_null(schema: Schema) -> Schema:
    """A parameter that may be left out has no way to be null."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **choices[0]}
    if schema.get("default", 0) is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    return schema


def _reached(schemas: Mapping[str, Schema], start: Iterable[Any]) -> Iterable[str]:
    """Names of the schemas that are referred to from `start`, directly or not."""
    seen: set[str] = set()
    waiting: list[Any] = list(start)
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name in schemas and name not in seen:
                seen.add(name)
                waiting.append(schemas[name])
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return seen
