ALTER TABLE "agent" ADD COLUMN "key_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "next_public_key" text;--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "next_sealing_key" text;--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "rotate_wanted" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "ticket" "bytea";--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "previous_ticket" "bytea";--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "awaits_approval" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "drain_started_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "drained_at" timestamp with time zone;