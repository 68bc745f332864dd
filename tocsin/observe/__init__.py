"""What Tocsin says of itself: log lines and metrics. Neither ever holds an address, a content or a secret."""
