"""Keeps todos in PostgreSQL or in a SQLite file."""
