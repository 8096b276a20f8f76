#!/bin/sh
# What the image can do: `start` (master and an agent), `master`, `agent`, `migrate`, `backup`, `restore`, `redis-rest`,
# `healthy` (is this container's master ready?), and everything else as a command of the client, as in `docker run boreas status`.
set -eu
cd /app

# NAME_FILE=/path stands for NAME=<content of the file>, so that secrets need not be in the environment.
for name in DATABASE_URL BOREAS_SECRET_KEY BOREAS_ADMIN_PASSWORD BOREAS_CA_FINGERPRINT UPSTASH_REDIS_REST_TOKEN BRIDGE_TOKEN REDIS_URL; do
  eval "file=\${${name}_FILE:-}"
  if [ -n "$file" ]; then
    value=$(cat "$file")
    export "$name=$value"
  fi
done

command=${1:-start}
case "$command" in
  start | master | agent | migrate | backup | restore)
    shift
    exec deno task --quiet "$command" "$@"
    ;;
  redis-rest)
    exec deno run --no-prompt --allow-net --allow-env=BRIDGE_PORT,BRIDGE_TOKEN,REDIS_URL deploy/redis_rest_bridge/main.ts
    ;;
  healthy)
    exec deno run --no-prompt --allow-net=127.0.0.1 --allow-env=BOREAS_PORT deploy/image/healthy.ts
    ;;
  *) exec deno task --quiet boreas "$@" ;;
esac
