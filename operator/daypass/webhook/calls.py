"""From an AdmissionReview as the API server sends it to the call that the use cases judge."""

from typing import Any

from pydantic import ValidationError

from daypass.api.admission import AdmissionReview
from daypass.app.admission.answer import Call, Operation
from daypass.domain.identity import Identity
from daypass.webhook.decoding import UnreadableError


def call_from(body: Any) -> tuple[str, Call]:  # noqa: ANN401 - JSON as it came
    """Read a decoded AdmissionReview; gives its uid, to be echoed, and the call. Raises UnreadableError."""
    try:
        asked = AdmissionReview.model_validate(body).request
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])[:200]
        msg = f"{where or 'AdmissionReview'}: {first['msg']}"
        raise UnreadableError(msg) from error
    user = asked.user_info
    resource = asked.resource.resource
    return asked.uid, Call(
        operation=Operation(asked.operation),
        resource=f"{resource}/{asked.sub_resource}" if asked.sub_resource else resource,
        caller=Identity(user.username, user.uid, tuple(user.groups), {k: tuple(v) for k, v in user.extra.items()}),
        name=asked.name,
        namespace=asked.namespace,
        object=asked.object,
        old=asked.old_object,
        dry_run=bool(asked.dry_run),
        group=asked.resource.group,
    )
