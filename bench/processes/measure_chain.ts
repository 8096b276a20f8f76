import type { MasterProcess } from "./master.ts";

export async function measureChain(_master: MasterProcess, _input: unknown) {}
