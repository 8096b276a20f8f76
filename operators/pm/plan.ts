/** How a version goes over the targets of a `pm` environment: in batches, like everywhere. */
export { planStages } from "../../domain/strategy.ts";
