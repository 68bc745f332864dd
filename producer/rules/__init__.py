"""Event rules: business events become notifications by files, without a line of code (ADR 0018, docs/rules.md)."""
