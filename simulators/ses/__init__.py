"""An Amazon SES that takes every mail, shows it, and misbehaves on request."""
