"""Settings: typed sections out of one TOML file and the environment, with every mistake told at once."""
