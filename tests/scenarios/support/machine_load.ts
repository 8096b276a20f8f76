/** Requests without a pause to a port of a test machine, as its own users make them. */
import { docker } from "../../helpers/docker.ts";
import type { SystemdMachine } from "../../helpers/systemd_machine.ts";

const loading = new Set<Deno.ChildProcess>();
export function stopLoads(): void {
  for (const load of loading) load.kill("SIGKILL");
}

/** A request every 5 ms, from within the machine's own network. */
export async function loadOn(machine: SystemdMachine, port: number) {
  const pid = (await docker(["inspect", "--format", "{{.State.Pid}}", machine.name])).trim();
  const program = new URL("../../helpers/request_load_process.ts", import.meta.url).pathname;
  const child = new Deno.Command("nsenter", {
    args: ["--target", pid, "--net", Deno.execPath(), "run", "-A", program, String(port), "GET"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  loading.add(child);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = (await reader.read()).value ?? "";
  return async (): Promise<{ answers: Record<string, number>; failed: string[] }> => {
    await child.stdin.close();
    for (let part = await reader.read(); !part.done; part = await reader.read()) said += part.value;
    await child.status;
    loading.delete(child);
    return JSON.parse(said.trim().split("\n").at(-1)!);
  };
}
