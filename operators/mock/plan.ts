/** How a version goes over the targets of a `mock` environment: in batches, like everywhere. */
export { planStages } from "../../domain/strategy.ts";
