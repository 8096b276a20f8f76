import { afterEach, beforeEach, expect, it } from "vitest";
import { createAppOutputs } from "../../agents/app_outputs.ts";
import { sendSignal } from "../../host/process_table.ts";
import { clock, createPmFixture, operationOf, specOf } from "../../tests/helpers/pm_fixture.ts";
import type { PmFixture } from "../../tests/helpers/pm_fixture.ts";

let pm: PmFixture;
beforeEach(async () => void (pm = await createPmFixture()));
afterEach(() => pm.close());

it("what a program prints goes on across its restart, begins with its last lines, and shows no secret", async () => {
  const text = `#!/bin/sh\nfor i in 1 2 3 4; do echo line $i of $$; done\necho token $TOKEN\nexec sleep 60\n`;
  const bin = await pm.freeze({ app: { text, mode: 0o755 } });
  const spec = specOf({ mode: "binary", artifact: "bin", exec: ["./app"], restart: { policy: "always" } }, {
    artifacts: { bin },
    secrets: ["TOKEN"],
  });
  const context = pm.context({ secrets: { TOKEN: "hunter2hunter2" } });
  expect((await pm.operator.run(operationOf(spec), context)).status).toBe("success");
  const pidOf = async () => (await Array.fromAsync(pm.operator.observe()))[0]?.details.pid as number | null;
  const first = (await pidOf())!;

  const sent: { text?: string; ended?: string }[] = [];
  const outputs = createAppOutputs({
    operators: [pm.operator],
    clock,
    logger: { log: () => {} },
    send: (message) => void sent.push(message),
    bufferedAmount: () => 0,
  });
  const shown = () => sent.map((message) => message.text ?? "").join("");
  const ask = { type: "app.tail", requestId: "q", application: "order", environmentId: "e1" } as const;
  outputs.ask({ ...ask, lines: 3, follow: true });
  await expect.poll(shown).toBe(`line 3 of ${first}\nline 4 of ${first}\ntoken ***\n`);
  sendSignal(first, "KILL");
  await expect.poll(shown).toMatch(
    /token \*\*\*\nline 1 of \d+\n(line . of \d+\n){3}token \*\*\*\n$/,
  );
  expect(shown()).not.toContain("hunter2");

  outputs.ask({ ...ask, lines: 0, stop: true });
  sent.splice(0);
  outputs.ask({ ...ask, requestId: "once", lines: 1 });
  await expect.poll(() => sent.at(-1)?.ended).toBe("That is all.");
  expect(shown()).toBe("token ***\n");
  outputs.ask({ ...ask, application: "nobody", requestId: "none", lines: 1 });
  await expect.poll(() => sent.at(-1)?.ended).toMatch(/^nobody prints nothing here/);
});
