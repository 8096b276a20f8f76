/**
 * A repository's files for three machines: a container and a binary with ports of their own, a script, and, once what was
 * changed by hand is to heal, two programs more.
 */

export const SHOP_PORT = 8081;
export const API_PORT = 8082;

/** Files that are run. */
export const EXECUTABLE = ["dist/serve", "dist/stay", "ops/deploy.sh", "ops/check.sh", "ops/rollback.sh"];

interface Release {
  /** The artifact of that name, in the registry. */
  image: string;
  /** What goes wrong in the binary, in the words of a shell. */
  trouble: string;
  /** Hands off is what is asked for, and machines go one after the other. */
  heals: boolean;
}

export function releaseFiles(version: string, { image, trouble, heals }: Release): Record<string, string> {
  const serve = `#!/bin/sh
folder=$(mktemp -d) && echo ${version} >"$folder/index.html" && echo ok >"$folder/healthz"
${trouble}
exec busybox httpd -f -p "127.0.0.1:$1" -h "$folder"
`;
  const drift = heals ? "drift: { mode: heal }\n" : "";
  const more = `---
apiVersion: boreas/v1
kind: Application
name: mail
artifacts: { ${image} }
runtime: { docker: { image: image, stop: { grace: 1s } } }
${drift}environments: { rack: { nodes: { labels: { engine: docker } } } }
---
apiVersion: boreas/v1
kind: Application
name: side
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["./stay"] } }
drift: { mode: ignore }
environments: { rack: {} }
`;
  const script = (text: string) => `#!/bin/sh\nset -e\n${text}\n`;
  const config = `apiVersion: boreas/v1
kind: Application
name: shop
artifacts: { ${image} }
runtime: { docker: { image: image, ports: { http: 8080 }, stop: { grace: 1s } } }
route: { mode: proxy, listen: ${SHOP_PORT}, port: http, drain: 5s }
health: [{ http: { port: http, path: / }, every: 500ms }]
healthy: { minTime: 2s, deadline: 60s }
${drift}environments: { rack: { nodes: { labels: { engine: docker } } } }
---
apiVersion: boreas/v1
kind: Application
name: api
artifacts: { program: { path: dist } }
runtime: { binary: { artifact: program, exec: ["./serve", "\${port.http}"], ports: { http: auto }, stop: { grace: 2s } } }
route: { mode: proxy, listen: ${API_PORT}, port: http, drain: 5s }
health: [{ http: { port: http, path: /healthz }, every: 500ms }]
healthy: { minTime: 2s, deadline: 60s, watchAfter: ${heals ? "0s" : "15s"} }
strategy: { type: rolling, batch: 2, wait: ${heals ? "10m" : "0s"}, onFailure: { action: rollback, scope: deployment } }
${drift}environments: { rack: {} }
---
apiVersion: boreas/v1
kind: Application
name: report
bundle: [ops/**]
runtime: { script: { deploy: ops/deploy.sh, check: ops/check.sh, rollback: ops/rollback.sh, status: ops/check.sh } }
environments: { rack: {} }
${heals ? more : ""}`;
  return {
    "dist/serve": serve,
    "dist/stay": "#!/bin/sh\nexec sleep 100000\n",
    "ops/deploy.sh": script(`echo ${version} >/var/lib/report`),
    "ops/check.sh": script(`test -s /var/lib/report`),
    "ops/rollback.sh": script(`echo "$BOREAS_VERSION" >/var/lib/report`),
    "boreas.yaml": config,
  };
}
