import { ask } from "../shared/address_book.ts";
import { serve } from "../shared/serve.ts";

/** What a push changes. */
const EDITION = "v1";
const HEALTHY = true;

serve({
  edition: EDITION,
  isHealthy: async () => HEALTHY && await ask("order-service") !== undefined,
  answer: async () => {
    const orders = await ask("order-service");
    return { payments: [{ order: orders?.orders?.[0]?.id ?? null, euros: 49 }] };
  },
});
