/** Where the value of a secret is, when it is not in the database. */
export type SecretProvider = "boreas" | "env" | "file";

/** Of the master's environment only these may be named: nobody's file makes it tell its own keys. */
export const SECRET_VARIABLE = /^BOREAS_SECRET_VALUE_[A-Za-z0-9_]{1,100}$/;
/** Shorter values could not be masked in logs without ruining them. */
export const SHORTEST_SECRET = 4;

/** Read anew each time: what is rotated elsewhere counts from the next dispatch on. */
export interface SecretSources {
  env(name: string): string | undefined;
  /** Of a file below the configured folder. @returns undefined when there is none; an error says why it may not be read */
  file(path: string): Promise<string | undefined>;
}
/** No master of this kind reads values from elsewhere. */
export const noSources: SecretSources = { env: () => undefined, file: () => Promise.resolve(undefined) };
