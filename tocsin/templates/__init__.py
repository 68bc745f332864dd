"""Templates: loaded and compiled once, kept in versions, rendered in a sandbox that bounds size, work and time."""
