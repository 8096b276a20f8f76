# With systemd.

set_up_systemd() {
  if ! is_whole "$UNIT" "$(wanted boreas-agent.service 2)"; then
    obtain boreas-agent.service
    chmod 644 "$stage/boreas-agent.service"
    mv -f "$stage/boreas-agent.service" "$UNIT"
    systemctl daemon-reload
    changed=1
  fi
  systemctl enable --quiet boreas-agent.service
  [ -z "$no_start" ] || return 0
  if ! systemctl is-active --quiet boreas-agent.service; then
    systemctl start boreas-agent.service
  elif [ -n "$changed" ]; then
    say "starting the agent anew; tasks that run go on"
    systemctl restart boreas-agent.service
  else
    say "the agent is up to date and runs"
  fi
}
