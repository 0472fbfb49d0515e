"""Between JSON and domain values: what can't be understood is a MalformedError, never a leaked exception."""

from daypass.api.convert_json import (
    approvers_json,
    grant_json,
    identity_json,
    review_json,
    rule_json,
    rules_json,
    subject_json,
    time_json,
)
from daypass.api.convert_policy import policy_from
from daypass.api.convert_request import request_from
from daypass.api.convert_review import Submission, review_from, stages_from, submission_from
from daypass.api.convert_role import role_from, rules_from
from daypass.api.malformed import MalformedError
from daypass.api.metadata import time_from

__all__ = [
    "MalformedError",
    "Submission",
    "approvers_json",
    "grant_json",
    "identity_json",
    "policy_from",
    "request_from",
    "review_from",
    "review_json",
    "role_from",
    "rule_json",
    "rules_from",
    "rules_json",
    "stages_from",
    "subject_json",
    "submission_from",
    "time_from",
    "time_json",
]
