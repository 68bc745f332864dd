"""How Tocsin calls others over HTTP: one client, and a guard for addresses that come from outside."""
