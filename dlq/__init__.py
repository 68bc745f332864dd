"""The dead-letter service: what could not be delivered, why, and what a person decided about it."""
