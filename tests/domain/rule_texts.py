"""Rules and strategies of rules for tests."""

from hypothesis import strategies as st

from daypass.domain.permissions import Rule


def rule(text: str) -> Rule:
    """``get,list | core | pods | name``: verbs, API groups, resources and names."""
    verbs, groups, resources, *names = (part.strip() for part in text.split("|"))
    return Rule(
        verbs=tuple(verbs.split(",")),
        api_groups=tuple("" if group == "core" else group for group in groups.split(",")),
        resources=tuple(resources.split(",")),
        resource_names=tuple(names[0].split(",")) if names else (),
    )


def _some(values: list[str], least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3).map(tuple)


RULES = st.builds(
    Rule,
    verbs=_some(["get", "list", "create", "*"]),
    api_groups=_some(["", "apps", "*"]),
    resources=_some(["pods", "secrets", "pods/exec", "*/scale", "pods/scale", "*"]),
    resource_names=_some(["a", "b"], least=0),
    non_resource_urls=_some(["/healthz", "/metrics/*", "/*"], least=0),
)
