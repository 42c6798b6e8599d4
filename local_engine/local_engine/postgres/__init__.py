"""A real PostgreSQL for the local engine: one per state folder, on 127.0.0.1, with a password of its own."""
