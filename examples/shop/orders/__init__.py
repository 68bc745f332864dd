"""The orders service: it takes orders, and knows of each how far it has come."""
