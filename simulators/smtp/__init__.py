"""An SMTP server that takes every mail, shows it, and misbehaves on request."""
