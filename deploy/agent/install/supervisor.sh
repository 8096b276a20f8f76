# Without systemd.

set_up_supervisor() {
  if ! is_whole "$SUPERVISOR" "$(wanted boreas-supervise 2)"; then
    obtain boreas-supervise
    chmod 755 "$stage/boreas-supervise"
    mv -f "$stage/boreas-supervise" "$SUPERVISOR"
    changed=1
  fi
  say "have $SUPERVISOR started at boot, by whatever does that here (rc.local, @reboot of cron, runit): it ends at once if it runs already"
  [ -z "$no_start" ] || return 0
  if [ -n "$(supervisor_pid)" ]; then
    if [ -z "$changed" ]; then
      say "the agent is up to date and runs"
      return
    fi
    stop_supervisor
  fi
  # A session of its own, and none of this shell's files: closing the terminal does not end it.
  if has setsid; then
    setsid "$SUPERVISOR" </dev/null >/dev/null 2>&1 9>&- &
  else
    nohup "$SUPERVISOR" </dev/null >/dev/null 2>&1 9>&- &
  fi
}

supervisor_pid() {
  pid=$(cat "$PIDFILE" 2>/dev/null || true)
  [ -z "$pid" ] || ! tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q boreas-supervise || echo "$pid"
}

stop_supervisor() {
  pid=$(supervisor_pid)
  [ -n "$pid" ] || return 0
  kill -TERM "$pid"
  waited=0
  while kill -0 "$pid" 2>/dev/null; do
    waited=$((waited + 1))
    [ "$waited" -le 95 ] || die "the agent did not stop within 95 s (process $pid)."
    sleep 1
  done
}
