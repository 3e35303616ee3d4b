"""The wire: one module per path. An endpoint parses, authenticates, calls one flow and renders."""
