"""A stand-in for PingOne, for development and tests. It is in no image of the services."""
