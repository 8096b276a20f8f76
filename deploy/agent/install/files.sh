# Files.

sha256_of() {
  if has sha256sum; then
    sha256sum <"$1" | cut -c1-64
  elif has shasum; then
    shasum -a 256 <"$1" | cut -c1-64
  else
    openssl dgst -sha256 -r <"$1" | cut -c1-64
  fi
}

is_whole() { [ -f "$1" ] && [ "$(sha256_of "$1")" = "$2" ]; }

# A file of the list above, verified, into the folder of what is being prepared.
obtain() {
  if [ -n "$source_dir" ]; then
    [ -f "$source_dir/$1.gz" ] || die "$source_dir/$1.gz is missing from the archive; unpack it again."
    gzip -dc "$source_dir/$1.gz" >"$stage/$1" || die "$source_dir/$1.gz is damaged; fetch the archive again."
  else
    fetch "/api/v1/install/$1.gz" "$stage/$1.gz"
    gzip -dc "$stage/$1.gz" >"$stage/$1" || die "$1 arrived damaged; paste the line again."
    rm "$stage/$1.gz"
  fi
  is_whole "$stage/$1" "$(wanted "$1" 2)" || die "$1 is not what the master vouched for: its SHA-256 is \
$(sha256_of "$stage/$1") and should be $(wanted "$1" 2). Nothing of it was used. If the master was upgraded this very \
moment, paste the line again."
}

# No redirect is followed: the master alone is asked.
fetch() {
  cacert=''
  if [ -n "$CA_PEM" ]; then
    cacert=$stage/ca.pem
    printf '%s\n' "$CA_PEM" >"$cacert"
  fi
  case $fetcher in
    curl) curl -fsS --retry 3 --connect-timeout 20 ${cacert:+--cacert "$cacert"} -o "$2" "$MASTER_URL$1" ;;
    wget)
      # Only GNU's wget reads an authority; for the other one the SHA-256 above says what is genuine.
      if wget --version >/dev/null 2>&1; then
        wget -q --max-redirect=0 --tries=4 --connect-timeout=20 ${cacert:+--ca-certificate="$cacert"} -O "$2" "$MASTER_URL$1"
      else
        wget -q ${cacert:+--no-check-certificate} -O "$2" "$MASTER_URL$1"
      fi
      ;;
  esac || die "$MASTER_URL$1 could not be fetched. Can this machine reach the master? Behind a proxy, \
export HTTPS_PROXY=http://... and paste the line again."
}

# The runtime is large and changes rarely: versions of the agent share it.
install_runtime() {
  runtime_dir=$OPT/runtime/$(printf '%s' "$runtime_sha" | cut -c1-16)
  if ! is_whole "$runtime_dir/deno" "$runtime_sha"; then
    say "fetching the runtime ($(($(wanted "$runtime" 3) / 1048576)) MiB unpacked)"
    obtain "$runtime"
    chmod 755 "$stage/$runtime"
    # Nothing of the person who installs; only whether it runs here.
    "$stage/$runtime" --version >"$stage/said" 2>&1 || die "the runtime does not run on this machine: \
$(head -n 1 "$stage/said"). It needs glibc 2.28 or newer (not musl)."
    (umask 022 && mkdir -p "$runtime_dir")
    mv -f "$stage/$runtime" "$runtime_dir/deno"
    changed=1
  fi
}

install_version() {
  version_dir=$OPT/agent/$VERSION
  if is_whole "$version_dir/boreas-agent" "$(wanted boreas-agent 2)" &&
    is_whole "$version_dir/boreas-agent.js" "$(wanted boreas-agent.js 2)" &&
    [ "$(readlink "$version_dir/deno")" = "$runtime_dir/deno" ]; then
    return
  fi
  obtain boreas-agent
  obtain boreas-agent.js
  (umask 022 && mkdir -p "$version_dir")
  chmod 755 "$version_dir" "$stage/boreas-agent"
  chmod 644 "$stage/boreas-agent.js"
  ln -s "$runtime_dir/deno" "$stage/deno"
  for file in deno boreas-agent.js boreas-agent; do mv -f "$stage/$file" "$version_dir/$file"; done
  # What the names point to must outlive a cut of the power as the names do.
  sync
  changed=1
}

# An upgrade under way counts no more: going back from it would lead to a version that is gone afterwards.
end_upgrade() {
  if [ "$init" = systemd ] && [ -f "$WATCHER" ]; then
    systemctl disable --now --quiet "${WATCHER##*/}"
    rm -f "$WATCHER"
    systemctl daemon-reload
  fi
  rm -f "$STATE/upgrade/plan.json" "$STATE/upgrade/verdict.json"
}

# The link is replaced in one step: there is always an agent to start.
switch_current() {
  before=$(readlink "$OPT/agent/current" || true)
  [ "$before" = "$VERSION" ] || changed=1
  ln -sfn "$VERSION" "$OPT/agent/current.new"
  mv -fT "$OPT/agent/current.new" "$OPT/agent/current" 2>/dev/null || {
    rm -f "$OPT/agent/current.new"
    ln -sfn "$VERSION" "$OPT/agent/current"
  }
  mkdir -p "${LINK%/*}"
  ln -sfn "$OPT/agent/current/boreas-agent" "$LINK"
  sync
}

# The version that runs and the one before it stay.
prune_versions() {
  for dir in "$OPT"/agent/*/; do
    dir=${dir%/}
    case ${dir##*/} in
      current | "$VERSION" | "${before:-$VERSION}") ;;
      *) rm -rf "$dir" ;;
    esac
  done
  for dir in "$OPT"/runtime/*/; do
    dir=${dir%/}
    is_used=''
    for link in "$OPT"/agent/*/deno; do
      [ "$(readlink "$link")" != "$dir/deno" ] || is_used=1
    done
    [ -n "$is_used" ] || rm -rf "$dir"
  done
}
