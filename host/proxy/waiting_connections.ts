/**
 * Two proxies listen on one port for a moment. The kernel has dealt connections to the old one that it has not accepted
 * yet, and resets them when it closes, unless it is told to pass them on to the other (Linux 5.14 and later).
 */
import { runShortly, SYSTEM_PATH } from "../process_run.ts";

/** One for all ports of this network namespace; matters to those only that several programs share. */
export const SETTING = "/proc/sys/net/ipv4/tcp_migrate_req";
const TIMEOUT_MS = 5000;

/** Until the next boot. @returns whether no connection is lost; an older kernel, or one that is not ours, says no */
export async function passOnWaiting(setting = SETTING): Promise<boolean> {
  // By a shell: the runtime itself writes below /proc with every permission only.
  const script = 'case $(cat "$1") in 0) echo 1 >"$1" ;; [1-9]) ;; *) exit 1 ;; esac';
  const { code } = await runShortly({
    command: ["/bin/sh", "-c", script, "pass-on-waiting", setting],
    cwd: "/",
    env: { PATH: SYSTEM_PATH },
    timeoutMs: TIMEOUT_MS,
  });
  return code === 0;
}
