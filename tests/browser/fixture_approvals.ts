/** What waits for a person, and what a gate measured: a test fills these in. */
import type { ApprovalRequest, Measurement } from "../../protocol/http_api.ts";

export const requests: ApprovalRequest[] = [];
/** Of any gate. */
export const measurements: Measurement[] = [];
