"""The customers service: who buys here, and how they are reached."""
