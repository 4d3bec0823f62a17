# Inkpost in one container: the embedded default (SQLite, local disk) under /data.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY bot bot
COPY handlers handlers
COPY core core
RUN python -m venv /opt/inkpost \
 && /opt/inkpost/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && /opt/inkpost/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# Not root: ports above 1024 inside, published as 25 outside.
RUN useradd --system --uid 10001 --create-home --home-dir /data inkpost
COPY --from=build /opt/inkpost /opt/inkpost
ENV PATH=/opt/inkpost/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    INKPOST_CONFIG=/etc/inkpost/config.toml \
    INKPOST_DATA_DIR=/data
USER inkpost
WORKDIR /data
VOLUME /data
EXPOSE 2525 8025
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["inkpost", "health"]
CMD ["inkpost", "serve"]
