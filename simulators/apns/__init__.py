"""APNs over HTTP/2 and TLS: it takes every push, shows it, and misbehaves on request."""
