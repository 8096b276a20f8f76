/** The install script of this master: its address, its authority, and the SHA-256 of all that the script will fetch. */
import type { AgentFile } from "./handed_out.ts";

export interface ScriptFacts {
  address: string;
  caCertificate: string | undefined;
  caFingerprint: string | undefined;
  version: string;
  files: readonly AgentFile[];
}

export function fillScript(script: string, facts: ScriptFacts): string {
  const values: Record<string, string> = {
    MASTER_URL: facts.address,
    CA_PEM: facts.caCertificate?.trim() ?? "",
    CA_FINGERPRINT: facts.caFingerprint ?? "",
    VERSION: facts.version,
    FILES: facts.files.map(({ name, sha256, size }) => `${name} ${sha256} ${size}`).join("\n"),
  };
  return script.replace(/@([A-Z_]+)@$/gm, (whole, key: string) => key in values ? quoted(values[key]!) : whole);
}

/** In single quotes the shell takes every character as it is. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
