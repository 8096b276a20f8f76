import { expect, it } from "vitest";
import type { NotificationItem } from "./notification.ts";
import { sayMessage } from "./notification_text.ts";

const removal: NotificationItem = {
  event: "deployment.awaiting_approval",
  at: "2026-11-23T04:00:00Z",
  subjectId: "d1",
  name: "awaiting_approval",
  deploymentId: "d1",
  version: "v1.2",
  environments: ["prod"],
  applications: [{ name: "order", labels: {} }],
  removes: true,
  reason: null,
};

it("never tells of a removal as of a deployment", () => {
  const title = (language: "en" | "zh", item: NotificationItem) =>
    sayMessage([item], 1, { language, publicUrl: "https://b.example", reasons: {} }).title;
  expect(title("en", removal)).toBe("Approval wanted: removal of order from prod");
  expect(title("zh", removal)).toBe("等待审批：从 prod 移除 order");
  expect(title("en", { ...removal, event: "deployment.completed" })).toBe("Done: removal of order from prod");
  expect(title("en", { ...removal, event: "deployment.completed", removes: undefined })).toBe(
    "Deployed: order v1.2 → prod",
  );
});
