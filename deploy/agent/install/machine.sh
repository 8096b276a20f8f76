# What this machine is.

look_at_machine() {
  [ "$(uname -s)" = Linux ] || die "the agent runs on Linux; this is $(uname -s)."
  case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die "there is no agent for machines of type $(uname -m); there is one for x86_64 and aarch64." ;;
  esac
  if [ -d /run/systemd/system ] && has systemctl; then init=systemd; else init=none; fi
  if [ "$(id -u)" != 0 ] && [ -z "$dry_run" ]; then
    if has sudo; then
      die "this needs root. Paste the whole line, which ends with: | sudo sh"
    fi
    die "this needs root. Become root (su -), then paste the line again without sudo."
  fi
}

has() { command -v "$1" >/dev/null 2>&1; }
