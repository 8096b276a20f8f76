ALTER TABLE "deployment" ADD COLUMN "strategy_override" jsonb;--> statement-breakpoint
ALTER TABLE "version" ADD COLUMN "seen_ref" text;
