"""The inventory service: it knows what there is, reserves it for orders, and takes it back."""
