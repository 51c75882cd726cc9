"""Changes of the schema, in order, applied at start.

Made by `python -m tortoise -c server.database.MIGRATIONS makemigrations`. On SQLite tortoise splits statements at `;`:
none in descriptions, and no triggers.
"""
