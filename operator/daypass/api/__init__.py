"""The wire: pydantic models of the custom resources and of AdmissionReview."""
