"""One file per REST resource; each offers `add_routes(app)`."""
