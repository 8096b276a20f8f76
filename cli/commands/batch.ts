import { command } from "../command.ts";
import { findDeployment } from "../find.ts";
import { usageError } from "../host.ts";
import { printResult } from "../print.ts";

export const batch = command({
  summary: "change the batch size of a deployment that runs",
  usage: "batch DEPLOYMENT SIZE",
  details: "SIZE is a count or a share, such as 2 or 25%. Batches that have begun stay as they are.",
  flags: {},
  positionals: [2, 2],
  async run(context, [wanted, text]) {
    const size = /^[1-9]\d*$/.test(text!) ? Number(text) : text!;
    if (typeof size === "string" && !/^\d+%$/.test(size)) {
      throw usageError(`"${text}" is no batch size; a count or a share, such as 2 or 25%.`);
    }
    const api = await context.api();
    const { id } = await findDeployment(api, wanted!);
    const now = await api.changeBatch(id, size);
    const applications = now.tasks.filter((task) => task.parentId === null && task.payload.batch === size);
    const names = applications.map((task) => task.name).join(", ");
    printResult(context, now, `What had not begun of ${names} goes ${text} at a time.`);
    return 0;
  },
});
