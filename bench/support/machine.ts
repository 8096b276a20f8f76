/** Where it was measured. */
export interface Machine {
  cores: number;
  processor: string;
  memoryGiB: number;
  system: string;
  deno: string;
}

export function readMachine(): Machine {
  const processor = Deno.readTextFileSync("/proc/cpuinfo").match(/^model name\s*:\s*(.+)$/m)?.[1] ?? Deno.build.arch;
  return {
    cores: navigator.hardwareConcurrency,
    processor,
    memoryGiB: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    system: `${Deno.build.os} ${Deno.osRelease()}`,
    deno: Deno.version.deno,
  };
}

export const sayMachine = (machine: Machine, postgres: string): string =>
  `${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, ${machine.system}, ` +
  `Deno ${machine.deno}, PostgreSQL ${postgres}`;
