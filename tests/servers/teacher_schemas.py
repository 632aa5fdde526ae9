"""Values that JSON schemas accept, drawn at random."""

from collections.abc import Mapping
from random import Random

from tests.servers.teacher_words import words

Body = Mapping[str, object]


def instance_of(schema: Body, rng: Random) -> object:
    """Make a value a JSON schema accepts, as far as OpenAI's subset of schemas goes."""
    return _instance(schema, rng, schema, 0)


def _instance(schema: Body, rng: Random, root: Body, depth: int) -> object:
    while "$ref" in schema or any(key in schema for key in ("anyOf", "oneOf", "allOf")):
        schema = _follow(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind == "object":
        inner = schema.get("properties", {})
        return {name: _instance(part, rng, root, depth + 1) for name, part in inner.items()}
    if kind == "array":
        fewest = schema.get("minItems", 0 if depth > 6 else 1)
        most = schema.get("maxItems", fewest if depth > 6 else fewest + 3)
        part = schema.get("items", {})
        return [_instance(part, rng, root, depth + 1) for _ in range(rng.randint(fewest, most))]
    return _scalar(kind, schema, rng)


def _follow(schema: Body, root: Body) -> Body:
    if "$ref" not in schema:
        return next(schema[key] for key in ("anyOf", "oneOf", "allOf") if key in schema)[0]
    found = root
    for name in schema["$ref"].removeprefix("#").strip("/").split("/"):
        found = found[name] if name else found
    return found


def _scalar(kind: str, schema: Body, rng: Random) -> object:
    if kind in {"integer", "number"}:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 101) - 1)
        whole = kind == "integer"
        return rng.randint(int(low), int(high)) if whole else round(rng.uniform(low, high), 3)
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    text = words(rng, 3, 12)
    while len(text) < schema.get("minLength", 0):
        text += " " + words(rng, 3, 12)
    return text[: schema.get("maxLength")]
