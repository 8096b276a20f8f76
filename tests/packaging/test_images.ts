/**
 * Images for tests where no registry of images can be reached: one Debian system made by debootstrap, as the base of
 * ours and, with an entry point each, in the place of postgres:15 and redis:7. Made once per machine and kept.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker, run, UNSYNCED } from "../helpers/docker.ts";

export interface TestImages {
  base: string;
  postgres: string;
  redis: string;
}

const PACKAGES = "git,ca-certificates,tini,postgresql-15,redis-server";
const BASE = "boreas-test-base:1";

export async function makeTestImages(): Promise<TestImages> {
  if (!await isThere(BASE)) await makeBase();
  if (!await isThere(POSTGRES)) await makePostgres();
  return { base: BASE, postgres: POSTGRES, redis: BASE };
}

const isThere = async (image: string) => (await docker(["image", "ls", "--quiet", image])).trim() !== "";

async function makeBase(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "boreas-base-"));
  try {
    const system = join(folder, "root");
    await run("debootstrap", ["--variant=minbase", `--include=${PACKAGES}`, "bookworm", system], { env: UNSYNCED });
    // The authorities this machine trusts: a company's proxy is met inside as it is outside.
    await copyFile("/etc/ssl/certs/ca-certificates.crt", join(system, "etc/ssl/certs/ca-certificates.crt"));
    await copyFile(Deno.execPath(), join(system, "usr/local/bin/deno"));
    const tar = join(folder, "base.tar");
    await run("tar", ["-C", system, "--exclude=./var/cache/apt", "--exclude=./usr/share/doc", "-cf", tar, "."]);
    const trust = ["-c", "ENV DENO_TLS_CA_STORE=system", "-c", "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"];
    await docker(["import", ...trust, tar, BASE]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Understands what docker-compose.yml tells the official image: user, password, database, the place of the data. */
const ENTRYPOINT = `#!/bin/sh
set -eu
D=/var/lib/postgresql/data
if [ ! -e $D/PG_VERSION ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D $D -U "$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust -E UTF8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> $D/pg_hba.conf
  pg_ctl -D $D -o "-c listen_addresses=" -w start
  createdb -h /var/run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -D $D -m fast -w stop
fi
exec postgres -D $D -c "listen_addresses=*"
`;
const RECIPE = `FROM ${BASE}
COPY entrypoint.sh /entrypoint.sh
RUN mkdir -p /var/lib/postgresql/data /var/run/postgresql \\
    && chown postgres:postgres /var/lib/postgresql/data /var/run/postgresql
USER postgres
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin
STOPSIGNAL SIGINT
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/entrypoint.sh"]
`;
const POSTGRES = `boreas-test-postgres:${createHash("sha256").update(ENTRYPOINT + RECIPE).digest("hex").slice(0, 12)}`;

async function makePostgres(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "boreas-postgres-"));
  await writeFile(join(folder, "entrypoint.sh"), ENTRYPOINT, { mode: 0o755 });
  await writeFile(join(folder, "Dockerfile"), RECIPE);
  await docker(["build", "--quiet", "--tag", POSTGRES, folder]);
  await rm(folder, { recursive: true });
}
