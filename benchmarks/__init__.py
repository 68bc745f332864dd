"""How fast and how small Tocsin is, beside Celery on Redis in the same run: `make bench`, `benchmarks/README.md`."""
