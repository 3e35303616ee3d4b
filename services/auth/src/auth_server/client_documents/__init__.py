"""Documents that clients publish, metadata and keys, fetched from wherever they say."""
