"""Resources that policies name: what is a slip for one of Kubernetes' own."""

import pytest

from daypass.domain.resources import slip


@pytest.mark.parametrize(
    ("resource", "groups"),
    [
        ("deployments", ("apps",)),
        ("deployments/scale", ("", "apps")),
        ("pods/exec", ("",)),
        ("pods", ("apps", "")),
        ("*", ("*",)),
        ("*/scale", ("apps",)),
        ("pods/*", ("*",)),
        ("networkpolicies", ("networking.k8s.io",)),
        ("ingressclasses", ("networking.k8s.io",)),
        ("storageclasses", ("storage.k8s.io",)),
        ("endpoints", ("",)),
        ("priorityclasses", ("scheduling.k8s.io",)),
        ("widgets", ("example.org",)),
        ("pods", ("metrics.k8s.io",)),
        ("widgets", ("*",)),
        ("widgets", ("apps", "example.org")),
    ],
)
def test_resources_that_are_or_may_be_are_none(resource: str, groups: tuple[str, ...]) -> None:
    assert slip(resource, groups) is None


@pytest.mark.parametrize(
    ("resource", "groups", "message"),
    [
        ("deployment", ("apps",), "there is no resource deployment in group apps; did you mean deployments?"),
        ("deploy", ("apps",), "there is no resource deploy in group apps; did you mean deployments?"),
        ("Deployments", ("apps",), "there is no resource Deployments in group apps; did you mean deployments?"),
        ("pod/exec", ("",), 'there is no resource pod in the core group, ""; did you mean pods?'),
        ("pvc", ("", "apps"), 'there is no resource pvc in groups "" or apps; did you mean persistentvolumeclaims?'),
        ("deployments", ("",), 'deployments are in group apps, not in the core group, ""'),
        ("pods", ("core",), 'pods are in the core group, "", not in group core'),
        ("events", ("apps",), 'events are in groups "" or events.k8s.io, not in group apps'),
        (
            "deployment",
            ("",),
            'there is no resource deployment in the core group, ""; did you mean deployments in group apps?',
        ),
        (
            "RoleBinding",
            ("rbac.authorization.k8s.io",),
            "there is no resource RoleBinding in group rbac.authorization.k8s.io; did you mean rolebindings?",
        ),
    ],
)
def test_a_slip_in_groups_of_kubernetes_is_certain(resource: str, groups: tuple[str, ...], message: str) -> None:
    found = slip(resource, groups)
    assert found is not None
    assert (found.message, found.certain) == (message, True)


@pytest.mark.parametrize(
    ("resource", "groups", "message"),
    [
        ("deployment", ("*",), "there is no resource deployment in group *; did you mean deployments?"),
        (
            "deployment",
            ("example.org",),
            "there is no resource deployment in group example.org; did you mean deployments in group apps?",
        ),
        ("deploymets", ("apps",), "Daypass knows no resource deploymets in group apps; did you mean deployments?"),
        ("widgets", ("apps",), "Daypass knows no resource widgets in group apps"),
        (
            "pods/port-forward",
            ("",),
            "Daypass knows no subresource port-forward of pods; did you mean pods/portforward?",
        ),
        ("serviceaccounts/x", ("",), "Daypass knows no subresource x of serviceaccounts: it has token"),
    ],
)
def test_what_somebody_may_have_called_so_is_a_doubt(resource: str, groups: tuple[str, ...], message: str) -> None:
    found = slip(resource, groups)
    assert found is not None
    assert (found.message, found.certain) == (message, False)
