"""The command line. It talks to a gateway over its API; only `up` and `config` work in this process."""
