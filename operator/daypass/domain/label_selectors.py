"""Decides whether labels fit a label selector, as Kubernetes judges it."""

from collections.abc import Iterable, Mapping

from daypass.domain.expressions import UndecidedError
from daypass.domain.policy import LabelRequirement


def selects(selector: Iterable[LabelRequirement], labels: Mapping[str, str]) -> bool:
    """Whether labels meet every requirement; an empty selector selects all.

    Rule: as in ``k8s.io/apimachinery/pkg/labels``: NotIn holds for what has no such label. Raises UndecidedError for
    an operator that is not known.
    """
    return all(_meets(requirement, labels) for requirement in selector)


def _meets(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case unknown:
            # Fail closed: a newer version's operator may narrow in a way that is not known here (T63).
            message = f"the namespaceSelector's operator {unknown} is not known"
            raise UndecidedError(message)
