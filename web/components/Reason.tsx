import type { Reason as ReasonShape } from "../../domain/reason.ts";
import { reasonText } from "../i18n/locale.ts";

export const Reason = ({ of }: { of: ReasonShape }) => (
  <span class="reason" title={reasonText(of)}>{reasonText(of)}</span>
);
