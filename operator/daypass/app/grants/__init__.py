"""From request to grant to end: observe, decide, plan, act, and write status once."""
