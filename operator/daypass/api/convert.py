"""Between JSON and domain values: what can't be understood is a MalformedError, never a leaked exception."""

from daypass.api.convert_json import (
    approvers_json,
    identity_json,
    review_json,
    rule_json,
    subject_json,
    time_json,
)
from daypass.api.convert_permit import grant_json, request_json, use_json
from daypass.api.convert_policy import policy_from
from daypass.api.convert_request import record_from, request_from
from daypass.api.convert_review import Submission, review_from, submission_from
from daypass.api.convert_role import role_from, rules_from
from daypass.api.malformed import MalformedError

__all__ = [
    "MalformedError",
    "Submission",
    "approvers_json",
    "grant_json",
    "identity_json",
    "policy_from",
    "record_from",
    "request_from",
    "request_json",
    "review_from",
    "review_json",
    "role_from",
    "rule_json",
    "rules_from",
    "subject_json",
    "submission_from",
    "time_json",
    "use_json",
]
