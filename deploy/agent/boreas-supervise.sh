#!/bin/sh
# Keeps the Boreas agent running where there is no systemd. TERM ends both; the agent's own words are in agent.log.
set -u
pidfile=/run/boreas-agent.pid
log=/var/lib/boreas/agent.log
pipe=/run/boreas-agent.out
old=$(cat "$pidfile" 2>/dev/null)
if [ -n "$old" ] && [ "$old" != "$$" ] && tr '\0' ' ' 2>/dev/null <"/proc/$old/cmdline" | grep -q boreas-supervise; then
  echo "The agent runs already, under process $old." >&2
  exit 0
fi
echo $$ >"$pidfile"
agent='' ending=''
end() {
  ending=1
  [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null
}
trap end TERM INT

# Kept to about 20 MiB, in two files. Read and written at once, the pipe has no end while agents come and go.
umask 077
rm -f "$pipe"
mkfifo "$pipe"
(
  trap '' TERM INT
  size=$(wc -c 2>/dev/null <"$log" || echo 0)
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    size=$((size + ${#line} + 1))
    if [ "$size" -gt 10485760 ]; then
      mv -f "$log" "$log.1"
      size=0
    fi
  done
) <>"$pipe" &
writer=$!
umask 022

while [ -z "$ending" ]; do
  /opt/boreas/agent/current/boreas-agent </dev/null >"$pipe" 2>&1 &
  agent=$!
  # A signal interrupts the waiting, not what is waited for.
  while kill -0 "$agent" 2>/dev/null; do wait "$agent"; done
  [ -n "$ending" ] || sleep 3
done
kill -KILL "$writer"
rm -f "$pidfile" "$pipe"
