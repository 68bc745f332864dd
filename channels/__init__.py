"""Delivers what the log holds, one folder a channel; around every provider, the attempt and what follows from it."""
