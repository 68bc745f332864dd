"""The load script: orders by the thousand, services killed on the way, and the sums at the end.

It plays the world around the shop: its customers, the mail server, and whoever pulls the plug. Unlike the shop it knows
Tocsin's insides.
"""
