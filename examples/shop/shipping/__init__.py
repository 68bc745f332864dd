"""The shipping service: it packs what is reserved and sends it."""
