# What docker-compose.yml needs of the official redis image, from Debian's packages. See ./build.
FROM stand-in/python:trixie
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/*
# hadolint ignore=DL3066
USER redis
