"""Documentation that is true: its links lead somewhere, its tables are those of the code, its example works."""

import re
from pathlib import Path

import pytest
import yaml

from daypass.api.request import AccessRequestSpec
from daypass.app.policies.check import check
from daypass.domain.conditions import FINAL, State
from daypass.expressions.cel import CelExpressions
from daypass.expressions.variables import VARIABLES

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted(
    [*DOCS.glob("*.md"), *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "helm/daypass/README.md"))]
)
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for path, anchor in _LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in _anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_found_from_the_readme(page: Path) -> None:
    assert f"(docs/{page.name})" in (REPOSITORY / "README.md").read_text()


def test_the_variables_of_expressions_are_those_of_the_code() -> None:
    names = [name for cell in _first_cells("policies.md", "## conditions and when") for name in cell.split(", ")]
    assert sorted(names) == sorted(VARIABLES)


def test_the_states_are_those_of_the_code() -> None:
    rows = _rows("concepts.md", "## States")
    told = {name: row[-1] == "yes" for row in rows for name in row[0].split(", ")}
    assert told == {state.value: state in FINAL for state in State}


def test_the_policies_of_the_page_are_valid() -> None:
    texts = re.findall(r"```yaml\n(.*?)```", (DOCS / "policies.md").read_text(), re.DOTALL)
    report = check({"policies.md": "---\n".join(texts)}, CelExpressions())
    valid = ["shop-edit", "agent-privileges", "agent-gpus", "agent-actions"]
    assert (report.valid, report.errors, report.warnings) == (valid, [], [])


def test_what_the_page_shows_of_the_examples_is_in_them() -> None:
    shown = re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", (DOCS / "policies.md").read_text(), re.DOTALL)
    assert len(shown) == 5
    for name, text in shown:
        assert (REPOSITORY / "examples" / name).read_text() == text, name


@pytest.mark.parametrize("page", [DOCS / "gate.md", REPOSITORY / "README.md"], ids=lambda page: page.name)
def test_the_gates_of_the_pages_are_valid(page: Path) -> None:
    texts = re.findall(r"<!-- file: gate.yaml -->\n```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    report = check({page.name: "---\n".join(texts)}, CelExpressions())
    assert (report.valid, report.errors, report.warnings) == (["agent-privileges"], [], [])


def test_the_requests_of_the_gates_page_are_valid() -> None:
    texts = re.findall(r"```yaml\n(.*?)```", (DOCS / "gate.md").read_text(), re.DOTALL)
    requests = [body for body in map(yaml.safe_load, texts) if body.get("kind") == "AccessRequest"]
    assert [AccessRequestSpec.model_validate(body["spec"]).workload is not None for body in requests] == [True]


def test_each_door_is_proved_or_says_that_it_is_open() -> None:
    rows = _doors()
    assert len(rows) > 50
    for door, gated, how, tests in rows:
        assert gated in {"yes", "by name", "no", ""}, door
        assert tests or (gated == "no" and how), f"{door}: neither a test nor a line that says what stands there"


def test_the_tests_that_prove_the_doors_exist() -> None:
    sources = [path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    told = {name for row in _doors() for name in row[3].split(", ") if name}
    assert told - there == set()


def test_rules_are_where_the_table_says() -> None:
    cells = [row[1] for row in _rows("architecture.md", "## Where is the rule behind a decision?")]
    paths = [path for cell in cells for path in cell.split(", ") if path.endswith((".py", "/"))]
    assert len(paths) > 10
    for path in paths:
        assert (REPOSITORY / "operator" / "daypass" / path).exists(), path


def _anchors(page: Path) -> set[str]:
    """Headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _rows(page: str, heading: str) -> list[list[str]]:
    """The first table under a heading, without its head and without the marks of code."""
    section = re.split(r"\n##+ ", (DOCS / page).read_text().partition(f"{heading}\n")[2], maxsplit=1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" |")] for line in lines]


def _doors() -> list[list[str]]:
    """Every row of every table of the gate's doors."""
    section = (DOCS / "gate.md").read_text().partition("\n## Doors\n")[2]
    headings = re.findall(r"^(### .+)$", section, re.MULTILINE)
    return [row for heading in headings for row in _rows("gate.md", heading)]


def _first_cells(page: str, heading: str) -> list[str]:
    return [row[0] for row in _rows(page, heading)]
