"""A Resend that takes every mail once for each idempotency key, shows it, and misbehaves on request."""
