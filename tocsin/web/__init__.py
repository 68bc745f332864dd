"""HTTP as every service speaks it: the application, problems, keys, bodies, pages and health."""
