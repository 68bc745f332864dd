"""The SQL store: audit, dead letters, keys and template versions. Only this package knows which database it is."""
