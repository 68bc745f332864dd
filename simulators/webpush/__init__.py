"""A push service, as browsers have one each: for demos, tests and staging."""
