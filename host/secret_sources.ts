/** Values of secrets that the master's machine holds: variables with one prefix, and files below one folder. */
import { join } from "node:path";
import { AppError } from "../domain/app_error.ts";
import { SECRET_VARIABLE, type SecretSources } from "../domain/secret_source.ts";

const MOST_BYTES = 65_536;

/** @param folder `BOREAS_SECRET_FILES`; null when no file may be read */
export function createSecretSources(
  { env, folder }: { env: (name: string) => string | undefined; folder: string | null },
): SecretSources {
  return {
    env: (name) => SECRET_VARIABLE.test(name) ? env(name) || undefined : undefined,
    async file(path) {
      if (folder === null) {
        throw refused(`the secret file ${path} cannot be read: set BOREAS_SECRET_FILES to the folder it is in`);
      }
      try {
        const root = await Deno.realPath(folder);
        // Where links really lead: what is checked is what is read.
        const real = await Deno.realPath(join(root, path));
        if (!real.startsWith(`${root}/`)) {
          throw refused(`the secret file ${path} leads out of BOREAS_SECRET_FILES, and is not read`);
        }
        const { isFile, size } = await Deno.lstat(real);
        if (!isFile) throw refused(`the secret file ${path} is not a file`);
        if (size > MOST_BYTES) throw refused(`the secret file ${path} is larger than ${MOST_BYTES} bytes`);
        return (await Deno.readTextFile(real)).replace(/\r?\n$/, "") || undefined;
      } catch (error: unknown) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) {
          throw refused(`the secret file ${path} may not be read by the master`);
        }
        throw error;
      }
    },
  };
}

const refused = (sentence: string) => new AppError("invalid", "secret.source", `${sentence}.`);
