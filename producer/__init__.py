"""Takes notifications in: checks them, fans them out into deliveries, and answers when they are durable."""
