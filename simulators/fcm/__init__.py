"""Firebase Cloud Messaging that delivers to nobody: it shows every message, and refuses on request."""
