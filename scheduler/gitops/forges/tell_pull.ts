/** One comment on a pull request, found again by its hidden mark and written anew. */
import type { Vault } from "../../../db/secrets/vault.ts";
import { at } from "../../../protocol/webhooks/webhook.ts";
import type { OutgoingDeps } from "../outgoing_http.ts";
import { openForge, RefusedCall } from "./call_forge.ts";
import type { ForgePlace, OpenForge } from "./call_forge.ts";

export interface PullPlace extends ForgePlace {
  repositoryId: string;
  number: number;
}
const MOST_PAGES = 20;

/**
 * Markdown shows nothing of it, whichever provider renders it. Only who has the master's key can make one for this pull
 * request: whoever put a comment with such a mark there first would else have ours written into it, and could change it.
 * The present key's first.
 */
export async function marksOf(vault: Vault, repositoryId: string, number: number): Promise<[string, ...string[]]> {
  const [first, ...others] = await vault.marks(`pull:${repositoryId}:${number}`);
  const mark = (proof: string) => `[//]: # (boreas-plan ${repositoryId} ${proof})`;
  return [mark(first), ...others.map(mark)];
}

/**
 * Writes the comment, or the one that is there anew.
 * @throws OutgoingError where another attempt may help, RefusedCall where somebody must mend something
 */
export async function tellPull(
  deps: OutgoingDeps & { vault: Vault },
  place: PullPlace,
  token: string,
  text: string,
): Promise<"created" | "updated"> {
  const open = openForge(deps, place, token, "comment");
  const { forge, repository, send } = open;
  const marks = await marksOf(deps.vault, place.repositoryId, place.number);
  const body = `${marks[0]}\n\n${text}`;
  for (const id of await findComments(open, place.number, marks)) {
    try {
      await send(forge.updateComment(repository, place.number, id, body));
      return "updated";
    } catch (error: unknown) {
      // Gone meanwhile, or of whom an earlier token belonged to: only they may change it.
      if (!(error instanceof RefusedCall) || ![403, 404].includes(error.httpStatus ?? 0)) throw error;
    }
  }
  await send(forge.createComment(repository, place.number, body));
  return "created";
}

/** Those that bear a mark, the oldest first: whoever copies it later does not get ours written over theirs. */
async function findComments(
  { forge, repository, read }: OpenForge,
  number: number,
  marks: readonly string[],
): Promise<string[]> {
  const found = new Set<string>();
  const seen = new Set<string>();
  let page: string | undefined = "1";
  for (let pages = 0; page !== undefined && pages < MOST_PAGES; pages++) {
    const answer = await read(forge.listComments(repository, number, page));
    let isNew = false;
    for (const item of forge.items(answer)) {
      const id = idOf(item);
      if (id === undefined || seen.has(id)) continue;
      seen.add(id);
      isNew = true;
      const text = forge.textOf(item);
      if (typeof text === "string" && marks.some((mark) => text.startsWith(mark))) found.add(id);
    }
    // Who gives all at once, whatever page is asked for, gives the same again.
    page = isNew ? forge.nextPage(answer, page) : undefined;
  }
  return [...found];
}

function idOf(item: unknown): string | undefined {
  const id = at(item, "id");
  return typeof id === "number" || (typeof id === "string" && /^[\w-]+$/.test(id)) ? String(id) : undefined;
}
