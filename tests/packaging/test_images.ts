/**
 * Images for tests where no registry of images can be reached: one Debian system made by debootstrap, as the base of
 * ours and, with an entry point each, in the place of postgres:15 and redis:7. Made once per machine and kept.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDebianImage } from "../helpers/debian_image.ts";
import { docker } from "../helpers/docker.ts";

export interface TestImages {
  base: string;
  postgres: string;
  redis: string;
}

/** The authorities this machine trusts: a company's proxy is met inside as it is outside. */
const AUTHORITIES = "etc/ssl/certs/ca-certificates.crt";

export async function makeTestImages(): Promise<TestImages> {
  const base = await makeBaseImage();
  return { base, postgres: await makePostgres(base), redis: base };
}

export const makeBaseImage = async () =>
  await makeDebianImage({
    name: "boreas-test-base",
    packages: ["git", "ca-certificates", "tini", "postgresql-15", "redis-server"],
    depends: [Deno.version.deno, createHash("sha256").update(await readFile(`/${AUTHORITIES}`)).digest("hex")],
    async finish(system) {
      await copyFile(`/${AUTHORITIES}`, join(system, AUTHORITIES));
      await copyFile(Deno.execPath(), join(system, "usr/local/bin/deno"));
    },
    without: ["var/cache/apt", "usr/share/doc"],
    changes: ["ENV DENO_TLS_CA_STORE=system", `ENV SSL_CERT_FILE=/${AUTHORITIES}`],
  });

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
const recipe = (base: string) =>
  `FROM ${base}
COPY entrypoint.sh /entrypoint.sh
RUN mkdir -p /var/lib/postgresql/data /var/run/postgresql \\
    && chown postgres:postgres /var/lib/postgresql/data /var/run/postgresql
USER postgres
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin
STOPSIGNAL SIGINT
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/entrypoint.sh"]
`;

async function makePostgres(base: string): Promise<string> {
  const content = createHash("sha256").update(ENTRYPOINT + recipe(base)).digest("hex").slice(0, 12);
  const image = `boreas-test-postgres:${content}`;
  if ((await docker(["image", "ls", "--quiet", image])).trim() !== "") return image;
  const folder = await mkdtemp(join(tmpdir(), "boreas-postgres-"));
  await writeFile(join(folder, "entrypoint.sh"), ENTRYPOINT, { mode: 0o755 });
  await writeFile(join(folder, "Dockerfile"), recipe(base));
  await docker(["build", "--quiet", "--tag", image, folder]);
  await rm(folder, { recursive: true });
  return image;
}
