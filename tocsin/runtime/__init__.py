"""Puts the pieces together and runs them: the service contract, the host, the wiring."""
