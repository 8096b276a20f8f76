/** `${...}` in arguments and environment values: what the agent alone knows. */
import { PmFailure } from "./failure.ts";

export interface Known {
  version: string;
  commit: string;
  os: string;
  arch: string;
  ports: Readonly<Record<string, number>>;
  /** For `${env.NAME}`. */
  env: Readonly<Record<string, string>>;
}

/** One pass: what a placeholder brings in is not looked at again. `where` names the place in the message. */
export function fillPlaceholders(text: string, known: Known, where: string): string {
  return text.replace(/\$\{([^}]*)\}/g, (whole, name: string) => {
    if (name === "version" || name === "commit" || name === "os" || name === "arch") return known[name];
    const port = /^port\.(.+)$/.exec(name)?.[1];
    if (port !== undefined && Object.hasOwn(known.ports, port)) return String(known.ports[port]);
    const key = /^env\.(.+)$/.exec(name)?.[1];
    if (key !== undefined && Object.hasOwn(known.env, key)) return known.env[key]!;
    throw new PmFailure("placeholder.unknown", `${where} asks for ${whole}, which this application does not have.`);
  });
}
