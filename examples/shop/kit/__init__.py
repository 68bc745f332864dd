"""What the five services share: their database, outbox, inbox, events and settings. It knows none of them."""
