#!/bin/sh
# Starts the agent that lies beside this file. What it is told stands in /etc/boreas/agent.yaml.
set -eu
here=$(dirname "$(readlink -f "$0")")
# A master whose certificate comes from the company's own authority is trusted as the machine trusts it.
export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}"
export DENO_DIR="${DENO_DIR:-/var/lib/boreas/cache/runtime}" DENO_NO_UPDATE_CHECK=1
# One arena of the allocator instead of one per thread, and what is free goes back: half of the agent's own memory.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}" MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-131072}"
exec "$here/deno" run --no-prompt --no-config --no-lock --no-remote --no-npm \
  --v8-flags=--max-semi-space-size=4,--heap-growing-percent=50 \
  --allow-net --allow-env --allow-sys --allow-read --allow-write --allow-run "$here/boreas-agent.js" "$@"
