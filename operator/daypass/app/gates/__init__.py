"""The webhook configurations that are computed from the gates of policies, and kept as they should be."""
