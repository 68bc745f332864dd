"""A shop of five small services, whose events Tocsin turns into notifications."""
