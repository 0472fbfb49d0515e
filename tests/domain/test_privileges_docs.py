"""The tables of docs/privileges.md are those of the code, and the code looks where they say."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from daypass.domain import privileges
from daypass.domain.policy import RiskLevel
from daypass.domain.privileges import CONTROLS, Finding
from daypass.domain.privileges.control import Control, Profile
from daypass.domain.privileges.levels import GRAVER, LEVELS
from domain.pod_cases import KINDS, cases

PAGE = Path(__file__).parents[2] / "docs" / "privileges.md"
HEADINGS = {
    Profile.BASELINE: "## Baseline",
    Profile.RESTRICTED: "## Restricted",
    Profile.BEYOND: "## Beyond the standards",
}


@pytest.mark.parametrize("profile", Profile, ids=lambda profile: profile.name)
def test_table_of_the_controls(profile: Profile) -> None:
    expected = [_row(control) for control in CONTROLS.values() if control.profile is profile]
    assert _table(HEADINGS[profile]) == expected, "write:\n" + "\n".join(expected)


def test_table_of_the_risks() -> None:
    told: dict[str, set[str]] = {}
    for row in _table("## Risk"):
        label, words, _ = (cell.strip() for cell in row.strip("|").split("|"))
        told[label] = {name.rstrip(":") for name in re.findall(r"`([^`]+)`", words)}
    for level in (RiskLevel.HIGH, RiskLevel.MEDIUM):
        names = {name.partition(":")[0] for name in told[level.label]}
        assert names == {name for name, (of_name, _) in LEVELS.items() if of_name is level}
    assert told["High"] >= {"ServiceAccountPower:High"}
    capabilities = {name.removeprefix("Capabilities:") for name in GRAVER if name.startswith("Capabilities:")}
    critical = {name for name, (level, _) in LEVELS.items() if level is RiskLevel.CRITICAL}
    assert told["Critical"] == critical | capabilities | {"ServiceAccountPower:Critical", "Capabilities"}


@pytest.mark.parametrize("name", sorted(CONTROLS.keys() - {"ServiceAccountPower"}))
def test_each_field_is_looked_at_and_no_other(name: str) -> None:
    """Each field of the table has an example that is found there; what is found is in a field of the table."""
    fields = {field: _expression(field) for field in CONTROLS[name].fields}
    found = {_general(finding.path) for finding in _findings() if finding.control == name}
    assert {field for field, expression in fields.items() if not any(map(expression.match, found))} == set()
    outside = {path for path in found if not any(expression.match(path) for expression in fields.values())}
    holders = {path for path in outside if any(field.startswith(path) for field in fields)}
    assert outside == holders, "malformed holders of a field apart"


def test_the_gate_of_the_page_is_valid() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    patterns = yaml.safe_load(text)["gate"]["workloads"]["privileges"]
    assert [privileges.fault(pattern) for pattern in patterns] == [""] * len(patterns)


@cache
def _findings() -> tuple[Finding, ...]:
    examples = cases("baseline", "restricted", "beyond")
    return tuple(found for case in examples for kind in KINDS for found in privileges.of_pod(case.body(kind)))


def _table(heading: str) -> list[str]:
    section = PAGE.read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def _row(control: Control) -> str:
    fields = "<br>".join(f"`{field}`" for field in control.fields)
    allowed = re.sub(r"[\w./-]+\*", r"`\g<0>`", control.allowed)
    return f"| `{control.name}` | {fields} | {allowed} | {control.narrowed or '(takes none)'} |"


def _expression(field: str) -> re.Pattern[str]:
    """Of the field and what is below it, a star standing for anything."""
    return re.compile(re.escape(field).replace(r"\*", r"[^\[\]]*"))


def _general(path: str) -> str:
    """The path with ``container`` and ``[*]`` as the table writes them."""
    path = re.sub(rf"^spec\.(?:{'|'.join(KINDS)})\[\d+\]", "container", path)
    return re.sub(r"\[\d+\]", "[*]", path)
