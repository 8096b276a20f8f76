# Install, or bring up to date.

install_agent() {
  runtime=deno-linux-$arch
  runtime_sha=$(wanted "$runtime" 2)
  [ -n "$runtime_sha" ] || die "this master has no runtime for linux $arch yet. Whoever runs it uploads one, once: \
boreas runtime upload --os linux --arch $arch FILE (FILE is the deno program for that machine type)."
  has sha256sum || has shasum || has openssl || die "sha256sum is missing; install coreutils."
  has gzip || die "gzip is missing; install it."
  is_enrolled=''
  [ ! -s "$STATE/identity.json" ] || is_enrolled=1
  choose_source
  check_config
  read_token
  check_room

  say "agent $VERSION for linux $arch, $(describe_init), from $source_words"
  if [ -n "$dry_run" ]; then
    tell_plan
    return
  fi

  one_at_a_time
  stage=$OPT/.stage
  trap 'rm -rf "$OPT/.stage"' EXIT
  trap 'exit 130' INT TERM HUP
  rm -rf "$stage"
  (umask 022 && mkdir -p "$OPT/agent" "$OPT/runtime" && mkdir "$stage")
  chmod 755 "$OPT" "$OPT/agent" "$OPT/runtime"
  changed=''
  install_runtime
  install_version
  write_config
  (umask 077 && mkdir -p "$STATE") && chmod 700 "$STATE"
  enrol
  end_upgrade
  switch_current
  case $init in
    systemd) set_up_systemd ;;
    none) set_up_supervisor ;;
  esac
  prune_versions
  [ -n "$no_start" ] || wait_until_connected
}

describe_init() {
  case $init in
    systemd) echo "run by systemd" ;;
    none) echo "run by a supervisor of its own, since there is no systemd here" ;;
  esac
}

# Field 2 (SHA-256) or 3 (size) of a file.
wanted() { printf '%s\n' "$FILES" | awk -v name="$1" -v field="$2" '$1 == name { print $field }'; }

# Beside the files of an offline archive nothing is downloaded.
choose_source() {
  source_dir=''
  case ${0##*/} in
    install.sh)
      source_dir=$(cd "$(dirname "$0")" && pwd)
      [ -f "$source_dir/boreas-agent.js.gz" ] || source_dir=''
      ;;
  esac
  source_words=${source_dir:-$MASTER_URL}
  if [ -n "$source_dir" ]; then
    return
  elif has curl; then
    fetcher=curl
  elif has wget; then
    fetcher=wget
    # Busybox's asks a proxy for the page, and not for a way through.
    [ -z "$proxy" ] || wget --version >/dev/null 2>&1 || die "busybox's wget does not go through a proxy to https; \
install curl or GNU wget, or use the offline archive: $MASTER_URL/api/v1/install/offline/linux-$arch.tar"
  else
    die "neither curl nor wget is here; install one, or use the offline archive: $MASTER_URL/api/v1/install/offline/linux-$arch.tar"
  fi
}

# What stands in the file stays; a machine does not change its master by the way.
check_config() {
  [ -f "$CONFIG" ] || return 0
  known=$(sed -n 's/^url:[[:space:]]*"\{0,1\}\([^"[:space:]]*\)"\{0,1\}[[:space:]]*$/\1/p' "$CONFIG")
  [ "${known%/}" = "$MASTER_URL" ] || die "this machine belongs to ${known:-no master} ($CONFIG), and this script to \
$MASTER_URL. If the master has moved, change url in that file first; else remove the agent with --uninstall --purge."
}

read_token() {
  if [ -z "$token" ] && [ -n "$token_file" ]; then
    [ -r "$token_file" ] || die "the token file $token_file cannot be read."
    token=$(cat "$token_file")
  fi
  if [ -z "$token" ] && [ -z "$is_enrolled" ] && [ -z "$no_start" ] && [ -z "$dry_run" ]; then
    die "this machine is not enrolled, and there is no token. Take the line of the dashboard (Agents, \
Enrol a machine), set BOREAS_TOKEN, or name a file with --token-file."
  fi
}

check_room() {
  at=$OPT
  while [ ! -d "$at" ]; do at=$(dirname "$at"); done
  needed=$(($(wanted "$runtime" 3) / 1024 + 65536))
  free=$(df -Pk "$at" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$needed" ] || die "$at has $((free / 1024)) MiB free; this needs $((needed / 1024)) MiB."
}

tell_plan() {
  say "would put the runtime below $OPT/runtime, the agent into $OPT/agent/$VERSION, and a link to it at $LINK"
  if [ -f "$CONFIG" ]; then say "would keep $CONFIG"; else say "would write $CONFIG for $MASTER_URL"; fi
  if [ -n "$is_enrolled" ]; then
    say "would keep this machine's identity in $STATE"
  elif [ -z "$no_start" ]; then
    say "would enrol this machine as ${name:-$(uname -n)}$([ -n "$token" ] || echo ', for which BOREAS_TOKEN must be set')"
  fi
  if [ -z "$no_start" ]; then say "would start it, now and at every boot"; fi
  say "nothing was changed (--dry-run)"
}

one_at_a_time() {
  has flock || return 0
  exec 9>/run/boreas-install.lock
  flock -n 9 || die "another installation is under way on this machine."
}
