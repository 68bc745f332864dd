"""Reading the log and losing nothing: the worker, its bookkeeping, and the way from the log into SQL."""
