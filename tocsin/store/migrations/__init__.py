"""The one history of the store's tables: the core's and every service's. `tocsin.store.migrate` runs it."""
