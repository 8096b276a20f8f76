/** One signed push as each provider sends it: headers and body as documented by them. */
import { createHmac } from "node:crypto";
import type { Provider } from "../../protocol/http_api.ts";

export const SECRET = "a secret of at least 16 characters";
export const COMMIT = "4f1c0b7e5d2a9c8b3e6f7a1d0c9b8a7e6f5d4c3b";

export interface SampleHook {
  headers: Record<string, string>;
  body: string;
}
export interface SampleOptions {
  ref?: string;
  commit?: string;
  url?: string;
  secret?: string;
  id?: string;
  now?: Date;
  /** Replaces the payload; it is signed as it stands. */
  body?: string;
}

const hmac = (secret: string | Uint8Array, text: string) => createHmac("sha256", secret).update(text);

export function standardHeaders(body: string, secret: string, id: string, now: Date): Record<string, string> {
  const key = secret.startsWith("whsec_") ? Uint8Array.from(atob(secret.slice(6)), (c) => c.charCodeAt(0)) : secret;
  const timestamp = String(Math.floor(now.getTime() / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${hmac(key, `${id}.${timestamp}.${body}`).digest("base64")}`,
  };
}

export function samplePush(provider: Provider, options: SampleOptions = {}): SampleHook {
  const ref = options.ref ?? "refs/heads/main";
  const commit = options.commit ?? COMMIT;
  const url = options.url ?? "https://git.example.com/trade/shop.git";
  const secret = options.secret ?? SECRET;
  const id = options.id ?? crypto.randomUUID();
  const now = options.now ?? new Date();
  const [, folder, name] = /^refs\/(heads|tags)\/(.+)$/.exec(ref)!;
  const json = { "content-type": "application/json" };
  const text = (payload: unknown) => options.body ?? JSON.stringify(payload);
  switch (provider) {
    case "github": {
      const body = text({
        ref,
        before: "0".repeat(40),
        after: commit,
        repository: { full_name: "trade/shop", clone_url: url },
      });
      const signature = `sha256=${hmac(secret, body).digest("hex")}`;
      return {
        body,
        headers: { ...json, "x-github-event": "push", "x-github-delivery": id, "x-hub-signature-256": signature },
      };
    }
    case "gitlab": {
      const kind = folder === "tags" ? "tag_push" : "push";
      const body = text({
        object_kind: kind,
        ref,
        after: commit,
        checkout_sha: commit,
        project: { git_http_url: url },
      });
      const event = { ...json, "x-gitlab-event": folder === "tags" ? "Tag Push Hook" : "Push Hook" };
      return secret.startsWith("whsec_")
        ? { body, headers: { ...event, ...standardHeaders(body, secret, id, now) } }
        : { body, headers: { ...event, "x-gitlab-token": secret, "idempotency-key": id } };
    }
    case "gitea":
    case "forgejo": {
      const body = text({ ref, after: commit, repository: { full_name: "trade/shop", clone_url: url } });
      const head = `x-${provider}`;
      const signature = hmac(secret, body).digest("hex");
      return {
        body,
        headers: { ...json, [`${head}-event`]: "push", [`${head}-delivery`]: id, [`${head}-signature`]: signature },
      };
    }
    case "bitbucket": {
      const type = folder === "tags" ? "tag" : "branch";
      const body = text({
        push: { changes: [{ old: null, new: { type, name, target: { hash: commit } } }] },
        repository: { links: { html: { href: url.replace(/\.git$/, "") } } },
      });
      const signature = `sha256=${hmac(secret, body).digest("hex")}`;
      return {
        body,
        headers: { ...json, "x-event-key": "repo:push", "x-request-uuid": id, "x-hub-signature": signature },
      };
    }
    case "generic": {
      const body = text({ ref, commit });
      return { body, headers: { ...json, ...standardHeaders(body, secret, id, now) } };
    }
  }
}

export interface SamplePull {
  /** GitHub's word for what happened; the others' are derived. */
  action?: "opened" | "synchronize";
  commit: string;
  isFork?: boolean;
  url: string;
  id?: string;
}

/** Pull request 7 of `work` into `main`, signed, as each provider sends it; also of another repository. */
export function samplePull(provider: Exclude<Provider, "generic">, pull: SamplePull): SampleHook {
  const { action = "opened", commit, isFork = false, url } = pull;
  const id = pull.id ?? crypto.randomUUID();
  const json = { "content-type": "application/json" };
  const title = "Say more";
  const page = "https://git.example.com/x/pull/7";
  switch (provider) {
    case "github":
    case "gitea":
    case "forgejo": {
      const body = JSON.stringify({
        action: provider === "github" || action === "opened" ? action : "synchronized",
        number: 7,
        pull_request: {
          ...{ number: 7, title, html_url: page },
          base: { ref: "main", repo: { id: 1 } },
          head: { ref: "work", sha: commit, repo: { id: isFork ? 2 : 1 } },
        },
        repository: { clone_url: url },
      });
      const signature = hmac(SECRET, body).digest("hex");
      return provider === "github"
        ? {
          body,
          headers: {
            ...json,
            "x-github-event": "pull_request",
            "x-github-delivery": id,
            "x-hub-signature-256": `sha256=${signature}`,
          },
        }
        : {
          body,
          headers: {
            ...json,
            [`x-${provider}-event`]: "pull_request",
            [`x-${provider}-delivery`]: id,
            [`x-${provider}-signature`]: signature,
          },
        };
    }
    case "gitlab": {
      const body = JSON.stringify({
        object_kind: "merge_request",
        event_type: "merge_request",
        project: { git_http_url: url },
        object_attributes: {
          ...{ iid: 7, title, url: page, action: action === "opened" ? "open" : "update" },
          ...{ source_branch: "work", target_branch: "main", last_commit: { id: commit } },
          ...{ target_project_id: 1, source_project_id: isFork ? 2 : 1 },
        },
      });
      const event = { "x-gitlab-event": "Merge Request Hook", "x-gitlab-token": SECRET, "idempotency-key": id };
      return { body, headers: { ...json, ...event } };
    }
    case "bitbucket": {
      const here = { full_name: "trade/shop", links: { html: { href: url.replace(/\.git$/, "") } } };
      const body = JSON.stringify({
        repository: here,
        pullrequest: {
          ...{ id: 7, title, links: { html: { href: page } } },
          destination: { branch: { name: "main" }, repository: here },
          source: {
            branch: { name: "work" },
            commit: { hash: commit.slice(0, 12) },
            repository: isFork ? { full_name: "other/shop", links: {} } : here,
          },
        },
      });
      const key = action === "opened" ? "pullrequest:created" : "pullrequest:updated";
      const signature = `sha256=${hmac(SECRET, body).digest("hex")}`;
      return {
        body,
        headers: { ...json, "x-event-key": key, "x-request-uuid": id, "x-hub-signature": signature },
      };
    }
  }
}
