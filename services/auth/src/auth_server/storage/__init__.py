"""The only room with SQL: the database, the tables, and one repository per table."""
