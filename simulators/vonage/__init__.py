"""A Vonage that takes every text, shows it, calls back, and misbehaves on request."""
