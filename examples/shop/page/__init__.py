"""The page: customers, orders, and what happens to them as it happens. It decides nothing; it only looks."""
