import { AppError } from "../../domain/app_error.ts";
import { noSources, type SecretProvider, type SecretSources, SHORTEST_SECRET } from "../../domain/secret_source.ts";
import { secretPlace } from "./put_secret.ts";
import type { Vault } from "./vault.ts";

export interface SealedSecret {
  id: string;
  name: string;
  sealed: Uint8Array;
  provider: SecretProvider;
  reference: string | null;
}

/**
 * The value, wherever it is.
 * @throws AppError that says which one is missing and where it should be
 */
export async function openSecret(vault: Vault, row: SealedSecret, sources: SecretSources = noSources): Promise<string> {
  const { provider, name, reference } = row;
  if (provider === "boreas") return await vault.open(secretPlace(row.id), row.sealed);
  const value = provider === "env" ? sources.env(reference!) : await sources.file(reference!);
  const where = provider === "env"
    ? `the master's variable ${reference}`
    : `the file ${reference} below BOREAS_SECRET_FILES`;
  if (value === undefined) {
    throw new AppError(
      "invalid",
      "secret.missing",
      `The secret ${name} is kept in ${where}, which has no value; set it there.`,
    );
  }
  if (value.length < SHORTEST_SECRET) {
    throw new AppError(
      "invalid",
      "secret.too_short",
      `The secret ${name} in ${where} is shorter than ${SHORTEST_SECRET} characters: it could not be masked in logs.`,
    );
  }
  return value;
}
