"""The audit service: what became of every notification, from its events, to be looked up, searched and watched."""
