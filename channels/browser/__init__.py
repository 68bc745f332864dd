"""Browser push over Web Push."""
