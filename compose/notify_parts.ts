/** Telling people outside: what sends, and what it may reach. */
import { createMailer } from "../host/mail.ts";
import { createPinnedFetch } from "../host/pinned_fetch.ts";
import type { CheckOutgoing } from "../domain/outgoing_check.ts";
import type { SchedulerDeps } from "../scheduler/deps.ts";
import type { Loop } from "../scheduler/loop.ts";
import { createApprovalLinks } from "../scheduler/notifications/approval_links.ts";
import { createNotifyLoop } from "../scheduler/notifications/notify_loop.ts";
import { reasonsZh } from "../web/i18n/reasons_zh.ts";
import type { Env, Settings } from "./settings.ts";

export const createNotifier = (
  env: Env,
  settings: Settings,
  scheduler: SchedulerDeps,
  checkOutgoing: CheckOutgoing,
): Loop =>
  createNotifyLoop({
    ...scheduler,
    checkOutgoing,
    fetch: createPinnedFetch(env),
    sendMail: createMailer(),
    publicUrl: settings.publicUrl,
    reasonsZh,
    approvalLinks: createApprovalLinks({ ...scheduler, publicUrl: settings.publicUrl }),
  });
