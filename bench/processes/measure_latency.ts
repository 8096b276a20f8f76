import type { MasterProcess } from "./master.ts";

export async function measureLatency(_master: MasterProcess, _input: unknown) {}
