"""Each channel's adapter beside the client that one would take without it: messages a CPU second of the client."""
