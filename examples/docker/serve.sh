#!/bin/sh
# The first process of a container gets no default for TERM: without a trap it would only end by KILL, after the grace.
set -eu
mkdir -p /tmp/www
{
  echo "$GREETING from $VERSION"
  cat "$BOREAS_RELEASE_DIR/motd.txt"
} > /tmp/www/index.html
trap 'exit 0' TERM
echo "$VERSION listens on $PORT"
httpd -f -p "$PORT" -h /tmp/www &
wait $!
