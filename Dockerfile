# One image, every command: start (default), master, agent, redis-rest, and the client's. See deploy/image/entrypoint.sh.
# A base of your own is fine: glibc, and what it has of git, tini and deno is kept; the rest is added.
ARG BASE_IMAGE=node:22-bookworm-slim

FROM ${BASE_IMAGE}
ARG DENO_VERSION=2.9.6
RUN command -v git && command -v tini \
    || (apt-get update && apt-get install -y --no-install-recommends git openssh-client ca-certificates tini \
        && rm -rf /var/lib/apt/lists/*)
RUN command -v deno || (npm install --global deno@${DENO_VERSION} && deno --version)
# PostgreSQL refuses root, and nothing here needs it.
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin boreas \
    && mkdir -p /app /data/tls /data/git /data/agent && chown -R boreas:boreas /app /data && chmod 700 /data
ENV DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1 DENO_DIR=/home/boreas/.cache/deno
USER boreas
WORKDIR /app

# A layer keeps what runs, not what it was made with. The packages are one of their own, which later releases share; of
# Deno's cache the registry's words about them stay: without, a container would ask for them.
COPY --chown=boreas:boreas deno.json deno.lock ./
RUN deno install --frozen && rm -rf "$DENO_DIR"/npm/*/*/[0-9]* "$DENO_DIR"/npm/*/@*/*/[0-9]*
COPY --chown=boreas:boreas . .
# The last command leaves the compiled sources: a container starts without compiling.
RUN deno run -A scripts/build_web.ts && deno run -A scripts/build_agent.ts \
    && find "$DENO_DIR" -mindepth 1 -maxdepth 1 ! -name npm -exec rm -rf {} + && deno task --quiet boreas --help
ENV BOREAS_DATA_DIR=/data BOREAS_LISTEN=0.0.0.0 BOREAS_STATE_DIR=/data/agent
VOLUME /data
EXPOSE 8080 8090
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/app/deploy/image/entrypoint.sh", "healthy"]
ENTRYPOINT ["tini", "--", "/app/deploy/image/entrypoint.sh"]
CMD ["start"]
