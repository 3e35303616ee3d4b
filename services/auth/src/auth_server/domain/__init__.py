"""The words and rules of the authorization server. Pure: no I/O, no clock, no framework."""
