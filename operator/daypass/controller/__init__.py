"""The operator process: kopf handlers, queue, deadlines, leadership."""
