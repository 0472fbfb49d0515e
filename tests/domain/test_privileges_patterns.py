"""Which privileges a pattern speaks of, what is wrong with one, and how risky they are."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from daypass.domain import privileges
from daypass.domain.policy import RiskLevel
from daypass.domain.privileges import CONTROLS, PROFILES
from daypass.domain.privileges.levels import GRAVER, LEVELS
from daypass.domain.risk import MAX_FINDINGS, Risk

TABLES: dict[str, list[list[Any]]] = yaml.load(
    (Path(__file__).parent / "cases" / "privileges" / "patterns.yaml").read_text(), yaml.CSafeLoader
)


@pytest.mark.parametrize(("pattern", "privilege", "covers", "speaks_of"), TABLES["relations"])
def test_relation(pattern: str, privilege: str, *, covers: bool, speaks_of: bool) -> None:
    assert privileges.fits(pattern, privilege) is covers
    assert privileges.overlaps(pattern, privilege) is speaks_of


@pytest.mark.parametrize(("pattern", "words"), TABLES["faults"])
def test_fault(pattern: str, words: str) -> None:
    fault = privileges.fault(pattern)
    assert words in fault
    assert bool(words) == bool(fault)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_request_names_controls(profile: str) -> None:
    assert privileges.fault(profile) == ""
    assert (
        privileges.fault_in_request(profile) == f"{profile} is a profile: ask for the controls that the workload needs"
    )
    assert privileges.fault_in_request("SecretMount:db") == ""


@pytest.mark.parametrize(("privilege", "level", "words"), TABLES["levels"])
def test_level(privilege: str, level: str, words: str) -> None:
    risk = privileges.assess([privilege])
    assert risk.level.label == level
    assert words in "\n".join(risk.findings)


def test_no_privileges_no_risk() -> None:
    assert privileges.assess([]) == Risk(RiskLevel.LOW)


def test_every_control_has_a_level() -> None:
    assert LEVELS.keys() == CONTROLS.keys()
    assert {privilege.partition(":")[0] for privilege in GRAVER} <= CONTROLS.keys()


def test_the_gravest_is_said_first_and_not_too_much() -> None:
    risk = privileges.assess(["VolumeClaims:data", "SecretMount:db", "PrivilegedContainers", "SecretMount:db"])
    assert risk.findings == (
        "is root on the node: PrivilegedContainers",
        "reads Secrets: SecretMount:db",
        "reads or writes stored data: VolumeClaims:data",
    )
    many = privileges.assess(f"SecretMount:s{number}" for number in range(1000))
    assert len(many.findings) == MAX_FINDINGS


def test_missing_privileges_come_in_the_order_of_need() -> None:
    needed = ["SecretMount:db", "HostPathVolumes:/var/log", "Capabilities:NET_ADMIN", "SecretMount:db"]
    assert privileges.missing(["Capabilities"], needed) == ("SecretMount:db", "HostPathVolumes:/var/log")
    assert privileges.missing(["Baseline"], needed) == ("SecretMount:db",)
    assert privileges.missing(["Restricted", "SecretMount:d*"], needed) == ()
    assert privileges.missing([], []) == ()


def test_many_privileges_are_asked_for_by_their_controls() -> None:
    needed = ["Capabilities:NET_ADMIN", *(f"HostPathVolumes:/data/{n}" for n in range(10_000)), "SecretMount:db"]
    assert privileges.condensed(needed) == ("Capabilities:NET_ADMIN", "HostPathVolumes", "SecretMount:db")
    assert privileges.condensed(needed[:10]) == tuple(needed[:10])
