/** The machine as the pm operator sees it (`operators/pm/machine.ts`); joined with it by shape in `compose/`. */
import { download } from "./download.ts";
import { hashFile } from "./hash_file.ts";
import { probeHttp, probeTcp } from "./http_probe.ts";
import { adoptProcess, startProcess } from "./process.ts";
import { processFiles } from "./process_files.ts";
import { choosePort, portHolder } from "./process_ports.ts";
import { findProgram, refuseUser, runShortly, SYSTEM_PATH } from "./process_run.ts";
import { findTagged, sendSignal } from "./process_table.ts";
import { findUnits } from "./systemd/units.ts";
import { unpack } from "./unpack.ts";

/** What programs get of the agent's environment: never its tokens. */
const PASSED_ON = ["HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const ARCHITECTURES: Record<string, string> = { x86_64: "amd64", aarch64: "arm64" };

export function createMachine() {
  const baseEnv: Record<string, string> = { PATH: Deno.env.get("PATH") ?? SYSTEM_PATH };
  for (const name of PASSED_ON) {
    const value = Deno.env.get(name);
    if (value !== undefined) baseEnv[name] = value;
  }
  return {
    os: Deno.build.os as string,
    arch: ARCHITECTURES[Deno.build.arch] ?? Deno.build.arch,
    baseEnv,
    files: processFiles,
    units: findUnits(),
    startProcess,
    adoptProcess,
    findTagged,
    signalProcess: (pid: number, signal: string): void => void sendSignal(pid, signal),
    run: runShortly,
    findProgram,
    refuseUser,
    probeHttp,
    probeTcp,
    choosePort,
    portHolder,
    download,
    hashFile,
    unpack: (archive: string, folder: string) => unpack(archive, folder),
  };
}
