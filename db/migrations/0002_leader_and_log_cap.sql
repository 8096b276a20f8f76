CREATE TABLE "leader" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" uuid NOT NULL,
	"term" bigint NOT NULL,
	"elected_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "log_head" ADD COLUMN "dropped_from" bigint;--> statement-breakpoint
ALTER TABLE "log_head" ADD COLUMN "dropped_to" bigint;--> statement-breakpoint
ALTER TABLE "log_head" ADD COLUMN "dropped_lines" bigint DEFAULT 0 NOT NULL;