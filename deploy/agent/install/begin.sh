#!/bin/sh
# Makes this machine an agent of Boreas, brings an agent that is there up to date, or removes it:
#
#   { echo BOREAS_TOKEN=bet_...; curl -fsS https://boreas.example.com/api/v1/install.sh; } | sudo sh
#   ... | sudo sh -s -- --dry-run
#
# Talks to the master alone, opens no port, and takes nothing whose SHA-256 does not stand below. Everything happens in
# one function that the last line calls: half a download does nothing.
set -eu

# Filled in by the master that hands this out.
MASTER_URL=@MASTER_URL@
CA_PEM=@CA_PEM@
CA_FINGERPRINT=@CA_FINGERPRINT@
VERSION=@VERSION@
# Name, SHA-256 and size of each file.
FILES=@FILES@

OPT=/opt/boreas
ETC=/etc/boreas
STATE=/var/lib/boreas
CONFIG=$ETC/agent.yaml
LINK=/usr/local/bin/boreas-agent
UNIT=/etc/systemd/system/boreas-agent.service
WATCHER=/etc/systemd/system/boreas-agent-watch.service
SUPERVISOR=$OPT/boreas-supervise
PIDFILE=/run/boreas-agent.pid

say() { printf '%s\n' "boreas: $*"; }
warn() { printf '%s\n' "boreas: $*" >&2; }
die() {
  warn "$@"
  exit 1
}

# Told ahead of this script, or by the environment; wget reads the small letters only.
find_proxy() {
  proxy=${HTTPS_PROXY:-${https_proxy:-}} no_proxy_for=${NO_PROXY:-${no_proxy:-}}
  unset HTTPS_PROXY https_proxy NO_PROXY no_proxy
  if [ -n "$proxy" ]; then export HTTPS_PROXY="$proxy" https_proxy="$proxy"; fi
  if [ -n "$no_proxy_for" ]; then export NO_PROXY="$no_proxy_for" no_proxy="$no_proxy_for"; fi
}

usage() {
  cat <<USAGE
Installs the Boreas agent $VERSION of $MASTER_URL, or brings it up to date.
  --dry-run          say what would be done, and do nothing
  --no-start         install, but neither enrol nor start: for images of machines
  --name NAME        what this machine is called; its host name unless told
  --slots N          how many tasks it runs at once; 8 unless told
  --token-file FILE  where the join token stands, instead of BOREAS_TOKEN
  --uninstall        stop and remove the agent; what it deployed keeps running
  --purge            with --uninstall: its identity, configuration and applications' files too
USAGE
}

main() {
  # Kept out of the environment of everything that is started from here.
  token=${BOREAS_TOKEN-}
  token_file=${BOREAS_TOKEN_FILE-}
  unset BOREAS_TOKEN BOREAS_TOKEN_FILE
  find_proxy
  dry_run='' no_start='' uninstall='' purge='' name=${BOREAS_NAME-} slots=${BOREAS_SLOTS-}
  while [ $# -gt 0 ]; do
    case $1 in
      --dry-run) dry_run=1 ;;
      --no-start) no_start=1 ;;
      --uninstall) uninstall=1 ;;
      --purge) purge=1 ;;
      --name | --slots | --token-file)
        [ $# -gt 1 ] || die "$1 wants a value."
        case $1 in
          --name) name=$2 ;;
          --slots) slots=$2 ;;
          --token-file) token_file=$2 ;;
        esac
        shift
        ;;
      --help | -h) usage && exit 0 ;;
      *)
        usage >&2
        # Not repeated: it may be a token that somebody put in the wrong place.
        die "there is an argument that is none of these. The token goes into BOREAS_TOKEN, never on the command line."
        ;;
    esac
    shift
  done
  [ -z "$purge" ] || [ -n "$uninstall" ] || die "--purge goes with --uninstall."
  case $name in *[!A-Za-z0-9._-]*) die "--name takes letters, digits, dots, dashes and underscores only." ;; esac
  case $slots in *[!0-9]*) die "--slots takes a whole number." ;; esac

  look_at_machine
  if [ -n "$uninstall" ]; then
    remove_agent
  else
    install_agent
  fi
}
