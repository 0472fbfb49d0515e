"""The definitions in ``crds/``: fresh, structural, bounded and described."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field

from daypass.api import crd
from daypass.api.structural import UnboundedError, structural

FOLDER = Path(__file__).parents[2] / "crds"
DEFINITIONS = [yaml.safe_load(text) for text in crd.generate().values()]
SCHEMAS = [definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for definition in DEFINITIONS]


def _nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from _nodes(node[key], f"{path}[]")


def test_committed_definitions_are_what_the_models_say() -> None:
    assert crd.stale(FOLDER) == ()
    assert {path.name for path in FOLDER.iterdir()} == set(crd.generate())


def test_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crd.main(["--check", str(tmp_path)]) == 1
    assert "run make generate" in capsys.readouterr().err
    assert crd.main(["--write", str(tmp_path)]) == 0
    assert crd.main(["--check", str(tmp_path)]) == 0


@pytest.mark.parametrize("schema", SCHEMAS)
def test_schemas_hold_nothing_that_a_structural_schema_may_not(schema: dict[str, Any]) -> None:
    banned = {"$ref", "$defs", "anyOf", "title", "const", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"}
    for path, node in _nodes(schema):
        assert not banned & node.keys(), path
        assert node.get("default", "") is not None, path


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_list_says_how_it_is_merged(schema: dict[str, Any]) -> None:
    for path, node in _nodes(schema):
        if node["type"] == "array":
            expected = "map" if path.endswith(".conditions") and path.startswith(".status") else "atomic"
            assert node["x-kubernetes-list-type"] == expected, path


def test_t19_every_object_of_a_policys_spec_keeps_unknown_fields_for_the_webhook_to_refuse() -> None:
    spec = SCHEMAS[1]["properties"]["spec"]
    for path, node in _nodes(spec, "spec"):
        if node["type"] == "object" and "additionalProperties" not in node:
            assert node["x-kubernetes-preserve-unknown-fields"] is True, path


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_list_and_its_entries_are_not_described_alike(schema: dict[str, Any]) -> None:
    """``kubectl explain`` shows one after the other."""
    for path, node in _nodes(schema):
        entry = node.get("items", {}).get("description", "")
        assert not entry or entry.split()[:3] != node["description"].split()[:3], path


def test_every_rule_has_a_message() -> None:
    for schema in SCHEMAS:
        for path, node in _nodes(schema):
            assert all(rule["message"] for rule in node.get("x-kubernetes-validations", [])), path


class _Unbounded(BaseModel):
    name: str = Field(description="No limit.")


class _Undescribed(BaseModel):
    name: str = Field(max_length=3)


class _Union(BaseModel):
    value: int | str = Field(description="Two types.")


@pytest.mark.parametrize(
    ("model", "fault"),
    [(_Unbounded, ".name: no maxLength"), (_Undescribed, ".name: no description"), (_Union, "union")],
)
def test_generator_refuses_what_has_no_limit_no_words_or_no_one_type(model: type[BaseModel], fault: str) -> None:
    with pytest.raises(UnboundedError, match=fault):
        structural(model)
