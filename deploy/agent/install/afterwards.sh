# Afterwards.

wait_until_connected() {
  waited=0
  until said=$("$LINK" health 2>&1); do
    waited=$((waited + 1))
    if [ "$waited" -ge 60 ]; then
      warn "installed and started, but not connected yet: $said"
      case $init in
        systemd) warn "its own words: journalctl -u boreas-agent" ;;
        none) warn "its own words: $STATE/agent.log" ;;
      esac
      return
    fi
    sleep 1
  done
  say "connected to $MASTER_URL. How it is: boreas-agent health"
}

remove_agent() {
  if [ -n "$purge" ] && [ "$init" = systemd ]; then
    running=$(systemctl list-units --plain --no-legend 'boreas-app-*' | awk '{ print $1 }' | tr '\n' ' ')
    [ -z "$running" ] || die "applications of Boreas still run here: $running. Stop them first (systemctl stop), or \
leave --purge out."
  fi
  if [ -n "$dry_run" ]; then
    say "would stop and remove the agent$([ -z "$purge" ] || echo ", $ETC and $STATE")"
    say "nothing was changed (--dry-run)"
    return
  fi
  one_at_a_time
  end_upgrade
  if [ "$init" = systemd ] && [ -f "$UNIT" ]; then
    systemctl disable --now --quiet boreas-agent.service
    rm -f "$UNIT"
    systemctl daemon-reload
  fi
  if [ -n "$purge" ] && [ "$init" = systemd ]; then
    # What held the public ports of applications that are gone.
    for unit in boreas-proxy@a.service boreas-proxy@b.service; do
      [ -f "/etc/systemd/system/$unit" ] || continue
      systemctl disable --now --quiet "$unit"
      rm -f "/etc/systemd/system/$unit"
    done
    systemctl daemon-reload
  fi
  stop_supervisor
  rm -f "$LINK" "$PIDFILE"
  if [ -z "$purge" ] && ls /etc/systemd/system/boreas-proxy@*.service >/dev/null 2>&1; then
    say "$OPT stays: what holds the public ports of applications is started from there."
  else
    rm -rf "$OPT"
  fi
  if [ -n "$purge" ]; then
    rm -rf "$ETC" "$STATE"
    say "removed, with its identity. Revoke this machine in the dashboard (Agents), so that its name is free again."
  else
    say "removed. $ETC and $STATE stay, and so does what was deployed; --uninstall --purge removes them too."
  fi
}
