"""What has been sent, and what must be durable together with it."""
