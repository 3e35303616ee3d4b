# What docker-compose.yml needs of the official postgres image, from Debian's packages. See ./build.
FROM stand-in/python:trixie
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-17 \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/17 \
    && install --directory --owner=postgres --mode=700 /var/lib/postgresql/data \
    && install --directory --owner=postgres --mode=3777 /run/postgresql
COPY postgres-entrypoint /usr/local/bin/
ENV PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data
# hadolint ignore=DL3066
USER postgres
ENTRYPOINT ["postgres-entrypoint"]
