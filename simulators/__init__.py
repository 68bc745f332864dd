"""Doubles of the providers, one a protocol, with scriptable faults: for demos, tests, staging and benchmarks."""
