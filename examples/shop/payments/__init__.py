"""The payments service: it takes the money for an order, and gives it back."""
