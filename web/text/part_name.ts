/** What a part of a release is called on a page: by what it does and where, not by its key. */
import type { Task } from "../../protocol/http_api.ts";
import { t, timeWords } from "../i18n/locale.ts";
import { durationText } from "./time_text.ts";

const HOOKS = ["preDeploy", "preSwitch", "postDeploy", "onRollback", "onFailure"] as const;
const PHASES = ["prepare", "switch", "finish"] as const;
type Payload = Partial<{
  action: string;
  kind: string;
  app: string;
  target: { name: string } | null;
  hook: { name: string; run: string };
  gate: { prometheus?: string; http?: string; run?: string };
  approve: { count?: number; roles?: string[] };
  pauseSeconds: number;
  parts: number;
  promoted: unknown;
}>;

export function partName(
  { type, name, parentId, payload }: Pick<Task, "type" | "name" | "parentId" | "payload">,
): string {
  const { action, kind, app, target, hook, gate, approve, pauseSeconds, parts, promoted } = payload as Payload;
  const place = target?.name ?? app ?? name;
  const time = () => durationText((pauseSeconds ?? 0) * 1000, timeWords()).replace(".0 ", " ");
  switch (type) {
    case "apply": {
      const phase = PHASES.find((one) => one === action);
      return phase ? t(`part.${phase}`, { place }) : name;
    }
    case "hook": {
      const which = HOOKS.find((one) => one === hook?.name);
      if (!which) return name;
      const what = t(`part.${which}`);
      const where = target?.name ?? (parentId === null ? app : undefined);
      return where === undefined ? what : t("part.of", { what, place: where });
    }
    case "pause":
      if (kind === "meeting" && parts !== undefined) return t("part.meeting", { count: parts });
      return pauseSeconds === undefined || promoted !== undefined ? name : t("part.pause", { time: time() });
    case "gate": {
      if (kind === "watch") return pauseSeconds === undefined ? name : t("part.watch", { time: time() });
      const rule = gate?.prometheus ?? gate?.http ?? gate?.run;
      return rule === undefined ? name : t("part.gate", { rule });
    }
    case "approval": {
      const { count = 1, roles = [] } = approve ?? {};
      return roles.length > 0
        ? t("part.approval.by", { count, roles: roles.join(", ") })
        : t("part.approval", { count });
    }
    default:
      return name;
  }
}
