import { command } from "../command.ts";
import { usageError } from "../host.ts";
import { printList } from "../print.ts";

const MOST = 1000;

export const audit = command({
  summary: "what people and tokens did",
  usage: "audit [flags]",
  details: `Newest first. Examples:
  boreas audit --by maria
  boreas audit --action deployment. --last 100`,
  flags: {
    by: { type: "string", value: "NAME", help: "only of this person, trigger or token" },
    action: { type: "string", value: "ACTION", help: "only this, or with a dot at its end all of a kind" },
    target: { type: "string", value: "KIND:ID", help: "only what was done to this, as in deployment:ID" },
    last: { type: "string", value: "COUNT", help: "so many, 30 unless told" },
  },
  positionals: [0, 0],
  async run(context, _, { by, action, target, last = "30" }) {
    const count = Number(last);
    if (!Number.isInteger(count) || count < 1 || count > MOST) {
      throw usageError(`--last takes a count from 1 to ${MOST}, not "${last}".`);
    }
    const api = await context.api();
    printList(
      context,
      await api.audit({ actor: by, action, target }, count),
      ["at", "by", "action", "target", "detail"],
      (one) => [one.at.slice(0, 19) + "Z", one.actor, one.action, one.target, sayDetail(one.detail)],
      "Nothing of this kind was done.",
    );
    return 0;
  },
});

const sayDetail = (detail: Record<string, unknown>): string =>
  Object.entries(detail).filter(([, value]) => value !== null && value !== "").map(([key, value]) =>
    `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join(" ") || "-";
