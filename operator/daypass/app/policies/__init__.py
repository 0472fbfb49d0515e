"""ApprovalPolicies: valid, known, and reported on."""
