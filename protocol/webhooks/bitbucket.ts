/** Bitbucket Cloud and Server: HMAC-SHA256 in `X-Hub-Signature` (the name GitHub once used for SHA-1). */
import { parseRef } from "../../domain/git_ref.ts";
import { isHexSignature } from "./signature.ts";
import { at, deliveryKey, otherEvent, pullEvent, pushEvent, textAt } from "./webhook.ts";
import type { HookEvent, WebhookProvider } from "./webhook.ts";

/** Bitbucket itself lists at most five changes; a longer list is cut, the poller finds the rest. */
const MAX_CHANGES = 50;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value.slice(0, MAX_CHANGES) : []);

export const bitbucket: WebhookProvider = {
  verify: (request) => isHexSignature(request.header("x-hub-signature"), "sha256=", request),
  read(payload, header, body) {
    const key = deliveryKey(header("x-request-uuid") ?? header("x-request-id"), body);
    const event = header("x-event-key");
    if (event === "pullrequest:created" || event === "pullrequest:updated") return [pullOf(payload, event, key)];
    const changes = event === "repo:push"
      ? list(at(payload, "push", "changes")).map(cloudChange)
      : event === "repo:refs_changed"
      ? list(at(payload, "changes")).map(serverChange)
      : [];
    if (changes.length === 0) return [otherEvent(event, key)];
    return changes.map(({ ref, commit }, index): HookEvent =>
      pushEvent(event!, ref, commit, index === 0 ? key : `${key}#${index}`)
    );
  },
  addresses(payload) {
    const clones = list(at(payload, "repository", "links", "clone")).flatMap((link) => textAt(link, "href") ?? []);
    const page = textAt(payload, "repository", "links", "html", "href");
    return page === undefined ? clones : [...clones, page];
  },
};

interface Change {
  ref: string | undefined;
  commit: string | undefined;
}
const DELETED = "0".repeat(40);

function cloudChange(change: unknown): Change {
  // `new` is null when the ref was deleted; `old` names it then.
  const gone = at(change, "new") === null;
  const side = gone ? "old" : "new";
  const kind = textAt(change, side, "type");
  const name = textAt(change, side, "name");
  const folder = kind === "tag" || kind === "annotated_tag" ? "tags" : kind === "branch" ? "heads" : undefined;
  return {
    ref: folder && name !== undefined ? `refs/${folder}/${name}` : undefined,
    commit: gone ? DELETED : textAt(change, "new", "target", "hash"),
  };
}

function serverChange(change: unknown): Change {
  return {
    ref: textAt(change, "ref", "id"),
    commit: textAt(change, "type") === "DELETE" ? DELETED : textAt(change, "toHash"),
  };
}

/** Bitbucket has no ref for a pull request, so its branch is read; one of a fork is in another repository. */
function pullOf(payload: unknown, event: string, key: string): HookEvent {
  const said = at(payload, "pullrequest");
  const here = textAt(said, "destination", "repository", "full_name");
  const isFork = here === undefined || textAt(said, "source", "repository", "full_name") !== here;
  const branch = textAt(said, "source", "branch", "name") ?? "";
  const found = pullEvent(event, {
    number: at(said, "id"),
    title: textAt(said, "title"),
    url: textAt(said, "links", "html", "href"),
    base: textAt(said, "destination", "branch", "name"),
    commit: textAt(said, "source", "commit", "hash"),
    isFork,
    ref: () => `refs/heads/${branch}`,
  }, key);
  if (found.ignoredBecause !== undefined || (!isFork && parseRef(`refs/heads/${branch}`))) return found;
  const { pull: _, ...rest } = found;
  const ignoredBecause =
    "Its branch is not in this repository, and Bitbucket shows it nowhere else; nothing is planned.";
  return { ...rest, ref: null, commit: null, ignoredBecause };
}
