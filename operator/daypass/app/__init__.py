"""Use cases over ports: reconcile one request, expire, admit, sweep."""
