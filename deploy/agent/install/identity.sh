# Configuration and identity.

# In double quotes, as YAML and JSON write a text.
quoted() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"; }

write_config() {
  (umask 077 && mkdir -p "$ETC") && chmod 700 "$ETC"
  if [ -f "$CONFIG" ]; then
    chmod 600 "$CONFIG"
    return
  fi
  (
    umask 077
    {
      echo "# The Boreas agent of this machine. A change takes effect when it is started again."
      echo "url: $(quoted "$MASTER_URL")"
      [ -z "$CA_FINGERPRINT" ] || echo "caFingerprint: $(quoted "$CA_FINGERPRINT")"
      [ -z "$name" ] || echo "name: $(quoted "$name")"
      [ -z "$slots" ] || echo "slots: $slots"
      [ -z "$proxy" ] || echo "httpsProxy: $(quoted "$proxy")"
      [ -z "$no_proxy_for" ] || echo "noProxy: $(quoted "$no_proxy_for")"
    } >"$CONFIG.new"
  )
  mv -f "$CONFIG.new" "$CONFIG"
}

# The token stands in the environment of this one process, or in a file that only root reads.
enrol() {
  if [ -n "$is_enrolled" ]; then
    return
  elif [ -z "$no_start" ]; then
    BOREAS_TOKEN=$token "$version_dir/boreas-agent" enroll || die "this machine was not enrolled; see above. \
Nothing was started. With a new token, paste the line again."
  elif [ -n "$token" ]; then
    (umask 077 && printf '%s\n' "$token" >"$STATE/enroll.token")
    say "the token waits in $STATE/enroll.token for the first start"
  fi
}
